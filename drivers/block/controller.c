// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a controller.
 *
 * Probe opens its channels and asks what is there; disks become known in a work
 * of its own, since reading partition tables takes as long as the host likes.
 * That work, scan_work, is the only one that adds and removes disks, but for
 * remove, which ends it first.
 *
 * A host that does not answer. Nothing here waits for it without end: single
 * commands give up after host_timeout, closing a channel after what the bus
 * allows. Requests of disks wait on by default (disk.c says why). What ends them
 * is a reset, a rescind or give_up_work; each closes all channels, and what it
 * does then depends on whether the host confirmed that:
 *
 *	confirmed	the host touches nothing any more: a reset opens the
 *			channels again and sends everything again
 *	not confirmed	requests fail, the controller stays failed, and pages
 *			that the host may still write are never given back
 */
#include <linux/delay.h>
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "synth_blk.h"

#define SUB_CHANNEL_WAIT	(5 * HZ)
#define DRAIN_WAIT		(60 * HZ)	/* before hibernation */
#define DYING_WAIT		HZ
#define LUNS			256

enum { KIND_SCSI, KIND_IDE };

/**
 * synd_ctrl_state_name() - for people
 * @c: controller
 */
const char *synd_ctrl_state_name(const struct synd_ctrl *c)
{
	static const char * const names[] = {
		[SYND_STARTING]		= "starting",
		[SYND_LIVE]		= "live",
		[SYND_RESETTING]	= "resetting",
		[SYND_SUSPENDED]	= "suspended",
		[SYND_FAILED]		= "failed",
		[SYND_LEAVING]		= "leaving",
	};

	return names[READ_ONCE(c->state)];
}

/**
 * synd_ctrl_completed() - answers to requests so far
 * @c: controller
 *
 * Context: any; an estimate while they come.
 */
u64 synd_ctrl_completed(const struct synd_ctrl *c)
{
	unsigned int i;
	u64 n = 0;

	for (i = 0; i < SYND_MAX_CHANNELS; i++)
		n += READ_ONCE(c->chans[i].completions);
	return n;
}

static void set_state(struct synd_ctrl *c, enum synd_state state)
{
	lockdep_assert_held(&c->mutex);
	WRITE_ONCE(c->state, state);
}

/* ---- channels ---------------------------------------------------------------- */

/* Have as many sub-channels as we can use, and the host gives */
static void open_subchannels(struct synd_ctrl *c)
{
	unsigned int cpus = min(synd_queues ?: num_present_cpus(),
				num_present_cpus());
	unsigned int want = min(cpus + synd_poll_queues,
				(unsigned int)SYND_MAX_CHANNELS);

	/* after the first time there are hardware queues, and they stay */
	if (c->nr_queues)
		want = c->nr_queues;
	want = min(want, c->max_subchannels + 1u);
	if (want < 2)
		return;
	synd_chan_accept(c, want);
	if (!synd_proto_create_subchannels(c, want - 1) &&
	    !wait_event_timeout(c->chan_wait,
				READ_ONCE(c->nr_chans) >= want ||
				READ_ONCE(c->hv->channel->rescind),
				SUB_CHANNEL_WAIT))
		synd_warn(c, "the host gave %u of %u sub-channels\n",
			  READ_ONCE(c->nr_chans) - 1, want - 1);
	synd_chan_accept(c, 0);
}

/* Which channel each hardware queue uses */
static void lay_out_queues(struct synd_ctrl *c)
{
	unsigned int i, n = READ_ONCE(c->nr_chans);

	if (!c->nr_queues) {
		c->nr_queues = n;
		c->nr_polled = min(synd_poll_queues, n - 1);
	}
	for (i = 0; i < c->nr_queues; i++)
		c->queues[i] = &c->chans[i < n ? i : 0];
	for (i = c->nr_queues - c->nr_polled; i < n; i++)
		synd_chan_set_polled(&c->chans[i]);
}

