// SPDX-License-Identifier: GPL-2.0-only
/* What the host takes apart by itself: numbers, options, GPADLs, rings, JSON */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host.h"
#include "ring.h"
#include "tap.h"

static void test_sizes(void)
{
	static const struct {
		const char *s;
		uint64_t value;
	} good[] = {
		{ "0", 0 }, { "4096", 4096 }, { "0x1000", 4096 },
		{ "16M", 16 << 20 }, { "3g", 3ull << 30 }, { "010", 10 },
		{ "0x10k", 16 << 10 }, { "18446744073709551615", UINT64_MAX },
	};
	static const char *const bad[] = {
		"", "M", "-1", "+1", " 1", "1 ", "1MM", "1X", "0x", "x",
		"18446744073709551616", "18014398509481984K", "1.5M",
	};
	uint64_t v;
	unsigned int i;

	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		CHECK(!text_size(good[i].s, &v) && v == good[i].value, "%s",
		      good[i].s);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(text_size(bad[i], &v) == -EINVAL, "'%s'", bad[i]);
	CHECK(!text_number("8", 1, 8, &v) && v == 8, "in range");
	CHECK(text_number("9", 1, 8, &v) == -ERANGE, "too large");
	CHECK(text_number("0", 1, 8, &v) == -ERANGE, "too small");
	CHECK(text_number("8K", 1, 9000, &v) == -EINVAL, "a unit");
}

static void test_option_lists(void)
{
	struct option_list ol;
	char *name, *value;

	option_list_init(&ol, "a,b=1,c=,d=x=y");
	CHECK(option_next(&ol, &name, &value) && !strcmp(name, "a") && !value,
	      "no value");
	CHECK(option_next(&ol, &name, &value) && !strcmp(value, "1"), "b");
	CHECK(option_next(&ol, &name, &value) && !strcmp(value, ""), "c");
	CHECK(option_next(&ol, &name, &value) && !strcmp(value, "x=y"), "d");
	CHECK(!option_next(&ol, &name, &value), "the end");
	option_list_free(&ol);
	option_list_init(&ol, "");
	CHECK(!option_next(&ol, &name, &value), "empty");
	option_list_free(&ol);
}

static void test_control_split(void)
{
	char *words[CONTROL_WORDS_MAX], line[CONTROL_LINE_MAX];
	struct text err = { 0 };
	unsigned int i;

	strcpy(line, "  key \"a  b\" c\\\"d \\\\n \"\"\t");
	CHECK(control_split(line, words, &err) == 5, "words");
	CHECK(!strcmp(words[0], "key") && !strcmp(words[1], "a  b") &&
	      !strcmp(words[2], "c\"d") && !strcmp(words[3], "\\n") &&
	      !strcmp(words[4], ""), "%s|%s|%s|%s|%s", words[0], words[1],
	      words[2], words[3], words[4]);
	strcpy(line, "one");
	CHECK(control_split(line, words, &err) == 1 &&
	      !strcmp(words[0], "one"), "one word");
	strcpy(line, " \t\r");
	CHECK(control_split(line, words, &err) == 0, "blanks");
	strcpy(line, "key \"open");
	CHECK(control_split(line, words, &err) == -EINVAL, "open quote");
	strcpy(line, "x\\");
	CHECK(control_split(line, words, &err) == 1 &&
	      !strcmp(words[0], "x\\"), "lone backslash");
	for (i = 0; i <= CONTROL_WORDS_MAX; i++)
		strcpy(line + 2 * i, "a ");
	CHECK(control_split(line, words, &err) == -EINVAL, "too many words");
	text_free(&err);
}

static int parse_ram(struct ram *ram, const char *arg)
{
	struct text err = { 0 };
	int ret = ram_parse(ram, arg, &err);

	text_free(&err);
	return ret;
}

