/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connection of a mouse or a keyboard with the host. The functions are inline because
 * each of the two modules has tracepoints of its own.
 */
#ifndef SYNTHIO_INPUT_LINK_H
#define SYNTHIO_INPUT_LINK_H

#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/spinlock.h>

#include "state.h"
#include "trace.h"

#define SYNTH_INPUT_ANSWER_WAIT	(10 * HZ)

/**
 * struct synth_input_link - the connection with the host
 * @hv: the device on the bus
 * @rx_lock: of @state and @bad, and of what a driver does with messages
 * @state: changed by synth_input_set_state()
 * @bad: how many messages were dropped as invalid
 * @answered: @state has become SYNTH_INPUT_LIVE or SYNTH_INPUT_REFUSED
 */
struct synth_input_link {
	struct hv_device *hv;
	spinlock_t rx_lock;
	enum synth_input_state state;
	u64 bad;
	struct completion answered;
};

/**
 * synth_input_set_state() - change the state
 * @l: the connection, with rx_lock held
 * @state: one that may follow the present one
 */
static inline void synth_input_set_state(struct synth_input_link *l,
					 enum synth_input_state state)
{
	lockdep_assert_held(&l->rx_lock);
	if (WARN_ON_ONCE(!synth_input_may_follow(l->state, state)))
		return;
	trace_synth_input_state(l->hv, synth_input_state_name(l->state),
				synth_input_state_name(state));
	WRITE_ONCE(l->state, state);
}

/**
 * synth_input_change_state() - change the state, in process context
 * @l: the connection
 * @state: one that may follow the present one
 */
static inline void synth_input_change_state(struct synth_input_link *l,
					    enum synth_input_state state)
{
	spin_lock_irq(&l->rx_lock);
	synth_input_set_state(l, state);
	spin_unlock_irq(&l->rx_lock);
}

/**
 * synth_input_drop() - count and report an invalid message
 * @l: the connection, with rx_lock held
 * @what: the host has sent
 */
static inline void synth_input_drop(struct synth_input_link *l, const char *what)
{
	l->bad++;
	dev_warn_ratelimited(&l->hv->device, "the host has sent %s, which is dropped\n",
			     what);
}

/**
 * synth_input_wait() - wait until the host has answered
 * @l: the connection
 *
 * Context: process, sleeps.
 * Return: 0, -ETIMEDOUT, -ENODEV after a rescind, -EPROTO if the host has refused the
 *	version.
 */
static inline int synth_input_wait(struct synth_input_link *l)
{
	unsigned long deadline = jiffies + SYNTH_INPUT_ANSWER_WAIT;

	while (!wait_for_completion_timeout(&l->answered, HZ / 4)) {
		if (READ_ONCE(l->hv->channel->rescind))
			return -ENODEV;
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
	}
	return READ_ONCE(l->state) == SYNTH_INPUT_LIVE ? 0 : -EPROTO;
}

#endif
