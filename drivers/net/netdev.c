// SPDX-License-Identifier: GPL-2.0-only
/* net_device_ops, except for packets (tx.c) and XDP (xdp.c). */
#include "synth_net.h"

/* The largest IP packet, in an Ethernet frame */
#define MAX_MTU		(65535 - ETH_HLEN - VLAN_HLEN)

/* Sets the filter now if that is possible, else when the host responds */
static void update_filter(struct synn_adapter *ad)
{
	int ret = -EAGAIN;

	mutex_lock(&ad->mutex);
	if (READ_ONCE(ad->state) == SYNN_RUNNING && !synthio_host_stalled(ad->hv))
		ret = synn_filter_update(ad);
	mutex_unlock(&ad->mutex);
	if (ret)
		synn_event(ad, SYNN_EVENT_FILTER);
}

/* Without a session the interface has no carrier until one is opened */
static int synn_open(struct net_device *dev)
{
	struct synn_adapter *ad = synn_priv(dev);

	ad->filter_on = true;
	update_filter(ad);
	synn_check(ad, SYNN_CHECK_RETRY);
	netif_tx_start_all_queues(dev);
	return 0;
}

static int synn_stop(struct net_device *dev)
{
	struct synn_adapter *ad = synn_priv(dev);

	netif_tx_disable(dev);
	ad->filter_on = false;
	update_filter(ad);
	return 0;
}

static void synn_set_rx_mode(struct net_device *dev)
{
	synn_event(synn_priv(dev), SYNN_EVENT_FILTER);
}

static int synn_change_mtu(struct net_device *dev, int mtu)
{
	struct synn_adapter *ad = synn_priv(dev);
	int was = dev->mtu, ret;

	if (ad->prog && mtu > synn_xdp_max_mtu())
		return -EINVAL;
	/* hosts are told the MTU when the channel is opened */
	dev->mtu = mtu;
	ret = synn_session_change(ad);
	if (!ret && mtu <= ad->session.max_mtu)
		return 0;
	dev->mtu = was;
	if (!ret) {
		netdev_warn(dev, "the host accepts an MTU of %u only; the MTU was not changed\n",
			    ad->session.max_mtu);
		ret = -EINVAL;
	} else if (READ_ONCE(ad->state) != SYNN_FAILED) {
		/* the session is as it was */
		return ret;
	}
	synn_session_restart(ad);
	return ret;
}

static int synn_set_mac(struct net_device *dev, void *p)
{
	struct synn_adapter *ad = synn_priv(dev);
	struct sockaddr *addr = p;
	int ret;

	if (!is_valid_ether_addr(addr->sa_data))
		return -EADDRNOTAVAIL;
	mutex_lock(&ad->mutex);
	ret = synn_control_set_address(ad, addr->sa_data);
	/* the host may have set it all the same, and pass on nothing to the other one */
	if (ret && ret != -ENODEV)
		synn_control_set_address(ad, dev->dev_addr);
	mutex_unlock(&ad->mutex);
	if (!ret)
		eth_hw_addr_set(dev, addr->sa_data);
	return ret;
}

static netdev_features_t synn_fix_features(struct net_device *dev,
					   netdev_features_t f)
{
	/*
	 * A packet that the host has coalesced does not fit into a page, as XDP needs
	 * it, and its only checksum is that the host reports it to be right.
	 */
	if (synn_priv(dev)->prog || !(f & NETIF_F_RXCSUM))
		f &= ~NETIF_F_LRO;
	return f;
}

static int synn_set_features(struct net_device *dev, netdev_features_t f)
{
	struct synn_adapter *ad = synn_priv(dev);
	int ret;

	if (!((f ^ dev->features) & (NETIF_F_LRO | NETIF_F_RXCSUM)) ||
	    !synn_state_has_session(READ_ONCE(ad->state)))
		return 0;	/* the next session begins with the features */
	mutex_lock(&ad->mutex);
	ret = synn_offload_set(ad, f);
	mutex_unlock(&ad->mutex);
	return ret;
}

static u16 synn_select_queue(struct net_device *dev, struct sk_buff *skb,
			     struct net_device *sb_dev)
{
	unsigned int n = dev->real_num_tx_queues, q;
	struct synn_adapter *ad = synn_priv(dev);

	if (n == 1)
		return 0;
	if (skb_rx_queue_recorded(skb)) {
		q = skb_get_rx_queue(skb);
	} else {
		/* the queue on which the host wants this flow */
		u32 hash = skb_get_hash(skb);

		q = READ_ONCE(ad->send_table[hash % NVSP_TABLE_ENTRIES]);
	}
	return q < n ? q : q % n;
}

/*
 * The stack's watchdog reports a queue that was stopped for long. The service task finds
 * out whether the queue is still stuck then, and whether the host responds.
 */
static void synn_tx_timeout(struct net_device *dev, unsigned int q)
{
	struct synn_adapter *ad = synn_priv(dev);
	struct synn_chan *ch = ad->chans[q];
	struct synn_tx_load load;

	ad->tx_timeouts++;
	if (!ch)
		return;
	synn_tx_load(ch, &load);
	netdev_err(dev, "queue %u: the host has %u sends, the oldest for %u ms; the queue is %s%s\n",
		   q, load.sends, load.oldest, synn_tx_state_name(ch->tx.state),
		   ch->tx.pending != SYNN_PENDING_NONE ?
		   ", and a packet is pending" : "");
	synn_check(ad, SYNN_CHECK_TX);
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
 * synn_netdev_setup() - initialise a netdev before it is registered
 * @ad: adapter
 */
void synn_netdev_setup(struct synn_adapter *ad)
{
	struct net_device *dev = ad->dev;

	dev->netdev_ops = &synn_netdev_ops;
	dev->ethtool_ops = &synn_ethtool_ops;
	dev->watchdog_timeo = SYNN_WATCHDOG;
	dev->min_mtu = ETH_MIN_MTU;
	dev->max_mtu = MAX_MTU;
	dev->mtu = ETH_DATA_LEN;
	dev->priv_flags |= IFF_LIVE_ADDR_CHANGE;
	/*
	 * TCP then copies by words what a program sends. That is faster on an emulated
	 * CPU, and slower on one with caches.
	 */
	if (compat_cpu_is_emulated()) {
		dev->hw_features |= NETIF_F_NOCACHE_COPY;
		dev->features |= NETIF_F_NOCACHE_COPY;
	}
	SET_NETDEV_DEV(dev, &ad->hv->device);
	compat_xdp_features(dev);
#ifdef COMPAT_QUEUE_STATS
	dev->stat_ops = &synn_stat_ops;
#endif
}
