// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference host's network card, as strict as the protocols and no more; what
 * hosts in the field do otherwise is in test_host_netvsp_like.c.
 */
#include "fake_netvsp.h"
#include "tap.h"

/* --- tests: negotiation ------------------------------------------------------------- */

static void test_versions(void)
{
	static const uint32_t good[] = {
		NVSP_VERSION_61, NVSP_VERSION_6, NVSP_VERSION_5, NVSP_VERSION_4,
		NVSP_VERSION_2, NVSP_VERSION_1,
	};
	static const char *const names[] = { "6.1", "6", "5", "4", "2", "1" };
	char card[64];
	unsigned int i, v;

	for (v = 0; v < 6; v++) {
		snprintf(card, sizeof(card), CARD ",max-version=%s", names[v]);
		begin(card);
		for (i = 0; i < v; i++) {
			step(0, good[i]);
			CHECK(chan.last.init_complete.status ==
			      NVSP_STATUS_TOO_NEW, "%s takes 0x%x", names[v],
			      good[i]);
		}
		step(0, 0x00050003);
		CHECK(chan.last.init_complete.status != NVSP_STATUS_SUCCESS,
		      "an unknown one");
		step(0, good[v]);
		CHECK(chan.last.init_complete.status == NVSP_STATUS_SUCCESS &&
		      chan.len == (v ? 28 : 40), "0x%x", good[v]);
		for (i = 1; i < 5; i++) {
			if (i != 1 || v != 5)
				step(i, 0);
			CHECK(!chan.errored, "step %u: %s", i, chan.why);
		}
		CHECK(chan.last.type == NVSP_SEND_SEND_BUFFER_COMPLETE &&
		      chan.len == (v ? 28 : 40), "send buffer");
		rndis_up();
		CHECK(chan.pages == 1 &&
		      word(last_answer()) == 0x80000002 &&
		      !word(last_answer() + 12), "RNDIS is up");
		CHECK(chan.page[0].len - chan.page[0].head == (v ? 28 : 40),
		      "size of the message");
		end();
	}
}

static void test_order(void)
{
	unsigned int at, i;

	for (at = 0; at < 5; at++) {
		for (i = 0; i < 5; i++) {
			unsigned int k;

			if (i == at)
				continue;
			begin(CARD);
			for (k = 0; k < at; k++)
				step(k, NVSP_VERSION_61);
			CHECK(!chan.errored, "before");
			step(i, NVSP_VERSION_61);
			CHECK(chan.errored, "%u instead of %u", i, at);
			end();
		}
	}
}

static void test_malformed(void)
{
	struct nvsp_message m = { 0 };
	struct iovec iov;
	unsigned int i;
	uint8_t bytes[4200] = { 0 };

	for (i = 0; i < 16; i++) {
		struct rndis_header h = { RNDIS_TYPE_KEEPALIVE, 12 };
		bool bad = true;

		up(CARD, NVSP_VERSION_61, FILTER);
		memset(&m, 0, sizeof(m));
		iov = (struct iovec){ bytes, 12 };
		switch (i) {
		case 0:
			m.type = 99;
			nvsp(&m, true);
			break;
		case 1:	/* too short for 6.1 */
			m.type = NVSP_SUBCHANNEL;
			post(&chan, PACKET_INBAND, &m, 28, NULL, 0, true);
			break;
		case 2:
			post(&chan, PACKET_INBAND, &m, 8, NULL, 0, true);
			break;
		case 3:
			m.type = NVSP_SUBCHANNEL;
			m.subchannel.op = 2;
			nvsp(&m, true);
			break;
		case 4:
			m.type = NVSP_SUBCHANNEL;
			m.subchannel.op = 1;
			nvsp(&m, false);
			break;
		case 5:
			m.type = NVSP_SWITCH_DATA_PATH;
			m.data_path.active = NVSP_PATH_VF;
			nvsp(&m, true);
			break;
		case 6:	/* no completion */
			m.type = NVSP_SEND_RNDIS_PACKET;
			m.rndis.section = NVSP_NO_SECTION;
			post(&chan, PACKET_GPA_DIRECT, &m, 40, &iov, 1, false);
			break;
		case 7:
			h.len = 13;
			break;
		case 8:
			h.len = 7;
			break;
		case 9:
			h.type = 55;
			break;
		case 10:
			h.type = RNDIS_TYPE_INITIALIZE;
			break;
		case 11:
			rndis(&chan, 2, &iov, 1, NVSP_NO_SECTION, 0);
			break;
		case 12:
			rndis(&chan, NVSP_CHANNEL_CONTROL, NULL, 0,
			      SEND_BYTES / NETVSP_SECTION, 12);
			break;
		case 13:
			rndis(&chan, NVSP_CHANNEL_CONTROL, NULL, 0, 0,
			      NETVSP_SECTION + 1);
			break;
		case 14:
			iov.iov_len = sizeof(bytes);
			break;
		case 15:
			bad = false;
			break;
		}
		if (i >= 7 && i != 11 && i != 12 && i != 13) {
			memcpy(bytes, &h, sizeof(h));
			rndis(&chan, NVSP_CHANNEL_CONTROL, &iov, 1,
			      NVSP_NO_SECTION, 0);
		}
		CHECK(chan.errored == bad, "case %u: %s", i, chan.why);
		end();
	}
}

