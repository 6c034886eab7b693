// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host has no vertical blank. A timer with the mode's refresh rate stands for it, so
 * that a program that waits for page flips does not spin. It runs only while DRM has
 * vertical blanks enabled.
 */
#include <drm/drm_vblank.h>

#include "video.h"

/*
 * synv_vblank_disable() is called with locks held that drm_crtc_handle_vblank() takes.
 * So it can't wait for the timer, which looks at the state and ends by itself.
 */
static enum hrtimer_restart vblank_timer(struct hrtimer *timer)
{
	struct synv *v = container_of(timer, struct synv, vblank_timer);
	unsigned long flags;
	bool on;

	spin_lock_irqsave(&v->vblank_lock, flags);
	on = v->vblank_state == SYNV_VBLANK_ON;
	if (on)
		hrtimer_forward_now(timer, v->vblank_period);
	else if (v->vblank_state == SYNV_VBLANK_ENDING)
		v->vblank_state = SYNV_VBLANK_OFF;
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
	if (v->vblank_state == SYNV_VBLANK_GONE) {
		ret = -ENODEV;
	} else {
		if (v->vblank_state == SYNV_VBLANK_OFF)
			hrtimer_start(&v->vblank_timer, v->vblank_period,
				      HRTIMER_MODE_REL);
		v->vblank_state = SYNV_VBLANK_ON;
	}
	spin_unlock_irqrestore(&v->vblank_lock, flags);
	return ret;
}

void synv_vblank_disable(struct drm_crtc *crtc)
{
	struct synv *v = to_synv(crtc->dev);
	unsigned long flags;

	spin_lock_irqsave(&v->vblank_lock, flags);
	if (v->vblank_state == SYNV_VBLANK_ON)
		v->vblank_state = SYNV_VBLANK_ENDING;
	spin_unlock_irqrestore(&v->vblank_lock, flags);
}

void synv_vblank_init(struct synv *v)
{
	spin_lock_init(&v->vblank_lock);
	v->vblank_period = ns_to_ktime(NSEC_PER_SEC / 60);
	compat_hrtimer_setup(&v->vblank_timer, vblank_timer);
}

/**
 * synv_vblank_exit() - stop the timer for good
 * @v: the display, unplugged. Programs that have it open may still ask for vertical
 *	blanks
 *
 * Context: process, sleeps.
 */
void synv_vblank_exit(struct synv *v)
{
	spin_lock_irq(&v->vblank_lock);
	v->vblank_state = SYNV_VBLANK_GONE;
	spin_unlock_irq(&v->vblank_lock);
	hrtimer_cancel(&v->vblank_timer);
}
