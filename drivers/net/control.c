// SPDX-License-Identifier: GPL-2.0-only
/*
 * RNDIS requests to the host, and what the host tells on its own.
 *
 * Requests go one at a time, under synn_card.mutex, in a page that is named to the
 * host. A request is over when both the packet is completed and the answer is
 * here, in whatever order: before that the page must not be changed. If the host
 * does not complete the packet in time, no request is made any more until it does,
 * or until the next session; and if the close is not confirmed either, the page is
 * never freed.
 *
 * Answers and indications come through the receive buffer, which the host may
 * change at any time: they are copied, then looked at.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include "synth_net.h"
#include "trace.h"

/* bytes that we take in one message */
#define OUR_MAX_TRANSFER	0x4000u
#define WAIT_SLICE		(HZ / 5)
/* how often the host's reading is looked for, and how long in between */
#define ALIVE_LOOKS		10
#define ALIVE_DELAY		100	/* ms */

/**
 * synn_wait() - wait for the host
 * @c: card
 * @done: what is waited for
 *
 * Context: process.
 * Return: false if it took too long, or the card was rescinded.
 */
bool synn_wait(struct synn_card *c, struct completion *done)
{
	unsigned long end = jiffies + synn_host_timeout * HZ;

	while (!wait_for_completion_timeout(done, WAIT_SLICE)) {
		if (READ_ONCE(c->hv->channel->rescind) ||
		    time_after(jiffies, end))
			return try_wait_for_completion(done);
	}
	return true;
}

/**
 * synn_control_begin() - a new session: nothing is on its way
 * @c: card
 *
 * Context: process, card->mutex held.
 */
void synn_control_begin(struct synn_card *c)
{
	struct synn_control *t = &c->control;

	spin_lock_irq(&c->wait_lock);
	t->id = 0;
	t->request = 0;
	t->late = 0;
	t->stuck = false;
	spin_unlock_irq(&c->wait_lock);
}

static void send_page(struct synn_card *c, u32 bytes, u64 id, int *ret)
{
	struct {
		struct vmbus_packet_mpb_array mpb;
		u64 pfn;
	} __packed __aligned(8) p = {
		.mpb.rangecount = 1,
		.mpb.range.len = bytes,
		.mpb.range.offset = 0,
	};
	struct nvsp_message m;
	int tries;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_CONTROL;
	m.rndis.section = NVSP_NO_SECTION;
	p.pfn = virt_to_hvpfn(c->control.page);
	for (tries = 0; tries < 100; tries++) {
		*ret = compat_send_ranges(c->hv->channel, &p.mpb, sizeof(p), &m,
					  c->link.message_bytes, id);
		if (*ret != -EAGAIN)
			break;
		usleep_range(1000, 2000);
	}
}

/*
 * Send what is in the page, and wait until the host has read it and, if @request
 * is not 0, answered. Returns 0 or an error.
 */
static int exchange(struct synn_card *c, u32 bytes, u32 request)
{
	struct synn_control *t = &c->control;
	u64 id;
	int ret;

	lockdep_assert_held(&c->mutex);
	spin_lock_irq(&c->wait_lock);
	reinit_completion(&t->done);
	t->answer_len = 0;
	t->status = NVSP_STATUS_SUCCESS;
	t->request = request;
	id = synn_id(SYNN_ID_CONTROL, ++t->gen, 0);
	t->id = id;
	spin_unlock_irq(&c->wait_lock);

	send_page(c, bytes, id, &ret);
	if (!ret && !synn_wait(c, &t->done))
		ret = READ_ONCE(c->hv->channel->rescind) ? -ENODEV : -ETIMEDOUT;

	spin_lock_irq(&c->wait_lock);
	/* -ENODEV of the bus may come after the packet has gone */
	if (ret == -EAGAIN)
		t->id = 0;
	else if (t->id)
		t->stuck = true;
	else if (!ret && t->status != NVSP_STATUS_SUCCESS)
		ret = -EIO;
	if (ret == -ETIMEDOUT)
		t->late = t->request;
	t->request = 0;
	spin_unlock_irq(&c->wait_lock);
	return ret;
}

static u32 next_request(struct synn_card *c)
{
	/* never 0; the host brings it back */
	return (u32)(c->control.gen + 1) | 1u << 31;
}

