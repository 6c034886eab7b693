// SPDX-License-Identifier: GPL-2.0-only
/* An open channel: packets, flow control, rescind, resets; the control socket */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <synthio/keyboard.h>

#include "channel.h"
#include "fake_guest.h"
#include "tap.h"
#include "unixsock.h"

static struct fake_guest f;
static struct fake_channel ch;
static struct fake_packet pkt;
static struct synthio_test_rsp rsp;
static uint64_t msg[VMBUS_WIRE_MSG_PAYLOAD / 8];

static void start(const char *const *devices, unsigned int ring_pages)
{
	CHECK(fake_start(&f, devices), "start");
	CHECK(fake_up(&f), "up");
	CHECK(f.offer_count == 1, "%u offers", f.offer_count);
	CHECK(!fake_open(&f, &f.offers[0], ring_pages, &ch), "open");
}

static void start_test(unsigned int ring_pages)
{
	static const char *const devices[] = { "--test-device", NULL };

	start(devices, ring_pages);
}

static void test_echo(void)
{
	struct synthio_test_req req = { .op = SYNTHIO_TEST_ECHO };
	uint64_t data[64], i;

	start_test(4);
	CHECK_OK();
	/* enough to go round the rings a few times, lengths odd and even */
	for (i = 0; i < 200; i++) {
		uint32_t len = i * 7 % sizeof(data);
		uint8_t raw[sizeof(req) + sizeof(data)];

		memset(data, (int)i, sizeof(data));
		req.len = len;
		memcpy(raw, &req, sizeof(req));
		memcpy(raw + sizeof(req), data, len);
		CHECK(fake_send(&ch, 6, 1, i, NULL, 0, raw, sizeof(req) + len),
		      "send %u", (unsigned int)i);
		fake_signal(&f, &ch);
		fake_run(&f, 1);
		CHECK(fake_receive(&ch, &pkt) && pkt.desc.type == 6 &&
		      !pkt.desc.flags && pkt.desc.trans_id == i &&
		      pkt.len == ((len + 7) & ~7u) &&
		      !memcmp(pkt.payload, data, len), "echo %u",
		      (unsigned int)i);
		CHECK(fake_receive(&ch, &pkt) && pkt.desc.type == 11 &&
		      pkt.desc.trans_id == i, "completion %u",
		      (unsigned int)i);
		CHECK(!fake_receive(&ch, &pkt), "no more");
	}
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "statistics");
	CHECK(rsp.value[0] == 201 && rsp.value[1] == 400,
	      "%llu in, %llu out", rsp.value[0], rsp.value[1]);
	CHECK(rsp.value[2] == 201 && !rsp.value[5], "%llu signals, %llu too many",
	      rsp.value[2], rsp.value[5]);
	fake_stop(&f);
}

static void test_event_flags(void)
{
	struct vmbus_wire_flags *flags;
	uint64_t count;

	start_test(4);
	CHECK_OK();
	flags = fake_ptr(&f, f.boot->vps[0].event_gpa);
	flags += VMBUS_WIRE_SINT;
	while (read(f.vector_fd[0], &count, 0) > 0)
		;
	CHECK(!flags->word[0], "no flag yet");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "request");
	CHECK(flags->word[0] == 1ull << ch.relid, "flag of relid %u: 0x%llx",
	      ch.relid, flags->word[0]);
	CHECK(read(f.vector_fd[0], &count, sizeof(count)) == 8, "interrupt");
	/* a word that is not zero needs no second interrupt */
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SPURIOUS, 5, 0, NULL, 0,
			    &rsp), "five signals");
	CHECK(read(f.vector_fd[0], &count, sizeof(count)) < 0, "interrupt");
	flags->word[0] = 0;
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SPURIOUS, 1, 0, NULL, 0,
			    &rsp), "one signal");
	CHECK(read(f.vector_fd[0], &count, sizeof(count)) == 8, "interrupt");
	fake_stop(&f);
}

