/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a message of the host says. No kernel service or struct is used here, so
 * that it is also tested and fuzzed in user space.
 */
#ifndef SYNTHIO_VIDEO_MESSAGE_H
#define SYNTHIO_VIDEO_MESSAGE_H

#include <synthio/env.h>

#include <synthio/synthvid.h>

/*
 * Smaller ones are no sizes of a screen: the kernel's console writes beyond a
 * framebuffer that has no room for one character
 */
#define SYNV_MIN_SIDE	64

/**
 * struct synv_modes - what the host would like to show
 * @count: 1 to SYNTHVID_MAX_RESOLUTIONS
 * @preferred: below @count
 * @has_edid: @edid looks like one
 */
struct synv_modes {
	u32 count;
	u32 preferred;
	struct synthvid_resolution mode[SYNTHVID_MAX_RESOLUTIONS];
	bool has_edid;
	u8 edid[SYNTHVID_EDID_BYTES];
};

/**
 * struct synv_message - a message, checked
 * @type: enum synthvid_type; says which of the others are set
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
 * synv_parse() - take a packet's payload apart
 * @packet: not changed by others meanwhile
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 *
 * Return: 0; -ENOMSG: a kind of message that is to be ignored; -EINVAL: it
 * contradicts itself.
 */
int synv_parse(const void *packet, u32 len, struct synv_message *msg);

#endif
