// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tx queues: slots, ring packets and their completions.
 *
 * When the ring is full, what has been built stays pending (enum synn_pending), the
 * stack's queue is stopped, and NAPI sends it when there is room: packets are never
 * dropped for that. NAPI is run by the host, which is asked to interrupt when there is
 * room (synn_chan_has_room()), by completions, and by a timer.
 *
 * The free slots are two rings of numbers. The sender, which holds the tx lock,
 * allocates, and NAPI frees, so the two need no lock between them.
 */
#include <net/xdp.h>

#include "synth_net.h"
#include "trace.h"

/**
 * synn_tx_set_state() - change the state of a tx queue
 * @ch: channel
 * @to: the new state
 *
 * Context: the tx lock is held.
 */
void synn_tx_set_state(struct synn_chan *ch, enum synn_tx_state to)
{
	struct synn_tx *tx = &ch->tx;
	bool ok = synn_tx_state_allows(tx->state, to);

	trace_synn_queue_state(ch, synn_tx_state_name(tx->state),
			       synn_tx_state_name(to), ok);
	if (WARN_ON_ONCE(!ok))
		return;
	if (to == SYNN_TX_BLOCKED)
		tx->blocked_since = jiffies;
	WRITE_ONCE(tx->state, to);
}

/* ---- slots --------------------------------------------------------------------- */

/**
 * synn_tx_slot_alloc() - allocate a slot
 * @f: free slots
 *
 * Context: the tx lock is held.
 * Return: its number, or -1 if none is free.
 */
int synn_tx_slot_alloc(struct synn_free_list *f)
{
	/* pairs with slot_free(): the slot's earlier use is over */
	if (f->head == smp_load_acquire(&f->tail))
		return -1;
	return f->ring[f->head++ & f->mask];
}

/**
 * synn_tx_slot_unalloc() - undo the last synn_tx_slot_alloc()
 * @f: free slots
 *
 * Context: the tx lock is held.
 */
void synn_tx_slot_unalloc(struct synn_free_list *f)
{
	f->head--;
}

static bool has_free_slot(const struct synn_free_list *f)
{
	return f->head != READ_ONCE(f->tail);
}

/* Called by NAPI */
static void slot_free(struct synn_free_list *f, u32 slot)
{
	f->ring[f->tail & f->mask] = slot;
	/* pairs with synn_tx_slot_alloc() */
	smp_store_release(&f->tail, f->tail + 1);
}

/**
 * synn_tx_slot_header() - memory for the RNDIS header of a GPA slot
 * @tx: its queue
 * @slot: number of the slot
 *
 * Return: SYNN_HEADER_ROOM bytes.
 */
void *synn_tx_slot_header(const struct synn_tx *tx, u32 slot)
{
	u32 i = slot - tx->nr_sections;

	return tx->sends->headers[i / SYNN_HEADERS_IN_PAGE] +
	       i % SYNN_HEADERS_IN_PAGE * SYNN_HEADER_ROOM;
}

/**
 * synn_tx_slot_release_owner() - free the packet of a slot that was sent
 * @s: the slot
 * @budget: of the NAPI poll, or 0
 *
 * Context: softirq, or netpoll.
 */
void synn_tx_slot_release_owner(struct synn_slot *s, int budget)
{
	if (!s->owner)
		return;
	/* a frame may be of another device, whose pool is not this NAPI's */
	if (s->is_frame)
		xdp_return_frame(s->owner);
	else
		napi_consume_skb(s->owner, budget);
	s->owner = NULL;
}

/*
 * Gives a slot its id. From here on the host may own it, since it may read the
 * ring before the sender goes on.
 */
static u64 slot_publish(struct synn_tx *tx, u32 slot)
{
	struct synn_slot *s = &tx->sends->slots[slot];
	u64 id = synn_id(SYNN_ID_SEND, ++tx->gen, slot);

	s->since = jiffies;
	/*
	 * Pairs with the exchange in synn_tx_completed(). A bad host can complete
	 * what it was not sent: without the release NAPI would see the id and
	 * still the slot's earlier contents, and take an skb for a frame of XDP.
	 */
	smp_store_release(&s->id, id);
	return id;
}

/*
 * Takes the id back, since the ring had no room. Returns false if the host has
 * completed what it was not sent, since ids can be guessed. The slot is free then.
 */
static bool slot_retract(struct synn_tx *tx, u32 slot, u64 id)
{
	return cmpxchg(&tx->sends->slots[slot].id, id, 0) == id;
}

/* ---- the ring ------------------------------------------------------------------ */

/*
 * The channel accepts nothing any more, for another reason than want of room. What the
 * host has comes back when the session is closed.
 */
static void tx_fail(struct synn_chan *ch, int ret)
{
	struct synn_adapter *ad = ch->adapter;

	synn_tx_set_state(ch, SYNN_TX_FAILED);
	netif_tx_stop_queue(ch->tx.txq);
	/* a rescind of the device is followed by its removal */
	if (synn_rescinded(ad))
		return;
	if (ret != -ENODEV)
		netdev_err(ad->dev, "queue %u: the channel accepts no packets any more (%d); the session with the host will be reset\n",
			   ch->index, ret);
	synn_check(ad, SYNN_CHECK_HEALTH);
}

