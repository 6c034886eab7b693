// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE rxfh_fields: how ethtool asks what flows are hashed by
 * FORM OWN: by ethtool_ops.get_rxfh_fields, since 6.17
 * FORM RXNFC: by ethtool_ops.get_rxnfc
 */
#include <linux/ethtool.h>

#ifdef PROBE_OWN
static int get(struct net_device *dev, struct ethtool_rxfh_fields *f)
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
	int get_rxfh_fields;
};
#endif

extern const struct ethtool_ops probe;
const struct ethtool_ops probe = {
#ifdef PROBE_OWN
	.get_rxfh_fields = get,
#else
	.get_rxnfc = get,
#endif
};
