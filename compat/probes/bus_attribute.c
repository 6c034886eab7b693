// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE bus_attribute: the bus that an attribute of a bus is read of
 * FORM CONST: a const struct bus_type, since 6.4
 * FORM PLAIN: a struct bus_type
 */
#include <linux/device.h>

#ifdef PROBE_CONST
static ssize_t show(const struct bus_type *bus, char *buf)
#else
static ssize_t show(struct bus_type *bus, char *buf)
#endif
{
	return 0;
}

extern const struct bus_attribute probe;
const struct bus_attribute probe = { .show = show };
