// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE xdp_features: whether a card says which parts of XDP it has
 * FORM YES: net_device.xdp_features, since 6.3
 * FORM NO: it does not
 */
#include <linux/netdevice.h>
#include <net/xdp.h>

#ifdef PROBE_NO
/* an error where the enum has it */
extern int NETDEV_XDP_ACT_BASIC;
#endif

void probe(struct net_device *dev);
void probe(struct net_device *dev)
{
#ifdef PROBE_YES
	dev->xdp_features = NETDEV_XDP_ACT_BASIC | NETDEV_XDP_ACT_REDIRECT |
			    NETDEV_XDP_ACT_NDO_XMIT;
#endif
}
