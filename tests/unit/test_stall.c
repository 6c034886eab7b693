// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel/host_state.c: states of the host, waits while it stands still, and what
 * device drivers are told. Time passes, and work runs, when the test says so.
 */
#include <string.h>

#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/workqueue.h>

#include <synthio/host_state.h>

#include "host_state.h"
#include "tap.h"

unsigned long jiffies = -5000UL;	/* wraps during the tests */
unsigned int test_logged;

static struct work_struct *notify;	/* found when it is queued */
static struct delayed_work *lost;

/* what happens at a time of its own, while something waits */
static struct {
	unsigned long at;
	void (*happens)(void);
} next;
static struct completion done;

bool queue_work(void *wq, struct work_struct *work)
{
	(void)wq;
	notify = work;
	work->queued = true;
	return true;
}

bool schedule_delayed_work(struct delayed_work *work, unsigned long delay)
{
	lost = work;
	if (work->work.queued)
		return false;
	work->work.queued = true;
	work->due = jiffies + delay;
	return true;
}

bool cancel_delayed_work(struct delayed_work *work)
{
	bool was = work->work.queued;

	work->work.queued = false;
	return was;
}

bool cancel_delayed_work_sync(struct delayed_work *work)
{
	return cancel_delayed_work(work);
}

bool cancel_work_sync(struct work_struct *work)
{
	work->queued = false;
	return true;
}

/* Drivers are told what they are to be told by now */
static void tell(void)
{
	if (!notify || !notify->queued)
		return;
	notify->queued = false;
	notify->func(notify);
}

static void pass(unsigned long time)
{
	jiffies += time;
	if (lost && lost->work.queued && time_after_eq(jiffies, lost->due)) {
		lost->work.queued = false;
		lost->work.func(&lost->work);
	}
	if (next.happens && time_after_eq(jiffies, next.at)) {
		void (*happens)(void) = next.happens;

		next.happens = NULL;
		happens();
	}
}

unsigned long wait_for_completion_timeout(struct completion *c,
					  unsigned long timeout)
{
	if (!c->done)
		pass(timeout);
	return c->done;
}

static void in(unsigned long time, void (*happens)(void))
{
	next.at = jiffies + time;
	next.happens = happens;
}

static void answer(void)
{
	done.done = true;
}

static void go_on(void)
{
	host_state_set(HOST_RESPONDS);
	in(2 * HZ, answer);
}

static void stall(void)
{
	host_state_set(HOST_STALLED);
	in(90 * HZ, go_on);
}

static void begin(void)
{
	host_state_set(HOST_RESPONDS);
	tell();
	done.done = false;
	next.happens = NULL;
}

static void states(void)
{
	begin();
	CHECK(!synthio_host_stalled(NULL), "stalled");
	host_state_set(HOST_STALLED);
	CHECK(synthio_host_stalled(NULL) && host_state() == HOST_STALLED, "%s",
	      host_state_name(host_state()));
	CHECK(!host_counted(7), "a stall counts");
	pass((host_stall_limit() - 1) * HZ);
	CHECK(host_state() == HOST_STALLED, "lost too early");
	pass(HZ);
	CHECK(host_state() == HOST_LOST && synthio_host_stalled(NULL), "%s",
	      host_state_name(host_state()));
	host_state_set(HOST_STALLED);
	CHECK(host_state() == HOST_LOST, "%s", host_state_name(host_state()));
	host_state_set(HOST_RESPONDS);
	CHECK(host_state() == HOST_RESPONDS && host_counted(7) == 7, "%s",
	      host_state_name(host_state()));
	host_state_set(HOST_LOST);
	CHECK(host_state() == HOST_LOST, "%s", host_state_name(host_state()));
}

/* The second stall gets all of its time, also if the first one's work still runs */
static void anew(void)
{
	void (*late)(struct work_struct *work);

	begin();
	host_state_set(HOST_STALLED);
	late = lost->work.func;
	pass((host_stall_limit() - 1) * HZ);
	host_state_set(HOST_RESPONDS);
	host_state_set(HOST_STALLED);
	lost->work.queued = false;
	late(&lost->work);
	CHECK(host_state() == HOST_STALLED, "lost by the first stall");
	pass((host_stall_limit() - 1) * HZ);
	CHECK(host_state() == HOST_STALLED, "lost too early");
	pass(HZ);
	CHECK(host_state() == HOST_LOST, "not lost");
}

