// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of a disk controller: see storvsp_fault.h.
 *
 * Two tables say what there is: the parameters, and which of them each kind of
 * fault needs and takes. The parser, the list and the help are made of them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp.h"

#define FAULT_FOREVER		UINT64_MAX
#define FAULT_OVERSIZE_MAX	4096u
#define FAULT_SENSE_ROOM	STORVSP_SENSE_MAX
#define FAULT_OPCODE		0x100u	/* P_OP: an operation code, not a name */
#define FAULT_ANY		0u
#define FAULT_STEP_RESET	STORVSP_RESET_BUS	/* all three of them */
#define FAULT_UNKNOWN_ID	0xdeadbeefdeadbeefull

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

enum fault_value {
	VALUE_NUMBER,		/* decimal, or hexadecimal behind 0x */
	VALUE_HEX,		/* always hexadecimal */
	VALUE_CHOICE,
	VALUE_OP,
	VALUE_LBA,
	VALUE_COUNT,
	VALUE_BYTES,
};

static const char *const fault_ops[] = {
	"any", "read", "write", "flush", "verify", "unmap", "write-same", NULL,
};

static const char *const fault_yes[] = { "no", "yes", NULL };
static const char *const fault_whens[] = { "after", "before", NULL };
static const char *const fault_formats[] = { "fixed", "descriptor", NULL };
static const char *const fault_thens[] = { "nothing", "right", NULL };

static const struct {
	const char *name;
	const char *arg;
	enum fault_value value;
	uint64_t max;
	const char *const *choices;
} fault_params[FAULT_PARAMS] = {
	[P_LUN]		= { "lun", "N", VALUE_NUMBER, 255, NULL },
	[P_OP]		= { "op", "any|read|write|flush|verify|unmap|write-same|0xNN",
			    VALUE_OP, 0xff, NULL },
	[P_PAGE]	= { "page", "XX", VALUE_HEX, 0xff, NULL },
	[P_LBA]		= { "lba", "A[-B]", VALUE_LBA, 0, NULL },
	[P_SKIP]	= { "skip", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_COUNT]	= { "count", "N|forever", VALUE_COUNT, 0, NULL },
	[P_KEY]		= { "key", "X", VALUE_HEX, 0xf, NULL },
	[P_ASC]		= { "asc", "XXXX", VALUE_HEX, 0xffff, NULL },
	[P_INFO]	= { "info", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_FORMAT]	= { "format", "fixed|descriptor", VALUE_CHOICE, 0,
			    fault_formats },
	[P_DEFERRED]	= { "deferred", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_DATA]	= { "data", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_LENGTH]	= { "length", "N", VALUE_NUMBER, 255, NULL },
	[P_SCSI]	= { "scsi", "XX", VALUE_HEX, 0xff, NULL },
	[P_SRB]		= { "status", "XX", VALUE_HEX, 0xff, NULL },
	[P_STATUS]	= { "nt", "XXXXXXXX", VALUE_HEX, UINT32_MAX, NULL },
	[P_HEX]		= { "hex", "BYTES", VALUE_BYTES, 0, NULL },
	[P_DONE]	= { "done", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_WHEN]	= { "when", "after|before", VALUE_CHOICE, 0,
			    fault_whens },
	[P_MS]		= { "ms", "N", VALUE_NUMBER, 3600000, NULL },
	[P_US]		= { "us", "N", VALUE_NUMBER, 999999, NULL },
	[P_TIMES]	= { "times", "N", VALUE_NUMBER, 1000, NULL },
	[P_XOR]		= { "xor", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_THEN]	= { "then", "nothing|right", VALUE_CHOICE, 0,
			    fault_thens },
	[P_ID]		= { "id", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_LEN]		= { "len", "N", VALUE_NUMBER, FAULT_OVERSIZE_MAX, NULL },
	[P_BYTES]	= { "bytes", "N", VALUE_NUMBER, UINT32_MAX, NULL },
	[P_SEED]	= { "seed", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_VALUE]	= { "value", "N", VALUE_NUMBER, UINT32_MAX, NULL },
	[P_N]		= { "n", "N", VALUE_NUMBER, 255, NULL },
};

