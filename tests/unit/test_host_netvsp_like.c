// SPDX-License-Identifier: GPL-2.0-only
/*
 * What network cards of hosts in the field do that the protocols leave open: struct
 * profile_netvsp, one test for each habit, with the kinds of host that have it and
 * one that does not.
 */
#include "fake_netvsp.h"
#include "tap.h"

static const char own[] = "\x02\0\0\0\0\1";

/* The last range that the guest got: where it is, and its bytes */
static void last_range(uint32_t *offset, uint32_t *bytes)
{
	memcpy(bytes, chan.page[chan.pages - 1].bytes + 8, 4);
	memcpy(offset, chan.page[chan.pages - 1].bytes + 12, 4);
}

static bool ends_with(const char *end)
{
	size_t len = strlen(chan.why), want = strlen(end);

	return len >= want && !strcmp(chan.why + len - want, end);
}

static void test_slots(void)
{
	static const struct {
		const char *card;
		uint32_t bytes;
	} kinds[] = {
		{ "openvmm:" CARD, 1806 }, { "hyperv:" CARD ",rsc=off", 1806 },
		{ "lenient:" CARD ",rsc=off", 1728 },
	};
	uint32_t offset, bytes;
	unsigned int i, k;

	for (i = 0; i < 3; i++) {
		bool odd = kinds[i].bytes == 1806;

		up(kinds[i].card, NVSP_VERSION_61, FILTER);
		CHECK(n->slot_bytes == kinds[i].bytes && !chan.errored,
		      "%s: slots of %u bytes", kinds[i].card, n->slot_bytes);
		/* behind those for control */
		for (k = 0; k < 3; k++) {
			frame(own, 100, 1);
			last_range(&offset, &bytes);
			/* those that were used last come first */
			CHECK((!odd || offset == (16 + k) * 1806) &&
			      bytes == kinds[i].bytes, "%s: %u bytes at %u",
			      kinds[i].card, bytes, offset);
			CHECK(word(last_answer() + 8) == (odd ? 256u : 114u) - 8 &&
			      !memcmp(last_answer() + (odd ? 256 : 114), own, 6),
			      "%s: data", kinds[i].card);
		}
		end();
	}
	/* one that is chosen for pieces is no multiple of 4 either */
	begin("hyperv:" CARD);
	step(0, NVSP_VERSION_61);
	step(1, NVSP_VERSION_61);
	step(2, NVSP_VERSION_61);
	step(3, NVSP_VERSION_61);
	CHECK(n->slot_bytes == 16386 && chan.errored,
	      "%u bytes; the test's buffer has too few of them", n->slot_bytes);
	end();
}

static void test_largest_frame(void)
{
	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	frame(own, 1514, 1);
	CHECK(chan.pages == 1 && word(last_answer() + 12) == 1514 &&
	      n->slots_free + n->rx_held_count == n->slot_count - 17,
	      "in one slot");
	end();
}

static void test_control_slots(void)
{
	uint32_t offset, bytes, filter = FILTER;
	unsigned int i;

	begin("openvmm:" CARD);
	for (i = 0; i < 5; i++)
		step(i, NVSP_VERSION_61);
	rndis_up();
	last_range(&offset, &bytes);
	CHECK(offset == 15 * 1806 && bytes == 52, "INITIALIZE: %u bytes at %u",
	      bytes, offset);
	request(RNDIS_TYPE_SET, OID_GEN_CURRENT_PACKET_FILTER, &filter, 4);
	for (i = 2; i < 16; i++) {
		request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
		last_range(&offset, &bytes);
		CHECK(offset == (15 - i) * 1806 && bytes == 28,
		      "answer %u: %u bytes at %u", i, bytes, offset);
	}
	request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	CHECK(chan.pages == 16 && n->answer_count == 1, "a 17th waits");
	frame(own, 100, 1);
	CHECK(chan.pages == 17, "a frame does not");
	give_back(&chan);
	CHECK(chan.pages == 0 && !n->answer_count, "not any more");
	end();
	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	request(RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0);
	last_range(&offset, &bytes);
	CHECK(offset < 16 * 1806 && bytes == 1806, "%u bytes at %u", bytes,
	      offset);
	end();
}

