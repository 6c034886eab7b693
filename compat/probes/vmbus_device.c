// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE vmbus_device: which device the kernel's own VMBus drives (no header tells)
 * FORM PLATFORM: the platform device, since 6.4
 * FORM ACPI: the ACPI device
 */
#include <linux/version.h>

#ifdef PROBE_PLATFORM
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
#error before 6.4
#endif
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 4, 0)
#error since 6.4
#endif
