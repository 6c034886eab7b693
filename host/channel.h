/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A channel: its two rings, what is queued for the guest, its statistics. The
 * functions for devices are in device.h; these are for the bus.
 */
#ifndef SYNTHHOST_CHANNEL_H
#define SYNTHHOST_CHANNEL_H

#include "bus.h"
#include "inflight.h"
#include "moderate.h"
#include "ring.h"

struct channel_queued;

/**
 * struct channel_stats - as seen from the host
 * @signals_needless: signals beyond what the protocol entitles the guest to
 */
struct channel_stats {
	uint64_t packets_in, packets_out;
	uint64_t bytes_in, bytes_out;
	uint64_t signals_in, signals_out;
	uint64_t signals_needless;
};

/**
 * struct channel - from its offer to its release
 * @rescinded: the guest was told that it goes away
 * @open: rings are mapped, the device serves it
 * @active: looked at in each round of the loop, its ring is masked
 * @paused: the device wants no packets
 * @stalled: nothing goes out, for a test
 * @wrecked: our own index was destroyed, for a test: nothing goes out again
 * @expected: completions that the guest owes us
 * @publish: what is in the ring is to be shown to the guest: channel_settle()
 * @incomplete: more waits for the ring than the persistent queue holds
 * @downstream: page of the GPADL at which our sending ring begins
 * @taking: the device looks at a packet that wants a completion and has none,
 *	whose transaction id is @taken_id
 * @queue_head, @queue_tail: of the persistent queue, in bytes that count on;
 *	@queue_kept: @queue_head as it was committed
 * @mod: what is in the ring, but not shown to the guest yet
 */
struct channel {
	struct bus *bus;
	struct device *dev;
	unsigned int index;
	uint32_t relid;
	uint32_t conn_id;
	bool rescinded;
	bool open;
	bool active;
	bool paused;
	bool stalled;
	bool wrecked;
	bool want_writable;
	bool publish;
	bool incomplete;
	bool taking;

	uint64_t taken_id;
	uint32_t openid;
	uint32_t downstream;
	uint32_t target_vp;
	bool modify_pending;
	struct loop_timer modify_timer;
	struct gpadl *ring_gpadl;
	void *map;
	size_t map_pages;
	struct hring in;
	struct hring out;
	uint64_t *buf;			/* one packet, copied */
	struct iovec *iov;		/* of a GPA-direct packet */
	struct packet_range *ranges;
	uint64_t expected;
	struct moderate mod;

	struct channel_queued *queue, **queue_end;
	size_t queue_bytes;
	uint64_t queue_head, queue_tail, queue_kept;
	struct loop_timer retry;	/* the guest does not signal room */

	struct channel_stats stats;
	void *private;
};

/**
 * channel_create() - a channel with a relid, not yet offered
 *
 * Return: the channel, or NULL if there are too many.
 */
struct channel *channel_create(struct device *dev, unsigned int index);

/**
 * channel_create_as() - the same, with the relid that it had before a takeover
 */
struct channel *channel_create_as(struct device *dev, unsigned int index,
				  uint32_t relid);

/**
 * channel_destroy() - the mirror; the channel is shut
 */
void channel_destroy(struct channel *ch);

/**
 * channel_start() - map the rings and give the channel to its device
 * @g: one range of whole pages
 * @downstream: page at which our sending ring begins
 * @why: the reason where it fails
 *
 * Return: 0; -EPROTO if the guest is at fault; else another -errno.
 */
int channel_start(struct channel *ch, struct gpadl *g, uint32_t downstream,
		  uint32_t target_vp, const char **why);

/**
 * channel_shut() - the mirror: drain, close, unmap. Harmless if not open
 */
void channel_shut(struct channel *ch);

/**
 * channel_drain() - no I/O of the device touches guest memory afterwards
 */
void channel_drain(struct channel *ch);

/**
 * channel_quiet() - nothing is in its rings, queued or being done for the guest
 */
bool channel_quiet(struct channel *ch);

/**
 * channel_signalled() - the guest set the channel's flag
 */
void channel_signalled(struct channel *ch);

/**
 * channel_poll() - move packets; true if there was something to do
 */
bool channel_poll(struct channel *ch);

/**
 * channel_unmask() - before sleep: true if there is work after all
 */
bool channel_unmask(struct channel *ch);

/**
 * channel_activate() - look at its rings in the next rounds
 */
void channel_activate(struct channel *ch);

/**
 * channel_settle() - show the guest what was put, and give back what was taken
 *
 * It was committed: bus_settle().
 */
void channel_settle(struct channel *ch);

/* Parts of channel_poll(), in channel_out.c */
bool channel_flush(struct channel *ch);
bool channel_show(struct channel *ch);
void channel_publish(struct channel *ch);
void channel_retry(struct loop_timer *timer);
void channel_unqueue(struct channel *ch);

/**
 * channel_go_on() - at a takeover: channel_start() with rings that are in use
 * @state: how far they are used, which is written to the words of them that are
 *	ours: the guest may not have seen it, or have written there
 */
int channel_go_on(struct channel *ch, struct gpadl *g,
		  const struct persist_channel *state, const char **why);

/**
 * channel_requeue() - at a takeover: what waits for room in the ring
 *
 * Return: 0, or -errno: it cannot be read.
 */
int channel_requeue(struct channel *ch, uint64_t head, uint64_t tail);

/**
 * channel_repeat() - at a takeover: give a packet of the log to the device again
 */
void channel_repeat(struct channel *ch, const void *packet, uint32_t len);

/* For the test device only */
void channel_stall(struct channel *ch, bool stall);
int channel_raw(struct channel *ch, const void *bytes, size_t len);
void channel_wreck(struct channel *ch, uint32_t index);
void channel_event(struct channel *ch);
struct iovec *channel_gpadl(struct channel *ch, uint32_t handle,
			    unsigned int *count);

#endif
