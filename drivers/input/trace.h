/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of mouse and keyboard: changes of their state. Kbuild defines
 * SYNTH_INPUT_MODULE, since each of the two modules has events of its own.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM SYNTH_INPUT_MODULE

#if !defined(SYNTHIO_INPUT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_INPUT_TRACE_H

#include <linux/hyperv.h>
#include <linux/tracepoint.h>

#include <synthio/driver.h>

TRACE_EVENT(synth_input_state,
	TP_PROTO(struct hv_device *hv, const char *from, const char *to),
	TP_ARGS(hv, from, to),
	TP_STRUCT__entry(
		__string(dev, dev_name(&hv->device))
		__string(from, from)
		__string(to, to)
	),
	TP_fast_assign(
		compat_assign_str(dev, dev_name(&hv->device));
		compat_assign_str(from, from);
		compat_assign_str(to, to);
	),
	TP_printk("%s: %s -> %s", __get_str(dev), __get_str(from),
		  __get_str(to))
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
