/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SCSI commands of a disk as bytes: commands are encoded, answers and sense data
 * decoded. No I/O and no kernel service, so that this is tested in user space, with
 * answers that no disk would give.
 *
 * Formats: SPC-4 (INQUIRY, MODE SENSE, REPORT LUNS, sense data) and SBC-3 (all
 * else). Answers of the host are checked here: a parser reads no byte beyond the
 * length that it is passed, and the values that it stores are in range.
 *
 * Nothing here sleeps or locks.
 */
#ifndef SYNTHIO_SBC_H
#define SYNTHIO_SBC_H

#include <synthio/env.h>

#define SBC_CDB_MAX		16
#define SBC_ANSWER_MAX		4096	/* of the commands below */
#define SBC_INQUIRY_MIN		36	/* bytes of standard INQUIRY data */
#define SBC_UNMAP_HEADER	8	/* bytes ahead of UNMAP's descriptors */
#define SBC_UNMAP_DESC		16	/* bytes of each */
#define SBC_BLOCK_MAX		4096	/* largest logical block that we take */
#define SBC_TRANSFER_MIN	4096	/* a page: the kernel has no smaller limit */
#define SBC_MODE_CACHING	0x08
#define SBC_MODE_ALL		0x3f

enum sbc_type {
	SBC_TYPE_DISK		= 0x00,
	SBC_TYPE_UNKNOWN	= 0x1f,
};

/* Optional answers; bits of sbc_disk.reported */
#define SBC_REPORTED_SERIAL		0x01u	/* VPD page 80 */
#define SBC_REPORTED_IDS		0x02u	/* 83 */
#define SBC_REPORTED_LIMITS		0x04u	/* b0 */
#define SBC_REPORTED_ROTATION	0x08u	/* b1 */
#define SBC_REPORTED_PROVISIONING	0x10u	/* b2 */
#define SBC_REPORTED_PROTECTION	0x20u	/* the header of MODE SENSE */
#define SBC_REPORTED_CACHE		0x40u	/* the caching mode page */
#define SBC_REPORTED_PHYSICAL	0x80u	/* READ CAPACITY(16) */

/* Sense keys, SPC-4 4.5.6 */
enum {
	SBC_KEY_NO_SENSE	= 0x0,
	SBC_KEY_RECOVERED_ERROR	= 0x1,
	SBC_KEY_NOT_READY	= 0x2,
	SBC_KEY_MEDIUM_ERROR	= 0x3,
	SBC_KEY_HARDWARE_ERROR	= 0x4,
	SBC_KEY_ILLEGAL_REQUEST	= 0x5,
	SBC_KEY_UNIT_ATTENTION	= 0x6,
	SBC_KEY_DATA_PROTECT	= 0x7,
	SBC_KEY_ABORTED_COMMAND	= 0xb,
	SBC_KEY_COMPLETED	= 0xf,
};

/**
 * struct sbc_disk - what a logical unit reports of itself
 * @type: peripheral device type, 0x1f if nothing is there
 * @vendor: without trailing blanks, as are all the strings: printable ASCII
 * @product: likewise
 * @revision: likewise
 * @serial: unit serial number, of VPD page 80; may be empty
 * @wwid: "naa.", "eui." or "t10." and an identifier, of VPD page 83, in
 *	hexadecimal if it is binary; or empty
 * @id: the identifier of @wwid as bytes, if it is of type naa or eui
 * @id_len: bytes of @id, 0 for none
 * @id_is_naa: what @id is
 * @blocks: capacity in logical blocks, at least 1
 * @block_size: bytes of a logical block: a power of two from 512 to 4096
 * @physical_block_size: bytes, a multiple of it
 * @alignment: bytes from logical block 0 to the first that starts a physical one
 * @lbprz: unmapped blocks read as zeroes
 * @version: STORVSP_VERSION_* under which it was asked
 * @reported: SBC_REPORTED_*, which optional commands it has answered; a refusal is an
 *	answer, too
 * @read_only: write protected
 * @write_cache: what was written needs SYNCHRONIZE CACHE to be durable
 * @write_cache_reported: MODE SENSE reports that; else the cache is only assumed
 * @fua: FUA is understood
 * @rotational: a disk with moving parts
 * @io_min: optimal transfer length granularity, bytes, 0 for none
 * @io_opt: optimal transfer length, bytes, 0 for none
 * @max_transfer: of one command, bytes, 0 for no limit
 * @unmap: UNMAP is supported
 * @unmap_max_blocks: of one UNMAP
 * @unmap_max_descs: of one UNMAP
 * @unmap_granularity: bytes, 0 if not reported
 * @unmap_alignment: bytes from block 0 to the first multiple of it
 * @ws_unmap: WRITE SAME(16) with the UNMAP bit is supported
 * @ws_max_blocks: of one WRITE SAME, 0 if it is not supported
 * @can_unmap: UNMAP is used for discards
 * @can_write_same: WRITE SAME is used to write zeroes
 */
