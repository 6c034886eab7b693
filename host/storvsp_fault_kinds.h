/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a fault is made of: for the files storvsp_fault*.c only.
 */
#ifndef SYNTHHOST_STORVSP_FAULT_KINDS_H
#define SYNTHHOST_STORVSP_FAULT_KINDS_H

#include "storvsp.h"

#define FAULT_FOREVER		UINT64_MAX
#define FAULT_OVERSIZE_MAX	4096u
#define FAULT_OPCODE		0x100u	/* P_OP: an operation code, not a class */
#define FAULT_STEP_RESET	STORVSP_RESET_BUS	/* all three of them */

enum fault_kind {
	FAULT_SENSE,
	FAULT_STATUS,
	FAULT_SRB,
	FAULT_ANSWER,
	FAULT_FAIL,
	FAULT_LOST,
	FAULT_LATE,
	FAULT_DUPLICATE,
	FAULT_WRONG_ID,
	FAULT_UNKNOWN_ID_TOO,
	FAULT_SHORT,
	FAULT_OVERSIZE,
	FAULT_MOVED,
	FAULT_GARBAGE,
	FAULT_OPERATION,
	FAULT_SENSE_LENGTH,
	FAULT_PACKET_TYPE,
	FAULT_KINDS,
};

enum fault_param {
	/* which commands */
	P_LUN, P_OP, P_PAGE, P_LBA, P_SKIP, P_COUNT,
	/* what is done */
	P_KEY, P_ASC, P_INFO, P_FORMAT, P_DEFERRED, P_DATA, P_LENGTH,
	P_SCSI, P_SRB, P_STATUS, P_HEX,
	P_DONE, P_WHEN, P_MS, P_US, P_TIMES,
	P_XOR, P_THEN, P_ID, P_LEN, P_BYTES, P_SEED, P_VALUE, P_N,
	FAULT_PARAMS,
};

#define P(x)		(1u << P_##x)
#define P_SELECT	(P(LUN) | P(OP) | P(PAGE) | P(LBA) | P(SKIP) | P(COUNT))

_Static_assert(FAULT_PARAMS <= 32, "a set of parameters is one word");

/**
 * struct fault - one, as it was given
 * @refs: the list's, and one of each command that has met it
 * @text: as it was given, for the list
 * @step: operation of the initialisation; 0: it is for EXECUTE_SRB
 * @given: which of @p were given
 * @lba_end: the last one of P_LBA's range
 * @bytes: P_HEX, @p[P_HEX] of them
 */
struct fault {
	struct fault *next;
	unsigned int refs;
	enum fault_kind kind;
	char *text;
	uint32_t step;
	uint32_t given;
	uint64_t p[FAULT_PARAMS];
	uint64_t lba_end;
	uint8_t *bytes;
	uint64_t seen, hits;
};

static inline bool fault_has(const struct fault *f, enum fault_param param)
{
	return f->given & (1u << param);
}

/**
 * fault_new() - one with all that a fault has by default
 */
struct fault *fault_new(enum fault_kind kind);

/**
 * fault_release() - complete what is lost
 *
 * Return: how many.
 */
unsigned int fault_release(struct storvsp *s);

#endif
