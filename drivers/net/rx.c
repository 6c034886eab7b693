// SPDX-License-Identifier: GPL-2.0-only
/*
 * Packets from the host.
 *
 * A transfer-pages packet names pieces of the receive buffer. They belong to the guest
 * until the transfer is completed, but the host can write to them all the same: what
 * is checked is read once (rndis.c), and a frame is copied before its contents are
 * looked at. The copy is necessary since in this protocol the host chooses where
 * packets lie.
 *
 * A small frame is copied into a small skb, a larger one into a page of the pool, and
 * one that the host has coalesced (RSC) into several pages. With an XDP program every
 * frame is copied into a page of its own, with headroom.
 */
#include <linux/bpf.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/slab.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <net/ip6_checksum.h>
#include <net/tcp.h>

#include "synth_net.h"
#include "trace.h"

#define COPYBREAK		256
#define HEADROOM		(NET_SKB_PAD + NET_IP_ALIGN)
#define TAILROOM		SKB_DATA_ALIGN(sizeof(struct skb_shared_info))
#define PAGE_FRAME_MAX		(PAGE_SIZE - HEADROOM - TAILROOM)
#define XDP_FRAME_MAX		(PAGE_SIZE - XDP_PACKET_HEADROOM - TAILROOM)
/* Bytes of a packet in several pages that are in its skb's head */
#define HEAD_BYTES		256
#define FRAME_MAX		(65535u + ETH_HLEN + VLAN_HLEN)
#define POOL_PAGES		512
/* Transfers that are completed together, at most */
#define COMPLETION_BATCH		16

/**
 * synn_xdp_max_mtu() - the largest MTU at which XDP works
 */
u32 synn_xdp_max_mtu(void)
{
	return XDP_FRAME_MAX - ETH_HLEN - VLAN_HLEN;
}

/* ---- copies out of the receive buffer ---------------------------------------------------- */

/* The position of the next byte to copy */
struct cursor {
	const struct synn_piece *piece;
	u32 at;
};

static void copy_out(struct cursor *cur, void *to, u32 n)
{
	while (n) {
		u32 here = min(n, cur->piece->len - cur->at);

		synthio_copy(to, cur->piece->data + cur->at, here);
		to += here;
		n -= here;
		cur->at += here;
		if (cur->at == cur->piece->len) {
			cur->piece++;
			cur->at = 0;
		}
	}
}

static struct sk_buff *small_skb(struct synn_chan *ch)
{
	struct cursor cur = { ch->rx.pieces };
	struct sk_buff *skb = napi_alloc_skb(&ch->napi, ch->rx.total);

	if (likely(skb))
		copy_out(&cur, __skb_put(skb, ch->rx.total), ch->rx.total);
	return skb;
}

static struct sk_buff *page_skb(struct synn_chan *ch)
{
	struct cursor cur = { ch->rx.pieces };
	struct page *page = page_pool_dev_alloc_pages(ch->rx.pool);
	struct sk_buff *skb;

	if (unlikely(!page))
		return NULL;
	copy_out(&cur, page_address(page) + HEADROOM, ch->rx.total);
	skb = napi_build_skb(page_address(page), PAGE_SIZE);
	if (unlikely(!skb)) {
		page_pool_recycle_direct(ch->rx.pool, page);
		return NULL;
	}
	skb_reserve(skb, HEADROOM);
	__skb_put(skb, ch->rx.total);
	skb_mark_for_recycle(skb);
	return skb;
}

static struct sk_buff *large_skb(struct synn_chan *ch)
{
	struct cursor cur = { ch->rx.pieces };
	struct sk_buff *skb = napi_alloc_skb(&ch->napi, HEAD_BYTES);
	u32 left = ch->rx.total - HEAD_BYTES, i;

	if (unlikely(!skb))
		return NULL;
	skb_mark_for_recycle(skb);
	copy_out(&cur, __skb_put(skb, HEAD_BYTES), HEAD_BYTES);
	for (i = 0; left && i < MAX_SKB_FRAGS; i++) {
		struct page *page = page_pool_dev_alloc_pages(ch->rx.pool);
		u32 n = min_t(u32, left, PAGE_SIZE);

		if (unlikely(!page))
			break;
		copy_out(&cur, page_address(page), n);
		skb_add_rx_frag(skb, i, page, 0, n, PAGE_SIZE);
		left -= n;
	}
	if (unlikely(left)) {
		dev_kfree_skb_any(skb);
		return NULL;
	}
	return skb;
}

