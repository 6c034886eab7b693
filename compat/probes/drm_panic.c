// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_panic: whether a display can show the message of a panic
 * NEEDS CONFIG_DRM
 * FORM YES: drm_plane_helper_funcs.get_scanout_buffer, since 6.10
 * FORM NO: it can not
 */
#include <drm/drm_modeset_helper_vtables.h>
#ifdef PROBE_YES
#include <drm/drm_panic.h>

static int get(struct drm_plane *plane, struct drm_scanout_buffer *sb)
{
	sb->map[0].vaddr = NULL;
	return sb->pitch[0];
}

extern const struct drm_plane_helper_funcs probe;
const struct drm_plane_helper_funcs probe = { .get_scanout_buffer = get };
#else
/* two members of one name are an error */
struct probe {
	struct drm_plane_helper_funcs;
	int get_scanout_buffer;
};
#endif
