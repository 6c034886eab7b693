/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: messages, offers, signals, packets. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM synth_vmbus

#if !defined(SYNTHIO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_TRACE_H

#include <linux/hyperv.h>
#include <linux/tracepoint.h>

TRACE_EVENT(synth_message_in,
	TP_PROTO(u32 type, u32 len),
	TP_ARGS(type, len),
	TP_STRUCT__entry(__field(u32, type) __field(u32, len)),
	TP_fast_assign(__entry->type = type; __entry->len = len;),
	TP_printk("type=%u len=%u", __entry->type, __entry->len)
);

TRACE_EVENT(synth_message_out,
	TP_PROTO(u32 type, u32 len, int ret),
	TP_ARGS(type, len, ret),
	TP_STRUCT__entry(__field(u32, type) __field(u32, len) __field(int, ret)),
	TP_fast_assign(__entry->type = type; __entry->len = len;
		       __entry->ret = ret;),
	TP_printk("type=%u len=%u ret=%d", __entry->type, __entry->len,
		  __entry->ret)
);

TRACE_EVENT(synth_offer,
	TP_PROTO(const struct vmbus_channel_offer_channel *offer),
	TP_ARGS(offer),
	TP_STRUCT__entry(
		__field(u32, relid)
		__field(u32, connection_id)
		__field(u16, sub_index)
		__array(u8, type, UUID_SIZE)
		__array(u8, instance, UUID_SIZE)
	),
	TP_fast_assign(
		__entry->relid = offer->child_relid;
		__entry->connection_id = offer->connection_id;
		__entry->sub_index = offer->offer.sub_channel_index;
		export_guid(__entry->type, &offer->offer.if_type);
		export_guid(__entry->instance, &offer->offer.if_instance);
	),
	TP_printk("relid=%u connection_id=%u sub_index=%u type=%pUl instance=%pUl",
		  __entry->relid, __entry->connection_id, __entry->sub_index,
		  __entry->type, __entry->instance)
);

TRACE_EVENT(synth_rescind,
	TP_PROTO(u32 relid),
	TP_ARGS(relid),
	TP_STRUCT__entry(__field(u32, relid)),
	TP_fast_assign(__entry->relid = relid;),
	TP_printk("relid=%u", __entry->relid)
);

/* from, to: enum host_state: 0 responds, 1 stalled, 2 lost */
TRACE_EVENT(synth_host_state,
	TP_PROTO(unsigned int from, unsigned int to),
	TP_ARGS(from, to),
	TP_STRUCT__entry(__field(unsigned int, from) __field(unsigned int, to)),
	TP_fast_assign(__entry->from = from; __entry->to = to;),
	TP_printk("from=%u to=%u", __entry->from, __entry->to)
);

/* from, to: enum connection_state */
TRACE_EVENT(synth_connection_state,
	TP_PROTO(unsigned int from, unsigned int to),
	TP_ARGS(from, to),
	TP_STRUCT__entry(__field(unsigned int, from) __field(unsigned int, to)),
	TP_fast_assign(__entry->from = from; __entry->to = to;),
	TP_printk("from=%u to=%u", __entry->from, __entry->to)
);

DECLARE_EVENT_CLASS(synth_channel_change,
	TP_PROTO(const struct vmbus_channel *channel, unsigned int from,
		 unsigned int to),
	TP_ARGS(channel, from, to),
	TP_STRUCT__entry(__field(u32, relid) __field(unsigned int, from)
			 __field(unsigned int, to)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;
		       __entry->from = from; __entry->to = to;),
	TP_printk("relid=%u from=%u to=%u", __entry->relid, __entry->from,
		  __entry->to)
);

/* from, to: enum vmbus_channel_state */
DEFINE_EVENT(synth_channel_change, synth_channel_state,
	TP_PROTO(const struct vmbus_channel *channel, unsigned int from,
		 unsigned int to),
	TP_ARGS(channel, from, to)
);

