// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define CHANNEL_BATCH		64	/* packets at a time, others wait too */
#define CHANNEL_RETRY_MS	1
#define CHANNEL_LOW_RELIDS	128
#define CHANNEL_PACKET_MAX	(8u << 16)	/* len8 has 16 bits */

struct channel_queued {
	struct channel_queued *next;
	uint64_t trans_id;
	uint32_t head;		/* of @len: belongs to the descriptor */
	uint32_t len;
	uint16_t type;
	uint16_t flags;
	uint8_t raw;
	uint8_t payload[];
};

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

static void channel_activate(struct channel *ch)
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

/* Shows the guest what is in the ring */
static void channel_publish(struct channel *ch)
{
	if (channel_gone(ch) || ch->stalled || ch->wrecked)
		return;
	if (ch->mod.held)
		moderate_shown(&ch->mod, loop_now());
	if (hring_out_publish(&ch->out))
		channel_event(ch);
}

/* Try to put one packet into the ring: 0, -EAGAIN, or -ENODEV */
static int channel_write(struct channel *ch, const struct channel_queued *q,
			 const void *payload)
{
	bool signal = false;
	int ret;

	if (ch->stalled)
		return -EAGAIN;
	if (ch->wrecked)
		return -ENODEV;
	if (q->raw)
		ret = hring_out_raw(&ch->out, payload, q->len, &signal);
	else
		ret = hring_out_put_headed(&ch->out, q->type, q->flags,
					   q->trans_id, payload, q->head,
					   (const char *)payload + q->head,
					   q->len - q->head);
	if (ret == -EAGAIN)
		channel_publish(ch);	/* or it never makes room */
	if (ret == -EPROTO) {
		channel_error(ch, "%s", ch->out.why);
		return -ENODEV;
	}
	if (ret == -EMSGSIZE) {
		channel_error(ch, "its ring of %u bytes cannot take a packet of %u",
			      ch->out.size, q->len);
		return -ENODEV;
	}
	if (ret)
		return ret;
	ch->stats.packets_out++;
	ch->stats.bytes_out += q->len;
	if (signal)
		channel_event(ch);
	return 0;
}

static void channel_wait_room(struct channel *ch)
{
	if (!ch->stalled && !hring_guest_waits(&ch->in))
		loop_set_timer(ch->bus->loop, &ch->retry, CHANNEL_RETRY_MS);
}

static void channel_retry(struct loop_timer *timer)
{
	struct channel *ch = container_of(timer, struct channel, retry);

	channel_activate(ch);
}

static int channel_enqueue(struct channel *ch, const struct channel_queued *q,
			   const void *payload)
{
	struct channel_queued *copy = malloc(sizeof(*copy) + q->len);

	if (!copy)
		return -ENOMEM;
	*copy = *q;
	copy->next = NULL;
	if (q->len)
		memcpy(copy->payload, payload, q->len);
	*ch->queue_end = copy;
	ch->queue_end = &copy->next;
	ch->queue_bytes += sizeof(*copy) + q->len;
	ch->want_writable = true;
	channel_wait_room(ch);
	/*
	 * pending_send_sz was written before the guest was shown what lies in front
	 * of this packet. A guest that made room in between went by the older
	 * write_index, and does not signal: look for room once more.
	 */
	if (!ch->active)
		channel_activate(ch);
	return 0;
}

static int channel_put(struct channel *ch, struct channel_queued *q,
		       const void *payload)
{
	int ret = -EAGAIN;

	if (channel_gone(ch))
		return -ENODEV;
	if (!ch->queue)
		ret = channel_write(ch, q, payload);
	if (ret == -EAGAIN)
		ret = channel_enqueue(ch, q, payload);
	return ret;
}

static int channel_put_now(struct channel *ch, struct channel_queued *q,
			   const void *payload)
{
	int ret = channel_put(ch, q, payload);

	channel_publish(ch);
	return ret;
}