static void test_source(void)
{
	const struct synthio_test_req req = {
		.op = SYNTHIO_TEST_SOURCE, .arg0 = 5000, .arg1 = 500,
	};
	unsigned int i, j, waits = 0;

	start_test(2);
	CHECK_OK();
	CHECK(fake_send(&ch, 6, 1, 42, NULL, 0, &req, sizeof(req)), "send");
	fake_signal(&f, &ch);
	for (i = 0; i < req.arg0;) {
		if (!fake_receive(&ch, &pkt)) {
			waits++;
			CHECK(waits < 20000, "nothing more comes");
			/* room was made: the host asked to be told */
			fake_signal(&f, &ch);
			fake_run(&f, 1);
			continue;
		}
		CHECK(pkt.desc.type == 6 && pkt.desc.trans_id == i &&
		      pkt.len == 504 && pkt.payload[0] == i, "packet %u", i);
		for (j = 8; j < req.arg1; j++)
			CHECK(((uint8_t *)pkt.payload)[j] ==
			      synthio_test_pattern(i, j - 8), "byte %u", j);
		i++;
	}
	fake_signal(&f, &ch);
	fake_run(&f, 5);
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.type == 11 &&
	      pkt.desc.trans_id == 42, "completion");
	CHECK(waits > 100, "the ring was never full: %u", waits);
	CHECK(!ch.in->pending_send_sz, "the host waits for nothing");
	fake_stop(&f);
}

/* A guest without the feature bit does not signal: the host looks by itself */
static void test_source_without_signals(void)
{
	const struct synthio_test_req req = {
		.op = SYNTHIO_TEST_SOURCE, .arg0 = 100, .arg1 = 500,
	};
	unsigned int i, waits = 0;

	start_test(2);
	CHECK_OK();
	ch.out->feature_bits = 0;
	CHECK(fake_send(&ch, 6, 1, 42, NULL, 0, &req, sizeof(req)), "send");
	fake_signal(&f, &ch);
	for (i = 0; i <= req.arg0;) {
		if (fake_receive(&ch, &pkt))
			i++;
		else
			fake_run(&f, 3);
		CHECK(waits++ < 1000, "nothing more comes");
	}
	CHECK(pkt.desc.type == 11, "completion");
	fake_stop(&f);
}

static void test_guest_waits_for_room(void)
{
	struct synthio_test_req req = { .op = SYNTHIO_TEST_SPURIOUS };
	uint8_t raw[1000] = { 0 };
	uint64_t before;
	unsigned int n = 0;

	start_test(2);
	CHECK_OK();
	memcpy(raw, &req, sizeof(req));
	while (fake_send(&ch, 6, 0, 0, NULL, 0, raw, sizeof(raw)))
		n++;
	CHECK(n == 3, "%u packets", n);
	ch.out->pending_send_sz = 1024;
	before = f.host.bus.relid[ch.relid]->stats.signals_out;
	fake_signal(&f, &ch);
	fake_run(&f, 3);
	CHECK(f.host.bus.relid[ch.relid]->stats.signals_out == before + 1,
	      "the host tells of room, once");
	fake_stop(&f);
}

/*
 * Packets are shown to the guest after pending_send_sz was written for one that does
 * not fit behind them. A guest that gives room back in between judges by the older
 * write_index: there was room enough before, so it does not signal. Here the guest
 * reads all of it at once, and the host has to find that out by itself.
 */
static void test_room_without_signal(void)
{
	const uint64_t packet[64] = { 0 };
	struct channel *host;
	unsigned int n = 0;

	start_test(2);
	CHECK_OK();
	host = f.host.bus.relid[ch.relid];
	fake_run(&f, 3);
	CHECK(!host->active, "the host polls the channel");
	while (!channel_backlog(host)) {
		CHECK(!channel_send_pages(host, n, packet, 24, sizeof(packet)),
		      "send %u", n);
		n++;
	}
	CHECK(n > 2, "%u packets", n);
	/* shows what was sent, and does not let the host look at the ring */
	bus_settle(&f.host.bus);
	while (--n)
		CHECK(fake_receive(&ch, &pkt), "%u packets left", n);
	CHECK(!fake_receive(&ch, &pkt), "the last one waits for room");
	fake_run(&f, 3);
	CHECK(fake_receive(&ch, &pkt), "the host waits for a signal");
	fake_stop(&f);
}

static void test_stall(void)
{
	const struct synthio_test_req echo = { .op = SYNTHIO_TEST_ECHO };
	const struct synthio_test_req stall = {
		.op = SYNTHIO_TEST_STALL, .arg0 = 100,
	};
	uint64_t begin;
	bool any;

	start_test(4);
	CHECK_OK();
	fake_send(&ch, 6, 1, 1, NULL, 0, &stall, sizeof(stall));
	fake_send(&ch, 6, 1, 2, NULL, 0, &echo, sizeof(echo));
	begin = loop_now();
	fake_signal(&f, &ch);
	/* on a busy machine it is over when we look for the first time */
	do {
		fake_run(&f, 10);
		any = fake_receive(&ch, &pkt);
	} while (!any && loop_now() - begin < 10000000000ull);
	CHECK(loop_now() - begin >= 100000000ull, "too early");
	CHECK(any && pkt.desc.trans_id == 2 && pkt.desc.type == 6, "echo");
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.trans_id == 2, "completion");
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.trans_id == 1, "stall");
	/* closing in the middle of one */
	fake_send(&ch, 6, 1, 1, NULL, 0, &stall, sizeof(stall));
	fake_send(&ch, 6, 1, 2, NULL, 0, &echo, sizeof(echo));
	fake_signal(&f, &ch);
	fake_run(&f, 5);
	CHECK(fake_close(&f, &ch), "close");
	fake_run(&f, 150);
	fake_stop(&f);
}

