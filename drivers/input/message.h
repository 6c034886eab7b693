/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Parser of the host's messages. No kernel service or struct is used here, so that it is
 * also tested and fuzzed in user space.
 */
#ifndef SYNTHIO_MOUSE_MESSAGE_H
#define SYNTHIO_MOUSE_MESSAGE_H

#include <synthio/env.h>

#include <synthio/mouse.h>

#define SYNM_MAX_DESCRIPTOR	4096u	/* HID_MAX_DESCRIPTOR_SIZE of the HID core */

/**
 * struct synm_message - a message of the host
 * @type: enum synthhid_type
 * @version: of SYNTHHID_PROTOCOL_RESPONSE
 * @approved: likewise: the host accepts the version
 * @vendor: of SYNTHHID_DEVICE_INFO
 * @product: likewise
 * @device_version: likewise
 * @data: the report descriptor, or the report; points into the packet
 * @len: bytes of @data; of a descriptor 1 to SYNM_MAX_DESCRIPTOR
 */
struct synm_message {
	u32 type;
	u32 version;
	bool approved;
	u16 vendor;
	u16 product;
	u16 device_version;
	const u8 *data;
	u32 len;
};

/**
 * synm_parse() - parse the payload of a packet
 * @packet: a copy that the host can't change
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 * @msg: set if the return value is 0
 *
 * Return: 0; -ENOMSG if the type is unknown; -EINVAL if the message is malformed.
 */
int synm_parse(const void *packet, u32 len, struct synm_message *msg);

/**
 * synm_fix_descriptor() - correct a known error of old hosts
 * @desc: report descriptor
 * @len: its bytes
 *
 * Their buttons have a Logical Maximum in the place of the Usage Maximum (SA-167 in
 * hid-hyperv).
 */
void synm_fix_descriptor(u8 *desc, u32 len);

#endif
