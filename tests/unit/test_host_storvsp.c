// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference host's SCSI controller, as fake_storvsp.h drives it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_storvsp.h"
#include "tap.h"

/* --- tests ------------------------------------------------------------------ */

static void test_negotiation(void)
{
	static const uint16_t good[] = { 0x602, 0x600, 0x501, 0x402, 0x200 };
	struct storvsp_packet p = { 0 };
	unsigned int i, op;

	for (i = 0; i < 5; i++) {
		begin("c0,subchannels=3,max-transfer=256K", NULL);
		CHECK(simple(9, NULL) == 0xc0000184, "version before begin");
		CHECK(!simple(7, NULL) && chan.last.operation == 1 &&
		      chan.trans_id == 77 && chan.len == 64, "begin");
		CHECK(simple(7, NULL) == 0xc0000184, "begin twice");
		p.version.major_minor = 0x603;
		CHECK(simple(9, &p) == 0xc0000059, "unknown version");
		CHECK(simple(10, NULL) == 0xc0000184, "no version yet");
		p.version.major_minor = good[i];
		CHECK(!simple(9, &p), "version %04x", good[i]);
		CHECK(simple(8, NULL) == 0xc0000184, "end before properties");
		CHECK(simple(13, NULL) == 0xc0000184, "subchannels too early");
		CHECK(!simple(10, NULL), "properties");
		CHECK(chan.last.properties.max_transfer_bytes == 256 << 10,
		      "max transfer");
		CHECK(chan.last.properties.max_channel_count ==
		      (good[i] >= 0x501 ? 3 : 0) &&
		      chan.last.properties.flags == (good[i] >= 0x501),
		      "subchannels");
		CHECK(simple(6, NULL) == 0xc0000184, "reset too early");
		CHECK(!simple(8, NULL), "end");
		for (op = 2; op <= 12; op += op == 2 ? 9 : 1)
			CHECK(simple(op, NULL) == 0xc0000010, "op %u", op);
		p.sub_channel_count = 4;
		CHECK(simple(13, &p) == 0xc000000d, "too many");
		p.sub_channel_count = 2;
		offered = 0;
		CHECK(simple(13, &p) == (good[i] >= 0x501 ? 0 : 0xc000000d),
		      "subchannels");
		CHECK(offered == (good[i] >= 0x501 ? 2 : 0), "offered");
		CHECK(!simple(5, NULL) && !simple(6, NULL), "resets");
		CHECK(simple(4, NULL) == 0xc000000d, "reset of no LUN");
		CHECK(!chan.errored && !chan.paused, "still well");
		end();
	}

	/* old guests send, and get, short packets */
	begin("c0", NULL);
	p.operation = 7;
	p.flags = 1;
	post(&chan, PACKET_INBAND, &p, 48, NULL, 0);
	CHECK(chan.completions == 1 && chan.len == 48 && !chan.last.status,
	      "short packet");
	end();
}

