// SPDX-License-Identifier: GPL-2.0-only
#include "pointer.h"

#define BPP	4	/* bytes of a pixel */

/*
 * A nearly transparent pixel with an alpha of 1, as hyperv_drm sends it: nothing is seen of
 * it on Hyper-V. Windows may draw an image whose alpha is 0 everywhere as an opaque one.
 */
#define TRANSPARENT	0x01010100

void synv_pointer_hide(struct synv_pointer *p)
{
	p->width = 1;
	p->height = 1;
	p->hot_x = 0;
	p->hot_y = 0;
	p->x = 0;
	p->y = 0;
	p->argb[0] = TRANSPARENT;
}

/* DRM's pixels are premultiplied with alpha, the host's are not */
static u32 straight(u32 argb)
{
	u32 alpha = argb >> 24, out = argb & 0xff000000;
	int shift;

	if (alpha == 0xff)
		return argb;
	if (!alpha)
		return 0;
	for (shift = 16; shift >= 0; shift -= 8) {
		u32 c = ((argb >> shift & 0xff) * 255 + alpha / 2) / alpha;

		out |= (c < 255 ? c : 255) << shift;
	}
	return out;
}

void synv_pointer_line(struct synv_pointer *p, u32 y, const u32 *line)
{
	u32 *to = p->argb + y * p->width;
	u32 x;

	for (x = 0; x < p->width; x++)
		to[x] = straight(line[x]);
}

void synv_pointer_crop(struct synv_pointer *p)
{
	u32 x1 = p->hot_x, y1 = p->hot_y, x2 = x1 + 1, y2 = y1 + 1, x, y;
	bool seen = false;

	for (y = 0; y < p->height; y++) {
		for (x = 0; x < p->width; x++) {
			if (!(p->argb[y * p->width + x] >> 24))
				continue;
			seen = true;
			x1 = min(x1, x);
			x2 = max(x2, x + 1);
			y1 = min(y1, y);
			y2 = max(y2, y + 1);
		}
	}
	if (!seen) {
		synv_pointer_hide(p);
		return;
	}
	/* lines move to the left and up only, so none is overwritten before it is read */
	for (y = y1; y < y2; y++)
		memmove(p->argb + (y - y1) * (x2 - x1),
			p->argb + y * p->width + x1, (x2 - x1) * BPP);
	p->width = x2 - x1;
	p->height = y2 - y1;
	p->hot_x -= x1;
	p->hot_y -= y1;
	p->x = x1;
	p->y = y1;
}

bool synv_pointer_same(const struct synv_pointer *a,
		       const struct synv_pointer *b)
{
	return a->width == b->width && a->height == b->height &&
	       a->hot_x == b->hot_x && a->hot_y == b->hot_y &&
	       !memcmp(a->argb, b->argb, a->width * a->height * BPP);
}

u32 synv_pointer_part(const struct synv_pointer *p, u32 part,
		      struct synthvid_pointer_shape *shape, void *pixels)
{
	u32 all = p->width * p->height * BPP;
	u32 from = part * SYNTHVID_POINTER_PART;
	u32 bytes;

	if (from >= all)
		return 0;
	bytes = min(all - from, (u32)SYNTHVID_POINTER_PART);
	*shape = (struct synthvid_pointer_shape) {
		.part = from + bytes < all ? part : SYNTHVID_POINTER_COMPLETE,
		.argb = 1,
		.width = p->width,
		.height = p->height,
		.hot_x = p->hot_x,
		.hot_y = p->hot_y,
	};
	memcpy(pixels, (const u8 *)p->argb + from, bytes);
	return bytes;
}
