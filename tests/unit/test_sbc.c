// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/block/sbc.c: commands byte by byte, and what hosts may answer. Every
 * answer is given at each length from nothing to its own, in a buffer that ends
 * there.
 */
#include <synthio/storvsp.h>

#include "sbc_check.h"
#include "tap.h"

#define BYTES(...)	((const u8[]){ __VA_ARGS__ })

static u8 *exact(const void *from, u32 len)
{
	u8 *b = len ? malloc(len) : NULL;

	if (len && !b)
		abort();
	if (len)
		memcpy(b, from, len);
	return b;
}

/* ---- commands --------------------------------------------------------------- */

static void is_cdb(const char *name, const u8 *cdb, u8 len, const u8 *want,
		   u8 want_len)
{
	u32 i;

	CHECK(len == want_len, "%s: %u bytes, not %u", name, len, want_len);
	for (i = 0; i < SBC_CDB_MAX; i++)
		CHECK(cdb[i] == (i < want_len ? want[i] : 0),
		      "%s: byte %u is %02x, not %02x", name, i, cdb[i],
		      i < want_len ? want[i] : 0);
}

/* CDB(call, bytes...): the command that @call makes in "cdb" is those bytes */
#define CDB(call, ...) do {						\
	u8 cdb[SBC_CDB_MAX] = { };					\
	u8 cdb_len = call;						\
									\
	is_cdb(#call, cdb, cdb_len, BYTES(__VA_ARGS__),			\
	       sizeof(BYTES(__VA_ARGS__)));				\
	CHECK_OK();							\
} while (0)

static void read_write(void)
{
	CDB(sbc_read_write(cdb, false, 0x01234567, 0x89ab, false),
	    0x28, 0, 0x01, 0x23, 0x45, 0x67, 0, 0x89, 0xab, 0);
	CDB(sbc_read_write(cdb, true, 0x01234567, 0x89ab, false),
	    0x2a, 0, 0x01, 0x23, 0x45, 0x67, 0, 0x89, 0xab, 0);
	CDB(sbc_read_write(cdb, true, 7, 1, true),
	    0x2a, 0x08, 0, 0, 0, 7, 0, 0, 1, 0);
	CDB(sbc_read_write(cdb, false, 0x0123456789abcdef, 0xfedcba98, false),
	    0x88, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	    0xfe, 0xdc, 0xba, 0x98, 0, 0);
	CDB(sbc_read_write(cdb, true, 0x0123456789abcdef, 0xfedcba98, true),
	    0x8a, 0x08, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	    0xfe, 0xdc, 0xba, 0x98, 0, 0);
}

static void read_write_limits(void)
{
	/* the last that 10 bytes can name, and the first that they can't */
	CDB(sbc_read_write(cdb, false, 0xffffffff, 1, false),
	    0x28, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0);
	CDB(sbc_read_write(cdb, false, 0x100000000, 1, false),
	    0x88, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0);
	CDB(sbc_read_write(cdb, true, 0, 0xffff, false),
	    0x2a, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0);
	CDB(sbc_read_write(cdb, true, 0, 0x10000, false),
	    0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0);
	/* across the limit */
	CDB(sbc_read_write(cdb, false, 0xfffffff8, 8, false),
	    0x28, 0, 0xff, 0xff, 0xff, 0xf8, 0, 0, 8, 0);
	CDB(sbc_read_write(cdb, false, 0xfffffff8, 9, false),
	    0x88, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xf8, 0, 0, 0, 9, 0, 0);
}

