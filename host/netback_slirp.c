// SPDX-License-Identifier: GPL-2.0-only
/*
 * User networking: libslirp answers the guest's DHCP and DNS, and makes its
 * connections with sockets of this process. It needs no privileges, knows no
 * offloads, and is not fast.
 *
 * libslirp wants to be told of events on descriptors that change all the time.
 * They hang at an epoll descriptor of their own, which the loop watches.
 */
#include "netback.h"

#ifdef HAVE_SLIRP

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <slirp/libslirp.h>

#include "device.h"
#include "netframe.h"

#define SLIRP_VERSION_USED	3	/* of struct SlirpConfig */
#define SLIRP_MAX_FRAMES	1024u	/* for a guest that does not take them */
#define SLIRP_STEP_MS		1000u

struct slirp_frame {
	struct slirp_frame *next;
	size_t len;
	uint8_t bytes[];
};

struct slirp_timer {
	struct loop_timer timer;
	struct loop *loop;
	SlirpTimerCb cb;
	void *cb_opaque;
};

struct user_net {
	struct netback nb;
	struct loop *loop;
	Slirp *slirp;
	struct loop_fd events;
	struct loop_timer step;
	bool dirty;
	struct pollfd *fds, *old;
	unsigned int count, size, old_count;
	struct slirp_frame *frames, **frames_end;
	unsigned int frame_count;
	uint64_t dropped;
};

static struct user_net *to_user_net(struct netback *nb)
{
	return container_of(nb, struct user_net, nb);
}

/* --- descriptors --------------------------------------------------------------- */

static const struct {
	int slirp;
	short poll;
} event_bits[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT },
	{ SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR },
	{ SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
	struct user_net *u = opaque;
	short bits = 0;
	unsigned int i;

	for (i = 0; i < sizeof(event_bits) / sizeof(event_bits[0]); i++) {
		if (events & event_bits[i].slirp)
			bits |= event_bits[i].poll;
	}
	if (u->count == u->size) {
		unsigned int size = u->size ? 2 * u->size : 16;
		struct pollfd *fds = realloc(u->fds, size * sizeof(*fds));

		if (!fds)
			return -1;
		u->fds = fds;
		fds = realloc(u->old, size * sizeof(*fds));
		if (!fds)
			return -1;
		u->old = fds;
		u->size = size;
	}
	u->fds[u->count] = (struct pollfd){ .fd = fd, .events = bits };
	return u->count++;
}

static int get_revents(int i, void *opaque)
{
	struct user_net *u = opaque;
	int events = 0;
	unsigned int n;

	for (n = 0; i >= 0 && n < sizeof(event_bits) / sizeof(event_bits[0]);
	     n++) {
		if (u->fds[i].revents & event_bits[n].poll)
			events |= event_bits[n].slirp;
	}
	return events;
}

static bool still_there(const struct user_net *u, int fd)
{
	unsigned int i;

	for (i = 0; i < u->count; i++) {
		if (u->fds[i].fd == fd)
			return true;
	}
	return false;
}

/* What libslirp waits for now */
static void watch(struct user_net *u)
{
	uint32_t timeout = SLIRP_STEP_MS;
	unsigned int i;

	u->dirty = false;
	if (u->count)
		memcpy(u->old, u->fds, u->count * sizeof(*u->old));
	u->old_count = u->count;
	u->count = 0;
	slirp_pollfds_fill(u->slirp, &timeout, add_poll, u);
	for (i = 0; i < u->old_count; i++) {
		/* it may be closed, and gone, already */
		if (!still_there(u, u->old[i].fd))
			epoll_ctl(u->events.fd, EPOLL_CTL_DEL, u->old[i].fd,
				  NULL);
	}
	for (i = 0; i < u->count; i++) {
		struct epoll_event ev = { .events = u->fds[i].events };

		if (epoll_ctl(u->events.fd, EPOLL_CTL_MOD, u->fds[i].fd, &ev) &&
		    errno == ENOENT)
			epoll_ctl(u->events.fd, EPOLL_CTL_ADD, u->fds[i].fd,
				  &ev);
	}
	loop_set_timer(u->loop, &u->step, timeout < SLIRP_STEP_MS ? timeout :
							     SLIRP_STEP_MS);
}

