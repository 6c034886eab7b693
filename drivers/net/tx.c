// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to the host.
 *
 * Small ones, by default up to a frame of Ethernet, are copied into a section of the
 * send buffer, and the skb is done with; while the stack says that more follow, they
 * go into the same section, and in one ring packet. Large ones are named to the host:
 * what precedes the frame, in memory of the slot, and then the pieces of the skb,
 * none of which is copied.
 *
 * When the ring is full, what is put together waits in the queue (synn_tx.held or
 * .pend), the stack's queue is stopped, and NAPI sends it when there is room:
 * packets are never dropped for that. NAPI hears of room from the host, which is
 * asked to interrupt (synn_chan_has_room()), from completions, and from a timer.
 *
 * The free slots are two rings of numbers with one taker, who holds the tx lock,
 * and one giver, NAPI, so that the two need no lock between them.
 */
#include <linux/bpf.h>
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "synth_net.h"
#include "trace.h"

/*
 * TCP keeps no more in a queue than it sends in 2^-sk_pacing_shift seconds, 1 ms
 * by default, and learns from completions what is left there. Here they come from
 * another process, many at once, and a queue of so little runs dry meanwhile. It
 * gets 4 ms, as it does from other drivers whose completions come late.
 */
#define PACING_SHIFT		8

#define HEADERS_IN_PAGE		(PAGE_SIZE / SYNN_HEADER_ROOM)

/* ---- slots ---------------------------------------------------------------------- */

/* The taker's side; the tx lock is held */
static int take(struct synn_free *f)
{
	/* pairs with give(): what the slot was used for is over */
	if (f->head == smp_load_acquire(&f->tail))
		return -1;
	return f->ring[f->head++ & f->mask];
}

static bool any(const struct synn_free *f)
{
	return f->head != READ_ONCE(f->tail);
}

static void untake(struct synn_free *f)
{
	f->head--;
}

/* NAPI's side */
static void give(struct synn_free *f, u32 slot)
{
	f->ring[f->tail & f->mask] = slot;
	/* pairs with take() */
	smp_store_release(&f->tail, f->tail + 1);
}

static int make_free(struct synn_free *f, u32 first, u32 n)
{
	u32 size = roundup_pow_of_two(max(n, 2u)), i;

	f->ring = kvmalloc_array(size, sizeof(*f->ring), GFP_KERNEL);
	if (!f->ring)
		return -ENOMEM;
	f->mask = size - 1;
	for (i = 0; i < n; i++)
		f->ring[i] = first + i;
	f->head = 0;
	f->tail = n;
	return 0;
}

static void *header_of(const struct synn_tx *tx, u32 slot)
{
	u32 i = slot - tx->nr_sections;

	return tx->headers[i / HEADERS_IN_PAGE] +
	       i % HEADERS_IN_PAGE * SYNN_HEADER_ROOM;
}

/* From here on the host may have it, since it may be faster than we are */
static u64 arm(struct synn_tx *tx, u32 slot)
{
	struct synn_slot *s = &tx->slots[slot];
	u64 id = synn_id(SYNN_ID_SEND, ++tx->gen, slot);

	s->since = jiffies;
	/*
	 * Pairs with the exchange in synn_tx_completed(). A bad host can complete
	 * what it was not given: without the release NAPI would see the id and
	 * still what was in the slot before, and take a packet for a frame of XDP.
	 */
	smp_store_release(&s->id, id);
	return id;
}

/*
 * The ring did not take it after all. Returns false if the host has completed what
 * it was not given: it can guess ids. The slot is free then.
 */
static bool disarm(struct synn_tx *tx, u32 slot, u64 id)
{
	return cmpxchg(&tx->slots[slot].id, id, 0) == id;
}

/* ---- the ring -------------------------------------------------------------------- */

