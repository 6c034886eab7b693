// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults of a disk controller, what they do: see storvsp_fault.h.
 */
#include <stdlib.h>
#include <string.h>

#include "storvsp_fault_kinds.h"

#define FAULT_SENSE_ROOM	STORVSP_SENSE_MAX
#define FAULT_ANY		0u
#define FAULT_UNKNOWN_ID	0xdeadbeefdeadbeefull

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

struct fault *fault_new(enum fault_kind kind)
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

unsigned int fault_release(struct storvsp *s)
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
