// SPDX-License-Identifier: GPL-2.0-only
/*
 * RNDIS control messages. Each answer needs a slot of the receive buffer; where
 * there is none it waits, and a guest that goes on asking without giving slots
 * back is disconnected.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

/* --- to the guest ------------------------------------------------------------ */

static void put(struct netvsp *n, const void *msg, size_t len)
{
	struct netvsp_channel *nc = n->channels[0];
	uint32_t slot = slots_take_control(n);

	memcpy(slots_memory(n, slot), msg, len);
	/* what came before it is shown before it */
	slots_send(nc, NVSP_CHANNEL_DATA);
	slots_add(nc, slot, n->like->control_exact ? len : n->slot_bytes);
	slots_send(nc, NVSP_CHANNEL_CONTROL);
	slots_show(n);
}

void rndis_queue(struct netvsp *n, const void *msg, size_t len)
{
	struct netvsp_answer *a = malloc(sizeof(*a) + len);

	if (!a)
		return;
	a->next = NULL;
	a->len = len;
	memcpy(a->bytes, msg, len);
	*n->answers_end = a;
	n->answers_end = &a->next;
	n->answer_count++;
	netvsp_keep_answer(n, msg, len);
}

static void send_one(struct netvsp *n, const void *msg, size_t len)
{
	if (!n->slots || !n->channels[0] || channel_gone(n->channels[0]->ch))
		return;
	n->stats.control++;
	if (!n->answers && slots_free_control(n)) {
		put(n, msg, len);
		return;
	}
	if (n->answer_count >= NETVSP_MAX_ANSWERS) {
		channel_error(n->channels[0]->ch,
			      "netvsp: %u control messages wait for the guest to give back receive packets",
			      n->answer_count);
		return;
	}
	rndis_queue(n, msg, len);
}

void rndis_answer(struct netvsp *n, const void *msg, size_t len, uint32_t oid)
{
	struct netvsp_fault *f = NULL;
	uint8_t copy[NETVSP_SLOT_MIN] = { 0 };
	unsigned int i;

	if (n->faults.list)
		f = netvsp_fault_take(n, POINT_ANSWER,
				      ((const struct rndis_header *)msg)->type,
				      oid);
	if (!f) {
		send_one(n, msg, len);
		return;
	}
	memcpy(copy, msg, len);
	netvsp_fault_patch(f, copy, sizeof(copy));
	for (i = 0; i < f->times; i++)
		send_one(n, copy, sizeof(copy));
}

void rndis_send(struct netvsp *n, const void *msg, size_t len)
{
	rndis_answer(n, msg, len, 0);
}

void rndis_answers(struct netvsp *n)
{
	while (n->answers && slots_free_control(n)) {
		struct netvsp_answer *a = n->answers;

		n->answers = a->next;
		if (!n->answers)
			n->answers_end = &n->answers;
		n->answer_count--;
		n->answers_head++;
		put(n, a->bytes, a->len);
		free(a);
	}
}

void rndis_indicate(struct netvsp *n, uint32_t status, const void *info,
		    size_t len)
{
	struct {
		struct rndis_header h;
		struct rndis_indicate i;
		uint8_t info[16];
	} __attribute__((packed)) msg = {
		.h.type = RNDIS_TYPE_INDICATE,
		.h.len = sizeof(msg.h) + sizeof(msg.i) + len,
		.i.status = status,
		.i.info_len = len,
		.i.info_offset = len ? sizeof(msg.i) : 0,
	};

	if (n->rndis != NETVSP_RNDIS_UP)
		return;
	if (len)
		memcpy(msg.info, info, len);
	if (n->like->info_uncounted)
		msg.h.len -= len;
	rndis_send(n, &msg, sizeof(msg.h) + sizeof(msg.i) + len);
}

/* --- from the guest ----------------------------------------------------------- */