/* Something has changed; once per round of the loop is enough */
static void watch_soon(struct user_net *u)
{
	if (u->dirty)
		return;
	u->dirty = true;
	loop_set_timer(u->loop, &u->step, 0);
}

static void work(struct user_net *u)
{
	int failed = poll(u->fds, u->count, 0) < 0;

	slirp_pollfds_poll(u->slirp, failed, get_revents, u);
	watch(u);
}

static void events(struct loop_fd *lfd, uint32_t bits)
{
	(void)bits;
	work(container_of(lfd, struct user_net, events));
}

static void step(struct loop_timer *timer)
{
	work(container_of(timer, struct user_net, step));
}

/* --- what libslirp calls --------------------------------------------------------- */

static ssize_t send_packet(const void *bytes, size_t len, void *opaque)
{
	struct user_net *u = opaque;
	struct slirp_frame *f;

	f = u->frame_count < SLIRP_MAX_FRAMES ? malloc(sizeof(*f) + len) : NULL;
	if (!f) {
		u->dropped++;
		return len;
	}
	f->next = NULL;
	f->len = len;
	memcpy(f->bytes, bytes, len);
	*u->frames_end = f;
	u->frames_end = &f->next;
	u->frame_count++;
	if (u->nb.readable)
		u->nb.readable(&u->nb, 0);
	return len;
}

static void guest_error(const char *msg, void *opaque)
{
	(void)opaque;
	log_debug("user networking: %s", msg);
}

static int64_t clock_ns(void *opaque)
{
	(void)opaque;
	return loop_now();
}

static void timer_fired(struct loop_timer *timer)
{
	struct slirp_timer *t = container_of(timer, struct slirp_timer, timer);

	t->cb(t->cb_opaque);
}

static void *timer_new(SlirpTimerCb cb, void *cb_opaque, void *opaque)
{
	struct slirp_timer *t = calloc(1, sizeof(*t));

	if (!t)
		abort();	/* libslirp does not look */
	t->timer.fired = timer_fired;
	t->loop = ((struct user_net *)opaque)->loop;
	t->cb = cb;
	t->cb_opaque = cb_opaque;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct slirp_timer *t = timer;

	(void)opaque;
	loop_clear_timer(&t->timer);
	free(t);
}

static void timer_mod(void *timer, int64_t when_ms, void *opaque)
{
	int64_t in = when_ms - (int64_t)(loop_now() / 1000000);
	struct slirp_timer *t = timer;

	(void)opaque;
	loop_set_timer(t->loop, &t->timer, in > 0 ? in : 0);
}

static void poll_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void notify(void *opaque)
{
	watch_soon(opaque);
}

static const SlirpCb callbacks = {
	.send_packet		= send_packet,
	.guest_error		= guest_error,
	.clock_get_ns		= clock_ns,
	.timer_new		= timer_new,
	.timer_free		= timer_free,
	.timer_mod		= timer_mod,
	.register_poll_fd	= poll_fd,
	.unregister_poll_fd	= poll_fd,
	.notify			= notify,
};

/* --- what the card calls ----------------------------------------------------------- */

