/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The state that survives a worker: one shared memory area, which the parent
 * process keeps (keeper.h) and the next worker maps again.
 *
 * This header is the layout, all of it. A worker whose layout differs (another
 * PERSIST_LAYOUT, or another size of anything) refuses to take over.
 *
 * A worker may die between any two instructions, so changes are made in
 * transactions. What a worker writes carries the number of the transaction
 * that is being made, which is @committed + 1. It counts once @committed has
 * that number, which is a single store. Two forms:
 *
 *   struct persist_life  of an entry that is written once: it exists if it was
 *			  born, and has not died, in a committed transaction. An
 *			  entry's memory is used again only after its death was
 *			  committed.
 *   struct persist_pair  of a record that changes: there are two copies, and
 *			  the younger committed one is valid.
 *
 * The guest is shown the result of a transaction (ring indices, messages, an
 * acknowledged command) only after it was committed. So the guest's memory
 * never is ahead of the area, and what it lacks the next worker writes there.
 * host/README.md has the order of the steps, and what a death after each means.
 */
#ifndef SYNTHHOST_PERSIST_H
#define SYNTHHOST_PERSIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <synthio/ivshmem.h>
#include <synthio/vmbus.h>

#include "text.h"

#define PERSIST_MAGIC		0x7473697372657073ull	/* "spersist" */
#define PERSIST_LAYOUT		1u	/* of all that is below */
#define PERSIST_CHANNELS	VMBUS_WIRE_MAX_RELIDS
#define PERSIST_QUEUE_BYTES	(1u << 20)	/* what waits for room in a ring */
#define PERSIST_MESSAGES	8192u		/* that wait for a message slot */
#define PERSIST_GPADLS		2048u
#define PERSIST_GPADL_BYTES	65536u		/* of a list of ranges */
#define PERSIST_REQUESTS	16384u		/* in flight */
#define PERSIST_REQUEST_BYTES	8192u		/* of a packet that is kept */
#define PERSIST_LARGE		64u		/* longer packets */
#define PERSIST_LARGE_BYTES	(512u << 10)	/* no packet is longer */
#define PERSIST_DEVICES		256u
#define PERSIST_DEVICE_BYTES	4096u		/* of ops->save() */
#define PERSIST_AREA_BYTES	(1u << 20)	/* of device_area() */

/**
 * struct persist_life - in which transactions an entry came and went
 * @born: 0: the entry is free
 * @died: 0: it lives
 */
struct persist_life {
	uint64_t born;
	uint64_t died;
};

/**
 * struct persist_pair - which copy of a record is valid
 * @version: transaction that each copy belongs to; 0: none
 */
struct persist_pair {
	uint64_t version[2];
};

/**
 * struct persist_guest - the transport's state (struct guest)
 * @attached, @broken: as in struct guest
 * @seq, @status: the last bootstrap command, and its answer
 * @post_cons: posted messages that were handled
 * @head, @tail: of the messages that wait for a slot; they count on
 * @delivering: the message at @head is being put into its slot
 */
struct persist_guest {
	uint64_t bar_gpa;
	uint64_t control_gpa, post_gpa, signal_gpa;
	struct synthio_vp vps[SYNTHIO_MAX_VPS];
	uint32_t nr_vps, nr_vectors;
	uint32_t seq, status;
	uint32_t post_cons, eom;
	uint32_t last_conn_id;
	uint32_t head, tail;
	uint8_t attached, broken;
	uint8_t delivering;
	uint8_t reserved[5];
	char why[256];
};

/**
 * struct persist_message - a message that waits for its slot
 */
struct persist_message {
	uint32_t vp;
	uint32_t len;
	uint8_t payload[VMBUS_WIRE_MSG_PAYLOAD];
};

/**
 * struct persist_bus - the VMBus connection (struct bus)
 * @known: a bit for each relid that was ever given out
 */
struct persist_bus {
	uint32_t version, msg_conn_id, target_vp, next_relid;
	uint8_t offers_requested;
	uint8_t reserved[7];
	char profile[32];
	uint64_t known[PERSIST_CHANNELS / 64];
};

/**
 * struct persist_channel - a channel (struct channel); its place is its relid
 * @device: index of its device
 * @index: 0: primary
 * @in, @out: how far the rings were used: taken from, put into
 * @queue_head, @queue_tail: bytes of the queue for its ring; they count on
 * @incomplete: the queue was too long to be kept: the channel cannot go on
 * @placed: the device counts it as its channel @index
 */
struct persist_channel {
	uint32_t used;
	uint32_t device, index;
	uint32_t openid, target_vp;
	uint32_t ring_gpadl, downstream;
	uint32_t in, out;
	uint64_t expected;
	uint64_t queue_head, queue_tail;
	uint8_t open, rescinded, modify_pending, placed;
	uint8_t paused, stalled, wrecked, incomplete;
};

/**
 * struct persist_queued - what precedes each packet of a channel's queue
 */
struct persist_queued {
	uint64_t trans_id;
	uint32_t head, len;
	uint16_t type, flags;
	uint32_t raw;
};

/**
 * struct persist_gpadl - a GPADL, perhaps one whose messages have not all come
 * @filled: bytes of its list that have come, by transaction
 */
struct persist_gpadl {
	struct persist_life life;
	struct persist_pair pair;
	uint32_t filled[2];
	uint32_t handle, relid, len, range_count;
};

