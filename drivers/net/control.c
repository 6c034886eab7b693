// SPDX-License-Identifier: GPL-2.0-only
/*
 * RNDIS requests to the host.
 *
 * Requests are sent one at a time, under synn_adapter.mutex, in a page that is named to
 * the host. A request is over when both the packet is completed and the answer is
 * here, in whatever order: before that the page must not be changed. If the host
 * does not complete the packet in time, the request is abandoned, and no other one is
 * made until the host completes that packet, or until the next session.
 */
#include <linux/kmemleak.h>
#include <linux/slab.h>

#include "synth_net.h"
#include "trace.h"

/* Bytes that this driver accepts in one message */
#define OUR_MAX_TRANSFER	0x4000u
/* Seconds that an answer to synn_control_probe() may take */
#define PROBE_WAIT		2

static void release_page(struct synn_quarantined *q, bool confirmed)
{
	struct synn_control_page *p =
		container_of(q, struct synn_control_page, quarantine);

	if (!confirmed) {
		kmemleak_not_leak(p);
		return;
	}
	free_page((unsigned long)p->data);
	kfree(p);
}

static struct synn_control_page *alloc_page_of_requests(void)
{
	struct synn_control_page *p = kzalloc(sizeof(*p), GFP_KERNEL);

	if (!p)
		return NULL;
	p->quarantine.release = release_page;
	p->data = (void *)get_zeroed_page(GFP_KERNEL);
	if (p->data)
		return p;
	kfree(p);
	return NULL;
}

/**
 * synn_control_begin() - prepare for the requests of a new session
 * @ad: adapter
 *
 * Context: process, adapter->mutex held.
 * Return: 0 or -ENOMEM.
 */
int synn_control_begin(struct synn_adapter *ad)
{
	struct synn_control *t = &ad->control;

	/* the one before may be in quarantine */
	if (!t->page)
		t->page = alloc_page_of_requests();
	if (!t->page)
		return -ENOMEM;
	spin_lock_irq(&ad->wait_lock);
	t->state = SYNN_REQUEST_IDLE;
	t->id = 0;
	t->request = 0;
	t->abandoned = 0;
	spin_unlock_irq(&ad->wait_lock);
	return 0;
}

/**
 * synn_control_end() - the mirror of synn_control_begin()
 * @ad: adapter; all channels are closed
 * @confirmed: the host has confirmed the close
 *
 * Context: process, adapter->mutex held.
 */
void synn_control_end(struct synn_adapter *ad, bool confirmed)
{
	struct synn_control *t = &ad->control;

	if (confirmed || !t->page || t->state == SYNN_REQUEST_IDLE)
		return;
	synn_quarantine_add(ad, &t->page->quarantine, 1);
	t->page = NULL;
}

static int send_page(struct synn_adapter *ad, u32 bytes, u64 id)
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
	int tries = 0, ret;

	synn_message(&m, NVSP_SEND_RNDIS_PACKET);
	m.rndis.channel_type = NVSP_CHANNEL_CONTROL;
	m.rndis.section = NVSP_NO_SECTION;
	p.pfn = virt_to_hvpfn(ad->control.page->data);
	do {
		ret = compat_send_ranges(ad->hv->channel, &p.mpb, sizeof(p), &m,
					 ad->session.message_bytes, id);
	} while (synn_chan_send_again(ret, &tries));
	return ret;
}

/*
 * Sends what is in the page, and waits until the host has completed the packet and, if
 * @request is not 0, has answered. Returns 0, -EAGAIN if the ring is full or the host
 * is stalled, or another error.
 */
