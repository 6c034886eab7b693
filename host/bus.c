// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages arrive here as copies, already no longer than 240 bytes. Each
 * handler checks all that it uses before it changes anything.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "bus.h"
#include "channel.h"

/* Neither of the well-known ids: a guest must take it from the response */
#define BUS_MSG_CONN_ID		6u
#define BUS_MODIFY_MS		2	/* long enough that a second one shows */

static const uint32_t bus_versions[] = {
	VMBUS_WIRE_V2_4, VMBUS_WIRE_V3_0, VMBUS_WIRE_V4_0, VMBUS_WIRE_V4_1,
	VMBUS_WIRE_V5_0, VMBUS_WIRE_V5_1, VMBUS_WIRE_V5_2, VMBUS_WIRE_V5_3,
	VMBUS_WIRE_V6_0,
};

uint32_t bus_last_relid(const struct bus *bus)
{
	return bus->guest->last_conn_id - GUEST_FIRST_CONN_ID;
}

bool bus_known_version(uint32_t version)
{
	unsigned int i;

	for (i = 0; i < sizeof(bus_versions) / sizeof(bus_versions[0]); i++) {
		if (bus_versions[i] == version)
			return true;
	}
	return false;
}

void bus_send(struct bus *bus, const void *msg, uint32_t len)
{
	const struct vmbus_wire_header *h = msg;

	log_debug("to guest: message %u, %u bytes", h->msgtype, len);
	guest_post(bus->guest, bus->target_vp, msg, len);
}

/* The channel behind a relid of a message; NULL after a guest error */
static struct channel *bus_channel(struct bus *bus, const char *message,
				   uint32_t relid)
{
	struct channel *ch = relid < VMBUS_WIRE_MAX_RELIDS ?
			     bus->relid[relid] : NULL;

	if (!ch)
		guest_error(bus->guest, "%s for relid %u, which is not offered",
			    message, relid);
	return ch;
}

void bus_offer_channel(struct bus *bus, struct channel *ch)
{
	const struct device *dev = ch->dev;
	struct vmbus_wire_offer offer = {
		.header.msgtype = VMBUS_WIRE_OFFER,
		.chn_flags = dev->kind->chn_flags,
		.mmio_megabytes = dev->mmio_megabytes ?:
				  dev->kind->mmio_megabytes,
		.sub_channel_index = ch->index,
		.child_relid = ch->relid,
		.is_dedicated_interrupt = 1,
		.connection_id = ch->conn_id,
	};

	memcpy(&offer.if_type, &dev->kind->class, sizeof(offer.if_type));
	memcpy(&offer.if_instance, &dev->instance, sizeof(offer.if_instance));
	if (dev->kind->user_defined)
		memcpy(offer.user_def, dev->kind->user_defined,
		       sizeof(offer.user_def));
	log_debug("offer %s/%u: relid %u, connection id %u", dev->id,
		  ch->index, ch->relid, ch->conn_id);
	bus_send(bus, &offer, sizeof(offer));
}

/* The one that the device had before, of which the guest knows that it has gone */
static bool bus_may_replace(const struct bus *bus, const struct channel *ch)
{
	return ch->rescinded && !ch->open && bus->profile->bus.offers_beside;
}

void bus_offer_device(struct bus *bus, struct device *dev)
{
	struct channel *ch = dev->channels[0];

	if (!bus->offers_requested || !dev->offered || dev->declined ||
	    (ch && !bus_may_replace(bus, ch)) || !guest_usable(bus->guest))
		return;
	ch = channel_create(dev, 0);
	if (ch)
		bus_offer_channel(bus, ch);
	else
		log_error("%s: no relid is free for it", dev->id);
}

