/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoints of the display: changes of its state */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM synth_video

#if !defined(SYNTHIO_VIDEO_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_VIDEO_TRACE_H

#include <synthio/trace_state.h>

SYNTHIO_TRACE_STATE(synv_state);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
