// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of the reference host's disk controller: each does what it says, to
 * the commands that it selects and no other, and nothing of it is left when
 * the channel has closed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_storvsp.h"
#include "tap.h"

#define FIRST_ID	77u

static const uint8_t ready[6];
static uint8_t page[4096] __attribute__((aligned(4096)));

static void stop_fired(struct loop_timer *timer)
{
	(void)timer;
	loop_stop(bus.loop);
}

/* Lets timers fire, too, unlike wait_answer() */
static void run(unsigned int ms)
{
	struct loop_timer stop = { .fired = stop_fired };

	loop_set_timer(bus.loop, &stop, ms);
	loop_run(bus.loop);
}

/* Until there are @n completions; the test ends by itself if they never come */
static void run_until(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < 5000 && chan.completions < n; i++)
		run(1);
}

static bool fault(const char *what)
{
	char line[512];

	snprintf(line, sizeof(line), "fault c0 %s", what);
	return !command(line);
}

static bool says(const char *part)
{
	return strstr(text_str(&why), part);
}

/* Begins a 4 KiB read or write of @page at block @lba, and does not wait */
static void start(bool write, uint32_t lba, uint64_t id)
{
	uint8_t cdb[10] = { write ? 0x2a : 0x28, 0, lba >> 24, lba >> 16,
			    lba >> 8, lba, 0, 0, 8 };
	struct storvsp_packet p = srb(cdb, 10, 1, !write, 4096);
	struct iovec iov = { page, 4096 };

	post_id = id;
	post(&chan, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
	post_id = FIRST_ID;
}

static uint8_t byte_of_file(uint64_t offset)
{
	int fd = open(file, O_RDONLY);
	uint8_t byte = 0;

	if (fd < 0 || pread(fd, &byte, 1, offset) != 1)
		abort();
	close(fd);
	return byte;
}

static void set_up(void)
{
	make_file("/var/tmp", SIZE);
	begin("c0,subchannels=2", ",lun=1");
	negotiate(0x602);
	chan.completions = 0;
	memset(page, 0, sizeof(page));
}

static void tear_down(void)
{
	end();
	remove_file();
}

static bool read_ok(uint32_t lba)
{
	return rw10(0x28, 0, lba, 1, 512, 0);
}

static bool write_ok(uint32_t lba)
{
	return rw10(0x2a, 0, lba, 1, 512, 0);
}

/* --- tests ---------------------------------------------------------------- */

static void test_select(void)
{
	uint8_t unmap[10] = { 0x42, 0, 0, 0, 0, 0, 0, 0, 24 };
	uint8_t flush[10] = { 0x35 };
	struct storvsp_packet p;

	set_up();
	CHECK(fault("sense lun=1 op=read lba=8-15 skip=1 count=2 key=3 asc=1100"),
	      "%s", text_str(&why));
	CHECK(read_ok(7) && read_ok(16) && write_ok(8), "not selected");
	CHECK(read_ok(8), "the first passes");
	CHECK(!read_ok(15) && sense(3, 0x1100), "the second");
	CHECK(!rw10(0x28, 0, 0, 16, 512, 0) && sense(3, 0x1100),
	      "the third, which overlaps");
	CHECK(read_ok(8), "no more");
	CHECK(fault("list") && says("1 hits=2 seen=4 left=0 sense lun=1"), "%s",
	      text_str(&why));
	CHECK(fault("clear") && fault("list") && !says("hits"), "%s",
	      text_str(&why));

	CHECK(fault("status lun=2 scsi=08 count=forever"), "other LUN");
	CHECK(read_ok(0) && fault("list") && says("seen=0 left=forever"),
	      "other LUN");
	CHECK(fault("clear") && fault("srb status=20"), "%s", text_str(&why));
	CHECK(execute(ready, 6, 2, 0, 0), "no transfer: not by default");
	CHECK(!execute(flush, 10, 2, 0, 0) && chan.last.srb.srb_status == 0x20,
	      "a flush is meant, too");
	CHECK(fault("srb op=0x00 status=05") && write_ok(0) &&
	      !execute(ready, 6, 2, 0, 0) && chan.last.srb.srb_status == 5,
	      "an operation code");

	CHECK(fault("clear") && fault("sense op=unmap lba=100 key=b asc=4400"),
	      "%s", text_str(&why));
	memset(buffer, 0, 24);
	buffer[1] = 22;
	buffer[3] = 16;
	buffer[15] = 100;
	buffer[19] = 8;
	p = srb(unmap, 10, 1, 0, 24);
	buffer[15] = 92;
	execute_on(&chan, &p, buffer, 24, 0, false);
	CHECK(chan.last.srb.srb_status == 1, "unmap before it");
	buffer[15] = 93;
	execute_on(&chan, &p, buffer, 24, 0, false);
	CHECK(sense(0xb, 0x4400), "unmap up to it");
	CHECK(fault("clear") && fault("srb op=flush lba=5 status=02"), "flush");
	CHECK(!execute(flush, 10, 2, 0, 0) && chan.last.srb.srb_status == 2,
	      "a flush of all meets any block");

	/* the first that matches, in the order in which they came */
	CHECK(fault("clear") && fault("srb status=02") &&
	      fault("srb status=09"), "two");
	CHECK(!read_ok(0) && chan.last.srb.srb_status == 2, "first");
	CHECK(!read_ok(0) && chan.last.srb.srb_status == 9, "second");
	CHECK(read_ok(0), "none");
	tear_down();
}

static void test_sense(void)
{
	static const struct {
		const char *what;
		uint8_t key;
		unsigned int asc;
		uint8_t srb;
	} senses[] = {
		{ "key=2 asc=0401", 2, 0x0401, 0x84 },
		{ "key=3 asc=0c00", 3, 0x0c00, 0x84 },
		{ "key=4 asc=4400", 4, 0x4400, 0x84 },
		{ "key=5 asc=2000", 5, 0x2000, 0x86 },
		{ "key=5 asc=2100", 5, 0x2100, 0x84 },
		{ "key=6 asc=2a09", 6, 0x2a09, 0x84 },
		{ "key=6 asc=3f0e", 6, 0x3f0e, 0x84 },
		{ "key=7 asc=2700", 7, 0x2700, 0x84 },
		{ "key=b asc=4400 status=84", 0xb, 0x4400, 0x84 },
	};
	static const uint8_t flush[10] = { 0x35 };
	const struct storvsp_srb *s = &chan.last.srb;
	struct storvsp_packet p;
	char what[80];
	unsigned int i;

	set_up();
	memset(buffer, 1, 512);
	for (i = 0; i < sizeof(senses) / sizeof(senses[0]); i++) {
		snprintf(what, sizeof(what), "sense %s", senses[i].what);
		CHECK(fault(what), "%s", text_str(&why));
		CHECK(!write_ok(5) && sense(senses[i].key, senses[i].asc) &&
		      s->srb_status == senses[i].srb, "%s: %02x", what,
		      s->srb_status);
		CHECK(!byte_of_file(5 * 512), "nothing was written");
	}
	CHECK(fault("sense key=3 asc=1100 info=0x12345678"), "info");
	CHECK(!read_ok(0) && s->sense_data[0] == 0xf0 &&
	      s->sense_data[3] == 0x12 && s->sense_data[6] == 0x78, "fixed");
	CHECK(fault("sense key=3 asc=1100 info=0x123456789a format=descriptor"),
	      "descriptor");
	CHECK(!read_ok(0) && s->sense_data[0] == 0x72 && s->sense_data[1] == 3 &&
	      s->sense_data[2] == 0x11 && s->sense_info_length == 20 &&
	      s->sense_data[15] == 0x12 && s->sense_data[19] == 0x9a,
	      "descriptor");
	CHECK(fault("sense key=4 asc=0 format=descriptor deferred=yes") &&
	      !read_ok(0) && s->sense_data[0] == 0x73 &&
	      s->sense_info_length == 8, "deferred");
	CHECK(fault("sense key=4 asc=4400 length=255") && !read_ok(0) &&
	      s->sense_info_length == 255 && s->sense_data[2] == 4, "length");

	/* recovered: the data is there, and so is the sense */
	CHECK(write_ok(5), "write");
	memset(buffer, 0, 512);
	CHECK(fault("sense key=1 asc=1701") && !read_ok(5) &&
	      s->data_transfer_length == 512 && s->sense_data[2] == 1 &&
	      s->srb_status == 0x84 && buffer[0] == 1 && buffer[511] == 1,
	      "recovered read");
	memset(buffer, 2, 512);
	CHECK(fault("sense key=3 asc=0c00 data=yes") && !write_ok(6) &&
	      s->data_transfer_length == 512 && byte_of_file(6 * 512) == 2,
	      "written, and yet an error");

	p = srb(flush, 10, 1, 2, 0);
	p.srb.sense_info_length = 0;
	CHECK(fault("sense key=3 asc=0c00"), "no room");
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(s->srb_status == 4 && !s->sense_info_length, "no room");

	CHECK(fault("status scsi=08") && !read_ok(0) && s->scsi_status == 8 &&
	      s->srb_status == 5, "busy");
	CHECK(fault("status scsi=28 status=04") && !read_ok(0) &&
	      s->scsi_status == 0x28 && s->srb_status == 4, "task set full");
	CHECK(fault("status scsi=18") && !read_ok(0) &&
	      s->scsi_status == 0x18 && !s->sense_info_length, "reservation");
	CHECK(fault("srb status=0e") && !read_ok(0) && s->srb_status == 0x0e &&
	      !s->scsi_status && chan.last.status, "SRB status");
	tear_down();
}

static void test_answer(void)
{
	uint8_t b0[6] = { 0x12, 1, 0xb0, 0, 64, 0 };
	uint8_t b1[6] = { 0x12, 1, 0xb1, 0, 64, 0 };
	uint8_t capacity[10] = { 0x25 };
	uint8_t mode[6] = { 0x1a, 0, 0x3f, 0, 64, 0 };
	uint8_t luns[12] = { 0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 64 };

	set_up();
	CHECK(fault("answer op=0x12 page=b0 hex=00b00004aabbccdd"), "%s",
	      text_str(&why));
	CHECK(execute(b1, 6, 1, 64, 0) && buffer[1] == 0xb1, "other page");
	CHECK(execute(b0, 6, 1, 64, 0) &&
	      chan.last.srb.data_transfer_length == 8 && buffer[3] == 4 &&
	      buffer[7] == 0xdd, "these bytes");
	CHECK(execute(b0, 6, 1, 64, 0) && buffer[3] == 60, "and the real ones");
	CHECK(fault("sense op=0x12 page=b0 key=5 asc=2400") &&
	      !execute(b0, 6, 1, 64, 0) && sense(5, 0x2400), "a missing page");
	CHECK(fault("answer op=0x12 page=b0 hex=-") && execute(b0, 6, 1, 64, 0) &&
	      !chan.last.srb.data_transfer_length, "an empty one");
	CHECK(fault("answer op=0x25 hex=ffffffff00000201ee") &&
	      execute(capacity, 10, 1, 8, 0) &&
	      chan.last.srb.data_transfer_length == 8 && buffer[7] == 1,
	      "cut at the room");
	CHECK(fault("answer op=0x1a page=3f hex=ff") &&
	      execute(mode, 6, 1, 64, 0) && buffer[0] == 0xff, "mode page");
	CHECK(fault("answer op=0xa0 hex=fffffff8") &&
	      execute(luns, 12, 1, 64, 0) && buffer[3] == 0xf8, "LUNs");
	tear_down();
}

static void test_lost(void)
{
	unsigned int i = 0;

	set_up();
	memset(page, 3, sizeof(page));
	CHECK(fault("lost op=write"), "%s", text_str(&why));
	start(true, 8, 1);
	CHECK(rw10(0x28, 0, 8, 1, 512, 0) && !buffer[0],
	      "others are answered, nothing is written");
	chan.completions = 0;
	CHECK(fault("list") && says("held lost=1 late=0"), "%s",
	      text_str(&why));
	CHECK(!kind->ops->busy(bus.dev, &chan), "nobody waits for it");
	CHECK(fault("release") && says("released 1"), "%s", text_str(&why));
	wait_answer(1);
	CHECK(chan.completions == 1 && chan.trans_id == 1 &&
	      chan.last.srb.srb_status == 1 && byte_of_file(4096) == 3,
	      "done, and answered");

	memset(page, 4, sizeof(page));
	CHECK(fault("lost op=write done=yes"), "%s", text_str(&why));
	start(true, 8, 2);
	do {
		run(1);
		CHECK(fault("list"), "%s", text_str(&why));
	} while (!says("lost=1") && i++ < 5000);
	CHECK(byte_of_file(4096) == 4 && chan.completions == 1,
	      "done, not answered");
	CHECK(fault("clear") && fault("list") && says("lost=1"), "clear");
	CHECK(fault("release"), "%s", text_str(&why));
	CHECK(chan.completions == 2 && chan.trans_id == 2, "answered");

	/* the channel ends first: no wait, and no access afterwards */
	memset(page, 5, sizeof(page));
	CHECK(fault("lost count=2") && fault("lost done=yes"), "lost");
	start(true, 8, 3);
	start(false, 16, 4);
	start(true, 24, 5);
	kind->ops->drain(bus.dev, &chan);
	kind->ops->close(bus.dev, &chan);
	CHECK(byte_of_file(4096) == 4 && byte_of_file(24 * 512) == 5,
	      "one was done");
	if (kind->ops->open(bus.dev, &chan))
		abort();
	CHECK(fault("list") && says("held lost=0 late=0"), "%s",
	      text_str(&why));
	CHECK(fault("release") && chan.completions == 2, "no word of them");
	/* what hangs at the end is the test's business */
	CHECK(fault("clear") && fault("lost op=0x00"), "without I/O, too");
	negotiate(0x602);
	tear_down();
}

/* A WRITE SAME of a block of @byte to block 16, which is not waited for */
static void start_same(uint8_t byte, uint32_t lba)
{
	uint8_t cdb[16] = { 0x93, [8] = lba >> 8, lba, [13] = 8 };
	struct storvsp_packet p = srb(cdb, 16, 1, 0, 512);
	struct iovec iov = { page, 512 };

	memset(page, byte, 512);
	post(&chan, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
}

/* What is held is written as it came, whatever came after it */
static void test_held_pattern(void)
{
	set_up();
	CHECK(fault("lost op=write-same lba=16 count=2"), "%s", text_str(&why));
	start_same('A', 16);
	start_same('B', 24);
	run_until(1);
	CHECK(chan.completions == 1 && byte_of_file(24 * 512) == 'B',
	      "the second one");
	CHECK(fault("release"), "%s", text_str(&why));
	run_until(2);
	CHECK(chan.completions == 2 && byte_of_file(16 * 512) == 'A',
	      "0x%02x", byte_of_file(16 * 512));
	/* and one that never comes leaves nothing */
	start_same('C', 16);
	tear_down();
}

static void test_late(void)
{
	set_up();
	/* an old write that is done after a newer one */
	memset(page, 1, sizeof(page));
	CHECK(fault("late op=write ms=30"), "%s", text_str(&why));
	start(true, 8, 1);
	CHECK(kind->ops->busy(bus.dev, &chan), "it is still to come");
	memset(buffer, 2, 512);
	CHECK(write_ok(8) && byte_of_file(4096) == 2, "the newer one");
	run_until(2);
	CHECK(chan.completions == 2 && chan.trans_id == 1 &&
	      byte_of_file(4096) == 1, "and the older one");
	CHECK(!kind->ops->busy(bus.dev, &chan), "all is done");
	tear_down();
}

/* A reset, a drain and the end of a LUN: none of them is followed by a write */
static void test_late_ends(void)
{
	struct storvsp_packet r = { .operation = 6, .flags = 1 };

	set_up();
	memset(page, 1, sizeof(page));
	CHECK(fault("late op=write ms=1000000") && fault("lost op=write"),
	      "%s", text_str(&why));
	start(true, 8, 1);
	start(true, 16, 2);
	post(&chan, PACKET_INBAND, &r, sizeof(r), NULL, 0);
	CHECK(chan.completions == 2 && chan.ids[0] == 1 &&
	      chan.trans_id == FIRST_ID && !chan.last.status,
	      "the reset waits for neither");
	CHECK(fault("release") && chan.completions == 3 && chan.trans_id == 2 &&
	      chan.last.srb.srb_status == 0x0e, "lost, then told: %02x",
	      chan.last.srb.srb_status);
	run(5);
	CHECK(!byte_of_file(4096) && !byte_of_file(8192), "not written");

	CHECK(!execute(ready, 6, 2, 0, 0) && sense(6, 0x2902),
	      "attention of the reset");
	chan.completions = 0;
	CHECK(fault("late op=write ms=1000000"), "%s", text_str(&why));
	start(true, 8, 3);
	kind->ops->drain(bus.dev, &chan);
	CHECK(chan.completions == 1 && chan.trans_id == 3 &&
	      chan.last.srb.srb_status == 2, "drained");
	CHECK(fault("late op=read ms=1000000 when=before"), "%s",
	      text_str(&why));
	chan.completions = 0;
	start(false, 8, 4);
	kind->ops->drain(bus.dev, &chan);
	run(5);
	if (!chan.completions)
		kind->ops->drain(bus.dev, &chan);
	CHECK(chan.completions == 1 && chan.last.srb.srb_status == 1,
	      "read before, told at the drain");

	chan.completions = 0;
	CHECK(fault("late op=write ms=20") && fault("lost op=write"), "both");
	start(true, 8, 5);
	start(true, 16, 6);
	CHECK(!command("remove c0 1"), "%s", text_str(&why));
	run_until(1);
	CHECK(chan.trans_id == 5 && chan.last.srb.srb_status == 0x20,
	      "the LUN is gone");
	CHECK(fault("release") && chan.trans_id == 6 &&
	      chan.last.srb.srb_status == 0x20, "the LUN is gone");
	CHECK(!byte_of_file(4096) && !byte_of_file(8192), "not written");
	tear_down();
}

static void test_ids(void)
{
	set_up();
	CHECK(fault("duplicate"), "%s", text_str(&why));
	start(false, 0, 10);
	wait_answer(2);
	CHECK(chan.completions == 2 && chan.ids[0] == 10 && chan.ids[1] == 10,
	      "twice");
	chan.completions = 0;
	CHECK(fault("duplicate times=3 ms=5"), "%s", text_str(&why));
	start(false, 0, 11);
	wait_answer(1);
	CHECK(chan.completions == 1 && chan.ids[0] == 11, "once now");
	run_until(3);
	CHECK(chan.completions == 3 && chan.ids[2] == 11, "again, later");

	chan.completions = 0;
	CHECK(fault("wrong-id xor=0x100"), "%s", text_str(&why));
	start(false, 0, 12);
	wait_answer(1);
	CHECK(chan.trans_id == 0x10c, "wrong id");
	CHECK(fault("release") && chan.completions == 2 && chan.trans_id == 12,
	      "the right one when released");
	chan.completions = 0;
	CHECK(fault("wrong-id then=right"), "%s", text_str(&why));
	start(false, 0, 12);
	wait_answer(2);
	CHECK(chan.ids[0] == 13 && chan.ids[1] == 12, "and the right one");
	chan.completions = 0;
	CHECK(fault("unknown-id id=0x123456789abc"), "%s", text_str(&why));
	start(false, 0, 14);
	wait_answer(2);
	CHECK(chan.ids[0] == 0x123456789abc && chan.ids[1] == 14, "unknown id");
	tear_down();
}

static void test_form(void)
{
	struct storvsp_packet first;

	set_up();
	CHECK(fault("short len=4") && !read_ok(0) && chan.len == 4, "short");
	CHECK(fault("short len=0") && !read_ok(0) && !chan.len, "empty");
	CHECK(fault("oversize len=4096") && !read_ok(0) && chan.len == 4096 &&
	      chan.last.srb.srb_status == 1, "oversize");
	CHECK(fault("moved bytes=0xffffffff") && !read_ok(0) &&
	      chan.last.srb.data_transfer_length == 0xffffffff, "moved");
	CHECK(fault("operation value=99") && !read_ok(0) &&
	      chan.last.operation == 99, "operation");
	CHECK(fault("sense-length n=255") && read_ok(0) &&
	      chan.last.srb.sense_info_length == 255, "sense length");
	CHECK(fault("packet-type value=6") && read_ok(0) && chan.injected == 6,
	      "packet type");
	CHECK(fault("garbage count=2") && !read_ok(0) && chan.len == 64 &&
	      chan.trans_id == FIRST_ID, "garbage");
	first = chan.last;
	CHECK(!read_ok(0) && memcmp(&first, &chan.last, sizeof(first)),
	      "other garbage");
	CHECK(read_ok(0), "well again");

	CHECK(fault("unsolicited operation=12") && chan.sent == 1 &&
	      chan.note.operation == 12, "%s", text_str(&why));
	CHECK(fault("unsolicited operation=0x7fffffff count=3") &&
	      chan.sent == 4, "%s", text_str(&why));
	tear_down();
}

static void test_handshake(void)
{
	struct storvsp_packet p = { 0 };

	make_file("/var/tmp", SIZE);
	begin("c0,subchannels=2", ",lun=1");
	CHECK(fault("handshake step=begin fault=fail nt=c0000184"), "%s",
	      text_str(&why));
	CHECK(simple(7, NULL) == 0xc0000184, "begin");
	CHECK(fault("handshake fault=short len=8 step=begin"), "%s",
	      text_str(&why));
	simple(7, NULL);
	CHECK(chan.len == 8, "short");
	CHECK(fault("handshake step=version fault=garbage"), "%s",
	      text_str(&why));
	p.version.major_minor = 0x602;
	simple(9, &p);
	CHECK(chan.last.operation != 1, "garbage");
	CHECK(fault("handshake step=properties fault=lost"), "%s",
	      text_str(&why));
	p.operation = 10;
	p.flags = 1;
	chan.completions = 0;
	post(&chan, PACKET_INBAND, &p, sizeof(p), NULL, 0);
	CHECK(!chan.completions, "lost");
	CHECK(fault("release") && chan.completions == 1 && !chan.last.status,
	      "released");
	CHECK(fault("handshake step=end fault=operation value=11") &&
	      !simple(8, NULL) && chan.last.operation == 11, "end");
	CHECK(fault("handshake step=subchannels fault=fail"), "subchannels");
	p.sub_channel_count = 1;
	CHECK(simple(13, &p) == 0xc0000001 && !simple(13, &p), "subchannels");
	CHECK(fault("handshake step=reset fault=late us=1 count=2") &&
	      read_ok(0), "no step, no fault");
	chan.completions = 0;
	p.operation = 6;
	post(&chan, PACKET_INBAND, &p, sizeof(p), NULL, 0);
	CHECK(!chan.completions, "late");
	run_until(1);
	CHECK(chan.completions == 1 && !chan.last.status, "but sent");
	tear_down();
}

static void test_report(void)
{
	struct storvsp_packet p = { 0 };

	make_file("/var/tmp", SIZE);
	begin("c0,subchannels=4,max-version=5.1,report-channels=40,offer-subchannels=2",
	      ",lun=1");
	CHECK(!simple(7, NULL), "begin");
	p.version.major_minor = 0x602;
	CHECK(simple(9, &p) == 0xc0000059, "too new");
	p.version.major_minor = 0x501;
	CHECK(!simple(9, &p), "5.1");
	CHECK(fault("report report-max-transfer=513"), "%s", text_str(&why));
	CHECK(!simple(10, NULL) &&
	      chan.last.properties.max_transfer_bytes == 513 &&
	      chan.last.properties.max_channel_count == 40, "lies");
	p.sub_channel_count = 40;
	offered = 0;
	CHECK(!simple(13, &p) && offered == 2, "promised 40, offered %u",
	      offered);
	CHECK(fault("report offer-subchannels=16") && !simple(13, &p) &&
	      offered == 4, "no more than there are");
	CHECK(fault("report max-version=6.2 report-max-transfer=0") &&
	      fault("clear"), "%s", text_str(&why));
	CHECK(simple(7, NULL), "once");
	tear_down();
}

static void test_delay(void)
{
	unsigned int i;

	set_up();
	end();
	begin("c0", ",lun=1,delay-us=20000");
	negotiate(0x602);
	chan.completions = 0;
	memset(page, 7, sizeof(page));
	for (i = 0; i < 600; i++)
		start(true, 8, i);
	CHECK(!chan.paused, "a slow disk does not keep the others waiting");
	CHECK(execute(ready, 6, 2, 0, 0), "nothing to transfer: at once");
	chan.completions = 0;
	run_until(600);
	CHECK(chan.completions == 600 && chan.last.srb.srb_status == 1,
	      "%u completions", chan.completions);
	tear_down();
}

static void test_bad(void)
{
	static const char *const bad[] = {
		"", "nonsense", "sense", "sense key=3", "sense key=10 asc=1100",
		"sense key=3 asc=11000", "sense key=3 asc=1100 lba=5-4",
		"sense key=3 asc=1100 lba=x", "sense key=3 asc=1100 op=12",
		"sense key=3 asc=1100 op=0x100", "sense key=3 asc=1100 xor=1",
		"sense key=3 asc=1100 count=0", "sense key=3 asc=1100 skip",
		"fail", "short", "short len=5000", "answer hex=1",
		"answer hex=0g", "late when=never", "moved bytes=4294967296",
		"handshake", "handshake step=begin", "handshake fault=lost",
		"handshake step=middle fault=lost",
		"handshake step=begin fault=sense",
		"handshake step=begin fault=lost lun=1",
		"unsolicited", "unsolicited operation", "unsolicited operation=x",
		"report", "report color=red", "report max-version=1.0",
		"report report-channels=70000", "answer hex=00 hex=00",
	};
	static const char *const bad_disk[] = {
		",lun=2,type=tape", ",lun=2,naa=1234", ",lun=2,naa=0123456789abcdef",
		",lun=2,naa=xxxxxxxxxxxxxxxx", ",lun=2,discard-max=2G",
		",lun=2,discard-granularity=100", ",lun=2,thin=maybe",
		",lun=2,discard-granularity=8K,discard-alignment=8K",
		",lun=2,delay-us=-1", ",lun=2,delay-us", ",lun=2,lbprz",
		",lun=2,refuse", ",lun=2,refuse=", ",lun=2,refuse=b3",
		",lun=2,refuse=b0+", ",lun=2,refuse=b0:maybe",
		",lun=2,naa=0123456789abcdef0123456789abcdef",
	};
	unsigned int i;

	set_up();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(!fault(bad[i]) && why.len, "%s", bad[i]);
	CHECK(command("fault") && command("fault c9 list") &&
	      command("fault c0"), "no such controller");
	CHECK(fault("list") && !says("hits="), "none of them was taken: %s",
	      text_str(&why));
	CHECK(!command("fault help") && says("unsolicited") && says("garbage"),
	      "help");
	CHECK(!command("remove c0 1"), "%s", text_str(&why));
	for (i = 0; i < sizeof(bad_disk) / sizeof(bad_disk[0]); i++)
		CHECK(disk(bad_disk[i]) < 0 && why.len, "%s", bad_disk[i]);
	tear_down();
}

/* What hangs at the controller's end, of which no channel knows any more */
static void test_left_over(void)
{
	set_up();
	CHECK(fault("late op=write ms=1000000") && fault("lost count=forever"),
	      "%s", text_str(&why));
	start(true, 8, 1);
	start(true, 16, 2);
	tear_down();
}

int main(void)
{
	log_level = LOG_LEVEL_ERROR;
	alarm(120);
	bus.loop = loop_create(0);
	if (!bus.loop) {
		printf("Bail out! io_uring: %s\n", strerror(errno));
		return 1;
	}
	tap_test("fault: which commands", test_select);
	tap_test("fault: sense data, SCSI and SRB status", test_sense);
	tap_test("fault: other answers", test_answer);
	tap_test("fault: lost", test_lost);
	tap_test("fault: WRITE SAME that is held", test_held_pattern);
	tap_test("fault: late", test_late);
	tap_test("fault: no write after a reset, drain or removal",
		 test_late_ends);
	tap_test("fault: transaction ids", test_ids);
	tap_test("fault: form of the completion", test_form);
	tap_test("fault: initialisation", test_handshake);
	tap_test("fault: what the initialisation reports", test_report);
	tap_test("fault: slow disk", test_delay);
	tap_test("fault: arguments", test_bad);
	tap_test("fault: controller ends", test_left_over);
	loop_destroy(bus.loop);
	text_free(&why);
	return tap_done();
}
