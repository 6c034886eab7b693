// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offloads: which checksums the host computes and verifies, whether it segments large
 * sends and coalesces received packets; and how the features of the netdev follow.
 */
#include "synth_net.h"

/* The features that depend on the host */
#define HOST_FEATURES	(NETIF_F_IP_CSUM | NETIF_F_IPV6_CSUM | NETIF_F_TSO | \
			 NETIF_F_TSO6 | NETIF_F_RXCSUM | NETIF_F_LRO |	\
			 NETIF_F_RXHASH)

#define CSUM4_TCP	(NDIS_CSUM4_TCP | NDIS_CSUM4_TCP_OPTIONS)
#define CSUM6_TCP	(NDIS_CSUM6_TCP | NDIS_CSUM6_TCP_OPTIONS)

/* At least one segment must fit, and the stack has sizes of 16 bits in places */
#define MIN_LSO		4096u

static void query_offloads(struct synn_adapter *ad)
{
	struct rndis_offloads *o = &ad->session.offloads;
	struct ndis_offload n;
	u32 revision = ad->session.version >= NVSP_VERSION_5 ?
		       NDIS_OFFLOAD_REVISION_3 : NDIS_OFFLOAD_REVISION_2;
	u32 len = rndis_put_offload_query(&n, revision);
	int ret;

	ret = synn_control_query(ad, OID_TCP_OFFLOAD_HARDWARE_CAPABILITIES,
				 &n, len, &n, sizeof(n));
	if (ret < 0 || rndis_parse_offloads(&n, ret, o)) {
		netdev_warn(ad->dev, "the host does not report its offloads, so none are used\n");
		*o = (struct rndis_offloads){ };
	}
	/* hosts of older versions compute no checksums of UDP */
	if (ad->session.version < NVSP_VERSION_5) {
		o->csum4 &= ~NDIS_CSUM4_UDP;
		o->csum6 &= ~NDIS_CSUM6_UDP;
	}
	if (ad->session.version < NVSP_VERSION_61)
		o->rsc = false;
}

static void apply_features(struct synn_adapter *ad)
{
	const struct rndis_offloads *o = &ad->session.offloads;
	struct net_device *dev = ad->dev;
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
	ad->csum_mask = csum;

	/* the driver computes the other ones (txinfo.c) */
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
	if (ad->session.rss.entries)
		f |= NETIF_F_RXHASH;
	netif_set_tso_max_size(dev, max);

	/* features of the stack itself are there as well, and stay */
	dev->hw_features = (was & ~HOST_FEATURES) | f;
	dev->vlan_features = f & ~(NETIF_F_LRO | NETIF_F_RXHASH);
	/* a new feature is on; one that the host does not have any more is off */
	dev->wanted_features |= f & ~was;
	dev->features |= f & ~was;
	dev->features &= f | ~HOST_FEATURES;
	dev->features |= NETIF_F_HW_VLAN_CTAG_TX | NETIF_F_HW_VLAN_CTAG_RX;
}

/**
 * synn_offload_query() - query the offloads of the host, and switch them on
 * @ad: adapter, after synn_control_initialise()
 *
 * Context: process, RTNL and adapter->mutex held; sleeps for as long as the host may
 * take.
 * Return: 0 or an error.
 */
int synn_offload_query(struct synn_adapter *ad)
{
	query_offloads(ad);
	synn_rss_query(ad);
	apply_features(ad);
	if (ad->prog)
		ad->dev->features &= ~NETIF_F_LRO;
	return synn_offload_set(ad, ad->dev->features);
}

static u8 csum_param(bool tx, bool rx)
{
	return tx && rx ? NDIS_PARAM_CSUM_BOTH : tx ? NDIS_PARAM_CSUM_TX :
	       rx ? NDIS_PARAM_CSUM_RX : NDIS_PARAM_CSUM_OFF;
}

/**
 * synn_offload_set() - switch the offloads of the host as the features are
 * @ad: adapter
 * @features: of its netdev
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_offload_set(struct synn_adapter *ad, netdev_features_t features)
{
	const struct rndis_offloads *o = &ad->session.offloads;
	bool with_rsc = ad->session.version >= NVSP_VERSION_5;
	bool rx = features & NETIF_F_RXCSUM;
	struct ndis_offload_parameters p;
	struct rndis_offload_params w = { };
	u32 m = ad->csum_mask;
	int ret;

	/* a host without offloads has nothing to be switched */
	if (!(o->csum4 | o->csum6 | o->rx4 | o->rx6 | o->lso4_max |
	      o->lso6_max) && !o->rsc)
		return 0;
	w.tcp4 = csum_param(m & SYNN_CSUM_TCP4, rx && o->rx4 & NDIS_CSUM4_TCP);
	w.tcp6 = csum_param(m & SYNN_CSUM_TCP6, rx && o->rx6 & NDIS_CSUM6_TCP);
	if (with_rsc) {
		w.udp4 = csum_param(m & SYNN_CSUM_UDP4,
				    rx && o->rx4 & NDIS_CSUM4_UDP);
		w.udp6 = csum_param(m & SYNN_CSUM_UDP6,
				    rx && o->rx6 & NDIS_CSUM6_UDP);
	}
	/* packets in the stack's queues may still need segmentation */
	w.lso4 = ad->dev->hw_features & NETIF_F_TSO ? NDIS_PARAM_ON :
		 NDIS_PARAM_OFF;
	w.lso6 = ad->dev->hw_features & NETIF_F_TSO6 ? NDIS_PARAM_ON :
		 NDIS_PARAM_OFF;
	if (o->rsc) {
		w.rsc4 = features & NETIF_F_LRO ? NDIS_PARAM_ON :
			 NDIS_PARAM_OFF;
		w.rsc6 = w.rsc4;
	}
	ret = synn_control_set(ad, OID_TCP_OFFLOAD_PARAMETERS, &p,
			       rndis_put_offload_set(&p, &w, with_rsc));
	if (ret)
		netdev_warn(ad->dev, "the host does not accept the settings of its offloads (%d)\n",
			    ret);
	return ret;
}