static void waits(void)
{
	unsigned long start;
	int ret;

	begin();
	start = jiffies;
	ret = host_wait(&done, 3, true);
	CHECK(ret == -ETIMEDOUT && jiffies - start == 3 * HZ, "%d after %lu", ret,
	      jiffies - start);
	in(2 * HZ, answer);
	ret = host_wait(&done, 3, true);
	CHECK(!ret, "%d", ret);

	/* it stalls after 1 s, for 90 s, and answers after another 2 */
	begin();
	start = jiffies;
	in(HZ, stall);
	ret = host_wait(&done, 4, true);
	CHECK(!ret && jiffies - start == 93 * HZ, "%d after %lu", ret,
	      jiffies - start);

	/* the same for who can't wait */
	begin();
	start = jiffies;
	in(HZ, stall);
	ret = host_wait(&done, 4, false);
	CHECK(ret == -EAGAIN && jiffies - start <= 2 * HZ, "%d after %lu", ret,
	      jiffies - start);

	/* and it never goes on */
	begin();
	start = jiffies;
	host_state_set(HOST_STALLED);
	ret = host_wait(&done, 4, true);
	CHECK(ret == -ENODEV && jiffies - start <= (host_stall_limit() + 1) * HZ,
	      "%d after %lu", ret, jiffies - start);
	CHECK(host_wait(&done, 4, true) == -ENODEV, "waits for a lost host");
}

/* What a driver was told, in order: s and r */
static char told[2][16];

static int hear(struct notifier_block *nb, unsigned long event, void *data);
static struct notifier_block blocks[] = {
	{ .notifier_call = hear },
	{ .notifier_call = hear },
};

static int hear(struct notifier_block *nb, unsigned long event, void *data)
{
	char *to = told[nb - blocks];

	(void)data;
	to[strlen(to)] = event == SYNTHIO_HOST_STALLED ? 's' : 'r';
	return NOTIFY_OK;
}

static void drivers(void)
{
	begin();
	memset(told, 0, sizeof(told));
	CHECK(!synthio_host_register(&blocks[0]), "not registered");
	CHECK(synthio_host_register(&blocks[0]) == -EEXIST, "registered twice");
	CHECK(!told[0][0], "told %s", told[0]);

	/* a stall that is over at once need not be told, one that is not is */
	host_state_set(HOST_STALLED);
	host_state_set(HOST_RESPONDS);
	tell();
	CHECK(!told[0][0], "told %s", told[0]);
	host_state_set(HOST_STALLED);
	CHECK(!told[0][0], "told in the caller's context");
	tell();
	CHECK(!strcmp(told[0], "s"), "told %s", told[0]);

	/* who comes during the stall hears of it, and the loss is no news */
	CHECK(!synthio_host_register(&blocks[1]), "not registered");
	CHECK(!strcmp(told[1], "s"), "told %s", told[1]);
	pass(host_stall_limit() * HZ);
	tell();
	CHECK(host_state() == HOST_LOST && !strcmp(told[0], "s"), "told %s",
	      told[0]);
	host_state_set(HOST_RESPONDS);
	tell();
	CHECK(!strcmp(told[0], "sr") && !strcmp(told[1], "sr"), "told %s, %s",
	      told[0], told[1]);

	/* registered when the stall is known and was not told yet: once */
	synthio_host_unregister(&blocks[1]);
	host_state_set(HOST_STALLED);
	CHECK(!synthio_host_register(&blocks[1]), "not registered");
	tell();
	CHECK(!strcmp(told[1], "srs"), "told %s", told[1]);

	synthio_host_unregister(&blocks[0]);
	synthio_host_unregister(&blocks[1]);
	host_state_set(HOST_RESPONDS);
	tell();
	CHECK(!strcmp(told[0], "srs") && !strcmp(told[1], "srs"),
	      "told %s, %s after the end", told[0], told[1]);
}

int main(void)
{
	tap_test("a host stalls, is lost, and comes back", states);
	tap_test("each stall has its own time", anew);
	tap_test("waits outlast a stall, and end when the host is lost", waits);
	tap_test("drivers are told", drivers);
	host_state_exit();
	return tap_done();
}
