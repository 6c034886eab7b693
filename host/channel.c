// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define CHANNEL_BATCH		64	/* packets at a time, others wait too */
#define CHANNEL_LOW_RELIDS	128
#define CHANNEL_PACKET_MAX	(8u << 16)	/* len8 has 16 bits */

struct device *channel_device(const struct channel *ch)
{
	return ch->dev;
}

unsigned int channel_index(const struct channel *ch)
{
	return ch->index;
}

unsigned int channel_target_vp(const struct channel *ch)
{
	return ch->target_vp;
}

void channel_set_private(struct channel *ch, void *private)
{
	ch->private = private;
}

void *channel_private(const struct channel *ch)
{
	return ch->private;
}

bool channel_gone(const struct channel *ch)
{
	return !ch->open || !guest_usable(ch->bus->guest);
}

void channel_error(struct channel *ch, const char *fmt, ...)
{
	char prefix[DEVICE_ID_MAX + 48];
	va_list ap;

	snprintf(prefix, sizeof(prefix), "%s %s/%u: ", ch->dev->kind->name,
		 ch->dev->id, ch->index);
	va_start(ap, fmt);
	guest_verror(ch->bus->guest, prefix, fmt, ap);
	va_end(ap);
}

void channel_event(struct channel *ch)
{
	ch->stats.signals_out++;
	guest_event(ch->bus->guest, ch->target_vp, ch->relid);
}

void channel_activate(struct channel *ch)
{
	if (channel_gone(ch))
		return;
	/* before our own write hides what the guest wrote */
	if (hring_in_check(&ch->in)) {
		channel_error(ch, "%s", ch->in.why);
		return;
	}
	hring_in_mask(&ch->in, true);
	ch->active = true;
}

void channel_pause(struct channel *ch)
{
	ch->paused = true;
}

void channel_resume(struct channel *ch)
{
	if (!ch->paused)
		return;
	ch->paused = false;
	channel_activate(ch);
}

void *channel_map_gpadl(struct channel *ch, uint32_t handle, size_t *bytes)
{
	struct gpadl *g = gpadl_find(&ch->bus->gpadls, ch->relid, handle);
	void *map;

	if (!g || g->in_ring || g->mapped || g->range_count != 1 ||
	    g->ranges[0].offset)
		return NULL;
	map = ram_map_pages(ch->bus->ram, g->ranges[0].pfns, g->pages);
	if (!map)
		return NULL;
	g->mapped = true;
	*bytes = g->ranges[0].bytes;
	return map;
}

void channel_unmap_gpadl(struct channel *ch, uint32_t handle, void *map,
			 size_t bytes)
{
	struct gpadl *g = gpadl_find(&ch->bus->gpadls, ch->relid, handle);

	ram_unmap_pages(map, ram_pages(0, bytes));
	if (g)
		g->mapped = false;
}

struct iovec *channel_gpadl(struct channel *ch, uint32_t handle,
			    unsigned int *count)
{
	struct gpadl *g = gpadl_find(&ch->bus->gpadls, ch->relid, handle);

	return g ? gpadl_iov(g, ch->bus->ram, count) : NULL;
}

/* Ranges of a GPA-direct packet, between descriptor and payload */
static const char *channel_ranges(struct channel *ch, struct packet *pkt,
				  uint32_t offset)
{
	const uint64_t *word = ch->buf;
	uint32_t words = offset / 8, at = 3, i;
	uint32_t count;

	if (offset < sizeof(struct vmbus_wire_gpa_direct))
		return "GPA-direct packet without room for its range count";
	count = word[2] >> 32;
	if (!count)
		return "GPA-direct packet without a range";
	for (i = 0; i < count; i++) {
		uint32_t bytes, into;
		uint64_t pages;
		int n;

		if (at >= words)
			return "GPA-direct packet has fewer ranges than it says";
		bytes = (uint32_t)word[at];
		into = word[at] >> 32;
		at++;
		if (into >= RAM_PAGE)
			return "a range's byte_offset is beyond its first page";
		if (!bytes)
			return "a range of 0 bytes";
		pages = ram_pages(into, bytes);
		if (pages > words - at)
			return "a range needs more page numbers than the packet holds";
		n = ram_iov(ch->bus->ram, &word[at], into, bytes,
			    ch->iov + pkt->iov_count);
		if (n < 0)
			return "a page of a range is not in guest RAM";
		ch->ranges[i] = (struct packet_range){ pkt->iov_count, n,
						       bytes };
		pkt->iov_count += n;
		pkt->iov_bytes += bytes;
		pkt->range_count++;
		at += pages;
	}
	if (at != words)
		return "GPA-direct packet has more than its ranges before the payload";
	pkt->iov = ch->iov;
	pkt->ranges = ch->ranges;
	return NULL;
}

