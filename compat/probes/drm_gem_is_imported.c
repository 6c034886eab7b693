// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_gem_is_imported: how to ask whether a buffer is another driver's
 * NEEDS CONFIG_DRM
 * FORM FUNCTION: drm_gem_is_imported(), since 6.15
 * FORM ATTACHMENT: by drm_gem_object.import_attach
 */
#include <drm/drm_gem.h>

#ifdef PROBE_ATTACHMENT
/* an error where there is such a function */
extern int drm_gem_is_imported;
#endif

bool probe(const struct drm_gem_object *obj);
bool probe(const struct drm_gem_object *obj)
{
#ifdef PROBE_FUNCTION
	return drm_gem_is_imported(obj);
#else
	return obj->import_attach;
#endif
}
