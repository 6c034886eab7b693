// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a network card survives a worker: what was negotiated, which slots of
 * the receive buffer the guest has, and control messages that wait for one.
 *
 * Frames are not kept. One that the guest has sent may be sent twice, and one
 * that was on its way to the guest may be lost, as on any network.
 */
#include <errno.h>
#include <string.h>

#include "netvsp.h"
#include "persist.h"

#define KEPT_SLOTS	20480u	/* more than the largest buffer has */
#define KEPT_ANSWERS	(2 * NETVSP_MAX_ANSWERS)
#define KEPT_BYTES	1792u	/* of a control message */

/**
 * struct kept_slot - a slot that the guest has
 * @life: of a packet, whose first slot this is
 * @next: the packet's next slot
 */
struct kept_slot {
	struct persist_life life;
	uint32_t seq, next;
	uint16_t count, channel;
	uint32_t reserved;
};

struct netvsp_area {
	struct kept_slot slot[KEPT_SLOTS];
	struct {
		uint32_t len;
		uint8_t bytes[KEPT_BYTES];
	} answer[KEPT_ANSWERS];
};

_Static_assert(sizeof(struct netvsp_area) <= PERSIST_AREA_BYTES, "area");
_Static_assert(sizeof(struct netvsp_saved) <= PERSIST_DEVICE_BYTES, "state");

static struct netvsp_area *netvsp_area(struct netvsp *n)
{
	return device_area(&n->dev);
}

/* --- the receive buffer ------------------------------------------------------- */

void netvsp_keep_packet(struct netvsp *n, uint32_t first)
{
	struct netvsp_area *area = netvsp_area(n);
	uint32_t slot = first;
	unsigned int i;

	if (!area)
		return;
	for (i = 0; i < n->slots[first].count; i++) {
		area->slot[slot].next = n->slots[slot].next;
		slot = n->slots[slot].next;
	}
	area->slot[first].seq = n->slots[first].seq;
	area->slot[first].count = n->slots[first].count;
	area->slot[first].channel = n->slots[first].channel;
	persist_birth(device_persist(&n->dev), &area->slot[first].life);
}

bool netvsp_drop_packet(struct netvsp *n, uint32_t first)
{
	struct netvsp_area *area = netvsp_area(n);

	if (!area)
		return false;
	persist_death(device_persist(&n->dev), &area->slot[first].life);
	return true;
}

void netvsp_forget_packet(struct netvsp *n, uint32_t first)
{
	struct persist_life *life = &netvsp_area(n)->slot[first].life;

	if (life->died)
		persist_free(life);
}

void netvsp_kept_packet(struct netvsp *n, uint32_t first)
{
	struct netvsp_area *area = netvsp_area(n);
	const struct kept_slot *k = &area->slot[first];
	uint32_t slot = first;
	unsigned int i;

	if (!persist_lives(device_persist(&n->dev), &area->slot[first].life))
		return;
	for (i = 0; i < k->count; i++) {
		if (slot >= n->slot_count)
			return;
		n->slots[slot].next = area->slot[slot].next;
		n->slots[slot].taken = true;
		slot = area->slot[slot].next;
	}
	n->slots[first].seq = k->seq;
	n->slots[first].count = k->count;
	n->slots[first].channel = k->channel;
}

/* --- control messages ------------------------------------------------------------ */

void netvsp_keep_answer(struct netvsp *n, const void *msg, size_t len)
{
	struct netvsp_area *area = netvsp_area(n);
	uint32_t at = n->answers_tail++ % KEPT_ANSWERS;

	if (!area)
		return;
	area->answer[at].len = len < KEPT_BYTES ? len : KEPT_BYTES;
	memcpy(area->answer[at].bytes, msg, area->answer[at].len);
}

static int restore_answers(struct netvsp *n, uint32_t head, uint32_t tail)
{
	const struct netvsp_area *area = netvsp_area(n);

	if (tail - head > NETVSP_MAX_ANSWERS)
		return -EPROTO;
	n->answers_head = head;
	n->answers_tail = head;
	for (; head != tail; head++) {
		uint32_t at = head % KEPT_ANSWERS;

		if (area->answer[at].len > KEPT_BYTES)
			return -EPROTO;
		rndis_queue(n, area->answer[at].bytes, area->answer[at].len);
	}
	return 0;
}

/* --- all of it ---------------------------------------------------------------------- */

