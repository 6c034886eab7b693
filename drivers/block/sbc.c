// SPDX-License-Identifier: GPL-2.0-only
/* SCSI commands of a disk: see sbc.h. */
#include <synthio/storvsp.h>

#include "sbc.h"

enum {
	OP_INQUIRY		= 0x12,
	OP_MODE_SENSE_6		= 0x1a,
	OP_READ_CAPACITY_10	= 0x25,
	OP_READ_10		= 0x28,
	OP_WRITE_10		= 0x2a,
	OP_SYNCHRONIZE_CACHE	= 0x35,
	OP_UNMAP		= 0x42,
	OP_MODE_SENSE_10	= 0x5a,
	OP_READ_16		= 0x88,
	OP_WRITE_16		= 0x8a,
	OP_WRITE_SAME_16	= 0x93,
	OP_SERVICE_ACTION_IN	= 0x9e,
	OP_REPORT_LUNS		= 0xa0,
};

#define SA_READ_CAPACITY_16	0x10
#define BYTES_MAX		(1ull << 62)	/* of a disk: loff_t, and room */
/* bytes of an identifier that fit into wwid in hexadecimal */
#define T10_BINARY_MAX		48u

static void put16(u8 *b, u16 v)
{
	b[0] = v >> 8;
	b[1] = v;
}

static void put32(u8 *b, u32 v)
{
	put16(b, v >> 16);
	put16(b + 2, v);
}

static void put64(u8 *b, u64 v)
{
	put32(b, v >> 32);
	put32(b + 4, v);
}

static u16 get16(const u8 *b)
{
	return b[0] << 8 | b[1];
}

static u32 get32(const u8 *b)
{
	return (u32)get16(b) << 16 | get16(b + 2);
}

static u64 get64(const u8 *b)
{
	return (u64)get32(b) << 32 | get32(b + 4);
}

/* ---- commands --------------------------------------------------------------- */

u8 sbc_read_write(u8 *cdb, bool write, u64 lba, u32 blocks, bool fua)
{
	cdb[1] = fua ? 0x08 : 0;
	/* the last block has to have a number of 32 bits, too */
	if (lba + blocks - 1 <= U32_MAX && blocks <= U16_MAX) {
		cdb[0] = write ? OP_WRITE_10 : OP_READ_10;
		put32(cdb + 2, lba);
		put16(cdb + 7, blocks);
		return 10;
	}
	cdb[0] = write ? OP_WRITE_16 : OP_READ_16;
	put64(cdb + 2, lba);
	put32(cdb + 10, blocks);
	return 16;
}

u8 sbc_synchronize_cache(u8 *cdb)
{
	cdb[0] = OP_SYNCHRONIZE_CACHE;
	return 10;
}

u8 sbc_write_same(u8 *cdb, u64 lba, u32 blocks, bool unmap)
{
	cdb[0] = OP_WRITE_SAME_16;
	cdb[1] = unmap ? 0x08 : 0;
	put64(cdb + 2, lba);
	put32(cdb + 10, blocks);
	return 16;
}

u8 sbc_unmap(u8 *cdb, u16 param_len)
{
	cdb[0] = OP_UNMAP;
	put16(cdb + 7, param_len);
	return 10;
}

void sbc_unmap_desc(u8 *param, unsigned int n, u64 lba, u32 blocks)
{
	u8 *desc = param + SBC_UNMAP_HEADER + n * SBC_UNMAP_DESC;

	put64(desc, lba);
	put32(desc + 8, blocks);
	put32(desc + 12, 0);
}

u16 sbc_unmap_header(u8 *param, unsigned int descs)
{
	u16 len = SBC_UNMAP_HEADER + descs * SBC_UNMAP_DESC;

	put16(param, len - 2);
	put16(param + 2, len - SBC_UNMAP_HEADER);
	put32(param + 4, 0);
	return len;
}

u8 sbc_report_luns(u8 *cdb, u32 room)
{
	cdb[0] = OP_REPORT_LUNS;
	put32(cdb + 6, room);
	return 12;
}

u8 sbc_inquiry(u8 *cdb, u16 room)
{
	cdb[0] = OP_INQUIRY;
	put16(cdb + 3, room);
	return 6;
}

u8 sbc_inquiry_vpd(u8 *cdb, u8 page, u16 room)
{
	cdb[1] = 1;
	cdb[2] = page;
	return sbc_inquiry(cdb, room);
}

u8 sbc_read_capacity_10(u8 *cdb)
{
	cdb[0] = OP_READ_CAPACITY_10;
	return 10;
}

u8 sbc_read_capacity_16(u8 *cdb, u32 room)
{
	cdb[0] = OP_SERVICE_ACTION_IN;
	cdb[1] = SA_READ_CAPACITY_16;
	put32(cdb + 10, room);
	return 16;
}

u8 sbc_mode_sense_6(u8 *cdb, u8 page, u8 room)
{
	cdb[0] = OP_MODE_SENSE_6;
	cdb[1] = 0x08;			/* no block descriptors */
	cdb[2] = page;
	cdb[4] = room;
	return 6;
}