static const struct {
	const char *name;
	uint32_t needs, takes;
	bool for_step;		/* for `handshake`, too */
	const char *help;
} fault_kinds[FAULT_KINDS] = {
	[FAULT_SENSE] = { "sense", P(KEY) | P(ASC),
		P(INFO) | P(FORMAT) | P(DEFERRED) | P(DATA) | P(LENGTH) |
		P(SRB), false,
		"CHECK CONDITION; data=yes (default with key=1): after the command was done" },
	[FAULT_STATUS] = { "status", P(SCSI), P(SRB), false,
		"SCSI status: 08 BUSY, 18 RESERVATION CONFLICT, 28 TASK SET FULL" },
	[FAULT_SRB] = { "srb", P(SRB), P(SCSI), false,
		"SRB status alone: 02 ABORTED, 05 BUSY, 09 TIMEOUT, 0e BUS RESET, 20 INVALID LUN" },
	[FAULT_ANSWER] = { "answer", P(HEX), 0, false,
		"success, with these bytes as the data; '-' for none" },
	[FAULT_FAIL] = { "fail", 0, P(STATUS), true,
		"a failed initialisation step (c0000001)" },
	[FAULT_LOST] = { "lost", 0, P(DONE), true,
		"no completion until `release`; the command is done before that with done=yes" },
	[FAULT_LATE] = { "late", 0, P(MS) | P(US) | P(WHEN), true,
		"completed later; the transfer comes after the delay, or before it" },
	[FAULT_DUPLICATE] = { "duplicate", 0, P(TIMES) | P(MS) | P(US), true,
		"completed times=2 times; the repetitions after a delay" },
	[FAULT_WRONG_ID] = { "wrong-id", 0, P(XOR) | P(THEN), true,
		"transaction id changed by xor=1; then=right sends the right one, too" },
	[FAULT_UNKNOWN_ID_TOO] = { "unknown-id", 0, P(ID), true,
		"a completion of nothing (0xdeadbeefdeadbeef) before the right one" },
	[FAULT_SHORT] = { "short", P(LEN), 0, true,
		"payload cut to len bytes; the ring pads to 8" },
	[FAULT_OVERSIZE] = { "oversize", P(LEN), 0, true,
		"payload grown to len bytes" },
	[FAULT_MOVED] = { "moved", P(BYTES), 0, false,
		"this data_transfer_length" },
	[FAULT_GARBAGE] = { "garbage", 0, P(SEED) | P(LEN), true,
		"random payload, right id" },
	[FAULT_OPERATION] = { "operation", P(VALUE), 0, true,
		"another operation field" },
	[FAULT_SENSE_LENGTH] = { "sense-length", P(N), 0, false,
		"this sense_info_length" },
	[FAULT_PACKET_TYPE] = { "packet-type", P(VALUE), 0, true,
		"packet of another type than 11: 6, 7, 9" },
};

static const struct {
	const char *name;
	uint32_t operation;
} fault_steps[] = {
	{ "begin", STORVSP_BEGIN_INITIALIZATION },
	{ "version", STORVSP_QUERY_PROTOCOL_VERSION },
	{ "properties", STORVSP_QUERY_PROPERTIES },
	{ "subchannels", STORVSP_CREATE_SUB_CHANNELS },
	{ "end", STORVSP_END_INITIALIZATION },
	{ "reset", FAULT_STEP_RESET },
};

#define FAULT_STEPS	(sizeof(fault_steps) / sizeof(fault_steps[0]))

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

/**
 * struct held - a completion that waits
 * @request: whose I/O is to be begun then; NULL: @reply is to be sent
 * @lost: until somebody releases it; else @timer sends it
 */
struct held {
	struct held *next, **link;
	struct storvsp *s;
	struct storvsp_request *request;
	struct storvsp_reply reply;
	struct loop_timer timer;
	bool lost;
};

static bool fault_has(const struct fault *f, enum fault_param param)
{
	return f->given & (1u << param);
}

void fault_put(struct fault *f)
{
	if (!f || --f->refs)
		return;
	free(f->text);
	free(f->bytes);
	free(f);
}

static struct fault *fault_get(struct fault *f)
{
	f->refs++;
	return f;
}

static struct fault *fault_new(enum fault_kind kind)
{
	struct fault *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->refs = 1;
	f->kind = kind;
	f->p[P_COUNT] = 1;
	f->p[P_TIMES] = 2;
	f->p[P_XOR] = 1;
	f->p[P_SEED] = 1;
	f->p[P_ID] = FAULT_UNKNOWN_ID;
	f->p[P_STATUS] = STORVSP_STATUS_UNSUCCESSFUL;
	return f;
}

struct fault *fault_delay(unsigned int us)
{
	struct fault *f = fault_new(FAULT_LATE);

	if (f) {
		f->p[P_MS] = us / 1000;
		f->p[P_US] = us % 1000;
		f->p[P_WHEN] = 1;
	}
	return f;
}

/* --- which commands ------------------------------------------------------- */

static bool ranges_meet(const struct fault *f, uint64_t lba, uint64_t blocks)
{
	return blocks && lba <= f->lba_end &&
	       (lba >= f->p[P_LBA] || f->p[P_LBA] - lba < blocks);
}

static uint64_t be(const uint8_t *p, unsigned int bytes)
{
	uint64_t v = 0;

	while (bytes--)
		v = v << 8 | *p++;
	return v;
}

static bool unmap_meets(const struct fault *f, struct storvsp *s,
			const struct packet *pkt)
{
	size_t len = pkt->iov_bytes < sizeof(s->param) ? pkt->iov_bytes :
							 sizeof(s->param);
	const uint8_t *p = s->param;
	size_t at;

	storvsp_gather(pkt, s->param, len);
	for (at = 8; at + 16 <= len && at + 16 <= 8 + be(p + 2, 2); at += 16) {
		if (ranges_meet(f, be(p + at, 8), be(p + at + 8, 4)))
			return true;
	}
	return false;
}