static void test_link(void)
{
	unsigned int i;

	for (i = 0; i < 2; i++) {
		up(i ? "openvmm:" CARD ",link=down" :
		       "hyperv:" CARD ",rsc=off,link=down", NVSP_VERSION_61,
		   FILTER);
		CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_MEDIA_CONNECT_STATUS,
			       NULL, 0) && !word(last_answer() + 24),
		      "it says that it is connected");
		CHECK(!command("net-link n0 up") &&
		      word(last_answer()) == RNDIS_TYPE_INDICATE &&
		      word(last_answer() + 8) == NDIS_STATUS_MEDIA_CONNECT, "up");
		CHECK(!command("net-link n0 down") &&
		      word(last_answer() + 8) == NDIS_STATUS_MEDIA_DISCONNECT,
		      "down");
		CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_MEDIA_CONNECT_STATUS,
			       NULL, 0) && !word(last_answer() + 24),
		      "it says so still");
		end();
	}
	/* and it says by itself what is */
	begin("openvmm:" CARD ",link=down");
	for (i = 0; i < 5; i++)
		step(i, NVSP_VERSION_61);
	rndis_up();
	CHECK(chan.pages == 2 &&
	      word(last_answer() + 8) == NDIS_STATUS_MEDIA_DISCONNECT,
	      "after INITIALIZE");
	end();
	up("lenient:" CARD ",link=down", NVSP_VERSION_61, FILTER);
	request(RNDIS_TYPE_QUERY, OID_GEN_MEDIA_CONNECT_STATUS, NULL, 0);
	CHECK(word(last_answer() + 24) == 1, "the truth");
	end();
}

static void test_uncounted_info(void)
{
	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	CHECK(!command("net-speed n0 25000") &&
	      word(last_answer()) == RNDIS_TYPE_INDICATE &&
	      word(last_answer() + 4) == 20 && word(last_answer() + 12) == 4 &&
	      word(last_answer() + 16) == 12 &&
	      word(last_answer() + 20) == 250000000, "hyperv");
	end();
	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	CHECK(!command("net-speed n0 25000") && word(last_answer() + 4) == 24 &&
	      word(last_answer() + 20) == 250000000, "openvmm");
	end();
}

static void test_frame_size(void)
{
	static const struct {
		const char *card;
		uint32_t frame, mtu;
	} sizes[] = {
		{ "hyperv:" CARD, 1294, 1500 }, { "openvmm:" CARD, 1294, 1500 },
		{ "lenient:" CARD, 1294, 1280 }, { "openvmm:" CARD, 9014, 9000 },
		{ "openvmm:" CARD ",mtu=16000", 9217, 1500 },
		{ "hyperv:" CARD ",mtu=16000", 9217, 9203 },
	};
	struct nvsp_message m = { .type = NVSP_SEND_NDIS_CONFIG };
	unsigned int i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		begin(sizes[i].card);
		step(0, NVSP_VERSION_61);
		m.ndis_config.mtu = sizes[i].frame;
		nvsp(&m, false);
		CHECK(n->mtu == sizes[i].mtu && !chan.errored,
		      "%s: frames of %u bytes: MTU %u", sizes[i].card,
		      sizes[i].frame, n->mtu);
		end();
	}
}

static void test_table(void)
{
	static const struct {
		const char *card;
		uint32_t version, at;
	} tables[] = {
		{ "hyperv:" CARD ",rsc=off", NVSP_VERSION_61, 12 },
		{ "hyperv:" CARD ",rsc=off", NVSP_VERSION_6, 40 },
		{ "hyperv:" CARD ",rsc=off", NVSP_VERSION_5, 40 },
		{ "openvmm:" CARD, NVSP_VERSION_5, 12 },
	};
	unsigned int i, k;

	for (i = 0; i < 4; i++) {
		up(tables[i].card, tables[i].version, FILTER);
		n->offered = 1;
		memset(chan.message, 0xee, sizeof(chan.message));
		nvsp_send_table(n);
		CHECK(word(chan.message) == NVSP_SEND_INDIRECTION_TABLE &&
		      word(chan.message + 4) == 16 &&
		      word(chan.message + 8) == 12, "%s", tables[i].card);
		for (k = 12; k < tables[i].at; k += 4)
			CHECK(!word(chan.message + k), "0 before it");
		for (k = 0; k < 16; k++)
			CHECK(word(chan.message + tables[i].at + 4 * k) == k % 2,
			      "%s, version 0x%x: entry %u", tables[i].card,
			      tables[i].version, k);
		CHECK(chan.message[tables[i].at + 64] == 0xee, "its length");
		end();
	}
}

/* A frame with a tag inside */
static unsigned int send_tagged(uint32_t csum, uint8_t high, uint8_t low)
{
	unsigned int sends = back.sends;
	uint8_t a[512];
	size_t len = make_packet(a, 104, NDIS_INFO_CHECKSUM, csum);
	struct iovec iov = { a, len };

	memmove(a + 60 + 16, a + 60 + 12, 104 - 16);
	a[60 + 12] = high;
	a[60 + 13] = low;
	a[60 + 14] = 0;
	a[60 + 15] = 42;
	rndis(&chan, NVSP_CHANNEL_DATA, &iov, 1, NVSP_NO_SECTION, 0);
	return back.sends - sends;
}

