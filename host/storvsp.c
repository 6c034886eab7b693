// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic SCSI controller: storvsp packets on one side, a SCSI command
 * set (scsi.h) and files (blockio.h) on the other. An IDE controller is the
 * same with one disk.
 *
 * A packet that no driver in its right mind would send disconnects the guest
 * (channel_error()). A command that is merely wrong, which any program in the
 * guest can send through SG_IO, is answered: it must not cost the guest its
 * other disks.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp.h"

/*
 * How long nobody must have asked anything before a retired controller goes. A
 * guest on a busy machine was seen to pause for more than a second between its
 * last scan and the flush of the disk that it removes.
 */
#define RETIRE_QUIET_NS	3000000000ull

/* --- what the host says on its own ---------------------------------------- */

void storvsp_announce(struct storvsp *s)
{
	struct storvsp_packet pkt = { .operation = STORVSP_ENUMERATE_BUS };
	int ret;

	s->announce = false;
	/* before that the guest has not looked yet, and will */
	if (s->state != STATE_READY)
		return;
	ret = channel_send(s->primary, 0, &pkt,
			   s->version < STORVSP_VERSION_5_1 ?
			   STORVSP_PACKET_OLD : sizeof(pkt), false);
	if (ret == -ENOBUFS)
		s->announce = true;
}

/*
 * Before the controller goes its units do: the guest is told to look, and finds
 * none. A guest whose controller goes first is left with commands that nobody
 * answers, and hv_storvsc waits for those for ever.
 */
static bool storvsp_retire(struct device *dev)
{
	struct storvsp *s = to_storvsp(dev);

	if (s->state != STATE_READY)
		return false;
	if (!dev->retiring) {
		s->last_packet = loop_now();
		storvsp_announce(s);
	}
	return s->in_flight || loop_now() - s->last_packet < RETIRE_QUIET_NS;
}

static void storvsp_writable(struct device *dev, struct channel *ch)
{
	struct storvsp *s = to_storvsp(dev);

	if (s->announce && ch == s->primary)
		storvsp_announce(s);
}

/* --- resets ----------------------------------------------------------------- */

void storvsp_reset_finish(struct storvsp *s)
{
	struct storvsp_reset *reset = &s->reset;
	unsigned int i;

	if (!reset->pending || s->in_flight)
		return;
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		if (!s->luns[i])
			continue;
		if (reset->reply.pkt.operation != STORVSP_RESET_LUN)
			scsi_reset(&s->luns[i]->disk, ATTENTION_BUS_RESET);
		else if (i == reset->reply.pkt.srb.lun)
			scsi_reset(&s->luns[i]->disk, ATTENTION_DEVICE_RESET);
	}
	reset->pending = false;
	storvsp_complete(&reset->reply, STORVSP_STATUS_SUCCESS);
	storvsp_update_pauses(s);
}

/* --- the other operations --------------------------------------------------- */

static uint32_t query_version(struct storvsp *s, struct storvsp_packet *vp)
{
	static const uint16_t versions[] = {
		STORVSP_VERSION_6_2, STORVSP_VERSION_6_0, STORVSP_VERSION_5_1,
		STORVSP_VERSION_4_2, STORVSP_VERSION_2_0,
	};
	unsigned int most = bus_profile(s->dev.bus)->storvsp.max_version, i;

	if (!most || most > s->report.max_version)
		most = s->report.max_version;
	for (i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (vp->version.major_minor == versions[i] &&
		    versions[i] <= most) {
			s->version = versions[i];
			s->state = STATE_VERSION;
			log_debug("%s: storvsp %u.%u", s->dev.id,
				  s->version >> 8, s->version & 0xff);
			return STORVSP_STATUS_SUCCESS;
		}
	}
	return STORVSP_STATUS_REVISION_MISMATCH;
}

