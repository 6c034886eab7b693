// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE bus_uevent: the device that bus_type.uevent is given
 * FORM CONST: a const struct device, since 6.3
 * FORM PLAIN: a struct device
 */
#include <linux/device.h>

#ifdef PROBE_CONST
static int uevent(const struct device *dev, struct kobj_uevent_env *env)
#else
static int uevent(struct device *dev, struct kobj_uevent_env *env)
#endif
{
	return 0;
}

extern const struct bus_type probe;
const struct bus_type probe = { .uevent = uevent };
