/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shapes of the pointer, and their messages. No kernel service or struct is used here, so
 * that it is also tested in user space.
 */
#ifndef SYNTHIO_VIDEO_POINTER_H
#define SYNTHIO_VIDEO_POINTER_H

#include <synthio/env.h>

#include <synthio/synthvid.h>

/**
 * struct synv_pointer - a shape of the pointer, in the host's format
 * @width: pixels, 1 to SYNTHVID_POINTER_MAX
 * @height: likewise
 * @hot_x: column of the hot spot, inside of the shape
 * @hot_y: its line
 * @x: left edge in the image from which the shape was cropped
 * @y: upper edge there
 * @argb: line after line, not premultiplied
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
 * synv_pointer_hide() - make a shape that can't be seen
 * @p: the shape
 *
 * Hyper-V ignores the flag that makes a pointer invisible, and draws a dot as long as it
 * has no shape.
 */
void synv_pointer_hide(struct synv_pointer *p);

/**
 * synv_pointer_line() - set a line of a shape
 * @p: the shape
 * @y: below p->height
 * @line: p->width pixels, premultiplied with alpha as in DRM
 */
void synv_pointer_line(struct synv_pointer *p, u32 y, const u32 *line);

/**
 * synv_pointer_crop() - cut off transparent pixels at the edges
 * @p: the shape, not cropped yet. The hot spot stays inside of it. A transparent shape
 *	becomes that of synv_pointer_hide()
 */
void synv_pointer_crop(struct synv_pointer *p);

/**
 * synv_pointer_same() - whether two shapes are the same for the host
 * @a: a shape
 * @b: another one
 */
bool synv_pointer_same(const struct synv_pointer *a,
		       const struct synv_pointer *b);

/**
 * synv_pointer_part() - make one of the messages of a shape
 * @p: the shape
 * @part: index of the message
 * @shape: set
 * @pixels: set, SYNTHVID_POINTER_PART bytes at most
 *
 * Return: the number of bytes in @pixels; 0 if the shape has fewer parts.
 */
u32 synv_pointer_part(const struct synv_pointer *p, u32 part,
		      struct synthvid_pointer_shape *shape, void *pixels);

#endif
