// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "ring.h"

#define ring_fence()	__atomic_thread_fence(__ATOMIC_SEQ_CST)

static uint32_t ring_load(const uint32_t *p)
{
	return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void ring_store(uint32_t *p, uint32_t v)
{
	__atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static int ring_bad(struct hring *r, const char *why)
{
	r->why = why;
	return -EPROTO;
}

static bool ring_index_ok(const struct hring *r, uint32_t index)
{
	return index < r->size && index % 8 == 0;
}

static int ring_init(struct hring *r, void *base, uint32_t bytes)
{
	memset(r, 0, sizeof(*r));
	if (bytes < 2 * VMBUS_WIRE_PAGE_SIZE || bytes % VMBUS_WIRE_PAGE_SIZE)
		return ring_bad(r, "a ring needs its control page and data pages");
	r->ctl = base;
	r->data = (uint8_t *)base + VMBUS_WIRE_PAGE_SIZE;
	r->size = bytes - VMBUS_WIRE_PAGE_SIZE;
	return 0;
}

static void ring_copy_in(const struct hring *r, void *to, uint32_t at,
			 uint32_t len)
{
	uint32_t first = r->size - at < len ? r->size - at : len;

	memcpy(to, r->data + at, first);
	memcpy((uint8_t *)to + first, r->data, len - first);
}

static uint32_t ring_copy_out(struct hring *r, uint32_t at, const void *from,
			      uint32_t len)
{
	uint32_t first = r->size - at < len ? r->size - at : len;

	if (!len)
		return at;	/* @from may be NULL */
	memcpy(r->data + at, from, first);
	memcpy(r->data, (const uint8_t *)from + first, len - first);
	return (at + len) % r->size;
}

int hring_in_init(struct hring *r, void *base, uint32_t bytes)
{
	int ret = ring_init(r, base, bytes);

	if (ret)
		return ret;
	r->own = ring_load(&r->ctl->read_index);
	r->other = ring_load(&r->ctl->write_index);
	r->published = r->own;
	if (!ring_index_ok(r, r->own) || !ring_index_ok(r, r->other))
		return ring_bad(r, "an index of the sending ring lies outside");
	r->mask = 1;
	ring_store(&r->ctl->interrupt_mask, 1);
	/* The guest may have written, and signalled, before it was masked */
	r->armed = true;
	return 0;
}

/* Bytes that wait for us, or -EPROTO */
static int64_t ring_in_avail(struct hring *r)
{
	uint32_t w = ring_load(&r->ctl->write_index);

	if (w != r->other) {
		if (!ring_index_ok(r, w))
			return ring_bad(r, "write_index is unaligned or outside the ring");
		if (hring_distance(r, r->published, w) <
		    hring_distance(r, r->published, r->other))
			return ring_bad(r, "write_index moved past our read_index");
		r->other = w;
	}
	return hring_distance(r, r->own, w);
}

int hring_in_ready(struct hring *r)
{
	int64_t avail = ring_in_avail(r);

	return avail < 0 ? (int)avail : avail > 0;
}

static int ring_check_packet(struct hring *r,
			     const struct vmbus_wire_packet *p, uint32_t avail)
{
	uint32_t offset = p->offset8 * 8u, len = p->len8 * 8u;

	switch (p->type) {
	case VMBUS_WIRE_PKT_INBAND:
	case VMBUS_WIRE_PKT_XFER_PAGES:
	case VMBUS_WIRE_PKT_GPA_DIRECT:
	case VMBUS_WIRE_PKT_COMPLETION:
		break;
	default:
		return ring_bad(r, "packet type is not 6, 7, 9 or 0xb");
	}
	if (p->flags & ~VMBUS_WIRE_PKT_WANT_COMPLETION)
		return ring_bad(r, "packet flags other than bit 0");
	if (offset < sizeof(*p))
		return ring_bad(r, "packet's payload begins inside its descriptor");
	if (offset > len)
		return ring_bad(r, "packet's payload begins behind its end");
	if (len + VMBUS_WIRE_TRAILER > avail)
		return ring_bad(r, "packet is longer than what is in the ring");
	return 0;
}

int hring_in_read(struct hring *r, void *buf)
{
	int64_t avail = ring_in_avail(r);
	struct vmbus_wire_packet *p = buf;
	uint32_t len;
	int ret;

	if (avail <= 0)
		return avail;
	if (avail < (int)(sizeof(*p) + VMBUS_WIRE_TRAILER))
		return ring_bad(r, "less than a packet's descriptor in the ring");
	ring_copy_in(r, p, r->own, sizeof(*p));
	ret = ring_check_packet(r, p, avail);
	if (ret)
		return ret;
	if (r->armed) {
		r->episodes++;
		r->armed = false;
	} else if (r->grace && r->own == r->published) {
		r->episodes++;
		r->grace = false;
	}
	/* Behind the checked copy: the descriptor is not read a second time */
	len = p->len8 * 8u;
	ring_copy_in(r, p + 1, (r->own + sizeof(*p)) % r->size,
		     len - sizeof(*p));
	r->own = (r->own + len + VMBUS_WIRE_TRAILER) % r->size;
	return len;
}

bool hring_in_commit(struct hring *r)
{
	uint32_t freed = hring_distance(r, r->published, r->own);
	uint32_t pending, w, room;

	if (!freed)
		return false;
	/* release: the packets were copied before the guest may reuse them */
	ring_store(&r->ctl->read_index, r->own);
	r->published = r->own;
	if (!hring_guest_waits(r))
		return false;
	/*
	 * pairs with the guest's fence between pending_send_sz and its look at
	 * read_index: one of us sees the other
	 */
	ring_fence();
	pending = ring_load(&r->ctl->pending_send_sz);
	if (!pending)
		return false;
	w = ring_load(&r->ctl->write_index);
	if (!ring_index_ok(r, w))
		return false;	/* the next read says so */
	room = r->size - hring_distance(r, r->own, w);
	return room > pending && (room < freed || room - freed <= pending);
}

void hring_in_mask(struct hring *r, bool mask)
{
	if (r->mask == mask)
		return;
	r->mask = mask;
	r->grace = mask;
	ring_store(&r->ctl->interrupt_mask, mask);
	if (!mask) {
		r->armed = true;
		/*
		 * pairs with the guest's fence between write_index and its look
		 * at the mask
		 */
		ring_fence();
	}
}

uint64_t hring_in_due(struct hring *r)
{
	return r->episodes + (r->armed && hring_in_ready(r) > 0);
}

int hring_in_check(struct hring *r)
{
	if (ring_load(&r->ctl->interrupt_mask) != r->mask)
		return ring_bad(r, "guest wrote to the interrupt mask of the ring that it sends on");
	if (ring_load(&r->ctl->read_index) != r->published)
		return ring_bad(r, "guest wrote to the read index of the ring that it sends on");
	return 0;
}

int hring_out_init(struct hring *r, void *base, uint32_t bytes)
{
	int ret = ring_init(r, base, bytes);

	if (ret)
		return ret;
	r->own = ring_load(&r->ctl->write_index);
	r->other = ring_load(&r->ctl->read_index);
	r->published = r->own;
	if (!ring_index_ok(r, r->own) || !ring_index_ok(r, r->other))
		return ring_bad(r, "an index of the receiving ring lies outside");
	ring_store(&r->ctl->pending_send_sz, 0);
	ring_store(&r->ctl->feature_bits, VMBUS_WIRE_FEAT_PENDING_SEND_SZ);
	return 0;
}

/* Free bytes, or -EPROTO */
static int64_t ring_out_room(struct hring *r)
{
	uint32_t i = ring_load(&r->ctl->read_index);

	if (i != r->other) {
		if (!ring_index_ok(r, i))
			return ring_bad(r, "read_index is unaligned or outside the ring");
		if (hring_distance(r, r->other, i) >
		    hring_distance(r, r->other, r->published))
			return ring_bad(r, "read_index moved past our write_index");
		r->other = i;
	}
	return r->size - hring_distance(r, i, r->own);
}

/* 0: @need bytes fit and one more, so that full and empty differ */
static int ring_out_reserve(struct hring *r, uint32_t need)
{
	int64_t room;

	if (need >= r->size)
		return -EMSGSIZE;
	room = ring_out_room(r);
	if (room >= 0 && room <= need) {
		if (r->pending != need)
			r->episodes++;
		r->pending = need;
		ring_store(&r->ctl->pending_send_sz, need);
		/*
		 * pairs with the guest's fence between read_index and its look
		 * at pending_send_sz
		 */
		ring_fence();
		room = ring_out_room(r);
	}
	if (room < 0)
		return room;
	if (room <= need)
		return -EAGAIN;
	hring_out_no_wait(r);
	return 0;
}

bool hring_out_publish(struct hring *r)
{
	uint32_t start = r->published;

	if (r->own == start)
		return false;
	/* release: the packets are whole before the guest sees the index */
	ring_store(&r->ctl->write_index, r->own);
	r->published = r->own;
	/*
	 * pairs with the guest's fence between clearing the mask, or writing
	 * read_index, and its last look at write_index
	 */
	ring_fence();
	if (ring_load(&r->ctl->read_index) != start)
		return false;
	r->filled++;
	return !ring_load(&r->ctl->interrupt_mask);
}

bool hring_out_is_quiet(const struct hring *r)
{
	return ring_load(&r->ctl->interrupt_mask) ||
	       ring_load(&r->ctl->read_index) != r->published;
}

int hring_out_put(struct hring *r, uint16_t type, uint16_t flags,
		  uint64_t trans_id, const void *payload, size_t len)
{
	return hring_out_put_headed(r, type, flags, trans_id, NULL, 0, payload,
				    len);
}

int hring_out_put_headed(struct hring *r, uint16_t type, uint16_t flags,
			 uint64_t trans_id, const void *head, size_t head_len,
			 const void *payload, size_t len)
{
	static const uint8_t zeroes[8];
	uint32_t padded = (len + 7) & ~7u, start = r->own, at, bytes;
	uint64_t trailer = (uint64_t)start << 32;
	struct vmbus_wire_packet p = {
		.type = type,
		.offset8 = (sizeof(p) + head_len) / 8,
		.flags = flags,
		.trans_id = trans_id,
	};
	int ret;

	if (len > r->size || head_len > r->size || head_len % 8)
		return -EMSGSIZE;
	bytes = sizeof(p) + head_len + padded;
	if (bytes / 8 > UINT16_MAX)
		return -EMSGSIZE;
	p.len8 = bytes / 8;
	ret = ring_out_reserve(r, bytes + VMBUS_WIRE_TRAILER);
	if (ret)
		return ret;
	at = ring_copy_out(r, start, &p, sizeof(p));
	at = ring_copy_out(r, at, head, head_len);
	at = ring_copy_out(r, at, payload, len);
	at = ring_copy_out(r, at, zeroes, padded - len);
	r->own = ring_copy_out(r, at, &trailer, sizeof(trailer));
	return 0;
}

int hring_out_write(struct hring *r, uint16_t type, uint16_t flags,
		    uint64_t trans_id, const void *payload, size_t len,
		    bool *signal)
{
	int ret = hring_out_put(r, type, flags, trans_id, payload, len);

	*signal = !ret && hring_out_publish(r);
	return ret;
}

int hring_out_put_raw(struct hring *r, const void *bytes, size_t len)
{
	int ret;

	if (!len || len % 8 || len > r->size)
		return -EMSGSIZE;
	ret = ring_out_reserve(r, len);
	if (!ret)
		r->own = ring_copy_out(r, r->own, bytes, len);
	return ret;
}

void hring_resume(void *base, uint32_t in, uint32_t downstream, uint32_t out)
{
	struct vmbus_wire_ring *ctl = base;

	ring_store(&ctl->read_index, in);
	ctl = (void *)((uint8_t *)base + downstream);
	ring_store(&ctl->write_index, out);
}

void hring_out_no_wait(struct hring *r)
{
	if (!r->pending)
		return;
	r->pending = 0;
	ring_store(&r->ctl->pending_send_sz, 0);
}

bool hring_guest_waits(const struct hring *in)
{
	return ring_load(&in->ctl->feature_bits) &
	       VMBUS_WIRE_FEAT_PENDING_SEND_SZ;
}