static void test_ram_options(void)
{
	static const char *const bad[] = {
		"", "x", "file=a", "file=,size=4K", "size=4K",
		"file=a,size=0", "file=a,size=1", "file=a,size=4K,gpa=1",
		"file=a,size=4K,offset=8", "file=a,size", "file=a,size=-4K",
		"file=a,size=4K,colour=red",
		"file=a,size=8K,gpa=0xfffffffffffff000",
		"file=a,size=8K,offset=0x7ffffffffffff000",
		"file=a,size=1M,gpa=1M",	/* overlaps the first */
		"file=a,size=2M,gpa=0",
	};
	struct ram ram = { 0 };
	unsigned int i;

	CHECK(!parse_ram(&ram, "file=a,offset=1G,gpa=1M,size=1M"), "good");
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(parse_ram(&ram, bad[i]) == -EINVAL, "'%s'", bad[i]);
	CHECK(ram.count == 1, "only the good one is kept");
	CHECK(!parse_ram(&ram, "file=a,gpa=2M,size=4K"), "the next page");
	for (i = 2; i < RAM_MAX_RANGES; i++) {
		char arg[64];

		snprintf(arg, sizeof(arg), "file=a,gpa=%uG,size=4K", i);
		CHECK(!parse_ram(&ram, arg), "%s", arg);
	}
	CHECK(parse_ram(&ram, "file=a,gpa=1T,size=4K"), "too many");
	ram_free(&ram);
}

/* RAM of two ranges in one file: 16 pages at 0, 16 pages at 1 MiB */
#define RAM_PART	(16 * RAM_PAGE)

static char ram_path[] = "/tmp/synthhost-ram-XXXXXX";

static bool make_ram(struct ram *ram)
{
	struct text err = { 0 };
	char arg[128];
	bool ok;
	int fd;

	memset(ram, 0, sizeof(*ram));
	strcpy(ram_path + strlen(ram_path) - 6, "XXXXXX");
	fd = mkstemp(ram_path);
	ok = fd >= 0 && !ftruncate(fd, 2 * RAM_PART);
	close(fd);
	snprintf(arg, sizeof(arg), "file=%s,size=%u", ram_path, RAM_PART);
	ok = ok && !parse_ram(ram, arg);
	snprintf(arg, sizeof(arg), "file=%s,offset=%u,gpa=1M,size=%u",
		 ram_path, RAM_PART, RAM_PART);
	ok = ok && !parse_ram(ram, arg) && !ram_map(ram, &err);
	text_free(&err);
	return ok;
}

static void drop_ram(struct ram *ram)
{
	ram_free(ram);
	unlink(ram_path);
}

static void test_ram_addresses(void)
{
	static const uint64_t far[] = { 15, 256, 257, 3 };
	static const uint64_t outside[] = { 16, 255, 272, UINT64_MAX,
					    UINT64_MAX / RAM_PAGE };
	struct iovec iov[4];
	struct ram ram;
	unsigned int i;
	uint64_t pfns[2];
	char *twice;

	CHECK(make_ram(&ram), "RAM");
	CHECK(ram_ptr(&ram, 0, RAM_PART) == ram.range[0].map, "all of it");
	CHECK(ram_ptr(&ram, RAM_PART - 1, 1), "the last byte");
	CHECK(!ram_ptr(&ram, RAM_PART - 1, 2), "over the end");
	CHECK(!ram_ptr(&ram, RAM_PART, 0), "behind the end");
	CHECK(!ram_ptr(&ram, RAM_PART, 1), "in the hole");
	CHECK(!ram_ptr(&ram, (1 << 20) - 1, 2), "over a beginning");
	CHECK(ram_ptr(&ram, 1 << 20, RAM_PART), "the second range");
	CHECK(!ram_ptr(&ram, 8, UINT64_MAX), "a length that wraps");
	CHECK(!ram_ptr(&ram, UINT64_MAX, 2), "an address that wraps");
	for (i = 0; i < 5; i++) {
		pfns[0] = 1;
		pfns[1] = outside[i];
		CHECK(ram_iov(&ram, pfns, 0, RAM_PAGE + 1, iov) == -EFAULT,
		      "page %u", i);
		CHECK(ram_iov(&ram, pfns, 0, RAM_PAGE, iov) == 1,
		      "the second page is not needed");
		CHECK(!ram_map_pages(&ram, pfns, 2) && errno == EFAULT,
		      "mapping page %u", i);
	}
	CHECK(ram_iov(&ram, far, 100, 2 * RAM_PAGE + 50, iov) == 2,
	      "neighbours are joined");
	CHECK(iov[0].iov_len == RAM_PAGE - 100 &&
	      iov[1].iov_len == RAM_PAGE + 150, "lengths");
	twice = ram_map_pages(&ram, far, 4);
	CHECK(twice, "second mapping");
	strcpy((char *)ram_ptr(&ram, 257 * RAM_PAGE, 8), "hello");
	CHECK(!strcmp(twice + 2 * RAM_PAGE, "hello"), "same memory");
	ram_unmap_pages(twice, 4);
	drop_ram(&ram);
}

