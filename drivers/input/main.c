// SPDX-License-Identifier: GPL-2.0-only
/* synth_mouse: what the bus calls, and the connection to the host */
#include <linux/debugfs.h>
#include <linux/kmod.h>
#include <linux/module.h>
#include <linux/seq_file.h>
#include <linux/slab.h>

#include <synthio/host_state.h>
#include <synthio/silent.h>

#include "mouse.h"

static struct dentry *debugfs_dir;

static int state_show(struct seq_file *s, void *unused)
{
	struct synm *m = s->private;

	seq_printf(s, "state: %s\nbad: %llu\n",
		   synth_input_state_name(READ_ONCE(m->link.state)),
		   READ_ONCE(m->link.bad));
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

/* --- connection -------------------------------------------------------------------- */

static bool same_device(const struct synm_info *a, const struct synm_info *b)
{
	return a->vendor == b->vendor && a->product == b->product &&
	       a->version == b->version && a->desc_len == b->desc_len &&
	       !memcmp(a->desc, b->desc, a->desc_len);
}

/* Make the HID device that the host has described, if there is none or another one */
static int update_hid(struct synm *m)
{
	if (m->hid && same_device(&m->info, &m->next))
		return 0;
	synm_hid_remove(m);
	m->info = m->next;
	return synm_hid_add(m);
}

static int connect(struct synm *m)
{
	if (synthio_host_stalled(m->link.hv))
		return -ETIMEDOUT;
	return synm_channel_open(m);
}

/*
 * Whether the host does not answer, so that the mouse is connected later. Further
 * attempts say nothing: there may be many.
 */
static bool connect_later(struct synm *m, int ret, bool say)
{
	if (!synthio_host_silent(m->link.hv, ret))
		return false;
	if (say)
		dev_warn(&m->link.hv->device,
			 "the host does not respond (%d); the mouse is connected when it does\n",
			 ret);
	queue_delayed_work(system_freezable_wq, &m->connect_work,
			   SYNTHIO_RETRY_DELAY);
	return true;
}

static void connect_work(struct work_struct *work)
{
	struct synm *m = container_of(to_delayed_work(work), struct synm,
				      connect_work);
	int ret = 0;

	if (READ_ONCE(m->link.state) == SYNTH_INPUT_CLOSED) {
		ret = connect(m);
		if (ret && connect_later(m, ret, false))
			return;
	}
	if (!ret)
		ret = update_hid(m);
	if (ret)
		dev_err(&m->link.hv->device,
			"the mouse can't be connected (%d); unbind and bind it to try again\n",
			ret);
}

static int host_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct synm *m = container_of(nb, struct synm, host_nb);

	if (event == SYNTHIO_HOST_RESPONDS &&
	    cancel_delayed_work(&m->connect_work))
		queue_delayed_work(system_freezable_wq, &m->connect_work, 0);
	return NOTIFY_OK;
}

/* --- what the bus calls ------------------------------------------------------------- */

static int synm_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synm *m = kvzalloc(sizeof(*m), GFP_KERNEL);
	int ret;

	if (!m)
		return -ENOMEM;
	m->link.hv = hv;
	spin_lock_init(&m->link.rx_lock);
	init_completion(&m->link.answered);
	INIT_DELAYED_WORK(&m->connect_work, connect_work);
	m->host_nb.notifier_call = host_event;
	hv_set_drvdata(hv, m);

	ret = connect(m);
	if (!ret)
		ret = update_hid(m);
	else if (connect_later(m, ret, true))
		ret = 0;
	if (ret) {
		synm_channel_close(m);
		hv_set_drvdata(hv, NULL);
		kvfree(m);
		return ret;
	}
	device_init_wakeup(&hv->device, true);
	synthio_host_register(&m->host_nb);
	m->debugfs = debugfs_create_file(dev_name(&hv->device), 0444, debugfs_dir,
					 m, &state_fops);
	return 0;
}

static compat_remove_t synm_remove(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);

	debugfs_remove(m->debugfs);
	synthio_host_unregister(&m->host_nb);
	cancel_delayed_work_sync(&m->connect_work);
	device_init_wakeup(&hv->device, false);
	synm_channel_close(m);
	synm_hid_remove(m);
	hv_set_drvdata(hv, NULL);
	kvfree(m);
	return COMPAT_REMOVE_DONE;
}

/* For hibernation; suspend to idle keeps the channel open, and a report ends it */
static int synm_suspend(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);

	if (synthio_host_stalled(hv)) {
		dev_err(&hv->device,
			"the host does not respond, so the mouse can't be suspended; try again when it does\n");
		return -EAGAIN;
	}
	cancel_delayed_work_sync(&m->connect_work);
	synm_channel_close(m);
	return 0;
}

/* Another HID device is made by the work, not while all devices resume */
static int synm_resume(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);
	int ret = connect(m);

	if (ret)
		return connect_later(m, ret, true) ? 0 : ret;
	if (!m->hid || !same_device(&m->info, &m->next)) {
		dev_info(&hv->device,
			 "the host has another mouse than before the suspend\n");
		queue_delayed_work(system_freezable_wq, &m->connect_work, 0);
	}
	return 0;
}

static const struct hv_vmbus_device_id synm_ids[] = {
	{ HV_MOUSE_GUID, },
	{ }
};
MODULE_DEVICE_TABLE(vmbus, synm_ids);

static struct hv_driver synm_driver = {
	.name		= SYNM_NAME,
	.id_table	= synm_ids,
	.probe		= synm_probe,
	.remove		= synm_remove,
	.suspend	= synm_suspend,
	.resume		= synm_resume,
	.driver		= {
		.probe_type	= PROBE_PREFER_ASYNCHRONOUS,
	},
};

static int __init synm_init(void)
{
	int ret = synthio_refuse_isolated();

	if (ret)
		return ret;
	/* it makes input devices of the HID devices of this driver */
	request_module("hid-generic");
	debugfs_dir = debugfs_create_dir(SYNM_NAME, NULL);
	ret = vmbus_driver_register(&synm_driver);
	if (ret)
		debugfs_remove(debugfs_dir);
	return ret;
}
module_init(synm_init);

static void __exit synm_exit(void)
{
	vmbus_driver_unregister(&synm_driver);
	debugfs_remove(debugfs_dir);
}
module_exit(synm_exit);

MODULE_DESCRIPTION("Pointer of a VMBus host (synthetic HID)");
MODULE_AUTHOR("synthio");
MODULE_SOFTDEP("post: hid-generic");
MODULE_LICENSE("GPL");
