// SPDX-License-Identifier: GPL-2.0-only
#include "updates.h"

static void damage_all(struct synv_updates *u)
{
	u->dirt.count = 0;
	u->missed &= ~SYNV_UPDATE_DIRT;
	if (!u->situation.active)
		return;
	synv_damage_add(&u->dirt, (struct synv_rect) {
		0, 0, u->situation.width, u->situation.height });
	u->missed |= SYNV_UPDATE_DIRT;
}

void synv_updates_all_missed(struct synv_updates *u)
{
	u->missed = SYNV_UPDATE_SHAPE | SYNV_UPDATE_POSITION;
	if (u->situation.active)
		u->missed |= SYNV_UPDATE_SITUATION;
	damage_all(u);
}

bool synv_updates_resized(const struct synv_updates *u,
			  const struct synthvid_output *output)
{
	return u->situation.active != output->active ||
	       u->situation.width != output->width ||
	       u->situation.height != output->height;
}

void synv_updates_situation(struct synv_updates *u,
			    const struct synthvid_output *output)
{
	bool resized = synv_updates_resized(u, output);

	if (!memcmp(&u->situation, output, sizeof(*output)))
		return;
	if (output->active)
		u->situation = *output;
	else
		u->situation.active = 0;
	u->missed |= SYNV_UPDATE_SITUATION;
	if (resized)
		damage_all(u);
}

void synv_updates_position(struct synv_updates *u, int x, int y)
{
	const struct synthvid_pointer_position position = {
		.visible = 1,
		.x = x,
		.y = y,
	};

	if (!memcmp(&u->position, &position, sizeof(position)))
		return;
	u->position = position;
	u->missed |= SYNV_UPDATE_POSITION;
}

void synv_updates_dirt(struct synv_updates *u, const struct synv_damage *damage)
{
	u32 i;

	if (!u->situation.active)
		return;
	for (i = 0; i < damage->count; i++)
		synv_damage_gather(&u->dirt, damage->rect[i]);
	if (u->dirt.count)
		u->missed |= SYNV_UPDATE_DIRT;
}

u32 synv_updates_next(const struct synv_updates *u,
		      const struct synthvid_feature_change *features)
{
	u32 due = u->missed;

	if (!features->pointer_shape)
		due &= ~SYNV_UPDATE_SHAPE;
	if (!features->pointer_position)
		due &= ~SYNV_UPDATE_POSITION;
	if (!features->dirt)
		due &= ~SYNV_UPDATE_DIRT;
	return due & -due;
}

void synv_updates_sent(struct synv_updates *u, u32 update)
{
	u->missed &= ~update;
	if (update & SYNV_UPDATE_DIRT)
		u->dirt.count = 0;
}