static bool lba_meets(const struct fault *f, struct storvsp *s,
		      const struct packet *pkt, enum scsi_class class,
		      uint64_t lba, uint64_t blocks)
{
	switch (class) {
	case SCSI_CLASS_OTHER:
		return false;
	case SCSI_CLASS_UNMAP:
		return unmap_meets(f, s, pkt);
	case SCSI_CLASS_FLUSH:
		/* 0 blocks is all from there on */
		return ranges_meet(f, lba, blocks ? blocks : UINT64_MAX);
	default:
		return ranges_meet(f, lba, blocks);
	}
}

/* VPD page, or mode page */
static bool page_meets(const struct fault *f, const uint8_t *cdb)
{
	switch (cdb[0]) {
	case 0x12:
		return (cdb[1] & 1) && cdb[2] == f->p[P_PAGE];
	case 0x1a:
	case 0x5a:
		return (cdb[2] & 0x3f) == f->p[P_PAGE];
	default:
		return false;
	}
}

static bool fault_meets(const struct fault *f, struct storvsp *s,
			const struct storvsp_srb *srb, const struct packet *pkt,
			enum scsi_class class, uint64_t lba, uint64_t blocks)
{
	uint64_t op = f->p[P_OP];

	if (f->step || (fault_has(f, P_LUN) && f->p[P_LUN] != srb->lun))
		return false;
	if (op & FAULT_OPCODE) {
		if (srb->cdb[0] != (op & 0xff))
			return false;
	} else if (op == FAULT_ANY ? class == SCSI_CLASS_OTHER : class != op) {
		return false;
	}
	if (fault_has(f, P_PAGE) && !page_meets(f, srb->cdb))
		return false;
	return !fault_has(f, P_LBA) ||
	       lba_meets(f, s, pkt, class, lba, blocks);
}

/* It matches: is it its turn? */
static bool fault_hits(struct fault *f)
{
	if (f->seen++ < f->p[P_SKIP] || !f->p[P_COUNT])
		return false;
	if (f->p[P_COUNT] != FAULT_FOREVER)
		f->p[P_COUNT]--;
	f->hits++;
	return true;
}

void fault_select(struct storvsp *s, struct storvsp_reply *reply,
		  const struct lun *lun, const struct packet *pkt)
{
	const struct storvsp_srb *srb = &reply->pkt.srb;
	uint64_t lba, blocks;
	enum scsi_class class = scsi_classify(srb->cdb, &lba, &blocks);
	struct fault *f;

	for (f = s->faults.list; f; f = f->next) {
		if (!fault_meets(f, s, srb, pkt, class, lba, blocks) ||
		    !fault_hits(f))
			continue;
		log_debug("%s LUN %u: opcode %02x meets fault: %s", s->dev.id,
			  srb->lun, srb->cdb[0], f->text);
		reply->fault = fault_get(f);
		return;
	}
	if (lun && lun->delay && class != SCSI_CLASS_OTHER)
		reply->fault = fault_get(lun->delay);
}

void fault_select_step(struct storvsp *s, struct storvsp_reply *reply)
{
	uint32_t op = reply->pkt.operation;
	struct fault *f;

	if (op == STORVSP_RESET_LUN || op == STORVSP_RESET_ADAPTER)
		op = FAULT_STEP_RESET;
	for (f = s->faults.list; f; f = f->next) {
		if (f->step != op || !fault_hits(f))
			continue;
		log_debug("%s: operation %u meets fault: %s", s->dev.id, op,
			  f->text);
		reply->fault = fault_get(f);
		return;
	}
}

/* --- what is held --------------------------------------------------------- */

static void held_timer(struct loop_timer *timer);

/* Without memory it is completed as if nothing were wrong */
static struct held *held_new(struct storvsp *s, const struct fault *f,
			     struct storvsp_channel *sc)
{
	struct held **link = &s->faults.held, *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	while (*link)
		link = &(*link)->next;
	*link = h;
	h->link = link;
	h->s = s;
	/* the right completion of one that went out under a wrong id, too */
	h->lost = f->kind == FAULT_LOST || f->kind == FAULT_WRONG_ID;
	if (!h->lost) {
		h->timer.fired = held_timer;
		loop_set_timer_us(bus_loop(s->dev.bus), &h->timer,
				  f->p[P_MS] * 1000 + f->p[P_US]);
	}
	sc->waiting++;
	return h;
}

static struct storvsp_reply *held_reply(struct held *h)
{
	return h->request ? storvsp_request_reply(h->request) : &h->reply;
}

static void held_free(struct held *h)
{
	loop_clear_timer(&h->timer);
	held_reply(h)->sc->waiting--;
	*h->link = h->next;
	if (h->next)
		h->next->link = h->link;
	free(h);
}

