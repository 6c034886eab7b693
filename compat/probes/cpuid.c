// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE cpuid: the header of cpuid()
 * NEEDS CONFIG_X86
 * FORM API: <asm/cpuid/api.h>, since 6.16
 * FORM PROCESSOR: <asm/processor.h>
 */
#ifdef PROBE_API
#include <asm/cpuid/api.h>
#else
#include <asm/processor.h>
#endif

void probe(u32 *max, u32 *name);
void probe(u32 *max, u32 *name)
{
	cpuid(0x40000000, max, &name[0], &name[1], &name[2]);
}
