// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a card sees to in a process: what the host has indicated, and what it has to
 * be told of. Without RTNL while it waits for the host.
 */
#include <linux/rtnetlink.h>
#include <linux/slab.h>

#include "synth_net.h"

/* a request that was not answered, of what the host is told without being asked */
#define EVENT_TRIES		10
#define EVENT_DELAY		HZ
#define ANNOUNCE_DELAY		(HZ / 10)
/* none that we ask for */
#define FILTER_UNKNOWN		U32_MAX
/* How long a carrier is gone at least: the kernel tells of it once a second */
#define DARK_TIME		(HZ + HZ / 4)

/**
 * synn_event() - have something seen to
 * @c: card
 * @event: SYNN_EVENT_*
 *
 * Context: any.
 */
void synn_event(struct synn_card *c, unsigned int event)
{
	set_bit(event, &c->events);
	mod_delayed_work(c->wq, &c->event_work, 0);
}

/**
 * synn_filter_update() - tell the host what it is to let through
 * @c: card
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error of synn_control_set().
 */
int synn_filter_update(struct synn_card *c)
{
	struct net_device *dev = c->dev;
	struct netdev_hw_addr *ha;
	u8 (*list)[ETH_ALEN];
	u32 filter = 0, room, n = 0;
	int ret;

	if (c->filter_on)
		filter = NDIS_FILTER_DIRECTED | NDIS_FILTER_BROADCAST;
	if (c->filter_on && dev->flags & IFF_PROMISC) {
		filter |= NDIS_FILTER_PROMISCUOUS;
	} else if (c->filter_on && dev->flags & IFF_ALLMULTI) {
		filter |= NDIS_FILTER_ALL_MULTICAST;
	} else if (c->filter_on) {
		room = (HV_HYP_PAGE_SIZE - 64) / ETH_ALEN;
		list = kmalloc_array(room, ETH_ALEN, GFP_KERNEL);
		netif_addr_lock_bh(dev);
		netdev_for_each_mc_addr(ha, dev) {
			if (list && n < room)
				ether_addr_copy(list[n], ha->addr);
			n++;
		}
		netif_addr_unlock_bh(dev);
		ret = -ENOSPC;
		if (!n)
			ret = 0;
		else if (list && n <= room)
			ret = synn_control_set(c, OID_802_3_MULTICAST_LIST,
					       list, n * ETH_ALEN);
		/* a host without lists, or too short ones, lets all through */
		if (n)
			filter |= ret ? NDIS_FILTER_ALL_MULTICAST :
				  NDIS_FILTER_MULTICAST;
		kfree(list);
	}
	/* unicast addresses beside the own one: there is no list for them */
	if (c->filter_on && !netdev_uc_empty(dev))
		filter |= NDIS_FILTER_PROMISCUOUS;
	if (filter == c->filter)
		return 0;
	ret = synn_control_set(c, OID_GEN_CURRENT_PACKET_FILTER, &filter,
			       sizeof(filter));
	/* without a good answer the host may have done it or not: tell it again */
	c->filter = ret ? FILTER_UNKNOWN : filter;
	if (ret && ret != -ENODEV)
		netdev_warn(dev, "the host does not take packet filter 0x%x: %d\n",
			    filter, ret);
	return ret;
}

/*
 * Whether the card is connected is asked once in a session, and only while the host
 * has not said so by itself: some answer "yes" whatever is the case, and indicate
 * what is.
 */
static int ask_connected(struct synn_card *c)
{
	u32 off;
	int ret;

	if (READ_ONCE(c->connected) != SYNN_LINK_UNKNOWN)
		return 0;
	ret = synn_control_query_u32(c, OID_GEN_MEDIA_CONNECT_STATUS, &off);
	if (ret == -EOPNOTSUPP) {
		/* a host that can't tell is one whose links don't go */
		off = 0;
		ret = 0;
	}
	/* an indication that came meanwhile is newer than the answer */
	if (!ret)
		cmpxchg(&c->connected, SYNN_LINK_UNKNOWN,
			off ? SYNN_LINK_OFF : SYNN_LINK_ON);
	return ret;
}