/* ---- per-packet info ---------------------------------------------- */

/*
 * The host has found the checksum to be right, but the field in the packet does not hold
 * it, or cannot, since several segments were coalesced. The packet becomes one whose
 * checksum is still to be computed, which happens if it is forwarded. Returns false if
 * it is neither TCP nor UDP.
 */
static bool set_checksum_partial(struct sk_buff *skb, bool rsc, u32 mtu)
{
	u32 offset, len, l4;
	u8 proto;

	if (skb->protocol == htons(ETH_P_IP)) {
		const struct iphdr *ip;

		if (!pskb_may_pull(skb, sizeof(*ip)))
			return false;
		ip = (const struct iphdr *)skb->data;
		offset = ip->ihl * 4;
		len = ntohs(ip->tot_len);
		if (ip->ihl < 5 || ip->frag_off & htons(IP_MF | IP_OFFSET))
			return false;
		proto = ip->protocol;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip;

		if (!pskb_may_pull(skb, sizeof(*ip)))
			return false;
		ip = (const struct ipv6hdr *)skb->data;
		offset = sizeof(*ip);
		len = ntohs(ip->payload_len) + sizeof(*ip);
		proto = ip->nexthdr;
	} else {
		return false;
	}
	l4 = proto == IPPROTO_TCP ? sizeof(struct tcphdr) :
	     sizeof(struct udphdr);
	if ((proto != IPPROTO_TCP && proto != IPPROTO_UDP) || len > skb->len ||
	    len < offset + l4 || !pskb_may_pull(skb, offset + l4))
		return false;

	skb_reset_network_header(skb);
	skb_set_transport_header(skb, offset);
	if (proto == IPPROTO_TCP) {
		struct tcphdr *th = tcp_hdr(skb);
		u32 head = offset + th->doff * 4;

		if (skb->protocol == htons(ETH_P_IP))
			th->check = ~tcp_v4_check(len - offset,
						  ip_hdr(skb)->saddr,
						  ip_hdr(skb)->daddr, 0);
		else
			th->check = ~tcp_v6_check(len - offset,
						  &ipv6_hdr(skb)->saddr,
						  &ipv6_hdr(skb)->daddr, 0);
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = offsetof(struct tcphdr, check);
		/* the host does not tell the size of the segments; this is the most */
		if (rsc && th->doff >= 5 && len > head && mtu > head) {
			struct skb_shared_info *s = skb_shinfo(skb);

			s->gso_size = mtu - head;
			s->gso_segs = DIV_ROUND_UP(len - head, s->gso_size);
			s->gso_type = skb->protocol == htons(ETH_P_IP) ?
				      SKB_GSO_TCPV4 : SKB_GSO_TCPV6;
			if (s->gso_segs < 2) {
				s->gso_size = 0;
				s->gso_segs = 0;
				s->gso_type = 0;
			}
		}
	} else {
		struct udphdr *uh = udp_hdr(skb);

		if (skb->protocol == htons(ETH_P_IP))
			uh->check = ~csum_tcpudp_magic(ip_hdr(skb)->saddr,
						       ip_hdr(skb)->daddr,
						       len - offset,
						       IPPROTO_UDP, 0);
		else
			uh->check = ~csum_ipv6_magic(&ipv6_hdr(skb)->saddr,
						     &ipv6_hdr(skb)->daddr,
						     len - offset,
						     IPPROTO_UDP, 0);
		skb->csum_start = skb_transport_header(skb) - skb->head;
		skb->csum_offset = offsetof(struct udphdr, check);
	}
	skb->ip_summed = CHECKSUM_PARTIAL;
	return true;
}

/*
 * Whether the host has coalesced several packets of the wire (RSC). It need not have
 * sent them in pieces for that. The wire's MTU is what the host was told, which may be
 * more than the interface's.
 */
static bool is_rsc_packet(const struct synn_chan *ch)
{
	return ch->rx.total > ch->adapter->session.mtu + ETH_HLEN + VLAN_HLEN;
}

