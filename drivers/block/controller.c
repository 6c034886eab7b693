// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a controller: probe, hibernation, removal; recover.c has resets.
 *
 * Nothing here waits for the host without a bound: the driver's own commands give up
 * after host_timeout, closing a channel after what the bus allows. Requests of disks
 * are waited for, for the reason given in request.c. A removal ends them: with a rescind the host
 * has ended its access to them; otherwise the channels are closed, and if the host
 * does not confirm that, the memory of requests is quarantined.
 */
#include <linux/device.h>
#include <linux/module.h>
#include <linux/slab.h>

#include <synthio/host_state.h>

#include "synth_blk.h"

#define DRAIN_WAIT		(60 * HZ)	/* before hibernation */
#define TIMEOUT_MAX		(3600 * HZ)
#define PAUSE_WAITS		10	/* of host_timeout each, in a removal */

enum { KIND_SCSI, KIND_IDE };

/* All controllers, for the notifier of pauses */
static LIST_HEAD(ctrl_list);
static DEFINE_MUTEX(ctrl_list_mutex);

static unsigned int in_flight(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int n = 0;

	list_for_each_entry(d, &c->disk_list, node)
		n += synd_disk_in_flight(d);
	return n;
}

/* While the controller is removed: the host does not answer any more */
static void give_up_work(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(to_delayed_work(work),
					   struct synd_ctrl, give_up_work);
	u64 done = synd_chan_completions(c);

	synd_ctrl_lock(c);
	/* a pause is waited for, too, as long as one may last */
	if (done == c->progress && synthio_host_stalled(c->hv) &&
	    c->pause_waits < PAUSE_WAITS) {
		c->pause_waits++;
	} else if (done == c->progress && c->state == SYND_CTRL_REMOVING &&
		   in_flight(c)) {
		synd_err(c, "removal: the host has not answered for %u s: requests fail\n",
			 synd_host_timeout);
		synd_hold_all(c, SYND_HOLD_QUIESCED);
		synd_fail_all(c, SYND_CTRL_GONE, synd_chan_close_all(c));
	}
	c->progress = done;
	synd_ctrl_unlock(c);
	queue_delayed_work(synd_repair_wq, &c->give_up_work,
			   synd_host_timeout * HZ);
}

static struct synd_ctrl *ctrl_alloc(struct hv_device *hv, bool ide)
{
	struct synd_ctrl *c = kzalloc(sizeof(*c), GFP_KERNEL);

	if (!c)
		return NULL;
	c->hv = hv;
	c->ide = ide;
	/* where hosts have the target of an IDE disk */
	c->ide_target = hv->dev_instance.b[4];
	c->state = SYND_CTRL_STARTING;
	c->responds_since = jiffies - TIMEOUT_MAX - 1;
	mutex_init(&c->mutex);
	mutex_init(&c->open_mutex);
	init_waitqueue_head(&c->chan_wait);
	INIT_LIST_HEAD(&c->node);
	INIT_LIST_HEAD(&c->unanswered);
	INIT_LIST_HEAD(&c->disk_list);
	c->check = synd_check_work;
	INIT_DELAYED_WORK(&c->scan_work, synd_scan_work);
	INIT_WORK(&c->event_work, synd_event_work);
	INIT_DELAYED_WORK(&c->recover_work, synd_recover_work);
	INIT_WORK(&c->deferred_work, synd_request_finish_deferred);
	init_llist_head(&c->deferred);
	INIT_DELAYED_WORK(&c->give_up_work, give_up_work);

	c->wq = alloc_ordered_workqueue("synth_blk_%s",
					WQ_FREEZABLE | WQ_MEM_RECLAIM,
					dev_name(&hv->device));
	if (!c->wq)
		goto err_free;
	if (synd_chan_init(c, synd_poll_interrupt))
		goto err_wq;
	synd_poll_init(c);
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
	kept = synd_command_forget(c, !c->unconfirmed);
	if (kept)
		synd_err(c, "%u pages of commands are quarantined until the host confirms that it does not use them\n",
			 kept);
	synd_chan_free(c);
	kfree(c);
}

/* After this only the caller does anything with the controller */
static void stop_works(struct synd_ctrl *c)
{
	cancel_work_sync(&c->event_work);
	cancel_delayed_work_sync(&c->scan_work);
	cancel_delayed_work_sync(&c->recover_work);
	flush_work(&c->deferred_work);
}