/**
 * synn_link_update() - see whether the card is connected, and how fast
 * @c: card
 *
 * A link that was lost meanwhile, or leads to another network, has its carrier off
 * for long enough to be noticed, and is announced when it is back.
 *
 * Context: process, card->mutex held; sleeps for as long as the host may take.
 * Return: 0 or an error of synn_control_query_u32().
 */
int synn_link_update(struct synn_card *c)
{
	bool lost = test_and_clear_bit(SYNN_EVENT_LOST, &c->events);
	u32 speed;
	int ret;

	ret = ask_connected(c);
	if (ret && lost)
		set_bit(SYNN_EVENT_LOST, &c->events);
	if (!synn_control_query_u32(c, OID_GEN_LINK_SPEED, &speed))
		WRITE_ONCE(c->speed, speed);
	/* then the carrier is as it was in the session before */
	if (ret)
		return ret;

	if (READ_ONCE(c->connected) == SYNN_LINK_OFF) {
		netif_carrier_off(c->dev);
		return ret;
	}
	if (lost && netif_carrier_ok(c->dev)) {
		netif_carrier_off(c->dev);
		c->dark_until = jiffies + DARK_TIME;
		c->dark = true;
	}
	if (c->dark && time_before(jiffies, c->dark_until)) {
		set_bit(SYNN_EVENT_LINK, &c->events);
		queue_delayed_work(c->wq, &c->event_work,
				   c->dark_until - jiffies);
		return ret;
	}
	c->dark = false;
	if (!netif_carrier_ok(c->dev)) {
		netif_carrier_on(c->dev);
		set_bit(SYNN_EVENT_ANNOUNCE, &c->events);
	}
	return ret;
}

/*
 * What was not answered is asked for again, a few times; where the page is stuck, a
 * new session does that. A host that refuses is believed.
 */
static void once_more(struct synn_card *c, unsigned int event, int ret)
{
	if (ret != -EAGAIN && ret != -ETIMEDOUT) {
		c->event_tries = 0;
		return;
	}
	if (READ_ONCE(c->control.stuck) || c->event_tries++ >= EVENT_TRIES)
		return;
	set_bit(event, &c->events);
	queue_delayed_work(c->wq, &c->event_work, EVENT_DELAY);
}

/* Tell the neighbours where we are; as netdev_notify_peers(), while there is a netdev */
static void announce(struct synn_card *c)
{
	rtnl_lock();
	if (test_bit(__LINK_STATE_LINKWATCH_PENDING, &c->dev->state)) {
		/* until it has seen the carrier, nothing leaves */
		set_bit(SYNN_EVENT_ANNOUNCE, &c->events);
		queue_delayed_work(c->wq, &c->event_work, ANNOUNCE_DELAY);
	} else if (c->state == SYNN_LIVE) {
		call_netdevice_notifiers(NETDEV_NOTIFY_PEERS, c->dev);
		call_netdevice_notifiers(NETDEV_RESEND_IGMP, c->dev);
	}
	rtnl_unlock();
}

/**
 * synn_event_work() - see to what was asked for
 * @work: of a card
 *
 * Context: process; without RTNL while it waits for the host, so that a silent one
 * keeps nobody else from it.
 */
void synn_event_work(struct work_struct *work)
{
	struct synn_card *c = container_of(to_delayed_work(work),
					   struct synn_card, event_work);

	mutex_lock(&c->mutex);
	if (READ_ONCE(c->state) == SYNN_LIVE) {
		if (test_and_clear_bit(SYNN_EVENT_KEEPALIVE, &c->events))
			synn_control_keepalive(c);
		if (test_and_clear_bit(SYNN_EVENT_LINK, &c->events))
			once_more(c, SYNN_EVENT_LINK, synn_link_update(c));
		if (test_and_clear_bit(SYNN_EVENT_FILTER, &c->events))
			once_more(c, SYNN_EVENT_FILTER, synn_filter_update(c));
	}
	mutex_unlock(&c->mutex);
	if (test_bit(SYNN_EVENT_GROW, &c->events)) {
		rtnl_lock();
		if (test_and_clear_bit(SYNN_EVENT_GROW, &c->events))
			synn_link_grow(c);
		rtnl_unlock();
	}
	if (test_and_clear_bit(SYNN_EVENT_ANNOUNCE, &c->events))
		announce(c);
}
