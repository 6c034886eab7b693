// SPDX-License-Identifier: GPL-2.0-only
/* A channel's way to the guest: its ring, what waits for room there, moderation. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define CHANNEL_RETRY_MS	1

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

/*
 * The guest is shown nothing before it is committed, so all that is done here is
 * to say that it is due: channel_settle() does it.
 */
void channel_publish(struct channel *ch)
{
	ch->publish = true;
}

void channel_settle(struct channel *ch)
{
	bool signal = false;

	ch->queue_kept = ch->queue_head;
	if (channel_gone(ch))
		return;
	if (ch->publish && !ch->stalled && !ch->wrecked) {
		ch->publish = false;
		if (ch->mod.held)
			moderate_shown(&ch->mod, loop_now());
		signal = hring_out_publish(&ch->out);
		persist_point("ring-shown");
	}
	signal |= hring_in_commit(&ch->in);
	if (signal)
		channel_event(ch);
}

/* Try to put one packet into the ring: 0, -EAGAIN, or -ENODEV */
static int channel_write(struct channel *ch, const struct channel_queued *q,
			 const void *payload)
{
	int ret;

	if (ch->stalled)
		return -EAGAIN;
	if (ch->wrecked)
		return -ENODEV;
	if (q->raw)
		ret = hring_out_put_raw(&ch->out, payload, q->len);
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
	return 0;
}

static void channel_wait_room(struct channel *ch)
{
	if (!ch->stalled && !hring_guest_waits(&ch->in))
		loop_set_timer(ch->bus->loop, &ch->retry, CHANNEL_RETRY_MS);
}

void channel_retry(struct loop_timer *timer)
{
	struct channel *ch = container_of(timer, struct channel, retry);

	channel_activate(ch);
}

/* To or from the area's copy of the queue, which begins again at its end */
static void queue_copy(struct channel *ch, uint64_t at, void *bytes, size_t len,
		       bool in)
{
	uint8_t *queue = ch->bus->persist->area->queue[ch->relid], *p = bytes;

	while (len) {
		size_t offset = at % PERSIST_QUEUE_BYTES;
		size_t part = PERSIST_QUEUE_BYTES - offset;

		if (part > len)
			part = len;
		if (in)
			memcpy(queue + offset, p, part);
		else
			memcpy(p, queue + offset, part);
		at += part;
		p += part;
		len -= part;
	}
}

/* What waits for room is as good as sent: a worker that takes over sends it */
static void channel_keep(struct channel *ch, const struct channel_queued *q,
			 const void *payload)
{
	struct persist_queued k = {
		.trans_id = q->trans_id,
		.head = q->head,
		.len = q->len,
		.type = q->type,
		.flags = q->flags,
		.raw = q->raw,
	};
	size_t bytes = sizeof(k) + q->len;

	/* what the last transaction counts on is not overwritten */
	if (ch->incomplete ||
	    ch->queue_tail + bytes - ch->queue_kept > PERSIST_QUEUE_BYTES) {
		if (!ch->incomplete)
			log_warn("%s/%u: more waits for its ring than is kept: another worker could not go on with it",
				 ch->dev->id, ch->index);
		ch->incomplete = true;
		return;
	}
	queue_copy(ch, ch->queue_tail, &k, sizeof(k), true);
	queue_copy(ch, ch->queue_tail + sizeof(k), (void *)payload, q->len,
		   true);
	ch->queue_tail += bytes;
}

int channel_requeue(struct channel *ch, uint64_t head, uint64_t tail)
{
	ch->queue_head = head;
	ch->queue_kept = head;
	ch->queue_tail = tail;
	while (head < tail) {
		struct channel_queued *q;
		struct persist_queued k;

		queue_copy(ch, head, &k, sizeof(k), false);
		if (k.len > tail - head - sizeof(k))
			return -EPROTO;
		q = calloc(1, sizeof(*q) + k.len);
		if (!q)
			return -ENOMEM;
		q->trans_id = k.trans_id;
		q->head = k.head;
		q->len = k.len;
		q->type = k.type;
		q->flags = k.flags;
		q->raw = k.raw;
		queue_copy(ch, head + sizeof(k), q->payload, k.len, false);
		head += sizeof(k) + k.len;
		*ch->queue_end = q;
		ch->queue_end = &q->next;
		ch->queue_bytes += sizeof(*q) + q->len;
		ch->want_writable = true;
	}
	return 0;
}

void channel_unqueue(struct channel *ch)
{
	struct channel_queued *q;

	while ((q = ch->queue)) {
		ch->queue = q->next;
		free(q);
	}
	ch->queue_end = &ch->queue;
	ch->queue_bytes = 0;
	ch->queue_head = ch->queue_tail;
	ch->incomplete = false;
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
	channel_keep(ch, q, payload);
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

/* Of the packet that its device looks at just now, or of one before it */
static void channel_completed(struct channel *ch, uint64_t trans_id)
{
	if (ch->taking && ch->taken_id == trans_id)
		ch->taking = false;
	else
		inflight_end(&ch->bus->inflight, ch->relid, trans_id);
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
	if (!ret && q->type == VMBUS_WIRE_PKT_COMPLETION)
		channel_completed(ch, q->trans_id);
	return ret;
}

static int channel_put_now(struct channel *ch, struct channel_queued *q,
			   const void *payload)
{
	int ret = channel_put(ch, q, payload);

	channel_publish(ch);
	return ret;
}

bool channel_flush(struct channel *ch)
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
		ch->queue_head += sizeof(struct persist_queued) + q->len;
		/* what was not kept came last */
		if (!ch->queue || ch->queue_head > ch->queue_tail)
			ch->queue_head = ch->queue_tail;
		if (!ch->queue)
			ch->incomplete = false;
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
bool channel_show(struct channel *ch)
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