/* Its I/O will not be done, whatever comes */
static void held_void(struct held *h, uint8_t srb_status)
{
	struct storvsp_request *r = h->request;

	if (!r)
		return;
	h->reply = *storvsp_request_reply(r);
	h->request = NULL;
	storvsp_request_free(r);
	fault_put(h->reply.fault);
	h->reply.fault = NULL;
	storvsp_fill_srb(&h->reply, srb_status);
}

/* Its time has come */
static void held_end(struct held *h)
{
	struct storvsp_request *r = h->request;
	struct storvsp_reply reply;

	if (r) {
		struct storvsp_reply *now = storvsp_request_reply(r);

		held_free(h);
		fault_put(now->fault);
		now->fault = NULL;
		storvsp_request_start(r);
		return;
	}
	reply = h->reply;
	held_free(h);
	channel_complete(reply.sc->ch, reply.trans_id, &reply.pkt, reply.len);
}

static void held_timer(struct loop_timer *timer)
{
	struct held *h = container_of(timer, struct held, timer);
	struct storvsp *s = h->s;

	held_end(h);
	storvsp_update_pauses(s);
}

bool fault_holds(struct storvsp *s, struct storvsp_request *r)
{
	struct storvsp_reply *reply = storvsp_request_reply(r);
	const struct fault *f = reply->fault;
	struct held *h;

	if (!(f->kind == FAULT_LOST && !f->p[P_DONE]) &&
	    !(f->kind == FAULT_LATE && !f->p[P_WHEN]))
		return false;
	h = held_new(s, f, reply->sc);
	if (!h)
		return false;
	h->request = r;
	storvsp_update_pauses(s);
	return true;
}

static void hold_reply(const struct storvsp_reply *reply, const struct fault *f)
{
	struct storvsp *s = reply->sc->s;
	struct held *h = held_new(s, f, reply->sc);

	if (!h) {
		channel_complete(reply->sc->ch, reply->trans_id, &reply->pkt,
				 reply->len);
		return;
	}
	h->reply = *reply;
	h->reply.fault = NULL;
	storvsp_update_pauses(s);
}

bool fault_busy(const struct storvsp *s, const struct storvsp_channel *sc)
{
	struct held *h;

	for (h = s->faults.held; h; h = h->next) {
		if (!h->lost && held_reply(h)->sc == sc)
			return true;
	}
	return false;
}

void fault_end_late(struct storvsp *s, const struct storvsp_channel *sc,
		    uint8_t srb_status)
{
	struct held *h, *next;

	for (h = s->faults.held; h; h = next) {
		next = h->next;
		if (sc && held_reply(h)->sc != sc)
			continue;
		held_void(h, srb_status);
		if (!h->lost)
			held_end(h);
	}
}

void fault_forget(struct storvsp *s, const struct storvsp_channel *sc)
{
	struct held *h, *next;

	for (h = s->faults.held; h; h = next) {
		next = h->next;
		if (held_reply(h)->sc != sc)
			continue;
		held_void(h, STORVSP_SRB_ABORTED);
		held_free(h);
	}
}

void fault_lun_gone(struct storvsp *s, const struct lun *lun)
{
	struct held *h;

	for (h = s->faults.held; h; h = h->next) {
		if (h->request && storvsp_request_lun(h->request) == lun)
			held_void(h, STORVSP_SRB_INVALID_LUN);
	}
}

static unsigned int fault_release(struct storvsp *s)
{
	struct held *h, *next;
	unsigned int n = 0;

	for (h = s->faults.held; h; h = next) {
		next = h->next;
		if (!h->lost)
			continue;
		held_end(h);
		n++;
	}
	storvsp_update_pauses(s);
	return n;
}

void fault_clear(struct storvsp *s)
{
	struct fault *f;

	while ((f = s->faults.list)) {
		s->faults.list = f->next;
		fault_put(f);
	}
	s->report = s->configured;
}

/* --- what is done --------------------------------------------------------- */

/* Bytes of sense data in @to */
static uint32_t make_sense(const struct fault *f, uint8_t *to)
{
	uint8_t code = f->p[P_DEFERRED];
	uint64_t info = f->p[P_INFO];
	unsigned int i;

	memset(to, 0, FAULT_SENSE_ROOM);
	if (f->p[P_FORMAT]) {
		to[0] = 0x72 + code;
		to[1] = f->p[P_KEY];
		to[2] = f->p[P_ASC] >> 8;
		to[3] = f->p[P_ASC];
		if (!fault_has(f, P_INFO))
			return 8;
		to[7] = 12;		/* of the one descriptor behind */
		to[9] = 10;		/* type 0, information */
		to[10] = 0x80;
		for (i = 0; i < 8; i++)
			to[12 + i] = info >> (56 - 8 * i);
		return 20;
	}
	to[0] = 0x70 + code;
	if (fault_has(f, P_INFO)) {
		to[0] |= 0x80;
		for (i = 0; i < 4; i++)
			to[3 + i] = info >> (24 - 8 * i);
	}
	to[2] = f->p[P_KEY];
	to[7] = SCSI_SENSE_LEN - 8;
	to[12] = f->p[P_ASC] >> 8;
	to[13] = f->p[P_ASC];
	return SCSI_SENSE_LEN;
}

