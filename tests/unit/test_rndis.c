// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/net/rndis.c: what the driver says, word by word, and what hosts may say.
 * Every message of a host is given at each length from nothing to its own, in a
 * buffer that ends there.
 */
#include <stdlib.h>

#include "../../drivers/net/rndis.h"
#include "tap.h"

#define WORDS(...)	((const u32[]){ __VA_ARGS__ })
#define SIZE(...)	(sizeof(WORDS(__VA_ARGS__)))

static void *exact(const void *from, u32 len)
{
	u8 *b = malloc(len ? len : 1);

	if (!b)
		abort();
	if (len)
		memcpy(b, from, len);
	return b;
}

/* ---- to the host --------------------------------------------------------------- */

static void is_words(const char *name, const void *got, u32 len,
		     const u32 *want, u32 want_len)
{
	u32 i;

	CHECK(len == want_len, "%s: %u bytes, not %u", name, len, want_len);
	for (i = 0; i < len / 4; i++)
		CHECK(((const u32 *)got)[i] == want[i],
		      "%s: word %u is %08x, not %08x", name, i,
		      ((const u32 *)got)[i], want[i]);
}

#define IS(len, ...) do {						\
	is_words(#len, buffer, len, WORDS(__VA_ARGS__),			\
		 SIZE(__VA_ARGS__));					\
	CHECK_OK();							\
} while (0)

static void packets(void)
{
	struct rndis_tx t = { .len = 1000 };
	u32 buffer[64];

	memset(buffer, 0xee, sizeof(buffer));
	IS(rndis_put_packet(buffer, &t),
	   1, 1044, 36, 1000, 0, 0, 0, 0, 0, 0, 0);
	CHECK(rndis_packet_header(&t) == 44, "header");
	t.has = RNDIS_HAS_CSUM;
	t.csum = 0x220005;
	IS(rndis_put_packet(buffer, &t),
	   1, 1060, 52, 1000, 0, 0, 0, 36, 16, 0, 0, 16, 0, 12, 0x220005);
	t.has = RNDIS_HAS_LSO | RNDIS_HAS_VLAN;
	t.lso = 0x40000000;
	t.vlan = 0x51;
	IS(rndis_put_packet(buffer, &t),
	   1, 1076, 68, 1000, 0, 0, 0, 36, 32, 0, 0,
	   16, 6, 12, 0x51, 16, 2, 12, 0x40000000);
	t.has |= RNDIS_HAS_CSUM;
	CHECK(rndis_packet_header(&t) == RNDIS_PACKET_HEADER_MAX &&
	      rndis_put_packet(buffer, &t) == RNDIS_PACKET_HEADER_MAX,
	      "the largest header");
}

static void requests(void)
{
	u32 buffer[64], value = 0x2f;

	memset(buffer, 0xee, sizeof(buffer));
	IS(rndis_put_initialize(buffer, 7, 0x4000), 2, 24, 7, 1, 0, 0x4000);
	IS(rndis_put_halt(buffer, 8), 3, 12, 8);
	IS(rndis_put_keepalive_done(buffer, 9), 0x80000008, 16, 9, 0);
	IS(rndis_put_request(buffer, sizeof(buffer), RNDIS_TYPE_QUERY, 10,
			     OID_GEN_LINK_SPEED, NULL, 0),
	   4, 28, 10, 0x10107, 0, 20, 0);
	IS(rndis_put_request(buffer, sizeof(buffer), RNDIS_TYPE_SET, 11,
			     OID_GEN_CURRENT_PACKET_FILTER, &value, 4),
	   5, 32, 11, 0x1010e, 4, 20, 0, 0x2f);
	CHECK(!rndis_put_request(buffer, 31, RNDIS_TYPE_SET, 11, 1, &value, 4),
	      "more than there is room for");
	CHECK(rndis_put_request(buffer, 32, RNDIS_TYPE_SET, 11, 1, &value, 4) ==
	      32, "just room enough");
	CHECK(!rndis_put_request(buffer, 27, RNDIS_TYPE_QUERY, 1, 1, NULL, 0),
	      "no room for the head");
}

