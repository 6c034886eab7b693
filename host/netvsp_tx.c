// SPDX-License-Identifier: GPL-2.0-only
/*
 * Frames from the guest. They go to the backend straight from the guest's memory;
 * what is copied are headers that have to be completed.
 *
 * The guest may write to its memory meanwhile. RNDIS headers, per-packet info and
 * frame headers that decide anything are therefore copied first.
 */
#include <errno.h>
#include <string.h>

#include "netvsp.h"

#define TX_MAX_IOV	1024	/* of writev() */

/* Completions: no more than they say. Most of the packets in the ring are these */
#define RNDIS_COMPLETE_BYTES	8u

/* An RNDIS packet and where it lies */
struct tx_message {
	const struct iovec *iov;
	unsigned int count;
	size_t bytes;		/* of @iov */
	size_t first;		/* of them: headers are in these */
	struct rndis_header h;
	struct rndis_packet p;
};

/* Its per-packet info */
struct tx_info {
	bool has_csum, has_lso, has_vlan;
	uint32_t csum, lso, vlan;
};

static void gather(const struct iovec *iov, size_t skip, void *to, size_t len)
{
	while (len) {
		size_t part;

		while (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			iov++;
		}
		part = iov->iov_len - skip;
		if (part > len)
			part = len;
		memcpy(to, (const char *)iov->iov_base + skip, part);
		to = (char *)to + part;
		skip += part;
		len -= part;
	}
}

/* Add a piece of @iov to @out; its new count, or -1 if it is full */
static int slice(const struct iovec *iov, size_t skip, size_t len,
		 struct iovec *out, int n)
{
	while (len) {
		size_t part;

		while (skip >= iov->iov_len) {
			skip -= iov->iov_len;
			iov++;
		}
		if (n < 0 || n == TX_MAX_IOV)
			return -1;
		part = iov->iov_len - skip;
		if (part > len)
			part = len;
		out[n++] = (struct iovec){ (char *)iov->iov_base + skip, part };
		skip += part;
		len -= part;
	}
	return n;
}

/* --- what RNDIS says ---------------------------------------------------------- */

static const char *take_info(const uint8_t *info, size_t len,
			     struct tx_info *out)
{
	memset(out, 0, sizeof(*out));
	while (len) {
		struct rndis_info i;
		uint32_t value;

		if (len < sizeof(i))
			return "per-packet info is cut short";
		memcpy(&i, info, sizeof(i));
		if (i.size < sizeof(i) || i.size > len)
			return "per-packet info of a size that does not fit";
		if (i.offset < sizeof(i) || i.offset > i.size ||
		    i.size - i.offset < sizeof(value))
			return "per-packet info whose value is outside";
		memcpy(&value, info + i.offset, sizeof(value));
		switch (i.type) {
		case NDIS_INFO_CHECKSUM:
			out->has_csum = true;
			out->csum = value;
			break;
		case NDIS_INFO_LSO:
			out->has_lso = true;
			out->lso = value;
			break;
		case NDIS_INFO_8021Q:
			out->has_vlan = true;
			out->vlan = value;
			break;
		}
		info += i.size;
		len -= i.size;
	}
	return NULL;
}

/* What is wrong with a message, or NULL */
static const char *take_message(struct tx_message *m, struct tx_info *info)
{
	uint8_t buf[NETVSP_INFO_MAX];
	size_t room;

	if (m->first < RNDIS_HEADER + sizeof(m->p))
		return "the header of an RNDIS packet is not in the first range";
	gather(m->iov, 0, &m->h, RNDIS_HEADER);
	gather(m->iov, RNDIS_HEADER, &m->p, sizeof(m->p));
	if (m->h.type != RNDIS_TYPE_PACKET)
		return "data that is no RNDIS packet";
	if (m->h.len < RNDIS_HEADER + sizeof(m->p) || m->h.len > m->bytes)
		return "an RNDIS packet says more or less than there is";
	room = m->h.len - RNDIS_HEADER;
	if (m->p.data_offset < sizeof(m->p) || m->p.data_offset > room ||
	    m->p.data_len > room - m->p.data_offset)
		return "the data of an RNDIS packet is outside";
	if (!m->p.info_len) {
		memset(info, 0, sizeof(*info));
		return NULL;
	}
	if (m->p.info_offset < sizeof(m->p) || m->p.info_offset > room ||
	    m->p.info_len > room - m->p.info_offset)
		return "the per-packet info of an RNDIS packet is outside";
	if (m->p.info_len > sizeof(buf))
		return "per-packet info without end";
	if (RNDIS_HEADER + m->p.info_offset + m->p.info_len > m->first)
		return "the per-packet info of an RNDIS packet is not in the first range";
	gather(m->iov, RNDIS_HEADER + m->p.info_offset, buf, m->p.info_len);
	return take_info(buf, m->p.info_len, info);
}

