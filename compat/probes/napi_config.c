// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE napi_config: whether a NAPI instance keeps its id and settings
 * FORM YES: netif_napi_add_config(), since 6.13
 * FORM NO: it does not
 */
#include <linux/netdevice.h>

#ifdef PROBE_NO
/* an error where the function is there */
extern int netif_napi_add_config;
#endif

static int poll(struct napi_struct *napi, int budget)
{
	return 0;
}

void probe(struct net_device *dev, struct napi_struct *napi);
void probe(struct net_device *dev, struct napi_struct *napi)
{
#ifdef PROBE_YES
	netif_napi_add_config(dev, napi, poll, 0);
#else
	netif_napi_add(dev, napi, poll);
#endif
}
