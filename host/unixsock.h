/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * UNIX stream sockets by path.
 */
#ifndef SYNTHHOST_UNIXSOCK_H
#define SYNTHHOST_UNIXSOCK_H

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

#endif