static void test_halt_and_revoke(void)
{
	struct rndis_header h = { RNDIS_TYPE_HALT, 12 };
	struct nvsp_message m = { .type = NVSP_REVOKE_RECEIVE_BUFFER };
	uint8_t bytes[12] = { 0 };
	struct iovec iov = { bytes, 12 };

	up(CARD, NVSP_VERSION_61, FILTER);
	memcpy(bytes, &h, 8);
	rndis(&chan, NVSP_CHANNEL_CONTROL, &iov, 1, NVSP_NO_SECTION, 0);
	CHECK(!chan.errored && !n->filter, "HALT");
	back.frames = 1;
	back.frame_len = 60;
	memset(back.frame, 0xff, 60);
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	CHECK(!chan.pages && n->stats.rx_discarded == 1, "no more frames");
	nvsp(&m, false);
	CHECK(!chan.errored && !n->receive.map && !n->slots, "revoked");
	nvsp(&m, false);
	CHECK(chan.errored, "revoked twice");
	end();
	up(CARD, NVSP_VERSION_61, FILTER);
	rndis(&chan, NVSP_CHANNEL_CONTROL, &iov, 1, NVSP_NO_SECTION, 0);
	rndis_up();
	CHECK(chan.errored, "INITIALIZE after HALT");
	end();
}

/* --- tests: objects -------------------------------------------------------------------- */

static void test_objects(void)
{
	uint32_t v = 0x10000;
	uint8_t macs[12] = { 1, 0, 0x5e, 0, 0, 1, 0x33, 0x33, 0, 0, 0, 1 };
	struct {
		struct rndis_config_parameter p;
		char text[52];
	} mac = { { 20, 28, RNDIS_CONFIG_STRING, 48, 24 }, { 0 } };
	static const char text[] = "NetworkAddress0200000000aF";
	unsigned int i;

	up(CARD, NVSP_VERSION_61, FILTER);
	CHECK(request(RNDIS_TYPE_QUERY, 0x12345678, NULL, 0) ==
	      NDIS_STATUS_INVALID_OID, "unknown");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_MAXIMUM_FRAME_SIZE, NULL, 0) &&
	      word(last_answer() + 16) == 4 && word(last_answer() + 20) == 16 &&
	      word(last_answer() + 24) == 1500, "frame size");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_802_3_PERMANENT_ADDRESS, NULL, 0) &&
	      word(last_answer() + 16) == 6 &&
	      !memcmp(last_answer() + 24, "\x02\0\0\0\0\1", 6), "address");
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &v, 4) ==
	      NDIS_STATUS_NOT_SUPPORTED, "unknown filter");
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &v, 3) ==
	      NDIS_STATUS_INVALID_LENGTH, "short filter");
	CHECK(!request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, macs, 12) &&
	      n->multicasts == 2, "multicast list");
	CHECK(request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, macs, 11) ==
	      NDIS_STATUS_INVALID_LENGTH, "odd list");
	for (i = 0; i < 26; i++)
		mac.text[2 * i] = text[i];
	CHECK(!request(RNDIS_TYPE_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, &mac,
		       sizeof(mac)) &&
	      !memcmp(n->address, "\x02\0\0\0\0\xaf", 6), "MAC change");
	mac.p.value_offset = 60;
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, &mac,
		      sizeof(mac)) == NDIS_STATUS_INVALID_DATA, "outside");
	mac.p.value_offset = 48;
	mac.text[30] = 'x';
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_RNDIS_CONFIG_PARAMETER, &mac,
		      sizeof(mac)) == NDIS_STATUS_INVALID_DATA, "no digit");
	CHECK(!chan.errored, "%s", chan.why);
	end();
}

static void test_answers_wait(void)
{
	unsigned int i, slots;

	up(CARD ",slot=64K", NVSP_VERSION_61, FILTER);
	CHECK(chan.errored, "a buffer of four slots is too small");
	end();
	up(CARD ",slot=32K", NVSP_VERSION_61, FILTER);
	slots = n->slots_free;
	for (i = 0; i < slots + 10; i++)
		request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	CHECK(chan.pages == slots && n->answer_count == 10 && !chan.errored,
	      "they wait");
	give_back(&chan);
	CHECK(!n->answer_count && n->stats.control == slots + 12,
	      "in slots given back");
	end();
	up(CARD ",slot=32K", NVSP_VERSION_61, FILTER);
	for (i = 0; i < slots + NETVSP_MAX_ANSWERS; i++)
		request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	CHECK(!chan.errored, "not too many yet");
	request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	CHECK(chan.errored, "not without end");
	end();
}

/* --- tests: from the guest ---------------------------------------------------------------- */

