// SPDX-License-Identifier: GPL-2.0-only
/*
 * Headers, checksums and hashes of frames.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/rndis.h>

#include "../host/netframe.h"
#include "../host/toeplitz.h"
#include "tap.h"

/* What the specification of receive side scaling verifies it with */
static const uint8_t key[TOEPLITZ_KEY] = {
	0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
	0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
	0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
	0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static const struct {
	const char *from, *to;
	uint16_t sport, dport;
	uint32_t with_ports, without;
} vectors[] = {
	{ "66.9.149.187", "161.142.100.80", 2794, 1766,
	  0x51ccc178, 0x323e8fc2 },
	{ "199.92.111.2", "65.69.140.83", 14230, 4739,
	  0xc626b0ea, 0xd718262a },
	{ "24.19.198.95", "12.22.207.184", 12898, 38024,
	  0x5c2b394a, 0xd2d0a5de },
	{ "38.27.205.30", "209.142.163.6", 48228, 2217,
	  0xafc7327f, 0x82989176 },
	{ "153.39.163.191", "202.188.127.2", 44251, 1303,
	  0x10e828a2, 0x5d1809c5 },
	{ "3ffe:2501:200:1fff::7", "3ffe:2501:200:3::1", 2794, 1766,
	  0x40207d3d, 0x2cc18cd5 },
	{ "3ffe:501:8::260:97ff:fe40:efab", "ff02::1", 14230, 4739,
	  0xdde51bbf, 0x0f0c461c },
	{ "3ffe:1900:4545:3:200:f8ff:fe21:67cf",
	  "fe80::200:f8ff:fe21:67cf", 44251, 38024,
	  0x02d1feef, 0x4b61e985 },
};

#define ALL_HASHES (NDIS_HASH_IPV4 | NDIS_HASH_TCP_IPV4 | NDIS_HASH_IPV6 | \
		    NDIS_HASH_TCP_IPV6)

/* A frame of zeroes behind its headers; bytes of these */
static size_t make(uint8_t *f, size_t len, bool ip6, uint8_t proto, bool tagged,
		   const char *from, const char *to, uint16_t sport,
		   uint16_t dport)
{
	size_t at = NETFRAME_MACS;

	memset(f, 0, len);
	memset(f, 2, 12);
	if (tagged) {
		f[at] = 0x81;
		f[at + 2] = 0x60;
		f[at + 3] = 7;
		at += 4;
	}
	f[at++] = ip6 ? 0x86 : 0x08;
	f[at++] = ip6 ? 0xdd : 0x00;
	if (ip6) {
		f[at] = 0x60;
		f[at + 4] = (len - at - 40) >> 8;
		f[at + 5] = len - at - 40;
		f[at + 6] = proto;
		f[at + 7] = 64;
		inet_pton(AF_INET6, from, f + at + 8);
		inet_pton(AF_INET6, to, f + at + 24);
		at += 40;
	} else {
		f[at] = 0x45;
		f[at + 2] = (len - at) >> 8;
		f[at + 3] = len - at;
		f[at + 8] = 64;
		f[at + 9] = proto;
		inet_pton(AF_INET, from, f + at + 12);
		inet_pton(AF_INET, to, f + at + 16);
		at += 20;
	}
	f[at] = sport >> 8;
	f[at + 1] = sport;
	f[at + 2] = dport >> 8;
	f[at + 3] = dport;
	if (proto == IPPROTO_TCP) {
		f[at + 12] = 5 << 4;
		return at + 20;
	}
	return at + 8;
}