/*
 * The header of an IPv4 packet was right, and the host has changed it since: hosts leave
 * its checksum as it was in the first of the packets that they have coalesced.
 */
static void fix_ip_checksum(struct sk_buff *skb)
{
	struct iphdr *ip;

	if (skb->protocol != htons(ETH_P_IP) ||
	    !pskb_may_pull(skb, sizeof(*ip)))
		return;
	ip = (struct iphdr *)skb->data;
	if (ip->ihl < 5 || !pskb_may_pull(skb, ip->ihl * 4))
		return;
	ip_send_check((struct iphdr *)skb->data);
}

static void set_checksum(struct synn_chan *ch, struct sk_buff *skb)
{
	const struct rndis_rx *f = &ch->rx.first;
	bool rsc = is_rsc_packet(ch);

	if (f->csum & NDIS_RXCSUM_IP_VALUE_INVALID &&
	    f->csum & NDIS_RXCSUM_IP_SUCCEEDED)
		fix_ip_checksum(skb);
	if (!(ch->adapter->dev->features & NETIF_F_RXCSUM))
		return;
	if (f->csum & (NDIS_RXCSUM_TCP_FAILED | NDIS_RXCSUM_UDP_FAILED)) {
		/* the stack checks it itself */
		ch->rx.stats.csum_bad++;
		return;
	}
	if (!(f->csum & (NDIS_RXCSUM_TCP_SUCCEEDED | NDIS_RXCSUM_UDP_SUCCEEDED)))
		return;
	ch->rx.stats.csum_ok++;
	ch->rx.stats.rsc_packets += rsc;
	skb->ip_summed = CHECKSUM_UNNECESSARY;
	if (f->csum & NDIS_RXCSUM_TCP_VALUE_INVALID || rsc)
		set_checksum_partial(skb, rsc, ch->adapter->session.mtu);
}

/*
 * Whether ports are in the host's hash. The host tells the kind of the packet only by
 * the checksum that it has verified.
 */
static enum pkt_hash_types hash_type(const struct synn_chan *ch, __be16 protocol)
{
	const struct rndis_rx *f = &ch->rx.first;
	bool ip4 = protocol == htons(ETH_P_IP);
	u32 ports = 0;

	if (f->has & RNDIS_HAS_CSUM && f->csum & NDIS_RXCSUM_TCP_SUCCEEDED)
		ports = ip4 ? NDIS_HASH_TCP_IPV4 : NDIS_HASH_TCP_IPV6;
	else if (f->has & RNDIS_HAS_CSUM && f->csum & NDIS_RXCSUM_UDP_SUCCEEDED)
		ports = ip4 ? NDIS_HASH_UDP_IPV4 : NDIS_HASH_UDP_IPV6;
	return READ_ONCE(ch->adapter->rss_hashes) & ports ? PKT_HASH_TYPE_L4 :
							 PKT_HASH_TYPE_L3;
}

static void pass_to_stack(struct synn_chan *ch, struct sk_buff *skb, bool changed)
{
	const struct rndis_rx *f = &ch->rx.first;
	struct net_device *dev = ch->adapter->dev;

	if (unlikely(is_multicast_ether_addr(skb->data)))
		ch->rx.stats.multicast++;
	skb->protocol = eth_type_trans(skb, dev);
	if (unlikely(eth_type_vlan(skb->protocol)) &&
	    !(f->has & RNDIS_HAS_VLAN)) {
		skb = skb_vlan_untag(skb);
		if (unlikely(!skb))
			return;
	}
	/* if the host has left out a sub-channel, those behind it are no queues */
	skb_record_rx_queue(skb, ch->index < dev->real_num_rx_queues ?
				 ch->index : 0);
	if (f->has) {
		if (f->has & RNDIS_HAS_CSUM && !changed)
			set_checksum(ch, skb);
		if (f->has & RNDIS_HAS_HASH && dev->features & NETIF_F_RXHASH)
			skb_set_hash(skb, f->hash,
				     hash_type(ch, skb->protocol));
		if (f->has & RNDIS_HAS_VLAN)
			__vlan_hwaccel_put_tag(skb, htons(ETH_P_8021Q),
					       rndis_tci(f->vlan));
	}
	napi_gro_receive(&ch->napi, skb);
}

/* ---- a packet that is complete ----------------------------------------------------- */

