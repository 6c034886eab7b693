/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints: requests on their way to the host and back, changes of states. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM synth_blk

#if !defined(SYNTHIO_BLOCK_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_BLOCK_TRACE_H

#include <linux/tracepoint.h>

#include "synth_blk.h"

DECLARE_EVENT_CLASS(synd_request,
	TP_PROTO(const struct synd_disk *d, struct request *rq, u64 id),
	TP_ARGS(d, rq, id),
	TP_STRUCT__entry(
		__array(char, disk, DISK_NAME_LEN)
		__field(u64, sector)
		__field(u64, id)
		__field(u32, bytes)
		__field(u8, op)
		__field(u8, outcome)
	),
	TP_fast_assign(
		memcpy(__entry->disk, d->gd->disk_name, DISK_NAME_LEN);
		__entry->sector = blk_rq_pos(rq);
		__entry->bytes = blk_rq_bytes(rq);
		__entry->op = (__force u8)req_op(rq);
		__entry->id = id;
		__entry->outcome = ((struct synd_cmd *)
				    blk_mq_rq_to_pdu(rq))->verdict.outcome;
	),
	TP_printk("%s op=%u sector=%llu bytes=%u id=0x%llx outcome=%u",
		  __entry->disk, __entry->op, __entry->sector, __entry->bytes,
		  __entry->id, __entry->outcome)
);

DEFINE_EVENT(synd_request, synd_submit,
	TP_PROTO(const struct synd_disk *d, struct request *rq, u64 id),
	TP_ARGS(d, rq, id));
DEFINE_EVENT(synd_request, synd_complete,
	TP_PROTO(const struct synd_disk *d, struct request *rq, u64 id),
	TP_ARGS(d, rq, id));
DEFINE_EVENT(synd_request, synd_timeout,
	TP_PROTO(const struct synd_disk *d, struct request *rq, u64 id),
	TP_ARGS(d, rq, id));

TRACE_EVENT(synd_bad,
	TP_PROTO(const struct synd_ctrl *c, unsigned int channel,
		 const char *what, u64 id),
	TP_ARGS(c, channel, what, id),
	TP_STRUCT__entry(
		__string(device, dev_name(&c->hv->device))
		__string(what, what)
		__field(unsigned int, channel)
		__field(u64, id)
	),
	TP_fast_assign(
		compat_assign_str(device, dev_name(&c->hv->device));
		compat_assign_str(what, what);
		__entry->channel = channel;
		__entry->id = id;
	),
	TP_printk("%s channel=%u id=0x%llx: %s", __get_str(device),
		  __entry->channel, __entry->id, __get_str(what))
);

TRACE_EVENT(synd_ctrl_state,
	TP_PROTO(const struct synd_ctrl *c, enum synd_ctrl_state from,
		 enum synd_ctrl_state to),
	TP_ARGS(c, from, to),
	TP_STRUCT__entry(
		__string(device, dev_name(&c->hv->device))
		__field(const char *, from)
		__field(const char *, to)
	),
	TP_fast_assign(
		compat_assign_str(device, dev_name(&c->hv->device));
		__entry->from = synd_ctrl_state_names[from];
		__entry->to = synd_ctrl_state_names[to];
	),
	TP_printk("%s %s -> %s", __get_str(device), __entry->from, __entry->to)
);

TRACE_EVENT(synd_disk_state,
	TP_PROTO(const struct synd_disk *d, enum synd_disk_state from,
		 enum synd_disk_state to),
	TP_ARGS(d, from, to),
	TP_STRUCT__entry(
		__string(device, dev_name(&d->ctrl->hv->device))
		__field(unsigned int, target)
		__field(unsigned int, lun)
		__field(const char *, from)
		__field(const char *, to)
	),
	TP_fast_assign(
		compat_assign_str(device, dev_name(&d->ctrl->hv->device));
		__entry->target = d->target;
		__entry->lun = d->lun;
		__entry->from = synd_disk_state_names[from];
		__entry->to = synd_disk_state_names[to];
	),
	TP_printk("%s target=%u lun=%u %s -> %s", __get_str(device),
		  __entry->target, __entry->lun, __entry->from, __entry->to)
);

#endif

#undef TRACE_INCLUDE_PATH
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_PATH .
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
