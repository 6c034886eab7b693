// SPDX-License-Identifier: GPL-2.0-only
/*
 * The ring functions of the client API and of the channel core, on top of
 * ring.c, which has the protocol.
 *
 * The structs are those of <linux/hyperv.h>, because the API's inline functions
 * and the drivers use their fields. Two things are done differently here:
 *
 *  - outbound.priv_read_index, which the API does not use, holds the private copy
 *    of the write index, so that the host can't change it;
 *  - in front of inbound.pkt_buffer lies struct ring_rx.
 *
 * Drivers read until a ring is empty: foreach_vmbus_pkt() and hv_end_read(),
 * NAPI polling, vmbus_recvpacket() until it returns nothing. hv_end_read()
 * compares the two indices in the shared page; the functions here use the
 * private one. A host that writes a bad index could make the two disagree, and a
 * tasklet or NAPI would run for ever, since one finds packets and the other none.
 * So whenever no packet is found, the shared read index is set accordingly, and
 * the ring is read once more after that: a driver in HV_CALL_DIRECT mode is
 * called again only for a signal, and the host signals only if it saw that
 * index.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/hyperv.h>
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/printk.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/vmalloc.h>

#include "ring.h"
#include "ring_api.h"
#include "trace.h"

#define CTL_SAME(a, b)							\
	static_assert(offsetof(struct ring_ctl, a) ==			\
		      offsetof(struct hv_ring_buffer, b))

CTL_SAME(write_index, write_index);
CTL_SAME(read_index, read_index);
CTL_SAME(interrupt_mask, interrupt_mask);
CTL_SAME(pending_send_sz, pending_send_sz);
CTL_SAME(feature_bits, feature_bits);
static_assert(sizeof(struct hv_ring_buffer) == PAGE_SIZE);
static_assert(sizeof(struct ring_desc) == sizeof(struct vmpacket_descriptor));
static_assert(offsetof(struct ring_desc, trans_id) ==
	      offsetof(struct vmpacket_descriptor, trans_id));

/*
 * How often in a row ring_read() says -ENOBUFS for the same packet. Some
 * drivers call again with a larger buffer; others never do, and would be called
 * for ever for a packet that they can't receive.
 */
#define RING_MAX_NOBUFS		64

/**
 * struct ring_rx - what the receiving side keeps beyond hv_ring_buffer_info
 * @nobufs_pos: where the packet lies that did not fit the last time
 * @nobufs_count: how often it did not
 * @pkt: what hv_ring_buffer_info.pkt_buffer points to
 */
struct ring_rx {
	u32 nobufs_pos;
	u32 nobufs_count;
	u8 pkt[] __aligned(8);
};

static struct ring_rx *ring_rx(const struct hv_ring_buffer_info *rbi)
{
	return container_of(rbi->pkt_buffer, struct ring_rx, pkt[0]);
}

static struct ring ring_view(const struct hv_ring_buffer_info *rbi)
{
	return (struct ring) {
		.ctl = (struct ring_ctl *)rbi->ring_buffer,
		.data = rbi->ring_buffer->buffer,
		.size = rbi->ring_datasize,
		.pos = rbi->priv_read_index,
		.twice = true,
	};
}

void ring_prepare(struct hv_ring_buffer_info *rbi)
{
	mutex_init(&rbi->ring_buffer_mutex);
	spin_lock_init(&rbi->ring_lock);
}

static void ring_begin(struct hv_ring_buffer_info *rbi,
		       struct hv_ring_buffer *ring)
{
	memset(ring, 0, sizeof(*ring));
	/* on the incoming ring, too, where the host may use it or not */
	ring->feature_bits.value = RING_FEAT_PENDING;
	rbi->priv_read_index = 0;
}