/* All disks; nothing else adds or removes any */
static void remove_disks(struct synd_ctrl *c, bool surprise)
{
	struct synd_disk *d, *next;

	list_for_each_entry_safe(d, next, &c->disk_list, node) {
		while (!synd_disk_remove(d, surprise, HZ))
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
	ret = synd_bring_up(c);
	if (!ret) {
		ret = synd_scan_first(c);
		if (ret)
			synd_chan_close_all(c);
	}
	synd_ctrl_set_state(c, ret ? SYND_CTRL_GONE : SYND_CTRL_LIVE);
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
	mutex_lock(&ctrl_list_mutex);
	list_add_tail(&c->node, &ctrl_list);
	mutex_unlock(&ctrl_list_mutex);
	/* carries out what was planned */
	queue_delayed_work(c->wq, &c->scan_work, 0);
	return 0;
}

static compat_remove_t synd_remove(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	bool surprise;

	mutex_lock(&ctrl_list_mutex);
	list_del_init(&c->node);
	mutex_unlock(&ctrl_list_mutex);
	synd_debugfs_remove(c);

	synd_ctrl_lock(c);
	/* else dirty data can't be written back */
	surprise = READ_ONCE(hv->channel->rescind) ||
		   c->state != SYND_CTRL_LIVE;
	if (surprise) {
		synd_hold_all(c, SYND_HOLD_QUIESCED);
		synd_fail_all(c, SYND_CTRL_GONE, synd_chan_close_all(c));
	} else {
		synd_ctrl_set_state(c, SYND_CTRL_REMOVING);
	}
	c->progress = synd_chan_completions(c);
	synd_ctrl_unlock(c);

	queue_delayed_work(synd_repair_wq, &c->give_up_work,
			   synd_host_timeout * HZ);
	stop_works(c);
	remove_disks(c, surprise);
	cancel_delayed_work_sync(&c->give_up_work);

	synd_ctrl_lock(c);
	synd_ctrl_set_state(c, SYND_CTRL_GONE);
	synd_chan_close_all(c);
	synd_ctrl_unlock(c);
	/* requests and the host may have queued some meanwhile */
	stop_works(c);
	synd_chan_disown(c);
	ctrl_free(c);
	return COMPAT_REMOVE_DONE;
}

/* ---- hibernation ------------------------------------------------------------------ */

/* Polled channels do not interrupt, and the programs that polled are frozen */
static void poll_all(struct synd_ctrl *c)
{
	unsigned int i;

	for (i = c->nr_queues - c->nr_polled; i < c->nr_queues; i++)
		synd_poll_channel(c->queues[i], NULL);
}

/* Wait until all requests have ended, and let no new ones in */
static int freeze_all(struct synd_ctrl *c)
{
	unsigned long deadline = jiffies + DRAIN_WAIT;
	struct synd_disk *d;

	synd_hold_all(c, SYND_HOLD_FROZEN);
	list_for_each_entry(d, &c->disk_list, node) {
		while (!synd_disk_frozen(d)) {
			if (synthio_host_stalled(c->hv))
				return -EAGAIN;
			if (time_after(jiffies, deadline))
				return -EBUSY;
			poll_all(c);
		}
	}
	return 0;
}

/* Requests of such a disk wait for its identity, so it can't be frozen */
static bool some_unchecked(struct synd_ctrl *c)
{
	struct synd_disk *d;

	list_for_each_entry(d, &c->disk_list, node) {
		if (d->state == SYND_DISK_CHECKING)
			return true;
	}
	return false;
}

/* Called with ctrl->mutex held, in SYND_CTRL_LIVE */
static int suspend(struct synd_ctrl *c)
{
	int ret;

	ret = synd_pause_may_begin(c, SYND_OP_SUSPEND);
	if (ret)
		return ret;
	if (some_unchecked(c)) {
		synd_err(c, "hibernation: the identity of a unit was not read yet after a reset; try again later\n");
		return -EAGAIN;
	}
	ret = freeze_all(c);
	if (ret) {
		synd_err(c, "hibernation: the host has not answered %u requests; try again later\n",
			 in_flight(c));
		synd_hold_all(c, SYND_HOLD_NONE);
		return ret;
	}
	synd_ctrl_set_state(c, SYND_CTRL_SUSPENDED);
	if (synd_chan_close_all(c))
		return 0;
	synd_err(c, "hibernation: the host has not confirmed the close of the controller; it is opened again\n");
	synd_ctrl_set_state(c, SYND_CTRL_RESETTING);
	synd_ctrl_set_state(c, SYND_CTRL_RECOVERING);
	synd_recover_later(c);
	return -EIO;
}

/*
 * Queues stay frozen until the resume: CPUs go offline meanwhile, and requests in a
 * queue that is only quiesced would keep them online.
 */
static int synd_suspend(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);
	int ret = 0;

	synd_ctrl_lock(c);
	if (c->state == SYND_CTRL_LIVE) {
		ret = suspend(c);
	} else if (c->state == SYND_CTRL_RECOVERING ||
		   c->state == SYND_CTRL_FAILED) {
		/* the next try might open the channel while the image is written */
		synd_err(c, "hibernation: a reset is not complete; try again later, or unbind the controller\n");
		ret = -EAGAIN;
	}
	synd_ctrl_unlock(c);
	return ret;
}

