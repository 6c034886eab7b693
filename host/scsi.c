// SPDX-License-Identifier: GPL-2.0-only
/*
 * The SCSI command set of a disk: see scsi.h. One handler for each command,
 * found in the table at the end, which also knows what is the same for all:
 * length, need of a started unit, of a writable one, and who may pass a unit
 * attention.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "scsi_impl.h"

#define SERVICE_READ_CAPACITY_16	0x10
#define CONTROL_NACA			0x04

void scsi_check(struct scsi_command *cmd, enum scsi_sense_key key,
		enum scsi_asc asc)
{
	cmd->action = SCSI_DONE;
	cmd->status = SCSI_CHECK_CONDITION;
	cmd->data_len = 0;
	memset(cmd->sense, 0, sizeof(cmd->sense));
	cmd->sense[0] = 0x70;
	cmd->sense[2] = key;
	cmd->sense[7] = SCSI_SENSE_LEN - 8;
	cmd->sense[12] = asc >> 8;
	cmd->sense[13] = asc & 0xff;
}

/* As scsi_check(), and points at the byte and (unless < 0) the bit in error */
static void check_field(struct scsi_command *cmd, enum scsi_asc asc,
			unsigned int byte, int bit)
{
	scsi_check(cmd, SENSE_ILLEGAL_REQUEST, asc);
	cmd->sense[15] = 0x80;
	if (asc != ASC_INVALID_FIELD_IN_PARAMETERS)
		cmd->sense[15] |= 0x40;
	if (bit >= 0)
		cmd->sense[15] |= 0x08 | bit;
	put16(cmd->sense + 16, byte);
}

void scsi_bad_cdb(struct scsi_command *cmd, unsigned int byte, int bit)
{
	check_field(cmd, ASC_INVALID_FIELD_IN_CDB, byte, bit);
}

void scsi_bad_param(struct scsi_command *cmd, unsigned int byte, int bit)
{
	check_field(cmd, ASC_INVALID_FIELD_IN_PARAMETERS, byte, bit);
}

void scsi_reply(struct scsi_command *cmd, uint32_t len, uint64_t alloc)
{
	cmd->action = SCSI_DONE;
	cmd->status = SCSI_GOOD;
	cmd->data_len = len < alloc ? len : (uint32_t)alloc;
}

bool scsi_refused(const struct scsi_disk *disk, struct scsi_command *cmd,
		  enum scsi_question question, enum scsi_asc unknown)
{
	if (!(disk->refuses & question))
		return false;
	scsi_check(cmd, SENSE_ILLEGAL_REQUEST, unknown);
	cmd->bare = disk->refusal;
	return true;
}

void scsi_want_parameters(struct scsi_command *cmd, uint32_t len)
{
	cmd->action = SCSI_PARAMETERS;
	cmd->param_len = len;
}

/* Checks a range of blocks. No blocks at the very end are no error */
static bool range_ok(const struct scsi_disk *disk, struct scsi_command *cmd,
		     uint64_t lba, uint64_t blocks)
{
	if (lba <= disk->blocks && blocks <= disk->blocks - lba)
		return true;
	scsi_check(cmd, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
	return false;
}

/* LBA and number of blocks, where all commands of one length have them */
static void cdb_fields(const uint8_t *cdb, uint64_t *lba, uint64_t *blocks)
{
	switch (cdb[0] >> 5) {
	case 0:
		*lba = (uint64_t)(cdb[1] & 0x1f) << 16 | get16(cdb + 2);
		*blocks = cdb[4] ? cdb[4] : 256;
		break;
	case 1:
	case 2:
		*lba = get32(cdb + 2);
		*blocks = get16(cdb + 7);
		break;
	case 4:
		*lba = get64(cdb + 2);
		*blocks = get32(cdb + 10);
		break;
	default:
		*lba = get32(cdb + 2);
		*blocks = get32(cdb + 6);
		break;
	}
}

static void cdb_range(struct scsi_command *cmd)
{
	cdb_fields(cmd->cdb, &cmd->lba, &cmd->blocks);
}

enum scsi_class scsi_classify(const uint8_t *cdb, uint64_t *lba,
			      uint64_t *blocks)
{
	cdb_fields(cdb, lba, blocks);
	switch (cdb[0]) {
	case OP_READ_6:
	case OP_READ_10:
	case OP_READ_12:
	case OP_READ_16:
		return SCSI_CLASS_READ;
	case OP_WRITE_6:
	case OP_WRITE_10:
	case OP_WRITE_12:
	case OP_WRITE_16:
		return SCSI_CLASS_WRITE;
	case OP_SYNC_CACHE_10:
	case OP_SYNC_CACHE_16:
		return SCSI_CLASS_FLUSH;
	case OP_VERIFY_10:
	case OP_VERIFY_12:
	case OP_VERIFY_16:
		return SCSI_CLASS_VERIFY;
	case OP_UNMAP:
		return SCSI_CLASS_UNMAP;
	case OP_WRITE_SAME_10:
	case OP_WRITE_SAME_16:
		return SCSI_CLASS_WRITE_SAME;
	default:
		return SCSI_CLASS_OTHER;
	}
}

static void test_unit_ready(struct scsi_disk *disk,
			    const struct scsi_luns *luns,
			    struct scsi_command *cmd)
{
	(void)disk;
	(void)luns;
	(void)cmd;
}

static enum scsi_asc take_attention(struct scsi_disk *disk)
{
	static const struct {
		enum scsi_attention bit;
		enum scsi_asc asc;
	} order[] = {
		{ ATTENTION_BUS_RESET, ASC_BUS_RESET },
		{ ATTENTION_DEVICE_RESET, ASC_DEVICE_RESET },
		{ ATTENTION_CAPACITY, ASC_CAPACITY_CHANGED },
	};
	unsigned int i;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (disk->attention & order[i].bit) {
			disk->attention &= ~order[i].bit;
			return order[i].asc;
		}
	}
	return ASC_NONE;
}