static void objects(void)
{
	static const u8 mac[] = { 0x02, 0xa0, 0x1f, 0xff, 0x00, 0x7b };
	struct rndis_offload_params w = {
		.tcp4 = NDIS_PARAM_CSUM_BOTH, .lso6 = NDIS_PARAM_ON,
		.rsc4 = NDIS_PARAM_OFF,
	};
	const struct rndis_config_parameter *c;
	const struct ndis_rss_parameters *r;
	u32 buffer[512], table[4] = { 0, 1, 2, 1 }, len, i;
	u8 key[NDIS_RSS_KEY_BYTES] = { 1, 2, 3 };
	u8 *b = (u8 *)buffer;

	CHECK(rndis_put_offload_query(buffer, 3) == 156 && b[0] == 0xa7 &&
	      b[1] == 3 && b[2] == 156, "query, revision 3");
	CHECK(rndis_put_offload_query(buffer, 2) == 144, "query, revision 2");
	CHECK(rndis_put_offload_query(buffer, 1) == 112, "query, revision 1");
	CHECK(rndis_put_rss_query(buffer) == 18 && b[0] == 0x88 && b[1] == 2,
	      "query of RSS");
	CHECK(rndis_put_offload_set(buffer, &w, true) == 28 && b[5] == 4 &&
	      b[12] == 2 && b[22] == 1 && !b[23], "offloads");
	CHECK(rndis_put_offload_set(buffer, &w, false) == 22, "before RSC");

	len = rndis_put_rss_set(buffer, sizeof(buffer), 0, 0x301, table, 4, key);
	r = (const void *)buffer;
	CHECK(len == 40 + 16 + 40 && r->table_offset == 40 &&
	      r->table_bytes == 16 && r->key_offset == 56 &&
	      r->key_bytes == 40 && r->hash_info == 0x301, "RSS");
	CHECK(!memcmp(b + 40, table, 16) && !memcmp(b + 56, key, 40),
	      "table and key");
	CHECK(!rndis_put_rss_set(buffer, len - 1, 0, 0, table, 4, key),
	      "RSS without room");

	len = rndis_put_address(buffer, sizeof(buffer), mac);
	c = (const void *)buffer;
	CHECK(len == sizeof(*c) + 28 + 24 && c->name_bytes == 28 &&
	      c->value_bytes == 24 && c->type == RNDIS_CONFIG_STRING, "address");
	for (i = 0; i < 12; i++)
		CHECK(b[c->value_offset + 2 * i] == "02a01fff007b"[i] &&
		      !b[c->value_offset + 2 * i + 1], "digit %u", i);
	CHECK(!rndis_put_address(buffer, len - 1, mac), "address without room");
}

/* ---- packets of a host ------------------------------------------------------------ */

/* A whole one, with all the info that there is, and 8 bytes of data */
static const u32 whole[] = {
	1, 44 + 16 * 5 + 8, 36 + 16 * 5, 8, 0, 0, 0, 36, 16 * 5, 0, 0,
	16, NDIS_INFO_CHECKSUM, 12, 0x28,
	16, NDIS_INFO_8021Q, 12, 0x51,
	16, 0x77, 12, 1,
	16, NDIS_INFO_HASH_VALUE, 12, 0x12345678,
	16, NDIS_INFO_PACKET_ID, 12, 0xbeef0301,
	0x11111111, 0x22222222,
};

/* The message lies @shift bytes behind an aligned address, and ends its memory */
static int parse_at(unsigned int shift, const void *msg, u32 len,
		    struct rndis_rx *rx)
{
	u8 *b = malloc(shift + len + !(shift + len));
	int ret;

	if (!b)
		abort();
	memcpy(b + shift, msg, len);
	ret = rndis_parse_packet(b + shift, len, rx);
	free(b);
	return ret;
}

static int parse(const u32 *words, u32 len, struct rndis_rx *rx)
{
	return parse_at(0, words, len, rx);
}

