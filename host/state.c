// SPDX-License-Identifier: GPL-2.0-only
/*
 * What survives a worker is written here, in one place: bus, channels, devices,
 * and (guest_save()) the transport. It is written whenever something was done,
 * by comparing all of it with what is there, so that nothing has to remember
 * what it has changed.
 */
#include <stdio.h>
#include <string.h>

#include "channel.h"

static void state_save_bus(struct bus *bus)
{
	struct persist_area *area = bus->persist->area;
	struct persist_bus b = {
		.version = bus->version,
		.msg_conn_id = bus->msg_conn_id,
		.target_vp = bus->target_vp,
		.next_relid = bus->next_relid,
		.offers_requested = bus->offers_requested,
	};

	snprintf(b.profile, sizeof(b.profile), "%s", bus->profile->name);
	memcpy(b.known, bus->known, sizeof(b.known));
	persist_save(bus->persist, &area->bus_pair, area->bus, &b, sizeof(b));
}

_Static_assert(sizeof(((struct bus *)0)->known) ==
	       sizeof(((struct persist_bus *)0)->known), "known");

static void state_save_channel(struct bus *bus, uint32_t relid)
{
	struct persist_area *area = bus->persist->area;
	const struct channel *ch = bus->relid[relid];
	struct persist_channel c = { 0 };

	if (ch) {
		c.used = 1;
		c.device = ch->dev->number;
		c.index = ch->index;
		c.openid = ch->openid;
		c.target_vp = ch->target_vp;
		c.open = ch->open;
		c.rescinded = ch->rescinded;
		c.modify_pending = ch->modify_pending;
		c.placed = ch->dev->channels[ch->index] == ch;
	}
	if (ch && ch->open && ch->ring_gpadl) {
		c.ring_gpadl = ch->ring_gpadl->handle;
		c.downstream = ch->downstream;
		c.in = ch->in.own;
		c.out = ch->out.own;
		c.expected = ch->expected;
		c.queue_head = ch->queue_head;
		c.queue_tail = ch->queue_tail;
		c.paused = ch->paused;
		c.stalled = ch->stalled;
		c.wrecked = ch->wrecked;
		c.incomplete = ch->incomplete;
	}
	/* most places were never used */
	if (!ch && persist_current(bus->persist, &area->channel_pair[relid]) < 0)
		return;
	persist_save(bus->persist, &area->channel_pair[relid],
		     area->channel[relid], &c, sizeof(c));
}

static void state_save_device(struct bus *bus, struct device *dev)
{
	const struct device_ops *ops = dev->kind->ops;
	struct persist_device_state state;
	struct persist_device *d;

	if (dev->number >= PERSIST_DEVICES)
		return;
	memset(&state, 0, sizeof(state));
	state.subs_due = dev->subs_due;
	state.offered = dev->offered;
	state.declined = dev->declined;
	state.retiring = dev->retiring;
	state.rescinding = dev->rescinding;
	state.offer_again = dev->offer_again;
	state.rescinds_late = dev->rescinds_late;
	if (ops->save) {
		state.bytes = ops->state_bytes;
		ops->save(dev, state.own);
	}
	d = &bus->persist->area->device[dev->number];
	if (!d->id[0]) {
		snprintf(d->kind, sizeof(d->kind), "%s", dev->kind->name);
		snprintf(d->id, sizeof(d->id), "%s", dev->id);
	}
	persist_save(bus->persist, &d->pair, d->state, &state, sizeof(state));
}

/*
 * The log of requests in flight was full, so that channels stopped to read with their
 * rings masked. The log is one for all channels: a channel that waits for room may have
 * no request of its own whose end would wake it.
 */
static void state_wake_channels(struct bus *bus)
{
	uint32_t relid;

	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		struct channel *ch = bus->relid[relid];

		if (ch && !channel_gone(ch))
			channel_activate(ch);
	}
}

void bus_settle(struct bus *bus)
{
	struct device *dev;
	bool had_room;
	uint32_t relid;

	if (bus->settling)
		return;
	bus->settling = true;
	guest_save(bus->guest);
	state_save_bus(bus);
	for (relid = 1; relid <= bus_last_relid(bus); relid++)
		state_save_channel(bus, relid);
	for (dev = bus->devices; dev; dev = dev->next)
		state_save_device(bus, dev);
	persist_point("saved");
	persist_commit(bus->persist);
	persist_point("committed");

	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		if (bus->relid[relid])
			channel_settle(bus->relid[relid]);
	}
	persist_point("shown");
	guest_settle(bus->guest);
	had_room = inflight_room(&bus->inflight);
	inflight_committed(&bus->inflight);
	if (!had_room && inflight_room(&bus->inflight))
		state_wake_channels(bus);
	gpadl_committed(&bus->gpadls);
	for (dev = bus->devices; dev; dev = dev->next) {
		if (dev->kind->ops->settled)
			dev->kind->ops->settled(dev);
	}
	bus->settling = false;
	persist_point("settled");
}

void *device_area(struct device *dev)
{
	return dev->number < PERSIST_DEVICES ?
	       dev->bus->persist->area->device_area[dev->number] : NULL;
}

struct persist *device_persist(struct device *dev)
{
	return dev->bus->persist;
}
