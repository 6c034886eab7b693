// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

static const struct {
	const char *name;
	u32 next;		/* mask of 1 << enum synv_state */
} states[] = {
	[SYNV_CLOSED]	= { "closed", 1 << SYNV_OPENING },
	[SYNV_OPENING]	= { "opening", 1 << SYNV_READY | 1 << SYNV_CLOSED },
	[SYNV_READY]	= { "ready", 1 << SYNV_LIVE | 1 << SYNV_CLOSED },
	[SYNV_LIVE]	= { "live", 1 << SYNV_STALLED | 1 << SYNV_LEAVING },
	[SYNV_STALLED]	= { "stalled", 1 << SYNV_LIVE | 1 << SYNV_LEAVING },
	[SYNV_LEAVING]	= { "leaving", 1 << SYNV_LIVE | 1 << SYNV_CLOSED },
};

const char *synv_state_name(enum synv_state state)
{
	return (u32)state < ARRAY_SIZE(states) ? states[state].name : "invalid";
}

bool synv_state_may_follow(enum synv_state from, enum synv_state to)
{
	return (u32)from < ARRAY_SIZE(states) && (u32)to < ARRAY_SIZE(states) &&
	       states[from].next & 1u << to;
}

bool synv_reader_stalled(struct synv_reader *r, u32 read_index, u32 write_index,
			 unsigned long now, unsigned long limit)
{
	bool empty = read_index == write_index;

	if (empty || r->empty || read_index != r->read_index)
		r->since = now;
	r->empty = empty;
	r->read_index = read_index;
	return now - r->since > limit;
}
