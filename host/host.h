/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host as a whole: what the command line says, and the parts in order.
 */
#ifndef SYNTHHOST_HOST_H
#define SYNTHHOST_HOST_H

#include "bus.h"
#include "console.h"
#include "control.h"
#include "guest.h"
#include "qmp.h"
#include "ram.h"
#include "server.h"
#include "vnc.h"

/**
 * struct host - everything
 * @socket, @qmp_path, @control_path: paths of sockets, NULL if not given
 * @vnc_where, @vnc_password: of the VNC server, NULL if not given
 */
struct host {
	struct loop *loop;
	struct persist persist;
	struct ram ram;
	struct guest guest;
	struct bus bus;
	struct server *server;
	struct control *control;
	struct qmp *qmp;
	struct console console;
	struct vnc *vnc;

	const char *socket;
	const char *qmp_path;
	const char *control_path;
	const char *vnc_where;
	const char *vnc_password;
	uint64_t bar_size;
	uint64_t vectors;
};

/**
 * host_init() - loop, bus and guest, still without sockets
 *
 * With a parent (keeper.h) that has the state of a worker before this one,
 * host_start() takes over from it.
 *
 * Return: 0, or -errno with the reason in @err.
 */
int host_init(struct host *h, struct text *err);

/**
 * host_option() - take one option of the command line
 * @name: without the dashes
 * @arg: what follows, or NULL
 * @used: set to whether @arg belongs to it
 *
 * Return: 0, or -errno with the reason in @err.
 */
int host_option(struct host *h, const char *name, const char *arg, bool *used,
		struct text *err);

/**
 * host_parse() - take the whole command line
 * @argv: without the program's name; stays for the life of @h
 *
 * Return: 0, or -errno with the reason in @err.
 */
int host_parse(struct host *h, int argc, char **argv, struct text *err);

/**
 * host_help() - the text of --help
 */
void host_help(struct text *out);

/**
 * host_start() - check what was said and open the sockets
 *
 * Return: 0, or -errno with the reason in @err.
 */
int host_start(struct host *h, struct text *err);

/**
 * host_exit() - the mirror of host_init() and host_start()
 *
 * I/O is complete, sockets are removed.
 */
void host_exit(struct host *h);

#endif
