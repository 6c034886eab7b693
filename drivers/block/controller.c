// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a controller.
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
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "synth_blk.h"

#define SUB_CHANNEL_WAIT	(5 * HZ)
#define DRAIN_WAIT		(60 * HZ)	/* before hibernation */

/* Resets and the like: what makes I/O go on must not wait for I/O */
static struct workqueue_struct *repair_wq;

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

/**
 * synd_ctrl_lock() - take ctrl->mutex
 * @c: controller
 *
 * Allocations under it must not wait for I/O: the queues of these disks may be
 * quiet, or the host silent, and only who holds the mutex can end that.
 *
 * Context: process, sleeps for as long as the host may take to answer.
 */
void synd_ctrl_lock(struct synd_ctrl *c)
{
	mutex_lock(&c->mutex);
	c->noio = memalloc_noio_save();
}

/**
 * synd_ctrl_unlock() - the mirror of synd_ctrl_lock()
 * @c: controller
 */
void synd_ctrl_unlock(struct synd_ctrl *c)
{
	memalloc_noio_restore(c->noio);
	mutex_unlock(&c->mutex);
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

/* The channel that no queue has yet with the lowest CPU from @cpu on, or NULL */
static struct synd_chan *next_channel(struct synd_ctrl *c,
				      const unsigned long *taken,
				      unsigned int cpu)
{
	struct synd_chan *ch, *best = NULL;
	unsigned int i;

	for (i = 0; i < c->nr_chans; i++) {
		ch = &c->chans[i];
		if (!test_bit(i, taken) && ch->cpu >= cpu &&
		    (!best || ch->cpu < best->cpu))
			best = ch;
	}
	return best;
}

/*
 * Which channel each hardware queue uses. Sub-channels come in any order, and the
 * polled queues leave some CPU with two of them. The queues that interrupt have
 * channels of different CPUs, as far as there are such, and after a reset those
 * of the same CPUs as before. The first is the primary, which answers single
 * commands and therefore is never polled.
 */
static void lay_out_queues(struct synd_ctrl *c)
{
	DECLARE_BITMAP(taken, SYND_MAX_CHANNELS) = { };
	unsigned int n = READ_ONCE(c->nr_chans), interrupting, q = 0, cpu = 0;
	struct synd_chan *ch = &c->chans[0];

	if (!c->nr_queues) {
		c->nr_queues = n;
		c->nr_polled = min(synd_poll_queues, n - 1);
	}
	interrupting = c->nr_queues - c->nr_polled;

	do {
		c->queues[q++] = ch;
		set_bit(ch->index, taken);
		ch = next_channel(c, taken, cpu);
		if (ch && ch->cpu == c->chans[0].cpu)
			ch = next_channel(c, taken, ch->cpu + 1);
		if (ch)
			cpu = ch->cpu + 1;
	} while (ch && q < interrupting);

	while (q < c->nr_queues) {
		ch = next_channel(c, taken, 0) ?: &c->chans[0];
		if (q >= interrupting && ch->index)
			synd_chan_set_polled(ch);
		c->queues[q++] = ch;
		set_bit(ch->index, taken);
	}
}

/* Open and initialise; on failure everything is closed again */
static int bring_up(struct synd_ctrl *c)
{
	int ret;

	/* the last close was confirmed */
	synd_proto_forget(c, true);
	ret = synd_chan_open_primary(c);
	if (ret)
		return ret;
	ret = synd_proto_initialise(c);
	if (ret) {
		synd_chan_close_all(c);
		return ret;
	}
	open_subchannels(c);
	lay_out_queues(c);
	return 0;
}

/* ---- giving up, and beginning again -------------------------------------------- */

static void quiesce_all(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_quiesce(d);
}

/* The mirror of quiesce_all(), or of a freeze */
static void let_go_on(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		if (c->frozen)
			synd_disk_unfreeze(d);
		else
			synd_disk_unquiesce(d);
	}
	c->frozen = false;
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
	let_go_on(c);
	if (n)
		synd_err(c, "%u requests that the host did not answer have failed\n",
			 n);
	if (c->quarantined != before)
		synd_err(c, "%llu pages are kept for ever, since the host may still use them\n",
			 c->quarantined - before);
}

/* Ask one unit who it is, for as long as it may take to become ready */
static int identify_patiently(struct synd_ctrl *c, struct synd_disk *d,
			      struct sbc_disk *id)
{
	unsigned long deadline = jiffies + synd_host_timeout * HZ;
	int ret;

	do {
		ret = synd_proto_identify(c, d->target, d->lun, id);
	} while (ret == -EIO && time_before(jiffies, deadline));
	return ret;
}

/* After bring_up(): a unit that has become another one must not be written to */
static void check_identities(struct synd_ctrl *c)
{
	struct synd_disk *d;
	struct sbc_disk id;
	int ret;

	synd_proto_look(c);
	list_for_each_entry(d, &c->disk_list, node) {
		if (!d->gd || d->gone)
			continue;
		ret = identify_patiently(c, d, &id);
		if (!ret && sbc_same(&d->id, &id))
			continue;
		if (ret && ret != -ENODEV) {
			dev_warn(disk_to_dev(d->gd), "does not say who it is: %d\n",
				 ret);
			continue;
		}
		WRITE_ONCE(d->gone, true);
		dev_err(disk_to_dev(d->gd), "is not there any more\n");
	}
}