/* After an error that is not for want of room */
static void die(struct synn_chan *ch, int ret)
{
	struct synn_tx *tx = &ch->tx;

	/* what is on its way comes back when the session ends */
	tx->dead = true;
	tx->blocked = true;
	netif_tx_stop_queue(tx->txq);
	if (ret != -ENODEV) {
		netdev_err(ch->card->dev, "queue %u takes no packets: %d\n",
			   ch->index, ret);
		synn_reset(ch->card);
	}
}

/* Send tx->mpb. Returns false if it has to wait */
static bool send_held(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;
	u32 slot = tx->held_slot, bytes = ch->card->link.message_bytes;
	struct nvsp_message m;
	int ret;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_DATA;
	m.rndis.section = NVSP_NO_SECTION;
	do {
		u64 id = arm(tx, slot);

		ret = compat_send_ranges(ch->vc, &tx->mpb, tx->held_len, &m,
					 bytes, id);
		if (likely(!ret)) {
			trace_synn_send(ch, id, 1, tx->held_bytes);
			tx->held = false;
			tx->stats.ring_packets++;
			return true;
		}
		/* after other errors it may have it */
		if (ret == -EAGAIN && unlikely(!disarm(tx, slot, id))) {
			tx->held = false;
			ret = -EPROTO;
		}
	} while (ret == -EAGAIN &&
		 synn_chan_has_room(ch, tx->held_len + bytes));
	if (ret == -EAGAIN)
		tx->stats.ring_full++;
	else
		die(ch, ret);
	return false;
}

