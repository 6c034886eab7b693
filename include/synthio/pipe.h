/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is ahead of each message of the synthetic mouse and display: the header
 * of a pipe in message mode. Little endian.
 */
#ifndef SYNTHIO_PIPE_H
#define SYNTHIO_PIPE_H

#include <linux/types.h>

#define SYNTHIO_PIPE_DATA	1u

struct synthio_pipe {
	__u32 type;		/* SYNTHIO_PIPE_DATA */
	__u32 size;		/* bytes that follow, without what pads the packet */
};

_Static_assert(sizeof(struct synthio_pipe) == 8, "pipe header");

#endif
