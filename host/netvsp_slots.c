// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receive buffer, in slots of equal size. A slot is free, held for the next
 * frame, or part of a packet that the guest has. Those of one packet form a list;
 * the number of the first, with a sequence number, is the packet's transaction
 * id. Slots that came back last are used first: they are warm in the caches.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

static int slots_alloc(struct netvsp *n)
{
	n->slot_count = n->receive.bytes / n->slot_bytes;
	n->slots = calloc(n->slot_count, sizeof(*n->slots));
	if (!n->slots)
		return -ENOMEM;
	n->free = NETVSP_NO_SLOT;
	n->slots_free = 0;
	n->control_slots = n->like->control_slots;
	n->control_first = NETVSP_NO_SLOT;
	n->control_free = 0;
	n->returned = NETVSP_NO_SLOT;
	return 0;
}

/* All that are not taken are free */
static void slots_fill(struct netvsp *n)
{
	unsigned int i;

	for (i = n->slot_count; i-- > n->control_slots;) {
		if (!n->slots[i].taken)
			slots_give(n, i);
	}
	/* of these the last one is the first to be used */
	for (i = 0; i < n->control_slots; i++) {
		if (!n->slots[i].taken)
			slots_give(n, i);
	}
}

int slots_init(struct netvsp *n)
{
	int ret = slots_alloc(n);

	if (!ret)
		slots_fill(n);
	return ret;
}

int slots_restore(struct netvsp *n)
{
	int ret = slots_alloc(n);
	unsigned int i;

	if (ret)
		return ret;
	for (i = 0; i < n->slot_count; i++)
		netvsp_kept_packet(n, i);
	slots_fill(n);
	return 0;
}

void slots_exit(struct netvsp *n)
{
	unsigned int i;

	for (i = 0; i < n->slot_count; i++) {
		if (n->slots[i].count && netvsp_drop_packet(n, i))
			n->gone = n->slot_count;
	}
	n->returned = NETVSP_NO_SLOT;
	free(n->slots);
	n->slots = NULL;
	n->slot_count = 0;
	n->slots_free = 0;
	n->control_slots = 0;
	n->control_free = 0;
}

uint32_t slots_take(struct netvsp *n)
{
	uint32_t slot = n->free;

	n->free = n->slots[slot].next;
	n->slots_free--;
	return slot;
}

uint32_t slots_take_control(struct netvsp *n)
{
	uint32_t slot = n->control_first;

	if (!n->control_slots)
		return slots_take(n);
	n->control_first = n->slots[slot].next;
	n->control_free--;
	return slot;
}

unsigned int slots_free_control(const struct netvsp *n)
{
	return n->control_slots ? n->control_free : n->slots_free;
}

void slots_give(struct netvsp *n, uint32_t slot)
{
	n->slots[slot].count = 0;
	if (slot < n->control_slots) {
		n->slots[slot].next = n->control_first;
		n->control_first = slot;
		n->control_free++;
		return;
	}
	n->slots[slot].next = n->free;
	n->free = slot;
	n->slots_free++;
}

void slots_add(struct netvsp_channel *nc, uint32_t slot, uint32_t bytes)
{
	struct netvsp_pages *pages = &nc->pages;
	struct netvsp *n = nc->n;

	n->slots[slot].next = NETVSP_NO_SLOT;
	n->slots[slot].count = 0;
	if (pages->wire.count)
		n->slots[pages->last].next = slot;
	else
		pages->first = slot;
	pages->last = slot;
	pages->wire.range[pages->wire.count].bytes = bytes;
	pages->wire.range[pages->wire.count].offset = slot * n->slot_bytes;
	pages->wire.count++;
}

static void give_all(struct netvsp *n, uint32_t slot, unsigned int count)
{
	while (count--) {
		uint32_t next = n->slots[slot].next;

		slots_give(n, slot);
		slot = next;
	}
}

/*
 * A packet came back. Its slots are used again once that is committed: else a
 * worker that takes over would take the packet for one that the guest still has.
 */
static void take_back(struct netvsp *n, uint32_t first)
{
	unsigned int count = n->slots[first].count;
	uint32_t last = first;

	if (!netvsp_drop_packet(n, first)) {
		give_all(n, first, count);
		return;
	}
	n->slots[first].count = 0;
	while (--count)
		last = n->slots[last].next;
	n->slots[last].next = n->returned;
	n->returned = first;
}

