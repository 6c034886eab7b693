/* SPDX-License-Identifier: GPL-2.0-only */
/* Time that passes when a test says so. */
#ifndef TEST_LINUX_JIFFIES_H
#define TEST_LINUX_JIFFIES_H

#define HZ			1000
#define MSEC_PER_SEC		1000

extern unsigned long jiffies;

#define time_before(a, b)	((long)((a) - (b)) < 0)
#define time_after_eq(a, b)	((long)((a) - (b)) >= 0)

static inline unsigned long msecs_to_jiffies(unsigned int ms)
{
	return ms;
}

#endif
