// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "channel.h"
#include "kinds.h"

static struct device_kind *device_kinds;

void device_kind_register(struct device_kind *kind)
{
	struct device_kind **link = &device_kinds;

	while (*link && strcmp((*link)->name, kind->name) < 0)
		link = &(*link)->next;
	kind->next = *link;
	*link = kind;
}

const struct device_kind *device_kind_first(void)
{
	return device_kinds;
}

/* FNV-1a of kind and id: the same device has the same GUID in each run */
static void device_make_instance(struct device *dev)
{
	uint64_t hash[2] = { 0xcbf29ce484222325ull, 0x84222325cbf29ce4ull };
	const char *part[] = { dev->kind->name, "/", dev->id };
	unsigned int i, h;
	const char *p;

	for (h = 0; h < 2; h++) {
		for (i = 0; i < 3; i++) {
			for (p = part[i]; *p; p++) {
				hash[h] ^= (uint8_t)*p;
				hash[h] *= 0x100000001b3ull;
			}
		}
	}
	memcpy(dev->instance.b, hash, sizeof(dev->instance.b));
	/* RFC 9562: version 8 (own scheme), in the little-endian third field */
	dev->instance.b[7] = (dev->instance.b[7] & 0x0f) | 0x80;
	dev->instance.b[8] = (dev->instance.b[8] & 0x3f) | 0x80;
}

static bool device_id_ok(const char *id)
{
	size_t i;

	for (i = 0; id[i]; i++) {
		if (!isalnum((unsigned char)id[i]) && !strchr("-_.", id[i]))
			return false;
	}
	return i && i < DEVICE_ID_MAX;
}

int device_set_id(struct device *dev, const char *id, struct text *err)
{
	if (!device_id_ok(id))
		return text_add(err, "'%s' is no ID: up to %d letters, digits, '-', '_' and '.'",
				id, DEVICE_ID_MAX - 1);
	strcpy(dev->id, id);
	return 0;
}

int device_register(struct bus *bus, struct device *dev, struct text *err)
{
	struct device **link = &bus->devices;

	if (!device_id_ok(dev->id))
		return text_add(err, "'%s' is no ID", dev->id);
	if (dev->max_subchannels > DEVICE_MAX_SUBCHANNELS)
		return text_add(err, "more than %d subchannels",
				DEVICE_MAX_SUBCHANNELS);
	if (device_find(bus, NULL, dev->id)) {
		text_add(err, "there is already a device '%s'", dev->id);
		return -EEXIST;
	}
	dev->bus = bus;
	dev->next = NULL;
	dev->offered = true;
	device_make_instance(dev);
	if (dev->kind->ops->identify)
		dev->kind->ops->identify(dev);
	dev->number = 0;
	while (*link) {
		dev->number = (*link)->number + 1;
		link = &(*link)->next;
	}
	*link = dev;
	bus_offer_device(bus, dev);
	return 0;
}

struct device *device_find(struct bus *bus, const struct device_kind *kind,
			   const char *id)
{
	struct device *dev;

	for (dev = bus->devices; dev; dev = dev->next) {
		if ((!kind || dev->kind == kind) &&
		    (!id || !strcmp(dev->id, id)))
			return dev;
	}
	return NULL;
}

static unsigned int device_subchannel_ms(const struct device *dev)
{
	const struct bus *bus = dev->bus;

	return bus->subchannel_ms < 0 ? bus->profile->bus.subchannel_ms :
	       (unsigned int)bus->subchannel_ms;
}

/* The next one that is missing: 1, 0 if none is, or -ENODEV without a relid */
static int device_offer_next(struct device *dev)
{
	unsigned int i = 1;
	struct channel *ch;

	while (i <= dev->subs_due && dev->channels[i])
		i++;
	if (i > dev->subs_due)
		return 0;
	ch = channel_create(dev, i);
	if (!ch)
		return -ENODEV;
	bus_offer_channel(dev->bus, ch);
	return 1;
}

static void device_subs_step(struct loop_timer *timer)
{
	struct device *dev = container_of(timer, struct device, subs);
	int ret = device_offer_next(dev);

	if (ret < 0)
		log_error("%s: no relid is free for a subchannel", dev->id);
	if (ret > 0)
		loop_set_timer(bus_loop(dev->bus), timer,
			       device_subchannel_ms(dev));
}

void device_stop_subchannels(struct device *dev)
{
	dev->subs_due = 0;
	loop_clear_timer(&dev->subs);
}

int device_offer_subchannels(struct device *dev, unsigned int count)
{
	struct channel *primary = dev->channels[0];
	unsigned int ms;
	int ret;

	if (count > dev->max_subchannels)
		return -EINVAL;
	if (!primary || channel_gone(primary))
		return -ENODEV;
	dev->subs_due = count;
	ms = device_subchannel_ms(dev);
	if (ms) {
		dev->subs.fired = device_subs_step;
		loop_set_timer(bus_loop(dev->bus), &dev->subs, ms);
		return 0;
	}
	do {
		ret = device_offer_next(dev);
	} while (ret > 0);
	return ret;
}