static void test_tx(void)
{
	uint8_t a[8192];
	struct iovec iov[2];
	size_t len, one;

	up(CARD, NVSP_VERSION_61, FILTER);
	all_offloads();
	/* one range, then header and data apart */
	len = make_packet(a, 100, NDIS_INFO_8021Q, 3 | 42 << 4);
	iov[0] = (struct iovec){ a, len };
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 1, NVSP_NO_SECTION, 0);
	CHECK(back.sends == 1 && back.sent_len == 104 &&
	      !memcmp(back.sent, a + 60, 12) &&
	      !memcmp(back.sent + 12, "\x81\0\x60\x2a", 4) &&
	      !memcmp(back.sent + 16, a + 72, 88), "tag is put in");
	CHECK(chan.trans_id == 77 && chan.len == 8 &&
	      chan.last.rndis_complete.status == NVSP_STATUS_SUCCESS, "done");
	make_packet(a, 100, NDIS_INFO_CHECKSUM,
		    NDIS_TXCSUM_IPV4 | NDIS_TXCSUM_UDP | 34 << 16);
	iov[0].iov_len = 61;
	iov[1] = (struct iovec){ a + 61, len - 61 };
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 2, NVSP_NO_SECTION, 0);
	CHECK(back.sends == 2 && back.sent_len == 100 &&
	      !memcmp(back.sent, a + 60, 100) &&
	      back.sent_header.csum_start == 34 &&
	      back.sent_header.csum_offset == 6, "checksum, two ranges");
	/* three in a section, the last one's data elsewhere */
	one = make_packet(send_buffer, 60, 99, 0);
	make_packet(send_buffer + one, 60, 99, 0);
	make_packet(a, 1000, 99, 0);
	memcpy(send_buffer + 2 * one, a, 60);
	iov[0] = (struct iovec){ a + 60, 1000 };
	CHECK(one % 8 == 0, "test");
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 1, 0, 2 * one + 60);
	CHECK(back.sends == 5 && back.sent_len == 1000 &&
	      !memcmp(back.sent, a + 60, 1000) && !chan.errored,
	      "section and ranges: %s", chan.why);
	/* what is refused, and disconnects nobody */
	len = make_packet(a, 2000, 99, 0);
	iov[0] = (struct iovec){ a, len };
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 1, NVSP_NO_SECTION, 0);
	CHECK(back.sends == 5 && chan.last.rndis_complete.status ==
	      NVSP_STATUS_FAILURE, "larger than the MTU");
	len = make_packet(a, 100, NDIS_INFO_CHECKSUM,
			  NDIS_TXCSUM_IPV4 | NDIS_TXCSUM_TCP | 99 << 16);
	iov[0].iov_len = len;
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 1, NVSP_NO_SECTION, 0);
	CHECK(back.sends == 5 && !chan.errored, "header outside");
	CHECK(n->stats.tx_refused == 2, "refused");
	command("net-link n0 down");
	make_packet(a, 100, 99, 0);
	rndis(&chan, NVSP_CHANNEL_DATA, iov, 1, NVSP_NO_SECTION, 0);
	CHECK(back.sends == 5 && n->stats.tx_dropped == 1, "no cable");
	end();
}

/* What a frame of TCP or UDP asks for, and what is odd about it */
struct offload {
	const char *what;
	bool good;
	uint32_t type, value;
	bool ip6;
	uint8_t proto;
	size_t len;
	unsigned int at;
	uint8_t byte;
	const char *options;	/* of the card */
	size_t denied;		/* in struct ndis_offload_parameters */
	uint8_t instead;
};

#define DENIED(field, value) \
	.denied = offsetof(struct ndis_offload_parameters, field), \
	.instead = (value)
#define CSUM4(kind, l4) .type = NDIS_INFO_CHECKSUM, \
	.value = NDIS_TXCSUM_IPV4 | NDIS_TXCSUM_##kind | (l4) << 16
#define CSUM6(kind, l4) .type = NDIS_INFO_CHECKSUM, .ip6 = true, \
	.value = NDIS_TXCSUM_IPV6 | NDIS_TXCSUM_##kind | (l4) << 16
#define LSO4(mss, l4) .type = NDIS_INFO_LSO, \
	.value = NDIS_LSO_V2 | (l4) << 20 | (mss)
#define LSO6(mss, l4) .type = NDIS_INFO_LSO, .ip6 = true, \
	.value = NDIS_LSO_V2 | NDIS_LSO_IPV6 | (l4) << 20 | (mss)

