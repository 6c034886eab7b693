// SPDX-License-Identifier: GPL-2.0-only
/* ethtool_ops. */
#include <linux/ethtool.h>
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define MAX_USECS	1000u

static void synn_get_drvinfo(struct net_device *dev, struct ethtool_drvinfo *i)
{
	struct synn_adapter *ad = synn_priv(dev);

	strscpy(i->driver, SYNN_NAME, sizeof(i->driver));
	snprintf(i->fw_version, sizeof(i->fw_version), "NVSP %u.%u",
		 ad->session.version >> 16, ad->session.version & 0xffff);
	strscpy(i->bus_info, dev_name(&ad->hv->device), sizeof(i->bus_info));
}

static u32 synn_get_msglevel(struct net_device *dev)
{
	return synn_priv(dev)->msg_level;
}

static void synn_set_msglevel(struct net_device *dev, u32 level)
{
	synn_priv(dev)->msg_level = level;
}

static int synn_get_link_ksettings(struct net_device *dev,
				   struct ethtool_link_ksettings *k)
{
	struct synn_adapter *ad = synn_priv(dev);
	u32 speed = READ_ONCE(ad->speed);
	bool on = READ_ONCE(ad->media) == SYNN_MEDIA_CONNECTED;

	k->base.speed = on && speed ? speed / 10000 : SPEED_UNKNOWN;
	k->base.duplex = on ? DUPLEX_FULL : DUPLEX_UNKNOWN;
	k->base.port = PORT_OTHER;
	return 0;
}

/* ---- statistics ------------------------------------------------------------------- */

struct synn_stat {
	char name[ETH_GSTRING_LEN];
	size_t at;
};

#define TX(field)	{ "tx_" #field, offsetof(struct synn_chan, tx.stats.field) }
#define RX(field)	{ "rx_" #field, offsetof(struct synn_chan, rx.stats.field) }

/* Statistics of the adapter: sums over all queues */
static const struct synn_stat sums[] = {
	TX(copied), TX(ring_packets), TX(tso), TX(csum_help), TX(linearized),
	TX(ring_full), TX(stopped), TX(woken), TX(dropped), TX(errors),
	TX(xdp_xmit), TX(xdp_xmit_dropped), TX(xdp_tx), TX(xdp_tx_dropped),
	RX(ranges), RX(rsc_packets), RX(csum_ok), RX(csum_bad), RX(no_memory),
	RX(dropped), RX(multicast), RX(bad), RX(xdp_pass), RX(xdp_drop),
	RX(xdp_tx), RX(xdp_redirect), RX(xdp_aborted), RX(xdp_errors),
	RX(polls), RX(interrupts), RX(completions), RX(completions_deferred),
};

static const char adapter_stats[][ETH_GSTRING_LEN] = {
	"resets", "stalls", "tx_timeouts", "quarantined_pages",
};

/* Statistics of each queue */
static const struct synn_stat queue_stats[] = {
	TX(packets), TX(bytes), RX(packets), RX(bytes),
	RX(xdp_drop), RX(xdp_tx), RX(xdp_redirect),
};

static u64 stat_of(const struct synn_chan *ch, const struct synn_stat *s)
{
	return READ_ONCE(*(const u64 *)((const u8 *)ch + s->at));
}

static int synn_get_sset_count(struct net_device *dev, int set)
{
	if (set != ETH_SS_STATS)
		return -EOPNOTSUPP;
	return ARRAY_SIZE(adapter_stats) + ARRAY_SIZE(sums) +
	       synn_priv(dev)->nr_queues * ARRAY_SIZE(queue_stats);
}

static void synn_get_strings(struct net_device *dev, u32 set, u8 *data)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int i, q;

	if (set != ETH_SS_STATS)
		return;
	for (i = 0; i < ARRAY_SIZE(adapter_stats); i++, data += ETH_GSTRING_LEN)
		memcpy(data, adapter_stats[i], ETH_GSTRING_LEN);
	for (i = 0; i < ARRAY_SIZE(sums); i++, data += ETH_GSTRING_LEN)
		memcpy(data, sums[i].name, ETH_GSTRING_LEN);
	for (q = 0; q < ad->nr_queues; q++) {
		for (i = 0; i < ARRAY_SIZE(queue_stats); i++)
			ethtool_sprintf(&data, "queue_%u_%s", q,
					queue_stats[i].name);
	}
}

