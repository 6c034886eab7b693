/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel versions that the channel meets. Nothing
 * else in this directory looks at a version.
 */
#ifndef SYNTHIO_COMPAT_H
#define SYNTHIO_COMPAT_H

#include <linux/device.h>
#include <linux/hyperv.h>
#include <linux/slab.h>
#include <linux/version.h>

/* what bus_type callbacks and bus attributes get became const one by one */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 11, 0)
#define compat_const_drv const
#else
#define compat_const_drv
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define compat_const_uevent_dev const
#else
#define compat_const_uevent_dev
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#define compat_const_bus const
#else
#define compat_const_bus
#endif

/*
 * Since 6.8 device_to_hv_device() and drv_to_hv_drv() keep constness and are
 * macros; before that they are inline functions. A macro can be probed for.
 */
#ifdef drv_to_hv_drv
#define compat_hv_drv(d)	drv_to_hv_drv(d)
#define compat_hv_dev(d)	device_to_hv_device(d)
#else
#define compat_hv_drv(d)	container_of(d, struct hv_driver, driver)
#define compat_hv_dev(d)	container_of(d, struct hv_device, device)
#endif

/*
 * driver_override moved from each bus' device into struct device, where the
 * core shows the attribute too.
 */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(7, 1, 0)
#define COMPAT_CORE_DRIVER_OVERRIDE 1
#define compat_bus_driver_override	.driver_override = true,
static inline void compat_free_override(struct hv_device *hv)
{
}

static inline int compat_match_override(struct hv_device *hv,
					const struct device_driver *drv)
{
	return device_match_driver_override(&hv->device, drv);
}
#else
#define compat_bus_driver_override
static inline void compat_free_override(struct hv_device *hv)
{
	kfree(hv->driver_override);
}

/* >0: forced to this driver, 0: forced to another one, <0: not forced */
static inline int compat_match_override(struct hv_device *hv,
					const struct device_driver *drv)
{
	if (!hv->driver_override)
		return -1;
	return !strcmp(hv->driver_override, drv->name);
}
#endif

/* struct vmbus_close_msg went when its bookkeeping was found unused */
static inline struct vmbus_channel_close_channel *
compat_close_msg(struct vmbus_channel *channel)
{
#ifdef VMBUS_MAKE_VERSION
	return &channel->close_msg;
#else
	return &channel->close_msg.msg;
#endif
}

/*
 * The bus is called vmbus, unless the kernel may have its own: then the
 * default build makes way. The drop-in takes the place of the kernel's.
 */
#ifdef SYNTHIO_OWN_NAMES
#include <asm/mshyperv.h>
static inline const char *compat_bus_name(void)
{
	return hv_is_hyperv_initialized() ? "synth_vmbus" : "vmbus";
}
#else
static inline const char *compat_bus_name(void)
{
	return "vmbus";
}
#endif

#ifndef VERSION_WIN10_V6_0
#define VERSION_WIN10_V6_0	((6 << 16) | 0)
#endif

#endif