/* Where the completion says other things than data_transfer_length */
static void put_sense(struct storvsp_srb *srb, const struct fault *f)
{
	uint8_t sense[FAULT_SENSE_ROOM];
	uint32_t room = srb->sense_info_length, len = make_sense(f, sense);

	srb->scsi_status = SCSI_CHECK_CONDITION;
	srb->srb_status = STORVSP_SRB_ERROR;
	if (f->p[P_KEY] == SENSE_ILLEGAL_REQUEST &&
	    (f->p[P_ASC] == ASC_INVALID_OPCODE ||
	     f->p[P_ASC] == ASC_INVALID_FIELD_IN_CDB))
		srb->srb_status = STORVSP_SRB_INVALID_REQUEST;
	if (len > room)
		len = room;
	memset(srb->sense_data, 0, sizeof(srb->sense_data));
	memcpy(srb->sense_data, sense, len);
	if (len)
		srb->srb_status |= STORVSP_SRB_AUTOSENSE_VALID;
	if (fault_has(f, P_SRB))
		srb->srb_status = f->p[P_SRB];
	srb->sense_info_length = fault_has(f, P_LENGTH) ? f->p[P_LENGTH] : len;
}

static bool sense_after_data(const struct fault *f)
{
	return fault_has(f, P_DATA) ? f->p[P_DATA] : f->p[P_KEY] == 1;
}

bool fault_answers(struct storvsp_reply *reply, const struct packet *pkt)
{
	struct storvsp_srb *srb = &reply->pkt.srb;
	uint32_t status = STORVSP_STATUS_UNSUCCESSFUL, room, len;
	struct fault *f = reply->fault;

	switch (f->kind) {
	case FAULT_SENSE:
		if (sense_after_data(f)) {
			reply->room = srb->sense_info_length;
			return false;
		}
		put_sense(srb, f);
		srb->data_transfer_length = 0;
		break;
	case FAULT_STATUS:
	case FAULT_SRB:
		srb->scsi_status = f->p[P_SCSI];
		srb->srb_status = f->p[P_SCSI] == SCSI_BUSY ?
				  STORVSP_SRB_BUSY : STORVSP_SRB_ERROR;
		if (fault_has(f, P_SRB))
			srb->srb_status = f->p[P_SRB];
		srb->sense_info_length = 0;
		srb->data_transfer_length = 0;
		break;
	case FAULT_ANSWER:
		room = srb->data_in == STORVSP_DATA_IN ?
		       srb->data_transfer_length : 0;
		len = f->p[P_HEX] < room ? f->p[P_HEX] : room;
		storvsp_scatter(pkt, f->bytes, len);
		status = STORVSP_STATUS_SUCCESS;
		srb->scsi_status = SCSI_GOOD;
		srb->srb_status = STORVSP_SRB_SUCCESS;
		srb->sense_info_length = 0;
		srb->data_transfer_length = len;
		break;
	case FAULT_FAIL:
		status = f->p[P_STATUS];
		break;
	default:
		return false;
	}
	reply->fault = NULL;
	fault_put(f);
	storvsp_complete(reply, status);
	return true;
}

static void send_bytes(const struct storvsp_reply *reply, const void *from,
		       uint32_t have, uint32_t len)
{
	uint8_t bytes[FAULT_OVERSIZE_MAX] = { 0 };

	memcpy(bytes, from, have < len ? have : len);
	channel_complete(reply->sc->ch, reply->trans_id, bytes, len);
}

static void send_garbage(const struct storvsp_reply *reply, struct fault *f)
{
	uint32_t len = fault_has(f, P_LEN) ? f->p[P_LEN] : reply->len, i;
	uint64_t x = f->p[P_SEED] * 2 + 1;
	uint8_t bytes[FAULT_OVERSIZE_MAX];

	for (i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = x >> 32;
	}
	f->p[P_SEED] = x >> 1;	/* other ones the next time */
	channel_complete(reply->sc->ch, reply->trans_id, bytes, len);
}

static void send_again(const struct storvsp_reply *reply, const struct fault *f)
{
	bool late = f->p[P_MS] || f->p[P_US];
	uint64_t i;

	for (i = 0; i < f->p[P_TIMES]; i++) {
		if (i && late)
			hold_reply(reply, f);
		else
			channel_complete(reply->sc->ch, reply->trans_id,
					 &reply->pkt, reply->len);
	}
}

