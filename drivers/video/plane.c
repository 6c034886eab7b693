// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture. The host is told where it lies in the VRAM, and what of it has
 * changed: that is the buffer itself, if there is room for it, or a copy.
 */
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/iosys-map.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/workqueue.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_modeset_lock.h>
#include <drm/drm_rect.h>

#include <synthio/copy.h>

#include "video.h"

/* No viewer shows more pictures than so many a second */
#define BEATS		60
#define CONSOLE_BEAT_US	(USEC_PER_SEC / BEATS)
#define BEAT_JIFFIES	max(HZ / BEATS, 1)

static int synv_plane_check(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct drm_crtc_state *crtc_state;

	if (!new->crtc) {
		new->visible = false;
		return 0;
	}
	crtc_state = drm_atomic_get_new_crtc_state(state, new->crtc);
	return drm_atomic_helper_check_plane_state(new, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   false, true);
}

/*
 * Buffers of ours stay mapped; what comes from another device is, as long as it
 * is shown. Without offset: data[] has it, the map has not.
 */
static int synv_plane_prepare(struct drm_plane *plane,
			      struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(state);
	struct drm_framebuffer *fb = state->fb;
	int ret;

	if (!fb)
		return 0;
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		return ret;
	if (compat_gem_imported(fb->obj[0]))
		return drm_gem_fb_vmap(fb, shadow->map, shadow->data);
	ret = synv_vram_prepare(fb->obj[0]);
	if (!ret)
		shadow->map[0] = to_synv_buffer(fb->obj[0])->pages;
	return ret;
}

static void synv_plane_cleanup(struct drm_plane *plane,
			       struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(state);

	if (state->fb && compat_gem_imported(state->fb->obj[0]))
		drm_gem_fb_vunmap(state->fb, shadow->map);
}

static const struct iosys_map *map_of(const struct drm_plane_state *state)
{
	const struct drm_shadow_plane_state *shadow =
		container_of(state, struct drm_shadow_plane_state, base);

	return &shadow->map[0];
}

/* @r: in the buffer; the screen begins at src of the buffer */
static void copy_rect(struct synv *v, const struct drm_plane_state *state,
		      const struct synv_rect *r, int src_x, int src_y)
{
	const struct iosys_map *map = map_of(state);
	u32 pitch = drm_rect_width(&state->dst) * SYNV_BPP;
	u32 bytes = (r->x2 - r->x1) * SYNV_BPP;
	u8 *to = v->vram + (r->y1 - src_y) * pitch +
		 (r->x1 - src_x) * SYNV_BPP;
	size_t from = state->fb->offsets[0] +
		      (size_t)r->y1 * state->fb->pitches[0] +
		      r->x1 * SYNV_BPP;
	u32 lines = r->y2 - r->y1;

	v->copied_pixels += (u64)lines * (r->x2 - r->x1);
	/* whole lines that follow each other are one piece */
	if (bytes == pitch && pitch == state->fb->pitches[0]) {
		bytes *= lines;
		lines = 1;
	}
	for (; lines; lines--) {
		if (map->is_iomem)
			iosys_map_memcpy_from(to, map, from, bytes);
		else
			synthio_copy(to, map->vaddr + from, bytes);
		to += pitch;
		from += state->fb->pitches[0];
	}
}

static bool copy(struct synv *v, const struct drm_plane_state *state,
		 const struct synv_damage *damage)
{
	u32 i;

	if (!damage->count)
		return true;
	if (drm_gem_fb_begin_cpu_access(state->fb, DMA_FROM_DEVICE))
		return false;
	for (i = 0; i < damage->count; i++)
		copy_rect(v, state, &damage->rect[i], state->src.x1 >> 16,
			  state->src.y1 >> 16);
	drm_gem_fb_end_cpu_access(state->fb, DMA_FROM_DEVICE);
	return true;
}

/*
 * Where the host finds the picture if it is to look into the buffer; false: it is
 * to be copied. vram_lock is held
 */
static bool look_there(struct synv *v, const struct drm_plane_state *state,
		       struct synthvid_output *output)
{
	const struct drm_framebuffer *fb = state->fb;
	u32 pitch = fb->pitches[0], at;
	u64 from;