/* Copies the frame with its VLAN tag: XDP programs see it nowhere else */
static void copy_frame(struct synn_rx *rx, u8 *to, u32 tag)
{
	struct cursor cur = { rx->pieces };

	if (unlikely(tag)) {
		copy_out(&cur, to, SYNN_ETH_ADDRESSES);
		synn_put_vlan_tag(to, rx->first.vlan);
		rx->first.has &= ~RNDIS_HAS_VLAN;
		copy_out(&cur, to + SYNN_ETH_ADDRESSES + tag,
			 rx->total - SYNN_ETH_ADDRESSES);
		return;
	}
	copy_out(&cur, to, rx->total);
}

static void deliver_xdp(struct synn_chan *ch, struct bpf_prog *prog)
{
	struct synn_rx *rx = &ch->rx;
	u32 len = rx->total, tag = 0;
	struct xdp_buff xdp;
	struct sk_buff *skb;
	struct page *page;
	void *data;

	if (rx->first.has & RNDIS_HAS_VLAN)
		tag = VLAN_HLEN;
	len += tag;
	page = len <= XDP_FRAME_MAX ? page_pool_dev_alloc_pages(rx->pool) : NULL;
	if (unlikely(!page)) {
		rx->stats.xdp_errors++;
		return;
	}
	data = page_address(page) + XDP_PACKET_HEADROOM;
	copy_frame(rx, data, tag);
	xdp_init_buff(&xdp, PAGE_SIZE, &rx->rxq);
	xdp_prepare_buff(&xdp, page_address(page), XDP_PACKET_HEADROOM, len,
			 true);
	if (synn_xdp_run(ch, prog, &xdp) != XDP_PASS)
		return;

	skb = napi_build_skb(xdp.data_hard_start, PAGE_SIZE);
	if (unlikely(!skb)) {
		rx->stats.no_memory++;
		page_pool_recycle_direct(rx->pool, page);
		return;
	}
	skb_reserve(skb, xdp.data - xdp.data_hard_start);
	__skb_put(skb, xdp.data_end - xdp.data);
	if (xdp.data != xdp.data_meta)
		skb_metadata_set(skb, xdp.data - xdp.data_meta);
	skb_mark_for_recycle(skb);
	/* the per-packet info is about the packet as it was received */
	pass_to_stack(ch, skb, xdp.data != data || xdp.data_end != data + len);
}

static void deliver(struct synn_chan *ch)
{
	struct synn_rx *rx = &ch->rx;
	struct bpf_prog *prog;
	struct sk_buff *skb;

	if (unlikely(!rx->was_running)) {
		rx->stats.dropped++;
		return;
	}
	u64_stats_update_begin(&rx->stats.syncp);
	rx->stats.packets++;
	rx->stats.bytes += rx->total;
	u64_stats_update_end(&rx->stats.syncp);

	if (unlikely(rcu_access_pointer(rx->prog))) {
		rcu_read_lock();
		prog = rcu_dereference(rx->prog);
		if (prog)
			deliver_xdp(ch, prog);
		rcu_read_unlock();
		if (prog)
			return;
	}
	if (rx->total <= COPYBREAK)
		skb = small_skb(ch);
	else if (rx->total <= PAGE_FRAME_MAX)
		skb = page_skb(ch);
	else
		skb = large_skb(ch);
	if (unlikely(!skb)) {
		rx->stats.no_memory++;
		return;
	}
	pass_to_stack(ch, skb, false);
}

/* ---- transfers of the host ----------------------------------------------------------- */

/* Adds a range to the packet that is being collected. Returns false if it is invalid */
static bool add_piece(struct synn_rx *rx, const u8 *msg,
		      const struct rndis_rx *one)
{
	if (one->has & RNDIS_HAS_PIECE &&
	    one->piece_flags & NDIS_PACKET_ID_PIECES &&
	    !(one->piece_flags & NDIS_PACKET_ID_FIRST)) {
		if (!rx->nr_pieces || rx->first.piece_id != one->piece_id)
			return false;
	} else {
		/* the packet before has no last piece */
		if (rx->nr_pieces)
			return false;
		rx->first = *one;
		rx->total = 0;
	}
	if (!one->len || rx->nr_pieces >= NVSP_MAX_RANGES ||
	    one->len > FRAME_MAX - rx->total)
		return false;
	rx->pieces[rx->nr_pieces++] = (struct synn_piece){
		.data = msg + one->data,
		.len = one->len,
	};
	rx->total += one->len;
	return true;
}