static bool refused(void)
{
	return chan.last.rndis_complete.status == NVSP_STATUS_FAILURE;
}

static void test_tags(void)
{
	const uint32_t csum = NDIS_TXCSUM_IPV4 | NDIS_TXCSUM_UDP | 38 << 16;

	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	all_offloads();
	CHECK(!send_tagged(0, 0x81, 0) && !refused(), "hyperv: dropped");
	CHECK(!send_tagged(0, 0x88, 0xa8) && !refused(), "hyperv: 802.1ad");
	CHECK(n->stats.tx_tagged == 2 && !chan.errored, "counted");
	end();
	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	all_offloads();
	CHECK(send_tagged(0, 0x81, 0) == 1 && !refused(), "openvmm: sent");
	CHECK(!send_tagged(csum, 0x81, 0) && refused(), "openvmm: no checksum");
	CHECK(!send_tagged(csum, 0x88, 0xa8) && refused(), "nor in 802.1ad");
	end();
	up("lenient:" CARD, NVSP_VERSION_61, FILTER);
	all_offloads();
	CHECK(send_tagged(csum, 0x81, 0) == 1 && !refused(), "lenient: sent");
	end();
}

static void test_completions(void)
{
	static const unsigned int varied[] = { 8, 28, 40 };
	uint8_t a[512];
	struct iovec iov = { a, make_packet(a, 100, 99, 0) };
	unsigned int i, k, seen = 0;

	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	for (i = 0; i < 6; i++) {
		rndis(&chan, NVSP_CHANNEL_DATA, &iov, 1, NVSP_NO_SECTION, 0);
		for (k = 0; k < 3; k++)
			seen |= chan.len == varied[k] ? 1u << k : 0;
		CHECK(chan.last.type == NVSP_SEND_RNDIS_PACKET_COMPLETE &&
		      !refused(), "status");
	}
	CHECK(seen == 7, "hyperv: 8, 28 and 40 bytes: %u", seen);
	end();
	for (i = 0; i < 2; i++) {
		up("openvmm:" CARD, i ? NVSP_VERSION_61 : NVSP_VERSION_6,
		   FILTER);
		rndis(&chan, NVSP_CHANNEL_DATA, &iov, 1, NVSP_NO_SECTION, 0);
		CHECK(chan.len == (i ? 40 : 28), "openvmm: %u bytes", chan.len);
		end();
	}
}

static void test_path(void)
{
	struct nvsp_message m = { .type = NVSP_SWITCH_DATA_PATH };
	struct packet pkt = { .type = PACKET_COMPLETION, .payload = &m,
			      .trans_id = NETVSP_SWITCH_ID };

	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	CHECK(word(chan.message) == NVSP_SWITCH_DATA_PATH &&
	      word(chan.message + 4) == NVSP_PATH_SYNTHETIC, "sent");
	kind->ops->packet(bus.devices, &chan, &pkt);
	CHECK(!chan.errored, "its completion may be empty");
	end();
	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	CHECK(!chan.messages, "openvmm: not without a function");
	end();
}

static void test_subchannels(void)
{
	struct nvsp_message m = {
		.type = NVSP_SUBCHANNEL,
		.subchannel = { NVSP_SUBCHANNEL_ALLOCATE, 5 },
	};

	offered = 0;
	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	nvsp(&m, true);
	CHECK(chan.last.subchannel_complete.status == NVSP_STATUS_SUCCESS &&
	      chan.last.subchannel_complete.count == 1 && !offered &&
	      n->late.due_ns == 100, "granted, and not yet offered");
	CHECK(!command("net-late n0 8000") && n->late.due_ns == 8000, "longer");
	n->late.fired(&n->late);
	CHECK(offered == 1, "later");
	n->late.due_ns = 0;
	CHECK(!command("net-late n0 50") && !n->late.due_ns &&
	      n->subchannel_ms == 50, "the next ones");
	n->late.due_ns = 1;
	kind->ops->close(bus.devices, &chan);
	CHECK(!n->late.due_ns, "not after the end of the session");
	CHECK(!kind->ops->open(bus.devices, &chan), "opened");
	end();
	offered = 0;
	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	nvsp(&m, true);
	CHECK(chan.last.subchannel_complete.status == NVSP_STATUS_FAILURE &&
	      !offered, "openvmm: all or none");
	m.subchannel.count = 1;
	nvsp(&m, true);
	CHECK(chan.last.subchannel_complete.status == NVSP_STATUS_SUCCESS &&
	      offered == 1, "all");
	end();
}