static void test_toeplitz(void)
{
	struct toeplitz *t = malloc(sizeof(*t));
	uint8_t f[128], tuple[NETFRAME_TUPLE_MAX];
	struct netframe nf;
	unsigned int i, n;

	toeplitz_init(t, key);
	for (i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		bool ip6 = strchr(vectors[i].from, ':');

		make(f, sizeof(f), ip6, IPPROTO_TCP, i & 1, vectors[i].from,
		     vectors[i].to, vectors[i].sport, vectors[i].dport);
		netframe_parse(f, sizeof(f), &nf);
		n = netframe_tuple(f, &nf, ALL_HASHES, tuple);
		CHECK(n == (ip6 ? 36 : 12), "tuple %u: %u", i, n);
		CHECK(toeplitz_hash(t, tuple, n) == vectors[i].with_ports,
		      "vector %u with ports", i);
		/* UDP without its own sort of hash: addresses alone */
		make(f, sizeof(f), ip6, IPPROTO_UDP, false, vectors[i].from,
		     vectors[i].to, vectors[i].sport, vectors[i].dport);
		netframe_parse(f, sizeof(f), &nf);
		n = netframe_tuple(f, &nf, ALL_HASHES, tuple);
		CHECK(toeplitz_hash(t, tuple, n) == vectors[i].without,
		      "vector %u without ports", i);
		n = netframe_tuple(f, &nf, NDIS_HASH_UDP_IPV4 |
				   NDIS_HASH_UDP_IPV6, tuple);
		CHECK(n && toeplitz_hash(t, tuple, n) == vectors[i].with_ports,
		      "vector %u, UDP", i);
		CHECK(!netframe_tuple(f, &nf, 0, tuple), "none wanted");
	}
	free(t);
}

static void test_parse(void)
{
	uint8_t f[128];
	struct netframe nf;
	size_t len;

	make(f, sizeof(f), false, IPPROTO_TCP, true, "1.2.3.4", "5.6.7.8", 1,
	     2);
	netframe_parse(f, sizeof(f), &nf);
	CHECK(nf.ip == 4 && nf.proto == IPPROTO_TCP && nf.tagged &&
	      nf.l3 == 18 && nf.l4 == 38, "tagged");
	/* cut anywhere: nothing is looked at that is not there */
	for (len = 0; len < 58; len++) {
		uint8_t *exact = malloc(len ? len : 1);

		memcpy(exact, f, len);
		netframe_parse(exact, len, &nf);
		free(exact);
		CHECK(!nf.l4, "%zu bytes have a TCP header", len);
	}
	f[18 + 6] = 0x20;	/* more fragments */
	netframe_parse(f, sizeof(f), &nf);
	CHECK(nf.ip == 4 && !nf.l4, "first fragment");
	f[18 + 6] = 0;
	f[18 + 7] = 1;		/* a later one */
	netframe_parse(f, sizeof(f), &nf);
	CHECK(nf.ip == 4 && !nf.l4, "later fragment");
	f[18 + 7] = 0;
	f[18] = 0x44;
	netframe_parse(f, sizeof(f), &nf);
	CHECK(!nf.ip, "header of 16 bytes");
	f[18] = 0x4f;
	netframe_parse(f, sizeof(f), &nf);
	CHECK(nf.l4 == 18 + 60, "options");
	f[18] = 0x65;
	netframe_parse(f, sizeof(f), &nf);
	CHECK(!nf.ip, "version 6 in an IPv4 frame");
}

