// SPDX-License-Identifier: GPL-2.0-only
/*
 * The primary plane. What is shown is the framebuffer's own memory if the buffer is
 * resident in the VRAM (vram.h), else a shadow buffer in the VRAM, to which damage is
 * copied.
 *
 * What is shown changes in commits, which come one after the other, and in
 * synv_plane_dirty() and deferred_work(), which keep commits away by the plane's lock:
 * so shadow_valid, deferred and last_update need no lock of their own.
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

/* Updates of the screen in a second: no viewer shows more */
#define RATE			60
#define CONSOLE_PERIOD_US	(USEC_PER_SEC / RATE)
#define PERIOD_JIFFIES		max(HZ / RATE, 1)

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
 * Pages of this driver's buffers stay mapped; an imported buffer is mapped as long as it
 * is shown. The map is that of the buffer: the framebuffer's offset is added in
 * copy_rect().
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

/* @r: in pixels of the buffer; src_x, src_y: where in the buffer the screen begins */
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
	/* whole lines are copied at once */
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

/* Copy damage to the shadow buffer. False: nothing was copied */
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

/* A screen of this size, whose pixels are a shadow buffer in the VRAM */
static struct synthvid_output shadow_output(u32 width, u32 height)
{
	return (struct synthvid_output) {
		.active = 1,
		.depth = 8 * SYNV_BPP,
		.width = width,
		.height = height,
		.pitch = width * SYNV_BPP,
	};
}

/*
 * Whether the host may look into the buffer itself: it expects the first pixel of the
 * screen at the beginning of the VRAM.
 */
static bool is_scanout(const struct drm_plane_state *state)
{
	const struct drm_framebuffer *fb = state->fb;

	/* the last line is a whole one, too: no host reads beyond the buffer */
	return !compat_gem_imported(fb->obj[0]) && !fb->offsets[0] &&
	       state->src.x1 >> 16 == 0 && state->src.y1 >> 16 == 0 &&
	       fb->pitches[0] % SYNV_BPP == 0 &&
	       (u64)fb->pitches[0] * drm_rect_height(&state->dst) <=
	       fb->obj[0]->size;
}

static struct synv_rect moved(const struct synv_rect *r, int x, int y)
{
	return (struct synv_rect) { r->x1 + x, r->y1 + y, r->x2 + x, r->y2 + y };
}

/* All deferred damage was added to what is sent now */
static void deferred_done(struct synv *v)
{
	cancel_delayed_work(&v->deferred_work);
	v->last_update = jiffies;
	v->deferred.count = 0;
}

/*
 * Show the framebuffer of a state. @damage is in pixels of the buffer, and in pixels of
 * the screen afterwards; deferred damage is added to it. This is a commit, or commits
 * are kept away.
 */
static void show(struct synv *v, const struct drm_plane_state *state,
		 struct synv_damage *damage)
{
	int src_x = state->src.x1 >> 16, src_y = state->src.y1 >> 16;
	int width = drm_rect_width(&state->dst);
	int height = drm_rect_height(&state->dst);
	struct synthvid_output output = shadow_output(width, height);
	const struct synv_rect all = {
		src_x, src_y, src_x + width, src_y + height };
	bool modeset = synv_updates_resized(&v->updates, &output);
	u32 i;

	/* without a host there is no VRAM to use: synv_plane_refresh() shows it later */
	if (!synv_channel_in_use(&v->channel)) {
		damage->count = 0;
		synv_output_show(v, &output, damage);
		v->shadow_valid = false;
		deferred_done(v);
		return;
	}
	for (i = 0; i < v->deferred.count; i++)
		synv_damage_add(damage, moved(&v->deferred.rect[i], src_x, src_y));
	/* DRM rounds fractions up; and deferred damage may be of a larger screen */
	synv_damage_clip(damage, &all);
	if (is_scanout(state) &&
	    synv_vram_move_in(v, to_synv_buffer(state->fb->obj[0]), modeset)) {
		output.pitch = state->fb->pitches[0];
		v->shadow_valid = false;
	} else {
		synv_vram_evict(v);
		if (!v->shadow_valid || modeset) {
			damage->count = 1;
			damage->rect[0] = all;
		}
		v->shadow_valid = copy(v, state, damage);
		if (!v->shadow_valid)
			damage->count = 0;
	}
	for (i = 0; i < damage->count; i++)
		damage->rect[i] = moved(&damage->rect[i], -src_x, -src_y);
	synv_output_show(v, &output, damage);
	deferred_done(v);
}

/**
 * synv_plane_black() - show a black screen
 * @v: the display
 * @width: of the screen, in pixels
 * @height: of the screen, in pixels
 *
 * Context: process, in a commit.
 */
void synv_plane_black(struct synv *v, u32 width, u32 height)
{
	const struct synthvid_output output = shadow_output(width, height);
	const struct synv_damage all = {
		.count = 1,
		.rect[0] = { 0, 0, width, height },
	};

	v->shadow_valid = false;
	if (synv_channel_in_use(&v->channel)) {
		synv_vram_evict(v);
		memset(v->vram, 0, (size_t)output.pitch * height);
	}
	synv_output_show(v, &output, &all);
	deferred_done(v);
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
	} else if (old->visible && v->updates.situation.active) {
		/* the plane was moved off the screen */
		synv_plane_black(v, v->updates.situation.width, v->updates.situation.height);
	}
	drm_dev_exit(idx);
}