static void test_ram_files(void)
{
	struct text err = { 0 };
	struct ram ram;

	CHECK(make_ram(&ram), "RAM");
	ram_unmap(&ram);
	CHECK(!ram_ptr(&ram, 0, 1), "unmapped: no address is valid");
	CHECK(!truncate(ram_path, RAM_PART + 1), "truncate");
	CHECK(ram_map(&ram, &err) && strstr(text_str(&err), "its range ends"),
	      "%s", text_str(&err));
	CHECK(!ram_ptr(&ram, 0, 1), "nothing is mapped after a failure");
	text_free(&err);
	unlink(ram_path);
	CHECK(ram_map(&ram, &err) == -ENOENT, "no file");
	text_free(&err);
	ram_free(&ram);
}

/* A GPADL header message with these numbers */
struct header_message {
	struct vmbus_wire_gpadl_header h;
	uint32_t bytes, offset;
	uint64_t pfn[VMBUS_WIRE_HEADER_PFNS];
} __attribute__((packed));

static const struct header_message good_header = {
	.h = { { VMBUS_WIRE_GPADL_HEADER, 0 }, 1, 0x10, 8 + 3 * 8, 1 },
	.bytes = 3 * RAM_PAGE,
	.pfn = { 1, 2, 256 },
};

static const char *try_header(const struct ram *ram,
			      const struct header_message *m, size_t len)
{
	struct gpadl_table t = { 0 };
	struct gpadl *g = NULL;
	const char *why = gpadl_header(&t, ram, m, len, &g);

	if (!why && !g->complete)
		why = "incomplete";
	gpadl_remove_all(&t);
	return why;
}

static void test_gpadl_headers(void)
{
	size_t full = sizeof(good_header.h) + 8 + 3 * 8, len;
	struct header_message m;
	struct ram ram;

	CHECK(make_ram(&ram), "RAM");
	CHECK(!try_header(&ram, &good_header, full), "good");
	CHECK(!try_header(&ram, &good_header, 240), "padded");
	for (len = 0; len < full; len++)
		CHECK(try_header(&ram, &good_header, len), "%zu bytes", len);

#define BAD(change, what) do {						\
	m = good_header;						\
	change;								\
	CHECK(try_header(&ram, &m, full), what);			\
} while (0)
	BAD(m.h.gpadl = 0, "handle 0");
	BAD(m.h.rangecount = 0, "no range");
	BAD(m.h.rangecount = 2, "second range is missing");
	BAD(m.h.rangecount = 0xffff, "many ranges");
	BAD(m.h.range_buflen = 0, "no list");
	BAD(m.h.range_buflen = 8 + 2 * 8, "list too short");
	BAD(m.h.range_buflen = 8 + 3 * 8 + 4, "list is no multiple of 8");
	BAD(m.h.range_buflen = 0xfff8, "list longer than 8190 pages");
	BAD(m.bytes = 0, "no bytes");
	BAD(m.bytes = 2 * RAM_PAGE, "a page too many");
	BAD(m.bytes = 3 * RAM_PAGE + 1, "a page too few");
	BAD(m.bytes = 0xffffffff, "4 GiB");
	BAD(m.offset = RAM_PAGE, "offset of a page");
	BAD(m.offset = 0xffffffff, "offset of 4 GiB");
	BAD(m.offset = 1, "offset into one more page");
	BAD(m.pfn[2] = 16, "page in the hole");
	BAD(m.pfn[0] = UINT64_MAX, "last page of all");
	m = good_header;
	m.offset = 8;
	m.bytes = 3 * RAM_PAGE - 8;
	CHECK(!try_header(&ram, &m, full), "an offset that fits");
	drop_ram(&ram);
}

