// SPDX-License-Identifier: GPL-2.0-only
/*
 * RNDIS messages of the host that are no packets: answers, indications, keepalives. They
 * come through the receive buffer, which the host may change at any time, so each is
 * copied before it is looked at.
 */
#include "synth_net.h"

/**
 * synn_message_received() - handle an RNDIS message that is no packet
 * @ch: where it was received
 * @msg: in the receive buffer
 * @len: bytes of its range
 *
 * Context: NAPI of @ch.
 */
void synn_message_received(struct synn_chan *ch, const u8 *msg, u32 len)
{
	u8 copy[SYNN_ANSWER_MAX] __aligned(8);
	const struct rndis_header *h = (const void *)copy;
	struct synn_adapter *ad = ch->adapter;
	u32 n = min_t(u32, len, sizeof(copy));

	if (n < RNDIS_HEADER + sizeof(u32)) {
		synn_bad_packet(ch, "a short message", 0);
		return;
	}
	synthio_copy(copy, msg, n);
	/* the compiler must not read the original again */
	barrier();
	switch (h->type) {
	case RNDIS_TYPE_INDICATE:
		synn_carrier_indicate(ch, copy, n);
		break;
	case RNDIS_TYPE_KEEPALIVE:
		WRITE_ONCE(ad->keepalive_id, *(u32 *)(copy + RNDIS_HEADER));
		synn_event(ad, SYNN_EVENT_KEEPALIVE);
		break;
	case RNDIS_TYPE_INITIALIZE | RNDIS_COMPLETION:
	case RNDIS_TYPE_QUERY | RNDIS_COMPLETION:
	case RNDIS_TYPE_SET | RNDIS_COMPLETION:
		/* a longer one answers none of the driver's requests */
		synn_control_answer(ch, copy, n);
		break;
	default:
		synn_bad_packet(ch, "a message of an unknown type", h->type);
	}
}
