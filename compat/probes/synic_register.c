// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE synic_register: how a register of the SynIC is read
 * NEEDS CONFIG_HYPERV
 * FORM MSR: hv_get_msr() and HV_MSR_*, since 6.9
 * FORM REGISTER: hv_get_register() and HV_REGISTER_*
 */
#include <linux/hyperv.h>
#include <asm/mshyperv.h>

u64 probe(void);
u64 probe(void)
{
#ifdef PROBE_MSR
	hv_set_msr(HV_MSR_EOM, 0);
	return hv_get_msr(HV_MSR_SIMP);
#else
	hv_set_register(HV_REGISTER_EOM, 0);
	return hv_get_register(HV_REGISTER_SIMP);
#endif
}