/* --- frames ------------------------------------------------------------------- */

/* A tag of 802.1Q, or of 802.1ad */
static bool has_tag(const struct tx_message *m)
{
	uint8_t type[2];

	gather(m->iov, RNDIS_HEADER + m->p.data_offset + NETFRAME_MACS, type,
	       sizeof(type));
	return (type[0] == 0x81 && !type[1]) ||
	       (type[0] == 0x88 && type[1] == 0xa8);
}

static bool fits(const struct netvsp *n, const struct tx_message *m, bool tagged)
{
	return m->p.data_len <= n->mtu + NETFRAME_ETH +
				(tagged ? NETFRAME_TAG : 0);
}

static bool want_csum(const struct netvsp *n, const struct tx_message *m,
		      uint32_t csum, struct netframe_header *vh)
{
	bool udp = csum & NDIS_TXCSUM_UDP, ip6 = csum & NDIS_TXCSUM_IPV6;
	unsigned int l4 = csum >> NDIS_TXCSUM_L4_OFFSET_SHIFT &
			  NDIS_TXCSUM_L4_OFFSET_MAX;
	uint8_t head[NDIS_TXCSUM_L4_OFFSET_MAX];
	size_t len = l4 < m->p.data_len ? l4 : m->p.data_len;

	if (csum & NDIS_TXCSUM_IP_HEADER)
		return false;	/* not offered */
	if (!(csum & (NDIS_TXCSUM_TCP | NDIS_TXCSUM_UDP)))
		return true;
	if (udp == !!(csum & NDIS_TXCSUM_TCP) ||
	    ip6 == !!(csum & NDIS_TXCSUM_IPV4) || !n->offloads.tx_csum[ip6][udp])
		return false;
	gather(m->iov, RNDIS_HEADER + m->p.data_offset, head, len);
	return netframe_offload_csum(vh, head, len, m->p.data_len, ip6, udp, l4);
}

/*
 * What the headers of a large send lack is put in a copy, which is then sent in
 * their place; bytes of it, 0 if the frame is not what was said
 */
static size_t want_lso(const struct netvsp *n, const struct tx_message *m,
		       uint32_t lso, uint8_t *head, struct netframe_header *vh)
{
	bool ip6 = lso & NDIS_LSO_IPV6;
	size_t len = m->p.data_len < NETFRAME_HEAD ? m->p.data_len :
						     NETFRAME_HEAD;

	if (!(lso & NDIS_LSO_V2) || !n->offloads.lso[ip6])
		return 0;
	gather(m->iov, RNDIS_HEADER + m->p.data_offset, head, len);
	return netframe_offload_lso(vh, head, len, m->p.data_len, ip6,
				    lso >> NDIS_LSO_L4_OFFSET_SHIFT &
				    NDIS_LSO_L4_OFFSET_MAX,
				    lso & NDIS_LSO_MSS_MASK);
}

static void make_tag(uint32_t vlan, uint8_t *tag)
{
	unsigned int id = vlan >> NDIS_VLAN_ID_SHIFT & NDIS_VLAN_ID_MASK;

	tag[0] = 0x81;
	tag[1] = 0x00;
	tag[2] = (vlan & NDIS_VLAN_PRIORITY_MASK) << 5 |
		 !!(vlan & NDIS_VLAN_CFI) << 4 | id >> 8;
	tag[3] = id;
}

