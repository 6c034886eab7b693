// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE root_partition: how to ask whether this is Hyper-V's root partition
 * NEEDS CONFIG_HYPERV
 * FORM FUNCTION: hv_root_partition(), since 6.15
 * FORM VARIABLE: hv_root_partition
 */
#include <linux/hyperv.h>
#include <asm/mshyperv.h>

bool probe(void);
bool probe(void)
{
#ifdef PROBE_FUNCTION
	return hv_root_partition();
#else
	return hv_root_partition;
#endif
}