	if (compat_gem_imported(fb->obj[0]) || pitch % SYNV_BPP ||
	    fb->offsets[0] % SYNV_BPP)
		return false;
	from = fb->offsets[0] + (u64)pitch * (state->src.y1 >> 16) +
	       (state->src.x1 >> 16) * SYNV_BPP;
	/* no host reads beyond the buffer: the last line is a whole one, too */
	if (from + (u64)pitch * drm_rect_height(&state->dst) >
	    fb->obj[0]->size ||
	    (from && v->vram_use == SYNV_VRAM_AT_START))
		return false;
	if (!synv_vram_enter(v, to_synv_buffer(fb->obj[0]), &at))
		return false;
	output->offset = at + from;
	output->pitch = pitch;
	return true;
}

/* A screen of this size, whose picture is at the beginning of the VRAM */
static struct synthvid_output picture_of(u32 width, u32 height)
{
	return (struct synthvid_output) {
		.active = 1,
		.depth = 8 * SYNV_BPP,
		.width = width,
		.height = height,
		.pitch = width * SYNV_BPP,
	};
}

/* Of the screen, whose origin is at x, y of the buffer, into the buffer; or back */
static struct synv_rect moved(const struct synv_rect *r, int x, int y)
{
	return (struct synv_rect) { r->x1 + x, r->y1 + y, r->x2 + x, r->y2 + y };
}

/* What was to be told later is told with the rest */
static void add_late(struct synv *v, struct synv_damage *damage, int src_x,
		     int src_y)
{
	u32 i;

	for (i = 0; i < v->late.count; i++)
		synv_damage_add(damage, moved(&v->late.rect[i], src_x, src_y));
}

/* All is told, but for what has to wait again, for so many jiffies */
static void told(struct synv *v, const struct synv_damage *again,
		 unsigned long later)
{
	cancel_delayed_work(&v->late_work);
	v->told = jiffies;
	if (again) {
		v->late = *again;
		schedule_delayed_work(&v->late_work, later);
	} else {
		v->late.count = 0;
	}
}

/*
 * Show what @damage says, in the buffer, has changed, and what was put off; it is
 * of the screen afterwards. Commits are kept away, or this is one.
 */
static void show(struct synv *v, const struct drm_plane_state *state,
		 struct synv_damage *damage)
{
	int src_x = state->src.x1 >> 16, src_y = state->src.y1 >> 16;
	int width = drm_rect_width(&state->dst);
	int height = drm_rect_height(&state->dst);
	struct synthvid_output output = picture_of(width, height);
	const struct synv_rect all = {
		src_x, src_y, src_x + width, src_y + height };
	bool direct;
	u32 i;
	int ret = 0;

	if (!v->vram_open) {
		v->copied = false;
		told(v, NULL, 0);
		return;
	}
	add_late(v, damage, src_x, src_y);
	/* DRM rounds fractions up; and what is late was of another screen perhaps */
	synv_damage_clip(damage, &all);
	mutex_lock(&v->vram_lock);
	direct = look_there(v, state, &output);
	if (!direct) {
		synv_vram_leave(v, to_synv_buffer(state->fb->obj[0]));
		if (!synv_vram_picture(v, output.pitch * output.height))
			v->copied = false;
	}
	mutex_unlock(&v->vram_lock);
	if (direct) {
		v->copied = false;
	} else {
		/* of another picture, or of another size */
		if (!v->copied || v->situation.width != output.width ||
		    v->situation.height != output.height) {
			damage->count = 1;
			damage->rect[0] = all;
		}
		v->copied = copy(v, state, damage);
		if (!v->copied)
			damage->count = 0;
	}
	synv_proto_show(v, &output);
	for (i = 0; i < damage->count; i++)
		damage->rect[i] = moved(&damage->rect[i], -src_x, -src_y);
	if (damage->count)
		ret = synv_proto_dirt(v, damage);
	/* a host that stands still is told when it goes on */
	told(v, ret == -EAGAIN ? damage : NULL, HZ);
}

/**
 * synv_plane_black() - a screen without a picture
 * @v: the display
 * @width: of the screen
 * @height: of the screen
 *
 * Context: process, in a commit.
 */
void synv_plane_black(struct synv *v, u32 width, u32 height)
{
	const struct synthvid_output output = picture_of(width, height);
	const struct synv_damage all = {
		.count = 1,
		.rect[0] = { 0, 0, width, height },
	};
	int ret = 0;

	v->copied = false;
	if (v->vram_open) {
		mutex_lock(&v->vram_lock);
		synv_vram_picture(v, output.pitch * height);
		mutex_unlock(&v->vram_lock);
		memset(v->vram, 0, (size_t)output.pitch * height);
		synv_proto_show(v, &output);
		ret = synv_proto_dirt(v, &all);
	}
	told(v, ret == -EAGAIN ? &all : NULL, HZ);
}

