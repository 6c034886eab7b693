/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lists of rectangles that have changed. A rectangle has a cost of its own (its part of a
 * message, the start of each line), and each pixel has a cost: two rectangles are merged
 * only if that is cheaper.
 *
 * No kernel service or struct is used here, so that it is also tested in user space.
 */
#ifndef SYNTHIO_VIDEO_DAMAGE_H
#define SYNTHIO_VIDEO_DAMAGE_H

#include <synthio/env.h>

#define SYNV_DAMAGE_MAX		32

/* Number of pixels that are copied in the time that one more rectangle takes */
#define SYNV_DAMAGE_RECT_COST	1024

struct synv_rect {
	int x1, y1;
	int x2, y2;		/* exclusive */
};

struct synv_damage {
	u32 count;
	struct synv_rect rect[SYNV_DAMAGE_MAX];
};

/**
 * synv_damage_add() - add a rectangle, at the least cost
 * @d: the list
 * @rect: an empty one is left out
 */
void synv_damage_add(struct synv_damage *d, struct synv_rect rect);

/**
 * synv_damage_gather() - add one of many rectangles
 * @d: the list
 * @rect: left out if another one covers it
 *
 * If the list is full, one rectangle around all of them replaces them, so that further
 * rectangles cost little time.
 */
void synv_damage_gather(struct synv_damage *d, struct synv_rect rect);

/**
 * synv_damage_clip() - restrict a list to the inside of a rectangle
 * @d: the list
 * @within: the rectangle
 */
void synv_damage_clip(struct synv_damage *d, const struct synv_rect *within);

#endif
