// SPDX-License-Identifier: GPL-2.0-only
/* Transactions on the state that survives a worker: see persist.h. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "persist.h"

static const uint32_t persist_sizes[] = {
	sizeof(struct persist_guest), sizeof(struct persist_bus),
	sizeof(struct persist_channel), sizeof(struct persist_gpadl),
	sizeof(struct persist_request), sizeof(struct persist_device),
	sizeof(struct persist_message), sizeof(struct persist_queued),
};

_Static_assert(sizeof(persist_sizes) ==
	       sizeof(((struct persist_header *)0)->sizes), "all records");

const char *const persist_points[] = {
	"packet-done",		/* a packet was handled, nothing is committed */
	"io-begun",		/* a disk request's I/O was begun */
	"io-done",		/* it ended, its completion is not in the ring */
	"saved",		/* the transaction is written */
	"committed",		/* and counts; the guest sees nothing of it */
	"ring-shown",		/* the guest sees one ring's new indices */
	"shown",		/* it sees all rings' and was interrupted */
	"message-blank",	/* a message's slot was made blank */
	"message-begun",	/* it is committed that the slot gets it */
	"message-put",		/* the message is in the slot */
	"settled",		/* all is done */
	"taken-over",		/* a new worker has read the state, no more */
	"repeated",		/* and has begun the requests in flight again */
	NULL
};

static const char *die_point;
static unsigned int die_count;
static void (*die_how)(void);

int persist_die_at(const char *point, unsigned int count, void (*die)(void))
{
	unsigned int i;

	die_point = NULL;
	for (i = 0; persist_points[i]; i++) {
		if (strcmp(persist_points[i], point))
			continue;
		die_point = persist_points[i];
		die_count = count;
		die_how = die;
		return 0;
	}
	return -EINVAL;
}

void persist_point(const char *name)
{
	if (!die_point || strcmp(die_point, name) || --die_count)
		return;
	die_point = NULL;
	die_how();
}

static int persist_check(const struct persist_header *h, struct text *err)
{
	if (h->layout != PERSIST_LAYOUT ||
	    h->bytes != sizeof(struct persist_area) ||
	    memcmp(h->sizes, persist_sizes, sizeof(persist_sizes))) {
		text_add(err, "the state of the worker before has layout %u of %llu bytes, this program has layout %u of %zu bytes: it cannot take over",
			 h->layout, (unsigned long long)h->bytes,
			 PERSIST_LAYOUT, sizeof(struct persist_area));
		return -EPROTO;
	}
	return 0;
}

static int persist_map(struct persist *p, bool new, struct text *err)
{
	struct persist_header *h;
	struct stat st;
	int ret;

	if (new && ftruncate(p->fd, sizeof(*p->area))) {
		ret = -errno;
		text_add(err, "state: %s", strerror(-ret));
		return ret;
	}
	if (fstat(p->fd, &st) || (size_t)st.st_size < sizeof(*h)) {
		text_add(err, "the state of the worker before is no such area");
		return -EPROTO;
	}
	p->area = mmap(NULL, st.st_size, PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_NORESERVE, p->fd, 0);
	if (p->area == MAP_FAILED) {
		ret = -errno;
		p->area = NULL;
		text_add(err, "state: %s", strerror(-ret));
		return ret;
	}
	h = &p->area->header;
	p->takes_over = h->magic == PERSIST_MAGIC;
	if (!p->takes_over && (size_t)st.st_size == sizeof(*p->area)) {
		memcpy(h->sizes, persist_sizes, sizeof(persist_sizes));
		h->layout = PERSIST_LAYOUT;
		h->bytes = sizeof(*p->area);
		__atomic_store_n(&h->magic, PERSIST_MAGIC, __ATOMIC_RELEASE);
	}
	ret = persist_check(h, err);
	if (ret) {
		munmap(p->area, st.st_size);
		p->area = NULL;
	}
	return ret;
}

int persist_open(struct persist *p, int fd, struct text *err)
{
	int ret;

	memset(p, 0, sizeof(*p));
	p->fd = fd >= 0 ? fd : memfd_create("synthhost-state", MFD_CLOEXEC);
	if (p->fd < 0) {
		ret = -errno;
		text_add(err, "state: %s", strerror(-ret));
		return ret;
	}
	ret = persist_map(p, fd < 0, err);
	if (ret) {
		close(p->fd);
		p->fd = -1;
	}
	return ret;
}

void persist_close(struct persist *p)
{
	if (!p->area)
		return;
	munmap(p->area, sizeof(*p->area));
	close(p->fd);
	p->area = NULL;
}

void persist_commit(struct persist *p)
{
	if (!p->dirty)
		return;
	p->dirty = false;
	/* release: all that was written lies there before it counts */
	__atomic_store_n(&p->area->header.committed, persist_next(p),
			 __ATOMIC_RELEASE);
	/* what is written from here on belongs to the next transaction */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void persist_birth(struct persist *p, struct persist_life *life)
{
	life->died = 0;
	__atomic_store_n(&life->born, persist_next(p), __ATOMIC_RELEASE);
	p->dirty = true;
}

void persist_death(struct persist *p, struct persist_life *life)
{
	__atomic_store_n(&life->died, persist_next(p), __ATOMIC_RELEASE);
	p->dirty = true;
}

void persist_free(struct persist_life *life)
{
	/* in this order: an entry without a birth is free whatever @died is */
	__atomic_store_n(&life->born, 0, __ATOMIC_RELEASE);
	/* a release does not keep the compiler from moving later stores before it */
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	life->died = 0;
}

bool persist_lives(struct persist *p, struct persist_life *life)
{
	uint64_t committed = p->area->header.committed;

	if (life->died > committed)
		life->died = 0;
	if (life->born > committed || life->died)
		persist_free(life);
	return life->born;
}

int persist_current(const struct persist *p, const struct persist_pair *pair)
{
	uint64_t committed = p->area->header.committed, best = 0;
	int i, current = -1;

	for (i = 0; i < 2; i++) {
		if (pair->version[i] > best && pair->version[i] <= committed) {
			best = pair->version[i];
			current = i;
		}
	}
	return current;
}

void persist_undo(struct persist *p, struct persist_pair *pair)
{
	int i;

	for (i = 0; i < 2; i++) {
		if (pair->version[i] > p->area->header.committed)
			pair->version[i] = 0;
	}
}

void persist_save(struct persist *p, struct persist_pair *pair, void *copies,
		  const void *value, size_t bytes)
{
	int current = persist_current(p, pair), other = current == 0;
	uint8_t *copy = copies;

	if (pair->version[other] == persist_next(p)) {
		/* one more change in this transaction */
		if (memcmp(copy + other * bytes, value, bytes))
			memcpy(copy + other * bytes, value, bytes);
		return;
	}
	if (current >= 0 && !memcmp(copy + current * bytes, value, bytes))
		return;
	memcpy(copy + other * bytes, value, bytes);
	__atomic_store_n(&pair->version[other], persist_next(p),
			 __ATOMIC_RELEASE);
	p->dirty = true;
}