static int exchange(struct synn_adapter *ad, u32 bytes, u32 request,
		    unsigned int seconds)
{
	struct synn_control *t = &ad->control;
	bool sent;
	u64 id;
	int ret;

	lockdep_assert_held(&ad->mutex);
	spin_lock_irq(&ad->wait_lock);
	reinit_completion(&t->done);
	t->answer_len = 0;
	t->status = NVSP_STATUS_SUCCESS;
	t->request = request;
	id = synn_id(SYNN_ID_CONTROL, ++t->gen, 0);
	t->id = id;
	t->state = SYNN_REQUEST_SENT;
	spin_unlock_irq(&ad->wait_lock);

	ret = send_page(ad, bytes, id);
	/* after another error of the bus the packet may have been sent */
	sent = ret != -EAGAIN;
	if (!ret && !synn_chan_wait(ad, &t->done, seconds))
		ret = synn_chan_wait_error(ad);

	spin_lock_irq(&ad->wait_lock);
	if (!sent)
		t->id = 0;
	t->state = t->id ? SYNN_REQUEST_ABANDONED : SYNN_REQUEST_IDLE;
	if (!t->id && !ret && t->status != NVSP_STATUS_SUCCESS)
		ret = -EIO;
	if (sent && (ret == -ETIMEDOUT || ret == -EAGAIN))
		t->abandoned = t->request;
	t->request = 0;
	spin_unlock_irq(&ad->wait_lock);
	return ret;
}

static u32 next_request(struct synn_adapter *ad)
{
	/* never 0; the host returns it with the answer */
	return (u32)(ad->control.gen + 1) | 1u << 31;
}

/* Returns 0 if a request may be made now */
static int may_request(struct synn_adapter *ad)
{
	lockdep_assert_held(&ad->mutex);
	if (!ad->nr_open || synn_rescinded(ad))
		return -ENODEV;
	if (READ_ONCE(ad->state) == SYNN_STALLED ||
	    READ_ONCE(ad->control.state) != SYNN_REQUEST_IDLE)
		return -EAGAIN;
	return 0;
}

/**
 * synn_control_initialise() - INITIALIZE
 * @ad: adapter, with its buffers announced to the host
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_control_initialise(struct synn_adapter *ad)
{
	struct synn_control *t = &ad->control;
	u32 id = next_request(ad), bytes;
	int ret = may_request(ad);

	if (ret)
		return ret;
	bytes = rndis_put_initialize(t->page->data, id, OUR_MAX_TRANSFER);
	ret = exchange(ad, bytes, id, synn_host_timeout);
	if (!ret)
		ret = rndis_parse_limits(t->answer, t->answer_len,
					 &ad->session.limits);
	trace_synn_request(ad, RNDIS_TYPE_INITIALIZE, 0, bytes, ret);
	return ret;
}

/**
 * synn_control_halt() - HALT: the session is being closed
 * @ad: adapter
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 */
void synn_control_halt(struct synn_adapter *ad)
{
	u32 bytes;
	int ret;

	if (may_request(ad))
		return;
	bytes = rndis_put_halt(ad->control.page->data, next_request(ad));
	ret = exchange(ad, bytes, 0, synn_host_timeout);
	trace_synn_request(ad, RNDIS_TYPE_HALT, 0, bytes, ret);
}

static int request_once(struct synn_adapter *ad, u32 type, u32 oid,
			const void *info, u32 info_len, unsigned int seconds,
			struct rndis_answer *a)
{
	struct synn_control *t = &ad->control;
	u32 id = next_request(ad), bytes;
	int ret;

	bytes = rndis_put_request(t->page->data, HV_HYP_PAGE_SIZE, type, id, oid,
				  info, info_len);
	if (!bytes)
		return -EMSGSIZE;
	ret = exchange(ad, bytes, id, seconds);
	if (!ret)
		ret = rndis_parse_answer(t->answer, t->answer_len, a);
	if (!ret && a->type != (type | RNDIS_COMPLETION))
		ret = -EPROTO;
	if (!ret && a->status != NDIS_STATUS_SUCCESS)
		ret = a->status == NDIS_STATUS_NOT_SUPPORTED ||
		      a->status == NDIS_STATUS_INVALID_OID ? -EOPNOTSUPP : -EIO;
	trace_synn_request(ad, type, oid, bytes, ret);
	return ret;
}

/*
 * Whether "not supported" depends on the object alone. For the other objects it may
 * depend on the value (hashes, offloads, filters), or on what the host's administrator
 * allows at the time (another address).
 */
static bool refusal_is_final(u32 type, u32 oid)
{
	return type == RNDIS_TYPE_QUERY || oid == OID_802_3_MULTICAST_LIST;
}

