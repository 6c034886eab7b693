// SPDX-License-Identifier: GPL-2.0-only
#include <netinet/in.h>
#include <string.h>

#include <synthio/rndis.h>

#include "netframe.h"

#define TYPE_IPV4	0x0800
#define TYPE_IPV6	0x86dd
#define TYPE_TAG	0x8100

#define IPV4_HEADER	20u
#define IPV6_HEADER	40u
#define TCP_HEADER	20u
#define UDP_HEADER	8u
#define TCP_CSUM	16u
#define UDP_CSUM	6u
#define TCP_DOFF	12u
#define TCP_FLAGS	13u
#define TCP_CWR		0x80u
#define IPV4_MORE_OR_OFFSET	0x3fffu

static uint16_t get16(const uint8_t *p)
{
	return p[0] << 8 | p[1];
}

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = v >> 8;
	p[1] = v;
}

static bool l4_whole(const struct netframe *nf, size_t at, size_t len)
{
	if (nf->proto == IPPROTO_TCP)
		return at + TCP_HEADER <= len;
	return nf->proto == IPPROTO_UDP && at + UDP_HEADER <= len;
}

void netframe_parse(const uint8_t *head, size_t len, struct netframe *nf)
{
	const uint8_t *ip;
	uint16_t type;
	size_t at;

	memset(nf, 0, sizeof(*nf));
	if (len < NETFRAME_ETH)
		return;
	type = get16(head + NETFRAME_MACS);
	at = NETFRAME_ETH;
	if (type == TYPE_TAG && len >= NETFRAME_ETH + NETFRAME_TAG) {
		nf->tagged = true;
		type = get16(head + NETFRAME_ETH + 2);
		at += NETFRAME_TAG;
	}
	ip = head + at;
	nf->l3 = at;
	if (type == TYPE_IPV4) {
		size_t ihl;

		if (at + IPV4_HEADER > len || ip[0] >> 4 != 4)
			return;
		ihl = (ip[0] & 0xf) * 4u;
		if (ihl < IPV4_HEADER)
			return;
		nf->ip = 4;
		nf->proto = ip[9];
		at += ihl;
		if (get16(ip + 6) & IPV4_MORE_OR_OFFSET)
			return;
	} else if (type == TYPE_IPV6) {
		if (at + IPV6_HEADER > len || ip[0] >> 4 != 6)
			return;
		nf->ip = 6;
		nf->proto = ip[6];
		at += IPV6_HEADER;
	}
	if (l4_whole(nf, at, len))
		nf->l4 = at;
}

static uint32_t wanted_ports(const struct netframe *nf)
{
	if (!nf->l4)
		return 0;
	if (nf->proto == IPPROTO_TCP)
		return nf->ip == 4 ? NDIS_HASH_TCP_IPV4 : NDIS_HASH_TCP_IPV6;
	return nf->ip == 4 ? NDIS_HASH_UDP_IPV4 : NDIS_HASH_UDP_IPV6;
}

unsigned int netframe_tuple(const uint8_t *head, const struct netframe *nf,
			    uint32_t types, uint8_t *tuple)
{
	bool ports = types & wanted_ports(nf);
	unsigned int n = 0;

	if (nf->ip == 4 && (ports || types & NDIS_HASH_IPV4)) {
		n = 8;
		memcpy(tuple, head + nf->l3 + 12, n);
	} else if (nf->ip == 6 && (ports || types & NDIS_HASH_IPV6)) {
		n = 32;
		memcpy(tuple, head + nf->l3 + 8, n);
	}
	if (n && ports) {
		memcpy(tuple + n, head + nf->l4, 4);
		n += 4;
	}
	return n;
}

uint64_t netframe_sum(uint64_t sum, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t a = 0, b = 0, w[4];
	uint16_t half;

	/* Two sums, so that one's carries need not wait for the other's */
	for (; len >= sizeof(w); len -= sizeof(w), p += sizeof(w)) {
		memcpy(w, p, sizeof(w));
		a += w[0];
		a += a < w[0];
		b += w[1];
		b += b < w[1];
		a += w[2];
		a += a < w[2];
		b += w[3];
		b += b < w[3];
	}
	a = (a & 0xffffffff) + (a >> 32);
	b = (b & 0xffffffff) + (b >> 32);
	for (; len >= 2; len -= 2, p += 2) {
		memcpy(&half, p, 2);
		a += half;
	}
	if (len) {
		half = 0;
		memcpy(&half, p, 1);
		b += half;
	}
	a += b;
	a = (a & 0xffffffff) + (a >> 32);
	return sum + a;
}