void fault_completes(struct storvsp_reply *reply)
{
	struct storvsp_packet *pkt = &reply->pkt;
	struct channel *ch = reply->sc->ch;
	struct fault *f = reply->fault;
	bool send = true;

	reply->fault = NULL;
	switch (f->kind) {
	case FAULT_LOST:
	case FAULT_LATE:
		hold_reply(reply, f);
		send = false;
		break;
	case FAULT_DUPLICATE:
		send_again(reply, f);
		send = false;
		break;
	case FAULT_WRONG_ID:
		channel_complete(ch, reply->trans_id ^ f->p[P_XOR], pkt,
				 reply->len);
		send = f->p[P_THEN];
		if (!send)
			hold_reply(reply, f);
		break;
	case FAULT_UNKNOWN_ID_TOO:
		channel_complete(ch, f->p[P_ID], pkt, reply->len);
		break;
	case FAULT_SHORT:
	case FAULT_OVERSIZE:
		send_bytes(reply, pkt, reply->len, f->p[P_LEN]);
		send = false;
		break;
	case FAULT_GARBAGE:
		send_garbage(reply, f);
		send = false;
		break;
	case FAULT_PACKET_TYPE:
		channel_inject(ch, f->p[P_VALUE], reply->trans_id, pkt,
			       reply->len);
		send = false;
		break;
	case FAULT_SENSE:
		if (pkt->status == STORVSP_STATUS_SUCCESS) {
			pkt->status = STORVSP_STATUS_UNSUCCESSFUL;
			pkt->srb.sense_info_length = reply->room;
			put_sense(&pkt->srb, f);
		}
		break;
	case FAULT_MOVED:
		pkt->srb.data_transfer_length = f->p[P_BYTES];
		break;
	case FAULT_OPERATION:
		pkt->operation = f->p[P_VALUE];
		break;
	case FAULT_SENSE_LENGTH:
		pkt->srb.sense_info_length = f->p[P_N];
		break;
	default:
		break;
	}
	if (send)
		channel_complete(ch, reply->trans_id, pkt, reply->len);
	fault_put(f);
}

/* --- the command ---------------------------------------------------------- */

static int parse_hex(const char *s, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isxdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*value = strtoull(s, &end, 16);
	return errno || *end || *value > max ? -EINVAL : 0;
}

static int parse_choice(const char *const *choices, const char *s,
			uint64_t *value)
{
	for (*value = 0; choices[*value]; (*value)++) {
		if (!strcmp(choices[*value], s))
			return 0;
	}
	return -EINVAL;
}

static int parse_lba(struct fault *f, char *s)
{
	char *last = strchr(s, '-');

	if (last)
		*last++ = '\0';
	if (text_number(s, 0, UINT64_MAX, &f->p[P_LBA]) ||
	    text_number(last ? last : s, f->p[P_LBA], UINT64_MAX, &f->lba_end))
		return -EINVAL;
	return 0;
}

static int parse_bytes(struct fault *f, const char *s)
{
	size_t n = strlen(s), i;
	char two[3] = "";
	uint64_t byte;

	if (!strcmp(s, "-"))
		n = 0;
	if (n % 2 || f->bytes)
		return -EINVAL;
	f->bytes = calloc(1, n / 2 + 1);
	if (!f->bytes)
		return -ENOMEM;
	for (i = 0; i < n / 2; i++) {
		memcpy(two, s + 2 * i, 2);
		if (!isxdigit((unsigned char)two[1]) ||
		    parse_hex(two, 0xff, &byte))
			return -EINVAL;
		f->bytes[i] = byte;
	}
	f->p[P_HEX] = n / 2;
	return 0;
}

static int parse_value(struct fault *f, enum fault_param param, char *s)
{
	uint64_t max = fault_params[param].max, *value = &f->p[param];

	switch (fault_params[param].value) {
	case VALUE_NUMBER:
		return text_number(s, 0, max, value);
	case VALUE_HEX:
		return parse_hex(s, max, value);
	case VALUE_CHOICE:
		return parse_choice(fault_params[param].choices, s, value);
	case VALUE_OP:
		if (!parse_choice(fault_ops, s, value))
			return 0;
		/* "12" could be either */
		if (s[0] != '0' || s[1] != 'x' ||
		    text_number(s, 0, max, value))
			return -EINVAL;
		*value |= FAULT_OPCODE;
		return 0;
	case VALUE_LBA:
		return parse_lba(f, s);
	case VALUE_COUNT:
		if (strcmp(s, "forever"))
			return text_number(s, 1, FAULT_FOREVER - 1, value);
		*value = FAULT_FOREVER;
		return 0;
	case VALUE_BYTES:
		return parse_bytes(f, s);
	}
	return -EINVAL;
}

static int parse_kind(const char *name, bool step, enum fault_kind *kind)
{
	unsigned int i;

	for (i = 0; i < FAULT_KINDS; i++) {
		if (strcmp(fault_kinds[i].name, name))
			continue;
		if (step ? !fault_kinds[i].for_step : i == FAULT_FAIL)
			return -EINVAL;
		*kind = i;
		return 0;
	}
	return -EINVAL;
}

