// SPDX-License-Identifier: GPL-2.0-only
/*
 * How hosts differ: what disks of the reference host answer with each --like,
 * and how they fail questions that a guest must do without.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_storvsp.h"
#include "tap.h"

static void like(const char *name)
{
	bus.profile = profile_find(name);
	if (!bus.profile)
		abort();
}

static void set_up(const char *name, const char *disk_options)
{
	like(name);
	begin("c0", disk_options);
	negotiate(!strcmp(name, "openvmm") ? 0x600 : 0x602);
}

static bool vpd(uint8_t page)
{
	const uint8_t cdb[] = { 0x12, 1, page, 0, 96, 0 };

	memset(buffer, 0xee, 96);
	return execute(cdb, sizeof(cdb), 1, 96, 0) && buffer[1] == page;
}

static bool lists(uint8_t page)
{
	return vpd(0) && memchr(buffer + 4, page, buffer[3]);
}

static bool mode(bool ten, uint8_t page)
{
	const uint8_t six[] = { 0x1a, 8, page, 0, 64, 0 };
	const uint8_t wide[] = { 0x5a, 8, page, 0, 0, 0, 0, 0, 64, 0 };

	return execute(ten ? wide : six, ten ? sizeof(wide) : sizeof(six), 1,
		       64, 0);
}

static bool capacity_16(void)
{
	const uint8_t cdb[16] = { 0x9e, 0x10, [13] = 32 };

	return execute(cdb, sizeof(cdb), 1, 32, 0);
}

/* The last one failed with this SRB status, and nothing else */
static bool bare(uint8_t srb_status)
{
	const struct storvsp_srb *s = &chan.last.srb;

	return chan.last.status && s->srb_status == srb_status &&
	       !s->scsi_status && !s->sense_info_length &&
	       !s->data_transfer_length;
}

static void test_identifiers(void)
{
	static const char *const names[] = { "hyperv", "openvmm" };
	uint8_t first[16];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		set_up(names[i], ",lun=1");
		CHECK(vpd(0x83) && buffer[3] == 28 + 20 && buffer[4] == 1 &&
		      buffer[5] == 1 && buffer[7] == 24 &&
		      !memcmp(buffer + 8, "Msft    ", 8), "%s: GUID", names[i]);
		CHECK(buffer[32] == 1 && buffer[33] == 3 && buffer[35] == 16 &&
		      !memcmp(buffer + 36, "\x60\x02\x24\x80", 4),
		      "%s: NAA", names[i]);
		CHECK(!memcmp(buffer + 40, buffer + 16, 6) &&
		      !memcmp(buffer + 46, buffer + 26, 6), "%s: both",
		      names[i]);
		memcpy(first, buffer + 36, 16);
		end();
		set_up(names[i], ",lun=1,serial=other");
		CHECK(vpd(0x83) && memcmp(first, buffer + 36, 16),
		      "%s: two disks have one name", names[i]);
		end();
	}
	set_up("hyperv", ",lun=1,naa=6002248000112233445566778899aabb");
	CHECK(vpd(0x83) && !memcmp(buffer + 36, "\x60\x02\x24\x80\x00\x11\x22\x33"
				   "\x44\x55\x66\x77\x88\x99\xaa\xbb", 16),
	      "an identifier by option");
	end();
	set_up("lenient", ",lun=1");
	CHECK(vpd(0x83) && buffer[5] == 3 && buffer[7] == 8, "8 bytes");
	end();
}

static void test_openvmm_pages(void)
{
	struct storvsp_packet p = { .version.major_minor = 0x602 };
	unsigned int i;

	like("openvmm");
	begin("c0", ",lun=1");
	CHECK(!simple(7, NULL) && simple(9, &p) == 0xc0000059, "6.2 is taken");
	p.version.major_minor = 0x600;
	CHECK(!simple(9, &p) && !simple(10, NULL), "6.0 is refused");
	CHECK(chan.last.properties.max_transfer_bytes == 256 << 10, "%u bytes",
	      chan.last.properties.max_transfer_bytes);
	CHECK(!simple(8, NULL), "end");
	CHECK(!lists(0x80) && lists(0x83) && lists(0xb0) && lists(0xb1) &&
	      lists(0xb2), "pages");
	CHECK(!vpd(0x80) && chan.last.srb.srb_status == 0x86 &&
	      chan.last.srb.sense_data[12] == 0x24, "page 80");
	CHECK(vpd(0xb0) && !memcmp(buffer + 8, "\0\0\0", 4) &&
	      buffer[41] == 0 && buffer[42] == 0x40 && buffer[43] == 0,
	      "limits: no transfer, 8 MiB of WRITE SAME");
	CHECK(vpd(0xb2) && buffer[5] == 0x80, "provisioning %02x", buffer[5]);
	CHECK(capacity_16() && buffer[14] == 0x80, "capacity %02x", buffer[14]);
	CHECK(mode(false, 8) && !(buffer[2] & 0x10), "FUA");
	CHECK(mode(true, 8) && !(buffer[3] & 0x10), "FUA");
	CHECK(!mode(false, 0x0a) && chan.last.srb.srb_status == 0x86, "0a");
	CHECK(mode(false, 0x3f) && buffer[0] == 23, "all pages");
	/* room for sense data is named also where there are none */
	CHECK(chan.last.srb.sense_info_length == 20, "%u bytes of sense data",
	      chan.last.srb.sense_info_length);
	end();

	set_up("openvmm", ",lun=1,unmap=off,serial=mine");
	for (i = 0xb0; i <= 0xb2; i++)
		CHECK(!lists(i) && !vpd(i), "page %x", i);
	CHECK(lists(0x80) && vpd(0x80) && !memcmp(buffer + 4, "mine", 4),
	      "serial");
	end();
}

