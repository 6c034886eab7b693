// SPDX-License-Identifier: GPL-2.0-only
/*
 * Exports. Under CONFIG_MODVERSIONS a symbol's CRC depends on which structs
 * are complete where it is exported, so on the headers above. Each of these
 * files has those that the kernel's file with the same symbols has, so that
 * the drop-in's CRCs are the kernel's.
 */
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/hyperv.h>
#include <linux/uio.h>
#include <linux/vmalloc.h>
#include <linux/slab.h>
#include <linux/prefetch.h>
#include <linux/io.h>
#include <asm/mshyperv.h>
#include <linux/tracepoint.h>

EXPORT_SYMBOL_GPL(hv_ringbuffer_get_debuginfo);
EXPORT_SYMBOL_GPL(hv_ringbuffer_spinlock_busy);
EXPORT_SYMBOL_GPL(hv_pkt_iter_first);
EXPORT_SYMBOL_GPL(__hv_pkt_iter_next);
EXPORT_SYMBOL_GPL(hv_pkt_iter_close);