int ring_map(struct hv_ring_buffer_info *rbi, struct page *pages, u32 page_cnt,
	     u32 max_pkt_size)
{
	struct hv_ring_buffer *ring;
	struct page **twice;
	u32 i, data_cnt;

	if (page_cnt < 2 || page_cnt > INT_MAX >> PAGE_SHIFT)
		return -EINVAL;
	data_cnt = page_cnt - 1;

	/* of an earlier open: the same pages, which vmbus_free_ring() unmaps */
	if (rbi->ring_buffer && rbi->pkt_buffer_size == max_pkt_size) {
		if (rbi->pkt_buffer)
			memset(ring_rx(rbi), 0, sizeof(struct ring_rx));
		ring_begin(rbi, rbi->ring_buffer);
		return 0;
	}
	if (rbi->ring_buffer)
		ring_unmap(rbi);

	if (max_pkt_size) {
		struct ring_rx *rx;

		rx = kvzalloc(struct_size(rx, pkt, max_pkt_size), GFP_KERNEL);
		if (!rx)
			return -ENOMEM;
		rbi->pkt_buffer = rx->pkt;
		rbi->pkt_buffer_size = max_pkt_size;
	}

	twice = kvmalloc_array(1 + 2 * data_cnt, sizeof(*twice), GFP_KERNEL);
	if (!twice)
		goto free_rx;
	twice[0] = pages;
	for (i = 0; i < data_cnt; i++)
		twice[1 + i] = twice[1 + data_cnt + i] = pages + 1 + i;
	ring = vmap(twice, 1 + 2 * data_cnt, VM_MAP, PAGE_KERNEL);
	kvfree(twice);
	if (!ring)
		goto free_rx;

	rbi->ring_size = page_cnt << PAGE_SHIFT;
	rbi->ring_size_div10_reciprocal = reciprocal_value(rbi->ring_size / 10);
	rbi->ring_datasize = rbi->ring_size - sizeof(*ring);
	ring_begin(rbi, ring);

	/* last: sysfs, which reads at any time, sees all fields or none */
	mutex_lock(&rbi->ring_buffer_mutex);
	rbi->ring_buffer = ring;
	mutex_unlock(&rbi->ring_buffer_mutex);
	return 0;

free_rx:
	if (rbi->pkt_buffer)
		kvfree(ring_rx(rbi));
	rbi->pkt_buffer = NULL;
	rbi->pkt_buffer_size = 0;
	return -ENOMEM;
}

void ring_unmap(struct hv_ring_buffer_info *rbi)
{
	struct hv_ring_buffer *ring = rbi->ring_buffer;
	unsigned long flags;

	mutex_lock(&rbi->ring_buffer_mutex);
	/* a driver that sends after its close finds no ring */
	spin_lock_irqsave(&rbi->ring_lock, flags);
	rbi->ring_buffer = NULL;
	spin_unlock_irqrestore(&rbi->ring_lock, flags);
	vunmap(ring);
	mutex_unlock(&rbi->ring_buffer_mutex);

	if (rbi->pkt_buffer)
		kvfree(ring_rx(rbi));
	rbi->pkt_buffer = NULL;
	rbi->pkt_buffer_size = 0;
}

/* A write found no room: once for each stretch of time, and every time */
static void ring_count_full(struct vmbus_channel *channel)
{
	++channel->out_full_total;
	if (!channel->out_full_flag) {
		++channel->out_full_first;
		channel->out_full_flag = true;
	}
}

int ring_write(struct vmbus_channel *channel, const struct kvec *kv,
	       u32 kv_count, u64 requestid, u64 *trans_id)
{
	struct hv_ring_buffer_info *rbi = &channel->outbound;
	const struct vmpacket_descriptor *desc = kv[0].iov_base;
	u64 id = VMBUS_NO_RQSTOR, wire_id;
	u16 type = desc->type;
	unsigned long flags;
	struct ring r;
	bool signal;
	int len;

	if (READ_ONCE(channel->rescind))
		return -ENODEV;

	spin_lock_irqsave(&rbi->ring_lock, flags);
	if (unlikely(!rbi->ring_buffer)) {
		len = -ENODEV;
		goto fail;
	}

	r = ring_view(rbi);
	len = ring_send_begin(&r, kv, kv_count);
	if (len < 0) {
		if (len == -EAGAIN)
			ring_count_full(channel);
		goto fail;
	}
	channel->out_full_flag = false;

	/*
	 * Last, when nothing can fail any more: as soon as the id exists, a
	 * completion that the host made up can find it and free what it stands
	 * for. Neither requestid nor desc is followed after this.
	 */
	if (desc->flags == VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED &&
	    channel->next_request_id_callback) {
		id = channel->next_request_id_callback(channel, requestid);
		if (id == VMBUS_RQST_ERROR) {
			len = -EAGAIN;
			goto fail;
		}
	}
	wire_id = id == VMBUS_NO_RQSTOR ? requestid : id;
	ring_send_set_id(&r, wire_id);
	if (trans_id)
		*trans_id = wire_id;

	/*
	 * The decision is made under the lock: made later, with other senders
	 * in between, the read index might have come round to where this packet
	 * started, for a second signal.
	 */
	signal = ring_send_commit(&r, len);
	rbi->priv_read_index = r.pos;
	if (signal)
		++channel->intr_out_empty;
	spin_unlock_irqrestore(&rbi->ring_lock, flags);

	trace_synth_packet_out(channel, type, len, wire_id);
	if (signal)
		vmbus_setevent(channel);

	if (unlikely(READ_ONCE(channel->rescind))) {
		/* the caller will not wait for a completion: nor must the id */
		if (id != VMBUS_NO_RQSTOR && channel->request_addr_callback)
			channel->request_addr_callback(channel, id);
		return -ENODEV;
	}
	return 0;

fail:
	spin_unlock_irqrestore(&rbi->ring_lock, flags);
	if (len == -EPROTO)
		pr_err_ratelimited("channel %u: bad read index from the host\n",
				   channel->offermsg.child_relid);
	return len;
}

