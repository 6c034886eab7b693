// SPDX-License-Identifier: GPL-2.0-only
/* The carrier: what the host reports of its media, by indications and when asked. */
#include "synth_net.h"

/* The least time that a carrier is off: the kernel reports changes once a second */
#define HOLDOFF_TIME		(HZ + HZ / 4)

/*
 * The media's state is queried once in a session, and only until the host has indicated
 * it: some hosts answer "connected" in any case, and indicate the real state.
 */
static int query_media(struct synn_adapter *ad)
{
	u32 disconnected;
	int ret;

	if (READ_ONCE(ad->media) != SYNN_MEDIA_UNKNOWN)
		return 0;
	ret = synn_control_query_u32(ad, OID_GEN_MEDIA_CONNECT_STATUS,
				     &disconnected);
	if (ret == -EOPNOTSUPP) {
		/* a host that has no such object never disconnects its media */
		disconnected = 0;
		ret = 0;
	}
	/* an indication that came meanwhile is newer than the answer */
	if (!ret)
		cmpxchg(&ad->media, SYNN_MEDIA_UNKNOWN, disconnected ?
			SYNN_MEDIA_DISCONNECTED : SYNN_MEDIA_CONNECTED);
	return ret;
}

/**
 * synn_carrier_update() - set the carrier as the host's media is, and query the speed
 * @ad: adapter
 *
 * If the media was disconnected for a moment, or leads to another network, the carrier
 * is off for long enough to be noticed (hold-off), and the interface is announced to
 * its neighbours when it is on again.
 *
 * Context: process, adapter->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error of synn_control_query_u32().
 */
int synn_carrier_update(struct synn_adapter *ad)
{
	bool lost = test_and_clear_bit(SYNN_EVENT_MEDIA_LOST, &ad->events);
	u32 speed;
	int ret;

	ret = query_media(ad);
	if (ret && lost)
		set_bit(SYNN_EVENT_MEDIA_LOST, &ad->events);
	if (!synn_control_query_u32(ad, OID_GEN_LINK_SPEED, &speed))
		WRITE_ONCE(ad->speed, speed);
	/* without an answer the carrier is as it was in the session before */
	if (ret)
		return ret;

	if (READ_ONCE(ad->media) == SYNN_MEDIA_DISCONNECTED) {
		netif_carrier_off(ad->dev);
		return 0;
	}
	if (lost && netif_carrier_ok(ad->dev)) {
		netif_carrier_off(ad->dev);
		/* 0 stands for none */
		ad->holdoff_until = (jiffies + HOLDOFF_TIME) | 1;
	}
	if (ad->holdoff_until && time_before(jiffies, ad->holdoff_until)) {
		set_bit(SYNN_EVENT_CARRIER, &ad->events);
		queue_delayed_work(ad->wq, &ad->event_work,
				   ad->holdoff_until - jiffies);
		return 0;
	}
	ad->holdoff_until = 0;
	/* in other states the carrier is off, whatever the media's state */
	if (READ_ONCE(ad->state) == SYNN_RUNNING && !netif_carrier_ok(ad->dev)) {
		netif_carrier_on(ad->dev);
		/*
		 * A stall may have begun meanwhile. begin_stall() sets the state before
		 * it turns the carrier off, and both changes of the carrier are atomic
		 * operations with full barriers: either it is turned off after this, or
		 * the new state is seen here.
		 */
		if (READ_ONCE(ad->state) != SYNN_RUNNING) {
			netif_carrier_off(ad->dev);
			return 0;
		}
		set_bit(SYNN_EVENT_ANNOUNCE, &ad->events);
	}
	return 0;
}

/**
 * synn_carrier_indicate() - an indication of the host
 * @ch: where it was received
 * @msg: a copy of the message
 * @len: its bytes
 *
 * Context: NAPI of @ch.
 */
void synn_carrier_indicate(struct synn_chan *ch, const u8 *msg, u32 len)
{
	struct synn_adapter *ad = ch->adapter;
	struct rndis_answer a;
	u32 speed;

	if (rndis_parse_indicate(msg, len, &a)) {
		synn_bad_packet(ch, "a malformed indication", 0);
		return;
	}
	switch (a.status) {
	case NDIS_STATUS_LINK_SPEED_CHANGE:
		if (a.info_len < sizeof(speed)) {
			synn_bad_packet(ch, "a malformed indication", 0);
			break;
		}
		memcpy(&speed, a.info, sizeof(speed));
		WRITE_ONCE(ad->speed, speed);
		break;
	case NDIS_STATUS_MEDIA_DISCONNECT:
		WRITE_ONCE(ad->media, SYNN_MEDIA_DISCONNECTED);
		/* it may be connected again before event_work runs */
		set_bit(SYNN_EVENT_MEDIA_LOST, &ad->events);
		synn_event(ad, SYNN_EVENT_CARRIER);
		break;
	case NDIS_STATUS_NETWORK_CHANGE:
		set_bit(SYNN_EVENT_MEDIA_LOST, &ad->events);
		synn_event(ad, SYNN_EVENT_CARRIER);
		break;
	case NDIS_STATUS_MEDIA_CONNECT:
		WRITE_ONCE(ad->media, SYNN_MEDIA_CONNECTED);
		synn_event(ad, SYNN_EVENT_CARRIER);
		break;
	case NDIS_STATUS_TASK_OFFLOAD:
		break;
	default:
		netdev_dbg(ad->dev, "indication 0x%x is ignored\n", a.status);
	}
}