/**
 * struct persist_request - a packet that was taken and is not completed
 * @seq: order in which they were taken, over all channels
 * @large: index of the place of a long packet, plus 1
 * @len: bytes of the packet as it was in the ring, with its descriptor
 */
struct persist_request {
	struct persist_life life;
	uint64_t seq;
	uint64_t trans_id;
	uint32_t relid;
	uint32_t large;
	uint32_t len;
	uint32_t reserved;
};

/**
 * struct persist_device_state - a device: what the bus keeps, then its own
 * @bytes: of @own that its kind uses
 */
struct persist_device_state {
	uint32_t subs_due;
	uint32_t bytes;
	uint8_t offered, declined, retiring, rescinding, offer_again;
	uint8_t rescinds_late;
	uint8_t reserved[2];
	uint64_t own[PERSIST_DEVICE_BYTES / 8];
};

struct persist_device {
	char kind[16];
	char id[32];
	struct persist_pair pair;
	struct persist_device_state state[2];
};

/**
 * struct persist_header - what a worker checks before it takes over
 * @magic: 0 until the first worker has set up the area
 * @layout: PERSIST_LAYOUT
 * @bytes: of the area
 * @sizes: of the records, so that a change that forgot PERSIST_LAYOUT shows
 * @workers: how many there have been
 * @committed: number of the last transaction that counts
 * @next_seq: for persist_request.seq
 */
struct persist_header {
	uint64_t magic;
	uint32_t layout;
	uint32_t workers;
	uint64_t bytes;
	uint32_t sizes[8];
	uint64_t committed;
	uint64_t next_seq;
};

/**
 * struct persist_area - the shared memory
 *
 * Most of it is never touched, and takes no memory.
 */
struct persist_area {
	struct persist_header header;
	struct persist_pair guest_pair;
	struct persist_guest guest[2];
	struct persist_message messages[PERSIST_MESSAGES];
	struct persist_pair bus_pair;
	struct persist_bus bus[2];
	struct persist_pair channel_pair[PERSIST_CHANNELS];
	struct persist_channel channel[PERSIST_CHANNELS][2];
	struct persist_gpadl gpadl[PERSIST_GPADLS];
	struct persist_request request[PERSIST_REQUESTS];
	struct persist_device device[PERSIST_DEVICES];
	/* the rest is large */
	uint8_t device_area[PERSIST_DEVICES][PERSIST_AREA_BYTES]
		__attribute__((aligned(4096)));
	uint8_t gpadl_list[PERSIST_GPADLS][PERSIST_GPADL_BYTES];
	uint8_t request_packet[PERSIST_REQUESTS][PERSIST_REQUEST_BYTES];
	uint8_t large_packet[PERSIST_LARGE][PERSIST_LARGE_BYTES];
	uint8_t queue[PERSIST_CHANNELS][PERSIST_QUEUE_BYTES];
};

/**
 * struct persist - a worker's hold of the area
 * @takes_over: there was a worker before this one, and its state is in @area
 * @dirty: something was written that is not committed
 */
struct persist {
	struct persist_area *area;
	int fd;
	bool takes_over;
	bool dirty;
};

/**
 * persist_open() - map the area
 * @fd: of it, which is then the struct's; -1: make a new one
 *
 * Return: 0; -EPROTO: it has another layout, and was not touched; else another
 * -errno. The reason is in @err.
 */
int persist_open(struct persist *p, int fd, struct text *err);

/**
 * persist_close() - unmap it
 */
void persist_close(struct persist *p);

/**
 * persist_commit() - let all count that was written so far
 */
void persist_commit(struct persist *p);

/* The transaction that is being made */
static inline uint64_t persist_next(const struct persist *p)
{
	return p->area->header.committed + 1;
}

/**
 * persist_birth() - make an entry exist; its contents were written before
 * persist_death() - end its existence
 */
void persist_birth(struct persist *p, struct persist_life *life);
void persist_death(struct persist *p, struct persist_life *life);

/**
 * persist_free() - the place of an entry whose death was committed is free
 */
void persist_free(struct persist_life *life);

/**
 * persist_lives() - at a takeover: whether an entry exists
 *
 * What a transaction that was not committed did to it is undone.
 */
bool persist_lives(struct persist *p, struct persist_life *life);

/**
 * persist_current() - which copy of a record is valid
 *
 * Return: 0 or 1, or -1: there is none.
 */
int persist_current(const struct persist *p, const struct persist_pair *pair);

/**
 * persist_save() - give a record a new value, if it differs
 * @pair: of the record, whose two copies of @bytes begin at @copies
 * @value: the new value
 */
void persist_save(struct persist *p, struct persist_pair *pair, void *copies,
		  const void *value, size_t bytes);

/**
 * persist_undo() - at a takeover: forget a copy that was not committed
 */
void persist_undo(struct persist *p, struct persist_pair *pair);

/**
 * persist_point() - a step after which a worker may die, for tests
 * @name: one of persist_points
 */
void persist_point(const char *name);

extern const char *const persist_points[];

/**
 * persist_die_at() - let this worker die at a point
 * @point: its name
 * @count: the how manieth time, from 1
 * @die: what dying is; must not return
 *
 * Return: 0, or -EINVAL: there is no such point.
 */
int persist_die_at(const char *point, unsigned int count, void (*die)(void));

#endif