static void test_gpadl_bodies(void)
{
	struct {
		struct vmbus_wire_gpadl_body b;
		uint64_t pfn[VMBUS_WIRE_BODY_PFNS];
	} body = { .b = { { VMBUS_WIRE_GPADL_BODY, 0 }, 0, 0x10 } };
	struct header_message m = good_header;
	struct gpadl_table t = { 0 };
	struct gpadl *g = NULL;
	unsigned int i, count;
	struct iovec *iov;
	struct ram ram;

	CHECK(make_ram(&ram), "RAM");
	m.h.range_buflen = 8 + 30 * 8;
	m.bytes = 30 * RAM_PAGE;
	for (i = 0; i < VMBUS_WIRE_HEADER_PFNS; i++)
		m.pfn[i] = i % 16;
	for (i = 0; i < VMBUS_WIRE_BODY_PFNS; i++)
		body.pfn[i] = 256 + i % 16;
	CHECK(gpadl_body(&t, &ram, &body, sizeof(body), &g), "no header");
	CHECK(!gpadl_header(&t, &ram, &m, sizeof(m), &g) && !g->complete,
	      "header");
	CHECK(!gpadl_find(&t, 1, 0x10), "incomplete: not to be found");
	CHECK(gpadl_header(&t, &ram, &m, sizeof(m), &g), "same handle again");
	CHECK(gpadl_body(&t, &ram, &body, 8, &g), "short");
	CHECK(gpadl_body(&t, &ram, &body, 16, &g), "empty");
	CHECK(!gpadl_body(&t, &ram, &body, 16 + 2 * 8, &g), "first body");
	CHECK(!g->complete, "still incomplete");
	CHECK(!gpadl_body(&t, &ram, &body, 16 + 2 * 8, &g) && g->complete,
	      "second body");
	CHECK(gpadl_body(&t, &ram, &body, 16 + 8, &g), "one too many");
	CHECK(gpadl_find(&t, 1, 0x10) == g && !gpadl_find(&t, 2, 0x10),
	      "only for its channel");
	iov = gpadl_iov(g, &ram, &count);
	CHECK(iov && iov[0].iov_len == 16 * RAM_PAGE &&
	      iov[1].iov_len == 10 * RAM_PAGE, "memory behind it");
	free(iov);
	gpadl_remove_relid(&t, 2);
	CHECK(t.count == 1, "another channel's");
	gpadl_remove_relid(&t, 1);
	CHECK(!t.count && !t.first, "gone");
	/* a body that overruns removes the GPADL */
	CHECK(!gpadl_header(&t, &ram, &m, sizeof(m), &g), "header");
	CHECK(gpadl_body(&t, &ram, &body, sizeof(body), &g) && !t.count,
	      "too long a body");
	/* more of them than a host keeps */
	m.bytes = 3 * RAM_PAGE;
	m.h.range_buflen = 8 + 3 * 8;
	for (i = 1; i <= GPADL_MAX; i++) {
		m.h.gpadl = i;
		CHECK(!gpadl_header(&t, &ram, &m, 52, &g), "%u", i);
	}
	m.h.gpadl = i;
	CHECK(gpadl_header(&t, &ram, &m, 52, &g), "one too many");
	gpadl_remove_all(&t);
	drop_ram(&ram);
}

#define RING_BYTES	(2 * 4096)

static uint64_t ring_mem[RING_BYTES / 8];
static struct vmbus_wire_ring *const ring_ctl = (void *)ring_mem;
static uint64_t packet[4096 / 8];

static int try_packet(uint16_t type, uint16_t offset8, uint16_t len8,
		      uint16_t flags, uint32_t in_ring)
{
	struct vmbus_wire_packet p = { type, offset8, len8, flags, 7 };
	struct hring r;

	memset(ring_mem, 0, sizeof(ring_mem));
	if (hring_in_init(&r, ring_mem, RING_BYTES))
		return -EINVAL;
	memcpy(ring_ctl + 1, &p, sizeof(p));
	ring_ctl->write_index = in_ring;
	return hring_in_read(&r, packet);
}

