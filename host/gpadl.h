/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GPADLs: lists of guest pages that the guest shows us under a handle. A
 * header message, and bodies where the list is too long for one message.
 */
#ifndef SYNTHHOST_GPADL_H
#define SYNTHHOST_GPADL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "persist.h"
#include "ram.h"

#define GPADL_MAX	2048	/* of one guest */

struct gpadl_range {
	uint32_t bytes;
	uint32_t offset;
	const uint64_t *pfns;
};

/**
 * struct gpadl - one of them
 * @handle: chosen by the guest, never 0
 * @relid: the channel that it belongs to
 * @buf: the range list as it came, @len bytes of which @filled are here
 * @ranges: once complete
 * @pages: of all ranges
 * @in_ring: it is the ring of an open channel
 * @mapped: a device uses it, channel_map_gpadl()
 * @place: in the persistent area
 */
struct gpadl {
	struct gpadl *next;
	uint32_t handle;
	uint32_t relid;
	uint64_t *buf;
	uint32_t len;
	uint32_t filled;
	struct gpadl_range *ranges;
	unsigned int range_count;
	uint32_t pages;
	bool complete;
	bool in_ring;
	bool mapped;
	uint32_t place;
};

/**
 * struct gpadl_table - those of a guest
 * @persist: where they are kept, too, or NULL
 * @last_place: that was given out
 * @ended: some have died in a transaction that is not committed
 */
struct gpadl_table {
	struct gpadl *first;
	unsigned int count;
	struct persist *persist;
	uint32_t last_place;
	bool ended;
};

/**
 * gpadl_committed() - the places of those that have gone are free
 */
void gpadl_committed(struct gpadl_table *t);

/**
 * gpadl_take_over() - read what the worker before has kept
 *
 * Return: 0 or -EPROTO with the reason in @err.
 */
int gpadl_take_over(struct gpadl_table *t, const struct ram *ram,
		    struct text *err);

/**
 * gpadl_header() - take a header message
 * @msg: as posted, @len bytes; a copy that the guest cannot change
 * @gpadl: the GPADL; look at @complete
 *
 * Return: NULL, or what is wrong with it.
 */
const char *gpadl_header(struct gpadl_table *t, const struct ram *ram,
			 const void *msg, size_t len, struct gpadl **gpadl);

/**
 * gpadl_body() - take a body message
 *
 * As gpadl_header().
 */
const char *gpadl_body(struct gpadl_table *t, const struct ram *ram,
		       const void *msg, size_t len, struct gpadl **gpadl);

/**
 * gpadl_find() - look up a complete GPADL
 * @relid: of its channel
 */
struct gpadl *gpadl_find(const struct gpadl_table *t, uint32_t relid,
			 uint32_t handle);
void gpadl_remove(struct gpadl_table *t, struct gpadl *g);

/**
 * gpadl_remove_relid() - forget all of a channel's
 */
void gpadl_remove_relid(struct gpadl_table *t, uint32_t relid);
void gpadl_remove_all(struct gpadl_table *t);

/**
 * gpadl_iov() - the memory behind a GPADL
 * @count: entries in the returned array
 *
 * Return: an array to be freed, or NULL.
 */
struct iovec *gpadl_iov(const struct gpadl *g, const struct ram *ram,
			unsigned int *count);

#endif