static const struct offload offload_cases[] = {
	{ "TCP4", true, CSUM4(TCP, 34), .proto = 6 },
	{ "UDP4", true, CSUM4(UDP, 34), .proto = 17 },
	{ "TCP6", true, CSUM6(TCP, 54), .proto = 6 },
	{ "UDP6", true, CSUM6(UDP, 54), .proto = 17 },
	{ "nothing", true, .type = NDIS_INFO_CHECKSUM, .value = NDIS_TXCSUM_IPV4,
	  .proto = 6 },
	{ "no offset", false, CSUM4(TCP, 0), .proto = 6 },
	{ "offset 33", false, CSUM4(TCP, 33), .proto = 6 },
	{ "offset of IPv6", false, CSUM4(UDP, 54), .proto = 17 },
	{ "offset of IPv4", false, CSUM6(TCP, 34), .proto = 6 },
	{ "offset outside", false, CSUM4(TCP, 1023), .proto = 6 },
	{ "TCP header cut off", false, CSUM4(TCP, 34), .proto = 6, .len = 53 },
	{ "UDP header cut off", false, CSUM6(UDP, 54), .proto = 17, .len = 61 },
	{ "TCP said, UDP sent", false, CSUM4(TCP, 34), .proto = 17 },
	{ "UDP said, TCP sent", false, CSUM6(UDP, 54), .proto = 6 },
	{ "both said", false, CSUM4(TCP | NDIS_TXCSUM_UDP, 34), .proto = 6 },
	{ "both versions said", false, CSUM4(TCP | NDIS_TXCSUM_IPV6, 34),
	  .proto = 6 },
	{ "no version said", false, .type = NDIS_INFO_CHECKSUM,
	  .value = NDIS_TXCSUM_TCP | 34 << 16, .proto = 6 },
	{ "IPv4 said, IPv6 sent", false, .type = NDIS_INFO_CHECKSUM,
	  .value = NDIS_TXCSUM_IPV4 | NDIS_TXCSUM_TCP | 54 << 16, .ip6 = true,
	  .proto = 6 },
	{ "IPv6 said, IPv4 sent", false, .type = NDIS_INFO_CHECKSUM,
	  .value = NDIS_TXCSUM_IPV6 | NDIS_TXCSUM_TCP | 34 << 16, .proto = 6 },
	{ "version 6 inside", false, CSUM4(TCP, 34), .proto = 6, .at = 14,
	  .byte = 0x65 },
	{ "IP checksum", false, CSUM4(TCP | NDIS_TXCSUM_IP_HEADER, 34),
	  .proto = 6 },
	{ "fragment", false, CSUM4(UDP, 34), .proto = 17, .at = 14 + 7,
	  .byte = 1 },
	{ "TCP4 not granted", false, CSUM4(TCP, 34), .proto = 6, DENIED(tcp4_csum, 1) },
	{ "UDP4 not granted", false, CSUM4(UDP, 34), .proto = 17, DENIED(udp4_csum, 3) },
	{ "TCP6 not granted", false, CSUM6(TCP, 54), .proto = 6, DENIED(tcp6_csum, 3) },
	{ "UDP6 not granted", false, CSUM6(UDP, 54), .proto = 17, DENIED(udp6_csum, 1) },
	{ "checksums not offered", false, CSUM4(TCP, 34), .proto = 6,
	  .options = ",csum=off" },
	{ "LSO4", true, LSO4(1000, 34), .proto = 6, .len = 4000 },
	{ "LSO6", true, LSO6(1000, 54), .proto = 6, .len = 4000 },
	{ "LSO without offset", false, LSO4(1000, 0), .proto = 6, .len = 4000 },
	{ "LSO6 without offset", false, LSO6(1000, 0), .proto = 6, .len = 4000 },
	{ "LSO offset 35", false, LSO4(1000, 35), .proto = 6, .len = 4000 },
	{ "LSO6 offset 74", false, LSO6(1000, 74), .proto = 6, .len = 4000 },
	{ "LSO offset outside", false, LSO4(1000, 1023), .proto = 6, .len = 900 },
	{ "LSO without MSS", false, LSO4(0, 34), .proto = 6, .len = 4000 },
	{ "LSO of version 1", false, .type = NDIS_INFO_LSO,
	  .value = 34 << 20 | 1000, .proto = 6, .len = 4000 },
	{ "LSO4 of IPv6", false, .type = NDIS_INFO_LSO, .ip6 = true,
	  .value = NDIS_LSO_V2 | 54 << 20 | 1000, .proto = 6, .len = 4000 },
	{ "LSO6 of IPv4", false, .type = NDIS_INFO_LSO,
	  .value = NDIS_LSO_V2 | NDIS_LSO_IPV6 | 34 << 20 | 1000, .proto = 6,
	  .len = 4000 },
	{ "LSO, version 6 inside", false, LSO4(1000, 34), .proto = 6, .len = 4000,
	  .at = 14, .byte = 0x65 },
	{ "LSO6, version 4 inside", false, LSO6(1000, 54), .proto = 6,
	  .len = 4000, .at = 14, .byte = 0x40 },
	{ "LSO of UDP", false, LSO4(1000, 34), .proto = 17, .len = 4000 },
	{ "LSO of a fragment", false, LSO4(1000, 34), .proto = 6, .len = 4000,
	  .at = 14 + 6, .byte = 0x20 },
	{ "LSO of headers alone", false, LSO4(1000, 34), .proto = 6, .len = 54 },
	{ "LSO4 not granted", false, LSO4(1000, 34), .proto = 6, .len = 4000,
	  DENIED(lso_v2_ip4, 1) },
	{ "LSO6 not granted", false, LSO6(1000, 54), .proto = 6, .len = 4000,
	  DENIED(lso_v2_ip6, 1) },
	{ "LSO not offered", false, LSO4(1000, 34), .proto = 6, .len = 4000,
	  .options = ",lso=off" },
};

