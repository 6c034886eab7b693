/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ivshmem server: gives QEMU the BAR's memory and the doorbells' eventfds,
 * in the protocol of QEMU's docs/specs/ivshmem-spec. The host is peer 0, QEMU
 * is peer 1; one QEMU at a time, each with a fresh BAR.
 */
#ifndef SYNTHHOST_SERVER_H
#define SYNTHHOST_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"
#include "text.h"

#define SERVER_HOST_PEER	0
#define SERVER_GUEST_PEER	1
#define SERVER_MAX_VECTORS	64

/**
 * struct server_ops - what the server tells
 * @connected: a QEMU has come, server_bar() is fresh and zero
 * @disconnected: it has gone; server_bar() is still there until this returns
 * @doorbell: the guest rang
 */
struct server_ops {
	void (*connected)(void *arg);
	void (*disconnected)(void *arg);
	void (*doorbell)(void *arg);
};

struct server;

/**
 * server_create() - listen
 * @bar_size: bytes, a power of two
 * @vectors: doorbells of the guest, at most SERVER_MAX_VECTORS
 *
 * Return: the server, or NULL with the reason in @err.
 */
struct server *server_create(struct loop *loop, const char *path,
			     uint64_t bar_size, unsigned int vectors,
			     const struct server_ops *ops, void *arg,
			     struct text *err);

/**
 * server_destroy() - disconnect and remove the socket
 */
void server_destroy(struct server *s);

/**
 * server_bar() - the BAR as we see it; NULL while no QEMU is connected
 */
void *server_bar(const struct server *s);
uint64_t server_bar_size(const struct server *s);
unsigned int server_vectors(const struct server *s);

/**
 * server_ring() - interrupt the guest on one of its vectors
 */
void server_ring(struct server *s, unsigned int vector);

#endif