static void test_sink(void)
{
	uint8_t data[100];
	uint64_t seq, i;

	start_test(4);
	CHECK_OK();
	for (seq = 0; seq < 5; seq++) {
		memcpy(data, &seq, 8);
		for (i = 8; i < sizeof(data); i++)
			data[i] = synthio_test_pattern(seq, i - 8);
		CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SINK, 0, 0, data,
				    sizeof(data), &rsp), "in order");
	}
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_SINK, 0, 0, data,
			   sizeof(data), &rsp) == SYNTHIO_TEST_MISMATCH,
	      "same again");
	seq = 5;
	memcpy(data, &seq, 8);
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_SINK, 0, 0, data,
			   sizeof(data), &rsp) == SYNTHIO_TEST_MISMATCH,
	      "wrong pattern");
	CHECK(fake_request(&f, &ch, 99, 0, 0, NULL, 0, &rsp) ==
	      SYNTHIO_TEST_BAD_OP, "unknown operation");
	fake_stop(&f);
}

static void test_raw(void)
{
	struct {
		struct vmbus_wire_packet p;
		uint64_t data, trailer;
	} raw = { { 6, 2, 3, 0, 99 }, 0x1234, 0 };

	start_test(4);
	CHECK_OK();
	fake_request(&f, &ch, SYNTHIO_TEST_RAW, 0, 0, &raw, 12, &rsp);
	CHECK(rsp.status == SYNTHIO_TEST_BAD_ARG, "12 bytes");
	fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp);
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_RAW, 0, 0, &raw,
			    sizeof(raw), &rsp), "raw");
	ch.in->read_index = (ch.in->read_index + ch.in_size - 80 - 32) %
			    ch.in_size;
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.trans_id == 99 &&
	      pkt.payload[0] == 0x1234, "the packet in it");
	fake_stop(&f);

	start_test(4);
	CHECK_OK();
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_BAD_INDEX, 0xfffffff0, 0,
			   NULL, 0, &rsp) == -1, "no completion");
	CHECK(ch.in->write_index == 0xfffffff0, "the index");
	CHECK(!f.host.guest.broken, "not the guest's fault");
	ch.in->write_index = 0;
	CHECK(fake_close(&f, &ch), "close");
	CHECK(!fake_open(&f, &f.offers[0], 4, &ch), "open again");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "and it works");
	fake_stop(&f);
}

static void test_gpadl_memory(void)
{
	uint32_t handle, i;
	uint8_t *mem;
	uint64_t gpa;

	start_test(4);
	CHECK_OK();
	gpa = fake_pages(&f, 40);
	mem = fake_ptr(&f, gpa);
	handle = fake_gpadl(&f, ch.relid, gpa, 40);
	CHECK(handle, "GPADL");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_GPADL_FILL, handle, 7, NULL,
			    0, &rsp), "fill");
	for (i = 0; i < 40 * RAM_PAGE; i++)
		CHECK(mem[i] == synthio_test_pattern(7, i), "byte %u", i);
	memset(mem, 0, 40 * RAM_PAGE);
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_GPADL_CRC, handle, 0, NULL,
			    0, &rsp), "CRC");
	/* python3 -c 'import zlib; print(hex(zlib.crc32(bytes(163840))))' */
	CHECK(rsp.value[0] == 0x206ab11d, "CRC 0x%llx", rsp.value[0]);
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_GPADL_CRC, handle + 1, 0,
			   NULL, 0, &rsp) == SYNTHIO_TEST_BAD_ARG, "handle");
	fake_stop(&f);
}

/* A GPA-direct packet to the test device: @words are what follows the head */
static void gpa_packet(uint32_t op, uint32_t range_cnt, const uint64_t *words,
		       unsigned int count)
{
	struct synthio_test_req req = { .op = op, .arg1 = 5 };
	uint64_t extra[64] = { (uint64_t)range_cnt << 32 };

	if (count)
		memcpy(extra + 1, words, count * 8);
	fake_send(&ch, 9, 1, 1, extra, 8 + count * 8, &req, sizeof(req));
	fake_signal(&f, &ch);
	fake_run(&f, 2);
}

