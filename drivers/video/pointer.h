/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the pointer looks like, and the messages that say so. No kernel service or
 * struct is used here, so that it is also tested in user space.
 */
#ifndef SYNTHIO_VIDEO_POINTER_H
#define SYNTHIO_VIDEO_POINTER_H

#include <synthio/env.h>

#include <synthio/synthvid.h>

/**
 * struct synv_pointer - a picture of the pointer, as the host is to have it
 * @width: pixels, 1 to SYNTHVID_POINTER_MAX
 * @height: likewise
 * @hot_x: of the pixel that points, inside of the picture
 * @hot_y: likewise
 * @x: of its left edge in the picture that it was cut out of
 * @y: of its upper edge there
 * @argb: line after line, alpha is not multiplied in
 */
struct synv_pointer {
	u32 width;
	u32 height;
	u32 hot_x;
	u32 hot_y;
	u32 x;
	u32 y;
	u32 argb[SYNTHVID_POINTER_MAX * SYNTHVID_POINTER_MAX];
};

/**
 * synv_pointer_hide() - make a picture of which nothing is seen
 *
 * Hyper-V ignores that a pointer is said to be invisible, and draws a dot for
 * one that it has no picture of.
 */
void synv_pointer_hide(struct synv_pointer *p);

/**
 * synv_pointer_line() - set a line of the picture
 * @y: below p->height
 * @line: p->width pixels with alpha multiplied in, as DRM has them
 */
void synv_pointer_line(struct synv_pointer *p, u32 y, const u32 *line);

/**
 * synv_pointer_crop() - leave out transparent pixels at the edges
 * @p: a picture, not cropped yet. The pixel that points stays in it. A picture
 * that is transparent becomes the one of synv_pointer_hide()
 */
void synv_pointer_crop(struct synv_pointer *p);

/**
 * synv_pointer_same() - whether a host that has one picture has the other
 */
bool synv_pointer_same(const struct synv_pointer *a,
		       const struct synv_pointer *b);

/**
 * synv_pointer_part() - fill in a message of those that have the picture
 * @part: from 0
 * @shape: filled in
 * @pixels: so are at most SYNTHVID_POINTER_PART bytes
 *
 * Return: how many bytes; 0: there is no such part.
 */
u32 synv_pointer_part(const struct synv_pointer *p, u32 part,
		      struct synthvid_pointer_shape *shape, void *pixels);

#endif
