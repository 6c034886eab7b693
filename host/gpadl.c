// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/vmbus.h>

#include "gpadl.h"

/* The place in the area that has it, or NULL */
static struct persist_gpadl *gpadl_place(const struct gpadl_table *t,
					 const struct gpadl *g)
{
	return t->persist ? &t->persist->area->gpadl[g->place] : NULL;
}

/* Writes how much of the list has come; the list is there already */
static void gpadl_save(struct gpadl_table *t, const struct gpadl *g)
{
	struct persist_gpadl *p = gpadl_place(t, g);

	if (p)
		persist_save(t->persist, &p->pair, p->filled, &g->filled,
			     sizeof(g->filled));
}

static void gpadl_keep_bytes(struct gpadl_table *t, const struct gpadl *g,
			     uint32_t from)
{
	if (t->persist)
		memcpy(t->persist->area->gpadl_list[g->place] + from,
		       (char *)g->buf + from, g->filled - from);
}

static bool gpadl_take_place(struct gpadl_table *t, struct gpadl *g)
{
	uint32_t i;

	for (i = 0; t->persist && i < PERSIST_GPADLS; i++) {
		uint32_t place = (t->last_place + 1 + i) % PERSIST_GPADLS;

		if (t->persist->area->gpadl[place].life.born)
			continue;
		g->place = place;
		t->last_place = place;
		return true;
	}
	return !t->persist;
}

static void gpadl_keep(struct gpadl_table *t, const struct gpadl *g)
{
	struct persist_gpadl *p = gpadl_place(t, g);

	if (!p)
		return;
	memset(&p->pair, 0, sizeof(p->pair));
	p->handle = g->handle;
	p->relid = g->relid;
	p->len = g->len;
	p->range_count = g->range_count;
	gpadl_keep_bytes(t, g, 0);
	gpadl_save(t, g);
	persist_birth(t->persist, &p->life);
}

void gpadl_committed(struct gpadl_table *t)
{
	uint32_t i;

	if (!t->ended)
		return;
	for (i = 0; i < PERSIST_GPADLS; i++) {
		struct persist_life *life = &t->persist->area->gpadl[i].life;

		if (life->born && life->died)
			persist_free(life);
	}
	t->ended = false;
}

static void gpadl_free(struct gpadl *g)
{
	free(g->ranges);
	free(g->buf);
	free(g);
}

static struct gpadl *gpadl_by_handle(const struct gpadl_table *t,
				     uint32_t handle)
{
	struct gpadl *g = t->first;

	while (g && g->handle != handle)
		g = g->next;
	return g;
}

struct gpadl *gpadl_find(const struct gpadl_table *t, uint32_t relid,
			 uint32_t handle)
{
	struct gpadl *g = gpadl_by_handle(t, handle);

	return g && g->complete && g->relid == relid ? g : NULL;
}

void gpadl_remove(struct gpadl_table *t, struct gpadl *g)
{
	struct gpadl **link = &t->first;

	while (*link != g)
		link = &(*link)->next;
	*link = g->next;
	t->count--;
	if (t->persist) {
		persist_death(t->persist, &gpadl_place(t, g)->life);
		t->ended = true;
	}
	gpadl_free(g);
}

void gpadl_remove_relid(struct gpadl_table *t, uint32_t relid)
{
	struct gpadl *g, *next;

	for (g = t->first; g; g = next) {
		next = g->next;
		if (g->relid == relid)
			gpadl_remove(t, g);
	}
}

void gpadl_remove_all(struct gpadl_table *t)
{
	while (t->first)
		gpadl_remove(t, t->first);
}

/* The whole list is here: take it apart and look at each page */
static const char *gpadl_finish(struct gpadl *g, const struct ram *ram)
{
	uint32_t words = g->len / 8, at = 0;
	unsigned int i;

	g->ranges = calloc(g->range_count, sizeof(*g->ranges));
	if (!g->ranges)
		return "the host is out of memory";
	for (i = 0; i < g->range_count; i++) {
		struct gpadl_range *r = &g->ranges[i];
		uint64_t pages, p;

		if (at == words)
			return "range_buflen is too small for rangecount";
		memcpy(&r->bytes, &g->buf[at], 4);
		memcpy(&r->offset, (char *)&g->buf[at] + 4, 4);
		r->pfns = &g->buf[++at];
		if (!r->bytes)
			return "a range has no bytes";
		if (r->offset >= RAM_PAGE)
			return "a range's byte_offset is beyond its first page";
		pages = ram_pages(r->offset, r->bytes);
		if (pages > words - at)
			return "a range needs more page numbers than range_buflen holds";
		for (p = 0; p < pages; p++) {
			if (r->pfns[p] > UINT64_MAX / RAM_PAGE ||
			    !ram_ptr(ram, r->pfns[p] * RAM_PAGE, RAM_PAGE))
				return "a page is not in guest RAM";
		}
		at += pages;
		g->pages += pages;
	}
	if (at != words)
		return "range_buflen is larger than its ranges";
	g->complete = true;
	return NULL;
}

static const char *gpadl_add_bytes(struct gpadl *g, const struct ram *ram,
				   const void *bytes, size_t len)
{
	if (len % 8)
		return "a page number is cut short";
	if (len > g->len - g->filled)
		return "more bytes than range_buflen said";
	memcpy((char *)g->buf + g->filled, bytes, len);
	g->filled += len;
	return g->filled == g->len ? gpadl_finish(g, ram) : NULL;
}

