// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports. Under CONFIG_MODVERSIONS a symbol's CRC depends on which structs
 * are complete where it is exported, so on the headers above. Each of these
 * files has those that the kernel's file with the same symbols has, so that
 * the drop-in's CRCs are the kernel's.
 */
#include <linux/kernel.h>
#include <linux/interrupt.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/list.h>
#include <linux/module.h>
#include <linux/completion.h>
#include <linux/delay.h>
#include <linux/cpu.h>
#include <linux/hyperv.h>
#include <asm/mshyperv.h>
#include <linux/sched/isolation.h>
#include <linux/tracepoint.h>

#include <synthio/config.h>

extern const struct vmbus_device vmbus_devs[];

EXPORT_SYMBOL_GPL(vmbus_devs);
EXPORT_SYMBOL_GPL(vmbus_prep_negotiate_resp);
EXPORT_SYMBOL_GPL(vmbus_hvsock_device_unregister);
EXPORT_SYMBOL_GPL(vmbus_set_sc_create_callback);
EXPORT_SYMBOL_GPL(vmbus_set_chn_rescind_callback);
#if defined(HAVE_SKIP_UNLOAD_YES) && !defined(SYNTHIO_OWN_NAMES)
EXPORT_SYMBOL_GPL(vmbus_initiate_unload);
EXPORT_SYMBOL_GPL(vmbus_set_skip_unload);
#endif