void netvsp_save(struct device *dev, void *state)
{
	struct netvsp *n = to_netvsp(dev);
	struct netvsp_saved *s = state;

	s->config = n->config;
	s->state = n->state;
	s->rndis = n->rndis;
	s->version = n->version;
	s->message_bytes = n->message_bytes;
	s->capabilities = n->capabilities;
	s->mtu = n->mtu;
	s->offered = n->offered;
	s->subchannel_ms = n->subchannel_ms;
	s->held_back = n->held_back;
	s->table_due = n->table_due;
	s->deaf = n->deaf;
	s->receive = n->receive.map ? n->receive.gpadl : 0;
	s->send = n->send.map ? n->send.gpadl : 0;
	s->slot_bytes = n->slot_bytes;
	s->seq = n->seq;
	s->answers_head = n->answers_head;
	s->answers_tail = n->answers_tail;
	memcpy(s->address, n->address, sizeof(s->address));
	s->filter = n->filter;
	s->multicasts = n->multicasts;
	memcpy(s->multicast, n->multicast, 6 * n->multicasts);
	s->offloads = n->offloads;
	s->rss_on = n->rss.on;
	s->rss_types = n->rss.types;
	s->rss_entries = n->rss.entries;
	memcpy(s->rss_table, n->rss.table, sizeof(s->rss_table));
	memcpy(s->rss_key, n->rss.key, sizeof(s->rss_key));
	s->speed = n->speed;
	s->carrier = n->carrier;
	s->rx_csum = n->rx_csum;
}

static int restore_buffer(struct netvsp *n, struct netvsp_buffer *b,
			  uint32_t gpadl)
{
	if (!gpadl)
		return 0;
	if (!n->channels[0])
		return -EPROTO;
	b->map = channel_map_gpadl(n->channels[0]->ch, gpadl, &b->bytes);
	b->gpadl = gpadl;
	return b->map ? 0 : -EPROTO;
}

static void restore_offloads(struct netvsp *n, const struct netvsp_saved *s)
{
	memcpy(n->address, s->address, sizeof(n->address));
	n->filter = s->filter;
	n->multicasts = s->multicasts <= NETVSP_MULTICAST_MAX ?
			s->multicasts : 0;
	memcpy(n->multicast, s->multicast, sizeof(n->multicast));
	n->offloads = s->offloads;
	n->rss.on = s->rss_on;
	n->rss.types = s->rss_types;
	n->rss.entries = s->rss_entries;
	memcpy(n->rss.table, s->rss_table, sizeof(n->rss.table));
	memcpy(n->rss.key, s->rss_key, sizeof(n->rss.key));
	toeplitz_init(&n->rss.hash, n->rss.key);
}

int netvsp_restore(struct device *dev, const void *state)
{
	const struct netvsp_saved *s = state;
	struct netvsp *n = to_netvsp(dev);
	int ret;

	n->speed = s->speed;
	n->rx_csum = s->rx_csum;
	n->subchannel_ms = s->subchannel_ms;
	if (n->carrier != s->carrier && n->back->ops->set_link)
		n->back->ops->set_link(n->back, s->carrier);
	n->carrier = s->carrier;
	if (!n->channels[0])
		return 0;
	if (!netvsp_area(n))
		return -ENOSPC;
	n->config = s->config;
	n->state = s->state;
	n->rndis = s->rndis;
	n->version = s->version;
	n->message_bytes = s->message_bytes;
	n->capabilities = s->capabilities;
	n->mtu = s->mtu;
	n->offered = s->offered;
	n->table_due = s->table_due;
	n->deaf = s->deaf;
	n->slot_bytes = s->slot_bytes;
	n->seq = s->seq;
	ret = restore_buffer(n, &n->receive, s->receive);
	if (!ret)
		ret = restore_buffer(n, &n->send, s->send);
	if (!ret && n->receive.map)
		ret = slots_restore(n);
	if (!ret)
		ret = restore_answers(n, s->answers_head, s->answers_tail);
	if (ret)
		return ret;
	restore_offloads(n, s);
	rx_changed(n);
	if (s->held_back) {
		n->held_back = true;
		nvsp_set_late(n, n->subchannel_ms);
	}
	return 0;
}

void netvsp_settled(struct device *dev)
{
	struct netvsp *n = to_netvsp(dev);

	slots_settled(n);
}