static void test_revoke(void)
{
	struct nvsp_message m = { .type = NVSP_REVOKE_RECEIVE_BUFFER };
	uint8_t a[512];
	struct iovec iov = { a, make_packet(a, 100, 99, 0) };
	unsigned int completions;

	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	completions = chan.completions;
	nvsp(&m, false);
	CHECK(!n->receive.map && !n->send.map, "revoked");
	m.type = NVSP_REVOKE_SEND_BUFFER;
	nvsp(&m, true);
	rndis(&chan, NVSP_CHANNEL_DATA, &iov, 1, NVSP_NO_SECTION, 0);
	frame(own, 100, 1);
	CHECK(chan.completions == completions && !chan.pages && !back.sends &&
	      !chan.errored, "nothing is read, nothing is sent");
	/* until it is opened again */
	kind->ops->close(bus.devices, &chan);
	CHECK(!kind->ops->open(bus.devices, &chan) && !n->deaf, "opened");
	step(0, NVSP_VERSION_61);
	CHECK(chan.completions == completions + 1, "answers");
	end();
}

static void test_objects(void)
{
	static const uint8_t group[6] = { 1, 0, 0x5e, 0, 0, 1 };

	up("openvmm:" CARD, NVSP_VERSION_61, FILTER);
	CHECK(request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, group, 6) ==
	      NDIS_STATUS_NOT_SUPPORTED && !n->multicasts, "no list");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_802_3_MAXIMUM_LIST_SIZE, NULL, 0) &&
	      !word(last_answer() + 24), "of length 0");
	CHECK(request(RNDIS_TYPE_QUERY, 0x12345678, NULL, 0) ==
	      NDIS_STATUS_NOT_SUPPORTED, "unknown");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_GEN_RECEIVE_SCALE_CAPABILITIES,
		       NULL, 0) &&
	      !(word(last_answer() + 28) & (NDIS_RSS_CAP_UDP_IPV4 |
					    NDIS_RSS_CAP_UDP_IPV6)), "no UDP");
	CHECK(!request(RNDIS_TYPE_QUERY, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
		       NULL, 0) && !last_answer()[24 + 144], "no RSC");
	end();
	up("hyperv:" CARD ",rsc=off", NVSP_VERSION_61, FILTER);
	CHECK(!request(RNDIS_TYPE_SET, OID_802_3_MULTICAST_LIST, group, 6) &&
	      n->multicasts == 1, "hyperv: a list");
	CHECK(request(RNDIS_TYPE_QUERY, 0x12345678, NULL, 0) ==
	      NDIS_STATUS_INVALID_OID, "unknown");
	end();
}

/* Of every kind of host: what is behind a message's fields is zero */
static void test_padding(void)
{
	static const uint8_t fields[] = { 8, 16, 8, 6, 6 };
	struct nvsp_message m = {
		.type = NVSP_SEND_RNDIS_PACKET,
		.rndis.section = NVSP_NO_SECTION,
	};
	uint8_t a[512];
	struct iovec iov = { a, make_packet(a, 100, 99, 0) };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct nvsp_message all;

		memset(&all, 0xee, sizeof(all));
		CHECK(!nvsp_is_padded(&all, fields[i]), "step %u", i);
		memset(all.raw + fields[i], 0, sizeof(all.raw) - fields[i]);
		CHECK(nvsp_is_padded(&all, fields[i]), "step %u", i);
	}
	up("lenient:" CARD, NVSP_VERSION_61, FILTER);
	m.raw[sizeof(m.rndis)] = 1;
	post(&chan, PACKET_GPA_DIRECT, &m, sizeof(m), &iov, 1, true);
	CHECK(chan.errored && ends_with("behind its fields"), "packet: %s",
	      chan.why);
	end();
	begin(CARD);
	m = (struct nvsp_message){ .type = NVSP_INIT };
	m.init.min_version = NVSP_VERSION_61;
	m.init.max_version = NVSP_VERSION_61;
	m.raw[20] = 1;
	nvsp(&m, true);
	CHECK(chan.errored && ends_with("behind its fields"), "INIT: %s",
	      chan.why);
	end();
}

int main(void)
{
	tap_test("slots of no convenient size", test_slots);
	tap_test("the largest frame fits", test_largest_frame);
	tap_test("control messages in slots of their own", test_control_slots);
	tap_test("the link is indicated", test_link);
	tap_test("an indication's info is not counted", test_uncounted_info);
	tap_test("frame sizes that are not taken", test_frame_size);
	tap_test("where the send table is", test_table);
	tap_test("frames with a tag inside", test_tags);
	tap_test("completions of several lengths", test_completions);
	tap_test("SWITCH_DATA_PATH", test_path);
	tap_test("sub-channels: late, all or none", test_subchannels);
	tap_test("deaf after a revoke", test_revoke);
	tap_test("objects that are not known", test_objects);
	tap_test("messages are padded with zeroes", test_padding);
	return tap_done();
}