static void synn_get_ethtool_stats(struct net_device *dev,
				   struct ethtool_stats *unused, u64 *data)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int i, q;

	*data++ = ad->resets;
	*data++ = ad->stalls;
	*data++ = ad->tx_timeouts;
	*data++ = ad->quarantined;
	for (i = 0; i < ARRAY_SIZE(sums); i++, data++) {
		*data = 0;
		for (q = 0; q < SYNN_MAX_QUEUES; q++) {
			if (ad->chans[q])
				*data += stat_of(ad->chans[q], &sums[i]);
		}
	}
	for (q = 0; q < ad->nr_queues; q++) {
		for (i = 0; i < ARRAY_SIZE(queue_stats); i++)
			*data++ = stat_of(ad->chans[q], &queue_stats[i]);
	}
}

/* ---- rings, buffers, queues --------------------------------------------------------- */

static void synn_get_ringparam(struct net_device *dev,
			       struct ethtool_ringparam *r,
			       struct kernel_ethtool_ringparam *k,
			       struct netlink_ext_ack *extack)
{
	struct synn_adapter *ad = synn_priv(dev);

	r->rx_max_pending = SYNN_MAX_SECTIONS;
	r->tx_max_pending = SYNN_MAX_SLOTS;
	r->rx_pending = ad->wanted_sections;
	r->tx_pending = ad->wanted_slots;
}

static int synn_set_ringparam(struct net_device *dev,
			      struct ethtool_ringparam *r,
			      struct kernel_ethtool_ringparam *k,
			      struct netlink_ext_ack *extack)
{
	struct synn_adapter *ad = synn_priv(dev);
	u32 slots = r->tx_pending, sections = r->rx_pending;
	u32 old_slots = ad->wanted_slots, old_sections = ad->wanted_sections;
	int ret;

	/* the kernel has checked the maxima */
	if (slots < SYNN_MIN_SLOTS) {
		NL_SET_ERR_MSG_MOD(extack, "tx must be at least "
				   __stringify(SYNN_MIN_SLOTS));
		return -EINVAL;
	}
	if (sections < SYNN_MIN_SECTIONS) {
		NL_SET_ERR_MSG_MOD(extack, "rx must be at least "
				   __stringify(SYNN_MIN_SECTIONS));
		return -EINVAL;
	}
	if (slots == old_slots && sections == old_sections)
		return 0;
	ad->wanted_slots = slots;
	ad->wanted_sections = sections;
	ret = synn_session_change(ad);
	if (!ret)
		return 0;
	ad->wanted_slots = old_slots;
	ad->wanted_sections = old_sections;
	if (ret == -EAGAIN)
		NL_SET_ERR_MSG_MOD(extack, "the host does not respond at present, try again later");
	if (ad->state == SYNN_FAILED)
		synn_session_restart(ad);
	return ret;
}

static u32 max_queues(const struct synn_adapter *ad)
{
	return min3(num_present_cpus(), ad->session.rss.queues ?: 1,
		    SYNN_MAX_QUEUES);
}

static void synn_get_channels(struct net_device *dev, struct ethtool_channels *h)
{
	struct synn_adapter *ad = synn_priv(dev);

	h->max_combined = max_queues(ad);
	h->combined_count = ad->nr_queues;
}

static int synn_set_channels(struct net_device *dev, struct ethtool_channels *h)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int old = ad->wanted_queues;
	int ret;

	if (h->rx_count || h->tx_count || h->other_count || !h->combined_count)
		return -EINVAL;
	if (h->combined_count == ad->nr_queues)
		return 0;
	ad->wanted_queues = h->combined_count;
	ret = synn_session_change(ad);
	if (!ret && ad->nr_queues == h->combined_count)
		return 0;
	ad->wanted_queues = old;
	if (!ret) {
		netdev_warn(dev, "the host offers channels for %u queues only; the number of queues was not changed\n",
			    ad->nr_queues);
		ret = -EIO;
	} else if (READ_ONCE(ad->state) != SYNN_FAILED) {
		/* the session is as it was */
		return ret;
	}
	synn_session_restart(ad);
	return ret;
}

/* ---- receive side scaling ------------------------------------------------------------ */

static u32 synn_get_rxfh_key_size(struct net_device *dev)
{
	return NDIS_RSS_KEY_BYTES;
}

static u32 synn_get_rxfh_indir_size(struct net_device *dev)
{
	return synn_priv(dev)->rss_entries;
}

static void get_rss(struct synn_adapter *ad, u32 *table, u8 *key)
{
	if (table)
		memcpy(table, ad->rss_table, ad->rss_entries * sizeof(u32));
	if (key)
		memcpy(key, ad->rss_key, sizeof(ad->rss_key));
}