void bus_rescind_channel(struct bus *bus, struct channel *ch)
{
	struct vmbus_wire_relid msg = {
		.header.msgtype = VMBUS_WIRE_RESCIND,
		.child_relid = ch->relid,
	};

	ch->rescinded = true;
	/* what was asked of a channel that has gone is not answered */
	ch->modify_pending = false;
	loop_clear_timer(&ch->modify_timer);
	/* The subchannel's place is free for a new offer at once */
	if (ch->index && ch->dev->channels[ch->index] == ch)
		ch->dev->channels[ch->index] = NULL;
	bus_send(bus, &msg, sizeof(msg));
}

void bus_rescind_late(struct bus *bus, struct device *dev)
{
	uint32_t relid;

	for (relid = 0; relid < VMBUS_WIRE_MAX_RELIDS; relid++) {
		struct channel *ch = bus->relid[relid];

		if (ch && ch->dev == dev && ch->index && !ch->rescinded &&
		    dev->channels[ch->index] != ch)
			bus_rescind_channel(bus, ch);
	}
}

static void bus_remove_channel(struct bus *bus, struct channel *ch)
{
	struct device *dev = ch->dev;
	bool primary = !ch->index;

	channel_shut(ch);
	gpadl_remove_relid(&bus->gpadls, ch->relid);
	channel_destroy(ch);
	if (primary)
		bus_offer_device(bus, dev);
}

void bus_reset(struct bus *bus, const char *why)
{
	bool had = bus->version;
	struct device *dev;
	uint32_t relid;

	/* first, so that nothing is offered again on the way */
	bus->offers_requested = false;
	for (relid = 0; relid < VMBUS_WIRE_MAX_RELIDS; relid++) {
		if (bus->relid[relid])
			bus_remove_channel(bus, bus->relid[relid]);
	}
	for (dev = bus->devices; dev; dev = dev->next) {
		dev->declined = false;
		device_stop_subchannels(dev);
		if (dev->kind->ops->reset)
			dev->kind->ops->reset(dev);
		/* nobody is left to wait for */
		if (dev->rescinding)
			device_rescind_end(dev);
	}
	gpadl_remove_all(&bus->gpadls);
	guest_unqueue(bus->guest);
	bus->target_vp = 0;
	bus->version = 0;
	bus->msg_conn_id = 0;
	if (had)
		log_info("VMBus connection ended: %s", why);
}

static bool bus_contact_ok(struct bus *bus, uint32_t conn_id,
			   const struct vmbus_wire_initiate_contact *m)
{
	uint64_t interrupt_page;
	bool v5 = m->version >= VMBUS_WIRE_V5_0;

	if (conn_id != (v5 ? VMBUS_WIRE_MESSAGE_CONN_ID_V5 :
			VMBUS_WIRE_MESSAGE_CONN_ID)) {
		guest_error(bus->guest, "initiate-contact for version %u.%u on connection id %u: it is 4 from 5.0 on, else 1",
			    m->version >> 16, m->version & 0xffff, conn_id);
		return false;
	}
	if (m->target_vcpu >= bus->guest->nr_vps) {
		guest_error(bus->guest, "initiate-contact wants messages on VP %u of %u",
			    m->target_vcpu, bus->guest->nr_vps);
		return false;
	}
	memcpy(&interrupt_page, &m->msg_sint, sizeof(interrupt_page));
	if (v5 && (m->msg_sint != VMBUS_WIRE_SINT || m->msg_vtl)) {
		guest_error(bus->guest, "initiate-contact with SINT %u and VTL %u, not 2 and 0",
			    m->msg_sint, m->msg_vtl);
		return false;
	}
	if ((!v5 && interrupt_page &&
	     !ram_ptr(bus->ram, interrupt_page, RAM_PAGE)) ||
	    (m->monitor_page1 &&
	     !ram_ptr(bus->ram, m->monitor_page1, RAM_PAGE)) ||
	    (m->monitor_page2 &&
	     !ram_ptr(bus->ram, m->monitor_page2, RAM_PAGE))) {
		guest_error(bus->guest, "initiate-contact with an interrupt or monitor page outside RAM");
		return false;
	}
	return true;
}

