/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netvsp (NVSP): the protocol of a synthetic network card on a VMBus channel.
 * Ethernet frames and control messages travel in RNDIS messages (rndis.h);
 * NVSP says where those lie.
 *
 * After opening the channel the guest goes through
 *
 *	INIT			newest version first, until the host takes one
 *	SEND_NDIS_CONFIG	version 2 and later; not completed
 *	SEND_NDIS_VERSION	not completed
 *	SEND_RECEIVE_BUFFER	a GPADL; the host divides it into suballocations
 *	SEND_SEND_BUFFER	a GPADL; the guest divides it into sections
 *
 * in this order, and only then sends RNDIS messages. Further channels come with
 * SUBCHANNEL (version 5 and later), and carry SEND_RNDIS_PACKET only.
 *
 * Guest to host: SEND_RNDIS_PACKET lies in the ring. The RNDIS message itself
 * lies in a section of the send buffer (an in-band packet), or in guest memory
 * that the packet names (GPA-direct), or begins in a section and goes on in
 * guest memory. The host completes it by a packet of the same transaction id.
 *
 * Host to guest: a transfer-pages packet (VMBus type 7) whose ranges are pieces
 * of the receive buffer, each with an RNDIS message. They belong to the guest
 * until it completes the packet, with the same transaction id.
 *
 * A message has a fixed size, padded with zeroes: NVSP_MESSAGE_SIZE_61 from
 * version 6.1 on, NVSP_MESSAGE_SIZE before (INIT: either). The host's
 * SEND_INDIRECTION_TABLE is longer than both; completions of RNDIS packets may
 * be as short as their fields.
 *
 * All fields are little endian. Facts: the kernel's drivers/net/hyperv/.
 */
#ifndef SYNTHIO_NETVSP_H
#define SYNTHIO_NETVSP_H

#include <linux/types.h>

/* A network card: {f8615163-df3e-46c5-913f-f2d2f965ed0e} */
#define NETVSP_GUID_INIT \
	GUID_INIT(0xf8615163, 0xdf3e, 0x46c5, 0x91, 0x3f, \
		  0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e)

#define NVSP_VERSION_1			0x00000002u
#define NVSP_VERSION_2			0x00030002u
#define NVSP_VERSION_4			0x00040000u
#define NVSP_VERSION_5			0x00050000u
#define NVSP_VERSION_6			0x00060000u
#define NVSP_VERSION_61			0x00060001u

enum nvsp_type {
	NVSP_INIT				= 1,
	NVSP_INIT_COMPLETE			= 2,
	/* version 1 */
	NVSP_SEND_NDIS_VERSION			= 100,
	NVSP_SEND_RECEIVE_BUFFER		= 101,
	NVSP_SEND_RECEIVE_BUFFER_COMPLETE	= 102,
	NVSP_REVOKE_RECEIVE_BUFFER		= 103,
	NVSP_SEND_SEND_BUFFER			= 104,
	NVSP_SEND_SEND_BUFFER_COMPLETE		= 105,
	NVSP_REVOKE_SEND_BUFFER			= 106,
	NVSP_SEND_RNDIS_PACKET			= 107,
	NVSP_SEND_RNDIS_PACKET_COMPLETE		= 108,
	/* version 2 */
	NVSP_SEND_NDIS_CONFIG			= 125,
	/* version 4 */
	NVSP_SEND_VF_ASSOCIATION		= 128,	/* host */
	NVSP_SWITCH_DATA_PATH			= 129,
	/* version 5 */
	NVSP_SUBCHANNEL				= 133,	/* and its completion */
	NVSP_SEND_INDIRECTION_TABLE		= 134,	/* host */
};

enum nvsp_status {
	NVSP_STATUS_NONE		= 0,
	NVSP_STATUS_SUCCESS		= 1,
	NVSP_STATUS_FAILURE		= 2,
	NVSP_STATUS_TOO_NEW		= 3,
	NVSP_STATUS_TOO_OLD		= 4,
	NVSP_STATUS_INVALID_RNDIS	= 5,
	NVSP_STATUS_BUSY		= 6,
	NVSP_STATUS_UNSUPPORTED		= 7,
};

/* nvsp_rndis_packet.channel_type */
#define NVSP_CHANNEL_DATA		0u
#define NVSP_CHANNEL_CONTROL		1u

#define NVSP_NO_SECTION			0xffffffffu

/* Ids of the two buffers, chosen by the guest; the host ignores them */
#define NVSP_RECEIVE_BUFFER_ID		0xcafe
#define NVSP_SEND_BUFFER_ID		0

struct nvsp_init {
	__u32 min_version;
	__u32 max_version;
} __attribute__((packed));

struct nvsp_init_complete {
	__u32 version;			/* not meaningful: see status */
	__u32 max_mdl_chain;
	__u32 status;			/* enum nvsp_status */
} __attribute__((packed));

struct nvsp_ndis_version {
	__u32 major;
	__u32 minor;
} __attribute__((packed));

