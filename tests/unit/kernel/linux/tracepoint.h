/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints that do nothing. */
#define TRACE_EVENT(...)
#define DECLARE_EVENT_CLASS(...)
#define DEFINE_EVENT(...)
#define trace_synth_packet_out(channel, type, len, id)	((void)(type))
#define trace_synth_packet_in(channel, type, len, id)	((void)0)
#define trace_synth_host_state(from, to)		((void)0)