static void bus_initiate_contact(struct bus *bus, uint32_t conn_id,
				 const void *msg)
{
	const struct vmbus_wire_initiate_contact *m = msg;
	struct vmbus_wire_version_response rsp = {
		.header.msgtype = VMBUS_WIRE_VERSION_RESPONSE,
	};

	/* Who begins anew has forgotten the rings, and may use their pages */
	bus->guest->silent = true;
	bus_reset(bus, "the guest initiates contact anew");
	bus->guest->silent = false;
	if (!bus_contact_ok(bus, conn_id, m))
		return;
	bus->target_vp = m->target_vcpu;
	if (m->version <= bus->max_version && bus_known_version(m->version)) {
		bus->version = m->version;
		bus->msg_conn_id = m->version >= VMBUS_WIRE_V5_0 ?
				   BUS_MSG_CONN_ID :
				   VMBUS_WIRE_MESSAGE_CONN_ID;
		rsp.version_supported = 1;
		rsp.msg_conn_id = m->version >= VMBUS_WIRE_V5_0 ?
				  BUS_MSG_CONN_ID : 0;
	}
	log_info("VMBus %u.%u: %s", m->version >> 16, m->version & 0xffff,
		 rsp.version_supported ? "connected" : "refused");
	bus_send(bus, &rsp, sizeof(rsp));
}

/* xorshift64*: any order will do */
static uint64_t bus_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static void bus_request_offers(struct bus *bus, uint32_t conn_id,
			       const void *msg)
{
	struct vmbus_wire_header end = {
		.msgtype = VMBUS_WIRE_OFFERS_DELIVERED,
	};
	struct device *dev, *list[VMBUS_WIRE_MAX_RELIDS];
	unsigned int n = 0, i;
	uint64_t state;

	(void)conn_id;
	(void)msg;
	if (bus->offers_requested) {
		guest_error(bus->guest, "offers requested twice");
		return;
	}
	bus->offers_requested = true;
	if (getrandom(&state, sizeof(state), 0) < 0 || !state)
		state = loop_now() | 1;
	for (dev = bus->devices; dev && n < VMBUS_WIRE_MAX_RELIDS;
	     dev = dev->next)
		list[n++] = dev;
	for (i = n; i > 1; i--) {
		unsigned int j = bus_random(&state) % i;

		dev = list[i - 1];
		list[i - 1] = list[j];
		list[j] = dev;
	}
	for (i = 0; i < n; i++)
		bus_offer_device(bus, list[i]);
	bus_send(bus, &end, sizeof(end));
}

/* What is wrong with the ring of an open request, or NULL */
static const char *bus_check_ring(const struct bus *bus,
				  const struct vmbus_wire_open *m,
				  const struct gpadl *g)
{
	if (!g)
		return "its ring's GPADL does not exist, or is another channel's";
	if (g->in_ring || g->mapped)
		return "its ring's GPADL is in use";
	if (g->range_count != 1 || g->ranges[0].offset ||
	    g->ranges[0].bytes % RAM_PAGE)
		return "its ring's GPADL is not one range of whole pages";
	if (!m->downstream_page || m->downstream_page >= g->pages)
		return "its downstream page is not inside the ring";
	if (m->target_vp >= bus->guest->nr_vps)
		return "its target VP does not exist";
	return NULL;
}