static void synv_plane_update(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state,
								     plane);
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct synv *v = to_synv(plane->dev);
	struct drm_atomic_helper_damage_iter iter;
	struct synv_damage damage = { 0 };
	struct drm_rect clip;
	int idx;

	if (!new->fb || !drm_dev_enter(&v->drm, &idx))
		return;
	if (new->visible) {
		drm_atomic_helper_damage_iter_init(&iter, old, new);
		drm_atomic_for_each_plane_damage(&iter, &clip)
			synv_damage_add(&damage, (struct synv_rect) {
				clip.x1, clip.y1, clip.x2, clip.y2 });
		show(v, new, &damage);
	} else if (old->visible && v->situation.active) {
		/* it lies beside the screen */
		synv_plane_black(v, v->situation.width, v->situation.height);
	}
	drm_dev_exit(idx);
}

static void synv_plane_disable(struct drm_plane *plane, compat_atomic *state)
{
	struct synv *v = to_synv(plane->dev);
	int idx;

	if (!v->situation.active || !drm_dev_enter(&v->drm, &idx))
		return;
	synv_plane_black(v, v->situation.width, v->situation.height);
	drm_dev_exit(idx);
}

/* Wait until the last commit of the plane is at the host; no other one begins */
static bool is_shown(struct drm_plane *plane, const struct drm_framebuffer *fb)
{
	const struct drm_plane_state *state = plane->state;

	if (state->fb != fb || !state->visible)
		return false;
	return !state->commit ||
	       wait_for_completion_timeout(&state->commit->hw_done, 10 * HZ);
}

/*
 * The console's worker comes for each character, if it can. What comes meanwhile
 * it tells of at once. Later kernels let it wait for a vertical blank themselves.
 */
static void pace_console(struct synv *v)
{
	s64 early = ktime_us_delta(v->console_told, ktime_get()) +
		    CONSOLE_BEAT_US;

	if (early > 0 && early <= CONSOLE_BEAT_US)
		usleep_range(early, early + CONSOLE_BEAT_US / 8);
	v->console_told = ktime_get();
}

/*
 * A program may draw far more often than anybody looks. What comes within a beat
 * of the last message waits for the next one.
 */
static void put_off(struct synv *v, const struct synv_damage *damage,
		    const struct drm_rect *src)
{
	u32 i;

	for (i = 0; i < damage->count; i++)
		synv_damage_gather(&v->late, moved(&damage->rect[i], -src->x1,
						   -src->y1));
	v->put_off++;
	schedule_delayed_work(&v->late_work, BEAT_JIFFIES);
}

static void tell_late(struct work_struct *work)
{
	struct synv *v = container_of(to_delayed_work(work), struct synv,
				      late_work);
	const struct drm_plane_state *state;
	struct synv_damage damage = { 0 };
	int idx;

	drm_modeset_lock(&v->primary.mutex, NULL);
	state = v->primary.state;
	/* a commit may have told it */
	if (v->late.count && state->fb && is_shown(&v->primary, state->fb) &&
	    v->situation.active && drm_dev_enter(&v->drm, &idx)) {
		show(v, state, &damage);
		drm_dev_exit(idx);
	}
	drm_modeset_unlock(&v->primary.mutex);
}

/**
 * synv_plane_exit() - nothing more is told
 * @v: the display, unplugged
 *
 * Context: process, sleeps; no lock of DRM's is held.
 */
void synv_plane_exit(struct synv *v)
{
	cancel_delayed_work_sync(&v->late_work);
}

/**
 * synv_plane_dirty() - a program has drawn, and wants it to be seen
 * @fb: where
 * @file: the program's, NULL if it is the kernel
 * @flags: that a part was copied or filled. Of a copy both parts are in @clips: the
 * other one costs little
 * @color: what it was filled with
 * @clips: what has changed
 * @count: how many; 0: all
 *
 * What an atomic commit of the same buffer would do, without one, but at most
 * once a beat.
 *
 * Context: process, sleeps; no lock of DRM's is held.
 * Return: 0, also if the buffer is not shown or the device has gone; or an error.
 */