struct sbc_disk {
	u8 type;
	char vendor[9];
	char product[17];
	char revision[5];
	char serial[65];
	char wwid[101];
	u8 id[16];
	u8 id_len;
	bool id_is_naa;

	u64 blocks;
	u32 block_size;
	u32 physical_block_size;
	u32 alignment;
	bool lbprz;

	u16 version;
	u32 reported;
	bool read_only;
	bool write_cache;
	bool write_cache_reported;
	bool fua;
	bool rotational;

	u32 io_min;
	u32 io_opt;
	u64 max_transfer;
	bool unmap;
	u32 unmap_max_blocks;
	u32 unmap_max_descs;
	u32 unmap_granularity;
	u32 unmap_alignment;
	bool ws_unmap;
	u64 ws_max_blocks;
	bool can_unmap;
	bool can_write_same;
};

/* ---- commands: each fills @cdb, zeroed before, and returns its length ------ */

/**
 * sbc_read_write() - READ or WRITE, of 10 bytes if that suffices, else of 16
 * @cdb: 16 bytes
 * @write: or read
 * @lba: first logical block
 * @blocks: at least 1
 * @fua: only with struct sbc_disk.fua
 */
u8 sbc_read_write(u8 *cdb, bool write, u64 lba, u32 blocks, bool fua);

/**
 * sbc_synchronize_cache() - SYNCHRONIZE CACHE(10) of the whole disk
 * @cdb: 16 bytes
 */
u8 sbc_synchronize_cache(u8 *cdb);

/**
 * sbc_write_same() - WRITE SAME(16)
 * @cdb: 16 bytes
 * @lba: first logical block
 * @blocks: at least 1; one block of data goes with the command
 * @unmap: the blocks may be unmapped instead
 */
u8 sbc_write_same(u8 *cdb, u64 lba, u32 blocks, bool unmap);

/**
 * sbc_unmap() - UNMAP
 * @cdb: 16 bytes
 * @param_len: bytes of the parameter list, from sbc_unmap_header()
 */
u8 sbc_unmap(u8 *cdb, u16 param_len);

/**
 * sbc_unmap_desc() - one descriptor of UNMAP's parameter list
 * @param: the list; descriptors stand behind SBC_UNMAP_HEADER bytes
 * @n: which, from 0
 * @lba: first logical block
 * @blocks: how many
 */
void sbc_unmap_desc(u8 *param, unsigned int n, u64 lba, u32 blocks);

/**
 * sbc_unmap_header() - finish UNMAP's parameter list
 * @param: the list
 * @descs: how many descriptors it has
 *
 * Return: its length in bytes.
 */
u16 sbc_unmap_header(u8 *param, unsigned int descs);

u8 sbc_report_luns(u8 *cdb, u32 room);
u8 sbc_inquiry(u8 *cdb, u16 room);
u8 sbc_inquiry_vpd(u8 *cdb, u8 page, u16 room);
u8 sbc_read_capacity_10(u8 *cdb);
u8 sbc_read_capacity_16(u8 *cdb, u32 room);
/* a mode page, or SBC_MODE_ALL, without block descriptors */
u8 sbc_mode_sense_6(u8 *cdb, u8 page, u8 room);
u8 sbc_mode_sense_10(u8 *cdb, u8 page, u16 room);

/* ---- answers: @len bytes at @b are what the host has transferred --------- */

/**
 * sbc_parse_inquiry() - the standard INQUIRY data
 * @d: gets type, vendor, product, revision
 *
 * Return: 0, or -EINVAL if the data is too short to have a type.
 */
int sbc_parse_inquiry(struct sbc_disk *d, const u8 *b, u32 len);

/**
 * sbc_has_vpd() - whether VPD page 00 lists a page
 */
bool sbc_has_vpd(const u8 *b, u32 len, u8 page);