/* from, to: enum channel_life */
DEFINE_EVENT(synth_channel_change, synth_channel_life,
	TP_PROTO(const struct vmbus_channel *channel, unsigned int from,
		 unsigned int to),
	TP_ARGS(channel, from, to)
);

DECLARE_EVENT_CLASS(synth_channel_result,
	TP_PROTO(const struct vmbus_channel *channel, int ret),
	TP_ARGS(channel, ret),
	TP_STRUCT__entry(__field(u32, relid) __field(int, ret)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;
		       __entry->ret = ret;),
	TP_printk("relid=%u ret=%d", __entry->relid, __entry->ret)
);

DEFINE_EVENT(synth_channel_result, synth_open,
	TP_PROTO(const struct vmbus_channel *channel, int ret),
	TP_ARGS(channel, ret)
);

DEFINE_EVENT(synth_channel_result, synth_close,
	TP_PROTO(const struct vmbus_channel *channel, int ret),
	TP_ARGS(channel, ret)
);

TRACE_EVENT(synth_modify,
	TP_PROTO(const struct vmbus_channel *channel, u32 vp, int ret),
	TP_ARGS(channel, vp, ret),
	TP_STRUCT__entry(__field(u32, relid) __field(u32, vp) __field(int, ret)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;
		       __entry->vp = vp; __entry->ret = ret;),
	TP_printk("relid=%u vp=%u ret=%d", __entry->relid, __entry->vp,
		  __entry->ret)
);

/* size is 0 for a teardown */
TRACE_EVENT(synth_gpadl,
	TP_PROTO(const struct vmbus_channel *channel, u32 handle, u32 size,
		 int ret),
	TP_ARGS(channel, handle, size, ret),
	TP_STRUCT__entry(__field(u32, relid) __field(u32, handle)
			 __field(u32, size) __field(int, ret)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;
		       __entry->handle = handle; __entry->size = size;
		       __entry->ret = ret;),
	TP_printk("relid=%u handle=0x%x size=%u ret=%d", __entry->relid,
		  __entry->handle, __entry->size, __entry->ret)
);

DECLARE_EVENT_CLASS(synth_channel_event,
	TP_PROTO(const struct vmbus_channel *channel),
	TP_ARGS(channel),
	TP_STRUCT__entry(__field(u32, relid)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;),
	TP_printk("relid=%u", __entry->relid)
);

DEFINE_EVENT(synth_channel_event, synth_interrupt,
	TP_PROTO(const struct vmbus_channel *channel),
	TP_ARGS(channel)
);

DEFINE_EVENT(synth_channel_event, synth_signal,
	TP_PROTO(const struct vmbus_channel *channel),
	TP_ARGS(channel)
);

DECLARE_EVENT_CLASS(synth_packet,
	TP_PROTO(const struct vmbus_channel *channel, u16 type, u32 len,
		 u64 trans_id),
	TP_ARGS(channel, type, len, trans_id),
	TP_STRUCT__entry(__field(u32, relid) __field(u16, type)
			 __field(u32, len) __field(u64, trans_id)),
	TP_fast_assign(__entry->relid = channel->offermsg.child_relid;
		       __entry->type = type; __entry->len = len;
		       __entry->trans_id = trans_id;),
	TP_printk("relid=%u type=%u len=%u trans_id=0x%llx", __entry->relid,
		  __entry->type, __entry->len, __entry->trans_id)
);

DEFINE_EVENT(synth_packet, synth_packet_out,
	TP_PROTO(const struct vmbus_channel *channel, u16 type, u32 len,
		 u64 trans_id),
	TP_ARGS(channel, type, len, trans_id)
);

DEFINE_EVENT(synth_packet, synth_packet_in,
	TP_PROTO(const struct vmbus_channel *channel, u16 type, u32 len,
		 u64 trans_id),
	TP_ARGS(channel, type, len, trans_id)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