static uint32_t query_properties(struct storvsp *s, struct storvsp_packet *vp)
{
	uint32_t most = bus_profile(s->dev.bus)->storvsp.max_transfer;
	struct storvsp_properties *p = &vp->properties;

	memset(p, 0, sizeof(*p));
	if (s->report.channels && s->version >= STORVSP_VERSION_5_1) {
		p->max_channel_count = s->report.channels;
		p->flags = STORVSP_MULTI_CHANNEL;
	}
	p->max_transfer_bytes = s->report.max_transfer;
	/* unless an option says how much */
	if (most && s->report.max_transfer == STORVSP_TRANSFER)
		p->max_transfer_bytes = most;
	s->state = STATE_PROPERTIES;
	return STORVSP_STATUS_SUCCESS;
}

static uint32_t create_subchannels(struct storvsp *s,
				   const struct storvsp_packet *vp)
{
	unsigned int count = vp->sub_channel_count;
	int ret;

	if (!count || count > s->report.channels ||
	    s->version < STORVSP_VERSION_5_1)
		return STORVSP_STATUS_INVALID_PARAMETER;
	if (count > s->report.offered)
		count = s->report.offered;
	if (count > s->dev.max_subchannels)
		count = s->dev.max_subchannels;
	ret = device_offer_subchannels(&s->dev, count);
	if (ret) {
		log_warn("%s: cannot offer %u subchannels: %s", s->dev.id,
			 count, strerror(-ret));
		return STORVSP_STATUS_UNSUCCESSFUL;
	}
	return STORVSP_STATUS_SUCCESS;
}

static void begin_reset(struct storvsp *s, struct storvsp_reply *reply)
{
	const struct storvsp_packet *vp = &reply->pkt;
	const struct storvsp_srb *srb = &vp->srb;
	struct storvsp_reset *reset = &s->reset;

	if (vp->operation == STORVSP_RESET_LUN &&
	    (srb->path_id || srb->target_id || srb->lun >= SCSI_MAX_LUNS ||
	     !s->luns[srb->lun])) {
		storvsp_complete(reply, STORVSP_STATUS_INVALID_PARAMETER);
		return;
	}
	log_info("%s: reset by the guest (operation %u), %u in flight",
		 s->dev.id, vp->operation, s->in_flight);
	reset->pending = true;
	reset->reply = *reply;
	/* What a fault has held back is not done after the reset */
	fault_end_late(s, NULL, STORVSP_SRB_BUS_RESET);
	/* No new I/O, so that the wait has an end */
	storvsp_update_pauses(s);
	storvsp_reset_finish(s);
}

/* An operation of the initialisation; its status */
static uint32_t initialise(struct storvsp *s, struct storvsp_packet *vp)
{
	switch (vp->operation) {
	case STORVSP_BEGIN_INITIALIZATION:
		if (s->state != STATE_OPENED)
			break;
		s->state = STATE_BEGUN;
		return STORVSP_STATUS_SUCCESS;
	case STORVSP_QUERY_PROTOCOL_VERSION:
		if (s->state != STATE_BEGUN)
			break;
		return query_version(s, vp);
	case STORVSP_QUERY_PROPERTIES:
		if (s->state != STATE_VERSION)
			break;
		return query_properties(s, vp);
	case STORVSP_CREATE_SUB_CHANNELS:
		if (s->state < STATE_PROPERTIES)
			break;
		return create_subchannels(s, vp);
	case STORVSP_END_INITIALIZATION:
		if (s->state != STATE_PROPERTIES)
			break;
		s->state = STATE_READY;
		return STORVSP_STATUS_SUCCESS;
	default:
		break;
	}
	log_warn("%s: operation %u comes out of order", s->dev.id,
		 vp->operation);
	return STORVSP_STATUS_INVALID_DEVICE_STATE;
}

