// SPDX-License-Identifier: GPL-2.0-only
/*
 * NVSP on the primary channel: the negotiation, whose order is fixed, and what
 * comes after it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

/* Ranges of a negotiated NDIS version that hosts know */
#define NDIS_MAJOR_OLD	5u

static void reply(struct netvsp *n, struct channel *ch, const struct packet *pkt,
		  const struct nvsp_message *msg, enum netvsp_point point)
{
	struct netvsp_fault *f = NULL;

	if (n->faults.list)
		f = netvsp_fault_take(n, point, 0, 0);
	if (f)
		netvsp_fault_complete(f, ch, pkt->trans_id, msg,
				      n->message_bytes);
	else
		channel_complete(ch, pkt->trans_id, msg, n->message_bytes);
}

/* --- negotiation ------------------------------------------------------------ */

static bool version_known(uint32_t version)
{
	static const uint32_t versions[] = {
		NVSP_VERSION_1, NVSP_VERSION_2, NVSP_VERSION_4, NVSP_VERSION_5,
		NVSP_VERSION_6, NVSP_VERSION_61,
	};
	unsigned int i;

	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (versions[i] == version)
			return true;
	}
	return false;
}

static void init(struct netvsp *n, struct channel *ch, const struct packet *pkt,
		 const struct nvsp_message *msg)
{
	uint32_t low = msg->init.min_version, high = msg->init.max_version;
	struct nvsp_message rsp = { .type = NVSP_INIT_COMPLETE };
	uint32_t status = NVSP_STATUS_SUCCESS;

	if (low > high)
		status = NVSP_STATUS_FAILURE;
	else if (low > n->config.max_version)
		status = NVSP_STATUS_TOO_NEW;
	else if (high < NVSP_VERSION_1)
		status = NVSP_STATUS_TOO_OLD;
	else if (low != high || !version_known(low))
		status = NVSP_STATUS_FAILURE;
	n->message_bytes = NVSP_MESSAGE_SIZE;
	if (low == NVSP_VERSION_61)
		n->message_bytes = NVSP_MESSAGE_SIZE_61;
	rsp.init_complete.version = low;
	rsp.init_complete.max_mdl_chain = 34;
	rsp.init_complete.status = status;
	if (status == NVSP_STATUS_SUCCESS) {
		n->version = low;
		n->mtu = 1500;
		n->capabilities = 0;
		n->state = low == NVSP_VERSION_1 ? NETVSP_CONFIG :
						   NETVSP_VERSION;
		log_debug("%s: NVSP 0x%x", n->dev.id, low);
	}
	reply(n, ch, pkt, &rsp, POINT_INIT);
}

static void ndis_config(struct netvsp *n, struct channel *ch,
			const struct nvsp_message *msg)
{
	const struct profile_netvsp *like = n->like;
	uint32_t frame = msg->ndis_config.mtu;

	if (frame < like->min_frame ||
	    (like->max_frame && frame > like->max_frame))
		frame = NETVSP_FRAME;
	if (frame < NETVSP_MTU_MIN + NETFRAME_ETH ||
	    frame > UINT16_MAX + NETFRAME_ETH) {
		channel_error(ch, "netvsp: frames of %u bytes", frame);
		return;
	}
	n->mtu = frame - NETFRAME_ETH;
	if (n->mtu > n->config.mtu)
		n->mtu = n->config.mtu;
	n->capabilities = msg->ndis_config.capabilities;
	if (n->version < NVSP_VERSION_61)
		n->capabilities &= ~NVSP_CAP_RSC;
	if (n->version < NVSP_VERSION_5)
		n->capabilities &= ~NVSP_CAP_TEAMING;
	n->state = NETVSP_CONFIG;
}

static void ndis_version(struct netvsp *n, struct channel *ch,
			 const struct nvsp_message *msg)
{
	if (msg->ndis_version.major < NDIS_MAJOR_OLD ||
	    msg->ndis_version.major > NVSP_NDIS_MAJOR) {
		channel_error(ch, "netvsp: NDIS %u.%u", msg->ndis_version.major,
			      msg->ndis_version.minor);
		return;
	}
	n->state = NETVSP_NDIS;
}

static unsigned int round_up(unsigned int n, unsigned int to)
{
	return (n + to - 1) / to * to;
}

/* As large as a frame, or, for a guest that takes frames in pieces, larger */
static unsigned int choose_slot(const struct netvsp *n)
{
	const struct profile_netvsp *like = n->like;
	unsigned int bytes = n->config.slot;
	unsigned int frame = n->headroom + n->mtu + NETFRAME_ETH;

	frame += like->slot_tail ? like->slot_tail : NETFRAME_TAG;
	if (!bytes && n->config.rsc && n->capabilities & NVSP_CAP_RSC)
		bytes = NETVSP_SLOT_RSC + like->slot_skew;
	if (bytes < frame)
		bytes = frame;
	if (bytes < NETVSP_SLOT_MIN)
		bytes = NETVSP_SLOT_MIN;
	return like->slot_head || like->slot_tail ? bytes : round_up(bytes, 64);
}

