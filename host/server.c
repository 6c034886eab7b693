// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "keeper.h"
#include "server.h"
#include "unixsock.h"

struct server {
	struct loop *loop;
	const struct server_ops *ops;
	void *arg;
	char *path;
	uint64_t bar_size;
	unsigned int vectors;
	struct loop_fd listener;
	struct loop_fd client;
	struct loop_fd doorbell;
	int guest_fd[SERVER_MAX_VECTORS];
	void *bar;
	int bar_fd;
};

/* One message: 8 bytes, and perhaps a descriptor */
static int server_send(int sock, int64_t value, int fd)
{
	return unixsock_send_fd(sock, &value, sizeof(value), fd, MSG_DONTWAIT);
}

/* Version, your id, the BAR; then each peer's vectors in order, yours last */
static int server_greet(struct server *s, int sock)
{
	unsigned int v;
	int ret;

	ret = server_send(sock, 0, -1);
	if (!ret)
		ret = server_send(sock, SERVER_GUEST_PEER, -1);
	if (!ret)
		ret = server_send(sock, -1, s->bar_fd);
	if (!ret)
		ret = server_send(sock, SERVER_HOST_PEER, s->doorbell.fd);
	for (v = 0; !ret && v < s->vectors; v++)
		ret = server_send(sock, SERVER_GUEST_PEER, s->guest_fd[v]);
	return ret;
}

static void server_vector_name(char *name, unsigned int v)
{
	snprintf(name, KEEPER_NAME_MAX, "vector%u", v);
}

/* Before QEMU is greeted: from then on it counts on them */
static void server_keep(const struct server *s)
{
	char name[KEEPER_NAME_MAX];
	unsigned int v;

	keeper_store("bar", s->bar_fd);
	keeper_store("doorbell", s->doorbell.fd);
	for (v = 0; v < s->vectors; v++) {
		server_vector_name(name, v);
		keeper_store(name, s->guest_fd[v]);
	}
	keeper_store("qemu", s->client.fd);
}

static void server_drop(struct server *s)
{
	char name[KEEPER_NAME_MAX];
	unsigned int v;

	/* the one that makes a worker take over goes first */
	keeper_drop("qemu");
	keeper_drop("bar");
	keeper_drop("doorbell");
	for (v = 0; v < s->vectors; v++) {
		server_vector_name(name, v);
		keeper_drop(name);
	}

	loop_del_fd(&s->client);
	if (s->client.fd >= 0)
		close(s->client.fd);
	loop_del_fd(&s->doorbell);
	if (s->doorbell.fd >= 0)
		close(s->doorbell.fd);
	s->client.fd = -1;
	s->doorbell.fd = -1;
	for (v = 0; v < s->vectors; v++) {
		if (s->guest_fd[v] >= 0)
			close(s->guest_fd[v]);
		s->guest_fd[v] = -1;
	}
	if (s->bar)
		munmap(s->bar, s->bar_size);
	s->bar = NULL;
	if (s->bar_fd >= 0)
		close(s->bar_fd);
	s->bar_fd = -1;
}

static void server_client_event(struct loop_fd *lfd, uint32_t events)
{
	struct server *s = container_of(lfd, struct server, client);
	char buf[64];
	ssize_t n;

	(void)events;
	n = recv(lfd->fd, buf, sizeof(buf), MSG_DONTWAIT);
	/* QEMU has nothing to say in this protocol */
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	log_info("QEMU has closed its ivshmem socket");
	s->ops->disconnected(s->arg);
	server_drop(s);
}

static void server_doorbell_event(struct loop_fd *lfd, uint32_t events)
{
	struct server *s = container_of(lfd, struct server, doorbell);
	uint64_t count;

	(void)events;
	if (read(lfd->fd, &count, sizeof(count)) == (ssize_t)sizeof(count))
		s->ops->doorbell(s->arg);
}

static int server_make_bar(struct server *s)
{
	unsigned int v;

	s->bar_fd = memfd_create("synthhost-bar", MFD_CLOEXEC |
				 MFD_ALLOW_SEALING);
	if (s->bar_fd < 0 || ftruncate(s->bar_fd, s->bar_size))
		return -errno;
	s->bar = mmap(NULL, s->bar_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->bar_fd, 0);
	if (s->bar == MAP_FAILED) {
		s->bar = NULL;
		return -errno;
	}
	s->doorbell.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (s->doorbell.fd < 0)
		return -errno;
	for (v = 0; v < s->vectors; v++) {
		s->guest_fd[v] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
		if (s->guest_fd[v] < 0)
			return -errno;
	}
	return 0;
}

