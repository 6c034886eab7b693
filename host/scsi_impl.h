/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the handlers of SCSI commands share: for the files scsi*.c only.
 */
#ifndef SYNTHHOST_SCSI_IMPL_H
#define SYNTHHOST_SCSI_IMPL_H

#include "scsi.h"

/* Operation codes */
enum {
	OP_TEST_UNIT_READY	= 0x00,
	OP_REQUEST_SENSE	= 0x03,
	OP_READ_6		= 0x08,
	OP_WRITE_6		= 0x0a,
	OP_INQUIRY		= 0x12,
	OP_MODE_SELECT_6	= 0x15,
	OP_MODE_SENSE_6		= 0x1a,
	OP_START_STOP_UNIT	= 0x1b,
	OP_PREVENT_ALLOW	= 0x1e,
	OP_READ_CAPACITY_10	= 0x25,
	OP_READ_10		= 0x28,
	OP_WRITE_10		= 0x2a,
	OP_VERIFY_10		= 0x2f,
	OP_SYNC_CACHE_10	= 0x35,
	OP_WRITE_SAME_10	= 0x41,
	OP_UNMAP		= 0x42,
	OP_MODE_SELECT_10	= 0x55,
	OP_MODE_SENSE_10	= 0x5a,
	OP_READ_16		= 0x88,
	OP_WRITE_16		= 0x8a,
	OP_VERIFY_16		= 0x8f,
	OP_SYNC_CACHE_16	= 0x91,
	OP_WRITE_SAME_16	= 0x93,
	OP_SERVICE_IN_16	= 0x9e,
	OP_REPORT_LUNS		= 0xa0,
	OP_READ_12		= 0xa8,
	OP_WRITE_12		= 0xaa,
	OP_VERIFY_12		= 0xaf,
};

#define PERIPHERAL_DVD			0x05

static inline void put16(uint8_t *p, uint32_t v)
{
	p[0] = v >> 8 & 0xff;
	p[1] = v & 0xff;
}

static inline void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v);
}

static inline void put64(uint8_t *p, uint64_t v)
{
	put32(p, v >> 32);
	put32(p + 4, v);
}

static inline uint32_t get16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static inline uint32_t get32(const uint8_t *p)
{
	return get16(p) << 16 | get16(p + 2);
}

static inline uint64_t get64(const uint8_t *p)
{
	return (uint64_t)get32(p) << 32 | get32(p + 4);
}

/* Ends the command with a check condition and fixed format sense data */
void scsi_check(struct scsi_command *cmd, enum scsi_sense_key key,
		enum scsi_asc asc);

/* The same, and points at the byte and (unless < 0) the bit in error */
void scsi_bad_cdb(struct scsi_command *cmd, unsigned int byte, int bit);
void scsi_bad_param(struct scsi_command *cmd, unsigned int byte, int bit);

/* Data for the guest, @len bytes of cmd->data, cut at the allocation length */
void scsi_reply(struct scsi_command *cmd, uint32_t len, uint64_t alloc);

/* Asks for data-out; the handler goes on in scsi_parameters() */
void scsi_want_parameters(struct scsi_command *cmd, uint32_t len);

/*
 * Ends the command as the disk is told to fail this question, if it is: true.
 * @unknown: the sense code where it is refused in the regular way
 */
bool scsi_refused(const struct scsi_disk *disk, struct scsi_command *cmd,
		  enum scsi_question question, enum scsi_asc unknown);

/* Bytes of one WRITE SAME */
uint64_t scsi_write_same_max(const struct scsi_disk *disk);

/* --- scsi_inquiry.c ------------------------------------------------------- */

uint8_t scsi_peripheral(const struct scsi_disk *disk);
void scsi_inquiry(struct scsi_disk *disk, const struct scsi_luns *luns,
		  struct scsi_command *cmd);
/* Standard data of a unit that is not there */
void scsi_inquiry_missing(struct scsi_command *cmd);

/* --- scsi_mode.c ---------------------------------------------------------- */

void scsi_mode_sense(struct scsi_disk *disk, const struct scsi_luns *luns,
		     struct scsi_command *cmd);
void scsi_mode_select(struct scsi_disk *disk, const struct scsi_luns *luns,
		      struct scsi_command *cmd);
void scsi_mode_select_go(struct scsi_disk *disk, struct scsi_command *cmd,
			 const uint8_t *param);

#endif
