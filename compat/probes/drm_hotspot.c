// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_hotspot: where the hot spot of a pointer is found
 * NEEDS CONFIG_DRM
 * FORM PLANE: in the plane's state, of drivers with DRIVER_CURSOR_HOTSPOT, since 6.8
 * FORM FRAMEBUFFER: in the framebuffer that a legacy call made
 */
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_plane.h>

int probe(const struct drm_plane_state *state);
int probe(const struct drm_plane_state *state)
{
#ifdef PROBE_PLANE
	return state->hotspot_x | DRIVER_CURSOR_HOTSPOT;
#else
	return state->fb->hot_x;
#endif
}