static void other_commands(void)
{
	CDB(sbc_synchronize_cache(cdb), 0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CDB(sbc_write_same(cdb, 0x0123456789abcdef, 0xfedcba98, false),
	    0x93, 0, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
	    0xfe, 0xdc, 0xba, 0x98, 0, 0);
	CDB(sbc_write_same(cdb, 1, 2, true),
	    0x93, 0x08, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0);
	CDB(sbc_unmap(cdb, 0x1234), 0x42, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0);
	CDB(sbc_report_luns(cdb, 0x12345678),
	    0xa0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0);
	CDB(sbc_inquiry(cdb, 0x1234), 0x12, 0, 0, 0x12, 0x34, 0);
	CDB(sbc_inquiry_vpd(cdb, 0xb0, 0x1234), 0x12, 1, 0xb0, 0x12, 0x34, 0);
	CDB(sbc_read_capacity_10(cdb), 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0);
	CDB(sbc_read_capacity_16(cdb, 0x12345678),
	    0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, 0x34, 0x56, 0x78, 0, 0);
	CDB(sbc_mode_sense_6(cdb, 0x08, 0x40), 0x1a, 0x08, 0x08, 0, 0x40, 0);
	CDB(sbc_mode_sense_10(cdb, 0x3f, 0x1234),
	    0x5a, 0x08, 0x3f, 0, 0, 0, 0, 0x12, 0x34, 0);
}

static void unmap_list(void)
{
	static const u8 want[] = {
		0, 38, 0, 32, 0, 0, 0, 0,
		0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
		0xfe, 0xdc, 0xba, 0x98, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 0,
	};
	const u32 most = 255, room = SBC_UNMAP_HEADER + most * SBC_UNMAP_DESC;
	u8 *list = malloc(room);
	u32 i, len;

	memset(list, 0xff, room);
	sbc_unmap_desc(list, 0, 0x0123456789abcdef, 0xfedcba98);
	sbc_unmap_desc(list, 1, 1, 2);
	len = sbc_unmap_header(list, 2);
	/* and nothing is written behind it */
	for (i = 0; i < room; i++) {
		if (list[i] != (i < sizeof(want) ? want[i] : 0xff))
			break;
	}
	free(list);
	CHECK(len == sizeof(want), "%u bytes", len);
	CHECK(i == room, "byte %u differs", i);

	list = malloc(room);
	for (i = 0; i < most; i++)
		sbc_unmap_desc(list, i, i, i);
	len = sbc_unmap_header(list, most);
	i = list[0] << 8 | list[1];
	free(list);
	CHECK(len == room && i == room - 2, "%u, says %u", len, i);
}

/* ---- answers ----------------------------------------------------------------- */

/* What a parser makes of an answer, in a disk of 512 byte blocks */
static int parse(struct sbc_disk *d, enum sbc_parser parser, const u8 *from,
		 u32 len)
{
	u8 *b = exact(from, len);
	const char *complaint;
	int ret;

	sbc_blank(d);
	complaint = sbc_feed(d, parser, b, len, &ret);
	free(b);
	if (complaint) {
		printf("# parser %u, %u bytes: %s\n", parser, len, complaint);
		tap_bad = true;
	}
	return ret;
}

/* Each length from nothing to all of it: @needs bytes are enough for success */
static void truncate_all(enum sbc_parser parser, const u8 *b, u32 len,
			 u32 needs)
{
	struct sbc_disk d;
	u32 n;
	int ret;

	for (n = 0; n <= len; n++) {
		ret = parse(&d, parser, b, n);
		CHECK_OK();
		CHECK(ret == (n < needs ? -EINVAL : 0), "%u bytes: %d", n, ret);
	}
}

static const u8 inquiry[36] =
	"\0\x80\x06\2\x1f\0\0\0Msft    Virtual Disk    1.0 ";

static void inquiry_right(void)
{
	struct sbc_disk d;

	CHECK(!parse(&d, PARSE_INQUIRY, inquiry, 36), "fails");
	CHECK_OK();
	CHECK(d.type == SBC_TYPE_DISK, "type %u", d.type);
	CHECK(!strcmp(d.vendor, "Msft"), "'%s'", d.vendor);
	CHECK(!strcmp(d.product, "Virtual Disk"), "'%s'", d.product);
	CHECK(!strcmp(d.revision, "1.0"), "'%s'", d.revision);
	truncate_all(PARSE_INQUIRY, inquiry, 36, 5);
	CHECK_OK();
	/* without its last byte the strings are not taken */
	parse(&d, PARSE_INQUIRY, inquiry, 35);
	CHECK(!d.vendor[0] && !d.product[0] && !d.revision[0], "strings");
}

static void inquiry_types(void)
{
	u8 b[36];
	struct sbc_disk d;
	u32 i;

	memcpy(b, inquiry, 36);
	for (i = 0; i < 256; i++) {
		b[0] = i;
		CHECK(!parse(&d, PARSE_INQUIRY, b, 36), "type %02x", i);
		CHECK_OK();
		CHECK(d.type == (i < 32 ? i : SBC_TYPE_UNKNOWN),
		      "%02x becomes %02x", i, d.type);
	}
}

static void inquiry_hostile(void)
{
	struct sbc_disk d;
	u8 b[260];

	/* an additional length that is longer or shorter than the data */
	memcpy(b, inquiry, 36);
	b[4] = 255;
	CHECK(!parse(&d, PARSE_INQUIRY, b, 36), "fails");
	CHECK(!strcmp(d.vendor, "Msft"), "'%s'", d.vendor);
	b[4] = 30;
	CHECK(!parse(&d, PARSE_INQUIRY, b, 36), "fails");
	CHECK(!d.vendor[0], "'%s'", d.vendor);
	b[4] = 0;
	CHECK(!parse(&d, PARSE_INQUIRY, b, 36), "fails");
	CHECK(!d.vendor[0], "'%s'", d.vendor);

	/* strings that are full, empty, or no text */
	memset(b, 'x', sizeof(b));
	b[0] = 0;
	b[4] = 255;
	CHECK(!parse(&d, PARSE_INQUIRY, b, 260), "fails");
	CHECK_OK();
	CHECK(strlen(d.vendor) == 8 && strlen(d.product) == 16 &&
	      strlen(d.revision) == 4, "'%s' '%s' '%s'", d.vendor, d.product,
	      d.revision);
	memcpy(b + 8, "\0 a\n\x7f\xff\" ", 8);
	memset(b + 16, ' ', 16);
	memset(b + 32, 0, 4);
	CHECK(!parse(&d, PARSE_INQUIRY, b, 36), "fails");
	CHECK_OK();
	CHECK(!strcmp(d.vendor, "a...\""), "'%s'", d.vendor);
	CHECK(!d.product[0] && !d.revision[0], "'%s' '%s'", d.product,
	      d.revision);
}

static void vpd_list(void)
{
	static const u8 list[] = { 0, 0, 0, 4, 0x00, 0x80, 0x83, 0xb0 };
	struct sbc_disk d;
	u8 b[sizeof(list)];
	u32 n;
	u8 *e;

	for (n = 0; n <= sizeof(list); n++) {
		CHECK(parse(&d, PARSE_VPD_LIST, list, n) ==
		      (n < 4 ? 0 : (int)n - 4), "%u bytes", n);
		CHECK_OK();
		e = exact(list, n);
		tap_bad = sbc_has_vpd(e, n, 0xb0) != (n == 8) ||
			  sbc_has_vpd(e, n, 0xb1);
		free(e);
		CHECK(!tap_bad, "%u bytes", n);
	}
	/* the list's own length counts, as far as there are bytes */
	memcpy(b, list, sizeof(b));
	b[3] = 2;
	CHECK(parse(&d, PARSE_VPD_LIST, b, sizeof(b)) == 2, "2");
	b[2] = 0xff;
	b[3] = 0xff;
	CHECK(parse(&d, PARSE_VPD_LIST, b, sizeof(b)) == 4, "0xffff");
	/* not a list */
	b[1] = 0x80;
	CHECK(parse(&d, PARSE_VPD_LIST, b, sizeof(b)) == 0, "page 80");
}

static void serial(void)
{
	static const u8 page[] = { 0, 0x80, 0, 8,
				   ' ', 'S', 'N', ' ', '4', '2', ' ', 0 };
	struct sbc_disk d;
	u8 b[4 + 300];

	CHECK(!parse(&d, PARSE_VPD_80, page, sizeof(page)), "fails");
	CHECK(!strcmp(d.serial, "SN 42"), "'%s'", d.serial);
	truncate_all(PARSE_VPD_80, page, sizeof(page), 4);
	CHECK_OK();

	memset(b, 'x', sizeof(b));
	b[0] = 0;
	b[1] = 0x80;
	b[2] = 0xff;
	b[3] = 0xff;
	CHECK(!parse(&d, PARSE_VPD_80, b, sizeof(b)), "fails");
	CHECK_OK();
	CHECK(strlen(d.serial) == 64, "%zu characters", strlen(d.serial));
	/* a blank is where it is cut off */
	b[4 + 63] = ' ';
	CHECK(!parse(&d, PARSE_VPD_80, b, sizeof(b)), "fails");
	CHECK_OK();
	CHECK(strlen(d.serial) == 63, "%zu characters", strlen(d.serial));
	/* another page, none at all */
	b[1] = 0x83;
	CHECK(parse(&d, PARSE_VPD_80, b, sizeof(b)) == -EINVAL, "page 83");
	memset(b, 0, sizeof(b));
	CHECK(parse(&d, PARSE_VPD_80, b, sizeof(b)) == -EINVAL, "zeroes");
}

/* designators, to be put together: strings, each with a zero too many */
#define NAA8	"\x01\x03\0\x08\x50\1\2\3\4\5\6\7"
#define NAA16	"\x01\x03\0\x10\x60\x02\x24\x80\4\5\6\7\10\11\12\13\14\15\16\17"
#define EUI8	"\x01\x02\0\x08\x10\1\2\3\4\5\6\7"
#define T10	"\x02\x01\0\x0cMsft    disk"
#define T10_BIN	"\x01\x01\0\x0aMsft    \x9f\1"

static int ids(struct sbc_disk *d, const u8 *descs, u32 len)
{
	u8 b[4 + 512] = { 0, 0x83, len >> 8, len };

	memcpy(b + 4, descs, len);
	return parse(d, PARSE_VPD_83, b, len + 4);
}

static void is_id(const char *descs, u32 len, const char *want, u32 want_len,
		  bool naa)
{
	struct sbc_disk d;

	CHECK(!ids(&d, (const u8 *)descs, len), "%s: fails", want);
	CHECK_OK();
	CHECK(!strcmp(d.wwid, want), "'%s'", d.wwid);
	CHECK(d.id_len == want_len, "%s: %u bytes", want, d.id_len);
	CHECK(!d.id_len || d.id_is_naa == naa, "%s: naa", want);
}

#define IDS(descs, want, want_len, naa) do {				\
	is_id(descs, sizeof(descs) - 1, want, want_len, naa);		\
	CHECK_OK();							\
} while (0)