static void one_offload(const struct offload *o)
{
	struct ndis_offload_parameters p = {
		.header.type = NDIS_OBJECT_DEFAULT, .header.size = sizeof(p),
		.ip4_csum = 1, .tcp4_csum = 4, .udp4_csum = 4, .tcp6_csum = 4,
		.udp6_csum = 4, .lso_v2_ip4 = 2, .lso_v2_ip6 = 2, .rsc_ip4 = 1,
		.rsc_ip6 = 1,
	};
	size_t frame_len = o->len ? o->len : 200, len;
	uint8_t *a = calloc(1, 8192), *f = a + 60, *exact;
	struct iovec iov;
	char card[100];

	snprintf(card, sizeof(card), CARD "%s", o->options ? o->options : "");
	up(card, NVSP_VERSION_61, FILTER);
	if (o->denied)
		((uint8_t *)&p)[o->denied] = o->instead;
	request(RNDIS_TYPE_SET, OID_TCP_OFFLOAD_PARAMETERS, &p, sizeof(p));
	give_back(&chan);
	len = make_packet(a, frame_len, o->type, o->value);
	memset(f + 12, 0, frame_len - 12);
	f[12] = o->ip6 ? 0x86 : 0x08;
	f[13] = o->ip6 ? 0xdd : 0;
	f[14] = o->ip6 ? 0x60 : 0x45;
	f[14 + (o->ip6 ? 6 : 9)] = o->proto;
	if (o->proto == 6)
		f[(o->ip6 ? 54 : 34) + 12] = 5 << 4;
	if (o->at)
		f[o->at] = o->byte;
	exact = malloc(len);
	memcpy(exact, a, len);
	iov = (struct iovec){ exact, len };
	rndis(&chan, NVSP_CHANNEL_DATA, &iov, 1, NVSP_NO_SECTION, 0);
	CHECK(back.sends == o->good && n->stats.tx_refused == !o->good &&
	      chan.last.rndis_complete.status ==
	      (o->good ? NVSP_STATUS_SUCCESS : NVSP_STATUS_FAILURE) &&
	      !chan.errored, "%s: %s", o->what, chan.why);
	if (o->good)
		CHECK(n->stats.tx_lso == (o->type == NDIS_INFO_LSO) &&
		      n->stats.tx_csum == (o->type != NDIS_INFO_LSO &&
					   !!back.sent_header.flags),
		      "%s: counted", o->what);
	end();
	free(exact);
	free(a);
}

static void test_tx_offloads(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(offload_cases) / sizeof(offload_cases[0]); i++)
		one_offload(&offload_cases[i]);
}

static void test_tx_malformed(void)
{
	unsigned int i;

	for (i = 0; i < 18; i++) {
		uint8_t *a = malloc(512);
		size_t len = make_packet(a, 100, 99, 0);
		struct iovec iov[2] = { { a, len }, { a, 0 } };
		unsigned int ranges = 1;
		uint32_t *w = (uint32_t *)a;
		bool bad = true;

		up(CARD, NVSP_VERSION_61, FILTER);
		switch (i) {
		case 0:
			w[0] = 3;		/* type */
			break;
		case 1:
			w[1] = len + 1;
			break;
		case 2:
			w[1] = len - 1;
			break;
		case 3:
			w[1] = 43;
			break;
		case 4:
			w[2] = 35;		/* data offset */
			break;
		case 5:
			w[2] = ~0u;
			break;
		case 6:
			w[3] = 101;		/* data length */
			break;
		case 7:
			w[3] = ~0u;
			break;
		case 8:
			w[7] = 35;		/* info offset */
			break;
		case 9:
			w[7] = ~0u;
			break;
		case 10:
			w[8] = ~0u;		/* info length */
			break;
		case 11:
			w[8] = 15;
			break;
		case 12:
			w[11] = 0;		/* size of an info */
			break;
		case 13:
			w[11] = 17;
			break;
		case 14:
			w[13] = 13;		/* its value's offset */
			break;
		case 15:
			w[13] = 0;
			break;
		case 16:			/* info in the second range */
			iov[0].iov_len = 50;
			iov[1] = (struct iovec){ a + 50, len - 50 };
			ranges = 2;
			break;
		case 17:
			bad = false;
			break;
		}
		rndis(&chan, NVSP_CHANNEL_DATA, iov, ranges, NVSP_NO_SECTION,
		      0);
		CHECK(chan.errored == bad && back.sends == !bad,
		      "case %u: %s", i, chan.why);
		end();
		free(a);
	}
}

/* --- tests: to the guest -------------------------------------------------------------------- */

static void test_filters(void)
{
	static const char own[] = "\x02\0\0\0\0\1", other[] = "\x02\0\0\0\0\2",
			  all[] = "\xff\xff\xff\xff\xff\xff",
			  one[] = "\1\0\x5e\0\0\1", two[] = "\1\0\x5e\0\0\2";
	static const struct {
		uint32_t filter;
		unsigned int own, other, all, one, two;
	} cases[] = {
		{ 0, 0, 0, 0, 0, 0 },
		{ NDIS_FILTER_DIRECTED, 1, 0, 0, 0, 0 },
		{ NDIS_FILTER_BROADCAST, 0, 0, 1, 0, 0 },
		{ NDIS_FILTER_MULTICAST, 0, 0, 0, 1, 0 },
		{ NDIS_FILTER_ALL_MULTICAST, 0, 0, 0, 1, 1 },
		{ NDIS_FILTER_PROMISCUOUS, 1, 1, 1, 1, 1 },
	};
	unsigned int i;

	for (i = 0; i < 6; i++) {
		up(CARD, NVSP_VERSION_61, cases[i].filter);
		request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, one, 6);
		give_back(&chan);
		frame(own, 60, 1);
		CHECK(chan.pages == cases[i].own, "own, %u", i);
		frame(other, 60, 1);
		CHECK(chan.pages == cases[i].own + cases[i].other,
		      "another's, %u", i);
		give_back(&chan);
		frame(all, 60, 1);
		CHECK(chan.pages == cases[i].all, "broadcast, %u", i);
		give_back(&chan);
		frame(one, 60, 1);
		CHECK(chan.pages == cases[i].one, "in the list, %u", i);
		give_back(&chan);
		frame(two, 60, 1);
		CHECK(chan.pages == cases[i].two, "not in the list, %u", i);
		end();
	}
}

