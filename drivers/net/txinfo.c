// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-packet info of sends: the VLAN tag, and which checksum or segmentation the host
 * is asked for. What the host can't do is done by the stack before
 * (synn_features_check()), or by the driver here.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip6_checksum.h>

#include "synth_net.h"

/*
 * Whether a tag remains in the frame after the outermost one of 802.1Q has been removed
 * (extract_vlan_tag()). Hosts expect the IP header after 14 bytes of Ethernet.
 */
static bool has_inner_tag(const struct sk_buff *skb)
{
	const struct vlan_ethhdr *h = (const void *)skb->data;

	if (skb_headlen(skb) < sizeof(*h) || skb_vlan_tag_present(skb) ||
	    h->h_vlan_proto != htons(ETH_P_8021Q))
		return eth_type_vlan(h->h_vlan_proto);
	return eth_type_vlan(h->h_vlan_encapsulated_proto);
}

/**
 * synn_features_check() - ndo_features_check
 * @skb: packet
 * @dev: netdev of an adapter
 * @f: features that the stack wants to use
 *
 * Return: @f without what the host can't do for this packet, so that the stack does it.
 */
netdev_features_t synn_features_check(struct sk_buff *skb,
				      struct net_device *dev,
				      netdev_features_t f)
{
	if (unlikely(has_inner_tag(skb)))
		return f & ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	if (!skb_is_gso(skb))
		return f;
	/* hosts need TCP right after the IP header, at an offset of 10 bits at most */
	if (skb->encapsulation ||
	    skb_transport_offset(skb) > NDIS_LSO_L4_OFFSET_MAX ||
	    (skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6 &&
	     ipv6_hdr(skb)->nexthdr != IPPROTO_TCP))
		f &= ~NETIF_F_GSO_MASK;
	return f;
}

static int request_lso(struct sk_buff *skb, struct rndis_tx *t)
{
	u32 offset = skb_transport_offset(skb);
	struct tcphdr *th;
	int ret;

	/* synn_features_check() has excluded what is not plain TCP */
	ret = skb_cow_head(skb, 0);
	if (ret)
		return ret;
	th = tcp_hdr(skb);
	t->lso = (skb_shinfo(skb)->gso_size & NDIS_LSO_MSS_MASK) |
		 offset << NDIS_LSO_L4_OFFSET_SHIFT | NDIS_LSO_V2;
	if (skb_shinfo(skb)->gso_type & SKB_GSO_TCPV4) {
		struct iphdr *ip = ip_hdr(skb);

		ip->tot_len = 0;
		ip->check = 0;
		th->check = ~csum_tcpudp_magic(ip->saddr, ip->daddr, 0,
					       IPPROTO_TCP, 0);
	} else {
		struct ipv6hdr *ip = ipv6_hdr(skb);

		t->lso |= NDIS_LSO_IPV6;
		ip->payload_len = 0;
		th->check = ~csum_ipv6_magic(&ip->saddr, &ip->daddr, 0,
					     IPPROTO_TCP, 0);
	}
	t->has |= RNDIS_HAS_LSO;
	return 0;
}

/*
 * Asks the host to compute the checksum; returns false if it can't. Hosts expect the IP
 * header after 14 bytes of Ethernet. The protocol is taken from the frame, since
 * skb->protocol of a packet socket is whatever its program has set.
 */
static bool request_checksum(const struct synn_adapter *ad,
			     const struct sk_buff *skb, struct rndis_tx *t)
{
	const struct ethhdr *eth = (const void *)skb->data;
	u32 offset = skb_transport_offset(skb), wish, need;
	bool tcp = skb->csum_offset == offsetof(struct tcphdr, check);
	u8 proto;

	if (eth->h_proto != skb->protocol || skb_network_offset(skb) != ETH_HLEN ||
	    skb_checksum_start_offset(skb) != offset ||
	    offset > NDIS_TXCSUM_L4_OFFSET_MAX)
		return false;
	if (skb->protocol == htons(ETH_P_IP)) {
		const struct iphdr *ip = ip_hdr(skb);

		if (offset < ETH_HLEN + sizeof(*ip) ||
		    offset != ETH_HLEN + ip->ihl * 4)
			return false;
		proto = ip->protocol;
		wish = NDIS_TXCSUM_IPV4;
		need = tcp ? SYNN_CSUM_TCP4 : SYNN_CSUM_UDP4;
		if (ip->ihl > 5)
			need |= SYNN_CSUM_OPTIONS4;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		u8 next = ipv6_hdr(skb)->nexthdr;

		if (offset < ETH_HLEN + sizeof(struct ipv6hdr))
			return false;
		proto = tcp ? IPPROTO_TCP : IPPROTO_UDP;
		wish = NDIS_TXCSUM_IPV6;
		need = tcp ? SYNN_CSUM_TCP6 : SYNN_CSUM_UDP6;
		if (next != proto)
			need |= SYNN_CSUM_EXTENSIONS6;
	} else {
		return false;
	}
	/* this excludes SCTP and tunnels */
	if (proto != (tcp ? IPPROTO_TCP : IPPROTO_UDP) ||
	    (!tcp && skb->csum_offset != offsetof(struct udphdr, check)) ||
	    skb->encapsulation || (ad->csum_mask & need) != need)
		return false;
	t->csum = wish | (tcp ? NDIS_TXCSUM_TCP : NDIS_TXCSUM_UDP) |
		  offset << NDIS_TXCSUM_L4_OFFSET_SHIFT;
	t->has |= RNDIS_HAS_CSUM;
	return true;
}

/*
 * A VLAN tag is sent as per-packet info, since hosts drop frames that contain one. Packet
 * sockets, and VLANs whose offload is off, have put it into the frame. The stack may
 * send the skb again (NETDEV_TX_BUSY), so it keeps the tag as the stack keeps tags.
 */
static int extract_vlan_tag(struct sk_buff *skb)
{
	const struct ethhdr *eth = (const void *)skb->data;
	u16 tci;
	int ret;

	if (skb_vlan_tag_present(skb) ||
	    likely(eth->h_proto != htons(ETH_P_8021Q)) ||
	    skb->len < VLAN_ETH_HLEN)
		return 0;
	skb_reset_mac_header(skb);
	ret = __skb_vlan_pop(skb, &tci);
	if (!ret)
		__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q), tci);
	return ret;
}

/**
 * synn_tx_info() - determine the per-packet info of a packet
 * @ch: channel that it is sent on
 * @skb: packet, whose headers are changed where the host needs that
 * @t: filled in
 *
 * Context: the tx lock is held.
 * Return: 0, or an error if the packet can't be sent at all.
 */
int synn_tx_info(struct synn_chan *ch, struct sk_buff *skb, struct rndis_tx *t)
{
	struct synn_adapter *ad = ch->adapter;
	int ret = extract_vlan_tag(skb);

	if (unlikely(ret))
		return ret;
	t->len = skb->len;
	if (skb_vlan_tag_present(skb)) {
		t->vlan = rndis_vlan(skb_vlan_tag_get(skb));
		t->has |= RNDIS_HAS_VLAN;
	}
	if (skb_is_gso(skb))
		return request_lso(skb, t);
	if (skb->ip_summed == CHECKSUM_PARTIAL && !request_checksum(ad, skb, t)) {
		ch->tx.stats.csum_help++;
		return skb_checksum_help(skb);
	}
	return 0;
}
