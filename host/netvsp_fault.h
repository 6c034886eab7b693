/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a network card does wrong on purpose: faults that the command `net-fault`
 * of the control socket sets.
 *
 * Each is for one sort of what the host sends: a point. There, numbers in the
 * message are replaced by others, or it is sent under another transaction id, in
 * another length, as another type of packet, several times, or not at all.
 */
#ifndef SYNTHHOST_NETVSP_FAULT_H
#define SYNTHHOST_NETVSP_FAULT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device.h"

#define NETVSP_FAULT_FIELDS	8u	/* changed by one fault */
#define NETVSP_FAULT_FOREVER	UINT64_MAX
#define NETVSP_FAULT_REPEAT	2048u
#define NETVSP_FAULT_LENGTH	4096u

struct netvsp;

enum netvsp_point {
	POINT_INIT,		/* completions of the negotiation */
	POINT_RECEIVE_BUFFER,
	POINT_SEND_BUFFER,
	POINT_SUBCHANNEL,
	POINT_TX,		/* completions of RNDIS packets */
	POINT_PAGES,		/* transfer-pages packets */
	POINT_FRAME,		/* headers of frames in them */
	POINT_ANSWER,		/* RNDIS control messages in them */
	POINT_TABLE,		/* the send indirection table */
	POINT_SET,		/* SETs of the guest's: answered, not done */
	NETVSP_POINTS,
};

/* What fields and the other keys change */
struct netvsp_patch {
	uint16_t offset;
	uint8_t bytes;
	bool payload;		/* POINT_PAGES: of it, not of the ranges */
	bool last;		/* POINT_PAGES: of the last range */
	uint64_t value;
};

/**
 * struct netvsp_fault - one, as it was given
 * @text: as it was given, for the list
 * @skip, @count: so many pass first, so many are spoilt
 * @every: of those that come then each so-manieth is spoilt; 1: all of them
 * @passed: since the last that was spoilt
 * @message, @oid: POINT_ANSWER, and the latter POINT_SET: only to this, where not 0
 * @times: how often it is sent
 * @length: of the message; -1: as it is
 * @id_xor: transaction id
 * @packet_type: 0: as it is
 * @repeat: POINT_PAGES: the last range so many times more
 * @piece: POINT_FRAME: of a frame in pieces this one's header; -1: the last's
 * @flags: POINT_FRAME: of a piece, whether it is one or not; -1: as they are
 */
struct netvsp_fault {
	struct netvsp_fault *next;
	enum netvsp_point point;
	char *text;
	uint64_t skip, count;
	uint64_t every, passed;
	uint64_t seen, hits;
	uint32_t message, oid;
	unsigned int times;
	int length;
	uint64_t id_xor;
	unsigned int packet_type;
	unsigned int repeat;
	int piece;
	int flags;
	unsigned int patches;
	struct netvsp_patch patch[NETVSP_FAULT_FIELDS];
};

/**
 * struct netvsp_faults - those of a card
 * @loose: completions of receive packets that may be of none
 */
struct netvsp_faults {
	struct netvsp_fault *list;
	uint64_t loose;
};

#define NETVSP_FAULT_ARGS \
	"help | ID POINT [key=value...] | ID list | ID clear | ID send|rndis|indicate|table|guess [key=value...] | ID hold|resume"
#define NETVSP_FAULT_HELP \
	"spoil what a network card says on purpose; `net-fault help` lists the points"

/**
 * netvsp_fault_command() - the command `net-fault`
 */
int netvsp_fault_command(struct bus *bus, int argc, char **argv,
			 struct text *out);

/**
 * fault_value() - cut "key=value" in two
 *
 * Return: value; NULL: it is not of that form, which @out then says.
 */
char *fault_value(char *arg, struct text *out);

/**
 * fault_number() - the number that is a key's value
 * @name: of the key
 *
 * Return: 0 or -EINVAL: it is none up to @max, which @out then says.
 */
int fault_number(const char *name, const char *value, uint64_t max,
		 uint64_t *to, struct text *out);

/**
 * netvsp_fault_hold() - read nothing of the guest's, or go on
 */
void netvsp_fault_hold(struct netvsp *n, bool on);

/**
 * netvsp_fault_guess() - complete what was never given to us: ids that the guest
 * will use next
 *
 * Return: 0 or -EINVAL.
 */
int netvsp_fault_guess(struct netvsp *n, int argc, char **argv,
		       struct text *out);

/**
 * netvsp_fault_take() - find the fault for what is about to be sent, and count it
 * @message, @oid: of POINT_ANSWER: its RNDIS type, and what was asked for; of
 *	POINT_SET: 0, and what is to be set
 *
 * Return: the fault, or NULL.
 */
struct netvsp_fault *netvsp_fault_take(struct netvsp *n,
				       enum netvsp_point point,
				       uint32_t message, uint32_t oid);

/**
 * netvsp_fault_patch() - replace the numbers in a message
 */
void netvsp_fault_patch(const struct netvsp_fault *f, void *msg, size_t len);

/**
 * netvsp_fault_complete() - send a completion as its fault wants it
 */
void netvsp_fault_complete(const struct netvsp_fault *f, struct channel *ch,
			   uint64_t trans_id, const void *msg, size_t len);

/**
 * netvsp_fault_message() - the same for a message of the host's own
 */
void netvsp_fault_message(const struct netvsp_fault *f, struct channel *ch,
			  const void *msg, size_t len);

/**
 * netvsp_fault_pages() - the same for a transfer-pages packet
 * @wire: as channel_send_pages() takes it
 */
void netvsp_fault_pages(struct netvsp *n, const struct netvsp_fault *f,
			struct channel *ch, uint64_t trans_id, const void *wire,
			size_t head, size_t len);

void netvsp_fault_clear(struct netvsp *n);

#endif
