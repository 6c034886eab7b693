// SPDX-License-Identifier: GPL-2.0-only
/* What the commands `status` and `stats` say. */
#include "channel.h"

static const char *bus_channel_state(const struct channel *ch)
{
	if (ch->rescinded)
		return ch->open ? "rescinded, still open" : "rescinded";
	return ch->open ? "open" : "closed";
}

static const char *bus_device_state(const struct device *dev)
{
	if (dev->rescinding)
		return "rescinded once its requests are completed";
	if (dev->retiring)
		return "retiring";
	return dev->offered ? "offered" : "not offered";
}

void bus_status(struct bus *bus, struct text *out)
{
	const struct guest *g = bus->guest;
	struct device *dev;
	unsigned int i;

	if (g->broken)
		text_add(out, "guest: disconnected after an error: %s\n",
			 g->why);
	else if (g->attached)
		text_add(out, "guest: attached, %u VPs on %u vectors\n",
			 g->nr_vps, g->state.nr_vectors);
	else
		text_add(out, "guest: %s\n", g->boot ?
			 "QEMU connected, not attached" : "no QEMU");
	if (bus->version)
		text_add(out, "vmbus: version %u.%u, messages on VP %u, %u GPADLs\n",
			 bus->version >> 16, bus->version & 0xffff,
			 bus->target_vp, bus->gpadls.count);
	else
		text_add(out, "vmbus: not connected\n");
	text_add(out, "messages: %llu in, %llu out, %u waiting; doorbells: %llu in, %llu out\n",
		 (unsigned long long)g->messages_in,
		 (unsigned long long)g->messages_out, g->queued,
		 (unsigned long long)g->doorbells_in,
		 (unsigned long long)g->doorbells_out);
	for (dev = bus->devices; dev; dev = dev->next) {
		text_add(out, "device %s: %s, %s\n", dev->id, dev->kind->name,
			 bus_device_state(dev));
		for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
			struct channel *ch = dev->channels[i];

			if (ch)
				text_add(out, "  channel %u: relid %u, %s, VP %u%s, %zu bytes queued\n",
					 i, ch->relid, bus_channel_state(ch),
					 ch->target_vp, ch->modify_pending ?
					 " from now on" : "", ch->queue_bytes);
		}
		if (dev->kind->ops->status)
			dev->kind->ops->status(dev, out);
	}
}

static void bus_channel_stats(const struct channel *ch, struct text *out,
			      bool json)
{
	const struct channel_stats *s = &ch->stats;
	const struct moderate *m = &ch->mod;

	text_add(out, json ?
		 "{\"device\":\"%s\",\"channel\":%u,\"relid\":%u,"
		 "\"packets_in\":%llu,\"bytes_in\":%llu,\"signals_in\":%llu,"
		 "\"signals_needless\":%llu,\"packets_out\":%llu,"
		 "\"bytes_out\":%llu,\"signals_out\":%llu,"
		 "\"filled_out\":%llu,\"batches\":%llu,\"batched\":%llu,"
		 "\"batch_mean\":%.2f,\"holds\":%llu,\"held_us\":%llu,"
		 "\"depth\":%u}" :
		 "%s/%u relid %u: in %llu packets %llu bytes %llu signals (%llu needless); out %llu packets %llu bytes %llu signals (%llu times not empty); %llu batches of %llu completions (mean %.2f), %llu held for %llu us in all, depth %u\n",
		 ch->dev->id, ch->index, ch->relid,
		 (unsigned long long)s->packets_in,
		 (unsigned long long)s->bytes_in,
		 (unsigned long long)s->signals_in,
		 (unsigned long long)s->signals_needless,
		 (unsigned long long)s->packets_out,
		 (unsigned long long)s->bytes_out,
		 (unsigned long long)s->signals_out,
		 (unsigned long long)ch->out.filled,
		 (unsigned long long)m->batches,
		 (unsigned long long)m->completions,
		 m->batches ? (double)m->completions / m->batches : 0.0,
		 (unsigned long long)m->holds,
		 (unsigned long long)m->held_ns / 1000, m->depth);
}

void bus_stats(struct bus *bus, struct text *out, bool json)
{
	const char *separator = "";
	struct device *dev;
	unsigned int i;

	if (json)
		text_add(out, "[");
	for (dev = bus->devices; dev; dev = dev->next) {
		for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
			if (!dev->channels[i])
				continue;
			text_add(out, "%s", separator);
			bus_channel_stats(dev->channels[i], out, json);
			if (json)
				separator = ",";
		}
	}
	if (json)
		text_add(out, "]\n");
}