/* Send the section that is filled. Returns false if it has to wait */
static bool send_pend(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;
	u32 slot = tx->pend, bytes = ch->card->link.message_bytes;
	struct nvsp_message m;
	int ret;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_DATA;
	m.rndis.section = tx->first_section + slot;
	m.rndis.section_bytes = tx->pend_used;
	do {
		u64 id = arm(tx, slot);

		ret = vmbus_sendpacket(ch->vc, &m, bytes, id, VM_PKT_DATA_INBAND,
				       VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
		if (likely(!ret)) {
			trace_synn_send(ch, id, tx->pend_packets, tx->pend_used);
			tx->pend = -1;
			tx->stats.ring_packets++;
			return true;
		}
		if (ret == -EAGAIN && unlikely(!disarm(tx, slot, id))) {
			tx->pend = -1;
			ret = -EPROTO;
		}
	} while (ret == -EAGAIN && synn_chan_has_room(ch, bytes + 16));
	if (ret == -EAGAIN)
		tx->stats.ring_full++;
	else
		die(ch, ret);
	return false;
}

/* Whatever waits. Returns false if some of it still has to */
static bool flush(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	if (unlikely(tx->held) && (tx->dead || !send_held(ch)))
		return false;
	if (tx->pend >= 0 && (tx->dead || !send_pend(ch)))
		return false;
	return true;
}

/*
 * No more packets for now; the tx lock is held. Between the look that led here
 * and the stop, NAPI may have seen the last completion that there is.
 */
static void block(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	netif_tx_stop_queue(tx->txq);
	tx->stats.stopped++;
	WRITE_ONCE(tx->blocked, true);
	smp_mb();	/* pairs with the one in synn_tx_poll_end() */
	if (!tx->dead && flush(ch) && any(&tx->plain)) {
		WRITE_ONCE(tx->blocked, false);
		/* whoever has seen it stopped meanwhile has gone: call him back */
		netif_tx_wake_queue(tx->txq);
	} else if (!tx->dead && (tx->held || tx->pend >= 0)) {
		synn_chan_retry(ch);
	}
}

static void flush_or_block(struct synn_chan *ch)
{
	if (unlikely(!flush(ch)) || unlikely(!any(&ch->tx.plain)))
		block(ch);
}

/**
 * synn_tx_flush() - send what synn_tx_frame() has put into a section
 * @ch: an open channel
 *
 * Context: the tx lock of its queue is held.
 */
void synn_tx_flush(struct synn_chan *ch)
{
	if (ch->tx.open && !ch->tx.blocked)
		flush_or_block(ch);
}

/* ---- copies ---------------------------------------------------------------------------- */

/*
 * Room for a message of @bytes in the section that is filled, or in another one.
 * NULL: there is none just now.
 */
static u8 *room_in_section(struct synn_chan *ch, u32 bytes)
{
	struct synn_tx *tx = &ch->tx;
	u8 *section;
	int slot;

	if (tx->pend >= 0) {
		u32 at = (tx->pend_used + tx->align) & ~tx->align;

		if (tx->pend_packets < tx->max_packets &&
		    at + bytes <= tx->section_room) {
			struct rndis_header *last;

			section = tx->send_buffer +
				  tx->pend * tx->section_bytes;
			/* the one before reaches to where this one begins */
			last = (void *)(section + tx->pend_last);
			last->len += at - tx->pend_used;
			tx->pend_last = at;
			tx->pend_used = at + bytes;
			tx->pend_packets++;
			return section + at;
		}
		if (!send_pend(ch))
			return NULL;
	}
	slot = take(&tx->sections);
	if (slot < 0)
		return NULL;
	tx->slots[slot].owner = NULL;
	tx->slots[slot].packets = 0;
	tx->slots[slot].bytes = 0;
	tx->pend = slot;
	tx->pend_last = 0;
	tx->pend_used = bytes;
	tx->pend_packets = 1;
	return tx->send_buffer + slot * tx->section_bytes;
}

/* ---- pieces of memory -------------------------------------------------------------- */

/**
 * struct ranges - a description that is put together
 * @at: where the next range goes
 * @ranges: how many so far
 * @pfns: in all of them
 * @max: ranges that there may be
 */
struct ranges {
	struct hv_mpb_array *at;
	u32 ranges;
	u32 pfns;
	u32 max;
};

static bool put_range(struct ranges *r, phys_addr_t from, u32 len)
{
	do {
		u32 offset = from & ~HV_HYP_PAGE_MASK;
		u32 pages = HVPFN_UP(offset + len), i, n = len;

		if (pages > COMPAT_RANGE_PAGES) {
			pages = 1;
			n = HV_HYP_PAGE_SIZE - offset;
		}
		if (unlikely(r->ranges >= r->max ||
			     r->pfns + pages > SYNN_MAX_PFNS))
			return false;
		r->at->len = n;
		r->at->offset = offset;
		for (i = 0; i < pages; i++)
			r->at->pfn_array[i] = (from >> HV_HYP_PAGE_SHIFT) + i;
		r->at = (void *)&r->at->pfn_array[pages];
		r->pfns += pages;
		r->ranges++;
		from += n;
		len -= n;
	} while (len);
	return true;
}

/* The description begins with what precedes the frame */
static void begin_ranges(struct synn_chan *ch, struct ranges *r, void *header,
			 u32 len)
{
	*r = (struct ranges){
		.at = &ch->tx.mpb.range,
		.max = ch->card->link.max_ranges,
	};
	put_range(r, virt_to_phys(header), len);
}

static bool add_skb(struct ranges *r, const struct sk_buff *skb)
{
	u32 head = skb_headlen(skb);
	int i;

	if (head && !put_range(r, virt_to_phys(skb->data), head))
		return false;
	for (i = 0; i < skb_shinfo(skb)->nr_frags; i++) {
		const skb_frag_t *f = &skb_shinfo(skb)->frags[i];

		if (skb_frag_size(f) &&
		    !put_range(r, page_to_phys(skb_frag_page(f)) +
				  skb_frag_off(f), skb_frag_size(f)))
			return false;
	}
	return true;
}

/* All ranges are there: hold it, for flush() */
static void hold(struct synn_chan *ch, const struct ranges *r, u32 slot,
		 u32 bytes)
{
	struct synn_tx *tx = &ch->tx;

	tx->mpb.rangecount = r->ranges;
	tx->held_len = (u8 *)r->at - (u8 *)&tx->mpb;
	tx->held_slot = slot;
	tx->held_bytes = bytes;
	tx->held = true;
}

/* ---- packets of the stack ------------------------------------------------------------ */

static void copy_skb(const struct sk_buff *skb, u8 *to)
{
	u32 head = skb_headlen(skb);

	synthio_copy(to, skb->data, head);
	if (skb->data_len)
		skb_copy_bits(skb, head, to + head, skb->data_len);
}

/*
 * Copy the packet, if that is possible just now; the skb is done with. Returns
 * false if not.
 */
static bool send_copy(struct synn_chan *ch, struct sk_buff *skb,
		      const struct rndis_tx *t, u32 header, bool more)
{
	struct synn_tx *tx = &ch->tx;
	u8 *to = room_in_section(ch, header + t->len);
	struct synn_slot *s;
	bool kick;

	if (unlikely(!to))
		return false;
	rndis_put_packet(to, t);
	copy_skb(skb, to + header);
	s = &tx->slots[tx->pend];
	s->packets++;
	s->bytes += t->len;
	tx->stats.copied++;
	kick = __netdev_tx_sent_queue(tx->txq, t->len, more);
	dev_consume_skb_any(skb);
	if (kick)
		flush_or_block(ch);
	return true;
}

/*
 * Name the packet's memory to the host. Returns 0; -EBUSY if there is no room for
 * that; another error if it can't be sent at all, and is still the caller's.
 */
static int send_pages(struct synn_chan *ch, struct sk_buff *skb,
		       const struct rndis_tx *t, u32 header)
{
	struct synn_tx *tx = &ch->tx;
	struct synn_slot *s;
	struct ranges r;
	void *to;
	int slot;

	/* in order, and tx->mpb is free then */
	if (unlikely(!flush(ch)))
		return -EBUSY;
	slot = take(&tx->plain);
	if (unlikely(slot < 0))
		return -EBUSY;
	to = header_of(tx, slot);
	rndis_put_packet(to, t);
	begin_ranges(ch, &r, to, header);
	if (unlikely(!add_skb(&r, skb))) {
		tx->stats.linearized++;
		begin_ranges(ch, &r, to, header);
		if (skb_linearize(skb) || !add_skb(&r, skb)) {
			untake(&tx->plain);
			return -EMSGSIZE;
		}
	}
	s = &tx->slots[slot];
	s->owner = skb;
	s->is_frame = false;
	s->packets = 1;
	s->bytes = t->len;
	netdev_tx_sent_queue(tx->txq, t->len);
	hold(ch, &r, slot, t->len);
	flush_or_block(ch);
	return 0;
}

static netdev_tx_t drop(struct synn_chan *ch, struct sk_buff *skb)
{
	ch->tx.stats.dropped++;
	dev_kfree_skb_any(skb);
	/* it may have been the last of several */
	if (!netdev_xmit_more())
		flush_or_block(ch);
	return NETDEV_TX_OK;
}

/**
 * synn_start_xmit() - ndo_start_xmit
 * @skb: packet
 * @dev: card
 *
 * Context: the tx lock is held.
 */
netdev_tx_t synn_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct synn_chan *ch = synn_card(dev)->chans[skb_get_queue_mapping(skb)];
	struct synn_tx *tx = &ch->tx;
	u32 header, bytes = skb->len, packets = 1;
	struct rndis_tx t = { };
	int ret;

	if (unlikely(!tx->open || tx->blocked)) {
		netif_tx_stop_queue(netdev_get_tx_queue(dev, ch->index));
		return NETDEV_TX_BUSY;
	}
	if (unlikely(synn_tx_info(ch, skb, &t)))
		return drop(ch, skb);
	header = rndis_packet_header(&t);
	if (t.has & RNDIS_HAS_LSO) {
		packets = skb_shinfo(skb)->gso_segs ?: 1;
		sk_pacing_shift_update(skb->sk, PACING_SHIFT);
	}
	skb_tx_timestamp(skb);

	if (t.len > tx->copy_max ||
	    !send_copy(ch, skb, &t, header, netdev_xmit_more())) {
		ret = send_pages(ch, skb, &t, header);
		if (unlikely(ret == -EBUSY)) {
			block(ch);
			/* where it could be sent after all, the stack tries again */
			return NETDEV_TX_BUSY;
		}
		if (unlikely(ret))
			return drop(ch, skb);
	}
	tx->stats.tso += !!(t.has & RNDIS_HAS_LSO);
	u64_stats_update_begin(&tx->stats.syncp);
	tx->stats.packets += packets;
	tx->stats.bytes += bytes;
	u64_stats_update_end(&tx->stats.syncp);
	return NETDEV_TX_OK;
}

