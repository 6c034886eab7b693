// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_fb_create: whether drm_mode_config_funcs.fb_create gets the format
 * NEEDS CONFIG_DRM
 * FORM INFO: it gets a struct drm_format_info, since 6.17
 * FORM LOOKUP: it looks it up
 */
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_mode_config.h>

static struct drm_framebuffer *
#ifdef PROBE_INFO
create(struct drm_device *drm, struct drm_file *file,
       const struct drm_format_info *info, const struct drm_mode_fb_cmd2 *cmd)
{
	return drm_gem_fb_create_with_funcs(drm, file, info, cmd, NULL);
}
#else
create(struct drm_device *drm, struct drm_file *file,
       const struct drm_mode_fb_cmd2 *cmd)
{
	return drm_gem_fb_create_with_funcs(drm, file, cmd, NULL);
}
#endif

extern const struct drm_mode_config_funcs probe;
const struct drm_mode_config_funcs probe = { .fb_create = create };
