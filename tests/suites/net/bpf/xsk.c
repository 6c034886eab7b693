// SPDX-License-Identifier: GPL-2.0-only
/*
 * AF_XDP without a library: four rings and a piece of memory, as
 * Documentation/networking/af_xdp.rst describes them.
 */
#include <errno.h>
#include <linux/if_xdp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "xsk.h"

#define FRAME	2048u
#define RING	256u			/* entries of each; a power of two */
#define FRAMES	(2 * RING)

struct ring {
	uint32_t *producer, *consumer;
	void *entries;
	uint32_t at;			/* our own side of it */
};

struct xsk {
	int fd;
	uint8_t *memory;
	struct ring fill, completion, rx, tx;
};

static bool ring_map(struct ring *r, int fd, uint64_t pgoff,
		     const struct xdp_ring_offset *off, size_t entry)
{
	uint8_t *p;

	p = mmap(NULL, off->desc + RING * entry, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_POPULATE, fd, (off_t)pgoff);
	if (p == MAP_FAILED)
		return false;
	r->producer = (uint32_t *)(p + off->producer);
	r->consumer = (uint32_t *)(p + off->consumer);
	r->entries = p + off->desc;
	return true;
}

/* The layout is known once all four rings have their size */
static bool xsk_rings(struct xsk *x)
{
	static const int options[] = {
		XDP_UMEM_FILL_RING, XDP_UMEM_COMPLETION_RING, XDP_RX_RING,
		XDP_TX_RING,
	};
	struct xdp_mmap_offsets off;
	socklen_t len = sizeof(off);
	uint32_t count = RING;
	unsigned int i;

	for (i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (setsockopt(x->fd, SOL_XDP, options[i], &count,
			       sizeof(count)))
			return false;
	}
	if (getsockopt(x->fd, SOL_XDP, XDP_MMAP_OFFSETS, &off, &len))
		return false;
	return ring_map(&x->fill, x->fd, XDP_UMEM_PGOFF_FILL_RING, &off.fr,
			sizeof(uint64_t)) &&
		ring_map(&x->completion, x->fd,
			 XDP_UMEM_PGOFF_COMPLETION_RING, &off.cr,
			 sizeof(uint64_t)) &&
		ring_map(&x->rx, x->fd, XDP_PGOFF_RX_RING, &off.rx,
			 sizeof(struct xdp_desc)) &&
		ring_map(&x->tx, x->fd, XDP_PGOFF_TX_RING, &off.tx,
			 sizeof(struct xdp_desc));
}

static void fill_put(struct xsk *x, uint64_t address)
{
	uint64_t *e = x->fill.entries;

	e[x->fill.at++ & (RING - 1)] = address;
	__atomic_store_n(x->fill.producer, x->fill.at, __ATOMIC_RELEASE);
}

struct xsk *xsk_open(int ifindex, unsigned int queue, int *fd)
{
	struct xsk *x = calloc(1, sizeof(*x));
	struct xdp_umem_reg reg = { .len = FRAMES * FRAME,
				    .chunk_size = FRAME };
	struct sockaddr_xdp where = { .sxdp_family = AF_XDP,
				      .sxdp_flags = XDP_COPY,
				      .sxdp_ifindex = (uint32_t)ifindex,
				      .sxdp_queue_id = queue };
	unsigned int i;

	x->fd = socket(AF_XDP, SOCK_RAW, 0);
	x->memory = mmap(NULL, FRAMES * FRAME, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.addr = (uintptr_t)x->memory;
	if (x->fd < 0 || x->memory == MAP_FAILED ||
	    setsockopt(x->fd, SOL_XDP, XDP_UMEM_REG, &reg, sizeof(reg)) ||
	    !xsk_rings(x)) {
		perror("AF_XDP");
		return NULL;
	}
	for (i = 0; i < RING; i++)
		fill_put(x, i * FRAME);
	if (bind(x->fd, (struct sockaddr *)&where, sizeof(where))) {
		perror("AF_XDP: bind");
		return NULL;
	}
	*fd = x->fd;
	return x;
}

static bool take_back(struct xsk *x, unsigned long *sent)
{
	uint32_t end = __atomic_load_n(x->completion.producer,
				       __ATOMIC_ACQUIRE);
	uint64_t *e = x->completion.entries;

	for (; x->completion.at != end; x->completion.at++) {
		uint64_t address = e[x->completion.at & (RING - 1)];

		if (address >= FRAMES * FRAME) {
			fprintf(stderr, "completed: %#lx\n",
				(unsigned long)address);
			return false;
		}
		fill_put(x, address & ~(uint64_t)(FRAME - 1));
		++*sent;
	}
	__atomic_store_n(x->completion.consumer, end, __ATOMIC_RELEASE);
	return true;
}

bool xsk_reflect(struct xsk *x, int wait, unsigned long *seen,
		 unsigned long *sent)
{
	struct pollfd p = { .fd = x->fd, .events = POLLIN };
	struct xdp_desc *in = x->rx.entries, *out = x->tx.entries;
	uint8_t *frame, tmp[6];
	uint32_t end;

	poll(&p, 1, wait);
	end = __atomic_load_n(x->rx.producer, __ATOMIC_ACQUIRE);
	for (; x->rx.at != end; x->rx.at++) {
		const struct xdp_desc d = in[x->rx.at & (RING - 1)];

		if (d.addr >= FRAMES * FRAME || d.len < 14 || d.len > FRAME) {
			fprintf(stderr, "received: %#lx, %u\n",
				(unsigned long)d.addr, d.len);
			return false;
		}
		frame = x->memory + d.addr;
		memcpy(tmp, frame, 6);
		memcpy(frame, frame + 6, 6);
		memcpy(frame + 6, tmp, 6);
		/* there are as many frames as the ring has entries */
		out[x->tx.at++ & (RING - 1)] = d;
		++*seen;
	}
	__atomic_store_n(x->rx.consumer, end, __ATOMIC_RELEASE);
	__atomic_store_n(x->tx.producer, x->tx.at, __ATOMIC_RELEASE);
	if (sendto(x->fd, NULL, 0, MSG_DONTWAIT, NULL, 0) < 0 &&
	    errno != EAGAIN && errno != EBUSY && errno != ENOBUFS) {
		perror("AF_XDP: send");
		return false;
	}
	return take_back(x, sent);
}