static void bus_open(struct bus *bus, uint32_t conn_id, const void *msg)
{
	const struct vmbus_wire_open *m = msg;
	struct channel *ch = bus_channel(bus, "open", m->child_relid);
	struct vmbus_wire_open_result rsp = {
		.header.msgtype = VMBUS_WIRE_OPEN_RESULT,
		.child_relid = m->child_relid,
		.openid = m->openid,
		.status = VMBUS_WIRE_STATUS_OK,
	};
	const char *why;
	struct gpadl *g;
	int ret;

	(void)conn_id;
	if (!ch)
		return;
	g = gpadl_find(&bus->gpadls, m->child_relid, m->ring_gpadl);
	why = ch->open ? "it is open" : bus_check_ring(bus, m, g);
	if (why) {
		guest_error(bus->guest, "cannot open %s/%u: %s", ch->dev->id,
			    ch->index, why);
		return;
	}
	if (ch->rescinded) {
		/* They crossed; the guest hears of the rescind first */
		log_debug("open of %s/%u after its rescind", ch->dev->id,
			  ch->index);
		rsp.status = VMBUS_WIRE_STATUS_UNSUCCESSFUL;
		bus_send(bus, &rsp, sizeof(rsp));
		return;
	}
	ch->openid = m->openid;
	ret = channel_start(ch, g, m->downstream_page, m->target_vp, &why);
	if (ret == -EPROTO) {
		guest_error(bus->guest, "cannot open %s/%u: %s", ch->dev->id,
			    ch->index, why);
		return;
	}
	if (ret) {
		log_error("cannot open %s/%u: %s", ch->dev->id, ch->index,
			  why);
		rsp.status = VMBUS_WIRE_STATUS_NO_RESOURCES;
	} else {
		log_info("%s %s/%u: open, relid %u, VP %u, rings of %u and %u KiB",
			 ch->dev->kind->name, ch->dev->id, ch->index, ch->relid,
			 ch->target_vp, ch->in.size >> 10, ch->out.size >> 10);
	}
	bus_send(bus, &rsp, sizeof(rsp));
}

static void bus_close(struct bus *bus, uint32_t conn_id, const void *msg)
{
	const struct vmbus_wire_relid *m = msg;
	struct channel *ch = bus_channel(bus, "close", m->child_relid);
	struct channel *sub;
	uint32_t i;

	(void)conn_id;
	if (!ch)
		return;
	if (!ch->open && ch->rescinded) {
		log_debug("close of %s/%u after its rescind", ch->dev->id,
			  ch->index);
		return;
	}
	if (!ch->open) {
		guest_error(bus->guest, "close of %s/%u, which is not open",
			    ch->dev->id, ch->index);
		return;
	}
	for (i = 0; !ch->index && i < VMBUS_WIRE_MAX_RELIDS; i++) {
		sub = bus->relid[i];
		if (sub && sub->dev == ch->dev && sub->index && sub->open) {
			guest_error(bus->guest, "close of %s while its subchannel %u is open",
				    ch->dev->id, sub->index);
			return;
		}
	}
	if (!ch->index)
		device_stop_subchannels(ch->dev);
	channel_shut(ch);
	log_info("%s %s/%u: closed", ch->dev->kind->name, ch->dev->id,
		 ch->index);
	for (i = 1; !ch->index && i <= DEVICE_MAX_SUBCHANNELS; i++) {
		if (!ch->dev->channels[i])
			continue;
		if (ch->dev->rescinds_late)
			ch->dev->channels[i] = NULL;
		else
			bus_rescind_channel(bus, ch->dev->channels[i]);
	}
}

static void bus_gpadl_created(struct bus *bus, const struct gpadl *g)
{
	struct vmbus_wire_gpadl_created rsp = {
		.header.msgtype = VMBUS_WIRE_GPADL_CREATED,
		.child_relid = g->relid,
		.gpadl = g->handle,
		.status = VMBUS_WIRE_STATUS_OK,
	};

	if (!g->complete)
		return;
	log_debug("GPADL 0x%x of relid %u: %u pages", g->handle, g->relid,
		  g->pages);
	bus_send(bus, &rsp, sizeof(rsp));
}

static void bus_gpadl_header(struct bus *bus, uint32_t len, const void *msg)
{
	const struct vmbus_wire_gpadl_header *m = msg;
	const char *why;
	struct gpadl *g;

	if (!bus_channel(bus, "GPADL header", m->child_relid))
		return;
	why = gpadl_header(&bus->gpadls, bus->ram, msg, len, &g);
	if (why)
		guest_error(bus->guest, "GPADL header (handle 0x%x, relid %u): %s",
			    m->gpadl, m->child_relid, why);
	else
		bus_gpadl_created(bus, g);
}