static void good_packets(void)
{
	struct rndis_rx rx;
	u32 len;

	CHECK(!parse(whole, sizeof(whole), &rx), "parsed");
	CHECK(rx.data == sizeof(whole) - 8 && rx.len == 8, "data at %u", rx.data);
	CHECK(rx.has == (RNDIS_HAS_CSUM | RNDIS_HAS_VLAN | RNDIS_HAS_HASH |
			 RNDIS_HAS_PIECE), "has 0x%x", rx.has);
	CHECK(rx.csum == 0x28 && rx.vlan == 0x51 && rx.hash == 0x12345678 &&
	      rx.piece_flags == 3 && rx.piece_id == 0xbeef, "values");
	for (len = 0; len < sizeof(whole); len++)
		CHECK(parse(whole, len, &rx) == -EINVAL, "%u bytes of it", len);
	CHECK(parse(WORDS(7, 8), 8, &rx) == -ENOMSG, "another message");
	CHECK(!parse(WORDS(1, 44, 36, 0, 0, 0, 0, 0, 0, 0, 0), 44, &rx) &&
	      !rx.len && !rx.has, "no data");
}

/* Suballocations of the receive buffer are 1806 bytes apart on some hosts */
static void any_alignment(void)
{
	struct rndis_rx rx;
	unsigned int shift;
	u32 len;

	for (shift = 1; shift < 16; shift++) {
		memset(&rx, 0, sizeof(rx));
		CHECK(!parse_at(shift, whole, sizeof(whole), &rx),
		      "refused at address %u", shift);
		CHECK(rx.data == sizeof(whole) - 8 && rx.len == 8 &&
		      rx.csum == 0x28 && rx.vlan == 0x51 &&
		      rx.hash == 0x12345678 && rx.piece_flags == 3 &&
		      rx.piece_id == 0xbeef, "values at address %u", shift);
		for (len = 0; len < sizeof(whole); len++)
			CHECK(parse_at(shift, whole, len, &rx) == -EINVAL,
			      "%u bytes of it at address %u", len, shift);
		CHECK(parse_at(shift, WORDS(7, 8), 8, &rx) == -ENOMSG,
		      "another message at address %u", shift);
	}
}

/* Info of a type that nobody knows may have any size, and sets off what follows */
static void odd_infos(void)
{
	static const u32 tail[] = { 16, NDIS_INFO_HASH_VALUE, 12, 0x12345678 };
	u32 head[] = { 1, 0, 36, 0, 0, 0, 0, 36, 0, 0, 0, 0, 0x77, 12 };
	u8 msg[sizeof(head) + 32 + sizeof(tail)];
	struct rndis_rx rx;
	u32 size, at, len;

	for (size = 12; size < 12 + 32; size++) {
		at = sizeof(head) - 12 + size;
		len = at + sizeof(tail);
		head[1] = len;
		head[2] = len - RNDIS_HEADER;
		head[8] = size + sizeof(tail);
		head[11] = size;
		memset(msg, 0xee, sizeof(msg));
		memcpy(msg, head, sizeof(head));
		memcpy(msg + at, tail, sizeof(tail));
		CHECK(!parse_at(0, msg, len, &rx), "%u bytes of info", size);
		CHECK(rx.has == RNDIS_HAS_HASH && rx.hash == 0x12345678,
		      "behind %u bytes of info: has 0x%x", size, rx.has);
	}
}

/* @whole with one word that is different */
static int odd(u32 word, u32 value)
{
	u32 w[sizeof(whole) / 4];
	struct rndis_rx rx;

	memcpy(w, whole, sizeof(w));
	w[word] = value;
	return parse(w, sizeof(w), &rx);
}

