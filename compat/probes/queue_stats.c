// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE queue_stats: whether a card is asked for statistics of its queues
 * FORM YES: by net_device.stat_ops, since 6.9
 * FORM NO: it is not
 */
#include <linux/netdevice.h>
#if __has_include("net/netdev_queues.h")
#include <net/netdev_queues.h>
#endif

#ifdef PROBE_NO
/* two members of one name are an error */
struct probe {
	struct net_device;
	int stat_ops;
};
#else
static void rx(struct net_device *dev, int i, struct netdev_queue_stats_rx *st)
{
	st->packets = 0;
	st->bytes = 0;
	st->alloc_fail = 0;
}

static void tx(struct net_device *dev, int i, struct netdev_queue_stats_tx *st)
{
	st->packets = 0;
	st->bytes = 0;
}

static void base(struct net_device *dev, struct netdev_queue_stats_rx *rx,
		 struct netdev_queue_stats_tx *tx)
{
}

static const struct netdev_stat_ops ops = {
	.get_queue_stats_rx = rx,
	.get_queue_stats_tx = tx,
	.get_base_stats = base,
};
#endif

void probe(struct net_device *dev);
void probe(struct net_device *dev)
{
#ifdef PROBE_YES
	dev->stat_ops = &ops;
#endif
}