static void channel_deliver(struct channel *ch)
{
	const struct vmbus_wire_packet *p = (const void *)ch->buf;
	uint32_t offset = p->offset8 * 8u, len = p->len8 * 8u;
	struct packet pkt = {
		.type = p->type,
		.wants_completion = p->flags & VMBUS_WIRE_PKT_WANT_COMPLETION,
		.trans_id = p->trans_id,
		.payload = (const char *)p + offset,
		.len = len - offset,
	};
	const char *why = NULL;

	ch->stats.packets_in++;
	ch->stats.bytes_in += len;
	switch (p->type) {
	case VMBUS_WIRE_PKT_XFER_PAGES:
		why = "packet names transfer pages, but the host has none";
		break;
	case VMBUS_WIRE_PKT_GPA_DIRECT:
		why = channel_ranges(ch, &pkt, offset);
		break;
	case VMBUS_WIRE_PKT_COMPLETION:
		if (!ch->expected)
			why = "completion of nothing";
		else
			ch->expected--;
		break;
	}
	if (why) {
		channel_error(ch, "%s", why);
		return;
	}
	ch->dev->kind->ops->packet(ch->dev, ch, &pkt);
}

static bool channel_may_receive(const struct channel *ch)
{
	return !channel_gone(ch) && !ch->paused &&
	       ch->queue_bytes <= CHANNEL_QUEUE_BYTES &&
	       inflight_room(&ch->bus->inflight);
}

/* Give what is in @ch->buf to the device; log it if it is not completed at once */
static void channel_take(struct channel *ch, uint32_t len)
{
	const struct vmbus_wire_packet *p = (const void *)ch->buf;

	ch->taking = p->flags & VMBUS_WIRE_PKT_WANT_COMPLETION;
	ch->taken_id = p->trans_id;
	channel_deliver(ch);
	/* else it was completed, or never will be */
	if (ch->taking && !channel_gone(ch) &&
	    p->type != VMBUS_WIRE_PKT_COMPLETION)
		inflight_add(&ch->bus->inflight, ch->relid, p->trans_id, p,
			     len);
	ch->taking = false;
	persist_point("packet-done");
}

void channel_repeat(struct channel *ch, const void *packet, uint32_t len)
{
	memcpy(ch->buf, packet, len);
	/* it is in the log already, and its completion ends it there */
	channel_deliver(ch);
}

/* What was read is not the guest's answer to something */
static bool channel_is_request(const struct channel *ch)
{
	const struct vmbus_wire_packet *p = (const void *)ch->buf;

	return p->type != VMBUS_WIRE_PKT_COMPLETION;
}

static bool channel_receive(struct channel *ch)
{
	uint64_t now = 0;
	int budget = CHANNEL_BATCH;
	bool any = false;
	int ret;

	if (hring_in_check(&ch->in)) {
		channel_error(ch, "%s", ch->in.why);
		return true;
	}
	while (budget-- && channel_may_receive(ch)) {
		ret = hring_in_read(&ch->in, ch->buf);
		if (ret < 0)
			channel_error(ch, "%s", ch->in.why);
		if (ret <= 0)
			break;
		/* in a stream it takes its time to be done with each */
		if (ch->mod.stream || (!now && ch->mod.limit))
			now = loop_now();
		if (now && channel_is_request(ch))
			moderate_arrival(&ch->mod, now);
		channel_take(ch, ret);
		any = true;
	}
	return any;
}

bool channel_poll(struct channel *ch)
{
	bool any = false;

	if (!ch->active || channel_gone(ch))
		return false;
	any = channel_flush(ch);
	if (channel_may_receive(ch))
		any |= channel_receive(ch);
	any |= channel_show(ch);
	return any;
}