static void bad_packets(void)
{
	static const u32 bad[][2] = {
		{ 1, 43 }, { 1, sizeof(whole) + 1 }, { 1, 0xffffffff },
		{ 1, 0 }, { 1, sizeof(whole) - 1 },
		{ 2, 35 }, { 2, 0 }, { 2, 0xfffffff8 }, { 2, 117 },
		{ 3, 9 }, { 3, 0xffffffff }, { 3, 0x80000000 },
		{ 7, 32 }, { 7, 0 }, { 7, 38 }, { 7, 0xfffffffc },
		{ 7, 0x7ffffffc }, { 8, 0xffffffff }, { 8, 16 * 5 + 12 },
		{ 8, 17 }, { 11, 0 }, { 11, 11 }, { 11, 18 },
		{ 11, 16 * 5 + 4 }, { 11, 0xfffffffc }, { 13, 0 }, { 13, 13 },
		{ 13, 16 }, { 13, 0xfffffffc }, { 21, 8 }, { 29, 14 },
	};
	u32 i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* info of an unknown type may have any offset */
		if (bad[i][0] == 21)
			continue;
		CHECK(odd(bad[i][0], bad[i][1]) == -EINVAL,
		      "word %u as 0x%x was taken", bad[i][0], bad[i][1]);
	}
	CHECK(!odd(21, 8), "the offset of unknown info does not matter");
	CHECK(!odd(30, 0xbeef0302), "another version of packet ids is left out");
}

/* ---- control messages of a host ---------------------------------------------------- */

static void answers(void)
{
	static const u32 query[] = { 0x80000004, 32, 5, 0, 8, 16, 1, 2 };
	struct rndis_answer a;
	u32 w[8], len;
	void *b;

	CHECK(!rndis_parse_answer(query, sizeof(query), &a) && a.id == 5 &&
	      a.info_len == 8 && !memcmp(a.info, query + 6, 8), "query");
	for (len = 0; len < sizeof(query); len++) {
		b = exact(query, len);
		CHECK(rndis_parse_answer(b, len, &a) == -EINVAL, "%u bytes", len);
		free(b);
	}
	memcpy(w, query, sizeof(w));
	w[4] = 9;
	CHECK(rndis_parse_answer(w, sizeof(w), &a) == -EINVAL, "too much info");
	w[4] = 8;
	w[5] = 15;
	CHECK(rndis_parse_answer(w, sizeof(w), &a) == -EINVAL, "offset too small");
	w[5] = 0xfffffff8;
	CHECK(rndis_parse_answer(w, sizeof(w), &a) == -EINVAL, "offset too large");
	w[3] = NDIS_STATUS_FAILURE;
	CHECK(!rndis_parse_answer(w, sizeof(w), &a) && !a.info &&
	      a.status == NDIS_STATUS_FAILURE, "a refusal has no info");
	CHECK(!rndis_parse_answer(WORDS(0x80000005, 16, 5, 0), 16, &a) &&
	      !a.status && a.id == 5, "set");
}

static void limits(void)
{
	static const u32 good[] = { 0x80000002, 52, 1, 0, 1, 0, 1, 0, 8, 0x4000,
				    3, 0, 0 };
	struct rndis_limits l;
	u32 w[13], len;
	void *b;

	CHECK(!rndis_parse_limits(good, sizeof(good), &l) && l.max_packets == 8 &&
	      l.max_transfer == 0x4000 && l.align_shift == 3, "limits");
	for (len = 0; len < sizeof(good); len++) {
		b = exact(good, len);
		CHECK(rndis_parse_limits(b, len, &l) == -EINVAL, "%u bytes", len);
		free(b);
	}
	memcpy(w, good, sizeof(w));
	w[8] = 0;
	CHECK(!rndis_parse_limits(w, sizeof(w), &l) && l.max_packets == 1,
	      "no packets means one");
	w[10] = 13;
	CHECK(rndis_parse_limits(w, sizeof(w), &l) == -EINVAL, "alignment");
	w[3] = NDIS_STATUS_FAILURE;
	CHECK(rndis_parse_limits(w, sizeof(w), &l) == -EIO, "refused");
	w[3] = 0;
	w[10] = 0;
	w[4] = 2;
	CHECK(rndis_parse_limits(w, sizeof(w), &l) == -EINVAL, "version 2");
}