static void initialize(struct netvsp *n, const uint8_t *body)
{
	struct {
		struct rndis_header h;
		struct rndis_initialize_complete c;
	} __attribute__((packed)) rsp = {
		.h.type = RNDIS_TYPE_INITIALIZE | RNDIS_COMPLETION,
		.h.len = sizeof(rsp),
		.c.status = NDIS_STATUS_SUCCESS,
		.c.major = RNDIS_MAJOR,
		.c.minor = RNDIS_MINOR,
		.c.device_flags = RNDIS_CONNECTIONLESS,
		.c.max_packets = NETVSP_MAX_PACKETS,
		.c.max_transfer = n->config.section,
		.c.alignment = NETVSP_ALIGN_SHIFT,
	};
	struct rndis_initialize req;

	memcpy(&req, body, sizeof(req));
	rsp.c.request_id = req.request_id;
	if (req.major != RNDIS_MAJOR)
		rsp.c.status = NDIS_STATUS_FAILURE;
	else
		n->rndis = NETVSP_RNDIS_UP;
	rndis_send(n, &rsp, sizeof(rsp));
	if (n->like->link_indicated && !n->carrier)
		rndis_indicate(n, NDIS_STATUS_MEDIA_DISCONNECT, NULL, 0);
	if (n->like->path_switched)
		nvsp_switch_path(n);
}

static void query_object(struct netvsp *n, const struct rndis_query *req,
			 const uint8_t *info)
{
	struct {
		struct rndis_header h;
		struct rndis_query_complete c;
		uint8_t info[OID_ANSWER_MAX];
	} __attribute__((packed)) rsp = {
		.h.type = RNDIS_TYPE_QUERY | RNDIS_COMPLETION,
		.c.request_id = req->request_id,
		.c.info_offset = sizeof(rsp.c),
	};
	size_t len = 0;

	rsp.c.status = oid_query(n, req->oid, info, req->info_len, rsp.info,
				 &len);
	if (rsp.c.status != NDIS_STATUS_SUCCESS) {
		log_debug("%s: query of object 0x%x: status 0x%x", n->dev.id,
			  req->oid, rsp.c.status);
		rsp.c.info_offset = 0;
		len = 0;
	}
	rsp.c.info_len = len;
	rsp.h.len = sizeof(rsp.h) + sizeof(rsp.c) + len;
	rndis_answer(n, &rsp, rsp.h.len, req->oid);
}

static void set(struct netvsp *n, const struct rndis_query *req,
		const uint8_t *info)
{
	struct {
		struct rndis_header h;
		struct rndis_set_complete c;
	} __attribute__((packed)) rsp = {
		.h.type = RNDIS_TYPE_SET | RNDIS_COMPLETION,
		.h.len = sizeof(rsp),
		.c.request_id = req->request_id,
	};
	struct netvsp_fault *f = NULL;

	if (n->faults.list)
		f = netvsp_fault_take(n, POINT_SET, 0, req->oid);
	if (f) {
		rsp.c.status = NDIS_STATUS_FAILURE;
		netvsp_fault_patch(f, &rsp, sizeof(rsp));
		rndis_answer(n, &rsp, sizeof(rsp), req->oid);
		return;
	}
	rsp.c.status = oid_set(n, req->oid, info, req->info_len);
	if (rsp.c.status != NDIS_STATUS_SUCCESS)
		log_warn("%s: the guest's object 0x%x of %u bytes is refused: status 0x%x",
			 n->dev.id, req->oid, req->info_len, rsp.c.status);
	rndis_answer(n, &rsp, sizeof(rsp), req->oid);
}

