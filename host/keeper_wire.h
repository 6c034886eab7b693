/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parent process and a worker say to each other: notes on a socket,
 * each with a descriptor or without. For keeper.c and keeper_parent.c only.
 */
#ifndef SYNTHHOST_KEEPER_WIRE_H
#define SYNTHHOST_KEEPER_WIRE_H

#include <limits.h>
#include <stdint.h>

#include "keeper.h"

/* Environment of a worker: its end of the socket; how the one before ended */
#define KEEPER_ENV		"SYNTHHOST_PARENT"
#define KEEPER_DIED_ENV		"SYNTHHOST_DIED"

enum keeper_kind {
	KEEPER_STORE	= 1,	/* both ways: a descriptor and its name */
	KEEPER_END	= 2,	/* to the worker: that was all */
	KEEPER_DROP	= 3,	/* to the parent, like all that follow */
	KEEPER_READY	= 4,
	KEEPER_ENDING	= 5,
	KEEPER_RESTART	= 6,	/* @name: path of the program, or empty */
};

/**
 * struct keeper_note - one of them
 */
struct keeper_note {
	uint32_t kind;
	char name[PATH_MAX];
};

struct keeper_fd {
	char name[KEEPER_NAME_MAX];
	int fd;
};

struct keeper_fds {
	unsigned int count;
	struct keeper_fd fd[KEEPER_MAX_FDS];
};

/**
 * keeper_add() - @fd belongs to @fds now; it replaces one of the same name
 * keeper_remove() - close the one of that name, if there is one
 */
void keeper_add(struct keeper_fds *fds, const char *name, int fd);
void keeper_remove(struct keeper_fds *fds, const char *name);

/**
 * keeper_send() - send a note
 * @fd: or -1
 *
 * keeper_receive() - and take one
 * @flags: of recvmsg()
 *
 * Return: 0, or -errno.
 */
int keeper_send(int sock, const struct keeper_note *note, int fd);
int keeper_receive(int sock, struct keeper_note *note, int *fd, int flags);

#endif