#define RANGE(bytes, offset)	((uint64_t)(offset) << 32 | (uint32_t)(bytes))

static void test_gpa_direct(void)
{
	uint64_t gpa, words[8];
	uint8_t *mem;
	uint32_t i;

	start_test(4);
	CHECK_OK();
	gpa = fake_pages(&f, 4);
	mem = fake_ptr(&f, gpa);
	/* pages 3 and 1 as one range from byte 100; then 10 bytes of page 0 */
	words[0] = RANGE(5000, 100);
	words[1] = gpa / RAM_PAGE + 3;
	words[2] = gpa / RAM_PAGE + 1;
	words[3] = RANGE(10, 4086);
	words[4] = gpa / RAM_PAGE;
	gpa_packet(SYNTHIO_TEST_GPA_FILL, 2, words, 5);
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.type == 11, "completion");
	for (i = 0; i < 5000; i++) {
		uint32_t at = i + 100;
		uint32_t page = at < RAM_PAGE ? 3 : 1;

		CHECK(mem[page * RAM_PAGE + at % RAM_PAGE] ==
		      synthio_test_pattern(5, i), "byte %u", i);
	}
	for (i = 0; i < 10; i++)
		CHECK(mem[4086 + i] == synthio_test_pattern(5, 5000 + i),
		      "byte %u", i);
	CHECK(!mem[4085] && !mem[RAM_PAGE + 1004] &&
	      !mem[3 * RAM_PAGE + 99] && !mem[2 * RAM_PAGE], "beside it");
	fake_stop(&f);
}

static void test_bad_gpa_direct(void)
{
	uint64_t pfn, words[4];
	unsigned int i;
	static const struct {
		uint32_t count, words;
		uint64_t range;
		const char *why;
	} bad[] = {
		{ 0, 2, RANGE(8, 0), "without a range" },
		{ 2, 2, RANGE(8, 0), "fewer ranges" },
		{ 0xffffffff, 2, RANGE(8, 0), "fewer ranges" },
		{ 1, 0, 0, "fewer ranges" },
		{ 1, 1, RANGE(8, 0), "more page numbers" },
		{ 1, 2, RANGE(4096, 1), "more page numbers" },
		{ 1, 2, RANGE(0xffffffff, 0), "more page numbers" },
		{ 1, 2, RANGE(8, 4096), "beyond its first page" },
		{ 1, 2, RANGE(8, 0xffffffff), "beyond its first page" },
		{ 1, 3, RANGE(4097, 0), "not in guest RAM" },
		{ 1, 1, RANGE(0, 0), "range of 0 bytes" },
		{ 1, 3, RANGE(8, 0), "more than its ranges" },
	};

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_test(4);
		CHECK_OK();
		pfn = fake_pages(&f, 1) / RAM_PAGE;
		words[0] = bad[i].range;
		words[1] = pfn;
		words[2] = UINT64_MAX;
		gpa_packet(SYNTHIO_TEST_GPA_FILL, bad[i].count, words,
			   bad[i].words);
		CHECK(fake_broken(&f, bad[i].why), "%u: '%s'", i,
		      f.host.guest.why);
		fake_stop(&f);
	}
}

/* What breaks the guest: one step against a fresh channel each */
static void test_bad_packets(void)
{
	const uint64_t data[4] = { 0 };

#define BROKEN(step, reason) do {					\
	start_test(4);							\
	CHECK_OK();							\
	step;								\
	fake_signal(&f, &ch);						\
	fake_run(&f, 3);						\
	CHECK(fake_broken(&f, reason), "'%s' is not '%s'",		\
	      f.host.guest.why, reason);				\
	fake_stop(&f);							\
} while (0)
	BROKEN(fake_send(&ch, 8, 0, 0, NULL, 0, data, 32), "6, 7, 9 or 0xb");
	BROKEN(fake_send(&ch, 6, 4, 0, NULL, 0, data, 32), "flags");
	BROKEN(fake_send(&ch, 7, 0, 0, NULL, 0, data, 32), "transfer pages");
	BROKEN(fake_send(&ch, 11, 0, 0, NULL, 0, data, 32),
	       "completion of nothing");
	BROKEN(fake_send(&ch, 6, 0, 0, NULL, 0, data, 8), "request of");
	BROKEN(ch.out->write_index = 7, "unaligned");
	BROKEN(ch.out->write_index = ch.out_size, "outside");
	BROKEN(ch.out->write_index = 8, "descriptor");
	BROKEN(ch.out->interrupt_mask ^= 1, "interrupt mask");
	BROKEN(ch.out->read_index = 64, "read index");
	BROKEN((ch.in->read_index = 64,
		fake_send(&ch, 6, 1, 0, NULL, 0, data, 32)),
	       "read_index moved past");
}