/* One broken thing at a time: each disconnects, and does no more */
static void test_malformed(void)
{
	static const uint8_t read[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0 };
	struct iovec iov = { buffer, 512 };
	unsigned int i;

	for (i = 0; i < 20; i++) {
		struct storvsp_packet p = srb(read, 10, 1, 1, 512);
		struct packet pkt = {
			.type = PACKET_GPA_DIRECT, .wants_completion = true,
			.payload = &p, .len = sizeof(p), .iov = &iov,
			.iov_count = 1, .iov_bytes = 512, .range_count = 1,
		};
		struct channel *ch = &chan;

		begin("c0", ",lun=1");
		if (i != 17)
			negotiate(0x602);
		switch (i) {
		case 0:
			pkt.wants_completion = false;
			break;
		case 1:
			p.flags = 0;
			break;
		case 2:
			p.operation = 0;
			pkt.type = PACKET_INBAND;
			break;
		case 3:
			p.operation = 14;
			pkt.type = PACKET_INBAND;
			break;
		case 4:
			p.operation = STORVSP_COMPLETE_IO;
			pkt.type = PACKET_INBAND;
			break;
		case 5:
			p.operation = STORVSP_RESET_BUS;
			break;
		case 6:
			pkt.type = PACKET_COMPLETION;
			break;
		case 7:
			pkt.len = 56;
			break;
		case 8:
			pkt.len = 0;
			break;
		case 9:
			pkt.len = 48;	/* too short for 6.2 */
			break;
		case 10:
			p.srb.length = 36;
			break;
		case 11:
			p.srb.cdb_length = 0;
			break;
		case 12:
			p.srb.cdb_length = 17;
			break;
		case 13:
			p.srb.sense_info_length = 21;
			break;
		case 14:
			p.srb.data_in = 3;
			break;
		case 15:
			p.srb.data_transfer_length = 513;
			break;
		case 16:
			pkt.range_count = 2;
			break;
		case 17:
			break;		/* not initialised */
		case 18:
			p.srb.data_in = 2;
			break;
		case 19:
			pkt.type = PACKET_INBAND;
			pkt.iov_count = 0;
			pkt.iov_bytes = 0;
			pkt.range_count = 0;
			break;
		}
		chan.completions = 0;
		kind->ops->packet(bus.dev, ch, &pkt);
		kind->ops->drain(bus.dev, ch);
		CHECK(chan.errored && !chan.completions, "case %u", i);
		CHECK(!strncmp(chan.why, "storvsp: ", 9), "%s", chan.why);
		end();
	}
}

/* What a program in the guest can do wrong is answered, not punished */
static void test_bad_commands(void)
{
	uint8_t read[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 2, 0 };
	uint8_t inquiry[6] = { 0x12, 0, 0, 0, 96, 0 };
	uint8_t unknown[6] = { 0xee };
	struct storvsp_packet p;

	begin("c0,max-transfer=4K", ",lun=1");
	negotiate(0x602);
	CHECK(!execute(read, 10, 1, 512, 0) &&
	      chan.last.srb.srb_status == 0x12 &&
	      !chan.last.srb.data_transfer_length, "more than the room");
	CHECK(!execute(read, 10, 0, 1024, 0) &&
	      chan.last.srb.srb_status == 6, "wrong direction");
	CHECK(execute(read, 10, 1, 4096, 0) &&
	      chan.last.srb.data_transfer_length == 1024, "more room");
	CHECK(!execute(read, 10, 1, 8192, 0) &&
	      chan.last.srb.srb_status == 6, "more than the limit");
	CHECK(!execute(unknown, 6, 2, 0, 0) && sense(5, 0x2000) &&
	      chan.last.srb.srb_status == 0x86, "unknown command");
	read[5] = 0xff;
	read[2] = 0xff;
	CHECK(!execute(read, 10, 1, 1024, 0) && sense(5, 0x2100) &&
	      chan.last.srb.srb_status == 0x84, "out of range");
	CHECK(execute(inquiry, 6, 1, 36, 0) &&
	      chan.last.srb.data_transfer_length == 36 &&
	      !memcmp(buffer + 8, "Msft", 4), "answer cut at the room");
	CHECK(execute(inquiry, 6, 1, 512, 4090) &&
	      chan.last.srb.data_transfer_length == 96 &&
	      !memcmp(buffer + 8, "Msft", 4), "answer across two pages");
	CHECK(execute(inquiry, 6, 2, 0, 0) &&
	      !chan.last.srb.data_transfer_length, "no room at all");

	p = srb(unknown, 6, 1, 2, 0);
	p.srb.sense_info_length = 8;
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.sense_info_length == 8 &&
	      chan.last.srb.srb_status == 0x86 &&
	      chan.last.srb.sense_data[2] == 5 &&
	      !chan.last.srb.sense_data[12], "sense data is cut");
	p.srb.sense_info_length = 20;
	p.srb.srb_flags = STORVSP_SRB_DISABLE_AUTOSENSE;
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 6 &&
	      !chan.last.srb.sense_info_length, "no sense data wanted");
	CHECK(!chan.errored, "%s", chan.why);
	end();
}

