// SPDX-License-Identifier: GPL-2.0-only
/* What a unit is: see identify.h. */
#include <synthio/storvsp.h>

#include "identify.h"

/* Allocation lengths */
#define INQUIRY_ROOM		96
#define VPD_ROOM		512
#define CAPACITY_16_ROOM	32
#define MODE_ROOM		192

/* Whether a unit has refused a command that it does not know */
static bool refused(int n, const struct sbc_verdict *v)
{
	return n == -EOPNOTSUPP && v->key == SBC_KEY_ILLEGAL_REQUEST;
}

/*
 * After an optional command: 0 to go on with the next one, or why not. A unit that has
 * gone meanwhile is not described by its earlier answers.
 */
static int optional_error(int n, const struct sbc_verdict *v)
{
	if (n == -EIO && v->outcome == SBC_GONE)
		return -EIO;
	return n >= 0 || n == -EIO || n == -EOPNOTSUPP ? 0 : n;
}

static int ask_vpd(struct sbc_asker *a, u8 page, struct sbc_verdict *v)
{
	u8 cdb[SBC_CDB_MAX] = { };

	return a->ask(a, cdb, sbc_inquiry_vpd(cdb, page, VPD_ROOM), VPD_ROOM,
		      v);
}

/* Those VPD pages that the unit lists and that are used here */
static int get_vpds(struct sbc_asker *a, struct sbc_disk *d)
{
	static const struct {
		u8 page;
		u32 reported;
	} pages[] = {
		{ 0x80, SBC_REPORTED_SERIAL },
		{ 0x83, SBC_REPORTED_IDS },
		{ 0xb0, SBC_REPORTED_LIMITS },
		{ 0xb1, SBC_REPORTED_ROTATION },
		{ 0xb2, SBC_REPORTED_PROVISIONING },
	};
	bool has[ARRAY_SIZE(pages)];
	struct sbc_verdict v;
	int n, ret;
	u32 i;

	n = ask_vpd(a, 0, &v);
	ret = optional_error(n, &v);
	if (ret || (n < 0 && !refused(n, &v)))
		return ret;
	for (i = 0; i < ARRAY_SIZE(pages); i++)
		has[i] = n >= 0 && sbc_has_vpd(a->answer, n, pages[i].page);
	for (i = 0; i < ARRAY_SIZE(pages); i++) {
		if (has[i]) {
			n = ask_vpd(a, pages[i].page, &v);
			ret = optional_error(n, &v);
			if (ret)
				return ret;
			if (n >= 0 ? sbc_parse_vpd(d, pages[i].page, a->answer,
						   n) : !refused(n, &v))
				continue;
		}
		d->reported |= pages[i].reported;
	}
	return 0;
}

/*
 * Write protection and cache. Some units know only one of the two commands, or refuse
 * to report a single page.
 */
static int get_mode(struct sbc_asker *a, struct sbc_disk *d)
{
	static const struct {
		bool ten;
		u8 page;
	} ways[] = {
		{ false, SBC_MODE_CACHING },
		{ true, SBC_MODE_CACHING },
		{ false, SBC_MODE_ALL },
	};
	struct sbc_verdict v;
	u32 i;
	int n, ret;
	u8 len;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		u8 cdb[SBC_CDB_MAX] = { };

		len = ways[i].ten ?
		      sbc_mode_sense_10(cdb, ways[i].page, MODE_ROOM) :
		      sbc_mode_sense_6(cdb, ways[i].page, MODE_ROOM);
		n = a->ask(a, cdb, len, MODE_ROOM, &v);
		ret = optional_error(n, &v);
		if (ret)
			return ret;
		if (n >= 0 && !sbc_parse_mode(d, ways[i].ten, a->answer, n))
			return 0;
	}
	return 0;
}

static int get_capacity_of(struct sbc_asker *a, struct sbc_disk *d)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n, ret;

	n = a->ask(a, cdb, sbc_read_capacity_16(cdb, CAPACITY_16_ROOM),
		   CAPACITY_16_ROOM, &v);
	ret = optional_error(n, &v);
	if (ret)
		return ret;
	if (refused(n, &v))
		d->reported |= SBC_REPORTED_PHYSICAL;
	if (n >= 0 && !sbc_parse_capacity_16(d, a->answer, n)) {
		d->reported |= SBC_REPORTED_PHYSICAL;
		return 0;
	}

	memset(cdb, 0, sizeof(cdb));
	n = a->ask(a, cdb, sbc_read_capacity_10(cdb), 8, &v);
	if (n < 0)
		return n;
	ret = sbc_parse_capacity_10(d, a->answer, n);
	return ret == -EFBIG ? -EINVAL : ret;
}

