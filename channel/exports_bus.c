// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports. Under CONFIG_MODVERSIONS a symbol's CRC depends on which structs
 * are complete where it is exported, so on the headers above. Each of these
 * files has those that the kernel's file with the same symbols has, so that
 * the drop-in's CRCs are the kernel's.
 */
#include <synthio/config.h>
#include <linux/init.h>
#include <linux/module.h>
#include <linux/device.h>
#ifdef HAVE_VMBUS_DEVICE_PLATFORM
#include <linux/platform_device.h>
#endif
#include <linux/interrupt.h>
#include <linux/sysctl.h>
#include <linux/slab.h>
#include <linux/acpi.h>
#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/kernel_stat.h>
#ifdef HAVE_VMBUS_DEVICE_PLATFORM
#include <linux/of_address.h>
#endif
#include <linux/clockchips.h>
#include <linux/cpu.h>
#include <linux/sched/isolation.h>
#include <linux/sched/task_stack.h>
#include <linux/delay.h>
#include <linux/panic_notifier.h>
#include <linux/ptrace.h>
#include <linux/screen_info.h>
#include <linux/efi.h>
#include <linux/random.h>
#include <linux/kernel.h>
#include <linux/syscore_ops.h>
#include <linux/dma-map-ops.h>
#include <linux/pci.h>
#include <clocksource/hyperv_timer.h>
#ifdef HAVE_VMBUS_DEVICE_PLATFORM
#include <asm/mshyperv.h>
#endif
#include <linux/tracepoint.h>

/* declared in no public header of some versions */
void vmbus_device_unregister(struct hv_device *device_obj);

#if defined(HAVE_RING_SYSFS_YES) && !defined(SYNTHIO_OWN_NAMES)
/* declared in no public header */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma));
int hv_remove_ring_sysfs(struct vmbus_channel *channel);

EXPORT_SYMBOL_GPL(hv_create_ring_sysfs);
EXPORT_SYMBOL_GPL(hv_remove_ring_sysfs);
#endif

EXPORT_SYMBOL_GPL(__vmbus_driver_register);
EXPORT_SYMBOL_GPL(vmbus_driver_unregister);
EXPORT_SYMBOL_GPL(vmbus_device_unregister);
EXPORT_SYMBOL_GPL(vmbus_allocate_mmio);
EXPORT_SYMBOL_GPL(vmbus_free_mmio);