static void test_missing_lun(void)
{
	uint8_t ready[6] = { 0 };
	uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	uint8_t report[12] = { 0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0 };
	struct storvsp_packet p;
	unsigned int i;

	begin("c0", ",lun=1");
	negotiate(0x602);
	for (i = 0; i < 4; i++) {
		p = srb(ready, 6, i == 0 ? 0 : i == 1 ? 255 : 1, 2, 0);
		p.srb.path_id = i == 2;
		p.srb.target_id = i == 3;
		execute_on(&chan, &p, buffer, 0, 0, false);
		CHECK(chan.last.srb.srb_status == 0x20, "case %u: %02x", i,
		      chan.last.srb.srb_status);
		inquiry[1] = 0;
		memcpy(p.srb.cdb, inquiry, 6);
		p.srb.data_in = 1;
		p.srb.data_transfer_length = 36;
		execute_on(&chan, &p, buffer, 36, 0, true);
		CHECK(chan.last.srb.srb_status == 1 && buffer[0] == 0x7f &&
		      chan.last.srb.data_transfer_length == 36, "inquiry");
		p.srb.cdb[1] = 1;
		execute_on(&chan, &p, buffer, 36, 0, true);
		CHECK(sense(5, 0x2500), "VPD page");
	}
	p = srb(report, 12, 0, 1, 256);
	execute_on(&chan, &p, buffer, 256, 0, true);
	CHECK(chan.last.srb.srb_status == 1 && buffer[3] == 8 &&
	      buffer[9] == 1, "report luns on a missing LUN 0");
	end();
}

static void data_tests(const char *where, const char *sector_option,
		       uint32_t sector)
{
	static const unsigned int offsets[] = { 0, 512, 8, 4090 };
	uint8_t same[16] = { 0x93, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0, 0, 32 };
	uint8_t unmap[10] = { 0x42, 0, 0, 0, 0, 0, 0, 0, 24 };
	uint8_t verify[10] = { 0x2f, 0, 0, 0, 0, 0, 0, 0x04, 0 };
	uint8_t flush[10] = { 0x35 };
	unsigned int i;
	struct stat st;

	make_file(where, SIZE);
	begin("c0", sector_option);
	negotiate(0x602);
	for (i = 0; i < 4; i++) {
		unsigned int blocks = (1u << 20) / sector - 1;
		uint32_t bytes = blocks * sector;

		fill(i, bytes);
		CHECK(rw10(0x2a, i & 1 ? 8 : 0, 3 + i, blocks, sector,
			   offsets[i]), "write, offset %u: %x %x", offsets[i],
		      chan.last.srb.srb_status, chan.last.srb.sense_data[12]);
		memset(buffer, 0, bytes);
		CHECK(rw10(0x28, i & 2 ? 8 : 0, 3 + i, blocks, sector,
			   offsets[3 - i]), "read, offset %u",
		      offsets[3 - i]);
		CHECK(filled(i, bytes), "other data, offset %u", offsets[i]);
	}
	CHECK(execute(flush, 10, 2, 0, 0), "flush");
	CHECK(execute(verify, 10, 2, 0, 0), "verify");
	CHECK(rw10(0x28, 0, SIZE / sector - 1, 1, sector, 0) && zeroes(sector),
	      "the last block");

	/* WRITE SAME: a pattern, then zeroes, kept and given back */
	fill(9, sector);
	CHECK(execute(same, 16, 0, sector, 8), "write same, pattern");
	for (i = 0; i < 32; i++) {
		CHECK(rw10(0x28, 0, 16 + i, 1, sector, 0) && filled(9, sector),
		      "block %u", i);
	}
	memset(buffer, 0, sector);
	CHECK(execute(same, 16, 0, sector, 0), "write same, zeroes");
	CHECK(rw10(0x28, 0, 16, 32, sector, 0) && zeroes(32 * sector),
	      "zeroes");
	CHECK(rw10(0x28, 0, 15, 1, sector, 0) && !zeroes(sector) &&
	      rw10(0x28, 0, 48, 1, sector, 0) && !zeroes(sector),
	      "neighbours");
	fill(9, 32 * sector);
	CHECK(rw10(0x2a, 0, 16, 32, sector, 0), "again");
	same[1] = 0x09;
	CHECK(execute(same, 16, 2, 0, 0), "write same, unmap, no data");
	CHECK(rw10(0x28, 0, 16, 32, sector, 0) && zeroes(32 * sector),
	      "zeroes");

	/* UNMAP of all makes the file empty */
	memset(buffer, 0, 24);
	buffer[1] = 22;
	buffer[3] = 16;
	buffer[18] = SIZE / sector >> 8;
	buffer[19] = SIZE / sector & 0xff;
	CHECK(execute(unmap, 10, 0, 24, 0), "unmap");
	CHECK(rw10(0x28, 0, 4, 32, sector, 0) && zeroes(32 * sector),
	      "unmapped is zero");
	CHECK(!stat(file, &st) && st.st_size == SIZE && st.st_blocks < 64,
	      "%llu blocks left", (unsigned long long)st.st_blocks);

	/* somebody cut the file */
	CHECK(rw10(0x2a, 0, 0, 8, sector, 0), "write");
	if (truncate(file, 5 * sector / 2))
		abort();
	memset(buffer, 0xff, 8 * sector);
	CHECK(rw10(0x28, 0, 2, 6, sector, 0), "read of a short file");
	memmove(buffer, buffer + sector / 2, 5 * sector);
	CHECK(zeroes(5 * sector), "zeroes behind its end");
	end();
	remove_file();
}