static void test_openvmm_errors(void)
{
	const uint8_t same[16] = { 0x93, [12] = 0x40, 1 };
	const uint8_t no_data[16] = { 0x93, 1, [13] = 1 };
	const uint8_t select[] = { 0x15, 0x10, 0, 0, 24, 0 };
	struct storvsp_packet p;

	set_up("openvmm", ",lun=1");
	CHECK(!rw10(0x28, 0, 0xffff00, 1, 512, 0) &&
	      chan.last.srb.srb_status == 0x86 &&
	      chan.last.srb.sense_data[12] == 0x21, "LBA out of range");
	memset(buffer, 0, 512);
	CHECK(!execute(same, 16, 0, 512, 0) &&
	      chan.last.srb.srb_status == 0x86 &&
	      chan.last.srb.sense_data[12] == 0x24, "8 MiB and a block");
	CHECK(!execute(no_data, 16, 2, 0, 0) &&
	      chan.last.srb.srb_status == 0x86, "WRITE SAME without data");
	memset(buffer, 0, 24);
	buffer[4] = 8;
	buffer[5] = 18;
	CHECK(!execute(select, 6, 0, 24, 0) &&
	      chan.last.srb.sense_data[12] == 0x26, "the cache can be turned off");
	p = srb(same, 16, 7, 0, 0);
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 0x20 && chan.last.srb.scsi_status == 2
	      && !chan.last.srb.sense_info_length, "a missing LUN");
	end();

	set_up("hyperv", ",lun=1");
	CHECK(!rw10(0x28, 0, 0xffff00, 1, 512, 0) &&
	      chan.last.srb.srb_status == 0x84, "LBA out of range");
	CHECK(execute(select, 6, 0, 24, 0), "the cache can't be turned off");
	p = srb(same, 16, 7, 0, 0);
	execute_on(&chan, &p, buffer, 0, 0, false);
	CHECK(chan.last.srb.srb_status == 0x20 && !chan.last.srb.scsi_status,
	      "a missing LUN");
	end();
}

/* An UNMAP list of one descriptor whose lengths are as they are given */
static bool unmap(uint8_t data, uint8_t descs)
{
	const uint8_t cdb[] = { 0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0 };

	memset(buffer, 0, 24);
	buffer[1] = data;
	buffer[3] = descs;
	buffer[19] = 8;
	return execute(cdb, sizeof(cdb), 0, 24, 0);
}

static void test_unmap_lists(void)
{
	static const char *const names[] = { "hyperv", "openvmm", "lenient" };
	unsigned int i;

	for (i = 0; i < 3; i++) {
		bool exact = i < 2;

		set_up(names[i], ",lun=1");
		CHECK(unmap(22, 16), "%s: right", names[i]);
		CHECK(unmap(0, 16) == !exact, "%s: no data length", names[i]);
		CHECK(unmap(38, 32) == !exact, "%s: cut off", names[i]);
		CHECK(unmap(22, 0) == !exact, "%s: no descriptors", names[i]);
		end();
	}
}

/* Each question is failed in each way, and no other one */
static void test_refusals(void)
{
	static const struct {
		const char *name;
		uint8_t page;		/* of INQUIRY; 1: another question */
		unsigned int asc;
	} questions[] = {
		{ "mode6", 1, 0x2000 }, { "mode10", 1, 0x2000 },
		{ "capacity16", 1, 0x2000 }, { "00", 0x00, 0x2400 },
		{ "80", 0x80, 0x2400 }, { "83", 0x83, 0x2400 },
		{ "b0", 0xb0, 0x2400 }, { "b1", 0xb1, 0x2400 },
		{ "b2", 0xb2, 0x2400 },
	};
	static const char *const ways[] = { "", ":error", ":invalid" };
	const unsigned int n = sizeof(questions) / sizeof(questions[0]);
	unsigned int q, w, i;
	char options[64];

	for (q = 0; q < n; q++) {
		for (w = 0; w < 3; w++) {
			snprintf(options, sizeof(options), ",lun=1,refuse=%s%s",
				 questions[q].name, ways[w]);
			set_up("hyperv", options);
			for (i = 0; i < n; i++) {
				uint8_t page = questions[i].page;
				bool ok = page != 1 ? vpd(page) :
					  i == 2 ? capacity_16() : mode(i, 8);

				CHECK(ok == (i != q), "%s: %s", options,
				      questions[i].name);
				CHECK(ok || (w ? bare(w == 1 ? 4 : 6) :
					     sense(5, questions[i].asc)),
				      "%s: SRB %02x", options,
				      chan.last.srb.srb_status);
			}
			/* one that fails is listed, one that lacks is not */
			if (questions[q].page > 1)
				CHECK(lists(questions[q].page) == !!w, "%s: %s",
				      options, "list");
			end();
		}
	}
	set_up("hyperv", ",lun=1,refuse=mode6+mode10+b2:error");
	CHECK(!mode(false, 8) && bare(4) && !mode(true, 8) && bare(4) &&
	      !vpd(0xb2) && bare(4) && vpd(0xb0), "several");
	end();
}

int main(void)
{
	bus.loop = loop_create(0);
	if (!bus.loop) {
		printf("Bail out! io_uring: %s\n", strerror(errno));
		return 1;
	}
	make_file("/var/tmp", SIZE);
	tap_test("like: identifiers of 16 bytes", test_identifiers);
	tap_test("like: pages and parameters of OpenVMM's disks",
		 test_openvmm_pages);
	tap_test("like: errors of OpenVMM's disks", test_openvmm_errors);
	tap_test("like: UNMAP lists", test_unmap_lists);
	tap_test("like: questions that are refused, or fail", test_refusals);
	remove_file();
	loop_destroy(bus.loop);
	text_free(&why);
	return tap_done();
}