static int send_gpa(struct synn_chan *ch, u64 id)
{
	struct nvsp_message m;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_DATA;
	m.rndis.section = NVSP_NO_SECTION;
	return compat_send_ranges(ch->vc, &ch->tx.mpb, ch->tx.mpb_len, &m,
				  ch->adapter->session.message_bytes, id);
}

static int send_section(struct synn_chan *ch, u64 id)
{
	struct nvsp_message m;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_DATA;
	m.rndis.section = ch->tx.first_section + ch->tx.pending_slot;
	m.rndis.section_bytes = ch->tx.section_used;
	return vmbus_sendpacket(ch->vc, &m, ch->adapter->session.message_bytes,
				id, VM_PKT_DATA_INBAND,
				VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
}

/**
 * synn_tx_flush_pending() - send what is pending
 * @ch: an open channel
 *
 * Context: the tx lock is held.
 * Return: false if something is still pending: there is no room in the ring, or the
 *	queue has failed.
 */
bool synn_tx_flush_pending(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;
	u32 slot = tx->pending_slot, room = ch->adapter->session.message_bytes;
	bool gpa = tx->pending == SYNN_PENDING_GPA;
	int ret;

	if (tx->pending == SYNN_PENDING_NONE)
		return true;
	if (tx->state == SYNN_TX_FAILED)
		return false;
	room += gpa ? tx->mpb_len : 16;
	do {
		u64 id = slot_publish(tx, slot);

		ret = gpa ? send_gpa(ch, id) : send_section(ch, id);
		if (likely(!ret)) {
			trace_synn_send(ch, id, gpa ? 1 : tx->section_packets,
					gpa ? tx->mpb_bytes : tx->section_used);
			tx->pending = SYNN_PENDING_NONE;
			tx->stats.ring_packets++;
			return true;
		}
		/* after another error the host may have it */
		if (ret == -EAGAIN && unlikely(!slot_retract(tx, slot, id))) {
			tx->pending = SYNN_PENDING_NONE;
			ret = -EPROTO;
		}
	} while (ret == -EAGAIN && synn_chan_has_room(ch, room));
	if (ret == -EAGAIN)
		tx->stats.ring_full++;
	else
		tx_fail(ch, ret);
	return false;
}

/**
 * synn_tx_stop_queue() - accept no packets until there is room, and a free slot
 * @ch: an open channel
 *
 * Between the check that led here and the stop, NAPI may have handled the last
 * completion that there is; so the check is repeated.
 *
 * Context: the tx lock is held.
 */
void synn_tx_stop_queue(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	netif_tx_stop_queue(tx->txq);
	tx->stats.stopped++;
	if (tx->state != SYNN_TX_OPEN)
		return;
	synn_tx_set_state(ch, SYNN_TX_BLOCKED);
	smp_mb();	/* pairs with the one in synn_tx_poll_end() */
	if (synn_tx_flush_pending(ch) && has_free_slot(&tx->gpa_slots)) {
		synn_tx_set_state(ch, SYNN_TX_OPEN);
		/* a sender that has seen the queue stopped meanwhile is called back */
		netif_tx_wake_queue(tx->txq);
	} else if (tx->state == SYNN_TX_BLOCKED &&
		   tx->pending != SYNN_PENDING_NONE) {
		synn_chan_retry(ch);
	}
}

/**
 * synn_tx_flush_or_stop() - send what is pending, or else stop the queue
 * @ch: an open channel
 *
 * Context: the tx lock is held.
 */
void synn_tx_flush_or_stop(struct synn_chan *ch)
{
	if (unlikely(!synn_tx_flush_pending(ch)) ||
	    unlikely(!has_free_slot(&ch->tx.gpa_slots)))
		synn_tx_stop_queue(ch);
}

/**
 * synn_tx_flush() - send the section that synn_tx_frame() has filled
 * @ch: channel
 *
 * Context: the tx lock of its queue is held.
 */
void synn_tx_flush(struct synn_chan *ch)
{
	if (ch->tx.state == SYNN_TX_OPEN)
		synn_tx_flush_or_stop(ch);
}

/**
 * synn_tx_reserve_section() - room for a message in the send buffer
 * @ch: an open channel with nothing but a section pending
 * @bytes: of the message, with its header
 *
 * The room is in the pending section, or in another one, which is then pending.
 *
 * Context: the tx lock is held.
 * Return: NULL if there is none at present.
 */
u8 *synn_tx_reserve_section(struct synn_chan *ch, u32 bytes)
{
	struct synn_tx *tx = &ch->tx;
	u8 *section;
	int slot;

	if (tx->pending == SYNN_PENDING_SECTION) {
		u32 at = (tx->section_used + tx->align_mask) & ~tx->align_mask;

		if (tx->section_packets < tx->max_packets &&
		    at + bytes <= tx->section_room) {
			struct rndis_header *last;

			section = tx->send_buffer +
				  tx->pending_slot * tx->section_bytes;
			/* the message before extends to where this one begins */
			last = (void *)(section + tx->section_last);
			last->len += at - tx->section_used;
			tx->section_last = at;
			tx->section_used = at + bytes;
			tx->section_packets++;
			return section + at;
		}
		if (!synn_tx_flush_pending(ch))
			return NULL;
	}
	slot = synn_tx_slot_alloc(&tx->sections);
	if (slot < 0)
		return NULL;
	tx->sends->slots[slot].owner = NULL;
	tx->sends->slots[slot].packets = 0;
	tx->sends->slots[slot].bytes = 0;
	tx->pending = SYNN_PENDING_SECTION;
	tx->pending_slot = slot;
	tx->section_last = 0;
	tx->section_used = bytes;
	tx->section_packets = 1;
	return tx->send_buffer + slot * tx->section_bytes;
}

/* ---- completions; NAPI --------------------------------------------------------- */

/**
 * synn_tx_is_frame() - whether a completion frees a frame of XDP
 * @ch: where it was received
 * @id: transaction id, as it was received
 *
 * Context: NAPI of @ch.
 */
bool synn_tx_is_frame(const struct synn_chan *ch, u64 id)
{
	const struct synn_tx *tx = &ch->tx;
	u32 slot = synn_id_slot(id);

	if (synn_id_kind(id) != SYNN_ID_SEND)
		return false;
	/* pairs with synn_tx_prepare(): the slots are there before their number */
	return slot < smp_load_acquire(&tx->nr_slots) &&
	       tx->sends->slots[slot].owner && tx->sends->slots[slot].is_frame;
}

/**
 * synn_tx_completed() - the host has completed a send
 * @ch: where the completion was received
 * @id: transaction id, as it was received
 * @payload: of the packet, a copy
 * @len: its bytes
 * @batch: what synn_tx_poll_end() is to report; added to
 * @budget: of the poll
 *
 * Context: NAPI of @ch.
 */
void synn_tx_completed(struct synn_chan *ch, u64 id, const void *payload,
		       u32 len, struct synn_tx_batch *batch, int budget)
{
	const struct nvsp_message *m = payload;
	struct synn_tx *tx = &ch->tx;
	u32 slot = synn_id_slot(id);
	struct synn_slot *s;

	/* the sender may take the id back at the same moment: slot_retract() */
	if (unlikely(slot >= smp_load_acquire(&tx->nr_slots) ||
		     cmpxchg(&tx->sends->slots[slot].id, id, 0) != id)) {
		synn_bad_packet(ch, "a completion of a send that it does not have",
				id);
		return;
	}
	if (unlikely(len < sizeof(m->type) + sizeof(m->rndis_complete) ||
		     m->type != NVSP_SEND_RNDIS_PACKET_COMPLETE ||
		     m->rndis_complete.status != NVSP_STATUS_SUCCESS)) {
		tx->stats.errors++;
		if (net_ratelimit())
			netdev_warn(ch->adapter->dev,
				    "queue %u: the host reports that a send has failed; its packets are lost\n",
				    ch->index);
	}
	s = &tx->sends->slots[slot];
	trace_synn_sent(ch, id, s->packets, s->bytes);
	batch->packets += s->packets;
	batch->bytes += s->bytes;
	synn_tx_slot_release_owner(s, budget);
	slot_free(slot < tx->nr_sections ? &tx->sections : &tx->gpa_slots, slot);
}

/**
 * synn_tx_poll_end() - report completions to the stack, resume a blocked queue
 * @ch: channel
 * @batch: what was completed
 * @budget: of the poll
 *
 * Context: NAPI of @ch.
 */
void synn_tx_poll_end(struct synn_chan *ch, struct synn_tx_batch *batch,
		      int budget)
{
	struct synn_tx *tx = &ch->tx;

	if (batch->packets)
		netdev_tx_completed_queue(tx->txq, batch->packets, batch->bytes);
	smp_mb();	/* pairs with the one in synn_tx_stop_queue() */
	if (likely(READ_ONCE(tx->state) != SYNN_TX_BLOCKED))
		return;

	/* the caller of netpoll may hold the lock */
	if (budget) {
		__netif_tx_lock(tx->txq, smp_processor_id());
	} else if (!__netif_tx_trylock(tx->txq)) {
		synn_chan_retry(ch);
		return;
	}
	if (tx->state == SYNN_TX_BLOCKED) {
		if (synn_tx_flush_pending(ch) && has_free_slot(&tx->gpa_slots)) {
			set_channel_pending_send_size(ch->vc, 0);
			tx->stats.woken++;
			synn_tx_set_state(ch, SYNN_TX_OPEN);
			netif_tx_wake_queue(tx->txq);
		} else if (tx->state == SYNN_TX_BLOCKED &&
			   tx->pending != SYNN_PENDING_NONE) {
			synn_chan_retry(ch);
		}
	}
	__netif_tx_unlock(tx->txq);
}
