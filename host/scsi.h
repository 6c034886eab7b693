/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The SCSI command set of a disk (SPC-4, SBC-3), without any I/O: a CDB goes
 * in, and out comes either the final answer (status, sense, data) or what has
 * to be done on the medium. So every rule of the command set can be tested
 * without a guest, a file or a loop.
 */
#ifndef SYNTHHOST_SCSI_H
#define SYNTHHOST_SCSI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "profile.h"

#define SCSI_CDB_MAX		16
#define SCSI_SENSE_LEN		18	/* fixed format; a host may give 20 */
#define SCSI_MAX_LUNS		255	/* LUN 0 to 254 of one target */
#define SCSI_SERIAL_MAX		37	/* with the final NUL */
#define SCSI_UNMAP_MAX		256	/* descriptors in one UNMAP */
#define SCSI_DATA_MAX		2304	/* the longest answer: REPORT LUNS */
/* The longest parameter list: a full UNMAP; a block of WRITE SAME is less */
#define SCSI_PARAM_MAX		(8 + 16 * SCSI_UNMAP_MAX)
#define SCSI_UNMAP_BYTES	(1ull << 30)	/* in all of one UNMAP */
#define SCSI_WRITE_SAME_BYTES	(1ull << 30)
#define SCSI_VERIFY_BYTES	(1ull << 30)
#define SCSI_DVD_BLOCK		2048u
/* Physical blocks are those of the page cache, whatever the logical size */
#define SCSI_PHYSICAL_BLOCK	4096u

enum scsi_status {
	SCSI_GOOD		= 0x00,
	SCSI_CHECK_CONDITION	= 0x02,
	SCSI_BUSY		= 0x08,
};

enum scsi_sense_key {
	SENSE_NO_SENSE		= 0x0,
	SENSE_NOT_READY		= 0x2,
	SENSE_MEDIUM_ERROR	= 0x3,
	SENSE_ILLEGAL_REQUEST	= 0x5,
	SENSE_UNIT_ATTENTION	= 0x6,
	SENSE_DATA_PROTECT	= 0x7,
	SENSE_ABORTED_COMMAND	= 0xb,
};

/* Additional sense code << 8 | qualifier */
enum scsi_asc {
	ASC_NONE			= 0x0000,
	ASC_NOT_READY_START_NEEDED	= 0x0402,
	ASC_WRITE_ERROR			= 0x0c00,
	ASC_READ_ERROR			= 0x1100,
	ASC_PARAMETER_LIST_LENGTH	= 0x1a00,
	ASC_INVALID_OPCODE		= 0x2000,
	ASC_LBA_OUT_OF_RANGE		= 0x2100,
	ASC_INVALID_FIELD_IN_CDB	= 0x2400,
	ASC_LUN_NOT_SUPPORTED		= 0x2500,
	ASC_INVALID_FIELD_IN_PARAMETERS	= 0x2600,
	ASC_WRITE_PROTECTED		= 0x2700,
	ASC_SPACE_ALLOCATION_FAILED	= 0x2707,
	ASC_BUS_RESET			= 0x2902,
	ASC_DEVICE_RESET		= 0x2903,
	ASC_CAPACITY_CHANGED		= 0x2a09,
	ASC_SAVING_NOT_SUPPORTED	= 0x3900,
	ASC_INTERNAL_FAILURE		= 0x4400,
};

/* Unit attentions that wait; bits of scsi_disk.attention, first come first */
enum scsi_attention {
	ATTENTION_BUS_RESET	= 1 << 0,
	ATTENTION_DEVICE_RESET	= 1 << 1,
	ATTENTION_CAPACITY	= 1 << 2,
};

/* Questions that a disk need not answer; bits of scsi_disk.refuses */
enum scsi_question {
	ASK_MODE_SENSE_6	= 1 << 0,
	ASK_MODE_SENSE_10	= 1 << 1,
	ASK_CAPACITY_16		= 1 << 2,
	ASK_VPD_LIST		= 1 << 3,	/* page 00 */
	ASK_VPD_80		= 1 << 4,
	ASK_VPD_83		= 1 << 5,
	ASK_VPD_B0		= 1 << 6,
	ASK_VPD_B1		= 1 << 7,
	ASK_VPD_B2		= 1 << 8,
};

/* How it fails them: in the regular way, or with an SRB status and no sense data */
enum scsi_refusal {
	REFUSE_SENSE,
	REFUSE_ERROR,
	REFUSE_INVALID,
};

/**
 * struct scsi_disk - what the command set knows of a logical unit
 * @like: how hosts differ
 * @refuses: enum scsi_question bits
 * @refusal: how
 * @blocks: capacity, in blocks; at least 1
 * @block_size: 512 or 4096; of a DVD 2048
 * @max_transfer: of one READ or WRITE, bytes
 * @serial: printable ASCII; the identifiers of page 83 are made of it
 * @serial_given: by an option, not made up
 * @naa: identifier of page 83
 * @naa_len: its bytes, 8 or 16; 0: made of the serial number
 * @no_naa: page 83 has none of that kind
 * @dvd: a DVD drive with a medium in it, read-only
 * @read_only: write protected
 * @rotational: page B1 says 7200/min, else that nothing turns
 * @write_cache_default: WCE as it is after a reset
 * @unmap: UNMAP, and UNMAP in WRITE SAME
 * @unmap_zeroes: what was unmapped reads as zeroes
 * @unmap_granularity: bytes; 0: SCSI_PHYSICAL_BLOCK
 * @unmap_alignment: bytes, less than that
 * @unmap_max: of one UNMAP, bytes; 0: SCSI_UNMAP_BYTES
 * @thick: page B2 says resource provisioning, not thin
 * @write_cache: WCE; MODE SELECT changes it
 * @stopped: by START STOP UNIT
 * @attention: enum scsi_attention bits not reported yet
 */
