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
#define LUNS			256

static struct synd_disk *find_disk(struct synd_ctrl *c, u8 target, u8 lun)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		if (d->target == target && d->lun == lun && !d->dying)
			return d;
	}
	return NULL;
}

/*
 * Look at one unit, and plan what to do. Returns 0, -ENODEV if the controller
 * is not for us, or another error if the host does not answer.
 */
static int discover_unit(struct synd_ctrl *c, u8 target, u8 lun, bool first)
{
	struct synd_disk *d = find_disk(c, target, lun);
	struct sbc_disk id;
	int ret;

	ret = synd_proto_identify(c, target, lun, &id);
	if (ret == -ENODEV)
		return 0;
	if (ret == -EIO || ret == -EINVAL || ret == -EOPNOTSUPP) {
		synd_warn(c, "target %u LUN %u does not say what it is, or nonsense: %d\n",
			  target, lun, ret);
		if (d && !d->gone)
			d->plan = d->added ? SYND_KEEP : SYND_ADD;
		/* it may only be starting */
		if (ret == -EIO)
			c->unsure = true;
		return 0;
	}
	if (ret)
		return ret;

	if (id.type != SBC_TYPE_DISK) {
		if (first && !synd_mixed) {
			synd_info(c, "target %u LUN %u is of type %u, no disk: the controller is left to hv_storvsc (parameter mixed=1 takes its disks)\n",
				  target, lun, id.type);
			return -ENODEV;
		}
		synd_info(c, "target %u LUN %u is of type %u, no disk: ignored\n",
			  target, lun, id.type);
		return 0;
	}
	if (!d) {
		d = synd_disk_alloc(c, target, lun, &id);
		if (IS_ERR(d)) {
			synd_err(c, "target %u LUN %u: no disk: %ld\n", target,
				 lun, PTR_ERR(d));
			return 0;
		}
		d->plan = SYND_ADD;
	} else if (d->gone || !synd_disk_same(d, &id)) {
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

static int discover_target(struct synd_ctrl *c, u8 target, bool first)
{
	DECLARE_BITMAP(luns, LUNS);
	unsigned long lun;
	u8 bytes[LUNS / 8];
	struct synd_disk *d;
	int ret;

	bitmap_zero(luns, LUNS);
	ret = synd_proto_report_luns(c, target, bytes);
	if (ret == -EIO || ret == -EOPNOTSUPP) {
		/* then each is asked that may be there */
		__set_bit(0, luns);
		list_for_each_entry(d, &c->disk_list, node) {
			if (d->target == target)
				__set_bit(d->lun, luns);
		}
	} else if (ret) {
		return ret;
	}
	for (lun = 0; !ret && lun < LUNS; lun++) {
		if (bytes[lun / 8] & 1 << lun % 8)
			__set_bit(lun, luns);
	}
	for_each_set_bit(lun, luns, LUNS) {
		ret = discover_unit(c, target, lun, first);
		if (ret)
			return ret;
	}
	return 0;
}

/*
 * Ask what is there and plan what to do: on success each disk has a plan, on
 * failure none has.
 */
static int discover(struct synd_ctrl *c, bool first)
{
	struct synd_disk *d;
	unsigned int target;
	int ret = 0;

	lockdep_assert_held(&c->mutex);
	c->unsure = false;
	list_for_each_entry(d, &c->disk_list, node)
		d->plan = SYND_REMOVE;
	if (c->ide)
		ret = discover_unit(c, c->ide_target, 0, first);
	for (target = 0; !c->ide && target < SYND_MAX_TARGETS && !ret; target++)
		ret = discover_target(c, target, first);
	if (ret) {
		list_for_each_entry(d, &c->disk_list, node)
			d->plan = SYND_KEEP;
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

/*
 * Do what discover() planned. Without the mutex: see synd_disk_add(). Nobody
 * else changes the list meanwhile.
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
			synd_disk_update(d, &d->fresh);
			break;
		case SYND_REMOVE:
			if (!d->dying)
				dev_info(disk_to_dev(d->gd),
					 "was taken away\n");
			if (!synd_disk_remove(d, true, DYING_WAIT))
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
