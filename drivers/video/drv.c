// SPDX-License-Identifier: GPL-2.0-only
/* synth_video: what the bus and DRM call, and the connection to the host */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/slab.h>

#include <drm/drm_atomic_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_probe_helper.h>

#include <synthio/host_state.h>
#include <synthio/silent.h>

#include "video.h"

#define VRAM_ALIGN	0x100000

DEFINE_DRM_GEM_FOPS(synv_fops);

static const struct drm_driver synv_drm_driver = {
	.driver_features = DRIVER_MODESET | DRIVER_GEM | DRIVER_ATOMIC |
			   COMPAT_CURSOR_HOTSPOT,
	.name		= SYNV_NAME,
	.desc		= "Display of a VMBus host",
	COMPAT_DRIVER_DATE
	.major		= 1,
	.fops		= &synv_fops,
	DRM_GEM_SHMEM_DRIVER_OPS,
	.gem_create_object = synv_vram_object,
#ifdef CONFIG_DEBUG_FS
	.debugfs_init	= synv_debugfs_init,
#endif
	COMPAT_DRIVER_OPS
};

/* Whether an address is in a BAR of a graphics card */
static bool is_of_a_card(resource_size_t start)
{
	struct pci_dev *pdev = NULL;
	bool found = false;
	int bar;

	while (!found &&
	       (pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev))) {
		/* in Hyper-V's generation 1 the card is this display, emulated */
		if (pdev->class >> 16 != PCI_BASE_CLASS_DISPLAY ||
		    pdev->vendor == PCI_VENDOR_ID_MICROSOFT)
			continue;
		for (bar = 0; bar < PCI_STD_NUM_BARS; bar++)
			found |= pci_resource_flags(pdev, bar) & IORESOURCE_MEM &&
				 start >= pci_resource_start(pdev, bar) &&
				 start <= pci_resource_end(pdev, bar);
	}
	pci_dev_put(pdev);
	return found;
}

/*
 * The firmware's frame buffer is in the host's display, which gets this driver. A driver
 * that draws there (efifb, simpledrm and so on) is removed before the VRAM is allocated:
 * as long as it has the memory, the bus places the VRAM elsewhere. But if the frame buffer
 * is in a graphics card, it belongs to another device.
 */
static void synv_take_over(void)
{
	const struct screen_info *si = compat_screen_info();
	resource_size_t start = si->lfb_base, size = si->lfb_size;

	if (si->orig_video_isVGA == VIDEO_TYPE_VLFB)
		size <<= 16;	/* which has it in units of 64 KiB */
	else if (si->orig_video_isVGA != VIDEO_TYPE_EFI)
		return;
	if (si->capabilities & VIDEO_CAPABILITY_64BIT_BASE)
		start |= (resource_size_t)si->ext_lfb_base << 32;
	if (start && size && !is_of_a_card(start))
		compat_remove_conflicting(start, size, SYNV_NAME);
}

/*
 * The VRAM is mapped as memory, cacheable: hosts have it cacheable, too, so they see what
 * is written there.
 */
static int synv_map_vram(struct synv *v)
{
	struct hv_device *hv = v->channel.hv;
	u32 megabytes = hv->channel->offermsg.offer.mmio_megabytes;
	int ret;

	if (!megabytes || megabytes > 1024) {
		dev_err(&hv->device, "the host offers a VRAM of %u MiB; 1 to 1024 are supported\n",
			megabytes);
		return -EINVAL;
	}
	v->vram_size = megabytes << 20;
	synv_take_over();
	ret = vmbus_allocate_mmio(&v->window, hv, 0, -1, v->vram_size,
				  VRAM_ALIGN, true);
	if (ret) {
		dev_err(&hv->device, "there is no room for %u MiB of VRAM: %d\n",
			megabytes, ret);
		return ret;
	}
	v->vram = memremap(v->window->start, v->vram_size, MEMREMAP_WB);
	if (!v->vram) {
		vmbus_free_mmio(v->window->start, v->vram_size);
		return -ENOMEM;
	}
	return 0;
}

static void synv_unmap_vram(struct synv *v)
{
	synv_vram_evict(v);
	memunmap(v->vram);
	v->vram = NULL;
	vmbus_free_mmio(v->window->start, v->vram_size);
}

/* --- connection -------------------------------------------------------------------- */