bool channel_unmask(struct channel *ch)
{
	int ret;

	if (!ch->active || channel_gone(ch))
		return false;
	if (ch->mod.held)
		return true;
	if (!channel_may_receive(ch)) {
		/*
		 * Nobody reads now: the ring may stay masked. But the guest
		 * signals room in the other one whatever the mask says
		 */
		ch->active = false;
		return false;
	}
	hring_in_mask(&ch->in, false);
	ret = hring_in_ready(&ch->in);
	if (ret < 0)
		channel_error(ch, "%s", ch->in.why);
	if (ret) {
		if (ret > 0)
			hring_in_mask(&ch->in, true);
		return true;
	}
	ch->active = false;
	return false;
}

void channel_signalled(struct channel *ch)
{
	uint64_t due;

	if (channel_gone(ch))
		return;
	due = hring_in_due(&ch->in) + ch->out.episodes;
	ch->stats.signals_in++;
	if (ch->stats.signals_in > due + ch->stats.signals_needless) {
		if (!ch->stats.signals_needless++)
			log_warn("%s %s/%u: the guest signals needlessly (more than once for each time that the ring stops being empty)",
				 ch->dev->kind->name, ch->dev->id, ch->index);
	}
	channel_activate(ch);
}

bool channel_quiet(struct channel *ch)
{
	const struct device_ops *ops = ch->dev->kind->ops;

	if (channel_gone(ch))
		return true;
	channel_publish(ch);
	return (!ch->queue || ch->wrecked) && hring_in_ready(&ch->in) <= 0 &&
	       !(ops->busy && ops->busy(ch->dev, ch));
}

static void channel_modified(struct loop_timer *timer)
{
	struct channel *ch = container_of(timer, struct channel, modify_timer);
	struct vmbus_wire_modify_response rsp = {
		.header.msgtype = VMBUS_WIRE_MODIFY_RESPONSE,
		.child_relid = ch->relid,
		.status = VMBUS_WIRE_STATUS_OK,
	};

	ch->modify_pending = false;
	bus_send(ch->bus, &rsp, sizeof(rsp));
}

/*
 * Low ones, since each round of the loop looks at all up to the highest; but
 * round and round, so that a stale one is seldom somebody else's.
 */
static uint32_t channel_new_relid(struct bus *bus)
{
	uint32_t relid = 1, tries;

	for (tries = 0; tries < CHANNEL_LOW_RELIDS; tries++) {
		relid = bus->next_relid;
		bus->next_relid = relid % CHANNEL_LOW_RELIDS + 1;
		if (!bus->relid[relid])
			return relid;
	}
	for (; relid < VMBUS_WIRE_MAX_RELIDS; relid++) {
		if (!bus->relid[relid])
			return relid;
	}
	return 0;
}

struct channel *channel_create(struct device *dev, unsigned int index)
{
	uint32_t relid = channel_new_relid(dev->bus);

	return relid ? channel_create_as(dev, index, relid) : NULL;
}

struct channel *channel_create_as(struct device *dev, unsigned int index,
				  uint32_t relid)
{
	struct channel *ch = calloc(1, sizeof(*ch));
	struct bus *bus = dev->bus;

	if (!ch)
		return NULL;
	ch->bus = bus;
	ch->dev = dev;
	ch->index = index;
	ch->relid = relid;
	ch->conn_id = GUEST_FIRST_CONN_ID + relid;
	ch->queue_end = &ch->queue;
	ch->retry.fired = channel_retry;
	ch->modify_timer.fired = channel_modified;
	bus->relid[relid] = ch;
	bus->known[relid / 64] |= 1ull << relid % 64;
	dev->channels[index] = ch;
	if (ch->conn_id > bus->guest->last_conn_id)
		bus->guest->last_conn_id = ch->conn_id;
	return ch;
}

void channel_destroy(struct channel *ch)
{
	loop_clear_timer(&ch->modify_timer);
	ch->bus->relid[ch->relid] = NULL;
	if (ch->dev->channels[ch->index] == ch)
		ch->dev->channels[ch->index] = NULL;
	free(ch);
}

static void channel_unmap(struct channel *ch)
{
	ram_unmap_pages(ch->map, ch->map_pages);
	free(ch->buf);
	free(ch->iov);
	free(ch->ranges);
	ch->map = NULL;
	ch->buf = NULL;
	ch->iov = NULL;
	ch->ranges = NULL;
}

