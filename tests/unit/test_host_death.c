// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker of the host dies, at each step at which that makes a difference and
 * each time that it gets there, and another one takes over. The guest must see
 * nothing of it: each message, each completion and each answer comes once, and
 * writes that overlap are done in their order.
 *
 * A step is a persist_point(). The worker "dies" by a longjmp() out of its loop:
 * what it had in memory is never looked at again, and its files are closed.
 */
#include <fcntl.h>
#include <sanitizer/lsan_interface.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <synthio/mouse.h>
#include <synthio/netvsp.h>
#include <synthio/rndis.h>
#include <synthio/storvsp.h>

#include "channel.h"
#include "fake_disk.h"
#include "fake_guest.h"
#include "keeper.h"
#include "tap.h"

#define DISK_SIZE	(1u << 20)
#define BLOCK		FAKE_DISK_BLOCK
#define BLOCKS		5u
#define WRITES		12u
#define MAX_DEATHS	400u
#define PATIENCE_NS	60000000000ull

static struct fake_guest f;
static struct fake_channel ch;
static struct fake_packet pkt;
static uint64_t msg[VMBUS_WIRE_MSG_PAYLOAD / 8];
static char disk[64], disk_arg[128];
static unsigned int total;
static const char *then;		/* of disk_life(): fake_guest.then */

static void note(const char *what, const char *point, unsigned int count)
{
	printf("# %s: killed at %s, time %u\n", what, point, count);
}

/* The next packet, which may take some rounds, or a worker */
static bool await(void)
{
	uint64_t until = loop_now() + PATIENCE_NS;

	while (loop_now() < until) {
		if (fake_receive(&ch, &pkt))
			return true;
		fake_run(&f, 2);
	}
	return false;
}

static bool nothing_more(void)
{
	fake_run(&f, 5);
	return !fake_receive(&ch, &pkt) && !fake_take(&f, msg);
}

/* --- a disk ------------------------------------------------------------------ */

/* All completions of 100 and so on, each once and good */
static bool completed(unsigned int count)
{
	unsigned int seen[WRITES] = { 0 }, i;
	struct storvsp_packet p;

	for (i = 0; i < count; i++) {
		if (!await() || pkt.desc.trans_id < 100 ||
		    pkt.desc.trans_id >= 100 + count ||
		    seen[pkt.desc.trans_id - 100]++)
			return false;
		memcpy(&p, pkt.payload, sizeof(p));
		if (p.status != STORVSP_STATUS_SUCCESS)
			return false;
	}
	return nothing_more();
}

/* Writes to few blocks, so that most overlap; block 0 is written most often */
static unsigned int block_of(unsigned int i)
{
	return i % 2 ? i % BLOCKS : 0;
}

static void write_and_read(void)
{
	uint64_t data = fake_pages(&f, WRITES), back = fake_pages(&f, BLOCKS);
	uint8_t last[BLOCKS] = { 0 }, first;
	unsigned int i, j;

	for (i = 0; i < WRITES; i++) {
		memset(fake_ptr(&f, data + i * RAM_PAGE), i + 1, BLOCK);
		last[block_of(i)] = i + 1;
		CHECK(fake_disk_send(&ch, 100 + i, FAKE_DISK_WRITE,
				     data + i * RAM_PAGE, block_of(i)),
		      "no room");
		if (i % 5 == 4)
			fake_signal(&f, &ch);
	}
	fake_signal(&f, &ch);
	CHECK(completed(WRITES), "writes: completion 0x%llx",
	      (unsigned long long)pkt.desc.trans_id);
	for (i = 0; i < BLOCKS; i++)
		CHECK(fake_disk_send(&ch, 100 + i, FAKE_DISK_READ,
				     back + i * RAM_PAGE, i), "no room");
	fake_signal(&f, &ch);
	CHECK(completed(BLOCKS), "reads");
	for (i = 0; i < BLOCKS; i++) {
		const uint8_t *page = fake_ptr(&f, back + i * RAM_PAGE);

		first = page[0];
		for (j = 0; j < BLOCK; j++)
			CHECK(page[j] == last[i], "block %u is of write %u, not %u (byte %u; first %u)",
			      i, page[j], last[i], j, first);
	}
}