/* Which of the commands that the unit reports are used */
static void apply_rules(struct sbc_disk *d)
{
	/* without limits of its own, UNMAP can't be sent */
	d->can_unmap = d->unmap && d->unmap_max_blocks && d->unmap_max_descs;
	/* the same condition as in the kernel's storvsc: other hosts do it badly */
	d->can_write_same = d->ws_max_blocks &&
			    d->version >= STORVSP_VERSION_6_2 &&
			    !strncmp(d->vendor, "Msft", 4);
}

int sbc_identify(struct sbc_asker *a, u16 version, struct sbc_disk *d)
{
	u8 cdb[SBC_CDB_MAX] = { };
	struct sbc_verdict v;
	int n, ret;

	memset(d, 0, sizeof(*d));
	d->version = version;
	d->write_cache = true;
	n = a->ask(a, cdb, sbc_inquiry(cdb, INQUIRY_ROOM), INQUIRY_ROOM, &v);
	if (n == -EIO && v.outcome == SBC_GONE)
		return -ENODEV;
	if (n < 0)
		return n == -ENODEV ? -ECONNRESET : n;
	ret = sbc_parse_inquiry(d, a->answer, n);
	if (ret)
		return ret;
	if (d->type == SBC_TYPE_UNKNOWN)
		return -ENODEV;
	if (d->type != SBC_TYPE_DISK)
		return 0;

	ret = get_capacity_of(a, d);
	if (ret)
		goto out;
	ret = get_vpds(a, d);
	if (!ret)
		ret = get_mode(a, d);
	/* the mandatory commands were answered */
	if (ret == -ETIMEDOUT)
		ret = 0;
	if (d->max_transfer && d->max_transfer < SBC_TRANSFER_MIN)
		ret = -EINVAL;
	apply_rules(d);
out:
	/* the channel is gone, not the unit */
	return ret == -ENODEV ? -ECONNRESET : ret;
}

bool sbc_same(const struct sbc_disk *old, const struct sbc_disk *now)
{
	u32 both = old->reported & now->reported;

	if (now->type != SBC_TYPE_DISK || now->block_size != old->block_size)
		return false;
	if ((both & SBC_REPORTED_SERIAL) && strcmp(now->serial, old->serial))
		return false;
	return !(both & SBC_REPORTED_IDS) || !strcmp(now->wwid, old->wwid);
}

enum sbc_identity sbc_compare(const struct sbc_disk *old,
			      const struct sbc_disk *now)
{
	bool named = false;

	if (!sbc_same(old, now))
		return SBC_IDENTITY_OTHER;
	if (old->serial[0]) {
		if (!(now->reported & SBC_REPORTED_SERIAL))
			return SBC_IDENTITY_UNKNOWN;
		named = true;
	}
	if (old->wwid[0]) {
		if (!(now->reported & SBC_REPORTED_IDS))
			return SBC_IDENTITY_UNKNOWN;
		named = true;
	}
	return named || now->blocks == old->blocks ? SBC_IDENTITY_SAME :
						     SBC_IDENTITY_OTHER;
}

void sbc_fill_in(struct sbc_disk *now, const struct sbc_disk *old)
{
	u32 lacks = old->reported & ~now->reported;

	if (lacks & SBC_REPORTED_PHYSICAL) {
		now->physical_block_size = old->physical_block_size;
		now->alignment = old->alignment;
	}
	if (lacks & SBC_REPORTED_SERIAL)
		memcpy(now->serial, old->serial, sizeof(now->serial));
	if (lacks & SBC_REPORTED_IDS) {
		memcpy(now->wwid, old->wwid, sizeof(now->wwid));
		memcpy(now->id, old->id, sizeof(now->id));
		now->id_len = old->id_len;
		now->id_is_naa = old->id_is_naa;
	}
	if (lacks & SBC_REPORTED_LIMITS) {
		now->io_min = old->io_min;
		now->io_opt = old->io_opt;
		now->max_transfer = old->max_transfer;
		now->unmap_max_blocks = old->unmap_max_blocks;
		now->unmap_max_descs = old->unmap_max_descs;
		now->unmap_granularity = old->unmap_granularity;
		now->unmap_alignment = old->unmap_alignment;
		now->ws_max_blocks = old->ws_max_blocks;
	}
	if (lacks & SBC_REPORTED_ROTATION)
		now->rotational = old->rotational;
	if (lacks & SBC_REPORTED_PROVISIONING) {
		now->unmap = old->unmap;
		now->ws_unmap = old->ws_unmap;
		now->lbprz = old->lbprz;
	}
	if (lacks & SBC_REPORTED_PROTECTION) {
		now->read_only = old->read_only;
		now->fua = old->fua;
	}
	if (lacks & SBC_REPORTED_CACHE) {
		now->write_cache = old->write_cache;
		now->write_cache_reported = old->write_cache_reported;
	}
	now->reported |= lacks;
	apply_rules(now);
}
