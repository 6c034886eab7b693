// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reset of a controller, and what leads back to work after one.
 *
 * A reset closes all channels and opens them again. What follows depends on the host:
 *
 *	it confirms the close	it uses no memory of earlier requests any more:
 *				they are sent again
 *	it does not answer	requests stay where they are (SYND_CTRL_RECOVERING), and
 *				the reset is tried again, at growing intervals, and at
 *				once when the bus reports that the host answers
 *	it refuses		requests fail (SYND_CTRL_FAILED), and it is tried again
 *
 * After a reset each disk is checked by itself: nothing is sent to a unit before its
 * identity was read and is the same. A unit that does not answer is asked again after
 * a pause, and holds up no other.
 */
#include "synth_blk.h"

#define DELAY_MIN		HZ

/* For resets and the like: what makes I/O go on must not wait for I/O */
struct workqueue_struct *synd_repair_wq;

/**
 * synd_hold_all() - hold the queues of all disks, or let them go
 * @c: controller
 * @hold: how
 *
 * Context: process, ctrl->mutex held, sleeps.
 */
void synd_hold_all(struct synd_ctrl *c, enum synd_hold hold)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_set_hold(d, hold);
}

/**
 * synd_fail_all() - fail all requests of a controller, those to come, too
 * @c: queues are held, channels are closed
 * @state: its next state, in which requests fail
 * @confirmed: the host does not use any request any more
 *
 * Context: process, ctrl->mutex held, sleeps.
 */
void synd_fail_all(struct synd_ctrl *c, enum synd_ctrl_state state,
		   bool confirmed)
{
	unsigned int n = 0, kept = 0;
	struct synd_disk *d;

	synd_ctrl_set_state(c, state);
	list_for_each_entry(d, &c->disk_list, node)
		n += synd_disk_fail_all(d, confirmed, &kept);
	synd_hold_all(c, SYND_HOLD_NONE);
	if (n)
		synd_err(c, "%u requests that the host has not answered have failed\n",
			 n);
	if (kept)
		synd_err(c, "%u pages are quarantined until the host confirms that it does not use them\n",
			 kept);
}

/* ---- identity of units after a reset ------------------------------------------ */

/* Nothing is sent to a unit until check_work has read its identity */
static void check_all(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		switch (d->state) {
		case SYND_DISK_LIVE:
			synd_disk_set_state(d, SYND_DISK_CHECKING);
			fallthrough;
		case SYND_DISK_CHECKING:
			d->check_delay = 0;
			mod_delayed_work(synd_repair_wq, &d->check_work, 0);
			break;
		case SYND_DISK_ADDING:
			/* synd_disk_add() goes on with the check */
			break;
		default:
			synd_disk_set_hold(d, SYND_HOLD_NONE);
		}
	}
}

static void check_again(struct synd_disk *d, int why)
{
	if (why && !d->check_delay)
		dev_warn(disk_to_dev(d->gd),
			 "after a reset the unit does not report what it is: %d; nothing is written to it before it does, and it is asked again\n",
			 why);
	queue_delayed_work(synd_repair_wq, &d->check_work,
			   synd_next_delay(&d->check_delay, DELAY_MIN));
}

static void check_disk(struct synd_disk *d)
{
	struct synd_ctrl *c = d->ctrl;
	struct sbc_disk id;
	int ret;

	if (d->state != SYND_DISK_CHECKING || c->state != SYND_CTRL_LIVE)
		return;
	if (synd_pause_may_begin(c, SYND_OP_CHECK)) {
		check_again(d, 0);
		return;
	}
	synd_command_scan_begins(c);
	ret = synd_command_identify(c, d->target, d->lun, &id);
	switch (ret ? SBC_IDENTITY_UNKNOWN : sbc_compare(&d->id, &id)) {
	case SBC_IDENTITY_SAME:
		synd_disk_set_state(d, SYND_DISK_LIVE);
		synd_disk_set_hold(d, SYND_HOLD_NONE);
		return;
	case SBC_IDENTITY_UNKNOWN:
		if (ret == -ENODEV)
			break;
		check_again(d, ret ?: -ENODATA);
		return;
	default:
		break;
	}
	dev_err(disk_to_dev(d->gd),
		"after a reset %s in the unit's place: requests fail, and the disk is removed\n",
		ret ? "nothing is" : "another unit is");
	synd_disk_set_state(d, SYND_DISK_REPLACED);
	synd_disk_set_hold(d, SYND_HOLD_NONE);
	synd_scan(c);
}

/**
 * synd_check_work() - read the identity of a unit after a reset
 * @work: disk->check_work
 */
void synd_check_work(struct work_struct *work)
{
	struct synd_disk *d = container_of(to_delayed_work(work),
					   struct synd_disk, check_work);

	synd_ctrl_lock(d->ctrl);
	check_disk(d);
	synd_ctrl_unlock(d->ctrl);
}

/* ---- reset ---------------------------------------------------------------------- */

/**
 * synd_recover_later() - try a reset again after a while
 * @c: in SYND_CTRL_RECOVERING or SYND_CTRL_FAILED
 *
 * Context: process, ctrl->mutex held.
 */
void synd_recover_later(struct synd_ctrl *c)
{
	queue_delayed_work(synd_repair_wq, &c->recover_work,
			   synd_next_delay(&c->recover_delay, DELAY_MIN));
}

/**
 * synd_reopen() - open a controller whose channels are closed
 * @c: in SYND_CTRL_RESETTING, queues quiesced or frozen
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0, or the error of this try; others follow.
 */
