// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which units a controller has. They are asked under ctrl->mutex, which results in a
 * plan for each disk. The plans are carried out without the mutex, since adding and
 * removing a disk takes as long as the host needs for its requests. Both are done in
 * one work, the only one that adds and removes disks, except for the removal of the
 * controller, which stops it first.
 *
 * A disk is removed only if the host reports that there is no such unit, or that it
 * is another one. A unit that is busy or does not answer keeps its disk. A scan that
 * the host did not answer at all is repeated, at growing intervals, until it does.
 */
#include "synth_blk.h"

#define DYING_WAIT		HZ
#define INCOMPLETE_DELAY	(2 * HZ)	/* between two scans, ... */
#define INCOMPLETE_TRIES	30		/* ... and how many */
#define SCAN_DELAY_MIN		(2 * HZ)	/* after a scan without any answer */

static struct synd_disk *find_disk(struct synd_ctrl *c, u8 target, u8 lun)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		if (d->target == target && d->lun == lun &&
		    d->state != SYND_DISK_DYING)
			return d;
	}
	return NULL;
}

enum presence { ABSENT, PRESENT, UNANSWERED };

/* A unit does not report what it is: its disk, if it has one, stays as it is */
static void unit_unknown(struct synd_ctrl *c, struct synd_disk *d, u8 target,
			 u8 lun, int why)
{
	/* once, not in each repetition */
	if (c->scan_tries == INCOMPLETE_TRIES)
		synd_warn(c, "target %u LUN %u %s: %d; it is asked again\n",
			  target, lun, why == -ETIMEDOUT ? "does not answer" :
			  "does not report what it is", why);
	if (d && d->state != SYND_DISK_REPLACED)
		d->plan = d->state == SYND_DISK_PLANNED ? SYND_PLAN_ADD :
							  SYND_PLAN_KEEP;
	/* it may be starting, or slow */
	if (why == -EIO || why == -ETIMEDOUT)
		c->scan_incomplete = true;
}

/* Not a disk. Returns -ENODEV if the controller is left to another driver */
static int not_a_disk(struct synd_ctrl *c, u8 target, u8 lun, u8 type,
		      bool first)
{
	if (first && !synd_ignore_non_disks) {
		synd_info(c, "target %u LUN %u is of type %u, not a disk: the controller is left to hv_storvsc (with the parameter ignore_non_disks=1 its disks are used)\n",
			  target, lun, type);
		return -ENODEV;
	}
	/* once, not in each scan */
	if (target >= SYND_MAX_TARGETS ||
	    !test_and_set_bit(lun, c->ignored[target]))
		synd_info(c, "target %u LUN %u is of type %u, not a disk: ignored\n",
			  target, lun, type);
	return 0;
}

/*
 * Ask one unit what it is, and plan what to do. Returns 0, -ENODEV if the controller
 * is left to another driver, or another error if the channel can't be used any more.
 */
static int discover_unit(struct synd_ctrl *c, u8 target, u8 lun, bool first,
			 enum presence *there)
{
	struct synd_disk *d = find_disk(c, target, lun);
	struct sbc_disk id;
	int ret;

	ret = synd_command_identify(c, target, lun, &id);
	*there = ret == -ENODEV ? ABSENT : ret == -ETIMEDOUT ? UNANSWERED :
		 PRESENT;
	switch (ret) {
	case 0:
		break;
	case -ENODEV:
		return 0;
	case -EIO:
	case -EINVAL:
	case -EOPNOTSUPP:
	case -ETIMEDOUT:
		unit_unknown(c, d, target, lun, ret);
		return 0;
	default:
		return ret;
	}

	if (id.type != SBC_TYPE_DISK)
		return not_a_disk(c, target, lun, id.type, first);
	if (!d) {
		d = synd_disk_alloc(c, target, lun, &id);
		if (IS_ERR(d)) {
			synd_err(c, "target %u LUN %u can't become a disk: %ld; a rescan tries again\n",
				 target, lun, PTR_ERR(d));
			return 0;
		}
		d->plan = SYND_PLAN_ADD;
	} else if (d->state == SYND_DISK_REPLACED || !sbc_same(&d->id, &id)) {
		/* the next scan finds the unit that is there now */
		synd_scan(c);
	} else if (d->state >= SYND_DISK_LIVE) {
		d->scanned = id;
		d->plan = SYND_PLAN_UPDATE;
	} else {
		d->plan = SYND_PLAN_ADD;
	}
	return 0;
}

/*
 * Units of a target that does not list them: LUN 0 and up to the first that is
 * missing, and those that have a disk. Two LUNs in succession that do not answer
 * count as missing.
 */
static int discover_each(struct synd_ctrl *c, u8 target, bool first)
{
	enum presence there = PRESENT, before = PRESENT;
	unsigned int lun;
	bool end = false;
	int ret;

	for (lun = 0; lun < SYND_MAX_LUNS; lun++) {
		if (end && !find_disk(c, target, lun))
			continue;
		before = there;
		ret = discover_unit(c, target, lun, first, &there);
		if (ret)
			return ret;
		if (there == ABSENT || (there == UNANSWERED && before == UNANSWERED))
			end = true;
	}
	return 0;
}

static int discover_target(struct synd_ctrl *c, u8 target, bool first)
{
	u8 luns[SYND_MAX_LUNS / 8];
	unsigned int lun;
	enum presence there;
	int ret;

	ret = synd_command_report_luns(c, target, luns);
	if (ret == -EIO || ret == -EOPNOTSUPP || ret == -ETIMEDOUT)
		return discover_each(c, target, first);
	for (lun = 0; !ret && lun < SYND_MAX_LUNS; lun++) {
		if (luns[lun / 8] & 1 << lun % 8)
			ret = discover_unit(c, target, lun, first, &there);
	}
	return ret;
}

