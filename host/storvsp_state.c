// SPDX-License-Identifier: GPL-2.0-only
/*
 * What of a controller survives a worker. Its disks are those of the options,
 * but for those that were added and removed by commands: the options of the
 * former are in the device's area. Requests in flight are the bus's to keep.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "persist.h"
#include "storvsp.h"

#define STORVSP_OPTION_BYTES	4096u

enum {
	SAVED_ADDED		= 1 << 0,	/* by a command; see the area */
	SAVED_REMOVED		= 1 << 1,	/* there is none any more */
	SAVED_STOPPED		= 1 << 2,
	SAVED_WRITE_CACHE	= 1 << 3,
	SAVED_ATTENTION_SHIFT	= 4,
};

struct storvsp_area {
	char option[SCSI_MAX_LUNS][STORVSP_OPTION_BYTES];
};

_Static_assert(sizeof(struct storvsp_area) <= PERSIST_AREA_BYTES, "area");
_Static_assert(sizeof(struct storvsp_saved) <= PERSIST_DEVICE_BYTES, "state");

int storvsp_keep_option(struct storvsp *s, unsigned int number,
			const char *option, struct text *err)
{
	struct storvsp_area *area = device_area(&s->dev);

	if (!area)
		return 0;
	if (strlen(option) >= STORVSP_OPTION_BYTES)
		return text_add(err, "more than %u characters",
				STORVSP_OPTION_BYTES - 1);
	/* the disk that had this place before was removed by another command */
	snprintf(area->option[number], STORVSP_OPTION_BYTES, "%s", option);
	return 0;
}

void storvsp_save(struct device *dev, void *state)
{
	struct storvsp *s = to_storvsp(dev);
	struct storvsp_saved *saved = state;
	unsigned int i;

	saved->state = s->state;
	saved->version = s->version;
	saved->report = s->report;
	saved->announce = s->announce;
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		const struct lun *lun = s->luns[i];

		if (lun)
			saved->lun[i] =
				(lun->added ? SAVED_ADDED : 0) |
				(lun->disk.stopped ? SAVED_STOPPED : 0) |
				(lun->disk.write_cache ? SAVED_WRITE_CACHE : 0) |
				lun->disk.attention << SAVED_ATTENTION_SHIFT;
		else if (s->removed.bits[i / 8] & 1u << i % 8)
			saved->lun[i] = SAVED_REMOVED;
	}
}

static int restore_lun(struct storvsp *s, unsigned int i, uint8_t saved)
{
	const struct storvsp_area *area = device_area(&s->dev);
	struct text err = { 0 };
	struct lun *lun;
	int ret = 0;

	if ((saved & (SAVED_REMOVED | SAVED_ADDED)) && s->luns[i])
		storvsp_detach(s, i);
	if (saved & SAVED_ADDED)
		ret = area ? storvsp_attach(s->dev.bus, area->option[i], &err) :
			     -EPROTO;
	if (ret) {
		log_error("%s LUN %u: %s", s->dev.id, i, text_str(&err));
		text_free(&err);
		return ret;
	}
	lun = s->luns[i];
	if (!lun)
		return 0;
	lun->added = saved & SAVED_ADDED;
	lun->disk.stopped = saved & SAVED_STOPPED;
	lun->disk.write_cache = saved & SAVED_WRITE_CACHE;
	lun->disk.attention = saved >> SAVED_ATTENTION_SHIFT;
	return 0;
}

int storvsp_restore(struct device *dev, const void *state)
{
	const struct storvsp_saved *saved = state;
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < SCSI_MAX_LUNS; i++)
		ret = restore_lun(s, i, saved->lun[i]);
	if (ret)
		return ret;
	s->state = saved->state;
	s->version = saved->version;
	s->report = saved->report;
	s->announce = saved->announce;
	s->last_packet = loop_now();
	return 0;
}
