// SPDX-License-Identifier: GPL-2.0-only
/*
 * The pointer. The host draws it over the picture: it is sent where the pointer
 * is, and, when that changes, what it looks like. No pixel of the VRAM changes.
 */
#include <linux/iosys-map.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>

#include "video.h"

static int synv_cursor_check(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct drm_crtc_state *crtc_state;

	if (!new->crtc || !new->fb)
		return 0;
	/* all of the buffer, and no larger than the host takes */
	if (new->fb->width > SYNTHVID_POINTER_MAX ||
	    new->fb->height > SYNTHVID_POINTER_MAX ||
	    new->src_x || new->src_y ||
	    new->src_w != new->fb->width << 16 ||
	    new->src_h != new->fb->height << 16)
		return -EINVAL;
	crtc_state = drm_atomic_get_new_crtc_state(state, new->crtc);
	return drm_atomic_helper_check_plane_state(new, crtc_state,
						   DRM_PLANE_NO_SCALING,
						   DRM_PLANE_NO_SCALING,
						   true, true);
}

/* The kernel reads it: no reason to lie in the VRAM */
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
	synv_vram_stay(state->fb->obj[0]);
	return drm_gem_fb_vmap(state->fb, shadow->map, shadow->data);
}

static void synv_cursor_cleanup(struct drm_plane *plane,
				struct drm_plane_state *state)
{
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(state);

	if (state->fb)
		drm_gem_fb_vunmap(state->fb, shadow->map);
}

/* DRM's pixels have alpha multiplied in, the host's have not */
static u32 straight(u32 argb)
{
	u32 alpha = argb >> 24, out = argb & 0xff000000;
	int shift;

	if (alpha == 0xff)
		return argb;
	if (!alpha)
		return 0;
	for (shift = 16; shift >= 0; shift -= 8)
		out |= min(255u, ((argb >> shift & 0xff) * 255 + alpha / 2) /
				 alpha) << shift;
	return out;
}

static u32 hot(int at, u32 size)
{
	return at < 0 ? 0 : min_t(u32, at, size - 1);
}

/* Make the shape's message of a buffer; out_lock is held. Whether it is another one */
static bool take_shape(struct synv *v, const struct drm_plane_state *state)
{
	const struct synthvid_pointer_shape shape = {
		.part = SYNTHVID_POINTER_COMPLETE,
		.argb = 1,
		.width = state->fb->width,
		.height = state->fb->height,
		.hot_x = hot(compat_hot_x(state), state->fb->width),
		.hot_y = hot(compat_hot_y(state), state->fb->height),
	};
	bool differs = memcmp(&v->pointer.shape, &shape, sizeof(shape));
	struct drm_shadow_plane_state *shadow =
		to_drm_shadow_plane_state((struct drm_plane_state *)state);
	u32 width = state->fb->width, height = state->fb->height, x, y;
	u32 line[SYNTHVID_POINTER_MAX];
	u32 *to = v->pointer.argb;

	for (y = 0; y < height; y++) {
		iosys_map_memcpy_from(line, &shadow->map[0],
				      state->fb->offsets[0] +
				      (size_t)y * state->fb->pitches[0],
				      width * SYNV_BPP);
		for (x = 0; x < width; x++) {
			u32 argb = straight(line[x]);

			differs |= *to != argb;
			*to++ = argb;
		}
	}
	v->pointer.shape = shape;
	return differs;
}

/* A plain move, as most are: who draws anew, or has another hot spot, says so */
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
	bool differs = false;
	int idx;

	if (!new->fb || !drm_dev_enter(&v->drm, &idx))
		return;
	if (!is_move(state, old, new) &&
	    !drm_gem_fb_begin_cpu_access(new->fb, DMA_FROM_DEVICE)) {
		mutex_lock(&v->out_lock);
		differs = take_shape(v, new);
		mutex_unlock(&v->out_lock);
		drm_gem_fb_end_cpu_access(new->fb, DMA_FROM_DEVICE);
	}
	if (differs || !v->pointer_known)
		synv_proto_shape(v);
	synv_proto_position(v, true, new->crtc_x, new->crtc_y);
	drm_dev_exit(idx);
}

static void synv_cursor_disable(struct drm_plane *plane, compat_atomic *state)
{
	struct synv *v = to_synv(plane->dev);
	int idx;

	if (!drm_dev_enter(&v->drm, &idx))
		return;
	synv_proto_position(v, false, 0, 0);
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

/**
 * synv_cursor_init() - make the plane of the pointer
 * @v: the display
 */
int synv_cursor_init(struct synv *v)
{
	int ret;

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
