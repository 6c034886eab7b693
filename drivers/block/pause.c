// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the host answers, and what may be begun while it does not. The rules are a
 * table in state.c. The bus knows more (synthio_host_stalled()) where it is synthio's;
 * on the kernel's the driver has to go by the requests that it has at the host.
 */
#include <synthio/host_state.h>

#include "synth_blk.h"

/* jiffies since the host has sent anything on this controller */
static unsigned long silent_for(const struct synd_ctrl *c)
{
	unsigned long now = jiffies, least = ULONG_MAX, age;
	unsigned int i, n = READ_ONCE(c->nr_chans);

	for (i = 0; i < n; i++) {
		age = now - READ_ONCE(c->chans[i].last_packet);
		if ((long)age < 0)	/* just now */
			age = 0;
		least = min(least, age);
	}
	return n ? least : 0;
}

/**
 * synd_pause_state() - what is known of the host, without asking it
 * @c: controller
 *
 * Context: any.
 */
enum synd_host_state synd_pause_state(struct synd_ctrl *c)
{
	unsigned long oldest = 0;
	struct synd_disk *d;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < SYND_MAX_DISKS; i++) {
		d = rcu_dereference(c->disks[i]);
		if (d)
			oldest = max(oldest, synd_disk_oldest(d));
	}
	rcu_read_unlock();
	return synd_host_judge(synthio_host_stalled(c->hv),
			       jiffies_to_msecs(oldest),
			       jiffies_to_msecs(silent_for(c)));
}

/**
 * synd_pause_may_begin() - whether something that needs the host may begin now
 * @c: controller
 * @op: what it is
 *
 * Context: process, ctrl->mutex held, sleeps for a few seconds at most.
 * Return: 0, or -EAGAIN while the host is paused.
 */
int synd_pause_may_begin(struct synd_ctrl *c, enum synd_operation op)
{
	enum synd_host_state host = synd_pause_state(c);

	lockdep_assert_held(&c->mutex);
	switch (synd_host_rule(host, op)) {
	case SYND_RULE_GO:
		return 0;
	case SYND_RULE_ASK:
		if (synd_command_probe_host(c) != -ETIMEDOUT)
			return 0;
		fallthrough;
	case SYND_RULE_REFUSE:
		synd_warn(c, "the host does not answer at present: %s is not begun; try again later\n",
			  op == SYND_OP_SUSPEND ? "hibernation" : "a reset");
		return -EAGAIN;
	default:
		return -EAGAIN;
	}
}
