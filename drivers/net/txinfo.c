// SPDX-License-Identifier: GPL-2.0-only
/*
 * What goes with a packet to the host beside the frame: its VLAN's tag, and what the
 * host is to do to it. What it can't do the stack does before (features), or the
 * driver here.
 */
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ip6_checksum.h>

#include "synth_net.h"

/*
 * Whether a tag stays in the frame after the outermost one of 802.1Q has been taken
 * out (take_tag()). Hosts look for IP behind 14 bytes of Ethernet.
 */
static bool has_tag_inside(const struct sk_buff *skb)
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
 * @dev: card
 * @f: what is thought of
 *
 * Return: @f without what the host can't do to this packet: the stack does it.
 */
netdev_features_t synn_features_check(struct sk_buff *skb,
				      struct net_device *dev,
				      netdev_features_t f)
{
	if (unlikely(has_tag_inside(skb)))
		return f & ~(NETIF_F_CSUM_MASK | NETIF_F_GSO_MASK);
	if (!skb_is_gso(skb))
		return f;
	/* nothing between IP header and TCP, and the offset in 10 bits */
	if (skb->encapsulation ||
	    skb_transport_offset(skb) > NDIS_LSO_L4_OFFSET_MAX ||
	    (skb_shinfo(skb)->gso_type & SKB_GSO_TCPV6 &&
	     ipv6_hdr(skb)->nexthdr != IPPROTO_TCP))
		f &= ~NETIF_F_GSO_MASK;
	return f;
}

static int prepare_lso(struct sk_buff *skb, struct rndis_tx *t)
{
	u32 offset = skb_transport_offset(skb);
	struct tcphdr *th;
	int ret;

	/* synn_features_check() has left out what is no plain TCP */
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
 * What the host is asked to compute; false if it can't. Hosts expect IP right behind
 * 14 bytes of Ethernet, and what the frame says of itself counts: the protocol of a
 * packet socket is whatever its program says.
 */
static bool checksum_wish(const struct synn_card *c, const struct sk_buff *skb,
			  struct rndis_tx *t)
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
	/* neither SCTP nor a tunnel looks like that */
	if (proto != (tcp ? IPPROTO_TCP : IPPROTO_UDP) ||
	    (!tcp && skb->csum_offset != offsetof(struct udphdr, check)) ||
	    skb->encapsulation || (c->csum_mask & need) != need)
		return false;
	t->csum = wish | (tcp ? NDIS_TXCSUM_TCP : NDIS_TXCSUM_UDP) |
		  offset << NDIS_TXCSUM_L4_OFFSET_SHIFT;
	t->has |= RNDIS_HAS_CSUM;
	return true;
}

/*
 * A VLAN's tag goes beside the frame: hosts drop what has it inside. Packet sockets,
 * and VLANs whose offload is off, have put it there. The skb may come once more
 * (NETDEV_TX_BUSY), so it keeps the tag as the stack does.
 */
static int take_tag(struct sk_buff *skb)
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
 * synn_tx_info() - what the host is to be told of a packet, and asked to do
 * @ch: channel that it is sent on
 * @skb: packet, which is changed as far as that wants it
 * @t: filled in
 *
 * Context: the tx lock is held.
 * Return: 0, or an error if the packet can't be sent at all.
 */
int synn_tx_info(struct synn_chan *ch, struct sk_buff *skb, struct rndis_tx *t)
{
	struct synn_card *c = ch->card;
	int ret = take_tag(skb);

	if (unlikely(ret))
		return ret;
	t->len = skb->len;
	if (skb_vlan_tag_present(skb)) {
		t->vlan = rndis_vlan(skb_vlan_tag_get(skb));
		t->has |= RNDIS_HAS_VLAN;
	}
	if (skb_is_gso(skb))
		return prepare_lso(skb, t);
	if (skb->ip_summed == CHECKSUM_PARTIAL && !checksum_wish(c, skb, t)) {
		ch->tx.stats.csum_help++;
		return skb_checksum_help(skb);
	}
	return 0;
}