/* As slow as can be */
static uint16_t plain_sum(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;
	size_t i;

	for (i = 0; i < len; i++)
		sum += i & 1 ? p[i] : p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* In two pieces, if it is long */
static bool fill(uint8_t *f, size_t len, unsigned int start,
		 unsigned int offset)
{
	size_t first = len > 1000 ? 1000 : len;
	const struct iovec iov[2] = { { f, first }, { f + first, len - first } };

	return netframe_fill(iov, len, start, offset);
}

static void test_sum(void)
{
	uint8_t bytes[2048], f[64];
	size_t len, i;
	uint16_t sum;

	srand(1);
	for (len = 0; len < sizeof(bytes); len += 1 + len / 16) {
		for (i = 0; i < len; i++)
			bytes[i] = len & 2 ? 0xff : rand();
		sum = netframe_fold(netframe_sum(0, bytes, len));
		CHECK(ntohs(sum) == plain_sum(bytes, len), "%zu bytes", len);
	}
	/* in pieces, as the pseudo header and the rest */
	sum = netframe_fold(netframe_sum(netframe_sum(0, bytes, 18),
					 bytes + 18, 100));
	CHECK(ntohs(sum) == plain_sum(bytes, 118), "two pieces");

	memset(f, 0, sizeof(f));
	CHECK(fill(f, sizeof(f), 34, 6) && f[40] == 0xff &&
	      f[41] == 0xff, "a sum of 0 is not sent as 0");
	CHECK(!fill(f, sizeof(f), 65, 0), "start outside");
	CHECK(!fill(f, sizeof(f), 60, 3), "field outside");
	CHECK(!fill(f, sizeof(f), 34, ~0u), "offset wraps");
	CHECK(fill(f, sizeof(f), 60, 2), "the last two bytes");
	CHECK(!fill(bytes, sizeof(bytes), 990, 9), "field in the second piece");
}

/* Whether the host takes it; the frame's first @copy bytes are on the heap */
static bool csum(const uint8_t *f, size_t copy, size_t len, bool ip6, bool udp,
		 unsigned int l4)
{
	struct netframe_header vh = { 0 };
	uint8_t *exact = malloc(copy);
	bool ret;

	memcpy(exact, f, copy);
	ret = netframe_offload_csum(&vh, exact, copy, len, ip6, udp, l4);
	free(exact);
	if (ret)
		return vh.flags == VIRTIO_NET_HDR_F_NEEDS_CSUM &&
		       vh.csum_start == l4 && vh.csum_offset == (udp ? 6 : 16);
	/* and says nothing of one that it does not take */
	return vh.flags || vh.csum_start;
}

static void test_csum_offload(void)
{
	static const char *const addr[2][2] = {
		{ "10.0.0.1", "10.0.0.2" }, { "fd00::1", "fd00::2" },
	};
	uint8_t f[200];
	unsigned int i;

	for (i = 0; i < 8; i++) {
		bool ip6 = i & 1, udp = i & 2, tagged = i & 4;
		unsigned int l3 = tagged ? 18 : 14, l4 = l3 + (ip6 ? 40 : 20);
		uint8_t proto = udp ? IPPROTO_UDP : IPPROTO_TCP;
		size_t end = l4 + (udp ? 8 : 20);

		make(f, sizeof(f), ip6, proto, tagged, addr[ip6][0],
		     addr[ip6][1], 1, 2);
		CHECK(csum(f, l4, sizeof(f), ip6, udp, l4), "right: %u", i);
		CHECK(csum(f, l4, end, ip6, udp, l4), "no data: %u", i);
		CHECK(!csum(f, l4, end - 1, ip6, udp, l4), "outside: %u", i);
		CHECK(!csum(f, l4, sizeof(f), ip6, !udp, l4), "other: %u", i);
		CHECK(!csum(f, l4, sizeof(f), !ip6, udp, l4), "IP: %u", i);
		CHECK(!csum(f, 1, sizeof(f), ip6, udp, 0), "none given");
		CHECK(!csum(f, l4 - 8, sizeof(f), ip6, udp, l4 - 8), "before");
		CHECK(!csum(f, l4 + 8, sizeof(f), ip6, udp, l4 + 8), "behind");
		/* its type says one version, it says the other */
		f[l3] ^= 0x20;
		CHECK(!csum(f, l4, sizeof(f), ip6, udp, l4), "version: %u", i);
		f[l3] ^= 0x20;
		if (ip6)
			continue;
		f[l3 + 6] = 0x20;
		CHECK(!csum(f, l4, sizeof(f), ip6, udp, l4), "fragment: %u", i);
		f[l3 + 6] = 0;
		f[l3] = 0x46;
		CHECK(!csum(f, l4, sizeof(f), ip6, udp, l4), "options: %u", i);
		CHECK(csum(f, l4 + 4, sizeof(f), ip6, udp, l4 + 4),
		      "behind the options: %u", i);
	}
	/* extension headers: two, then TCP; or one that says no end */
	make(f, sizeof(f), true, IPPROTO_HOPOPTS, false, addr[1][0], addr[1][1],
	     1, 2);
	f[54] = IPPROTO_DSTOPTS;
	f[55] = 0;
	f[62] = IPPROTO_TCP;
	f[63] = 1;
	CHECK(csum(f, 78, sizeof(f), true, false, 78), "extension headers");
	CHECK(!csum(f, 62, sizeof(f), true, false, 62), "in them");
	f[62] = 44;
	CHECK(!csum(f, 78, sizeof(f), true, false, 78), "fragment");
	f[62] = IPPROTO_DSTOPTS;
	f[63] = 255;
	CHECK(!csum(f, 78, sizeof(f), true, false, 78), "without end");
}

/*
 * A large send whose headers are put in: each segment that is then cut must have
 * right sums, which they have if the whole has
 */
static void test_lso(void)
{
	static const size_t lens[] = { 1515, 4000, 65535 };
	struct netframe_header vh;
	unsigned int i, ip6, tagged;
	uint8_t *f = calloc(1, 65536 + 64);

	for (i = 0; i < 12; i++) {
		size_t len = lens[i % 3], l4, l3, head;
		uint16_t sum;

		ip6 = i / 3 & 1;
		tagged = i / 6;
		head = make(f, len, ip6, IPPROTO_TCP, tagged,
			    ip6 ? "fd00::1" : "10.0.0.1",
			    ip6 ? "fd00::2" : "10.9.8.7", 5001, 80);
		l4 = head - 20;
		l3 = tagged ? 18 : 14;
		memset(f + head, 0xa5, len - head);
		/* as senders leave it: no lengths, no IPv4 checksum */
		memset(f + l3 + (ip6 ? 4 : 2), 0, 2);
		f[l4 + 16] = 0x12;
		memset(&vh, 0, sizeof(vh));
		CHECK(netframe_offload_lso(&vh, f, NETFRAME_HEAD, len, ip6, l4,
					   1448) == head, "headers");
		CHECK(vh.gso_type == (ip6 ? VIRTIO_NET_HDR_GSO_TCPV6 :
					    VIRTIO_NET_HDR_GSO_TCPV4) &&
		      vh.gso_size == 1448 && vh.hdr_len == head &&
		      vh.csum_start == l4 && vh.csum_offset == 16, "header");
		if (ip6) {
			CHECK((f[l3 + 4] << 8 | f[l3 + 5]) ==
			      (int)(len - l3 - 40), "payload length");
		} else {
			CHECK((f[l3 + 2] << 8 | f[l3 + 3]) == (int)(len - l3),
			      "total length");
			CHECK(plain_sum(f + l3, 20) == 0xffff, "IPv4 checksum");
		}
		/* the whole as one segment */
		CHECK(fill(f, len, l4, 16), "fill");
		sum = plain_sum(f + l4, len - l4);
		sum = netframe_fold((uint64_t)sum + (len - l4) + IPPROTO_TCP +
				    plain_sum(f + l3 + (ip6 ? 8 : 12),
					      ip6 ? 32 : 8));
		CHECK(sum == 0xffff, "TCP checksum of %zu, IPv%c", len,
		      ip6 ? '6' : '4');
	}

	make(f, 4000, false, IPPROTO_TCP, false, "10.0.0.1", "10.0.0.2", 1, 2);
	f[34 + 13] = 0x80;
	memset(&vh, 0, sizeof(vh));
	CHECK(netframe_offload_lso(&vh, f, 192, 4000, false, 34, 1000) == 54 &&
	      vh.gso_type & VIRTIO_NET_HDR_GSO_ECN, "CWR");
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, true, 34, 1000),
	      "IPv4 said to be IPv6");
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 34, 0), "MSS 0");
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 35, 1000),
	      "not behind the IP header");
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 0, 1000),
	      "no offset");
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 1023, 1000),
	      "far away");
	CHECK(!netframe_offload_lso(&vh, f, 54, 54, false, 34, 1000),
	      "nothing to cut");
	f[14] = 0x65;
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 34, 1000),
	      "version 6 in a packet of type IPv4");
	f[14] = 0x45;
	f[14 + 9] = IPPROTO_UDP;
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 34, 1000), "UDP");
	f[14 + 9] = IPPROTO_TCP;
	f[14 + 7] = 1;
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 34, 1000),
	      "fragment");
	f[14 + 7] = 0;
	f[34 + 12] = 0xf0;
	CHECK(!netframe_offload_lso(&vh, f, 60, 4000, false, 34, 1000),
	      "options outside of the copy");
	f[34 + 12] = 0x40;
	CHECK(!netframe_offload_lso(&vh, f, 192, 4000, false, 34, 1000),
	      "TCP header of 16 bytes");
	free(f);
}

int main(void)
{
	tap_test("the published receive hashes, IPv4 and IPv6", test_toeplitz);
	tap_test("headers are found, and only whole ones", test_parse);
	tap_test("checksums", test_sum);
	tap_test("offsets of checksums to be put in", test_csum_offload);
	tap_test("large sends get their lengths and sums", test_lso);
	return tap_done();
}
