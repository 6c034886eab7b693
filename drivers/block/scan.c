// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which units a controller has: they are asked under ctrl->mutex, which makes a
 * plan, and the plan is carried out without it, since disks come and go only as
 * fast as the host answers. Both in one work, which is the only one that adds and
 * removes disks, but for the removal of the controller, which bars it first
 * (ctrl->leaving).
 *
 * A disk goes only if the host says that there is no such unit, or that it is
 * another one. A unit that is busy, or does not answer, keeps its disk.
 */
#include "synth_blk.h"

#define DYING_WAIT		HZ
#define UNSURE_DELAY		(2 * HZ)	/* between two looks, ... */
#define UNSURE_LOOKS		30		/* ... and how many */

static struct synd_disk *find_disk(struct synd_ctrl *c, u8 target, u8 lun)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		if (d->target == target && d->lun == lun && !d->dying)
			return d;
	}
	return NULL;
}

enum presence { ABSENT, PRESENT, SILENT };

/* A unit does not say what it is: its disk, if it has one, stays as it is */
static void unit_unsure(struct synd_ctrl *c, struct synd_disk *d, u8 target,
			u8 lun, int why)
{
	/* once, not each time that it is looked at again */
	if (c->patience == UNSURE_LOOKS)
		synd_warn(c, "target %u LUN %u %s: %d\n", target, lun,
			  why == -ETIMEDOUT ? "does not answer" :
			  "does not say what it is, or nonsense", why);
	if (d && !d->gone)
		d->plan = d->added ? SYND_KEEP : SYND_ADD;
	/* it may only be starting, or slow */
	if (why == -EIO || why == -ETIMEDOUT)
		c->unsure = true;
}

/* Something else than a disk. Returns -ENODEV if the controller is not for us */
static int not_a_disk(struct synd_ctrl *c, u8 target, u8 lun, u8 type,
		      bool first)
{
	if (first && !synd_mixed) {
		synd_info(c, "target %u LUN %u is of type %u, no disk: the controller is left to hv_storvsc (parameter mixed=1 takes its disks)\n",
			  target, lun, type);
		return -ENODEV;
	}
	/* each look finds it again */
	if (target >= SYND_MAX_TARGETS ||
	    !test_and_set_bit(lun, c->odd[target]))
		synd_info(c, "target %u LUN %u is of type %u, no disk: ignored\n",
			  target, lun, type);
	return 0;
}

/*
 * Look at one unit, and plan what to do. Returns 0, -ENODEV if the controller is
 * not for us, or another error if the host can't be asked any more.
 */
static int discover_unit(struct synd_ctrl *c, u8 target, u8 lun, bool first,
			 enum presence *there)
{
	struct synd_disk *d = find_disk(c, target, lun);
	struct sbc_disk id;
	int ret;

	ret = synd_proto_identify(c, target, lun, &id);
	*there = ret == -ENODEV ? ABSENT : ret == -ETIMEDOUT ? SILENT : PRESENT;
	switch (ret) {
	case 0:
		break;
	case -ENODEV:
		return 0;
	case -EIO:
	case -EINVAL:
	case -EOPNOTSUPP:
	case -ETIMEDOUT:
		unit_unsure(c, d, target, lun, ret);
		return 0;
	default:
		return ret;
	}

	if (id.type != SBC_TYPE_DISK)
		return not_a_disk(c, target, lun, id.type, first);
	if (!d) {
		d = synd_disk_alloc(c, target, lun, &id);
		if (IS_ERR(d)) {
			synd_err(c, "target %u LUN %u: no disk: %ld\n", target,
				 lun, PTR_ERR(d));
			return 0;
		}
		d->plan = SYND_ADD;
	} else if (d->gone || !sbc_same(&d->id, &id)) {
		/* another one came in its place: it is found by the next scan */
		synd_scan(c);
	} else if (d->added) {
		d->fresh = id;
		d->plan = SYND_UPDATE;
	} else {
		d->plan = SYND_ADD;
	}
	return 0;
}

/*
 * Units of a target that does not list them: from the first one on as far as
 * there are some, and those that are known. Of two that are silent, one after
 * the other, nobody can say that they are there.
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
		if (there == ABSENT || (there == SILENT && before == SILENT))
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

	ret = synd_proto_report_luns(c, target, luns);
	if (ret == -EIO || ret == -EOPNOTSUPP || ret == -ETIMEDOUT)
		return discover_each(c, target, first);
	for (lun = 0; !ret && lun < SYND_MAX_LUNS; lun++) {
		if (luns[lun / 8] & 1 << lun % 8)
			ret = discover_unit(c, target, lun, first, &there);
	}
	return ret;
}

/*
 * Ask what is there and plan what to do: on success each disk has a plan, on
 * failure only those have that wait for one of earlier.
 */