u8 sbc_mode_sense_10(u8 *cdb, u8 page, u16 room)
{
	cdb[0] = OP_MODE_SENSE_10;
	cdb[1] = 0x08;
	cdb[2] = page;
	put16(cdb + 7, room);
	return 10;
}

/* ---- answers ----------------------------------------------------------------- */

/*
 * Copy a string of fixed length without blanks around it. Characters that could
 * confuse a terminal, a log or a udev rule become dots.
 */
static void take_string(char *to, u32 room, const u8 *from, u32 len)
{
	u32 i, n = 0;

	while (len && (*from == ' ' || !*from)) {
		from++;
		len--;
	}
	while (len && (from[len - 1] == ' ' || !from[len - 1]))
		len--;
	for (i = 0; i < len && n + 1 < room; i++)
		to[n++] = from[i] < 0x20 || from[i] > 0x7e ? '.' : from[i];
	while (n && to[n - 1] == ' ')		/* where it was cut */
		n--;
	to[n] = 0;
}

int sbc_parse_inquiry(struct sbc_disk *d, const u8 *b, u32 len)
{
	if (len < 5)
		return -EINVAL;
	/* a peripheral qualifier other than 0: no unit is connected */
	d->type = b[0] >> 5 ? SBC_TYPE_UNKNOWN : b[0] & 0x1f;
	if (d->type == SBC_TYPE_UNKNOWN)
		return 0;
	len = min(len, b[4] + 5u);
	d->vendor[0] = 0;
	d->product[0] = 0;
	d->revision[0] = 0;
	if (len >= 36) {
		take_string(d->vendor, sizeof(d->vendor), b + 8, 8);
		take_string(d->product, sizeof(d->product), b + 16, 16);
		take_string(d->revision, sizeof(d->revision), b + 32, 4);
	}
	return 0;
}

/* The length of a VPD page with its header, 0 if it is not that page */
static u32 vpd_length(const u8 *b, u32 len, u8 page)
{
	if (len < 4 || b[1] != page)
		return 0;
	return min(len, get16(b + 2) + 4u);
}

bool sbc_has_vpd(const u8 *b, u32 len, u8 page)
{
	u32 i;

	len = vpd_length(b, len, 0);
	for (i = 4; i < len; i++) {
		if (b[i] == page)
			return true;
	}
	return false;
}

static void take_hex(char *to, const char *prefix, const u8 *id, u32 len)
{
	static const char digits[] = "0123456789abcdef";
	u32 i;

	memcpy(to, prefix, 4);
	to += 4;
	for (i = 0; i < len; i++) {
		*to++ = digits[id[i] >> 4];
		*to++ = digits[id[i] & 15];
	}
	*to = 0;
}

/* Rank of an identifier, the best has the highest; 0 if it does not name the unit */
static u32 designator_rank(const u8 *desc)
{
	u32 len = desc[3];

	if (desc[1] >> 4 & 3)			/* of a port or target */
		return 0;
	switch (desc[1] & 0xf) {
	case 3:					/* NAA: 6 is the longest */
		return len == 16 ? 4 : len == 8 ? 3 : 0;
	case 2:
		return len == 8 || len == 12 || len == 16 ? 2 : 0;
	case 1:
		return len ? 1 : 0;
	default:
		return 0;
	}
}

static int parse_ids(struct sbc_disk *d, const u8 *b, u32 len)
{
	const u8 *best = NULL;
	u32 at, rank, id_len, best_rank = 0;

	for (at = 4; at + 4 <= len && at + 4 + b[at + 3] <= len;
	     at += 4 + b[at + 3]) {
		rank = designator_rank(b + at);
		if (rank > best_rank) {
			best_rank = rank;
			best = b + at;
		}
	}
	if (!best)
		return -EINVAL;

	id_len = best[3];
	d->id_len = 0;
	if (best_rank == 1) {
		/* binary identifiers would become nothing but dots */
		if ((best[0] & 0xf) == 1) {
			take_hex(d->wwid, "t10.", best + 4,
				 min(id_len, T10_BINARY_MAX));
			return 0;
		}
		memcpy(d->wwid, "t10.", 4);
		take_string(d->wwid + 4, sizeof(d->wwid) - 4, best + 4,
			    id_len);
		return 0;
	}
	d->id_is_naa = best_rank > 2;
	d->id_len = id_len;
	memcpy(d->id, best + 4, d->id_len);
	take_hex(d->wwid, d->id_is_naa ? "naa." : "eui.", d->id, d->id_len);
	return 0;
}

/* A count of blocks from the disk as bytes, as far as they fit; 0 if not */
static u32 blocks_to_bytes(const struct sbc_disk *d, u32 blocks)
{
	u64 bytes = (u64)blocks * d->block_size;

	return bytes > U32_MAX ? 0 : bytes;
}