static bool is_unsupported(const struct synn_session *s, u64 what)
{
	unsigned int i;

	for (i = 0; i < s->nr_unsupported; i++) {
		if (s->unsupported[i] == what)
			return true;
	}
	return false;
}

static int request(struct synn_adapter *ad, u32 type, u32 oid, const void *info,
		   u32 info_len, struct rndis_answer *a)
{
	struct synn_session *s = &ad->session;
	u64 what = (u64)type << 32 | oid;
	int ret;

	/* some hosts log a warning for each request that they don't know */
	if (is_unsupported(s, what))
		return -EOPNOTSUPP;
	ret = may_request(ad);
	if (!ret)
		ret = request_once(ad, type, oid, info, info_len,
				   synn_host_timeout, a);
	if (ret == -EOPNOTSUPP && refusal_is_final(type, oid) &&
	    s->nr_unsupported < ARRAY_SIZE(s->unsupported))
		s->unsupported[s->nr_unsupported++] = what;
	/* the service task finds out whether the host keeps the page for good */
	if (READ_ONCE(ad->control.state) == SYNN_REQUEST_ABANDONED)
		synn_check(ad, SYNN_CHECK_HEALTH);
	return ret;
}

/**
 * synn_control_probe() - find out whether the host responds
 * @ad: adapter with a session
 *
 * A host that reads, but does not answer, counts as one that responds: a new session
 * may help there.
 *
 * Context: process, adapter->mutex held; sleeps for three seconds at most.
 */
enum synn_probe synn_control_probe(struct synn_adapter *ad)
{
	struct rndis_answer a;
	int ret = -EAGAIN;

	lockdep_assert_held(&ad->mutex);
	if (!ad->nr_open || synn_rescinded(ad))
		return SYNN_PROBE_RESPONDS;
	if (READ_ONCE(ad->control.state) == SYNN_REQUEST_IDLE)
		ret = request_once(ad, RNDIS_TYPE_QUERY, OID_GEN_LINK_SPEED,
				   NULL, 0, PROBE_WAIT, &a);
	if (ret != -ETIMEDOUT && ret != -EAGAIN)
		return SYNN_PROBE_RESPONDS;
	if (synthio_host_stalled(ad->hv))
		return SYNN_PROBE_SILENT;
	return synn_chan_host_reads(ad->chans[0]) ? SYNN_PROBE_RESPONDS :
						    SYNN_PROBE_SILENT;
}

/**
 * synn_control_query() - query an object
 * @ad: adapter
 * @oid: OID_*
 * @in: what is sent with the query, or NULL
 * @in_len: its bytes
 * @out: where the answer is copied to
 * @room: bytes there
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: bytes of the answer, at most @room; -EOPNOTSUPP if the host does not know
 *	the object, -EIO if it refuses; -EAGAIN if it is stalled; -ENODEV, -ETIMEDOUT,
 *	-EPROTO.
 */
int synn_control_query(struct synn_adapter *ad, u32 oid, const void *in,
		       u32 in_len, void *out, u32 room)
{
	struct rndis_answer a;
	int ret = request(ad, RNDIS_TYPE_QUERY, oid, in, in_len, &a);

	if (ret)
		return ret;
	room = min(room, a.info_len);
	if (room)
		memcpy(out, a.info, room);
	return room;
}

/**
 * synn_control_query_u32() - query an object of one word
 * @ad: adapter
 * @oid: OID_*
 * @value: filled in
 *
 * Context, return: as synn_control_query(), but 0 for success.
 */
int synn_control_query_u32(struct synn_adapter *ad, u32 oid, u32 *value)
{
	u32 v;
	int ret = synn_control_query(ad, oid, NULL, 0, &v, sizeof(v));

	if (ret < 0)
		return ret;
	if (ret < sizeof(v))
		return -EPROTO;
	*value = v;
	return 0;
}

/**
 * synn_control_set() - set an object
 * @ad: adapter
 * @oid: OID_*
 * @info: the value
 * @len: its bytes
 *
 * Context, return: as synn_control_query(), but 0 for success.
 */