static void query_or_set(struct netvsp *n, struct channel *ch, uint32_t type,
			 const uint8_t *body, size_t len)
{
	struct rndis_query req;

	memcpy(&req, body, sizeof(req));
	/* hosts take it nowhere else */
	if (req.info_len &&
	    (req.info_offset != sizeof(req) ||
	     req.info_len > len - sizeof(req))) {
		channel_error(ch,
			      "netvsp: RNDIS message %u, object 0x%x: %u bytes at %u of %zu",
			      type, req.oid, req.info_len, req.info_offset, len);
		return;
	}
	if (type == RNDIS_TYPE_QUERY)
		query_object(n, &req, body + sizeof(req));
	else
		set(n, &req, body + sizeof(req));
}

static void reset(struct netvsp *n)
{
	struct {
		struct rndis_header h;
		struct rndis_reset_complete c;
	} __attribute__((packed)) rsp = {
		.h.type = RNDIS_TYPE_RESET | RNDIS_COMPLETION,
		.h.len = sizeof(rsp),
		.c.addressing_reset = 1,	/* say the filter again */
	};

	oid_reset(n);
	rndis_send(n, &rsp, sizeof(rsp));
}

static void keepalive(struct netvsp *n, const uint8_t *body)
{
	struct {
		struct rndis_header h;
		struct rndis_set_complete c;
	} __attribute__((packed)) rsp = {
		.h.type = RNDIS_TYPE_KEEPALIVE | RNDIS_COMPLETION,
		.h.len = sizeof(rsp),
	};

	memcpy(&rsp.c.request_id, body, sizeof(rsp.c.request_id));
	rndis_send(n, &rsp, sizeof(rsp));
}

static size_t least_bytes(uint32_t type)
{
	switch (type) {
	case RNDIS_TYPE_INITIALIZE:
		return sizeof(struct rndis_initialize);
	case RNDIS_TYPE_QUERY:
	case RNDIS_TYPE_SET:
		return sizeof(struct rndis_query);
	case RNDIS_TYPE_HALT:
	case RNDIS_TYPE_RESET:
	case RNDIS_TYPE_KEEPALIVE:
	case RNDIS_TYPE_KEEPALIVE | RNDIS_COMPLETION:
		return sizeof(uint32_t);
	default:
		return SIZE_MAX;
	}
}

void rndis_control(struct netvsp *n, struct channel *ch, const uint8_t *msg,
		   size_t len)
{
	const uint8_t *body = msg + RNDIS_HEADER;
	struct rndis_header h;

	if (len < RNDIS_HEADER) {
		channel_error(ch, "netvsp: RNDIS message of %zu bytes", len);
		return;
	}
	memcpy(&h, msg, sizeof(h));
	if (least_bytes(h.type) == SIZE_MAX) {
		channel_error(ch, "netvsp: unknown RNDIS message %u", h.type);
		return;
	}
	if (h.len > len || h.len < RNDIS_HEADER + least_bytes(h.type)) {
		channel_error(ch, "netvsp: RNDIS message %u says %u bytes of %zu",
			      h.type, h.len, len);
		return;
	}
	if ((h.type == RNDIS_TYPE_INITIALIZE) !=
	    (n->rndis == NETVSP_RNDIS_NONE)) {
		channel_error(ch, "netvsp: RNDIS message %u %s", h.type,
			      n->rndis == NETVSP_RNDIS_NONE ?
			      "before INITIALIZE" : n->rndis == NETVSP_RNDIS_UP ?
			      "a second time" :
			      "after HALT: the channel is to be opened anew");
		return;
	}
	len = h.len - RNDIS_HEADER;
	switch (h.type) {
	case RNDIS_TYPE_INITIALIZE:
		initialize(n, body);
		break;
	case RNDIS_TYPE_QUERY:
	case RNDIS_TYPE_SET:
		query_or_set(n, ch, h.type, body, len);
		break;
	case RNDIS_TYPE_HALT:
		n->rndis = NETVSP_RNDIS_HALTED;
		oid_reset(n);
		break;
	case RNDIS_TYPE_RESET:
		reset(n);
		break;
	case RNDIS_TYPE_KEEPALIVE:
		keepalive(n, body);
		break;
	}
}
