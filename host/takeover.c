// SPDX-License-Identifier: GPL-2.0-only
/*
 * A worker takes over from the one before: reads what state.c has written, and
 * goes on. Nothing is committed before all was read, so a worker that dies on
 * the way leaves it to the next as it was.
 */
#include <errno.h>
#include <string.h>

#include "channel.h"

static struct device *takeover_device(struct bus *bus, uint32_t number)
{
	struct device *dev;

	for (dev = bus->devices; dev && dev->number != number; dev = dev->next)
		;
	return dev;
}

static int takeover_bus(struct bus *bus, struct text *err)
{
	struct persist_area *area = bus->persist->area;
	const struct persist_bus *b;
	int current;

	persist_undo(bus->persist, &area->bus_pair);
	current = persist_current(bus->persist, &area->bus_pair);
	if (current < 0)
		return 0;
	b = &area->bus[current];
	bus->version = b->version;
	bus->msg_conn_id = b->msg_conn_id;
	bus->target_vp = b->target_vp;
	bus->next_relid = b->next_relid;
	bus->offers_requested = b->offers_requested;
	memcpy(bus->known, b->known, sizeof(bus->known));
	bus->profile = profile_find(b->profile);
	if (bus->profile)
		return 0;
	text_add(err, "the worker before behaved like '%s', which this program does not know",
		 b->profile);
	return -EPROTO;
}

/* The options are those of the worker before, so the devices have to be, too */
static int takeover_check_devices(struct bus *bus, struct text *err)
{
	struct persist_area *area = bus->persist->area;
	struct device *dev;

	for (dev = bus->devices; dev; dev = dev->next) {
		struct persist_device *d;
		int current;

		if (dev->number >= PERSIST_DEVICES)
			continue;
		d = &area->device[dev->number];
		persist_undo(bus->persist, &d->pair);
		current = persist_current(bus->persist, &d->pair);
		if (current < 0)
			continue;
		if (strcmp(d->id, dev->id) || strcmp(d->kind, dev->kind->name)) {
			text_add(err, "device %u was %s %s, and is %s %s",
				 dev->number, d->kind, d->id, dev->kind->name,
				 dev->id);
			return -EPROTO;
		}
		if (d->state[current].bytes != dev->kind->ops->state_bytes) {
			text_add(err, "the state of %s %s has %u bytes, this program's has %u",
				 d->kind, d->id, d->state[current].bytes,
				 dev->kind->ops->state_bytes);
			return -EPROTO;
		}
	}
	return 0;
}

static const struct persist_device_state *
takeover_state(struct bus *bus, struct device *dev)
{
	struct persist_device *d;
	int current;

	if (dev->number >= PERSIST_DEVICES)
		return NULL;
	d = &bus->persist->area->device[dev->number];
	current = persist_current(bus->persist, &d->pair);
	return current < 0 ? NULL : &d->state[current];
}

static const struct persist_channel *takeover_channel(struct bus *bus,
						      uint32_t relid)
{
	struct persist_area *area = bus->persist->area;
	int current = persist_current(bus->persist, &area->channel_pair[relid]);

	return current < 0 ? NULL : &area->channel[relid][current];
}

/* All channels that the guest has; those that are open are opened later */
static int takeover_channels(struct bus *bus, struct text *err)
{
	struct persist_area *area = bus->persist->area;
	uint32_t relid;

	for (relid = 1; relid < PERSIST_CHANNELS; relid++) {
		const struct persist_channel *c;
		struct device *dev;
		struct channel *ch;

		persist_undo(bus->persist, &area->channel_pair[relid]);
		c = takeover_channel(bus, relid);
		if (!c || !c->used)
			continue;
		dev = takeover_device(bus, c->device);
		ch = dev && c->index <= DEVICE_MAX_SUBCHANNELS ?
		     channel_create_as(dev, c->index, relid) : NULL;
		if (!ch) {
			text_add(err, "relid %u is of no device", relid);
			return -EPROTO;
		}
		if (!c->placed && dev->channels[c->index] == ch)
			dev->channels[c->index] = NULL;
		ch->rescinded = c->rescinded;
		ch->target_vp = c->target_vp;
		ch->openid = c->openid;
		if (c->modify_pending) {
			ch->modify_pending = true;
			loop_set_timer(bus->loop, &ch->modify_timer,
				       bus->modify_ms);
		}
	}
	return 0;
}

