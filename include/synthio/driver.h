/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device drivers share: the differences between kernel versions and
 * between buses that all of them meet, and rings of the size that can be had.
 */
#ifndef SYNTHIO_DRIVER_H
#define SYNTHIO_DRIVER_H

#include <linux/errno.h>
#include <linux/hyperv.h>
#include <linux/interrupt.h>
#include <linux/spinlock.h>

#include <synthio/config.h>

/* What hv_driver.remove returns: an int that nobody looks at, later void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

/* Newer kernels are told the source of a string in a trace event only once */
#ifdef HAVE_ASSIGN_STR_ONCE
#define compat_assign_str(field, src)	__assign_str(field)
#else
#define compat_assign_str(field, src)	__assign_str(field, src)
#endif

/**
 * synthio_isr_mode() - how to have a channel's callback run in the interrupt
 *
 * With PREEMPT_RT it may not run in the hard interrupt, as it takes locks. Our bus
 * calls from a thread then. Of the kernel's, older ones do not: there it has to be
 * a tasklet.
 *
 * Return: what set_channel_read_mode() takes, for a callback that masks the host's
 *	interrupts itself.
 */
static inline enum hv_callback_mode synthio_isr_mode(void)
{
#ifndef SYNTHIO_OWN_NAMES
	if (IS_ENABLED(CONFIG_PREEMPT_RT))
		return HV_CALL_DIRECT;
#endif
	return HV_CALL_ISR;
}

/**
 * synthio_take_channel() - before a channel is opened: all that a driver sets in it
 * @vc: primary or sub-channel, not open
 * @max_packet: bytes of the longest packet that is received, or 0 for what the
 *	bus takes as such
 * @mode: how its callback is called
 * @sub_channel: what to call for each sub-channel that is offered, or NULL
 *
 * A channel outlives its driver, and the kernel's bus leaves in it what the driver
 * before had set: callbacks into another module, which may have been unloaded, and
 * a table of request ids that nobody fills. So every field that a driver can set
 * is set here.
 *
 * Context: process, the driver's own open and close excluded.
 */
static inline void
synthio_take_channel(struct vmbus_channel *vc, u32 max_packet,
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

/**
 * compat_free_ring() - give back the memory of both rings
 * @vc: closed
 * @safe: the host has let go of it
 *
 * Our bus keeps the pages of a ring that the host did not let go of when they are
 * given back, and counts them. The kernel's frees them.
 *
 * Context: process, sleeps.
 */
static inline void compat_free_ring(struct vmbus_channel *vc, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	if (!safe)
		return;
#endif
	vmbus_free_ring(vc);
}

/**
 * compat_closed_ring() - a primary channel was closed, to be opened again some time
 * @vc: closed
 * @safe: the host has let go of it
 *
 * Our bus keeps rings and their mapping over that: to open again needs no memory.
 * The kernel's maps them a second time and forgets the first; there the next open
 * has to begin with synthio_alloc_ring().
 *
 * Context: process, sleeps.
 */
static inline void compat_closed_ring(struct vmbus_channel *vc, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	compat_free_ring(vc, safe);
#endif
}

/* What a few large requests need, in KiB for each direction */
#define SYNTHIO_MIN_RING	32u

/**
 * synthio_alloc_ring() - allocate both rings
 * @vc: not open, without a ring
 * @size: KiB of each
 *
 * Rings are one piece of memory: where there is none so large, smaller ones do,
 * down to SYNTHIO_MIN_RING.
 *
 * Context: process, sleeps. Return: 0, or what vmbus_alloc_ring() returned.
 */
static inline int synthio_alloc_ring(struct vmbus_channel *vc, u32 size)
{
	u32 bytes;
	int ret;

	for (;; size /= 2) {
		bytes = VMBUS_RING_SIZE(size << 10);
		ret = vmbus_alloc_ring(vc, bytes, bytes);
		if (ret != -ENOMEM || size <= SYNTHIO_MIN_RING)
			return ret;
	}
}

#endif
