// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_gem_vmap: who takes the lock for drm_gem_object_funcs.vmap
 * NEEDS CONFIG_DRM
 * FORM LOCKED: the caller; drm_gem_vmap_locked() leaves it to its own, since 6.16
 * FORM UNLOCKED: the caller; drm_gem_vmap_unlocked() takes it, since 6.2
 * FORM NONE: nobody
 */
#include <linux/iosys-map.h>
#include <drm/drm_gem.h>

#ifdef PROBE_NONE
/* an error where there is such a function */
extern int drm_gem_vmap_unlocked, drm_gem_vmap_locked;
#endif

int probe(struct drm_gem_object *obj, struct iosys_map *map);
int probe(struct drm_gem_object *obj, struct iosys_map *map)
{
#if defined(PROBE_LOCKED)
	return drm_gem_vmap_locked(obj, map);
#elif defined(PROBE_UNLOCKED)
	return drm_gem_vmap_unlocked(obj, map);
#else
	return obj->funcs->vmap(obj, map);
#endif
}
