// SPDX-License-Identifier: GPL-2.0-only
/* The packet filter of the host: which packets it passes on to the guest. */
#include <linux/slab.h>

#include "synth_net.h"

/* A value that the driver never sets */
#define FILTER_UNKNOWN		U32_MAX

/*
 * Sends the list of multicast addresses. Returns how many there are, and in @ret
 * whether the host has accepted the list.
 */
static u32 send_multicast_list(struct synn_adapter *ad, int *ret)
{
	const u32 room = (HV_HYP_PAGE_SIZE - 64) / ETH_ALEN;
	struct net_device *dev = ad->dev;
	struct netdev_hw_addr *ha;
	u8 (*list)[ETH_ALEN];
	u32 n = 0;

	list = kmalloc_array(room, ETH_ALEN, GFP_KERNEL);
	netif_addr_lock_bh(dev);
	netdev_for_each_mc_addr(ha, dev) {
		if (list && n < room)
			ether_addr_copy(list[n], ha->addr);
		n++;
	}
	netif_addr_unlock_bh(dev);
	*ret = -ENOSPC;
	if (!n)
		*ret = 0;
	else if (list && n <= room)
		*ret = synn_control_set(ad, OID_802_3_MULTICAST_LIST, list,
					n * ETH_ALEN);
	kfree(list);
	return n;
}

/**
 * synn_filter_update() - set the packet filter that the interface needs
 * @ad: adapter
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error of synn_control_set().
 */
int synn_filter_update(struct synn_adapter *ad)
{
	struct net_device *dev = ad->dev;
	u32 filter = 0;
	int ret;

	if (ad->filter_on)
		filter = NDIS_FILTER_DIRECTED | NDIS_FILTER_BROADCAST;
	if (ad->filter_on && dev->flags & IFF_PROMISC) {
		filter |= NDIS_FILTER_PROMISCUOUS;
	} else if (ad->filter_on && dev->flags & IFF_ALLMULTI) {
		filter |= NDIS_FILTER_ALL_MULTICAST;
	} else if (ad->filter_on && send_multicast_list(ad, &ret)) {
		/* a host that accepts no list, or only a shorter one, passes all */
		filter |= ret ? NDIS_FILTER_ALL_MULTICAST :
				NDIS_FILTER_MULTICAST;
	}
	/* there is no list for unicast addresses beside the interface's own */
	if (ad->filter_on && !netdev_uc_empty(dev))
		filter |= NDIS_FILTER_PROMISCUOUS;
	if (filter == ad->filter)
		return 0;
	ret = synn_control_set(ad, OID_GEN_CURRENT_PACKET_FILTER, &filter,
			       sizeof(filter));
	/* without a good answer the host may have set it or not: set it next time */
	ad->filter = ret ? FILTER_UNKNOWN : filter;
	if (ret && ret != -ENODEV && ret != -EAGAIN)
		netdev_warn(dev, "the host does not accept packet filter 0x%x (%d); packets may be missing\n",
			    filter, ret);
	return ret;
}
