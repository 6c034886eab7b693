/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic mouse's protocol, as the kernel's hid-hyperv speaks it. In-band
 * packets: a pipe header (pipe.h), a message header, a payload. Little endian.
 *
 *	guest				host
 *	PROTOCOL_REQUEST
 *					PROTOCOL_RESPONSE
 *					DEVICE_INFO, unprompted
 *	DEVICE_INFO_ACK, once
 *					INPUT_REPORT, as the descriptor says
 */
#ifndef SYNTHIO_MOUSE_H
#define SYNTHIO_MOUSE_H

#include <linux/types.h>

#include <synthio/pipe.h>

/* {cfa8b69e-5b4a-4cc0-b98b-8ba1a1f3f95a} */
#define SYNTHHID_GUID_INIT \
	GUID_INIT(0xcfa8b69e, 0x5b4a, 0x4cc0, 0xb9, 0x8b, \
		  0x8b, 0xa1, 0xa1, 0xf3, 0xf9, 0x5a)

#define SYNTHHID_VERSION_2_0		0x00020000u	/* major << 16 | minor */

enum synthhid_type {
	SYNTHHID_PROTOCOL_REQUEST	= 0,	/* guest to host */
	SYNTHHID_PROTOCOL_RESPONSE	= 1,	/* host to guest */
	SYNTHHID_DEVICE_INFO		= 2,	/* host to guest */
	SYNTHHID_DEVICE_INFO_ACK	= 3,	/* guest to host */
	SYNTHHID_INPUT_REPORT		= 4,	/* host to guest */
};

/*
 * @size counts the bytes that follow. Hosts don't always set it correctly: that of a
 * device info can be too small.
 */
struct synthhid_header {
	__u32 type;
	__u32 size;
};

struct synthhid_protocol_request {
	struct synthhid_header header;
	__u32 version;
};

struct synthhid_protocol_response {
	struct synthhid_header header;
	__u32 version;
	__u8  approved;
} __attribute__((packed));

struct synthhid_attributes {
	__u32 size;		/* of this struct */
	__u16 vendor;
	__u16 product;
	__u16 version;
	__u16 reserved[11];
};

#define SYNTHHID_DESC_HID		0x21
#define SYNTHHID_DESC_REPORT		0x22

/* As in the HID specification, 6.2.1: the report descriptor follows @length */
struct synthhid_descriptor {
	__u8  length;		/* bytes from here to the report descriptor */
	__u8  type;		/* SYNTHHID_DESC_HID */
	__u16 hid_version;	/* BCD */
	__u8  country;
	__u8  count;		/* of descriptors: 1 */
	__u8  report_type;	/* SYNTHHID_DESC_REPORT */
	__u16 report_length;	/* bytes of the report descriptor */
} __attribute__((packed));

struct synthhid_device_info {
	struct synthhid_header header;
	struct synthhid_attributes attributes;
	struct synthhid_descriptor descriptor;
} __attribute__((packed));

struct synthhid_device_info_ack {
	struct synthhid_header header;
	__u8  reserved;
} __attribute__((packed));

/* The report follows; @header.size says how long it is */
struct synthhid_input_report {
	struct synthhid_header header;
};

_Static_assert(sizeof(struct synthhid_header) == 8, "header");
_Static_assert(sizeof(struct synthhid_protocol_request) == 12, "request");
_Static_assert(sizeof(struct synthhid_protocol_response) == 13, "response");
_Static_assert(sizeof(struct synthhid_attributes) == 32, "attributes");
_Static_assert(sizeof(struct synthhid_descriptor) == 9, "descriptor");
_Static_assert(sizeof(struct synthhid_device_info) == 49, "device info");
_Static_assert(sizeof(struct synthhid_device_info_ack) == 9, "ack");

#endif
