/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VNC server: shows the console's screen to any viewer, and brings what the
 * person there types and points at.
 *
 * libvncserver waits for slow viewers, so it has a thread of its own, and that
 * thread has nothing else: what the loop tells it lies under a lock until it is
 * taken, and what a viewer does comes back the same way. While nobody looks the
 * loop only reads one word.
 */
#ifndef SYNTHHOST_VNC_H
#define SYNTHHOST_VNC_H

struct console;
struct loop;
struct text;
struct vnc;

/**
 * vnc_create() - listen
 * @where: [ADDR:]PORT, an IPv6 address in []
 * @password: a file, or NULL
 *
 * Return: the server, or NULL with the reason in @err.
 */
struct vnc *vnc_create(struct loop *loop, struct console *console,
		       const char *where, const char *password,
		       struct text *err);

/**
 * vnc_port() - the TCP port that it listens on
 */
unsigned int vnc_port(const struct vnc *v);

/**
 * vnc_destroy() - the mirror; nobody calls the console any more
 */
void vnc_destroy(struct vnc *v);

#endif
