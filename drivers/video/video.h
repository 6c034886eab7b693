/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * synth_video: a display behind the synthvid protocol, through DRM/KMS. A file calls
 * only files that are below it in this list:
 *
 *	drv.c		what the bus and DRM call: probe, remove, hibernation
 *	debugfs.c	state and counters
 *	modeset.c	connector, CRTC, modes
 *	plane.c		the primary plane: what is shown, and damage
 *	cursor.c	the cursor plane
 *	vram.c		GEM objects, and which of them is in the VRAM
 *	vblank.c	the timer that stands for a vertical blank
 *	output.c	what the host is to know, and what of that it has missed
 *	channel.c	the channel: state, negotiation, messages both ways
 *	state.c		the states of a display
 *	updates.c	what the host has missed
 *	message.c	parser of the host's messages
 *	pointer.c	shapes of the pointer
 *	damage.c	lists of rectangles
 *
 * Locks, the outermost first: channel.ask_lock, channel.lock, channel.rx_lock. vram_lock
 * is taken within a GEM object's lock and mmap_lock, and with none of this driver's other
 * locks. The channel's callback runs in a tasklet.
 *
 * What is shown changes in commits, which come one after the other, and in
 * synv_plane_dirty() and the deferred work, which keep commits away by the plane's lock.
 */
#ifndef SYNTHIO_VIDEO_DRIVER_H
#define SYNTHIO_VIDEO_DRIVER_H

#include <linux/hrtimer.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_encoder.h>
#include <drm/drm_plane.h>

#include "channel.h"
#include "compat.h"
#include "damage.h"
#include "message.h"
#include "pointer.h"
#include "updates.h"
#include "vram.h"

#define SYNV_NAME	"synth_video"
#define SYNV_BPP	4		/* bytes of a pixel */
#define SYNV_MAX_SIDE	8192

/**
 * struct synv_shapes - shapes of the pointer
 * @drawn: read from a framebuffer; used within a commit only
 * @wanted: what the pointer is to look like
 * @sent: what the host has, or has got the first parts of
 * @part: of @sent, that is sent next; 0: all parts were sent
 * @out: a message
 *
 * All but @drawn is protected by channel.lock.
 */
struct synv_shapes {
	struct synv_pointer drawn;
	struct synv_pointer wanted;
	struct synv_pointer sent;
	u32 part;
	struct {
		struct synthio_pipe pipe;
		struct synthvid_header header;
		struct synthvid_pointer_shape shape;
		u8 pixels[SYNTHVID_POINTER_PART];
	} __packed out;
};

/**
 * enum synv_vblank_state - the timer that stands for a vertical blank
 * @SYNV_VBLANK_OFF: does not run
 * @SYNV_VBLANK_ON: runs
 * @SYNV_VBLANK_ENDING: runs once more, unless it is switched on before
 * @SYNV_VBLANK_GONE: never runs again
 */
enum synv_vblank_state {
	SYNV_VBLANK_OFF,
	SYNV_VBLANK_ON,
	SYNV_VBLANK_ENDING,
	SYNV_VBLANK_GONE,
};

/**
 * struct synv - a display
 * @channel: to the host, with the display's state
 * @vram: mapped as memory, @vram_size bytes; NULL before the first connection
 * @window: where the VRAM is
 * @modes_lock: of @modes; taken last
 * @modes: the last list of the host
 * @hotplug_update: a property: the desktop should follow the preferred mode
 * @connect_work: connects a display whose host did not answer
 * @features_work: the host wants other messages, or has other modes
 * @host_nb: called when the host stalls or responds
 *
 * Of the primary plane, in commits and with commits kept away:
 * @shadow_valid: the shadow buffer is shown, and has what the framebuffer has but for
 *	@deferred
 * @console_update: when fbcon's worker has sent an update
 * @copied_pixels: how many were copied to the shadow buffer
 * @last_update: jiffies when the host got an update of the screen
 * @deferred: damage that @deferred_work sends, in pixels of the screen
 * @deferrals: how many updates were deferred
 *
 * @vram_lock: of these:
 * @resident: the buffer that is in the VRAM, or NULL
 * @last_shown: the buffer of the last update; to compare with, not to follow
 * @moves_in: how often a buffer moved in, and @evictions, how often one was evicted
 *
 * @vblank_lock: of @vblank_state
 *
 * Under channel.lock; the situation in @updates changes in commits only:
 * @updates: what the host is to know
 * @shapes: of the pointer
 * @flush_work: sends what the host has missed
 */
struct synv {
	struct drm_device drm;
	struct drm_plane primary;
	struct drm_plane cursor;
	struct drm_crtc crtc;
	struct drm_encoder encoder;
	struct drm_connector connector;
	struct synv_channel channel;
	struct resource *window;
	void *vram;
	u32 vram_size;
	struct mutex modes_lock;
	struct synv_modes modes;
	struct drm_property *hotplug_update;
	struct delayed_work connect_work;
	struct delayed_work features_work;
	struct notifier_block host_nb;

	bool shadow_valid;
	ktime_t console_update;
	u64 copied_pixels;
	unsigned long last_update;
	struct synv_damage deferred;
	struct delayed_work deferred_work;
	u64 deferrals;

	struct mutex vram_lock;
	struct synv_buffer *resident;
	struct synv_buffer *last_shown;
	u64 moves_in;
	u64 evictions;

	spinlock_t vblank_lock;
	struct hrtimer vblank_timer;
	ktime_t vblank_period;
	enum synv_vblank_state vblank_state;

	struct synv_updates updates;
	struct synv_shapes *shapes;
	struct delayed_work flush_work;
};

static inline struct synv *to_synv(struct drm_device *drm)
{
	return container_of(drm, struct synv, drm);
}

/* output.c */
void synv_output_init(struct synv *v);
void synv_output_start(struct synv *v);
void synv_output_stop(struct synv *v);
void synv_output_show(struct synv *v, const struct synthvid_output *output,
		      const struct synv_damage *damage);
void synv_output_blank(struct synv *v);
void synv_output_pointer(struct synv *v, const struct synv_pointer *shape, int x,
			 int y);
void synv_output_resend(struct synv *v);
void synv_output_kick(struct synv *v);
bool synv_output_due(struct synv *v);
void synv_output_panic_dirt(struct synv *v);

/* modeset.c */
int synv_modeset_init(struct synv *v);
void synv_modeset_new_modes(struct synv *v, const struct synv_modes *modes);
void synv_modeset_hotplug(struct synv *v);

/* plane.c, cursor.c */
int synv_plane_init(struct synv *v);
void synv_plane_exit(struct synv *v);
void synv_plane_refresh(struct synv *v);
void synv_plane_black(struct synv *v, u32 width, u32 height);
int synv_plane_dirty(struct drm_framebuffer *fb, struct drm_file *file,
		     unsigned int flags, unsigned int color,
		     struct drm_clip_rect *clips, unsigned int count);
int synv_cursor_init(struct synv *v);

/* debugfs.c */
void synv_debugfs_init(struct drm_minor *minor);

/* vblank.c */
void synv_vblank_init(struct synv *v);
void synv_vblank_exit(struct synv *v);
int synv_vblank_enable(struct drm_crtc *crtc);
void synv_vblank_disable(struct drm_crtc *crtc);

#endif
