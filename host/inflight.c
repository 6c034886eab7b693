// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "inflight.h"

static uint32_t inflight_hash(uint32_t relid, uint64_t trans_id)
{
	uint64_t x = trans_id * 0x9e3779b97f4a7c15ull ^ relid * 0xff51afd7ull;

	return (x ^ x >> 32) % INFLIGHT_HASH;
}

static struct persist_request *inflight_at(const struct inflight *log,
					   uint32_t i)
{
	return &log->p->area->request[i];
}

/* Behind those with the same hash that are older */
static void inflight_link(struct inflight *log, uint32_t i)
{
	const struct persist_request *r = inflight_at(log, i);
	uint32_t h = inflight_hash(r->relid, r->trans_id);

	log->next[i] = INFLIGHT_NONE;
	if (log->head[h] == INFLIGHT_NONE)
		log->head[h] = i;
	else
		log->next[log->tail[h]] = i;
	log->tail[h] = i;
	log->count++;
}

static void inflight_unlink(struct inflight *log, uint32_t h, uint32_t before,
			    uint32_t i)
{
	uint32_t next = log->next[i];

	if (before == INFLIGHT_NONE)
		log->head[h] = next;
	else
		log->next[before] = next;
	if (log->tail[h] == i)
		log->tail[h] = before;
	persist_death(log->p, &inflight_at(log, i)->life);
	log->next[i] = log->ended;
	log->ended = i;
}

static int inflight_older(const void *a, const void *b, void *arg)
{
	const struct inflight *log = arg;
	uint64_t x = inflight_at(log, *(const uint32_t *)a)->seq;
	uint64_t y = inflight_at(log, *(const uint32_t *)b)->seq;

	return x < y ? -1 : x > y;
}

const uint32_t *inflight_list(struct inflight *log, unsigned int *count)
{
	uint32_t *list = log->list, i;

	*count = 0;
	for (i = 0; i < PERSIST_REQUESTS; i++) {
		struct persist_life *life = &inflight_at(log, i)->life;

		if (life->born && !life->died)
			list[(*count)++] = i;
	}
	qsort_r(list, *count, sizeof(*list), inflight_older, log);
	return list;
}

int inflight_check(const struct persist *p, struct text *err)
{
	uint32_t i;

	for (i = 0; i < PERSIST_REQUESTS; i++) {
		const struct persist_request *r = &p->area->request[i];
		uint32_t most = r->large ? PERSIST_LARGE_BYTES :
					   PERSIST_REQUEST_BYTES;

		if (!r->life.born)
			continue;
		if (r->large > PERSIST_LARGE || r->relid >= PERSIST_CHANNELS ||
		    r->len > most) {
			text_add(err, "the state of the worker before is damaged: request %u of channel %u, %u bytes",
				 i, r->relid, r->len);
			return -EPROTO;
		}
	}
	return 0;
}

void inflight_init(struct inflight *log, struct persist *p)
{
	bool large_used[PERSIST_LARGE] = { false };
	const uint32_t *list;
	unsigned int count, n;
	uint32_t i;

	memset(log, 0, sizeof(*log));
	log->p = p;
	log->free = INFLIGHT_NONE;
	log->ended = INFLIGHT_NONE;
	log->large_free = INFLIGHT_NONE;
	memset(log->head, 0xff, sizeof(log->head));
	memset(log->tail, 0xff, sizeof(log->tail));
	for (i = PERSIST_REQUESTS; i-- > 0;) {
		struct persist_request *r = inflight_at(log, i);

		if (persist_lives(p, &r->life)) {
			if (r->large)
				large_used[r->large - 1] = true;
			continue;
		}
		log->next[i] = log->free;
		log->free = i;
	}
	for (i = PERSIST_LARGE; i-- > 0;) {
		if (large_used[i])
			continue;
		log->large_next[i] = log->large_free;
		log->large_free = i;
	}
	list = inflight_list(log, &count);
	for (n = 0; n < count; n++)
		inflight_link(log, list[n]);
}

bool inflight_room(const struct inflight *log)
{
	return log->free != INFLIGHT_NONE && log->large_free != INFLIGHT_NONE;
}

void inflight_add(struct inflight *log, uint32_t relid, uint64_t trans_id,
		  const void *packet, uint32_t len)
{
	struct persist_area *area = log->p->area;
	uint32_t i = log->free;
	struct persist_request *r = inflight_at(log, i);

	log->free = log->next[i];
	r->seq = area->header.next_seq++;
	r->trans_id = trans_id;
	r->relid = relid;
	r->len = len;
	r->large = 0;
	if (len > PERSIST_REQUEST_BYTES) {
		r->large = log->large_free + 1;
		log->large_free = log->large_next[r->large - 1];
		memcpy(area->large_packet[r->large - 1], packet, len);
	} else {
		memcpy(area->request_packet[i], packet, len);
	}
	persist_birth(log->p, &r->life);
	inflight_link(log, i);
}

void inflight_end(struct inflight *log, uint32_t relid, uint64_t trans_id)
{
	uint32_t h = inflight_hash(relid, trans_id), before = INFLIGHT_NONE;
	uint32_t i;

	for (i = log->head[h]; i != INFLIGHT_NONE;
	     before = i, i = log->next[i]) {
		const struct persist_request *r = inflight_at(log, i);

		if (r->relid == relid && r->trans_id == trans_id) {
			inflight_unlink(log, h, before, i);
			return;
		}
	}
}

void inflight_end_channel(struct inflight *log, uint32_t relid)
{
	uint32_t h, i, next, before;

	for (h = 0; log->count && h < INFLIGHT_HASH; h++) {
		before = INFLIGHT_NONE;
		for (i = log->head[h]; i != INFLIGHT_NONE; i = next) {
			next = log->next[i];
			if (inflight_at(log, i)->relid == relid)
				inflight_unlink(log, h, before, i);
			else
				before = i;
		}
	}
}

void inflight_committed(struct inflight *log)
{
	while (log->ended != INFLIGHT_NONE) {
		uint32_t i = log->ended;
		struct persist_request *r = inflight_at(log, i);

		log->ended = log->next[i];
		if (r->large) {
			log->large_next[r->large - 1] = log->large_free;
			log->large_free = r->large - 1;
		}
		persist_free(&r->life);
		log->next[i] = log->free;
		log->free = i;
		log->count--;
	}
}

const void *inflight_packet(const struct inflight *log, uint32_t index,
			    const struct persist_request **r)
{
	*r = inflight_at(log, index);
	return (*r)->large ? log->p->area->large_packet[(*r)->large - 1] :
			     log->p->area->request_packet[index];
}
