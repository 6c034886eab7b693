/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a module says about itself to modinfo and depmod. The Kbuild files include
 * this header ahead of the one file of each module that has the table of its devices,
 * so the sources are the same for all builds.
 *
 * SYNTHIO_VERSION: the contents of the file VERSION, as a string.
 * SYNTHIO_PEER: defined for BUS=hv only: the module of the kernel's own driver for
 *	the same devices.
 */
#ifndef SYNTHIO_MODULE_H
#define SYNTHIO_MODULE_H

#include <linux/module.h>

MODULE_VERSION(SYNTHIO_VERSION);

#ifdef SYNTHIO_PEER
/*
 * A driver for the kernel's own VMBus has no alias: udev never loads it for a
 * device, so the distribution's driver keeps what it has. A VMBus device goes to the
 * driver that was registered first. The soft dependency makes modprobe load the
 * kernel's driver ahead of ours, which then only gets the devices whose
 * driver_override names it.
 */
#undef MODULE_DEVICE_TABLE
#define MODULE_DEVICE_TABLE(type, name)	MODULE_SOFTDEP("pre: " SYNTHIO_PEER)
#endif

#endif
