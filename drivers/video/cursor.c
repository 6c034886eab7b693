// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cursor plane. The host draws the pointer over the screen: it gets the position,
 * and the shape when that changes. No pixel of the VRAM changes.
 */
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>

#include "video.h"

static int synv_cursor_check(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct drm_crtc_state *crtc_state;

	if (!new->crtc || !new->fb)
		return 0;
	/* all of the buffer is shown, and it is no larger than a host accepts */
	if (new->fb->width > SYNTHVID_POINTER_MAX ||
	    new->fb->height > SYNTHVID_POINTER_MAX ||
	    new->src_x || new->src_y ||
	    new->src_w != new->fb->width << 16 ||
	    new->src_h != new->fb->height << 16)
		return -EINVAL;
	/*
	 * Without the hot spot a viewer would click elsewhere than the pointer
	 * shows. If the commit fails, a compositor draws the pointer itself.
	 */
	if (!compat_hot_known(new))
		return -EINVAL;
	crtc_state = drm_atomic_get_new_crtc_state(state, new->crtc);
	return drm_atomic_helper_check_plane_state(new, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   true, true);
}

/* The shape is read by the CPU; the mapping pins the buffer in guest memory */
static int synv_cursor_prepare(struct drm_plane *plane,
			       struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(state);
	int ret;

	if (!state->fb)
		return 0;
	ret = drm_gem_plane_helper_prepare_fb(plane, state);
	if (ret)
		return ret;
	return drm_gem_fb_vmap(state->fb, shadow->map, shadow->data);
}

static void synv_cursor_cleanup(struct drm_plane *plane,
				struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(state);

	if (state->fb)
		drm_gem_fb_vunmap(state->fb, shadow->map);
}

static u32 hot(int at, u32 size)
{
	return at < 0 ? 0 : min_t(u32, at, size - 1);
}

/* Read a shape from a framebuffer */
static void read_shape(struct synv_pointer *p, const struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow =
		to_drm_shadow_plane_state((struct drm_plane_state *)state);
	u32 line[SYNTHVID_POINTER_MAX], y;

	p->width = state->fb->width;
	p->height = state->fb->height;
	p->hot_x = hot(compat_hot_x(state), p->width);
	p->hot_y = hot(compat_hot_y(state), p->height);
	for (y = 0; y < p->height; y++) {
		iosys_map_memcpy_from(line, &shadow->map[0],
				      state->fb->offsets[0] +
				      (size_t)y * state->fb->pitches[0],
				      p->width * SYNV_BPP);
		synv_pointer_line(p, y, line);
	}
	synv_pointer_crop(p);
}

/* Most updates only move the pointer: those of the legacy ioctl, with the same buffer */
static bool is_move(const compat_atomic *state,
		    const struct drm_plane_state *old,
		    const struct drm_plane_state *new)
{
	return state->legacy_cursor_update && old->fb == new->fb &&
	       compat_hot_x(old) == compat_hot_x(new) &&
	       compat_hot_y(old) == compat_hot_y(new);
}

static void synv_cursor_update(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state,
								     plane);
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct synv *v = to_synv(plane->dev);
	const struct synv_pointer *shape = NULL;
	int idx;

	if (!new->fb || !drm_dev_enter(&v->drm, &idx))
		return;
	if (!is_move(state, old, new) &&
	    !drm_gem_fb_begin_cpu_access(new->fb, DMA_FROM_DEVICE)) {
		read_shape(&v->shapes->drawn, new);
		drm_gem_fb_end_cpu_access(new->fb, DMA_FROM_DEVICE);
		shape = &v->shapes->drawn;
	}
	synv_output_pointer(v, shape, new->crtc_x, new->crtc_y);
	drm_dev_exit(idx);
}

static void synv_cursor_disable(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state,
								     plane);
	struct synv *v = to_synv(plane->dev);
	int idx;

	if (!drm_dev_enter(&v->drm, &idx))
		return;
	synv_pointer_hide(&v->shapes->drawn);
	synv_output_pointer(v, &v->shapes->drawn, old->crtc_x, old->crtc_y);
	drm_dev_exit(idx);
}

static const struct drm_plane_helper_funcs synv_cursor_helpers = {
	.prepare_fb	= synv_cursor_prepare,
	.cleanup_fb	= synv_cursor_cleanup,
	.atomic_check	= synv_cursor_check,
	.atomic_update	= synv_cursor_update,
	.atomic_disable	= synv_cursor_disable,
};

static const struct drm_plane_funcs synv_cursor_funcs = {
	DRM_GEM_SHADOW_PLANE_FUNCS,
	.update_plane	= drm_atomic_helper_update_plane,
	.disable_plane	= drm_atomic_helper_disable_plane,
	.destroy	= drm_plane_cleanup,
};

static const u32 synv_cursor_formats[] = { DRM_FORMAT_ARGB8888 };

static void free_shapes(struct drm_device *drm, void *shapes)
{
	kvfree(shapes);
}

/**
 * synv_cursor_init() - make the cursor plane; the pointer is hidden
 * @v: the display
 */
int synv_cursor_init(struct synv *v)
{
	int ret;

	v->shapes = kvzalloc(sizeof(*v->shapes), GFP_KERNEL);
	if (!v->shapes)
		return -ENOMEM;
	synv_pointer_hide(&v->shapes->wanted);
	ret = drmm_add_action_or_reset(&v->drm, free_shapes, v->shapes);
	if (ret)
		return ret;
	ret = drm_universal_plane_init(&v->drm, &v->cursor, 0,
				       &synv_cursor_funcs, synv_cursor_formats,
				       ARRAY_SIZE(synv_cursor_formats), NULL,
				       DRM_PLANE_TYPE_CURSOR, NULL);
	if (ret)
		return ret;
	drm_plane_helper_add(&v->cursor, &synv_cursor_helpers);
	v->drm.mode_config.cursor_width = SYNTHVID_POINTER_MAX;
	v->drm.mode_config.cursor_height = SYNTHVID_POINTER_MAX;
	return 0;
}
