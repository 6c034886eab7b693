/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rectangles that have changed. Each costs a little by itself, a message's part
 * and the start of each line, and each pixel costs: two are made one where that
 * is cheaper, and only there. Also tested in user space.
 */
#ifndef SYNTHIO_VIDEO_DAMAGE_H
#define SYNTHIO_VIDEO_DAMAGE_H

#include <synthio/env.h>

#define SYNV_DAMAGE_MAX		32

/* As many pixels are copied in the time that one more rectangle takes */
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
 * synv_damage_add() - add a rectangle; an empty one is none
 */
void synv_damage_add(struct synv_damage *d, struct synv_rect rect);

/**
 * synv_damage_gather() - the same where many may come: if there is no room for one
 * more, one around all takes their place, so that the next ones cost little
 */
void synv_damage_gather(struct synv_damage *d, struct synv_rect rect);

/**
 * synv_damage_clip() - leave only what is within a rectangle
 */
void synv_damage_clip(struct synv_damage *d, const struct synv_rect *within);

#endif