static void test_ring_packets(void)
{
	unsigned int type;

	CHECK(try_packet(6, 2, 3, 0, 32) == 24, "good");
	CHECK(try_packet(6, 2, 3, 1, 32) == 24, "wants completion");
	CHECK(try_packet(6, 2, 2, 0, 24) == 16, "no payload");
	CHECK(try_packet(6, 2, 3, 0, 0) == 0, "empty ring");
	for (type = 0; type < 20; type++) {
		bool ok = type == 6 || type == 7 || type == 9 || type == 11;

		CHECK((try_packet(type, 2, 3, 0, 32) == 24) == ok, "type %u",
		      type);
	}
	CHECK(try_packet(6, 2, 3, 2, 32) == -EPROTO, "flag bit 1");
	CHECK(try_packet(6, 2, 3, 0x8001, 32) == -EPROTO, "flag bit 15");
	CHECK(try_packet(6, 1, 3, 0, 32) == -EPROTO, "offset in descriptor");
	CHECK(try_packet(6, 4, 3, 0, 32) == -EPROTO, "offset behind the end");
	CHECK(try_packet(6, 0, 0, 0, 32) == -EPROTO, "all zero");
	CHECK(try_packet(6, 2, 4, 0, 32) == -EPROTO, "longer than written");
	CHECK(try_packet(6, 2, 0xffff, 0, 4088) == -EPROTO, "512 KiB");
	CHECK(try_packet(6, 2, 3, 0, 16) == -EPROTO, "half a packet");
	CHECK(try_packet(6, 2, 3, 0, 33) == -EPROTO, "unaligned index");
	CHECK(try_packet(6, 2, 3, 0, 4096) == -EPROTO, "index at the end");
	CHECK(try_packet(6, 2, 3, 0, 0xfffffff8) == -EPROTO, "wild index");
}

static void test_ring_indices(void)
{
	struct hring r;
	bool signal;

	CHECK(hring_in_init(&r, ring_mem, 4096) == -EPROTO, "no data page");
	CHECK(hring_in_init(&r, ring_mem, 5000) == -EPROTO, "no whole pages");
	memset(ring_mem, 0, sizeof(ring_mem));
	ring_ctl->read_index = 4096;
	CHECK(hring_in_init(&r, ring_mem, RING_BYTES) == -EPROTO,
	      "index outside at open");
	ring_ctl->read_index = 0;
	CHECK(!hring_in_init(&r, ring_mem, RING_BYTES), "init");
	CHECK(!hring_in_check(&r), "untouched");
	ring_ctl->interrupt_mask = 0;
	CHECK(hring_in_check(&r) == -EPROTO, "mask written");
	ring_ctl->interrupt_mask = 1;
	ring_ctl->read_index = 8;
	CHECK(hring_in_check(&r) == -EPROTO, "read index written");
	ring_ctl->read_index = 0;
	ring_ctl->write_index = 400;
	CHECK(hring_in_ready(&r) == 1, "400 bytes");
	ring_ctl->write_index = 392;
	CHECK(hring_in_ready(&r) == -EPROTO, "write index moved back");

	memset(ring_mem, 0, sizeof(ring_mem));
	CHECK(!hring_out_init(&r, ring_mem, RING_BYTES), "init");
	CHECK(ring_ctl->feature_bits == 1, "our feature bit");
	CHECK(!hring_out_write(&r, 6, 0, 1, packet, 8, &signal) && signal,
	      "first packet signals");
	CHECK(!hring_out_write(&r, 6, 0, 1, packet, 8, &signal) && !signal,
	      "second does not");
	ring_ctl->read_index = 72;
	CHECK(hring_out_write(&r, 6, 0, 1, packet, 8, &signal) == -EPROTO,
	      "reads what was not written");
	ring_ctl->read_index = 4096;
	CHECK(hring_out_write(&r, 6, 0, 1, packet, 8, &signal) == -EPROTO,
	      "outside");
	ring_ctl->read_index = 64;
	ring_ctl->interrupt_mask = 1;
	CHECK(!hring_out_write(&r, 6, 0, 1, packet, 8, &signal) && !signal,
	      "empty but masked");
}

