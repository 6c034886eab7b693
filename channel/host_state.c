// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the host responds: the state, waits that take account of it, and the
 * notifier chain that tells device drivers (<synthio/host_state.h>).
 *
 * The chain is called from a work item, not from the caller of host_state_set(): a
 * driver's callback may wait for a mutex whose holder waits for the host, and the
 * transport has to go on looking for the host's return meanwhile.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/errno.h>
#include <linux/jiffies.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/printk.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <synthio/host_state.h>

#include "host_state.h"
#include "trace.h"

/* a wait looks at the state once in so many milliseconds */
#define WAIT_STEP_MS	500

/* Seconds: in milliseconds or jiffies this still fits in 32 bits */
#define MAX_STALL_TIMEOUT	1000000u

static unsigned int stall_timeout = 300;
module_param(stall_timeout, uint, 0644);
MODULE_PARM_DESC(stall_timeout,
		 "Seconds that the host may stand still before it counts as lost and waits for it end with an error (default 300)");

static DEFINE_SPINLOCK(state_lock);
static enum host_state state = HOST_RESPONDS;	/* written under state_lock */
static unsigned long lost_at;			/* jiffies; likewise */

/* one event at a time, and registration in between */
static DEFINE_MUTEX(notify_mutex);
static RAW_NOTIFIER_HEAD(notifiers);
static bool notified_stalled;			/* what the chain was told last */

static void lost_work_run(struct work_struct *work);
static DECLARE_DELAYED_WORK(lost_work, lost_work_run);
static void notify_work_run(struct work_struct *work);
static DECLARE_WORK(notify_work, notify_work_run);

enum host_state host_state(void)
{
	return READ_ONCE(state);
}

const char *host_state_name(enum host_state of)
{
	static const char * const names[] = {
		[HOST_RESPONDS]	= "responds",
		[HOST_STALLED]	= "stalled",
		[HOST_LOST]	= "lost",
	};

	return names[of];
}

unsigned int host_stall_limit(void)
{
	return min(READ_ONCE(stall_timeout), MAX_STALL_TIMEOUT);
}

/* Called with state_lock held. A host that is lost stays so until it responds */
static void change_state(enum host_state to)
{
	enum host_state from = state;

	if (to == from || (from == HOST_LOST && to == HOST_STALLED))
		return;
	WRITE_ONCE(state, to);
	trace_synth_host_state(from, to);
	if (to == HOST_STALLED) {
		lost_at = jiffies + host_stall_limit() * HZ;
		schedule_delayed_work(&lost_work, lost_at - jiffies);
	} else {
		cancel_delayed_work(&lost_work);
	}
	queue_work(system_freezable_wq, &notify_work);
}

void host_state_set(enum host_state to)
{
	unsigned long flags;

	spin_lock_irqsave(&state_lock, flags);
	change_state(to);
	spin_unlock_irqrestore(&state_lock, flags);
}

static void lost_work_run(struct work_struct *work)
{
	unsigned long flags;
	bool lost = false;

	spin_lock_irqsave(&state_lock, flags);
	if (state == HOST_STALLED && time_before(jiffies, lost_at)) {
		/* it has responded, and stalled anew, since this was queued */
		schedule_delayed_work(&lost_work, lost_at - jiffies);
	} else if (state == HOST_STALLED) {
		change_state(HOST_LOST);
		lost = true;
	}
	spin_unlock_irqrestore(&state_lock, flags);
	if (lost)
		pr_err("the host has not responded for %u s: it counts as lost, and what waits for it ends with an error\n",
		       host_stall_limit());
}

unsigned int host_counted(unsigned int ms)
{
	return host_state() == HOST_RESPONDS ? ms : 0;
}

int host_wait(struct completion *done, unsigned int seconds, bool outlast)
{
	u64 limit = (u64)seconds * MSEC_PER_SEC, passed = 0;

	for (;;) {
		if (wait_for_completion_timeout(done,
						msecs_to_jiffies(WAIT_STEP_MS)))
			return 0;
		switch (host_state()) {
		case HOST_LOST:
			return -ENODEV;
		case HOST_STALLED:
			if (!outlast)
				return -EAGAIN;
			break;
		case HOST_RESPONDS:
			passed += WAIT_STEP_MS;
			if (passed >= limit)
				return -ETIMEDOUT;
		}
	}
}

static void notify_work_run(struct work_struct *work)
{
	bool stalled;

	mutex_lock(&notify_mutex);
	while ((stalled = host_state() != HOST_RESPONDS) != notified_stalled) {
		notified_stalled = stalled;
		raw_notifier_call_chain(&notifiers,
					stalled ? SYNTHIO_HOST_STALLED :
						  SYNTHIO_HOST_RESPONDS, NULL);
	}
	mutex_unlock(&notify_mutex);
}

#ifdef SYNTHIO_OWN_NAMES
bool synthio_host_stalled(struct hv_device *hv)
{
	return host_state() != HOST_RESPONDS;
}
EXPORT_SYMBOL_GPL(synthio_host_stalled);

int synthio_host_register(struct notifier_block *nb)
{
	int ret;

	mutex_lock(&notify_mutex);
	ret = raw_notifier_chain_register(&notifiers, nb);
	/* if the chain is yet to be told, the work item will call this block too */
	if (!ret && notified_stalled)
		nb->notifier_call(nb, SYNTHIO_HOST_STALLED, NULL);
	mutex_unlock(&notify_mutex);
	return ret;
}
EXPORT_SYMBOL_GPL(synthio_host_register);

void synthio_host_unregister(struct notifier_block *nb)
{
	mutex_lock(&notify_mutex);
	raw_notifier_chain_unregister(&notifiers, nb);
	mutex_unlock(&notify_mutex);
}
EXPORT_SYMBOL_GPL(synthio_host_unregister);
#endif

void host_state_exit(void)
{
	cancel_delayed_work_sync(&lost_work);
	cancel_work_sync(&notify_work);
}