/* All that a guest does with a disk, from nothing to nothing */
static void disk_life(const char *point, unsigned int count)
{
	struct vmbus_wire_header unload = { .msgtype = VMBUS_WIRE_UNLOAD };
	const char *options[] = {
		"--scsi", "c0", "--disk", disk_arg, NULL,
	};

	CHECK(fake_start(&f, options), "start");
	f.then = then;
	then = NULL;
	fake_die_at(&f, point, count);
	CHECK(fake_up(&f), "up");
	CHECK(!fake_open(&f, &f.offers[0], 8, &ch), "open");
	CHECK(fake_disk_negotiate(&f, &ch, &pkt, await), "negotiation");
	CHECK(nothing_more(), "something after the negotiation");
	write_and_read();
	CHECK_OK();
	CHECK(fake_close(&f, &ch), "close");
	fake_post_run(&f, &unload, sizeof(unload));
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_UNLOAD_RESPONSE, "unload");
	CHECK(!fake_take(&f, msg), "a message twice");
	CHECK(!f.host.guest.broken, "guest error: %s", f.host.guest.why);
}

/* --- a mouse ----------------------------------------------------------------- */

static bool mouse_send(uint32_t type, const void *payload, uint32_t len)
{
	struct {
		struct synthio_pipe pipe;
		uint32_t type, size;
		uint8_t payload[16];
	} m = {
		.pipe = { SYNTHIO_PIPE_DATA, 8 + len },
		.type = type,
		.size = len,
	};

	memcpy(m.payload, payload, len);
	if (!fake_send(&ch, 6, 0, 1, NULL, 0, &m, 16 + len))
		return false;
	fake_signal(&f, &ch);
	return true;
}

static uint32_t mouse_type(void)
{
	return await() ? ((uint32_t *)pkt.payload)[2] : ~0u;
}

static void mouse_life(const char *point, unsigned int count)
{
	static const char *const options[] = { "--mouse", NULL };
	uint32_t version = SYNTHHID_VERSION_2_0;
	struct text out = { 0 };
	char line[] = "move 100 200";
	uint8_t reserved = 0;

	CHECK(fake_start(&f, options), "start");
	fake_die_at(&f, point, count);
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 4, &ch), "open");
	CHECK(mouse_send(SYNTHHID_PROTOCOL_REQUEST, &version, sizeof(version)),
	      "send");
	CHECK(mouse_type() == SYNTHHID_PROTOCOL_RESPONSE, "response");
	CHECK(mouse_type() == SYNTHHID_DEVICE_INFO, "info");
	CHECK(nothing_more(), "twice");
	CHECK(mouse_send(SYNTHHID_DEVICE_INFO_ACK, &reserved, 1), "send");
	fake_run(&f, 5);
	control_run(&f.host.bus, line, &out);
	CHECK(!strcmp(text_str(&out), "ok\n"), "move: %s", text_str(&out));
	text_free(&out);
	fake_run(&f, 5);
	/* a report may be lost with its worker, and must not come twice */
	if (fake_receive(&ch, &pkt))
		CHECK(((uint32_t *)pkt.payload)[2] == SYNTHHID_INPUT_REPORT,
		      "report");
	CHECK(nothing_more(), "a second report");
	CHECK(fake_close(&f, &ch), "close");
	CHECK(!f.host.guest.broken, "guest error: %s", f.host.guest.why);
}

/* --- a long answer, and GPADLs of several messages -------------------------------- */

