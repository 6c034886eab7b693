// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVSP: versions, the two buffers and sub-channels.
 *
 * Messages that ask for a completion are sent one at a time, under
 * synn_card.mutex; the completion is found by its transaction id.
 */
#include <linux/kmemleak.h>
#include <linux/vmalloc.h>

#include "synth_net.h"
#include "trace.h"

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

static int send(struct synn_card *c, struct nvsp_message *m, u32 bytes, u64 id,
		u32 flags)
{
	int tries, ret;

	/* early in a session the ring is all but empty; later packets fill it */
	for (tries = 0; tries < 100; tries++) {
		ret = vmbus_sendpacket(c->hv->channel, m, bytes, id,
				       VM_PKT_DATA_INBAND, flags);
		if (ret != -EAGAIN)
			break;
		usleep_range(1000, 2000);
	}
	return ret;
}

/* Send, and wait for the completion: c->single.answer */
static int ask(struct synn_card *c, struct nvsp_message *m, u32 bytes)
{
	struct synn_single *s = &c->single;
	u64 id;
	int ret;

	lockdep_assert_held(&c->mutex);
	spin_lock_irq(&c->wait_lock);
	reinit_completion(&s->done);
	memset(&s->answer, 0, sizeof(s->answer));
	s->answer_len = 0;
	id = synn_id(SYNN_ID_NVSP, ++s->gen, 0);
	s->id = id;
	spin_unlock_irq(&c->wait_lock);

	ret = send(c, m, bytes, id, VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
	if (!ret && !synn_wait(c, &s->done))
		ret = READ_ONCE(c->hv->channel->rescind) ? -ENODEV : -ETIMEDOUT;

	spin_lock_irq(&c->wait_lock);
	s->id = 0;
	spin_unlock_irq(&c->wait_lock);
	return ret;
}

/* Whether the answer is of @type and has @bytes at least behind that */
static bool answered(const struct synn_card *c, u32 type, size_t bytes)
{
	return c->single.answer.type == type &&
	       c->single.answer_len >= sizeof(u32) + bytes;
}

/**
 * synn_nvsp_completed() - the completion of what ask() has sent
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
	struct synn_card *c = ch->card;
	struct synn_single *s = &c->single;
	unsigned long flags;
	bool found;

	spin_lock_irqsave(&c->wait_lock, flags);
	found = s->id == id;
	if (found) {
		s->id = 0;
		s->answer_len = len;
		memcpy(&s->answer, payload,
		       min_t(u32, len, sizeof(s->answer)));
		complete(&s->done);
	}
	spin_unlock_irqrestore(&c->wait_lock, flags);
	if (!found)
		synn_bad(ch, "a completion that nothing waits for", id);
}

/* The host says where packets should go, by the hash of their flow */
static void indirection_table(struct synn_chan *ch, const void *payload, u32 len)
{
	u32 table[NVSP_TABLE_ENTRIES], i;
	struct synn_card *c = ch->card;

	if (nvsp_parse_table(payload, len, c->link.version, table)) {
		synn_bad(ch, "a bad indirection table", 0);
		return;
	}
	/* used modulo the number of queues that there are */
	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		WRITE_ONCE(c->send_table[i], table[i] % SYNN_MAX_QUEUES);
}

/**
 * synn_nvsp_message() - what the host says on its own
 * @ch: where
 * @payload: of the packet, a copy
 * @len: bytes of it
 *
 * Context: NAPI of @ch.
 */
void synn_nvsp_message(struct synn_chan *ch, const void *payload, u32 len)
{
	const struct nvsp_message *m = payload;

	if (len < sizeof(m->type)) {
		synn_bad(ch, "a short message", 0);
		return;
	}
	switch (m->type) {
	case NVSP_SEND_INDIRECTION_TABLE:
		indirection_table(ch, payload, len);
		break;
	case NVSP_SEND_VF_ASSOCIATION:
	case NVSP_SWITCH_DATA_PATH:
		/*
		 * A second way for packets: not offered to the host, not used.
		 * Hosts may ask for completions of these, and wait for none.
		 */
		break;
	default:
		synn_bad(ch, "an unknown message", 0);
	}
}

/**
 * synn_nvsp_negotiate() - agree on a version, tell the configuration
 * @c: with its primary open
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0, -EPROTO if no version suits, or an error.
 */
int synn_nvsp_negotiate(struct synn_card *c)
{
	struct synn_link *l = &c->link;
	struct nvsp_message m;
	unsigned int i;
	u32 version = 0, bytes;
	int ret;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		version = versions[i];
		synn_message(&m, NVSP_INIT);
		m.init.min_version = version;
		m.init.max_version = version;
		ret = ask(c, &m, message_bytes(version));
		if (ret)
			return ret;
		if (!answered(c, NVSP_INIT_COMPLETE,
			      sizeof(struct nvsp_init_complete)))
			return -EPROTO;
		if (c->single.answer.init_complete.status ==
		    NVSP_STATUS_SUCCESS)
			break;
	}
	if (i == ARRAY_SIZE(versions)) {
		netdev_err(c->dev, "the host speaks none of our versions of NVSP\n");
		return -EPROTO;
	}
	l->version = version;
	bytes = message_bytes(version);
	l->message_bytes = bytes;
	l->max_ranges = SYNN_MAX_RANGES;
	if (c->single.answer.init_complete.max_mdl_chain >= 2)
		l->max_ranges = min_t(u32, SYNN_MAX_RANGES,
				      c->single.answer.init_complete.max_mdl_chain);

	/* hosts have their own idea of an MTU that is less than any Ethernet's */
	l->mtu = max_t(u32, c->dev->mtu, ETH_DATA_LEN);
	synn_message(&m, NVSP_SEND_NDIS_CONFIG);
	m.ndis_config.mtu = l->mtu + ETH_HLEN;
	m.ndis_config.capabilities = NVSP_CAP_8021Q;
	/* without that hosts don't tell of another speed */
	if (version >= NVSP_VERSION_5)
		m.ndis_config.capabilities |= NVSP_CAP_TEAMING;
	if (version >= NVSP_VERSION_61)
		m.ndis_config.capabilities |= NVSP_CAP_RSC;
	ret = send(c, &m, bytes, 0, 0);
	if (ret)
		return ret;

	synn_message(&m, NVSP_SEND_NDIS_VERSION);
	m.ndis_version.major = NVSP_NDIS_MAJOR;
	m.ndis_version.minor = version >= NVSP_VERSION_5 ? NVSP_NDIS_MINOR_30 :
							  NVSP_NDIS_MINOR_1;
	return send(c, &m, bytes, 0, 0);
}