/* One frame; false if it is refused */
static bool send_frame(struct netvsp_channel *nc, const struct tx_message *m,
		       const struct tx_info *info)
{
	size_t at = RNDIS_HEADER + m->p.data_offset, len = m->p.data_len;
	size_t head_len = 0, macs = 0;
	struct netframe_header vh = { 0 };
	uint8_t head[NETFRAME_HEAD], tag[NETFRAME_TAG];
	struct iovec out[TX_MAX_IOV];
	struct netvsp *n = nc->n;
	int count = 0, ret;
	bool tagged;

	if (len < NETFRAME_ETH)
		return false;
	tagged = has_tag(m);
	if (tagged && n->like->tags_dropped) {
		/* as by a switch whose port is in no trunk: nobody is told */
		n->stats.tx_tagged++;
		return true;
	}
	if (tagged && n->like->tags_plain &&
	    (info->has_lso || (info->has_csum && info->csum &
			       (NDIS_TXCSUM_TCP | NDIS_TXCSUM_UDP))))
		return false;
	if (info->has_lso) {
		head_len = want_lso(n, m, info->lso, head, &vh);
		if (!head_len)
			return false;
	} else if (!fits(n, m, tagged) ||
		   (info->has_csum && !want_csum(n, m, info->csum, &vh))) {
		return false;
	}
	out[count++] = (struct iovec){ &vh, sizeof(vh) };
	if (info->has_vlan) {
		make_tag(info->vlan, tag);
		macs = NETFRAME_MACS;
		if (vh.flags)
			vh.csum_start += NETFRAME_TAG;
		if (head_len) {
			vh.hdr_len += NETFRAME_TAG;
			out[count++] = (struct iovec){ head, macs };
		} else {
			count = slice(m->iov, at, macs, out, count);
		}
		out[count++] = (struct iovec){ tag, sizeof(tag) };
	}
	if (head_len)
		out[count++] = (struct iovec){ head + macs, head_len - macs };
	else
		head_len = macs;
	count = slice(m->iov, at + head_len, len - head_len, out, count);
	if (count < 0)
		return false;

	if (!n->carrier || n->dev.retiring) {
		n->stats.tx_dropped++;
		return true;
	}
	ret = n->back->ops->send(n->back, nc->index % n->back->queues, out,
				 count);
	if (ret) {
		/* as where a switch drops it: nobody is told */
		n->stats.tx_failed++;
		log_trace("%s: a frame of %zu bytes is lost: %s", n->dev.id,
			  len, strerror(-ret));
		return true;
	}
	n->stats.tx_packets++;
	n->stats.tx_bytes += len;
	n->stats.tx_lso += info->has_lso;
	n->stats.tx_csum += !info->has_lso && vh.flags;
	nc->stats.tx_packets++;
	nc->stats.tx_bytes += len;
	return true;
}

/* --- packets ------------------------------------------------------------------ */

/* One message; what is wrong, or NULL. @refused counts frames */
static const char *send_message(struct netvsp_channel *nc, struct tx_message *m,
				unsigned int *refused)
{
	struct tx_info info;
	const char *why = take_message(m, &info);

	if (why)
		return why;
	if (!send_frame(nc, m, &info)) {
		if (!nc->n->stats.tx_refused++)
			log_warn("%s: a frame of %u bytes is refused: checksum 0x%x, large send 0x%x",
				 nc->n->dev.id, m->p.data_len,
				 info.has_csum ? info.csum : 0,
				 info.has_lso ? info.lso : 0);
		++*refused;
	}
	return NULL;
}

/* Messages in a section; the last may go on in the packet's ranges */
static const char *send_section(struct netvsp_channel *nc,
				const struct packet *pkt, uint8_t *section,
				size_t bytes, unsigned int *refused)
{
	struct iovec iov[TX_MAX_IOV];
	struct tx_message m = { .iov = iov };
	unsigned int messages = 0;
	size_t at = 0;
	const char *why;

	if (pkt->iov_count >= TX_MAX_IOV)
		return "more pages than any frame has";
	if (pkt->iov_count)
		memcpy(iov + 1, pkt->iov, pkt->iov_count * sizeof(*iov));
	do {
		if (messages++ == NETVSP_MAX_PACKETS)
			return "more messages in a section than RNDIS has agreed on";
		if (at % (1u << NETVSP_ALIGN_SHIFT))
			return "a message in a section is not aligned";
		iov[0] = (struct iovec){ section + at, bytes - at };
		m.count = 1 + pkt->iov_count;
		m.first = bytes - at;
		m.bytes = m.first + pkt->iov_bytes;
		why = send_message(nc, &m, refused);
		if (why)
			return why;
		at += m.h.len;
		nc->n->stats.tx_in_section++;
	} while (at < bytes);
	return at == bytes + pkt->iov_bytes ? NULL :
	       "ranges that no message uses";
}

static const char *send_ranges(struct netvsp_channel *nc,
			       const struct packet *pkt, unsigned int *refused)
{
	struct tx_message m = {
		.iov = pkt->iov,
		.count = pkt->iov_count,
		.bytes = pkt->iov_bytes,
	};
	const char *why;

	if (pkt->type != PACKET_GPA_DIRECT)
		return "an RNDIS message that is nowhere";
	m.first = pkt->ranges[0].bytes;
	why = send_message(nc, &m, refused);
	if (!why && m.h.len != m.bytes)
		why = "an RNDIS packet says less than there is";
	return why;
}

static size_t completion_bytes(struct netvsp *n)
{
	static const uint8_t sizes[] = {
		RNDIS_COMPLETE_BYTES, NVSP_MESSAGE_SIZE, NVSP_MESSAGE_SIZE_61,
	};

	switch (n->like->completion) {
	case PROFILE_COMPLETION_VARIED:
		return sizes[n->completions++ % sizeof(sizes)];
	case PROFILE_COMPLETION_WHOLE:
		return n->message_bytes;
	default:
		return RNDIS_COMPLETE_BYTES;
	}
}