static void testdev_life(const char *point, unsigned int count)
{
	static const char *const options[] = { "--test-device", NULL };
	struct synthio_test_req req = {
		.op = SYNTHIO_TEST_SOURCE, .arg0 = 300, .arg1 = 64,
	};
	uint64_t pages, seq;
	uint32_t gpadl, i;
	struct synthio_test_rsp rsp;

	CHECK(fake_start(&f, options), "start");
	fake_die_at(&f, point, count);
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 2, &ch), "open");
	/* it does not signal room, as guests of old */
	ch.out->feature_bits = 0;
	/* more than the ring holds, so that much of it waits in the queue */
	CHECK(fake_send(&ch, 6, 1, 7, NULL, 0, &req, sizeof(req)), "send");
	fake_signal(&f, &ch);
	for (i = 0; i < req.arg0; i++) {
		CHECK(await(), "packet %u", i);
		memcpy(&seq, pkt.payload, sizeof(seq));
		CHECK(pkt.desc.type == VMBUS_WIRE_PKT_INBAND && seq == i,
		      "packet %llu instead of %u", (unsigned long long)seq, i);
	}
	CHECK(await() && pkt.desc.type == VMBUS_WIRE_PKT_COMPLETION &&
	      pkt.desc.trans_id == 7, "completion");
	CHECK(nothing_more(), "twice");
	pages = fake_pages(&f, 100);
	gpadl = fake_gpadl(&f, ch.relid, pages, 100);
	CHECK(gpadl, "GPADL");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_GPADL_FILL, gpadl, 3, NULL, 0,
			    &rsp), "fill");
	CHECK(((uint8_t *)fake_ptr(&f, pages))[RAM_PAGE * 99] ==
	      synthio_test_pattern(3, RAM_PAGE * 99), "filled");
	CHECK(!f.host.guest.broken, "guest error: %s", f.host.guest.why);
}

/* --- a network card ------------------------------------------------------------- */

#ifdef HAVE_SLIRP

#define BUFFER_PAGES	160u
#define QUERIES		30u

static uint64_t receive_buffer;

static bool nvsp_send(const struct nvsp_message *m, bool wants)
{
	if (!fake_send(&ch, 6, wants, 9, NULL, 0, m, NVSP_MESSAGE_SIZE_61))
		return false;
	fake_signal(&f, &ch);
	return true;
}

static bool nvsp_ask(const struct nvsp_message *m, uint32_t answer)
{
	return nvsp_send(m, true) && await() && pkt.desc.type == 11 &&
	       pkt.desc.trans_id == 9 && (uint32_t)pkt.payload[0] == answer;
}

static bool nvsp_up(void)
{
	struct nvsp_message m = { .type = NVSP_INIT };
	uint32_t gpadl;

	m.init.min_version = NVSP_VERSION_61;
	m.init.max_version = NVSP_VERSION_61;
	if (!nvsp_ask(&m, NVSP_INIT_COMPLETE))
		return false;
	m = (struct nvsp_message){ .type = NVSP_SEND_NDIS_CONFIG };
	m.ndis_config.mtu = 1514;
	if (!nvsp_send(&m, false))
		return false;
	m = (struct nvsp_message){ .type = NVSP_SEND_NDIS_VERSION };
	m.ndis_version.major = NVSP_NDIS_MAJOR;
	if (!nvsp_send(&m, false))
		return false;
	receive_buffer = fake_pages(&f, BUFFER_PAGES);
	gpadl = fake_gpadl(&f, ch.relid, receive_buffer, BUFFER_PAGES);
	m = (struct nvsp_message){ .type = NVSP_SEND_RECEIVE_BUFFER };
	m.buffer.gpadl = gpadl;
	m.buffer.id = NVSP_RECEIVE_BUFFER_ID;
	if (!gpadl || !nvsp_ask(&m, NVSP_SEND_RECEIVE_BUFFER_COMPLETE))
		return false;
	gpadl = fake_gpadl(&f, ch.relid, fake_pages(&f, 8), 8);
	m = (struct nvsp_message){ .type = NVSP_SEND_SEND_BUFFER };
	m.buffer.gpadl = gpadl;
	return gpadl && nvsp_ask(&m, NVSP_SEND_SEND_BUFFER_COMPLETE);
}

/* Gives the receive packet at hand back */
static bool give_back(void)
{
	struct nvsp_message m = { .type = NVSP_SEND_RNDIS_PACKET_COMPLETE };

	m.rndis_complete.status = NVSP_STATUS_SUCCESS;
	if (!fake_send(&ch, 11, 0, pkt.desc.trans_id, NULL, 0, &m, 8))
		return false;
	fake_signal(&f, &ch);
	return true;
}

