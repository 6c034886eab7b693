// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring arithmetic and barriers.
 *
 * A channel has two rings of the same form, one in each direction. In each, the
 * sender writes packets and the receiver takes them. The host is the receiver
 * of the outgoing ring and the sender of the incoming one.
 *
 * A packet is a 16-byte descriptor, its payload, padding up to 8 bytes, and a
 * trailing 8-byte word that holds the packet's own start offset in its upper
 * half. The ring is empty when both indices are equal; so it is never filled to
 * the last byte.
 *
 * Signals
 * =======
 * New packets. The sender signals when a packet goes into an empty ring, and
 * then only if the receiver's interrupt mask is 0. In return
 *   - a receiver that wakes up drains the ring: it sleeps only after it has
 *     written read_index, put the mask to 0 (if it uses the mask), and then
 *     found the ring still empty;
 *   - it may set the mask while it is awake.
 * So there is at most one signal for each time that the ring stops being empty.
 * Hosts throttle guests that signal more often. The receiver of the outgoing
 * ring is the host: the mask in there is never written here.
 *
 * Room. A sender that finds no room for a packet of n bytes (trailer included)
 * writes n to pending_send_sz, checks for room again, and sleeps. The receiver
 * reads pending_send_sz after it has freed space, and signals if its own commit
 * took the free space from "not more than n" to "more than n". (Exactly n free
 * bytes are not enough, as the packet would fill the ring. A receiver that
 * signalled at n would wake the sender in vain, and not signal at n + 1.) The
 * interrupt mask does not matter for this signal. Both sides do so only if
 * feature bit 0 is set; a sender that can't rely on it polls.
 *
 * Trust
 * =====
 * The other side can write any word of the ring at any time. Its index is read
 * once for each decision, checked (in range, a multiple of 8), then used. This
 * side's own index is kept in private memory (struct ring, pos). Descriptors are
 * copied out once, and only the copy is checked and used. Payload that was not
 * copied out is not looked at.
 *
 * Barriers
 * ========
 * Letters name the pairs; where the other half runs in the host, it is the
 * host's ring code that must have it.
 *
 *   A  sender: packet, then write_index       (release in ring_send_commit)
 *      receiver: write_index, then packet     (acquire in ring_recv_peek)
 *      Without it the receiver reads a packet before it was written.
 *   B  receiver: packet, then read_index      (release in ring_recv_commit)
 *      sender: read_index, then overwrites    (acquire in ring_send_room)
 *      Without it the sender overwrites what is still being read.
 *   C  sender: write_index, then mask and read_index
 *                                             (full, ring_send_commit)
 *      receiver: read_index and mask = 0, then write_index
 *                                             (full, ring_recv_commit and
 *                                              ring_recv_unmask)
 *      Without it the sender sees the mask still set (or the ring not empty)
 *      and does not signal, while the receiver sees the ring still empty, and
 *      sleeps on a packet.
 *   D  sender: pending_send_sz, then read_index   (full, ring_send_wait)
 *      receiver: read_index, then pending_send_sz (full, ring_recv_commit)
 *      Without it the receiver sees no sender that waits while the sender sees no
 *      room: the sender sleeps although the ring is empty.
 *   E  sender: write_index, then pending_send_sz
 *                                             (full, ring_send_commit: any
 *                                              packet ahead of the one that
 *                                              waits was committed by it)
 *      receiver: pending_send_sz, then write_index
 *                                             (read, ring_recv_commit)
 *      Without it the receiver takes an older write_index, by which there was
 *      room enough already before its commit: no crossing, no signal, and the
 *      sender sleeps for ever.
 */
#include "ring.h"

/*
 * Most packets are short, and all of their parts but the last consist of whole words.
 * For so few bytes the start of the processor's string copy costs more than the copy,
 * and emulated processors execute it byte by byte.
 */
#define RING_COPY_WORDS		256u

