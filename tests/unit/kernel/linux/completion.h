/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef TEST_LINUX_COMPLETION_H
#define TEST_LINUX_COMPLETION_H

#include <linux/hyperv.h>

struct completion {
	bool done;
};

/* the test's: passes time, in which something may happen */
unsigned long wait_for_completion_timeout(struct completion *done,
					  unsigned long timeout);

#endif