/* ---- frames of XDP --------------------------------------------------------------------- */

static void frame_sent(struct synn_tx *tx, u32 len)
{
	tx->stats.xdp_bytes += len;
	/* the stack's watchdog thinks that only the stack sends */
	txq_trans_cond_update(tx->txq);
}

/**
 * synn_tx_frame() - send a frame of XDP
 * @ch: a channel
 * @data: the frame, which may be changed
 * @len: its bytes
 * @frame: what it lies in, given back when it is sent, or NULL: it can't be kept
 *
 * Context: the tx lock of its queue is held; synn_tx_flush() comes after the last.
 * Return: 1 if it was copied: @frame is still the caller's; 0 if it was taken;
 *	-EBUSY, or -EMSGSIZE if it can't be copied and there is no @frame.
 */
int synn_tx_frame(struct synn_chan *ch, void *data, u32 len,
		  struct xdp_frame *frame)
{
	struct rndis_tx t = { .len = len };
	struct synn_tx *tx = &ch->tx;
	u32 header, tag;
	struct ranges r;
	u8 *to = NULL;
	int slot;

	if (unlikely(!tx->open || tx->blocked))
		return -EBUSY;
	tag = synn_tag_of(data, len, &t.vlan);
	if (unlikely(tag)) {
		t.has |= RNDIS_HAS_VLAN;
		t.len -= tag;
	}
	header = rndis_packet_header(&t);
	if (t.len <= tx->copy_max)
		to = room_in_section(ch, header + t.len);
	if (to) {
		rndis_put_packet(to, &t);
		to += header;
		if (unlikely(tag)) {
			memcpy(to, data, SYNN_ADDRESSES);
			to += SYNN_ADDRESSES;
			data += SYNN_ADDRESSES + tag;
			len -= SYNN_ADDRESSES + tag;
		}
		synthio_copy(to, data, len);
		frame_sent(tx, t.len);
		tx->stats.copied++;
		return 1;
	}
	if (!frame)
		return -EMSGSIZE;
	if (!flush(ch))
		return -EBUSY;
	slot = take(&tx->plain);
	if (slot < 0)
		return -EBUSY;
	to = header_of(tx, slot);
	rndis_put_packet(to, &t);
	begin_ranges(ch, &r, to, header);
	if (unlikely(tag)) {
		memmove(data + tag, data, SYNN_ADDRESSES);
		data += tag;
	}
	if (!put_range(&r, virt_to_phys(data), t.len)) {
		untake(&tx->plain);
		return -EBUSY;
	}
	tx->slots[slot].owner = frame;
	tx->slots[slot].is_frame = true;
	tx->slots[slot].packets = 0;
	tx->slots[slot].bytes = 0;
	hold(ch, &r, slot, t.len);
	frame_sent(tx, t.len);
	flush_or_block(ch);
	return 0;
}

