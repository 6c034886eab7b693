/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How far the connection of a mouse or a keyboard has got. No kernel service or struct is
 * used here, so that it is also tested in user space.
 */
#ifndef SYNTHIO_INPUT_STATE_H
#define SYNTHIO_INPUT_STATE_H

#include <synthio/env.h>

/**
 * enum synth_input_state - the connection of a mouse or a keyboard
 * @SYNTH_INPUT_CLOSED: there is no channel. What the host sends is not looked at
 * @SYNTH_INPUT_ASKED: the host was asked whether it accepts the version
 * @SYNTH_INPUT_ACCEPTED: the host has accepted it; a mouse has to describe itself yet
 * @SYNTH_INPUT_REFUSED: the host has refused the version
 * @SYNTH_INPUT_LIVE: the host sends reports or keys
 */
enum synth_input_state {
	SYNTH_INPUT_CLOSED,
	SYNTH_INPUT_ASKED,
	SYNTH_INPUT_ACCEPTED,
	SYNTH_INPUT_REFUSED,
	SYNTH_INPUT_LIVE,
};

static const struct {
	const char *name;
	u32 next;		/* mask of 1 << enum synth_input_state */
} synth_input_states[] = {
	[SYNTH_INPUT_CLOSED]	= { "closed", 1 << SYNTH_INPUT_ASKED },
	[SYNTH_INPUT_ASKED]	= { "asked",
		1 << SYNTH_INPUT_ACCEPTED | 1 << SYNTH_INPUT_REFUSED |
		1 << SYNTH_INPUT_CLOSED },
	[SYNTH_INPUT_ACCEPTED]	= { "accepted",
		1 << SYNTH_INPUT_LIVE | 1 << SYNTH_INPUT_CLOSED },
	[SYNTH_INPUT_REFUSED]	= { "refused", 1 << SYNTH_INPUT_CLOSED },
	[SYNTH_INPUT_LIVE]	= { "live", 1 << SYNTH_INPUT_CLOSED },
};

/**
 * synth_input_state_name() - the name of a state, as debugfs and the tracepoint have it
 * @state: any value
 *
 * Return: a string.
 */
static inline const char *synth_input_state_name(enum synth_input_state state)
{
	return (u32)state < ARRAY_SIZE(synth_input_states) ?
	       synth_input_states[state].name : "invalid";
}

/**
 * synth_input_may_follow() - whether a state may follow another one
 * @from: the state now
 * @to: the next one
 */
static inline bool synth_input_may_follow(enum synth_input_state from,
					  enum synth_input_state to)
{
	return (u32)from < ARRAY_SIZE(synth_input_states) &&
	       (u32)to < ARRAY_SIZE(synth_input_states) &&
	       synth_input_states[from].next & 1u << to;
}

#endif