/* ---- buffers ------------------------------------------------------------------ */

static int make_buffer(struct synn_card *c, struct synn_buffer *b, u64 bytes)
{
	int ret;

	b->bytes = PAGE_ALIGN(bytes);
	b->data = vzalloc(b->bytes);
	if (!b->data)
		return -ENOMEM;
	ret = vmbus_establish_gpadl(c->hv->channel, b->data, b->bytes,
				    &b->gpadl);
	if (ret) {
		netdev_err(c->dev, "the host does not take a buffer of %u KiB: %d\n",
			   b->bytes >> 10, ret);
		/*
		 * Our bus has seen to what the host may still write; on the
		 * kernel's there is no telling after silence.
		 */
		compat_free_buffer(b->data, ret != -ETIMEDOUT);
		b->data = NULL;
	}
	return ret;
}

static int tell_buffer(struct synn_card *c, struct synn_buffer *b, u32 type,
		       u16 id, u32 answer_type, size_t answer_bytes)
{
	struct nvsp_message m;
	int ret;

	synn_message(&m, type);
	m.buffer.gpadl = b->gpadl.gpadl_handle;
	m.buffer.id = id;
	b->told = true;
	ret = ask(c, &m, c->link.message_bytes);
	if (ret)
		return ret;
	return answered(c, answer_type, answer_bytes) ? 0 : -EPROTO;
}

static int receive_buffer(struct synn_card *c)
{
	const struct nvsp_receive_buffer_complete *a =
		&c->single.answer.receive_buffer_complete;
	struct synn_link *l = &c->link;
	struct synn_buffer *b = &l->receive;
	int ret;

	ret = make_buffer(c, b, (u64)c->want_sections * SYNN_SECTION_BYTES);
	if (!ret)
		ret = tell_buffer(c, b, NVSP_SEND_RECEIVE_BUFFER,
				  NVSP_RECEIVE_BUFFER_ID,
				  NVSP_SEND_RECEIVE_BUFFER_COMPLETE, sizeof(*a));
	if (ret)
		return ret;
	if (a->status != NVSP_STATUS_SUCCESS) {
		netdev_err(c->dev, "the host refuses the receive buffer (status %u)\n",
			   a->status);
		return -EIO;
	}
	if (a->section_count != 1 || a->section.offset || !a->section.size ||
	    !a->section.count ||
	    a->section.count > b->bytes / a->section.size) {
		netdev_err(c->dev, "the host divides the receive buffer oddly: %u of %u bytes\n",
			   a->section.count, a->section.size);
		return -EPROTO;
	}
	l->sections = a->section.count;
	return 0;
}

