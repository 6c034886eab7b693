// SPDX-License-Identifier: GPL-2.0-only
/*
 * A tap. Each frame is one system call, straight from or into the guest's
 * memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "device.h"
#include "netback.h"

struct tap_queue {
	struct loop_fd fd;
	struct tap *tap;
	unsigned int index;
};

struct tap {
	struct netback nb;
	char name[IFNAMSIZ];
	struct tap_queue queue[NETBACK_MAX_QUEUES];
};

static struct tap *to_tap(struct netback *nb)
{
	return container_of(nb, struct tap, nb);
}

static ssize_t tap_receive(struct netback *nb, unsigned int queue,
			   const struct iovec *iov, int count)
{
	ssize_t ret;

	do {
		ret = readv(to_tap(nb)->queue[queue].fd.fd, iov, count);
	} while (ret < 0 && errno == EINTR);
	return ret < 0 ? -errno : ret;
}

static int tap_send(struct netback *nb, unsigned int queue,
		    const struct iovec *iov, int count)
{
	ssize_t ret;

	do {
		ret = writev(to_tap(nb)->queue[queue].fd.fd, iov, count);
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
	if (ioctl(to_tap(nb)->queue[0].fd.fd, TUNSETOFFLOAD, flags))
		log_warn("tap %s: TUNSETOFFLOAD: %s", to_tap(nb)->name,
			 strerror(errno));
}

static void tap_set_link(struct netback *nb, bool up)
{
	int carrier = up;

	if (ioctl(to_tap(nb)->queue[0].fd.fd, TUNSETCARRIER, &carrier))
		log_debug("tap %s: TUNSETCARRIER: %s", to_tap(nb)->name,
			  strerror(errno));
}

static void tap_status(struct netback *nb, struct text *out)
{
	text_add(out, "tap %s, %u queue%s", to_tap(nb)->name, nb->queues,
		 nb->queues == 1 ? "" : "s");
}

static void tap_close(struct netback *nb)
{
	struct tap *tap = to_tap(nb);
	unsigned int i;

	for (i = 0; i < nb->queues; i++) {
		loop_del_fd(&tap->queue[i].fd);
		close(tap->queue[i].fd.fd);
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

static void tap_event(struct loop_fd *lfd, uint32_t events)
{
	struct tap_queue *q = container_of(lfd, struct tap_queue, fd);
	struct netback *nb = &q->tap->nb;

	if (events & POLLIN && nb->readable)
		nb->readable(nb, q->index);
}

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

static int tap_prepare(struct loop *loop, struct tap *tap, int fd)
{
	struct tap_queue *q = &tap->queue[tap->nb.queues];
	int bytes = sizeof(struct virtio_net_hdr);
	struct ifreq ifr = { 0 };
	int ret;

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
	q->fd.event = tap_event;
	/* A queue that stays full, because the guest has no room, says so once */
	ret = loop_add_fd(loop, &q->fd, fd, POLLIN | EPOLLET);
	if (!ret)
		tap->nb.queues++;
	return ret;
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
	tap->nb.can_lso = true;
	if (queues > NETBACK_MAX_QUEUES)
		queues = NETBACK_MAX_QUEUES;
	while (tap->nb.queues < queues) {
		if (name)
			fd = tap_open_queue(name, flags);
		/* it exists, and is of the other sort */
		if (fd == -EINVAL && !tap->nb.queues) {
			flags ^= IFF_MULTI_QUEUE;
			fd = tap_open_queue(name, flags);
		}
		ret = fd < 0 ? fd : tap_prepare(loop, tap, fd);
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