/* A control message: it is completed once, and answered once, in some order */
static bool rndis_ask(uint64_t gpa, uint32_t type, uint32_t id, const void *body,
		      uint32_t len)
{
	uint64_t extra[3] = { 1ull << 32, RNDIS_HEADER + len, gpa / RAM_PAGE };
	struct nvsp_message m = { .type = NVSP_SEND_RNDIS_PACKET };
	struct rndis_header h = { type, RNDIS_HEADER + len };
	unsigned int completions = 0, answers = 0;
	uint32_t got[3];

	memcpy(fake_ptr(&f, gpa), &h, sizeof(h));
	memcpy((char *)fake_ptr(&f, gpa) + sizeof(h), body, len);
	m.rndis.channel_type = NVSP_CHANNEL_CONTROL;
	m.rndis.section = NVSP_NO_SECTION;
	if (!fake_send(&ch, 9, 1, 1000 + id, extra, sizeof(extra), &m,
		       sizeof(m)))
		return false;
	fake_signal(&f, &ch);
	while (completions + answers < 2) {
		if (!await())
			return false;
		if (pkt.desc.type == 11 && pkt.desc.trans_id == 1000 + id) {
			completions++;
		} else if (pkt.desc.type == 7) {
			memcpy(got, fake_ptr(&f, receive_buffer +
						 (pkt.extra[1] >> 32)),
			       sizeof(got));
			answers += got[0] == (type | RNDIS_COMPLETION) &&
				   got[2] == id;
			if (!give_back())
				return false;
		} else {
			return false;
		}
	}
	return completions == 1 && answers == 1;
}

static void card_life(const char *point, unsigned int count)
{
	static const char *const options[] = {
		"--like", "lenient", "--net", "n0,user,mac=02:00:00:00:00:01",
		NULL,
	};
	struct rndis_initialize init = { .request_id = 1, .major = 1 };
	struct {
		struct rndis_query q;
		uint32_t filter;
	} set = {
		.q = { 2, OID_GEN_CURRENT_PACKET_FILTER, 4, sizeof(set.q), 0 },
		.filter = NDIS_FILTER_DIRECTED,
	};
	struct rndis_query query = { .oid = OID_GEN_MAXIMUM_FRAME_SIZE };
	uint64_t page;
	unsigned int i;

	CHECK(fake_start(&f, options), "start");
	fake_die_at(&f, point, count);
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 4, &ch), "open");
	CHECK(nvsp_up(), "negotiation: %s", f.host.guest.why);
	page = fake_pages(&f, 1);
	CHECK(rndis_ask(page, RNDIS_TYPE_INITIALIZE, 1, &init, sizeof(init)),
	      "INITIALIZE: %s", f.host.guest.why);
	CHECK(rndis_ask(page, RNDIS_TYPE_SET, 2, &set, sizeof(set)),
	      "SET: %s", f.host.guest.why);
	for (i = 0; i < QUERIES; i++) {
		query.request_id = 3 + i;
		CHECK(rndis_ask(page, RNDIS_TYPE_QUERY, 3 + i, &query,
				sizeof(query)), "QUERY %u: %s", i,
		      f.host.guest.why);
	}
	CHECK(nothing_more(), "something twice");
	CHECK(fake_close(&f, &ch), "close");
	CHECK(!f.host.guest.broken, "guest error: %s", f.host.guest.why);
}

#endif

/* --- all points ------------------------------------------------------------------- */

/*
 * Kills at each point, the first time that the worker gets there, the second, and
 * so on, until it does not get there so often. LONG=1 leaves out none of them.
 */
static void all_deaths(const char *what,
		       void (*life)(const char *point, unsigned int count))
{
	bool all = getenv("LONG");
	unsigned int i, count;

	for (i = 0; persist_points[i]; i++) {
		const char *point = persist_points[i];

		for (count = 1; count < MAX_DEATHS;
		     count += all ? 1 : 1 + count / 2) {
			keeper_pretend(true);
			life(point, count);
			if (tap_bad) {
				note(what, point, count);
				return;
			}
			persist_die_at(point, 0, NULL);
			fake_stop(&f);
			keeper_pretend(false);
			if (!f.deaths)
				break;
			total += f.deaths;
		}
	}
}

/* A second death while the first is being mended, or soon after */
static void test_takeover_dies(void)
{
	unsigned int i, count, twice = 0;

	for (i = 0; persist_points[i]; i++) {
		for (count = 2; count < 40; count += 9) {
			then = persist_points[i];
			keeper_pretend(true);
			disk_life(count % 2 ? "io-begun" : "committed", count);
			if (tap_bad) {
				note("then", persist_points[i], count);
				return;
			}
			persist_die_at(persist_points[i], 0, NULL);
			fake_stop(&f);
			keeper_pretend(false);
			total += f.deaths;
			twice += f.deaths == 2;
		}
	}
	CHECK(twice > i, "%u second deaths", twice);
}