void device_rescind_end(struct device *dev)
{
	bool again = dev->offer_again;
	unsigned int i;

	device_stop_subchannels(dev);
	for (i = 1 + DEVICE_MAX_SUBCHANNELS; i-- > 0;) {
		struct channel *ch = dev->channels[i];

		if (ch && !ch->rescinded) {
			channel_shut(ch);
			bus_rescind_channel(dev->bus, ch);
		}
	}
	bus_rescind_late(dev->bus, dev);
	dev->offered = false;
	dev->retiring = false;
	dev->rescinding = false;
	dev->offer_again = false;
	loop_clear_timer(&dev->retire);
	loop_clear_timer(&dev->rescind);
	log_info("%s %s: rescinded", dev->kind->name, dev->id);
	if (again)
		device_offer(dev);
}

/* Nothing that the guest has asked for is left to be done */
static bool device_quiet(struct device *dev)
{
	unsigned int i;

	for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
		struct channel *ch = dev->channels[i];

		if (ch && !channel_quiet(ch))
			return false;
	}
	return true;
}

bool device_rescind_try(struct device *dev)
{
	bool late = loop_now() >= dev->rescind_until;

	if (!device_quiet(dev)) {
		if (!late)
			return false;
		log_warn("%s %s: rescinded with requests of the guest left over",
			 dev->kind->name, dev->id);
	}
	device_rescind_end(dev);
	return true;
}

#define RESCIND_STEP_MS		10
#define RESCIND_LIMIT_NS	2000000000ull

/* The bus tries in each of its rounds; this is for when there are none */
static void device_rescind_step(struct loop_timer *timer)
{
	struct device *dev = container_of(timer, struct device, rescind);

	if (!device_rescind_try(dev))
		loop_set_timer(bus_loop(dev->bus), timer, RESCIND_STEP_MS);
}

static void device_start_rescind(struct device *dev)
{
	dev->rescinding = true;
	dev->rescind.fired = device_rescind_step;
	dev->rescind_until = loop_now() + RESCIND_LIMIT_NS;
	loop_set_timer(bus_loop(dev->bus), &dev->rescind, RESCIND_STEP_MS);
}

int device_rescind(struct device *dev)
{
	if (!dev->offered || dev->rescinding)
		return -EALREADY;
	loop_clear_timer(&dev->retire);
	device_start_rescind(dev);
	device_rescind_try(dev);
	return 0;
}

#define RETIRE_STEP_MS	100
#define RETIRE_LIMIT_NS	15000000000ull

static void device_retire_step(struct loop_timer *timer)
{
	struct device *dev = container_of(timer, struct device, retire);

	if (!dev->kind->ops->retire(dev) || loop_now() >= dev->retire_until)
		device_rescind(dev);
	else
		loop_set_timer(bus_loop(dev->bus), timer, RETIRE_STEP_MS);
}

static void device_start_retire(struct device *dev)
{
	dev->retiring = true;
	dev->retire.fired = device_retire_step;
	dev->retire_until = loop_now() + RETIRE_LIMIT_NS;
	loop_set_timer(bus_loop(dev->bus), &dev->retire, RETIRE_STEP_MS);
}

int device_retire(struct device *dev)
{
	if (!dev->offered || dev->retiring || dev->rescinding)
		return -EALREADY;
	if (!dev->kind->ops->retire || !dev->kind->ops->retire(dev))
		return device_rescind(dev);
	device_start_retire(dev);
	log_info("%s %s: the guest is asked to let go", dev->kind->name,
		 dev->id);
	return 0;
}

void device_resume(struct device *dev, unsigned int subs_due, bool retiring,
		   bool rescinding)
{
	dev->subs_due = subs_due;
	if (subs_due) {
		dev->subs.fired = device_subs_step;
		loop_set_timer(bus_loop(dev->bus), &dev->subs,
			       device_subchannel_ms(dev));
	}
	/* with all of their time before them */
	if (rescinding)
		device_start_rescind(dev);
	else if (retiring)
		device_start_retire(dev);
}

int device_offer(struct device *dev)
{
	struct channel *ch;

	if (dev->rescinding && !dev->offer_again) {
		dev->offer_again = true;
		return 0;
	}
	if (dev->offered)
		return -EALREADY;
	dev->offered = true;
	dev->declined = false;
	ch = dev->channels[0];
	bus_offer_device(dev->bus, dev);
	log_info("%s %s: offered again%s", dev->kind->name, dev->id,
		 ch && dev->channels[0] == ch ?
		 ", once the guest has released it" : "");
	return 0;
}

struct loop *bus_loop(struct bus *bus)
{
	return bus->loop;
}

const struct host_profile *bus_profile(const struct bus *bus)
{
	return bus->profile;
}

struct console *bus_console(struct bus *bus)
{
	return bus->console;
}

bool bus_guest_there(struct bus *bus)
{
	return guest_usable(bus->guest);
}

void *bus_aperture(struct bus *bus, uint64_t gpa, uint64_t len)
{
	return guest_aperture(bus->guest, gpa, len);
}
