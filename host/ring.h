/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's end of a VMBus ring, one direction at a time. Independent of the
 * guest's code in channel/, and of the rest of this program.
 *
 * The signalling protocol, from the host's side. Barriers are sequentially
 * consistent fences (F); each pairs with the guest's in the same place.
 *
 * Receiving ("in": the guest sends)
 *	Busy: interrupt_mask = 1 and we look by ourselves. To go to sleep:
 *	  mask = 0; F; is there a packet after all? then mask = 1 again.
 *	The guest: write_index; F; is the mask 0? was read_index = the place
 *	  of its packet, that is, had we taken everything? then it signals.
 *	Without the fences both sides could read before they wrote, the guest
 *	would see the old mask and we the old index: a packet that lies there
 *	until the next.
 *	After taking packets: read_index; F; pending_send_sz: if the free room
 *	  has now grown past it we signal. The guest: pending_send_sz; F;
 *	  looks at the room again. Without: it waits for room that is there.
 *
 * Sending ("out": the guest receives): the mirror image. Where there is no
 *	room we set pending_send_sz, fence, look again, and wait for a signal.
 *
 * The other side's words are read once and checked: an index must be aligned,
 * inside the ring, and may move only over what is there to move over.
 */
#ifndef SYNTHHOST_RING_H
#define SYNTHHOST_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <synthio/vmbus.h>

/**
 * struct hring - one direction of a channel
 * @ctl: the control page, shared
 * @data: behind it, @size bytes, shared
 * @size: bytes of data, a multiple of the page size
 * @own: our index: where the next packet is taken from or put
 * @published: our index as the guest can see it
 * @other: the guest's index as we saw it last
 * @mask: what we wrote into interrupt_mask (in)
 * @pending: what we wrote into pending_send_sz (out)
 * @why: what was wrong, after -EPROTO
 * @armed: unmasked since the last packet: the next one entitles to a signal (in)
 * @grace: masked since, but the guest may have read the mask just before and the
 *	read index just after: one more (in)
 * @episodes: how often the guest was entitled to signal: for "in", times that
 *	the ring stopped being empty; for "out", times that we asked for room
 * @filled: times that we saw the ring stop being empty (out)
 */
struct hring {
	struct vmbus_wire_ring *ctl;
	uint8_t *data;
	uint32_t size;
	uint32_t own;
	uint32_t published;
	uint32_t other;
	uint32_t mask;
	uint32_t pending;
	bool armed;
	bool grace;
	const char *why;
	uint64_t episodes;
	uint64_t filled;
};

/**
 * hring_in_init() - take over the guest's sending ring as it stands
 * @base: control page and data, contiguous
 * @bytes: both together
 *
 * The ring starts masked: call hring_in_mask(false) when ready to sleep.
 * Return: 0, or -EPROTO with @r->why.
 */
int hring_in_init(struct hring *r, void *base, uint32_t bytes);

/**
 * hring_in_ready() - is there a packet?
 *
 * Return: 1, 0, or -EPROTO.
 */
int hring_in_ready(struct hring *r);

/**
 * hring_in_read() - copy one packet out
 * @buf: aligned to 8; @r->size bytes are enough, and so are 512 KiB
 *
 * The descriptor is checked in the copy: type, flags, offset, lengths. The room
 * is given back by hring_in_commit().
 * Return: bytes with descriptor and without trailer, 0: none, or -EPROTO.
 */
int hring_in_read(struct hring *r, void *buf);

/**
 * hring_in_commit() - give the room of what was read back to the guest
 *
 * Return: true if the guest waits for this much room: signal it.
 */
bool hring_in_commit(struct hring *r);

/**
 * hring_in_mask() - ask the guest to signal, or not to
 * @mask: true: no signals, we look ourselves. False: call hring_in_ready()
 *	afterwards, before sleeping
 *
 * Commit first.
 */
void hring_in_mask(struct hring *r, bool mask);

/**
 * hring_in_due() - how many signals the guest was entitled to so far
 */
uint64_t hring_in_due(struct hring *r);

/**
 * hring_in_check() - has the guest written to what is ours?
 *
 * Return: 0 or -EPROTO.
 */
int hring_in_check(struct hring *r);

/**
 * hring_out_init() - take over the ring that the guest receives from
 *
 * Sets our feature bit. Return: 0, or -EPROTO with @r->why.
 */
int hring_out_init(struct hring *r, void *base, uint32_t bytes);

/**
 * hring_out_put() - put one packet into the ring, which the guest does not see yet
 * @type: enum vmbus_wire_packet_type
 * @flags: 0 or VMBUS_WIRE_PKT_WANT_COMPLETION
 * @payload: padded to 8 bytes with zeroes
 *
 * Return: 0; -EAGAIN: no room, pending_send_sz tells the guest to signal when
 * there is (once it sees what is there: publish that, and then try once more,
 * since a guest that made room in between went by the older write_index and does
 * not signal); -EMSGSIZE: will never fit; -EPROTO.
 */
int hring_out_put(struct hring *r, uint16_t type, uint16_t flags,
		  uint64_t trans_id, const void *payload, size_t len);

/**
 * hring_out_put_headed() - the same, with more of a descriptor
 * @head: what lies between the common descriptor and the payload
 * @head_len: a multiple of 8
 */
int hring_out_put_headed(struct hring *r, uint16_t type, uint16_t flags,
			 uint64_t trans_id, const void *head, size_t head_len,
			 const void *payload, size_t len);

/**
 * hring_out_publish() - show the guest all that was put
 *
 * Return: whether it is to be signalled.
 */
bool hring_out_publish(struct hring *r);

/**
 * hring_out_is_quiet() - would publishing now need no signal?
 *
 * The guest has not taken all that it was shown, or looks by itself. It may
 * change its mind: what hring_out_publish() says is what counts.
 */
bool hring_out_is_quiet(const struct hring *r);

/**
 * hring_out_write() - put one packet, and publish
 * @signal: set to whether the guest is to be signalled
 *
 * Return: as hring_out_put().
 */
int hring_out_write(struct hring *r, uint16_t type, uint16_t flags,
		    uint64_t trans_id, const void *payload, size_t len,
		    bool *signal);

/**
 * hring_out_put_raw() - put bytes into the ring as they are, for tests of guests
 * @len: a multiple of 8
 *
 * Return: as hring_out_put().
 */
int hring_out_put_raw(struct hring *r, const void *bytes, size_t len);

/**
 * hring_resume() - write our indices, where the worker before has stopped
 * @base: of both rings, the guest's sending ring first
 * @in: how far that was read
 * @downstream: bytes from @base to the other ring
 * @out: how far that was filled; what is before it lies there
 *
 * Before hring_in_init() and hring_out_init(), which go on from there.
 */
void hring_resume(void *base, uint32_t in, uint32_t downstream, uint32_t out);

/**
 * hring_out_no_wait() - nothing is to be sent any more: clear pending_send_sz
 */
void hring_out_no_wait(struct hring *r);

/**
 * hring_guest_waits() - does the guest signal when it has made room?
 *
 * It promises that with the feature bit of the ring that it sends on.
 */
bool hring_guest_waits(const struct hring *in);

/**
 * hring_distance() - bytes from one index forward to another
 */
static inline uint32_t hring_distance(const struct hring *r, uint32_t from,
				      uint32_t to)
{
	return to >= from ? to - from : r->size - from + to;
}

#endif
