// SPDX-License-Identifier: GPL-2.0-only
/* Receive side scaling: the host distributes packets over channels by their hash. */
#include "synth_net.h"

/**
 * synn_rss_query() - query what the host can do for RSS
 * @ad: adapter, after synn_control_initialise()
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 */
void synn_rss_query(struct synn_adapter *ad)
{
	struct rndis_rss *r = &ad->session.rss;
	struct ndis_rss_capabilities n;
	u32 len = rndis_put_rss_query(&n);
	int ret;

	*r = (struct rndis_rss){ .queues = 1 };
	if (ad->session.version < NVSP_VERSION_5)
		return;
	ret = synn_control_query(ad, OID_GEN_RECEIVE_SCALE_CAPABILITIES, &n, len,
				 &n, sizeof(n));
	if (ret < 0 || rndis_parse_rss(&n, ret, r))
		*r = (struct rndis_rss){ .queues = 1 };
}

/**
 * synn_rss_setup() - set RSS for the queues of a session
 * @ad: adapter whose number of queues is known
 *
 * Context: process, RTNL and adapter->mutex held; sleeps for as long as the host may
 * take.
 */
void synn_rss_setup(struct synn_adapter *ad)
{
	/* a table that was set by ethtool stays, if it fits this session */
	bool keep = netif_is_rxfh_configured(ad->dev);
	u32 i;
	int ret;

	if (ad->rss_entries != ad->session.rss.entries) {
		ad->rss_entries = min_t(u32, ad->session.rss.entries,
					ARRAY_SIZE(ad->rss_table));
		keep = false;
	}
	for (i = 0; i < ad->rss_entries; i++) {
		if (ad->rss_table[i] >= ad->nr_queues)
			keep = false;
	}
	if (!keep)
		synn_rss_default(ad);
	if (ad->nr_queues < 2)
		return;
	ret = synn_rss_set(ad);
	if (ret)
		netdev_warn(ad->dev, "the host does not accept the settings of RSS (%d); packets may come on one queue only\n",
			    ret);
}

/**
 * synn_rss_default() - a table that spreads packets evenly over the queues
 * @ad: adapter
 *
 * Context: process, RTNL held.
 */
void synn_rss_default(struct synn_adapter *ad)
{
	u32 i;

	for (i = 0; i < ad->rss_entries; i++)
		ad->rss_table[i] = ethtool_rxfh_indir_default(i, ad->nr_queues);
}

/**
 * synn_rss_hashes() - which fields the host can hash
 * @ad: adapter
 *
 * Context: process, RTNL held.
 * Return: NDIS_HASH_*. Each host hashes addresses and TCP ports; UDP ports only a host
 *	that reports it.
 */
u32 synn_rss_hashes(const struct synn_adapter *ad)
{
	u32 hashes = SYNN_RSS_HASHES;

	if (ad->session.rss.caps & NDIS_RSS_CAP_UDP_IPV4)
		hashes |= NDIS_HASH_UDP_IPV4;
	if (ad->session.rss.caps & NDIS_RSS_CAP_UDP_IPV6)
		hashes |= NDIS_HASH_UDP_IPV6;
	return hashes;
}

/**
 * synn_rss_set() - set the table, the key and the hashes at the host
 * @ad: adapter; the values are rss_table, rss_key and rss_hashes
 *
 * Context: process, RTNL and adapter->mutex held; sleeps for as long as the host may
 * take.
 * Return: 0 or an error.
 */
int synn_rss_set(struct synn_adapter *ad)
{
	/* the host of an earlier session may have had more hashes */
	u32 hashes = NDIS_HASH_TOEPLITZ | (ad->rss_hashes & synn_rss_hashes(ad));
	u8 p[sizeof(struct ndis_rss_parameters) +
	     NDIS_RSS_TABLE_DEFAULT * sizeof(u32) + NDIS_RSS_KEY_BYTES];
	u32 len;
	int ret;

	if (!ad->rss_entries)
		return -EOPNOTSUPP;
	/* hosts accept a new key only while RSS is off */
	len = rndis_put_rss_set(p, sizeof(p), NDIS_RSS_DISABLE, hashes,
				ad->rss_table, ad->rss_entries, ad->rss_key);
	ret = synn_control_set(ad, OID_GEN_RECEIVE_SCALE_PARAMETERS, p, len);
	if (ret)
		return ret;
	len = rndis_put_rss_set(p, sizeof(p), 0, hashes, ad->rss_table,
				ad->rss_entries, ad->rss_key);
	return synn_control_set(ad, OID_GEN_RECEIVE_SCALE_PARAMETERS, p, len);
}
