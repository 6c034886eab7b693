// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/block/identify.c, asking the disks of the reference host: each kind of
 * host, each question refused or failed or not answered at all.
 */
#include <stdlib.h>

#include <synthio/storvsp.h>

#include "../../drivers/block/identify.h"
#include "../host/scsi.h"
#include "tap.h"

#define ALL_REPORTED	0xffu

/**
 * struct unit - a disk, and how its answers come
 * @asked: how many questions it was asked
 * @silent: from this question on it does not answer; counted from 1
 * @gone: from this one on there is no such unit
 * @down: from this one on nobody can be asked
 */
struct unit {
	struct sbc_asker a;
	struct scsi_disk disk;
	struct scsi_luns luns;
	struct scsi_command cmd;
	u8 answer[SBC_ANSWER_MAX];
	u32 asked;
	u32 silent;
	u32 gone;
	u32 down;
};

static struct unit unit;

/* As storvsp_io.c of the host completes it, and command.c of the driver takes it */
static int ask(struct sbc_asker *a, const u8 *cdb, u8 cdb_len, u32 room,
	       struct sbc_verdict *v)
{
	struct unit *u = (struct unit *)a;
	struct scsi_command *cmd = &u->cmd;
	struct sbc_answer answer = { .srb_status = STORVSP_SRB_SUCCESS };
	u32 n;

	u->asked++;
	memset(v, 0xa5, sizeof(*v));
	if (u->down && u->asked >= u->down)
		return -ENODEV;
	if (u->silent && u->asked >= u->silent)
		return -ETIMEDOUT;
	scsi_start(&u->disk, &u->luns, cdb, cdb_len, cmd);
	if (u->gone && u->asked >= u->gone) {
		answer.srb_status = STORVSP_SRB_INVALID_LUN;
	} else if (cmd->bare) {
		answer.srb_status = cmd->bare == REFUSE_ERROR ?
				    STORVSP_SRB_ERROR :
				    STORVSP_SRB_INVALID_REQUEST;
	} else if (cmd->status) {
		answer.srb_status = STORVSP_SRB_ERROR |
				    STORVSP_SRB_AUTOSENSE_VALID;
		answer.scsi_status = cmd->status;
		answer.sense = cmd->sense;
		answer.sense_len = sizeof(cmd->sense);
	}
	*v = sbc_judge(&answer);
	if (v->outcome != SBC_OK)
		return v->outcome == SBC_TARGET_ERROR ? -EOPNOTSUPP : -EIO;
	n = min(cmd->data_len, room);
	memset(u->answer, 0, sizeof(u->answer));
	memcpy(u->answer, cmd->data, n);
	return n;
}

static void fresh(const char *like)
{
	memset(&unit, 0, sizeof(unit));
	unit.a.ask = ask;
	unit.a.answer = unit.answer;
	unit.luns.bits[0] = 1;
	unit.disk.like = &profile_find(like)->storvsp;
	unit.disk.blocks = 0x4000;
	unit.disk.block_size = 512;
	unit.disk.max_transfer = 1 << 20;
	strcpy(unit.disk.serial, "c0-0");
	unit.disk.write_cache = true;
	unit.disk.unmap = true;
	unit.disk.unmap_zeroes = true;
}

static int identify(struct sbc_disk *d)
{
	unit.asked = 0;
	/* nothing of what was there before counts */
	memset(d, 0xa5, sizeof(*d));
	return sbc_identify(&unit.a, STORVSP_VERSION_6_2, d);
}

static void whole(void)
{
	struct sbc_disk d;

	fresh("hyperv");
	CHECK(!identify(&d), "fails");
	CHECK(d.type == SBC_TYPE_DISK && d.blocks == 0x4000 &&
	      d.block_size == 512 && d.physical_block_size == 4096, "size");
	CHECK(!strcmp(d.vendor, "Msft") && !strcmp(d.serial, "c0-0"),
	      "'%s' '%s'", d.vendor, d.serial);
	CHECK(d.id_len == 16 && d.id_is_naa, "%u bytes", d.id_len);
	CHECK(d.reported == ALL_REPORTED, "reported %x", d.reported);
	CHECK(d.write_cache && d.write_cache_reported && d.fua && !d.read_only,
	      "cache");
	CHECK(d.can_unmap && d.can_write_same && !d.rotational, "%u %u %u",
	      d.can_unmap, d.can_write_same, d.rotational);
	unit.disk.write_cache = false;
	unit.disk.read_only = true;
	CHECK(!identify(&d) && !d.write_cache && !d.write_cache_reported &&
	      d.read_only, "no cache, read-only");

	fresh("lenient");
	CHECK(!identify(&d) && d.reported == ALL_REPORTED && d.id_len == 8, "lenient");

	fresh("openvmm");
	CHECK(!sbc_identify(&unit.a, STORVSP_VERSION_6_0, &d), "openvmm");
	CHECK(d.id_len == 16 && !d.serial[0] && d.reported == ALL_REPORTED && !d.fua &&
	      d.write_cache_reported && d.can_unmap && !d.can_write_same &&
	      !d.max_transfer, "openvmm: %x %u %u", d.reported, d.can_unmap,
	      d.can_write_same);
	unit.disk.unmap = false;
	CHECK(!sbc_identify(&unit.a, STORVSP_VERSION_6_0, &d) &&
	      !d.can_unmap && d.reported == ALL_REPORTED, "openvmm, no unmap");
}