static bool channel_flush(struct channel *ch)
{
	bool any = false;

	while (ch->queue) {
		struct channel_queued *q = ch->queue;
		int ret = channel_write(ch, q, q->payload);

		if (ret == -EAGAIN) {
			channel_wait_room(ch);
			return any;
		}
		ch->queue = q->next;
		if (!ch->queue)
			ch->queue_end = &ch->queue;
		ch->queue_bytes -= sizeof(*q) + q->len;
		free(q);
		any = true;
	}
	if (any)
		channel_publish(ch);
	if (ch->want_writable && !channel_gone(ch)) {
		ch->want_writable = false;
		if (ch->dev->kind->ops->writable)
			ch->dev->kind->ops->writable(ch->dev, ch);
		any = true;
	}
	return any;
}

int channel_complete(struct channel *ch, uint64_t trans_id,
		     const void *payload, size_t len)
{
	struct channel_queued q = {
		.type = VMBUS_WIRE_PKT_COMPLETION,
		.trans_id = trans_id,
		.len = len,
	};

	return channel_put_now(ch, &q, payload);
}

int channel_complete_soon(struct channel *ch, uint64_t trans_id,
			  const void *payload, size_t len,
			  unsigned int pending)
{
	struct channel_queued q = {
		.type = VMBUS_WIRE_PKT_COMPLETION,
		.trans_id = trans_id,
		.len = len,
	};
	int ret = channel_put(ch, &q, payload);

	/* what is queued waits for room, not for this */
	if (ret || ch->queue)
		return ret;
	moderate_completion(&ch->mod, loop_now(), pending);
	/* The guest is likely to send more: it need not signal */
	if (!ch->active)
		channel_activate(ch);
	return 0;
}

/* device.h knows nothing of moderate.h */
_Static_assert(CHANNEL_MODERATE_AUTO == MODERATE_AUTO &&
	       CHANNEL_MODERATE_STREAM == MODERATE_STREAM, "the same");

void channel_moderate(struct channel *ch, uint64_t ns)
{
	moderate_init(&ch->mod, ns);
}

/* Shows what was completed, if it is due. True while there is something */
static bool channel_show(struct channel *ch)
{
	if (!ch->mod.held)
		return false;
	if (hring_out_is_quiet(&ch->out) || moderate_due(&ch->mod, loop_now()))
		channel_publish(ch);
	return true;
}

int channel_send(struct channel *ch, uint64_t trans_id, const void *payload,
		 size_t len, bool want_completion)
{
	struct channel_queued q = {
		.type = VMBUS_WIRE_PKT_INBAND,
		.flags = want_completion ? VMBUS_WIRE_PKT_WANT_COMPLETION : 0,
		.trans_id = trans_id,
		.len = len,
	};
	int ret;

	if (ch->queue_bytes > CHANNEL_QUEUE_BYTES) {
		ch->want_writable = true;
		return -ENOBUFS;
	}
	ret = channel_put_now(ch, &q, payload);
	if (!ret && want_completion)
		ch->expected++;
	return ret;
}

int channel_send_pages(struct channel *ch, uint64_t trans_id,
		       const void *packet, size_t head, size_t len)
{
	struct channel_queued q = {
		.type = VMBUS_WIRE_PKT_XFER_PAGES,
		.flags = VMBUS_WIRE_PKT_WANT_COMPLETION,
		.trans_id = trans_id,
		.head = head,
		.len = len,
	};
	int ret = channel_put(ch, &q, packet);

	if (!ret)
		ch->expected++;
	return ret;
}

void channel_show_pages(struct channel *ch)
{
	channel_publish(ch);
}

