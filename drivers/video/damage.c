// SPDX-License-Identifier: GPL-2.0-only
#include "damage.h"

static s64 area(const struct synv_rect *r)
{
	return (s64)(r->x2 - r->x1) * (r->y2 - r->y1);
}

static struct synv_rect join(const struct synv_rect *a,
			     const struct synv_rect *b)
{
	struct synv_rect r = {
		.x1 = min(a->x1, b->x1),
		.y1 = min(a->y1, b->y1),
		.x2 = max(a->x2, b->x2),
		.y2 = max(a->y2, b->y2),
	};

	return r;
}

/* How many pixels more one rectangle around both has than the two have */
static s64 waste(const struct synv_rect *a, const struct synv_rect *b)
{
	struct synv_rect r = join(a, b);

	return area(&r) - area(a) - area(b);
}

void synv_damage_add(struct synv_damage *d, struct synv_rect rect)
{
	if (rect.x1 >= rect.x2 || rect.y1 >= rect.y2)
		return;
	/* each round leaves one rectangle less, or is the last one */
	for (;;) {
		s64 best = S64_MAX;
		u32 i, with = 0;

		for (i = 0; i < d->count; i++) {
			s64 w = waste(&d->rect[i], &rect);

			if (w < best) {
				best = w;
				with = i;
			}
		}
		if (best > SYNV_DAMAGE_RECT_COST && d->count < SYNV_DAMAGE_MAX)
			break;
		rect = join(&d->rect[with], &rect);
		d->rect[with] = d->rect[--d->count];
	}
	d->rect[d->count++] = rect;
}

static bool covers(const struct synv_rect *a, const struct synv_rect *b)
{
	return a->x1 <= b->x1 && a->y1 <= b->y1 && a->x2 >= b->x2 &&
	       a->y2 >= b->y2;
}

void synv_damage_gather(struct synv_damage *d, struct synv_rect rect)
{
	u32 i;

	for (i = 0; i < d->count; i++) {
		if (covers(&d->rect[i], &rect))
			return;
	}
	if (d->count == SYNV_DAMAGE_MAX) {
		for (i = 1; i < d->count; i++)
			d->rect[0] = join(&d->rect[0], &d->rect[i]);
		d->count = 1;
	}
	synv_damage_add(d, rect);
}

void synv_damage_clip(struct synv_damage *d, const struct synv_rect *within)
{
	u32 i, count = 0;

	for (i = 0; i < d->count; i++) {
		struct synv_rect r = {
			.x1 = max(d->rect[i].x1, within->x1),
			.y1 = max(d->rect[i].y1, within->y1),
			.x2 = min(d->rect[i].x2, within->x2),
			.y2 = min(d->rect[i].y2, within->y2),
		};

		if (r.x1 < r.x2 && r.y1 < r.y2)
			d->rect[count++] = r;
	}
	d->count = count;
}
