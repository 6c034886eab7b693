// SPDX-License-Identifier: GPL-2.0-only
#include <stddef.h>
#include <string.h>

#include <synthio/rndis.h>
#include <synthio/storvsp.h>

#include "profile.h"

/* The first one is the default: it is to be the most awkward of them */
static const struct host_profile profiles[] = {
	{
		.name = "hyperv",
		.help = "Hyper-V: strict, and as awkward as it is known to be",
		.bus = {
			.overlay = true,
			.modify_open_only = true,
			.offers_beside = true,
			.subchannel_ms = 20,
		},
		.pipe = { .max_packet = 16384 },
		.storvsp = {
			.guid_ids = true,
			.exact_lists = true,
		},
		.synthvid = {
			.accepted = 2,
			.shape_part = 8192,
			.dot = true,
			.always_visible = true,
		},
		.mouse = { .descriptor_room = 128 },
		.netvsp = {
			.slot_head = 256,
			.slot_tail = 36,
			.slot_skew = 2,
			.control_slots = 16,
			.info_uncounted = true,
			.link_indicated = true,
			.min_frame = 1514,
			.table_old = true,
			.completion = PROFILE_COMPLETION_VARIED,
			.tags_dropped = true,
			.tags_plain = true,
			.path_switched = true,
			.subchannel_ms = 100,
			.deaf_when_revoked = true,
			.unknown_oid = NDIS_STATUS_INVALID_OID,
		},
	},
	{
		.name = "openvmm",
		.help = "OpenVMM: what its devices answer, refuse and leave out",
		.bus = {
			.overlay = true,
			.modify_open_only = true,
			.offers_beside = true,
		},
		.storvsp = {
			.max_version = STORVSP_VERSION_6_0,
			.max_transfer = 256u << 10,
			.write_same_max = 8u << 20,
			.sense_room = STORVSP_SENSE_MAX,
			.guid_ids = true,
			.serial_if_given = true,
			.pages_of_unmap = true,
			.no_transfer_limit = true,
			.plain_unmap = true,
			.exact_lists = true,
			.no_control_page = true,
			.no_fua = true,
			.fixed_cache = true,
			.any_error = true,
			.bad_request = true,
			.missing_check = true,
		},
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
		.netvsp = {
			.slot_head = 256,
			.slot_tail = 36,
			.slot_claimed = true,
			.control_slots = 16,
			.control_exact = true,
			.link_indicated = true,
			.min_frame = 1514,
			.max_frame = 9216,
			.completion = PROFILE_COMPLETION_WHOLE,
			.tags_plain = true,
			.subchannels_all = true,
			.deaf_when_revoked = true,
			.no_multicast_list = true,
			.no_rsc = true,
			.no_udp_hash = true,
			.unknown_oid = NDIS_STATUS_NOT_SUPPORTED,
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
		.netvsp = { .unknown_oid = NDIS_STATUS_INVALID_OID },
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