/* Open and initialise; on failure everything is closed again */
static int bring_up(struct synd_ctrl *c)
{
	int ret;

	c->single.stuck = false;
	c->single.id = 0;
	ret = synd_chan_open_primary(c);
	if (ret)
		return ret;
	ret = synd_proto_initialise(c);
	if (ret) {
		/* a single command that is stuck has no data yet */
		synd_chan_close_all(c);
		return ret;
	}
	open_subchannels(c);
	lay_out_queues(c);
	return 0;
}

/* ---- what is there -------------------------------------------------------------- */

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
	if (ret == -EIO || ret == -EINVAL) {
		synd_warn(c, "target %u LUN %u does not say what it is, or nonsense: %d\n",
			  target, lun, ret);
		if (d)
			d->plan = SYND_KEEP;
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
		d = synd_disk_create(c, target, lun, &id);
		if (IS_ERR(d)) {
			synd_err(c, "target %u LUN %u: no disk: %ld\n", target,
				 lun, PTR_ERR(d));
			return 0;
		}
		d->plan = SYND_ADD;
	} else if (d->gone || !synd_disk_same(d, &id)) {
		/* another one came in its place: it is found by the next scan */
		synd_ctrl_scan(c);
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
	int ret;

	ret = synd_proto_report_luns(c, target, bytes);
	if (ret == -ENODEV)
		return 0;
	if (ret == -EIO) {
		/* it does not tell: LUN 0 is there if any is */
		memset(bytes, 0, sizeof(bytes));
		bytes[0] = 1;
	} else if (ret) {
		return ret;
	}
	bitmap_zero(luns, LUNS);
	for (lun = 0; lun < LUNS; lun++) {
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
}

static void scan_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, scan_work);
	int ret = 0;

	mutex_lock(&c->mutex);
	/* the first time probe has asked */
	if (c->state == SYND_LIVE && !c->discovered)
		ret = discover(c, false);
	c->discovered = false;
	mutex_unlock(&c->mutex);
	if (ret)
		synd_warn(c, "the host does not say what is there: %d\n", ret);
	carry_out(c);
}

/**
 * synd_ctrl_scan() - look soon which units there are, and what they are
 * @c: controller
 *
 * Context: any.
 */
void synd_ctrl_scan(struct synd_ctrl *c)
{
	switch (READ_ONCE(c->state)) {
	case SYND_FAILED:
	case SYND_LEAVING:
		break;
	default:
		queue_delayed_work(c->wq, &c->scan_work, 0);
	}
}

/* ---- giving up, and beginning again -------------------------------------------- */

static void quiesce_all(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_quiesce(d);
}

static void unquiesce_all(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_unquiesce(d);
}

/*
 * The end of a controller whose queues are quiet and whose channels are closed.
 * @safe: the host has confirmed that.
 */
static void fail(struct synd_ctrl *c, enum synd_state state, bool safe)
{
	u64 before = c->quarantined;
	struct synd_disk *d;
	unsigned int n = 0;

	set_state(c, state);
	list_for_each_entry(d, &c->disk_list, node)
		n += synd_disk_fail_all(d, safe);
	unquiesce_all(c);
	if (n)
		synd_err(c, "%u requests that the host did not answer have failed\n",
			 n);
	if (c->quarantined != before)
		synd_err(c, "%llu pages are kept for ever, since the host may still write to them\n",
			 c->quarantined - before);
}

/* After bring_up(): whose unit has become another one must not be written to */
static void check_identities(struct synd_ctrl *c)
{
	struct synd_disk *d;
	struct sbc_disk id;

	list_for_each_entry(d, &c->disk_list, node) {
		if (!synd_proto_identify(c, d->target, d->lun, &id) &&
		    synd_disk_same(d, &id))
			continue;
		WRITE_ONCE(d->gone, true);
		dev_err(disk_to_dev(d->gd), "is not there any more\n");
	}
}

