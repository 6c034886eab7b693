/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parser of the host's messages. No kernel service or struct is used here, so that it is
 * also tested and fuzzed in user space.
 */
#ifndef SYNTHIO_VIDEO_MESSAGE_H
#define SYNTHIO_VIDEO_MESSAGE_H

#include <synthio/env.h>

#include <synthio/synthvid.h>

/*
 * Smaller sizes are ignored: the kernel's console writes beyond a framebuffer that has no
 * room for a character
 */
#define SYNV_MIN_SIDE	64

/**
 * struct synv_modes - the host's list of modes
 * @count: 1 to SYNTHVID_MAX_RESOLUTIONS in a message, 0 for a host that lists none
 * @preferred: index of the mode that the host prefers
 * @mode: width and height
 * @has_edid: @edid has the header and the checksum of an EDID
 * @edid: of the monitor, one block
 */
struct synv_modes {
	u32 count;
	u32 preferred;
	struct synthvid_resolution mode[SYNTHVID_MAX_RESOLUTIONS];
	bool has_edid;
	u8 edid[SYNTHVID_EDID_BYTES];
};

/**
 * struct synv_message - a message of the host
 * @type: enum synthvid_type; determines which of the other members are set
 * @version: that was asked for
 * @accepted: the host accepts the version
 * @context: of an acknowledgment: that of the message that is acknowledged
 * @features: which messages the host wants
 * @modes: see there
 */
struct synv_message {
	u32 type;
	u32 version;
	bool accepted;
	u64 context;
	struct synthvid_feature_change features;
	struct synv_modes modes;
};

/**
 * synv_parse() - parse the payload of a packet
 * @packet: a copy that the host can't change
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 * @msg: set; the type also if the message is malformed
 *
 * Return: 0; -ENOMSG if the type is unknown; -EINVAL if the message is malformed.
 */
int synv_parse(const void *packet, u32 len, struct synv_message *msg);

#endif
