/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests whose memory the host can't read.
 */
#ifndef SYNTHIO_CONFIDENTIAL_H
#define SYNTHIO_CONFIDENTIAL_H

#include <linux/cc_platform.h>
#include <linux/errno.h>
#include <linux/printk.h>

#if IS_ENABLED(CONFIG_HYPERV)
#include <asm/mshyperv.h>
#endif

/* Hyper-V isolates guests also where their processor encrypts nothing (VBS) */
static inline bool synthio_isolated(void)
{
#if IS_ENABLED(CONFIG_HYPERV)
	if (hv_is_isolation_supported())
		return true;
#endif
	return cc_platform_has(CC_ATTR_GUEST_MEM_ENCRYPT);
}

/**
 * synthio_refuse_isolated() - for a module's init: give up in such a guest
 *
 * Rings and the pages that packets name are the guest's own memory here. Where the
 * host can't read that, each of them would have to be shared with it, or copied to
 * what is.
 *
 * Context: any. Return: 0; -EOPNOTSUPP, and the log says why.
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