static void indications(void)
{
	static const u32 speed[] = { 7, 24, NDIS_STATUS_LINK_SPEED_CHANGE, 4, 12,
				     25000 };
	struct rndis_answer a;
	u32 w[6], len;
	void *b;

	CHECK(!rndis_parse_indicate(speed, sizeof(speed), &a) &&
	      a.info_len == 4 && !memcmp(a.info, speed + 5, 4), "speed");
	for (len = 0; len < sizeof(speed); len++) {
		b = exact(speed, len);
		CHECK(rndis_parse_indicate(b, len, &a) == -EINVAL, "%u bytes",
		      len);
		free(b);
	}
	memcpy(w, speed, sizeof(w));
	w[4] = 8;
	CHECK(rndis_parse_indicate(w, sizeof(w), &a) == -EINVAL, "offset");
	CHECK(!rndis_parse_indicate(WORDS(7, 20, NDIS_STATUS_MEDIA_CONNECT, 0, 0),
				    20, &a) && !a.info_len, "no info");
	/* old switches don't count the info; it is in the range all the same */
	memcpy(w, speed, sizeof(w));
	w[1] = 20;
	CHECK(!rndis_parse_indicate(w, sizeof(w), &a) && a.info_len == 4 &&
	      !memcmp(a.info, speed + 5, 4), "info that is not counted");
	b = exact(w, 23);
	CHECK(rndis_parse_indicate(b, 23, &a) == -EINVAL, "half of it");
	free(b);
	w[1] = 19;
	CHECK(rndis_parse_indicate(w, sizeof(w), &a) == -EINVAL, "too short");
	w[1] = 25;
	CHECK(rndis_parse_indicate(w, sizeof(w), &a) == -EINVAL, "too long");
}

/* Entries 1, 2, ... at @at in a message that says @offset and has @len bytes */
static int table_at(u32 at, u32 offset, u32 len, u32 version, u32 *table)
{
	u32 w[64] = { NVSP_SEND_INDIRECTION_TABLE, NVSP_TABLE_ENTRIES, offset };
	void *b;
	u32 i;
	int ret;

	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		w[at / 4 + i] = 1 + i;
	memset(table, 0xee, NVSP_TABLE_ENTRIES * sizeof(u32));
	b = exact(w, len);
	ret = nvsp_parse_table(b, len, version, table);
	free(b);
	return ret;
}

/* The same, and they are found */
static bool found_at(u32 at, u32 offset, u32 len, u32 version)
{
	u32 table[NVSP_TABLE_ENTRIES], i;

	if (table_at(at, offset, len, version, table))
		return false;
	for (i = 0; i < NVSP_TABLE_ENTRIES; i++) {
		if (table[i] != 1 + i)
			return false;
	}
	return true;
}

static void tables(void)
{
	u32 table[NVSP_TABLE_ENTRIES], len;

	CHECK(found_at(12, 12, 76, NVSP_VERSION_5), "right behind the header");
	CHECK(found_at(12, 12, 80, NVSP_VERSION_6), "padded by the ring");
	CHECK(found_at(12, 12, 76, NVSP_VERSION_61), "the same in version 6.1");
	CHECK(found_at(12, 12, 104, NVSP_VERSION_61), "longer, in 6.1");
	CHECK(found_at(40, 40, 104, NVSP_VERSION_61), "at 40, in 6.1");
	/* up to version 6 the offset may be too small, but the table is there */
	CHECK(found_at(40, 40, 104, NVSP_VERSION_6), "at 40");
	CHECK(found_at(40, 32, 104, NVSP_VERSION_6), "at 40, says 32");
	CHECK(found_at(40, 12, 104, NVSP_VERSION_5), "at 40, says 12");
	CHECK(found_at(40, 0, 104, NVSP_VERSION_5), "at 40, says 0");

	for (len = 0; len < 76; len++)
		CHECK(table_at(12, 12, len, NVSP_VERSION_5, table) == -EINVAL,
		      "%u bytes", len);
	CHECK(table_at(40, 40, 103, NVSP_VERSION_61, table) == -EINVAL,
	      "does not fit");
	CHECK(table_at(12, 8, 104, NVSP_VERSION_61, table) == -EINVAL,
	      "inside of the header");
	CHECK(table_at(12, 0xfffffffc, 104, NVSP_VERSION_61, table) == -EINVAL,
	      "far off");
	CHECK(nvsp_parse_table(WORDS(NVSP_SEND_INDIRECTION_TABLE, 15, 12), 12,
			       NVSP_VERSION_5, table) == -EINVAL, "15 entries");
}

