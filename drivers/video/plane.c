// SPDX-License-Identifier: GPL-2.0-only
/*
 * The picture. Buffers are in guest memory; what has changed in them is copied to
 * the VRAM, and the host is told where.
 */
#include <linux/iosys-map.h>

#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_damage_helper.h>
#include <drm/drm_fourcc.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_atomic_helper.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_rect.h>

#include <synthio/copy.h>

#include "video.h"

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

/* @r: in the buffer; the screen begins at src of the buffer */
static void copy_rect(struct synv *v, const struct drm_plane_state *state,
		      const struct iosys_map *map, const struct synv_rect *r,
		      int src_x, int src_y)
{
	u32 pitch = v->crtc.mode.hdisplay * SYNV_BPP;
	u32 bytes = (r->x2 - r->x1) * SYNV_BPP;
	u8 *to = v->vram + (r->y1 - src_y) * pitch +
		 (r->x1 - src_x) * SYNV_BPP;
	size_t from = state->fb->offsets[0] +
		      (size_t)r->y1 * state->fb->pitches[0] +
		      r->x1 * SYNV_BPP;
	u32 lines = r->y2 - r->y1;

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

static void synv_plane_update(struct drm_plane *plane, compat_atomic *state)
{
	struct drm_plane_state *old = drm_atomic_get_old_plane_state(state,
								     plane);
	struct drm_plane_state *new = drm_atomic_get_new_plane_state(state,
								     plane);
	struct drm_shadow_plane_state *shadow = to_drm_shadow_plane_state(new);
	/* without offset: data[] has it, the map has not */
	const struct iosys_map *map = &shadow->map[0];
	struct synv *v = to_synv(plane->dev);
	struct drm_atomic_helper_damage_iter iter;
	struct synv_damage screen = { 0 };
	struct synv_damage damage = { 0 };
	int src_x = new->src.x1 >> 16, src_y = new->src.y1 >> 16;
	struct drm_rect clip;
	int idx;
	u32 i;

	if (!new->fb || !new->visible || !drm_dev_enter(&v->drm, &idx))
		return;
	drm_atomic_helper_damage_iter_init(&iter, old, new);
	drm_atomic_for_each_plane_damage(&iter, &clip)
		synv_damage_add(&damage, (struct synv_rect) {
			clip.x1, clip.y1, clip.x2, clip.y2 });
	if (!damage.count ||
	    drm_gem_fb_begin_cpu_access(new->fb, DMA_FROM_DEVICE))
		goto out;
	screen.count = damage.count;
	for (i = 0; i < damage.count; i++) {
		const struct synv_rect *r = &damage.rect[i];

		copy_rect(v, new, map, r, src_x, src_y);
		screen.rect[i] = (struct synv_rect) {
			r->x1 - src_x, r->y1 - src_y,
			r->x2 - src_x, r->y2 - src_y };
	}
	drm_gem_fb_end_cpu_access(new->fb, DMA_FROM_DEVICE);
	synv_proto_dirt(v, &screen);
out:
	drm_dev_exit(idx);
}

/* No picture on a screen that is on: it is black */
static void synv_plane_disable(struct drm_plane *plane, compat_atomic *state)
{
	struct synv *v = to_synv(plane->dev);
	int idx;

	if (!drm_dev_enter(&v->drm, &idx))
		return;
	synv_proto_clear(v);
	drm_dev_exit(idx);
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
	iosys_map_set_vaddr(&sb->map[0], v->vram);
	return 0;
}

static void synv_plane_panic_flush(struct drm_plane *plane)
{
	synv_proto_panic_dirt(to_synv(plane->dev));
}
#endif

static const struct drm_plane_helper_funcs synv_plane_helpers = {
	DRM_GEM_SHADOW_PLANE_HELPER_FUNCS,
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