static void bus_gpadl_body(struct bus *bus, uint32_t len, const void *msg)
{
	const struct vmbus_wire_gpadl_body *m = msg;
	const char *why;
	struct gpadl *g;

	why = gpadl_body(&bus->gpadls, bus->ram, msg, len, &g);
	if (why)
		guest_error(bus->guest, "GPADL body (handle 0x%x): %s",
			    m->gpadl, why);
	else
		bus_gpadl_created(bus, g);
}

static void bus_gpadl_teardown(struct bus *bus, uint32_t conn_id,
			       const void *msg)
{
	const struct vmbus_wire_gpadl_teardown *m = msg;
	struct channel *ch = bus_channel(bus, "GPADL teardown",
					 m->child_relid);
	struct vmbus_wire_gpadl_torndown rsp = {
		.header.msgtype = VMBUS_WIRE_GPADL_TORNDOWN,
		.gpadl = m->gpadl,
	};
	struct gpadl *g;

	(void)conn_id;
	if (!ch)
		return;
	g = gpadl_find(&bus->gpadls, m->child_relid, m->gpadl);
	if (!g || g->in_ring || g->mapped) {
		guest_error(bus->guest, "teardown of GPADL 0x%x of %s/%u, %s",
			    m->gpadl, ch->dev->id, ch->index,
			    !g ? "which does not exist" : g->in_ring ?
			    "which is the ring of an open channel" :
			    "which its device still uses");
		return;
	}
	channel_drain(ch);
	gpadl_remove(&bus->gpadls, g);
	bus_send(bus, &rsp, sizeof(rsp));
}

static void bus_relid_released(struct bus *bus, uint32_t conn_id,
			       const void *msg)
{
	const struct vmbus_wire_relid *m = msg;
	struct channel *ch = bus_channel(bus, "relid released",
					 m->child_relid);

	(void)conn_id;
	if (!ch)
		return;
	/* Without a rescind too: so a guest declines an offer */
	if (ch->open) {
		guest_error(bus->guest, "release of %s/%u, which is open",
			    ch->dev->id, ch->index);
		return;
	}
	log_debug("relid %u (%s/%u) released", ch->relid, ch->dev->id,
		  ch->index);
	/* A guest that declines does not want it again at once */
	if (!ch->rescinded && !ch->index)
		ch->dev->declined = true;
	bus_remove_channel(bus, ch);
}

static void bus_unload(struct bus *bus, uint32_t conn_id, const void *msg)
{
	struct vmbus_wire_header rsp = {
		.msgtype = VMBUS_WIRE_UNLOAD_RESPONSE,
	};

	uint32_t target_vp = bus->target_vp;

	(void)conn_id;
	(void)msg;
	bus_reset(bus, "the guest unloads");
	bus->target_vp = target_vp;
	bus_send(bus, &rsp, sizeof(rsp));
}

static void bus_modify(struct bus *bus, uint32_t conn_id, const void *msg)
{
	const struct vmbus_wire_modify *m = msg;
	struct channel *ch = bus_channel(bus, "modify-channel",
					 m->child_relid);

	(void)conn_id;
	if (!ch)
		return;
	if (bus->version < VMBUS_WIRE_V4_1)
		guest_error(bus->guest, "modify-channel before version 4.1");
	else if (ch->rescinded)
		log_debug("modify-channel of %s/%u after its rescind",
			  ch->dev->id, ch->index);
	else if (!ch->open)
		guest_error(bus->guest, "modify-channel of %s/%u, which is not open",
			    ch->dev->id, ch->index);
	else if (m->target_vp >= bus->guest->nr_vps)
		guest_error(bus->guest, "modify-channel of %s/%u to VP %u of %u",
			    ch->dev->id, ch->index, m->target_vp,
			    bus->guest->nr_vps);
	else if (ch->modify_pending)
		guest_error(bus->guest, "a second modify-channel of %s/%u before the answer to the first",
			    ch->dev->id, ch->index);
	else {
		ch->target_vp = m->target_vp;
		if (bus->version < VMBUS_WIRE_V5_3)
			return;
		ch->modify_pending = true;
		loop_set_timer(bus->loop, &ch->modify_timer, bus->modify_ms);
	}
}