static void server_accept(struct loop_fd *lfd, uint32_t events)
{
	struct server *s = container_of(lfd, struct server, listener);
	int fd = accept4(lfd->fd, NULL, NULL, SOCK_CLOEXEC);
	int ret;

	(void)events;
	if (fd < 0)
		return;
	if (s->client.fd >= 0) {
		log_warn("a second QEMU wants the ivshmem socket: refused, there is one already");
		close(fd);
		return;
	}
	s->client.fd = fd;
	ret = server_make_bar(s);
	if (!ret) {
		server_keep(s);
		/* before the greeting: the guest may start at its last byte */
		s->ops->connected(s->arg);
		ret = loop_add_fd(s->loop, &s->doorbell, s->doorbell.fd,
				  POLLIN);
		if (!ret)
			ret = server_greet(s, fd);
		if (!ret)
			ret = loop_add_fd(s->loop, &s->client, fd, POLLIN);
		if (ret)
			s->ops->disconnected(s->arg);
	}
	if (ret) {
		log_error("cannot serve QEMU: %s", strerror(-ret));
		server_drop(s);
		return;
	}
	log_info("QEMU connected: BAR of %llu KiB, %u vectors",
		 (unsigned long long)s->bar_size >> 10, s->vectors);
}

/* Where a worker before has greeted QEMU, it is still there */
static int server_resume(struct server *s, struct text *err)
{
	char name[KEEPER_NAME_MAX];
	struct stat st;
	unsigned int v;
	int ret;

	s->client.fd = keeper_take("qemu");
	if (s->client.fd < 0)
		return 0;
	s->bar_fd = keeper_take("bar");
	s->doorbell.fd = keeper_take("doorbell");
	for (v = 0; v < s->vectors; v++) {
		server_vector_name(name, v);
		s->guest_fd[v] = keeper_take(name);
	}
	if (s->bar_fd < 0 || s->doorbell.fd < 0 ||
	    s->guest_fd[s->vectors - 1] < 0 || fstat(s->bar_fd, &st) ||
	    (uint64_t)st.st_size != s->bar_size)
		return text_add(err, "the BAR and the doorbells of the worker before are not those of these options");
	s->bar = mmap(NULL, s->bar_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		      s->bar_fd, 0);
	if (s->bar == MAP_FAILED) {
		s->bar = NULL;
		return text_add(err, "the BAR cannot be mapped: %s",
				strerror(errno));
	}
	ret = loop_add_fd(s->loop, &s->doorbell, s->doorbell.fd, POLLIN);
	if (!ret)
		ret = loop_add_fd(s->loop, &s->client, s->client.fd, POLLIN);
	return ret;
}

struct server *server_create(struct loop *loop, const char *path,
			     uint64_t bar_size, unsigned int vectors,
			     const struct server_ops *ops, void *arg,
			     struct text *err)
{
	struct server *s = calloc(1, sizeof(*s));
	unsigned int v;
	int fd;

	if (!s)
		return NULL;
	s->loop = loop;
	s->ops = ops;
	s->arg = arg;
	s->bar_size = bar_size;
	s->vectors = vectors;
	s->bar_fd = -1;
	s->client.fd = -1;
	s->client.event = server_client_event;
	s->doorbell.fd = -1;
	s->doorbell.event = server_doorbell_event;
	s->listener.event = server_accept;
	for (v = 0; v < SERVER_MAX_VECTORS; v++)
		s->guest_fd[v] = -1;
	fd = server_resume(s, err) ? -EINVAL :
	     unixsock_listen_kept("ivshmem", path, err);
	if (fd < 0) {
		free(s);
		return NULL;
	}
	s->path = strdup(path);
	loop_add_fd(loop, &s->listener, fd, POLLIN);
	return s;
}

void server_destroy(struct server *s)
{
	if (!s)
		return;
	if (s->client.fd >= 0)
		s->ops->disconnected(s->arg);
	server_drop(s);
	loop_del_fd(&s->listener);
	close(s->listener.fd);
	unlink(s->path);
	free(s->path);
	free(s);
}

void *server_bar(const struct server *s)
{
	return s->bar;
}

uint64_t server_bar_size(const struct server *s)
{
	return s->bar_size;
}

unsigned int server_vectors(const struct server *s)
{
	return s->vectors;
}

void server_ring(struct server *s, unsigned int vector)
{
	uint64_t one = 1;

	/* A full counter is fine: the interrupt is pending anyway */
	if (s->guest_fd[vector] >= 0 &&
	    write(s->guest_fd[vector], &one, sizeof(one)) < 0 &&
	    errno != EAGAIN)
		log_debug("doorbell %u: %s", vector, strerror(errno));
}
