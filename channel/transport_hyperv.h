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

#endif