static void request_sense(struct scsi_disk *disk, const struct scsi_luns *luns,
			  struct scsi_command *cmd)
{
	enum scsi_sense_key key = SENSE_NO_SENSE;
	enum scsi_asc asc = take_attention(disk);

	(void)luns;
	if (asc != ASC_NONE) {
		key = SENSE_UNIT_ATTENTION;
	} else if (disk->stopped) {
		key = SENSE_NOT_READY;
		asc = ASC_NOT_READY_START_NEEDED;
	}
	if (cmd->cdb[1] & 1) {
		cmd->data[0] = 0x72;
		cmd->data[1] = key;
		cmd->data[2] = asc >> 8;
		cmd->data[3] = asc & 0xff;
		scsi_reply(cmd, 8, cmd->cdb[4]);
		return;
	}
	cmd->data[0] = 0x70;
	cmd->data[2] = key;
	cmd->data[7] = SCSI_SENSE_LEN - 8;
	cmd->data[12] = asc >> 8;
	cmd->data[13] = asc & 0xff;
	scsi_reply(cmd, SCSI_SENSE_LEN, cmd->cdb[4]);
}

static void read_capacity_10(struct scsi_disk *disk,
			     const struct scsi_luns *luns,
			     struct scsi_command *cmd)
{
	uint64_t last = disk->blocks - 1;

	(void)luns;
	/* PMI is obsolete; without it the address has to be 0 */
	if (!(cmd->cdb[8] & 1) && get32(cmd->cdb + 2))
		return scsi_bad_cdb(cmd, 2, -1);
	put32(cmd->data, last > UINT32_MAX ? UINT32_MAX : (uint32_t)last);
	put32(cmd->data + 4, disk->block_size);
	scsi_reply(cmd, 8, 8);
}

static void service_action_in(struct scsi_disk *disk,
			      const struct scsi_luns *luns,
			      struct scsi_command *cmd)
{
	(void)luns;
	if ((cmd->cdb[1] & 0x1f) != SERVICE_READ_CAPACITY_16)
		return scsi_bad_cdb(cmd, 1, 4);
	if (scsi_refused(disk, cmd, ASK_CAPACITY_16, ASC_INVALID_OPCODE))
		return;
	put64(cmd->data, disk->blocks - 1);
	put32(cmd->data + 8, disk->block_size);
	/* 8 logical blocks in a physical one, or 2 */
	if (disk->block_size < SCSI_PHYSICAL_BLOCK)
		cmd->data[13] = disk->block_size == 512 ? 3 : 1;
	if (disk->unmap) {
		cmd->data[14] = 0x80;
		if (disk->unmap_zeroes && !disk->like->plain_unmap)
			cmd->data[14] |= 0x40;
	}
	scsi_reply(cmd, 32, get32(cmd->cdb + 10));
}