void slots_settled(struct netvsp *n)
{
	unsigned int i;

	for (i = 0; i < n->gone; i++)
		netvsp_forget_packet(n, i);
	n->gone = 0;
	while (n->slots && n->returned != NETVSP_NO_SLOT) {
		uint32_t slot = n->returned;

		n->returned = n->slots[slot].next;
		netvsp_forget_packet(n, slot);
		slots_give(n, slot);
	}
}

void slots_send(struct netvsp_channel *nc, uint32_t channel_type)
{
	struct netvsp_pages *pages = &nc->pages;
	struct nvsp_message msg = {
		.type = NVSP_SEND_RNDIS_PACKET,
		.rndis.channel_type = channel_type,
		.rndis.section = NVSP_NO_SECTION,
	};
	struct netvsp *n = nc->n;
	struct netvsp_fault *f = NULL;
	struct netvsp_slot *first;
	bool kept = false;
	size_t head;

	if (!pages->wire.count)
		return;
	first = &n->slots[pages->first];
	first->count = pages->wire.count;
	first->channel = nc->index;
	first->seq = ++n->seq;
	pages->wire.set = NVSP_RECEIVE_BUFFER_ID;
	pages->wire.owns = 0;
	head = 8 + 8 * pages->wire.count;
	memcpy((uint8_t *)&pages->wire + head, &msg, n->message_bytes);
	n->stats.rx_pages++;
	if (n->faults.list && channel_type == NVSP_CHANNEL_DATA)
		f = netvsp_fault_take(n, POINT_PAGES, 0, 0);
	if (f && !f->times)
		give_all(n, pages->first, pages->wire.count);
	else if (f)
		netvsp_fault_pages(n, f, nc->ch,
				   (uint64_t)first->seq << 32 | pages->first,
				   &pages->wire, head, head + n->message_bytes);
	else if (channel_send_pages(nc->ch,
				    (uint64_t)first->seq << 32 | pages->first,
				    &pages->wire, head,
				    head + n->message_bytes))
		give_all(n, pages->first, pages->wire.count);
	else
		kept = true;
	if (kept || (f && f->times))
		netvsp_keep_packet(n, pages->first);
	pages->wire.count = 0;
	pages->frames = 0;
	nc->unshown = true;
}

void slots_show(struct netvsp *n)
{
	unsigned int i;

	for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
		struct netvsp_channel *nc = n->channels[i];

		if (nc && nc->unshown) {
			nc->unshown = false;
			channel_show_pages(nc->ch);
		}
	}
}

void slots_completed(struct netvsp_channel *nc, const struct packet *pkt)
{
	uint32_t id = pkt->trans_id, seq = pkt->trans_id >> 32;
	struct netvsp *n = nc->n;
	struct netvsp_slot *first;
	struct nvsp_message msg = { 0 };

	if (!n->slots)
		return;		/* revoked meanwhile */
	first = &n->slots[id < n->slot_count ? id : 0];
	if (id >= n->slot_count || !first->count || first->seq != seq ||
	    first->channel != nc->index) {
		/* of one that was spoilt on purpose */
		if (n->faults.loose) {
			n->faults.loose--;
			return;
		}
		channel_error(nc->ch,
			      "netvsp: completion of no receive packet, id 0x%llx",
			      (unsigned long long)pkt->trans_id);
		return;
	}
	if (pkt->len < 8 || pkt->len > sizeof(msg)) {
		channel_error(nc->ch,
			      "netvsp: completion of a receive packet of %u bytes",
			      pkt->len);
		return;
	}
	memcpy(&msg, pkt->payload, pkt->len);
	if (msg.type != NVSP_SEND_RNDIS_PACKET_COMPLETE) {
		channel_error(nc->ch,
			      "netvsp: completion of a receive packet says %u, not %u",
			      msg.type, NVSP_SEND_RNDIS_PACKET_COMPLETE);
		return;
	}
	if (msg.rndis_complete.status != NVSP_STATUS_SUCCESS)
		n->stats.rx_failed++;
	take_back(n, id);
	if (n->answers)
		rndis_answers(n);
}

void slots_channel_gone(struct netvsp *n, unsigned int index)
{
	uint32_t i;

	for (i = 0; i < n->slot_count; i++) {
		if (n->slots[i].count && n->slots[i].channel == index)
			take_back(n, i);
	}
}
