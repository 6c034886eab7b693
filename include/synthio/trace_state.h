/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The tracepoint of an object's life: which state a device's object has left, and which it
 * has entered. For the trace.h of a driver.
 */
#ifndef SYNTHIO_TRACE_STATE_H
#define SYNTHIO_TRACE_STATE_H

#include <linux/hyperv.h>
#include <linux/tracepoint.h>

#include <synthio/driver.h>

/* @name: of the event; its arguments are the device and the names of both states */
#define SYNTHIO_TRACE_STATE(name)					\
TRACE_EVENT(name,							\
	TP_PROTO(struct hv_device *hv, const char *from, const char *to), \
	TP_ARGS(hv, from, to),						\
	TP_STRUCT__entry(						\
		__string(dev, dev_name(&hv->device))			\
		__string(from, from)					\
		__string(to, to)					\
	),								\
	TP_fast_assign(							\
		compat_assign_str(dev, dev_name(&hv->device));		\
		compat_assign_str(from, from);				\
		compat_assign_str(to, to);				\
	),								\
	TP_printk("%s: %s -> %s", __get_str(dev), __get_str(from),	\
		  __get_str(to))					\
)

#endif