static int takeover_open(struct bus *bus, struct channel *ch,
			 const struct persist_channel *c)
{
	struct gpadl *g = gpadl_find(&bus->gpadls, ch->relid, c->ring_gpadl);
	const char *why = "its ring's GPADL is unknown";
	int ret = -EPROTO;

	if (c->wrecked || c->incomplete)
		why = "what was to be sent to the guest is lost";
	else if (g)
		ret = channel_go_on(ch, g, c, &why);
	if (!ret)
		ret = channel_requeue(ch, c->queue_head, c->queue_tail);
	if (ret) {
		log_error("%s/%u: another worker cannot go on with it: %s",
			  ch->dev->id, ch->index, why);
		return ret;
	}
	ch->expected = c->expected;
	ch->paused = c->paused;
	ch->stalled = c->stalled;
	return 0;
}

/* Opens what was open: primary channels first, as a guest does */
static int takeover_open_device(struct bus *bus, struct device *dev)
{
	unsigned int index;
	uint32_t relid;
	int ret = 0;

	for (index = 0; !ret && index <= DEVICE_MAX_SUBCHANNELS; index++) {
		for (relid = 1; !ret && relid <= bus_last_relid(bus); relid++) {
			struct channel *ch = bus->relid[relid];
			const struct persist_channel *c;

			if (!ch || ch->dev != dev || ch->index != index)
				continue;
			c = takeover_channel(bus, relid);
			if (c && c->open)
				ret = takeover_open(bus, ch, c);
		}
	}
	return ret;
}

static bool takeover_was_open(struct bus *bus, const struct device *dev)
{
	uint32_t relid;

	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		const struct persist_channel *c = takeover_channel(bus, relid);

		if (bus->relid[relid] && bus->relid[relid]->dev == dev && c &&
		    c->open)
			return true;
	}
	return false;
}

static void takeover_restore_device(struct bus *bus, struct device *dev)
{
	const struct persist_device_state *s = takeover_state(bus, dev);
	const struct device_ops *ops = dev->kind->ops;
	int ret = 0;

	if (!s)
		return;
	dev->offered = s->offered;
	dev->declined = s->declined;
	dev->offer_again = s->offer_again;
	dev->rescinds_late = s->rescinds_late;
	if (!ops->restore && takeover_was_open(bus, dev))
		ret = -ENOTSUP;
	if (!ret)
		ret = takeover_open_device(bus, dev);
	if (!ret && ops->restore)
		ret = ops->restore(dev, s->own);
	if (ret) {
		/* The guest's driver begins anew, as after a hot-plug */
		log_warn("%s %s: taken away and offered again, since its state cannot be taken over",
			 dev->kind->name, dev->id);
		device_rescind_end(dev);
		device_offer(dev);
		return;
	}
	device_resume(dev, s->subs_due, s->retiring, s->rescinding);
}

/* In the order in which the guest has sent them */
static unsigned int takeover_repeat(struct bus *bus)
{
	unsigned int count, i;
	const uint32_t *list = inflight_list(&bus->inflight, &count);

	for (i = 0; i < count; i++) {
		const struct persist_request *r;
		const void *packet = inflight_packet(&bus->inflight, list[i], &r);
		struct channel *ch = bus->relid[r->relid];

		if (ch && !channel_gone(ch))
			channel_repeat(ch, packet, r->len);
		else
			inflight_end(&bus->inflight, r->relid, r->trans_id);
	}
	return count;
}

int bus_take_over(struct bus *bus, struct text *err)
{
	unsigned int repeated;
	struct device *dev;
	uint32_t relid;
	int ret;

	ret = takeover_check_devices(bus, err);
	if (!ret)
		ret = takeover_bus(bus, err);
	if (!ret)
		ret = takeover_channels(bus, err);
	if (!ret && bus->guest->attached)
		ret = gpadl_take_over(&bus->gpadls, bus->ram, err);
	if (ret)
		return ret;
	bus->settling = true;
	bus->restoring = true;
	for (dev = bus->devices; dev; dev = dev->next)
		takeover_restore_device(bus, dev);
	bus->restoring = false;
	persist_point("taken-over");
	repeated = takeover_repeat(bus);
	persist_point("repeated");
	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		struct channel *ch = bus->relid[relid];

		if (!ch || !ch->open)
			continue;
		channel_publish(ch);
		channel_activate(ch);
		/* A signal of the worker before may be lost */
		channel_event(ch);
	}
	guest_interrupt_all(bus->guest);
	bus->settling = false;
	bus_settle(bus);
	bus->persist->area->header.workers++;
	log_info("taken over: %u requests in flight are done again", repeated);
	return 0;
}
