// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a display survives a worker. The picture is in guest memory; the
 * pointer's is in the device's area (device_area()), twice: the committed one, and
 * the one that is being made.
 */
#include <errno.h>
#include <string.h>

#include "bus.h"
#include "synthvid.h"

_Static_assert(sizeof(struct synthvid_saved) <= PERSIST_DEVICE_BYTES, "state");
_Static_assert(sizeof(struct synthvid_area) <= PERSIST_AREA_BYTES, "area");

void synthvid_keep_pointer(struct synthvid *v)
{
	struct synthvid_area *area = device_area(&v->dev);

	if (!area || v->dev.bus->restoring)
		return;
	v->pointer_copy = !v->pointer_committed;
	memcpy(&area->pointer[v->pointer_copy], &v->pointer,
	       sizeof(v->pointer));
}

void synthvid_keep_part(struct synthvid *v, uint32_t from)
{
	struct synthvid_area *area = device_area(&v->dev);

	/* what is behind the committed bytes means nothing yet */
	if (area)
		memcpy(area->arriving + from, v->arriving.argb + from,
		       v->arriving.bytes - from);
}

void synthvid_settled(struct device *dev)
{
	struct synthvid *v = to_synthvid(dev);

	v->pointer_committed = v->pointer_copy;
}

void synthvid_save(struct device *dev, void *state)
{
	struct synthvid *v = to_synthvid(dev);
	struct synthvid_saved *s = state;

	s->state = v->state;
	s->version = v->version;
	s->vram_given = v->vram != NULL;
	s->vram_gpa = v->vram_gpa;
	s->active = v->active;
	s->refreshes = v->refresh.link != NULL;
	s->output = v->output;
	memcpy(s->modes, v->modes, sizeof(s->modes));
	s->mode_count = v->mode_count;
	s->preferred = v->preferred;
	s->features = v->features;
	s->position = v->position;
	s->pointer_copy = v->pointer_copy;
	s->parts = v->arriving.parts;
	if (s->parts) {
		s->shape = v->arriving.shape;
		s->part_bytes = v->arriving.bytes;
	}
}

int synthvid_restore(struct device *dev, const void *state)
{
	const struct synthvid_area *area = device_area(dev);
	const struct synthvid_saved *s = state;
	struct synthvid *v = to_synthvid(dev);

	if (!area || s->mode_count > SYNTHVID_MAX_RESOLUTIONS ||
	    s->part_bytes > sizeof(area->arriving))
		return -EPROTO;
	v->state = s->state;
	v->version = s->version;
	v->output = s->output;
	memcpy(v->modes, s->modes, sizeof(v->modes));
	v->mode_count = s->mode_count;
	v->preferred = s->preferred;
	v->features = s->features;
	v->position = s->position;
	v->pointer_copy = s->pointer_copy & 1;
	v->pointer_committed = v->pointer_copy;
	v->pointer = area->pointer[v->pointer_copy];
	v->arriving.parts = s->parts;
	v->arriving.shape = s->shape;
	v->arriving.bytes = s->part_bytes;
	memcpy(v->arriving.argb, area->arriving, s->part_bytes);
	v->vram_gpa = s->vram_gpa;
	v->vram = s->vram_given ? bus_aperture(dev->bus, s->vram_gpa,
					       v->vram_size) : NULL;
	if (s->vram_given && !v->vram)
		return -EPROTO;
	if (s->active)
		synthvid_show(v);
	if (s->refreshes)
		synthvid_refresh(&v->refresh);
	synthvid_pointer_show(v);
	return 0;
}
