// SPDX-License-Identifier: GPL-2.0-only
/* Calling a channel's driver when the host has signalled, and no longer calling it. */
#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/ktime.h>

#include <synthio/handover.h>

#include "trace.h"
#include "vmbus.h"

/* how long a tasklet may go on before it lets others run */
#define EVENT_JIFFIES	2

/**
 * channel_interrupt() - call a channel's driver: the host says that its ring has packets
 * @vc: found by its relid, under rcu_read_lock()
 *
 * Context: hard interrupt normally, or with bottom halves disabled. With
 *	PREEMPT_RT always the latter, and never the former: sched_lock sleeps,
 *	and what callbacks do under it may disable bottom halves.
 */
void channel_interrupt(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);
	void (*callback)(void *context);
	unsigned long flags;

	/*
	 * The lock keeps the ring mapped: vmbus_reset_channel_cb() takes the
	 * callback away under it before the ring is unmapped.
	 */
	spin_lock_irqsave(&vc->sched_lock, flags);
	callback = vc->onchannel_callback;
	if (!callback)
		goto out;

	vc->interrupts++;
	ch->last_interrupt = ktime_get_mono_fast_ns();
	trace_synth_interrupt(vc);

	switch (vc->callback_mode) {
	case HV_CALL_ISR:
		callback(vc->channel_callback_context);
		break;
	case HV_CALL_BATCHED:
		hv_begin_read(&vc->inbound);
		fallthrough;
	case HV_CALL_DIRECT:
		tasklet_schedule(&vc->callback_event);
	}
out:
	spin_unlock_irqrestore(&vc->sched_lock, flags);
}

/**
 * channel_event() - tasklet of the batched and direct call modes
 * @data: the vmbus_channel
 *
 * In batched mode the host's interrupts are masked on entry. They are unmasked when the
 * ring is empty, and then the ring is read once more: a packet that the host wrote while
 * it still saw the mask caused no interrupt.
 *
 * Context: softirq.
 */
void channel_event(unsigned long data)
{
	struct vmbus_channel *vc = (void *)data;
	unsigned long limit = jiffies + EVENT_JIFFIES;

	do {
		void (*callback)(void *context) =
			READ_ONCE(vc->onchannel_callback);

		if (!callback)
			return;
		callback(vc->channel_callback_context);
		if (vc->callback_mode != HV_CALL_BATCHED)
			return;
		if (!hv_end_read(&vc->inbound))
			return;
		hv_begin_read(&vc->inbound);
	} while (time_before(jiffies, limit));

	tasklet_schedule(&vc->callback_event);
}

/**
 * channel_look() - call a channel's driver as if the host had interrupted
 * @vc: open, or it does nothing
 *
 * Context: process.
 */
void channel_look(struct vmbus_channel *vc)
{
	if (!channel_is_open(vc))
		return;
	/* softirqs that a callback raises run when bottom halves are enabled again */
	local_bh_disable();
	rcu_read_lock();
	channel_interrupt(vc);
	rcu_read_unlock();
	local_bh_enable();
}

/**
 * vmbus_reset_channel_cb() - stop calling a channel's driver
 * @channel: open or not
 *
 * Context: process; not from the callback.
 */
void vmbus_reset_channel_cb(struct vmbus_channel *channel)
{
	unsigned long flags;

	/* waits for a running tasklet */
	tasklet_disable(&channel->callback_event);
	spin_lock_irqsave(&channel->sched_lock, flags);
	channel->onchannel_callback = NULL;
	spin_unlock_irqrestore(&channel->sched_lock, flags);
	WRITE_ONCE(channel->sc_creation_callback, NULL);
	/* a tasklet that was scheduled finds no callback; the next open needs it */
	tasklet_enable(&channel->callback_event);
}

static void forget_driver(struct vmbus_channel *vc)
{
	vmbus_reset_channel_cb(vc);
	synthio_set_channel(vc, 0, HV_CALL_BATCHED, NULL);
}

/**
 * channel_forget_driver() - reset what a driver has set in a device's channels
 * @primary: before probe, or after remove or a probe that failed
 *
 * A driver sets only what it needs. A callback that the previous driver has left would
 * call into a module that may be unloaded.
 *
 * Context: process, sleeps; the device is locked.
 */
void channel_forget_driver(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub;

	mutex_lock(&connection.channel_mutex);
	forget_driver(primary);
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		forget_driver(sub);
	mutex_unlock(&connection.channel_mutex);
}
