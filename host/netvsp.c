// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic network card: NVSP and RNDIS (include/synthio/netvsp.h, rndis.h)
 * on one side, a tap or user networking (netback.h) on the other.
 *
 * It is as strict as hosts are. What no driver in its right mind would send
 * disconnects the guest (channel_error()). A frame that is merely wrong, which any
 * program in the guest can send, is completed as failed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "netvsp.h"

void netvsp_set_carrier(struct netvsp *n, bool up)
{
	if (n->carrier == up)
		return;
	n->carrier = up;
	if (n->back->ops->set_link)
		n->back->ops->set_link(n->back, up);
	log_info("%s: link %s", n->dev.id, up ? "up" : "down");
	rndis_indicate(n, up ? NDIS_STATUS_MEDIA_CONNECT :
			       NDIS_STATUS_MEDIA_DISCONNECT, NULL, 0);
}

void netvsp_set_speed(struct netvsp *n, unsigned int speed)
{
	uint32_t units = speed > UINT32_MAX / 10000 ? UINT32_MAX :
						     speed * 10000;

	n->speed = speed;
	log_info("%s: %u Mbit/s", n->dev.id, speed);
	/* only guests that said that they understand it are told */
	if (n->capabilities & NVSP_CAP_TEAMING)
		rndis_indicate(n, NDIS_STATUS_LINK_SPEED_CHANGE, &units,
			       sizeof(units));
}

/*
 * A guest whose card goes while it sends is left with packets that nobody
 * completes, and hv_netvsc waits for those for ever. So first the link goes down,
 * which it heeds within two seconds.
 */
#define RETIRE_QUIET_NS	3000000000ull

static bool netvsp_retire(struct device *dev)
{
	struct netvsp *n = to_netvsp(dev);

	if (n->rndis != NETVSP_RNDIS_UP)
		return false;
	if (!dev->retiring) {
		n->last_packet = loop_now();
		rndis_indicate(n, NDIS_STATUS_MEDIA_DISCONNECT, NULL, 0);
	}
	return loop_now() - n->last_packet < RETIRE_QUIET_NS;
}

static bool length_ok(const struct netvsp *n, const struct packet *pkt,
		      uint32_t type)
{
	/* the ring pads to 8 */
	uint32_t old = (NVSP_MESSAGE_SIZE + 7) & ~7u;

	if (pkt->len == NVSP_MESSAGE_SIZE_61)
		return true;
	return pkt->len == old &&
	       (type == NVSP_INIT || n->version < NVSP_VERSION_61);
}

static void rndis_packet(struct netvsp_channel *nc, const struct packet *pkt,
			 const struct nvsp_message *msg)
{
	if (nc->n->dev.retiring)
		nc->n->last_packet = loop_now();
	tx_packet(nc, pkt, msg);
}

static void netvsp_packet(struct device *dev, struct channel *ch,
			  const struct packet *pkt)
{
	struct netvsp_channel *nc = channel_private(ch);
	struct netvsp *n = to_netvsp(dev);
	struct nvsp_message msg = { 0 };

	if (n->deaf)
		return;
	if (pkt->type == PACKET_COMPLETION) {
		if (pkt->trans_id != NETVSP_SWITCH_ID)
			slots_completed(nc, pkt);
		return;
	}
	if (pkt->len < NVSP_MESSAGE_SIZE || pkt->len > sizeof(msg)) {
		channel_error(ch, "netvsp: message of %u bytes", pkt->len);
		return;
	}
	memcpy(&msg, pkt->payload, pkt->len);
	if (!length_ok(n, pkt, msg.type))
		channel_error(ch,
			      "netvsp: message %u of %u bytes in version 0x%x",
			      msg.type, pkt->len, n->version);
	else if (msg.type == NVSP_SEND_RNDIS_PACKET)
		rndis_packet(nc, pkt, &msg);
	else if (nc->index)
		channel_error(ch, "netvsp: message %u on a subchannel",
			      msg.type);
	else
		nvsp_packet(n, ch, pkt, &msg);
}

/* --- channels --------------------------------------------------------------- */

static int netvsp_open(struct device *dev, struct channel *ch)
{
	struct netvsp_channel *nc = calloc(1, sizeof(*nc));
	struct netvsp *n = to_netvsp(dev);

	if (!nc)
		return -ENOMEM;
	nc->ch = ch;
	nc->n = n;
	nc->index = channel_index(ch);
	n->channels[nc->index] = nc;
	channel_set_private(ch, nc);
	channel_moderate(ch, n->coalesce);
	if (nc->index) {
		nvsp_channel_opened(n);
		return 0;
	}
	n->state = NETVSP_OPENED;
	n->like = &dev->bus->profile->netvsp;
	n->config = n->configured;
	n->config.rsc &= !n->like->no_rsc;
	n->headroom = n->like->slot_head ? n->like->slot_head : NETVSP_HEADROOM;
	return 0;
}

/*
 * Frames of the guest are gone when their packet has been looked at. Into its
 * memory they come from the loop's poller only, which goes on if the channel
 * stays open: what it uses there can't be torn down (channel_map_gpadl()).
 */
static void netvsp_drain(struct device *dev, struct channel *ch)
{
	struct netvsp_channel *nc = channel_private(ch);

	(void)dev;
	slots_send(nc, NVSP_CHANNEL_DATA);
}

static void netvsp_writable(struct device *dev, struct channel *ch)
{
	struct netvsp *n = to_netvsp(dev);

	if (n->table_due && !channel_index(ch))
		nvsp_channel_opened(n);
}

static void netvsp_close(struct device *dev, struct channel *ch)
{
	struct netvsp_channel *nc = channel_private(ch);
	struct netvsp *n = to_netvsp(dev);

	if (nc->index)
		slots_channel_gone(n, nc->index);
	else
		nvsp_release(n);
	n->channels[nc->index] = NULL;
	channel_set_private(ch, NULL);
	free(nc);
}

static void netvsp_destroy(struct device *dev)
{
	struct netvsp *n = to_netvsp(dev);

	loop_del_poller(bus_loop(dev->bus), &n->poller);
	loop_clear_timer(&n->late);
	if (n->back)
		n->back->ops->close(n->back);
	netvsp_fault_clear(n);
	free(n);
}

static const struct device_ops netvsp_ops = {
	.open		= netvsp_open,
	.packet		= netvsp_packet,
	.writable	= netvsp_writable,
	.drain		= netvsp_drain,
	.close		= netvsp_close,
	.retire		= netvsp_retire,
	.state_bytes	= sizeof(struct netvsp_saved),
	.save		= netvsp_save,
	.restore	= netvsp_restore,
	.settled	= netvsp_settled,
	.status		= netvsp_status,
	.destroy	= netvsp_destroy,
};

struct device_kind netvsp_kind = {
	.name		= "net",
	.class		= HOST_GUID(0xf8615163, 0xdf3e, 0x46c5, 0x91, 0x3f,
				    0xf2, 0xd2, 0xf9, 0x65, 0xed, 0x0e),
	.chn_flags	= DEVICE_FLAG_ENUMERATE,
	.ops		= &netvsp_ops,
	.options	= netvsp_options,
	.commands	= netvsp_commands,
};
DEVICE_KIND(netvsp_kind);