static void designators(void)
{
	static const u8 page[24] = "\0\x83\0\x14" NAA16;
	const u8 id[] = { 0x60, 0x02, 0x24, 0x80, 4, 5, 6, 7,
			  8, 9, 10, 11, 12, 13, 14, 15 };
	struct sbc_disk d;

	IDS(NAA8, "naa.5001020304050607", 8, true);
	IDS(NAA16, "naa.600224800405060708090a0b0c0d0e0f", 16, true);
	IDS(EUI8, "eui.1001020304050607", 8, false);
	IDS("\x01\x02\0\x0c\0\1\2\3\4\5\6\7\10\11\12\13",
	    "eui.000102030405060708090a0b", 12, false);
	IDS(T10, "t10.Msft    disk", 0, false);
	IDS(T10_BIN, "t10.4d736674202020209f01", 0, false);
	/* the best, wherever it stands */
	IDS(T10 EUI8 NAA8 NAA16, "naa.600224800405060708090a0b0c0d0e0f", 16,
	    true);
	IDS(NAA16 NAA8 EUI8 T10, "naa.600224800405060708090a0b0c0d0e0f", 16,
	    true);
	IDS(EUI8 NAA8 T10, "naa.5001020304050607", 8, true);
	IDS(T10 EUI8, "eui.1001020304050607", 8, false);
	/* what is behind an empty one is found */
	IDS("\1\0\0\0" NAA8, "naa.5001020304050607", 8, true);

	CHECK(!parse(&d, PARSE_VPD_83, page, sizeof(page)), "fails");
	CHECK(d.id_len == 16 && !memcmp(d.id, id, 16), "bytes");
	truncate_all(PARSE_VPD_83, page, sizeof(page), sizeof(page));
}

#define NO_IDS(...) do {						\
	struct sbc_disk d;						\
									\
	CHECK(ids(&d, BYTES(__VA_ARGS__), sizeof(BYTES(__VA_ARGS__))) ==\
	      -EINVAL, #__VA_ARGS__ ": taken");				\
	CHECK_OK();							\
} while (0)

