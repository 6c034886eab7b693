// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames to the guest. The backend puts them straight into slots of the guest's
 * receive buffer; what RNDIS says about them goes in front.
 *
 * Frames for which there is no slot stay in the backend. Those that the guest
 * does not want, or can't take, are dropped here.
 *
 * A checksum that the sender has left out is put in, although the guest is told
 * that it need not look: it may send the frame on, show it to somebody, or look
 * after all, without a word to the host. Linux's own driver does, and does not
 * heed the flag that says that the value is missing.
 *
 * Other hosts do it otherwise: see enum netvsp_rx_csum.
 *
 * With several channels, the hash that the guest has configured decides where a
 * frame goes, whatever queue of the backend it came from.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "netvsp.h"

#define RX_BUDGET	64
#define IP_CSUM_AT	10
#define TCP_CSUM_AT	16

/* What the guest is told about a frame */
struct rx_info {
	bool has_csum, has_vlan, has_hash;
	uint32_t csum, vlan, hash;
};

static unsigned int slot_room(const struct netvsp *n)
{
	return n->slot_bytes - n->headroom;
}

static unsigned int max_ranges(const struct netvsp *n)
{
	return n->capabilities & NVSP_CAP_RSC ? NVSP_MAX_RANGES :
						NVSP_MAX_RANGES_PLAIN;
}

/* --- slots for the next frame --------------------------------------------------- */

static void make_iov(struct netvsp *n)
{
	unsigned int i;

	n->rx_iov[0] = (struct iovec){ &n->vh, sizeof(n->vh) };
	for (i = 0; i < n->rx_held_count; i++)
		n->rx_iov[1 + i] = (struct iovec){
			slots_memory(n, n->rx_held[i]) + n->headroom,
			slot_room(n),
		};
	n->rx_iov[1 + i] = (struct iovec){ n->overflow, sizeof(n->overflow) };
}

static bool hold_slots(struct netvsp *n)
{
	if (n->rx_held_count == n->rx_want)
		return true;
	while (n->rx_held_count < n->rx_want &&
	       n->slots_free > NETVSP_SPARE_SLOTS)
		n->rx_held[n->rx_held_count++] = slots_take(n);
	make_iov(n);
	return n->rx_held_count == n->rx_want;
}

static void used_slots(struct netvsp *n, unsigned int count)
{
	n->rx_held_count -= count;
	memmove(n->rx_held, n->rx_held + count,
		n->rx_held_count * sizeof(n->rx_held[0]));
}

static void drop_slots(struct netvsp *n)
{
	while (n->rx_held_count)
		slots_give(n, n->rx_held[--n->rx_held_count]);
}

void rx_stop(struct netvsp *n)
{
	unsigned int i;

	drop_slots(n);
	for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
		if (n->channels[i])
			n->channels[i]->pages.wire.count = 0;
	}
}

void rx_changed(struct netvsp *n)
{
	const struct netvsp_offloads *o = &n->offloads;
	struct netback_offloads want = {
		.csum = o->rx_csum[0][0] || o->rx_csum[0][1] ||
			o->rx_csum[1][0] || o->rx_csum[1][1],
		.tso4 = o->rsc[0] && o->rx_csum[0][0],
		.tso6 = o->rsc[1] && o->rx_csum[1][0],
	};

	drop_slots(n);
	n->rx_want = 1;
	if (n->slots && (want.tso4 || want.tso6))
		n->rx_want = (NETFRAME_MAX + slot_room(n) - 1) / slot_room(n);
	/* A buffer that is too small for the largest frames gets none of them */
	if (n->rx_want > 1 && n->control_slots + n->rx_want +
			      NETVSP_SPARE_SLOTS > n->slot_count) {
		n->rx_want = 1;
		want.tso4 = false;
		want.tso6 = false;
	}
	if (memcmp(&want, &n->back_offloads, sizeof(want)) &&
	    n->back->ops->set_offloads)
		n->back->ops->set_offloads(n->back, &want);
	n->back_offloads = want;
}

/* --- which frames --------------------------------------------------------------- */

static bool filter_passes(const struct netvsp *n, const uint8_t *to)
{
	static const uint8_t everybody[6] = { 255, 255, 255, 255, 255, 255 };
	unsigned int i;

	if (n->filter & NDIS_FILTER_PROMISCUOUS)
		return true;
	if (!(to[0] & 1))
		return n->filter & NDIS_FILTER_DIRECTED &&
		       !memcmp(to, n->address, 6);
	if (!memcmp(to, everybody, 6))
		return n->filter & NDIS_FILTER_BROADCAST;
	if (n->filter & NDIS_FILTER_ALL_MULTICAST)
		return true;
	for (i = 0; n->filter & NDIS_FILTER_MULTICAST && i < n->multicasts;
	     i++) {
		if (!memcmp(to, n->multicast[i], 6))
			return true;
	}
	return false;
}

