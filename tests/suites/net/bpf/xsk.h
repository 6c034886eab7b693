/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SYNTHIO_TEST_XSK_H
#define SYNTHIO_TEST_XSK_H

#include <stdbool.h>

struct xsk;

/**
 * xsk_open() - an AF_XDP socket on a queue, in copy mode
 * @ifindex:	of the interface
 * @queue:	its receive and send queue
 * @fd:		set to the socket's
 *
 * Return: the socket, or NULL after an error was printed.
 */
struct xsk *xsk_open(int ifindex, unsigned int queue, int *fd);

/**
 * xsk_reflect() - send back all frames that have come
 * @x:		the socket
 * @wait:	milliseconds to wait for one
 * @seen:	grows by those that came
 * @sent:	grows by those whose sending was confirmed
 *
 * Source and destination are exchanged.
 *
 * Return: true unless the kernel has said something that can't be.
 */
bool xsk_reflect(struct xsk *x, int wait, unsigned long *seen,
		 unsigned long *sent);

#endif