static int parse_limits(struct sbc_disk *d, const u8 *b, u32 len)
{
	u32 granularity, alignment;

	if (len < 16)
		return -EINVAL;
	d->io_min = blocks_to_bytes(d, get16(b + 6));
	d->max_transfer = (u64)get32(b + 8) * d->block_size;
	d->io_opt = blocks_to_bytes(d, get32(b + 12));
	d->unmap_max_blocks = 0;
	d->unmap_max_descs = 0;
	d->unmap_granularity = 0;
	d->unmap_alignment = 0;
	d->ws_max_blocks = 0;
	if (len < 44)
		return 0;
	d->unmap_max_blocks = get32(b + 20);
	d->unmap_max_descs = get32(b + 24);
	granularity = get32(b + 28);
	alignment = get32(b + 32);
	d->unmap_granularity = blocks_to_bytes(d, granularity);
	if (alignment >> 31 && d->unmap_granularity)
		d->unmap_alignment = blocks_to_bytes(d, (alignment & 0x7fffffff)
						     % granularity);
	d->ws_max_blocks = get64(b + 36);
	return 0;
}

int sbc_parse_vpd(struct sbc_disk *d, u8 page, const u8 *b, u32 len)
{
	len = vpd_length(b, len, page);
	if (!len)
		return -EINVAL;
	switch (page) {
	case 0x80:
		take_string(d->serial, sizeof(d->serial), b + 4, len - 4);
		return 0;
	case 0x83:
		return parse_ids(d, b, len);
	case 0xb0:
		return parse_limits(d, b, len);
	case 0xb1:
		if (len < 6)
			return -EINVAL;
		/* 1: non-rotational; 0: not reported; else turns per minute */
		d->rotational = get16(b + 4) != 1;
		return 0;
	case 0xb2:
		if (len < 6)
			return -EINVAL;
		d->unmap = b[5] & 0x80;
		d->ws_unmap = b[5] & 0x40;
		d->lbprz = d->lbprz || b[5] & 0x04;
		return 0;
	default:
		return -EINVAL;
	}
}

static int take_capacity(struct sbc_disk *d, u64 last, u32 block_size)
{
	if (block_size < 512 || block_size > SBC_BLOCK_MAX ||
	    !is_power_of_2(block_size) || last >= BYTES_MAX / block_size)
		return -EINVAL;
	d->blocks = last + 1;
	d->block_size = block_size;
	d->physical_block_size = block_size;
	d->alignment = 0;
	return 0;
}

int sbc_parse_capacity_10(struct sbc_disk *d, const u8 *b, u32 len)
{
	if (len < 8)
		return -EINVAL;
	if (get32(b) == U32_MAX)
		return -EFBIG;
	return take_capacity(d, get32(b), get32(b + 4));
}

int sbc_parse_capacity_16(struct sbc_disk *d, const u8 *b, u32 len)
{
	u32 size, lowest;
	int ret;

	if (len < 12)
		return -EINVAL;
	ret = take_capacity(d, get64(b), get32(b + 8));
	if (ret || len < 16)
		return ret;
	d->lbprz = b[14] & 0x40;
	/* the block layer has no use for more than 1 MiB */
	size = d->block_size << min(b[13] & 0xf, 8);
	d->physical_block_size = size;
	lowest = (get16(b + 14) & 0x3fff) * d->block_size;
	d->alignment = lowest % size;
	return 0;
}

/* Find the page at @at, and where the next one begins; false: none is complete there */
static bool mode_page(const u8 *b, u32 len, u32 at, u32 *next)
{
	if (at + 3 > len)
		return false;
	if (!(b[at] & 0x40)) {
		*next = at + 2 + b[at + 1];
		return true;
	}
	/* a sub-page */
	if (at + 4 > len)
		return false;
	*next = at + 4 + get16(b + at + 2);
	return true;
}

int sbc_parse_mode(struct sbc_disk *d, bool ten, const u8 *b, u32 len)
{
	u32 header = ten ? 8 : 4, at, next;
	u8 specific;

	if (len < header)
		return -EINVAL;
	if (ten) {
		len = min(len, get16(b) + 2u);
		specific = b[3];
		at = header + get16(b + 6);
	} else {
		len = min(len, b[0] + 1u);
		specific = b[2];
		at = header + b[3];
	}
	d->reported |= SBC_REPORTED_PROTECTION;
	d->read_only = specific & 0x80;
	d->fua = specific & 0x10;
	d->write_cache = true;
	d->write_cache_reported = false;
	for (; mode_page(b, len, at, &next); at = next) {
		if ((b[at] & 0x7f) != SBC_MODE_CACHING)
			continue;
		d->reported |= SBC_REPORTED_CACHE;
		d->write_cache = b[at + 2] & 0x04;
		d->write_cache_reported = d->write_cache;
		break;
	}
	return 0;
}

u32 sbc_luns(const u8 *b, u32 len)
{
	if (len < 8)
		return 0;
	return min(len - 8, get32(b)) / 8;
}

int sbc_lun(const u8 *b, u32 n)
{
	const u8 *lun = b + 8 + 8 * n;
	u32 i;

	/* single level; peripheral or flat addressing */
	for (i = 2; i < 8; i++) {
		if (lun[i])
			return -EINVAL;
	}
	if (lun[0] & ~0x40)
		return -EINVAL;
	return lun[1];
}
