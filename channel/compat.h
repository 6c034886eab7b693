/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the channel meets. Nothing else in this
 * directory looks at HAVE_*, which compat/configure finds out.
 */
#ifndef SYNTHIO_COMPAT_H
#define SYNTHIO_COMPAT_H

#include <linux/device.h>
#include <linux/hyperv.h>
#include <linux/kmsg_dump.h>
#include <linux/slab.h>

#include <synthio/config.h>

/* what bus_type callbacks and bus attributes get became const one by one */
#ifdef HAVE_BUS_MATCH_CONST
#define compat_const_drv const
#else
#define compat_const_drv
#endif

#ifdef HAVE_BUS_UEVENT_CONST
#define compat_const_uevent_dev const
#else
#define compat_const_uevent_dev
#endif

#ifdef HAVE_BUS_ATTRIBUTE_CONST
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
#ifdef HAVE_DRIVER_OVERRIDE_CORE
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

/* What a kmsg dumper is called with besides itself */
#ifdef HAVE_KMSG_DUMP_DETAIL
#define compat_kmsg_detail	struct kmsg_dump_detail *
#else
#define compat_kmsg_detail	enum kmsg_dump_reason
#endif

/* Only the kernel's own drivers call it; unload.c unloads late enough without it */
#if defined(HAVE_SKIP_UNLOAD_YES) && !defined(SYNTHIO_OWN_NAMES)
#define COMPAT_SKIP_UNLOAD 1
#endif

/* struct vmbus_close_msg went when its bookkeeping was found unused */
static inline struct vmbus_channel_close_channel *
compat_close_msg(struct vmbus_channel *channel)
{
#ifdef HAVE_CLOSE_MSG_PLAIN
	return &channel->close_msg;
#else
	return &channel->close_msg.msg;
#endif
}

/* Only drivers of the kernel's ask for it, and they know no other bus */
#if defined(HAVE_RING_SYSFS_YES) && !defined(SYNTHIO_OWN_NAMES)
#define COMPAT_RING_SYSFS 1
#endif

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

#ifdef SYNTHIO_TRANSPORT_HYPERV
#include <linux/acpi.h>
#include <linux/platform_device.h>
#include <asm/mshyperv.h>

/* Newer kernels give the SynIC's registers names that say that they are MSRs */
#ifdef HAVE_SYNIC_REGISTER_MSR
#define compat_synic_get(reg)		hv_get_msr(HV_MSR_##reg)
#define compat_synic_set(reg, value)	hv_set_msr(HV_MSR_##reg, value)
#else
#define compat_synic_get(reg)		hv_get_register(HV_REGISTER_##reg)
#define compat_synic_set(reg, value)	hv_set_register(HV_REGISTER_##reg, value)
#endif

static inline bool compat_hv_root(void)
{
#ifdef HAVE_ROOT_PARTITION_FUNCTION
	return hv_root_partition();
#else
	return hv_root_partition;
#endif
}

/* what the firmware draws on moved into a struct of its own */
#ifdef HAVE_SCREEN_INFO_SYSFB
#include <linux/sysfb.h>
#define compat_screen_info()		(&sysfb_primary_display.screen)
#else
#include <linux/screen_info.h>
#define compat_screen_info()		(&screen_info)
#endif

/*
 * Up to 6.3 the kernel's own VMBus drives the ACPI device itself, since then
 * its platform device. This one binds to the same device, so that the driver core
 * gives it to one of both only, whichever is first.
 */
#ifdef HAVE_VMBUS_DEVICE_ACPI
#define compat_vmbus_acpi(dev)		to_acpi_device(dev)
#define compat_vmbus_device(adev)	(&(adev)->dev)

#ifdef HAVE_ACPI_REMOVE_INT
#define COMPAT_VMBUS_REMOVE(prefix)					\
static int prefix##_acpi_remove(struct acpi_device *adev)		\
{									\
	prefix##_remove(&adev->dev);					\
	return 0;							\
}
#else
#define COMPAT_VMBUS_REMOVE(prefix)					\
static void prefix##_acpi_remove(struct acpi_device *adev)		\
{									\
	prefix##_remove(&adev->dev);					\
}
#endif

#define COMPAT_VMBUS_DRIVER(prefix, driver_name)			\
static int prefix##_acpi_add(struct acpi_device *adev)			\
{									\
	return prefix##_probe(&adev->dev);				\
}									\
COMPAT_VMBUS_REMOVE(prefix)						\
static struct acpi_driver prefix##_driver = {				\
	.name = driver_name,						\
	.ids = prefix##_ids,						\
	.ops.add = prefix##_acpi_add,					\
	.ops.remove = prefix##_acpi_remove,				\
	.drv.pm = &prefix##_pm_ops,					\
	.drv.shutdown = prefix##_shutdown,				\
	.drv.probe_type = PROBE_FORCE_SYNCHRONOUS,			\
}
#define compat_vmbus_register(driver)	acpi_bus_register_driver(driver)
#define compat_vmbus_unregister(driver)	acpi_bus_unregister_driver(driver)
#else
#define compat_vmbus_acpi(dev)		ACPI_COMPANION(dev)
#define compat_vmbus_device(adev)	acpi_get_first_physical_node(adev)

/* remove() came to return nothing in steps */
#ifdef HAVE_PLATFORM_REMOVE_REMOVE_NEW
#define compat_platform_remove		remove_new
#else
#define compat_platform_remove		remove
#endif

#define COMPAT_VMBUS_DRIVER(prefix, driver_name)			\
static int prefix##_platform_probe(struct platform_device *pdev)	\
{									\
	return prefix##_probe(&pdev->dev);				\
}									\
static void prefix##_platform_remove(struct platform_device *pdev)	\
{									\
	prefix##_remove(&pdev->dev);					\
}									\
static void prefix##_platform_shutdown(struct platform_device *pdev)	\
{									\
	prefix##_shutdown(&pdev->dev);					\
}									\
static struct platform_driver prefix##_driver = {			\
	.probe = prefix##_platform_probe,				\
	.compat_platform_remove = prefix##_platform_remove,		\
	.shutdown = prefix##_platform_shutdown,				\
	.driver.name = driver_name,					\
	.driver.acpi_match_table = prefix##_ids,			\
	.driver.pm = &prefix##_pm_ops,					\
	.driver.probe_type = PROBE_FORCE_SYNCHRONOUS,			\
}
#define compat_vmbus_register(driver)	platform_driver_register(driver)
#define compat_vmbus_unregister(driver)	platform_driver_unregister(driver)
#endif
#endif /* SYNTHIO_TRANSPORT_HYPERV */

#ifndef VERSION_WIN10_V6_0
#define VERSION_WIN10_V6_0	((6 << 16) | 0)
#endif

#endif
