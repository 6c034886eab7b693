// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE aperture: how a firmware's framebuffer is taken over
 * FORM THREE: aperture_remove_conflicting_devices(base, size, name), since 6.5
 * FORM FOUR: the same with a flag for VGA before the name
 */
#include <linux/aperture.h>

int probe(resource_size_t base, resource_size_t size);
int probe(resource_size_t base, resource_size_t size)
{
#ifdef PROBE_THREE
	return aperture_remove_conflicting_devices(base, size, "probe");
#else
	return aperture_remove_conflicting_devices(base, size, false, "probe");
#endif
}