/* What is put is not seen before it is published, all of it then */
static void test_ring_publish(void)
{
	struct hring r;
	int n = 0;

	memset(ring_mem, 0, sizeof(ring_mem));
	CHECK(!hring_out_init(&r, ring_mem, RING_BYTES), "init");
	CHECK(!hring_out_publish(&r), "nothing to show");
	CHECK(!hring_out_put(&r, 11, 0, 1, packet, 8) &&
	      !hring_out_put(&r, 11, 0, 2, packet, 8) &&
	      !ring_ctl->write_index, "put, not shown");
	CHECK(!hring_out_is_quiet(&r), "showing it takes a signal");
	CHECK(hring_out_publish(&r) && ring_ctl->write_index == 64,
	      "one signal for both");
	CHECK(!hring_out_publish(&r), "once");
	CHECK(hring_out_is_quiet(&r), "the guest has not taken them");
	CHECK(!hring_out_put(&r, 11, 0, 3, packet, 8), "put");
	ring_ctl->read_index = 64;
	CHECK(!hring_out_is_quiet(&r), "it has");
	ring_ctl->interrupt_mask = 1;
	CHECK(hring_out_is_quiet(&r) && !hring_out_publish(&r),
	      "it looks by itself");

	/* it may not take what it was not shown */
	memset(ring_mem, 0, sizeof(ring_mem));
	CHECK(!hring_out_init(&r, ring_mem, RING_BYTES), "init");
	CHECK(!hring_out_put(&r, 11, 0, 1, packet, 1000), "put");
	ring_ctl->read_index = 1024;
	while (n < 5 && !hring_out_put(&r, 11, 0, 1, packet, 1000))
		n++;
	CHECK(n < 5 && r.why && strstr(r.why, "moved past"), "%s",
	      r.why ? r.why : "no complaint");
}

static void test_ring_room(void)
{
	struct hring r;
	bool signal;
	int n = 0;

	memset(ring_mem, 0, sizeof(ring_mem));
	CHECK(!hring_out_init(&r, ring_mem, RING_BYTES), "init");
	CHECK(hring_out_write(&r, 6, 0, 1, packet, 4096, &signal) ==
	      -EMSGSIZE, "never fits");
	/* 1000 + 24 bytes each: three fit, the fourth would fill it up */
	while (!hring_out_write(&r, 6, 0, n, packet, 1000, &signal))
		n++;
	CHECK(n == 3, "%d packets", n);
	CHECK(ring_ctl->pending_send_sz == 1024, "asks for room: %u",
	      ring_ctl->pending_send_sz);
	ring_ctl->read_index = 1024;
	CHECK(!hring_out_write(&r, 6, 0, n, packet, 1000, &signal), "room");
	CHECK(!ring_ctl->pending_send_sz, "asks no more");

	/* the other direction: the guest asks, we signal when it is there */
	memset(ring_mem, 0, sizeof(ring_mem));
	CHECK(!hring_in_init(&r, ring_mem, RING_BYTES), "init");
	for (n = 0; n < 3; n++)
		memcpy((char *)(ring_ctl + 1) + n * 1024,
		       &(struct vmbus_wire_packet){ 6, 2, 127, 0, 0 }, 16);
	ring_ctl->write_index = 3072;
	ring_ctl->pending_send_sz = 2048;
	CHECK(hring_in_read(&r, packet) == 1016, "read");
	CHECK(!hring_in_commit(&r), "does not say that it waits");
	ring_ctl->feature_bits = 1;
	CHECK(hring_in_read(&r, packet) == 1016, "read");
	CHECK(hring_in_commit(&r), "crosses");
	CHECK(hring_in_read(&r, packet) == 1016, "read");
	CHECK(!hring_in_commit(&r), "was there before");
	CHECK(ring_ctl->read_index == 3072, "room given back");
}

static void test_qmp_lines(void)
{
	char v[16];

	CHECK(qmp_string("{\"event\": \"RESET\", \"data\": {}}", "event", v,
			 sizeof(v)) && !strcmp(v, "RESET"), "%s", v);
	CHECK(qmp_string("{\"timestamp\": {\"event\": \"no\"}, \"event\":\"STOP\"}",
			 "event", v, sizeof(v)) && !strcmp(v, "STOP"),
	      "nested: %s", v);
	CHECK(!qmp_string("{\"data\": [{\"event\": \"RESET\"}]}", "event", v,
			  sizeof(v)), "only nested");
	CHECK(!qmp_string("{\"x\": \"\\\"event\\\": 1\"}", "event", v,
			  sizeof(v)), "in a string");
	CHECK(qmp_string("{\"return\": {}}", "return", v, sizeof(v)) && !*v,
	      "no string");
	CHECK(qmp_string("{\"event\": \"A_VERY_LONG_EVENT_NAME\"}", "event",
			 v, sizeof(v)) && strlen(v) == 15, "cut: %s", v);
	CHECK(!qmp_string("", "event", v, sizeof(v)), "empty");
	CHECK(!qmp_string("{\"event", "event", v, sizeof(v)), "open string");
	CHECK(!qmp_string("\\", "event", v, sizeof(v)), "backslash");
}