static void test_needless_signals(void)
{
	struct channel *host_ch;
	unsigned int i;

	start_test(4);
	CHECK_OK();
	host_ch = f.host.bus.relid[ch.relid];
	for (i = 0; i < 10; i++) {
		fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0,
			     &rsp);
		CHECK(!rsp.value[5], "each of these is due");
	}
	fake_run(&f, 5);
	for (i = 0; i < 10; i++) {
		fake_signal(&f, &ch);
		fake_run(&f, 1);
	}
	CHECK(host_ch->stats.signals_in == 20 &&
	      host_ch->stats.signals_needless == 10,
	      "%llu signals, %llu needless",
	      (unsigned long long)host_ch->stats.signals_in,
	      (unsigned long long)host_ch->stats.signals_needless);
	CHECK(!f.host.guest.broken, "it is not disconnected for that");
	fake_stop(&f);
}

static void test_unknown_signals(void)
{
	static const uint32_t ids[] = {
		GUEST_FIRST_CONN_ID, GUEST_FIRST_CONN_ID + 60,
		GUEST_FIRST_CONN_ID + 100, 5, SYNTHIO_PAGE_SIZE * 8 - 1,
	};
	unsigned int i, j;

	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
		struct fake_channel other = { .conn_id = ids[i] };

		start_test(4);
		CHECK_OK();
		fake_signal(&f, &other);
		for (j = 0; !f.host.guest.broken && j < 100; j++)
			fake_run(&f, 20);
		fake_run(&f, 2);
		CHECK(fake_broken(&f, "was never offered"), "id %u: '%s'",
		      ids[i], f.host.guest.why);
		fake_stop(&f);
	}

	/* but of one that has gone it may be late */
	start_test(4);
	CHECK_OK();
	CHECK(!device_rescind(f.host.bus.devices), "rescind");
	fake_signal(&f, &ch);
	fake_run(&f, 5);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND && fake_close(&f, &ch),
	      "close");
	fake_signal(&f, &ch);
	fake_run(&f, 5);
	CHECK(!f.host.guest.broken, "'%s'", f.host.guest.why);
	fake_stop(&f);
}

static void test_subchannels(void)
{
	struct fake_channel sub;
	struct vmbus_wire_offer offer;
	struct vmbus_wire_relid m = { .header.msgtype = VMBUS_WIRE_CLOSE };

	start_test(4);
	CHECK_OK();
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 9, 0, NULL, 0,
			   &rsp) == SYNTHIO_TEST_BAD_ARG, "nine");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 2, 0, NULL, 0,
			    &rsp), "two");
	fake_run(&f, 100);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_OFFER, "offer 1");
	memcpy(&offer, msg, sizeof(offer));
	CHECK(offer.sub_channel_index == 1 &&
	      !memcmp(&offer.if_instance, &f.offers[0].if_instance, 16),
	      "of the same device");
	fake_run(&f, 1);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_OFFER, "offer 2");
	CHECK(!fake_open(&f, &offer, 4, &sub), "open");
	CHECK(!fake_request(&f, &sub, SYNTHIO_TEST_STATS, 0, 0, NULL, 0,
			    &rsp), "request");
	/* closed before its primary, which then takes both away */
	CHECK(fake_close(&f, &sub), "close sub");
	m.child_relid = ch.relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind 1");
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind 2");
	m.header.msgtype = VMBUS_WIRE_RELID_RELEASED;
	m.child_relid = sub.relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(!f.host.guest.broken && !f.host.bus.relid[sub.relid],
	      "released: %s", f.host.guest.why);
	fake_stop(&f);

	start_test(4);
	CHECK_OK();
	fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 1, 0, NULL, 0, &rsp);
	fake_run(&f, 100);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_OFFER, "offer");
	memcpy(&offer, msg, sizeof(offer));
	CHECK(!fake_open(&f, &offer, 4, &sub), "open");
	m.header.msgtype = VMBUS_WIRE_CLOSE;
	m.child_relid = ch.relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "while its subchannel 1 is open"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
}

