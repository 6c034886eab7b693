// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

struct netvsp_fault *netvsp_fault_take(struct netvsp *n,
				       enum netvsp_point point,
				       uint32_t message, uint32_t oid)
{
	struct netvsp_fault *f;

	for (f = n->faults.list; f; f = f->next) {
		if (f->point != point || !f->count ||
		    (f->message && f->message != message) ||
		    (f->oid && f->oid != oid))
			continue;
		f->seen++;
		if (f->skip) {
			f->skip--;
			continue;
		}
		if (++f->passed < f->every)
			continue;
		f->passed = 0;
		if (f->count != NETVSP_FAULT_FOREVER)
			f->count--;
		f->hits++;
		return f;
	}
	return NULL;
}

static void put(void *msg, size_t len, size_t offset,
		const struct netvsp_patch *p)
{
	/* little endian, and so is every machine that this runs on */
	if (offset + p->bytes <= len)
		memcpy((uint8_t *)msg + offset, &p->value, p->bytes);
}

void netvsp_fault_patch(const struct netvsp_fault *f, void *msg, size_t len)
{
	unsigned int i;

	for (i = 0; i < f->patches; i++)
		put(msg, len, f->patch[i].offset, &f->patch[i]);
}

/* A message cut, or grown by zeroes, as the fault wants it; to be freed */
static void *resized(const struct netvsp_fault *f, const void *msg, size_t *len)
{
	size_t want = f->length < 0 ? *len : (size_t)f->length;
	void *copy = calloc(1, want + *len);

	if (!copy)
		return NULL;
	memcpy(copy, msg, *len);
	*len = want;
	return copy;
}

static void send_spoilt(const struct netvsp_fault *f, struct channel *ch,
			unsigned int type, uint64_t trans_id, const void *msg,
			size_t len)
{
	size_t whole = len;
	uint8_t *copy = resized(f, msg, &len);
	unsigned int i;

	if (!copy)
		return;
	netvsp_fault_patch(f, copy, len > whole ? len : whole);
	for (i = 0; i < f->times; i++)
		channel_inject(ch, f->packet_type ? f->packet_type : type,
			       trans_id ^ f->id_xor, copy, len);
	free(copy);
}

void netvsp_fault_complete(const struct netvsp_fault *f, struct channel *ch,
			   uint64_t trans_id, const void *msg, size_t len)
{
	send_spoilt(f, ch, PACKET_COMPLETION, trans_id, msg, len);
}

void netvsp_fault_message(const struct netvsp_fault *f, struct channel *ch,
			  const void *msg, size_t len)
{
	send_spoilt(f, ch, PACKET_INBAND, 0, msg, len);
}

void netvsp_fault_pages(struct netvsp *n, const struct netvsp_fault *f,
			struct channel *ch, uint64_t trans_id, const void *wire,
			size_t head, size_t len)
{
	size_t more = 8 * f->repeat, payload = len - head;
	uint8_t *copy = calloc(1, len + more + NETVSP_FAULT_LENGTH);
	uint32_t count = (head - 8 + more) / 8;
	unsigned int i;

	if (!copy)
		return;
	memcpy(copy, wire, head);
	for (i = 0; i < f->repeat; i++)
		memcpy(copy + head + 8 * i, copy + head - 8, 8);
	memcpy(copy + 4, &count, sizeof(count));
	head += more;
	memcpy(copy + head, (const uint8_t *)wire + len - payload, payload);
	for (i = 0; i < f->patches; i++) {
		const struct netvsp_patch *p = &f->patch[i];

		put(copy, head + payload, p->offset +
		    (p->payload ? head : p->last ? head - 16 : 0), p);
	}
	if (f->length >= 0)
		payload = f->length;
	for (i = 0; i < f->times; i++) {
		n->faults.loose++;
		if (f->packet_type)
			channel_inject(ch, f->packet_type,
				       trans_id ^ f->id_xor, copy,
				       head + payload);
		else
			channel_send_pages(ch, trans_id ^ f->id_xor, copy, head,
					   head + payload);
	}
	free(copy);
}

void netvsp_fault_clear(struct netvsp *n)
{
	struct netvsp_fault *f;

	while ((f = n->faults.list)) {
		n->faults.list = f->next;
		free(f->text);
		free(f);
	}
}