static inline void ring_copy(void *dst, const void *src, size_t len)
{
	u8 *to = dst;
	const u8 *from = src;
	u64 word;

	if (len > RING_COPY_WORDS || len & 7) {
		memcpy(dst, src, len);
		return;
	}
	for (; len; len -= sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		memcpy(to, &word, sizeof(word));
		from += sizeof(word);
		to += sizeof(word);
	}
}

static void ring_copy_in(struct ring *r, u32 at, const void *src, size_t len)
{
	size_t first = r->size - at;

	if (r->twice || len <= first) {
		ring_copy(r->data + at, src, len);
	} else {
		ring_copy(r->data + at, src, first);
		ring_copy(r->data, (const u8 *)src + first, len - first);
	}
}

static void ring_copy_out(const struct ring *r, u32 at, void *dst, size_t len)
{
	size_t first = r->size - at;

	if (r->twice || len <= first) {
		ring_copy(dst, r->data + at, len);
	} else {
		ring_copy(dst, r->data + at, first);
		ring_copy((u8 *)dst + first, r->data, len - first);
	}
}

/* At most one turn around */
static u32 ring_add(const struct ring *r, u32 at, u32 len)
{
	at += len;
	return at >= r->size ? at - r->size : at;
}

/* Free bytes (one more than can be filled) as the sender sees them */
static int ring_send_room(const struct ring *r, u32 *room)
{
	/*
	 * B: the receiver had read what is overwritten now before it wrote its
	 * index.
	 */
	u32 rd = virt_load_acquire(&r->ctl->read_index);

	if (!ring_index_ok(r, rd))
		return -EPROTO;
	*room = r->size - ring_used(r, rd, r->pos);
	return 0;
}

int ring_send_begin(struct ring *r, const struct ring_iov *iov, u32 n)
{
	u32 i, room, at = r->pos;
	size_t len = 0;
	u64 start;
	int ret;

	for (i = 0; i < n; i++) {
		/* the sum can't overflow: each part is less than the ring */
		if (iov[i].iov_len >= r->size)
			return -EINVAL;
		len += iov[i].iov_len;
		if (len >= r->size)
			return -EINVAL;
	}
	if (len & 7 || len < sizeof(struct ring_desc) ||
	    len + RING_TRAILER >= r->size)
		return -EINVAL;

	ret = ring_send_room(r, &room);
	if (ret)
		return ret;
	/* a ring that is filled to the last byte looks empty */
	if (room <= len + RING_TRAILER)
		return -EAGAIN;

	for (i = 0; i < n; i++) {
		if (!iov[i].iov_len)
			continue;
		ring_copy_in(r, at, iov[i].iov_base, iov[i].iov_len);
		at = ring_add(r, at, iov[i].iov_len);
	}
	start = (u64)r->pos << 32;
	ring_copy_in(r, at, &start, sizeof(start));

	return len;
}

void ring_send_set_id(struct ring *r, u64 trans_id)
{
	/* the ring is written, and never read back: the other side may change it */
	ring_copy_in(r, ring_add(r, r->pos, offsetof(struct ring_desc, trans_id)),
		     &trans_id, sizeof(trans_id));
}

bool ring_send_commit(struct ring *r, u32 len)
{
	u32 old = r->pos;

	r->pos = ring_add(r, old, len + RING_TRAILER);
	/* A: a receiver that sees the index sees the packet */
	virt_store_release(&r->ctl->write_index, r->pos);

	/*
	 * C: the receiver writes read_index and its mask, and then reads
	 * write_index for the last time. This side wrote write_index and now reads
	 * both of these, in any order. If the receiver read too early to see the
	 * packet, then this side sees an empty ring and no mask.
	 */
	virt_mb();
	if (READ_ONCE(r->ctl->interrupt_mask))
		return false;
	return READ_ONCE(r->ctl->read_index) == old;
}

