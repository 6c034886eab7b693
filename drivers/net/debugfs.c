// SPDX-License-Identifier: GPL-2.0-only
/*
 * /sys/kernel/debug/synth_net/ID/: "adapter" shows the state and what was negotiated with
 * the host, "queues" the state and counters of each queue. Look there first when no
 * packets pass.
 */
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/rtnetlink.h>
#include <linux/seq_file.h>

#include "synth_net.h"

static struct dentry *root;

/*
 * RTNL is held while a session is opened or closed, which can take as long as the host
 * does not respond. Readers wait for a second at most.
 */
static bool may_look(struct seq_file *s)
{
	int tries;

	for (tries = 0; tries < 50; tries++) {
		if (rtnl_trylock())
			return true;
		msleep(20);
	}
	seq_puts(s, "busy: the network configuration is being changed\n");
	return false;
}

static const char *media_name(enum synn_media media)
{
	switch (media) {
	case SYNN_MEDIA_CONNECTED:
		return "connected";
	case SYNN_MEDIA_DISCONNECTED:
		return "disconnected";
	default:
		return "unknown";
	}
}

static int adapter_show(struct seq_file *s, void *unused)
{
	struct synn_adapter *ad = s->private;
	const struct synn_session *n = &ad->session;

	seq_printf(s, "%s: %s%s, %llu resets, %llu stalls, %llu tx timeouts, %llu pages quarantined\n",
		   ad->dev->name, synn_state_name(READ_ONCE(ad->state)),
		   synthio_host_stalled(ad->hv) ? ", host stalled" : "",
		   ad->resets, ad->stalls, ad->tx_timeouts, ad->quarantined);
	if (!may_look(s))
		return 0;
	seq_printf(s, "NVSP %u.%u, %u queues of %u wanted\n", n->version >> 16,
		   n->version & 0xffff, ad->nr_queues, ad->wanted_queues);
	seq_printf(s, "receive buffer: %u KiB, %u sections\n",
		   n->receive ? n->receive->bytes >> 10 : 0, n->sections);
	seq_printf(s, "send buffer: %u KiB, sections of %u bytes; a transfer: %u packets, %u bytes, aligned to %u\n",
		   n->send ? n->send->bytes >> 10 : 0, n->section_bytes,
		   n->limits.max_packets, n->limits.max_transfer,
		   1u << n->limits.align_shift);
	seq_printf(s, "offloads: checksums 0x%x, 0x%x (IPv4), 0x%x, 0x%x (IPv6), large sends %u, %u, RSC %u\n",
		   n->offloads.csum4, n->offloads.rx4, n->offloads.csum6,
		   n->offloads.rx6, n->offloads.lso4_max, n->offloads.lso6_max,
		   n->offloads.rsc);
	seq_printf(s, "RSS: %u queues, %u entries, hashes 0x%x; filter 0x%x; media %s, %llu Mbit/s; largest MTU %u; ranges in a send %u\n",
		   n->rss.queues, n->rss.entries,
		   ad->rss_hashes & synn_rss_hashes(ad), ad->filter,
		   media_name(READ_ONCE(ad->media)), (u64)ad->speed / 10000,
		   n->max_mtu, n->max_ranges);
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(adapter);

static void queue_show(struct seq_file *s, const struct synn_chan *ch)
{
	static const char * const pending[] = {
		[SYNN_PENDING_NONE]	= "nothing",
		[SYNN_PENDING_SECTION]	= "a section",
		[SYNN_PENDING_GPA]	= "a packet",
	};
	const struct synn_tx_stats *t = &ch->tx.stats;
	const struct synn_rx_stats *r = &ch->rx.stats;
	struct synn_tx_load load;

	synn_tx_load(ch, &load);
	seq_printf(s, "queue %u: cpu %u, channel %s, signals %llu, interrupts %llu, polls %llu, last heard %u ms ago\n",
		   ch->index, ch->vc->target_cpu,
		   synn_chan_state_name(ch->state), ch->vc->sig_events,
		   r->interrupts, r->polls,
		   jiffies_to_msecs(jiffies - READ_ONCE(ch->heard)));
	seq_printf(s, "  tx: %s, %s pending, %u of %u slots at the host, the oldest for %u ms; packets %llu, copied %llu, ring packets %llu, ring full %llu, stopped %llu, woken %llu\n",
		   synn_tx_state_name(ch->tx.state), pending[ch->tx.pending],
		   load.sends, ch->tx.nr_slots, load.oldest, t->packets,
		   t->copied, t->ring_packets, t->ring_full, t->stopped,
		   t->woken);
	seq_printf(s, "  rx: packets %llu, ranges %llu, RSC %llu, completions %llu, deferred %llu, %u queued, no memory %llu, bad %llu\n",
		   r->packets, r->ranges, r->rsc_packets, r->completions,
		   r->completions_deferred, ch->rx.comp_tail - ch->rx.comp_head,
		   r->no_memory, r->bad);
}

static int queues_show(struct seq_file *s, void *unused)
{
	struct synn_adapter *ad = s->private;
	unsigned int i;

	if (!may_look(s))
		return 0;
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i] && synn_chan_is_open(ad->chans[i]))
			queue_show(s, ad->chans[i]);
	}
	rtnl_unlock();
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(queues);

/**
 * synn_debugfs_add() - create the directory of an adapter
 * @ad: adapter
 *
 * Context: process.
 */
void synn_debugfs_add(struct synn_adapter *ad)
{
	ad->dentry = debugfs_create_dir(dev_name(&ad->hv->device), root);
	debugfs_create_file("adapter", 0400, ad->dentry, ad, &adapter_fops);
	debugfs_create_file("queues", 0400, ad->dentry, ad, &queues_fops);
}

/**
 * synn_debugfs_remove() - the mirror of synn_debugfs_add()
 * @ad: adapter
 *
 * Context: process; waits for readers.
 */
void synn_debugfs_remove(struct synn_adapter *ad)
{
	debugfs_remove_recursive(ad->dentry);
}

/**
 * synn_debugfs_init() - create the directory of all adapters
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
