/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The log of requests in flight: packets that were taken from a ring, and whose
 * completion is not in the ring yet. A worker that takes over gives them to
 * their devices again, in the order in which they came.
 *
 * A packet that is completed while its device looks at it is never in the log.
 */
#ifndef SYNTHHOST_INFLIGHT_H
#define SYNTHHOST_INFLIGHT_H

#include "persist.h"

#define INFLIGHT_HASH	1024u
#define INFLIGHT_NONE	UINT32_MAX

/**
 * struct inflight - the log
 * @head, @tail: by hash of channel and transaction id, the oldest first
 * @next: of each entry: with the same hash, or free
 * @free: places of the area that are free
 * @ended: those whose end is not committed
 */
struct inflight {
	struct persist *p;
	uint32_t head[INFLIGHT_HASH], tail[INFLIGHT_HASH];
	uint32_t free, ended;
	uint32_t large_free;
	unsigned int count;
	uint32_t next[PERSIST_REQUESTS];
	uint32_t large_next[PERSIST_LARGE];
	uint32_t list[PERSIST_REQUESTS];	/* of inflight_list() */
};

/**
 * inflight_check() - whether the log in the area can be used
 *
 * Return: 0, or -EPROTO with the reason in @err.
 */
int inflight_check(const struct persist *p, struct text *err);

/**
 * inflight_init() - an empty log, or, at a takeover, what lies in the area
 */
void inflight_init(struct inflight *log, struct persist *p);

/**
 * inflight_room() - whether a packet of any length can be added
 */
bool inflight_room(const struct inflight *log);

/**
 * inflight_add() - a packet was taken, and is not completed
 * @packet: with its descriptor, @len bytes
 */
void inflight_add(struct inflight *log, uint32_t relid, uint64_t trans_id,
		  const void *packet, uint32_t len);

/**
 * inflight_end() - a completion was put into the ring, or into its queue
 *
 * Ends the oldest with this transaction id, if there is one.
 */
void inflight_end(struct inflight *log, uint32_t relid, uint64_t trans_id);

/**
 * inflight_end_channel() - the channel is closed
 */
void inflight_end_channel(struct inflight *log, uint32_t relid);

/**
 * inflight_committed() - what has ended is free
 */
void inflight_committed(struct inflight *log);

/**
 * inflight_list() - all entries, the oldest first
 * @count: how many
 *
 * Return: indices, valid until the next call.
 */
const uint32_t *inflight_list(struct inflight *log, unsigned int *count);

/**
 * inflight_packet() - the packet of an entry
 */
const void *inflight_packet(const struct inflight *log, uint32_t index,
			    const struct persist_request **r);

#endif