/* Open again what was closed; queues are quiet. Fails the controller if not */
static int come_back(struct synd_ctrl *c)
{
	u32 max_transfer = c->max_transfer;
	int ret = bring_up(c);

	if (!ret && c->max_transfer < max_transfer) {
		/* that is what the limits of its disks were made of */
		synd_err(c, "the host takes %u bytes in a transfer now, and took %u\n",
			 c->max_transfer, max_transfer);
		synd_chan_close_all(c);
		ret = -EPROTO;
	}
	if (ret) {
		synd_err(c, "can't be opened again: %d\n", ret);
		fail(c, SYND_FAILED, !c->host_holds);
		return ret;
	}
	c->max_transfer = max_transfer;
	check_identities(c);
	set_state(c, SYND_LIVE);
	let_go_on(c);
	synd_scan(c);
	return 0;
}

static int reset_controller(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int n = 0;

	if (c->leaving || c->state != SYND_LIVE)
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
		n += synd_disk_requeue(d, NULL);
	synd_info(c, "the host has let go; %u requests are sent again\n", n);
	return come_back(c);
}

/* Sub-channels that the host took away alone: the primary carries their queues */
static void replace_lost_channels(struct synd_ctrl *c)
{
	unsigned int i, n = 0;
	struct synd_chan *ch;
	struct synd_disk *d;

	if (c->state != SYND_LIVE || READ_ONCE(c->hv->channel->rescind))
		return;
	quiesce_all(c);
	while ((ch = synd_chan_lost(c))) {
		list_for_each_entry(d, &c->disk_list, node)
			n += synd_disk_requeue(d, ch);
		for (i = 0; i < c->nr_queues; i++) {
			if (c->queues[i] == ch)
				c->queues[i] = &c->chans[0];
		}
		synd_warn(c, "sub-channel %u was taken away; %u requests are sent again\n",
			  ch->index, n);
	}
	let_go_on(c);
}

static void reset_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(work, struct synd_ctrl, reset_work);

	synd_ctrl_lock(c);
	if (!c->leaving)
		replace_lost_channels(c);
	if (xchg(&c->reset_wanted, false))
		reset_controller(c);
	synd_ctrl_unlock(c);
}

/**
 * synd_ctrl_repair() - a sub-channel was rescinded alone
 * @c: controller
 *
 * Context: any.
 */
void synd_ctrl_repair(struct synd_ctrl *c)
{
	queue_work(repair_wq, &c->reset_work);
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

	if (after && times >= after) {
		WRITE_ONCE(c->reset_wanted, true);
		queue_work(repair_wq, &c->reset_work);
	}
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

	synd_ctrl_lock(c);
	if (done == c->progress && c->state == SYND_LIVE && in_flight(c)) {
		synd_err(c, "no answer from the host for %u s: given up\n",
			 synd_host_timeout);
		quiesce_all(c);
		fail(c, SYND_FAILED, synd_chan_close_all(c));
	}
	c->progress = done;
	synd_ctrl_unlock(c);
	queue_delayed_work(repair_wq, &c->give_up_work,
			   synd_host_timeout * HZ);
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

	synd_ctrl_lock(c);
	ret = reset_controller(c);
	synd_ctrl_unlock(c);
	return ret ?: count;
}
static DEVICE_ATTR_WO(reset);

static ssize_t rescan_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	/* not waited for: this file is in the way of a removal meanwhile */
	synd_scan(ctrl_of(dev));
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
	INIT_LIST_HEAD(&c->unanswered);
	INIT_LIST_HEAD(&c->disk_list);
	INIT_DELAYED_WORK(&c->scan_work, synd_scan_work);
	INIT_WORK(&c->reset_work, reset_work);
	INIT_WORK(&c->later_work, synd_request_later);
	init_llist_head(&c->later);
	INIT_DELAYED_WORK(&c->give_up_work, give_up_work);

	c->wq = alloc_ordered_workqueue("synth_blk_%s",
					WQ_FREEZABLE | WQ_MEM_RECLAIM,
					dev_name(&hv->device));
	if (!c->wq)
		goto err_free;
	if (synd_chan_init(c))
		goto err_wq;
	return c;

err_wq:
	destroy_workqueue(c->wq);
err_free:
	kfree(c);
	return NULL;
}

static void ctrl_free(struct synd_ctrl *c)
{
	unsigned int kept;

	destroy_workqueue(c->wq);
	kept = synd_proto_forget(c, !c->host_holds);
	if (kept)
		synd_err(c, "%u pages are kept for ever, since the host may still write to them\n",
			 kept);
	synd_chan_free(c);
	kfree(c);
}

/* After this nobody but the caller does anything with the controller */
static void stop_works(struct synd_ctrl *c)
{
	cancel_delayed_work_sync(&c->scan_work);
	cancel_work_sync(&c->reset_work);
	flush_work(&c->later_work);
}