struct scsi_disk {
	const struct profile_storvsp *like;
	unsigned int refuses;
	enum scsi_refusal refusal;
	uint64_t blocks;
	uint32_t block_size;
	uint32_t max_transfer;
	char serial[SCSI_SERIAL_MAX];
	bool serial_given;
	uint8_t naa[16];
	unsigned int naa_len;
	bool no_naa;
	bool dvd;
	bool read_only;
	bool rotational;
	bool write_cache_default;
	bool unmap;
	bool unmap_zeroes;
	bool thick;
	uint64_t unmap_granularity;
	uint64_t unmap_alignment;
	uint64_t unmap_max;
	bool write_cache;
	bool stopped;
	unsigned int attention;
};

/* The LUNs that exist on the target, for REPORT LUNS */
struct scsi_luns {
	uint8_t bits[(SCSI_MAX_LUNS + 7) / 8];
};

enum scsi_action {
	SCSI_DONE,		/* @status, @sense and @data are the answer */
	SCSI_READ,		/* @lba, @blocks, @fua */
	SCSI_WRITE,		/* @lba, @blocks, @fua */
	SCSI_FLUSH,		/* all that was written, to stable storage */
	SCSI_VERIFY,		/* read @lba, @blocks; no data to the guest */
	SCSI_UNMAP,		/* @extents */
	SCSI_WRITE_SAME,	/* @lba, @blocks, @pattern, @may_unmap */
	SCSI_PARAMETERS,	/* fetch @param_len bytes: scsi_parameters() */
};

struct scsi_extent {
	uint64_t lba;
	uint64_t blocks;
};

/**
 * struct scsi_command - one command: what came in, and what to do
 * @cdb: the command, zero-filled behind its @cdb_len bytes
 * @action: what to do; the fields that go with it are set
 * @fua: to or from the medium, not a volatile cache
 * @may_unmap: WRITE SAME of zeroes may give the blocks back
 * @pattern: one block to be repeated, in the parameter buffer; NULL: zeroes
 * @param_len: bytes of data-out that scsi_parameters() needs
 * @status: enum scsi_status
 * @bare: other than REFUSE_SENSE: it fails without SCSI status and sense data
 * @sense: fixed format, valid with SCSI_CHECK_CONDITION
 * @data_len: bytes of @data that are for the guest
 */
struct scsi_command {
	uint8_t cdb[SCSI_CDB_MAX];
	unsigned int cdb_len;

	enum scsi_action action;
	uint64_t lba;
	uint64_t blocks;
	bool fua;
	bool may_unmap;
	const uint8_t *pattern;
	uint32_t param_len;
	unsigned int extent_count;
	struct scsi_extent extents[SCSI_UNMAP_MAX];

	enum scsi_status status;
	enum scsi_refusal bare;
	uint8_t sense[SCSI_SENSE_LEN];
	uint32_t data_len;
	uint8_t data[SCSI_DATA_MAX];
};

/**
 * scsi_start() - begin a command
 * @disk: the logical unit; unit attention, start/stop state may change
 * @luns: all that its target has
 * @cdb: the command
 * @cdb_len: 1 to SCSI_CDB_MAX
 * @cmd: all of it is set
 */
void scsi_start(struct scsi_disk *disk, const struct scsi_luns *luns,
		const uint8_t *cdb, unsigned int cdb_len,
		struct scsi_command *cmd);

/**
 * scsi_parameters() - go on after SCSI_PARAMETERS
 * @cmd: as scsi_start() left it; gets its next action
 * @param: cmd->param_len bytes, copied out of guest memory. It must stay while
 *	cmd->pattern is in use
 */
void scsi_parameters(struct scsi_disk *disk, struct scsi_command *cmd,
		     const uint8_t *param);

/**
 * scsi_missing() - a command to a logical unit that does not exist
 * @luns: of the target, or NULL if the target does not exist either
 *
 * Return: true if the target itself answers (INQUIRY, REPORT LUNS): @cmd has
 * the answer. False: nobody is there.
 */
bool scsi_missing(const struct scsi_luns *luns, const uint8_t *cdb,
		  unsigned int cdb_len, struct scsi_command *cmd);

/**
 * scsi_io_error() - the answer when the action on the medium failed
 * @error: errno, positive
 *
 * Sets @cmd->status and @cmd->sense; cmd->action must still be the failed one.
 */
void scsi_io_error(const struct scsi_disk *disk, struct scsi_command *cmd,
		   int error);

/**
 * scsi_is_bad_request() - whether the sense says that the command is wrong
 *
 * Hosts give such commands another SRB status than those that failed.
 */
bool scsi_is_bad_request(const struct scsi_disk *disk,
			 const struct scsi_command *cmd);

/* What a command does to the medium */
enum scsi_class {
	SCSI_CLASS_OTHER,
	SCSI_CLASS_READ,
	SCSI_CLASS_WRITE,
	SCSI_CLASS_FLUSH,
	SCSI_CLASS_VERIFY,
	SCSI_CLASS_UNMAP,
	SCSI_CLASS_WRITE_SAME,
};

/**
 * scsi_classify() - what a command is about, whether it is right or wrong
 * @cdb: SCSI_CDB_MAX bytes
 * @lba: and @blocks: as the CDB says; of UNMAP the parameters say it
 */
enum scsi_class scsi_classify(const uint8_t *cdb, uint64_t *lba,
			      uint64_t *blocks);

/**
 * scsi_reset() - the logical unit was reset
 * @attention: what the guest is told
 */
void scsi_reset(struct scsi_disk *disk, enum scsi_attention attention);

#endif
