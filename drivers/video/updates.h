/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the host is to know of the screen, and which parts of that it has missed: because
 * the ring was full, because the host reads nothing at present, or because the channel
 * is a new one. Later values replace earlier ones, and damage is merged, so that this
 * needs the same memory however long a host is paused.
 *
 * No kernel service or struct is used here, so that it is also tested in user space.
 */
#ifndef SYNTHIO_VIDEO_UPDATES_H
#define SYNTHIO_VIDEO_UPDATES_H

#include <synthio/env.h>

#include <synthio/synthvid.h>

#include "damage.h"

/*
 * A message that is due, in the order in which the messages are sent. The mode and
 * whether anything is shown are one message.
 */
#define SYNV_UPDATE_SITUATION	0x1
#define SYNV_UPDATE_SHAPE	0x2
#define SYNV_UPDATE_POSITION	0x4
#define SYNV_UPDATE_DIRT	0x8
#define SYNV_UPDATE_ALL		0xf

/**
 * struct synv_updates - what the host is to know
 * @missed: mask of SYNV_UPDATE_*: what the host does not know yet
 * @situation: what is shown, and where in the VRAM
 * @position: of the pointer's image
 * @dirt: damage, in pixels of the screen
 *
 * The pointer's shape is in struct synv_shapes.
 */
struct synv_updates {
	u32 missed;
	struct synthvid_output situation;
	struct synthvid_pointer_position position;
	struct synv_damage dirt;
};

/**
 * synv_updates_all_missed() - the host knows nothing: all of it is to be sent
 * @u: the updates
 *
 * A situation is only sent if something is shown: a host that has never got a mode
 * shows nothing.
 */
void synv_updates_all_missed(struct synv_updates *u);

/**
 * synv_updates_resized() - whether the whole screen changes with a situation
 * @u: the updates
 * @output: the next situation
 *
 * Return: true if the screen was dark, becomes dark, or has another size.
 */
bool synv_updates_resized(const struct synv_updates *u,
			  const struct synthvid_output *output);

/**
 * synv_updates_situation() - what is shown now
 * @u: the updates
 * @output: the mode; of a screen that is dark only @active is used
 *
 * All of a screen of another size is damaged; nothing of a dark screen is.
 */
void synv_updates_situation(struct synv_updates *u,
			    const struct synthvid_output *output);

/**
 * synv_updates_position() - where the pointer's image is now
 * @u: the updates
 * @x: of its left edge, in pixels of the screen
 * @y: of its upper edge
 */
void synv_updates_position(struct synv_updates *u, int x, int y);

/**
 * synv_updates_dirt() - this part of the screen has changed
 * @u: the updates
 * @damage: in pixels of the screen
 */
void synv_updates_dirt(struct synv_updates *u, const struct synv_damage *damage);

/**
 * synv_updates_next() - which message is to be sent next
 * @u: the updates
 * @features: which messages the host wants
 *
 * Return: one of SYNV_UPDATE_*, or 0.
 */
u32 synv_updates_next(const struct synv_updates *u,
		      const struct synthvid_feature_change *features);

/**
 * synv_updates_sent() - a message is in the ring
 * @u: the updates
 * @update: what synv_updates_next() has returned
 */
void synv_updates_sent(struct synv_updates *u, u32 update);

#endif
