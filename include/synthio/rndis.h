/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RNDIS messages, and the NDIS objects in them, as hosts of the synthetic
 * network card speak them.
 *
 * Every message begins with struct rndis_header, whose length counts all of it.
 * Offsets inside a message count from the first byte behind that header, that
 * is, from the request id or from rndis_packet.data_offset itself. In an NDIS
 * object they count from the object.
 *
 * All fields are little endian. Facts: <linux/rndis.h>, the kernel's
 * drivers/net/hyperv/, and the NDIS reference (ntddndis.h) for the objects.
 */
#ifndef SYNTHIO_RNDIS_H
#define SYNTHIO_RNDIS_H

#include <linux/types.h>

struct rndis_header {
	__u32 type;
	__u32 len;			/* with this header */
} __attribute__((packed));

#define RNDIS_HEADER			8u
_Static_assert(sizeof(struct rndis_header) == RNDIS_HEADER, "header");

#define RNDIS_COMPLETION		0x80000000u
#define RNDIS_TYPE_PACKET		1u
#define RNDIS_TYPE_INITIALIZE		2u
#define RNDIS_TYPE_HALT			3u
#define RNDIS_TYPE_QUERY		4u
#define RNDIS_TYPE_SET			5u
#define RNDIS_TYPE_RESET		6u
#define RNDIS_TYPE_INDICATE		7u	/* host */
#define RNDIS_TYPE_KEEPALIVE		8u	/* both sides may ask */

#define RNDIS_MAJOR			1u
#define RNDIS_MINOR			0u

/* status of completions, and of INDICATE: NDIS_STATUS values */
#define NDIS_STATUS_SUCCESS		0x00000000u
#define NDIS_STATUS_MEDIA_CONNECT	0x4001000bu
#define NDIS_STATUS_MEDIA_DISCONNECT	0x4001000cu
#define NDIS_STATUS_LINK_SPEED_CHANGE	0x40010013u	/* __u32, 100 bit/s */
#define NDIS_STATUS_NETWORK_CHANGE	0x40010018u
#define NDIS_STATUS_TASK_OFFLOAD	0x40020006u	/* current configuration */
#define NDIS_STATUS_FAILURE		0xc0000001u
#define NDIS_STATUS_NOT_SUPPORTED	0xc00000bbu
#define NDIS_STATUS_INVALID_LENGTH	0xc0010014u
#define NDIS_STATUS_INVALID_DATA	0xc0010015u
#define NDIS_STATUS_BUFFER_TOO_SHORT	0xc0010016u
#define NDIS_STATUS_INVALID_OID		0xc0010017u

/* ---- control messages; each comes behind a struct rndis_header ------------- */

struct rndis_initialize {
	__u32 request_id;
	__u32 major;
	__u32 minor;
	__u32 max_transfer;
} __attribute__((packed));

struct rndis_initialize_complete {
	__u32 request_id;
	__u32 status;
	__u32 major;
	__u32 minor;
	__u32 device_flags;
	__u32 medium;
	__u32 max_packets;		/* RNDIS packets in one transfer */
	__u32 max_transfer;		/* bytes of one transfer */
	__u32 alignment;		/* log2, of packets in one transfer */
	__u32 af_list_offset;
	__u32 af_list_size;
} __attribute__((packed));

#define RNDIS_CONNECTIONLESS		1u	/* device_flags */

struct rndis_halt {
	__u32 request_id;
} __attribute__((packed));

struct rndis_query {			/* and SET */
	__u32 request_id;
	__u32 oid;
	__u32 info_len;
	__u32 info_offset;
	__u32 vc_handle;
} __attribute__((packed));

struct rndis_query_complete {
	__u32 request_id;
	__u32 status;
	__u32 info_len;
	__u32 info_offset;
} __attribute__((packed));

struct rndis_set_complete {		/* and KEEPALIVE */
	__u32 request_id;
	__u32 status;
} __attribute__((packed));

struct rndis_reset_complete {
	__u32 status;
	__u32 addressing_reset;
} __attribute__((packed));

struct rndis_indicate {
	__u32 status;
	__u32 info_len;
	__u32 info_offset;
} __attribute__((packed));

_Static_assert(sizeof(struct rndis_initialize_complete) == 44, "initialize");
_Static_assert(sizeof(struct rndis_query) == 20, "query");
_Static_assert(sizeof(struct rndis_query_complete) == 16, "query complete");

/* ---- data ----------------------------------------------------------------- */

struct rndis_packet {			/* behind a struct rndis_header */
	__u32 data_offset;
	__u32 data_len;
	__u32 oob_offset;
	__u32 oob_len;
	__u32 oob_count;
	__u32 info_offset;		/* of per-packet info, 0 if there is none */
	__u32 info_len;
	__u32 vc_handle;
	__u32 reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct rndis_packet) == 36, "packet");