/* What is true of all requests. Returns 0 if one may be made */
static int may_ask(struct synn_card *c)
{
	lockdep_assert_held(&c->mutex);
	if (!c->nr_open || READ_ONCE(c->hv->channel->rescind))
		return -ENODEV;
	return READ_ONCE(c->control.stuck) ? -EIO : 0;
}

/**
 * synn_control_initialise() - INITIALIZE
 * @c: card, with its buffers shown to the host
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_control_initialise(struct synn_card *c)
{
	struct synn_control *t = &c->control;
	u32 request = next_request(c), bytes;
	int ret = may_ask(c);

	if (ret)
		return ret;
	bytes = rndis_put_initialize(t->page, request, OUR_MAX_TRANSFER);
	ret = exchange(c, bytes, request);
	if (!ret)
		ret = rndis_parse_limits(t->answer, t->answer_len,
					 &c->link.limits);
	trace_synn_request(c, RNDIS_TYPE_INITIALIZE, 0, bytes, ret);
	return ret;
}

/**
 * synn_control_halt() - the session ends
 * @c: card
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 */
void synn_control_halt(struct synn_card *c)
{
	struct synn_control *t = &c->control;
	u32 bytes;
	int ret;

	if (may_ask(c))
		return;
	bytes = rndis_put_halt(t->page, next_request(c));
	ret = exchange(c, bytes, 0);
	trace_synn_request(c, RNDIS_TYPE_HALT, 0, bytes, ret);
}

static int ask(struct synn_card *c, u32 type, u32 oid, const void *info,
	       u32 info_len, struct rndis_answer *a)
{
	struct synn_control *t = &c->control;
	u32 id = next_request(c), bytes;
	int ret = may_ask(c);

	if (ret)
		return ret;
	bytes = rndis_put_request(t->page, HV_HYP_PAGE_SIZE, type, id, oid, info,
				  info_len);
	if (!bytes)
		return -EMSGSIZE;
	ret = exchange(c, bytes, id);
	if (!ret)
		ret = rndis_parse_answer(t->answer, t->answer_len, a);
	if (!ret && a->type != (type | RNDIS_COMPLETION))
		ret = -EPROTO;
	if (!ret && a->status != NDIS_STATUS_SUCCESS)
		ret = a->status == NDIS_STATUS_NOT_SUPPORTED ||
		      a->status == NDIS_STATUS_INVALID_OID ? -EOPNOTSUPP : -EIO;
	trace_synn_request(c, type, oid, bytes, ret);
	return ret;
}

/*
 * Whether the answer depends on the object alone. What is refused of the others
 * may be the value, of hashes, offloads and filters; or what the host's owner may
 * allow at any time, as another address.
 */
static bool same_for_all_values(u32 type, u32 oid)
{
	return type == RNDIS_TYPE_QUERY || oid == OID_802_3_MULTICAST_LIST;
}

static bool was_refused(const struct synn_link *l, u64 what)
{
	unsigned int i;

	for (i = 0; i < l->nr_refused; i++) {
		if (l->refused[i] == what)
			return true;
	}
	return false;
}

static int request(struct synn_card *c, u32 type, u32 oid, const void *info,
		   u32 info_len, struct rndis_answer *a)
{
	struct synn_link *l = &c->link;
	u64 what = (u64)type << 32 | oid;
	int ret;

	/* a host complains of each question that it does not know */
	if (was_refused(l, what))
		return -EOPNOTSUPP;
	ret = ask(c, type, oid, info, info_len, a);
	if (ret == -EOPNOTSUPP && same_for_all_values(type, oid) &&
	    l->nr_refused < ARRAY_SIZE(l->refused))
		l->refused[l->nr_refused++] = what;
	if (READ_ONCE(c->control.stuck))
		synn_reset(c);
	return ret;
}

/* Whether the host reads what is in the primary's ring */
static bool host_reads(struct synn_card *c)
{
	const struct hv_ring_buffer_info *r = &c->hv->channel->outbound;
	u32 at = READ_ONCE(r->ring_buffer->read_index);
	int looks;

	for (looks = 0; looks < ALIVE_LOOKS; looks++) {
		if (!hv_get_bytes_to_read(r) ||
		    READ_ONCE(r->ring_buffer->read_index) != at)
			return true;
		msleep(ALIVE_DELAY);
	}
	return false;
}

/**
 * synn_control_alive() - whether a new session would do any good
 * @c: card with a session
 *
 * A host may stand still for a while, and so may its whole machine. When it goes on,
 * the session is as good as it was; to end it meanwhile would lose the card, since
 * nobody confirms that its memory is let go of. A host that reads, but does not
 * answer, is another matter.
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: false if the host neither answers nor reads.
 */
