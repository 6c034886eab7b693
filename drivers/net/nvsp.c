// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVSP: negotiation of a version, the receive and the send buffer, sub-channels.
 *
 * Messages that need a completion are sent one at a time, under synn_adapter.mutex; the
 * completion is matched by its transaction id.
 */
#include <linux/kmemleak.h>
#include <linux/vmalloc.h>

#include "synth_net.h"

static const u32 versions[] = {
	NVSP_VERSION_61,
	NVSP_VERSION_6,
	NVSP_VERSION_5,
	NVSP_VERSION_4,
};

static u32 message_bytes(u32 version)
{
	return version >= NVSP_VERSION_61 ? NVSP_MESSAGE_SIZE_61 :
	       NVSP_MESSAGE_SIZE;
}

/* Sends a message and waits for its completion, which is ad->nvsp.answer */
static int request(struct synn_adapter *ad, struct nvsp_message *m, u32 bytes)
{
	struct synn_nvsp_request *s = &ad->nvsp;
	u64 id;
	int ret;

	lockdep_assert_held(&ad->mutex);
	spin_lock_irq(&ad->wait_lock);
	reinit_completion(&s->done);
	memset(&s->answer, 0, sizeof(s->answer));
	s->answer_len = 0;
	id = synn_id(SYNN_ID_NVSP, ++s->gen, 0);
	s->id = id;
	spin_unlock_irq(&ad->wait_lock);

	ret = synn_chan_send(ad, m, bytes, id,
			     VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
	if (!ret && !synn_chan_wait(ad, &s->done, synn_host_timeout))
		ret = synn_chan_wait_error(ad);

	spin_lock_irq(&ad->wait_lock);
	s->id = 0;
	spin_unlock_irq(&ad->wait_lock);
	return ret;
}

/* Whether the answer is of @type and has at least @bytes after the type */
static bool answered(const struct synn_adapter *ad, u32 type, size_t bytes)
{
	return ad->nvsp.answer.type == type &&
	       ad->nvsp.answer_len >= sizeof(u32) + bytes;
}

/**
 * synn_nvsp_completed() - the completion of an NVSP request
 * @ch: where it came
 * @id: its transaction id
 * @payload: of it
 * @len: bytes of @payload
 *
 * Context: NAPI of @ch.
 */
void synn_nvsp_completed(struct synn_chan *ch, u64 id, const void *payload,
			 u32 len)
{
	struct synn_adapter *ad = ch->adapter;
	struct synn_nvsp_request *s = &ad->nvsp;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&ad->wait_lock, flags);
	found = s->id == id;
	if (found) {
		s->id = 0;
		s->answer_len = len;
		memcpy(&s->answer, payload,
		       min_t(u32, len, sizeof(s->answer)));
		complete(&s->done);
	}
	spin_unlock_irqrestore(&ad->wait_lock, flags);
	if (!found)
		synn_bad_packet(ch, "a completion of no request", id);
}

/* The host names a queue for each hash of a flow */
static void indirection_table(struct synn_chan *ch, const void *payload, u32 len)
{
	u32 table[NVSP_TABLE_ENTRIES], i;
	struct synn_adapter *ad = ch->adapter;

	if (nvsp_parse_table(payload, len, ad->session.version, table)) {
		synn_bad_packet(ch, "a bad indirection table", 0);
		return;
	}
	/* an entry is used modulo the number of queues */
	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		WRITE_ONCE(ad->send_table[i], table[i] % SYNN_MAX_QUEUES);
}

/**
 * synn_nvsp_message() - a message that the host sends on its own
 * @ch: where it was received
 * @payload: of the packet, a copy
 * @len: bytes of it
 *
 * Context: NAPI of @ch.
 */
void synn_nvsp_message(struct synn_chan *ch, const void *payload, u32 len)
{
	const struct nvsp_message *m = payload;

	if (len < sizeof(m->type)) {
		synn_bad_packet(ch, "a short message", 0);
		return;
	}
	switch (m->type) {
	case NVSP_SEND_INDIRECTION_TABLE:
		indirection_table(ch, payload, len);
		break;
	case NVSP_SEND_VF_ASSOCIATION:
	case NVSP_SWITCH_DATA_PATH:
		/*
		 * A VF as a second data path: the driver does not announce that it
		 * could use one. Hosts may ask for completions of these messages, but
		 * wait for none.
		 */
		break;
	default:
		synn_bad_packet(ch, "an unknown message", 0);
	}
}

/**
 * synn_nvsp_negotiate() - negotiate a version and send the configuration
 * @ad: with its primary open
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0, -EPROTO if no version suits, or an error.
 */