static void designators_hostile(void)
{
	struct sbc_disk d;
	u8 b[260] = { 2, 1, 0, 255 };

	CHECK(ids(&d, b, 0) == -EINVAL, "an empty page: taken");
	/* of a target port, of a target */
	NO_IDS(0x01, 0x13, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
	NO_IDS(0x01, 0x23, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
	/* lengths that their type does not have, other types */
	NO_IDS(0x01, 0x03, 0, 0);
	NO_IDS(0x01, 0x03, 0, 7, 0x50, 1, 2, 3, 4, 5, 6);
	NO_IDS(0x01, 0x02, 0, 9, 0x50, 1, 2, 3, 4, 5, 6, 7, 8);
	NO_IDS(0x01, 0x01, 0, 0);
	NO_IDS(0x01, 0x00, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
	NO_IDS(0x01, 0x08, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
	/* over the end: by one, by far; a header that is cut off */
	NO_IDS(0x01, 0x03, 0, 8, 0x50, 1, 2, 3, 4, 5, 6);
	NO_IDS(0x01, 0x03, 0, 255, 0x50, 1, 2, 3, 4, 5, 6, 7);
	NO_IDS(0x01, 0x03, 0);
	NO_IDS(1, 0, 0, 0, 1);
	/* one that is behind such a one is not looked for */
	NO_IDS(0x01, 0x03, 0, 16, 0x01, 0x03, 0, 8, 0x50, 1, 2, 3, 4, 5, 6, 7);
	/* a good one stays good */
	IDS(NAA8 "\1\3\0\xff\x60", "naa.5001020304050607", 8, true);

	/* the longest there is, as text and not */
	memset(b + 4, 'y', 255);
	CHECK(!ids(&d, b, 259), "fails");
	CHECK_OK();
	CHECK(strlen(d.wwid) == 100, "%zu characters", strlen(d.wwid));
	b[0] = 1;
	CHECK(!ids(&d, b, 259), "fails");
	CHECK_OK();
	CHECK(strlen(d.wwid) == 100, "%zu characters", strlen(d.wwid));
	/* a page length beyond the data */
	memcpy(b, "\0\x83\xff\xff" NAA8, 16);
	CHECK(!parse(&d, PARSE_VPD_83, b, 16), "fails");
	CHECK(!strcmp(d.wwid, "naa.5001020304050607"), "'%s'", d.wwid);
}

static void same_name(void)
{
	struct sbc_disk a, b;

	/* two units whose identifiers differ in a byte that is no text */
	ids(&a, BYTES(1, 1, 0, 9, 'M', 's', 'f', 't', ' ', ' ', ' ', ' ', 1),
	    13);
	ids(&b, BYTES(1, 1, 0, 9, 'M', 's', 'f', 't', ' ', ' ', ' ', ' ', 2),
	    13);
	CHECK_OK();
	CHECK(strcmp(a.wwid, b.wwid), "both are '%s'", a.wwid);
}

static void put(u8 *b, u32 bytes, u64 v)
{
	while (bytes--) {
		b[bytes] = v;
		v >>= 8;
	}
}

static void limits(void)
{
	u8 b[64] = { 0, 0xb0, 0, 60 };
	struct sbc_disk d;
	u32 n;

	put(b + 6, 2, 8);
	put(b + 8, 4, 1024);
	put(b + 12, 4, 128);
	put(b + 20, 4, 0x10000);
	put(b + 24, 4, 255);
	put(b + 28, 4, 16);
	put(b + 32, 4, 0x80000005);
	put(b + 36, 8, 0x123456789a);
	CHECK(!parse(&d, PARSE_VPD_B0, b, 64), "fails");
	CHECK_OK();
	CHECK(d.io_min == 4096 && d.max_transfer == 524288 &&
	      d.io_opt == 65536, "%u %llu %u", d.io_min,
	      (unsigned long long)d.max_transfer, d.io_opt);
	CHECK(d.unmap_max_blocks == 0x10000 && d.unmap_max_descs == 255,
	      "%u %u", d.unmap_max_blocks, d.unmap_max_descs);
	CHECK(d.unmap_granularity == 8192 && d.unmap_alignment == 2560,
	      "%u %u", d.unmap_granularity, d.unmap_alignment);
	CHECK(d.ws_max_blocks == 0x123456789a, "%llx",
	      (unsigned long long)d.ws_max_blocks);
	truncate_all(PARSE_VPD_B0, b, 64, 16);
	CHECK_OK();
	/* a field is taken whole or not at all */
	for (n = 16; n < 44; n++) {
		parse(&d, PARSE_VPD_B0, b, n);
		CHECK(!d.unmap_max_blocks && !d.unmap_max_descs &&
		      !d.unmap_granularity && !d.unmap_alignment &&
		      !d.ws_max_blocks, "%u bytes", n);
	}
	/* so for what the page says of its length */
	b[3] = 0x0c;
	CHECK(!parse(&d, PARSE_VPD_B0, b, 64), "fails");
	CHECK(d.io_opt == 65536 && !d.unmap_max_blocks, "%u %u", d.io_opt,
	      d.unmap_max_blocks);
	b[3] = 0x0b;
	CHECK(parse(&d, PARSE_VPD_B0, b, 64) == -EINVAL, "too short: taken");
	/* no alignment without its flag */
	b[3] = 60;
	b[32] = 0;
	CHECK(!parse(&d, PARSE_VPD_B0, b, 64), "fails");
	CHECK(!d.unmap_alignment, "%u", d.unmap_alignment);
}

static void limits_hostile(void)
{
	static const u32 values[] = { 0, 1, 2, 3, 0x7fffff, 0x800000, 0x800001,
				      0x7fffffff, 0x80000000, 0x80000001,
				      0x80800001, 0xffffffff };
	const u32 n = sizeof(values) / sizeof(values[0]);
	u8 b[64] = { 0, 0xb0, 0xff, 0xff };
	struct sbc_disk d;
	u32 i, j, bs;
	int ret;

	for (i = 0; i < n; i++) {
		for (j = 0; j < n; j++) {
			for (bs = 512; bs <= SBC_BLOCK_MAX; bs *= 2) {
				memset(b + 4, values[i], 60);
				put(b + 12, 4, values[i]);
				put(b + 28, 4, values[i]);
				put(b + 32, 4, values[j]);
				sbc_blank(&d);
				d.block_size = bs;
				d.physical_block_size = bs;
				CHECK(!sbc_feed(&d, PARSE_VPD_B0, b, 64, &ret),
				      "granularity %x, alignment %x, block %u: %s",
				      values[i], values[j], bs,
				      sbc_complaint(&d) ?: "?");
				CHECK(!ret, "%d", ret);
			}
		}
	}
	/* more than 32 bits of bytes: not reported */
	memset(b + 4, 0xff, 60);
	CHECK(!parse(&d, PARSE_VPD_B0, b, 64), "fails");
	CHECK(!d.io_opt && !d.unmap_granularity && !d.unmap_alignment,
	      "%u %u %u", d.io_opt, d.unmap_granularity, d.unmap_alignment);
	CHECK(d.max_transfer == 0xffffffffull * 512, "max_transfer");
}

static void characteristics(void)
{
	u8 b1[64] = { 0, 0xb1, 0, 60 }, b2[8] = { 0, 0xb2, 0, 4 };
	struct sbc_disk d;
	u32 i;

	for (i = 0; i < 65536; i += i < 16 ? 1 : 1117) {
		put(b1 + 4, 2, i);
		CHECK(!parse(&d, PARSE_VPD_B1, b1, 64), "%u", i);
		CHECK(d.rotational == (i != 1), "%u", i);
	}
	truncate_all(PARSE_VPD_B1, b1, 64, 6);
	CHECK_OK();
	for (i = 0; i < 256; i++) {
		b2[5] = i;
		CHECK(!parse(&d, PARSE_VPD_B2, b2, 8), "%02x", i);
		CHECK(d.unmap == !!(i & 0x80) && d.ws_unmap == !!(i & 0x40) &&
		      d.lbprz == !!(i & 0x04), "%02x: %u %u %u", i, d.unmap,
		      d.ws_unmap, d.lbprz);
	}
	truncate_all(PARSE_VPD_B2, b2, 8, 6);
	CHECK_OK();
	/* page lengths that end ahead of what is asked for */
	b1[3] = 1;
	b2[3] = 1;
	CHECK(parse(&d, PARSE_VPD_B1, b1, 64) == -EINVAL, "b1");
	CHECK(parse(&d, PARSE_VPD_B2, b2, 8) == -EINVAL, "b2");
	/* what READ CAPACITY has said of zeroes stays true */
	sbc_blank(&d);
	d.lbprz = true;
	b2[3] = 4;
	b2[5] = 0;
	CHECK(!sbc_parse_vpd(&d, 0xb2, b2, 8) && d.lbprz, "lbprz");
}

/* A capacity as the parser takes it: last block, block size */
static int capacity_16(struct sbc_disk *d, u64 last, u32 size, u8 exponent,
		       u16 lowest)
{
	u8 b[32] = { };

	put(b, 8, last);
	put(b + 8, 4, size);
	b[13] = exponent;
	put(b + 14, 2, lowest);
	return parse(d, PARSE_CAPACITY_16, b, 32);
}

static int capacity_10(struct sbc_disk *d, u32 last, u32 size)
{
	u8 b[8];

	put(b, 4, last);
	put(b + 4, 4, size);
	return parse(d, PARSE_CAPACITY_10, b, 8);
}

static void capacities(void)
{
	u8 b[32] = { 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 2, 0, 0, 3, 0xc0, 7 };
	struct sbc_disk d;
	u32 n;

	CHECK(!capacity_10(&d, 2047, 512), "fails");
	CHECK(d.blocks == 2048 && d.block_size == 512 &&
	      d.physical_block_size == 512 && !d.alignment, "10");
	CHECK(!capacity_10(&d, 0xfffffffe, 4096), "fails");
	CHECK(d.blocks == 0xffffffff && d.block_size == 4096, "10");
	CHECK(capacity_10(&d, 0xffffffff, 512) == -EFBIG, "10: 0xffffffff");
	truncate_all(PARSE_CAPACITY_10, BYTES(0, 0, 0, 9, 0, 0, 2, 0), 8, 8);
	CHECK_OK();

	CHECK(!parse(&d, PARSE_CAPACITY_16, b, 32), "fails");
	CHECK_OK();
	CHECK(d.blocks == 10 && d.block_size == 512, "16");
	CHECK(d.physical_block_size == 4096 && d.alignment == 3584 && d.lbprz,
	      "%u %u %u", d.physical_block_size, d.alignment, d.lbprz);
	truncate_all(PARSE_CAPACITY_16, b, 32, 12);
	CHECK_OK();
	for (n = 12; n < 16; n++) {
		CHECK(!parse(&d, PARSE_CAPACITY_16, b, n), "fails");
		CHECK(d.physical_block_size == 512 && !d.alignment && !d.lbprz,
		      "%u bytes", n);
	}
	CHECK(!capacity_16(&d, 0xffffffff, 4096, 0, 0), "2^32 blocks");
	CHECK(d.blocks == 0x100000000 && d.block_size == 4096, "2^32 blocks");
}

static void capacities_hostile(void)
{
	static const u32 sizes[] = { 0, 1, 2, 256, 511, 513, 520, 528, 1023,
				     4095, 4097, 4104, 8192, 65536, 0x80000000,
				     0xfffffe00, 0xffffffff };
	struct sbc_disk d;
	u32 i, bs;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		CHECK(capacity_10(&d, 99, sizes[i]) == -EINVAL, "10: %u",
		      sizes[i]);
		CHECK(capacity_16(&d, 99, sizes[i], 0, 0) == -EINVAL, "16: %u",
		      sizes[i]);
	}
	for (bs = 512; bs <= SBC_BLOCK_MAX; bs *= 2) {
		u64 most = (1ull << 62) / bs;

		CHECK(capacity_16(&d, ~0ull, bs, 0, 0) == -EINVAL, "2^64");
		CHECK(capacity_16(&d, ~0ull - 1, bs, 0, 0) == -EINVAL, "2^64-1");
		CHECK(capacity_16(&d, most, bs, 0, 0) == -EINVAL, "too large");
		CHECK(!capacity_16(&d, most - 1, bs, 0, 0), "not too large");
		CHECK(d.blocks == most, "blocks");
		/* a physical block is of some use, and its start is in it */
		for (i = 0; i < 16; i++) {
			CHECK(!capacity_16(&d, 99, bs, i | 0xf0, 0x3fff),
			      "exponent %u", i);
			CHECK_OK();
			CHECK(d.physical_block_size == bs << min(i, 8u),
			      "exponent %u: %u", i, d.physical_block_size);
		}
	}
	CHECK(!capacity_16(&d, 0, 512, 0, 0) && d.blocks == 1, "one block");
}

static int mode(struct sbc_disk *d, const u8 *b, u32 len)
{
	return parse(d, PARSE_MODE, b, len);
}

static void mode_caching(void)
{
	/* header, block descriptor, page */
	u8 b[4 + 8 + 20] = { 31, 0, 0, 8, [12] = 0x08, 18, 0x04 };
	u8 plain[4 + 20] = { 23, 0, 0x90, 0, 0x88, 18, 0 };
	struct sbc_disk d;
	u32 n;

	CHECK(!mode(&d, plain, 24), "fails");
	CHECK(d.read_only && d.fua && !d.write_cache, "%u %u %u", d.read_only,
	      d.fua, d.write_cache);
	plain[2] = 0x6f;
	plain[6] = 0x04;
	CHECK(!mode(&d, plain, 24), "fails");
	CHECK(!d.read_only && !d.fua && d.write_cache, "%u %u %u", d.read_only,
	      d.fua, d.write_cache);
	plain[6] = 0xfb;
	CHECK(!mode(&d, plain, 24) && !d.write_cache, "other bits");
	truncate_all(PARSE_MODE, plain, 24, 4);
	CHECK_OK();
	/* a page that is not there, or not all: as if there was a cache */
	for (n = 4; n < 7; n++)
		CHECK(!mode(&d, plain, n) && d.write_cache, "%u bytes", n);
	CHECK(!mode(&d, plain, 7) && !d.write_cache, "7 bytes");
	plain[0] = 5;
	CHECK(!mode(&d, plain, 24) && d.write_cache, "length 5");
	plain[0] = 255;
	CHECK(!mode(&d, plain, 24) && !d.write_cache, "length 255");
	plain[0] = 0;
	CHECK(!mode(&d, plain, 24) && d.write_cache, "length 0");
	plain[0] = 23;
	plain[4] = 0x0a;
	CHECK(!mode(&d, plain, 24) && d.write_cache, "another page");

	/* a block descriptor, although none was asked for */
	b[14] = 0;
	CHECK(!mode(&d, b, 32) && !d.write_cache, "descriptor");
	b[14] = 0x04;
	CHECK(!mode(&d, b, 32) && d.write_cache, "descriptor");
	truncate_all(PARSE_MODE, b, 32, 4);
	CHECK_OK();
	for (n = 0; n < 256; n++) {
		b[3] = n;
		CHECK(!mode(&d, b, 32), "descriptors of %u bytes", n);
		CHECK_OK();
	}
}

/* The same for MODE SENSE(10), and pages one after the other */
static void mode_ten(void)
{
	/* header, control page, caching page */
	u8 b[8 + 12 + 20] = { 0, 38, 0, 0x80, [8] = 0x0a, 10,
			      [20] = 0x08, 18, 0x04 };
	u8 all[4 + 8 + 20] = { 31, 0, 0x10, 0, 0x41, 5, 0, 4,
			       [12] = 0x08, 18, 0 };
	struct sbc_disk d;
	u32 n;

	CHECK(!parse(&d, PARSE_MODE_10, b, 40), "fails");
	CHECK(d.read_only && !d.fua && d.write_cache && d.write_cache_reported,
	      "%u %u %u %u", d.read_only, d.fua, d.write_cache,
	      d.write_cache_reported);
	CHECK(d.reported == (SBC_REPORTED_PROTECTION | SBC_REPORTED_CACHE), "%x", d.reported);
	b[22] = 0;
	CHECK(!parse(&d, PARSE_MODE_10, b, 40) && !d.write_cache, "off");
	truncate_all(PARSE_MODE_10, b, 40, 8);
	CHECK_OK();
	for (n = 8; n < 23; n++)
		CHECK(!parse(&d, PARSE_MODE_10, b, n) && d.write_cache &&
		      !d.write_cache_reported && d.reported == SBC_REPORTED_PROTECTION,
		      "%u bytes", n);
	/* a block descriptor */
	b[1] = 26;
	b[7] = 12;
	CHECK(!parse(&d, PARSE_MODE_10, b, 40) && !d.write_cache, "descriptor");
	b[6] = 0xff;
	CHECK(!parse(&d, PARSE_MODE_10, b, 40) && d.write_cache, "far away");

	/* behind a sub-page, whose length has two bytes */
	CHECK(!mode(&d, all, 32) && !d.write_cache && d.fua, "sub-page");
	/* a sub-page of the caching page is another one */
	all[12] = 0x48;
	CHECK(!mode(&d, all, 32) && d.write_cache && !d.write_cache_reported,
	      "another page");
}

static void report_luns(void)
{
	u8 b[8 + 3 * 8] = { 0, 0, 0, 24, [17] = 3, [24] = 0x40, 255 };
	struct sbc_disk d;
	u8 *e = exact(b, sizeof(b));
	int lun[3];
	u32 n, i;

	n = sbc_luns(e, sizeof(b));
	for (i = 0; i < 3; i++)
		lun[i] = sbc_lun(e, i);
	free(e);
	CHECK(n == 3, "%u", n);
	CHECK(lun[0] == 0 && lun[1] == 3 && lun[2] == 255, "%d %d %d", lun[0],
	      lun[1], lun[2]);
	for (n = 0; n <= sizeof(b); n++) {
		CHECK(parse(&d, PARSE_LUNS, b, n) ==
		      (n < 8 ? 0 : (int)(n - 8) / 8), "%u bytes", n);
		CHECK_OK();
	}
	/* lists that are longer than the data, shorter, or no whole entries */
	put(b, 4, 0xffffffff);
	CHECK(parse(&d, PARSE_LUNS, b, sizeof(b)) == 3, "0xffffffff");
	put(b, 4, 0xfffffff8);
	CHECK(parse(&d, PARSE_LUNS, b, sizeof(b)) == 3, "0xfffffff8");
	put(b, 4, 23);
	CHECK(parse(&d, PARSE_LUNS, b, sizeof(b)) == 2, "23");
	put(b, 4, 7);
	CHECK(parse(&d, PARSE_LUNS, b, sizeof(b)) == 0, "7");
	put(b, 4, 0);
	CHECK(parse(&d, PARSE_LUNS, b, sizeof(b)) == 0, "0");
}

static void lun_formats(void)
{
	u8 b[16] = { 0, 0, 0, 8 };
	int lun, want;
	u32 i, j;

	/* peripheral and flat addressing of 8 bits; no bus, nothing more */
	for (i = 0; i < 256; i++) {
		b[8] = i;
		b[9] = 42;
		lun = sbc_lun(b, 0);
		want = i == 0 || i == 0x40 ? 42 : -EINVAL;
		CHECK(lun == want, "%02x: %d", i, lun);
	}
	b[8] = 0;
	for (i = 0; i < 256; i++) {
		b[9] = i;
		CHECK(sbc_lun(b, 0) == (int)i, "LUN %u", i);
	}
	/* more levels */
	for (i = 10; i < 16; i++) {
		for (j = 1; j < 256; j++) {
			b[i] = j;
			CHECK(sbc_lun(b, 0) == -EINVAL, "byte %u: %02x", i, j);
		}
		b[i] = 0;
	}
}

/* ---- noise --------------------------------------------------------------------- */

static u64 state = 1;

static u32 rng(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state >> 16;
}

/* Bytes that look like something: small numbers, zeroes and page codes */
static u8 noise(void)
{
	static const u8 likely[] = { 0, 0, 0, 1, 2, 3, 8, 16, 0x10, 0x40, 0x80,
				     0x83, 0xb0, 0xb1, 0xb2, 0xff };

	return rng() & 1 ? likely[rng() % sizeof(likely)] : rng();
}

static void all_bytes_same(void)
{
	struct sbc_disk d;
	u8 b[512];
	u32 v, p, n;

	for (v = 0; v < 256; v++) {
		memset(b, v, sizeof(b));
		for (p = 0; p < PARSERS; p++) {
			for (n = 0; n < 80; n += 1 + n / 16)
				parse(&d, p, b, n);
			parse(&d, p, b, sizeof(b));
			CHECK_OK();
		}
	}
}

static void random_answers(void)
{
	struct sbc_disk d;
	struct sbc_answer a;
	const char *complaint;
	u32 i, j, p, len;
	u8 b[520], *e;
	int ret;

	sbc_blank(&d);
	for (i = 0; i < 400000; i++) {
		p = rng() % (PARSERS + 1);
		len = rng() % (rng() & 7 ? 72 : sizeof(b) + 1);
		for (j = 0; j < len; j++)
			b[j] = noise();
		/* or most of it stops at the first check */
		if (p >= PARSE_VPD_80 && p <= PARSE_VPD_B2 && len > 3) {
			b[1] = BYTES(0x80, 0x83, 0xb0, 0xb1, 0xb2)
				[p - PARSE_VPD_80];
			put(b + 2, 2, rng() & 3 ? len - 4 : rng());
		}
		if (p == PARSE_CAPACITY_16 && len > 12)
			put(b + 8, 4, 512u << rng() % 5);
		e = exact(b, len);
		if (p < PARSERS) {
			complaint = sbc_feed(&d, p, e, len, &ret);
		} else {
			a = (struct sbc_answer){
				.srb_status = noise(), .scsi_status = noise(),
				.sense = e, .sense_len = len,
				.command = rng() % 3,
			};
			complaint = sbc_feed_judge(&a);
		}
		free(e);
		CHECK(!complaint, "round %u, parser %u, %u bytes: %s", i, p,
		      len, complaint);
		if (!(rng() & 15))
			sbc_blank(&d);
	}
}

/* ---- outcomes ------------------------------------------------------------------ */

static struct sbc_verdict judge(u8 srb, u8 status, const u8 *sense, u32 len,
				enum sbc_command command)
{
	u8 *e = exact(sense, len);
	struct sbc_answer a = { .srb_status = srb, .scsi_status = status,
				.sense = e, .sense_len = len,
				.command = command };
	struct sbc_verdict v = sbc_judge(&a);

	if (sbc_feed_judge(&a)) {
		printf("# %s\n", sbc_feed_judge(&a));
		tap_bad = true;
	}
	free(e);
	return v;
}

/* What SRB and SCSI status say without sense data */
static enum sbc_outcome plain(u8 srb, u8 status, enum sbc_command command,
			      u32 *hints, bool *retry)
{
	*hints = 0;
	*retry = false;
	switch (srb) {
	case 0x07:		/* path, device, LUN, target: not there */
	case 0x08:
	case 0x20:
	case 0x21:
		*hints = SBC_HINT_LUNS;
		return SBC_GONE;
	}
	switch (status) {
	case 0x00:
		if (srb == 0x01)
			return SBC_OK;
		/* less was moved: where nothing is counted, it was not done */
		if (srb == 0x12)
			return command == SBC_CMD_KNOWN ? SBC_OK : SBC_IO_ERROR;
		break;
	case 0x08:		/* busy, task set full */
	case 0x28:
		return SBC_RETRY_LATER;
	case 0x18:		/* reservation conflict */
		return SBC_RESERVED;
	case 0x40:		/* task aborted */
		*retry = true;
		return SBC_IO_ERROR;
	}
	switch (srb) {
	case 0x05:		/* busy */
		return SBC_RETRY_LATER;
	case 0x02:		/* aborted, timeouts, reset, flushed */
	case 0x09:
	case 0x0b:
	case 0x0e:
	case 0x16:
	case 0x04:		/* error, selection timeout, internal error */
	case 0x0a:
	case 0x30:
		*retry = true;
		return SBC_IO_ERROR;
	case 0x06:		/* invalid request */
		*retry = command == SBC_CMD_FLUSH;
		return command == SBC_CMD_OPTIONAL ? SBC_NOT_SUPPORTED :
						     SBC_TARGET_ERROR;
	}
	return SBC_IO_ERROR;
}

static void every_status(void)
{
	u32 srb, status, hints, command;
	struct sbc_verdict v;
	enum sbc_outcome want;
	bool retry;

	for (srb = 0; srb < 256; srb++) {
		for (status = 0; status < 256; status++) {
			for (command = 0; command < 3; command++) {
				v = judge(srb, status, NULL, 0, command);
				CHECK_OK();
				want = plain(srb & 0x3f, status, command,
					     &hints, &retry);
				CHECK(v.outcome == want && v.hints == hints &&
				      v.retry == retry,
				      "SRB %02x, status %02x: %u, %x, %u", srb,
				      status, v.outcome, v.hints, v.retry);
				CHECK(!v.key && !v.asc, "sense");
				CHECK(v.srb_status == srb &&
				      v.scsi_status == status, "status");
			}
		}
	}
}

enum { NO, AGAIN };

static const struct sense_row {
	u8 key;
	u16 asc;
	enum sbc_outcome outcome;
	u32 hints;
	bool retry;
	enum sbc_outcome optional;	/* of UNMAP and WRITE SAME */
	enum sbc_outcome flush;
	bool flush_retry;
} sense_rows[] = {
#define ROW(key, asc, outcome, hints, retry) \
	{ key, asc, outcome, hints, retry, outcome, outcome, retry }
	ROW(0x0, 0x0000, SBC_OK, 0, NO),
	ROW(0x1, 0x1701, SBC_OK, 0, NO),
	ROW(0x2, 0x0400, SBC_IO_ERROR, 0, NO),
	ROW(0x2, 0x0401, SBC_RETRY_LATER, 0, NO),
	ROW(0x2, 0x0402, SBC_IO_ERROR, 0, NO),
	ROW(0x2, 0x0404, SBC_RETRY_LATER, 0, NO),
	ROW(0x2, 0x0407, SBC_RETRY_LATER, 0, NO),
	ROW(0x2, 0x040a, SBC_RETRY_LATER, 0, NO),
	ROW(0x2, 0x3a00, SBC_IO_ERROR, 0, NO),
	/* any error of what is behind the disk */
	ROW(0x3, 0x0000, SBC_IO_ERROR, 0, AGAIN),
	ROW(0x3, 0x0c00, SBC_MEDIUM_ERROR, 0, AGAIN),
	ROW(0x3, 0x1000, SBC_MEDIUM_ERROR, 0, AGAIN),
	ROW(0x3, 0x3100, SBC_MEDIUM_ERROR, 0, AGAIN),
	/* the medium itself */
	ROW(0x3, 0x1100, SBC_MEDIUM_ERROR, 0, NO),
	ROW(0x3, 0x1104, SBC_MEDIUM_ERROR, 0, NO),
	ROW(0x3, 0x1300, SBC_MEDIUM_ERROR, 0, NO),
	ROW(0x3, 0x1401, SBC_MEDIUM_ERROR, 0, NO),
	ROW(0x4, 0x4400, SBC_TARGET_ERROR, 0, NO),
	{ 0x5, 0x0000, SBC_TARGET_ERROR, 0, NO, SBC_TARGET_ERROR,
	  SBC_TARGET_ERROR, AGAIN },
	{ 0x5, 0x2000, SBC_TARGET_ERROR, 0, NO, SBC_NOT_SUPPORTED,
	  SBC_NOT_SUPPORTED, NO },
	{ 0x5, 0x2400, SBC_TARGET_ERROR, 0, NO, SBC_NOT_SUPPORTED,
	  SBC_TARGET_ERROR, AGAIN },
	{ 0x5, 0x2600, SBC_TARGET_ERROR, 0, NO, SBC_NOT_SUPPORTED,
	  SBC_TARGET_ERROR, AGAIN },
	{ 0x5, 0x2100, SBC_TARGET_ERROR, 0, NO, SBC_TARGET_ERROR,
	  SBC_TARGET_ERROR, AGAIN },
	ROW(0x5, 0x2500, SBC_GONE, SBC_HINT_LUNS, NO),
	ROW(0x6, 0x2900, SBC_IO_ERROR, 0, AGAIN),
	ROW(0x6, 0x2a01, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x2a02, SBC_IO_ERROR, 0, AGAIN),
	ROW(0x6, 0x2a09, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x3f00, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x3f02, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x3f03, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x3fff, SBC_IO_ERROR, SBC_HINT_CAPACITY, AGAIN),
	ROW(0x6, 0x3f0e, SBC_IO_ERROR, SBC_HINT_LUNS, AGAIN),
	ROW(0x6, 0x3807, SBC_IO_ERROR, 0, AGAIN),
	ROW(0x7, 0x2700, SBC_TARGET_ERROR, SBC_HINT_CAPACITY, NO),
	ROW(0x7, 0x2707, SBC_NO_SPACE, 0, NO),
	ROW(0x8, 0x0000, SBC_IO_ERROR, 0, NO),
	ROW(0x9, 0x8000, SBC_IO_ERROR, 0, NO),
	ROW(0xa, 0x0000, SBC_IO_ERROR, 0, NO),
	ROW(0xb, 0x0000, SBC_IO_ERROR, 0, AGAIN),
	ROW(0xb, 0x4b00, SBC_IO_ERROR, 0, AGAIN),
	ROW(0xb, 0x1001, SBC_PROTECTION, 0, NO),
	ROW(0xb, 0x1003, SBC_PROTECTION, 0, NO),
	ROW(0xc, 0x0000, SBC_IO_ERROR, 0, NO),
	ROW(0xd, 0x0000, SBC_IO_ERROR, 0, NO),
	ROW(0xe, 0x1d00, SBC_IO_ERROR, 0, NO),
	ROW(0xf, 0x0000, SBC_OK, 0, NO),
#undef ROW
};

#define SENSE_ROWS	(sizeof(sense_rows) / sizeof(sense_rows[0]))

/* Sense data of 20 bytes; what is no key or code is full of bits */
static void make_sense(u8 *s, u8 response, u8 key, u16 asc)
{
	memset(s, 0xf0, 20);
	s[0] = response;
	if (response & 2) {
		s[1] |= key;
		s[2] = asc >> 8;
		s[3] = asc;
	} else {
		s[2] |= key;
		s[12] = asc >> 8;
		s[13] = asc;
	}
}

static void every_sense(void)
{
	/* fixed and descriptor format; bit 7 of the fixed one: information */
	static const u8 responses[] = { 0x70, 0xf0, 0x72, 0xf2 };
	struct sbc_verdict v;
	u32 i, r, command;
	u8 s[20];

	for (i = 0; i < SENSE_ROWS; i++) {
		const struct sense_row *row = &sense_rows[i];
		const enum sbc_outcome want[] = { row->outcome, row->optional,
						  row->flush };
		const bool retry[] = { row->retry, row->retry,
				       row->flush_retry };

		for (r = 0; r < sizeof(responses); r++) {
			for (command = 0; command < 3; command++) {
				make_sense(s, responses[r], row->key, row->asc);
				v = judge(0x84, 2, s, sizeof(s), command);
				CHECK_OK();
				CHECK(v.outcome == want[command] &&
				      v.retry == retry[command],
				      "%02x: key %x, code %04x, command %u: %u, %u",
				      responses[r], row->key, row->asc, command,
				      v.outcome, v.retry);
				CHECK(v.hints == row->hints && v.key == row->key
				      && v.asc == row->asc,
				      "key %x, code %04x: %x %x %04x", row->key,
				      row->asc, v.hints, v.key, v.asc);
			}
		}
	}
}

static void deferred_sense(void)
{
	struct sbc_verdict v;
	u32 i;
	u8 s[20];

	/* an earlier command's; this one was not carried out, whatever it says */
	for (i = 0; i < SENSE_ROWS; i++) {
		make_sense(s, 0x71, sense_rows[i].key, sense_rows[i].asc);
		v = judge(0x84, 2, s, sizeof(s), SBC_CMD_KNOWN);
		CHECK(v.outcome == SBC_IO_ERROR && v.retry &&
		      v.key == sense_rows[i].key,
		      "fixed, key %x: %u", v.key, v.outcome);
		make_sense(s, 0x73, sense_rows[i].key, sense_rows[i].asc);
		v = judge(0x84, 2, s, sizeof(s), SBC_CMD_OPTIONAL);
		CHECK(v.outcome == SBC_IO_ERROR && v.retry &&
		      v.key == sense_rows[i].key,
		      "descriptor, key %x: %u", v.key, v.outcome);
	}
}

static void truncated_sense(void)
{
	struct sbc_verdict v;
	u8 s[20];
	u32 n;

	make_sense(s, 0x70, 0x6, 0x3f0e);
	for (n = 0; n <= 20; n++) {
		v = judge(0x84, 2, s, n, SBC_CMD_KNOWN);
		/* less than that is none, and no answer to rely on */
		CHECK(v.outcome == SBC_IO_ERROR && v.retry,
		      "fixed, %u bytes: %u", n, v.outcome);
		CHECK(v.asc == (n < 13 ? 0 : n < 14 ? 0x3f00 : 0x3f0e) &&
		      v.hints == (n < 13 ? 0 : n < 14 ? SBC_HINT_CAPACITY :
				  SBC_HINT_LUNS),
		      "fixed, %u bytes: %04x", n, v.asc);
	}
	make_sense(s, 0x72, 0x6, 0x3f0e);
	for (n = 0; n <= 20; n++) {
		v = judge(0x84, 2, s, n, SBC_CMD_KNOWN);
		/* less than that is none, and no answer to rely on */
		CHECK(v.outcome == SBC_IO_ERROR && v.retry,
		      "descriptor, %u bytes: %u", n, v.outcome);
		CHECK(v.asc == (n < 3 ? 0 : n < 4 ? 0x3f00 : 0x3f0e),
		      "descriptor, %u bytes: %04x", n, v.asc);
	}
}

static void sense_that_does_not_count(void)
{
	struct sbc_verdict v;
	u8 s[20];
	u32 i;

	/* a medium error: without the flag, or with another status */
	make_sense(s, 0x70, 0x3, 0x1100);
	v = judge(0x04, 2, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_IO_ERROR && !v.key, "no flag: %u", v.outcome);
	v = judge(0x84, 0, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_IO_ERROR && !v.key, "good: %u", v.outcome);
	v = judge(0x81, 0, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_OK && !v.key, "success: %u", v.outcome);
	v = judge(0x84, 8, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_RETRY_LATER && !v.key, "busy: %u", v.outcome);
	/* the unit is gone, says the host */
	v = judge(0xa0, 2, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_GONE && !v.key, "no LUN: %u", v.outcome);
	/* the frozen queue's flag is not part of the status */
	v = judge(0xc4, 2, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_MEDIUM_ERROR && v.key == 3, "frozen");
	v = judge(0x41, 0, NULL, 0, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_OK, "frozen: %u", v.outcome);
	/* a check condition counts, whatever the SRB status beside it */
	v = judge(0x81, 2, s, 20, SBC_CMD_KNOWN);
	CHECK(v.outcome == SBC_MEDIUM_ERROR, "success: %u", v.outcome);
	/* other formats */
	for (i = 0; i < 256; i++) {
		bool known = (i & 0x7f) >= 0x70 && (i & 0x7f) <= 0x73;

		make_sense(s, i, 0x3, 0x1100);
		v = judge(0x84, 2, s, 20, SBC_CMD_KNOWN);
		CHECK(known == (v.key == 3), "%02x: %u", i, v.outcome);
	}
}

int main(void)
{
	tap_test("sbc: READ and WRITE", read_write);
	tap_test("sbc: of 10 bytes or 16, at the limits", read_write_limits);
	tap_test("sbc: the other commands", other_commands);
	tap_test("sbc: UNMAP's list", unmap_list);
	tap_test("sbc: INQUIRY", inquiry_right);
	tap_test("sbc: INQUIRY, each type", inquiry_types);
	tap_test("sbc: INQUIRY, hostile lengths and strings", inquiry_hostile);
	tap_test("sbc: the list of VPD pages", vpd_list);
	tap_test("sbc: serial number", serial);
	tap_test("sbc: designators, best first", designators);
	tap_test("sbc: designators, hostile", designators_hostile);
	tap_test("sbc: binary identifiers stay different", same_name);
	tap_test("sbc: block limits", limits);
	tap_test("sbc: block limits, extremes", limits_hostile);
	tap_test("sbc: characteristics and provisioning", characteristics);
	tap_test("sbc: READ CAPACITY", capacities);
	tap_test("sbc: READ CAPACITY, hostile", capacities_hostile);
	tap_test("sbc: MODE SENSE", mode_caching);
	tap_test("sbc: MODE SENSE(10), and more pages", mode_ten);
	tap_test("sbc: REPORT LUNS", report_luns);
	tap_test("sbc: formats of LUNs", lun_formats);
	tap_test("sbc: answers of one byte only", all_bytes_same);
	tap_test("sbc: random answers", random_answers);
	tap_test("sbc: every SRB and SCSI status", every_status);
	tap_test("sbc: every sense key, both formats", every_sense);
	tap_test("sbc: deferred errors", deferred_sense);
	tap_test("sbc: truncated sense data", truncated_sense);
	tap_test("sbc: sense data that does not count",
		 sense_that_does_not_count);
	return tap_done();
}