/* Whether it is delivered; counts what is not */
static bool frame_wanted(struct netvsp *n, size_t len, const uint8_t *head,
			 const struct netframe *nf)
{
	size_t most = n->mtu + NETFRAME_ETH + (nf->tagged ? NETFRAME_TAG : 0);

	if (len < NETFRAME_ETH) {
		n->stats.rx_malformed++;
		return false;
	}
	if (n->vh.gso_type && n->rx_want > 1)
		most = (size_t)slot_room(n) * n->rx_held_count;
	if (len > most) {
		n->stats.rx_oversized++;
		return false;
	}
	if (!filter_passes(n, head)) {
		n->stats.rx_filtered++;
		return false;
	}
	return true;
}

/* --- what is said about them ------------------------------------------------------ */

/* Neither checksum is what it should be any more, and the guest is told so */
static void make_stale(const struct netvsp *n, const struct netframe *nf,
		       struct rx_info *info)
{
	static const uint8_t none[2] = { 0xde, 0xad };
	uint8_t *frame = n->rx_iov[1].iov_base;

	info->csum |= NDIS_RXCSUM_TCP_VALUE_INVALID;
	memcpy(frame + nf->l4 + TCP_CSUM_AT, none, sizeof(none));
	if (nf->ip != 4)
		return;
	info->csum |= NDIS_RXCSUM_IP_SUCCEEDED | NDIS_RXCSUM_IP_VALUE_INVALID;
	memcpy(frame + nf->l3 + IP_CSUM_AT, none, sizeof(none));
}

/* False: what the backend says of the checksum is not so */
static bool judge_csum(struct netvsp *n, size_t len, const struct netframe *nf,
		       struct rx_info *info)
{
	bool udp = nf->proto == IPPROTO_UDP;

	if (n->vh.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!netframe_fill(n->rx_iov + 1, len, n->vh.csum_start,
				   n->vh.csum_offset))
			return false;
		/* the sum of something inside that is not looked at here */
		if (n->vh.csum_start != nf->l4)
			return true;
	} else if (!(n->vh.flags & VIRTIO_NET_HDR_F_DATA_VALID) &&
		   n->rx_csum != NETVSP_RX_CSUM_FAILED) {
		return true;
	}
	if (!nf->l4 || !n->offloads.rx_csum[nf->ip == 6][udp])
		return true;
	info->has_csum = true;
	if (n->rx_csum == NETVSP_RX_CSUM_FAILED) {
		info->csum = udp ? NDIS_RXCSUM_UDP_FAILED :
				   NDIS_RXCSUM_TCP_FAILED;
		if (nf->ip == 4)
			info->csum |= NDIS_RXCSUM_IP_FAILED;
		return true;
	}
	info->csum = udp ? NDIS_RXCSUM_UDP_SUCCEEDED :
			   NDIS_RXCSUM_TCP_SUCCEEDED;
	if (n->rx_csum == NETVSP_RX_CSUM_STALE && !udp)
		make_stale(n, nf, info);
	n->stats.rx_csum++;
	return true;
}

static struct netvsp_channel *choose_channel(struct netvsp *n,
					     const uint8_t *head,
					     const struct netframe *nf,
					     struct rx_info *info)
{
	struct netvsp_channel *nc = NULL;
	uint8_t tuple[NETFRAME_TUPLE_MAX];
	unsigned int len;

	if (!n->rss.on)
		return n->channels[0];
	len = netframe_tuple(head, nf, n->rss.types, tuple);
	if (len) {
		info->has_hash = true;
		info->hash = toeplitz_hash(&n->rss.hash, tuple, len);
		nc = n->channels[n->rss.table[info->hash &
					      (n->rss.entries - 1)]];
	}
	return nc ? nc : n->channels[0];
}

/* The tag goes into the info, and what is before it moves up; bytes of it */
static unsigned int take_tag(struct netvsp *n, uint8_t *frame,
			     const uint8_t *head, const struct netframe *nf,
			     struct rx_info *info)
{
	unsigned int tci;