/**
 * sbc_parse_vpd() - a VPD page: 80, 83, B0, B1 or B2
 * @d: gets the values of the page
 * @page: which one was asked for
 *
 * Return: 0, -EINVAL if this is another page, or too short. @d is then unchanged.
 */
int sbc_parse_vpd(struct sbc_disk *d, u8 page, const u8 *b, u32 len);

/**
 * sbc_parse_capacity_10() - READ CAPACITY(10)
 * @d: gets blocks, block_size, physical_block_size
 *
 * Return: 0, -EINVAL for nonsense, -EFBIG if READ CAPACITY(16) must be asked.
 */
int sbc_parse_capacity_10(struct sbc_disk *d, const u8 *b, u32 len);

/**
 * sbc_parse_capacity_16() - READ CAPACITY(16)
 * @d: gets blocks, block_size, physical_block_size, alignment, lbprz
 *
 * Return: 0, or -EINVAL for nonsense: a block size that is no power of two
 *	from 512 to 4096, or a capacity that a sector number can't express.
 */
int sbc_parse_capacity_16(struct sbc_disk *d, const u8 *b, u32 len);

/**
 * sbc_parse_mode() - MODE SENSE of the caching page, or of all pages
 * @d: gets read_only, fua, write_cache, write_cache_reported, and SBC_REPORTED_PROTECTION
 *	and SBC_REPORTED_CACHE as far as they are reported
 * @ten: it was MODE SENSE(10)
 *
 * Return: 0, or -EINVAL if there is no header. The page itself may lack: then
 *	the cache counts as volatile, which is always safe.
 */
int sbc_parse_mode(struct sbc_disk *d, bool ten, const u8 *b, u32 len);

/**
 * sbc_luns() - how many entries REPORT LUNS has listed
 */
u32 sbc_luns(const u8 *b, u32 len);

/**
 * sbc_lun() - one entry of REPORT LUNS
 * @b: the answer
 * @n: which, less than sbc_luns()
 *
 * Return: the LUN, or -EINVAL if it is none that storvsp's 8 bits can name.
 */
int sbc_lun(const u8 *b, u32 n);

/* ---- outcomes ------------------------------------------------------------- */

enum sbc_outcome {
	SBC_OK,
	SBC_RETRY_LATER,	/* the unit is busy or becomes ready */
	SBC_IO_ERROR,
	SBC_MEDIUM_ERROR,
	SBC_TARGET_ERROR,	/* another try would end in the same way */
	SBC_NOT_SUPPORTED,	/* a command that the unit does not know */
	SBC_NO_SPACE,
	SBC_RESERVED,
	SBC_PROTECTION,
	SBC_GONE,		/* no such unit any more */
};

/* What should follow an answer; bits */
#define SBC_HINT_CAPACITY	1u	/* ask for capacity and parameters */
#define SBC_HINT_LUNS		2u	/* scan for units */

/* What kind of command it is: which answers are a refusal */
enum sbc_command {
	SBC_CMD_KNOWN,		/* every disk knows it */
	SBC_CMD_OPTIONAL,	/* UNMAP, WRITE SAME */
	SBC_CMD_FLUSH,		/* SYNCHRONIZE CACHE, which must not be lost */
};

/**
 * struct sbc_answer - how a command ended, as the host has sent it
 * @srb_status: STORVSP_SRB_*, with flags
 * @scsi_status: SAM status
 * @sense: bytes, or NULL
 * @sense_len: how many of them there are
 * @command: kind of the command
 */
struct sbc_answer {
	u8 srb_status;
	u8 scsi_status;
	const u8 *sense;
	u32 sense_len;
	enum sbc_command command;
};

/**
 * struct sbc_verdict - what an answer means
 * @outcome: what the command ends with, if it ends with this answer
 * @retry: the error may pass if the command is tried again, some times
 * @hints: SBC_HINT_*
 * @srb_status: of the answer
 * @scsi_status: likewise
 * @key: sense key, 0 without sense data
 * @asc: additional sense code << 8 | qualifier, 0 without
 */
struct sbc_verdict {
	enum sbc_outcome outcome;
	bool retry;
	u32 hints;
	u8 srb_status;
	u8 scsi_status;
	u8 key;
	u16 asc;
};

/**
 * sbc_judge() - what an answer means
 * @a: the answer
 *
 * With SBC_OK the host may still have moved less than was asked for: the caller
 * compares that.
 */
struct sbc_verdict sbc_judge(const struct sbc_answer *a);

#endif