int synn_control_set(struct synn_adapter *ad, u32 oid, const void *info, u32 len)
{
	struct rndis_answer a;

	return request(ad, RNDIS_TYPE_SET, oid, info, len, &a);
}

/**
 * synn_control_set_address() - set the adapter's address
 * @ad: adapter
 * @mac: the address
 *
 * Context, return: as synn_control_set().
 */
int synn_control_set_address(struct synn_adapter *ad, const u8 *mac)
{
	u8 set[128];

	return synn_control_set(ad, OID_GEN_RNDIS_CONFIG_PARAMETER, set,
				rndis_put_address(set, sizeof(set), mac));
}

/**
 * synn_control_keepalive() - answer a keepalive of the host
 * @ad: adapter
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 */
void synn_control_keepalive(struct synn_adapter *ad)
{
	u32 bytes;

	if (may_request(ad))
		return;
	bytes = rndis_put_keepalive_done(ad->control.page->data,
					 READ_ONCE(ad->keepalive_id));
	exchange(ad, bytes, 0, synn_host_timeout);
}

/* ---- answers; NAPI ------------------------------------------------------------- */

/* wait_lock is held */
static void complete_if_answered(struct synn_control *t)
{
	if (!t->id && (!t->request || t->answer_len))
		complete(&t->done);
}

/**
 * synn_control_completed() - the host has completed the packet of a request
 * @ch: where the completion was received
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
	struct synn_adapter *ad = ch->adapter;
	struct synn_control *t = &ad->control;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&ad->wait_lock, flags);
	found = t->id == id;
	if (found)
		t->id = 0;
	if (found && t->state == SYNN_REQUEST_ABANDONED) {
		/* nothing waits any more, but the page may be used again */
		t->state = SYNN_REQUEST_IDLE;
	} else if (found) {
		if (len < sizeof(m->type) + sizeof(m->rndis_complete) ||
		    m->type != NVSP_SEND_RNDIS_PACKET_COMPLETE)
			t->status = NVSP_STATUS_FAILURE;
		else
			t->status = m->rndis_complete.status;
		/* then there will be no answer */
		if (t->status != NVSP_STATUS_SUCCESS)
			t->request = 0;
		complete_if_answered(t);
	}
	spin_unlock_irqrestore(&ad->wait_lock, flags);
	if (!found)
		synn_bad_packet(ch, "a completion of no request", id);
}

/**
 * synn_control_answer() - an answer to a request
 * @ch: where it was received
 * @msg: a copy of the message, RNDIS_HEADER and a request id at least
 * @len: its bytes, SYNN_ANSWER_MAX at most
 *
 * Context: NAPI of @ch.
 */
void synn_control_answer(struct synn_chan *ch, const u8 *msg, u32 len)
{
	u32 id = *(const u32 *)(msg + RNDIS_HEADER);
	struct synn_adapter *ad = ch->adapter;
	struct synn_control *t = &ad->control;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&ad->wait_lock, flags);
	found = id && t->request == id && !t->answer_len;
	if (found) {
		memcpy(t->answer, msg, len);
		t->answer_len = len;
		complete_if_answered(t);
	} else if (id && t->abandoned == id) {
		t->abandoned = 0;
		found = true;
	}
	spin_unlock_irqrestore(&ad->wait_lock, flags);
	if (!found)
		synn_bad_packet(ch, "an answer to no request", id);
}

/**
 * synn_control_init() - allocate memory for requests
 * @ad: adapter
 *
 * Return: 0 or -ENOMEM.
 */
int synn_control_init(struct synn_adapter *ad)
{
	struct synn_control *t = &ad->control;

	init_completion(&t->done);
	init_completion(&ad->nvsp.done);
	t->answer = kmalloc(SYNN_ANSWER_MAX, GFP_KERNEL);
	return t->answer ? 0 : -ENOMEM;
}

/**
 * synn_control_free() - free it, and the page of requests
 * @ad: adapter; all channels are closed
 */
void synn_control_free(struct synn_adapter *ad)
{
	struct synn_control *t = &ad->control;

	kfree(t->answer);
	if (t->page)
		release_page(&t->page->quarantine, true);
}
