// SPDX-License-Identifier: GPL-2.0-only
/*
 * The objects behind QUERY and SET. What a guest may get wrong here has a status
 * of its own; nothing disconnects it.
 */
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

static const uint32_t supported[] = {
	OID_GEN_SUPPORTED_LIST, OID_GEN_MAXIMUM_FRAME_SIZE, OID_GEN_LINK_SPEED,
	OID_GEN_VENDOR_DESCRIPTION, OID_GEN_CURRENT_PACKET_FILTER,
	OID_GEN_MAXIMUM_TOTAL_SIZE, OID_GEN_MEDIA_CONNECT_STATUS,
	OID_GEN_NETWORK_LAYER_ADDRESSES, OID_GEN_RECEIVE_SCALE_CAPABILITIES,
	OID_GEN_RECEIVE_SCALE_PARAMETERS, OID_GEN_RNDIS_CONFIG_PARAMETER,
	OID_GEN_XMIT_OK, OID_GEN_RCV_OK, OID_GEN_XMIT_ERROR, OID_GEN_RCV_ERROR,
	OID_GEN_RCV_NO_BUFFER, OID_GEN_FRIENDLY_NAME,
	OID_802_3_PERMANENT_ADDRESS, OID_802_3_CURRENT_ADDRESS,
	OID_802_3_MULTICAST_LIST, OID_802_3_MAXIMUM_LIST_SIZE,
	OID_TCP_OFFLOAD_CURRENT_CONFIG, OID_TCP_OFFLOAD_PARAMETERS,
	OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
};

/* --- query -------------------------------------------------------------------- */

static size_t answer_bytes(uint8_t *answer, const void *bytes, size_t len)
{
	memcpy(answer, bytes, len);
	return len;
}

static size_t answer_u32(uint8_t *answer, uint32_t v)
{
	return answer_bytes(answer, &v, sizeof(v));
}

static size_t answer_u64(uint8_t *answer, uint64_t v)
{
	return answer_bytes(answer, &v, sizeof(v));
}

static size_t answer_utf16(uint8_t *answer, const char *s)
{
	size_t i, len = strlen(s);

	for (i = 0; i < len; i++) {
		answer[2 * i] = s[i];
		answer[2 * i + 1] = 0;
	}
	return 2 * len;
}

static size_t answer_rss(const struct netvsp *n, uint8_t *answer)
{
	struct ndis_rss_capabilities caps = {
		.header.type = NDIS_OBJECT_RSS_CAPABILITIES,
		.header.revision = 2,
		.header.size = sizeof(caps),
		.flags = NDIS_RSS_CAP_TCP_IPV4 | NDIS_RSS_CAP_TCP_IPV6 |
			 NDIS_HASH_TOEPLITZ,
		.interrupts = 1 + n->dev.max_subchannels,
		.queues = 1 + n->dev.max_subchannels,
		.table_entries = NDIS_RSS_TABLE_DEFAULT,
	};

	if (!n->like->no_udp_hash)
		caps.flags |= NDIS_RSS_CAP_UDP_IPV4 | NDIS_RSS_CAP_UDP_IPV6;
	return answer_bytes(answer, &caps, sizeof(caps));
}

