/* SPDX-License-Identifier: GPL-2.0-only */
/* Confidential guests, whose memory the host can't read, are refused. */
#ifndef SYNTHIO_CONFIDENTIAL_H
#define SYNTHIO_CONFIDENTIAL_H

#include <linux/cc_platform.h>
#include <linux/errno.h>
#include <linux/printk.h>

#if IS_ENABLED(CONFIG_HYPERV)
#include <asm/mshyperv.h>
#endif

/* Hyper-V also isolates guests without memory encryption (VBS) */
static inline bool synthio_isolated(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (hv_is_isolation_supported())
		return true;
#endif
	return cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}

/**
 * synthio_refuse_isolated() - refuse to load a module in a confidential guest
 *
 * Rings, and pages that packets name, are ordinary memory of the guest. In a confidential
 * guest all of them would have to be shared with the host, or copied to shared memory,
 * which is not implemented.
 *
 * Context: any, in a module's init. Return: 0; -EOPNOTSUPP, and the log has the reason.
 */
static inline int synthio_refuse_isolated(void)
{
	if (!synthio_isolated())
		return 0;
	pr_err(KBUILD_MODNAME
	       ": isolated guests (SEV, TDX, VBS) are not supported: their memory is not the host's to read\n");
	return -EOPNOTSUPP;
}

#endif