bool ring_send_wait(struct ring *r, u32 len)
{
	u32 room;

	WRITE_ONCE(r->ctl->pending_send_sz, len + RING_TRAILER);
	/*
	 * D: the receiver writes read_index and then reads pending_send_sz. At least
	 * one side sees the other's write.
	 */
	virt_mb();
	if (ring_send_room(r, &room) || room > len + RING_TRAILER) {
		ring_send_wait_end(r);
		return false;
	}
	return true;
}

void ring_send_wait_end(struct ring *r)
{
	WRITE_ONCE(r->ctl->pending_send_sz, 0);
}

int ring_recv_peek(const struct ring *r, struct ring_desc *desc)
{
	/* A: read no packet before its index */
	u32 wr = virt_load_acquire(&r->ctl->write_index);
	u32 avail;

	if (!ring_index_ok(r, wr))
		return -EPROTO;
	avail = ring_used(r, r->pos, wr);
	if (!avail)
		return 0;

	/* packets are published whole */
	if (avail < sizeof(*desc) + RING_TRAILER)
		return -EBADMSG;
	ring_copy_out(r, r->pos, desc, sizeof(*desc));
	if (desc->offset8 * 8u < sizeof(*desc) ||
	    desc->offset8 > desc->len8 ||
	    desc->len8 * 8u > avail - RING_TRAILER)
		return -EBADMSG;
	return 1;
}

void ring_recv_copy(const struct ring *r, u32 offset, void *dst, u32 len)
{
	ring_copy_out(r, ring_add(r, r->pos, offset), dst, len);
}

void ring_recv_advance(struct ring *r, u32 len)
{
	r->pos = ring_add(r, r->pos, len + RING_TRAILER);
}

bool ring_recv_commit(struct ring *r)
{
	u32 old, wr, pending, room, freed;

	old = READ_ONCE(r->ctl->read_index);
	/* B: all reads of the packets are done before they are given back */
	virt_store_release(&r->ctl->read_index, r->pos);

	/*
	 * D: the sender writes pending_send_sz and then reads read_index. This side
	 * wrote read_index and now reads pending_send_sz: at least one side sees the
	 * other's write. C: the barrier also orders read_index before the mask and
	 * before the last read of write_index, and so is needed even if the feature
	 * bit is not set.
	 */
	virt_mb();
	if (!(READ_ONCE(r->ctl->feature_bits) & RING_FEAT_PENDING))
		return false;
	pending = READ_ONCE(r->ctl->pending_send_sz);
	if (!pending)
		return false;

	/*
	 * E: the sender had written all of its packets before it began to wait. An
	 * older write_index would show more room than the sender saw.
	 */
	virt_rmb();
	wr = READ_ONCE(r->ctl->write_index);
	if (!ring_index_ok(r, wr))
		return false;
	room = r->size - ring_used(r, r->pos, wr);
	/* if the old index is bad, all of the room counts as freed now */
	freed = ring_index_ok(r, old) ? ring_used(r, old, r->pos) : room;
	if (freed > room)
		freed = room;

	return room > pending && room - freed <= pending;
}

bool ring_recv_discard(struct ring *r)
{
	/* no barrier is needed, since no packet is read */
	u32 wr = READ_ONCE(r->ctl->write_index);

	if (!ring_index_ok(r, wr)) {
		WRITE_ONCE(r->ctl->read_index, wr);
		return false;
	}
	r->pos = wr;
	return ring_recv_commit(r);
}

void ring_recv_mask(struct ring *r)
{
	/*
	 * No barrier: a sender that sees the mask late signals once more than
	 * necessary, which does no harm to a receiver that is awake.
	 */
	WRITE_ONCE(r->ctl->interrupt_mask, 1);
}

bool ring_recv_unmask(struct ring *r)
{
	WRITE_ONCE(r->ctl->interrupt_mask, 0);
	/*
	 * C: the sender writes write_index and then reads the mask. At least one
	 * side sees the other's write.
	 */
	virt_mb();
	/* the shared index, not pos: see ring_recv_discard() */
	return READ_ONCE(r->ctl->write_index) != READ_ONCE(r->ctl->read_index);
}
