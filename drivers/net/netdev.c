// SPDX-License-Identifier: GPL-2.0-only
/* What the network stack calls, but for packets (tx.c) and XDP (xdp.c). */
#include "synth_net.h"

#define WATCHDOG	(5 * HZ)

/* what any IP packet in an Ethernet frame may have */
#define MAX_MTU		(65535 - ETH_HLEN - VLAN_HLEN)

static int synn_open(struct net_device *dev)
{
	struct synn_card *c = synn_card(dev);

	if (c->state != SYNN_LIVE)
		return -ENETDOWN;
	mutex_lock(&c->mutex);
	c->filter_on = true;
	if (synn_filter_update(c))
		synn_event(c, SYNN_EVENT_FILTER);
	mutex_unlock(&c->mutex);
	netif_tx_start_all_queues(dev);
	return 0;
}

static int synn_stop(struct net_device *dev)
{
	struct synn_card *c = synn_card(dev);

	netif_tx_disable(dev);
	mutex_lock(&c->mutex);
	c->filter_on = false;
	if (c->nr_open)
		synn_filter_update(c);
	mutex_unlock(&c->mutex);
	return 0;
}

static void synn_set_rx_mode(struct net_device *dev)
{
	synn_event(synn_card(dev), SYNN_EVENT_FILTER);
}

static int synn_change_mtu(struct net_device *dev, int mtu)
{
	struct synn_card *c = synn_card(dev);
	int was = dev->mtu, ret;

	if (c->prog && mtu > synn_xdp_max_mtu())
		return -EINVAL;
	/* hosts are told the MTU when the channel is opened */
	dev->mtu = mtu;
	ret = synn_link_change(c);
	if (!ret && mtu <= c->link.max_mtu)
		return 0;
	dev->mtu = was;
	if (!ret) {
		netdev_warn(dev, "the host takes an MTU of %u only\n",
			    c->link.max_mtu);
		ret = -EINVAL;
	} else if (c->state != SYNN_FAILED) {
		/* nothing has changed */
		return ret;
	}
	synn_link_restart(c);
	return ret;
}

static int synn_set_mac(struct net_device *dev, void *p)
{
	struct synn_card *c = synn_card(dev);
	struct sockaddr *addr = p;
	u8 set[128];
	int ret;

	if (!is_valid_ether_addr(addr->sa_data))
		return -EADDRNOTAVAIL;
	mutex_lock(&c->mutex);
	ret = synn_control_set(c, OID_GEN_RNDIS_CONFIG_PARAMETER, set,
			       rndis_put_address(set, sizeof(set),
						 addr->sa_data));
	/* the host may have done it all the same, and let nothing else through */
	if (ret && ret != -ENODEV)
		synn_control_set(c, OID_GEN_RNDIS_CONFIG_PARAMETER, set,
				 rndis_put_address(set, sizeof(set),
						   dev->dev_addr));
	mutex_unlock(&c->mutex);
	if (!ret)
		eth_hw_addr_set(dev, addr->sa_data);
	return ret;
}

static netdev_features_t synn_fix_features(struct net_device *dev,
					   netdev_features_t f)
{
	/*
	 * What the host has joined does not fit into a page; and it has a checksum
	 * only in the host's word for it.
	 */
	if (synn_card(dev)->prog || !(f & NETIF_F_RXCSUM))
		f &= ~NETIF_F_LRO;
	return f;
}

static int synn_set_features(struct net_device *dev, netdev_features_t f)
{
	struct synn_card *c = synn_card(dev);
	int ret;

	if (!((f ^ dev->features) & (NETIF_F_LRO | NETIF_F_RXCSUM)) ||
	    c->state != SYNN_LIVE)
		return 0;
	mutex_lock(&c->mutex);
	ret = synn_offload_set(c, f);
	mutex_unlock(&c->mutex);
	return ret;
}

static u16 synn_select_queue(struct net_device *dev, struct sk_buff *skb,
			     struct net_device *sb_dev)
{
	unsigned int n = dev->real_num_tx_queues, q;
	struct synn_card *c = synn_card(dev);

	if (n == 1)
		return 0;
	if (skb_rx_queue_recorded(skb)) {
		q = skb_get_rx_queue(skb);
	} else {
		/* where the host would have this flow */
		u32 hash = skb_get_hash(skb);

		q = READ_ONCE(c->send_table[hash % NVSP_TABLE_ENTRIES]);
	}
	return q < n ? q : q % n;
}

/* Say what is stuck, and begin again */
static void synn_tx_timeout(struct net_device *dev, unsigned int q)
{
	struct synn_card *c = synn_card(dev);
	struct synn_chan *ch = c->chans[q];
	u32 i, n = 0, oldest = 0;

	c->timeouts++;
	if (!ch)
		return;
	for (i = 0; i < ch->tx.nr_slots; i++) {
		const struct synn_slot *s = &ch->tx.slots[i];

		if (!READ_ONCE(s->id))
			continue;
		n++;
		oldest = max(oldest, jiffies_to_msecs(jiffies - s->since));
	}
	netdev_err(dev, "queue %u: the host has %u sends, the oldest for %u ms; %s%s%s%u bytes of room in the ring\n",
		   q, n, oldest, ch->tx.held ? "a packet waits, " : "",
		   ch->tx.pend >= 0 ? "copies wait, " : "",
		   ch->tx.dead ? "the channel takes nothing, " : "",
		   ch->tx.open ? hv_get_bytes_to_write(&ch->vc->outbound) : 0);
	synn_reset(c);
}

const struct net_device_ops synn_netdev_ops = {
	.ndo_open		= synn_open,
	.ndo_stop		= synn_stop,
	.ndo_start_xmit		= synn_start_xmit,
	.ndo_select_queue	= synn_select_queue,
	.ndo_features_check	= synn_features_check,
	.ndo_set_rx_mode	= synn_set_rx_mode,
	.ndo_set_mac_address	= synn_set_mac,
	.ndo_validate_addr	= eth_validate_addr,
	.ndo_change_mtu		= synn_change_mtu,
	.ndo_fix_features	= synn_fix_features,
	.ndo_set_features	= synn_set_features,
	.ndo_get_stats64	= synn_get_stats64,
	.ndo_tx_timeout		= synn_tx_timeout,
	.ndo_bpf		= synn_bpf,
	.ndo_xdp_xmit		= synn_xdp_xmit,
};

/**
 * synn_netdev_setup() - what a netdev has before it is registered
 * @c: card
 */
void synn_netdev_setup(struct synn_card *c)
{
	struct net_device *dev = c->dev;

	dev->netdev_ops = &synn_netdev_ops;
	dev->ethtool_ops = &synn_ethtool_ops;
	dev->watchdog_timeo = WATCHDOG;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = MAX_MTU;
	dev->mtu = ETH_DATA_LEN;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	/*
	 * TCP's copy of what a program sends: by words, that is, which costs a
	 * CPU with caches more than it saves, and any card can be told to do
	 */
	if (compat_cpu_is_emulated()) {
		dev->hw_features |= NETIF_F_NOCACHE_COPY;
		dev->features |= NETIF_F_NOCACHE_COPY;
	}
	SET_NETDEV_DEV(dev, &c->hv->device);
	compat_xdp_features(dev);
#ifdef COMPAT_QUEUE_STATS
	dev->stat_ops = &synn_stat_ops;
#endif
}
