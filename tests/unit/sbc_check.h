/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has to hold for the parsers of drivers/block/sbc.c whatever a host says:
 * for the unit tests and for the fuzzer.
 */
#ifndef TEST_SBC_CHECK_H
#define TEST_SBC_CHECK_H

#include <stdlib.h>

#include "../../drivers/block/sbc.h"

enum sbc_parser {
	PARSE_INQUIRY,
	PARSE_VPD_LIST,
	PARSE_VPD_80,
	PARSE_VPD_83,
	PARSE_VPD_B0,
	PARSE_VPD_B1,
	PARSE_VPD_B2,
	PARSE_VPD_OTHER,
	PARSE_CAPACITY_10,
	PARSE_CAPACITY_16,
	PARSE_MODE,
	PARSE_MODE_10,
	PARSE_LUNS,
	PARSERS
};

/* A disk as the parsers find it: what comes later counts with block_size */
static inline void sbc_blank(struct sbc_disk *d)
{
	memset(d, 0, sizeof(*d));
	d->blocks = 1;
	d->block_size = 512;
	d->physical_block_size = 512;
}

static inline bool sbc_string_ok(const char *s, size_t room)
{
	size_t len = strnlen(s, room), i;

	if (len == room)
		return false;
	for (i = 0; i < len; i++) {
		if (s[i] < 0x20 || s[i] > 0x7e)
			return false;
	}
	return !len || (s[0] != ' ' && s[len - 1] != ' ');
}

static inline bool sbc_wwid_ok(const struct sbc_disk *d)
{
	size_t len = strlen(d->wwid);

	if (!len)
		return !d->id_len;
	if (!d->id_len)
		return !strncmp(d->wwid, "t10.", 4);
	return (d->id_len == 8 || d->id_len == 12 || d->id_len == 16) &&
	       !strncmp(d->wwid, d->id_is_naa ? "naa." : "eui.", 4) &&
	       len == 4 + 2u * d->id_len;
}

/* Returns what is wrong with a disk, NULL if nothing */
static inline const char *sbc_complaint(const struct sbc_disk *d)
{
	if (d->type > SBC_TYPE_UNKNOWN)
		return "type";
	if (!sbc_string_ok(d->vendor, sizeof(d->vendor)) ||
	    !sbc_string_ok(d->product, sizeof(d->product)) ||
	    !sbc_string_ok(d->revision, sizeof(d->revision)) ||
	    !sbc_string_ok(d->serial, sizeof(d->serial)) ||
	    !sbc_string_ok(d->wwid, sizeof(d->wwid)))
		return "a string";
	if (!sbc_wwid_ok(d))
		return "wwid";
	if (d->block_size < 512 || d->block_size > SBC_BLOCK_MAX ||
	    !is_power_of_2(d->block_size))
		return "block_size";
	if (!d->blocks || d->blocks > (1ull << 62) / d->block_size)
		return "blocks";
	if (d->physical_block_size < d->block_size ||
	    d->physical_block_size > 1u << 20 ||
	    !is_power_of_2(d->physical_block_size))
		return "physical_block_size";
	if (d->alignment >= d->physical_block_size ||
	    d->alignment % d->block_size)
		return "alignment";
	/* blocks may have been smaller when these were counted */
	if (d->io_min % 512 || d->io_opt % 512 || d->max_transfer % 512)
		return "transfer lengths";
	if (d->unmap_granularity % 512 || d->unmap_alignment % 512)
		return "granularity";
	if (d->unmap_alignment && d->unmap_alignment >= d->unmap_granularity)
		return "unmap_alignment";
	return NULL;
}

/*
 * Give a parser @len bytes: @b has just as many, or the sanitizer doesn't see
 * where it reads. @ret gets what it returned. Returns what is wrong, or NULL.
 */
static inline const char *sbc_feed(struct sbc_disk *d, enum sbc_parser parser,
				   const u8 *b, u32 len, int *ret)
{
	static const u8 pages[PARSERS] = {
		[PARSE_VPD_80] = 0x80, [PARSE_VPD_83] = 0x83,
		[PARSE_VPD_B0] = 0xb0, [PARSE_VPD_B1] = 0xb1,
		[PARSE_VPD_B2] = 0xb2, [PARSE_VPD_OTHER] = 0xb3,
	};
	struct sbc_disk before;
	u32 i;

	memcpy(&before, d, sizeof(before));
	*ret = 0;
	switch (parser) {
	case PARSE_INQUIRY:
		*ret = sbc_parse_inquiry(d, b, len);
		break;
	case PARSE_VPD_LIST:
		for (i = 0; i < 256; i++)
			*ret += sbc_has_vpd(b, len, i);
		break;
	case PARSE_CAPACITY_10:
		*ret = sbc_parse_capacity_10(d, b, len);
		break;
	case PARSE_CAPACITY_16:
		*ret = sbc_parse_capacity_16(d, b, len);
		break;
	case PARSE_MODE:
	case PARSE_MODE_10:
		*ret = sbc_parse_mode(d, parser == PARSE_MODE_10, b, len);
		break;
	case PARSE_LUNS:
		for (i = 0; i < sbc_luns(b, len); i++) {
			int lun = sbc_lun(b, i);

			if (lun != -EINVAL && (lun < 0 || lun > 255))
				return "a LUN";
		}
		*ret = i;
		if (i > len / 8)
			return "more LUNs than there is room for";
		break;
	default:
		*ret = sbc_parse_vpd(d, pages[parser], b, len);
		if (parser == PARSE_VPD_OTHER && *ret != -EINVAL)
			return "a page that is none of ours was taken";
		break;
	}
	if (*ret < 0 && *ret != -EINVAL && *ret != -EFBIG)
		return "return value";
	if (*ret < 0 && memcmp(&before, d, sizeof(before)))
		return "it failed and changed the disk";
	return sbc_complaint(d);
}

/* Likewise for an answer. Returns what is wrong, or NULL */
static inline const char *sbc_feed_judge(const struct sbc_answer *a)
{
	struct sbc_verdict v = sbc_judge(a);

	if (v.outcome > SBC_GONE)
		return "outcome";
	if (v.hints & ~(SBC_HINT_CAPACITY | SBC_HINT_LUNS))
		return "hints";
	if (v.key > 0xf || (v.asc && a->sense_len < 3))
		return "sense";
	if (v.outcome == SBC_NOT_SUPPORTED && a->command == SBC_CMD_KNOWN)
		return "a command that every disk knows is not supported";
	if (a->command == SBC_CMD_FLUSH && v.outcome == SBC_NOT_SUPPORTED &&
	    (v.key != 5 || v.asc != 0x2000))
		return "a flush that failed is not supported";
	if (v.retry && (v.outcome == SBC_OK || v.outcome == SBC_GONE))
		return "nothing to try again";
	return NULL;
}

#endif