/* to be announced: 6.1 up to NVSP version 4, 6.30 from 5 on */
#define NVSP_NDIS_MAJOR			6u
#define NVSP_NDIS_MINOR_1		0x01u
#define NVSP_NDIS_MINOR_30		0x1eu

struct nvsp_buffer {			/* SEND_{RECEIVE,SEND}_BUFFER */
	__u32 gpadl;
	__u16 id;
} __attribute__((packed));

struct nvsp_section {
	__u32 offset;
	__u32 size;			/* of a suballocation */
	__u32 count;			/* of suballocations */
	__u32 end;
} __attribute__((packed));

struct nvsp_receive_buffer_complete {
	__u32 status;
	__u32 section_count;		/* hosts say 1 */
	struct nvsp_section section;
} __attribute__((packed));

struct nvsp_send_buffer_complete {
	__u32 status;
	__u32 section_size;
} __attribute__((packed));

struct nvsp_revoke {
	__u16 id;
} __attribute__((packed));

struct nvsp_rndis_packet {
	__u32 channel_type;		/* NVSP_CHANNEL_* */
	__u32 section;			/* of the send buffer, or NVSP_NO_SECTION */
	__u32 section_bytes;		/* used of it */
} __attribute__((packed));

struct nvsp_rndis_complete {
	__u32 status;
} __attribute__((packed));

/* nvsp_ndis_config.capabilities */
#define NVSP_CAP_VMQ			(1ull << 0)
#define NVSP_CAP_SRIOV			(1ull << 2)
#define NVSP_CAP_8021Q			(1ull << 3)
#define NVSP_CAP_CORRELATION_ID		(1ull << 4)
#define NVSP_CAP_TEAMING		(1ull << 5)	/* link speed changes */
#define NVSP_CAP_VSUBNETID		(1ull << 6)
#define NVSP_CAP_RSC			(1ull << 7)	/* since version 6.1 */

struct nvsp_ndis_config {
	__u32 mtu;			/* with the Ethernet header, 14 bytes */
	__u32 reserved;
	__u64 capabilities;		/* NVSP_CAP_* */
} __attribute__((packed));

struct nvsp_vf_association {
	__u32 allocated;
	__u32 serial;
} __attribute__((packed));

#define NVSP_PATH_SYNTHETIC		0u
#define NVSP_PATH_VF			1u

struct nvsp_data_path {
	__u32 active;			/* NVSP_PATH_* */
} __attribute__((packed));

#define NVSP_SUBCHANNEL_ALLOCATE	1u

struct nvsp_subchannel {
	__u32 op;			/* NVSP_SUBCHANNEL_ALLOCATE */
	__u32 count;
} __attribute__((packed));

struct nvsp_subchannel_complete {
	__u32 status;
	__u32 count;			/* that the host offers */
} __attribute__((packed));

#define NVSP_TABLE_ENTRIES		16u

/*
 * Where hosts up to version 6 put the entries, whatever offset they give: behind the
 * largest message of those versions
 */
#define NVSP_TABLE_OLD_OFFSET		40u

struct nvsp_indirection_table {
	__u32 count;			/* of entries, __u32 each: a channel index */
	__u32 offset;			/* from the start of the message */
} __attribute__((packed));

struct nvsp_message {
	__u32 type;			/* enum nvsp_type */
	union {
		struct nvsp_init init;
		struct nvsp_init_complete init_complete;
		struct nvsp_ndis_version ndis_version;
		struct nvsp_buffer buffer;
		struct nvsp_receive_buffer_complete receive_buffer_complete;
		struct nvsp_send_buffer_complete send_buffer_complete;
		struct nvsp_revoke revoke;
		struct nvsp_rndis_packet rndis;
		struct nvsp_rndis_complete rndis_complete;
		struct nvsp_ndis_config ndis_config;
		struct nvsp_vf_association vf_association;
		struct nvsp_data_path data_path;
		struct nvsp_subchannel subchannel;
		struct nvsp_subchannel_complete subchannel_complete;
		struct nvsp_indirection_table table;
		__u8 raw[36];		/* of version 6.1 */
	} __attribute__((packed));
} __attribute__((packed));

#define NVSP_MESSAGE_SIZE		28u
#define NVSP_MESSAGE_SIZE_61		40u

_Static_assert(sizeof(struct nvsp_message) == NVSP_MESSAGE_SIZE_61, "NVSP");
_Static_assert(4 + sizeof(struct nvsp_receive_buffer_complete) ==
	       NVSP_MESSAGE_SIZE, "the largest before version 6.1");
_Static_assert(sizeof(struct nvsp_ndis_config) == 16, "NDIS config");
_Static_assert(sizeof(struct nvsp_buffer) == 6, "buffer");

/* Ranges of one transfer-pages packet, at most; with RSC and without */
#define NVSP_MAX_RANGES			562u
#define NVSP_MAX_RANGES_PLAIN		375u

/* Channels of a card, at most */
#define NVSP_MAX_CHANNELS		64u

#endif