const char *gpadl_header(struct gpadl_table *t, const struct ram *ram,
			 const void *msg, size_t len, struct gpadl **gpadl)
{
	struct vmbus_wire_gpadl_header h;
	const char *why;
	struct gpadl *g;
	size_t bytes;

	if (len < sizeof(h))
		return "the message is too short";
	memcpy(&h, msg, sizeof(h));
	bytes = len - sizeof(h);
	if (!h.gpadl)
		return "handle 0";
	if (gpadl_by_handle(t, h.gpadl))
		return "the handle is in use";
	if (!h.rangecount)
		return "no range";
	if (h.range_buflen % 8 || h.range_buflen < h.rangecount * 16u)
		return "range_buflen does not fit rangecount";
	if (h.range_buflen / 8 - h.rangecount > VMBUS_WIRE_MAX_PFNS)
		return "more than 8190 pages";
	if (bytes < 16 && bytes < h.range_buflen)
		return "the first range is not in the header message";
	/* A message is padded where it carries 26 page numbers and a half */
	if (bytes > h.range_buflen)
		bytes = h.range_buflen;
	if (t->count == GPADL_MAX)
		return "too many GPADLs";

	g = calloc(1, sizeof(*g));
	if (!g)
		return "the host is out of memory";
	g->buf = malloc(h.range_buflen);
	g->handle = h.gpadl;
	g->relid = h.child_relid;
	g->len = h.range_buflen;
	g->range_count = h.rangecount;
	why = g->buf ? gpadl_add_bytes(g, ram, (const char *)msg + sizeof(h),
				       bytes & ~7ul) :
		       "the host is out of memory";
	if (!why && !gpadl_take_place(t, g))
		why = "too many GPADLs";
	if (why) {
		gpadl_free(g);
		return why;
	}
	gpadl_keep(t, g);
	g->next = t->first;
	t->first = g;
	t->count++;
	*gpadl = g;
	return NULL;
}

const char *gpadl_body(struct gpadl_table *t, const struct ram *ram,
		       const void *msg, size_t len, struct gpadl **gpadl)
{
	struct vmbus_wire_gpadl_body b;
	const char *why;
	struct gpadl *g;
	uint32_t from;

	if (len < sizeof(b))
		return "the message is too short";
	memcpy(&b, msg, sizeof(b));
	g = gpadl_by_handle(t, b.gpadl);
	if (!g)
		return "a body for a handle without a header";
	if (g->complete)
		return "a body for a GPADL that is complete";
	if (len == sizeof(b))
		return "a body without page numbers";
	from = g->filled;
	why = gpadl_add_bytes(g, ram, (const char *)msg + sizeof(b),
			      len - sizeof(b));
	if (why) {
		gpadl_remove(t, g);
		return why;
	}
	gpadl_keep_bytes(t, g, from);
	gpadl_save(t, g);
	*gpadl = g;
	return NULL;
}

struct iovec *gpadl_iov(const struct gpadl *g, const struct ram *ram,
			unsigned int *count)
{
	struct iovec *iov = calloc(g->pages, sizeof(*iov));
	unsigned int i;

	*count = 0;
	for (i = 0; iov && i < g->range_count; i++) {
		const struct gpadl_range *r = &g->ranges[i];
		int n = ram_iov(ram, r->pfns, r->offset, r->bytes,
				iov + *count);

		if (n < 0) {
			free(iov);
			return NULL;
		}
		*count += n;
	}
	return iov;
}

static struct gpadl *gpadl_read(struct gpadl_table *t, const struct ram *ram,
				uint32_t place, const char **why)
{
	const struct persist_gpadl *p = &t->persist->area->gpadl[place];
	int current = persist_current(t->persist, &p->pair);
	struct gpadl *g = calloc(1, sizeof(*g));

	*why = NULL;
	if (!g || current < 0 || p->len > PERSIST_GPADL_BYTES ||
	    p->filled[current] > p->len) {
		free(g);
		return NULL;
	}
	g->handle = p->handle;
	g->relid = p->relid;
	g->len = p->len;
	g->range_count = p->range_count;
	g->place = place;
	g->buf = malloc(p->len);
	if (g->buf)
		*why = gpadl_add_bytes(g, ram,
				       t->persist->area->gpadl_list[place],
				       p->filled[current]);
	return g;
}

int gpadl_take_over(struct gpadl_table *t, const struct ram *ram,
		    struct text *err)
{
	struct persist *persist = t->persist;
	struct persist_area *area = persist->area;
	uint32_t i;

	for (i = 0; i < PERSIST_GPADLS; i++) {
		const char *why;
		struct gpadl *g;

		persist_undo(persist, &area->gpadl[i].pair);
		if (!persist_lives(persist, &area->gpadl[i].life))
			continue;
		g = gpadl_read(t, ram, i, &why);
		if (!g || !g->buf || why) {
			text_add(err, "GPADL 0x%x cannot be read: %s",
				 area->gpadl[i].handle,
				 why ? why : "out of memory");
			if (g)
				gpadl_free(g);
			return -EPROTO;
		}
		g->next = t->first;
		t->first = g;
		t->count++;
	}
	return 0;
}
