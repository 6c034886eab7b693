// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host has no vertical blank. A timer beats at the mode's rate, so that who
 * waits for page flips does not spin. It runs only while somebody counts.
 */
#include <drm/drm_vblank.h>

#include "video.h"

/*
 * disable is called with locks held that drm_crtc_handle_vblank() takes: it
 * cannot wait for the timer, which looks at vblank_on and ends by itself.
 */
static enum hrtimer_restart synv_vblank_beat(struct hrtimer *timer)
{
	struct synv *v = container_of(timer, struct synv, vblank_timer);
	unsigned long flags;
	bool on;

	spin_lock_irqsave(&v->vblank_lock, flags);
	on = v->vblank_on;
	v->vblank_running = on;
	if (on)
		hrtimer_forward_now(timer, v->vblank_period);
	spin_unlock_irqrestore(&v->vblank_lock, flags);
	if (!on)
		return HRTIMER_NORESTART;
	drm_crtc_handle_vblank(&v->crtc);
	return HRTIMER_RESTART;
}

int synv_vblank_enable(struct drm_crtc *crtc)
{
	struct synv *v = to_synv(crtc->dev);
	unsigned long flags;
	int ret = 0;

	spin_lock_irqsave(&v->vblank_lock, flags);
	if (v->vblank_gone) {
		ret = -ENODEV;
	} else {
		v->vblank_on = true;
		if (!v->vblank_running) {
			v->vblank_running = true;
			hrtimer_start(&v->vblank_timer, v->vblank_period,
				      HRTIMER_MODE_REL);
		}
	}
	spin_unlock_irqrestore(&v->vblank_lock, flags);
	return ret;
}

void synv_vblank_disable(struct drm_crtc *crtc)
{
	struct synv *v = to_synv(crtc->dev);
	unsigned long flags;

	spin_lock_irqsave(&v->vblank_lock, flags);
	v->vblank_on = false;
	spin_unlock_irqrestore(&v->vblank_lock, flags);
}

void synv_vblank_init(struct synv *v)
{
	spin_lock_init(&v->vblank_lock);
	v->vblank_period = ns_to_ktime(NSEC_PER_SEC / 60);
	compat_hrtimer_setup(&v->vblank_timer, synv_vblank_beat);
}

/**
 * synv_vblank_exit() - the mirror; vblanks are off
 * @v: the display. Who has it open may still ask for some
 */
void synv_vblank_exit(struct synv *v)
{
	spin_lock_irq(&v->vblank_lock);
	v->vblank_gone = true;
	spin_unlock_irq(&v->vblank_lock);
	hrtimer_cancel(&v->vblank_timer);
}