/* What is the same for all packets; false after channel_error() */
static bool packet_ok(struct channel *ch, const struct packet *pkt,
		      const struct storvsp_packet *vp)
{
	if (!(vp->flags & STORVSP_REQUEST_COMPLETION))
		channel_error(ch,
			      "storvsp: operation %u without the completion flag",
			      vp->operation);
	else if (pkt->type == PACKET_GPA_DIRECT &&
		 vp->operation != STORVSP_EXECUTE_SRB)
		channel_error(ch, "storvsp: operation %u with data",
			      vp->operation);
	else if (channel_index(ch) && vp->operation != STORVSP_EXECUTE_SRB)
		channel_error(ch, "storvsp: operation %u on a subchannel",
			      vp->operation);
	else
		return true;
	return false;
}

/* All but EXECUTE_SRB */
static void other_operation(struct storvsp *s, struct storvsp_reply *reply)
{
	struct channel *ch = reply->sc->ch;

	switch (reply->pkt.operation) {
	case STORVSP_RESET_LUN:
	case STORVSP_RESET_ADAPTER:
	case STORVSP_RESET_BUS:
		if (s->state == STATE_READY)
			begin_reset(s, reply);
		else
			storvsp_complete(reply,
					 STORVSP_STATUS_INVALID_DEVICE_STATE);
		break;
	case STORVSP_BEGIN_INITIALIZATION:
	case STORVSP_QUERY_PROTOCOL_VERSION:
	case STORVSP_QUERY_PROPERTIES:
	case STORVSP_CREATE_SUB_CHANNELS:
	case STORVSP_END_INITIALIZATION:
		storvsp_complete(reply, initialise(s, &reply->pkt));
		break;
	case STORVSP_REMOVE_DEVICE:
	case STORVSP_ENUMERATE_BUS:
	case STORVSP_FCHBA_DATA:
		/* known, and not for a SCSI controller from its guest */
		storvsp_complete(reply, STORVSP_STATUS_INVALID_DEVICE_REQUEST);
		break;
	default:
		channel_error(ch, "storvsp: unknown operation %u",
			      reply->pkt.operation);
		break;
	}
}

static void storvsp_packet(struct device *dev, struct channel *ch,
			   const struct packet *pkt)
{
	struct storvsp *s = to_storvsp(dev);
	struct storvsp_packet vp = { 0 };
	struct storvsp_reply reply;

	if (pkt->type != PACKET_INBAND && pkt->type != PACKET_GPA_DIRECT) {
		channel_error(ch, "storvsp: packet of type %d", pkt->type);
		return;
	}
	if (!pkt->wants_completion) {
		channel_error(ch, "storvsp: request that wants no completion");
		return;
	}
	if (pkt->len != sizeof(vp) && pkt->len != STORVSP_PACKET_OLD) {
		channel_error(ch, "storvsp: packet of %u bytes, not %zu",
			      pkt->len, sizeof(vp));
		return;
	}
	memcpy(&vp, pkt->payload, pkt->len);
	if (!packet_ok(ch, pkt, &vp))
		return;

	if (vp.operation == STORVSP_EXECUTE_SRB) {
		if (s->state != STATE_READY)
			channel_error(ch,
				      "storvsp: EXECUTE_SRB before the end of the initialisation");
		else
			storvsp_execute(s, channel_private(ch), pkt, &vp);
		return;
	}
	storvsp_reply_init(&reply, channel_private(ch), pkt, &vp);
	if (s->faults.list) {
		fault_select_step(s, &reply);
		if (reply.fault && fault_answers(&reply, NULL))
			return;
	}
	other_operation(s, &reply);
}

/* --- channels ----------------------------------------------------------------- */

static int storvsp_open(struct device *dev, struct channel *ch)
{
	struct storvsp *s = to_storvsp(dev);
	struct storvsp_channel *sc = calloc(1, sizeof(*sc));

	if (!sc)
		return -ENOMEM;
	sc->ch = ch;
	sc->s = s;
	sc->next = s->channels;
	s->channels = sc;
	channel_set_private(ch, sc);
	channel_moderate(ch, s->coalesce);
	if (!channel_index(ch)) {
		s->primary = ch;
		s->state = STATE_OPENED;
		s->version = 0;
	}
	return 0;
}

