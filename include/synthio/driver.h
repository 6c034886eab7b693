/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the device drivers share: differences between kernel versions and between buses,
 * and allocation of rings.
 */
#ifndef SYNTHIO_DRIVER_H
#define SYNTHIO_DRIVER_H

#include <linux/errno.h>
#include <linux/hyperv.h>

#include <synthio/confidential.h>
#include <synthio/config.h>
#include <synthio/handover.h>

/* What hv_driver.remove returns: an int that the bus ignores, in newer kernels void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

/* In newer kernels __assign_str() does not get the source a second time */
#ifdef HAVE_ASSIGN_STR_ONCE
#define compat_assign_str(field, src)	__assign_str(field)
#else
#define compat_assign_str(field, src)	__assign_str(field, src)
#endif

/**
 * synthio_isr_mode() - the call mode for a callback that runs in the interrupt
 *
 * With PREEMPT_RT a callback that takes locks may not run in the hard interrupt. This
 * project's bus then calls it in a thread. The bus of older kernels does not, so a
 * tasklet is used there.
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
 * This project's bus does not free the pages of a ring that the host did not let go of,
 * and counts them. The kernel's bus frees them.
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
 * compat_closed_ring() - keep or free the rings of a primary channel that was closed
 * @vc: closed
 * @safe: the host has let go of it
 *
 * This project's bus keeps rings and their mapping, so that opening the channel again
 * needs no memory. The kernel's bus would map them a second time and leak the first
 * mapping, so the rings are freed there, and the next open has to begin with
 * synthio_alloc_ring().
 *
 * Context: process, sleeps.
 */
static inline void compat_closed_ring(struct vmbus_channel *vc, bool safe)
{
#ifndef SYNTHIO_OWN_NAMES
	compat_free_ring(vc, safe);
#endif
}

/* Enough for a few large requests, in KiB for each direction */
#define SYNTHIO_MIN_RING	32u

/**
 * synthio_alloc_ring() - allocate both rings
 * @vc: not open, without a ring
 * @size: KiB of each
 *
 * Rings are physically contiguous. If there is no free memory of that size, smaller rings
 * are allocated, down to SYNTHIO_MIN_RING.
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
