/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a display. No kernel service or struct is used here, so that it is also
 * tested in user space.
 */
#ifndef SYNTHIO_VIDEO_STATE_H
#define SYNTHIO_VIDEO_STATE_H

#include <synthio/env.h>

/**
 * enum synv_state - the life of a display
 * @SYNV_CLOSED: there is no channel. Nothing is sent, and the VRAM is not used
 * @SYNV_OPENING: version, modes and the location of the VRAM are being negotiated
 * @SYNV_READY: messages can be sent; user space is not to know yet of new modes
 * @SYNV_LIVE: the display is in use
 * @SYNV_STALLED: the same, but the host reads no messages: what it misses is kept in
 *	struct synv_updates
 * @SYNV_LEAVING: the display is being removed or suspended. Messages are still sent;
 *	user space is not to know any more of new modes
 */
enum synv_state {
	SYNV_CLOSED,
	SYNV_OPENING,
	SYNV_READY,
	SYNV_LIVE,
	SYNV_STALLED,
	SYNV_LEAVING,
};

/**
 * synv_state_name() - the name of a state, as debugfs and the tracepoint have it
 * @state: any value
 *
 * Return: a string.
 */
const char *synv_state_name(enum synv_state state);

/**
 * synv_state_may_follow() - whether a state may follow another one
 * @from: the state now
 * @to: the next one
 */
bool synv_state_may_follow(enum synv_state from, enum synv_state to);

/**
 * struct synv_reader - how the host reads the outgoing ring
 * @read_index: of the ring, at the last look
 * @empty: there was nothing to read at the last look
 * @since: when the host read something, or had nothing to read
 */
struct synv_reader {
	u32 read_index;
	bool empty;
	unsigned long since;
};

/**
 * synv_reader_stalled() - look whether the host reads
 * @r: the last look
 * @read_index: of the ring; the host writes it
 * @write_index: of the ring
 * @now: time, in any unit
 * @limit: time without reading what is in the ring
 *
 * The time begins at the first look that finds something in the ring.
 *
 * Return: true if the host has read nothing for longer than @limit.
 */
bool synv_reader_stalled(struct synv_reader *r, u32 read_index, u32 write_index,
			 unsigned long now, unsigned long limit);

#endif