/* What there is, in the revision that the NVSP version knows */
static size_t answer_offload(const struct netvsp *n, uint8_t *answer,
			     bool current)
{
	const struct netvsp_offloads *o = &n->offloads;
	bool udp = n->version >= NVSP_VERSION_5;
	uint32_t csum4 = NDIS_CSUM4_IP_OPTIONS | NDIS_CSUM4_TCP_OPTIONS |
			 NDIS_CSUM4_TCP | (udp ? NDIS_CSUM4_UDP : 0);
	uint32_t csum6 = NDIS_CSUM6_EXTENSIONS | NDIS_CSUM6_TCP_OPTIONS |
			 NDIS_CSUM6_TCP | (udp ? NDIS_CSUM6_UDP : 0);
	bool lso = n->config.lso && n->back->can_lso, csum = n->config.csum &&
	     n->back->can_lso, rsc = n->config.rsc && n->back->can_lso &&
	     n->capabilities & NVSP_CAP_RSC;
	struct ndis_offload caps = {
		.header.type = NDIS_OBJECT_OFFLOAD,
		.header.revision = NDIS_OFFLOAD_REVISION_1,
		.header.size = NDIS_OFFLOAD_SIZE_1,
	};

	if (n->version >= NVSP_VERSION_5) {
		caps.header.revision = NDIS_OFFLOAD_REVISION_3;
		caps.header.size = NDIS_OFFLOAD_SIZE_3;
	} else if (n->version >= NVSP_VERSION_4) {
		caps.header.revision = NDIS_OFFLOAD_REVISION_2;
		caps.header.size = NDIS_OFFLOAD_SIZE_2;
	}
	if (csum) {
		caps.csum.tx4_encap = NDIS_ENCAP_8023;
		caps.csum.rx4_encap = NDIS_ENCAP_8023;
		caps.csum.tx6_encap = NDIS_ENCAP_8023;
		caps.csum.rx6_encap = NDIS_ENCAP_8023;
		caps.csum.tx4 = csum4;
		caps.csum.rx4 = csum4;
		caps.csum.tx6 = csum6;
		caps.csum.rx6 = csum6;
	}
	if (csum && lso && (!current || o->lso[0])) {
		caps.lso_v2.encap4 = NDIS_ENCAP_8023;
		caps.lso_v2.max4 = UINT16_MAX;
		caps.lso_v2.min_segments4 = 2;
	}
	if (csum && lso && (!current || o->lso[1])) {
		caps.lso_v2.encap6 = NDIS_ENCAP_8023;
		caps.lso_v2.max6 = UINT16_MAX;
		caps.lso_v2.min_segments6 = 2;
		caps.lso_v2.options6 = NDIS_LSO6_EXTENSIONS |
				       NDIS_LSO6_TCP_OPTIONS;
	}
	caps.rsc4 = csum && rsc && (!current || o->rsc[0]);
	caps.rsc6 = csum && rsc && (!current || o->rsc[1]);
	return answer_bytes(answer, &caps, caps.header.size);
}

uint32_t oid_query(struct netvsp *n, uint32_t oid, const uint8_t *info,
		   size_t info_len, uint8_t *answer, size_t *len)
{
	const struct netvsp_stats *s = &n->stats;

	(void)info;
	(void)info_len;
	switch (oid) {
	case OID_GEN_SUPPORTED_LIST:
		*len = answer_bytes(answer, supported, sizeof(supported));
		break;
	case OID_GEN_MAXIMUM_FRAME_SIZE:
		*len = answer_u32(answer, n->mtu);
		break;
	case OID_GEN_MAXIMUM_TOTAL_SIZE:
		*len = answer_u32(answer, n->mtu + NETFRAME_ETH);
		break;
	case OID_GEN_LINK_SPEED:
		*len = answer_u32(answer, n->speed > UINT32_MAX / 10000 ?
					  UINT32_MAX : n->speed * 10000);
		break;
	case OID_GEN_VENDOR_DESCRIPTION:
		*len = answer_bytes(answer, "synthhost", 10);
		break;
	case OID_GEN_CURRENT_PACKET_FILTER:
		*len = answer_u32(answer, n->filter);
		break;
	case OID_GEN_MEDIA_CONNECT_STATUS:
		*len = answer_u32(answer, !n->like->link_indicated &&
					  (!n->carrier || n->dev.retiring));
		break;
	case OID_GEN_RECEIVE_SCALE_CAPABILITIES:
		*len = answer_rss(n, answer);
		break;
	case OID_GEN_XMIT_OK:
		*len = answer_u64(answer, s->tx_packets);
		break;
	case OID_GEN_RCV_OK:
		*len = answer_u64(answer, s->rx_packets);
		break;
	case OID_GEN_XMIT_ERROR:
		*len = answer_u64(answer, s->tx_refused + s->tx_failed);
		break;
	case OID_GEN_RCV_ERROR:
		*len = answer_u64(answer, s->rx_malformed + s->rx_oversized);
		break;
	case OID_GEN_RCV_NO_BUFFER:
		*len = answer_u64(answer, s->rx_no_slots);
		break;
	case OID_GEN_FRIENDLY_NAME:
		*len = answer_utf16(answer, n->dev.id);
		break;
	case OID_802_3_PERMANENT_ADDRESS:
		*len = answer_bytes(answer, n->mac, 6);
		break;
	case OID_802_3_CURRENT_ADDRESS:
		*len = answer_bytes(answer, n->address, 6);
		break;
	case OID_802_3_MULTICAST_LIST:
		if (n->like->no_multicast_list)
			return n->like->unknown_oid;
		*len = answer_bytes(answer, n->multicast, 6 * n->multicasts);
		break;
	case OID_802_3_MAXIMUM_LIST_SIZE:
		*len = answer_u32(answer, n->like->no_multicast_list ? 0 :
					  NETVSP_MULTICAST_MAX);
		break;
	case OID_TCP_OFFLOAD_CURRENT_CONFIG:
		*len = answer_offload(n, answer, true);
		break;
	case OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES:
		*len = answer_offload(n, answer, false);
		break;
	default:
		return n->like->unknown_oid;
	}
	return NDIS_STATUS_SUCCESS;
}

