// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt moderation. The protocol has none, but the host does not interrupt while
 * the ring's mask is set. So after a poll that found something the mask may stay for
 * some microseconds, at the end of which a timer schedules NAPI again; only a poll that
 * finds nothing removes the mask. The time is that of ethtool -C (rx-usecs; 0, the
 * default, means no moderation), or what the kernel's net DIM finds (adaptive-rx).
 */
#include <linux/dim.h>
#include <linux/hrtimer.h>

#include "synth_net.h"

bool synn_coalesce_can_adapt(void)
{
	return IS_ENABLED(CONFIG_DIMLIB);
}

static enum hrtimer_restart timer(struct hrtimer *t)
{
	struct synn_chan *ch = container_of(t, struct synn_chan, timer);

	napi_schedule(&ch->napi);
	return HRTIMER_NORESTART;
}

static void dim_work(struct work_struct *work)
{
	struct dim *dim = container_of(work, struct dim, work);
	struct synn_chan *ch = container_of(dim, struct synn_chan, dim);

#if IS_ENABLED(CONFIG_DIMLIB)
	WRITE_ONCE(ch->usecs, net_dim_get_rx_moderation(dim->mode,
							dim->profile_ix).usec);
#endif
	dim->state = DIM_START_MEASURE;
	if (!READ_ONCE(ch->adapter->adaptive))
		WRITE_ONCE(ch->usecs, ch->adapter->rx_usecs);
}

/**
 * synn_coalesce_init() - initialise, once in the life of a channel
 * @ch: channel
 */
void synn_coalesce_init(struct synn_chan *ch)
{
	compat_timer_setup(&ch->timer, timer);
	INIT_WORK(&ch->dim.work, dim_work);
	ch->dim.mode = DIM_CQ_PERIOD_MODE_START_FROM_EQE;
}

/**
 * synn_coalesce_start() - begin, before the channel is opened
 * @ch: channel
 */
void synn_coalesce_start(struct synn_chan *ch)
{
	WRITE_ONCE(ch->usecs, ch->adapter->rx_usecs);
	ch->dim.state = DIM_START_MEASURE;
}

/**
 * synn_coalesce_stop() - cancel timer and work
 * @ch: a channel whose NAPI instance is disabled
 *
 * Context: process, sleeps.
 */
void synn_coalesce_stop(struct synn_chan *ch)
{
	hrtimer_cancel(&ch->timer);
	cancel_work_sync(&ch->dim.work);
}

/**
 * synn_coalesce_sleep() - whether the host's interrupts stay masked
 * @ch: channel, whose ring is empty
 * @work: packets that the poll has found
 *
 * Context: NAPI of @ch, after napi_complete_done().
 * Return: true if they stay masked, until a timer schedules NAPI.
 */
bool synn_coalesce_sleep(struct synn_chan *ch, int work)
{
	u32 usecs;

#if IS_ENABLED(CONFIG_DIMLIB)
	if (unlikely(READ_ONCE(ch->adapter->adaptive))) {
		struct dim_sample sample = { };

		dim_update_sample(++ch->dim_events, ch->rx.stats.packets,
				  ch->rx.stats.bytes, &sample);
		compat_dim(&ch->dim, &sample);
	}
#endif
	usecs = READ_ONCE(ch->usecs);
	if (likely(!usecs) || !work)
		return false;
	hrtimer_start(&ch->timer, ns_to_ktime(usecs * NSEC_PER_USEC), HRTIMER_MODE_REL_PINNED);
	return true;
}