/* ---- completions; NAPI ------------------------------------------------------------------ */

/**
 * synn_tx_is_frame() - whether a completion gives a frame of XDP back
 * @ch: where it came
 * @id: transaction id, as it came
 *
 * Context: NAPI of @ch.
 */
bool synn_tx_is_frame(const struct synn_chan *ch, u64 id)
{
	const struct synn_tx *tx = &ch->tx;
	u32 slot = synn_id_slot(id);

	if (synn_id_kind(id) != SYNN_ID_SEND)
		return false;
	/* pairs with synn_tx_prepare(): the slots are made before they count */
	return slot < smp_load_acquire(&tx->nr_slots) &&
	       tx->slots[slot].owner && tx->slots[slot].is_frame;
}

/* TCP's are the second half of what was allocated in one piece */
static void keep_for_ever(struct sk_buff *skb)
{
	if (skb->fclone == SKB_FCLONE_CLONE)
		skb = &container_of(skb, struct sk_buff_fclones, skb2)->skb1;
	kmemleak_not_leak(skb);
}

static void free_owner(struct synn_slot *s, int budget)
{
	if (!s->owner)
		return;
	/* a frame may be of another card, whose pool is not this NAPI's */
	if (s->is_frame)
		xdp_return_frame(s->owner);
	else
		napi_consume_skb(s->owner, budget);
	s->owner = NULL;
}

