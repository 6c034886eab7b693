/* SPDX-License-Identifier: GPL-2.0-only */
/* A trace event for assign_str.c: macros of trace events exist in no other file. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM synthio_probe

#if !defined(SYNTHIO_PROBE_ASSIGN_STR_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_PROBE_ASSIGN_STR_H

#include <linux/tracepoint.h>

#ifdef PROBE_ONCE
#define probe_assign(field, src)	__assign_str(field)
#else
#define probe_assign(field, src)	__assign_str(field, src)
#endif

TRACE_EVENT(synthio_probe,
	TP_PROTO(const char *text),
	TP_ARGS(text),
	TP_STRUCT__entry(
		__string(text, text)
	),
	TP_fast_assign(
		probe_assign(text, text);
	),
	TP_printk("%s", __get_str(text))
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE assign_str
#include <trace/define_trace.h>
