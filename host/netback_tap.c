// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap. Each frame is one system call, straight from or into the guest's
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>

#include "device.h"
#include "keeper.h"
#include "netback.h"
#include "netframe.h"

/* @armed: it is told when there is something to read; else its user reads */
struct tap_queue {
	struct loop_io io;
	struct tap *tap;
	unsigned int index;
	int fd;
	bool armed;
};

struct tap {
	struct netback nb;
	struct loop *loop;
	bool closing;
	char name[IFNAMSIZ];
	struct tap_queue queue[NETBACK_MAX_QUEUES];
};

static struct tap *to_tap(struct netback *nb)
{
	return container_of(nb, struct tap, nb);
}

static void tap_polled(struct loop_io *io, int res)
{
	struct tap_queue *q = container_of(io, struct tap_queue, io);
	struct netback *nb = &q->tap->nb;

	(void)res;	/* whatever it is, reading says it, too */
	q->armed = false;
	if (!q->tap->closing)
		nb->readable(nb, q->index);
}

/*
 * Not by the loop's epoll descriptor: that is three system calls for each time
 * that a frame comes to a queue that was empty, this is none.
 */
static void tap_arm(struct tap_queue *q)
{
	if (q->armed)
		return;
	q->armed = true;
	io_uring_prep_poll_add(loop_sqe(q->tap->loop, &q->io), q->fd, POLLIN);
}

static ssize_t tap_receive(struct netback *nb, unsigned int queue,
			   const struct iovec *iov, int count)
{
	struct tap_queue *q = &to_tap(nb)->queue[queue];
	ssize_t ret;

	do {
		ret = readv(q->fd, iov, count);
	} while (ret < 0 && errno == EINTR);
	if (ret >= 0)
		return ret;
	ret = -errno;
	tap_arm(q);
	return ret;
}

static int tap_send(struct netback *nb, unsigned int queue,
		    const struct iovec *iov, int count)
{
	ssize_t ret;

	do {
		ret = writev(to_tap(nb)->queue[queue].fd, iov, count);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : 0;
}

static void tap_set_offloads(struct netback *nb,
			     const struct netback_offloads *offloads)
{
	unsigned int flags = 0;

	if (offloads->csum) {
		flags |= TUN_F_CSUM;
		if (offloads->tso4)
			flags |= TUN_F_TSO4;
		if (offloads->tso6)
			flags |= TUN_F_TSO6;
		if (offloads->tso4 || offloads->tso6)
			flags |= TUN_F_TSO_ECN;
	}
	/* Of the interface, not of the queue */
	if (ioctl(to_tap(nb)->queue[0].fd, TUNSETOFFLOAD, flags))
		log_warn("tap %s: TUNSETOFFLOAD: %s", to_tap(nb)->name,
			 strerror(errno));
}

static void tap_set_link(struct netback *nb, bool up)
{
	int carrier = up;

	if (ioctl(to_tap(nb)->queue[0].fd, TUNSETCARRIER, &carrier))
		log_debug("tap %s: TUNSETCARRIER: %s", to_tap(nb)->name,
			  strerror(errno));
}

static void tap_status(struct netback *nb, struct text *out)
{
	text_add(out, "tap %s, %u queue%s", to_tap(nb)->name, nb->queues,
		 nb->queues == 1 ? "" : "s");
}

static bool tap_disarmed(void *arg)
{
	return !((struct tap_queue *)arg)->armed;
}

static void tap_close(struct netback *nb)
{
	struct tap *tap = to_tap(nb);
	unsigned int i;

	tap->closing = true;
	for (i = 0; i < nb->queues; i++) {
		struct tap_queue *q = &tap->queue[i];

		if (q->armed)
			loop_cancel(tap->loop, &q->io);
		loop_wait_io(tap->loop, tap_disarmed, q);
		close(q->fd);
	}
	free(tap);
}

static const struct netback_ops tap_ops = {
	.receive	= tap_receive,
	.send		= tap_send,
	.set_offloads	= tap_set_offloads,
	.set_link	= tap_set_link,
	.status		= tap_status,
	.close		= tap_close,
};

/* One more queue; a descriptor or -errno */
static int tap_open_queue(const char *name, short flags)
{
	struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR |
					  flags };
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), ret;

	if (fd < 0)
		return -errno;
	strncpy(ifr.ifr_name, name, IFNAMSIZ - 1);
	if (!ioctl(fd, TUNSETIFF, &ifr))
		return fd;
	ret = -errno;
	close(fd);
	return ret;
}

/* Without an owner a tap vanishes, and what it was connected to forgets it */
static int tap_get_queue(const char *name, unsigned int index, short flags)
{
	char kept[KEEPER_NAME_MAX];
	int fd;

	snprintf(kept, sizeof(kept), "tap %s %u", name, index);
	fd = keeper_take(kept);
	if (fd >= 0)
		return fd;
	/* a worker before has got all that there are */
	if (index && keeper_has("state"))
		return -ENOENT;
	fd = tap_open_queue(name, flags);
	if (fd >= 0)
		keeper_store(kept, fd);
	return fd;
}

static int tap_prepare(struct tap *tap, int fd)
{
	struct tap_queue *q = &tap->queue[tap->nb.queues];
	int bytes = sizeof(struct netframe_header);
	struct ifreq ifr = { 0 };

	if (ioctl(fd, TUNGETIFF, &ifr))
		return -errno;
	if (!(ifr.ifr_flags & IFF_TAP) || !(ifr.ifr_flags & IFF_VNET_HDR) ||
	    !(ifr.ifr_flags & IFF_NO_PI))
		return -EINVAL;
	if (fcntl(fd, F_SETFL, O_NONBLOCK) ||
	    ioctl(fd, TUNSETVNETHDRSZ, &bytes))
		return -errno;
	memcpy(tap->name, ifr.ifr_name, IFNAMSIZ - 1);
	q->tap = tap;
	q->index = tap->nb.queues;
	q->fd = fd;
	q->io.done = tap_polled;
	tap->nb.queues++;
	return 0;
}

struct netback *netback_tap(struct loop *loop, const char *name, int fd,
			    unsigned int queues, struct text *err)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	short flags = queues > 1 ? IFF_MULTI_QUEUE : 0;
	int ret = 0;

	if (!tap)
		return NULL;
	tap->nb.ops = &tap_ops;
	tap->loop = loop;
	tap->nb.can_lso = true;
	if (queues > NETBACK_MAX_QUEUES)
		queues = NETBACK_MAX_QUEUES;
	while (tap->nb.queues < queues) {
		if (name)
			fd = tap_get_queue(name, tap->nb.queues, flags);
		/* it exists, and is of the other sort */
		if (fd == -EINVAL && !tap->nb.queues) {
			flags ^= IFF_MULTI_QUEUE;
			fd = tap_get_queue(name, 0, flags);
		}
		if (fd == -ENOENT && tap->nb.queues)
			break;
		ret = fd < 0 ? fd : tap_prepare(tap, fd);
		if (ret && fd >= 0 && name)
			close(fd);
		if (ret || !name || !(flags & IFF_MULTI_QUEUE))
			break;
	}
	if (!ret)
		return &tap->nb;
	text_add(err, "tap %s: %s", name ? name : "descriptor",
		 strerror(-ret));
	tap_close(&tap->nb);
	return NULL;
}