	if (!nf->tagged || !(n->capabilities & NVSP_CAP_8021Q))
		return 0;
	tci = head[NETFRAME_ETH] << 8 | head[NETFRAME_ETH + 1];
	info->has_vlan = true;
	info->vlan = tci >> 13 | (tci >> 12 & 1 ? NDIS_VLAN_CFI : 0) |
		     (tci & NDIS_VLAN_ID_MASK) << NDIS_VLAN_ID_SHIFT;
	memmove(frame + NETFRAME_TAG, frame, NETFRAME_MACS);
	return NETFRAME_TAG;
}

static uint8_t *put_info(uint8_t *at, uint32_t type, uint32_t value)
{
	struct {
		struct rndis_info info;
		uint32_t value;
	} __attribute__((packed)) i = {
		.info.size = sizeof(i),
		.info.type = type,
		.info.offset = sizeof(i.info),
		.value = value,
	};

	memcpy(at, &i, sizeof(i));
	return at + sizeof(i);
}

/* An RNDIS packet in a slot whose data is there already, @skip behind its place */
static void put_header(const struct netvsp *n, uint8_t *slot, unsigned int skip,
		       size_t len, const struct rx_info *info,
		       const struct ndis_packet_id *id)
{
	struct {
		struct rndis_header h;
		struct rndis_packet p;
	} __attribute__((packed)) head = {
		.h.type = RNDIS_TYPE_PACKET,
		.h.len = n->like->slot_claimed ? n->slot_bytes :
						 n->headroom + skip + len,
		.p.data_offset = n->headroom + skip - RNDIS_HEADER,
		.p.data_len = len,
	};
	uint8_t *at = slot + sizeof(head);
	uint32_t word;

	if (info && info->has_csum)
		at = put_info(at, NDIS_INFO_CHECKSUM, info->csum);
	if (info && info->has_vlan)
		at = put_info(at, NDIS_INFO_8021Q, info->vlan);
	if (info && info->has_hash)
		at = put_info(at, NDIS_INFO_HASH_VALUE, info->hash);
	if (id) {
		memcpy(&word, id, sizeof(word));
		at = put_info(at, NDIS_INFO_PACKET_ID, word);
	}
	if (at != slot + sizeof(head)) {
		head.p.info_offset = sizeof(head.p);
		head.p.info_len = at - slot - sizeof(head);
	}
	memcpy(slot, &head, sizeof(head));
}

/* All that there can be before a frame */
_Static_assert(RNDIS_HEADER + sizeof(struct rndis_packet) +
	       4 * (sizeof(struct rndis_info) + 4) <= NETVSP_HEADROOM,
	       "headroom");

/* The header again, and wrong */
static void spoil(const struct netvsp *n, const struct netvsp_fault *f,
		  uint8_t *slot, unsigned int skip, size_t len,
		  const struct rx_info *info, const struct ndis_packet_id *id,
		  unsigned int pieces)
{
	struct rx_info more = *info;
	struct ndis_packet_id piece = *id;

	more.has_csum = true;
	if (f->flags >= 0)
		piece.flags = f->flags;
	put_header(n, slot, skip, len, &more,
		   f->flags > 0 || (f->flags && pieces > 1) ? &piece : NULL);
	netvsp_fault_patch(f, slot, n->slot_bytes);
}

static void deliver(struct netvsp_channel *nc, unsigned int skip, size_t len,
		    const struct rx_info *info)
{
	struct netvsp *n = nc->n;
	unsigned int room = slot_room(n), count = (skip + len + room - 1) / room;
	struct ndis_packet_id id = {
		.version = NDIS_PACKET_ID_VERSION,
		.flags = NDIS_PACKET_ID_PIECES | NDIS_PACKET_ID_FIRST,
	};
	struct netvsp_fault *f = NULL;
	unsigned int i;

	if (nc->pages.wire.count + count > max_ranges(n))
		slots_send(nc, NVSP_CHANNEL_DATA);
	nc->stats.rx_bytes += len;
	n->stats.rx_bytes += len;
	if (count > 1)
		id.id = ++n->rsc_id;
	if (n->faults.list)
		f = netvsp_fault_take(n, POINT_FRAME, 0, 0);
	for (i = 0; i < count; i++) {
		size_t part = len < room - skip ? len : room - skip;

		if (i == count - 1)
			id.flags |= NDIS_PACKET_ID_LAST;
		put_header(n, slots_memory(n, n->rx_held[i]), skip, part,
			   i ? NULL : info, count > 1 ? &id : NULL);
		if (f && i == (f->piece < 0 ? count - 1 : (unsigned int)f->piece))
			spoil(n, f, slots_memory(n, n->rx_held[i]), skip, part,
			      info, &id, count);
		/* as hosts do it: all of the slot, whatever is in it */
		slots_add(nc, n->rx_held[i], n->slot_bytes);
		id.flags = NDIS_PACKET_ID_PIECES;
		len -= part;
		skip = 0;
	}
	used_slots(n, count);
	nc->stats.rx_packets++;
	n->stats.rx_packets++;
	if (++nc->pages.frames >= n->config.batch)
		slots_send(nc, NVSP_CHANNEL_DATA);
}