/* Open again what was closed; queues are quiet. Fails the controller if not */
static int come_back(struct synd_ctrl *c)
{
	int ret = bring_up(c);

	if (ret) {
		synd_err(c, "can't be opened again: %d\n", ret);
		fail(c, SYND_FAILED, true);
		return ret;
	}
	check_identities(c);
	set_state(c, SYND_LIVE);
	unquiesce_all(c);
	synd_ctrl_scan(c);
	return 0;
}

static int reset(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int n = 0;

	if (c->state != SYND_LIVE)
		return -EBUSY;
	synd_warn(c, "reset\n");
	c->resets++;
	set_state(c, SYND_RESETTING);
	quiesce_all(c);
	if (!synd_chan_close_all(c)) {
		fail(c, SYND_FAILED, false);
		return -EIO;
	}
	list_for_each_entry(d, &c->disk_list, node)
		n += synd_disk_requeue_all(d);
	synd_info(c, "the host has let go; %u requests are sent again\n", n);
	return come_back(c);
}

static void reset_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(work, struct synd_ctrl, reset_work);

	mutex_lock(&c->mutex);
	reset(c);
	mutex_unlock(&c->mutex);
}

/**
 * synd_ctrl_timed_out() - a request has taken too long
 * @c: controller
 * @times: how often by now
 *
 * Context: any.
 */
void synd_ctrl_timed_out(struct synd_ctrl *c, unsigned int times)
{
	unsigned int after = READ_ONCE(synd_reset_after);

	if (after && times >= after)
		queue_work(system_freezable_wq, &c->reset_work);
}

static unsigned int in_flight(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int n = 0;

	list_for_each_entry(d, &c->disk_list, node)
		n += synd_disk_in_flight(d);
	return n;
}

/* While the controller is removed: the host has stopped to answer */
static void give_up_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, give_up_work);
	u64 done = synd_ctrl_completed(c);

	mutex_lock(&c->mutex);
	if (done == c->progress && c->state == SYND_LIVE && in_flight(c)) {
		synd_err(c, "no answer from the host for %u s: given up\n",
			 synd_host_timeout);
		quiesce_all(c);
		fail(c, SYND_FAILED, synd_chan_close_all(c));
	}
	c->progress = done;
	mutex_unlock(&c->mutex);
	schedule_delayed_work(&c->give_up_work, synd_host_timeout * HZ);
}

/* ---- sysfs: /sys/bus/vmbus/devices/ID/synth_blk/ -------------------------------- */

static struct synd_ctrl *ctrl_of(struct device *dev)
{
	return hv_get_drvdata(device_to_hv_device(dev));
}

static ssize_t controller_state_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n", synd_ctrl_state_name(ctrl_of(dev)));
}
static DEVICE_ATTR_RO(controller_state);

static ssize_t protocol_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	u16 version = READ_ONCE(ctrl_of(dev)->version);

	return sysfs_emit(buf, "%u.%u\n", version >> 8, version & 0xff);
}
static DEVICE_ATTR_RO(protocol);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct synd_ctrl *c = ctrl_of(dev);

	return sysfs_emit(buf, "%u %u\n", c->nr_queues - c->nr_polled,
			  c->nr_polled);
}
static DEVICE_ATTR_RO(queues);

static ssize_t quarantined_pages_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(ctrl_of(dev)->quarantined));
}
static DEVICE_ATTR_RO(quarantined_pages);

static ssize_t reset_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	struct synd_ctrl *c = ctrl_of(dev);
	int ret;

	mutex_lock(&c->mutex);
	ret = reset(c);
	mutex_unlock(&c->mutex);
	return ret ?: count;
}
static DEVICE_ATTR_WO(reset);

static ssize_t rescan_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	struct synd_ctrl *c = ctrl_of(dev);

	synd_ctrl_scan(c);
	flush_delayed_work(&c->scan_work);
	return count;
}
static DEVICE_ATTR_WO(rescan);

