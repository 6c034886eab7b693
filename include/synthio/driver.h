/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device drivers share: the differences between kernel versions and
 * between buses that all of them meet, and rings of the size that can be had.
 */
#ifndef SYNTHIO_DRIVER_H
#define SYNTHIO_DRIVER_H

#include <linux/errno.h>
#include <linux/hyperv.h>

#include <synthio/confidential.h>
#include <synthio/config.h>
#include <synthio/handover.h>

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
