// SPDX-License-Identifier: GPL-2.0-only
/* MODE SENSE and MODE SELECT: parameters of a disk, the write cache among them. */
#include <string.h>

#include "scsi_impl.h"

#define PAGE_CACHING			0x08
#define PAGE_CONTROL			0x0a
#define PAGE_ALL			0x3f
#define CACHING_LEN			20
#define CONTROL_LEN			12
#define CACHING_WCE			0x04

/* What @control asks for: current, changeable or default values */
static uint32_t mode_pages(const struct scsi_disk *disk, uint8_t page,
			   unsigned int control, uint8_t *data)
{
	bool wce = control == 0 ? disk->write_cache :
		   control == 1 ? true : disk->write_cache_default;
	uint8_t *p = data;

	if (page == PAGE_CACHING || page == PAGE_ALL) {
		p[0] = PAGE_CACHING;
		p[1] = CACHING_LEN - 2;
		if (wce)
			p[2] = CACHING_WCE;
		p += CACHING_LEN;
	}
	if (!disk->like->no_control_page &&
	    (page == PAGE_CONTROL || page == PAGE_ALL)) {
		p[0] = PAGE_CONTROL;
		p[1] = CONTROL_LEN - 2;
		if (control != 1) {
			p[3] = 0x10;		/* commands may be reordered */
			put16(p + 8, 0xffff);	/* no limit of a busy time */
		}
		p += CONTROL_LEN;
	}
	return p - data;
}

static uint32_t block_descriptor(const struct scsi_disk *disk, bool longer,
				 uint8_t *p)
{
	if (longer) {
		put64(p, disk->blocks);
		put32(p + 12, disk->block_size);
		return 16;
	}
	put32(p, disk->blocks > UINT32_MAX ? UINT32_MAX :
					     (uint32_t)disk->blocks);
	put32(p + 4, disk->block_size);	/* byte 4 is reserved, and 0 */
	return 8;
}

void scsi_mode_sense(struct scsi_disk *disk, const struct scsi_luns *luns,
		       struct scsi_command *cmd)
{
	bool ten = cmd->cdb[0] == OP_MODE_SENSE_10;
	unsigned int control = cmd->cdb[2] >> 6;
	uint8_t page = cmd->cdb[2] & 0x3f;
	uint32_t header = ten ? 8 : 4;
	bool longer = ten && (cmd->cdb[1] & 0x10);
	/* DPOFUA: the DPO and FUA bits are understood; WP */
	uint8_t specific = (disk->like->no_fua ? 0 : 0x10) |
			   (disk->read_only ? 0x80 : 0);
	uint32_t len = header;
	uint32_t descriptor = 0, pages;

	(void)luns;
	if (scsi_refused(disk, cmd, ten ? ASK_MODE_SENSE_10 : ASK_MODE_SENSE_6,
			 ASC_INVALID_OPCODE))
		return;
	if (control == 3)
		return scsi_check(cmd, SENSE_ILLEGAL_REQUEST,
			     ASC_SAVING_NOT_SUPPORTED);
	if (cmd->cdb[3] && !(page == PAGE_ALL && cmd->cdb[3] == 0xff))
		return scsi_bad_cdb(cmd, 3, -1);
	if (!(cmd->cdb[1] & 0x08))
		descriptor = block_descriptor(disk, longer, cmd->data + len);
	len += descriptor;
	pages = mode_pages(disk, page, control, cmd->data + len);
	if (!pages)
		return scsi_bad_cdb(cmd, 2, 5);
	len += pages;

	if (ten) {
		put16(cmd->data, len - 2);
		cmd->data[3] = specific;
		cmd->data[4] = longer;
		put16(cmd->data + 6, descriptor);
		scsi_reply(cmd, len, get16(cmd->cdb + 7));
	} else {
		cmd->data[0] = len - 1;
		cmd->data[2] = specific;
		cmd->data[3] = descriptor;
		scsi_reply(cmd, len, cmd->cdb[4]);
	}
}

void scsi_mode_select(struct scsi_disk *disk, const struct scsi_luns *luns,
			struct scsi_command *cmd)
{
	bool ten = cmd->cdb[0] == OP_MODE_SELECT_10;
	uint32_t len = ten ? get16(cmd->cdb + 7) : cmd->cdb[4];

	(void)disk;
	(void)luns;
	if (!(cmd->cdb[1] & 0x10))
		return scsi_bad_cdb(cmd, 1, 4);	/* vendor's own format */
	if (cmd->cdb[1] & 0x01)
		return scsi_bad_cdb(cmd, 1, 0);	/* nothing is saved */
	if (len > SCSI_PARAM_MAX)
		return scsi_bad_cdb(cmd, ten ? 7 : 4, -1);
	if (len)
		scsi_want_parameters(cmd, len);
}

void scsi_mode_select_go(struct scsi_disk *disk, struct scsi_command *cmd,
			   const uint8_t *param)
{
	bool ten = cmd->cdb[0] == OP_MODE_SELECT_10;
	bool longer = ten && cmd->param_len >= 8 && (param[4] & 1);
	uint32_t len = cmd->param_len;
	uint32_t at = ten ? 8 : 4;
	bool wce = disk->write_cache;
	uint8_t want[64], mask[64];
	uint32_t descriptor, i, page_len;

	if (len < at)
		return scsi_check(cmd, SENSE_ILLEGAL_REQUEST,
			     ASC_PARAMETER_LIST_LENGTH);
	descriptor = ten ? get16(param + 6) : param[3];
	if (descriptor) {
		memset(want, 0, sizeof(want));
		if (descriptor != block_descriptor(disk, longer, want))
			return scsi_bad_param(cmd, ten ? 6 : 3, -1);
		if (len - at < descriptor)
			return scsi_check(cmd, SENSE_ILLEGAL_REQUEST,
				     ASC_PARAMETER_LIST_LENGTH);
		/* 0 blocks means: leave as it is. No other format is possible */
		for (i = 0; i < descriptor; i++) {
			bool count = i < (longer ? 8u : 4u);

			if (param[at + i] != want[i] &&
			    !(count && !param[at + i]))
				return scsi_bad_param(cmd, at + i, -1);
		}
		at += descriptor;
	}

	/* Nothing is changed before all of it was looked at */
	while (at < len) {
		uint8_t page = param[at] & 0x3f;

		memset(want, 0, sizeof(want));
		memset(mask, 0, sizeof(mask));
		if (param[at] & 0xc0)
			return scsi_bad_param(cmd, at, 7);
		if (page == PAGE_ALL)
			return scsi_bad_param(cmd, at, 5);
		page_len = mode_pages(disk, page, 0, want);
		if (!page_len)
			return scsi_bad_param(cmd, at, 5);
		if (len - at < page_len)
			return scsi_check(cmd, SENSE_ILLEGAL_REQUEST,
				     ASC_PARAMETER_LIST_LENGTH);
		mode_pages(disk, page, 1, mask);
		for (i = 1; i < page_len; i++) {
			uint8_t fixed = i < 2 ? 0xff : ~mask[i];

			if ((param[at + i] ^ want[i]) & fixed)
				return scsi_bad_param(cmd, at + i, -1);
		}
		if (page == PAGE_CACHING)
			wce = param[at + 2] & CACHING_WCE;
		if (disk->like->fixed_cache && wce != disk->write_cache)
			return scsi_bad_param(cmd, at + 2, -1);
		at += page_len;
	}

	/* What the cache held so far must not be left in it */
	if (disk->write_cache && !wce)
		cmd->action = SCSI_FLUSH;
	disk->write_cache = wce;
}