static void test_rescind(void)
{
	struct vmbus_wire_relid m = {
		.header.msgtype = VMBUS_WIRE_RELID_RELEASED,
	};
	struct vmbus_wire_offer *offer = (void *)msg;

	start_test(4);
	CHECK_OK();
	m.child_relid = ch.relid;
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_RESCIND, 5, 5, NULL, 0,
			    &rsp), "completed before");
	fake_run(&f, 20);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind");
	/* a device comes back without waiting for its old relid */
	fake_run(&f, 1);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_OFFER, "offered again");
	CHECK(offer->child_relid != ch.relid &&
	      !memcmp(&offer->if_instance, &f.offers[0].if_instance, 16),
	      "with a new relid");
	f.offers[0] = *offer;
	/* its memory may be given back by now: nothing is read or written */
	CHECK(fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "not served any more");
	/* stock guests close a rescinded channel too */
	CHECK(fake_close(&f, &ch), "close");
	fake_post_run(&f, &m, sizeof(m));
	CHECK(!fake_take(&f, msg), "not a second time");
	CHECK(!fake_open(&f, &f.offers[0], 4, &ch), "open");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "request");
	fake_stop(&f);
}

/* What is begun is ended first, but not for ever */
static void test_rescind_waits(void)
{
	const struct synthio_test_req source = {
		.op = SYNTHIO_TEST_SOURCE, .arg0 = 1000, .arg1 = 500,
	};
	const struct synthio_test_req stall = {
		.op = SYNTHIO_TEST_STALL, .arg0 = 5000,
	};
	unsigned int n = 0, i;
	uint64_t begin;

	start_test(2);
	CHECK_OK();
	fake_send(&ch, 6, 1, 1, NULL, 0, &source, sizeof(source));
	fake_signal(&f, &ch);
	fake_run(&f, 2);
	CHECK(!device_rescind(f.host.bus.devices), "rescind");
	CHECK(f.host.bus.devices->rescinding, "in the middle of a source");
	for (i = 0; f.host.bus.devices->rescinding; i++) {
		CHECK(i < 20000, "no end");
		while (fake_receive(&ch, &pkt))
			n++;
		fake_signal(&f, &ch);
		fake_run(&f, 1);
	}
	while (fake_receive(&ch, &pkt))
		n++;
	CHECK(n == 1001 && pkt.desc.type == 11, "%u packets", n);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind");
	fake_stop(&f);

	start_test(4);
	CHECK_OK();
	fake_send(&ch, 6, 1, 1, NULL, 0, &stall, sizeof(stall));
	fake_signal(&f, &ch);
	fake_run(&f, 2);
	begin = loop_now();
	CHECK(!device_rescind(f.host.bus.devices), "rescind");
	while (f.host.bus.devices->rescinding)
		fake_run(&f, 10);
	CHECK(loop_now() - begin >= 2000000000ull, "waits for a while");
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind");
	fake_stop(&f);
}

/* A guest's wish for a rescind is not the next guest's */
static void test_rescind_forgotten(void)
{
	start_test(4);
	CHECK_OK();
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_RESCIND, 100, 0, NULL, 0,
			    &rsp), "rescind");
	guest_forget(&f.host.guest, "as after QMP RESET");
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 4, &ch), "again");
	fake_run(&f, 300);
	CHECK(!fake_take(&f, msg), "a rescind for the next guest");
	/* closing alone does not forget it */
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_RESCIND, 100, 0, NULL, 0,
			    &rsp), "rescind");
	CHECK(fake_close(&f, &ch), "close");
	fake_run(&f, 300);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind");
	fake_stop(&f);
}

static void test_decline(void)
{
	static const char *const devices[] = { "--test-device", NULL };
	struct vmbus_wire_relid m = {
		.header.msgtype = VMBUS_WIRE_RELID_RELEASED,
	};

	CHECK(fake_start(&f, devices) && fake_up(&f), "up");
	m.child_relid = f.offers[0].child_relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(!f.host.guest.broken && !fake_take(&f, msg),
	      "not offered again at once");
	CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == 1 &&
	      fake_request_offers(&f) && f.offer_count == 1,
	      "but to the next connection");
	fake_stop(&f);
}

