// SPDX-License-Identifier: GPL-2.0-only
/* synth_mouse: what the bus calls, and the order of init and exit */
#include <linux/module.h>
#include <linux/slab.h>

#include "mouse.h"

static bool same_device(const struct synm_info *a, const struct synm_info *b)
{
	return a->vendor == b->vendor && a->product == b->product &&
	       a->version == b->version && a->desc_len == b->desc_len &&
	       !memcmp(a->desc, b->desc, a->desc_len);
}

/* After hibernation the host may have another device: not while all resumes */
static void renew(struct work_struct *work)
{
	struct synm *m = container_of(work, struct synm, renew_work);

	synm_hid_remove(m);
	m->info = m->next;
	synm_hid_add(m);
}

static int synm_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synm *m = kvzalloc(sizeof(*m), GFP_KERNEL);
	int ret;

	if (!m)
		return -ENOMEM;
	m->hv = hv;
	spin_lock_init(&m->rx_lock);
	init_completion(&m->answered);
	INIT_WORK(&m->renew_work, renew);
	hv_set_drvdata(hv, m);

	ret = synm_channel_open(m);
	if (ret)
		goto err_free;
	m->info = m->next;
	ret = synm_hid_add(m);
	if (ret)
		goto err_close;
	device_init_wakeup(&hv->device, true);
	return 0;

err_close:
	synm_channel_close(m);
err_free:
	hv_set_drvdata(hv, NULL);
	kvfree(m);
	return ret;
}

static compat_remove_t synm_remove(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);

	device_init_wakeup(&hv->device, false);
	/* in this order: nothing asks for the work after its end */
	synm_channel_close(m);
	cancel_work_sync(&m->renew_work);
	synm_hid_remove(m);
	hv_set_drvdata(hv, NULL);
	kvfree(m);
	return COMPAT_REMOVE_DONE;
}

/* For hibernation; suspend to idle keeps the channel open, and is woken by it */
static int synm_suspend(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);

	cancel_work_sync(&m->renew_work);
	synm_channel_close(m);
	return 0;
}

static int synm_resume(struct hv_device *hv)
{
	struct synm *m = hv_get_drvdata(hv);
	int ret;

	ret = synm_channel_open(m);
	if (ret)
		return ret;
	if (!same_device(&m->info, &m->next)) {
		dev_info(&hv->device, "another device than before\n");
		queue_work(system_freezable_wq, &m->renew_work);
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
	ret = synm_hid_register();
	if (ret)
		return ret;
	ret = vmbus_driver_register(&synm_driver);
	if (ret)
		synm_hid_unregister();
	return ret;
}
module_init(synm_init);

static void __exit synm_exit(void)
{
	vmbus_driver_unregister(&synm_driver);
	synm_hid_unregister();
}
module_exit(synm_exit);

MODULE_DESCRIPTION("Pointer of a VMBus host (synthetic HID)");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