static void synv_plane_disable(struct drm_plane *plane, compat_atomic *state)
{
	struct synv *v = to_synv(plane->dev);
	int idx;

	if (!v->updates.situation.active || !drm_dev_enter(&v->drm, &idx))
		return;
	synv_plane_black(v, v->updates.situation.width, v->updates.situation.height);
	drm_dev_exit(idx);
}

/* Whether a framebuffer is shown, after the last commit of the plane has ended */
static bool is_shown(struct drm_plane *plane, const struct drm_framebuffer *fb)
{
	const struct drm_plane_state *state = plane->state;

	if (state->fb != fb || !state->visible)
		return false;
	return !state->commit ||
	       wait_for_completion_timeout(&state->commit->hw_done, 10 * HZ);
}

/*
 * fbcon's worker may ask for an update for each character. It waits here, and what is
 * written meanwhile is part of this update. Later kernels let it wait for a vertical
 * blank.
 */
static void pace_console(struct synv *v)
{
	s64 early = ktime_us_delta(v->console_update, ktime_get()) +
		    CONSOLE_PERIOD_US;

	if (early > 0 && early <= CONSOLE_PERIOD_US)
		usleep_range(early, early + CONSOLE_PERIOD_US / 8);
	v->console_update = ktime_get();
}

/*
 * A program may draw far more often than a viewer shows: damage that comes less than a
 * period after the last update is deferred to the end of the period.
 */
static void defer(struct synv *v, const struct synv_damage *damage,
		  const struct drm_rect *src)
{
	u32 i;

	for (i = 0; i < damage->count; i++)
		synv_damage_gather(&v->deferred, moved(&damage->rect[i], -src->x1,
						       -src->y1));
	v->deferrals++;
	schedule_delayed_work(&v->deferred_work, PERIOD_JIFFIES);
}

static void deferred_work(struct work_struct *work)
{
	struct synv *v = container_of(to_delayed_work(work), struct synv,
				      deferred_work);
	const struct drm_plane_state *state;
	struct synv_damage damage = { 0 };
	int idx;

	drm_modeset_lock(&v->primary.mutex, NULL);
	state = v->primary.state;
	/* a commit may have sent it already, or have made the screen dark */
	if (v->deferred.count && state->fb && is_shown(&v->primary, state->fb) &&
	    v->updates.situation.active && drm_dev_enter(&v->drm, &idx)) {
		show(v, state, &damage);
		drm_dev_exit(idx);
	}
	drm_modeset_unlock(&v->primary.mutex);
}

/**
 * synv_plane_refresh() - show the screen once more, all of it
 * @v: the display, whose VRAM has lost its content
 *
 * Context: process, sleeps; no lock of DRM's is held.
 */
void synv_plane_refresh(struct synv *v)
{
	drm_modeset_lock(&v->primary.mutex, NULL);
	v->shadow_valid = false;
	v->deferred.count = 0;
	synv_damage_add(&v->deferred, (struct synv_rect) {
		0, 0, SYNV_MAX_SIDE, SYNV_MAX_SIDE });
	schedule_delayed_work(&v->deferred_work, 0);
	drm_modeset_unlock(&v->primary.mutex);
}

/**
 * synv_plane_exit() - deferred damage is not sent any more
 * @v: the display, unplugged
 *
 * Context: process, sleeps; no lock of DRM's is held.
 */
void synv_plane_exit(struct synv *v)
{
	cancel_delayed_work_sync(&v->deferred_work);
}

/**
 * synv_plane_dirty() - DIRTYFB: a program has drawn into a framebuffer
 * @fb: the framebuffer
 * @file: the program's, NULL for the kernel
 * @flags: a part was copied, or filled. Of a copy both parts are in @clips; to send
 *	the source, too, costs little
 * @color: of what was filled
 * @clips: what has changed
 * @count: number of @clips; 0: all has changed
 *
 * Does what an atomic commit of the same buffer would do, without one, and at most 60
 * times a second.
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
	 * Another device that has the buffer may still draw: a commit waits for its
	 * fence. The shape of the pointer has no damage.
	 */
	if (compat_gem_imported(fb->obj[0]) ||
	    READ_ONCE(to_synv_buffer(fb->obj[0])->pinned) ||
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
	/* a dark screen has no damage */
	if (damage.count && v->updates.situation.active &&
	    drm_dev_enter(&v->drm, &idx)) {
		if (time_before(jiffies, v->last_update + PERIOD_JIFFIES))
			defer(v, &damage, &src);
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
	const struct synthvid_output *now = &v->updates.situation;

	if (!v->vram || !now->active)
		return -ENODEV;
	sb->format = drm_format_info(DRM_FORMAT_XRGB8888);
	sb->width = now->width;
	sb->height = now->height;
	sb->pitch[0] = now->pitch;
	iosys_map_set_vaddr(&sb->map[0], v->vram);
	return 0;
}

static void synv_plane_panic_flush(struct drm_plane *plane)
{
	synv_output_panic_dirt(to_synv(plane->dev));
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
 * synv_plane_init() - make the primary plane
 * @v: the display
 */
int synv_plane_init(struct synv *v)
{
	int ret;

	INIT_DELAYED_WORK(&v->deferred_work, deferred_work);
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
