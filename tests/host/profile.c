// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include "profile.h"

/* The first one is the default: it is to be the most awkward of them */
static const struct host_profile profiles[] = {
	{
		.name = "hyperv",
		.help = "Hyper-V: strict, and as awkward as it is known to be",
		.pipe = { .max_packet = 16384 },
		.synthvid = {
			.accepted = 2,
			.shape_part = 8192,
			.dot = true,
			.always_visible = true,
		},
		.mouse = { .descriptor_room = 128 },
	},
	{
		.name = "openvmm",
		.help = "OpenVMM: what its devices answer, refuse and leave out",
		.pipe = {
			.max_packet = 16384,
			.bare_sizes = true,
		},
		.synthvid = {
			.accepted = 2,
			.no_features = true,
		},
		.mouse = {
			.descriptor_room = 128,
			.wide_wheel = true,
		},
	},
	{
		.name = "lenient",
		.help = "no host in the field: accepts all that the protocols allow",
		.synthvid = {
			.accepted = 1,
			.any_offset = true,
			.few_resolutions = true,
		},
	},
};

const struct host_profile *profile_default(void)
{
	return &profiles[0];
}

const struct host_profile *profile_at(unsigned int i)
{
	return i < sizeof(profiles) / sizeof(profiles[0]) ? &profiles[i] : NULL;
}

const struct host_profile *profile_find(const char *name)
{
	const struct host_profile *p;
	unsigned int i;

	for (i = 0; (p = profile_at(i)); i++) {
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}
