// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE bus_match: the driver that bus_type.match is given
 * FORM CONST: a const struct device_driver, since 6.11
 * FORM PLAIN: a struct device_driver
 */
#include <linux/device.h>

#ifdef PROBE_CONST
static int match(struct device *dev, const struct device_driver *drv)
#else
static int match(struct device *dev, struct device_driver *drv)
#endif
{
	return 0;
}

extern const struct bus_type probe;
const struct bus_type probe = { .match = match };
