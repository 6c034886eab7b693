// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the status and the sense data of a SCSI command mean: see sbc_judge() in
 * sbc.h. Formats: SPC-4.
 */
#include <synthio/storvsp.h>

#include "sbc.h"

enum {
	STATUS_GOOD			= 0x00,
	STATUS_CHECK_CONDITION		= 0x02,
	STATUS_BUSY			= 0x08,
	STATUS_RESERVATION_CONFLICT	= 0x18,
	STATUS_TASK_SET_FULL		= 0x28,
	STATUS_TASK_ABORTED		= 0x40,
};

/*
 * Key and code of sense data in fixed or descriptor format; false: none.
 * @deferred: they are about an earlier command, and this one was not carried out
 */
static bool sense_decode(const u8 *s, u32 len, struct sbc_verdict *v,
			 bool *deferred)
{
	if (!s || len < 3)
		return false;
	*deferred = s[0] & 1;
	switch (s[0] & 0x7f) {
	case 0x70:
	case 0x71:
		v->key = s[2] & 0xf;
		if (len >= 13)
			v->asc = s[12] << 8;
		if (len >= 14)
			v->asc |= s[13];
		return true;
	case 0x72:
	case 0x73:
		v->key = s[1] & 0xf;
		v->asc = s[2] << 8;
		if (len >= 4)
			v->asc |= s[3];
		return true;
	default:
		return false;
	}
}

static void unit_attention(struct sbc_verdict *v)
{
	v->retry = true;
	v->outcome = SBC_IO_ERROR;
	switch (v->asc >> 8) {
	case 0x3f:		/* properties of the unit have changed */
		v->hints = v->asc == 0x3f0e ? SBC_HINT_LUNS : SBC_HINT_CAPACITY;
		break;
	case 0x2a:
		/* mode parameters, capacity */
		if (v->asc == 0x2a01 || v->asc == 0x2a09)
			v->hints = SBC_HINT_CAPACITY;
		break;
	}
}

/* Hosts report any error of their storage as 3/0000, which may pass */
static void medium_error(struct sbc_verdict *v)
{
	switch (v->asc >> 8) {
	case 0x11:		/* unrecovered read error */
	case 0x13:		/* address mark, ... */
	case 0x14:		/* ... or recorded entity not found */
		break;
	default:
		v->retry = true;
	}
	v->outcome = v->asc ? SBC_MEDIUM_ERROR : SBC_IO_ERROR;
}

static void illegal_request(struct sbc_verdict *v, enum sbc_command command)
{
	v->outcome = SBC_TARGET_ERROR;
	switch (v->asc) {
	case 0x2500:		/* logical unit not supported */
		v->hints = SBC_HINT_LUNS;
		v->outcome = SBC_GONE;
		return;
	case 0x2000:		/* unknown operation code */
		if (command != SBC_CMD_KNOWN)
			v->outcome = SBC_NOT_SUPPORTED;
		return;
	case 0x2400:		/* unknown field of it */
	case 0x2600:
		if (command == SBC_CMD_OPTIONAL)
			v->outcome = SBC_NOT_SUPPORTED;
		break;
	}
	/* a flush has no field that could be wrong */
	v->retry = command == SBC_CMD_FLUSH;
}

