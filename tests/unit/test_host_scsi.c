// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command set of the reference host's disk, CDB by CDB. Numbers are those
 * of SPC and SBC, written out, so that a wrong constant in scsi.c is seen.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "../host/scsi.h"
#include "tap.h"

#define BLOCKS	0x100000u	/* 512 MiB */

static struct scsi_disk disk;
static struct scsi_luns luns;
static struct scsi_command cmd;

static void fresh(void)
{
	memset(&disk, 0, sizeof(disk));
	memset(&luns, 0, sizeof(luns));
	disk.like = &profile_find("lenient")->storvsp;
	disk.blocks = BLOCKS;
	disk.block_size = 512;
	disk.max_transfer = 1 << 20;
	strcpy(disk.serial, "c0-1");
	disk.write_cache_default = true;
	disk.write_cache = true;
	disk.unmap = true;
	disk.unmap_zeroes = true;
	luns.bits[0] = 0x02;
}

/*
 * The CDB lies in memory of exactly its size, and what was in the command
 * before is garbage: nothing may be left of it.
 */
static void run(const uint8_t *cdb, unsigned int len)
{
	uint8_t *copy = malloc(len);

	memcpy(copy, cdb, len);
	memset(&cmd, 0xa5, sizeof(cmd));
	scsi_start(&disk, &luns, copy, len, &cmd);
	free(copy);
}

#define RUN(...) do {							\
	const uint8_t cdb_[] = { __VA_ARGS__ };				\
	run(cdb_, sizeof(cdb_));					\
} while (0)

static void params(const uint8_t *p, unsigned int len)
{
	uint8_t *copy = malloc(len);

	memcpy(copy, p, len);
	scsi_parameters(&disk, &cmd, copy);
	free(copy);
}

static bool good(enum scsi_action action)
{
	return cmd.status == SCSI_GOOD && cmd.action == action;
}

static bool data(unsigned int len)
{
	return good(SCSI_DONE) && cmd.data_len == len;
}

static bool sense(unsigned int key, unsigned int asc)
{
	return cmd.status == SCSI_CHECK_CONDITION && cmd.action == SCSI_DONE &&
	       !cmd.data_len && cmd.sense[0] == 0x70 && cmd.sense[2] == key &&
	       cmd.sense[7] == 10 && cmd.sense[12] == asc >> 8 &&
	       cmd.sense[13] == (asc & 0xff);
}

/* Invalid field in CDB, and where */
static bool field(unsigned int byte)
{
	return sense(5, 0x2400) && (cmd.sense[15] & 0xc0) == 0xc0 &&
	       cmd.sense[17] == byte && !cmd.sense[16];
}

static bool io(enum scsi_action action, uint64_t lba, uint64_t blocks)
{
	return good(action) && cmd.lba == lba && cmd.blocks == blocks;
}

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];
}

static void set32(uint8_t *p, uint32_t v)
{
	p[0] = v >> 24;
	p[1] = v >> 16;
	p[2] = v >> 8;
	p[3] = v;
}

static void test_opcodes(void)
{
	static const uint8_t known[] = {
		0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x1e, 0x25,
		0x28, 0x2a, 0x2f, 0x35, 0x41, 0x42, 0x55, 0x5a, 0x88, 0x8a,
		0x8f, 0x91, 0x93, 0x9e, 0xa0, 0xa8, 0xaa, 0xaf,
	};
	unsigned int op, i, n;

	for (op = 0; op < 256; op++) {
		uint8_t cdb[16] = { op };
		bool is_known = memchr(known, op, sizeof(known));

		fresh();
		run(cdb, sizeof(cdb));
		CHECK(sense(5, 0x2000) == !is_known, "opcode %02x", op);
	}
	/* too short for its operation code, from one byte on */
	for (i = 0; i < sizeof(known); i++) {
		uint8_t cdb[16] = { known[i] };
		unsigned int size = known[i] < 0x20 ? 6 :
				    known[i] < 0x80 ? 10 :
				    known[i] < 0xa0 ? 16 : 12;

		for (n = 1; n < size; n++) {
			fresh();
			run(cdb, n);
			CHECK(field(n), "opcode %02x, %u bytes", known[i], n);
		}
		/* NACA, in the control byte */
		cdb[size - 1] = 0x04;
		fresh();
		run(cdb, sizeof(cdb));
		CHECK(field(size - 1), "opcode %02x with NACA", known[i]);
	}
}