static void test_data_direct(void)
{
	data_tests("/var/tmp", ",lun=1", 512);
}

static void test_data_4096(void)
{
	data_tests("/var/tmp", ",lun=1,sector=4096", 4096);
}

static void test_data_shm(void)
{
	data_tests("/dev/shm", ",lun=1", 512);
}

static void test_data_cached(void)
{
	struct text text = { 0 };
	bool direct;

	make_file("/var/tmp", SIZE);
	no_direct = true;
	begin("c0", ",lun=1");
	kind->ops->status(bus.dev, &text);
	direct = strstr(text_str(&text), "direct");
	text_free(&text);
	end();
	remove_file();
	if (!direct)
		data_tests("/var/tmp", ",lun=1", 512);
	no_direct = false;
	CHECK(!direct, "O_DIRECT in spite of all");
}

static void test_data_write_through(void)
{
	data_tests("/var/tmp", ",lun=1,write-cache=off", 512);
}

static void test_read_only(void)
{
	uint8_t inquiry[6] = { 0x12, 1, 0xb2, 0, 8, 0 };

	begin("c0", ",lun=1,readonly");
	negotiate(0x602);
	CHECK(!rw10(0x2a, 0, 0, 1, 512, 0) && sense(7, 0x2700), "write");
	CHECK(rw10(0x28, 0, 0, 1, 512, 0), "read");
	CHECK(!execute(inquiry, 6, 1, 8, 0) && sense(5, 0x2400),
	      "nothing to unmap");
	end();
}

