/* SPDX-License-Identifier: GPL-2.0-only */
/* Taking a channel over from another driver, and leaving it for the next. */
#ifndef SYNTHIO_HANDOVER_H
#define SYNTHIO_HANDOVER_H

#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>

/**
 * synthio_set_channel() - set every field of a channel that a driver can set
 * @vc: primary or sub-channel, not open
 * @max_packet: bytes of the longest packet that is received, or 0 for the default of
 *	the bus
 * @mode: how its callback is called
 * @sub_channel: what to call for each sub-channel that is offered, or NULL
 *
 * The other fields get the values of a new channel.
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
 * synthio_take_channel() - prepare a channel to be opened by this driver
 * @vc: primary or sub-channel, not open
 * @max_packet: as for synthio_set_channel()
 * @mode: likewise
 * @sub_channel: likewise
 *
 * A channel outlives its driver, and the kernel's bus does not reset what the previous
 * driver has set: callbacks into another module, which may be unloaded, and the size of
 * a table of request ids. So all of these fields are set here. The table itself was freed
 * when the channel was closed, but the kernel's bus keeps the pointers to it, allocates no
 * other table if rqstor_size is 0, and would free it again at the next close.
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
 * Leaves the channel as the bus had created it, since the next driver may rely on the
 * initial value of a field that it does not set. For example hv_storvsc does not set the
 * call mode. In the mode of this project's drivers it would not read again what the host
 * adds while it reads, and would wait for that for ever.
 *
 * Context: process, sleeps; not from a callback of the channel.
 */
static inline void synthio_leave_channel(struct vmbus_channel *vc)
{
	/* after an open that failed, the kernel's bus leaves the callback */
	tasklet_disable(&vc->callback_event);
	spin_lock_irq(&vc->sched_lock);
	vc->onchannel_callback = NULL;
	spin_unlock_irq(&vc->sched_lock);
	tasklet_enable(&vc->callback_event);

	synthio_take_channel(vc, 0, HV_CALL_BATCHED, NULL);
}

#endif
