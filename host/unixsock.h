/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UNIX sockets by path, and descriptors sent over them.
 */
#ifndef SYNTHHOST_UNIXSOCK_H
#define SYNTHHOST_UNIXSOCK_H

#include <stddef.h>

#include "text.h"

/**
 * unixsock_listen() - listen on a path
 *
 * A socket that a dead process left behind is replaced; nothing else is.
 * Return: a non-blocking descriptor, or -errno with the reason in @err.
 */
int unixsock_listen(const char *path, struct text *err);

/**
 * unixsock_connect() - connect to a path
 *
 * Return: a blocking descriptor, or -errno.
 */
int unixsock_connect(const char *path);

/**
 * unixsock_listen_kept() - the same, unless a worker before has done it
 * @name: under which the parent keeps the socket
 */
int unixsock_listen_kept(const char *name, const char *path, struct text *err);

/**
 * unixsock_send_fd() - send bytes, and perhaps a descriptor with them
 * @fd: or -1
 * @flags: of sendmsg(); there is no SIGPIPE
 *
 * Return: 0 if all @len bytes were sent, else -errno.
 */
int unixsock_send_fd(int sock, const void *data, size_t len, int fd, int flags);

/**
 * unixsock_receive_fd() - receive what unixsock_send_fd() has sent
 * @fd: set to the descriptor, which is closed at exec, or to -1
 * @flags: of recvmsg()
 *
 * Return: 0 if @len bytes came, else -errno; -EIO for less.
 */
int unixsock_receive_fd(int sock, void *data, size_t len, int *fd, int flags);

#endif