/* --- set ---------------------------------------------------------------------- */

static uint32_t set_filter(struct netvsp *n, const uint8_t *info, size_t len)
{
	const uint32_t known = NDIS_FILTER_DIRECTED | NDIS_FILTER_MULTICAST |
			       NDIS_FILTER_ALL_MULTICAST |
			       NDIS_FILTER_BROADCAST | NDIS_FILTER_PROMISCUOUS;
	uint32_t filter;

	if (len != sizeof(filter))
		return NDIS_STATUS_INVALID_LENGTH;
	memcpy(&filter, info, sizeof(filter));
	if (filter & ~known)
		return NDIS_STATUS_NOT_SUPPORTED;
	n->filter = filter;
	log_debug("%s: packet filter 0x%x", n->dev.id, filter);
	return NDIS_STATUS_SUCCESS;
}

static uint32_t set_multicast(struct netvsp *n, const uint8_t *info, size_t len)
{
	unsigned int i;

	if (len % 6 || len > sizeof(n->multicast))
		return NDIS_STATUS_INVALID_LENGTH;
	for (i = 0; i < len; i += 6) {
		if (!(info[i] & 1))
			return NDIS_STATUS_INVALID_DATA;
	}
	memcpy(n->multicast, info, len);
	n->multicasts = len / 6;
	return NDIS_STATUS_SUCCESS;
}

/* A text of the parameter, in ASCII; false if it is not inside or no ASCII */
static bool take_utf16(const uint8_t *info, size_t len, uint32_t offset,
		       uint32_t bytes, char *to, size_t room)
{
	uint32_t i;

	if (offset > len || bytes > len - offset || bytes % 2 ||
	    bytes / 2 >= room)
		return false;
	for (i = 0; i < bytes / 2; i++) {
		if (info[offset + 2 * i + 1] || info[offset + 2 * i] & 0x80)
			return false;
		to[i] = info[offset + 2 * i];
	}
	to[i] = '\0';
	return true;
}