static int channel_map(struct channel *ch, struct gpadl *g,
		       const char **why)
{
	ch->map = ram_map_pages(ch->bus->ram, g->ranges[0].pfns, g->pages);
	if (!ch->map) {
		*why = strerror(errno);
		return errno == EPROTO ? -EIO : -errno;
	}
	ch->map_pages = g->pages;
	return 0;
}

static int channel_init_rings(struct channel *ch, uint32_t downstream,
			      const char **why)
{
	uint32_t upstream_bytes = downstream * RAM_PAGE, bytes;
	char *map = ch->map;

	if (hring_in_init(&ch->in, map, upstream_bytes)) {
		*why = ch->in.why;
		return -EPROTO;
	}
	if (hring_out_init(&ch->out, map + upstream_bytes,
			   ch->map_pages * RAM_PAGE - upstream_bytes)) {
		*why = ch->out.why;
		return -EPROTO;
	}
	/* Each word of a packet is a range, or a page number, at most */
	bytes = ch->in.size < CHANNEL_PACKET_MAX ? ch->in.size :
		CHANNEL_PACKET_MAX;
	ch->buf = malloc(bytes);
	ch->iov = calloc(bytes / 8, sizeof(*ch->iov));
	ch->ranges = calloc(bytes / 8, sizeof(*ch->ranges));
	if (!ch->buf || !ch->iov || !ch->ranges) {
		*why = strerror(ENOMEM);
		return -ENOMEM;
	}
	return 0;
}

/* Its rings are mapped; give it to its device */
static int channel_begin(struct channel *ch, struct gpadl *g,
			 uint32_t downstream, uint32_t target_vp,
			 const char **why)
{
	const struct device_ops *ops = ch->dev->kind->ops;
	int ret = channel_init_rings(ch, downstream, why);

	if (ret)
		return ret;
	memset(&ch->stats, 0, sizeof(ch->stats));
	ch->target_vp = target_vp;
	ch->paused = false;
	ch->stalled = false;
	ch->wrecked = false;
	ch->want_writable = false;
	ch->publish = false;
	ch->expected = 0;
	moderate_init(&ch->mod, 0);
	ch->private = NULL;
	ch->downstream = downstream;
	ch->open = true;
	ret = ops->open ? ops->open(ch->dev, ch) : 0;
	if (ret) {
		*why = strerror(-ret);
		ch->open = false;
		return ret == -EPROTO ? -EIO : ret;
	}
	g->in_ring = true;
	ch->ring_gpadl = g;
	channel_activate(ch);
	return 0;
}

int channel_start(struct channel *ch, struct gpadl *g, uint32_t downstream,
		  uint32_t target_vp, const char **why)
{
	int ret = channel_map(ch, g, why);

	if (!ret)
		ret = channel_begin(ch, g, downstream, target_vp, why);
	if (ret)
		channel_unmap(ch);
	return ret;
}

int channel_go_on(struct channel *ch, struct gpadl *g,
		  const struct persist_channel *state, const char **why)
{
	int ret = channel_map(ch, g, why);

	if (!ret) {
		hring_resume(ch->map, state->in, state->downstream * RAM_PAGE,
			     state->out);
		ret = channel_begin(ch, g, state->downstream, state->target_vp,
				    why);
	}
	if (ret)
		channel_unmap(ch);
	return ret;
}

void channel_drain(struct channel *ch)
{
	if (!ch->open)
		return;
	if (ch->dev->kind->ops->drain)
		ch->dev->kind->ops->drain(ch->dev, ch);
	channel_publish(ch);
	/*
	 * The guest sees these completions before it hears what the drain was
	 * for. A guest that is silent sees nothing, so nothing is to be kept
	 */
	if (!ch->bus->guest->silent)
		bus_settle(ch->bus);
}

void channel_shut(struct channel *ch)
{
	if (!ch->open)
		return;
	channel_drain(ch);
	ch->open = false;
	ch->active = false;
	if (ch->bus->profile->bus.modify_open_only) {
		ch->modify_pending = false;
		loop_clear_timer(&ch->modify_timer);
	}
	if (ch->dev->kind->ops->close)
		ch->dev->kind->ops->close(ch->dev, ch);
	inflight_end_channel(&ch->bus->inflight, ch->relid);
	channel_unqueue(ch);
	loop_clear_timer(&ch->retry);
	ch->ring_gpadl->in_ring = false;
	ch->ring_gpadl = NULL;
	channel_unmap(ch);
}
