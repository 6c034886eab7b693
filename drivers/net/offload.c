// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host can do to packets, and what it is to do: checksums, large sends
 * and receives, and the spreading of packets over channels.
 */
#include "synth_net.h"

/* the features that depend on the host */
#define HOST_FEATURES	(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_TSO | \
			 NETIF_F_TSO6 | NETIF_F_RXCSUM | NETIF_F_LRO |	\
			 NETIF_F_RXHASH)

#define CSUM4_TCP	(NDIS_CSUM4_TCP | NDIS_CSUM4_TCP_OPTIONS)
#define CSUM6_TCP	(NDIS_CSUM6_TCP | NDIS_CSUM6_TCP_OPTIONS)

/* one MSS at least must fit, and the stack counts in u16 here and there */
#define MIN_LSO		4096u

static void ask_offloads(struct synn_card *c)
{
	struct rndis_offloads *o = &c->link.offloads;
	struct ndis_offload n;
	u32 revision = c->link.version >= NVSP_VERSION_5 ?
		       NDIS_OFFLOAD_REVISION_3 : NDIS_OFFLOAD_REVISION_2;
	u32 len = rndis_put_offload_query(&n, revision);
	int ret;

	ret = synn_control_query(c, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
				 &n, len, &n, sizeof(n));
	if (ret < 0 || rndis_parse_offloads(&n, ret, o)) {
		netdev_warn(c->dev, "the host does not tell its offloads: there are none\n");
		*o = (struct rndis_offloads){ };
	}
	/* before that hosts compute no checksums of UDP */
	if (c->link.version < NVSP_VERSION_5) {
		o->csum4 &= ~NDIS_CSUM4_UDP;
		o->csum6 &= ~NDIS_CSUM6_UDP;
	}
	if (c->link.version < NVSP_VERSION_61)
		o->rsc = false;
}

static void ask_rss(struct synn_card *c)
{
	struct rndis_rss *r = &c->link.rss;
	struct ndis_rss_capabilities n;
	u32 len = rndis_put_rss_query(&n);
	int ret;

	*r = (struct rndis_rss){ .queues = 1 };
	if (c->link.version < NVSP_VERSION_5)
		return;
	ret = synn_control_query(c, OID_GEN_RECEIVE_SCALE_CAPABILITIES, &n, len,
				 &n, sizeof(n));
	if (ret < 0 || rndis_parse_rss(&n, ret, r))
		*r = (struct rndis_rss){ .queues = 1 };
}

static void take_features(struct synn_card *c)
{
	const struct rndis_offloads *o = &c->link.offloads;
	struct net_device *dev = c->dev;
	netdev_features_t f = NETIF_F_SG | NETIF_F_HIGHDMA, was = dev->hw_features;
	u32 max = GSO_LEGACY_MAX_SIZE, csum = 0;

	if ((o->csum4 & CSUM4_TCP) == CSUM4_TCP)
		csum |= SYNN_CSUM_TCP4;
	if (o->csum4 & NDIS_CSUM4_UDP)
		csum |= SYNN_CSUM_UDP4;
	if (o->csum4 & NDIS_CSUM4_IP_OPTIONS)
		csum |= SYNN_CSUM_OPTIONS4;
	if ((o->csum6 & CSUM6_TCP) == CSUM6_TCP)
		csum |= SYNN_CSUM_TCP6;
	if (o->csum6 & NDIS_CSUM6_UDP)
		csum |= SYNN_CSUM_UDP6;
	if (o->csum6 & NDIS_CSUM6_EXTENSIONS)
		csum |= SYNN_CSUM_EXTENSIONS6;
	c->csum_mask = csum;

	/* what remains, the driver computes (tx.c) */
	if (csum & (SYNN_CSUM_TCP4 | SYNN_CSUM_UDP4))
		f |= NETIF_F_IP_CSUM;
	if (csum & (SYNN_CSUM_TCP6 | SYNN_CSUM_UDP6))
		f |= NETIF_F_IPV6_CSUM;
	if (csum & SYNN_CSUM_TCP4 && o->lso4_max >= MIN_LSO) {
		f |= NETIF_F_TSO;
		max = min(max, o->lso4_max);
	}
	if (csum & SYNN_CSUM_TCP6 && o->lso6_max >= MIN_LSO &&
	    o->lso6_options & NDIS_LSO6_TCP_OPTIONS) {
		f |= NETIF_F_TSO6;
		max = min(max, o->lso6_max);
	}
	if (o->rx4 | o->rx6)
		f |= NETIF_F_RXCSUM;
	if (o->rsc)
		f |= NETIF_F_LRO;
	if (c->link.rss.entries)
		f |= NETIF_F_RXHASH;
	netif_set_tso_max_size(dev, max);

	/* the stack has put what it does itself there, too: that stays */
	dev->hw_features = (was & ~HOST_FEATURES) | f;
	dev->vlan_features = f & ~(NETIF_F_LRO | NETIF_F_RXHASH);
	/*
	 * What is new is on. What the host can't do any more is off.
	 */
	dev->wanted_features |= f & ~was;
	dev->features |= f & ~was;
	dev->features &= f | ~HOST_FEATURES;
	dev->features |= NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX;
}

/**
 * synn_offload_ask() - find out what the host can do, and have it do that
 * @c: card, after synn_control_initialise()
 *
 * Context: process, RTNL and card->mutex held; sleeps for as long as the host may
 * take.
 * Return: 0 or an error.
 */