/* One piece of per-packet info. They follow each other */
struct rndis_info {
	__u32 size;			/* of this piece with its value */
	__u32 type;			/* bit 31: NDIS_INTERNAL */
	__u32 offset;			/* of the value, from here */
} __attribute__((packed));

_Static_assert(sizeof(struct rndis_info) == 12, "per-packet info");

#define NDIS_INTERNAL			0x80000000u
#define NDIS_INFO_CHECKSUM		0u
#define NDIS_INFO_LSO			2u
#define NDIS_INFO_8021Q			6u
#define NDIS_INFO_HASH_VALUE		9u
#define NDIS_INFO_PACKET_ID		(NDIS_INTERNAL | 1u)

/* NDIS_INFO_CHECKSUM to the host; bits 16 to 25: offset of the TCP header */
#define NDIS_TXCSUM_IPV4		0x01u
#define NDIS_TXCSUM_IPV6		0x02u
#define NDIS_TXCSUM_TCP			0x04u
#define NDIS_TXCSUM_UDP			0x08u
#define NDIS_TXCSUM_IP_HEADER		0x10u
#define NDIS_TXCSUM_L4_OFFSET_SHIFT	16
#define NDIS_TXCSUM_L4_OFFSET_MAX	0x3ffu

/* NDIS_INFO_CHECKSUM to the guest */
#define NDIS_RXCSUM_TCP_FAILED		0x01u
#define NDIS_RXCSUM_UDP_FAILED		0x02u
#define NDIS_RXCSUM_IP_FAILED		0x04u
#define NDIS_RXCSUM_TCP_SUCCEEDED	0x08u
#define NDIS_RXCSUM_UDP_SUCCEEDED	0x10u
#define NDIS_RXCSUM_IP_SUCCEEDED	0x20u
#define NDIS_RXCSUM_LOOPBACK		0x40u
/* verified, but the field in the packet does not hold the value */
#define NDIS_RXCSUM_TCP_VALUE_INVALID	0x80u
#define NDIS_RXCSUM_IP_VALUE_INVALID	0x100u

/*
 * NDIS_INFO_LSO, version 2. The TCP checksum field holds the pseudo header's
 * sum without a length; IPv4: total length and checksum are 0; IPv6: payload
 * length is 0.
 */
#define NDIS_LSO_MSS_MASK		0xfffffu
#define NDIS_LSO_L4_OFFSET_SHIFT	20
#define NDIS_LSO_L4_OFFSET_MAX		0x3ffu
#define NDIS_LSO_V2			0x40000000u
#define NDIS_LSO_IPV6			0x80000000u

/* NDIS_INFO_8021Q: bits 0-2 priority, 3 CFI, 4-15 VLAN id */
#define NDIS_VLAN_PRIORITY_MASK		0x7u
#define NDIS_VLAN_CFI			0x8u
#define NDIS_VLAN_ID_SHIFT		4
#define NDIS_VLAN_ID_MASK		0xfffu

/* NDIS_INFO_PACKET_ID: pieces of one large packet (RSC) */
struct ndis_packet_id {
	__u8  version;			/* 1 */
	__u8  flags;
	__u16 id;
} __attribute__((packed));

#define NDIS_PACKET_ID_VERSION		1u
#define NDIS_PACKET_ID_PIECES		0x1u
#define NDIS_PACKET_ID_FIRST		0x2u
#define NDIS_PACKET_ID_LAST		0x4u

/* ---- objects of QUERY and SET --------------------------------------------- */

#define OID_GEN_SUPPORTED_LIST			0x00010101u
#define OID_GEN_MAXIMUM_FRAME_SIZE		0x00010106u	/* without header */
#define OID_GEN_LINK_SPEED			0x00010107u	/* 100 bit/s */
#define OID_GEN_VENDOR_DESCRIPTION		0x0001010du
#define OID_GEN_CURRENT_PACKET_FILTER		0x0001010eu
#define OID_GEN_MAXIMUM_TOTAL_SIZE		0x00010111u
#define OID_GEN_MEDIA_CONNECT_STATUS		0x00010114u	/* 0: connected */
#define OID_GEN_NETWORK_LAYER_ADDRESSES		0x00010118u
#define OID_GEN_RECEIVE_SCALE_CAPABILITIES	0x00010203u
#define OID_GEN_RECEIVE_SCALE_PARAMETERS	0x00010204u
#define OID_GEN_RNDIS_CONFIG_PARAMETER		0x0001021bu
#define OID_GEN_XMIT_OK				0x00020101u
#define OID_GEN_RCV_OK				0x00020102u
#define OID_GEN_XMIT_ERROR			0x00020103u
#define OID_GEN_RCV_ERROR			0x00020104u
#define OID_GEN_RCV_NO_BUFFER			0x00020105u
#define OID_GEN_FRIENDLY_NAME			0x00020216u	/* UTF-16 */
#define OID_802_3_PERMANENT_ADDRESS		0x01010101u
#define OID_802_3_CURRENT_ADDRESS		0x01010102u
#define OID_802_3_MULTICAST_LIST		0x01010103u
#define OID_802_3_MAXIMUM_LIST_SIZE		0x01010104u
#define OID_OFFLOAD_ENCAPSULATION		0x0101010au
#define OID_TCP_OFFLOAD_CURRENT_CONFIG		0xfc01020bu
#define OID_TCP_OFFLOAD_PARAMETERS		0xfc01020cu
#define OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES	0xfc01020du

