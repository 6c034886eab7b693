// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets to the host.
 *
 * A small packet, by default up to a frame of Ethernet, is copied into a section of the
 * send buffer, and its skb is freed at once. While the stack has more packets, they
 * are copied into the same section, and sent in one ring packet. A large packet is named
 * to the host by its addresses (a GPA slot): its RNDIS header in memory of the slot, and
 * then the fragments of the skb, none of which is copied.
 */
#include <linux/mm.h>
#include <net/sock.h>
#include <net/xdp.h>

#include "synth_net.h"

/*
 * TCP keeps no more in a queue than it sends in 2^-sk_pacing_shift seconds, 1 ms
 * by default, and learns from completions what is left there. Here they come from
 * another process, many at once, and a queue of so little runs dry meanwhile. It
 * gets 4 ms, as it does from other drivers whose completions come late.
 */
#define PACING_SHIFT		8

/* ---- pieces of memory -------------------------------------------------------------- */

/**
 * struct ranges - a description of a packet's memory that is being built
 * @at: where the next range is written
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

/* The first range is the RNDIS header */
static void begin_ranges(struct synn_chan *ch, struct ranges *r, void *header,
			 u32 len)
{
	*r = (struct ranges){
		.at = &ch->tx.mpb.range,
		.max = ch->adapter->session.max_ranges,
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

/* The description is complete: synn_tx_flush_pending() sends it */
static void set_pending_gpa(struct synn_chan *ch, const struct ranges *r,
			    u32 slot, u32 bytes)
{
	struct synn_tx *tx = &ch->tx;

	tx->mpb.rangecount = r->ranges;
	tx->mpb_len = (u8 *)r->at - (u8 *)&tx->mpb;
	tx->pending_slot = slot;
	tx->mpb_bytes = bytes;
	tx->pending = SYNN_PENDING_GPA;
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
 * Copies the packet into the send buffer and frees the skb. Returns false if there is
 * no room there at present.
 */
static bool send_copy(struct synn_chan *ch, struct sk_buff *skb,
		      const struct rndis_tx *t, u32 header, bool more)
{
	struct synn_tx *tx = &ch->tx;
	u8 *to = synn_tx_reserve_section(ch, header + t->len);
	struct synn_slot *s;
	bool kick;

	if (unlikely(!to))
		return false;
	rndis_put_packet(to, t);
	copy_skb(skb, to + header);
	s = &tx->sends->slots[tx->pending_slot];
	s->packets++;
	s->bytes += t->len;
	tx->stats.copied++;
	kick = __netdev_tx_sent_queue(tx->txq, t->len, more);
	dev_consume_skb_any(skb);
	if (kick)
		synn_tx_flush_or_stop(ch);
	return true;
}

/*
 * Names the packet's memory to the host. Returns 0; -EBUSY if there is no room at
 * present; another error if the packet can't be sent at all. After an error the skb is
 * still the caller's.
 */
static int send_pages(struct synn_chan *ch, struct sk_buff *skb,
		      const struct rndis_tx *t, u32 header)
{
	struct synn_tx *tx = &ch->tx;
	struct synn_slot *s;
	struct ranges r;
	void *to;
	int slot;

	/* packets stay in order, and tx->mpb is free then */
	if (unlikely(!synn_tx_flush_pending(ch)))
		return -EBUSY;
	slot = synn_tx_slot_alloc(&tx->gpa_slots);
	if (unlikely(slot < 0))
		return -EBUSY;
	to = synn_tx_slot_header(tx, slot);
	rndis_put_packet(to, t);
	begin_ranges(ch, &r, to, header);
	if (unlikely(!add_skb(&r, skb))) {
		tx->stats.linearized++;
		begin_ranges(ch, &r, to, header);
		if (skb_linearize(skb) || !add_skb(&r, skb)) {
			synn_tx_slot_unalloc(&tx->gpa_slots);
			return -EMSGSIZE;
		}
	}
	s = &tx->sends->slots[slot];
	s->owner = skb;
	s->is_frame = false;
	s->packets = 1;
	s->bytes = t->len;
	netdev_tx_sent_queue(tx->txq, t->len);
	set_pending_gpa(ch, &r, slot, t->len);
	synn_tx_flush_or_stop(ch);
	return 0;
}

static netdev_tx_t drop(struct synn_chan *ch, struct sk_buff *skb)
{
	ch->tx.stats.dropped++;
	dev_kfree_skb_any(skb);
	/* the stack may have announced it behind others, which are pending */
	if (!netdev_xmit_more())
		synn_tx_flush_or_stop(ch);
	return NETDEV_TX_OK;
}

/**
 * synn_start_xmit() - ndo_start_xmit
 * @skb: packet
 * @dev: netdev of an adapter
 *
 * Context: the tx lock is held.
 */
netdev_tx_t synn_start_xmit(struct sk_buff *skb, struct net_device *dev)
{
	struct synn_chan *ch = synn_priv(dev)->chans[skb_get_queue_mapping(skb)];
	struct synn_tx *tx = &ch->tx;
	u32 header, bytes = skb->len, packets = 1;
	struct rndis_tx t = { };
	int ret;

	if (unlikely(tx->state != SYNN_TX_OPEN)) {
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
			synn_tx_stop_queue(ch);
			/* if it could be sent meanwhile, the stack tries again */
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
	/* the stack's watchdog only knows of sends of the stack */
	txq_trans_cond_update(tx->txq);
}

/**
 * synn_tx_frame() - send a frame of XDP
 * @ch: a channel
 * @data: the frame, which may be changed
 * @len: its bytes
 * @frame: its xdp_frame, which is freed after the send; NULL if it can't be kept
 *
 * Context: the tx lock of its queue is held; synn_tx_flush() comes after the last.
 * Return: 1 if it was copied: @frame is still the caller's; 0 if it was accepted;
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

	if (unlikely(tx->state != SYNN_TX_OPEN))
		return -EBUSY;
	tag = synn_get_vlan_tag(data, len, &t.vlan);
	if (unlikely(tag)) {
		t.has |= RNDIS_HAS_VLAN;
		t.len -= tag;
	}
	header = rndis_packet_header(&t);
	if (t.len <= tx->copy_max)
		to = synn_tx_reserve_section(ch, header + t.len);
	if (to) {
		rndis_put_packet(to, &t);
		to += header;
		if (unlikely(tag)) {
			memcpy(to, data, SYNN_ETH_ADDRESSES);
			to += SYNN_ETH_ADDRESSES;
			data += SYNN_ETH_ADDRESSES + tag;
			len -= SYNN_ETH_ADDRESSES + tag;
		}
		synthio_copy(to, data, len);
		frame_sent(tx, t.len);
		tx->stats.copied++;
		return 1;
	}
	if (!frame)
		return -EMSGSIZE;
	if (!synn_tx_flush_pending(ch))
		return -EBUSY;
	slot = synn_tx_slot_alloc(&tx->gpa_slots);
	if (slot < 0)
		return -EBUSY;
	to = synn_tx_slot_header(tx, slot);
	rndis_put_packet(to, &t);
	begin_ranges(ch, &r, to, header);
	if (unlikely(tag)) {
		memmove(data + tag, data, SYNN_ETH_ADDRESSES);
		data += tag;
	}
	if (!put_range(&r, virt_to_phys(data), t.len)) {
		synn_tx_slot_unalloc(&tx->gpa_slots);
		return -EBUSY;
	}
	tx->sends->slots[slot].owner = frame;
	tx->sends->slots[slot].is_frame = true;
	tx->sends->slots[slot].packets = 0;
	tx->sends->slots[slot].bytes = 0;
	set_pending_gpa(ch, &r, slot, t.len);
	frame_sent(tx, t.len);
	synn_tx_flush_or_stop(ch);
	return 0;
}