bool synn_control_alive(struct synn_card *c)
{
	struct rndis_answer a;
	int ret = may_ask(c);

	/* then there is nobody to wait for */
	if (ret == -ENODEV)
		return true;
	if (!ret)
		ret = ask(c, RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED, NULL, 0, &a);
	else
		ret = -ETIMEDOUT;
	return (ret != -ETIMEDOUT && ret != -EAGAIN) || host_reads(c);
}

/**
 * synn_control_query() - ask for an object
 * @c: card
 * @oid: OID_*
 * @in: what goes with the question, or NULL
 * @in_len: its bytes
 * @out: where the answer goes
 * @room: bytes there
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: bytes of the answer, as far as there is room; -EOPNOTSUPP if the host does
 *	not know it, -EIO if it refuses; -ENODEV, -ETIMEDOUT, -EPROTO.
 */
int synn_control_query(struct synn_card *c, u32 oid, const void *in, u32 in_len,
		       void *out, u32 room)
{
	struct rndis_answer a;
	int ret = request(c, RNDIS_TYPE_QUERY, oid, in, in_len, &a);

	if (ret)
		return ret;
	room = min(room, a.info_len);
	if (room)
		memcpy(out, a.info, room);
	return room;
}

/**
 * synn_control_query_u32() - ask for an object of one word
 * @c: card
 * @oid: OID_*
 * @value: what it is
 *
 * Context, return: as synn_control_query(), but 0 for success.
 */
int synn_control_query_u32(struct synn_card *c, u32 oid, u32 *value)
{
	u32 v;
	int ret = synn_control_query(c, oid, NULL, 0, &v, sizeof(v));

	if (ret < 0)
		return ret;
	if (ret < sizeof(v))
		return -EPROTO;
	*value = v;
	return 0;
}

/**
 * synn_control_set() - set an object
 * @c: card
 * @oid: OID_*
 * @info: what it is to be
 * @len: its bytes
 *
 * Context, return: as synn_control_query(), but 0 for success.
 */
int synn_control_set(struct synn_card *c, u32 oid, const void *info, u32 len)
{
	struct rndis_answer a;

	return request(c, RNDIS_TYPE_SET, oid, info, len, &a);
}

/**
 * synn_control_keepalive() - tell the host that somebody is there
 * @c: card; it has asked
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 */
void synn_control_keepalive(struct synn_card *c)
{
	u32 bytes;

	if (may_ask(c))
		return;
	bytes = rndis_put_keepalive_done(c->control.page,
					 READ_ONCE(c->keepalive_id));
	exchange(c, bytes, 0);
}

/* ---- from the host; NAPI ------------------------------------------------------- */

/* wait_lock is held */
static void maybe_done(struct synn_control *t)
{
	if (!t->id && (!t->request || t->answer_len))
		complete(&t->done);
}

/**
 * synn_control_completed() - the host has read a request
 * @ch: where it says so
 * @id: transaction id
 * @payload: of the packet, a copy
 * @len: its bytes
 *
 * Context: NAPI of @ch.
 */
void synn_control_completed(struct synn_chan *ch, u64 id, const void *payload,
			    u32 len)
{
	const struct nvsp_message *m = payload;
	struct synn_card *c = ch->card;
	struct synn_control *t = &c->control;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&c->wait_lock, flags);
	found = t->id == id;
	if (found && t->stuck) {
		/* nobody waits any more, but the page is ours again */
		t->id = 0;
		t->stuck = false;
	} else if (found) {
		t->id = 0;
		if (len < sizeof(m->type) + sizeof(m->rndis_complete) ||
		    m->type != NVSP_SEND_RNDIS_PACKET_COMPLETE)
			t->status = NVSP_STATUS_FAILURE;
		else
			t->status = m->rndis_complete.status;
		/* then there will be no answer */
		if (t->status != NVSP_STATUS_SUCCESS)
			t->request = 0;
		maybe_done(t);
	}
	spin_unlock_irqrestore(&c->wait_lock, flags);
	if (!found)
		synn_bad(ch, "a completion that nothing waits for", id);
}

