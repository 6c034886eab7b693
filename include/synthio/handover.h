/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel goes from one driver to another.
 */
#ifndef SYNTHIO_HANDOVER_H
#define SYNTHIO_HANDOVER_H

#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>

/**
 * synthio_set_channel() - set every field of a channel that a driver can set
 * @vc: primary or sub-channel, not open
 * @max_packet: bytes of the longest packet that is received, or 0 for what the
 *	bus takes as such
 * @mode: how its callback is called
 * @sub_channel: what to call for each sub-channel that is offered, or NULL
 *
 * Those without a parameter are set to what a new channel has.
 *
 * Context: any, the driver's own open and close excluded.
 */
static inline void
synthio_set_channel(struct vmbus_channel *vc, u32 max_packet,
		    enum hv_callback_mode mode,
		    void (*sub_channel)(struct vmbus_channel *new_sc))
{
	vc->next_request_id_callback = NULL;
	vc->request_addr_callback = NULL;
	vc->rqstor_size = 0;
	vc->change_target_cpu_callback = NULL;
	vc->max_pkt_size = max_packet;
	vc->low_latency = false;
	set_per_channel_state(vc, NULL);
	set_channel_read_mode(vc, mode);
	vmbus_set_chn_rescind_callback(vc, NULL);
	vmbus_set_sc_create_callback(vc, sub_channel);
}

/**
 * synthio_take_channel() - before a channel is opened: all that a driver sets in it
 * @vc: primary or sub-channel, not open
 * @max_packet: as for synthio_set_channel()
 * @mode: likewise
 * @sub_channel: likewise
 *
 * A channel outlives its driver, and the kernel's bus leaves in it what the driver
 * before had set: callbacks into another module, which may have been unloaded, and
 * a table of request ids that nobody fills. So all of that is set here. The table
 * itself was freed when the channel was closed. That bus
 * keeps the pointers to it, allocates no other one where rqstor_size is 0, and
 * would free it again at the next close.
 *
 * Context: process, the driver's own open and close excluded.
 */
static inline void
synthio_take_channel(struct vmbus_channel *vc, u32 max_packet,
		     enum hv_callback_mode mode,
		     void (*sub_channel)(struct vmbus_channel *new_sc))
{
	synthio_set_channel(vc, max_packet, mode, sub_channel);
	vc->requestor.req_arr = NULL;
	vc->requestor.req_bitmap = NULL;
	vc->requestor.size = 0;
}

/**
 * synthio_leave_channel() - the mirror of synthio_take_channel()
 * @vc: closed, or could not be opened
 *
 * Leaves the channel as the bus had made it: another driver may have it next, and
 * takes for granted what it does not set. hv_storvsc for one takes the mode as it
 * is; in ours it would not look again at what the host adds while it reads, and
 * wait for that without end.
 *
 * Context: process, sleeps; not from a callback of the channel.
 */
static inline void synthio_leave_channel(struct vmbus_channel *vc)
{
	/* where an open fails, the kernel's bus leaves the callback */
	tasklet_disable(&vc->callback_event);
	spin_lock_irq(&vc->sched_lock);
	vc->onchannel_callback = NULL;
	spin_unlock_irq(&vc->sched_lock);
	tasklet_enable(&vc->callback_event);

	synthio_take_channel(vc, 0, HV_CALL_BATCHED, NULL);
}

#endif
