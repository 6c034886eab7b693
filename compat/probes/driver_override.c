// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE driver_override: where a device says which driver it is forced to
 * FORM CORE: in struct device, matched by device_match_driver_override(), shown by the driver core: since 7.1, and in later point releases of 6.12
 * FORM HYPERV: in struct hv_device, matched and shown by the bus
 */
#include <linux/device.h>
#include <linux/hyperv.h>

int probe(struct hv_device *hv, const struct device_driver *drv);
#ifdef PROBE_CORE
extern const struct bus_type probe_bus;
const struct bus_type probe_bus = { .driver_override = true };

int probe(struct hv_device *hv, const struct device_driver *drv)
{
	return device_match_driver_override(&hv->device, drv);
}
#else
int probe(struct hv_device *hv, const struct device_driver *drv)
{
	const char **override = &hv->driver_override;

	return *override ? driver_set_override(&hv->device, override, "", 0) : 0;
}
#endif
