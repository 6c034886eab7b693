// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE net_dim: how net_dim() takes its sample
 * FORM POINTER: by pointer, since 6.13
 * FORM VALUE: by value
 */
#include <linux/dim.h>

void probe(struct dim *dim, struct dim_sample *sample);
void probe(struct dim *dim, struct dim_sample *sample)
{
#ifdef PROBE_POINTER
	net_dim(dim, sample);
#else
	net_dim(dim, *sample);
#endif
}
