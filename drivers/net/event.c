// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is done in process context: what the host has indicated, and what the host has
 * to be told. RTNL is not held while the host is waited for, so that a host that does
 * not answer delays no other interface.
 */
#include <linux/rtnetlink.h>

#include "synth_net.h"

/* Repetitions of a request that was not answered */
#define EVENT_TRIES		10
#define EVENT_DELAY		HZ
#define ANNOUNCE_DELAY		(HZ / 10)

/*
 * A request that was not answered is repeated some times; another session and the end of
 * a stall repeat it, too. A request that was refused is not repeated.
 */
static void retry_event(struct synn_adapter *ad, unsigned int event, int ret)
{
	if (ret != -EAGAIN && ret != -ETIMEDOUT) {
		ad->event_tries = 0;
		return;
	}
	if (ad->event_tries++ >= EVENT_TRIES)
		return;
	set_bit(event, &ad->events);
	queue_delayed_work(ad->wq, &ad->event_work, EVENT_DELAY);
}

/* As netdev_notify_peers(), if the adapter still has a session */
static void notify_peers(struct synn_adapter *ad)
{
	rtnl_lock();
	if (test_bit(__LINK_STATE_LINKWATCH_PENDING, &ad->dev->state)) {
		/* until the kernel has noticed the carrier, no packet leaves */
		set_bit(SYNN_EVENT_ANNOUNCE, &ad->events);
		queue_delayed_work(ad->wq, &ad->event_work, ANNOUNCE_DELAY);
	} else if (READ_ONCE(ad->state) == SYNN_RUNNING) {
		call_netdevice_notifiers(NETDEV_NOTIFY_PEERS, ad->dev);
		call_netdevice_notifiers(NETDEV_RESEND_IGMP, ad->dev);
	}
	rtnl_unlock();
}

/**
 * synn_event_work() - do what synn_event() was called for
 * @work: of an adapter
 *
 * Context: process.
 */
void synn_event_work(struct work_struct *work)
{
	struct synn_adapter *ad = container_of(to_delayed_work(work),
					       struct synn_adapter, event_work);

	mutex_lock(&ad->mutex);
	/* in another state events wait; each way back to RUNNING runs this work */
	if (READ_ONCE(ad->state) == SYNN_RUNNING) {
		if (test_and_clear_bit(SYNN_EVENT_KEEPALIVE, &ad->events))
			synn_control_keepalive(ad);
		if (test_and_clear_bit(SYNN_EVENT_CARRIER, &ad->events))
			retry_event(ad, SYNN_EVENT_CARRIER,
				    synn_carrier_update(ad));
		if (test_and_clear_bit(SYNN_EVENT_FILTER, &ad->events))
			retry_event(ad, SYNN_EVENT_FILTER,
				    synn_filter_update(ad));
	}
	mutex_unlock(&ad->mutex);
	if (test_bit(SYNN_EVENT_GROW, &ad->events)) {
		rtnl_lock();
		if (READ_ONCE(ad->state) == SYNN_RUNNING &&
		    test_and_clear_bit(SYNN_EVENT_GROW, &ad->events))
			synn_session_grow(ad);
		rtnl_unlock();
	}
	if (test_and_clear_bit(SYNN_EVENT_ANNOUNCE, &ad->events))
		notify_peers(ad);
}