static void take_answer(struct synn_chan *ch, const u8 *msg, u32 len)
{
	struct synn_card *c = ch->card;
	struct synn_control *t = &c->control;
	u32 id = len >= RNDIS_HEADER + sizeof(u32) ?
		 *(const u32 *)(msg + RNDIS_HEADER) : 0;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&c->wait_lock, flags);
	found = id && t->request == id && !t->answer_len;
	if (found) {
		memcpy(t->answer, msg, len);
		t->answer_len = len;
		maybe_done(t);
	} else if (id && t->late == id) {
		t->late = 0;
		found = true;
	}
	spin_unlock_irqrestore(&c->wait_lock, flags);
	if (!found)
		synn_bad(ch, "an answer that nothing waits for", id);
}

static void indicate(struct synn_chan *ch, const u8 *msg, u32 len)
{
	struct synn_card *c = ch->card;
	struct rndis_answer a;
	u32 speed;

	if (rndis_parse_indicate(msg, len, &a)) {
		synn_bad(ch, "a malformed indication", 0);
		return;
	}
	switch (a.status) {
	case NDIS_STATUS_LINK_SPEED_CHANGE:
		if (a.info_len < sizeof(speed)) {
			synn_bad(ch, "a malformed indication", 0);
			break;
		}
		memcpy(&speed, a.info, sizeof(speed));
		WRITE_ONCE(c->speed, speed);
		break;
	case NDIS_STATUS_MEDIA_DISCONNECT:
		WRITE_ONCE(c->connected, SYNN_LINK_OFF);
		/* it may be back before anybody looks */
		set_bit(SYNN_EVENT_LOST, &c->events);
		synn_event(c, SYNN_EVENT_LINK);
		break;
	case NDIS_STATUS_NETWORK_CHANGE:
		set_bit(SYNN_EVENT_LOST, &c->events);
		synn_event(c, SYNN_EVENT_LINK);
		break;
	case NDIS_STATUS_MEDIA_CONNECT:
		WRITE_ONCE(c->connected, SYNN_LINK_ON);
		synn_event(c, SYNN_EVENT_LINK);
		break;
	case NDIS_STATUS_TASK_OFFLOAD:
		break;
	default:
		netdev_dbg(c->dev, "indication 0x%x\n", a.status);
	}
}

/**
 * synn_control_message() - a message of the host that is no packet
 * @ch: where
 * @msg: in the receive buffer
 * @len: bytes of its range
 *
 * Context: NAPI of @ch.
 */
void synn_control_message(struct synn_chan *ch, const u8 *msg, u32 len)
{
	u8 copy[SYNN_ANSWER_MAX] __aligned(8);
	const struct rndis_header *h = (const void *)copy;
	struct synn_card *c = ch->card;
	u32 n = min_t(u32, len, sizeof(copy));

	if (n < RNDIS_HEADER + sizeof(u32)) {
		synn_bad(ch, "a short message", 0);
		return;
	}
	synthio_copy(copy, msg, n);
	/* the compiler is not to read there again */
	barrier();
	switch (h->type) {
	case RNDIS_TYPE_INDICATE:
		indicate(ch, copy, n);
		break;
	case RNDIS_TYPE_KEEPALIVE:
		WRITE_ONCE(c->keepalive_id, *(u32 *)(copy + RNDIS_HEADER));
		synn_event(c, SYNN_EVENT_KEEPALIVE);
		break;
	case RNDIS_TYPE_INITIALIZE | RNDIS_COMPLETION:
	case RNDIS_TYPE_QUERY | RNDIS_COMPLETION:
	case RNDIS_TYPE_SET | RNDIS_COMPLETION:
		/* what is longer than that answers nothing that is asked for */
		take_answer(ch, copy, n);
		break;
	default:
		synn_bad(ch, "a message of an unknown type", h->type);
	}
}

/**
 * synn_control_init() - memory for requests
 * @c: card
 *
 * Return: 0 or -ENOMEM.
 */
int synn_control_init(struct synn_card *c)
{
	struct synn_control *t = &c->control;

	init_completion(&t->done);
	init_completion(&c->single.done);
	t->answer = kmalloc(SYNN_ANSWER_MAX, GFP_KERNEL);
	t->page = (void *)get_zeroed_page(GFP_KERNEL);
	if (t->answer && t->page)
		return 0;
	synn_control_free(c);
	return -ENOMEM;
}

/**
 * synn_control_free() - the mirror of synn_control_init()
 * @c: card; all channels are closed
 */
void synn_control_free(struct synn_card *c)
{
	struct synn_control *t = &c->control;

	kfree(t->answer);
	if (!c->host_holds || !t->stuck)
		free_page((unsigned long)t->page);
}