static void test_ready(void)
{
	fresh();
	RUN(0, 0, 0, 0, 0, 0);
	CHECK(data(0), "test unit ready");
	RUN(0x1b, 0, 0, 0, 0, 0);
	CHECK(good(SCSI_FLUSH) && disk.stopped, "stop flushes");
	RUN(0, 0, 0, 0, 0, 0);
	CHECK(sense(2, 0x0402), "test unit ready, stopped");
	RUN(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
	CHECK(sense(2, 0x0402), "read, stopped");
	RUN(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(sense(2, 0x0402), "flush, stopped");
	RUN(0x12, 0, 0, 0, 96, 0);
	CHECK(data(96), "inquiry, stopped");
	RUN(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(data(8), "read capacity, stopped");
	RUN(0x03, 0, 0, 0, 18, 0);
	CHECK(data(18) && cmd.data[2] == 2 && cmd.data[12] == 4 &&
	      cmd.data[13] == 2, "request sense, stopped");
	RUN(0x1b, 0, 0, 0, 1, 0);
	CHECK(data(0) && !disk.stopped, "start");
	RUN(0x1b, 1, 0, 0, 4, 0);
	CHECK(data(0) && disk.stopped, "stop without flush, immediate");
	RUN(0x1b, 0, 0, 0, 0x10, 0);
	CHECK(field(4), "power condition");
	RUN(0x1b, 0, 0, 0, 0x03, 0);
	CHECK(field(4), "load");
}

static void test_inquiry(void)
{
	unsigned int alloc;

	fresh();
	for (alloc = 0; alloc < 200; alloc++) {
		RUN(0x12, 0, 0, 0, alloc, 0);
		CHECK(data(alloc < 96 ? alloc : 96), "allocation %u", alloc);
	}
	RUN(0x12, 0, 0, 1, 0, 0);
	CHECK(data(96), "the allocation length has two bytes");
	CHECK(cmd.data[0] == 0 && cmd.data[1] == 0 && cmd.data[2] == 6 &&
	      cmd.data[3] == 2 && cmd.data[4] == 91 && cmd.data[7] == 2,
	      "header");
	CHECK(!memcmp(cmd.data + 8, "Msft    Virtual Disk    1.0 ", 28),
	      "names");
	RUN(0x12, 0, 0x80, 0, 96, 0);
	CHECK(field(2), "page without EVPD");
}

static void test_vpd(void)
{
	static const uint8_t all[] = { 0, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
	unsigned int page;
	uint8_t id[8];

	fresh();
	RUN(0x12, 1, 0, 0, 255, 0);
	CHECK(data(10) && cmd.data[3] == 6 &&
	      !memcmp(cmd.data + 4, all, 6), "page 00");
	for (page = 0; page < 256; page++) {
		RUN(0x12, 1, page, 0, 255, 0);
		if (!memchr(all, page, sizeof(all))) {
			CHECK(field(2), "page %02x", page);
			continue;
		}
		CHECK(good(SCSI_DONE) && cmd.data[1] == page &&
		      cmd.data_len == 4u + (cmd.data[2] << 8 | cmd.data[3]),
		      "page %02x", page);
		RUN(0x12, 1, page, 0, 3, 0);
		CHECK(data(3), "page %02x cut", page);
	}

	RUN(0x12, 1, 0x80, 0, 255, 0);
	CHECK(data(8) && !memcmp(cmd.data + 4, "c0-1", 4), "serial");

	RUN(0x12, 1, 0x83, 0, 255, 0);
	CHECK(data(4 + 12 + 4 + 8 + 4), "page 83 has %u bytes", cmd.data_len);
	CHECK(cmd.data[4] == 1 && cmd.data[5] == 3 && cmd.data[7] == 8 &&
	      cmd.data[8] >> 4 == 3, "NAA, locally assigned");
	CHECK(cmd.data[16] == 2 && cmd.data[17] == 1 && cmd.data[19] == 12 &&
	      !memcmp(cmd.data + 20, "Msft    c0-1", 12), "T10");
	memcpy(id, cmd.data + 8, 8);
	RUN(0x12, 1, 0x83, 0, 255, 0);
	CHECK(!memcmp(id, cmd.data + 8, 8), "the same again");
	strcpy(disk.serial, "c0-2");
	RUN(0x12, 1, 0x83, 0, 255, 0);
	CHECK(memcmp(id, cmd.data + 8, 8), "another serial, another id");
	memset(disk.serial, 'x', SCSI_SERIAL_MAX - 1);
	RUN(0x12, 1, 0x83, 0, 255, 0);
	CHECK(data(4 + 12 + 4 + 8 + 36), "longest serial");

	RUN(0x12, 1, 0xb0, 0, 255, 0);
	CHECK(data(64) && cmd.data[4] == 1 && cmd.data[7] == 8, "granularity");
	CHECK(be32(cmd.data + 8) == 2048, "maximum transfer");
	CHECK(be32(cmd.data + 20) == 0x200000 && be32(cmd.data + 24) == 256 &&
	      be32(cmd.data + 28) == 8 && be32(cmd.data + 32) == 1u << 31,
	      "unmap");
	CHECK(!be32(cmd.data + 36) && be32(cmd.data + 40) == 0x200000,
	      "write same");
	disk.block_size = 4096;
	RUN(0x12, 1, 0xb0, 0, 255, 0);
	CHECK(cmd.data[7] == 1 && be32(cmd.data + 8) == 256 &&
	      be32(cmd.data + 28) == 1, "in blocks of 4096");

	RUN(0x12, 1, 0xb1, 0, 255, 0);
	CHECK(data(64) && cmd.data[4] == 0 && cmd.data[5] == 1, "does not turn");
	disk.rotational = true;
	RUN(0x12, 1, 0xb1, 0, 255, 0);
	CHECK((cmd.data[4] << 8 | cmd.data[5]) == 7200, "turns");

	RUN(0x12, 1, 0xb2, 0, 255, 0);
	CHECK(data(8) && cmd.data[5] == 0xe4 && cmd.data[6] == 2, "LBP");
	disk.unmap_zeroes = false;
	RUN(0x12, 1, 0xb2, 0, 255, 0);
	CHECK(cmd.data[5] == 0xe0, "LBPRZ only where it is true");
	disk.unmap = false;
	RUN(0x12, 1, 0xb2, 0, 255, 0);
	CHECK(field(2), "no LBP page without unmap");
	RUN(0x12, 1, 0, 0, 255, 0);
	CHECK(data(9) && cmd.data[3] == 5, "and not in page 00");
	RUN(0x12, 1, 0xb0, 0, 255, 0);
	CHECK(!be32(cmd.data + 20) && !be32(cmd.data + 24), "nor limits");
}

static void test_missing(void)
{
	uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	uint8_t report[12] = { 0xa0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0 };
	unsigned int op;

	fresh();
	for (op = 0; op < 256; op++) {
		uint8_t cdb[16] = { op };
		bool answers = op == 0x12 || op == 0xa0;

		CHECK(scsi_missing(&luns, cdb, 16, &cmd) == answers,
		      "opcode %02x", op);
	}
	CHECK(scsi_missing(&luns, inquiry, 6, &cmd) && data(36) &&
	      cmd.data[0] == 0x7f, "inquiry");
	CHECK(scsi_missing(NULL, inquiry, 6, &cmd) && data(36) &&
	      cmd.data[0] == 0x7f, "inquiry, no target");
	inquiry[1] = 1;
	inquiry[2] = 0x83;
	CHECK(scsi_missing(&luns, inquiry, 6, &cmd) && sense(5, 0x2500),
	      "page 83");
	CHECK(scsi_missing(&luns, inquiry, 3, &cmd) && field(3), "cut");
	CHECK(scsi_missing(&luns, report, 12, &cmd) && data(16) &&
	      cmd.data[9] == 1, "report luns");
	CHECK(!scsi_missing(NULL, report, 12, &cmd), "report luns, no target");
}

static void test_report_luns(void)
{
	fresh();
	RUN(0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	CHECK(data(16) && be32(cmd.data) == 8 && !cmd.data[8] &&
	      cmd.data[9] == 1, "one");
	RUN(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0);
	CHECK(data(9) && be32(cmd.data) == 8, "cut");
	RUN(0xa0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	CHECK(data(8) && !be32(cmd.data), "well known ones");
	RUN(0xa0, 0, 3, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	CHECK(field(2), "unknown selection");
	memset(luns.bits, 0xff, sizeof(luns.bits));
	RUN(0xa0, 0, 2, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0, 0);
	CHECK(data(8 + 8 * 255) && cmd.data[8 + 8 * 254 + 1] == 254, "all");
}

static void test_capacity(void)
{
	fresh();
	RUN(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(data(8) && be32(cmd.data) == BLOCKS - 1 &&
	      be32(cmd.data + 4) == 512, "10");
	RUN(0x25, 0, 0, 0, 0, 1, 0, 0, 0, 0);
	CHECK(field(2), "an address without PMI");
	disk.blocks = 0x100000000ull;
	RUN(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(data(8) && be32(cmd.data) == 0xffffffff, "last fits, is reserved");
	disk.blocks = 0x100000001ull;
	RUN(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CHECK(data(8) && be32(cmd.data) == 0xffffffff, "does not fit");

	RUN(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	CHECK(data(32) && be32(cmd.data) == 1 && !be32(cmd.data + 4) &&
	      be32(cmd.data + 8) == 512 && cmd.data[13] == 3 &&
	      cmd.data[14] == 0xc0, "16");
	RUN(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0);
	CHECK(data(12), "16 cut");
	disk.unmap_zeroes = false;
	disk.block_size = 4096;
	RUN(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	CHECK(cmd.data[13] == 0 && cmd.data[14] == 0x80, "4096, no LBPRZ");
	disk.unmap = false;
	RUN(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	CHECK(cmd.data[14] == 0, "no LBPME");
	RUN(0x9e, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0);
	CHECK(field(1), "another service action");
}

/* One READ, WRITE or VERIFY of any length, with @flags in byte 1 */
static void rw(uint8_t op, uint8_t flags, uint64_t lba, uint32_t blocks)
{
	uint8_t cdb[16] = { op, flags };

	switch (op >> 5) {
	case 0:
		set32(cdb, (uint32_t)op << 24 | lba);
		cdb[4] = blocks;
		run(cdb, 6);
		break;
	case 1:
	case 2:
		set32(cdb + 2, lba);
		cdb[7] = blocks >> 8;
		cdb[8] = blocks;
		run(cdb, 10);
		break;
	case 4:
		set32(cdb + 2, lba >> 32);
		set32(cdb + 6, lba);
		set32(cdb + 10, blocks);
		run(cdb, 16);
		break;
	default:
		set32(cdb + 2, lba);
		set32(cdb + 6, blocks);
		run(cdb, 12);
		break;
	}
}

static void test_read_write(void)
{
	static const struct {
		uint8_t op;
		enum scsi_action action;
		unsigned int count;	/* byte of the transfer length */
	} ops[] = {
		{ 0x28, SCSI_READ, 7 }, { 0xa8, SCSI_READ, 6 },
		{ 0x88, SCSI_READ, 10 }, { 0x2a, SCSI_WRITE, 7 },
		{ 0xaa, SCSI_WRITE, 6 }, { 0x8a, SCSI_WRITE, 10 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		uint8_t op = ops[i].op;
		enum scsi_action action = ops[i].action;

		fresh();
		rw(op, 0, 0x12345, 8);
		CHECK(io(action, 0x12345, 8) && !cmd.fua, "%02x", op);
		rw(op, 0x18, 0x12345, 8);
		CHECK(io(action, 0x12345, 8) && cmd.fua, "%02x FUA DPO", op);
		rw(op, 0x10, 1, 1);
		CHECK(io(action, 1, 1) && !cmd.fua, "%02x DPO", op);
		rw(op, 0, BLOCKS - 1, 1);
		CHECK(io(action, BLOCKS - 1, 1), "%02x last block", op);
		rw(op, 0, BLOCKS - 1, 2);
		CHECK(sense(5, 0x2100), "%02x one block too far", op);
		rw(op, 0, BLOCKS, 1);
		CHECK(sense(5, 0x2100), "%02x behind the end", op);
		rw(op, 0, 0xffffffff, 0xffff);
		CHECK(sense(5, 0x2100), "%02x far behind the end", op);
		rw(op, 0, BLOCKS, 0);
		CHECK(data(0), "%02x nothing at the end", op);
		rw(op, 0, BLOCKS + 1, 0);
		CHECK(sense(5, 0x2100), "%02x nothing behind the end", op);
		rw(op, 0x20, 0, 1);
		CHECK(field(1), "%02x protection", op);
		rw(op, 0, 0, 2048);
		CHECK(io(action, 0, 2048), "%02x longest transfer", op);
		rw(op, 0, 0, 2049);
		CHECK(field(ops[i].count), "%02x too long", op);
		disk.read_only = true;
		rw(op, 0, 0, 1);
		CHECK(action == SCSI_READ ? io(action, 0, 1) :
		      sense(7, 0x2700), "%02x read-only", op);
	}

	fresh();
	rw(0x08, 0, 0x1ffff, 0);
	CHECK(io(SCSI_READ, 0x1ffff, 256), "read 6, 0 means 256");
	rw(0x0a, 0, 0xfffff, 1);
	CHECK(io(SCSI_WRITE, 0xfffff, 1), "write 6, last block");
	rw(0x0a, 0, 0x1fffff, 1);
	CHECK(sense(5, 0x2100), "write 6, behind the end");
	disk.read_only = true;
	rw(0x0a, 0, 0, 1);
	CHECK(sense(7, 0x2700), "write 6, read-only");

	disk.blocks = UINT64_MAX;
	rw(0x88, 0, UINT64_MAX - 1, 1);
	CHECK(io(SCSI_READ, UINT64_MAX - 1, 1), "no overflow");
	rw(0x88, 0, UINT64_MAX, 1);
	CHECK(sense(5, 0x2100), "overflow");
	rw(0x88, 0, UINT64_MAX - 1, 0xffffffff);
	CHECK(sense(5, 0x2100), "overflow of the sum");
}

static void test_verify_flush(void)
{
	static const uint8_t verify[] = { 0x2f, 0xaf, 0x8f };
	static const uint8_t flush[] = { 0x35, 0x91 };
	unsigned int i;

	fresh();
	disk.read_only = true;
	for (i = 0; i < 3; i++) {
		rw(verify[i], 0, 7, 0xffff);
		CHECK(io(SCSI_VERIFY, 7, 0xffff), "verify %02x", verify[i]);
		rw(verify[i], 0, 7, 0);
		CHECK(data(0), "verify of nothing");
		rw(verify[i], 0x02, 7, 1);
		CHECK(field(1), "verify with data");
		rw(verify[i], 0, BLOCKS, 1);
		CHECK(sense(5, 0x2100), "verify behind the end");
	}
	rw(0x8f, 0, 0, (1u << 30) / 512 + 1);
	CHECK(field(10), "more than 1 GiB");
	rw(0xaf, 0, 0, 0xffffffff);
	CHECK(field(6), "more than 1 GiB");
	for (i = 0; i < 2; i++) {
		rw(flush[i], 0, 0, 0);
		CHECK(good(SCSI_FLUSH), "flush %02x", flush[i]);
		rw(flush[i], 2, BLOCKS - 1, 1);
		CHECK(good(SCSI_FLUSH), "flush of one, immediate");
		rw(flush[i], 0, BLOCKS, 1);
		CHECK(sense(5, 0x2100), "flush behind the end");
	}
}

static void test_write_same(void)
{
	uint8_t block[512] = { 0 };

	fresh();
	rw(0x41, 0, 5, 9);
	CHECK(good(SCSI_PARAMETERS) && cmd.param_len == 512, "10");
	params(block, 512);
	CHECK(io(SCSI_WRITE_SAME, 5, 9) && !cmd.pattern && !cmd.may_unmap,
	      "10, zeroes");
	rw(0x93, 0x08, 5, 9);
	params(block, 512);
	CHECK(io(SCSI_WRITE_SAME, 5, 9) && !cmd.pattern && cmd.may_unmap,
	      "16, zeroes, unmap");
	block[511] = 1;
	rw(0x93, 0x08, 5, 9);
	scsi_parameters(&disk, &cmd, block);
	CHECK(io(SCSI_WRITE_SAME, 5, 9) && cmd.pattern == block,
	      "16, last byte is not zero");
	block[511] = 0;
	block[0] = 1;
	rw(0x93, 0, 5, 9);
	scsi_parameters(&disk, &cmd, block);
	CHECK(cmd.pattern == block, "16, first byte is not zero");
	memset(block, 1, sizeof(block));
	rw(0x93, 0, 5, 9);
	scsi_parameters(&disk, &cmd, block);
	CHECK(cmd.pattern == block, "16, all the same but not zero");
	rw(0x93, 0x09, 5, 9);
	CHECK(io(SCSI_WRITE_SAME, 5, 9) && !cmd.pattern && cmd.may_unmap,
	      "16, NDOB");
	rw(0x41, 0x01, 5, 9);
	CHECK(field(1), "10 has no NDOB");
	rw(0x93, 0x10, 5, 9);
	CHECK(field(1), "anchor");
	rw(0x93, 0x04, 5, 9);
	CHECK(field(1), "PBDATA");
	rw(0x93, 0, 5, 0);
	CHECK(field(10), "16, 0 blocks");
	rw(0x41, 0, 5, 0);
	CHECK(field(7), "10, 0 blocks");
	disk.blocks = 1ull << 40;
	rw(0x93, 1, 0, 0x200000);
	CHECK(io(SCSI_WRITE_SAME, 0, 0x200000), "longest");
	rw(0x93, 1, 0, 0x200001);
	CHECK(field(10), "too long");
	rw(0x93, 1, 1ull << 40, 1);
	CHECK(sense(5, 0x2100), "behind the end");
	disk.unmap = false;
	rw(0x93, 0x09, 5, 9);
	CHECK(field(1), "unmap switched off");
	rw(0x93, 0x01, 5, 9);
	CHECK(good(SCSI_WRITE_SAME), "without, it is not needed");
	disk.read_only = true;
	rw(0x93, 0x01, 5, 9);
	CHECK(sense(7, 0x2700), "read-only");
}

static void unmap(unsigned int len)
{
	RUN(0x42, 0, 0, 0, 0, 0, 0, len >> 8, len & 0xff, 0);
}

static void test_unmap(void)
{
	uint8_t list[SCSI_PARAM_MAX];
	unsigned int i;

	fresh();
	memset(list, 0, sizeof(list));
	list[3] = 32;
	set32(list + 12, 0x1000);
	set32(list + 16, 8);
	set32(list + 28, BLOCKS - 1);
	set32(list + 32, 1);
	unmap(0);
	CHECK(data(0), "no list");
	for (i = 1; i < 8; i++) {
		unmap(i);
		CHECK(sense(5, 0x1a00), "list of %u bytes", i);
	}
	unmap(SCSI_PARAM_MAX + 1);
	CHECK(field(7), "list too long");
	RUN(0x42, 1, 0, 0, 0, 0, 0, 0, 40, 0);
	CHECK(field(1), "anchor");

	unmap(40);
	CHECK(good(SCSI_PARAMETERS) && cmd.param_len == 40, "two");
	params(list, 40);
	CHECK(good(SCSI_UNMAP) && cmd.extent_count == 2 &&
	      cmd.extents[0].lba == 0x1000 && cmd.extents[0].blocks == 8 &&
	      cmd.extents[1].lba == BLOCKS - 1 && cmd.extents[1].blocks == 1,
	      "two");
	unmap(39);
	params(list, 39);
	CHECK(good(SCSI_UNMAP) && cmd.extent_count == 1, "cut in the second");
	unmap(8);
	params(list, 8);
	CHECK(data(0), "cut in the first");
	list[2] = 0xff;
	unmap(40);
	params(list, 40);
	CHECK(good(SCSI_UNMAP) && cmd.extent_count == 2, "length too large");
	list[2] = 0;

	set32(list + 32, 2);
	unmap(40);
	params(list, 40);
	CHECK(sense(5, 0x2100), "behind the end");
	set32(list + 32, 0);
	unmap(40);
	params(list, 40);
	CHECK(good(SCSI_UNMAP) && cmd.extent_count == 1, "one of 0 blocks");
	disk.blocks = 1ull << 40;
	set32(list + 16, 0x200000);
	unmap(40);
	params(list, 40);
	CHECK(good(SCSI_UNMAP), "most in one");
	set32(list + 32, 1);
	unmap(40);
	params(list, 40);
	CHECK(sense(5, 0x2600) && (cmd.sense[15] & 0xc0) == 0x80 &&
	      cmd.sense[17] == 32, "sum too large");

	for (i = 0; i < 256; i++)
		set32(list + 8 + 16 * i + 8, 1);
	list[2] = 0x10;
	list[3] = 0;
	unmap(SCSI_PARAM_MAX);
	params(list, SCSI_PARAM_MAX);
	CHECK(good(SCSI_UNMAP) && cmd.extent_count == 256, "most descriptors");

	disk.read_only = true;
	unmap(40);
	CHECK(sense(7, 0x2700), "read-only");
	disk.read_only = false;
	disk.unmap = false;
	unmap(40);
	CHECK(sense(5, 0x2000), "switched off");
}

static void test_mode_sense(void)
{
	unsigned int alloc;

	fresh();
	RUN(0x1a, 0, 0x08, 0, 255, 0);
	CHECK(data(4 + 8 + 20) && cmd.data[0] == 31 && cmd.data[2] == 0x10 &&
	      cmd.data[3] == 8 && be32(cmd.data + 4) == BLOCKS &&
	      be32(cmd.data + 8) == 512, "6, header and block descriptor");
	CHECK(cmd.data[12] == 8 && cmd.data[13] == 18 && cmd.data[14] == 4,
	      "caching page");
	RUN(0x1a, 8, 0x08, 0, 255, 0);
	CHECK(data(24) && !cmd.data[3] && cmd.data[4] == 8, "6, DBD");
	RUN(0x1a, 8, 0x3f, 0, 255, 0);
	CHECK(data(36) && cmd.data[4] == 8 && cmd.data[24] == 10 &&
	      cmd.data[25] == 10, "6, all pages");
	RUN(0x1a, 8, 0x3f, 0xff, 255, 0);
	CHECK(data(36), "6, all subpages");
	RUN(0x1a, 8, 0x08, 1, 255, 0);
	CHECK(field(3), "a subpage");
	RUN(0x1a, 8, 0x1c, 0, 255, 0);
	CHECK(field(2), "a page that is not there");
	RUN(0x1a, 8, 0xc8, 0, 255, 0);
	CHECK(sense(5, 0x3900), "saved values");
	RUN(0x1a, 8, 0x48, 0, 255, 0);
	CHECK(data(24) && cmd.data[6] == 4, "changeable: WCE");
	for (alloc = 0; alloc < 60; alloc++) {
		RUN(0x1a, 0, 0x3f, 0, alloc, 0);
		CHECK(data(alloc < 44 ? alloc : 44), "allocation %u", alloc);
	}
	disk.read_only = true;
	disk.write_cache = false;
	RUN(0x1a, 8, 0x08, 0, 255, 0);
	CHECK(cmd.data[2] == 0x90 && !cmd.data[6], "WP, no WCE");
	RUN(0x1a, 8, 0x88, 0, 255, 0);
	CHECK(cmd.data[6] == 4, "default WCE");

	RUN(0x5a, 0, 0x08, 0, 0, 0, 0, 1, 0, 0);
	CHECK(data(8 + 8 + 20) && cmd.data[1] == 34 && cmd.data[3] == 0x90 &&
	      cmd.data[7] == 8 && cmd.data[16] == 8, "10");
	disk.blocks = 0x123456789ull;
	RUN(0x5a, 0, 0x08, 0, 0, 0, 0, 1, 0, 0);
	CHECK(be32(cmd.data + 8) == 0xffffffff, "10, count does not fit");
	RUN(0x5a, 0x10, 0x08, 0, 0, 0, 0, 1, 0, 0);
	CHECK(data(8 + 16 + 20) && cmd.data[4] == 1 && cmd.data[7] == 16 &&
	      be32(cmd.data + 8) == 1 && be32(cmd.data + 12) == 0x23456789 &&
	      be32(cmd.data + 20) == 512, "10, long");
	RUN(0x5a, 8, 0x3f, 0, 0, 0, 0, 0, 7, 0);
	CHECK(data(7), "10, cut");
}

static void test_mode_select(void)
{
	uint8_t list[64];

	fresh();
	RUN(0x15, 0x00, 0, 0, 24, 0);
	CHECK(field(1), "PF 0");
	RUN(0x15, 0x11, 0, 0, 24, 0);
	CHECK(field(1), "save");
	RUN(0x15, 0x10, 0, 0, 0, 0);
	CHECK(data(0), "no list");
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0xff, 0xff, 0);
	CHECK(field(7), "list too long");
	RUN(0x15, 0x10, 0, 0, 3, 0);
	memset(list, 0, sizeof(list));
	params(list, 3);
	CHECK(sense(5, 0x1a00), "less than a header");

	/* what sd does when cache_type is written */
	RUN(0x1a, 8, 0x08, 0, 64, 0);
	memcpy(list, cmd.data, 24);
	list[0] = 0;
	list[2] = 0;
	list[6] &= ~4;
	RUN(0x15, 0x10, 0, 0, 24, 0);
	CHECK(good(SCSI_PARAMETERS) && cmd.param_len == 24, "list");
	params(list, 24);
	CHECK(good(SCSI_FLUSH) && !disk.write_cache, "WCE off flushes");
	list[6] |= 4;
	RUN(0x15, 0x10, 0, 0, 24, 0);
	params(list, 24);
	CHECK(data(0) && disk.write_cache, "WCE on");
	list[6] |= 1;
	RUN(0x15, 0x10, 0, 0, 24, 0);
	params(list, 24);
	CHECK(sense(5, 0x2600) && cmd.sense[17] == 6, "RCD cannot change");
	list[6] &= ~1;
	RUN(0x15, 0x10, 0, 0, 23, 0);
	params(list, 23);
	CHECK(sense(5, 0x1a00), "page is cut");
	list[4] = 0x1c;
	RUN(0x15, 0x10, 0, 0, 24, 0);
	params(list, 24);
	CHECK(sense(5, 0x2600) && cmd.sense[17] == 4, "unknown page");
	list[4] = 0x88;
	RUN(0x15, 0x10, 0, 0, 24, 0);
	params(list, 24);
	CHECK(sense(5, 0x2600), "PS is reserved here");

	/* nothing changes where a later page is wrong */
	RUN(0x5a, 0, 0x3f, 0, 0, 0, 0, 0, 64, 0);
	CHECK(data(8 + 8 + 32), "both pages");
	memcpy(list, cmd.data, 48);
	list[18] = 0;
	list[39] ^= 1;
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	params(list, 48);
	CHECK(sense(5, 0x2600) && cmd.sense[17] == 39 && disk.write_cache,
	      "all or nothing");
	list[39] ^= 1;
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	params(list, 48);
	CHECK(good(SCSI_FLUSH) && !disk.write_cache, "10");
	/* the block descriptor says what is so, or 0 blocks */
	set32(list + 8, 0);
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	params(list, 48);
	CHECK(data(0), "0 blocks: as it is");
	set32(list + 12, 4096);
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	params(list, 48);
	CHECK(sense(5, 0x2600), "another block size");
	list[7] = 4;
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 48, 0);
	params(list, 48);
	CHECK(sense(5, 0x2600) && cmd.sense[17] == 6, "half a descriptor");
	list[7] = 8;
	RUN(0x55, 0x10, 0, 0, 0, 0, 0, 0, 12, 0);
	params(list, 12);
	CHECK(sense(5, 0x1a00), "descriptor is cut");
}

static void test_attention(void)
{
	fresh();
	disk.attention = ATTENTION_CAPACITY | ATTENTION_BUS_RESET;
	RUN(0x12, 0, 0, 0, 36, 0);
	CHECK(data(36), "inquiry passes");
	RUN(0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0);
	CHECK(data(16), "report luns passes");
	RUN(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
	CHECK(sense(6, 0x2902), "the reset first");
	RUN(0xee, 0, 0, 0, 0, 0);
	CHECK(sense(6, 0x2a09), "then the capacity, to whatever comes");
	RUN(0x28, 0, 0, 0, 0, 0, 0, 0, 1, 0);
	CHECK(good(SCSI_READ), "each only once");

	disk.attention = ATTENTION_DEVICE_RESET;
	RUN(0x03, 0, 0, 0, 255, 0);
	CHECK(data(18) && cmd.data[0] == 0x70 && cmd.data[2] == 6 &&
	      cmd.data[12] == 0x29 && cmd.data[13] == 3, "request sense");
	RUN(0x03, 1, 0, 0, 255, 0);
	CHECK(data(8) && cmd.data[0] == 0x72 && !cmd.data[1], "took it away");
	RUN(0x03, 0, 0, 0, 5, 0);
	CHECK(data(5), "cut");

	disk.stopped = true;
	disk.write_cache = false;
	disk.attention = ATTENTION_CAPACITY | ATTENTION_BUS_RESET;
	scsi_reset(&disk, ATTENTION_DEVICE_RESET);
	CHECK(!disk.stopped && disk.write_cache &&
	      disk.attention == (ATTENTION_CAPACITY | ATTENTION_DEVICE_RESET),
	      "reset");
}

static void test_io_errors(void)
{
	static const struct {
		int error;
		enum scsi_action action;
		unsigned int key, asc;
	} map[] = {
		{ EIO, SCSI_READ, 3, 0x1100 }, { EIO, SCSI_VERIFY, 3, 0x1100 },
		{ EIO, SCSI_WRITE, 3, 0x0c00 }, { EIO, SCSI_FLUSH, 3, 0x0c00 },
		{ ENOSPC, SCSI_WRITE, 7, 0x2707 },
		{ EDQUOT, SCSI_WRITE, 7, 0x2707 },
		{ EROFS, SCSI_WRITE, 7, 0x2700 },
		{ EFAULT, SCSI_READ, 0xb, 0x4400 },
	};
	unsigned int i;

	fresh();
	for (i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
		RUN(0, 0, 0, 0, 0, 0);
		cmd.action = map[i].action;
		scsi_io_error(&disk, &cmd, map[i].error);
		CHECK(sense(map[i].key, map[i].asc), "errno %d",
		      map[i].error);
		CHECK(!scsi_is_bad_request(&disk, &cmd), "errno %d", map[i].error);
	}
	cmd.action = SCSI_READ;
	scsi_io_error(&disk, &cmd, ENOMEM);
	CHECK(cmd.status == SCSI_BUSY && cmd.action == SCSI_DONE, "busy");
	RUN(0xee, 0, 0, 0, 0, 0);
	CHECK(scsi_is_bad_request(&disk, &cmd), "unknown operation code");
	RUN(0x12, 1, 0xee, 0, 96, 0);
	CHECK(scsi_is_bad_request(&disk, &cmd), "invalid field");
	rw(0x28, 0, BLOCKS, 1);
	CHECK(!scsi_is_bad_request(&disk, &cmd), "out of range is no bad request");
	RUN(0x1e, 0, 0, 0, 1, 0);
	CHECK(data(0), "prevent removal");
	RUN(0x1e, 0, 0, 0, 4, 0);
	CHECK(field(4), "prevent, reserved bit");
}

/* Anything at all, for the sanitizers; and the promises of the header */
static void test_random(void)
{
	uint64_t seed = 88172645463325252ull;
	uint8_t list[SCSI_PARAM_MAX];
	unsigned int i, j;

	fresh();
	for (i = 0; i < 400000; i++) {
		uint8_t cdb[16];

		for (j = 0; j < 16; j++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			/* many zeroes: else all ends at the first check */
			cdb[j] = seed & 0x300 ? 0 : seed;
		}
		cdb[0] = seed >> 32;
		run(cdb, 1 + (seed >> 40) % 16);
		if (cmd.action == SCSI_PARAMETERS) {
			CHECK(cmd.param_len && cmd.param_len <= SCSI_PARAM_MAX,
			      "%u bytes of parameters", cmd.param_len);
			for (j = 0; j < cmd.param_len; j++)
				list[j] = seed >> j % 56;
			params(list, cmd.param_len);
			CHECK(cmd.action != SCSI_PARAMETERS, "no end");
		}
		CHECK(cmd.data_len <= SCSI_DATA_MAX, "%u bytes of data",
		      cmd.data_len);
		if (cmd.action == SCSI_READ || cmd.action == SCSI_WRITE ||
		    cmd.action == SCSI_VERIFY ||
		    cmd.action == SCSI_WRITE_SAME)
			CHECK(cmd.blocks && cmd.lba < disk.blocks &&
			      cmd.blocks <= disk.blocks - cmd.lba,
			      "range of opcode %02x", cdb[0]);
	}
}

int main(void)
{
	tap_test("scsi: operation codes, lengths, NACA", test_opcodes);
	tap_test("scsi: ready, start, stop", test_ready);
	tap_test("scsi: standard INQUIRY", test_inquiry);
	tap_test("scsi: VPD pages", test_vpd);
	tap_test("scsi: missing units", test_missing);
	tap_test("scsi: REPORT LUNS", test_report_luns);
	tap_test("scsi: READ CAPACITY 10 and 16", test_capacity);
	tap_test("scsi: READ and WRITE 6, 10, 12, 16", test_read_write);
	tap_test("scsi: VERIFY and SYNCHRONIZE CACHE", test_verify_flush);
	tap_test("scsi: WRITE SAME 10 and 16", test_write_same);
	tap_test("scsi: UNMAP", test_unmap);
	tap_test("scsi: MODE SENSE 6 and 10", test_mode_sense);
	tap_test("scsi: MODE SELECT 6 and 10", test_mode_select);
	tap_test("scsi: unit attention and reset", test_attention);
	tap_test("scsi: errors of the file", test_io_errors);
	tap_test("scsi: random commands", test_random);
	return tap_done();
}
