// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE rxfh: how ethtool_ops.get_rxfh returns key and table
 * FORM PARAM: in a struct ethtool_rxfh_param, since 6.8
 * FORM POINTERS: in three arguments
 */
#include <linux/ethtool.h>

#ifdef PROBE_PARAM
static int get(struct net_device *dev, struct ethtool_rxfh_param *p)
#else
static int get(struct net_device *dev, u32 *table, u8 *key, u8 *func)
#endif
{
	return 0;
}

extern const struct ethtool_ops probe;
const struct ethtool_ops probe = { .get_rxfh = get };