struct drain {
	struct storvsp *s;
	struct storvsp_channel *sc;
};

static bool drained(void *arg)
{
	struct drain *d = arg;

	return !d->sc->in_flight &&
	       !(d->s->reset.pending && d->s->reset.reply.sc == d->sc);
}

/*
 * All I/O goes through the loop's io_uring and ends by itself, what is long at
 * its next piece. The end of the last request also ends a reset that waits.
 */
static void storvsp_drain(struct device *dev, struct channel *ch)
{
	struct drain d = { to_storvsp(dev), channel_private(ch) };

	d.sc->draining = true;
	/* Nothing that a fault has held back is begun now */
	fault_end_late(d.s, d.sc, STORVSP_SRB_ABORTED);
	loop_wait_io(bus_loop(dev->bus), drained, &d);
	d.sc->draining = false;
}

static bool storvsp_busy(struct device *dev, struct channel *ch)
{
	struct drain d = { to_storvsp(dev), channel_private(ch) };

	return !drained(&d) || fault_busy(d.s, d.sc);
}

static void storvsp_close(struct device *dev, struct channel *ch)
{
	struct storvsp_channel *sc = channel_private(ch), **link;
	struct storvsp *s = to_storvsp(dev);
	unsigned int i;

	for (link = &s->channels; *link != sc; link = &(*link)->next)
		;
	*link = sc->next;
	fault_forget(s, sc);
	free(sc);
	channel_set_private(ch, NULL);
	if (channel_index(ch))
		return;

	/* The next guest finds the disks as at power on */
	s->primary = NULL;
	s->state = STATE_CLOSED;
	s->announce = false;
	for (i = 0; i < SCSI_MAX_LUNS; i++) {
		if (!s->luns[i])
			continue;
		scsi_reset(&s->luns[i]->disk, ATTENTION_BUS_RESET);
		s->luns[i]->disk.attention = 0;
	}
}

/* Where an IDE disk is, in the instance GUID: path, then target */
static void storvsp_identify(struct device *dev)
{
	const struct storvsp *s = to_storvsp(dev);

	if (!s->ide)
		return;
	memset(dev->instance.b, 0, 6);
	dev->instance.b[0] = s->ide_path;
	dev->instance.b[4] = s->ide_target;
}

static const struct device_ops storvsp_ops = {
	.identify	= storvsp_identify,
	.open		= storvsp_open,
	.packet		= storvsp_packet,
	.writable	= storvsp_writable,
	.drain		= storvsp_drain,
	.close		= storvsp_close,
	.busy		= storvsp_busy,
	.retire		= storvsp_retire,
	.state_bytes	= sizeof(struct storvsp_saved),
	.save		= storvsp_save,
	.restore	= storvsp_restore,
	.status		= storvsp_status,
	.destroy	= storvsp_destroy,
};

struct device_kind storvsp_kind = {
	.name		= "scsi",
	.class		= HOST_GUID(0xba6163d9, 0x04a1, 0x4d29, 0xb6, 0x05,
				    0x72, 0xe2, 0xff, 0xb1, 0xdc, 0x7f),
	.chn_flags	= DEVICE_FLAG_ENUMERATE,
	.ops		= &storvsp_ops,
	.options	= storvsp_options,
	.commands	= storvsp_commands,
};
DEVICE_KIND(storvsp_kind);

struct device_kind storvsp_ide_kind = {
	.name		= "ide",
	.class		= HOST_GUID(0x32412632, 0x86cb, 0x44a2, 0x9b, 0x5c,
				    0x50, 0xd1, 0x41, 0x73, 0x54, 0xf5),
	.chn_flags	= DEVICE_FLAG_ENUMERATE,
	.ops		= &storvsp_ops,
	.options	= storvsp_ide_options,
};
DEVICE_KIND(storvsp_ide_kind);