static void report_luns(struct scsi_disk *disk, const struct scsi_luns *luns,
			struct scsi_command *cmd)
{
	uint32_t len = 8;
	unsigned int i;

	(void)disk;
	switch (cmd->cdb[2]) {
	case 0:
	case 2:
		for (i = 0; i < SCSI_MAX_LUNS; i++) {
			if (luns->bits[i / 8] & (1u << i % 8)) {
				cmd->data[len + 1] = i;
				len += 8;
			}
		}
		break;
	case 1:			/* well known units: there are none */
		break;
	default:
		return scsi_bad_cdb(cmd, 2, -1);
	}
	put32(cmd->data, len - 8);
	scsi_reply(cmd, len, get32(cmd->cdb + 6));
}

static void start_stop(struct scsi_disk *disk, const struct scsi_luns *luns,
		       struct scsi_command *cmd)
{
	uint8_t how = cmd->cdb[4];

	(void)luns;
	if (how & 0xf0)
		return scsi_bad_cdb(cmd, 4, 7);	/* no power conditions */
	if (how & 0x02)
		return scsi_bad_cdb(cmd, 4, 1);	/* nothing to eject */
	disk->stopped = !(how & 0x01);
	if (disk->stopped && !(how & 0x04))
		cmd->action = SCSI_FLUSH;
}

static void prevent_allow(struct scsi_disk *disk, const struct scsi_luns *luns,
			  struct scsi_command *cmd)
{
	/* The medium cannot be removed, which is what prevention asks for */
	(void)disk;
	(void)luns;
	if (cmd->cdb[4] & 0xfc)
		scsi_bad_cdb(cmd, 4, -1);
}

/* RDPROTECT, WRPROTECT, VRPROTECT: the disk keeps no protection information */
static bool protect_ok(struct scsi_command *cmd)
{
	if (!(cmd->cdb[1] & 0xe0))
		return true;
	scsi_bad_cdb(cmd, 1, 7);
	return false;
}

static void read_write(struct scsi_disk *disk, const struct scsi_luns *luns,
		       struct scsi_command *cmd)
{
	bool six = cmd->cdb[0] >> 5 == 0;
	bool write = (cmd->cdb[0] & 0x1f) == OP_WRITE_6;

	(void)luns;
	cdb_range(cmd);
	if (!six && !protect_ok(cmd))
		return;
	if (!range_ok(disk, cmd, cmd->lba, cmd->blocks))
		return;
	if (cmd->blocks > disk->max_transfer / disk->block_size) {
		static const uint8_t where[] = { 4, 7, 7, 0, 10, 6 };

		return scsi_bad_cdb(cmd, where[cmd->cdb[0] >> 5], -1);
	}
	/* DPO, bit 4, is a hint about a cache that is not ours to steer */
	cmd->fua = !six && (cmd->cdb[1] & 0x08);
	if (cmd->blocks)
		cmd->action = write ? SCSI_WRITE : SCSI_READ;
}

static void verify(struct scsi_disk *disk, const struct scsi_luns *luns,
		   struct scsi_command *cmd)
{
	(void)luns;
	cdb_range(cmd);
	if (!protect_ok(cmd))
		return;
	if (cmd->cdb[1] & 0x06)
		return scsi_bad_cdb(cmd, 1, 2);	/* BYTCHK: no comparison */
	if (cmd->blocks > SCSI_VERIFY_BYTES / disk->block_size)
		return scsi_bad_cdb(cmd, cmd->cdb[0] == OP_VERIFY_16 ? 10 : 6, -1);
	if (range_ok(disk, cmd, cmd->lba, cmd->blocks) && cmd->blocks)
		cmd->action = SCSI_VERIFY;
}

static void synchronize_cache(struct scsi_disk *disk,
			      const struct scsi_luns *luns,
			      struct scsi_command *cmd)
{
	(void)luns;
	/* 0 blocks means all from there on; a file is flushed as a whole */
	cdb_range(cmd);
	if (range_ok(disk, cmd, cmd->lba, cmd->blocks))
		cmd->action = SCSI_FLUSH;
}

uint64_t scsi_write_same_max(const struct scsi_disk *disk)
{
	return disk->like->write_same_max ? disk->like->write_same_max :
					    SCSI_WRITE_SAME_BYTES;
}

static void write_same(struct scsi_disk *disk, const struct scsi_luns *luns,
		       struct scsi_command *cmd)
{
	bool sixteen = cmd->cdb[0] == OP_WRITE_SAME_16;
	uint8_t flags = cmd->cdb[1];
	unsigned int count = sixteen ? 10 : 7;