/* Returns 1 if there was a packet for the stack, 0 if not, -1 if it was invalid */
static int receive_range(struct synn_chan *ch, const u8 *msg, u32 len)
{
	struct synn_rx *rx = &ch->rx;
	struct rndis_rx one;
	int ret;

	ret = rndis_parse_packet(msg, len, &one);
	if (unlikely(ret == -ENOMSG)) {
		synn_message_received(ch, msg, len);
		return 0;
	}
	if (unlikely(ret || !add_piece(rx, msg, &one))) {
		rx->nr_pieces = 0;
		return -1;
	}
	if (one.has & RNDIS_HAS_PIECE &&
	    one.piece_flags & NDIS_PACKET_ID_PIECES &&
	    !(one.piece_flags & NDIS_PACKET_ID_LAST))
		return 0;
	if (unlikely(rx->total < ETH_HLEN)) {
		rx->nr_pieces = 0;
		return -1;
	}
	deliver(ch);
	rx->nr_pieces = 0;
	return 1;
}

/**
 * synn_rx_is_full() - whether no transfer can be taken at present
 * @ch: channel
 *
 * That is so when the host does not read the completions of earlier ones.
 *
 * Context: NAPI of @ch.
 */
bool synn_rx_is_full(const struct synn_chan *ch)
{
	return ch->rx.comp_tail - ch->rx.comp_head > ch->rx.comp_mask;
}

/* Queues the completion of a transfer. There is room: synn_rx_is_full() */
static void queue_completion(struct synn_chan *ch, u64 id, u32 status)
{
	struct synn_rx *rx = &ch->rx;

	rx->comp[rx->comp_tail++ & rx->comp_mask] =
		(struct synn_rx_completion){ id, status };
	if (rx->comp_tail - rx->comp_head >= COMPLETION_BATCH)
		synn_rx_complete(ch);
}

/**
 * synn_rx_transfer() - a transfer-pages packet
 * @ch: where it was received
 * @desc: a copy of it, whose lengths are consistent
 *
 * Context: NAPI of @ch.
 * Return: how many packets for the stack were in it.
 */
int synn_rx_transfer(struct synn_chan *ch,
		     const struct vmpacket_descriptor *desc)
{
	const struct vmtransfer_page_packet_header *h = (const void *)desc;
	const u32 fixed = offsetof(typeof(*h), ranges);
	const struct nvsp_message *m;
	u32 head = desc->offset8 * 8, len = desc->len8 * 8, i, bad = 0;
	struct synn_rx *rx = &ch->rx;
	int packets = 0;
	u32 size;

	/*
	 * Pairs with the release in session.c, which sets the buffer of the primary
	 * channel while NAPI is enabled. Other stores happen while it is disabled.
	 */
	size = smp_load_acquire(&rx->size);
	m = (const void *)((const u8 *)desc + head);
	if (unlikely(head < fixed || h->range_cnt > (head - fixed) / 8 ||
		     h->xfer_pageset_id != NVSP_RECEIVE_BUFFER_ID ||
		     len - head < sizeof(m->type) ||
		     m->type != NVSP_SEND_RNDIS_PACKET || !size)) {
		synn_bad_packet(ch, "a malformed transfer", desc->trans_id);
		queue_completion(ch, desc->trans_id, NVSP_STATUS_FAILURE);
		return 0;
	}
	trace_synn_receive(ch, desc->trans_id, h->range_cnt, 0);
	rx->stats.ranges += h->range_cnt;
	for (i = 0; i < h->range_cnt; i++) {
		u32 at = h->ranges[i].byte_offset;
		u32 bytes = h->ranges[i].byte_count;
		int ret;

		if (unlikely(at > size || bytes > size - at)) {
			rx->nr_pieces = 0;
			bad++;
			continue;
		}
		ret = receive_range(ch, rx->buffer + at, bytes);
		if (likely(ret > 0))
			packets++;
		else
			bad += ret < 0;
	}
	/* a packet does not go on in the next transfer */
	if (unlikely(rx->nr_pieces)) {
		rx->nr_pieces = 0;
		bad++;
	}
	if (unlikely(bad))
		synn_bad_packet(ch, "malformed packets", desc->trans_id);
	queue_completion(ch, desc->trans_id, bad ? NVSP_STATUS_FAILURE :
	     NVSP_STATUS_SUCCESS);
	return packets;
}