/* Many at once; a pause at the limit, and its end */
static void test_many(void)
{
	uint8_t read[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
	struct storvsp_packet p = srb(read, 10, 1, 1, 4096);
	uint8_t *page = aligned_alloc(4096, 4096);
	struct iovec iov = { page, 4096 };
	unsigned int n;

	begin("c0", ",lun=1");
	negotiate(0x602);
	chan.completions = 0;
	for (n = 0; !chan.paused && n < 5000; n++)
		post(&chan, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
	CHECK(chan.paused && n < 5000, "never paused");
	CHECK(!chan.completions, "completed inside of the callback");
	kind->ops->drain(bus.dev, &chan);
	CHECK(chan.completions == n && !chan.paused, "%u of %u",
	      chan.completions, n);

	/* memory that is bounced counts, too */
	p = srb(read, 10, 1, 1, 1 << 20);
	p.srb.cdb[7] = 8;
	p.srb.cdb[8] = 0;
	free(page);
	page = aligned_alloc(4096, (1 << 20) + 4096);
	iov.iov_base = page + 1;
	iov.iov_len = 1 << 20;
	chan.completions = 0;
	for (n = 0; !chan.paused && n < 5000; n++)
		post(&chan, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
	kind->ops->drain(bus.dev, &chan);
	CHECK(n <= 512 && chan.completions == n && !chan.paused,
	      "%u of %u", chan.completions, n);
	end();
	free(page);
}

static void test_reset(void)
{
	uint8_t read[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
	struct storvsp_packet p = srb(read, 10, 1, 1, 4096), r = { 0 };
	uint8_t *page = aligned_alloc(4096, 4096);
	struct iovec iov = { page, 4096 };
	unsigned int want = 2, i;

	for (i = 4; i <= 6; i++) {
		begin("c0,subchannels=1", ",lun=1");
		negotiate(0x602);
		CHECK(!kind->ops->open(bus.dev, &sub), "subchannel");
		chan.completions = 0;
		post(&sub, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
		r.operation = i;
		r.flags = 1;
		r.srb.lun = 1;
		post(&chan, PACKET_INBAND, &r, sizeof(r), NULL, 0);
		CHECK(!chan.completions && chan.paused && sub.paused,
		      "the reset waits for the read");
		wait_answer(want);
		CHECK(sub.completions == 1 && chan.completions == 1 &&
		      sub.last.srb.srb_status == 1 && !chan.last.status,
		      "each on its own channel");
		CHECK(!chan.paused && !sub.paused, "and on");
		sub.completions = 0;
		CHECK(!rw10(0x28, 0, 0, 1, 512, 0) &&
		      sense(6, i == 4 ? 0x2903 : 0x2902), "attention");
		CHECK(rw10(0x28, 0, 0, 1, 512, 0), "once");
		r.operation = 6;
		post(&sub, PACKET_INBAND, &r, sizeof(r), NULL, 0);
		CHECK(sub.errored, "no reset on a subchannel");
		kind->ops->drain(bus.dev, &sub);
		kind->ops->close(bus.dev, &sub);
		end();
	}
	free(page);
}

static void test_hotplug(void)
{
	uint8_t ready[6] = { 0 };
	uint8_t capacity[10] = { 0x25 };
	uint8_t read[10] = { 0x28, 0, 0, 0, 0, 0, 0, 0, 8, 0 };
	struct storvsp_packet p = srb(read, 10, 1, 1, 4096);
	uint8_t *page = aligned_alloc(4096, 4096);
	struct iovec iov = { page, 4096 };
	char line[200];

	begin("c0", NULL);
	snprintf(line, sizeof(line), "add c0,lun=1,file=%s", file);
	CHECK(!command(line) && !chan.sent, "before the guest looks");
	CHECK(!command("remove c0 1"), "%s", text_str(&why));
	negotiate(0x602);
	CHECK(!execute(ready, 6, 2, 0, 0), "nothing there");
	CHECK(!command(line), "%s", text_str(&why));
	CHECK(chan.sent == 1 && chan.note.operation == 11, "enumerate bus");
	CHECK(execute(ready, 6, 2, 0, 0), "there");
	CHECK(command(line) == -EEXIST, "twice");

	CHECK(!command("resize c0 1") && chan.sent == 1, "same size: silence");
	CHECK(!command("resize c0 1 4M") && chan.sent == 2, "resize");
	CHECK(!execute(ready, 6, 2, 0, 0) && sense(6, 0x2a09), "attention");
	CHECK(execute(capacity, 10, 1, 8, 0) && buffer[2] == 0x1f &&
	      buffer[3] == 0xff, "capacity");
	CHECK(command("resize c0 1 1000") && chan.sent == 2, "no multiple");
	CHECK(command("resize c0 1 0") && command("resize c0 2") &&
	      command("resize c9 1") && command("resize c0"), "nonsense");
	if (truncate(file, SIZE))
		abort();
	chan.send_result = -ENOBUFS;
	CHECK(!command("resize c0 1") && chan.sent == 2, "ring is full");
	chan.send_result = 0;
	kind->ops->writable(bus.dev, &chan);
	CHECK(chan.sent == 3, "sent when there is room");
	CHECK(!execute(ready, 6, 2, 0, 0) && sense(6, 0x2a09), "attention");

	/* what is in flight ends before the disk goes */
	chan.completions = 0;
	post(&chan, PACKET_GPA_DIRECT, &p, sizeof(p), &iov, 1);
	CHECK(!command("remove c0 1"), "%s", text_str(&why));
	CHECK(chan.completions == 1 && chan.last.srb.srb_status == 1,
	      "the read in flight");
	CHECK(chan.sent == 4 && chan.note.operation == 11, "enumerate bus");
	CHECK(!execute(ready, 6, 2, 0, 0) && chan.last.srb.srb_status == 0x20,
	      "gone");
	CHECK(command("remove c0 1") && command("remove"), "not twice");
	end();
	free(page);
}

/* Before a rescind: the units go first, until the guest asks no more */
static void test_retire(void)
{
	uint8_t ready[6] = { 0 };

	begin("c0", ",lun=1");
	CHECK(!kind->ops->retire(bus.dev), "a guest that has not looked");
	negotiate(0x602);
	CHECK(kind->ops->retire(bus.dev) && chan.sent == 1 &&
	      chan.note.operation == 11, "the guest is told to look");
	bus.dev->retiring = true;
	CHECK(!execute(ready, 6, 2, 0, 0) && chan.last.srb.srb_status == 0x20,
	      "the unit is not found");
	CHECK(kind->ops->retire(bus.dev) && chan.sent == 1, "told once");
	usleep(3100000);
	CHECK(!kind->ops->retire(bus.dev), "quiet at last");
	bus.dev->retiring = false;
	CHECK(execute(ready, 6, 2, 0, 0), "there again");
	end();
}

/* What takes long does not hold up the end of a channel, disk or reset */
static void test_cancel(void)
{
	uint8_t verify[16] = { 0x8f };
	struct storvsp_packet p, r = { .operation = 6, .flags = 1 };
	unsigned int how;

	make_file("/var/tmp", 1u << 30);
	for (how = 0; how < 3; how++) {
		begin("c0", ",lun=1");
		negotiate(0x602);
		verify[11] = (1u << 30) / 512 >> 16;
		p = srb(verify, 16, 1, 2, 0);
		chan.completions = 0;
		post(&chan, PACKET_INBAND, &p, sizeof(p), NULL, 0);
		CHECK(kind->ops->busy(bus.dev, &chan), "it runs");
		if (how == 0)
			kind->ops->drain(bus.dev, &chan);
		else if (how == 1)
			CHECK(!command("remove c0 1"), "remove");
		else
			post(&chan, PACKET_INBAND, &r, sizeof(r), NULL, 0);
		if (how == 2)
			wait_answer(2);
		else
			CHECK(chan.completions == 1 && sense(0xb, 0x4400),
			      "%u: status %02x", how,
			      chan.last.srb.srb_status);
		CHECK(!kind->ops->busy(bus.dev, &chan), "it has ended");
		end();
	}
	remove_file();
}

static int ide(const char *options)
{
	char arg[256];

	text_free(&why);
	snprintf(arg, sizeof(arg), "i0,%s%s", options, file);
	return ide_kind->options->parse(&bus, arg, &why);
}

/* One disk, at the place that the instance GUID says */
static void test_ide(void)
{
	static const char *const bad[] = {
		"path=2,file=", "target=x,file=", "lun=1,file=",
		"type=tape,file=", "max-transfer=1,file=", "discard-max=1,file=",
		"file=/nonexistent", "subchannels=1,file=",
	};
	static const uint8_t place[7] = { 1, 0, 0, 0, 1, 0, 0xff };
	static const uint8_t ready[6];
	struct storvsp_packet p = srb(ready, 6, 0, 2, 0);
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(ide(bad[i]) < 0 && why.len, "%s", bad[i]);
	CHECK(!ide("path=1,target=1,serial=I,max-version=5.1,file="), "%s",
	      text_str(&why));
	memset(bus.dev->instance.b, 0xff, sizeof(bus.dev->instance.b));
	bus.dev->kind->ops->identify(bus.dev);
	CHECK(!memcmp(bus.dev->instance.b, place, sizeof(place)),
	      "path and target");
	CHECK(bus.dev->kind->class.b[0] == 0x32 &&
	      bus.dev->kind->class.b[15] == 0xf5, "class");
	memset(&chan, 0, sizeof(chan));
	chan.dev = bus.dev;
	CHECK(!kind->ops->open(bus.dev, &chan), "open");
	negotiate(0x501);
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 0x20, "nothing at target 0");
	p.srb.target_id = 1;
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 1, "at target 1, path 0");
	p.srb.path_id = 1;
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 1, "and path 1");
	CHECK(option("disk", "i0,lun=1,file=/dev/null") < 0 &&
	      strstr(text_str(&why), "one disk"), "%s", text_str(&why));
	CHECK(!command("fault i0 srb status=20") &&
	      !command("resize i0 0"), "%s", text_str(&why));
	end();
}

static void test_dvd(void)
{
	uint8_t inquiry[6] = { 0x12, 0, 0, 0, 96, 0 };
	uint8_t capacity[10] = { 0x25 };

	begin("c0", ",lun=1,type=dvd,sector=512");
	negotiate(0x602);
	CHECK(execute(inquiry, 6, 1, 96, 0) && buffer[0] == 5 &&
	      buffer[1] == 0x80, "a removable drive");
	CHECK(execute(capacity, 10, 1, 8, 0) && buffer[6] == 8 && !buffer[7] &&
	      buffer[2] == 0x0f && buffer[3] == 0xff, "blocks of 2048");
	CHECK(rw10(0x28, 0, 3, 2, 2048, 0), "read");
	CHECK(!rw10(0x2a, 0, 3, 2, 2048, 0) && sense(7, 0x2700), "write");
	inquiry[1] = 1;
	CHECK(execute(inquiry, 6, 1, 96, 0) && buffer[0] == 5, "VPD");
	end();
}

/* What the pages say of names and of discarding */
static void test_pages(void)
{
	static const uint8_t naa[8] = {
		0x60, 0x01, 0x40, 0x5a, 0xbc, 0xde, 0xf0, 0x12,
	};
	uint8_t page[6] = { 0x12, 1, 0x83, 0, 96, 0 };
	uint8_t capacity[16] = { 0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32 };

	begin("c0", ",lun=1,naa=6001405abcdef012,thin=off,lbprz=off,discard-granularity=64K,discard-alignment=8K,discard-max=1M");
	negotiate(0x602);
	/* behind the vendor's with a GUID */
	CHECK(execute(page, 6, 1, 96, 0) && buffer[5] == 1 && buffer[7] == 24 &&
	      buffer[33] == 3 && buffer[35] == 8 &&
	      !memcmp(buffer + 36, naa, sizeof(naa)), "name");
	page[2] = 0xb0;
	CHECK(execute(page, 6, 1, 96, 0) && buffer[22] == 8 && !buffer[23] &&
	      buffer[31] == 128 && buffer[32] == 0x80 && buffer[35] == 16,
	      "limits");
	page[2] = 0xb2;
	CHECK(execute(page, 6, 1, 96, 0) && buffer[6] == 1 &&
	      !(buffer[5] & 4), "provisioning");
	CHECK(execute(capacity, 16, 1, 32, 0) && buffer[14] == 0x80, "LBPRZ");
	end();
	begin("c0,coalesce=off", ",lun=1,naa=off");
	CHECK(!chan.moderate_ns, "no moderation");
	negotiate(0x602);
	page[2] = 0x83;
	CHECK(execute(page, 6, 1, 96, 0) && buffer[5] == 1 && buffer[3] == 28,
	      "no NAA name");
	end();
	begin("c0,coalesce=30", NULL);
	CHECK(chan.moderate_ns == 30000, "microseconds");
	end();
}

static void test_arguments(void)
{
	static const char *const bad_scsi[] = {
		"", "=", "c1,subchannels=17", "c1,subchannels", "c1,x",
		"c1,max-transfer=1000", "c1,max-transfer=0",
		"c1,max-transfer=4M", "c0", "c1,coalesce=often", "c1,coalesce",
		"c1,coalesce=1000000", "c1,report-channels=x",
		"a-name-of-more-than-thirty-one-characters",
	};
	static const char *const bad_disk[] = {
		"", ",lun=255", ",lun=x", ",lun", ",lun=1,sector=1024",
		",lun=1,sector", ",lun=1,serial=", ",lun=1,serial=a b",
		",lun=1,serial=0123456789012345678901234567890123456",
		",lun=1,unmap=yes", ",lun=1,write-cache", ",lun=1,color=red",
		",lun=1,readonly=on", ",lun=1,file=x",
	};
	static const char *const bad_path[] = {
		"c0,lun=1,file=/nonexistent/disk", "c0,lun=1,file=/dev/null",
		"c0,lun=1,file=/tmp", "c9,lun=1,file=/tmp", "c0,lun=1,file=",
		"lun=1,file=/tmp", "",
	};
	struct text text = { 0 };
	char path[128], arg[200];
	unsigned int i;

	CHECK(!option("scsi", "c0"), "%s", text_str(&why));
	for (i = 0; i < sizeof(bad_scsi) / sizeof(bad_scsi[0]); i++)
		CHECK(option("scsi", bad_scsi[i]) < 0 && why.len, "%s",
		      bad_scsi[i]);
	CHECK(option("scsi", NULL) < 0 && why.len, "no name");
	for (i = 0; i < sizeof(bad_disk) / sizeof(bad_disk[0]); i++)
		CHECK(disk(bad_disk[i]) < 0 && why.len, "%s", bad_disk[i]);
	for (i = 0; i < sizeof(bad_path) / sizeof(bad_path[0]); i++)
		CHECK(option("disk", bad_path[i]) < 0 && why.len, "%s",
		      bad_path[i]);

	snprintf(path, sizeof(path), "%s/odd", dir);
	snprintf(arg, sizeof(arg), "c0,lun=1,file=%s", path);
	close(open(path, O_CREAT | O_RDWR, 0600));
	CHECK(option("disk", arg) < 0 && strstr(text_str(&why), "empty"), "%s",
	      text_str(&why));
	if (truncate(path, 1000))
		abort();
	CHECK(option("disk", arg) < 0 && strstr(text_str(&why), "multiple"),
	      "%s", text_str(&why));
	unlink(path);

	CHECK(!disk(",lun=1,serial=ABC,rotational"), "%s", text_str(&why));
	CHECK(disk(",lun=2") < 0 && strstr(text_str(&why), "in use"), "%s",
	      text_str(&why));
	CHECK(disk(",lun=2,readonly") < 0 && strstr(text_str(&why), "in use"),
	      "%s", text_str(&why));
	kind->ops->status(bus.dev, &text);
	CHECK(strstr(text_str(&text), "LUN 1") && strstr(text_str(&text), "ABC"),
	      "status: %s", text_str(&text));
	text_free(&text);
	CHECK(!command("remove c0 1"), "%s", text_str(&why));
	CHECK(!disk(",lun=1,readonly") && !disk(",lun=2,readonly"),
	      "two readers: %s", text_str(&why));
	CHECK(disk(",lun=3") < 0, "no writer beside readers");
	kind->ops->destroy(bus.dev);
	bus.dev = NULL;
}

int main(void)
{
	log_level = LOG_LEVEL_ERROR;
	bus.loop = loop_create(0);
	if (!bus.loop) {
		printf("Bail out! io_uring: %s\n", strerror(errno));
		return 1;
	}
	make_file("/var/tmp", SIZE);
	tap_test("storvsp: negotiation", test_negotiation);
	tap_test("storvsp: malformed packets disconnect", test_malformed);
	tap_test("storvsp: wrong commands are answered", test_bad_commands);
	tap_test("storvsp: missing LUNs", test_missing_lun);
	tap_test("storvsp: read-only", test_read_only);
	tap_test("storvsp: many requests, pause", test_many);
	tap_test("storvsp: resets, subchannel", test_reset);
	tap_test("storvsp: hot add, resize, remove", test_hotplug);
	tap_test("storvsp: retired before a rescind", test_retire);
	tap_test("storvsp: IDE", test_ide);
	tap_test("storvsp: DVD drive", test_dvd);
	tap_test("storvsp: VPD pages by option", test_pages);
	tap_test("storvsp: arguments", test_arguments);
	remove_file();
	tap_test("storvsp: long commands are cancelled", test_cancel);
	tap_test("storvsp: data, O_DIRECT", test_data_direct);
	tap_test("storvsp: data, sectors of 4096", test_data_4096);
	tap_test("storvsp: data, in /dev/shm", test_data_shm);
	tap_test("storvsp: data, through the page cache", test_data_cached);
	tap_test("storvsp: data, no write cache", test_data_write_through);
	loop_destroy(bus.loop);
	text_free(&why);
	return tap_done();
}
