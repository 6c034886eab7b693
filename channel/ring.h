/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ring arithmetic and barriers. No kernel service and no kernel struct, so that
 * the same code is tested, fuzzed and raced in user space. The protocol is
 * described at the top of ring.c.
 *
 * Nothing here sleeps, locks or signals: the caller serialises the senders of a
 * ring, has at most one receiver for it, and signals when told to.
 */
#ifndef SYNTHIO_RING_H
#define SYNTHIO_RING_H

#include "ring_env.h"

#define RING_TRAILER		8u	/* u64 behind each packet */
#define RING_FEAT_PENDING	1u	/* feature_bits: pending_send_sz is used */

/**
 * struct ring_ctl - the control page of a ring, as far as it is used
 * @write_index: offset of the next packet to be written; the sender's
 * @read_index: offset of the next packet to be read; the receiver's
 * @interrupt_mask: not zero: don't signal new packets; the receiver's
 * @pending_send_sz: bytes the sender waits for, 0: it doesn't; the sender's
 * @feature_bits: RING_FEAT_*; set before the other side can see the ring
 *
 * Format: struct hv_ring_buffer of <linux/hyperv.h>. The data follows one page
 * further. Offsets count bytes from the start of the data and are multiples of
 * 8, less than the size of the data.
 */
struct ring_ctl {
	u32 write_index;
	u32 read_index;
	u32 interrupt_mask;
	u32 pending_send_sz;
	u32 reserved[12];
	u32 feature_bits;
};

static_assert(sizeof(struct ring_ctl) == 68, "control words of a ring");

/**
 * struct ring_desc - what each packet starts with
 * @type: not used here
 * @offset8: where the payload starts, in units of 8 bytes from the descriptor
 * @len8: length from the descriptor to the end of the payload, in 8 bytes
 * @flags: not used here
 * @trans_id: transaction id
 *
 * Format: struct vmpacket_descriptor of <linux/hyperv.h>.
 */
struct ring_desc {
	u16 type;
	u16 offset8;
	u16 len8;
	u16 flags;
	u64 trans_id;
};

static_assert(sizeof(struct ring_desc) == 16, "packet descriptor");

/**
 * struct ring - one side's view of one direction
 * @ctl: the shared control words
 * @data: the shared data
 * @size: bytes of data, a multiple of 8, at least 32
 * @pos: this side's private copy of the index that it owns: @write_index for a
 *	sender, @read_index for a receiver (which runs ahead of the shared one
 *	until ring_recv_commit()). Private, because the other side could
 *	overwrite the shared one
 * @twice: the data is mapped twice in a row, no copy needs to wrap
 *
 * Holds no state but @pos: may be built for the duration of one call.
 */
struct ring {
	struct ring_ctl *ctl;
	u8 *data;
	u32 size;
	u32 pos;
	bool twice;
};

/**
 * ring_used() - bytes from one offset forward to another
 * @r: for its size
 * @from: a valid offset
 * @to: a valid offset
 */
static inline u32 ring_used(const struct ring *r, u32 from, u32 to)
{
	return to >= from ? to - from : r->size - from + to;
}

/**
 * ring_index_ok() - whether an offset that the other side wrote can be used
 * @r: for its size
 * @index: a copy, not the shared word itself
 */
static inline bool ring_index_ok(const struct ring *r, u32 index)
{
	return index < r->size && !(index & 7);
}

/* Sending; the caller holds off other senders from begin to commit */

/**
 * ring_send_begin() - copy a packet into the ring, without publishing it
 * @r: the ring, as its sender
 * @iov: the packet's parts: the 16-byte descriptor first, padding last
 * @n: parts
 *
 * Nothing needs to be undone when the packet is then not committed.
 *
 * Return: its length (without the trailer), -EAGAIN if there is no room now,
 *	-EINVAL if it is not a multiple of 8, shorter than a descriptor, or
 *	too long for this ring ever; -EPROTO if the receiver's index is bad.
 */
int ring_send_begin(struct ring *r, const struct ring_iov *iov, u32 n);

/**
 * ring_send_set_id() - change the transaction id of the packet being sent
 * @r: the ring, between ring_send_begin() and ring_send_commit()
 * @trans_id: the new one
 */
void ring_send_set_id(struct ring *r, u64 trans_id);

/**
 * ring_send_commit() - publish the packet
 * @r: the ring
 * @len: what ring_send_begin() returned
 *
 * Return: whether the receiver must be signalled now. Once for each time that
 *	the ring stops being empty, at most.
 */
bool ring_send_commit(struct ring *r, u32 len);

/**
 * ring_send_wait() - before the sender sleeps for room
 * @r: the ring, as its sender
 * @len: length of the packet that did not fit, without the trailer
 *
 * Return: true: sleep, the receiver will signal. False: there is room after
 *	all (or the receiver's index is bad and waiting is no use).
 */
bool ring_send_wait(struct ring *r, u32 len);

/**
 * ring_send_wait_end() - the mirror of ring_send_wait(), after the sleep
 * @r: the ring
 */
void ring_send_wait_end(struct ring *r);

/* Receiving; one receiver at a time */

/**
 * ring_recv_peek() - look at the next packet's descriptor
 * @r: the ring, as its receiver
 * @desc: a private copy of it: checked, read from the ring once
 *
 * Does not advance. After 1, 16 <= offset8 * 8 <= len8 * 8, and all of the
 * packet and its trailer has been published.
 *
 * Return: 1: there is one; 0: the ring is empty; -EPROTO: the sender's index is
 *	bad; -EBADMSG: the index is good but what it publishes is no packet.
 *	After an error, see ring_recv_discard().
 */
int ring_recv_peek(const struct ring *r, struct ring_desc *desc);

/**
 * ring_recv_copy() - copy a piece of the next packet out, once
 * @r: the ring, after ring_recv_peek() returned 1
 * @offset: from the start of the packet, bytes
 * @dst: where to
 * @len: bytes; @offset + @len is at most the length in ring_recv_peek()'s copy
 *	of the descriptor
 */
void ring_recv_copy(const struct ring *r, u32 offset, void *dst, u32 len);

/**
 * ring_recv_advance() - go behind the packet; the sender does not see it yet
 * @r: the ring
 * @len: the packet's length without the trailer, a multiple of 8
 */
void ring_recv_advance(struct ring *r, u32 len);

/**
 * ring_recv_commit() - give what was read back to the sender
 * @r: the ring
 *
 * Return: whether the sender must be signalled now, because it waits for room
 *	and this commit made enough of it.
 */
bool ring_recv_commit(struct ring *r);

/**
 * ring_recv_discard() - after ring_recv_peek() failed: make the ring look empty
 * @r: the ring
 *
 * What is published is thrown away. If the sender's index itself is bad, only
 * the shared read index follows it and the private one stays. Code that compares
 * the two shared indices (as the inline functions of <linux/hyperv.h> do, in loops
 * of drivers that run until the ring is empty) then finds the ring empty, and
 * reading continues once the index is good again.
 *
 * Return: as ring_recv_commit().
 */
bool ring_recv_discard(struct ring *r);

/**
 * ring_recv_mask() - tell the sender that the receiver is awake and reads until empty
 * @r: the ring, as its receiver
 */
void ring_recv_mask(struct ring *r);

/**
 * ring_recv_unmask() - before the receiver sleeps, after ring_recv_commit()
 * @r: the ring, as its receiver
 *
 * Return: true if more was published meanwhile, which no signal announces.
 */
bool ring_recv_unmask(struct ring *r);

#endif