/* The first connection: the modes are known, so the display can be registered */
static int synv_setup(struct synv *v)
{
	int ret;

	ret = synv_map_vram(v);
	if (ret)
		return ret;
	ret = synv_modeset_init(v);
	if (ret)
		goto err_unmap;
	ret = synv_channel_set_vram(&v->channel, v->window->start);
	if (ret)
		goto err_unmap;
	synv_output_start(v);
	ret = drm_dev_register(&v->drm, 0);
	if (ret)
		goto err_unmap;
	synv_channel_change_state(&v->channel, SYNV_LIVE);
	compat_skip_unload(true);
	compat_fbdev_setup(&v->drm);
	return 0;

err_unmap:
	/* the host may look into the VRAM until the channel is closed */
	synv_channel_close(&v->channel);
	synv_output_stop(v);
	synv_unmap_vram(v);
	return ret;
}

/* The display exists, and has lost its host: at hibernation */
static int synv_reconnect(struct synv *v)
{
	int ret = synv_channel_set_vram(&v->channel, v->window->start);

	if (!ret)
		synv_output_start(v);
	return ret;
}

/*
 * Afterwards the display is SYNV_LIVE if this was its first connection, else SYNV_READY:
 * there are no hotplug events before DRM has resumed.
 */
static int synv_connect(struct synv *v)
{
	struct hv_device *hv = v->channel.hv;
	struct synv_modes *modes;
	int ret;

	if (synthio_host_stalled(hv))
		return -ETIMEDOUT;
	modes = kmalloc(sizeof(*modes), GFP_KERNEL);
	if (!modes)
		return -ENOMEM;
	ret = synv_channel_open(&v->channel, modes);
	if (!ret) {
		mutex_lock(&v->modes_lock);
		v->modes = *modes;
		mutex_unlock(&v->modes_lock);
		ret = v->vram ? synv_reconnect(v) : synv_setup(v);
		if (ret)
			synv_channel_close(&v->channel);
	}
	kfree(modes);
	return ret;
}

/*
 * Whether the host does not answer, so that the display is connected later. Further
 * attempts say nothing: there may be many.
 */
static bool synv_connect_later(struct synv *v, int ret, bool say)
{
	struct hv_device *hv = v->channel.hv;

	if (!synthio_host_silent(hv, ret))
		return false;
	if (say)
		dev_warn(&hv->device,
			 "the host does not respond (%d); the display is connected when it does\n",
			 ret);
	schedule_delayed_work(&v->connect_work, SYNTHIO_RETRY_DELAY);
	return true;
}

static void connect_work(struct work_struct *work)
{
	struct synv *v = container_of(to_delayed_work(work), struct synv,
				      connect_work);
	bool first = !v->vram;
	int ret = synv_connect(v);

	if (ret) {
		if (!synv_connect_later(v, ret, false))
			dev_err(&v->channel.hv->device,
				"the display can't be connected (%d); unbind and bind it to try again\n",
				ret);
		return;
	}
	if (!first) {
		synv_channel_change_state(&v->channel, SYNV_LIVE);
		synv_plane_refresh(v);
		/* it may be another host, or another viewer */
		synv_modeset_hotplug(v);
	}
}

static int host_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct synv *v = container_of(nb, struct synv, host_nb);

	synv_output_kick(v);
	if (event == SYNTHIO_HOST_RESPONDS &&
	    cancel_delayed_work(&v->connect_work))
		schedule_delayed_work(&v->connect_work, 0);
	return NOTIFY_OK;
}

/*
 * The host wants other messages than before, perhaps since a viewer has come: it gets all
 * of them. A feature change is also how a host reports other modes. A host that is paused
 * before it has sent its modes is asked again.
 */
static void features_work(struct work_struct *work)
{
	struct synv *v = container_of(to_delayed_work(work), struct synv,
				      features_work);
	struct synv_modes *modes;
	int ret;

	if (!synv_channel_in_use(&v->channel)) {
		/* the feature change came during the connection, or after its end */
		return;
	}
	modes = kmalloc(sizeof(*modes), GFP_KERNEL);
	if (!modes)
		return;
	synv_output_resend(v);
	ret = synv_channel_ask_modes(&v->channel, modes);
	if (!ret)
		synv_modeset_new_modes(v, modes);
	else if (ret == -ETIMEDOUT)
		schedule_delayed_work(&v->features_work, SYNTHIO_RETRY_DELAY);
	kfree(modes);
}

/* In a tasklet */
static void features_changed(struct synv_channel *c)
{
	struct synv *v = container_of(c, struct synv, channel);

	schedule_delayed_work(&v->features_work, 0);
}

static const struct synv_channel_ops synv_ops = {
	.features	= features_changed,
};

/* --- what the bus calls ------------------------------------------------------------- */