	(void)luns;
	cdb_range(cmd);
	if (!protect_ok(cmd))
		return;
	if (flags & 0x10)
		return scsi_bad_cdb(cmd, 1, 4);	/* ANCHOR */
	if ((flags & 0x08) && !disk->unmap)
		return scsi_bad_cdb(cmd, 1, 3);
	if (flags & 0x06)
		return scsi_bad_cdb(cmd, 1, 2);	/* LBDATA, PBDATA: obsolete */
	if ((flags & 0x01) && (!sixteen || disk->like->plain_unmap))
		return scsi_bad_cdb(cmd, 1, 0);	/* NDOB */
	if (!cmd->blocks ||
	    cmd->blocks > scsi_write_same_max(disk) / disk->block_size)
		return scsi_bad_cdb(cmd, count, -1);
	if (!range_ok(disk, cmd, cmd->lba, cmd->blocks))
		return;
	cmd->may_unmap = flags & 0x08;
	if (flags & 0x01)
		cmd->action = SCSI_WRITE_SAME;
	else
		scsi_want_parameters(cmd, disk->block_size);
}

static void write_same_go(struct scsi_disk *disk, struct scsi_command *cmd,
			  const uint8_t *param)
{
	cmd->action = SCSI_WRITE_SAME;
	/* all zero is: the first byte is, and each equals the next one */
	if (param[0] || memcmp(param, param + 1, disk->block_size - 1))
		cmd->pattern = param;
}

static void unmap(struct scsi_disk *disk, const struct scsi_luns *luns,
		  struct scsi_command *cmd)
{
	uint32_t len = get16(cmd->cdb + 7);

	(void)luns;
	if (!disk->unmap)
		return scsi_check(cmd, SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE);
	if (cmd->cdb[1] & 0x01)
		return scsi_bad_cdb(cmd, 1, 0);	/* ANCHOR */
	if (len > SCSI_PARAM_MAX)
		return scsi_bad_cdb(cmd, 7, -1);
	if (len && len < 8)
		return scsi_check(cmd, SENSE_ILLEGAL_REQUEST,
			     ASC_PARAMETER_LIST_LENGTH);
	if (len)
		scsi_want_parameters(cmd, len);
}

static void unmap_go(struct scsi_disk *disk, struct scsi_command *cmd,
		     const uint8_t *param)
{
	uint32_t len = get16(param + 2);
	uint64_t max = disk->unmap_max ? disk->unmap_max : SCSI_UNMAP_BYTES;
	uint64_t total = 0;
	unsigned int i, count = 0;

	if (disk->like->exact_lists) {
		if (get16(param) + 2u != cmd->param_len)
			return scsi_bad_cdb(cmd, 7, -1);
		if (len != cmd->param_len - 8)
			return scsi_bad_param(cmd, 2, -1);
	}
	if (len > cmd->param_len - 8)
		len = cmd->param_len - 8;	/* cut, which is no error */
	for (i = 0; i < len / 16; i++) {
		const uint8_t *p = param + 8 + 16 * i;
		uint64_t lba = get64(p);
		uint64_t blocks = get32(p + 8);

		if (!range_ok(disk, cmd, lba, blocks))
			return;
		total += blocks;
		if (total > max / disk->block_size)
			return scsi_bad_param(cmd, 8 + 16 * i + 8, -1);
		if (!blocks)
			continue;
		cmd->extents[count].lba = lba;
		cmd->extents[count].blocks = blocks;
		count++;
	}
	cmd->extent_count = count;
	if (count)
		cmd->action = SCSI_UNMAP;
}

enum {
	NEEDS_MEDIUM	= 1 << 0,	/* not while it is stopped */
	WRITES		= 1 << 1,	/* not while it is write protected */
	ANY_TIME	= 1 << 2,	/* also while a unit attention waits */
};

struct operation {
	uint8_t opcode;
	uint8_t cdb_len;
	uint8_t flags;
	void (*start)(struct scsi_disk *disk, const struct scsi_luns *luns,
		      struct scsi_command *cmd);
	void (*go)(struct scsi_disk *disk, struct scsi_command *cmd,
		   const uint8_t *param);
};

/*
 * RESERVE, RELEASE and PERSISTENT RESERVE are not here on purpose: there is
 * one initiator, and what is not here is refused as an unknown operation code.
 */