int synn_nvsp_negotiate(struct synn_adapter *ad)
{
	struct synn_session *s = &ad->session;
	struct nvsp_message m;
	unsigned int i;
	u32 version = 0, bytes;
	int ret;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		version = versions[i];
		synn_message(&m, NVSP_INIT);
		m.init.min_version = version;
		m.init.max_version = version;
		ret = request(ad, &m, message_bytes(version));
		if (ret)
			return ret;
		if (!answered(ad, NVSP_INIT_COMPLETE,
			      sizeof(struct nvsp_init_complete)))
			return -EPROTO;
		if (ad->nvsp.answer.init_complete.status ==
		    NVSP_STATUS_SUCCESS)
			break;
	}
	if (i == ARRAY_SIZE(versions)) {
		netdev_err(ad->dev, "the host supports none of the NVSP versions 4.0 to 6.1; the adapter can't be used\n");
		return -EPROTO;
	}
	s->version = version;
	bytes = message_bytes(version);
	s->message_bytes = bytes;
	s->max_ranges = SYNN_MAX_RANGES;
	if (ad->nvsp.answer.init_complete.max_mdl_chain >= 2)
		s->max_ranges = min_t(u32, SYNN_MAX_RANGES,
				      ad->nvsp.answer.init_complete.max_mdl_chain);

	/* hosts replace an MTU below 1500 by their default */
	s->mtu = max_t(u32, ad->dev->mtu, ETH_DATA_LEN);
	synn_message(&m, NVSP_SEND_NDIS_CONFIG);
	m.ndis_config.mtu = s->mtu + ETH_HLEN;
	m.ndis_config.capabilities = NVSP_CAP_8021Q;
	/* without that capability hosts don't indicate a change of speed */
	if (version >= NVSP_VERSION_5)
		m.ndis_config.capabilities |= NVSP_CAP_TEAMING;
	if (version >= NVSP_VERSION_61)
		m.ndis_config.capabilities |= NVSP_CAP_RSC;
	ret = synn_chan_send(ad, &m, bytes, 0, 0);
	if (ret)
		return ret;

	synn_message(&m, NVSP_SEND_NDIS_VERSION);
	m.ndis_version.major = NVSP_NDIS_MAJOR;
	m.ndis_version.minor = version >= NVSP_VERSION_5 ? NVSP_NDIS_MINOR_30 :
							  NVSP_NDIS_MINOR_1;
	return synn_chan_send(ad, &m, bytes, 0, 0);
}

/* ---- buffers ------------------------------------------------------------------ */

static void release_buffer(struct synn_quarantined *q, bool confirmed)
{
	struct synn_buffer *b = container_of(q, struct synn_buffer, quarantine);

	if (confirmed) {
		vfree(b->data);
		kfree(b);
	} else {
		kmemleak_not_leak(b->data);
		kmemleak_not_leak(b);
	}
}

static int alloc_buffer(struct synn_adapter *ad, struct synn_buffer **buffer,
			u64 bytes)
{
	struct synn_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);
	int ret;

	if (!b)
		return -ENOMEM;
	b->quarantine.release = release_buffer;
	b->bytes = PAGE_ALIGN(bytes);
	b->data = vzalloc(b->bytes);
	if (!b->data) {
		kfree(b);
		return -ENOMEM;
	}
	ret = vmbus_establish_gpadl(ad->hv->channel, b->data, b->bytes,
				    &b->gpadl);
	if (ret) {
		netdev_err(ad->dev, "the host does not accept a buffer of %u KiB (%d)\n",
			   b->bytes >> 10, ret);
		/*
		 * Our bus keeps the pages if the host may still write to them; on the
		 * kernel's that is not known after a timeout.
		 */
		compat_free_buffer(b->data, ret != -ETIMEDOUT);
		kfree(b);
		return ret;
	}
	*buffer = b;
	return 0;
}

static int announce_buffer(struct synn_adapter *ad, struct synn_buffer *b,
			   u32 type, u16 id, u32 answer_type,
			   size_t answer_bytes)
{
	struct nvsp_message m;
	int ret;

	synn_message(&m, type);
	m.buffer.gpadl = b->gpadl.gpadl_handle;
	m.buffer.id = id;
	b->announced = true;
	ret = request(ad, &m, ad->session.message_bytes);
	if (ret)
		return ret;
	return answered(ad, answer_type, answer_bytes) ? 0 : -EPROTO;
}

static int receive_buffer(struct synn_adapter *ad)
{
	const struct nvsp_receive_buffer_complete *a =
		&ad->nvsp.answer.receive_buffer_complete;
	struct synn_session *s = &ad->session;
	struct synn_buffer *b;
	int ret;

	ret = alloc_buffer(ad, &s->receive, (u64)ad->wanted_sections * SYNN_SECTION_BYTES);
	if (ret)
		return ret;
	b = s->receive;
	ret = announce_buffer(ad, b, NVSP_SEND_RECEIVE_BUFFER,
			      NVSP_RECEIVE_BUFFER_ID,
			      NVSP_SEND_RECEIVE_BUFFER_COMPLETE, sizeof(*a));
	if (ret)
		return ret;
	if (a->status != NVSP_STATUS_SUCCESS) {
		netdev_err(ad->dev, "the host refuses the receive buffer (status %u); the adapter can't be used\n",
			   a->status);
		return -EIO;
	}
	if (a->section_count != 1 || a->section.offset || !a->section.size ||
	    !a->section.count ||
	    a->section.count > b->bytes / a->section.size) {
		netdev_err(ad->dev, "the host divides the receive buffer into %u sections of %u bytes, which is not possible; the adapter can't be used\n",
			   a->section.count, a->section.size);
		return -EPROTO;
	}
	s->sections = a->section.count;
	return 0;
}