static int send_buffer(struct synn_card *c)
{
	const struct nvsp_send_buffer_complete *a =
		&c->single.answer.send_buffer_complete;
	struct synn_link *l = &c->link;
	struct synn_buffer *b = &l->send;
	int ret;

	ret = make_buffer(c, b, (u64)synn_send_buffer << 10);
	if (!ret)
		ret = tell_buffer(c, b, NVSP_SEND_SEND_BUFFER,
				  NVSP_SEND_BUFFER_ID,
				  NVSP_SEND_SEND_BUFFER_COMPLETE, sizeof(*a));
	if (ret)
		return ret;
	if (a->status != NVSP_STATUS_SUCCESS) {
		netdev_err(c->dev, "the host refuses the send buffer (status %u)\n",
			   a->status);
		return -EIO;
	}
	if (a->section_size < RNDIS_PACKET_HEADER_MAX || a->section_size % 8 ||
	    a->section_size > b->bytes) {
		netdev_err(c->dev, "the host divides the send buffer oddly: %u bytes\n",
			   a->section_size);
		return -EPROTO;
	}
	l->section_bytes = a->section_size;
	return 0;
}

/**
 * synn_nvsp_buffers() - make both buffers, and show them to the host
 * @c: after synn_nvsp_negotiate()
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error; what was made is taken back by synn_nvsp_free_buffers().
 */
int synn_nvsp_buffers(struct synn_card *c)
{
	int ret = receive_buffer(c);

	return ret ?: send_buffer(c);
}

static void revoke(struct synn_card *c, struct synn_buffer *b, u32 type, u16 id)
{
	struct nvsp_message m;

	synn_message(&m, type);
	m.revoke.id = id;
	/* hosts need not confirm it, and the close that follows says the same */
	if (b->told)
		send(c, &m, c->link.message_bytes, 0, 0);
	b->told = false;
}

/**
 * synn_nvsp_revoke() - the session ends: the host should let go of the buffers
 * @c: card
 *
 * Context: process, card->mutex held.
 */
void synn_nvsp_revoke(struct synn_card *c)
{
	revoke(c, &c->link.receive, NVSP_REVOKE_RECEIVE_BUFFER,
	       NVSP_RECEIVE_BUFFER_ID);
	revoke(c, &c->link.send, NVSP_REVOKE_SEND_BUFFER, NVSP_SEND_BUFFER_ID);
}

static int free_buffer(struct synn_card *c, struct synn_buffer *b, bool safe)
{
	int ret = 0;

	if (!b->data)
		return 0;
	if (b->gpadl.gpadl_handle)
		ret = vmbus_teardown_gpadl(c->hv->channel, &b->gpadl);
	if (ret || !safe) {
		c->quarantined += b->bytes >> PAGE_SHIFT;
		netdev_err(c->dev, "a buffer of %u KiB is kept for ever, since the host may still write to it\n",
			   b->bytes >> 10);
		kmemleak_not_leak(b->data);
	} else {
		vfree(b->data);
	}
	*b = (struct synn_buffer){ };
	return ret;
}

/**
 * synn_nvsp_free_buffers() - the mirror of synn_nvsp_buffers()
 * @c: card; nobody looks at the buffers
 * @safe: the host has confirmed that its channels are closed
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0, or an error if the host keeps one of them.
 */
int synn_nvsp_free_buffers(struct synn_card *c, bool safe)
{
	int ret = free_buffer(c, &c->link.receive, safe);

	return free_buffer(c, &c->link.send, safe) ?: ret;
}

/**
 * synn_nvsp_subchannels() - ask for sub-channels
 * @c: card
 * @count: how many
 * @granted: how many of them the host will offer
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error.
 */
int synn_nvsp_subchannels(struct synn_card *c, unsigned int count,
			  unsigned int *granted)
{
	const struct nvsp_subchannel_complete *a =
		&c->single.answer.subchannel_complete;
	struct nvsp_message m;
	int ret;

	*granted = 0;
	if (c->link.version < NVSP_VERSION_5)
		return -EOPNOTSUPP;
	synn_message(&m, NVSP_SUBCHANNEL);
	m.subchannel.op = NVSP_SUBCHANNEL_ALLOCATE;
	m.subchannel.count = count;
	ret = ask(c, &m, c->link.message_bytes);
	if (ret)
		return ret;
	if (!answered(c, NVSP_SUBCHANNEL, sizeof(*a)))
		return -EPROTO;
	if (a->status != NVSP_STATUS_SUCCESS)
		return -EIO;
	*granted = min(a->count, count);
	return 0;
}