static int discover(struct synd_ctrl *c, bool first)
{
	u64 answers = c->answers;
	struct synd_disk *d;
	unsigned int target;
	enum presence there;
	int ret = 0;

	lockdep_assert_held(&c->mutex);
	c->unsure = false;
	synd_proto_look(c);
	list_for_each_entry(d, &c->disk_list, node)
		d->plan = SYND_REMOVE;
	if (c->ide)
		ret = discover_unit(c, c->ide_target, 0, first, &there);
	for (target = 0; !c->ide && target < SYND_MAX_TARGETS && !ret; target++)
		ret = discover_target(c, target, first);
	/* not one unit, but the host is silent */
	if (!ret && c->answers == answers)
		ret = -ETIMEDOUT;
	if (ret) {
		list_for_each_entry(d, &c->disk_list, node)
			d->plan = d->update_due ? SYND_UPDATE : SYND_KEEP;
	}
	return ret;
}

/**
 * synd_scan_first() - ask for the first time what is there
 * @c: initialised
 *
 * The next run of ctrl->scan_work makes disks of it.
 *
 * Context: process, ctrl->mutex held, sleeps for a bounded time.
 * Return: 0; -ENODEV if the controller is not for us; an error if the host does
 *	not answer.
 */
int synd_scan_first(struct synd_ctrl *c)
{
	c->patience = UNSURE_LOOKS;
	return discover(c, true);
}

/* Whether a disk is gone; else it is tried again, when its requests have ended */
static bool take_away(struct synd_disk *d)
{
	if (!d->dying) {
		/* one that was only planned has no name yet */
		if (d->gd)
			dev_info(disk_to_dev(d->gd), "was taken away\n");
		else
			synd_info(d->ctrl, "target %u LUN %u was taken away\n",
				  d->target, d->lun);
	}
	return synd_disk_remove(d, true, DYING_WAIT);
}

/*
 * Do what discover() planned. Without the mutex: see synd_disk_add(). Nobody
 * else changes the list meanwhile. The wait for any one disk is short: the others
 * have to come, too.
 */
static void carry_out(struct synd_ctrl *c)
{
	struct synd_disk *d, *next;
	bool again = false;

	list_for_each_entry_safe(d, next, &c->disk_list, node) {
		enum synd_plan plan = d->plan;

		d->plan = SYND_KEEP;
		if (d->dying)
			plan = SYND_REMOVE;
		switch (plan) {
		case SYND_ADD:
			if (synd_disk_add(d) &&
			    !synd_disk_remove(d, true, DYING_WAIT))
				again = true;
			break;
		case SYND_UPDATE:
			d->update_due = !synd_disk_update(d, &d->fresh,
							  DYING_WAIT);
			if (d->update_due) {
				d->plan = SYND_UPDATE;
				again = true;
			}
			break;
		case SYND_REMOVE:
			if (!take_away(d))
				again = true;
			break;
		default:
			break;
		}
	}
	if (again)
		queue_delayed_work(c->wq, &c->scan_work, HZ);
	if (c->unsure && c->patience) {
		c->patience--;
		WRITE_ONCE(c->look, true);
		queue_delayed_work(c->wq, &c->scan_work, UNSURE_DELAY);
	}
}

/**
 * synd_scan_work() - look, if somebody asked for that, and do what was planned
 * @work: ctrl->scan_work
 */
void synd_scan_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, scan_work);
	bool leaving;
	int ret = 0;

	synd_ctrl_lock(c);
	leaving = c->leaving;
	/* else it is to do what probe has planned, or about dying disks */
	if (!leaving && xchg(&c->look, false) && c->state == SYND_LIVE)
		ret = discover(c, false);
	synd_ctrl_unlock(c);
	if (leaving)
		return;
	if (ret)
		synd_warn(c, "the host does not say what is there: %d\n", ret);
	carry_out(c);
}

/**
 * synd_scan() - look soon which units there are, and what they are
 * @c: controller
 *
 * Context: any, while a channel is open.
 */
void synd_scan(struct synd_ctrl *c)
{
	switch (READ_ONCE(c->state)) {
	case SYND_FAILED:
	case SYND_LEAVING:
		break;
	default:
		WRITE_ONCE(c->patience, UNSURE_LOOKS);
		WRITE_ONCE(c->look, true);
		queue_delayed_work(c->wq, &c->scan_work, 0);
	}
}
