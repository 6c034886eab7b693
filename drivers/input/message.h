/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a message of the host says. No kernel service or struct is used here, so
 * that it is also tested and fuzzed in user space.
 */
#ifndef SYNTHIO_MOUSE_MESSAGE_H
#define SYNTHIO_MOUSE_MESSAGE_H

#include <synthio/env.h>

#include <synthio/mouse.h>

#define SYNM_MAX_DESCRIPTOR	4096u	/* as the HID core has it */

/**
 * struct synm_message - a message, checked
 * @type: enum synthhid_type
 * @version: of SYNTHHID_PROTOCOL_RESPONSE; 0 where it was left out
 * @approved: likewise
 * @vendor: of SYNTHHID_DEVICE_INFO
 * @product: likewise
 * @device_version: likewise
 * @data: the report descriptor, or the report; in the packet
 * @len: bytes of it; of a descriptor 1 to SYNM_MAX_DESCRIPTOR
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
 * synm_parse() - take a packet's payload apart
 * @packet: not changed by others meanwhile
 * @len: bytes, a multiple of 8: up to 7 of them are padding
 * @msg: filled in if all is well
 *
 * Return: 0; -ENOMSG: a kind of message that is to be ignored; -EINVAL: it
 * contradicts itself.
 */
int synm_parse(const void *packet, u32 len, struct synm_message *msg);

/**
 * synm_fix_descriptor() - mend what old hosts get wrong
 *
 * They give the buttons a Logical Maximum in the place of the Usage Maximum
 * (hid-hyperv calls it SA-167).
 */
void synm_fix_descriptor(u8 *desc, u32 len);

#endif