uint16_t netframe_fold(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

bool netframe_fill(const struct iovec *iov, size_t len, unsigned int start,
		   unsigned int offset)
{
	uint8_t *first = iov->iov_base;
	size_t part = len < iov->iov_len ? len : iov->iov_len;
	uint64_t sum;
	uint16_t folded;

	if (start > part || offset + 2ul > part - start)
		return false;
	sum = netframe_sum(0, first + start, part - start);
	while (len -= part) {
		iov++;
		part = len < iov->iov_len ? len : iov->iov_len;
		sum = netframe_sum(sum, iov->iov_base, part);
	}
	folded = ~netframe_fold(sum);
	/* UDP: 0 says that there is none. TCP takes one zero for the other */
	if (!folded)
		folded = 0xffff;
	memcpy(first + start + offset, &folded, 2);
	return true;
}

/* Where the header behind those of IPv6 is; 0: there is none of @proto in @len bytes */
static size_t ip6_l4(const uint8_t *head, size_t len, size_t at, uint8_t proto)
{
	uint8_t next = head[at + 6];

	for (at += IPV6_HEADER; next != proto; at += (head[at + 1] + 1) * 8u) {
		if ((next != IPPROTO_HOPOPTS && next != IPPROTO_ROUTING &&
		     next != IPPROTO_DSTOPTS) || at + 2 > len)
			return 0;
		next = head[at];
	}
	return at;
}

/*
 * Whether a packet of @proto is what was said of it: IPv4 or IPv6 by its type and
 * by its version, whole, its header at @l4. Returns the offset of its IP header, or 0
 */
static size_t packet_at(const uint8_t *head, size_t len, bool ip6,
			uint8_t proto, size_t l4)
{
	size_t at = NETFRAME_ETH;
	uint16_t type;

	if (len < NETFRAME_ETH + NETFRAME_TAG)
		return 0;
	type = get16(head + NETFRAME_MACS);
	if (type == TYPE_TAG) {
		at += NETFRAME_TAG;
		type = get16(head + at - 2);
	}
	if (type != (ip6 ? TYPE_IPV6 : TYPE_IPV4) ||
	    at + (ip6 ? IPV6_HEADER : IPV4_HEADER) > len ||
	    head[at] >> 4 != (ip6 ? 6 : 4))
		return 0;
	if (ip6)
		return l4 && ip6_l4(head, len, at, proto) == l4 ? at : 0;
	if ((head[at] & 0xf) * 4u < IPV4_HEADER ||
	    l4 != at + (head[at] & 0xf) * 4u || head[at + 9] != proto ||
	    get16(head + at + 6) & IPV4_MORE_OR_OFFSET)
		return 0;
	return at;
}

static void put_csum(struct netframe_header *vh, bool udp, unsigned int l4)
{
	vh->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	vh->csum_start = l4;
	vh->csum_offset = udp ? UDP_CSUM : TCP_CSUM;
}

bool netframe_offload_csum(struct netframe_header *vh, const uint8_t *head,
			   size_t head_len, size_t frame_len, bool ip6,
			   bool udp, unsigned int l4)
{
	if (l4 + (udp ? UDP_HEADER : TCP_HEADER) > frame_len ||
	    !packet_at(head, head_len, ip6, udp ? IPPROTO_UDP : IPPROTO_TCP,
		       l4))
		return false;
	put_csum(vh, udp, l4);
	return true;
}

size_t netframe_offload_lso(struct netframe_header *vh, uint8_t *head,
			    size_t head_len, size_t frame_len, bool ip6,
			    unsigned int l4, unsigned int mss)
{
	size_t l3, bytes, tcp_bytes;
	uint8_t *ip, *tcp;
	uint64_t sum;
	uint16_t v;

	if (l4 + TCP_HEADER > head_len || head_len > frame_len || !mss)
		return 0;
	l3 = packet_at(head, head_len, ip6, IPPROTO_TCP, l4);
	if (!l3)
		return 0;
	ip = head + l3;
	tcp = head + l4;
	bytes = l4 + (tcp[TCP_DOFF] >> 4) * 4u;
	if (bytes < l4 + TCP_HEADER || bytes > head_len || bytes >= frame_len ||
	    frame_len - l3 > UINT16_MAX + (ip6 ? IPV6_HEADER : 0))
		return 0;
	tcp_bytes = frame_len - l4;
	if (ip6) {
		put16(ip + 4, frame_len - l3 - IPV6_HEADER);
		sum = netframe_sum(0, ip + 8, 32);
	} else {
		put16(ip + 2, frame_len - l3);
		memset(ip + 10, 0, 2);
		v = ~netframe_fold(netframe_sum(0, ip, l4 - l3));
		memcpy(ip + 10, &v, 2);
		sum = netframe_sum(0, ip + 12, 8);
	}
	/* The pseudo header's, with the length of it all: whoever cuts the frame
	 * subtracts that again
	 */
	sum += htons(IPPROTO_TCP) + (uint64_t)htonl(tcp_bytes);
	v = netframe_fold(sum);
	memcpy(tcp + TCP_CSUM, &v, 2);

	put_csum(vh, false, l4);
	vh->gso_type = ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
			     VIRTIO_NET_HDR_GSO_TCPV4;
	if (tcp[TCP_FLAGS] & TCP_CWR)
		vh->gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	vh->gso_size = mss > UINT16_MAX ? UINT16_MAX : mss;
	vh->hdr_len = bytes;
	return bytes;
}