static struct attribute *ctrl_attrs[] = {
	&dev_attr_controller_state.attr,
	&dev_attr_protocol.attr,
	&dev_attr_queues.attr,
	&dev_attr_quarantined_pages.attr,
	&dev_attr_reset.attr,
	&dev_attr_rescan.attr,
	NULL
};

static const struct attribute_group ctrl_group = {
	.name = SYND_NAME,
	.attrs = ctrl_attrs,
};

static const struct attribute_group *ctrl_groups[] = { &ctrl_group, NULL };

/* ---- the bus ---------------------------------------------------------------------- */

static struct synd_ctrl *ctrl_alloc(struct hv_device *hv, bool ide)
{
	struct synd_ctrl *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	c->hv = hv;
	c->ide = ide;
	/* how hosts name the place of an IDE disk */
	c->ide_target = hv->dev_instance.b[4];
	mutex_init(&c->mutex);
	mutex_init(&c->open_mutex);
	init_waitqueue_head(&c->chan_wait);
	init_completion(&c->single.done);
	INIT_LIST_HEAD(&c->disk_list);
	INIT_DELAYED_WORK(&c->scan_work, scan_work);
	INIT_WORK(&c->reset_work, reset_work);
	INIT_DELAYED_WORK(&c->give_up_work, give_up_work);

	c->single.buffer = (void *)__get_free_page(GFP_KERNEL);
	if (!c->single.buffer)
		goto err_free;
	c->wq = alloc_ordered_workqueue("synth_blk_%s",
					WQ_FREEZABLE | WQ_MEM_RECLAIM,
					dev_name(&hv->device));
	if (!c->wq)
		goto err_buffer;
	if (synd_chan_init(c))
		goto err_wq;
	return c;

err_wq:
	destroy_workqueue(c->wq);
err_buffer:
	free_page((unsigned long)c->single.buffer);
err_free:
	kfree(c);
	return NULL;
}

/* @safe: the host may not write to anything of ours any more */
static void ctrl_free(struct synd_ctrl *c, bool safe)
{
	destroy_workqueue(c->wq);
	if (!c->single.stuck || safe)
		free_page((unsigned long)c->single.buffer);
	else
		synd_err(c, "a page is kept for ever, since the host may still write to it\n");
	synd_chan_free(c);
	kfree(c);
}

/* All disks, with nobody else who adds or removes any */
static void remove_disks(struct synd_ctrl *c, bool surprise)
{
	struct synd_disk *d, *next;

	list_for_each_entry_safe(d, next, &c->disk_list, node) {
		while (!synd_disk_remove(d, surprise || d->dying,
					 DYING_WAIT))
			;
	}
}

static int synd_probe(struct hv_device *hv,
		      const struct hv_vmbus_device_id *id)
{
	struct synd_ctrl *c = ctrl_alloc(hv, id->driver_data == KIND_IDE);
	bool safe = true;
	int ret;

	if (!c)
		return -ENOMEM;
	hv_set_drvdata(hv, c);

	mutex_lock(&c->mutex);
	ret = bring_up(c);
	if (ret)
		goto err;
	ret = discover(c, true);
	if (ret)
		goto err_close;
	c->discovered = true;
	set_state(c, SYND_LIVE);
	mutex_unlock(&c->mutex);

	synd_info(c, "storvsp %u.%u, %u queues, %u polled\n", c->version >> 8,
		  c->version & 0xff, c->nr_queues - c->nr_polled,
		  c->nr_polled);
	synd_debugfs_add(c);
	synd_ctrl_scan(c);
	return 0;

err_close:
	safe = synd_chan_close_all(c);
err:
	mutex_unlock(&c->mutex);
	/* a scan that was asked for finds nothing to do in this state */
	cancel_delayed_work_sync(&c->scan_work);
	remove_disks(c, true);
	hv_set_drvdata(hv, NULL);
	ctrl_free(c, safe);
	return ret;
}

