/* SPDX-License-Identifier: GPL-2.0-only */
/* Work that runs when a test says so. */
#ifndef TEST_LINUX_WORKQUEUE_H
#define TEST_LINUX_WORKQUEUE_H

#include <linux/hyperv.h>

struct work_struct {
	void (*func)(struct work_struct *work);
	bool queued;
};

struct delayed_work {
	struct work_struct work;
	unsigned long due;
};

#define DECLARE_WORK(name, fn)		struct work_struct name = { .func = (fn) }
#define DECLARE_DELAYED_WORK(name, fn) \
	struct delayed_work name = { .work.func = (fn) }
#define system_freezable_wq		NULL

/* the test's */
bool queue_work(void *wq, struct work_struct *work);
bool schedule_delayed_work(struct delayed_work *work, unsigned long delay);
bool cancel_delayed_work(struct delayed_work *work);
bool cancel_delayed_work_sync(struct delayed_work *work);
bool cancel_work_sync(struct work_struct *work);

#endif
