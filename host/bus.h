/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The VMBus server: version, offers, opening and closing, GPADLs. Strict: what
 * a real host would not accept ends the connection with a "guest error".
 */
#ifndef SYNTHHOST_BUS_H
#define SYNTHHOST_BUS_H

#include "device.h"
#include "gpadl.h"
#include "guest.h"
#include "inflight.h"
#include "persist.h"
#include "profile.h"

/**
 * struct bus - the server's state; one for the life of the program
 * @profile: the kind of host that bus and devices behave like
 * @subchannel_ms: instead of the profile's, or negative
 * @modify_ms: how long modify-channel takes
 * @version: negotiated, 0 while there is no connection
 * @msg_conn_id: what the guest posts to
 * @target_vp: gets our messages
 * @offers_requested: the guest hears of new devices at once
 * @relid: channels by relid, from 1
 * @known: a bit for each relid that was ever given out, to this guest or one before it
 * @next_relid: they go round, so that an old one means nothing for long
 * @persist: what survives this worker
 * @inflight: requests that are taken and not completed
 * @settling: bus_settle() is at work
 * @restoring: bus_take_over() reads what was committed: nothing is to be written
 *	to areas of devices
 * @restart: the program that is to take over when the loop has stopped; "": the
 *	same; NULL: none is
 */
struct bus {
	struct loop *loop;
	struct ram *ram;
	struct guest *guest;
	struct console *console;
	struct device *devices;
	uint32_t max_version;
	const struct host_profile *profile;
	int subchannel_ms;
	unsigned int modify_ms;

	uint32_t version;
	uint32_t msg_conn_id;
	uint32_t target_vp;
	bool offers_requested;
	struct gpadl_table gpadls;
	struct channel *relid[VMBUS_WIRE_MAX_RELIDS];
	uint64_t known[VMBUS_WIRE_MAX_RELIDS / 64];
	uint32_t next_relid;

	struct persist *persist;
	struct inflight inflight;
	bool settling;
	bool restoring;
	char *restart;
	struct loop_poller poller;
};

void bus_init(struct bus *bus, struct loop *loop, struct ram *ram,
	      struct guest *guest, struct persist *persist,
	      uint32_t max_version);

/**
 * bus_exit() - destroy all devices; the guest is gone already
 */
void bus_exit(struct bus *bus);

/**
 * bus_last_relid() - the highest relid that was ever given out
 */
uint32_t bus_last_relid(const struct bus *bus);

/**
 * bus_known_version() - whether it is a version of VMBus that we know
 */
bool bus_known_version(uint32_t version);

/* What the guest does (guest_ops) */
void bus_message(struct bus *bus, uint32_t connection_id, const void *payload,
		 uint32_t len);
void bus_signal(struct bus *bus, uint32_t connection_id);

/**
 * bus_reset() - void all that the guest has set up
 *
 * Drains I/O, closes channels, forgets GPADLs. Afterwards nothing of the bus
 * touches guest memory. Completions are still sent, as for a guest that unloads,
 * unless guest->silent is set.
 */
void bus_reset(struct bus *bus, const char *why);

/**
 * bus_settle() - commit what was done, then show it to the guest
 *
 * The loop's settle callback (loop_set_settle()). All that was done since the
 * last time counts together, or, if the worker dies before, not at all.
 */
void bus_settle(struct bus *bus);

/**
 * bus_take_over() - go on where the worker before has stopped
 * @err: the reason where it fails
 *
 * Return: 0; -EPROTO: the state is not of this program and these options.
 */
int bus_take_over(struct bus *bus, struct text *err);

/**
 * bus_send() - a channel message to the guest
 */
void bus_send(struct bus *bus, const void *msg, uint32_t len);

/**
 * bus_rescind_channel() - say that a channel goes away
 *
 * It is served until the guest closes it.
 */
void bus_rescind_channel(struct bus *bus, struct channel *ch);

/**
 * bus_rescind_late() - rescind the subchannels whose place is somebody else's
 *
 * Those that a close of their primary left offered: device.rescinds_late.
 */
void bus_rescind_late(struct bus *bus, struct device *dev);

/**
 * device_rescind_try() - go on with a device that is being rescinded
 *
 * Return: whether it is gone now.
 */
bool device_rescind_try(struct device *dev);

/**
 * device_rescind_end() - rescind a device at once
 */
void device_rescind_end(struct device *dev);

/**
 * device_resume() - at a takeover: what was under way
 */
void device_resume(struct device *dev, unsigned int subs_due, bool retiring,
		   bool rescinding);

/**
 * device_stop_subchannels() - those that were asked for do not come any more
 */
void device_stop_subchannels(struct device *dev);

/**
 * bus_offer_device() - offer a device's primary channel, if the guest wants it
 */
void bus_offer_device(struct bus *bus, struct device *dev);
void bus_offer_channel(struct bus *bus, struct channel *ch);

void bus_status(struct bus *bus, struct text *out);
void bus_stats(struct bus *bus, struct text *out, bool json);

#endif
