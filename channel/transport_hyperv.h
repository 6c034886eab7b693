/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the Hyper-V transport share. */
#ifndef SYNTHIO_TRANSPORT_HYPERV_H
#define SYNTHIO_TRANSPORT_HYPERV_H

#include <linux/acpi.h>
#include <linux/ioport.h>

#include "transport.h"

#define HYPERV_WINDOWS	8	/* Hyper-V has two, above and below 4 GiB */

/**
 * struct hyperv_mmio - MMIO windows that the firmware has set aside for VMBus
 * @nr: how many
 * @windows: in rising order, apart from each other
 * @gaps: what lies between them, which the aperture must keep out
 */
struct hyperv_mmio {
	unsigned int nr;
	struct {
		u64 start;
		u64 end;
	} windows[HYPERV_WINDOWS];
	struct resource gaps[HYPERV_WINDOWS - 1];
};

/**
 * hyperv_mmio_find() - make a transport's aperture of the device's windows
 * @m: zeroed; stays as long as @t, whose aperture has parts of it
 * @t: its aperture and framebuffer are set; there may be none
 * @adev: the VMBus device
 *
 * Context: process.
 */
void hyperv_mmio_find(struct hyperv_mmio *m, struct transport *t,
		      struct acpi_device *adev);

/* hyperv_arch.c: what is not the same on each architecture */

/**
 * hyperv_irq_setup() - take the interrupt that the SynIC raises
 * @adev: the VMBus device
 * @handler: called on the CPU whose SynIC it was, in hard interrupt context
 *
 * Context: process. Return: 0, or a negative errno, with the reason in the log.
 */
int hyperv_irq_setup(struct acpi_device *adev, void (*handler)(void));

/**
 * hyperv_irq_free() - the mirror of hyperv_irq_setup()
 *
 * Context: process; the interrupt is off on all CPUs.
 */
void hyperv_irq_free(void);

/**
 * hyperv_irq_vector() - what SINTx is to raise
 *
 * Context: any, after hyperv_irq_setup().
 */
u8 hyperv_irq_vector(void);

/**
 * hyperv_irq_on() - let it come to this CPU
 *
 * Context: this CPU, interrupts off. hyperv_irq_off() is the mirror.
 */
void hyperv_irq_on(void);
void hyperv_irq_off(void);

/**
 * hyperv_auto_eoi() - whether the hypervisor ends the interrupt by itself
 *
 * Context: any.
 */
bool hyperv_auto_eoi(void);

/**
 * hyperv_has_synic() - whether this guest has a SynIC at all
 *
 * Context: any.
 */
bool hyperv_has_synic(void);

#endif
