/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints of mouse and keyboard: changes of their state. Kbuild defines
 * SYNTH_INPUT_MODULE, since each of the two modules has events of its own.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM SYNTH_INPUT_MODULE

#if !defined(SYNTHIO_INPUT_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define SYNTHIO_INPUT_TRACE_H

#include <synthio/trace_state.h>

SYNTHIO_TRACE_STATE(synth_input_state);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
#include <trace/define_trace.h>
