// SPDX-License-Identifier: GPL-2.0-only
#include <stdlib.h>
#include <string.h>

#include <synthio/vmbus.h>

#include "gpadl.h"

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
	if (why) {
		gpadl_free(g);
		return why;
	}
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
	why = gpadl_add_bytes(g, ram, (const char *)msg + sizeof(b),
			      len - sizeof(b));
	if (why) {
		gpadl_remove(t, g);
		return why;
	}
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