/* Guest resets and deaths with a busy channel: the host forgets all of it */
static void test_resets(void)
{
	const struct synthio_test_req req = {
		.op = SYNTHIO_TEST_SOURCE, .arg0 = 1000000, .arg1 = 500,
	};
	static uint8_t before[FAKE_RAM_SIZE];
	int how;

	for (how = 0; how < 5; how++) {
		start_test(4);
		CHECK_OK();
		fake_send(&ch, 6, 1, 1, NULL, 0, &req, sizeof(req));
		fake_signal(&f, &ch);
		fake_run(&f, 5);
		CHECK(f.host.bus.relid[ch.relid]->queue_bytes, "busy");
		if (how == 0) {
			guest_forget(&f.host.guest, "as after QMP RESET");
		} else if (how == 1) {
			CHECK(!fake_command(&f, SYNTHIO_CMD_DETACH), "detach");
		} else if (how == 2) {
			fake_disconnect(&f);
			CHECK(!f.host.ram.mapped, "RAM is let go");
		} else if (how == 3) {
			fake_post_run(&f, msg, 3);
			CHECK(f.host.guest.broken, "broken");
		} else {
			CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == 1,
			      "contact");
		}
		CHECK(!f.host.bus.relid[ch.relid] &&
		      !f.host.bus.gpadls.count && !f.host.guest.queued,
		      "forgotten");
		/* the old guest's pages are not written any more */
		if (how < 4) {
			memcpy(before, f.ram, FAKE_RAM_SIZE);
			fake_run(&f, 500);
			CHECK(!memcmp(before, f.ram, FAKE_RAM_SIZE),
			      "the host wrote into RAM");
		}
		if (how == 2)
			CHECK(fake_connect(&f), "the next QEMU");
		CHECK(fake_up(&f), "a new start");
		CHECK(!fake_open(&f, &f.offers[0], 4, &ch), "open");
		CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL,
				    0, &rsp), "request");
		fake_stop(&f);
	}
}

static void test_second_qemu(void)
{
	char byte;
	int fd;

	start_test(4);
	CHECK_OK();
	fd = unixsock_connect(f.socket_path);
	CHECK(fd >= 0, "connect");
	fake_run(&f, 5);
	CHECK(recv(fd, &byte, 1, MSG_DONTWAIT) == 0, "refused");
	close(fd);
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_STATS, 0, 0, NULL, 0, &rsp),
	      "the first goes on");
	fake_stop(&f);
}

static const char *control(const char *line)
{
	static char reply[4096];
	char copy[256];
	struct text out = { 0 };

	strcpy(copy, line);
	control_run(&f.host.bus, copy, &out);
	bus_settle(&f.host.bus);
	snprintf(reply, sizeof(reply), "%s", text_str(&out));
	text_free(&out);
	return reply;
}

#define SAYS(line, what) \
	CHECK(strstr(control(line), what), "%s: %s", line, control(line))

static void test_control_commands(void)
{
	start_test(4);
	CHECK_OK();
	SAYS("", "error: no command");
	SAYS("nonsense", "error: unknown command 'nonsense'");
	SAYS("help", "rescind ID");
	SAYS("status", "version 5.3");
	SAYS("status", "\nok\n");
	SAYS("stats", "test/0 relid");
	SAYS("stats json", "[{\"device\":\"test\",\"channel\":0");
	SAYS("stats xml", "error:");
	SAYS("rescind", "error: needs the ID");
	SAYS("rescind nobody", "error: there is no device 'nobody'");
	SAYS("offer test", "error: it is offered already");
	SAYS("rescind test", "ok\n");
	SAYS("rescind test", "error: it is not offered");
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_RESCIND, "rescind");
	SAYS("status", "rescinded");
	SAYS("offer test", "ok\n");
	SAYS("log loud", "error:");
	SAYS("key x", "error: there is no keyboard");
	SAYS("key \"x", "error: a quote is not closed");
	fake_stop(&f);
}

static void test_control_socket(void)
{
	static char big[CONTROL_LINE_MAX + 10];
	char reply[4096];
	ssize_t n;
	int fd;

	start_test(4);
	CHECK_OK();
	fd = unixsock_connect(f.control_path);
	CHECK(fd >= 0 && send(fd, "log err", 7, 0) == 7, "half a line");
	fake_run(&f, 5);
	CHECK(send(fd, "or\nstatus\n", 10, 0) == 10, "the rest and one more");
	fake_run(&f, 5);
	n = recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
	CHECK(n > 4, "reply");
	reply[n] = '\0';
	CHECK(!strncmp(reply, "ok\nguest: attached", 18), "%s", reply);
	CHECK(!strcmp(reply + n - 4, "\nok\n"), "%s", reply);
	memset(big, 'a', sizeof(big));
	CHECK(send(fd, big, sizeof(big), 0) == sizeof(big), "a long line");
	fake_run(&f, 5);
	n = recv(fd, reply, sizeof(reply) - 1, MSG_DONTWAIT);
	CHECK(n > 0 && !strncmp(reply, "error: a line has more", 22), "reply");
	close(fd);
	fake_run(&f, 5);
	fake_stop(&f);
}