static int parse_param(struct fault *f, char *word, struct text *out)
{
	uint32_t allowed = fault_kinds[f->kind].needs |
			   fault_kinds[f->kind].takes |
			   (f->step ? P(SKIP) | P(COUNT) : P_SELECT);
	char *value = strchr(word, '=');
	unsigned int i;

	if (!value)
		return text_add(out, "\"%s\" is not of the form key=value",
				word);
	*value++ = '\0';
	for (i = 0; i < FAULT_PARAMS; i++) {
		if (!(allowed & (1u << i)) || strcmp(fault_params[i].name, word))
			continue;
		if (parse_value(f, i, value))
			return text_add(out, "%s is %s", word,
					fault_params[i].arg);
		f->given |= 1u << i;
		return 0;
	}
	return text_add(out, "%s takes no %s=; see 'fault help'",
			fault_kinds[f->kind].name, word);
}

/* step=S fault=KIND, in this order or the other */
static int parse_handshake(int argc, char **argv, uint32_t *step,
			   enum fault_kind *kind, struct text *out)
{
	bool has_kind = false;
	unsigned int i;
	int n;

	*step = 0;
	for (n = 3; n < argc; n++) {
		if (!strncmp(argv[n], "step=", 5)) {
			for (i = 0; i < FAULT_STEPS; i++) {
				if (!strcmp(argv[n] + 5, fault_steps[i].name))
					*step = fault_steps[i].operation;
			}
		} else if (!strncmp(argv[n], "fault=", 6)) {
			has_kind = !parse_kind(argv[n] + 6, true, kind);
		}
	}
	if (!*step)
		return text_add(out, "step is begin, version, properties, subchannels, end or reset");
	if (!has_kind)
		return text_add(out, "fault= names none that a handshake can have; see 'fault help'");
	return 0;
}

static char *join(int argc, char **argv)
{
	struct text t = { 0 };
	int i;

	for (i = 0; i < argc; i++)
		text_add(&t, "%s%s", i ? " " : "", argv[i]);
	return t.s;
}

static int check_needs(const struct fault *f, struct text *out)
{
	uint32_t missing = fault_kinds[f->kind].needs & ~f->given;
	unsigned int i;

	if (!missing)
		return 0;
	i = __builtin_ctz(missing);
	return text_add(out, "%s needs %s=%s", fault_kinds[f->kind].name,
			fault_params[i].name, fault_params[i].arg);
}

static int fault_add(struct storvsp *s, int argc, char **argv,
		     struct text *out)
{
	bool handshake = !strcmp(argv[2], "handshake");
	struct fault *f, **link = &s->faults.list;
	enum fault_kind kind = FAULT_FAIL;
	uint32_t step = 0;
	int i, ret = 0;

	if (handshake) {
		ret = parse_handshake(argc, argv, &step, &kind, out);
		if (ret)
			return ret;
	} else if (parse_kind(argv[2], false, &kind)) {
		return text_add(out, "there is no fault \"%s\"; see 'fault help'",
				argv[2]);
	}
	f = fault_new(kind);
	if (!f)
		return -ENOMEM;
	f->step = step;
	f->text = join(argc - 2, argv + 2);
	for (i = 3; i < argc && !ret; i++) {
		if (handshake && (!strncmp(argv[i], "step=", 5) ||
				  !strncmp(argv[i], "fault=", 6)))
			continue;
		ret = parse_param(f, argv[i], out);
	}
	if (!ret)
		ret = check_needs(f, out);
	if (ret || !f->text) {
		fault_put(f);
		return ret ? ret : -ENOMEM;
	}
	while (*link)
		link = &(*link)->next;
	*link = f;
	log_info("%s: fault: %s", s->dev.id, f->text);
	return 0;
}

/* Not a fault of an answer: says something by itself, now */
static int fault_unsolicited(struct storvsp *s, int argc, char **argv,
			     struct text *out)
{
	struct storvsp_packet pkt = { 0 };
	uint64_t op = 0, count = 1, id = 0, len;
	bool has_op = false;
	int i, ret = 0;

	len = s->version < STORVSP_VERSION_5_1 ? STORVSP_PACKET_OLD :
						 sizeof(pkt);
	for (i = 3; i < argc && !ret; i++) {
		char *value = strchr(argv[i], '=');

		if (value)
			*value++ = '\0';
		if (value && !strcmp(argv[i], "operation")) {
			ret = text_number(value, 0, UINT32_MAX, &op);
			has_op = true;
		} else if (value && !strcmp(argv[i], "count")) {
			ret = text_number(value, 1, 100000, &count);
		} else if (value && !strcmp(argv[i], "id")) {
			ret = text_number(value, 0, UINT64_MAX, &id);
		} else if (value && !strcmp(argv[i], "len")) {
			ret = text_number(value, 0, sizeof(pkt), &len);
		} else {
			ret = -EINVAL;
		}
	}
	if (ret || !has_op)
		return text_add(out, "unsolicited operation=N [count=N] [id=N] [len=N]");
	if (!s->primary)
		return text_add(out, "the channel is not open");
	pkt.operation = op;
	while (count-- && !ret)
		ret = channel_send(s->primary, id, &pkt, len, false);
	return ret ? text_add(out, "%s", strerror(-ret)) : 0;
}

