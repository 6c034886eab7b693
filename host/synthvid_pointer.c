// SPDX-License-Identifier: GPL-2.0-only
/* The pointer: where it is, and what it looks like, which may come in parts. */
#include <string.h>

#include "bus.h"
#include "synthvid.h"

/* hyperv_drm hides a pointer with an alpha of 1 */
#define ALPHA_SEEN	2

void synthvid_pointer_show(struct synthvid *v)
{
	struct console_cursor cursor = {
		.argb = v->pointer.argb,
		.width = v->pointer.width,
		.height = v->pointer.height,
		.hot_x = v->pointer.hot_x,
		.hot_y = v->pointer.hot_y,
	};

	console_set_cursor(bus_console(v->dev.bus),
			   synthvid_pointer_drawn(v) ? &cursor : NULL);
}

void synthvid_pointer_open(struct synthvid *v)
{
	struct synthvid_pointer *p = &v->pointer;

	memset(&v->position, 0, sizeof(v->position));
	memset(p, 0, sizeof(*p));
	v->arriving.parts = 0;
	if (v->dev.bus->profile->synthvid.dot) {
		p->dot = true;
		p->width = 2;
		p->height = 2;
		memset(p->argb, 0xff, p->width * p->height * SYNTHVID_BPP);
		synthvid_pointer_show(v);
	}
	synthvid_keep_pointer(v);
}

void synthvid_pointer_close(struct synthvid *v)
{
	memset(&v->position, 0, sizeof(v->position));
	v->pointer.width = 0;
	v->arriving.parts = 0;
	synthvid_keep_pointer(v);
	console_set_cursor(bus_console(v->dev.bus), NULL);
}

bool synthvid_pointer_drawn(const struct synthvid *v)
{
	return v->pointer.width &&
	       (v->position.visible || v->pointer.dot ||
		v->dev.bus->profile->synthvid.always_visible);
}

const char *synthvid_pointer_state(const struct synthvid *v)
{
	const struct synthvid_pointer *p = &v->pointer;
	uint32_t i;

	for (i = 0; synthvid_pointer_drawn(v) && i < p->width * p->height;
	     i++) {
		if (p->argb[i] >> 24 >= ALPHA_SEEN)
			return p->dot ? "dot" : "visible";
	}
	return "hidden";
}

void synthvid_pointer_position(struct synthvid *v,
			       const struct synthvid_pointer_position *p)
{
	bool drawn = synthvid_pointer_drawn(v);

	v->counts.positions++;
	v->position = *p;
	if (drawn != synthvid_pointer_drawn(v))
		synthvid_pointer_show(v);
	if (synthvid_pointer_drawn(v))
		console_move_cursor(bus_console(v->dev.bus), p->x, p->y);
}

static bool shape_ok(const struct synthvid_pointer_shape *s)
{
	return s->argb && s->width && s->height &&
	       s->width <= SYNTHVID_POINTER_MAX &&
	       s->height <= SYNTHVID_POINTER_MAX && s->hot_x < s->width &&
	       s->hot_y < s->height;
}

/* The first part, or the only one, or one that continues what has come */
static bool part_ok(const struct synthvid_arriving *a,
		    const struct synthvid_pointer_shape *s)
{
	struct synthvid_pointer_shape next = a->shape;

	if (!a->parts)
		return !s->part || s->part == SYNTHVID_POINTER_COMPLETE;
	next.part = s->part;
	return (s->part == a->parts || s->part == SYNTHVID_POINTER_COMPLETE) &&
	       !memcmp(&next, s, sizeof(next));
}

bool synthvid_pointer_shape(struct synthvid *v, const struct pipe_message *msg)
{
	const struct synthvid_pointer_shape *s = msg->payload;
	uint32_t most = v->dev.bus->profile->synthvid.shape_part;
	struct synthvid_arriving *a = &v->arriving;
	struct synthvid_pointer *p = &v->pointer;
	uint32_t bytes, all;

	if (msg->len <= sizeof(*s) || !shape_ok(s) || !part_ok(a, s))
		return false;
	if (!a->parts) {
		a->shape = *s;
		a->bytes = 0;
	}
	bytes = msg->len - sizeof(*s);
	all = s->width * s->height * SYNTHVID_BPP;
	if ((most && bytes > most) || bytes > all - a->bytes ||
	    (s->part == SYNTHVID_POINTER_COMPLETE) != (a->bytes + bytes == all))
		return false;
	memcpy(a->argb + a->bytes, s + 1, bytes);
	a->bytes += bytes;
	synthvid_keep_part(v, a->bytes - bytes);
	a->parts++;
	v->counts.shape_parts++;
	v->counts.shape_bytes += bytes;
	if (s->part != SYNTHVID_POINTER_COMPLETE)
		return true;
	a->parts = 0;
	v->counts.shapes++;
	p->dot = false;
	p->width = s->width;
	p->height = s->height;
	p->hot_x = s->hot_x;
	p->hot_y = s->hot_y;
	memcpy(p->argb, a->argb, all);
	synthvid_keep_pointer(v);
	synthvid_pointer_show(v);
	return true;
}