static bool map_buffer(struct netvsp_buffer *b, struct channel *ch,
		       const struct nvsp_message *msg, size_t least)
{
	b->map = channel_map_gpadl(ch, msg->buffer.gpadl, &b->bytes);
	if (!b->map) {
		channel_error(ch,
			      "netvsp: buffer GPADL 0x%x is none of this channel's that is free, one range and begins with a page",
			      msg->buffer.gpadl);
		return false;
	}
	b->gpadl = msg->buffer.gpadl;
	if (b->bytes >= least)
		return true;
	channel_error(ch, "netvsp: a buffer of %zu bytes, less than %zu",
		      b->bytes, least);
	return false;
}

static void unmap_buffer(struct netvsp *n, struct netvsp_buffer *b)
{
	if (b->map && n->channels[0])
		channel_unmap_gpadl(n->channels[0]->ch, b->gpadl, b->map,
				    b->bytes);
	b->map = NULL;
	b->bytes = 0;
}

static void receive_buffer(struct netvsp *n, struct channel *ch,
			   const struct packet *pkt,
			   const struct nvsp_message *msg)
{
	struct nvsp_message rsp = {
		.type = NVSP_SEND_RECEIVE_BUFFER_COMPLETE,
		.receive_buffer_complete.status = NVSP_STATUS_SUCCESS,
		.receive_buffer_complete.section_count = 1,
	};
	struct nvsp_section *section = &rsp.receive_buffer_complete.section;

	if (msg->buffer.id != NVSP_RECEIVE_BUFFER_ID) {
		channel_error(ch, "netvsp: receive buffer with id 0x%x, not 0x%x",
			      msg->buffer.id, NVSP_RECEIVE_BUFFER_ID);
		return;
	}
	n->slot_bytes = choose_slot(n);
	if (!map_buffer(&n->receive, ch, msg,
			n->slot_bytes * (n->like->control_slots +
					 NETVSP_SPARE_SLOTS + 2)))
		return;
	if (slots_init(n)) {
		unmap_buffer(n, &n->receive);
		rsp.receive_buffer_complete.status = NVSP_STATUS_FAILURE;
		rsp.receive_buffer_complete.section_count = 0;
		reply(n, ch, pkt, &rsp, POINT_RECEIVE_BUFFER);
		return;
	}
	section->size = n->slot_bytes;
	section->count = n->slot_count;
	section->end = n->slot_bytes * n->slot_count;
	n->state = NETVSP_RECEIVE;
	reply(n, ch, pkt, &rsp, POINT_RECEIVE_BUFFER);
}

static void send_buffer(struct netvsp *n, struct channel *ch,
			const struct packet *pkt, const struct nvsp_message *msg)
{
	struct nvsp_message rsp = {
		.type = NVSP_SEND_SEND_BUFFER_COMPLETE,
		.send_buffer_complete.status = NVSP_STATUS_SUCCESS,
		.send_buffer_complete.section_size = n->config.section,
	};

	if (!map_buffer(&n->send, ch, msg, n->config.section))
		return;
	n->state = NETVSP_READY;
	log_info("%s: NVSP 0x%x, MTU %u, %u receive slots of %u bytes",
		 n->dev.id, n->version, n->mtu, n->slot_count, n->slot_bytes);
	reply(n, ch, pkt, &rsp, POINT_SEND_BUFFER);
}

/* --- afterwards ------------------------------------------------------------- */

/* The guest may tear down a buffer's GPADL now: nothing is written there */
static void revoke_buffer(struct netvsp *n, struct channel *ch,
			  struct netvsp_buffer *b, const char *name)
{
	if (!b->map) {
		channel_error(ch, "netvsp: revokes a %s buffer that there is not",
			      name);
		return;
	}
	if (b == &n->receive) {
		rx_stop(n);
		slots_exit(n);
	}
	unmap_buffer(n, b);
	if (!n->like->deaf_when_revoked)
		return;
	n->deaf = true;
	rx_stop(n);
	slots_exit(n);
	unmap_buffer(n, &n->receive);
	unmap_buffer(n, &n->send);
}

