// SPDX-License-Identifier: GPL-2.0-only
/*
 * The service task of an adapter: looks at the adapter's health every few seconds, and
 * at once when something was noted (synn_check()) or when the bus reports that the host
 * has stalled or responds again. state.c decides; this file gathers the facts and acts.
 *
 * The bus says whether the host responds (<synthio/host_state.h>). On the kernel's bus,
 * which does not say so, and for a host whose device alone does not respond, the driver
 * has a rule of its own: sends have been outstanding for SILENCE, and nothing was
 * received on any channel for as long. Then the host is asked (synn_control_probe()).
 */
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define SERVICE_DELAY		(2 * HZ)
/* In a state that should not last, and after a stall */
#define SERVICE_DELAY_SHORT	HZ
#define SERVICE_DELAY_SETTLING	(HZ / 10)
/* How long the host is given after a stall at most, for all that it owes */
#define SETTLE_TIME		(3 * HZ)
/* Milliseconds without any progress */
#define SILENCE_MS		5000u
#define STUCK_MS		3000u

static LIST_HEAD(adapters);
static DEFINE_MUTEX(adapters_mutex);

/* ---- facts ---------------------------------------------------------------------- */

/* adapter->mutex is held: the session is not closed meanwhile */
static void look_at_queues(struct synn_adapter *ad, bool reported,
			   struct synn_health *h)
{
	bool outstanding = false, heard = false;
	unsigned int i;

	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = ad->chans[i];
		struct synn_tx_load load;
		u32 age;

		if (!ch || ch->state != SYNN_CHAN_POLLED)
			continue;
		synn_tx_load(ch, &load);
		age = max(load.oldest, load.blocked);
		if (age >= SILENCE_MS)
			outstanding = true;
		if (jiffies_to_msecs(jiffies - READ_ONCE(ch->heard)) < SILENCE_MS)
			heard = true;
		if (age >= STUCK_MS)
			h->incomplete = true;
		if (reported && age >= STUCK_MS && ch->tx.txq &&
		    netif_xmit_stopped(ch->tx.txq))
			h->stuck = true;
		if (READ_ONCE(ch->tx.state) == SYNN_TX_FAILED ||
		    READ_ONCE(ch->vc->rescind))
			h->broken = true;
	}
	h->silent = outstanding && !heard;
	if (READ_ONCE(ad->control.state) == SYNN_REQUEST_ABANDONED)
		h->broken = true;
}

static void gather_facts(struct synn_adapter *ad, enum synn_state state,
			 unsigned long checks, struct synn_health *h)
{
	bool reported;

	*h = (struct synn_health){
		.host_stalled = synthio_host_stalled(ad->hv),
		.broken = checks & BIT(SYNN_CHECK_RESET),
	};
	if (state == SYNN_FAILED) {
		bool asked = checks & BIT(SYNN_CHECK_RETRY);

		if (asked)
			ad->backoff = 0;
		h->retry_due = netif_running(ad->dev) &&
			       (asked || time_after_eq(jiffies, ad->retry_at));
	}
	if (!synn_state_has_session(state))
		return;
	/* a request may hold it for as long as it waits for the host */
	if (!mutex_trylock(&ad->mutex)) {
		set_bit(SYNN_CHECK_HEALTH, &ad->checks);
		h->incomplete = true;
		if (checks & BIT(SYNN_CHECK_TX))
			set_bit(SYNN_CHECK_TX, &ad->checks);
		return;
	}
	/* the stack reports no queue while the carrier is off */
	reported = checks & BIT(SYNN_CHECK_TX) || state == SYNN_SETTLING;
	look_at_queues(ad, reported, h);
	h->settled = state == SYNN_SETTLING &&
		     time_after_eq(jiffies, ad->settled_at);
	mutex_unlock(&ad->mutex);
}

static void probe_host(struct synn_adapter *ad, struct synn_health *h)
{
	mutex_lock(&ad->mutex);
	h->probe = synn_control_probe(ad);
	mutex_unlock(&ad->mutex);
	h->host_stalled = synthio_host_stalled(ad->hv);
}

/* ---- actions -------------------------------------------------------------------- */

static void begin_stall(struct synn_adapter *ad)
{
	if (!synn_set_state(ad, SYNN_STALLED))
		return;
	ad->stalls++;
	netif_carrier_off(ad->dev);
	netdev_warn(ad->dev, "the host does not respond; the adapter keeps its session and waits for the host, without a carrier\n");
}

static void begin_settling(struct synn_adapter *ad)
{
	ad->settled_at = jiffies + SETTLE_TIME;
	if (synn_set_state(ad, SYNN_SETTLING))
		netdev_info(ad->dev, "the host responds again\n");
}