static void keyboard_request(uint32_t type, uint32_t value)
{
	const uint32_t req[2] = { type, value };

	fake_send(&ch, 6, 1, 1, NULL, 0, req, sizeof(req));
	fake_signal(&f, &ch);
	fake_run(&f, 2);
}

static bool key_is(uint16_t code, uint32_t info)
{
	const struct synthkbd_event *e = (void *)pkt.payload;

	return fake_receive(&ch, &pkt) && pkt.desc.type == 6 &&
	       e->header.type == SYNTHKBD_EVENT && e->make_code == code &&
	       e->info == info;
}

static void test_keyboard(void)
{
	static const char *const devices[] = { "--keyboard", NULL };

	start(devices, 4);
	CHECK_OK();
	SAYS("key x", "error: the guest has no driver");
	keyboard_request(SYNTHKBD_PROTOCOL_REQUEST, 0x20000);
	CHECK(fake_receive(&ch, &pkt) && pkt.payload[0] == 2, "2.0 refused");
	SAYS("key x", "error: the guest has no driver");
	keyboard_request(SYNTHKBD_PROTOCOL_REQUEST, SYNTHKBD_VERSION_1_0);
	CHECK(fake_receive(&ch, &pkt) && pkt.payload[0] == (1ull << 32 | 2),
	      "1.0 accepted");
	CHECK(!fake_receive(&ch, &pkt), "no completion on this channel");
	CHECK(!strcmp(control("key \"aA \" \\\\n"), "ok\n"), "type");
	CHECK(key_is(0x1e, 0) && key_is(0x1e, SYNTHKBD_BREAK), "a");
	CHECK(key_is(0x2a, 0) && key_is(0x1e, 0) &&
	      key_is(0x1e, SYNTHKBD_BREAK) && key_is(0x2a, SYNTHKBD_BREAK),
	      "A");
	CHECK(key_is(0x39, 0) && key_is(0x39, SYNTHKBD_BREAK), "blank");
	CHECK(key_is(0x39, 0) && key_is(0x39, SYNTHKBD_BREAK), "between");
	CHECK(key_is(0x1c, 0) && key_is(0x1c, SYNTHKBD_BREAK), "Enter");
	CHECK(!strcmp(control("key ~"), "ok\n"), "type");
	CHECK(key_is(0x2a, 0) && key_is(0x29, 0) &&
	      key_is(0x29, SYNTHKBD_BREAK) && key_is(0x2a, SYNTHKBD_BREAK),
	      "~");
	CHECK(!strcmp(control("scancode e0 48 e0 c8 1e"), "ok\n"), "codes");
	CHECK(key_is(0x48, SYNTHKBD_E0) &&
	      key_is(0x48, SYNTHKBD_E0 | SYNTHKBD_BREAK) && key_is(0x1e, 0),
	      "cursor up, a");
	SAYS("scancode 1e zz", "error: 'zz' is no hexadecimal byte");
	SAYS("scancode 1e1", "error:");
	SAYS("key \303\244", "error: no key for character 0xc3");
	keyboard_request(SYNTHKBD_LED_INDICATORS, 1);
	CHECK(!f.host.guest.broken, "LEDs");
	keyboard_request(9, 0);
	CHECK(fake_broken(&f, "unknown message type 9"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
}

int main(void)
{
	log_open("/dev/null");
	tap_test("echo", test_echo);
	tap_test("event flags", test_event_flags);
	tap_test("a full ring towards the guest", test_source);
	tap_test("a guest that does not signal room",
		 test_source_without_signals);
	tap_test("a guest that waits for room", test_guest_waits_for_room);
	tap_test("room that no signal tells of", test_room_without_signal);
	tap_test("stall", test_stall);
	tap_test("sink", test_sink);
	tap_test("raw bytes and bad index", test_raw);
	tap_test("GPADL memory", test_gpadl_memory);
	tap_test("GPA-direct packets", test_gpa_direct);
	tap_test("bad GPA-direct packets", test_bad_gpa_direct);
	tap_test("bad packets", test_bad_packets);
	tap_test("needless signals", test_needless_signals);
	tap_test("signals to nobody", test_unknown_signals);
	tap_test("subchannels", test_subchannels);
	tap_test("rescind and offer", test_rescind);
	tap_test("a rescind waits for what is begun", test_rescind_waits);
	tap_test("a rescind that a reset forgets", test_rescind_forgotten);
	tap_test("an offer that is declined", test_decline);
	tap_test("resets and deaths", test_resets);
	tap_test("a second QEMU", test_second_qemu);
	tap_test("control commands", test_control_commands);
	tap_test("control socket", test_control_socket);
	tap_test("keyboard", test_keyboard);
	return tap_done();
}