static void offer_channels(struct netvsp *n, struct channel *ch,
			   const struct packet *pkt,
			   const struct nvsp_message *msg)
{
	struct nvsp_message rsp = { .type = NVSP_SUBCHANNEL };
	unsigned int count = msg->subchannel.count;

	if (msg->subchannel.op != NVSP_SUBCHANNEL_ALLOCATE) {
		channel_error(ch, "netvsp: subchannel operation %u",
			      msg->subchannel.op);
		return;
	}
	if (count > n->dev.max_subchannels)
		count = n->like->subchannels_all ? 0 : n->dev.max_subchannels;
	rsp.subchannel_complete.status = NVSP_STATUS_FAILURE;
	if (count && !n->offered &&
	    (n->subchannel_ms || !device_offer_subchannels(&n->dev, count))) {
		rsp.subchannel_complete.status = NVSP_STATUS_SUCCESS;
		rsp.subchannel_complete.count = count;
		n->offered = count;
		n->table_due = true;
	}
	reply(n, ch, pkt, &rsp, POINT_SUBCHANNEL);
	if (rsp.subchannel_complete.count && n->subchannel_ms) {
		n->held_back = true;
		nvsp_set_late(n, n->subchannel_ms);
	}
}

void nvsp_set_late(struct netvsp *n, unsigned int ms)
{
	n->subchannel_ms = ms;
	if (n->held_back)
		loop_set_timer(bus_loop(n->dev.bus), &n->late, ms);
}

void nvsp_late(struct loop_timer *timer)
{
	struct netvsp *n = container_of(timer, struct netvsp, late);

	n->held_back = false;
	if (device_offer_subchannels(&n->dev, n->offered))
		log_warn("%s: its sub-channels can't be offered", n->dev.id);
}

void nvsp_send_table(struct netvsp *n)
{
	struct {
		uint32_t type;
		struct nvsp_indirection_table table;
		uint32_t entry[NVSP_TABLE_ENTRIES];
		uint8_t more[NVSP_TABLE_OLD_OFFSET - 12];
	} __attribute__((packed)) msg = {
		.type = NVSP_SEND_INDIRECTION_TABLE,
		.table.count = NVSP_TABLE_ENTRIES,
		.table.offset = 4 + sizeof(msg.table),
	};
	struct netvsp_fault *f = NULL;
	size_t len = sizeof(msg) - sizeof(msg.more);
	unsigned int i;

	for (i = 0; i < NVSP_TABLE_ENTRIES; i++)
		msg.entry[i] = i % (1 + n->offered);
	if (n->like->table_old && n->version <= NVSP_VERSION_6) {
		memmove((uint8_t *)&msg + NVSP_TABLE_OLD_OFFSET, msg.entry,
			sizeof(msg.entry));
		memset(msg.entry, 0, sizeof(msg.more));
		len = sizeof(msg);
	}
	if (n->faults.list)
		f = netvsp_fault_take(n, POINT_TABLE, 0, 0);
	if (f) {
		n->table_due = false;
		netvsp_fault_message(f, n->channels[0]->ch, &msg, len);
		return;
	}
	n->table_due = channel_send(n->channels[0]->ch, 0, &msg, len, false) ==
		       -ENOBUFS;
}

void nvsp_channel_opened(struct netvsp *n)
{
	unsigned int i;

	if (!n->table_due || !n->channels[0])
		return;
	for (i = 1; i <= n->offered; i++) {
		if (!n->channels[i])
			return;
	}
	nvsp_send_table(n);
}

void nvsp_switch_path(struct netvsp *n)
{
	struct nvsp_message msg = {
		.type = NVSP_SWITCH_DATA_PATH,
		.data_path.active = NVSP_PATH_SYNTHETIC,
	};

	if (n->version >= NVSP_VERSION_4)
		channel_send(n->channels[0]->ch, NETVSP_SWITCH_ID, &msg,
			     n->message_bytes, true);
}

static void data_path(struct channel *ch, const struct packet *pkt,
		      const struct nvsp_message *msg)
{
	if (msg->data_path.active != NVSP_PATH_SYNTHETIC)
		channel_error(ch, "netvsp: switches to a function that there is not");
	else if (pkt->wants_completion)
		channel_complete(ch, pkt->trans_id, NULL, 0);
}

/* --- all of it -------------------------------------------------------------- */

/**
 * struct step - a message and when it may come
 * @state: only in this; NETVSP_CLOSED: in this and all later ones than @after
 * @version: not before it
 * @completed: it must ask for a completion; or it must not
 * @bytes: of its fields: what is behind them is zero
 */