static const struct operation operations[] = {
	{ OP_TEST_UNIT_READY, 6, NEEDS_MEDIUM, test_unit_ready, NULL },
	{ OP_REQUEST_SENSE, 6, ANY_TIME, request_sense, NULL },
	{ OP_INQUIRY, 6, ANY_TIME, scsi_inquiry, NULL },
	{ OP_REPORT_LUNS, 12, ANY_TIME, report_luns, NULL },
	{ OP_READ_CAPACITY_10, 10, 0, read_capacity_10, NULL },
	{ OP_SERVICE_IN_16, 16, 0, service_action_in, NULL },
	{ OP_READ_6, 6, NEEDS_MEDIUM, read_write, NULL },
	{ OP_READ_10, 10, NEEDS_MEDIUM, read_write, NULL },
	{ OP_READ_12, 12, NEEDS_MEDIUM, read_write, NULL },
	{ OP_READ_16, 16, NEEDS_MEDIUM, read_write, NULL },
	{ OP_WRITE_6, 6, NEEDS_MEDIUM | WRITES, read_write, NULL },
	{ OP_WRITE_10, 10, NEEDS_MEDIUM | WRITES, read_write, NULL },
	{ OP_WRITE_12, 12, NEEDS_MEDIUM | WRITES, read_write, NULL },
	{ OP_WRITE_16, 16, NEEDS_MEDIUM | WRITES, read_write, NULL },
	{ OP_VERIFY_10, 10, NEEDS_MEDIUM, verify, NULL },
	{ OP_VERIFY_12, 12, NEEDS_MEDIUM, verify, NULL },
	{ OP_VERIFY_16, 16, NEEDS_MEDIUM, verify, NULL },
	{ OP_SYNC_CACHE_10, 10, NEEDS_MEDIUM, synchronize_cache, NULL },
	{ OP_SYNC_CACHE_16, 16, NEEDS_MEDIUM, synchronize_cache, NULL },
	{ OP_WRITE_SAME_10, 10, NEEDS_MEDIUM | WRITES,
	  write_same, write_same_go },
	{ OP_WRITE_SAME_16, 16, NEEDS_MEDIUM | WRITES,
	  write_same, write_same_go },
	{ OP_UNMAP, 10, NEEDS_MEDIUM | WRITES, unmap, unmap_go },
	{ OP_MODE_SENSE_6, 6, 0, scsi_mode_sense, NULL },
	{ OP_MODE_SENSE_10, 10, 0, scsi_mode_sense, NULL },
	{ OP_MODE_SELECT_6, 6, 0,
	  scsi_mode_select, scsi_mode_select_go },
	{ OP_MODE_SELECT_10, 10, 0,
	  scsi_mode_select, scsi_mode_select_go },
	{ OP_START_STOP_UNIT, 6, 0, start_stop, NULL },
	{ OP_PREVENT_ALLOW, 6, 0, prevent_allow, NULL },
};

static const struct operation *find_operation(uint8_t opcode)
{
	unsigned int i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		if (operations[i].opcode == opcode)
			return &operations[i];
	}
	return NULL;
}

/* Everything but the extents, which are valid only by their count */
static void reset_command(struct scsi_command *cmd, const uint8_t *cdb,
			  unsigned int cdb_len)
{
	memset(cmd->cdb, 0, sizeof(cmd->cdb));
	memcpy(cmd->cdb, cdb, cdb_len);
	cmd->cdb_len = cdb_len;
	cmd->action = SCSI_DONE;
	cmd->lba = 0;
	cmd->blocks = 0;
	cmd->fua = false;
	cmd->may_unmap = false;
	cmd->pattern = NULL;
	cmd->param_len = 0;
	cmd->extent_count = 0;
	cmd->status = SCSI_GOOD;
	cmd->bare = REFUSE_SENSE;
	memset(cmd->sense, 0, sizeof(cmd->sense));
	cmd->data_len = 0;
	memset(cmd->data, 0, sizeof(cmd->data));
}

/* The CDB is as long as its operation code says, and asks for no NACA */
static bool cdb_ok(const struct operation *op, struct scsi_command *cmd)
{
	if (cmd->cdb_len < op->cdb_len) {
		scsi_bad_cdb(cmd, cmd->cdb_len, -1);
		return false;
	}
	if (cmd->cdb[op->cdb_len - 1] & CONTROL_NACA) {
		scsi_bad_cdb(cmd, op->cdb_len - 1, 2);
		return false;
	}
	return true;
}