static void bus_tl_connect(struct bus *bus, uint32_t conn_id, const void *msg)
{
	const struct vmbus_wire_tl_connect *m = msg;
	struct vmbus_wire_tl_connect_result rsp = {
		.header.msgtype = VMBUS_WIRE_TL_CONNECT_RESULT,
		.guest_endpoint = m->guest_endpoint,
		.host_service = m->host_service,
		.status = VMBUS_WIRE_STATUS_REFUSED,
	};

	(void)conn_id;
	bus_send(bus, &rsp, sizeof(rsp));
}

/*
 * What a guest may post. Lists of any length get that length instead of the
 * connection id, which only initiate-contact has a use for.
 */
static const struct bus_message_kind {
	const char *name;
	uint32_t size;		/* at least */
	bool any_state;		/* also without a connection */
	bool by_length;
	void (*handle)(struct bus *bus, uint32_t id_or_len, const void *msg);
} bus_messages[] = {
	[VMBUS_WIRE_REQUEST_OFFERS] = {
		"request-offers", sizeof(struct vmbus_wire_header), false,
		false, bus_request_offers },
	[VMBUS_WIRE_OPEN] = {
		"open", sizeof(struct vmbus_wire_open), false, false,
		bus_open },
	[VMBUS_WIRE_CLOSE] = {
		"close", sizeof(struct vmbus_wire_relid), false, false,
		bus_close },
	[VMBUS_WIRE_GPADL_HEADER] = {
		"GPADL header", sizeof(struct vmbus_wire_gpadl_header), false,
		true, bus_gpadl_header },
	[VMBUS_WIRE_GPADL_BODY] = {
		"GPADL body", sizeof(struct vmbus_wire_gpadl_body), false,
		true, bus_gpadl_body },
	[VMBUS_WIRE_GPADL_TEARDOWN] = {
		"GPADL teardown", sizeof(struct vmbus_wire_gpadl_teardown),
		false, false, bus_gpadl_teardown },
	[VMBUS_WIRE_RELID_RELEASED] = {
		"relid-released", sizeof(struct vmbus_wire_relid), false,
		false, bus_relid_released },
	[VMBUS_WIRE_INITIATE_CONTACT] = {
		"initiate-contact", sizeof(struct vmbus_wire_initiate_contact),
		true, false, bus_initiate_contact },
	[VMBUS_WIRE_UNLOAD] = {
		"unload", sizeof(struct vmbus_wire_header), true, false,
		bus_unload },
	[VMBUS_WIRE_TL_CONNECT] = {
		"tl-connect", sizeof(struct vmbus_wire_tl_connect), false,
		false, bus_tl_connect },
	[VMBUS_WIRE_MODIFY] = {
		"modify-channel", sizeof(struct vmbus_wire_modify), false,
		false, bus_modify },
};