static compat_remove_t synd_remove(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	bool surprise, safe;

	synd_debugfs_remove(c);
	mutex_lock(&c->mutex);
	/* what was not offered again after hibernation is closed already */
	surprise = READ_ONCE(hv->channel->rescind) ||
		   c->state == SYND_SUSPENDED;
	if (surprise) {
		/* a rescind has ended all access of the host */
		if (c->state != SYND_SUSPENDED)
			quiesce_all(c);
		fail(c, SYND_LEAVING, synd_chan_close_all(c));
	}
	mutex_unlock(&c->mutex);
	if (!surprise) {
		c->progress = synd_ctrl_completed(c);
		schedule_delayed_work(&c->give_up_work,
				      synd_host_timeout * HZ);
	}
	cancel_delayed_work_sync(&c->scan_work);
	cancel_work_sync(&c->reset_work);
	remove_disks(c, surprise);
	cancel_delayed_work_sync(&c->give_up_work);

	mutex_lock(&c->mutex);
	set_state(c, SYND_LEAVING);
	safe = synd_chan_close_all(c);
	mutex_unlock(&c->mutex);
	/* a request or a notification may have asked for one meanwhile */
	cancel_delayed_work_sync(&c->scan_work);
	hv_set_drvdata(hv, NULL);
	ctrl_free(c, safe);
	return COMPAT_REMOVE_DONE;
}

/* Polled channels interrupt nobody, and whoever polled is frozen */
static void poll_all(struct synd_ctrl *c)
{
	unsigned int i;

	for (i = c->nr_queues - c->nr_polled; i < c->nr_queues; i++)
		synd_chan_poll(c->queues[i], NULL);
}

/*
 * For hibernation: what the host has is waited for, what waits in the queues
 * stays there. Works are frozen.
 */
static int synd_suspend(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	unsigned long deadline = jiffies + DRAIN_WAIT;
	int ret = 0;

	mutex_lock(&c->mutex);
	if (c->state != SYND_LIVE)
		goto out;
	quiesce_all(c);
	while (in_flight(c)) {
		if (time_after(jiffies, deadline)) {
			synd_err(c, "%u requests are not answered: no hibernation\n",
				 in_flight(c));
			unquiesce_all(c);
			ret = -EBUSY;
			goto out;
		}
		poll_all(c);
		msleep(1);
	}
	set_state(c, SYND_SUSPENDED);
	if (!synd_chan_close_all(c)) {
		fail(c, SYND_FAILED, false);
		ret = -EIO;
	}
out:
	mutex_unlock(&c->mutex);
	return ret;
}

static int synd_resume(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	int ret = 0;

	mutex_lock(&c->mutex);
	if (c->state == SYND_SUSPENDED)
		ret = come_back(c);
	mutex_unlock(&c->mutex);
	return ret;
}

static const struct hv_vmbus_device_id synd_ids[] = {
	{ HV_SCSI_GUID, .driver_data = KIND_SCSI },
	{ HV_IDE_GUID, .driver_data = KIND_IDE },
	{ }
};
MODULE_DEVICE_TABLE(vmbus, synd_ids);

static struct hv_driver synd_driver = {
	.name		= SYND_NAME,
	.id_table	= synd_ids,
	.probe		= synd_probe,
	.remove		= synd_remove,
	.suspend	= synd_suspend,
	.resume		= synd_resume,
	.driver		= {
		.probe_type	= PROBE_PREFER_ASYNCHRONOUS,
		.dev_groups	= ctrl_groups,
	},
};

/**
 * synd_ctrl_register() - take the controllers that there are, and will be
 *
 * Return: 0 or an error.
 */
int synd_ctrl_register(void)
{
	return vmbus_driver_register(&synd_driver);
}

/**
 * synd_ctrl_unregister() - the mirror of synd_ctrl_register()
 */
void synd_ctrl_unregister(void)
{
	vmbus_driver_unregister(&synd_driver);
}