static uint32_t set_address(struct netvsp *n, const char *value)
{
	uint8_t mac[6];
	char two[3] = "";
	unsigned int i;

	if (strlen(value) != 12 ||
	    strspn(value, "0123456789abcdefABCDEF") != 12)
		return NDIS_STATUS_INVALID_DATA;
	for (i = 0; i < 6; i++) {
		memcpy(two, value + 2 * i, 2);
		mac[i] = strtoul(two, NULL, 16);
	}
	if (mac[0] & 1)
		return NDIS_STATUS_INVALID_DATA;
	memcpy(n->address, mac, 6);
	log_info("%s: the guest calls itself %02x:%02x:%02x:%02x:%02x:%02x",
		 n->dev.id, mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
	return NDIS_STATUS_SUCCESS;
}

static uint32_t set_config_parameter(struct netvsp *n, const uint8_t *info,
				     size_t len)
{
	struct rndis_config_parameter p;
	char name[64], value[64];

	if (len < sizeof(p))
		return NDIS_STATUS_INVALID_LENGTH;
	memcpy(&p, info, sizeof(p));
	if (!take_utf16(info, len, p.name_offset, p.name_bytes, name,
			sizeof(name)) ||
	    !take_utf16(info, len, p.value_offset, p.value_bytes, value,
			sizeof(value)))
		return NDIS_STATUS_INVALID_DATA;
	if (strcmp(name, "NetworkAddress") || p.type != RNDIS_CONFIG_STRING)
		return NDIS_STATUS_NOT_SUPPORTED;
	return set_address(n, value);
}

static uint32_t set_rss(struct netvsp *n, const uint8_t *info, size_t len)
{
	const uint32_t types = NDIS_HASH_IPV4 | NDIS_HASH_TCP_IPV4 |
			       NDIS_HASH_UDP_IPV4 | NDIS_HASH_IPV6 |
			       NDIS_HASH_TCP_IPV6 | NDIS_HASH_UDP_IPV6;
	struct ndis_rss_parameters p;
	struct netvsp_rss *rss = &n->rss;
	unsigned int entries, i;
	uint32_t entry;

	if (len < sizeof(p))
		return NDIS_STATUS_INVALID_LENGTH;
	memcpy(&p, info, sizeof(p));
	if (p.header.type != NDIS_OBJECT_RSS_PARAMETERS ||
	    p.header.size > len)
		return NDIS_STATUS_INVALID_DATA;
	if (p.flags & NDIS_RSS_DISABLE) {
		rss->on = false;
		return NDIS_STATUS_SUCCESS;
	}
	entries = p.table_bytes / 4;
	if (!(p.flags & NDIS_RSS_TABLE_UNCHANGED) &&
	    (!entries || p.table_bytes % 4 || entries > NDIS_RSS_TABLE_MAX ||
	     entries & (entries - 1) || p.table_offset > len ||
	     p.table_bytes > len - p.table_offset))
		return NDIS_STATUS_INVALID_DATA;
	if (!(p.flags & NDIS_RSS_KEY_UNCHANGED) &&
	    (p.key_bytes != NDIS_RSS_KEY_BYTES || p.key_offset > len ||
	     p.key_bytes > len - p.key_offset))
		return NDIS_STATUS_INVALID_DATA;
	if (!(p.flags & NDIS_RSS_HASH_INFO_UNCHANGED) &&
	    (p.hash_info & ~types) != NDIS_HASH_TOEPLITZ)
		return NDIS_STATUS_NOT_SUPPORTED;
	for (i = 0; !(p.flags & NDIS_RSS_TABLE_UNCHANGED) && i < entries; i++) {
		memcpy(&entry, info + p.table_offset + 4 * i, 4);
		if (entry > n->offered)
			return NDIS_STATUS_INVALID_DATA;
	}

	/* All of it is well: now it counts */
	for (i = 0; !(p.flags & NDIS_RSS_TABLE_UNCHANGED) && i < entries; i++) {
		rss->table[i] = info[p.table_offset + 4 * i];
		rss->entries = entries;
	}
	if (!(p.flags & NDIS_RSS_KEY_UNCHANGED)) {
		memcpy(rss->key, info + p.key_offset, sizeof(rss->key));
		toeplitz_init(&rss->hash, rss->key);
	}
	if (!(p.flags & NDIS_RSS_HASH_INFO_UNCHANGED))
		rss->types = p.hash_info & ~0xffu;
	rss->on = rss->entries;
	return NDIS_STATUS_SUCCESS;
}

/* One of the five checksum fields; false if there is no such value */
static bool take_csum(uint8_t value, bool *tx, bool *rx)
{
	switch (value) {
	case NDIS_PARAM_NO_CHANGE:
		return true;
	case NDIS_PARAM_CSUM_OFF:
	case NDIS_PARAM_CSUM_TX:
	case NDIS_PARAM_CSUM_RX:
	case NDIS_PARAM_CSUM_BOTH:
		*tx = value == NDIS_PARAM_CSUM_TX ||
		      value == NDIS_PARAM_CSUM_BOTH;
		*rx = value == NDIS_PARAM_CSUM_RX ||
		      value == NDIS_PARAM_CSUM_BOTH;
		return true;
	default:
		return false;
	}
}

static bool take_switch(uint8_t value, bool *on)
{
	if (value == NDIS_PARAM_NO_CHANGE)
		return true;
	*on = value == NDIS_PARAM_ON;
	return value == NDIS_PARAM_ON || value == NDIS_PARAM_OFF;
}

static uint32_t set_offloads(struct netvsp *n, const uint8_t *info, size_t len)
{
	struct ndis_offload_parameters p = { 0 };
	struct netvsp_offloads o = n->offloads;
	size_t least = n->version < NVSP_VERSION_5 ?
		       NDIS_OFFLOAD_PARAMETERS_OLD : sizeof(p);
	bool tx, rx;

	if (len < least)
		return NDIS_STATUS_INVALID_LENGTH;
	memcpy(&p, info, least);
	if (p.header.type != NDIS_OBJECT_DEFAULT || p.header.size > len)
		return NDIS_STATUS_INVALID_DATA;
	if (!take_csum(p.ip4_csum, &tx, &rx) ||
	    !take_csum(p.tcp4_csum, &o.tx_csum[0][0], &o.rx_csum[0][0]) ||
	    !take_csum(p.udp4_csum, &o.tx_csum[0][1], &o.rx_csum[0][1]) ||
	    !take_csum(p.tcp6_csum, &o.tx_csum[1][0], &o.rx_csum[1][0]) ||
	    !take_csum(p.udp6_csum, &o.tx_csum[1][1], &o.rx_csum[1][1]) ||
	    !take_switch(p.lso_v2_ip4, &o.lso[0]) ||
	    !take_switch(p.lso_v2_ip6, &o.lso[1]) ||
	    !take_switch(p.rsc_ip4, &o.rsc[0]) ||
	    !take_switch(p.rsc_ip6, &o.rsc[1]))
		return NDIS_STATUS_INVALID_DATA;
	/* What was not offered can't be had */
	if (!n->config.csum || !n->back->can_lso)
		memset(&o, 0, sizeof(o));
	if (!n->config.lso)
		memset(o.lso, 0, sizeof(o.lso));
	if (!n->config.rsc || !(n->capabilities & NVSP_CAP_RSC))
		memset(o.rsc, 0, sizeof(o.rsc));
	n->offloads = o;
	rx_changed(n);
	return NDIS_STATUS_SUCCESS;
}

uint32_t oid_set(struct netvsp *n, uint32_t oid, const uint8_t *info, size_t len)
{
	switch (oid) {
	case OID_GEN_CURRENT_PACKET_FILTER:
		return set_filter(n, info, len);
	case OID_802_3_MULTICAST_LIST:
		return n->like->no_multicast_list ? n->like->unknown_oid :
						    set_multicast(n, info, len);
	case OID_GEN_NETWORK_LAYER_ADDRESSES:
		/* what it does with protocols is of no use here */
		return NDIS_STATUS_SUCCESS;
	case OID_GEN_RNDIS_CONFIG_PARAMETER:
		return set_config_parameter(n, info, len);
	case OID_GEN_RECEIVE_SCALE_PARAMETERS:
		return set_rss(n, info, len);
	case OID_TCP_OFFLOAD_PARAMETERS:
		return set_offloads(n, info, len);
	default:
		return n->like->unknown_oid;
	}
}

void oid_reset(struct netvsp *n)
{
	n->filter = 0;
	n->multicasts = 0;
	n->rss.on = false;
	n->rss.entries = 0;
	memset(&n->offloads, 0, sizeof(n->offloads));
	memcpy(n->address, n->mac, sizeof(n->address));
	rx_changed(n);
}