static void test_disk(void)
{
	all_deaths("disk", disk_life);
}

static void test_mouse(void)
{
	all_deaths("mouse", mouse_life);
}

static void test_testdev(void)
{
	all_deaths("test device", testdev_life);
}

static void test_card(void)
{
#ifdef HAVE_SLIRP
	all_deaths("network card", card_life);
#else
	tap_skip("there is no libslirp");
#endif
}

/* Another program, whose layout differs, says so and touches nothing */
static void test_layout(void)
{
	struct persist p = { 0 }, other = { 0 };
	struct text err = { 0 };

	CHECK(!persist_open(&p, -1, &err), "new: %s", text_str(&err));
	CHECK(!p.takes_over, "new");
	CHECK(!persist_open(&other, dup(p.fd), &err), "again: %s",
	      text_str(&err));
	CHECK(other.takes_over, "again");
	persist_close(&other);
	p.area->header.sizes[3] += 8;
	CHECK(persist_open(&other, dup(p.fd), &err) == -EPROTO, "sizes");
	CHECK(strstr(text_str(&err), "cannot take over"), "%s",
	      text_str(&err));
	p.area->header.sizes[3] -= 8;
	p.area->header.layout++;
	CHECK(persist_open(&other, dup(p.fd), &err) == -EPROTO, "layout");
	text_free(&err);
	persist_close(&p);
}

/* Transactions: what is not committed never was */
static void test_transactions(void)
{
	struct persist_life *life;
	struct persist p = { 0 };
	struct text err = { 0 };
	struct persist_pair *pair;
	int value = 1;

	CHECK(!persist_open(&p, -1, &err), "%s", text_str(&err));
	life = &p.area->request[0].life;
	pair = &p.area->gpadl[0].pair;
	persist_birth(&p, life);
	CHECK(!persist_lives(&p, life), "born without a commit");
	persist_birth(&p, life);
	persist_commit(&p);
	CHECK(persist_lives(&p, life), "born");
	persist_death(&p, life);
	CHECK(persist_lives(&p, life), "died without a commit");
	persist_death(&p, life);
	persist_commit(&p);
	CHECK(!persist_lives(&p, life), "died");

	CHECK(persist_current(&p, pair) < 0, "no copy");
	persist_save(&p, pair, p.area->gpadl[0].filled, &value, sizeof(value));
	CHECK(persist_current(&p, pair) < 0, "not committed");
	persist_commit(&p);
	CHECK(p.area->gpadl[0].filled[persist_current(&p, pair)] == 1, "1");
	value = 2;
	persist_save(&p, pair, p.area->gpadl[0].filled, &value, sizeof(value));
	value = 3;
	persist_save(&p, pair, p.area->gpadl[0].filled, &value, sizeof(value));
	CHECK(p.area->gpadl[0].filled[persist_current(&p, pair)] == 1,
	      "still 1");
	persist_undo(&p, pair);
	persist_commit(&p);
	CHECK(p.area->gpadl[0].filled[persist_current(&p, pair)] == 1,
	      "1 again");
	persist_close(&p);
}

int main(void)
{
	int fd;

	/* what a worker had in memory is lost on purpose */
	__lsan_disable();
	log_set_level("error");
	strcpy(disk, "/var/tmp/synthhost-death-XXXXXX");
	fd = mkstemp(disk);
	if (fd < 0 || ftruncate(fd, DISK_SIZE))
		return 1;
	close(fd);
	snprintf(disk_arg, sizeof(disk_arg), "c0,lun=0,file=%s", disk);
	tap_test("transactions", test_transactions);
	tap_test("another layout", test_layout);
	tap_test("a disk", test_disk);
	tap_test("a mouse", test_mouse);
	tap_test("the test device", test_testdev);
	tap_test("a network card", test_card);
	tap_test("a death while another is mended", test_takeover_dies);
	printf("# %u workers died\n", total);
	unlink(disk);
	return tap_done();
}