int synn_offload_ask(struct synn_card *c)
{
	ask_offloads(c);
	ask_rss(c);
	take_features(c);
	if (c->prog)
		c->dev->features &= ~NETIF_F_LRO;
	return synn_offload_set(c, c->dev->features);
}

static u8 csum_wish(bool tx, bool rx)
{
	return tx && rx ? NDIS_PARAM_CSUM_BOTH : tx ? NDIS_PARAM_CSUM_TX :
	       rx ? NDIS_PARAM_CSUM_RX : NDIS_PARAM_CSUM_OFF;
}

/**
 * synn_offload_set() - have the host do what the features say
 * @c: card
 * @features: of its netdev
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_offload_set(struct synn_card *c, netdev_features_t features)
{
	const struct rndis_offloads *o = &c->link.offloads;
	bool with_rsc = c->link.version >= NVSP_VERSION_5;
	bool rx = features & NETIF_F_RXCSUM;
	struct ndis_offload_parameters p;
	struct rndis_offload_wish w = { };
	u32 m = c->csum_mask;
	int ret;

	/* nothing to set with a host that can do nothing */
	if (!(o->csum4 | o->csum6 | o->rx4 | o->rx6 | o->lso4_max |
	      o->lso6_max) && !o->rsc)
		return 0;
	w.tcp4 = csum_wish(m & SYNN_CSUM_TCP4, rx && o->rx4 & NDIS_CSUM4_TCP);
	w.tcp6 = csum_wish(m & SYNN_CSUM_TCP6, rx && o->rx6 & NDIS_CSUM6_TCP);
	if (with_rsc) {
		w.udp4 = csum_wish(m & SYNN_CSUM_UDP4,
				   rx && o->rx4 & NDIS_CSUM4_UDP);
		w.udp6 = csum_wish(m & SYNN_CSUM_UDP6,
				   rx && o->rx6 & NDIS_CSUM6_UDP);
	}
	/* packets in the stack's queues may still need them: on while possible */
	w.lso4 = c->dev->hw_features & NETIF_F_TSO ? NDIS_PARAM_ON :
		 NDIS_PARAM_OFF;
	w.lso6 = c->dev->hw_features & NETIF_F_TSO6 ? NDIS_PARAM_ON :
		 NDIS_PARAM_OFF;
	if (o->rsc) {
		w.rsc4 = features & NETIF_F_LRO ? NDIS_PARAM_ON :
			 NDIS_PARAM_OFF;
		w.rsc6 = w.rsc4;
	}
	ret = synn_control_set(c, OID_TCP_OFFLOAD_PARAMETERS, &p,
			       rndis_put_offload_set(&p, &w, with_rsc));
	if (ret)
		netdev_warn(c->dev, "the host does not take its offloads: %d\n",
			    ret);
	return ret;
}

/**
 * synn_rss_default() - spread evenly over the queues that there are
 * @c: card
 *
 * Context: process, RTNL held.
 */
void synn_rss_default(struct synn_card *c)
{
	u32 i;

	for (i = 0; i < c->rss_entries; i++)
		c->rss_table[i] = ethtool_rxfh_indir_default(i, c->nr_queues);
}

/**
 * synn_rss_hashes() - what the host can make hashes of
 * @c: card
 *
 * Context: process, RTNL held.
 * Return: NDIS_HASH_*. Each host can do addresses and TCP; ports of UDP only one
 *	that says so.
 */
u32 synn_rss_hashes(const struct synn_card *c)
{
	u32 hashes = SYNN_RSS_HASHES;

	if (c->link.rss.caps & NDIS_RSS_CAP_UDP_IPV4)
		hashes |= NDIS_HASH_UDP_IPV4;
	if (c->link.rss.caps & NDIS_RSS_CAP_UDP_IPV6)
		hashes |= NDIS_HASH_UDP_IPV6;
	return hashes;
}

/**
 * synn_rss_set() - tell the host table, key, and what to make hashes of
 * @c: card; rss_table, rss_key and rss_hashes are what it is to be
 *
 * Context: process, RTNL and card->mutex held; sleeps for as long as the host may
 * take.
 * Return: 0 or an error.
 */
int synn_rss_set(struct synn_card *c)
{
	/* a host of another session may have been able to do more */
	u32 hashes = NDIS_HASH_TOEPLITZ | (c->rss_hashes & synn_rss_hashes(c));
	u8 p[sizeof(struct ndis_rss_parameters) +
	     NDIS_RSS_TABLE_DEFAULT * sizeof(u32) + NDIS_RSS_KEY_BYTES];
	u32 len;
	int ret;

	if (!c->rss_entries)
		return -EOPNOTSUPP;
	/* hosts take a new key only while it is off */
	len = rndis_put_rss_set(p, sizeof(p), NDIS_RSS_DISABLE, hashes,
				c->rss_table, c->rss_entries, c->rss_key);
	ret = synn_control_set(c, OID_GEN_RECEIVE_SCALE_PARAMETERS, p, len);
	if (ret)
		return ret;
	len = rndis_put_rss_set(p, sizeof(p), 0, hashes, c->rss_table,
				c->rss_entries, c->rss_key);
	return synn_control_set(c, OID_GEN_RECEIVE_SCALE_PARAMETERS, p, len);
}