static int send_buffer(struct synn_adapter *ad)
{
	const struct nvsp_send_buffer_complete *a =
		&ad->nvsp.answer.send_buffer_complete;
	struct synn_session *s = &ad->session;
	struct synn_buffer *b;
	int ret;

	ret = alloc_buffer(ad, &s->send, (u64)synn_send_buffer << 10);
	if (ret)
		return ret;
	b = s->send;
	ret = announce_buffer(ad, b, NVSP_SEND_SEND_BUFFER,
			      NVSP_SEND_BUFFER_ID,
			      NVSP_SEND_SEND_BUFFER_COMPLETE, sizeof(*a));
	if (ret)
		return ret;
	if (a->status != NVSP_STATUS_SUCCESS) {
		netdev_err(ad->dev, "the host refuses the send buffer (status %u); the adapter can't be used\n",
			   a->status);
		return -EIO;
	}
	if (a->section_size < RNDIS_PACKET_HEADER_MAX || a->section_size % 8 ||
	    a->section_size > b->bytes) {
		netdev_err(ad->dev, "the host divides the send buffer into sections of %u bytes, which is not possible; the adapter can't be used\n",
			   a->section_size);
		return -EPROTO;
	}
	s->section_bytes = a->section_size;
	return 0;
}

/**
 * synn_nvsp_buffers() - allocate both buffers and announce them to the host
 * @ad: after synn_nvsp_negotiate()
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error; synn_nvsp_free_buffers() frees what was allocated.
 */
int synn_nvsp_buffers(struct synn_adapter *ad)
{
	int ret = receive_buffer(ad);

	return ret ?: send_buffer(ad);
}

static void revoke(struct synn_adapter *ad, struct synn_buffer *b, u32 type,
		   u16 id)
{
	struct nvsp_message m;

	if (!b || !b->announced)
		return;
	b->announced = false;
	synn_message(&m, type);
	m.revoke.id = id;
	/* hosts need not confirm it; the teardown of the GPADL is confirmed */
	synn_chan_send(ad, &m, ad->session.message_bytes, 0, 0);
}

/**
 * synn_nvsp_revoke() - tell the host to stop using the buffers
 * @ad: adapter whose session is being closed
 *
 * Context: process, adapter->mutex held.
 */
void synn_nvsp_revoke(struct synn_adapter *ad)
{
	revoke(ad, ad->session.receive, NVSP_REVOKE_RECEIVE_BUFFER,
	       NVSP_RECEIVE_BUFFER_ID);
	revoke(ad, ad->session.send, NVSP_REVOKE_SEND_BUFFER,
	       NVSP_SEND_BUFFER_ID);
}

static void free_buffer(struct synn_adapter *ad, struct synn_buffer **buffer)
{
	struct synn_buffer *b = *buffer;
	int ret;

	if (!b)
		return;
	*buffer = NULL;
	ret = vmbus_teardown_gpadl(ad->hv->channel, &b->gpadl);
	if (!ret) {
		release_buffer(&b->quarantine, true);
		return;
	}
	netdev_warn(ad->dev, "the host has not confirmed that it does not use a buffer of %u KiB any more (%d)\n",
		    b->bytes >> 10, ret);
#ifdef SYNTHIO_OWN_NAMES
	/* our bus keeps its pages for as long as the host may use them */
	release_buffer(&b->quarantine, true);
#else
	b->quarantine.until_rescind = true;
	synn_quarantine_add(ad, &b->quarantine, b->bytes >> PAGE_SHIFT);
#endif
}

/**
 * synn_nvsp_free_buffers() - the mirror of synn_nvsp_buffers()
 * @ad: adapter; neither NAPI nor a sender uses the buffers
 *
 * Context: process, adapter->mutex held; sleeps for as long as the bus waits for the
 *	host.
 */
void synn_nvsp_free_buffers(struct synn_adapter *ad)
{
	free_buffer(ad, &ad->session.receive);
	free_buffer(ad, &ad->session.send);
}

/**
 * synn_nvsp_subchannels() - request sub-channels
 * @ad: adapter
 * @count: how many
 * @granted: how many of them the host will offer
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_nvsp_subchannels(struct synn_adapter *ad, unsigned int count,
			  unsigned int *granted)
{
	const struct nvsp_subchannel_complete *a =
		&ad->nvsp.answer.subchannel_complete;
	struct nvsp_message m;
	int ret;

	*granted = 0;
	if (ad->session.version < NVSP_VERSION_5)
		return -EOPNOTSUPP;
	synn_message(&m, NVSP_SUBCHANNEL);
	m.subchannel.op = NVSP_SUBCHANNEL_ALLOCATE;
	m.subchannel.count = count;
	ret = request(ad, &m, ad->session.message_bytes);
	if (ret)
		return ret;
	if (!answered(ad, NVSP_SUBCHANNEL, sizeof(*a)))
		return -EPROTO;
	if (a->status != NVSP_STATUS_SUCCESS)
		return -EIO;
	*granted = min(a->count, count);
	return 0;
}