static ssize_t user_receive(struct netback *nb, unsigned int queue,
			    const struct iovec *iov, int count)
{
	struct user_net *u = to_user_net(nb);
	struct slirp_frame *f = u->frames;
	size_t at = 0, part, total;
	int i;

	(void)queue;
	if (!f)
		return -EAGAIN;
	memset(iov[0].iov_base, 0, sizeof(struct netframe_header));
	for (i = 1; i < count && at < f->len; i++, at += part) {
		part = f->len - at < iov[i].iov_len ? f->len - at :
						      iov[i].iov_len;
		memcpy(iov[i].iov_base, f->bytes + at, part);
	}
	total = sizeof(struct netframe_header) + f->len;
	u->frames = f->next;
	if (!u->frames)
		u->frames_end = &u->frames;
	u->frame_count--;
	free(f);
	return total;
}

static int user_send(struct netback *nb, unsigned int queue,
		     const struct iovec *iov, int count)
{
	struct user_net *u = to_user_net(nb);
	uint8_t frame[NETFRAME_MAX];
	size_t len = 0;
	int i;

	(void)queue;
	for (i = 1; i < count; i++) {
		if (iov[i].iov_len > sizeof(frame) - len)
			return -EMSGSIZE;
		memcpy(frame + len, iov[i].iov_base, iov[i].iov_len);
		len += iov[i].iov_len;
	}
	slirp_input(u->slirp, frame, len);
	watch_soon(u);
	return 0;
}

static void user_status(struct netback *nb, struct text *out)
{
	text_add(out, "user networking, %u sockets, %llu frames dropped",
		 to_user_net(nb)->count,
		 (unsigned long long)to_user_net(nb)->dropped);
}

static void user_close(struct netback *nb)
{
	struct user_net *u = to_user_net(nb);
	struct slirp_frame *f;

	nb->readable = NULL;
	if (u->slirp)
		slirp_cleanup(u->slirp);
	loop_clear_timer(&u->step);
	if (u->events.added) {
		loop_del_fd(&u->events);
		close(u->events.fd);
	}
	while ((f = u->frames)) {
		u->frames = f->next;
		free(f);
	}
	free(u->fds);
	free(u->old);
	free(u);
}

static const struct netback_ops user_ops = {
	.receive	= user_receive,
	.send		= user_send,
	.status		= user_status,
	.close		= user_close,
};

struct netback *netback_user(struct loop *loop, struct text *err)
{
	struct user_net *u = calloc(1, sizeof(*u));
	SlirpConfig config = {
		.version = SLIRP_VERSION_USED,
		.in_enabled = true,
		.in6_enabled = true,
		.vprefix_len = 64,
		.vhostname = "synthhost",
	};
	int fd;

	if (!u)
		return NULL;
	inet_pton(AF_INET, "10.0.2.0", &config.vnetwork);
	inet_pton(AF_INET, "255.255.255.0", &config.vnetmask);
	inet_pton(AF_INET, "10.0.2.2", &config.vhost);
	inet_pton(AF_INET, "10.0.2.15", &config.vdhcp_start);
	inet_pton(AF_INET, "10.0.2.3", &config.vnameserver);
	inet_pton(AF_INET6, "fec0::", &config.vprefix_addr6);
	inet_pton(AF_INET6, "fec0::2", &config.vhost6);
	inet_pton(AF_INET6, "fec0::3", &config.vnameserver6);
	u->nb.ops = &user_ops;
	u->nb.queues = 1;
	u->loop = loop;
	u->frames_end = &u->frames;
	u->events.event = events;
	u->step.fired = step;
	fd = epoll_create1(EPOLL_CLOEXEC);
	if (fd < 0 || loop_add_fd(loop, &u->events, fd, POLLIN)) {
		text_add(err, "user networking: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		user_close(&u->nb);
		return NULL;
	}
	u->slirp = slirp_new(&config, &callbacks, u);
	if (!u->slirp) {
		text_add(err, "user networking: libslirp does not start");
		user_close(&u->nb);
		return NULL;
	}
	watch(u);
	return &u->nb;
}

#else

struct netback *netback_user(struct loop *loop, struct text *err)
{
	(void)loop;
	text_add(err, "synthhost was built without libslirp (libslirp-dev)");
	return NULL;
}

#endif
