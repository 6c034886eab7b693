// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the lower files note for the upper ones: changes of state, events for
 * event_work, checks for the service task, and invalid packets.
 */
#include "synth_net.h"
#include "trace.h"

/* A sub-channel that is rescinded may be only the first of all channels */
#define CHECK_DELAY		(HZ / 10)

/**
 * synn_set_state() - change the state of an adapter
 * @ad: adapter
 * @to: the new state
 *
 * Sessions are opened and closed under RTNL, but the states in between that concern
 * the host (SYNN_STALLED, SYNN_SETTLING) are entered without it. So a caller has to
 * expect that the state is not the one that it has seen.
 *
 * Context: any.
 * Return: false if @to may not follow the present state, which stays then.
 */
bool synn_set_state(struct synn_adapter *ad, enum synn_state to)
{
	enum synn_state from;
	unsigned long flags;
	bool ok;

	spin_lock_irqsave(&ad->state_lock, flags);
	from = ad->state;
	ok = synn_state_allows(from, to);
	if (ok)
		WRITE_ONCE(ad->state, to);
	spin_unlock_irqrestore(&ad->state_lock, flags);
	trace_synn_state(ad, synn_state_name(from), synn_state_name(to), ok);
	return ok;
}

/**
 * synn_chan_set_state() - change the state of a channel
 * @ch: channel
 * @to: the new state
 *
 * Context: process, RTNL held, or open_mutex while sub-channels open.
 */
void synn_chan_set_state(struct synn_chan *ch, enum synn_chan_state to)
{
	bool ok = synn_chan_state_allows(ch->state, to);

	trace_synn_queue_state(ch, synn_chan_state_name(ch->state),
			       synn_chan_state_name(to), ok);
	if (!WARN_ON_ONCE(!ok))
		WRITE_ONCE(ch->state, to);
}

/**
 * synn_event() - have event_work do something
 * @ad: adapter
 * @event: SYNN_EVENT_*
 *
 * Context: any.
 */
void synn_event(struct synn_adapter *ad, unsigned int event)
{
	set_bit(event, &ad->events);
	mod_delayed_work(ad->wq, &ad->event_work, 0);
}

/**
 * synn_check() - have the service task look at something
 * @ad: adapter
 * @check: SYNN_CHECK_*
 *
 * Context: any.
 */
void synn_check(struct synn_adapter *ad, unsigned int check)
{
	if (!test_and_set_bit(check, &ad->checks))
		mod_delayed_work(ad->wq, &ad->service_work, CHECK_DELAY);
}

/**
 * synn_bad_packet() - count and report an invalid packet or message of the host
 * @ch: where it was received
 * @what: what is wrong with it
 * @id: transaction id, as it was received
 *
 * Context: NAPI of @ch.
 */
void synn_bad_packet(struct synn_chan *ch, const char *what, u64 id)
{
	ch->rx.stats.bad++;
	trace_synn_bad(ch, what, id);
	if (net_ratelimit())
		netdev_warn(ch->adapter->dev,
			    "channel %u: %s from the host (id 0x%llx), ignored\n",
			    ch->index, what, id);
}