static void complete(struct netvsp_channel *nc, const struct packet *pkt,
		     const struct nvsp_message *rsp)
{
	struct netvsp_fault *f = NULL;
	size_t len = completion_bytes(nc->n);

	if (nc->n->faults.list)
		f = netvsp_fault_take(nc->n, POINT_TX, 0, 0);
	if (f)
		netvsp_fault_complete(f, nc->ch, pkt->trans_id, rsp, len);
	else
		channel_complete_soon(nc->ch, pkt->trans_id, rsp, len, 0);
}

static void take_control(struct netvsp_channel *nc, const struct packet *pkt,
			 uint8_t *section, size_t bytes)
{
	struct iovec in_section = { section, bytes };
	uint8_t buf[NETVSP_CONTROL_MAX];
	struct nvsp_message rsp = {
		.type = NVSP_SEND_RNDIS_PACKET_COMPLETE,
		.rndis_complete.status = NVSP_STATUS_SUCCESS,
	};

	if (nc->index) {
		channel_error(nc->ch, "netvsp: RNDIS control on a subchannel");
		return;
	}
	if (!section)
		bytes = pkt->iov_bytes;
	if (!bytes || bytes > sizeof(buf) || (section && pkt->iov_bytes)) {
		channel_error(nc->ch, "netvsp: RNDIS control message of %zu bytes",
			      bytes + (section ? pkt->iov_bytes : 0));
		return;
	}
	gather(section ? &in_section : pkt->iov, 0, buf, bytes);
	complete(nc, pkt, &rsp);
	rndis_control(nc->n, nc->ch, buf, bytes);
}

/* Where a packet's section is; NULL after channel_error() */
static uint8_t *find_section(struct netvsp_channel *nc,
			     const struct nvsp_rndis_packet *rp)
{
	struct netvsp *n = nc->n;

	if (!n->send.map ||
	    rp->section >= n->send.bytes / n->config.section) {
		channel_error(nc->ch, "netvsp: section %u of the send buffer",
			      rp->section);
		return NULL;
	}
	if (!rp->section_bytes || rp->section_bytes > n->config.section) {
		channel_error(nc->ch, "netvsp: %u bytes in a section",
			      rp->section_bytes);
		return NULL;
	}
	return n->send.map + (size_t)rp->section * n->config.section;
}

void tx_packet(struct netvsp_channel *nc, const struct packet *pkt,
	       const struct nvsp_message *msg)
{
	struct nvsp_message rsp = {
		.type = NVSP_SEND_RNDIS_PACKET_COMPLETE,
		.rndis_complete.status = NVSP_STATUS_SUCCESS,
	};
	unsigned int refused = 0;
	uint8_t *section = NULL;
	const char *why;

	if (!nvsp_is_padded(msg, sizeof(msg->rndis))) {
		channel_error(nc->ch,
			      "netvsp: an RNDIS packet has something behind its fields");
		return;
	}
	if (nc->n->state != NETVSP_READY) {
		channel_error(nc->ch,
			      "netvsp: RNDIS before the end of the negotiation");
		return;
	}
	if (!pkt->wants_completion) {
		channel_error(nc->ch, "netvsp: RNDIS packet that wants no completion");
		return;
	}
	if (msg->rndis.section != NVSP_NO_SECTION) {
		section = find_section(nc, &msg->rndis);
		if (!section)
			return;
	}
	if (msg->rndis.channel_type == NVSP_CHANNEL_CONTROL) {
		take_control(nc, pkt, section,
			     section ? msg->rndis.section_bytes : 0);
		return;
	}
	nc->last_id = pkt->trans_id;
	if (msg->rndis.channel_type != NVSP_CHANNEL_DATA)
		why = "an RNDIS packet of an unknown channel type";
	else if (nc->n->rndis == NETVSP_RNDIS_NONE)
		why = "data before RNDIS is initialised";
	else if (nc->n->rndis == NETVSP_RNDIS_HALTED)
		why = NULL;	/* another channel's HALT was faster */
	else if (section)
		why = send_section(nc, pkt, section, msg->rndis.section_bytes,
				   &refused);
	else
		why = send_ranges(nc, pkt, &refused);
	if (why) {
		channel_error(nc->ch, "netvsp: %s", why);
		return;
	}
	if (refused)
		rsp.rndis_complete.status = NVSP_STATUS_FAILURE;
	complete(nc, pkt, &rsp);
}