static void test_backpressure(void)
{
	unsigned int slots, i, frames = 0;

	up(CARD ",slot=16K,batch=4", NVSP_VERSION_61, FILTER);
	slots = n->slots_free;
	frame("\x02\0\0\0\0\1", 60, 60);
	for (i = 0; i < chan.pages; i++)
		frames += word(chan.page[i].bytes + 4);
	CHECK(frames == slots - NETVSP_SPARE_SLOTS && chan.shown &&
	      back.frames == 60 - frames, "the others stay where they are");
	CHECK(!rx_poll(&n->poller), "and nobody turns in circles");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0),
	      "control goes on");
	give_back(&chan);
	rx_poll(&n->poller);
	CHECK(back.frames == 60 - 2 * frames, "then the next");
	give_back(&chan);
	chan.backlog = true;
	CHECK(!rx_poll(&n->poller) && !chan.pages, "the ring is full");
	chan.backlog = false;
	CHECK(rx_poll(&n->poller) && chan.pages, "and is not");
	give_back(&chan);
	CHECK(n->slots_free + n->rx_held_count == slots && !chan.errored,
	      "all are back");
	end();
}

static void test_rx_info(void)
{
	const uint8_t *s;

	up(CARD, NVSP_VERSION_61, FILTER);
	all_offloads();
	CHECK(back.offloads.csum && back.offloads.tso4 && back.offloads.tso6,
	      "offloads");
	/* the checksum is put in, and said to be good */
	frame("\x02\0\0\0\0\1", 60, 0);
	back.frames = 1;
	back.frame[41] = 99;
	back.header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	back.header.csum_start = 34;
	back.header.csum_offset = 6;
	rx_poll(&n->poller);
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	CHECK(chan.pages == 1, "frame");
	s = last_answer();
	CHECK(word(s) == 1 && word(s + 8) == NETVSP_HEADROOM - 8 &&
	      word(s + 12) == 60 && word(s + 28) == 36 && word(s + 32) == 16 &&
	      word(s + 48) == NDIS_INFO_CHECKSUM &&
	      word(s + 56) == NDIS_RXCSUM_UDP_SUCCEEDED, "checksum info");
	CHECK(netframe_fold(netframe_sum(0, s + NETVSP_HEADROOM + 34, 26)) !=
	      netframe_fold(netframe_sum(0, back.frame + 34, 26)),
	      "and filled in");
	give_back(&chan);
	/* or is not what it should be, as it is said */
	CHECK(command("net-rx-csum n0 nonsense") &&
	      !command("net-rx-csum n0 stale"), "command");
	frame("\x02\0\0\0\0\1", 60, 0);
	back.frame[23] = 6;
	back.frames = 1;
	back.header.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	back.header.csum_start = 34;
	back.header.csum_offset = 16;
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	s = last_answer();
	CHECK(word(s + 56) == (NDIS_RXCSUM_TCP_SUCCEEDED |
			       NDIS_RXCSUM_TCP_VALUE_INVALID |
			       NDIS_RXCSUM_IP_SUCCEEDED |
			       NDIS_RXCSUM_IP_VALUE_INVALID) &&
	      !memcmp(s + NETVSP_HEADROOM + 34 + 16, "\xde\xad", 2) &&
	      !memcmp(s + NETVSP_HEADROOM + 14 + 10, "\xde\xad", 2), "stale");
	CHECK(!command("net-rx-csum n0 failed"), "command");
	back.header.flags = 0;
	back.frames = 1;
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	s = last_answer();
	CHECK(word(s + 56) == (NDIS_RXCSUM_TCP_FAILED | NDIS_RXCSUM_IP_FAILED),
	      "failed");
	command("net-rx-csum n0 filled");
	give_back(&chan);
	/* a tag */
	frame("\x02\0\0\0\0\1", 60, 0);
	memmove(back.frame + 16, back.frame + 12, 48);
	memcpy(back.frame + 12, "\x81\0\xb0\x07", 4);
	back.frame_len = 64;
	back.frames = 1;
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	s = last_answer();
	CHECK(word(s + 12) == 60 && word(s + 48) == NDIS_INFO_8021Q &&
	      word(s + 56) == (5 | NDIS_VLAN_CFI | 7 << 4) &&
	      word(s + 8) == NETVSP_HEADROOM - 4 &&
	      !memcmp(s + NETVSP_HEADROOM + 4, "\x02\0\0\0\0\1", 6) &&
	      s[NETVSP_HEADROOM + 16] == 8, "tag info");
	give_back(&chan);
	/* in pieces */
	frame("\x02\0\0\0\0\1", 40000, 0);
	back.frames = 1;
	back.header.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	CHECK(chan.pages == 1 && word(chan.page[0].bytes + 4) == 3, "pieces");
	s = receive_buffer + word(chan.page[0].bytes + 8 + 4);
	CHECK(word(s + 48) == NDIS_INFO_PACKET_ID && s[57] == 3, "first");
	s = receive_buffer + word(chan.page[0].bytes + 16 + 4);
	CHECK(s[57] == 1, "middle");
	s = receive_buffer + word(chan.page[0].bytes + 24 + 4);
	CHECK(s[57] == 5 && word(s + 12) ==
	      40000 - 2 * (NETVSP_SLOT_RSC - NETVSP_HEADROOM), "last");
	give_back(&chan);
	/* too large, and none of the guest's business */
	frame("\x02\0\0\0\0\1", 1515, 1);
	CHECK(!chan.pages && n->stats.rx_oversized == 1, "oversized");
	frame("\x02\0\0\0\0\1", 13, 1);
	CHECK(!chan.pages && n->stats.rx_malformed == 1, "no frame");
	end();
}

