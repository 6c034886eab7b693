/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: ring packets in both directions, requests, states, invalid packets. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM synth_net

#if !defined(SYNTHIO_NET_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_NET_TRACE_H

#include <linux/tracepoint.h>

#include "synth_net.h"

DECLARE_EVENT_CLASS(synn_packet,
	TP_PROTO(const struct synn_chan *ch, u64 id, u32 packets, u32 bytes),
	TP_ARGS(ch, id, packets, bytes),
	TP_STRUCT__entry(
		__string(dev, ch->adapter->dev->name)
		__field(u64, id)
		__field(u32, queue)
		__field(u32, packets)
		__field(u32, bytes)
	),
	TP_fast_assign(
		compat_assign_str(dev, ch->adapter->dev->name);
		__entry->id = id;
		__entry->queue = ch->index;
		__entry->packets = packets;
		__entry->bytes = bytes;
	),
	TP_printk("%s queue=%u id=0x%llx packets=%u bytes=%u", __get_str(dev),
		  __entry->queue, __entry->id, __entry->packets,
		  __entry->bytes)
);

DEFINE_EVENT(synn_packet, synn_send,
	TP_PROTO(const struct synn_chan *ch, u64 id, u32 packets, u32 bytes),
	TP_ARGS(ch, id, packets, bytes));
DEFINE_EVENT(synn_packet, synn_sent,
	TP_PROTO(const struct synn_chan *ch, u64 id, u32 packets, u32 bytes),
	TP_ARGS(ch, id, packets, bytes));
DEFINE_EVENT(synn_packet, synn_receive,
	TP_PROTO(const struct synn_chan *ch, u64 id, u32 packets, u32 bytes),
	TP_ARGS(ch, id, packets, bytes));

TRACE_EVENT(synn_request,
	TP_PROTO(const struct synn_adapter *ad, u32 type, u32 oid, u32 len, int ret),
	TP_ARGS(ad, type, oid, len, ret),
	TP_STRUCT__entry(
		__string(dev, ad->dev->name)
		__field(u32, type)
		__field(u32, oid)
		__field(u32, len)
		__field(int, ret)
	),
	TP_fast_assign(
		compat_assign_str(dev, ad->dev->name);
		__entry->type = type;
		__entry->oid = oid;
		__entry->len = len;
		__entry->ret = ret;
	),
	TP_printk("%s type=%u oid=0x%08x len=%u ret=%d", __get_str(dev),
		  __entry->type, __entry->oid, __entry->len, __entry->ret)
);

TRACE_EVENT(synn_state,
	TP_PROTO(const struct synn_adapter *ad, const char *from, const char *to,
		 bool allowed),
	TP_ARGS(ad, from, to, allowed),
	TP_STRUCT__entry(
		__string(dev, ad->dev->name)
		__string(from, from)
		__string(to, to)
		__field(bool, allowed)
	),
	TP_fast_assign(
		compat_assign_str(dev, ad->dev->name);
		compat_assign_str(from, from);
		compat_assign_str(to, to);
		__entry->allowed = allowed;
	),
	TP_printk("%s %s -> %s%s", __get_str(dev), __get_str(from),
		  __get_str(to), __entry->allowed ? "" : " (not allowed)")
);

TRACE_EVENT(synn_queue_state,
	TP_PROTO(const struct synn_chan *ch, const char *from, const char *to,
		 bool allowed),
	TP_ARGS(ch, from, to, allowed),
	TP_STRUCT__entry(
		__string(dev, ch->adapter->dev->name)
		__string(from, from)
		__string(to, to)
		__field(u32, queue)
		__field(bool, allowed)
	),
	TP_fast_assign(
		compat_assign_str(dev, ch->adapter->dev->name);
		compat_assign_str(from, from);
		compat_assign_str(to, to);
		__entry->queue = ch->index;
		__entry->allowed = allowed;
	),
	TP_printk("%s queue=%u %s -> %s%s", __get_str(dev), __entry->queue,
		  __get_str(from), __get_str(to),
		  __entry->allowed ? "" : " (not allowed)")
);

TRACE_EVENT(synn_bad,
	TP_PROTO(const struct synn_chan *ch, const char *what, u64 id),
	TP_ARGS(ch, what, id),
	TP_STRUCT__entry(
		__string(dev, ch->adapter->dev->name)
		__string(what, what)
		__field(u32, queue)
		__field(u64, id)
	),
	TP_fast_assign(
		compat_assign_str(dev, ch->adapter->dev->name);
		compat_assign_str(what, what);
		__entry->queue = ch->index;
		__entry->id = id;
	),
	TP_printk("%s queue=%u id=0x%llx: %s", __get_str(dev), __entry->queue,
		  __entry->id, __get_str(what))
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
