/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is behind a network card: a tap, or user networking. Frames go both ways
 * with a struct netframe_header (netframe.h) before them, without blocking.
 */
#ifndef SYNTHHOST_NETBACK_H
#define SYNTHHOST_NETBACK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "loop.h"
#include "text.h"

#define NETBACK_MAX_QUEUES	64u

struct netback;

/**
 * struct netback_offloads - what the guest lets the host leave undone
 * @csum: checksums of received frames
 * @tso4, @tso6: cutting received TCP data into segments
 */
struct netback_offloads {
	bool csum;
	bool tso4;
	bool tso6;
};

/**
 * struct netback_ops - what a backend does
 * @receive: One frame into @iov, whose first entry is the header's. Return its
 *	bytes with the header, those that found no room too; -EAGAIN: there is
 *	none, and @readable will be called.
 * @send: One frame. Return 0 or -errno; the memory is free on return.
 * @set_offloads: May be NULL: it needs none.
 * @set_link: The cable is plugged in, or not. May be NULL.
 * @status: A word about it.
 */
struct netback_ops {
	ssize_t (*receive)(struct netback *nb, unsigned int queue,
			   const struct iovec *iov, int count);
	int (*send)(struct netback *nb, unsigned int queue,
		    const struct iovec *iov, int count);
	void (*set_offloads)(struct netback *nb,
			     const struct netback_offloads *offloads);
	void (*set_link)(struct netback *nb, bool up);
	void (*status)(struct netback *nb, struct text *out);
	void (*close)(struct netback *nb);
};

/**
 * struct netback - a backend
 * @queues: that frames come from and go to
 * @can_lso: it takes frames without checksums, and large ones to be cut
 * @readable: set by its user: frames may have come. Called from the loop, once a
 *	receive has said -EAGAIN; before the first there may be frames
 */
struct netback {
	const struct netback_ops *ops;
	unsigned int queues;
	bool can_lso;
	void (*readable)(struct netback *nb, unsigned int queue);
	void *arg;
};

/**
 * netback_tap() - a tap
 * @name: of the interface, in our network namespace; made if there is none.
 *	NULL: @fd is one, with IFF_VNET_HDR
 * @queues: wanted; a tap that has but one gives one
 *
 * Return: the backend, or NULL with the reason in @err.
 */
struct netback *netback_tap(struct loop *loop, const char *name, int fd,
			    unsigned int queues, struct text *err);

/**
 * netback_user() - user networking by libslirp: 10.0.2.0/24 and fec0::/64
 *
 * Return: the backend, or NULL with the reason in @err.
 */
struct netback *netback_user(struct loop *loop, struct text *err);

#endif