/*
 * Ask all units and plan what to do. On success each disk has a plan, on failure only
 * those have that wait for the rest of an earlier one.
 */
static int discover(struct synd_ctrl *c, bool first)
{
	u64 answers = c->answers;
	struct synd_disk *d;
	unsigned int target;
	enum presence there;
	int ret = 0;

	lockdep_assert_held(&c->mutex);
	c->scan_incomplete = false;
	synd_command_scan_begins(c);
	list_for_each_entry(d, &c->disk_list, node)
		d->plan = SYND_PLAN_REMOVE;
	if (c->ide)
		ret = discover_unit(c, c->ide_target, 0, first, &there);
	for (target = 0; !c->ide && target < SYND_MAX_TARGETS && !ret; target++)
		ret = discover_target(c, target, first);
	/* not a unit, but the host does not answer */
	if (!ret && c->answers == answers)
		ret = -ETIMEDOUT;
	if (ret) {
		list_for_each_entry(d, &c->disk_list, node)
			d->plan = d->update_pending ? SYND_PLAN_UPDATE :
						      SYND_PLAN_KEEP;
	}
	return ret;
}

/**
 * synd_scan_first() - ask for the first time which units there are
 * @c: initialised
 *
 * The next run of ctrl->scan_work adds the disks.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0; -ENODEV if the controller is left to another driver; an error if the
 *	host does not answer.
 */
int synd_scan_first(struct synd_ctrl *c)
{
	c->scan_tries = INCOMPLETE_TRIES;
	return discover(c, true);
}

/* Returns whether a disk is gone; else call it again, when its requests have ended */
static bool remove_unit(struct synd_disk *d)
{
	if (d->state != SYND_DISK_DYING) {
		if (d->gd)
			dev_info(disk_to_dev(d->gd), "was removed by the host\n");
		else	/* one that was only planned has no name yet */
			synd_info(d->ctrl, "target %u LUN %u was removed by the host\n",
				  d->target, d->lun);
	}
	return synd_disk_remove(d, true, DYING_WAIT);
}

/*
 * Do what discover() has planned, without the mutex: see synd_disk_add(). Nothing
 * else changes the list meanwhile. The wait for one disk is short, so that others
 * are not delayed. Returns whether something is left to do.
 */
static bool carry_out(struct synd_ctrl *c)
{
	struct synd_disk *d, *next;
	bool again = false;

	list_for_each_entry_safe(d, next, &c->disk_list, node) {
		enum synd_plan plan = d->plan;

		d->plan = SYND_PLAN_KEEP;
		if (d->state == SYND_DISK_DYING)
			plan = SYND_PLAN_REMOVE;
		switch (plan) {
		case SYND_PLAN_ADD:
			if (synd_disk_add(d) &&
			    !synd_disk_remove(d, true, DYING_WAIT))
				again = true;
			break;
		case SYND_PLAN_UPDATE:
			d->update_pending = !synd_disk_update(d, &d->scanned,
							      DYING_WAIT);
			if (d->update_pending) {
				d->plan = SYND_PLAN_UPDATE;
				again = true;
			}
			break;
		case SYND_PLAN_REMOVE:
			if (!remove_unit(d))
				again = true;
			break;
		default:
			break;
		}
	}
	return again;
}

/* Scan once more after a while; sooner if synd_scan() is called */
static void scan_again(struct synd_ctrl *c, unsigned long delay)
{
	WRITE_ONCE(c->scan_wanted, true);
	queue_delayed_work(c->wq, &c->scan_work, delay);
}

/* The host did not answer a scan, or is paused: it stays wanted */
static void scan_unanswered(struct synd_ctrl *c, int why)
{
	if (why && !c->scan_delay)
		synd_warn(c, "the host does not answer which units there are: %d; it is asked again until it does\n",
			  why);
	scan_again(c, synd_next_delay(&c->scan_delay, SCAN_DELAY_MIN));
}

/**
 * synd_scan_work() - scan, if that is wanted, and carry out what was planned
 * @work: ctrl->scan_work
 */
void synd_scan_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, scan_work);
	bool wanted = false, deferred = false;
	int ret = 0;

	synd_ctrl_lock(c);
	if (c->state == SYND_CTRL_REMOVING || c->state == SYND_CTRL_GONE) {
		synd_ctrl_unlock(c);
		return;
	}
	/* else it is to do what probe has planned, or about dying disks */
	if (c->state == SYND_CTRL_LIVE)
		wanted = xchg(&c->scan_wanted, false);
	if (wanted)
		deferred = synd_pause_may_begin(c, SYND_OP_SCAN);
	if (wanted && !deferred)
		ret = discover(c, false);
	synd_ctrl_unlock(c);

	if (carry_out(c))
		queue_delayed_work(c->wq, &c->scan_work, HZ);
	if (ret || deferred) {
		scan_unanswered(c, ret);
		return;
	}
	if (wanted)
		c->scan_delay = 0;
	if (c->scan_incomplete && c->scan_tries) {
		c->scan_tries--;
		scan_again(c, INCOMPLETE_DELAY);
	}
}

/**
 * synd_scan() - ask soon which units there are, and what they are
 * @c: controller
 *
 * Context: any, until the works of the controller are stopped. In a controller that
 * is not live the scan begins after it has come back.
 */
void synd_scan(struct synd_ctrl *c)
{
	if (READ_ONCE(c->state) == SYND_CTRL_GONE)
		return;
	WRITE_ONCE(c->scan_tries, INCOMPLETE_TRIES);
	WRITE_ONCE(c->scan_wanted, true);
	mod_delayed_work(c->wq, &c->scan_work, 0);
}
