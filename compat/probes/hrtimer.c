// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE hrtimer: how a timer is set up
 * FORM SETUP: hrtimer_setup(), since 6.13
 * FORM INIT: hrtimer_init()
 */
#include <linux/hrtimer.h>

void probe(struct hrtimer *t, enum hrtimer_restart (*f)(struct hrtimer *));
void probe(struct hrtimer *t, enum hrtimer_restart (*f)(struct hrtimer *))
{
#ifdef PROBE_SETUP
	hrtimer_setup(t, f, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
#else
	hrtimer_init(t, CLOCK_MONOTONIC, HRTIMER_MODE_REL);
	t->function = f;
#endif
}