static void end_stall(struct synn_adapter *ad)
{
	if (!synn_set_state(ad, SYNN_RUNNING))
		return;
	mutex_lock(&ad->mutex);
	ad->event_tries = 0;
	mutex_unlock(&ad->mutex);
	/* both may have been left undone in the meantime */
	set_bit(SYNN_EVENT_FILTER, &ad->events);
	synn_event(ad, SYNN_EVENT_CARRIER);
}

static void reset_session(struct synn_adapter *ad)
{
	rtnl_lock();
	if (!synn_rescinded(ad)) {
		netdev_warn(ad->dev, "the session with the host is reset; packets in flight are lost\n");
		synn_session_restart(ad);
	}
	rtnl_unlock();
}

static void reopen_session(struct synn_adapter *ad)
{
	rtnl_lock();
	if (READ_ONCE(ad->state) == SYNN_FAILED && netif_running(ad->dev) &&
	    !synn_rescinded(ad) && !synn_session_restart(ad))
		netdev_info(ad->dev, "a session with the host was opened again\n");
	rtnl_unlock();
}

static unsigned long service_delay(enum synn_state state, unsigned long checks)
{
	if (state == SYNN_SETTLING)
		return SERVICE_DELAY_SETTLING;
	if (state == SYNN_RUNNING && !checks)
		return round_jiffies_relative(SERVICE_DELAY);
	return SERVICE_DELAY_SHORT;
}

/**
 * synn_service_work() - the service task
 * @work: of an adapter
 *
 * Context: process.
 */
void synn_service_work(struct work_struct *work)
{
	struct synn_adapter *ad = container_of(to_delayed_work(work),
					       struct synn_adapter, service_work);
	unsigned long checks = xchg(&ad->checks, 0);
	enum synn_state state = READ_ONCE(ad->state);
	enum synn_action action;
	struct synn_health h;

	gather_facts(ad, state, checks, &h);
	action = synn_health_action(state, &h);
	if (action == SYNN_ACT_PROBE) {
		probe_host(ad, &h);
		action = synn_health_action(state, &h);
	}
	if (action != SYNN_ACT_RESET && checks & BIT(SYNN_CHECK_RESET) &&
	    synn_state_has_session(state))
		set_bit(SYNN_CHECK_RESET, &ad->checks);
	switch (action) {
	case SYNN_ACT_STALL:
		begin_stall(ad);
		break;
	case SYNN_ACT_SETTLE:
		begin_settling(ad);
		break;
	case SYNN_ACT_RESUME:
		end_stall(ad);
		break;
	case SYNN_ACT_RESET:
		reset_session(ad);
		break;
	case SYNN_ACT_REOPEN:
		reopen_session(ad);
		break;
	default:
		break;
	}
	state = READ_ONCE(ad->state);
	if (state != SYNN_REMOVING)
		queue_delayed_work(ad->wq, &ad->service_work,
				   service_delay(state, ad->checks));
}

/* ---- adapters, and the bus' notifier --------------------------------------------- */

static int host_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct synn_adapter *ad;

	mutex_lock(&adapters_mutex);
	list_for_each_entry(ad, &adapters, node) {
		if (event == SYNTHIO_HOST_RESPONDS)
			set_bit(SYNN_CHECK_RETRY, &ad->checks);
		mod_delayed_work(ad->wq, &ad->service_work, 0);
	}
	mutex_unlock(&adapters_mutex);
	return NOTIFY_OK;
}

static struct notifier_block host_nb = { .notifier_call = host_event };

/**
 * synn_service_add() - begin to look after an adapter
 * @ad: with its first session started
 *
 * Context: process, sleeps.
 */
void synn_service_add(struct synn_adapter *ad)
{
	mutex_lock(&adapters_mutex);
	list_add_tail(&ad->node, &adapters);
	mutex_unlock(&adapters_mutex);
	queue_delayed_work(ad->wq, &ad->service_work, SERVICE_DELAY);
}

/**
 * synn_service_remove() - the mirror of synn_service_add()
 * @ad: REMOVING, so that the service task ends
 *
 * Context: process, sleeps; RTNL not held.
 */
void synn_service_remove(struct synn_adapter *ad)
{
	mutex_lock(&adapters_mutex);
	list_del(&ad->node);
	mutex_unlock(&adapters_mutex);
	cancel_delayed_work_sync(&ad->service_work);
}

/**
 * synn_service_init() - register for stalls of the host
 *
 * Context: process, sleeps. Return: 0 or an error.
 */
int synn_service_init(void)
{
	return synthio_host_register(&host_nb);
}

/**
 * synn_service_exit() - the mirror of synn_service_init()
 *
 * Context: process, sleeps.
 */
void synn_service_exit(void)
{
	synthio_host_unregister(&host_nb);
}