/* Give back what was read so far */
static void ring_rx_commit(struct vmbus_channel *channel, struct ring *r)
{
	if (ring_recv_commit(r)) {
		++channel->intr_in_full;
		vmbus_setevent(channel);
	}
}

/*
 * Find the next packet that the driver can take: false: there is none. Packets
 * longer than the driver said are thrown away, and so is all that stands in the
 * ring if it is no packet at all. Such packets may have been answers, so a
 * driver may wait in vain then, but it does not act on what was not checked.
 */
static bool ring_rx_next(struct vmbus_channel *channel, struct ring *r,
			 struct ring_desc *desc)
{
	struct hv_ring_buffer_info *rbi = &channel->inbound;
	u32 relid = channel->offermsg.child_relid;
	u32 tries;
	int ret;

	/* a bound, for a host that writes nonsense as fast as we throw it away */
	for (tries = r->size / sizeof(*desc); tries; tries--) {
		ret = ring_recv_peek(r, desc);
		if (likely(ret == 1)) {
			if (likely(desc->len8 * 8u <= rbi->pkt_buffer_size)) {
				trace_synth_packet_in(channel, desc->type,
						      desc->len8 * 8u,
						      desc->trans_id);
				return true;
			}
			pr_err_ratelimited("channel %u: packet of %u bytes dropped, the driver takes %u\n",
					   relid, desc->len8 * 8u,
					   rbi->pkt_buffer_size);
			ring_recv_advance(r, desc->len8 * 8u);
			rbi->priv_read_index = r->pos;
			continue;
		}
		if (ret < 0) {
			pr_err_ratelimited("channel %u: %s from the host, incoming packets dropped\n",
					   relid, ret == -EPROTO ?
					   "bad write index" :
					   "malformed packet");
			if (ring_recv_discard(r)) {
				++channel->intr_in_full;
				vmbus_setevent(channel);
			}
			rbi->priv_read_index = r->pos;
			if (ret == -EPROTO)
				return false;
			continue;
		}
		/* see the top of this file */
		if (READ_ONCE(r->ctl->read_index) == r->pos)
			return false;
		/*
		 * A packet written since that look went into a ring that was
		 * not empty yet, so no signal tells of it: look again.
		 */
		ring_rx_commit(channel, r);
	}
	ring_rx_commit(channel, r);
	return false;
}

/**
 * hv_pkt_iter_first() - a copy of the next incoming packet
 * @channel: an opened channel
 *
 * Does not advance: without __hv_pkt_iter_next() it finds the same packet
 * again. Lengths in the copy are consistent, and at most max_pkt_size.
 *
 * Context: any, but one reader of a channel at a time.
 * Return: the copy, valid until the next call for this channel; NULL if there
 *	is no packet.
 */
struct vmpacket_descriptor *hv_pkt_iter_first(struct vmbus_channel *channel)
{
	struct hv_ring_buffer_info *rbi = &channel->inbound;
	struct ring_desc *desc = rbi->pkt_buffer;
	struct ring r = ring_view(rbi);
	struct ring_desc first;

	if (!ring_rx_next(channel, &r, &first))
		return NULL;
	*desc = first;
	ring_recv_copy(&r, sizeof(first), desc + 1,
		       first.len8 * 8u - sizeof(first));
	return rbi->pkt_buffer;
}

/**
 * __hv_pkt_iter_next() - go to the next packet, without giving back this one
 * @channel: an opened channel
 * @pkt: what hv_pkt_iter_first() or this function returned last
 *
 * Context, return: as hv_pkt_iter_first(). hv_pkt_iter_close() tells the host.
 */
struct vmpacket_descriptor *
__hv_pkt_iter_next(struct vmbus_channel *channel,
		   const struct vmpacket_descriptor *pkt)
{
	struct hv_ring_buffer_info *rbi = &channel->inbound;
	struct ring r = ring_view(rbi);

	ring_recv_advance(&r, pkt->len8 * 8u);
	rbi->priv_read_index = r.pos;

	return hv_pkt_iter_first(channel);
}

