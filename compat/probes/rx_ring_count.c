// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE rx_ring_count: how ethtool asks how many receive rings there are
 * FORM OWN: by ethtool_ops.get_rx_ring_count, since 6.19
 * FORM RXNFC: by ethtool_ops.get_rxnfc
 */
#include <linux/ethtool.h>

#ifdef PROBE_OWN
static u32 get(struct net_device *dev)
#else
static int get(struct net_device *dev, struct ethtool_rxnfc *f, u32 *rules)
#endif
{
	return 0;
}

#ifdef PROBE_RXNFC
/* two members of one name are an error */
struct probe {
	struct ethtool_ops;
	int get_rx_ring_count;
};
#endif

extern const struct ethtool_ops probe;
const struct ethtool_ops probe = {
#ifdef PROBE_OWN
	.get_rx_ring_count = get,
#else
	.get_rxnfc = get,
#endif
};
