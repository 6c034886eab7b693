// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_fbdev: what puts the console on a display
 * NEEDS CONFIG_DRM
 * FORM CLIENTS_SETUP: <drm/clients/drm_client_setup.h>, since 6.14
 * FORM CLIENT_SETUP: <drm/drm_client_setup.h>, 6.13
 * FORM SHMEM: <drm/drm_fbdev_shmem.h>, since 6.11
 * FORM GENERIC: <drm/drm_fbdev_generic.h>, since 6.2
 * FORM HELPER: <drm/drm_fb_helper.h>
 */
#include <drm/drm_drv.h>
#include <drm/drm_fourcc.h>
#if defined(PROBE_CLIENTS_SETUP)
#include <drm/clients/drm_client_setup.h>
#include <drm/drm_fbdev_shmem.h>
#elif defined(PROBE_CLIENT_SETUP)
#include <drm/drm_client_setup.h>
#include <drm/drm_fbdev_shmem.h>
#elif defined(PROBE_SHMEM)
#include <drm/drm_fbdev_shmem.h>
#elif defined(PROBE_GENERIC)
#include <drm/drm_fbdev_generic.h>
#else
#include <drm/drm_fb_helper.h>
#endif

void probe(struct drm_device *dev);
void probe(struct drm_device *dev)
{
#if defined(PROBE_CLIENTS_SETUP) || defined(PROBE_CLIENT_SETUP)
	static const struct drm_driver driver = { DRM_FBDEV_SHMEM_DRIVER_OPS };

	drm_client_setup_with_fourcc(dev, driver.fbdev_probe ?
				     DRM_FORMAT_XRGB8888 : 0);
#elif defined(PROBE_SHMEM)
	drm_fbdev_shmem_setup(dev, 32);
#else
	drm_fbdev_generic_setup(dev, 32);
#endif
}