/**
 * synn_rx_complete() - send queued completions to the host
 * @ch: channel
 *
 * Context: NAPI of @ch.
 * Return: false if some are deferred, for want of room in the ring.
 */
bool synn_rx_complete(struct synn_chan *ch)
{
	const u32 bytes = sizeof(u32) + sizeof(struct nvsp_rndis_complete);
	struct synn_rx *rx = &ch->rx;
	struct {
		u32 type;
		u32 status;
	} m = { NVSP_SEND_RNDIS_PACKET_COMPLETE };
	int ret;

	while (rx->comp_head != rx->comp_tail) {
		const struct synn_rx_completion *d =
			&rx->comp[rx->comp_head & rx->comp_mask];

		m.status = d->status;
		ret = vmbus_sendpacket(ch->vc, &m, bytes, d->id, VM_PKT_COMP, 0);
		if (unlikely(ret == -EAGAIN)) {
			rx->stats.completions_deferred++;
			if (synn_chan_has_room(ch, bytes + 16))
				continue;
			return false;
		}
		/* after any other error the channel takes no completions any more */
		rx->comp_head++;
		rx->stats.completions++;
	}
	return true;
}

/* ---- begin and end of a session --------------------------------------------------- */

/**
 * synn_rx_prepare() - allocate the memory of an rx queue
 * @ch: a channel that will be opened; its NAPI instance is added
 *
 * Context: process, RTNL held.
 * Return: 0 or an error.
 */
int synn_rx_prepare(struct synn_chan *ch)
{
	struct synn_adapter *ad = ch->adapter;
	struct page_pool_params pp = {
		.pool_size = POOL_PAGES,
		.nid = NUMA_NO_NODE,
	};
	struct synn_rx *rx = &ch->rx;
	u32 size = roundup_pow_of_two(ad->wanted_sections + 1);
	int ret;

	rx->nr_pieces = 0;
	rx->flush = 0;
	rx->comp_head = 0;
	rx->comp_tail = 0;
	rx->comp_mask = size - 1;
	/* the primary channel is opened before there is a buffer */
	rx->buffer = ad->session.receive ? ad->session.receive->data : NULL;
	rx->size = ad->session.receive ? ad->session.receive->bytes : 0;
	rx->comp = kvmalloc_array(size, sizeof(*rx->comp), GFP_KERNEL);
	rx->pieces = kvmalloc_array(NVSP_MAX_RANGES, sizeof(*rx->pieces),
				    GFP_KERNEL);
	ret = -ENOMEM;
	if (!rx->comp || !rx->pieces)
		goto err_free;

	compat_pool_napi(&pp, &ch->napi);
	rx->pool = page_pool_create(&pp);
	if (IS_ERR(rx->pool)) {
		ret = PTR_ERR(rx->pool);
		goto err_free;
	}
	ret = xdp_rxq_info_reg(&rx->rxq, ad->dev, ch->index, ch->napi.napi_id);
	if (ret)
		goto err_pool;
	ret = xdp_rxq_info_reg_mem_model(&rx->rxq, MEM_TYPE_PAGE_POOL, rx->pool);
	if (ret)
		goto err_rxq;
	return 0;

err_rxq:
	xdp_rxq_info_unreg(&rx->rxq);
err_pool:
	page_pool_destroy(rx->pool);
err_free:
	kvfree(rx->pieces);
	kvfree(rx->comp);
	return ret;
}

/**
 * synn_rx_unprepare() - the mirror of synn_rx_prepare()
 * @ch: a closed channel
 *
 * Context: process, RTNL held.
 */
void synn_rx_unprepare(struct synn_chan *ch)
{
	struct synn_rx *rx = &ch->rx;

	rx->size = 0;
	rx->buffer = NULL;
	xdp_rxq_info_unreg(&rx->rxq);
	page_pool_destroy(rx->pool);
	kvfree(rx->pieces);
	kvfree(rx->comp);
}
