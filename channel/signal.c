// SPDX-License-Identifier: GPL-2.0-only
/* Signals to the host: its end of a channel's ring has work. */
#include <linux/ktime.h>
#include <asm/sync_bitops.h>

#include "trace.h"
#include "vmbus.h"

/**
 * vmbus_set_event() - signal the host, at once
 * @channel: an open channel
 *
 * Context: any.
 */
void vmbus_set_event(struct vmbus_channel *channel)
{
	u32 relid = channel->offermsg.child_relid;
	struct transport *t;

	trace_synth_signal(channel);
	channel->sig_events++;
	to_channel(channel)->last_signal = ktime_get_mono_fast_ns();
	/* the host has taken the channel back, or it has no relid after a suspend */
	if (READ_ONCE(channel->rescind) || relid >= MAX_RELIDS)
		return;

	/* connection_detach() waits for RCU readers that see the transport */
	rcu_read_lock();
	t = READ_ONCE(connection.transport);
	if (t) {
		/* hosts without dedicated interrupts look for the channel here */
		if (!channel->is_dedicated_interrupt)
			sync_set_bit(relid, connection.int_page +
				     HV_HYP_PAGE_SIZE / 2);
		t->ops->signal_event(t, channel->sig_event);
	}
	rcu_read_unlock();
}

/**
 * vmbus_setevent() - signal the host in the way that the channel prefers
 * @channel: an open channel
 *
 * A host may have allocated a monitor: then a bit in a page suffices, which
 * the hypervisor polls, unless the driver wants low latency.
 *
 * Context: any.
 */
void vmbus_setevent(struct vmbus_channel *channel)
{
	struct monitor_page *page = connection.monitor_pages[1];
	u32 relid = channel->offermsg.child_relid;

	if (!channel->offermsg.monitor_allocated || channel->low_latency ||
	    channel->monitor_grp >= ARRAY_SIZE(page->trigger_group)) {
		vmbus_set_event(channel);
		return;
	}
	if (READ_ONCE(channel->rescind) || relid >= MAX_RELIDS)
		return;
	trace_synth_signal(channel);
	to_channel(channel)->last_signal = ktime_get_mono_fast_ns();
	sync_set_bit(relid, connection.int_page + HV_HYP_PAGE_SIZE / 2);
	/*
	 * Outside of x86 the operation has no order of its own: the host must
	 * not see the trigger and then no bit, nor a ring from before both.
	 */
	virt_mb__before_atomic();
	sync_set_bit(channel->monitor_bit,
		     (unsigned long *)
		     &page->trigger_group[channel->monitor_grp].pending);
}
