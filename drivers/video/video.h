/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * synth_video: a display behind the synthvid protocol, through DRM/KMS.
 *
 *	drv.c		what the bus and DRM call: probe, remove, hibernation
 *	modeset.c	connector, CRTC, modes
 *	plane.c		the picture: what is shown, and what has changed
 *	vram.c		buffers, and which of them lie in the VRAM
 *	cursor.c	the pointer, which the host draws
 *	vblank.c	the beat that page flips are paced by
 *	proto.c		the channel, and what goes through it
 *	message.c	what the host's messages mean
 *	pointer.c	pictures of the pointer
 *	damage.c	rectangles
 *
 * Locks: modes_lock, a mutex, of what the host would like; vram_lock, a mutex, of
 * what lies in the VRAM; out_lock, a mutex, of what the host was told; ask_lock, a
 * mutex, around a question to the host; rx_lock, a spinlock, of what came from it.
 * In this order: ask_lock, out_lock, rx_lock; vram_lock is taken within a GEM
 * object's lock and mmap_lock, and with none of ours. The channel's callback runs in
 * a tasklet.
 *
 * What is shown changes in commits, one after the other, and in synv_plane_dirty(),
 * which keeps commits away, as does what tells later: that needs no lock of its own.
 */
#ifndef SYNTHIO_VIDEO_DRIVER_H
#define SYNTHIO_VIDEO_DRIVER_H

#include <linux/completion.h>
#include <linux/hrtimer.h>
#include <linux/hyperv.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <drm/drm_connector.h>
#include <drm/drm_crtc.h>
#include <drm/drm_device.h>
#include <drm/drm_encoder.h>
#include <drm/drm_plane.h>

#include "compat.h"
#include "damage.h"
#include "message.h"
#include "pointer.h"
#include "vram.h"

#define SYNV_NAME	"synth_video"
#define SYNV_BPP	4		/* bytes of a pixel */
#define SYNV_MAX_SIDE	8192

/**
 * struct synv_shapes - pictures of the pointer
 * @wanted: what it looks like
 * @told: what the host has, or has got the first parts of
 * @part: of @told, that is sent next; 0: all were
 * @out: a message
 */
struct synv_shapes {
	struct synv_pointer wanted;
	struct synv_pointer told;
	u32 part;
	struct {
		struct synthio_pipe pipe;
		struct synthvid_header header;
		struct synthvid_pointer_shape shape;
		u8 pixels[SYNTHVID_POINTER_PART];
	} __packed out;
};

/**
 * struct synv - a display
 * @vram: mapped as memory; @vram_size bytes
 * @window: where it is
 * @version: that the host has accepted
 * @modes_lock: of this, and taken last:
 * @modes: what the host has said last
 *
 * @hotplug_update: the desktop should follow the preferred mode
 * @registered: DRM's users know of it
 * @copied: what is shown is the copied picture, and it is what was in the buffer
 * @console_told: when the console's worker told something
 * @copied_pixels: how many, since the driver has the device
 * @told: jiffies when something of the picture was told
 * @late: what of the screen is told later, by @late_work
 * @put_off: how often something was to be told later
 *
 * @vram_lock: of these:
 * @mm: of the VRAM
 * @picture: room at the beginning, for a buffer that is copied
 * @residents: struct synv_buffer that lie in the VRAM
 * @shown: was shown last; to compare with, it may be gone
 * @vram_use: what the module's parameter says
 * @vram_open: buffers may enter
 * @vram_vmaps: how often those in the VRAM are mapped in the kernel
 * @vram_idle: woken when @vram_vmaps gets 0
 * @vram_entered: moves of buffers into the VRAM, and @vram_left out of it
 *
 * @vblank_lock: of the beat
 * @vblank_on: somebody counts
 * @vblank_running: the timer runs, or is about to
 * @vblank_gone: and must not any more
 *
 * @out_lock: of these:
 * @connected: the channel may be used
 * @situation: what is shown; it was told if @situation_known
 * @position: of the pointer; it was told if @position_known
 * @shapes: its pictures; the wanted one was told if @shape_known
 *
 * @rx_lock: of these:
 * @open: messages are looked at
 * @asked: type of the message that is waited for, 0 for none
 * @answer: it
 * @features: what the host wants to be told
 */
struct synv {
	struct drm_device drm;
	struct drm_plane primary;
	struct drm_plane cursor;
	struct drm_crtc crtc;
	struct drm_encoder encoder;
	struct drm_connector connector;
	struct hv_device *hv;
	struct resource *window;
	void *vram;
	u32 vram_size;
	u32 version;
	struct mutex modes_lock;
	struct synv_modes modes;
	struct drm_property *hotplug_update;
	bool registered;
	bool copied;
	ktime_t console_told;
	u64 copied_pixels;
	unsigned long told;
	struct synv_damage late;
	struct delayed_work late_work;
	u64 put_off;

	struct mutex vram_lock;
	struct drm_mm mm;
	struct drm_mm_node picture;
	struct list_head residents;
	struct synv_buffer *shown;
	int vram_use;
	bool vram_open;
	unsigned int vram_vmaps;
	wait_queue_head_t vram_idle;
	u64 vram_entered;
	u64 vram_left;

	spinlock_t vblank_lock;
	struct hrtimer vblank_timer;
	ktime_t vblank_period;
	bool vblank_on;
	bool vblank_running;
	bool vblank_gone;

	struct mutex out_lock;
	bool connected;
	struct synthvid_output situation;
	bool situation_known;
	struct synthvid_pointer_position position;
	bool position_known;
	struct synv_shapes *shapes;
	bool shape_known;

	struct mutex ask_lock;
	spinlock_t rx_lock;
	bool open;
	u32 asked;
	struct synv_message received;
	struct synv_message answer;
	struct synthvid_feature_change features;
	struct completion answered;
	struct work_struct feature_work;
	u64 bad;
};

static inline struct synv *to_synv(struct drm_device *drm)
{
	return container_of(drm, struct synv, drm);
}

/* proto.c */
int synv_proto_open(struct synv *v);
void synv_proto_close(struct synv *v);
int synv_proto_start(struct synv *v);
void synv_proto_show(struct synv *v, const struct synthvid_output *output);
void synv_proto_blank(struct synv *v);
int synv_proto_dirt(struct synv *v, const struct synv_damage *damage);
void synv_proto_panic_dirt(struct synv *v);
void synv_proto_position(struct synv *v, int x, int y);
void synv_proto_shape(struct synv *v);

/* modeset.c */
int synv_modeset_init(struct synv *v);
void synv_modeset_new_modes(struct synv *v, const struct synv_modes *modes);
bool synv_modeset_fits(const struct synv *v, u32 width, u32 height);

/* plane.c, cursor.c */
int synv_plane_init(struct synv *v);
void synv_plane_exit(struct synv *v);
void synv_plane_black(struct synv *v, u32 width, u32 height);
int synv_plane_dirty(struct drm_framebuffer *fb, struct drm_file *file,
		     unsigned int flags, unsigned int color,
		     struct drm_clip_rect *clips, unsigned int count);
int synv_cursor_init(struct synv *v);

/* vblank.c */
void synv_vblank_init(struct synv *v);
void synv_vblank_exit(struct synv *v);
int synv_vblank_enable(struct drm_crtc *crtc);
void synv_vblank_disable(struct drm_crtc *crtc);

#endif
