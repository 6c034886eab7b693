/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RNDIS messages, and one of NVSP, as bytes: those of the driver are built, and those of
 * the host are checked and parsed. No kernel service is used, so the same file is
 * tested and fuzzed in user space.
 *
 * What is parsed may lie in memory that the host writes to meanwhile, at any
 * address: headers and per-packet info are copied once, and only the copy is used.
 */
#ifndef SYNTHIO_NET_RNDIS_H
#define SYNTHIO_NET_RNDIS_H

#include <synthio/env.h>
#include <synthio/netvsp.h>
#include <synthio/rndis.h>

/* Bytes of a packet's header: without per-packet info, and with all of it */
#define RNDIS_PACKET_HEADER	(sizeof(struct rndis_header) + \
				 sizeof(struct rndis_packet))
#define RNDIS_INFO_BYTES	(sizeof(struct rndis_info) + sizeof(u32))
#define RNDIS_PACKET_HEADER_MAX	(RNDIS_PACKET_HEADER + 3 * RNDIS_INFO_BYTES)

/* Most per-packet info that is parsed in one packet; hosts send less */
#define RNDIS_MAX_INFOS		16

enum {
	RNDIS_HAS_CSUM		= 1 << 0,
	RNDIS_HAS_VLAN		= 1 << 1,
	RNDIS_HAS_HASH		= 1 << 2,
	RNDIS_HAS_PIECE		= 1 << 3,
	RNDIS_HAS_LSO		= 1 << 4,	/* to the host only */
};

/**
 * struct rndis_rx - a packet from the host
 * @data: where the frame begins, from the start of the message
 * @len: its bytes
 * @has: RNDIS_HAS_*: which of the other fields are valid
 * @csum: NDIS_RXCSUM_*
 * @vlan: as NDIS_INFO_8021Q
 * @hash: of the flow
 * @piece_flags: NDIS_PACKET_ID_*
 * @piece_id: the same for all pieces of a packet
 */
struct rndis_rx {
	u32 data;
	u32 len;
	u32 has;
	u32 csum;
	u32 vlan;
	u32 hash;
	u8 piece_flags;
	u16 piece_id;
};

/**
 * struct rndis_tx - a packet to the host
 * @len: bytes of the frame
 * @has: RNDIS_HAS_VLAN, _CSUM, _LSO: which per-packet info it has
 * @vlan: as NDIS_INFO_8021Q
 * @csum: as NDIS_INFO_CHECKSUM
 * @lso: as NDIS_INFO_LSO
 */
struct rndis_tx {
	u32 len;
	u32 has;
	u32 vlan;
	u32 csum;
	u32 lso;
};

/**
 * struct rndis_answer - a host's answer to a request
 * @type: of the message, with RNDIS_COMPLETION
 * @id: of the request
 * @status: NDIS_STATUS_*
 * @info: data of a query, inside of the message
 * @info_len: its bytes
 */
struct rndis_answer {
	u32 type;
	u32 id;
	u32 status;
	const u8 *info;
	u32 info_len;
};

/**
 * struct rndis_limits - what a host accepts in one transfer
 * @max_packets: messages, at least 1
 * @max_transfer: bytes
 * @align_shift: log2 of the alignment of each message
 */
struct rndis_limits {
	u32 max_packets;
	u32 max_transfer;
	u32 align_shift;
};

/**
 * struct rndis_offloads - the offloads that a host has
 * @csum4: NDIS_CSUM4_* that it can compute
 * @csum6: NDIS_CSUM6_*
 * @rx4: NDIS_CSUM4_* that it verifies
 * @rx6: NDIS_CSUM6_*
 * @lso4_max: bytes of a large packet, IPv4; 0: none
 * @lso6_max: likewise, IPv6
 * @lso6_options: NDIS_LSO6_*
 * @rsc: it coalesces received packets, of both
 */
struct rndis_offloads {
	u32 csum4;
	u32 csum6;
	u32 rx4;
	u32 rx6;
	u32 lso4_max;
	u32 lso6_max;
	u32 lso6_options;
	bool rsc;
};

/**
 * struct rndis_rss - receive side scaling
 * @queues: channels over which a host distributes packets, at least 1
 * @entries: of the table
 * @caps: NDIS_RSS_CAP_*: which ports it can hash
 */
struct rndis_rss {
	u32 queues;
	u32 entries;
	u32 caps;
};

/* Settings of offloads: NDIS_PARAM_* of struct ndis_offload_parameters */
struct rndis_offload_params {
	u8 tcp4, udp4, tcp6, udp6;
	u8 lso4, lso6;
	u8 rsc4, rsc6;
};

int rndis_parse_packet(const void *msg, u32 room, struct rndis_rx *rx);
int rndis_parse_answer(const void *msg, u32 len, struct rndis_answer *a);
int rndis_parse_limits(const void *msg, u32 len, struct rndis_limits *l);
int rndis_parse_indicate(const void *msg, u32 len, struct rndis_answer *a);
int rndis_parse_offloads(const void *info, u32 len, struct rndis_offloads *o);
int rndis_parse_rss(const void *info, u32 len, struct rndis_rss *r);
int nvsp_parse_table(const void *msg, u32 len, u32 version, u32 *table);

u32 rndis_put_packet(void *to, const struct rndis_tx *tx);
u32 rndis_put_initialize(void *to, u32 id, u32 max_transfer);
u32 rndis_put_halt(void *to, u32 id);
u32 rndis_put_request(void *to, u32 room, u32 type, u32 id, u32 oid,
		      const void *info, u32 info_len);
u32 rndis_put_keepalive_done(void *to, u32 id);
u32 rndis_put_offload_query(void *to, u32 revision);
u32 rndis_put_rss_query(void *to);
u32 rndis_put_offload_set(void *to, const struct rndis_offload_params *w,
			  bool with_rsc);
u32 rndis_put_rss_set(void *to, u32 room, u16 flags, u32 hash_info,
		      const u32 *table, u32 entries, const u8 *key);
u32 rndis_put_address(void *to, u32 room, const u8 *mac);

/* A VLAN tag in the format of NDIS_INFO_8021Q */
static inline u32 rndis_vlan(u16 tci)
{
	return (tci & NDIS_VLAN_ID_MASK) << NDIS_VLAN_ID_SHIFT |
	       (tci & 1u << 12 ? NDIS_VLAN_CFI : 0) | tci >> 13;
}

/* The reverse of rndis_vlan() */
static inline u16 rndis_tci(u32 vlan)
{
	return (vlan >> NDIS_VLAN_ID_SHIFT & NDIS_VLAN_ID_MASK) |
	       (vlan & NDIS_VLAN_CFI ? 1u << 12 : 0) |
	       (vlan & NDIS_VLAN_PRIORITY_MASK) << 13;
}

/* Bytes of the header that rndis_put_packet() makes */
static inline u32 rndis_packet_header(const struct rndis_tx *tx)
{
	u32 n = RNDIS_PACKET_HEADER;

	if (tx->has & RNDIS_HAS_VLAN)
		n += RNDIS_INFO_BYTES;
	if (tx->has & RNDIS_HAS_CSUM)
		n += RNDIS_INFO_BYTES;
	if (tx->has & RNDIS_HAS_LSO)
		n += RNDIS_INFO_BYTES;
	return n;
}

#endif