/**
 * synn_tx_completed() - the host is done with a send
 * @ch: where it says so
 * @id: transaction id, as it came
 * @payload: of the packet, a copy
 * @len: its bytes
 * @batch: counts it for synn_tx_poll_end()
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

	/* the sender may want it back at the same moment: disarm() */
	if (unlikely(slot >= smp_load_acquire(&tx->nr_slots) ||
		     cmpxchg(&tx->slots[slot].id, id, 0) != id)) {
		synn_bad(ch, "a completion of a send that it does not have", id);
		return;
	}
	if (unlikely(len < sizeof(m->type) + sizeof(m->rndis_complete) ||
		     m->type != NVSP_SEND_RNDIS_PACKET_COMPLETE ||
		     m->rndis_complete.status != NVSP_STATUS_SUCCESS)) {
		tx->stats.errors++;
		if (net_ratelimit())
			netdev_warn(ch->card->dev,
				    "queue %u: a send failed at the host\n",
				    ch->index);
	}
	s = &tx->slots[slot];
	trace_synn_sent(ch, id, s->packets, s->bytes);
	batch->packets += s->packets;
	batch->bytes += s->bytes;
	free_owner(s, budget);
	give(slot < tx->nr_sections ? &tx->sections : &tx->plain, slot);
}

/**
 * synn_tx_poll_end() - tell the stack what was sent, send what had to wait
 * @ch: channel
 * @batch: what was sent
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
	smp_mb();	/* pairs with the one in block() */
	if (likely(!READ_ONCE(tx->blocked)))
		return;

	/* netpoll may be called by whoever holds the lock */
	if (budget) {
		__netif_tx_lock(tx->txq, smp_processor_id());
	} else if (!__netif_tx_trylock(tx->txq)) {
		synn_chan_retry(ch);
		return;
	}
	if (tx->open && tx->blocked && !tx->dead) {
		if (flush(ch) && any(&tx->plain)) {
			set_channel_pending_send_size(ch->vc, 0);
			tx->stats.woken++;
			WRITE_ONCE(tx->blocked, false);
			netif_tx_wake_queue(tx->txq);
		} else if (tx->held || tx->pend >= 0) {
			synn_chan_retry(ch);
		}
	}
	__netif_tx_unlock(tx->txq);
}

/* ---- begin and end of a session ------------------------------------------------------ */

/**
 * synn_tx_prepare() - slots for a channel
 * @ch: an open channel
 * @first_section: of the send buffer that is its own
 * @sections: how many
 *
 * Context: process, RTNL held.
 * Return: 0 or -ENOMEM; synn_tx_unprepare() is called in any case.
 */