static int synd_resume(struct hv_device *hv)
{
	struct synd_ctrl *c = hv_get_drvdata(hv);

	synd_ctrl_lock(c);
	if (c->state == SYND_CTRL_SUSPENDED) {
		synd_ctrl_set_state(c, SYND_CTRL_RESETTING);
		/* if this try fails, others follow */
		synd_reopen(c);
	}
	synd_ctrl_unlock(c);
	return 0;
}

/* ---- pauses of the host ------------------------------------------------------------- */

/* The host answers again: what waits for that is tried now */
static void host_responds(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int i;

	WRITE_ONCE(c->responds_since, jiffies);
	switch (READ_ONCE(c->state)) {
	case SYND_CTRL_RECOVERING:
	case SYND_CTRL_FAILED:
		mod_delayed_work(synd_repair_wq, &c->recover_work, 0);
		return;
	case SYND_CTRL_LIVE:
		break;
	default:
		return;
	}
	if (READ_ONCE(c->scan_wanted))
		mod_delayed_work(c->wq, &c->scan_work, 0);
	rcu_read_lock();
	for (i = 0; i < SYND_MAX_DISKS; i++) {
		d = rcu_dereference(c->disks[i]);
		if (d && READ_ONCE(d->state) == SYND_DISK_CHECKING)
			mod_delayed_work(synd_repair_wq, &d->check_work, 0);
	}
	rcu_read_unlock();
}

static int host_event(struct notifier_block *nb, unsigned long event,
		      void *unused)
{
	struct synd_ctrl *c;

	if (event != SYNTHIO_HOST_RESPONDS)
		return NOTIFY_DONE;
	mutex_lock(&ctrl_list_mutex);
	list_for_each_entry(c, &ctrl_list, node)
		host_responds(c);
	mutex_unlock(&ctrl_list_mutex);
	return NOTIFY_OK;
}

static struct notifier_block host_nb = { .notifier_call = host_event };

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
		.dev_groups	= synd_ctrl_groups,
	},
};

/**
 * synd_ctrl_register() - take the controllers that there are, and will be
 *
 * Context: process, sleeps.
 * Return: 0 or an error.
 */
int synd_ctrl_register(void)
{
	int ret;

	/*
	 * Not freezable: the image of a hibernation is written to a disk while
	 * freezable work queues are stopped, after that disk was checked.
	 */
	synd_repair_wq = alloc_workqueue("synth_blk_repair",
					 WQ_MEM_RECLAIM | WQ_UNBOUND, 0);
	if (!synd_repair_wq)
		return -ENOMEM;
	ret = synthio_host_register(&host_nb);
	if (ret)
		goto err_wq;
	ret = vmbus_driver_register(&synd_driver);
	if (ret)
		goto err_host;
	return 0;

err_host:
	synthio_host_unregister(&host_nb);
err_wq:
	destroy_workqueue(synd_repair_wq);
	return ret;
}

/**
 * synd_ctrl_unregister() - the mirror of synd_ctrl_register()
 *
 * Context: process, sleeps.
 */
void synd_ctrl_unregister(void)
{
	vmbus_driver_unregister(&synd_driver);
	synthio_host_unregister(&host_nb);
	destroy_workqueue(synd_repair_wq);
}