static int set_rss(struct synn_adapter *ad, const u32 *table, const u8 *key)
{
	u32 old_table[NDIS_RSS_TABLE_DEFAULT], i;
	u8 old_key[NDIS_RSS_KEY_BYTES];
	int ret;

	if (!ad->rss_entries)
		return -EOPNOTSUPP;
	for (i = 0; table && i < ad->rss_entries; i++) {
		if (table[i] >= ad->nr_queues)
			return -EINVAL;
	}
	memcpy(old_table, ad->rss_table, sizeof(old_table));
	memcpy(old_key, ad->rss_key, sizeof(old_key));
	if (table)
		memcpy(ad->rss_table, table, ad->rss_entries * sizeof(u32));
	if (key)
		memcpy(ad->rss_key, key, sizeof(ad->rss_key));
	mutex_lock(&ad->mutex);
	ret = synn_rss_set(ad);
	if (ret) {
		memcpy(ad->rss_table, old_table, sizeof(old_table));
		memcpy(ad->rss_key, old_key, sizeof(old_key));
		/* the host may have RSS off now */
		synn_rss_set(ad);
	}
	mutex_unlock(&ad->mutex);
	return ret;
}

#ifdef COMPAT_RXFH_PARAM
static int synn_get_rxfh(struct net_device *dev, struct ethtool_rxfh_param *p)
{
	p->hfunc = ETH_RSS_HASH_TOP;
	get_rss(synn_priv(dev), p->indir, p->key);
	return 0;
}

static int synn_set_rxfh(struct net_device *dev, struct ethtool_rxfh_param *p,
			 struct netlink_ext_ack *extack)
{
	if (p->hfunc != ETH_RSS_HASH_NO_CHANGE && p->hfunc != ETH_RSS_HASH_TOP)
		return -EOPNOTSUPP;
	return set_rss(synn_priv(dev), p->indir, p->key);
}
#else
static int synn_get_rxfh(struct net_device *dev, u32 *table, u8 *key, u8 *func)
{
	if (func)
		*func = ETH_RSS_HASH_TOP;
	get_rss(synn_priv(dev), table, key);
	return 0;
}

static int synn_set_rxfh(struct net_device *dev, const u32 *table,
			 const u8 *key, const u8 func)
{
	if (func != ETH_RSS_HASH_NO_CHANGE && func != ETH_RSS_HASH_TOP)
		return -EOPNOTSUPP;
	return set_rss(synn_priv(dev), table, key);
}
#endif

#define ADDRESSES	(RXH_IP_SRC | RXH_IP_DST)
#define PORTS		(RXH_L4_B_0_1 | RXH_L4_B_2_3)

/*
 * The NDIS_HASH_* that includes the ports of such packets; 0 if the host has none
 */
static int ports_hash(const struct synn_adapter *ad, u32 flow, u32 *hash)
{
	if (!ad->rss_entries)
		return -EOPNOTSUPP;
	switch (flow) {
	case IPV4_FLOW:
	case IPV6_FLOW:
		*hash = 0;
		break;
	case TCP_V4_FLOW:
		*hash = NDIS_HASH_TCP_IPV4;
		break;
	case TCP_V6_FLOW:
		*hash = NDIS_HASH_TCP_IPV6;
		break;
	case UDP_V4_FLOW:
		*hash = NDIS_HASH_UDP_IPV4;
		break;
	case UDP_V6_FLOW:
		*hash = NDIS_HASH_UDP_IPV6;
		break;
	default:
		return -EOPNOTSUPP;
	}
	*hash &= synn_rss_hashes(ad);
	return 0;
}

static int get_hash_fields(const struct synn_adapter *ad, u32 flow, u32 *fields)
{
	u32 hash;
	int ret = ports_hash(ad, flow, &hash);

	if (ret)
		return ret;
	*fields = ADDRESSES | (ad->rss_hashes & hash ? PORTS : 0);
	return 0;
}

static int set_hash_fields(struct synn_adapter *ad, u32 flow, u64 fields)
{
	u32 hash, old = ad->rss_hashes;
	int ret = ports_hash(ad, flow, &hash);

	if (ret)
		return ret;
	if (fields == (ADDRESSES | PORTS) && hash)
		ad->rss_hashes |= hash;
	else if (fields == ADDRESSES)
		ad->rss_hashes &= ~hash;
	else
		return -EOPNOTSUPP;
	if (ad->rss_hashes == old)
		return 0;
	mutex_lock(&ad->mutex);
	ret = synn_rss_set(ad);
	if (ret) {
		ad->rss_hashes = old;
		synn_rss_set(ad);
	}
	mutex_unlock(&ad->mutex);
	return ret;
}

#ifdef COMPAT_RX_RING_COUNT
static u32 synn_get_rx_ring_count(struct net_device *dev)
{
	return synn_priv(dev)->nr_queues;
}
#else
static int synn_get_rxnfc(struct net_device *dev, struct ethtool_rxnfc *n,
			  u32 *rules)
{
#ifndef COMPAT_RXFH_FIELDS
	if (n->cmd == ETHTOOL_GRXFH) {
		u32 fields;
		int ret = get_hash_fields(synn_priv(dev), n->flow_type, &fields);

		if (!ret)
			n->data = fields;
		return ret;
	}
#endif
	if (n->cmd != ETHTOOL_GRXRINGS)
		return -EOPNOTSUPP;
	n->data = synn_priv(dev)->nr_queues;
	return 0;
}
#endif

