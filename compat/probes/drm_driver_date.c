// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE drm_driver_date: whether a DRM driver has a date
 * NEEDS CONFIG_DRM
 * FORM YES: drm_driver.date, up to 6.13
 * FORM NO: it has none
 */
#include <drm/drm_drv.h>

#ifdef PROBE_NO
/* two members of one name are an error */
struct probe {
	struct drm_driver;
	int date;
};
#endif

extern const struct drm_driver probe;
const struct drm_driver probe = {
#ifdef PROBE_YES
	.date = "2026",
#endif
	.name = "probe",
};