static int fault_report(struct storvsp *s, int argc, char **argv,
			struct text *out)
{
	struct storvsp_report report = s->report;
	int i, ret;

	if (argc < 4)
		return text_add(out, "report needs key=value");
	for (i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value)
			*value++ = '\0';
		ret = storvsp_report_option(&report, argv[i], value, out);
		if (ret == -ENOENT)
			return text_add(out, "report knows no %s=", argv[i]);
		if (ret)
			return ret;
	}
	s->report = report;
	return 0;
}

static void help_params(uint32_t set, bool optional, struct text *out)
{
	unsigned int i;

	for (i = 0; i < FAULT_PARAMS; i++) {
		if (set & (1u << i))
			text_add(out, optional ? " [%s=%s]" : " %s=%s",
				 fault_params[i].name, fault_params[i].arg);
	}
}

static void fault_help_text(struct text *out)
{
	unsigned int i;

	text_add(out, "fault CTRL KIND [key=value...]: the first fault that matches a command spoils it\n");
	text_add(out, "which commands (default: one, of any kind that transfers, writes back or discards):\n ");
	help_params(P_SELECT, true, out);
	text_add(out, "\n  skip=N lets N pass first; op=0xNN is an operation code, page= of INQUIRY or MODE SENSE\nkinds:\n");
	for (i = 0; i < FAULT_KINDS; i++) {
		if (i == FAULT_FAIL)
			continue;
		text_add(out, "  %s", fault_kinds[i].name);
		help_params(fault_kinds[i].needs, false, out);
		help_params(fault_kinds[i].takes, true, out);
		text_add(out, "\n      %s\n", fault_kinds[i].help);
	}
	text_add(out, "  handshake step=");
	for (i = 0; i < FAULT_STEPS; i++)
		text_add(out, "%s%s", i ? "|" : "", fault_steps[i].name);
	text_add(out, " fault=KIND [skip=N] [count=N|forever]\n      KIND is fail [nt=XXXXXXXX]");
	for (i = 0; i < FAULT_KINDS; i++) {
		if (fault_kinds[i].for_step && i != FAULT_FAIL)
			text_add(out, ", %s", fault_kinds[i].name);
	}
	text_add(out,
		 "; with its own keys\n"
		 "at once:\n"
		 "  unsolicited operation=N [count=N] [id=N] [len=N]\n"
		 "      send such a packet: 11 ENUMERATE_BUS, 2 REMOVE_DEVICE, 12 FCHBA, others are unknown\n"
		 "  report [max-version=X.Y] [report-max-transfer=N] [report-channels=N] [offer-subchannels=N]\n"
		 "      what the next initialisation is told, as the options of --scsi\n"
		 "  list, clear (all faults and reports), release (complete what is lost)\n");
}

static void fault_list(const struct storvsp *s, struct text *out)
{
	const struct fault *f;
	unsigned int n = 0;

	for (f = s->faults.list; f; f = f->next) {
		text_add(out, "%u hits=%llu seen=%llu left=", ++n,
			 (unsigned long long)f->hits,
			 (unsigned long long)f->seen);
		if (f->p[P_COUNT] == FAULT_FOREVER)
			text_add(out, "forever %s\n", f->text);
		else
			text_add(out, "%llu %s\n",
				 (unsigned long long)f->p[P_COUNT], f->text);
	}
	fault_status(s, out);
}

void fault_status(const struct storvsp *s, struct text *out)
{
	unsigned int lost = 0, late = 0;
	const struct held *h;

	for (h = s->faults.held; h; h = h->next) {
		if (h->lost)
			lost++;
		else
			late++;
	}
	text_add(out, "held lost=%u late=%u\n", lost, late);
}

int fault_command(struct bus *bus, int argc, char **argv, struct text *out)
{
	struct storvsp *s;

	if (argc == 2 && !strcmp(argv[1], "help")) {
		fault_help_text(out);
		return 0;
	}
	if (argc < 3)
		return text_add(out, "fault " FAULT_ARGS);
	s = storvsp_find(bus, argv[1], out);
	if (!s)
		return -ENOENT;
	if (!strcmp(argv[2], "unsolicited"))
		return fault_unsolicited(s, argc, argv, out);
	if (!strcmp(argv[2], "report"))
		return fault_report(s, argc, argv, out);
	if (argc > 3 || (strcmp(argv[2], "list") && strcmp(argv[2], "clear") &&
			 strcmp(argv[2], "release")))
		return fault_add(s, argc, argv, out);
	if (!strcmp(argv[2], "list"))
		fault_list(s, out);
	else if (!strcmp(argv[2], "clear"))
		fault_clear(s);
	else
		text_add(out, "released %u\n", fault_release(s));
	return 0;
}