#define NDIS_FILTER_DIRECTED			0x01u
#define NDIS_FILTER_MULTICAST			0x02u	/* those in the list */
#define NDIS_FILTER_ALL_MULTICAST		0x04u
#define NDIS_FILTER_BROADCAST			0x08u
#define NDIS_FILTER_PROMISCUOUS			0x20u

struct ndis_object {
	__u8  type;
	__u8  revision;
	__u16 size;
} __attribute__((packed));

#define NDIS_OBJECT_DEFAULT		0x80u
#define NDIS_OBJECT_RSS_CAPABILITIES	0x88u
#define NDIS_OBJECT_RSS_PARAMETERS	0x89u
#define NDIS_OBJECT_OFFLOAD		0xa7u

/* OID_GEN_RECEIVE_SCALE_CAPABILITIES, revision 2 */
struct ndis_rss_capabilities {
	struct ndis_object header;
	__u32 flags;			/* NDIS_RSS_CAP_* | NDIS_HASH_* funcs */
	__u32 interrupts;
	__u32 queues;
	__u16 table_entries;
} __attribute__((packed));

_Static_assert(sizeof(struct ndis_rss_capabilities) == 18, "RSS capabilities");

#define NDIS_RSS_CAP_TCP_IPV4		0x00000100u
#define NDIS_RSS_CAP_TCP_IPV6		0x00000200u
#define NDIS_RSS_CAP_TCP_IPV6_EX	0x00000400u
#define NDIS_RSS_CAP_UDP_IPV4		0x00000800u
#define NDIS_RSS_CAP_UDP_IPV6		0x00001000u

/* OID_GEN_RECEIVE_SCALE_PARAMETERS, revision 2. Offsets are from its start */
struct ndis_rss_parameters {
	struct ndis_object header;
	__u16 flags;			/* NDIS_RSS_* */
	__u16 base_cpu;
	__u32 hash_info;		/* NDIS_HASH_* */
	__u16 table_bytes;		/* 4 for each entry: a channel index */
	__u16 pad0;
	__u32 table_offset;
	__u16 key_bytes;
	__u16 pad1;
	__u32 key_offset;
	__u32 masks_offset;
	__u32 masks_count;
	__u32 masks_entry_bytes;
} __attribute__((packed));

_Static_assert(sizeof(struct ndis_rss_parameters) == 40, "RSS parameters");

#define NDIS_RSS_BASE_CPU_UNCHANGED	0x01u
#define NDIS_RSS_HASH_INFO_UNCHANGED	0x02u
#define NDIS_RSS_TABLE_UNCHANGED	0x04u
#define NDIS_RSS_KEY_UNCHANGED		0x08u
#define NDIS_RSS_DISABLE		0x10u

#define NDIS_HASH_TOEPLITZ		0x00000001u
#define NDIS_HASH_IPV4			0x00000100u
#define NDIS_HASH_TCP_IPV4		0x00000200u
#define NDIS_HASH_IPV6			0x00000400u
#define NDIS_HASH_IPV6_EX		0x00000800u
#define NDIS_HASH_TCP_IPV6		0x00001000u
#define NDIS_HASH_TCP_IPV6_EX		0x00002000u
#define NDIS_HASH_UDP_IPV4		0x00004000u
#define NDIS_HASH_UDP_IPV6		0x00008000u

#define NDIS_RSS_KEY_BYTES		40u
#define NDIS_RSS_TABLE_DEFAULT		128u
#define NDIS_RSS_TABLE_MAX		256u

/* OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES. Encapsulation says whether at all */
#define NDIS_ENCAP_8023			0x2u

#define NDIS_CSUM4_IP_OPTIONS		0x001u
#define NDIS_CSUM4_TCP_OPTIONS		0x004u
#define NDIS_CSUM4_TCP			0x010u
#define NDIS_CSUM4_UDP			0x040u
#define NDIS_CSUM4_IP			0x100u
#define NDIS_CSUM6_EXTENSIONS		0x001u
#define NDIS_CSUM6_TCP_OPTIONS		0x004u
#define NDIS_CSUM6_TCP			0x010u
#define NDIS_CSUM6_UDP			0x040u