#ifdef COMPAT_RXFH_FIELDS
static int synn_get_rxfh_fields(struct net_device *dev,
				struct ethtool_rxfh_fields *f)
{
	return get_hash_fields(synn_priv(dev), f->flow_type, &f->data);
}

static int synn_set_rxfh_fields(struct net_device *dev,
				const struct ethtool_rxfh_fields *f,
				struct netlink_ext_ack *extack)
{
	return set_hash_fields(synn_priv(dev), f->flow_type, f->data);
}
#else
static int synn_set_rxnfc(struct net_device *dev, struct ethtool_rxnfc *n)
{
	if (n->cmd != ETHTOOL_SRXFH)
		return -EOPNOTSUPP;
	return set_hash_fields(synn_priv(dev), n->flow_type, n->data);
}
#endif

/* ---- coalescing, reset ------------------------------------------------------------------ */

static int synn_get_coalesce(struct net_device *dev, struct ethtool_coalesce *e,
			     struct kernel_ethtool_coalesce *k,
			     struct netlink_ext_ack *extack)
{
	struct synn_adapter *ad = synn_priv(dev);

	e->rx_coalesce_usecs = ad->adaptive ? READ_ONCE(ad->chans[0]->usecs) :
			       ad->rx_usecs;
	e->use_adaptive_rx_coalesce = ad->adaptive;
	return 0;
}

static int synn_set_coalesce(struct net_device *dev, struct ethtool_coalesce *e,
			     struct kernel_ethtool_coalesce *k,
			     struct netlink_ext_ack *extack)
{
	struct synn_adapter *ad = synn_priv(dev);
	unsigned int i;

	if (e->use_adaptive_rx_coalesce && !synn_coalesce_can_adapt()) {
		NL_SET_ERR_MSG_MOD(extack, "this kernel is built without net DIM");
		return -EOPNOTSUPP;
	}
	if (e->rx_coalesce_usecs > MAX_USECS)
		return -ERANGE;
	/* with adaptive-rx this is what DIM has chosen, not a setting */
	if (!e->use_adaptive_rx_coalesce)
		ad->rx_usecs = e->rx_coalesce_usecs;
	WRITE_ONCE(ad->adaptive, e->use_adaptive_rx_coalesce);
	for (i = 0; i < ad->nr_queues; i++)
		WRITE_ONCE(ad->chans[i]->usecs, ad->rx_usecs);
	return 0;
}

static int synn_ethtool_reset(struct net_device *dev, u32 *flags)
{
	int ret = synn_session_change(synn_priv(dev));

	if (!ret)
		*flags = 0;
	return ret;
}

const struct ethtool_ops synn_ethtool_ops = {
	.supported_coalesce_params = ETHTOOL_COALESCE_RX_USECS |
				     ETHTOOL_COALESCE_USE_ADAPTIVE_RX,
	.get_drvinfo		= synn_get_drvinfo,
	.get_link		= ethtool_op_get_link,
	.get_msglevel		= synn_get_msglevel,
	.set_msglevel		= synn_set_msglevel,
	.get_link_ksettings	= synn_get_link_ksettings,
	.get_ts_info		= ethtool_op_get_ts_info,
	.get_sset_count		= synn_get_sset_count,
	.get_strings		= synn_get_strings,
	.get_ethtool_stats	= synn_get_ethtool_stats,
	.get_ringparam		= synn_get_ringparam,
	.set_ringparam		= synn_set_ringparam,
	.get_channels		= synn_get_channels,
	.set_channels		= synn_set_channels,
	.get_rxfh_key_size	= synn_get_rxfh_key_size,
	.get_rxfh_indir_size	= synn_get_rxfh_indir_size,
	.get_rxfh		= synn_get_rxfh,
	.set_rxfh		= synn_set_rxfh,
#ifdef COMPAT_RX_RING_COUNT
	.get_rx_ring_count	= synn_get_rx_ring_count,
#else
	.get_rxnfc		= synn_get_rxnfc,
#endif
#ifdef COMPAT_RXFH_FIELDS
	.get_rxfh_fields	= synn_get_rxfh_fields,
	.set_rxfh_fields	= synn_set_rxfh_fields,
#else
	.set_rxnfc		= synn_set_rxnfc,
#endif
	.get_coalesce		= synn_get_coalesce,
	.set_coalesce		= synn_set_coalesce,
	.reset			= synn_ethtool_reset,
};