static void rules(void)
{
	struct sbc_disk d;

	fresh("hyperv");
	CHECK(!sbc_identify(&unit.a, STORVSP_VERSION_6_2, &d) &&
	      d.can_write_same, "6.2");
	CHECK(!sbc_identify(&unit.a, STORVSP_VERSION_6_0, &d) &&
	      !d.can_write_same && d.can_unmap, "6.0");
	/* UNMAP is listed, and its limits are 0 */
	unit.disk.refuses = ASK_VPD_B0;
	CHECK(!identify(&d) && d.unmap && !d.can_unmap && !d.can_write_same,
	      "no limits");
}

/* Each question but two can be failed in each way: it is a disk all the same */
static void refusals(void)
{
	static const struct {
		enum scsi_question question;
		u32 reported;
	} questions[] = {
		{ ASK_MODE_SENSE_6, 0 }, { ASK_MODE_SENSE_10, 0 },
		{ ASK_MODE_SENSE_6 | ASK_MODE_SENSE_10,
		  SBC_REPORTED_PROTECTION | SBC_REPORTED_CACHE },
		{ ASK_CAPACITY_16, SBC_REPORTED_PHYSICAL },
		{ ASK_VPD_LIST, SBC_REPORTED_SERIAL | SBC_REPORTED_IDS |
		  SBC_REPORTED_LIMITS | SBC_REPORTED_ROTATION | SBC_REPORTED_PROVISIONING },
		{ ASK_VPD_80, SBC_REPORTED_SERIAL }, { ASK_VPD_83, SBC_REPORTED_IDS },
		{ ASK_VPD_B0, SBC_REPORTED_LIMITS },
		{ ASK_VPD_B1, SBC_REPORTED_ROTATION },
		{ ASK_VPD_B2, SBC_REPORTED_PROVISIONING },
	};
	const u32 n = sizeof(questions) / sizeof(questions[0]);
	struct sbc_disk d, old;
	u32 i, how, lacks;

	fresh("hyperv");
	CHECK(!identify(&old), "fails");
	for (i = 0; i < n; i++) {
		for (how = REFUSE_SENSE; how <= REFUSE_INVALID; how++) {
			fresh("hyperv");
			unit.disk.refuses = questions[i].question;
			unit.disk.refusal = how;
			CHECK(!identify(&d), "question %u, way %u", i, how);
			CHECK(d.type == SBC_TYPE_DISK && d.blocks == 0x4000,
			      "question %u, way %u: size", i, how);
			lacks = ALL_REPORTED & ~d.reported;
			/* a disk that refuses a question has answered it */
			if (how == REFUSE_SENSE && !(questions[i].reported &
			    (SBC_REPORTED_PROTECTION | SBC_REPORTED_CACHE)))
				CHECK(!lacks, "question %u: reported %x", i, d.reported);
			else
				CHECK(lacks == questions[i].reported,
				      "question %u, way %u: reported %x", i, how,
				      d.reported);
			CHECK(d.write_cache, "question %u, way %u: no cache", i,
			      how);
			CHECK(d.write_cache_reported == !(questions[i].reported &
						      SBC_REPORTED_CACHE),
			      "question %u, way %u: cache", i, how);
			if (how == REFUSE_SENSE)
				continue;
			/* it is still the same one, with all that it had */
			CHECK(sbc_same(&old, &d), "question %u, way %u: another",
			      i, how);
			sbc_fill_in(&d, &old);
			CHECK(!memcmp(&d, &old, sizeof(d)),
			      "question %u, way %u: not filled in", i, how);
		}
	}
	fresh("hyperv");
	unit.disk.refuses = ~0u;
	CHECK(!identify(&d) && d.write_cache && !d.can_unmap &&
	      !d.can_write_same && !d.fua && !d.wwid[0], "all refused");
}

