// SPDX-License-Identifier: GPL-2.0-only
/* Tx queues at the beginning and at the end of a session: memory, start and stop. */
#include <linux/kmemleak.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "synth_net.h"

static int free_list_init(struct synn_free_list *f, u32 first, u32 n)
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

static void free_list_free(struct synn_free_list *f)
{
	kvfree(f->ring);
	*f = (struct synn_free_list){ };
}

/* A clone of TCP's is the second half of what was allocated in one piece */
static void hide_skb_from_kmemleak(struct sk_buff *skb)
{
	if (skb->fclone == SKB_FCLONE_CLONE)
		skb = &container_of(skb, struct sk_buff_fclones, skb2)->skb1;
	kmemleak_not_leak(skb);
}

/* The host is done with all of it */
static void free_sends(struct synn_sends *s)
{
	u32 i;

	for (i = 0; i < s->nr_slots; i++) {
		local_bh_disable();
		synn_tx_slot_release_owner(&s->slots[i], 0);
		local_bh_enable();
	}
	for (i = 0; s->headers && i < s->nr_headers; i++)
		free_page((unsigned long)s->headers[i]);
	kfree(s->headers);
	kvfree(s->slots);
	kfree(s);
}

static void release_sends(struct synn_quarantined *q, bool confirmed)
{
	struct synn_sends *s = container_of(q, struct synn_sends, quarantine);
	u32 i;

	if (confirmed) {
		free_sends(s);
		return;
	}
	for (i = 0; i < s->nr_slots; i++) {
		if (s->slots[i].owner && !s->slots[i].is_frame)
			hide_skb_from_kmemleak(s->slots[i].owner);
	}
	kfree(s->headers);
	kvfree(s->slots);
	kfree(s);
}

static struct synn_sends *alloc_sends(u32 sections, u32 gpa_slots)
{
	struct synn_sends *s = kzalloc(sizeof(*s), GFP_KERNEL);
	u32 i;

	if (!s)
		return NULL;
	s->quarantine.release = release_sends;
	s->slots = kvcalloc(sections + gpa_slots, sizeof(*s->slots), GFP_KERNEL);
	s->nr_headers = DIV_ROUND_UP(gpa_slots, SYNN_HEADERS_IN_PAGE);
	s->headers = kcalloc(s->nr_headers, sizeof(*s->headers), GFP_KERNEL);
	if (!s->slots || !s->headers)
		goto err;
	for (i = 0; i < s->nr_headers; i++) {
		s->headers[i] = (void *)get_zeroed_page(GFP_KERNEL);
		if (!s->headers[i])
			goto err;
	}
	s->nr_slots = sections + gpa_slots;
	return s;

err:
	free_sends(s);
	return NULL;
}

/**
 * synn_tx_prepare() - allocate the memory of a tx queue
 * @ch: an open channel
 * @first_section: first section of the send buffer that the queue owns
 * @sections: how many
 *
 * Context: process, RTNL and adapter->mutex held.
 * Return: 0 or -ENOMEM; synn_tx_unprepare() is called in any case.
 */
int synn_tx_prepare(struct synn_chan *ch, u32 first_section, u32 sections)
{
	struct synn_adapter *ad = ch->adapter;
	const struct synn_session *s = &ad->session;
	struct synn_tx *tx = &ch->tx;
	u32 gpa_slots = ad->wanted_slots;

	tx->txq = netdev_get_tx_queue(ad->dev, ch->index);
	tx->first_section = first_section;
	tx->section_bytes = s->section_bytes;
	tx->send_buffer = s->send->data + (size_t)first_section * s->section_bytes;
	tx->section_room = min(s->section_bytes, s->limits.max_transfer ?:
			       s->section_bytes);
	tx->copy_max = 0;
	if (tx->section_room > RNDIS_PACKET_HEADER_MAX)
		tx->copy_max = min(tx->section_room -
				   (u32)RNDIS_PACKET_HEADER_MAX,
				   READ_ONCE(synn_copybreak));
	tx->max_packets = s->limits.max_packets;
	tx->align_mask = (1u << s->limits.align_shift) - 1;
	tx->nr_sections = sections;
	tx->pending = SYNN_PENDING_NONE;

	tx->sends = alloc_sends(sections, gpa_slots);
	if (!tx->sends || free_list_init(&tx->sections, 0, sections) ||
	    free_list_init(&tx->gpa_slots, sections, gpa_slots))
		return -ENOMEM;
	/* from now on completions, which acquire it, find their slots */
	smp_store_release(&tx->nr_slots, sections + gpa_slots);
	return 0;
}

