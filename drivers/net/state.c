// SPDX-License-Identifier: GPL-2.0-only
/* Tables of states and of decisions; see state.h. */
#include "state.h"

#define BIT_OF(state)		(1u << (state))

/* Seconds between attempts to open a session: the first, and the longest */
#define BACKOFF_MIN		1u
#define BACKOFF_MAX		64u

static const struct {
	const char *name;
	u32 next;		/* the states that may follow */
} states[SYNN_NR_STATES] = {
	[SYNN_PROBING] = {
		"probing", BIT_OF(SYNN_RUNNING) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_RUNNING] = {
		"running", BIT_OF(SYNN_STALLED) | BIT_OF(SYNN_RESETTING) |
			   BIT_OF(SYNN_SUSPENDED) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_STALLED] = {
		"stalled", BIT_OF(SYNN_SETTLING) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_SETTLING] = {
		"settling", BIT_OF(SYNN_RUNNING) | BIT_OF(SYNN_STALLED) |
			    BIT_OF(SYNN_RESETTING) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_RESETTING] = {
		"resetting", BIT_OF(SYNN_RUNNING) | BIT_OF(SYNN_FAILED) |
			     BIT_OF(SYNN_REMOVING)
	},
	[SYNN_FAILED] = {
		"failed", BIT_OF(SYNN_RESETTING) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_SUSPENDED] = {
		"suspended", BIT_OF(SYNN_RESETTING) | BIT_OF(SYNN_REMOVING)
	},
	[SYNN_REMOVING] = { "removing", 0 },
};

static const struct {
	const char *name;
	u32 next;
} tx_states[SYNN_NR_TX_STATES] = {
	[SYNN_TX_CLOSED] = { "closed", BIT_OF(SYNN_TX_OPEN) },
	[SYNN_TX_OPEN] = {
		"open", BIT_OF(SYNN_TX_BLOCKED) | BIT_OF(SYNN_TX_FAILED) |
			BIT_OF(SYNN_TX_CLOSED)
	},
	[SYNN_TX_BLOCKED] = {
		"blocked", BIT_OF(SYNN_TX_OPEN) | BIT_OF(SYNN_TX_FAILED) |
			   BIT_OF(SYNN_TX_CLOSED)
	},
	[SYNN_TX_FAILED] = { "failed", BIT_OF(SYNN_TX_CLOSED) },
};

static const struct {
	const char *name;
	u32 next;
} chan_states[SYNN_NR_CHAN_STATES] = {
	[SYNN_CHAN_IDLE] = { "idle", BIT_OF(SYNN_CHAN_PREPARED) },
	[SYNN_CHAN_PREPARED] = {
		"prepared", BIT_OF(SYNN_CHAN_OPEN) | BIT_OF(SYNN_CHAN_IDLE)
	},
	[SYNN_CHAN_OPEN] = {
		"open", BIT_OF(SYNN_CHAN_POLLED) | BIT_OF(SYNN_CHAN_PREPARED)
	},
	[SYNN_CHAN_POLLED] = { "polled", BIT_OF(SYNN_CHAN_OPEN) },
};

/**
 * synn_state_allows() - whether one state of an adapter may follow another
 * @from: the present state
 * @to: the next one
 */
bool synn_state_allows(enum synn_state from, enum synn_state to)
{
	return states[from].next & BIT_OF(to);
}

/**
 * synn_tx_state_allows() - the same of a tx queue
 * @from: the present state
 * @to: the next one
 */
bool synn_tx_state_allows(enum synn_tx_state from, enum synn_tx_state to)
{
	return tx_states[from].next & BIT_OF(to);
}

/**
 * synn_chan_state_allows() - the same of a channel
 * @from: the present state
 * @to: the next one
 */
bool synn_chan_state_allows(enum synn_chan_state from, enum synn_chan_state to)
{
	return chan_states[from].next & BIT_OF(to);
}

/**
 * synn_state_has_session() - whether there is a session that is not being closed
 * @state: of an adapter
 */
bool synn_state_has_session(enum synn_state state)
{
	return state == SYNN_RUNNING || state == SYNN_STALLED ||
	       state == SYNN_SETTLING;
}

/**
 * synn_state_name() - the name of an adapter's state, for sysfs, debugfs and traces
 * @state: the state
 */
const char *synn_state_name(enum synn_state state)
{
	return states[state].name;
}

/**
 * synn_tx_state_name() - the name of a tx queue's state
 * @state: the state
 */
const char *synn_tx_state_name(enum synn_tx_state state)
{
	return tx_states[state].name;
}

/**
 * synn_chan_state_name() - the name of a channel's state
 * @state: the state
 */
const char *synn_chan_state_name(enum synn_chan_state state)
{
	return chan_states[state].name;
}

/* Something is wrong with the session; a reset helps only if the host responds */
static enum synn_action reset_action(const struct synn_health *h)
{
	switch (h->probe) {
	case SYNN_PROBE_NONE:
		return SYNN_ACT_PROBE;
	case SYNN_PROBE_SILENT:
		return SYNN_ACT_STALL;
	default:
		return SYNN_ACT_RESET;
	}
}

/**
 * synn_health_action() - what is to be done about an adapter's health
 * @state: of the adapter
 * @h: what is known
 *
 * A session is never given up for a pause of the host alone: closing it would wait for
 * the host as well, and afterwards the session is as good as it was.
 *
 * Return: the action. After SYNN_ACT_PROBE the caller fills in @h->probe, and asks
 *	again.
 */
enum synn_action synn_health_action(enum synn_state state,
				    const struct synn_health *h)
{
	switch (state) {
	case SYNN_RUNNING:
		if (h->host_stalled)
			return SYNN_ACT_STALL;
		if (h->broken || h->stuck)
			return reset_action(h);
		if (!h->silent || h->probe == SYNN_PROBE_RESPONDS)
			return SYNN_ACT_NONE;
		return h->probe == SYNN_PROBE_NONE ? SYNN_ACT_PROBE :
						     SYNN_ACT_STALL;
	case SYNN_STALLED:
		if (h->host_stalled || h->probe == SYNN_PROBE_SILENT)
			return SYNN_ACT_NONE;
		return h->probe == SYNN_PROBE_NONE ? SYNN_ACT_PROBE :
						     SYNN_ACT_SETTLE;
	case SYNN_SETTLING:
		if (h->host_stalled)
			return SYNN_ACT_STALL;
		if (!h->settled && (h->incomplete || h->broken || h->stuck))
			return SYNN_ACT_NONE;
		return h->broken || h->stuck ? reset_action(h) : SYNN_ACT_RESUME;
	case SYNN_FAILED:
		return h->retry_due && !h->host_stalled ? SYNN_ACT_REOPEN :
							  SYNN_ACT_NONE;
	default:
		return SYNN_ACT_NONE;
	}
}

/**
 * synn_next_backoff() - how long to wait after another attempt that failed
 * @seconds: the wait before that attempt; 0 before the first one
 *
 * Return: seconds.
 */
u32 synn_next_backoff(u32 seconds)
{
	if (!seconds)
		return BACKOFF_MIN;
	return seconds < BACKOFF_MAX ? 2 * seconds : BACKOFF_MAX;
}
