/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of an adapter and of its tx queues, and what is to be done about a host
 * that does not respond. No kernel service is used, so that tests in user space cover
 * every transition and every decision.
 *
 * An adapter has a session with the host in the states RUNNING, STALLED and SETTLING:
 *
 *                +--------------------------------------------+
 *                v                                            |
 *   PROBING --> RUNNING --> STALLED --> SETTLING --(complete)-+
 *                | ^           ^           |  |
 *                | |           +-----------+  | something is still missing
 *                | |                          v
 *                | +--------------------- RESETTING <---- SUSPENDED
 *                |                          ^ |  ^           ^
 *                +--------------------------+ v  |           |
 *                |                          FAILED           |
 *                +-------------------------------------------+
 *
 * and goes from each of them to REMOVING.
 */
#ifndef SYNTHIO_NET_STATE_H
#define SYNTHIO_NET_STATE_H

#include <synthio/env.h>

/**
 * enum synn_state - the life of an adapter and of its session with the host
 * @SYNN_PROBING: the first session is being opened; there is no interface yet
 * @SYNN_RUNNING: there is a session, and the host is taken to respond
 * @SYNN_STALLED: there is a session, but the host does not respond. The carrier is
 *	off, and nothing is begun that needs the host
 * @SYNN_SETTLING: the host responds again; completions and answers that it owes are
 *	waited for, up to a bound, before anything is judged to be missing
 * @SYNN_RESETTING: between two sessions
 * @SYNN_FAILED: the last attempt to open a session failed; another one follows
 * @SYNN_SUSPENDED: no session, for hibernation
 * @SYNN_REMOVING: no session, and none any more
 */
enum synn_state {
	SYNN_PROBING,
	SYNN_RUNNING,
	SYNN_STALLED,
	SYNN_SETTLING,
	SYNN_RESETTING,
	SYNN_FAILED,
	SYNN_SUSPENDED,
	SYNN_REMOVING,
	SYNN_NR_STATES,
};

/**
 * enum synn_tx_state - the life of a tx queue
 * @SYNN_TX_CLOSED: there is no session, or it is being closed
 * @SYNN_TX_OPEN: packets are accepted
 * @SYNN_TX_BLOCKED: the stack's queue is stopped until there is room in the ring, or
 *	a free slot
 * @SYNN_TX_FAILED: the channel accepts nothing any more; a new session is needed
 */
enum synn_tx_state {
	SYNN_TX_CLOSED,
	SYNN_TX_OPEN,
	SYNN_TX_BLOCKED,
	SYNN_TX_FAILED,
	SYNN_NR_TX_STATES,
};

/**
 * enum synn_chan_state - the life of a channel
 * @SYNN_CHAN_IDLE: no memory of a session
 * @SYNN_CHAN_PREPARED: memory and NAPI instance are there, the channel is not open
 * @SYNN_CHAN_OPEN: open; its NAPI instance is disabled
 * @SYNN_CHAN_POLLED: open, and NAPI reads its ring
 */
enum synn_chan_state {
	SYNN_CHAN_IDLE,
	SYNN_CHAN_PREPARED,
	SYNN_CHAN_OPEN,
	SYNN_CHAN_POLLED,
	SYNN_NR_CHAN_STATES,
};

/**
 * enum synn_probe - what a question to the host has shown
 * @SYNN_PROBE_NONE: the host was not asked
 * @SYNN_PROBE_RESPONDS: it answers, or at least reads
 * @SYNN_PROBE_SILENT: it does neither
 */
enum synn_probe {
	SYNN_PROBE_NONE,
	SYNN_PROBE_RESPONDS,
	SYNN_PROBE_SILENT,
};

/**
 * struct synn_health - what is known when the service task looks at an adapter
 * @host_stalled: the bus says that the host does not respond
 * @silent: packets are outstanding, and nothing came from the host for a while
 * @broken: a queue has failed, a sub-channel was rescinded, or the host keeps the page
 *	of a request
 * @stuck: a queue that is stopped has made no progress for a while
 * @incomplete: sends are outstanding for so long that they are from before a stall
 * @settled: the host has had the time to catch up after a stall
 * @retry_due: it is time for another attempt to open a session
 * @probe: whether the host was asked, and has answered
 */
struct synn_health {
	bool host_stalled;
	bool silent;
	bool broken;
	bool stuck;
	bool incomplete;
	bool settled;
	bool retry_due;
	enum synn_probe probe;
};

/**
 * enum synn_action - what is to be done about it
 * @SYNN_ACT_NONE: nothing
 * @SYNN_ACT_PROBE: ask the host, and decide again
 * @SYNN_ACT_STALL: RUNNING or SETTLING to STALLED
 * @SYNN_ACT_SETTLE: STALLED to SETTLING
 * @SYNN_ACT_RESUME: SETTLING to RUNNING
 * @SYNN_ACT_RESET: close the session, and open another one
 * @SYNN_ACT_REOPEN: open a session
 */
enum synn_action {
	SYNN_ACT_NONE,
	SYNN_ACT_PROBE,
	SYNN_ACT_STALL,
	SYNN_ACT_SETTLE,
	SYNN_ACT_RESUME,
	SYNN_ACT_RESET,
	SYNN_ACT_REOPEN,
};

bool synn_state_allows(enum synn_state from, enum synn_state to);
bool synn_tx_state_allows(enum synn_tx_state from, enum synn_tx_state to);
bool synn_chan_state_allows(enum synn_chan_state from, enum synn_chan_state to);
bool synn_state_has_session(enum synn_state state);
const char *synn_state_name(enum synn_state state);
const char *synn_tx_state_name(enum synn_tx_state state);
const char *synn_chan_state_name(enum synn_chan_state state);
enum synn_action synn_health_action(enum synn_state state,
				    const struct synn_health *h);
u32 synn_next_backoff(u32 seconds);

#endif
