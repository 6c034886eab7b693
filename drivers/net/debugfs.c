// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/synth_net/ID/: "card" tells what was agreed upon with the host,
 * "queues" what happens in each, the first place to look when nothing moves.
 */
#include <linux/debugfs.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>

#include "synth_net.h"

static struct dentry *root;

static int card_show(struct seq_file *s, void *unused)
{
	struct synn_card *c = s->private;
	const struct synn_link *l = &c->link;

	rtnl_lock();
	seq_printf(s, "%s: %s, NVSP %u.%u, %u queues of %u wanted, %llu resets, %llu timeouts, %llu pages quarantined\n",
		   c->dev->name, synn_state_name(c), l->version >> 16,
		   l->version & 0xffff, c->nr_queues, c->want_queues, c->resets,
		   c->timeouts, c->quarantined);
	seq_printf(s, "receive buffer: %u KiB, %u sections\n",
		   l->receive.bytes >> 10, l->sections);
	seq_printf(s, "send buffer: %u KiB, sections of %u bytes; a transfer: %u packets, %u bytes, aligned to %u\n",
		   l->send.bytes >> 10, l->section_bytes, l->limits.max_packets,
		   l->limits.max_transfer, 1u << l->limits.align_shift);
	seq_printf(s, "offloads: checksums 0x%x, 0x%x (IPv4), 0x%x, 0x%x (IPv6), large sends %u, %u, large receives %u\n",
		   l->offloads.csum4, l->offloads.rx4, l->offloads.csum6,
		   l->offloads.rx6, l->offloads.lso4_max, l->offloads.lso6_max,
		   l->offloads.rsc);
	seq_printf(s, "RSS: %u queues, %u entries, hashes 0x%x; filter 0x%x; %s, %llu Mbit/s; largest MTU %u; pieces in a send %u\n",
		   l->rss.queues, l->rss.entries,
		   c->rss_hashes & synn_rss_hashes(c), c->filter,
		   c->connected == SYNN_LINK_ON ? "connected" :
						  "not connected",
		   (u64)c->speed / 10000, l->max_mtu, l->max_ranges);
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(card);

static void queue_show(struct seq_file *s, const struct synn_chan *ch)
{
	const struct synn_tx_stats *t = &ch->tx.stats;
	const struct synn_rx_stats *r = &ch->rx.stats;
	u32 i, n = 0, oldest = 0;

	for (i = 0; i < ch->tx.nr_slots; i++) {
		const struct synn_slot *slot = &ch->tx.slots[i];

		if (!READ_ONCE(slot->id))
			continue;
		n++;
		oldest = max(oldest, jiffies_to_msecs(jiffies - slot->since));
	}
	seq_printf(s, "queue %u: cpu %u, signals %llu, interrupts %llu, polls %llu\n",
		   ch->index, ch->vc->target_cpu, ch->vc->sig_events,
		   r->interrupts, r->polls);
	seq_printf(s, "  sends: %u of %u slots at the host, the oldest for %u ms; packets %llu, copied %llu, ring packets %llu, ring full %llu, stopped %llu, woken %llu%s%s%s\n",
		   n, ch->tx.nr_slots, oldest, t->packets, t->copied,
		   t->ring_packets, t->ring_full, t->stopped, t->woken,
		   ch->tx.blocked ? ", blocked" : "", ch->tx.held ? ", held" : "",
		   ch->tx.dead ? ", dead" : "");
	seq_printf(s, "  receives: packets %llu, ranges %llu, joined %llu, completions %llu, late %llu, %u to be completed, no memory %llu, bad %llu\n",
		   r->packets, r->ranges, r->joined, r->completions,
		   r->completions_late, ch->rx.done_tail - ch->rx.done_head,
		   r->no_memory, r->bad);
}

static int queues_show(struct seq_file *s, void *unused)
{
	struct synn_card *c = s->private;
	unsigned int i;

	rtnl_lock();
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (c->chans[i] && c->chans[i]->open)
			queue_show(s, c->chans[i]);
	}
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(queues);

/**
 * synn_debugfs_add() - a directory for a card
 * @c: card
 *
 * Context: process.
 */
void synn_debugfs_add(struct synn_card *c)
{
	c->dentry = debugfs_create_dir(dev_name(&c->hv->device), root);
	debugfs_create_file("card", 0400, c->dentry, c, &card_fops);
	debugfs_create_file("queues", 0400, c->dentry, c, &queues_fops);
}

/**
 * synn_debugfs_remove() - the mirror of synn_debugfs_add()
 * @c: card
 *
 * Context: process; waits for readers.
 */
void synn_debugfs_remove(struct synn_card *c)
{
	debugfs_remove_recursive(c->dentry);
}

/**
 * synn_debugfs_init() - the directory of all cards
 */
void synn_debugfs_init(void)
{
	root = debugfs_create_dir(SYNN_NAME, NULL);
}

/**
 * synn_debugfs_exit() - the mirror of synn_debugfs_init()
 */
void synn_debugfs_exit(void)
{
	debugfs_remove_recursive(root);
}