static void capabilities(void)
{
	struct ndis_offload n = {
		.header = { NDIS_OBJECT_OFFLOAD, 3, sizeof(n) },
		.csum = { .tx4_encap = NDIS_ENCAP_8023, .tx4 = 0x55,
			  .tx6 = 0x55, .rx6_encap = NDIS_ENCAP_8023, .rx6 = 0x10 },
		.lso_v2 = { .encap4 = NDIS_ENCAP_8023, .max4 = 60000,
			    .max6 = 60000 },
		.rsc4 = 1, .rsc6 = 1,
	};
	struct ndis_rss_capabilities c = {
		.header = { NDIS_OBJECT_RSS_CAPABILITIES, 2, sizeof(c) },
		.flags = NDIS_RSS_CAP_TCP_IPV4 | NDIS_RSS_CAP_TCP_IPV6 |
			 NDIS_RSS_CAP_UDP_IPV4 | NDIS_RSS_CAP_UDP_IPV6 |
			 NDIS_HASH_TOEPLITZ,
		.queues = 4, .table_entries = 64,
	};
	struct rndis_offloads o;
	struct rndis_rss r;
	u32 len;
	void *b;

	CHECK(!rndis_parse_offloads(&n, sizeof(n), &o) && o.csum4 == 0x55 &&
	      !o.csum6 && !o.rx4 && o.rx6 == 0x10 && o.lso4_max == 60000 &&
	      !o.lso6_max && o.rsc, "offloads");
	for (len = 0; len < sizeof(n); len++) {
		b = exact(&n, len);
		CHECK(rndis_parse_offloads(b, len, &o) == -EINVAL && !o.rsc,
		      "%u bytes", len);
		free(b);
	}
	n.header.size = NDIS_OFFLOAD_SIZE_1;
	CHECK(!rndis_parse_offloads(&n, NDIS_OFFLOAD_SIZE_1, &o) && !o.rsc &&
	      o.csum4 == 0x55, "an old host");
	n.header.size = NDIS_OFFLOAD_SIZE_1 - 1;
	CHECK(rndis_parse_offloads(&n, sizeof(n), &o) == -EINVAL, "too short");
	n.header.type = 0x80;
	CHECK(rndis_parse_offloads(&n, sizeof(n), &o) == -EINVAL, "type");

	CHECK(!rndis_parse_rss(&c, sizeof(c), &r) && r.queues == 4 &&
	      r.entries == 64 && r.caps == 0x1b01, "RSS");
	CHECK(!rndis_parse_rss(&c, sizeof(c) - 2, &r) &&
	      r.entries == NDIS_RSS_TABLE_DEFAULT, "RSS, revision 1");
	for (len = 0; len < sizeof(c) - 2; len++) {
		b = exact(&c, len);
		CHECK(rndis_parse_rss(b, len, &r) == -EINVAL, "%u bytes", len);
		free(b);
	}
	c.table_entries = 0xffff;
	c.queues = 0;
	CHECK(!rndis_parse_rss(&c, sizeof(c), &r) && r.queues == 1 &&
	      r.entries == NDIS_RSS_TABLE_DEFAULT, "as far as it makes sense");
}

int main(void)
{
	tap_test("rndis: packets to the host", packets);
	tap_test("rndis: requests", requests);
	tap_test("rndis: objects", objects);
	tap_test("rndis: packets of a host", good_packets);
	tap_test("rndis: packets at any address", any_alignment);
	tap_test("rndis: unknown info of any size", odd_infos);
	tap_test("rndis: malformed packets are refused", bad_packets);
	tap_test("rndis: answers", answers);
	tap_test("rndis: limits of a transfer", limits);
	tap_test("rndis: indications", indications);
	tap_test("rndis: capabilities", capabilities);
	tap_test("nvsp: where the send table is", tables);
	return tap_done();
}
