/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The parent process, and what a worker says to it.
 *
 * The parent knows nothing of guests. It keeps descriptors under names: guest
 * RAM, the BAR, eventfds, sockets, taps, the area of persist.h. When a worker
 * ends without having been told to, it starts another one, and gives it all of
 * them. A descriptor is safe as soon as keeper_store() has returned: it lies in
 * the socket to the parent then, whatever becomes of the worker.
 *
 * A worker's functions do nothing without a parent (--single), and
 * keeper_take() finds nothing.
 */
#ifndef SYNTHHOST_KEEPER_H
#define SYNTHHOST_KEEPER_H

#include <stdbool.h>

#include "text.h"

#define KEEPER_NAME_MAX	64	/* with the final NUL */
#define KEEPER_MAX_FDS	1024
/* Exit status of a worker that cannot read the state: the parent starts the
 * program again that it had before
 */
#define KEEPER_EXIT_LAYOUT	78

/**
 * keeper_run() - be the parent
 * @argc, @argv: the program's; each worker gets the same
 *
 * Return: the exit status of the last worker.
 */
int keeper_run(char **argv);

/**
 * keeper_attach() - in a worker: take what the parent has
 *
 * Return: whether there is a parent.
 */
bool keeper_attach(void);

/**
 * keeper_there() - whether there is one
 */
bool keeper_there(void);

/**
 * keeper_take() - a descriptor that an earlier worker has stored
 *
 * The parent keeps it. Return: the descriptor, which is the caller's to close,
 * or -1.
 */
int keeper_take(const char *name);

/**
 * keeper_has() - whether there is one of this name
 */
bool keeper_has(const char *name);

/**
 * keeper_store() - let the parent keep a duplicate
 * keeper_drop() - and forget it
 */
void keeper_store(const char *name, int fd);
void keeper_drop(const char *name);

/**
 * keeper_ready() - this worker serves
 * keeper_ending() - it ends because it was told to, and so shall the parent
 * keeper_restart() - it ends now, and another program is to take over
 * @program: its path; NULL: the same
 */
void keeper_ready(void);
void keeper_ending(void);
void keeper_restart(const char *program);

/**
 * keeper_fence() - wait until the I/O of the worker before has ended
 *
 * The kernel may still be writing to the disks, or to guest memory, when the
 * process is gone: see loop_fence().
 */
void keeper_fence(void);

/* Descriptors that keeper_pretend() keeps have this number, or a higher one */
#define KEEPER_PRETEND_FD	512

/**
 * keeper_pretend() - keep descriptors in this process, for unit tests
 */
void keeper_pretend(bool on);

#endif