static void silence(void)
{
	struct sbc_disk d, old;
	u32 n, count;
	int ret;

	fresh("hyperv");
	CHECK(!identify(&old), "fails");
	count = unit.asked;
	for (n = 1; n <= count; n++) {
		fresh("hyperv");
		unit.silent = n;
		ret = identify(&d);
		/* one question is tried; it is not asked on and on */
		CHECK(unit.asked == n, "%u of %u: %u asked", n, count,
		      unit.asked);
		CHECK(ret == (n <= 2 ? -ETIMEDOUT : 0), "%u: %d", n, ret);
		if (ret)
			continue;
		CHECK(d.write_cache && sbc_same(&old, &d), "%u", n);
		sbc_fill_in(&d, &old);
		CHECK(!memcmp(&d, &old, sizeof(d)), "%u: not filled in", n);
	}
	for (n = 1; n <= count; n++) {
		fresh("hyperv");
		unit.down = n;
		ret = identify(&d);
		CHECK(ret == -ECONNRESET && unit.asked == n, "down, %u: %d", n,
		      ret);
		fresh("hyperv");
		unit.gone = n;
		ret = identify(&d);
		CHECK(ret == (n == 1 ? -ENODEV : -EIO) && unit.asked == n,
		      "gone, %u: %d", n, ret);
	}
}

static void identity(void)
{
	struct sbc_disk a, b;

	fresh("hyperv");
	identify(&a);
	identify(&b);
	CHECK(sbc_same(&a, &b), "the same");
	unit.disk.blocks *= 2;
	unit.disk.read_only = true;
	identify(&b);
	CHECK(sbc_same(&a, &b), "another size");
	strcpy(unit.disk.serial, "c0-1");
	identify(&b);
	CHECK(!sbc_same(&a, &b), "another one");
	unit.disk.serial[0] = 0;
	unit.disk.refuses = ASK_VPD_83;
	identify(&b);
	CHECK(!sbc_same(&a, &b), "one that has no name");
	CHECK(!sbc_same(&b, &a), "one that has one");
	unit.disk.refusal = REFUSE_ERROR;
	unit.disk.refuses = ASK_VPD_LIST;
	identify(&b);
	CHECK(sbc_same(&a, &b), "one that does not say");
	unit.disk.block_size = 4096;
	identify(&b);
	CHECK(!sbc_same(&a, &b), "other blocks");
	fresh("hyperv");
	unit.disk.dvd = true;
	identify(&b);
	CHECK(b.type == 5 && !sbc_same(&a, &b), "a DVD drive");
	/* what it reports now counts, even if it is less */
	fresh("hyperv");
	unit.disk.unmap = false;
	identify(&b);
	sbc_fill_in(&b, &a);
	CHECK(!b.can_unmap && !b.unmap, "UNMAP is gone");
}

/* What is proved after a reset, before anything is written */
static void proof(void)
{
	struct sbc_disk a, b;

	fresh("hyperv");
	identify(&a);
	identify(&b);
	CHECK(a.serial[0] && a.wwid[0], "it has names");
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_SAME, "the same");
	unit.disk.blocks *= 2;
	identify(&b);
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_SAME, "resized");
	/* names that it does not report this time: neither proof nor another unit */
	b.reported &= ~SBC_REPORTED_SERIAL;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_UNKNOWN, "no serial number");
	identify(&b);
	b.reported &= ~SBC_REPORTED_IDS;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_UNKNOWN, "no identifier");
	b.reported = 0;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_UNKNOWN, "no VPD at all");
	strcpy(unit.disk.serial, "c0-1");
	identify(&b);
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_OTHER, "another unit");
	/* without any name the size has to do */
	identify(&a);
	a.serial[0] = 0;
	a.wwid[0] = 0;
	b = a;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_SAME, "without a name");
	b.blocks++;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_OTHER,
	      "without a name, another size");
	b = a;
	b.block_size *= 2;
	CHECK(sbc_compare(&a, &b) == SBC_IDENTITY_OTHER, "other blocks");
}

int main(void)
{
	tap_test("identify: each kind of host", whole);
	tap_test("identify: UNMAP and WRITE SAME by the rules", rules);
	tap_test("identify: questions refused, and failed", refusals);
	tap_test("identify: silent, gone, and the channel down", silence);
	tap_test("identify: the same unit, or another", identity);
	tap_test("identify: proved to be the same unit", proof);
	return tap_done();
}