void bus_message(struct bus *bus, uint32_t connection_id, const void *payload,
		 uint32_t len)
{
	const struct bus_message_kind *k = NULL;
	uint64_t copy[VMBUS_WIRE_MSG_PAYLOAD / 8] = { 0 };
	uint32_t type;

	memcpy(copy, payload, len);
	type = (uint32_t)copy[0];
	if (len >= sizeof(struct vmbus_wire_header) &&
	    type < sizeof(bus_messages) / sizeof(bus_messages[0]))
		k = &bus_messages[type];
	if (!k || !k->handle) {
		guest_error(bus->guest, "posted message of %u bytes, type %u: a guest sends no such message",
			    len, type);
		return;
	}
	log_debug("from guest: %s, %u bytes, connection id %u", k->name, len,
		  connection_id);
	if (len < k->size) {
		guest_error(bus->guest, "%s has %u bytes, it needs %u",
			    k->name, len, k->size);
		return;
	}
	if (!bus->version && type == VMBUS_WIRE_RELID_RELEASED)
		return;	/* the kernel's rmmod says so after its unload */
	if (!bus->version && !k->any_state) {
		guest_error(bus->guest, "%s without a connection", k->name);
		return;
	}
	if (bus->version && type != VMBUS_WIRE_INITIATE_CONTACT &&
	    connection_id != bus->msg_conn_id) {
		guest_error(bus->guest, "%s on connection id %u, the version response said %u",
			    k->name, connection_id, bus->msg_conn_id);
		return;
	}
	k->handle(bus, k->by_length ? len : connection_id, copy);
}

void bus_signal(struct bus *bus, uint32_t connection_id)
{
	uint32_t relid = connection_id - GUEST_FIRST_CONN_ID;
	struct channel *ch = relid < VMBUS_WIRE_MAX_RELIDS ?
			     bus->relid[relid] : NULL;

	/*
	 * A signal may cross a rescind or follow a close: no error. But there
	 * must have been such a channel
	 */
	if (ch)
		channel_signalled(ch);
	else if (relid >= VMBUS_WIRE_MAX_RELIDS ||
		 !(bus->known[relid / 64] >> relid % 64 & 1))
		guest_error(bus->guest, "signal on connection id %u, which was never offered",
			    connection_id);
}

static bool bus_poll(struct loop_poller *p)
{
	struct bus *bus = container_of(p, struct bus, poller);
	struct device *dev;
	bool any = false;
	uint32_t relid;

	if (!bus->version || !guest_usable(bus->guest))
		return false;
	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		if (bus->relid[relid])
			any |= channel_poll(bus->relid[relid]);
	}
	for (dev = bus->devices; dev; dev = dev->next) {
		if (dev->rescinding)
			any |= device_rescind_try(dev);
	}
	return any;
}

static bool bus_prepare_sleep(struct loop_poller *p)
{
	struct bus *bus = container_of(p, struct bus, poller);
	bool work = false;
	uint32_t relid;

	if (!bus->version || !guest_usable(bus->guest))
		return false;
	for (relid = 1; relid <= bus_last_relid(bus); relid++) {
		if (bus->relid[relid])
			work |= channel_unmask(bus->relid[relid]);
	}
	return work;
}

void bus_init(struct bus *bus, struct loop *loop, struct ram *ram,
	      struct guest *guest, struct persist *persist,
	      uint32_t max_version)
{
	memset(bus, 0, sizeof(*bus));
	bus->loop = loop;
	bus->ram = ram;
	bus->guest = guest;
	bus->persist = persist;
	bus->gpadls.persist = persist;
	inflight_init(&bus->inflight, persist);
	bus->max_version = max_version;
	bus->profile = profile_default();
	bus->subchannel_ms = -1;
	bus->modify_ms = BUS_MODIFY_MS;
	bus->next_relid = 1;
	bus->poller.poll = bus_poll;
	bus->poller.prepare_sleep = bus_prepare_sleep;
	loop_add_poller(loop, &bus->poller);
}

void bus_exit(struct bus *bus)
{
	struct device *dev;

	loop_del_poller(bus->loop, &bus->poller);
	while ((dev = bus->devices)) {
		bus->devices = dev->next;
		loop_clear_timer(&dev->retire);
		loop_clear_timer(&dev->rescind);
		device_stop_subchannels(dev);
		if (dev->kind->ops->destroy)
			dev->kind->ops->destroy(dev);
	}
}