static int try_options(char *first, ...)
{
	char *argv[16] = { first };
	struct text err = { 0 };
	struct host h;
	int argc = 1, ret;
	va_list ap;

	va_start(ap, first);
	while ((argv[argc] = va_arg(ap, char *)))
		argc++;
	va_end(ap);
	if (host_init(&h, &err))
		return -ENOSYS;
	ret = host_parse(&h, argc, argv, &err);
	if (!ret)
		ret = host_start(&h, &err);
	if (ret && !err.len)
		ret = 99;	/* a failure without a reason */
	text_free(&err);
	host_exit(&h);
	return ret;
}

#define RAM_OPT	"--ram", "file=/tmp/nothing-yet,size=1M"
#define SOCK	"/tmp/synthhost-test-options"

static void test_options(void)
{
	CHECK(!try_options("--socket", SOCK, RAM_OPT, NULL), "least");
	CHECK(access(SOCK, F_OK), "the socket is removed");
	CHECK(!try_options("--socket=" SOCK, "--ram=file=/tmp/x,size=1M",
			   "--max-version=6.0", "--keyboard", "--test-device",
			   "t1", "--keyboard=k2", NULL), "with =");
	CHECK(try_options("--socket", SOCK, NULL) == -EINVAL, "no RAM");
	CHECK(try_options(RAM_OPT, NULL) == -EINVAL, "no socket");
	CHECK(try_options("--socket", NULL) == -EINVAL, "no argument");
	CHECK(try_options("--socket", "/nowhere/s", RAM_OPT, NULL) == -EINVAL,
	      "no directory");
	CHECK(try_options("--socket", "/dev/null", RAM_OPT, NULL) == -EINVAL,
	      "no socket file");
	CHECK(try_options("--socket", SOCK, "--ram",
			  "file=/nowhere/x,size=1M", NULL) == -EINVAL,
	      "no directory for RAM");
	CHECK(try_options("--bar-size", "3M", NULL) == -EINVAL, "3M");
	CHECK(try_options("--bar-size", "2K", NULL) == -EINVAL, "2K");
	CHECK(try_options("--vectors", "0", NULL) == -EINVAL, "0 vectors");
	CHECK(try_options("--vectors", "65", NULL) == -EINVAL, "65");
	CHECK(try_options("--max-version", "5.4", NULL) == -EINVAL, "5.4");
	CHECK(try_options("--max-version", "5", NULL) == -EINVAL, "5");
	CHECK(try_options("--max-version", "65541.3", NULL) == -EINVAL,
	      "wraps");
	CHECK(try_options("--like", "xen", NULL) == -EINVAL, "no such host");
	CHECK(try_options("--verbose=1", NULL) == -EINVAL, "no argument");
	log_set_level("error");
	CHECK(try_options("--wrong", NULL) == -EINVAL, "unknown");
	CHECK(try_options("word", NULL) == -EINVAL, "no option");
	CHECK(try_options("--", NULL) == -EINVAL, "no name");
	CHECK(try_options("--keyboard", "a", "--test-device", "a", NULL) ==
	      -EEXIST, "same ID");
	CHECK(try_options("--keyboard",
			  "a-name-of-more-than-thirty-two-letters", NULL) ==
	      -EINVAL, "long ID");
	CHECK(try_options("--keyboard=", NULL) == -EINVAL, "empty ID");
}

int main(void)
{
	log_set_level("error");
	tap_test("sizes and numbers", test_sizes);
	tap_test("lists of options", test_option_lists);
	tap_test("control lines", test_control_split);
	tap_test("RAM options", test_ram_options);
	tap_test("RAM addresses", test_ram_addresses);
	tap_test("RAM files", test_ram_files);
	tap_test("GPADL headers", test_gpadl_headers);
	tap_test("GPADL bodies", test_gpadl_bodies);
	tap_test("ring: packets", test_ring_packets);
	tap_test("ring: indices", test_ring_indices);
	tap_test("ring: put and publish", test_ring_publish);
	tap_test("ring: room", test_ring_room);
	tap_test("QMP lines", test_qmp_lines);
	tap_test("command line", test_options);
	return tap_done();
}