/* The hash of a packet of UDP from that port; 0: it is not on the sub-channel */
static uint32_t udp_hash(uint8_t port)
{
	const uint8_t *s;

	frame("\x02\0\0\0\0\1", 60, 0);
	back.frame[35] = port;
	back.frames = 1;
	rx_readable(&back.nb, 0);
	rx_poll(&n->poller);
	if (sub.pages != 1)
		return 0;
	s = receive_buffer + word(sub.page[0].bytes + 8 + 4);
	give_back(&sub);
	return word(s + 48) == NDIS_INFO_HASH_VALUE ? word(s + 56) : 0;
}

static void test_rss(void)
{
	struct {
		struct ndis_rss_parameters p;
		uint32_t table[4];
		uint8_t key[40];
	} r = { .p = {
		.header.type = NDIS_OBJECT_RSS_PARAMETERS,
		.header.size = sizeof(r.p),
		.hash_info = NDIS_HASH_TOEPLITZ | NDIS_HASH_IPV4,
		.table_bytes = 16, .table_offset = 40, .key_bytes = 40,
		.key_offset = 56,
	}, .table = { 1, 1, 1, 1 }, .key = "forty bytes of which no two are" };
	struct nvsp_message m = {
		.type = NVSP_SUBCHANNEL,
		.subchannel.op = NVSP_SUBCHANNEL_ALLOCATE,
		.subchannel.count = 5,
	};
	struct packet bad = { .type = PACKET_COMPLETION, .len = 8 };

	up(CARD, NVSP_VERSION_61, FILTER);
	CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_RECEIVE_SCALE_CAPABILITIES,
		       NULL, 0) && word(last_answer() + 24 + 4) ==
	      (NDIS_HASH_TOEPLITZ | NDIS_RSS_CAP_TCP_IPV4 |
	       NDIS_RSS_CAP_TCP_IPV6 | NDIS_RSS_CAP_UDP_IPV4 |
	       NDIS_RSS_CAP_UDP_IPV6), "ports of TCP and UDP");
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, &r,
		      sizeof(r)) == NDIS_STATUS_INVALID_DATA,
	      "a channel that there is not");
	nvsp(&m, true);
	CHECK(offered == 1 && chan.last.subchannel_complete.status ==
	      NVSP_STATUS_SUCCESS && chan.last.subchannel_complete.count == 1,
	      "no more than there are");
	CHECK(!chan.messages, "no table yet");
	kind->ops->open(bus.devices, &sub);
	CHECK(chan.messages == 1 && word(chan.message) == 134 &&
	      word(chan.message + 4) == 16 && word(chan.message + 8) == 12 &&
	      word(chan.message + 16) == 1, "table");
	CHECK(!request(RNDIS_TYPE_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, &r,
		       sizeof(r)), "RSS");
	give_back(&chan);
	CHECK(udp_hash(1) && udp_hash(1) == udp_hash(2), "without ports");
	r.p.hash_info |= NDIS_HASH_UDP_IPV4;
	CHECK(!request(RNDIS_TYPE_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, &r,
		       sizeof(r)), "hash of UDP");
	give_back(&chan);
	CHECK(udp_hash(2) && udp_hash(1) != udp_hash(2), "with ports");
	r.p.hash_info |= NDIS_HASH_IPV6_EX;
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, &r,
		      sizeof(r)) == NDIS_STATUS_NOT_SUPPORTED, "not offered");
	r.p.hash_info &= ~NDIS_HASH_IPV6_EX;
	r.p.table_offset = sizeof(r) - 15;
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_RECEIVE_SCALE_PARAMETERS, &r,
		      sizeof(r)) == NDIS_STATUS_INVALID_DATA, "table outside");
	give_back(&chan);
	frame("\x02\0\0\0\0\1", 60, 1);
	CHECK(!chan.pages && sub.pages == 1, "where the table says");
	bad.trans_id = sub.page[0].id;
	bad.payload = &m;
	m.type = NVSP_SEND_RNDIS_PACKET_COMPLETE;
	give_back(&sub);
	CHECK(!sub.errored, "given back");
	kind->ops->packet(bus.devices, &sub, &bad);
	CHECK(sub.errored, "given back twice");
	end();
}