/* All disks, with nobody else who adds or removes any */
static void remove_disks(struct synd_ctrl *c, bool surprise)
{
	struct synd_disk *d, *next;

	list_for_each_entry_safe(d, next, &c->disk_list, node) {
		while (!synd_disk_remove(d, surprise || d->dying, HZ))
			;
	}
}

static int synd_probe(struct hv_device *hv,
		      const struct hv_vmbus_device_id *id)
{
	struct synd_ctrl *c = ctrl_alloc(hv, id->driver_data == KIND_IDE);
	int ret;

	if (!c)
		return -ENOMEM;
	hv_set_drvdata(hv, c);

	synd_ctrl_lock(c);
	ret = bring_up(c);
	if (!ret) {
		ret = synd_scan_first(c);
		if (ret)
			synd_chan_close_all(c);
	}
	if (ret)
		c->leaving = true;
	else
		set_state(c, SYND_LIVE);
	synd_ctrl_unlock(c);
	if (ret) {
		stop_works(c);
		remove_disks(c, true);
		synd_chan_disown(c);
		ctrl_free(c);
		return ret;
	}

	synd_info(c, "storvsp %u.%u, %u queues, %u polled\n", c->version >> 8,
		  c->version & 0xff, c->nr_queues - c->nr_polled,
		  c->nr_polled);
	synd_debugfs_add(c);
	/* does what was planned */
	queue_delayed_work(c->wq, &c->scan_work, 0);
	return 0;
}

static compat_remove_t synd_remove(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	bool surprise;

	synd_debugfs_remove(c);
	synd_ctrl_lock(c);
	c->leaving = true;
	/* what was not offered again after hibernation is closed already */
	surprise = READ_ONCE(hv->channel->rescind) ||
		   c->state == SYND_SUSPENDED;
	if (surprise) {
		/* a rescind has ended all access of the host */
		if (!c->frozen)
			quiesce_all(c);
		fail(c, SYND_LEAVING, synd_chan_close_all(c));
	}
	c->progress = synd_ctrl_completed(c);
	synd_ctrl_unlock(c);

	queue_delayed_work(repair_wq, &c->give_up_work,
			   synd_host_timeout * HZ);
	stop_works(c);
	remove_disks(c, surprise);
	cancel_delayed_work_sync(&c->give_up_work);

	synd_ctrl_lock(c);
	set_state(c, SYND_LEAVING);
	synd_chan_close_all(c);
	synd_ctrl_unlock(c);
	/* what asked for them meanwhile is gone: requests, the host */
	stop_works(c);
	synd_chan_disown(c);
	ctrl_free(c);
	return COMPAT_REMOVE_DONE;
}

/* Polled channels interrupt nobody, and whoever polled is frozen */
static void poll_all(struct synd_ctrl *c)
{
	unsigned int i;

	for (i = c->nr_queues - c->nr_polled; i < c->nr_queues; i++)
		synd_chan_poll(c->queues[i], NULL);
}

/* Have all requests end that there are, and let no new ones in */
static bool freeze_all(struct synd_ctrl *c)
{
	unsigned long deadline = jiffies + DRAIN_WAIT;
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node)
		synd_disk_freeze(d);
	c->frozen = true;
	list_for_each_entry(d, &c->disk_list, node) {
		while (!synd_disk_frozen(d)) {
			if (time_after(jiffies, deadline))
				return false;
			poll_all(c);
		}
	}
	return true;
}

/*
 * For hibernation. Queues stay frozen until the resume: with requests in them,
 * quiet ones would keep CPUs from going offline.
 */
static int synd_suspend(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	int ret = 0;

	synd_ctrl_lock(c);
	if (c->state != SYND_LIVE)
		goto out;
	if (!freeze_all(c)) {
		synd_err(c, "%u requests are not answered: no hibernation\n",
			 in_flight(c));
		let_go_on(c);
		ret = -EBUSY;
		goto out;
	}
	set_state(c, SYND_SUSPENDED);
	if (!synd_chan_close_all(c)) {
		fail(c, SYND_FAILED, false);
		ret = -EIO;
	}
out:
	synd_ctrl_unlock(c);
	return ret;
}

static int synd_resume(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	int ret = 0;

	synd_ctrl_lock(c);
	if (c->state == SYND_SUSPENDED)
		ret = come_back(c);
	synd_ctrl_unlock(c);
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
	int ret;

	repair_wq = alloc_workqueue("synth_blk_repair", WQ_MEM_RECLAIM |
				    WQ_FREEZABLE | WQ_UNBOUND, 0);
	if (!repair_wq)
		return -ENOMEM;
	ret = vmbus_driver_register(&synd_driver);
	if (ret)
		destroy_workqueue(repair_wq);
	return ret;
}

/**
 * synd_ctrl_unregister() - the mirror of synd_ctrl_register()
 */
void synd_ctrl_unregister(void)
{
	vmbus_driver_unregister(&synd_driver);
	destroy_workqueue(repair_wq);
}
