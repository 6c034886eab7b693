// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to the guest. They wait in a queue, a copy of which lies in the
 * persistent area, and go into the message slot of their virtual processor when
 * that is free.
 *
 * Each gets there once, also where a worker dies in the middle. The first 8 bytes
 * of a slot tell how far it got. They are written in one store each time, and the
 * guest writes only the type among them:
 *
 *	1. the slot is free: 8 bytes of zeroes
 *	2. commit: this message is being delivered
 *	3. payload; then the 8 bytes, with type and size
 *	4. commit: it was delivered
 *
 * A worker that takes over between 2 and 4 looks at the 8 bytes. Zeroes: step 3
 * was not reached. Something else: the message is there, or the guest has taken
 * it, which has left the size.
 */
#include <stdlib.h>
#include <string.h>

#include "guest.h"
#include "server.h"

union slot_head {
	struct {
		uint32_t type;
		uint8_t payload_size;
		uint8_t flags;
		uint8_t reserved[2];
	};
	uint64_t word;
};

_Static_assert(sizeof(union slot_head) == sizeof(uint64_t), "one store");

static uint64_t *guest_head(struct guest *g, uint32_t vp)
{
	return (void *)g->vp[vp].slot;
}

/* The slot is free: fill it, type last */
static void guest_fill_slot(struct guest *g, const struct guest_message *m)
{
	struct vmbus_wire_message *slot = g->vp[m->vp].slot;
	union slot_head head = {
		.type = VMBUS_WIRE_MSG_CHANNEL,
		.payload_size = m->len,
		.flags = m->next ? VMBUS_WIRE_MSG_PENDING : 0,
	};

	slot->sender = 0;
	memcpy(slot->payload, m->payload, m->len);
	guest_store(guest_head(g, m->vp), head.word);
}

/*
 * Is the slot free? If not, the flag asks for an end-of-message. The guest
 * clears the type, fences, and looks at the flag: one of us sees the other.
 */
static bool guest_slot_free(struct guest *g, uint32_t vp)
{
	struct vmbus_wire_message *slot = g->vp[vp].slot;

	if (guest_load(&slot->type) == VMBUS_WIRE_MSG_NONE)
		return true;
	__atomic_store_n(&slot->flags, VMBUS_WIRE_MSG_PENDING,
			 __ATOMIC_RELAXED);
	guest_fence();
	return guest_load(&slot->type) == VMBUS_WIRE_MSG_NONE;
}

static void guest_commit(struct guest *g)
{
	guest_save(g);
	persist_commit(g->persist);
}

static void guest_pop(struct guest *g)
{
	struct guest_message *m = g->queue;

	g->queue = m->next;
	if (!g->queue)
		g->queue_end = &g->queue;
	g->queued--;
	g->state.head++;
	free(m);
}

void guest_deliver(struct guest *g)
{
	while (guest_usable(g) && g->queue &&
	       guest_slot_free(g, g->queue->vp)) {
		uint32_t vp = g->queue->vp;

		guest_store(guest_head(g, vp), 0);
		persist_point("message-blank");
		g->state.delivering = 1;
		guest_commit(g);
		persist_point("message-begun");
		guest_fill_slot(g, g->queue);
		persist_point("message-put");
		guest_pop(g);
		g->state.delivering = 0;
		guest_commit(g);
		g->messages_out++;
		g->doorbells_out++;
		server_ring(g->server, vp % g->state.nr_vectors);
	}
}

static struct guest_message *guest_enqueue(struct guest *g, uint32_t vp,
					   const void *payload, uint32_t len)
{
	struct guest_message *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->vp = vp;
	m->len = len;
	memcpy(m->payload, payload, len);
	*g->queue_end = m;
	g->queue_end = &m->next;
	g->queued++;
	return m;
}

/* There are more places than messages, so none is overwritten that counts */
_Static_assert(PERSIST_MESSAGES >= 2 * GUEST_MAX_QUEUED, "places");

void guest_post(struct guest *g, uint32_t vp, const void *payload,
		uint32_t len)
{
	struct persist_message *kept;

	if (!guest_usable(g) || len > VMBUS_WIRE_MSG_PAYLOAD)
		return;
	if (g->queued == GUEST_MAX_QUEUED) {
		guest_error(g, "it leaves %u messages lying", g->queued);
		return;
	}
	if (!guest_enqueue(g, vp, payload, len)) {
		log_error("out of memory: a message is lost");
		return;
	}
	kept = &g->persist->area->messages[g->state.tail++ % PERSIST_MESSAGES];
	kept->vp = vp;
	kept->len = len;
	memcpy(kept->payload, payload, len);
	g->persist->dirty = true;
}

void guest_read_messages(struct guest *g)
{
	const struct persist_area *area = g->persist->area;
	uint32_t i;

	for (i = g->state.head; i != g->state.tail; i++) {
		const struct persist_message *m =
			&area->messages[i % PERSIST_MESSAGES];

		if (m->vp < g->nr_vps && m->len <= VMBUS_WIRE_MSG_PAYLOAD)
			guest_enqueue(g, m->vp, m->payload, m->len);
	}
	if (g->state.delivering && g->queue &&
	    guest_load(guest_head(g, g->queue->vp)))
		guest_pop(g);
	g->state.delivering = 0;
}
