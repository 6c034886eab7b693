/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels. No other file of this directory uses HAVE_*, which
 * compat/configure finds out.
 */
#ifndef SYNTHIO_VIDEO_COMPAT_H
#define SYNTHIO_VIDEO_COMPAT_H

#include <linux/aperture.h>
#include <linux/hrtimer.h>
#include <linux/hyperv.h>

#include <drm/drm_device.h>
#include <drm/drm_drv.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_plane.h>

#include <synthio/config.h>
#include <synthio/driver.h>

#if defined(HAVE_DRM_FBDEV_CLIENTS_SETUP)
#include <drm/clients/drm_client_setup.h>
#include <drm/drm_fbdev_shmem.h>
#include <drm/drm_fourcc.h>
#elif defined(HAVE_DRM_FBDEV_CLIENT_SETUP)
#include <drm/drm_client_setup.h>
#include <drm/drm_fbdev_shmem.h>
#include <drm/drm_fourcc.h>
#elif defined(HAVE_DRM_FBDEV_SHMEM)
#include <drm/drm_fbdev_shmem.h>
#elif defined(HAVE_DRM_FBDEV_GENERIC)
#include <drm/drm_fbdev_generic.h>
#else
#include <drm/drm_fb_helper.h>
#endif

#ifdef HAVE_DRM_PANIC_YES
#include <drm/drm_panic.h>
#define COMPAT_PANIC	1
#endif

/*
 * In a panic the kernel's VMBus sends UNLOAD before drm_panic draws, unless a display
 * driver has announced that it will start the UNLOAD itself after drawing. This project's
 * bus sends UNLOAD after drm_panic.
 */
#if defined(HAVE_SKIP_UNLOAD_YES) && IS_ENABLED(CONFIG_DRM_PANIC) && \
	!defined(SYNTHIO_OWN_NAMES)
static inline void compat_skip_unload(bool skip)
{
	vmbus_set_skip_unload(skip);
}

static inline void compat_panic_unload(void)
{
	vmbus_initiate_unload(true);
}
#else
static inline void compat_skip_unload(bool skip)
{
}

static inline void compat_panic_unload(void)
{
}
#endif

/* struct drm_atomic_state, which is drm_atomic_commit later */
#define compat_atomic		typeof(*((struct drm_plane_state *)NULL)->state)

/* The console on the screen */
#if defined(HAVE_DRM_FBDEV_CLIENTS_SETUP) || \
	defined(HAVE_DRM_FBDEV_CLIENT_SETUP)
#define COMPAT_DRIVER_OPS	DRM_FBDEV_SHMEM_DRIVER_OPS,
static inline void compat_fbdev_setup(struct drm_device *dev)
{
	drm_client_setup_with_fourcc(dev, DRM_FORMAT_XRGB8888);
}
#else
#define COMPAT_DRIVER_OPS
static inline void compat_fbdev_setup(struct drm_device *dev)
{
#ifdef HAVE_DRM_FBDEV_SHMEM
	drm_fbdev_shmem_setup(dev, 32);
#else
	drm_fbdev_generic_setup(dev, 32);
#endif
}
#endif

#ifdef HAVE_DRM_DRIVER_DATE_YES
#define COMPAT_DRIVER_DATE	.date = "2026",
#else
#define COMPAT_DRIVER_DATE
#endif

/* The firmware's frame buffer moved into a struct of its own */
#ifdef HAVE_SCREEN_INFO_SYSFB
#include <linux/sysfb.h>
#define compat_screen_info()	(&sysfb_primary_display.screen)
#else
#include <linux/screen_info.h>
#define compat_screen_info()	(&screen_info)
#endif

/* The lock of a GEM object: on older kernels vmap and vunmap do without */
static inline void compat_gem_lock(struct drm_gem_object *obj)
{
#ifndef HAVE_DRM_GEM_VMAP_NONE
	dma_resv_lock(obj->resv, NULL);
#endif
}

static inline void compat_gem_unlock(struct drm_gem_object *obj)
{
#ifndef HAVE_DRM_GEM_VMAP_NONE
	dma_resv_unlock(obj->resv);
#endif
}

static inline bool compat_gem_imported(const struct drm_gem_object *obj)
{
#ifdef HAVE_DRM_GEM_IS_IMPORTED_FUNCTION
	return drm_gem_is_imported(obj);
#else
	return obj->import_attach;
#endif
}

/* Creates a framebuffer; later kernels pass the format, too */
extern const struct drm_framebuffer_funcs synv_fb_funcs;

#ifdef HAVE_DRM_FB_CREATE_INFO
static inline struct drm_framebuffer *
compat_fb_create(struct drm_device *drm, struct drm_file *file,
		 const struct drm_format_info *info,
		 const struct drm_mode_fb_cmd2 *cmd)
{
	return drm_gem_fb_create_with_funcs(drm, file, info, cmd,
					    &synv_fb_funcs);
}
#else
static inline struct drm_framebuffer *
compat_fb_create(struct drm_device *drm, struct drm_file *file,
		 const struct drm_mode_fb_cmd2 *cmd)
{
	return drm_gem_fb_create_with_funcs(drm, file, cmd, &synv_fb_funcs);
}
#endif

static inline int compat_remove_conflicting(resource_size_t base,
					    resource_size_t size,
					    const char *name)
{
#ifdef HAVE_APERTURE_THREE
	return aperture_remove_conflicting_devices(base, size, name);
#else
	return aperture_remove_conflicting_devices(base, size, false, name);
#endif
}

static inline void compat_hrtimer_setup(struct hrtimer *timer,
					enum hrtimer_restart (*fn)(struct hrtimer *))
{
#ifdef HAVE_HRTIMER_SETUP
	hrtimer_setup(timer, fn, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(timer, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	timer->function = fn;
#endif
}

/*
 * The hot spot is a property of the cursor plane of drivers that announce that the host
 * draws the pointer; DRM hides the plane from programs that don't support that. On older
 * kernels only the framebuffer that the legacy cursor ioctl creates has a hot spot: it is
 * in no program's list. A framebuffer that a program has created has none.
 */
#ifdef HAVE_DRM_HOTSPOT_PLANE
#define COMPAT_CURSOR_HOTSPOT	DRIVER_CURSOR_HOTSPOT
static inline bool compat_hot_known(const struct drm_plane_state *state)
{
	return true;
}

#define compat_hot_x(state)	((state)->hotspot_x)
#define compat_hot_y(state)	((state)->hotspot_y)
#else
#define COMPAT_CURSOR_HOTSPOT	0
static inline bool compat_hot_known(const struct drm_plane_state *state)
{
	return list_empty(&state->fb->filp_head);
}

#define compat_hot_x(state)	((state)->fb->hot_x)
#define compat_hot_y(state)	((state)->fb->hot_y)
#endif

#endif
