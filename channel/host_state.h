/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether the host responds, and waiting for it.
 *
 *                 heartbeat stops             stall_timeout passes
 *   HOST_RESPONDS ---------------> HOST_STALLED -----------------> HOST_LOST
 *         ^  ^      heartbeat goes on  |                               |
 *         |  +-------------------------+                               |
 *         +------------------------------------------------------------+
 *
 * The transport reports the first two. While the host is stalled nothing is given up:
 * requests stay outstanding, and their timeouts don't run. A host that has been
 * stalled for stall_timeout counts as lost, and waits for it end with -ENODEV: nothing
 * tells a long pause from the death of the host.
 */
#ifndef SYNTHIO_CHANNEL_HOST_STATE_H
#define SYNTHIO_CHANNEL_HOST_STATE_H

#include <linux/completion.h>
#include <linux/types.h>

enum host_state {
	HOST_RESPONDS,
	HOST_STALLED,
	HOST_LOST,
};

/**
 * host_state() - whether the host responds
 *
 * Context: any.
 */
enum host_state host_state(void);

/**
 * host_state_name() - the name of a state, for debugfs
 * @state: the state
 *
 * Context: any.
 */
const char *host_state_name(enum host_state state);

/**
 * host_state_set() - note that the host has stalled, is lost or responds
 * @to: the new state. A host that is lost can't become stalled: that is ignored
 *
 * Context: any but hard interrupt.
 */
void host_state_set(enum host_state to);

/**
 * host_stall_limit() - the longest pause of the host that waits outlast
 *
 * Context: any. Return: seconds.
 */
unsigned int host_stall_limit(void);

/**
 * host_counted() - how much of a time counts for a timeout
 * @ms: time that has passed just now
 *
 * Context: any. Return: @ms if the host responds, else 0.
 */
unsigned int host_counted(unsigned int ms);

/**
 * host_wait() - wait until the host has completed something
 * @done: completed by the host's answer
 * @seconds: for so long; time in which the host is stalled does not count
 * @outlast: wait on while the host is stalled
 *
 * Context: process, sleeps, for @seconds and host_stall_limit() at most, unless the
 *	host stalls again and again.
 * Return: 0 when @done is completed, -ETIMEDOUT, -ENODEV if the host is lost, -EAGAIN
 *	if it is stalled and @outlast is false.
 */
int host_wait(struct completion *done, unsigned int seconds, bool outlast);

/**
 * host_state_exit() - stop what runs by itself
 *
 * Context: process, sleeps; no transport and no driver is left.
 */
void host_state_exit(void);

#endif