void scsi_start(struct scsi_disk *disk, const struct scsi_luns *luns,
		const uint8_t *cdb, unsigned int cdb_len,
		struct scsi_command *cmd)
{
	const struct operation *op = find_operation(cdb[0]);

	reset_command(cmd, cdb, cdb_len);
	if (disk->attention && !(op && (op->flags & ANY_TIME)))
		return scsi_check(cmd, SENSE_UNIT_ATTENTION, take_attention(disk));
	if (!op)
		return check_field(cmd, ASC_INVALID_OPCODE, 0, 7);
	if (!cdb_ok(op, cmd))
		return;
	if ((op->flags & NEEDS_MEDIUM) && disk->stopped)
		return scsi_check(cmd, SENSE_NOT_READY, ASC_NOT_READY_START_NEEDED);
	if ((op->flags & WRITES) && disk->read_only)
		return scsi_check(cmd, SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED);
	op->start(disk, luns, cmd);
}

void scsi_parameters(struct scsi_disk *disk, struct scsi_command *cmd,
		     const uint8_t *param)
{
	const struct operation *op = find_operation(cmd->cdb[0]);

	cmd->action = SCSI_DONE;
	op->go(disk, cmd, param);
}

bool scsi_missing(const struct scsi_luns *luns, const uint8_t *cdb,
		  unsigned int cdb_len, struct scsi_command *cmd)
{
	const struct operation *op = find_operation(cdb[0]);

	reset_command(cmd, cdb, cdb_len);
	if (!op || (cdb[0] != OP_INQUIRY && cdb[0] != OP_REPORT_LUNS))
		return false;
	if (cdb[0] == OP_REPORT_LUNS && !luns)
		return false;
	if (!cdb_ok(op, cmd))
		return true;
	if (cdb[0] == OP_REPORT_LUNS)
		report_luns(NULL, luns, cmd);
	else if (cmd->cdb[1] & 1)
		scsi_check(cmd, SENSE_ILLEGAL_REQUEST, ASC_LUN_NOT_SUPPORTED);
	else if (cmd->cdb[2])
		scsi_bad_cdb(cmd, 2, -1);
	else
		scsi_inquiry_missing(cmd);
	return true;
}

void scsi_io_error(const struct scsi_disk *disk, struct scsi_command *cmd,
		   int error)
{
	bool reads = cmd->action == SCSI_READ || cmd->action == SCSI_VERIFY;

	if (disk->like->any_error && error != EROFS && error != ECANCELED) {
		scsi_check(cmd, SENSE_MEDIUM_ERROR, ASC_NONE);
		return;
	}
	switch (error) {
	case ENOSPC:
	case EDQUOT:
	case EFBIG:
		scsi_check(cmd, SENSE_DATA_PROTECT, ASC_SPACE_ALLOCATION_FAILED);
		break;
	case EROFS:
	case EPERM:
	case EACCES:
	case EBADF:
		scsi_check(cmd, SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED);
		break;
	case ENOMEM:
	case EAGAIN:
		/* passes; the guest tries again later */
		cmd->action = SCSI_DONE;
		cmd->data_len = 0;
		cmd->status = SCSI_BUSY;
		break;
	case ECANCELED:
	case EFAULT:
		scsi_check(cmd, SENSE_ABORTED_COMMAND, ASC_INTERNAL_FAILURE);
		break;
	default:
		scsi_check(cmd, SENSE_MEDIUM_ERROR,
		      reads ? ASC_READ_ERROR : ASC_WRITE_ERROR);
		break;
	}
}

bool scsi_is_bad_request(const struct scsi_disk *disk,
			 const struct scsi_command *cmd)
{
	unsigned int asc = (unsigned int)cmd->sense[12] << 8 | cmd->sense[13];

	if (cmd->status != SCSI_CHECK_CONDITION ||
	    (cmd->sense[2] & 0xf) != SENSE_ILLEGAL_REQUEST)
		return false;
	return disk->like->bad_request || asc == ASC_INVALID_OPCODE ||
	       asc == ASC_INVALID_FIELD_IN_CDB;
}

void scsi_reset(struct scsi_disk *disk, enum scsi_attention attention)
{
	disk->stopped = false;
	disk->write_cache = disk->write_cache_default;
	/* a reset clears what waited for another reset, not a new capacity */
	disk->attention = (disk->attention & ATTENTION_CAPACITY) | attention;
}