/**
 * hv_pkt_iter_close() - give the packets that were read back to the host
 * @channel: an opened channel
 *
 * Signals if the host waits for room and now has it.
 *
 * Context: as hv_pkt_iter_first().
 */
void hv_pkt_iter_close(struct vmbus_channel *channel)
{
	struct ring r = ring_view(&channel->inbound);

	ring_rx_commit(channel, &r);
}

/* Whether to give up on a packet for which no large enough buffer comes */
static bool ring_nobufs(struct hv_ring_buffer_info *rbi)
{
	struct ring_rx *rx = ring_rx(rbi);

	if (rx->nobufs_pos != rbi->priv_read_index) {
		rx->nobufs_pos = rbi->priv_read_index;
		rx->nobufs_count = 0;
	}
	if (++rx->nobufs_count < RING_MAX_NOBUFS)
		return false;
	rx->nobufs_count = 0;
	return true;
}

int ring_read(struct vmbus_channel *channel, void *buffer, u32 buflen,
	      u32 *actual_len, u64 *requestid, bool raw)
{
	struct hv_ring_buffer_info *rbi = &channel->inbound;
	struct ring r = ring_view(rbi);
	u32 tries, len, offset;
	struct ring_desc desc;
	int ret = 0;

	*actual_len = 0;
	*requestid = 0;
	if (!buflen)
		return -EINVAL;

	for (tries = r.size / sizeof(desc); tries; tries--) {
		if (!ring_rx_next(channel, &r, &desc))
			return 0;

		offset = raw ? 0 : desc.offset8 * 8u;
		len = desc.len8 * 8u - offset;
		*actual_len = len;
		*requestid = desc.trans_id;

		if (len > buflen) {
			ret = -ENOBUFS;
			if (!ring_nobufs(rbi))
				return ret;
			pr_err_ratelimited("channel %u: packet of %u bytes dropped, the driver offers %u\n",
					   channel->offermsg.child_relid, len,
					   buflen);
		} else if (raw) {
			/* the checked copy of the descriptor, not a second one */
			memcpy(buffer, &desc, sizeof(desc));
			ring_recv_copy(&r, sizeof(desc), buffer + sizeof(desc),
				       len - sizeof(desc));
		} else {
			ring_recv_copy(&r, offset, buffer, len);
		}

		ring_recv_advance(&r, desc.len8 * 8u);
		rbi->priv_read_index = r.pos;
		ring_rx_commit(channel, &r);

		/*
		 * To a driver a length of 0 means that there is no packet. It would
		 * stop reading before the packets behind this one, for which no
		 * signal comes any more.
		 */
		if (len)
			return ret;
		*requestid = 0;
	}
	return 0;
}

/**
 * hv_ringbuffer_get_debuginfo() - a snapshot of one direction
 * @ring_info: the direction
 * @debug_info: filled in. The byte counts are 0 if an index is bad
 *
 * Context: process, sleeps. Return: 0; -EINVAL if the ring is not mapped.
 */
int hv_ringbuffer_get_debuginfo(struct hv_ring_buffer_info *ring_info,
				struct hv_ring_buffer_debug_info *debug_info)
{
	struct ring r;
	u32 rd, wr;

	mutex_lock(&ring_info->ring_buffer_mutex);
	if (!ring_info->ring_buffer) {
		mutex_unlock(&ring_info->ring_buffer_mutex);
		return -EINVAL;
	}

	r = ring_view(ring_info);
	rd = READ_ONCE(r.ctl->read_index);
	wr = READ_ONCE(r.ctl->write_index);
	memset(debug_info, 0, sizeof(*debug_info));
	debug_info->current_read_index = rd;
	debug_info->current_write_index = wr;
	debug_info->current_interrupt_mask = READ_ONCE(r.ctl->interrupt_mask);
	if (ring_index_ok(&r, rd) && ring_index_ok(&r, wr)) {
		debug_info->bytes_avail_toread = ring_used(&r, rd, wr);
		debug_info->bytes_avail_towrite =
			r.size - debug_info->bytes_avail_toread;
	}
	mutex_unlock(&ring_info->ring_buffer_mutex);
	return 0;
}

/**
 * hv_ringbuffer_spinlock_busy() - whether a packet is being sent
 * @channel: an opened channel
 *
 * For use in a panic, where a CPU that holds the lock does not release it any more.
 *
 * Context: any.
 */
bool hv_ringbuffer_spinlock_busy(struct vmbus_channel *channel)
{
	return spin_is_locked(&channel->outbound.ring_lock);
}