int synv_plane_dirty(struct drm_framebuffer *fb, struct drm_file *file,
		     unsigned int flags, unsigned int color,
		     struct drm_clip_rect *clips, unsigned int count)
{
	struct synv *v = to_synv(fb->dev);
	struct drm_plane *plane = &v->primary;
	struct synv_damage damage = { 0 };
	struct drm_rect src;
	unsigned int i;
	int idx;

	/*
	 * Who else draws there may not be done: a commit waits for that. The
	 * pointer's shape is not told by rectangles.
	 */
	if (compat_gem_imported(fb->obj[0]) ||
	    READ_ONCE(to_synv_buffer(fb->obj[0])->stays) ||
	    fb->format->format != DRM_FORMAT_XRGB8888)
		return drm_atomic_helper_dirtyfb(fb, file, flags, color, clips,
						 count);
	if (!file)
		pace_console(v);
	drm_modeset_lock(&plane->mutex, NULL);
	if (!is_shown(plane, fb))
		goto out;
	drm_rect_fp_to_int(&src, &plane->state->src);
	for (i = 0; i < count; i++)
		synv_damage_add(&damage, (struct synv_rect) {
			max_t(int, clips[i].x1, src.x1),
			max_t(int, clips[i].y1, src.y1),
			min_t(int, clips[i].x2, src.x2),
			min_t(int, clips[i].y2, src.y2) });
	if (!count)
		synv_damage_add(&damage, (struct synv_rect) {
			src.x1, src.y1, src.x2, src.y2 });
	/* on a screen that is dark no part of a picture is told */
	if (damage.count && v->situation.active &&
	    drm_dev_enter(&v->drm, &idx)) {
		if (time_before(jiffies, v->told + BEAT_JIFFIES))
			put_off(v, &damage, &src);
		else
			show(v, plane->state, &damage);
		drm_dev_exit(idx);
	}
out:
	drm_modeset_unlock(&plane->mutex);
	return 0;
}

#ifdef COMPAT_PANIC
static int synv_plane_scanout(struct drm_plane *plane,
			      struct drm_scanout_buffer *sb)
{
	struct synv *v = to_synv(plane->dev);

	if (!v->vram || !v->situation.active)
		return -ENODEV;
	sb->format = drm_format_info(DRM_FORMAT_XRGB8888);
	sb->width = v->situation.width;
	sb->height = v->situation.height;
	sb->pitch[0] = v->situation.pitch;
	iosys_map_set_vaddr(&sb->map[0], v->vram + v->situation.offset);
	return 0;
}

static void synv_plane_panic_flush(struct drm_plane *plane)
{
	synv_proto_panic_dirt(to_synv(plane->dev));
	compat_panic_unload();
}
#endif

static const struct drm_plane_helper_funcs synv_plane_helpers = {
	.prepare_fb	= synv_plane_prepare,
	.cleanup_fb	= synv_plane_cleanup,
	.atomic_check	= synv_plane_check,
	.atomic_update	= synv_plane_update,
	.atomic_disable	= synv_plane_disable,
#ifdef COMPAT_PANIC
	.get_scanout_buffer = synv_plane_scanout,
	.panic_flush	= synv_plane_panic_flush,
#endif
};

static const struct drm_plane_funcs synv_plane_funcs = {
	DRM_GEM_SHADOW_PLANE_FUNCS,
	.update_plane	= drm_atomic_helper_update_plane,
	.disable_plane	= drm_atomic_helper_disable_plane,
	.destroy	= drm_plane_cleanup,
};

static const u32 synv_formats[] = { DRM_FORMAT_XRGB8888 };

static const u64 synv_modifiers[] = {
	DRM_FORMAT_MOD_LINEAR, DRM_FORMAT_MOD_INVALID
};

/**
 * synv_plane_init() - make the plane of the picture
 * @v: the display
 */
int synv_plane_init(struct synv *v)
{
	int ret;

	INIT_DELAYED_WORK(&v->late_work, tell_late);
	ret = drm_universal_plane_init(&v->drm, &v->primary, 0,
				       &synv_plane_funcs, synv_formats,
				       ARRAY_SIZE(synv_formats), synv_modifiers,
				       DRM_PLANE_TYPE_PRIMARY, NULL);
	if (ret)
		return ret;
	drm_plane_helper_add(&v->primary, &synv_plane_helpers);
	drm_plane_enable_fb_damage_clips(&v->primary);
	return 0;
}