static const struct step {
	uint32_t type;
	enum netvsp_state state, after;
	uint32_t version;
	bool completed;
	uint32_t bytes;
} steps[] = {
	{ NVSP_INIT, NETVSP_OPENED, 0, 0, true, sizeof(struct nvsp_init) },
	{ NVSP_SEND_NDIS_CONFIG, NETVSP_VERSION, 0, NVSP_VERSION_2, false,
	  sizeof(struct nvsp_ndis_config) },
	{ NVSP_SEND_NDIS_VERSION, NETVSP_CONFIG, 0, 0, false,
	  sizeof(struct nvsp_ndis_version) },
	{ NVSP_SEND_RECEIVE_BUFFER, NETVSP_NDIS, 0, 0, true,
	  sizeof(struct nvsp_buffer) },
	{ NVSP_SEND_SEND_BUFFER, NETVSP_RECEIVE, 0, 0, true,
	  sizeof(struct nvsp_buffer) },
	{ NVSP_REVOKE_RECEIVE_BUFFER, 0, NETVSP_RECEIVE, 0, false,
	  sizeof(struct nvsp_revoke) },
	{ NVSP_REVOKE_SEND_BUFFER, 0, NETVSP_READY, 0, false,
	  sizeof(struct nvsp_revoke) },
	{ NVSP_SUBCHANNEL, 0, NETVSP_READY, NVSP_VERSION_5, true,
	  sizeof(struct nvsp_subchannel) },
	{ NVSP_SWITCH_DATA_PATH, 0, NETVSP_READY, NVSP_VERSION_4, true,
	  sizeof(struct nvsp_data_path) },
};

bool nvsp_is_padded(const struct nvsp_message *msg, size_t bytes)
{
	for (; bytes < sizeof(msg->raw); bytes++) {
		if (msg->raw[bytes])
			return false;
	}
	return true;
}

static const struct step *find_step(uint32_t type)
{
	unsigned int i;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (steps[i].type == type)
			return &steps[i];
	}
	return NULL;
}

static bool step_ok(struct netvsp *n, struct channel *ch,
		    const struct packet *pkt, const struct nvsp_message *msg)
{
	const struct step *step = find_step(msg->type);

	if (!step)
		channel_error(ch, "netvsp: unknown message %u", msg->type);
	else if (pkt->type != PACKET_INBAND)
		channel_error(ch, "netvsp: message %u with data", msg->type);
	else if (step->state ? n->state != step->state : n->state < step->after)
		channel_error(ch, "netvsp: message %u comes out of order",
			      msg->type);
	else if (n->version < step->version)
		channel_error(ch, "netvsp: message %u in version 0x%x",
			      msg->type, n->version);
	else if (!nvsp_is_padded(msg, step->bytes))
		channel_error(ch,
			      "netvsp: message %u has something behind its fields",
			      msg->type);
	else if (step->completed && !pkt->wants_completion)
		channel_error(ch, "netvsp: message %u wants no completion",
			      msg->type);
	else
		return true;
	return false;
}

void nvsp_packet(struct netvsp *n, struct channel *ch, const struct packet *pkt,
		 const struct nvsp_message *msg)
{
	if (!step_ok(n, ch, pkt, msg))
		return;
	switch (msg->type) {
	case NVSP_INIT:
		init(n, ch, pkt, msg);
		break;
	case NVSP_SEND_NDIS_CONFIG:
		ndis_config(n, ch, msg);
		break;
	case NVSP_SEND_NDIS_VERSION:
		ndis_version(n, ch, msg);
		break;
	case NVSP_SEND_RECEIVE_BUFFER:
		receive_buffer(n, ch, pkt, msg);
		break;
	case NVSP_SEND_SEND_BUFFER:
		send_buffer(n, ch, pkt, msg);
		break;
	case NVSP_REVOKE_RECEIVE_BUFFER:
		revoke_buffer(n, ch, &n->receive, "receive");
		break;
	case NVSP_REVOKE_SEND_BUFFER:
		revoke_buffer(n, ch, &n->send, "send");
		break;
	case NVSP_SUBCHANNEL:
		offer_channels(n, ch, pkt, msg);
		break;
	case NVSP_SWITCH_DATA_PATH:
		data_path(ch, pkt, msg);
		break;
	}
}

void nvsp_release(struct netvsp *n)
{
	struct netvsp_answer *a;

	loop_clear_timer(&n->late);
	n->held_back = false;
	rx_stop(n);
	slots_exit(n);
	while ((a = n->answers)) {
		n->answers = a->next;
		free(a);
	}
	n->answers_end = &n->answers;
	n->answer_count = 0;
	n->answers_head = n->answers_tail;
	unmap_buffer(n, &n->receive);
	unmap_buffer(n, &n->send);
	n->state = NETVSP_CLOSED;
	n->rndis = NETVSP_RNDIS_NONE;
	n->version = 0;
	n->capabilities = 0;
	n->offered = 0;
	n->table_due = false;
	n->deaf = false;
	oid_reset(n);
}
