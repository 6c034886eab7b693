// SPDX-License-Identifier: GPL-2.0-only
/*
 * Statistics for the network stack: sums for the interface, and values of each queue
 * where the kernel has qstats of netlink. The statistics of ethtool -S are in
 * ethtool.c.
 */
#include "synth_net.h"

/* Packets and bytes of a channel: the stack's and XDP's */
struct queue_counters {
	u64 rx_packets;
	u64 rx_bytes;
	u64 rx_no_memory;
	u64 tx_packets;
	u64 tx_bytes;
};

static void read_counters(const struct synn_chan *ch, struct queue_counters *n)
{
	const struct synn_rx_stats *rx = &ch->rx.stats;
	const struct synn_tx_stats *tx = &ch->tx.stats;
	unsigned int start;

	do {
		start = u64_stats_fetch_begin(&tx->syncp);
		n->tx_packets = tx->packets;
		n->tx_bytes = tx->bytes;
	} while (u64_stats_fetch_retry(&tx->syncp, start));
	n->tx_packets += READ_ONCE(tx->xdp_xmit) + READ_ONCE(tx->xdp_tx);
	n->tx_bytes += READ_ONCE(tx->xdp_bytes);
	do {
		start = u64_stats_fetch_begin(&rx->syncp);
		n->rx_packets = rx->packets;
		n->rx_bytes = rx->bytes;
	} while (u64_stats_fetch_retry(&rx->syncp, start));
	n->rx_no_memory = READ_ONCE(rx->no_memory);
}

/* NULL if that channel was never opened */
static struct synn_chan *channel(const struct synn_adapter *ad, unsigned int i)
{
	/* pairs with synn_chan_alloc() */
	return smp_load_acquire(&ad->chans[i]);
}

/**
 * synn_get_stats64() - ndo_get_stats64
 * @dev: netdev of an adapter
 * @st: added to
 */
void synn_get_stats64(struct net_device *dev, struct rtnl_link_stats64 *st)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int i;

	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		const struct synn_chan *ch = channel(ad, i);
		struct queue_counters n;

		if (!ch)
			continue;
		read_counters(ch, &n);
		st->tx_packets += n.tx_packets;
		st->tx_bytes += n.tx_bytes;
		st->tx_dropped += READ_ONCE(ch->tx.stats.dropped);
		st->tx_errors += READ_ONCE(ch->tx.stats.errors);
		st->rx_packets += n.rx_packets;
		st->rx_bytes += n.rx_bytes;
		st->rx_dropped += n.rx_no_memory +
				  READ_ONCE(ch->rx.stats.xdp_errors);
		st->rx_errors += READ_ONCE(ch->rx.stats.bad);
		st->multicast += READ_ONCE(ch->rx.stats.multicast);
	}
}

#ifdef COMPAT_QUEUE_STATS
static void queue_rx(struct net_device *dev, int i,
		     struct netdev_queue_stats_rx *st)
{
	const struct synn_chan *ch = channel(synn_priv(dev), i);
	struct queue_counters n;

	/* each queue of the netdev has a channel */
	if (WARN_ON_ONCE(!ch))
		return;
	read_counters(ch, &n);
	st->packets = n.rx_packets;
	st->bytes = n.rx_bytes;
	st->alloc_fail = n.rx_no_memory;
}

static void queue_tx(struct net_device *dev, int i,
		     struct netdev_queue_stats_tx *st)
{
	const struct synn_chan *ch = channel(synn_priv(dev), i);
	struct queue_counters n;

	if (WARN_ON_ONCE(!ch))
		return;
	read_counters(ch, &n);
	st->packets = n.tx_packets;
	st->bytes = n.tx_bytes;
}

/* Sums of the channels that are no queues any more */
static void queue_base(struct net_device *dev, struct netdev_queue_stats_rx *rx,
		       struct netdev_queue_stats_tx *tx)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int i;

	rx->packets = 0;
	rx->bytes = 0;
	rx->alloc_fail = 0;
	tx->packets = 0;
	tx->bytes = 0;
	for (i = dev->real_num_rx_queues; i < SYNN_MAX_QUEUES; i++) {
		const struct synn_chan *ch = channel(ad, i);
		struct queue_counters n;

		if (!ch)
			continue;
		read_counters(ch, &n);
		rx->packets += n.rx_packets;
		rx->bytes += n.rx_bytes;
		rx->alloc_fail += n.rx_no_memory;
		tx->packets += n.tx_packets;
		tx->bytes += n.tx_bytes;
	}
}

const struct netdev_stat_ops synn_stat_ops = {
	.get_queue_stats_rx	= queue_rx,
	.get_queue_stats_tx	= queue_tx,
	.get_base_stats		= queue_base,
};
#endif