/**
 * synn_tx_unprepare() - the mirror of synn_tx_prepare()
 * @ch: a closed channel
 * @confirmed: the host has confirmed that it uses none of the sends any more
 *
 * Context: process, RTNL and adapter->mutex held.
 */
void synn_tx_unprepare(struct synn_chan *ch, bool confirmed)
{
	struct synn_adapter *ad = ch->adapter;
	struct synn_tx *tx = &ch->tx;
	struct synn_sends *s = tx->sends;
	u32 i, lost = 0, kept = 0;

	tx->nr_slots = 0;
	tx->sends = NULL;
	free_list_free(&tx->sections);
	free_list_free(&tx->gpa_slots);
	if (tx->txq)
		netdev_tx_reset_queue(tx->txq);
	if (!s)
		return;
	for (i = 0; i < s->nr_slots; i++) {
		struct synn_slot *slot = &s->slots[i];

		/* a pending packet has an owner, and the host does not have it */
		if (!slot->id && !slot->owner)
			continue;
		lost++;
		tx->stats.dropped += slot->packets;
		if (slot->id) {
			kept += !!slot->owner;
			continue;
		}
		local_bh_disable();
		synn_tx_slot_release_owner(slot, 0);
		local_bh_enable();
	}
	if (lost)
		netdev_dbg(ad->dev, "queue %u: %u sends ended with the session\n",
			   ch->index, lost);
	if (confirmed)
		free_sends(s);
	else
		synn_quarantine_add(ad, &s->quarantine, s->nr_headers + kept);
}

/**
 * synn_tx_start() - accept packets
 * @ch: an open channel, after synn_tx_prepare()
 *
 * Context: process.
 */
void synn_tx_start(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	__netif_tx_lock_bh(tx->txq);
	synn_tx_set_state(ch, SYNN_TX_OPEN);
	__netif_tx_unlock_bh(tx->txq);
	if (netif_running(ch->adapter->dev))
		netif_tx_wake_queue(tx->txq);
}

/**
 * synn_tx_stop() - accept no packets any more
 * @ch: a channel that is prepared
 *
 * Context: process.
 */
void synn_tx_stop(struct synn_chan *ch)
{
	struct synn_tx *tx = &ch->tx;

	if (!tx->txq)
		return;
	__netif_tx_lock_bh(tx->txq);
	if (tx->state != SYNN_TX_CLOSED)
		synn_tx_set_state(ch, SYNN_TX_CLOSED);
	netif_tx_stop_queue(tx->txq);
	__netif_tx_unlock_bh(tx->txq);
}

/**
 * synn_tx_load() - what a tx queue has outstanding
 * @ch: channel
 * @load: filled in
 *
 * Context: any in which the session can't be closed meanwhile: adapter->mutex held, or
 *	RTNL, or called by the stack's watchdog.
 */
void synn_tx_load(const struct synn_chan *ch, struct synn_tx_load *load)
{
	const struct synn_sends *s = ch->tx.sends;
	u32 i;

	*load = (struct synn_tx_load){ };
	for (i = 0; s && i < s->nr_slots; i++) {
		const struct synn_slot *slot = &s->slots[i];

		if (!READ_ONCE(slot->id))
			continue;
		load->sends++;
		load->oldest = max(load->oldest,
				   jiffies_to_msecs(jiffies - slot->since));
	}
	if (READ_ONCE(ch->tx.state) == SYNN_TX_BLOCKED)
		load->blocked = jiffies_to_msecs(jiffies - ch->tx.blocked_since);
}