int synd_reopen(struct synd_ctrl *c)
{
	bool first_try = !c->recover_delay;
	u32 max_transfer = c->max_transfer;
	int ret = synd_bring_up(c);

	if (!ret && c->max_transfer < max_transfer) {
		/* the limits of the disks were made of that */
		synd_err(c, "the host takes %u bytes in a transfer now, and took %u before\n",
			 c->max_transfer, max_transfer);
		synd_chan_close_all(c);
		ret = -EPROTO;
	}
	if (max_transfer)
		c->max_transfer = max_transfer;
	if (!ret) {
		c->recover_delay = 0;
		WRITE_ONCE(c->responds_since, jiffies);
		synd_ctrl_set_state(c, SYND_CTRL_LIVE);
		check_all(c);
		synd_scan(c);
		return 0;
	}
	/* a device that was rescinded is about to be removed */
	if (ret == -EPROTO && !c->unconfirmed) {
		if (first_try)
			synd_err(c, "the host refuses to open the controller again: requests fail; it is tried again\n");
		synd_fail_all(c, SYND_CTRL_FAILED, true);
	} else {
		if (first_try)
			synd_err(c, "the controller can't be opened again: %d; requests wait, and it is tried again\n",
				 ret);
		synd_ctrl_set_state(c, SYND_CTRL_RECOVERING);
	}
	synd_recover_later(c);
	return ret;
}

/**
 * synd_reset() - close a controller, open it again, send all requests again
 * @c: controller; one that is recovering or has failed is tried at once
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0; -EBUSY if the controller is in no state for it; -EAGAIN if the host does
 *	not answer at present; or the error of this try.
 */
int synd_reset(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int n = 0;
	int ret;

	switch (c->state) {
	case SYND_CTRL_LIVE:
		break;
	case SYND_CTRL_RECOVERING:
	case SYND_CTRL_FAILED:
		c->recover_delay = 0;
		break;
	default:
		return -EBUSY;
	}
	ret = synd_pause_may_begin(c, SYND_OP_RESET);
	if (ret)
		return ret;
	synd_warn(c, "reset\n");
	c->resets++;
	synd_ctrl_set_state(c, SYND_CTRL_RESETTING);
	synd_hold_all(c, SYND_HOLD_QUIESCED);
	if (synd_chan_close_all(c)) {
		list_for_each_entry(d, &c->disk_list, node)
			n += synd_disk_requeue(d, NULL);
		synd_info(c, "the host has confirmed the close; %u requests are sent again\n",
			  n);
	}
	return synd_reopen(c);
}

/**
 * synd_recover_work() - try a reset again
 * @work: ctrl->recover_work
 */
void synd_recover_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, recover_work);

	synd_ctrl_lock(c);
	if (c->state != SYND_CTRL_RECOVERING && c->state != SYND_CTRL_FAILED)
		goto out;
	if (synd_pause_may_begin(c, SYND_OP_RECOVER)) {
		synd_recover_later(c);
		goto out;
	}
	synd_ctrl_set_state(c, SYND_CTRL_RESETTING);
	synd_hold_all(c, SYND_HOLD_QUIESCED);
	synd_chan_close_all(c);
	if (!synd_reopen(c))
		synd_info(c, "the controller is open again\n");
out:
	synd_ctrl_unlock(c);
}

/* Sub-channels that the host has rescinded alone: their queues get the primary */
static void replace_lost_channels(struct synd_ctrl *c)
{
	unsigned int i, n = 0;
	struct synd_chan *ch;
	struct synd_disk *d;

	if (c->state > SYND_CTRL_REMOVING ||
	    READ_ONCE(c->hv->channel->rescind))
		return;
	list_for_each_entry(d, &c->disk_list, node) {
		if (d->hold == SYND_HOLD_NONE) {
			synd_disk_set_hold(d, SYND_HOLD_QUIESCED);
			d->lost_hold = true;
		}
	}
	while ((ch = synd_chan_find_lost(c))) {
		list_for_each_entry(d, &c->disk_list, node)
			n += synd_disk_requeue(d, ch);
		for (i = 0; i < c->nr_queues; i++) {
			if (c->queues[i] == ch)
				WRITE_ONCE(c->queues[i], &c->chans[0]);
		}
		synd_warn(c, "the host has rescinded sub-channel %u: %u requests are sent again on the primary channel\n",
			  ch->index, n);
	}
	list_for_each_entry(d, &c->disk_list, node) {
		/* a reset may hold a disk that is being added, for its check */
		if (d->lost_hold) {
			d->lost_hold = false;
			synd_disk_set_hold(d, SYND_HOLD_NONE);
		}
	}
}

/**
 * synd_event_work() - act upon what other files have noted
 * @work: ctrl->event_work
 */
void synd_event_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(work, struct synd_ctrl, event_work);

	if (test_and_clear_bit(SYND_EVENT_SCAN, &c->events))
		synd_scan(c);
	if (test_and_clear_bit(SYND_EVENT_CHANNEL_LOST, &c->events)) {
		synd_ctrl_lock(c);
		replace_lost_channels(c);
		synd_ctrl_unlock(c);
	}
	/* one that the host's silence forbids is asked for by the next timeout */
	if (test_and_clear_bit(SYND_EVENT_RESET, &c->events)) {
		synd_ctrl_lock(c);
		synd_reset(c);
		synd_ctrl_unlock(c);
	}
}