bool channel_backlog(const struct channel *ch)
{
	return ch->queue || ch->stalled || ch->wrecked;
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

int channel_inject(struct channel *ch, unsigned int type, uint64_t trans_id,
		   const void *payload, size_t len)
{
	struct channel_queued q = {
		.type = type,
		.trans_id = trans_id,
		.len = len,
	};

	/* The guest may take it for a packet that it has to give back */
	if (type == VMBUS_WIRE_PKT_XFER_PAGES)
		ch->expected++;
	return channel_put_now(ch, &q, payload);
}

int channel_raw(struct channel *ch, const void *bytes, size_t len)
{
	struct channel_queued q = { .raw = 1, .len = len };

	/* Whatever it asks for, the guest may answer each 24 bytes of it */
	ch->expected += len / (sizeof(struct vmbus_wire_packet) +
			       VMBUS_WIRE_TRAILER);
	return channel_put_now(ch, &q, bytes);
}

void channel_stall(struct channel *ch, bool stall)
{
	ch->stalled = stall;
	if (!stall)
		channel_activate(ch);
}

void channel_wreck(struct channel *ch, uint32_t index)
{
	ch->wrecked = true;
	__atomic_store_n(&ch->out.ctl->write_index, index, __ATOMIC_RELEASE);
	channel_event(ch);
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
	       ch->queue_bytes <= CHANNEL_QUEUE_BYTES;
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
		channel_deliver(ch);
		any = true;
	}
	if (!channel_gone(ch) && hring_in_commit(&ch->in))
		channel_event(ch);
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
	struct bus *bus = dev->bus;
	uint32_t relid = channel_new_relid(bus);
	struct channel *ch = relid ? calloc(1, sizeof(*ch)) : NULL;

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
	bus->known[relid] = true;
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
		       uint32_t downstream, const char **why)
{
	uint32_t upstream_bytes = downstream * RAM_PAGE, bytes;
	char *map;

	map = ram_map_pages(ch->bus->ram, g->ranges[0].pfns, g->pages);
	if (!map) {
		*why = strerror(errno);
		return errno == EPROTO ? -EIO : -errno;
	}
	ch->map = map;
	ch->map_pages = g->pages;
	if (hring_in_init(&ch->in, map, upstream_bytes)) {
		*why = ch->in.why;
		return -EPROTO;
	}
	if (hring_out_init(&ch->out, map + upstream_bytes,
			   g->pages * RAM_PAGE - upstream_bytes)) {
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

int channel_start(struct channel *ch, struct gpadl *g, uint32_t downstream,
		  uint32_t target_vp, const char **why)
{
	const struct device_ops *ops = ch->dev->kind->ops;
	int ret = channel_map(ch, g, downstream, why);

	if (ret) {
		channel_unmap(ch);
		return ret;
	}
	memset(&ch->stats, 0, sizeof(ch->stats));
	ch->target_vp = target_vp;
	ch->paused = false;
	ch->stalled = false;
	ch->wrecked = false;
	ch->want_writable = false;
	ch->expected = 0;
	moderate_init(&ch->mod, 0);
	ch->private = NULL;
	ch->open = true;
	ret = ops->open ? ops->open(ch->dev, ch) : 0;
	if (ret) {
		*why = strerror(-ret);
		ch->open = false;
		channel_unmap(ch);
		return ret == -EPROTO ? -EIO : ret;
	}
	g->in_ring = true;
	ch->ring_gpadl = g;
	channel_activate(ch);
	return 0;
}

void channel_drain(struct channel *ch)
{
	if (ch->open && ch->dev->kind->ops->drain)
		ch->dev->kind->ops->drain(ch->dev, ch);
	channel_publish(ch);
}

void channel_shut(struct channel *ch)
{
	struct channel_queued *q;

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
	while ((q = ch->queue)) {
		ch->queue = q->next;
		free(q);
	}
	ch->queue_end = &ch->queue;
	ch->queue_bytes = 0;
	loop_clear_timer(&ch->retry);
	ch->ring_gpadl->in_ring = false;
	ch->ring_gpadl = NULL;
	channel_unmap(ch);
}
