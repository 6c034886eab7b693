/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VMBus as it lies in memory: channel messages, packets, the ring's control
 * page, message and event-flags pages. For the reference host and for tests in
 * user space; kernel code has <linux/hyperv.h>, which names the same formats
 * otherwise, so that one file can include both and compare.
 *
 * Formats: <linux/hyperv.h>, and the Hyper-V Top-Level Functional
 * Specification, chapter "Inter-Partition Communication". Little endian.
 */
#ifndef SYNTHIO_VMBUS_H
#define SYNTHIO_VMBUS_H

#include <linux/types.h>

#define VMBUS_WIRE_PAGE_SIZE		4096u
#define VMBUS_WIRE_ASSERT(type, bytes) \
	_Static_assert(sizeof(struct type) == (bytes), "size of " #type)

/* Versions: major << 16 | minor */
#define VMBUS_WIRE_VERSION(major, minor)	((__u32)(major) << 16 | (minor))
#define VMBUS_WIRE_V2_4			VMBUS_WIRE_VERSION(2, 4)
#define VMBUS_WIRE_V3_0			VMBUS_WIRE_VERSION(3, 0)
#define VMBUS_WIRE_V4_0			VMBUS_WIRE_VERSION(4, 0)
#define VMBUS_WIRE_V4_1			VMBUS_WIRE_VERSION(4, 1)
#define VMBUS_WIRE_V5_0			VMBUS_WIRE_VERSION(5, 0)
#define VMBUS_WIRE_V5_1			VMBUS_WIRE_VERSION(5, 1)
#define VMBUS_WIRE_V5_2			VMBUS_WIRE_VERSION(5, 2)
#define VMBUS_WIRE_V5_3			VMBUS_WIRE_VERSION(5, 3)
#define VMBUS_WIRE_V6_0			VMBUS_WIRE_VERSION(6, 0)

/* The guest posts to these; from 5.0 on, initiate-contact goes to 4 */
#define VMBUS_WIRE_MESSAGE_CONN_ID	1u
#define VMBUS_WIRE_MESSAGE_CONN_ID_V5	4u

#define VMBUS_WIRE_SINT			2u
#define VMBUS_WIRE_MAX_RELIDS		2048u
#define VMBUS_WIRE_USER_BYTES		120

/* SynIC message page (SIMP): 16 slots, slot number = SINT */
#define VMBUS_WIRE_MSG_NONE		0u
#define VMBUS_WIRE_MSG_CHANNEL		1u
#define VMBUS_WIRE_MSG_TIMER		0x80000010u
#define VMBUS_WIRE_MSG_PAYLOAD		240u
#define VMBUS_WIRE_MSG_PENDING		0x01	/* in flags */

struct vmbus_wire_message {
	__u32 type;
	__u8  payload_size;
	__u8  flags;
	__u8  reserved[2];
	__u64 sender;		/* partition, or in the low word the port */
	__u8  payload[VMBUS_WIRE_MSG_PAYLOAD];
};

VMBUS_WIRE_ASSERT(vmbus_wire_message, 256);

/* Event-flags page (SIEFP): 16 sets, set number = SINT */
struct vmbus_wire_flags {
	__u64 word[VMBUS_WIRE_MAX_RELIDS / 64];
};

VMBUS_WIRE_ASSERT(vmbus_wire_flags, 256);

/* Channel messages */
enum vmbus_wire_msgtype {
	VMBUS_WIRE_OFFER		= 1,	/* host to guest */
	VMBUS_WIRE_RESCIND		= 2,	/* host to guest */
	VMBUS_WIRE_REQUEST_OFFERS	= 3,
	VMBUS_WIRE_OFFERS_DELIVERED	= 4,	/* host to guest */
	VMBUS_WIRE_OPEN			= 5,
	VMBUS_WIRE_OPEN_RESULT		= 6,	/* host to guest */
	VMBUS_WIRE_CLOSE		= 7,
	VMBUS_WIRE_GPADL_HEADER		= 8,
	VMBUS_WIRE_GPADL_BODY		= 9,
	VMBUS_WIRE_GPADL_CREATED	= 10,	/* host to guest */
	VMBUS_WIRE_GPADL_TEARDOWN	= 11,
	VMBUS_WIRE_GPADL_TORNDOWN	= 12,	/* host to guest */
	VMBUS_WIRE_RELID_RELEASED	= 13,
	VMBUS_WIRE_INITIATE_CONTACT	= 14,
	VMBUS_WIRE_VERSION_RESPONSE	= 15,	/* host to guest */
	VMBUS_WIRE_UNLOAD		= 16,
	VMBUS_WIRE_UNLOAD_RESPONSE	= 17,	/* host to guest */
	VMBUS_WIRE_TL_CONNECT		= 21,
	VMBUS_WIRE_MODIFY		= 22,
	VMBUS_WIRE_TL_CONNECT_RESULT	= 23,	/* host to guest */
	VMBUS_WIRE_MODIFY_RESPONSE	= 24,	/* host to guest */
};

struct vmbus_wire_header {
	__u32 msgtype;
	__u32 padding;
};

VMBUS_WIRE_ASSERT(vmbus_wire_header, 8);

struct vmbus_wire_guid {
	__u8 b[16];
};

struct vmbus_wire_offer {
	struct vmbus_wire_header header;
	struct vmbus_wire_guid if_type;
	struct vmbus_wire_guid if_instance;
	__u64 reserved1[2];
	__u16 chn_flags;
	__u16 mmio_megabytes;
	__u8  user_def[VMBUS_WIRE_USER_BYTES];
	__u16 sub_channel_index;
	__u16 reserved2;
	__u32 child_relid;
	__u8  monitorid;
	__u8  monitor_allocated;	/* bit 0 */
	__u16 is_dedicated_interrupt;	/* bit 0 */
	__u32 connection_id;
} __attribute__((packed));

VMBUS_WIRE_ASSERT(vmbus_wire_offer, 196);

/* Messages that consist of a header and a relid: rescind, close, released */
struct vmbus_wire_relid {
	struct vmbus_wire_header header;
	__u32 child_relid;
};

VMBUS_WIRE_ASSERT(vmbus_wire_relid, 12);

struct vmbus_wire_open {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 openid;
	__u32 ring_gpadl;
	__u32 target_vp;
	__u32 downstream_page;
	__u8  userdata[VMBUS_WIRE_USER_BYTES];
};

VMBUS_WIRE_ASSERT(vmbus_wire_open, 148);

struct vmbus_wire_open_result {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 openid;
	__u32 status;
};

VMBUS_WIRE_ASSERT(vmbus_wire_open_result, 20);

/* Guest memory: @byte_offset into the first page, then page frame numbers */
struct vmbus_wire_range {
	__u32 byte_count;
	__u32 byte_offset;
	__u64 pfn[];
};

VMBUS_WIRE_ASSERT(vmbus_wire_range, 8);

struct vmbus_wire_gpadl_header {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 gpadl;
	__u16 range_buflen;	/* bytes of ranges, in this and the bodies */
	__u16 rangecount;
	__u8  ranges[];
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpadl_header, 20);
#define VMBUS_WIRE_HEADER_PFNS		26
#define VMBUS_WIRE_BODY_PFNS		28
#define VMBUS_WIRE_MAX_PFNS		8190

struct vmbus_wire_gpadl_body {
	struct vmbus_wire_header header;
	__u32 msgnumber;
	__u32 gpadl;
	__u8  ranges[];
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpadl_body, 16);

struct vmbus_wire_gpadl_created {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 gpadl;
	__u32 status;
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpadl_created, 20);

struct vmbus_wire_gpadl_teardown {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 gpadl;
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpadl_teardown, 16);

struct vmbus_wire_gpadl_torndown {
	struct vmbus_wire_header header;
	__u32 gpadl;
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpadl_torndown, 12);

struct vmbus_wire_initiate_contact {
	struct vmbus_wire_header header;
	__u32 version;
	__u32 target_vcpu;
	/* before 5.0 all 8 bytes are the address of the interrupt page */
	__u8  msg_sint;
	__u8  msg_vtl;
	__u8  reserved[2];
	__u32 feature_flags;
	__u64 monitor_page1;
	__u64 monitor_page2;
};

VMBUS_WIRE_ASSERT(vmbus_wire_initiate_contact, 40);

struct vmbus_wire_version_response {
	struct vmbus_wire_header header;
	__u8  version_supported;
	__u8  connection_state;
	__u16 padding;
	__u32 msg_conn_id;	/* from 5.0 on */
};

VMBUS_WIRE_ASSERT(vmbus_wire_version_response, 16);

struct vmbus_wire_modify {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 target_vp;
};

VMBUS_WIRE_ASSERT(vmbus_wire_modify, 16);

struct vmbus_wire_modify_response {
	struct vmbus_wire_header header;
	__u32 child_relid;
	__u32 status;
};

VMBUS_WIRE_ASSERT(vmbus_wire_modify_response, 16);

struct vmbus_wire_tl_connect {
	struct vmbus_wire_header header;
	struct vmbus_wire_guid guest_endpoint;
	struct vmbus_wire_guid host_service;
};

VMBUS_WIRE_ASSERT(vmbus_wire_tl_connect, 40);

struct vmbus_wire_tl_connect_result {
	struct vmbus_wire_header header;
	struct vmbus_wire_guid guest_endpoint;
	struct vmbus_wire_guid host_service;
	__u32 status;
};

VMBUS_WIRE_ASSERT(vmbus_wire_tl_connect_result, 44);

/* NTSTATUS values that this project's host answers with */
#define VMBUS_WIRE_STATUS_OK			0x00000000u
#define VMBUS_WIRE_STATUS_UNSUCCESSFUL		0xc0000001u
#define VMBUS_WIRE_STATUS_NO_RESOURCES		0xc000009au
#define VMBUS_WIRE_STATUS_REFUSED		0xc0000236u

/*
 * The ring's first page. Data follows. Each word's writer: "sender" is the
 * side that puts packets in, "receiver" the one that takes them out.
 */
struct vmbus_wire_ring {
	__u32 write_index;		/* sender; bytes, multiple of 8 */
	__u32 read_index;		/* receiver; bytes, multiple of 8 */
	__u32 interrupt_mask;		/* receiver; 1: do not signal me */
	__u32 pending_send_sz;		/* sender; bytes it waits for, or 0 */
	__u32 reserved1[12];
	__u32 feature_bits;		/* sender */
	__u8  reserved2[VMBUS_WIRE_PAGE_SIZE - 68];
};

VMBUS_WIRE_ASSERT(vmbus_wire_ring, 4096);
_Static_assert(__builtin_offsetof(struct vmbus_wire_ring, feature_bits) == 64,
	       "the ring's feature bits");
#define VMBUS_WIRE_FEAT_PENDING_SEND_SZ	0x1

/* Packets */
enum vmbus_wire_packet_type {
	VMBUS_WIRE_PKT_INBAND		= 6,
	VMBUS_WIRE_PKT_XFER_PAGES	= 7,
	VMBUS_WIRE_PKT_GPA_DIRECT	= 9,
	VMBUS_WIRE_PKT_COMPLETION	= 11,
};

#define VMBUS_WIRE_PKT_WANT_COMPLETION	0x1	/* flags */

struct vmbus_wire_packet {
	__u16 type;
	__u16 offset8;		/* of the payload, from here, in 8 bytes */
	__u16 len8;		/* of all of it, without the trailer */
	__u16 flags;
	__u64 trans_id;
};

VMBUS_WIRE_ASSERT(vmbus_wire_packet, 16);

/* After each packet: where it began, in the upper half of 8 bytes */
#define VMBUS_WIRE_TRAILER		8u

struct vmbus_wire_gpa_direct {
	struct vmbus_wire_packet packet;
	__u32 reserved;
	__u32 range_cnt;
	__u8  ranges[];
};

VMBUS_WIRE_ASSERT(vmbus_wire_gpa_direct, 24);

struct vmbus_wire_xfer_pages {
	struct vmbus_wire_packet packet;
	__u16 xfer_pageset_id;
	__u8  sender_owns_set;
	__u8  reserved;
	__u32 range_cnt;
	struct {
		__u32 byte_count;
		__u32 byte_offset;
	} range[];
};

VMBUS_WIRE_ASSERT(vmbus_wire_xfer_pages, 24);

#endif