static void judge_sense(struct sbc_verdict *v, enum sbc_command command)
{
	switch (v->key) {
	case SBC_KEY_NO_SENSE:
	case SBC_KEY_RECOVERED_ERROR:
	case SBC_KEY_COMPLETED:
		v->outcome = SBC_OK;
		break;
	case SBC_KEY_NOT_READY:
		switch (v->asc) {
		case 0x0401:		/* becoming ready */
		case 0x0404:		/* format in progress */
		case 0x0407:		/* operation in progress */
		case 0x040a:		/* asymmetric access state transition */
			v->outcome = SBC_RETRY_LATER;
		}
		break;
	case SBC_KEY_MEDIUM_ERROR:
		medium_error(v);
		break;
	case SBC_KEY_HARDWARE_ERROR:
		v->outcome = SBC_TARGET_ERROR;
		break;
	case SBC_KEY_ILLEGAL_REQUEST:
		illegal_request(v, command);
		break;
	case SBC_KEY_UNIT_ATTENTION:
		unit_attention(v);
		break;
	case SBC_KEY_DATA_PROTECT:
		v->outcome = SBC_NO_SPACE;
		if (v->asc == 0x2707)	/* space allocation failed */
			break;
		/* the disk has become read-only, perhaps */
		v->hints = SBC_HINT_CAPACITY;
		v->outcome = SBC_TARGET_ERROR;
		break;
	case SBC_KEY_ABORTED_COMMAND:
		if (v->asc >> 8 == 0x10)
			v->outcome = SBC_PROTECTION;
		else
			v->retry = true;
		break;
	}
}

/* The meaning of the SRB status where there is neither status nor sense data */
static void judge_srb(struct sbc_verdict *v, enum sbc_command command)
{
	switch (v->srb_status & STORVSP_SRB_STATUS_MASK) {
	case STORVSP_SRB_BUSY:
		v->outcome = SBC_RETRY_LATER;
		break;
	case STORVSP_SRB_ERROR:
	case STORVSP_SRB_SELECTION_TIMEOUT:
	case STORVSP_SRB_INTERNAL_ERROR:
	case STORVSP_SRB_ABORTED:
	case STORVSP_SRB_BUS_RESET:
	case STORVSP_SRB_TIMEOUT:
	case STORVSP_SRB_COMMAND_TIMEOUT:
	case STORVSP_SRB_REQUEST_FLUSHED:
		v->retry = true;
		break;
	case STORVSP_SRB_INVALID_REQUEST:
		v->outcome = command == SBC_CMD_OPTIONAL ? SBC_NOT_SUPPORTED :
			     SBC_TARGET_ERROR;
		v->retry = command == SBC_CMD_FLUSH;
		break;
	}
}

struct sbc_verdict sbc_judge(const struct sbc_answer *a)
{
	u8 srb = a->srb_status & STORVSP_SRB_STATUS_MASK;
	struct sbc_verdict v = {
		.outcome = SBC_IO_ERROR,
		.srb_status = a->srb_status,
		.scsi_status = a->scsi_status,
	};
	bool deferred;

	/*
	 * An overrun is another amount of data than was asked for, which the
	 * caller compares. Where there is no amount to compare it is an error.
	 */
	if (a->scsi_status == STATUS_GOOD &&
	    (srb == STORVSP_SRB_SUCCESS || (srb == STORVSP_SRB_DATA_OVERRUN &&
					    a->command == SBC_CMD_KNOWN))) {
		v.outcome = SBC_OK;
		return v;
	}
	switch (srb) {
	case STORVSP_SRB_INVALID_LUN:
	case STORVSP_SRB_NO_DEVICE:
	case STORVSP_SRB_INVALID_TARGET_ID:
	case STORVSP_SRB_INVALID_PATH_ID:
		v.hints = SBC_HINT_LUNS;
		v.outcome = SBC_GONE;
		return v;
	}
	if (a->scsi_status == STATUS_CHECK_CONDITION &&
	    (a->srb_status & STORVSP_SRB_AUTOSENSE_VALID) &&
	    sense_decode(a->sense, a->sense_len, &v, &deferred)) {
		judge_sense(&v, a->command);
		if (deferred) {
			v.outcome = SBC_IO_ERROR;
			v.retry = true;
		}
		return v;
	}
	switch (a->scsi_status) {
	case STATUS_BUSY:
	case STATUS_TASK_SET_FULL:
		v.outcome = SBC_RETRY_LATER;
		return v;
	case STATUS_RESERVATION_CONFLICT:
		v.outcome = SBC_RESERVED;
		return v;
	case STATUS_TASK_ABORTED:
		v.retry = true;
		return v;
	}
	judge_srb(&v, a->command);
	return v;
}