#define NDIS_LSO6_EXTENSIONS		0x001u
#define NDIS_LSO6_TCP_OPTIONS		0x004u

struct ndis_offload {
	struct ndis_object header;
	struct {
		__u32 tx4_encap, tx4;
		__u32 rx4_encap, rx4;
		__u32 tx6_encap, tx6;
		__u32 rx6_encap, rx6;
	} csum;				/* NDIS_CSUM[46]_* */
	__u32 lso_v1[4];
	__u32 ipsec_v1[7];
	struct {
		__u32 encap4, max4, min_segments4;
		__u32 encap6, max6, min_segments6;
		__u32 options6;		/* NDIS_LSO6_* */
	} lso_v2;
	__u32 flags;
	/* since revision 2 (NDIS 6.1) */
	__u32 ipsec_v2_encap;
	__u8  ipsec_v2[12];
	__u32 ipsec_v2_more[4];
	/* since revision 3 (NDIS 6.30) */
	__u8  rsc4, rsc6;
	__u8  pad[2];
	__u32 encap_gre[2];
} __attribute__((packed));

#define NDIS_OFFLOAD_SIZE_1 \
	((unsigned int)__builtin_offsetof(struct ndis_offload, ipsec_v2_encap))
#define NDIS_OFFLOAD_SIZE_2 \
	((unsigned int)__builtin_offsetof(struct ndis_offload, rsc4))
#define NDIS_OFFLOAD_SIZE_3		((unsigned int)sizeof(struct ndis_offload))

_Static_assert(__builtin_offsetof(struct ndis_offload, lso_v2) == 80, "offload");
_Static_assert(__builtin_offsetof(struct ndis_offload, ipsec_v2_encap) == 112,
	       "offload, revision 1");
_Static_assert(__builtin_offsetof(struct ndis_offload, rsc4) == 144,
	       "offload, revision 2");
_Static_assert(sizeof(struct ndis_offload) == 156, "offload, revision 3");

/* OID_TCP_OFFLOAD_PARAMETERS; 0 in a field: no change */
struct ndis_offload_parameters {
	struct ndis_object header;
	__u8  ip4_csum;			/* NDIS_PARAM_* */
	__u8  tcp4_csum;
	__u8  udp4_csum;
	__u8  tcp6_csum;
	__u8  udp6_csum;
	__u8  lso_v1;
	__u8  ipsec_v1;
	__u8  lso_v2_ip4;		/* NDIS_PARAM_OFF, _ON */
	__u8  lso_v2_ip6;
	__u8  connection_ip4;
	__u8  connection_ip6;
	__u8  pad0;
	__u32 flags;
	__u8  ipsec_v2;
	__u8  ipsec_v2_ip4;
	/* not before NVSP version 5 */
	__u8  rsc_ip4;			/* NDIS_PARAM_OFF, _ON */
	__u8  rsc_ip6;
	__u8  encapsulated;
	__u8  encapsulation_types;
	__u8  pad1[2];
} __attribute__((packed));

#define NDIS_OFFLOAD_PARAMETERS_OLD	22u
_Static_assert(__builtin_offsetof(struct ndis_offload_parameters, rsc_ip4) ==
	       NDIS_OFFLOAD_PARAMETERS_OLD, "offload parameters before version 5");
_Static_assert(sizeof(struct ndis_offload_parameters) == 28, "offload parameters");

#define NDIS_OFFLOAD_REVISION_1		1u
#define NDIS_OFFLOAD_REVISION_2		2u
#define NDIS_OFFLOAD_REVISION_3		3u

#define NDIS_PARAM_NO_CHANGE		0u
#define NDIS_PARAM_OFF			1u	/* LSO, RSC */
#define NDIS_PARAM_ON			2u
#define NDIS_PARAM_CSUM_OFF		1u	/* checksums */
#define NDIS_PARAM_CSUM_TX		2u
#define NDIS_PARAM_CSUM_RX		3u
#define NDIS_PARAM_CSUM_BOTH		4u

/*
 * OID_GEN_RNDIS_CONFIG_PARAMETER: name and value are UTF-16. The name
 * "NetworkAddress" with a MAC of 12 hex digits sets the card's address.
 */
struct rndis_config_parameter {
	__u32 name_offset;
	__u32 name_bytes;
	__u32 type;			/* RNDIS_CONFIG_* */
	__u32 value_offset;
	__u32 value_bytes;
} __attribute__((packed));

#define RNDIS_CONFIG_INTEGER		0u
#define RNDIS_CONFIG_STRING		2u

#endif