static void test_faults(void)
{
	uint32_t filter = NDIS_FILTER_BROADCAST;
	unsigned int i;

	up(CARD, NVSP_VERSION_61, FILTER);
	CHECK(command("net-fault n0 nonsense"), "no such point");
	CHECK(command("net-fault n0 frame ranges=1"), "not of a frame");
	CHECK(command("net-fault n0 pages set=65536"), "too large");
	CHECK(!command("net-fault n0 pages ranges=9 set=1 skip=1"), "pages");
	frame("\x02\0\0\0\0\1", 60, 1);
	CHECK(word(chan.page[0].bytes + 4) == 1, "one passes");
	frame("\x02\0\0\0\0\1", 60, 1);
	CHECK(word(chan.page[1].bytes + 4) == 9 &&
	      chan.page[1].bytes[0] == 1, "the next does not");
	frame("\x02\0\0\0\0\1", 60, 1);
	CHECK(word(chan.page[2].bytes + 4) == 1, "only this");
	give_back(&chan);
	CHECK(!command("net-fault n0 clear"), "clear");
	CHECK(!command("net-fault n0 pages set=1 every=3 skip=1 count=2"), "pages");
	for (i = 0; i < 10; i++) {
		frame("\x02\0\0\0\0\1", 60, 1);
		CHECK((chan.page[i].bytes[0] == 1) == (i == 3 || i == 6),
		      "each third: %u", i);
	}
	give_back(&chan);
	CHECK(!command("net-fault n0 frame info-size=0 data-len=77"), "frame");
	frame("\x02\0\0\0\0\1", 60, 1);
	CHECK(word(last_answer() + 12) == 77 && !word(last_answer() + 44) &&
	      word(last_answer() + 48) == NDIS_INFO_CHECKSUM, "bait");
	CHECK(!command("net-fault n0 answer oid=0x10107 twice len=9"), "answer");
	give_back(&chan);
	request(RNDIS_TYPE_QUERY, OID_GEN_MEDIA_CONNECT_STATUS, NULL, 0);
	CHECK(chan.pages == 1 && word(last_answer() + 4) == 28, "not this");
	request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	CHECK(chan.pages == 3 && word(last_answer() + 4) == 9, "but this");
	CHECK(!command("net-fault n0 indicate indicate-status=7"), "indicate");
	CHECK(word(last_answer() + 8) == 7, "indicate");
	CHECK(!command("net-fault n0 list") &&
	      strstr(text_str(&why), "3 hits=1 seen=1 left=0 answer"), "%s",
	      text_str(&why));
	CHECK(command("net-fault n0 set lost") &&
	      command("net-fault n0 set id-xor=1") &&
	      !command("net-fault n0 set oid=0x1010e count=2 status=7 skip=1"),
	      "set");
	give_back(&chan);
	CHECK(!request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &filter, 4)
	      && n->filter == filter, "one is done");
	filter = NDIS_FILTER_DIRECTED;
	CHECK(request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &filter, 4)
	      == 7 && n->filter != filter, "the next is refused, and not done");
	CHECK(!request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, "\1\0\0\0\0\1",
		       6) && n->multicasts == 1, "another object's is");
	CHECK(!command("net-fault n0 hold") && chan.paused &&
	      !command("net-fault n0 resume") && !chan.paused, "hold");
	n->channels[0]->last_id = 0x100000000050007;
	i = chan.completions;
	CHECK(!command("net-fault n0 guess from=2 to=3 slots=4") &&
	      chan.completions == i + 8 && chan.trans_id == 0x100000000080003 &&
	      command("net-fault n0 guess channel=1"), "guess");
	CHECK(!command("net-fault help") && strstr(text_str(&why), "info-size"),
	      "help");
	end();
}

static void test_coalesce(void)
{
	static const struct {
		const char *options;
		uint64_t ns;
	} good[] = {
		{ "n0,tap=t", CHANNEL_MODERATE_STREAM },
		{ "n0,tap=t,coalesce=auto", CHANNEL_MODERATE_STREAM },
		{ "n0,tap=t,coalesce=off", 0 },
		{ "n0,tap=t,coalesce=0", 0 },
		{ "n0,tap=t,coalesce=30", 30000 },
		{ "n0,user", 0 },
		{ "n0,user,coalesce=auto", CHANNEL_MODERATE_STREAM },
		{ "n0,coalesce=30,user", 30000 },
	};
	static const char *const bad[] = {
		"n0,tap=t,coalesce", "n0,tap=t,coalesce=",
		"n0,tap=t,coalesce=often", "n0,tap=t,coalesce=-1",
		"n0,tap=t,coalesce=100000000",
	};
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		begin(good[i].options);
		CHECK(chan.moderate_ns == good[i].ns, "%s: %llu",
		      good[i].options, (unsigned long long)chan.moderate_ns);
		end();
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(option(bad[i]) && strstr(text_str(&why), "coalesce is"),
		      "%s: %s", bad[i], text_str(&why));
	text_free(&why);
}

int main(void)
{
	log_set_level("error");
	tap_test("each version, exactly", test_versions);
	tap_test("only in the right order", test_order);
	tap_test("malformed messages disconnect", test_malformed);
	tap_test("HALT and revoked buffers", test_halt_and_revoke);
	tap_test("objects are read and written", test_objects);
	tap_test("answers wait for slots, not without end", test_answers_wait);
	tap_test("frames from pages and sections", test_tx);
	tap_test("checksums and large sends are what was said, and granted",
		 test_tx_offloads);
	tap_test("malformed RNDIS packets disconnect", test_tx_malformed);
	tap_test("packet filters", test_filters);
	tap_test("frames wait for slots", test_backpressure);
	tap_test("what the guest is told about frames", test_rx_info);
	tap_test("subchannels and receive side scaling", test_rss);
	tap_test("faults", test_faults);
	tap_test("how long completions may wait", test_coalesce);
	return tap_done();
}
