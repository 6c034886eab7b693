// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports. Under CONFIG_MODVERSIONS a symbol's CRC depends on which structs
 * are complete where it is exported, so on the headers above. Each of these
 * files has those that the kernel's file with the same symbols has, so that
 * the drop-in's CRCs are the kernel's.
 */
#include <linux/kernel.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <linux/delay.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/hyperv.h>
#include <linux/export.h>
#include <linux/io.h>
#include <linux/set_memory.h>
#include <asm/mshyperv.h>
#include <linux/tracepoint.h>

EXPORT_SYMBOL_GPL(vmbus_proto_version);
EXPORT_SYMBOL_GPL(vmbus_set_event);