static int synv_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synv *v = devm_drm_dev_alloc(&hv->device, &synv_drm_driver,
					    struct synv, drm);
	int ret;

	if (IS_ERR(v))
		return PTR_ERR(v);
	mutex_init(&v->modes_lock);
	INIT_DELAYED_WORK(&v->connect_work, connect_work);
	INIT_DELAYED_WORK(&v->features_work, features_work);
	v->host_nb.notifier_call = host_event;
	synv_channel_init(&v->channel, hv, &synv_ops);
	synv_output_init(v);
	synv_vram_init(v);
	synv_vblank_init(v);
	hv_set_drvdata(hv, v);

	ret = synv_connect(v);
	if (ret && !synv_connect_later(v, ret, true)) {
		cancel_delayed_work_sync(&v->features_work);
		hv_set_drvdata(hv, NULL);
		return ret;
	}
	synthio_host_register(&v->host_nb);
	return 0;
}

/*
 * A program that has the device open keeps the struct, and finds it unplugged: behind
 * drm_dev_unplug() nothing uses the channel or the VRAM. Buffers, and their mappings in
 * programs, keep their content in guest memory.
 */
static compat_remove_t synv_remove(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);

	synthio_host_unregister(&v->host_nb);
	cancel_delayed_work_sync(&v->connect_work);
	if (v->vram) {
		/* from here on there are no hotplug events */
		if (synv_channel_in_use(&v->channel))
			synv_channel_change_state(&v->channel, SYNV_LEAVING);
		cancel_delayed_work_sync(&v->features_work);
		compat_skip_unload(false);
		drm_dev_unplug(&v->drm);
		synv_plane_exit(v);
		drm_atomic_helper_shutdown(&v->drm);
		synv_vblank_exit(v);
		synv_channel_close(&v->channel);
	}
	/* the host may have sent a feature change until the channel was closed */
	cancel_delayed_work_sync(&v->features_work);
	synv_output_stop(v);
	if (v->vram)
		synv_unmap_vram(v);
	hv_set_drvdata(hv, NULL);
	return COMPAT_REMOVE_DONE;
}

/*
 * For hibernation. The content of the VRAM is lost, so the buffer in it is evicted. The
 * screen is shown again from buffers when modes are restored.
 */
static int synv_suspend(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);
	int ret;

	cancel_delayed_work_sync(&v->connect_work);
	if (!v->vram)
		return 0;
	if (synv_channel_in_use(&v->channel)) {
		if (synv_channel_wait_read(&v->channel)) {
			dev_err(&hv->device,
				"the host does not respond, so the display can't be suspended; try again when it does\n");
			return -EAGAIN;
		}
		/* no new mode lights the screen again */
		synv_channel_change_state(&v->channel, SYNV_LEAVING);
	}
	cancel_delayed_work_sync(&v->features_work);
	ret = drm_mode_config_helper_suspend(&v->drm);
	if (ret) {
		if (synv_channel_in_use(&v->channel))
			synv_channel_change_state(&v->channel, SYNV_LIVE);
		else
			schedule_delayed_work(&v->connect_work, 0);
		/* feature changes that came meanwhile */
		schedule_delayed_work(&v->features_work, 0);
		synv_modeset_hotplug(v);
		return ret;
	}
	synv_vram_evict(v);
	synv_channel_close(&v->channel);
	cancel_delayed_work_sync(&v->features_work);
	synv_output_stop(v);
	return 0;
}

/*
 * Programs and the console get back what they had also without a host, with all buffers
 * in guest memory; it is shown when the host answers.
 */
static int synv_resume(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);
	bool first = !v->vram;
	int ret, err;

	ret = synv_connect(v);
	err = first ? 0 : drm_mode_config_helper_resume(&v->drm);
	if (ret && synv_connect_later(v, ret, true))
		return err;
	if (!ret && !first) {
		synv_channel_change_state(&v->channel, SYNV_LIVE);
		/* it may be another host, or another viewer */
		synv_modeset_hotplug(v);
	}
	return ret ?: err;
}

static const struct hv_vmbus_device_id synv_ids[] = {
	{ HV_SYNTHVID_GUID, },
	{ }
};
MODULE_DEVICE_TABLE(vmbus, synv_ids);

static struct hv_driver synv_driver = {
	.name		= SYNV_NAME,
	.id_table	= synv_ids,
	.probe		= synv_probe,
	.remove		= synv_remove,
	.suspend	= synv_suspend,
	.resume		= synv_resume,
	.driver		= {
		.probe_type	= PROBE_PREFER_ASYNCHRONOUS,
	},
};

static int __init synv_init(void)
{
	int ret;

	if (drm_firmware_drivers_only())
		return -ENODEV;
	ret = synthio_refuse_isolated();
	return ret ?: vmbus_driver_register(&synv_driver);
}
module_init(synv_init);

static void __exit synv_exit(void)
{
	vmbus_driver_unregister(&synv_driver);
}
module_exit(synv_exit);

MODULE_DESCRIPTION("Display of a VMBus host (synthvid), through DRM/KMS");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