/* The frame of @len bytes that was read into the slots that are held */
static void take_frame(struct netvsp *n, size_t len)
{
	uint8_t *frame = n->rx_iov[1].iov_base, head[NETFRAME_HEAD];
	size_t head_len = len < sizeof(head) ? len : sizeof(head);
	struct rx_info info = { 0 };
	struct netvsp_channel *nc;
	struct netframe nf;
	unsigned int skip;

	memcpy(head, frame, head_len);
	netframe_parse(head, head_len, &nf);
	if (!frame_wanted(n, len, head, &nf))
		return;
	if (!judge_csum(n, len, &nf, &info)) {
		n->stats.rx_malformed++;
		return;
	}
	n->stats.rx_large += n->vh.gso_type != VIRTIO_NET_HDR_GSO_NONE;
	nc = choose_channel(n, head, &nf, &info);
	skip = take_tag(n, frame, head, &nf, &info);
	deliver(nc, skip, len - skip, &info);
}

/* --- the loop's poller -------------------------------------------------------------- */

void rx_readable(struct netback *nb, unsigned int queue)
{
	struct netvsp *n = nb->arg;

	n->rx_readable |= 1ull << queue;
}

/* One of the queues that may have something, in turn */
static unsigned int next_queue(struct netvsp *n)
{
	do {
		n->rx_queue = (n->rx_queue + 1) % n->back->queues;
	} while (!(n->rx_readable & 1ull << n->rx_queue));
	return n->rx_queue;
}

static ssize_t read_frame(struct netvsp *n, const struct iovec *iov, int count)
{
	unsigned int queue = next_queue(n);
	ssize_t ret = n->back->ops->receive(n->back, queue, iov, count);

	if (ret < 0) {
		n->rx_readable &= ~(1ull << queue);
		if (ret != -EAGAIN)
			log_debug("%s: receive: %s", n->dev.id,
				  strerror(-(int)ret));
	}
	return ret;
}

static bool guest_listens(const struct netvsp *n)
{
	return n->slots && n->rndis == NETVSP_RNDIS_UP && n->filter &&
	       n->carrier && !n->dev.retiring &&
	       !channel_gone(n->channels[0]->ch);
}

/* Nobody wants it, and nobody will want it when it is old */
static bool discard(struct netvsp *n)
{
	const struct iovec iov[2] = {
		{ &n->vh, sizeof(n->vh) },
		{ n->overflow, sizeof(n->overflow) },
	};
	int budget = RX_BUDGET;

	while (n->rx_readable && budget--) {
		if (read_frame(n, iov, 2) >= 0)
			n->stats.rx_discarded++;
	}
	return true;
}

/* A channel's ring is full: wait, or frames of others would overtake */
static bool guest_is_behind(const struct netvsp *n)
{
	unsigned int i;

	for (i = 0; i <= n->offered; i++) {
		if (n->channels[i] && channel_backlog(n->channels[i]->ch))
			return true;
	}
	return false;
}

static void send_all(struct netvsp *n)
{
	unsigned int i;

	for (i = 0; i <= n->offered; i++) {
		if (n->channels[i])
			slots_send(n->channels[i], NVSP_CHANNEL_DATA);
	}
	slots_show(n);
}

bool rx_poll(struct loop_poller *poller)
{
	struct netvsp *n = container_of(poller, struct netvsp, poller);
	int budget = RX_BUDGET;
	bool any = false;
	ssize_t ret;

	if (n->answers && slots_free_control(n)) {
		rndis_answers(n);
		any = true;
	}
	if (!n->rx_readable)
		return any;
	if (!guest_listens(n))
		return discard(n);
	if (guest_is_behind(n))
		return any;
	while (n->rx_readable && budget--) {
		if (!hold_slots(n)) {
			n->stats.rx_no_slots += !n->rx_starved;
			n->rx_starved = true;
			break;
		}
		n->rx_starved = false;
		ret = read_frame(n, n->rx_iov, 2 + n->rx_held_count);
		if (ret < 0)
			continue;
		any = true;
		if (ret < (ssize_t)sizeof(n->vh))
			n->stats.rx_malformed++;
		else
			take_frame(n, ret - sizeof(n->vh));
	}
	send_all(n);
	return any;
}
