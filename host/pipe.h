/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages of the mouse and the display: a pipe header, a message header of type
 * and size, a payload. And what is done wrong with those to the guest, on
 * purpose (the command `spoil`, docs/faults.md).
 */
#ifndef SYNTHHOST_PIPE_H
#define SYNTHHOST_PIPE_H

#include "device.h"

#define PIPE_MAX_BYTES	16384u		/* of a message to the guest */

struct pipe_held;
struct spoil;

/**
 * struct pipe_name - what a message to the guest is called in commands
 */
struct pipe_name {
	const char *name;
	uint32_t type;
};

/**
 * struct pipe - a device's end of one
 * @dev: whose it is. Set it and what follows before pipe_add()
 * @names: of its messages to the guest; ends with an entry without name
 * @header_counts: the message header's size counts itself
 */
struct pipe {
	struct device *dev;
	const struct pipe_name *names;
	bool header_counts;
	/* the pipe's own */
	struct channel *ch;
	struct spoil *spoils;
	struct pipe_held *held;
	struct pipe *next;
};

/**
 * struct pipe_message - one from the guest, checked
 * @payload: behind the message header; @len bytes
 */
struct pipe_message {
	uint32_t type;
	const void *payload;
	uint32_t len;
};

/**
 * pipe_add() - make the pipe known to the command `spoil`
 */
void pipe_add(struct pipe *p);

/**
 * pipe_remove() - the mirror; it is closed
 */
void pipe_remove(struct pipe *p);

void pipe_open(struct pipe *p, struct channel *ch);

/**
 * pipe_close() - the channel goes; what was late never comes
 */
void pipe_close(struct pipe *p);

/**
 * pipe_parse() - check the headers of a packet
 *
 * Return: false after channel_error().
 */
bool pipe_parse(struct pipe *p, const struct packet *pkt,
		struct pipe_message *msg);

/**
 * pipe_send() - send a message, or what a spoil makes of it
 * @len: of @payload; at most PIPE_MAX_BYTES together with the headers
 *
 * Return: as channel_send(); 0 if a spoil swallowed it.
 */
int pipe_send(struct pipe *p, uint32_t type, const void *payload, size_t len);

/**
 * pipe_send_counted() - the same, with a message header that counts less
 * @counted: of @len
 */
int pipe_send_counted(struct pipe *p, uint32_t type, const void *payload,
		      size_t len, size_t counted);

void pipe_status(const struct pipe *p, struct text *out);

#endif
