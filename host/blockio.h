/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files and block devices as the store behind a disk, through the loop's
 * io_uring, straight between the file and the buffers of the caller.
 *
 * Where the file takes O_DIRECT in units of the disk's sectors, the page cache
 * is left out. Then every request goes that way: buffers that are not aligned
 * as O_DIRECT wants it are bounced, rather than sent through the page cache,
 * since a cached write of part of a page would, when written back, undo a
 * direct write of its neighbour.
 */
#ifndef SYNTHHOST_BLOCKIO_H
#define SYNTHHOST_BLOCKIO_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "loop.h"
#include "text.h"

struct blockio;
struct blockio_request;

/**
 * blockio_open() - open a file or block device, and lock it
 * @loop: carries the I/O
 * @path: of a regular file or a block device
 * @read_only: writes will fail; the lock is shared with other readers
 * @sector: bytes of a disk sector, 512 or 4096: the size must be a multiple,
 *	all offsets and lengths are
 * @err: gets the reason where it fails
 *
 * Blocks for a moment. Return: the store, or NULL.
 */
struct blockio *blockio_open(struct loop *loop, const char *path,
			     bool read_only, uint32_t sector,
			     struct text *err);

/**
 * blockio_close() - close it; nothing may be in flight
 * @b: may be NULL
 */
void blockio_close(struct blockio *b);

/**
 * blockio_size() - bytes, as of blockio_open() or the last blockio_resize()
 */
uint64_t blockio_size(const struct blockio *b);

/**
 * blockio_resize() - look at the size again, or set it
 * @size: bytes that a file is cut or grown to; 0: take what it has now
 * @err: gets the reason where it fails
 *
 * Return: 0 or -errno; the size is then as it was.
 */
int blockio_resize(struct blockio *b, uint64_t size, struct text *err);

/**
 * blockio_can_discard() - whether blockio_discard() gives back space
 * blockio_discard_zeroes() - whether what was discarded reads as zeroes
 * blockio_is_direct() - whether I/O bypasses the page cache
 */
bool blockio_can_discard(const struct blockio *b);
bool blockio_discard_zeroes(const struct blockio *b);
bool blockio_is_direct(const struct blockio *b);

enum blockio_kind {
	BLOCKIO_READ,
	BLOCKIO_WRITE,
	BLOCKIO_FLUSH,
	BLOCKIO_DISCARD,
	BLOCKIO_ZERO,
	BLOCKIO_PATTERN,
	BLOCKIO_VERIFY,
};

/**
 * struct blockio_request - one operation; embed it, and zero it
 * @kind: what to do
 * @done: called once from the loop, never from inside blockio_submit();
 *	@error is 0 or an errno, positive. May submit the request again
 * @offset: bytes; kept as it was given
 * @length: bytes; for READ and WRITE the sum of @iov
 * @iov: READ, WRITE: the caller's buffers. The array stays in memory until
 *	@done, and is changed
 * @iov_count: at most 1024
 * @sync: WRITE, ZERO, PATTERN: on stable storage when it is done
 * @may_unmap: ZERO: the space may be given back
 * @pattern: PATTERN: one sector to be repeated; copied by blockio_submit()
 * @cancelled: VERIFY, ZERO, PATTERN: asked between two pieces; true ends the
 *	request with ECANCELED. May be NULL
 *
 * A READ behind the end of a file that has become shorter gives zeroes.
 */
struct blockio_request {
	enum blockio_kind kind;
	void (*done)(struct blockio_request *r, int error);
	uint64_t offset;
	uint64_t length;
	struct iovec *iov;
	unsigned int iov_count;
	bool sync;
	bool may_unmap;
	const void *pattern;
	bool (*cancelled)(const struct blockio_request *r);
	/* blockio's own */
	struct loop_io io;
	struct blockio *b;
	void (*step)(struct blockio_request *r, int res);
	uint64_t at;
	uint64_t left;
	struct iovec *vec;		/* what is still to be moved */
	unsigned int vec_count;
	struct iovec one;
	uint8_t *buffer;		/* bounce or chunk */
	uint64_t chunk;
	bool buffered;			/* not through O_DIRECT */
	bool bounced;
	int event;			/* of a helper thread, or -1 */
	int result;			/* of the helper thread */
};

/**
 * blockio_submit() - begin an operation
 *
 * Return: bytes of memory that it holds until it is done beyond what the
 * caller gave (bounce buffers), so that the caller can bound their sum.
 */
uint64_t blockio_submit(struct blockio *b, struct blockio_request *r);

#endif