int synn_tx_prepare(struct synn_chan *ch, u32 first_section, u32 sections)
{
	struct synn_card *c = ch->card;
	const struct synn_link *l = &c->link;
	struct synn_tx *tx = &ch->tx;
	u32 plain = c->want_slots, i;

	tx->txq = netdev_get_tx_queue(c->dev, ch->index);
	tx->first_section = first_section;
	tx->section_bytes = l->section_bytes;
	tx->send_buffer = l->send.data + (size_t)first_section * l->section_bytes;
	tx->section_room = min(l->section_bytes, l->limits.max_transfer ?:
			       l->section_bytes);
	tx->copy_max = 0;
	if (tx->section_room > RNDIS_PACKET_HEADER_MAX)
		tx->copy_max = min(tx->section_room -
				   (u32)RNDIS_PACKET_HEADER_MAX,
				   READ_ONCE(synn_copybreak));
	tx->max_packets = l->limits.max_packets;
	tx->align = (1u << l->limits.align_shift) - 1;
	tx->nr_sections = sections;
	tx->pend = -1;
	tx->held = false;
	tx->dead = false;
	tx->blocked = false;

	tx->slots = kvcalloc(sections + plain, sizeof(*tx->slots), GFP_KERNEL);
	tx->nr_headers = DIV_ROUND_UP(plain, HEADERS_IN_PAGE);
	tx->headers = kcalloc(tx->nr_headers, sizeof(*tx->headers), GFP_KERNEL);
	if (!tx->slots || !tx->headers || make_free(&tx->sections, 0, sections) ||
	    make_free(&tx->plain, sections, plain))
		return -ENOMEM;
	for (i = 0; i < tx->nr_headers; i++) {
		tx->headers[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!tx->headers[i])
			return -ENOMEM;
	}
	/* from now on completions, which acquire it, find their slots */
	smp_store_release(&tx->nr_slots, sections + plain);
	return 0;
}

/**
 * synn_tx_unprepare() - the mirror of synn_tx_prepare()
 * @ch: a closed channel
 * @safe: the host touches nothing of it any more
 *
 * Context: process, RTNL held.
 */
void synn_tx_unprepare(struct synn_chan *ch, bool safe)
{
	struct synn_card *c = ch->card;
	struct synn_tx *tx = &ch->tx;
	u32 i, lost = 0, kept = 0;

	for (i = 0; i < tx->nr_slots; i++) {
		struct synn_slot *s = &tx->slots[i];

		/* what waits for room has an owner, and the host does not have it */
		if (!s->id && !s->owner)
			continue;
		lost++;
		tx->stats.dropped += s->packets;
		if (safe || !s->id) {
			local_bh_disable();
			free_owner(s, 0);
			local_bh_enable();
		} else if (s->owner) {
			kept++;
			if (!s->is_frame)
				keep_for_ever(s->owner);
		}
	}
	if (lost)
		netdev_dbg(c->dev, "queue %u: %u sends ended with the session\n",
			   ch->index, lost);
	if (kept) {
		netdev_err(c->dev, "queue %u: %u packets are kept for ever, since the host may still use them\n",
			   ch->index, kept);
		c->quarantined += kept;
	}
	if (tx->txq)
		netdev_tx_reset_queue(tx->txq);

	for (i = 0; tx->headers && i < tx->nr_headers; i++) {
		if (safe)
			free_page((unsigned long)tx->headers[i]);
		else if (tx->headers[i])
			c->quarantined++;
	}
	kfree(tx->headers);
	kvfree(tx->slots);
	kvfree(tx->sections.ring);
	kvfree(tx->plain.ring);
	tx->headers = NULL;
	tx->slots = NULL;
	tx->nr_slots = 0;
	tx->sections = (struct synn_free){ };
	tx->plain = (struct synn_free){ };
}

/**
 * synn_tx_start() - packets may be sent
 * @ch: an open channel, after synn_tx_prepare()
 *
 * Context: process.
 */
void synn_tx_start(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	__netif_tx_lock_bh(tx->txq);
	tx->open = true;
	__netif_tx_unlock_bh(tx->txq);
	if (netif_running(ch->card->dev))
		netif_tx_wake_queue(tx->txq);
}

/**
 * synn_tx_stop() - no packets are sent any more
 * @ch: a channel that is ready
 *
 * Context: process.
 */
void synn_tx_stop(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	if (!tx->txq)
		return;
	__netif_tx_lock_bh(tx->txq);
	tx->open = false;
	netif_tx_stop_queue(tx->txq);
	__netif_tx_unlock_bh(tx->txq);
}
