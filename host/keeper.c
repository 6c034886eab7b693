// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker's side of the parent process: descriptors by name, and notes. See
 * keeper.h, and keeper_parent.c for the other side.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "keeper_wire.h"
#include "log.h"
#include "unixsock.h"

#define KEEPER_FENCE_MS		1000

static struct keeper_fds kept;	/* what the parent has, or this process */
static int parent = -1;
static bool pretending;

static struct keeper_fd *keeper_find(struct keeper_fds *fds, const char *name)
{
	unsigned int i;

	for (i = 0; i < fds->count; i++) {
		if (!strcmp(fds->fd[i].name, name))
			return &fds->fd[i];
	}
	return NULL;
}

void keeper_remove(struct keeper_fds *fds, const char *name)
{
	struct keeper_fd *f = keeper_find(fds, name);

	if (!f)
		return;
	close(f->fd);
	*f = fds->fd[--fds->count];
}

void keeper_add(struct keeper_fds *fds, const char *name, int fd)
{
	struct keeper_fd *f;

	keeper_remove(fds, name);
	if (fds->count == KEEPER_MAX_FDS) {
		close(fd);
		return;
	}
	f = &fds->fd[fds->count++];
	snprintf(f->name, sizeof(f->name), "%.*s", KEEPER_NAME_MAX - 1, name);
	f->fd = fd;
}

int keeper_send(int sock, const struct keeper_note *note, int fd)
{
	return unixsock_send_fd(sock, note, sizeof(*note), fd, 0);
}

int keeper_receive(int sock, struct keeper_note *note, int *fd, int flags)
{
	int ret = unixsock_receive_fd(sock, note, sizeof(*note), fd, flags);

	note->name[sizeof(note->name) - 1] = '\0';
	return ret;
}

static void keeper_say(enum keeper_kind kind, const char *text, int fd)
{
	struct keeper_note note = { .kind = kind };
	int ret;

	if (parent < 0)
		return;
	if (text)
		strncpy(note.name, text, sizeof(note.name) - 1);
	ret = keeper_send(parent, &note, fd);
	if (ret)
		log_error("the parent process does not listen: %s",
			  strerror(-ret));
}

bool keeper_attach(void)
{
	const char *env = getenv(KEEPER_ENV), *died = getenv(KEEPER_DIED_ENV);
	struct keeper_note note;
	int fd;

	if (!env)
		return false;
	parent = atoi(env);
	unsetenv(KEEPER_ENV);
	while (!keeper_receive(parent, &note, &fd, 0) &&
	       note.kind == KEEPER_STORE) {
		if (fd >= 0)
			keeper_add(&kept, note.name, fd);
	}
	if (died)
		log_info("the worker before this one has ended: %s", died);
	unsetenv(KEEPER_DIED_ENV);
	return true;
}

bool keeper_there(void)
{
	return parent >= 0;
}

int keeper_take(const char *name)
{
	struct keeper_fd *f = keeper_find(&kept, name);

	return f ? fcntl(f->fd, F_DUPFD_CLOEXEC, 0) : -1;
}

bool keeper_has(const char *name)
{
	return keeper_find(&kept, name);
}

void keeper_store(const char *name, int fd)
{
	if (parent < 0 && !pretending)
		return;
	keeper_say(KEEPER_STORE, name, fd);
	keeper_add(&kept, name, fcntl(fd, F_DUPFD_CLOEXEC, pretending ?
				      KEEPER_PRETEND_FD : 0));
}

void keeper_drop(const char *name)
{
	if (!keeper_find(&kept, name))
		return;
	keeper_say(KEEPER_DROP, name, -1);
	keeper_remove(&kept, name);
}

void keeper_ready(void)
{
	keeper_say(KEEPER_READY, NULL, -1);
}

void keeper_ending(void)
{
	keeper_say(KEEPER_ENDING, NULL, -1);
}

void keeper_restart(const char *program)
{
	keeper_say(KEEPER_RESTART, program, -1);
}

void keeper_fence(void)
{
	struct pollfd pfd = { .fd = keeper_take("fence") };

	if (pfd.fd < 0)
		return;
	/* nobody writes: all that comes is its end */
	while (poll(&pfd, 1, KEEPER_FENCE_MS) <= 0)
		log_warn("waiting for the end of I/O that the worker before has begun");
	close(pfd.fd);
	keeper_drop("fence");
}

void keeper_pretend(bool on)
{
	pretending = on;
	while (!on && kept.count)
		keeper_remove(&kept, kept.fd[0].name);
}
