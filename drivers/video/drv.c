// SPDX-License-Identifier: GPL-2.0-only
/* synth_video: what the bus and DRM call */
#include <linux/io.h>
#include <linux/module.h>
#include <linux/pci.h>

#include <drm/drm_atomic_helper.h>
#include <drm/drm_drv.h>
#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_ioctl.h>
#include <drm/drm_modeset_helper.h>
#include <drm/drm_probe_helper.h>

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
	.debugfs_init	= synv_vram_debugfs,
#endif
	COMPAT_DRIVER_OPS
};

/* The memory of a graphics card */
static bool is_of_a_card(resource_size_t start)
{
	struct pci_dev *pdev = NULL;
	bool found = false;
	int bar;

	while (!found &&
	       (pdev = pci_get_device(PCI_ANY_ID, PCI_ANY_ID, pdev))) {
		/* the one of Hyper-V's older machines is the same display as we are */
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
 * The firmware draws where the host has its display, which is ours now, and some
 * driver may be on that. It goes before we ask for a window: as long as it has its
 * memory, the bus finds us one elsewhere. But what lies in a graphics card is
 * another device's.
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
 * Mapped as memory: a host that has the VRAM cacheable, as they all do, sees what
 * is written there.
 */
static int synv_map_vram(struct synv *v)
{
	u32 megabytes = v->hv->channel->offermsg.offer.mmio_megabytes;
	int ret;

	if (!megabytes || megabytes > 1024) {
		dev_err(&v->hv->device, "a VRAM of %u MiB?\n", megabytes);
		return -EINVAL;
	}
	v->vram_size = megabytes << 20;
	synv_take_over();
	ret = vmbus_allocate_mmio(&v->window, v->hv, 0, -1, v->vram_size,
				  VRAM_ALIGN, true);
	if (ret) {
		dev_err(&v->hv->device, "no room for %u MiB of VRAM: %d\n",
			megabytes, ret);
		return ret;
	}
	v->vram = memremap(v->window->start, v->vram_size, MEMREMAP_WB);
	if (!v->vram) {
		vmbus_free_mmio(v->window->start, v->vram_size);
		return -ENOMEM;
	}
	synv_vram_init(v);
	return 0;
}

static void synv_unmap_vram(struct synv *v)
{
	synv_vram_exit(v);
	memunmap(v->vram);
	v->vram = NULL;
	vmbus_free_mmio(v->window->start, v->vram_size);
}

static int synv_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synv *v = devm_drm_dev_alloc(&hv->device, &synv_drm_driver,
					    struct synv, drm);
	int ret;

	if (IS_ERR(v))
		return PTR_ERR(v);
	v->hv = hv;
	mutex_init(&v->modes_lock);
	mutex_init(&v->vram_lock);
	mutex_init(&v->out_lock);
	mutex_init(&v->ask_lock);
	spin_lock_init(&v->rx_lock);
	init_completion(&v->answered);
	synv_vblank_init(v);
	hv_set_drvdata(hv, v);

	ret = synv_proto_open(v);
	if (ret)
		goto err;
	ret = synv_map_vram(v);
	if (ret)
		goto err_close;
	ret = synv_modeset_init(v);
	if (ret)
		goto err_unmap;
	ret = synv_proto_start(v);
	if (ret)
		goto err_unmap;
	ret = drm_dev_register(&v->drm, 0);
	if (ret)
		goto err_unmap;
	WRITE_ONCE(v->registered, true);
	compat_skip_unload(true);
	compat_fbdev_setup(&v->drm);
	return 0;

err_unmap:
	synv_proto_close(v);
	synv_unmap_vram(v);
	goto err;
err_close:
	synv_proto_close(v);
err:
	hv_set_drvdata(hv, NULL);
	return ret;
}

/*
 * Whoever has the device open keeps the struct, and finds it unplugged: nothing
 * touches channel or VRAM behind drm_dev_unplug(). Buffers go on in guest memory,
 * with what was drawn; so do programs that have them mapped.
 */
static compat_remove_t synv_remove(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);

	/* from here on nobody is told of new modes, and nobody is doing it */
	WRITE_ONCE(v->registered, false);
	cancel_work_sync(&v->feature_work);
	compat_skip_unload(false);
	drm_dev_unplug(&v->drm);
	synv_plane_exit(v);
	drm_atomic_helper_shutdown(&v->drm);
	synv_vblank_exit(v);
	synv_proto_close(v);
	synv_unmap_vram(v);
	hv_set_drvdata(hv, NULL);
	return COMPAT_REMOVE_DONE;
}

/*
 * For hibernation. The VRAM is the host's, and lost: buffers leave it. The picture
 * comes back with the modes, out of its buffers.
 */
static int synv_suspend(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);
	int ret;

	/* no new mode lights the screen again */
	WRITE_ONCE(v->registered, false);
	cancel_work_sync(&v->feature_work);
	ret = drm_mode_config_helper_suspend(&v->drm);
	if (ret) {
		WRITE_ONCE(v->registered, true);
		/* what came meanwhile */
		schedule_work(&v->feature_work);
		drm_kms_helper_hotplug_event(&v->drm);
		return ret;
	}
	synv_vram_stop(v);
	synv_proto_close(v);
	return 0;
}

/*
 * Without the host, too, programs and the console get back what they had. But the
 * VRAM is nobody's then: buffers stay in guest memory.
 */
static int synv_resume(struct hv_device *hv)
{
	struct synv *v = hv_get_drvdata(hv);
	int ret, err;

	ret = synv_proto_open(v);
	if (!ret)
		ret = synv_proto_start(v);
	if (!ret)
		synv_vram_start(v);
	err = drm_mode_config_helper_resume(&v->drm);
	WRITE_ONCE(v->registered, true);
	/* it may be another host, or another viewer */
	drm_kms_helper_hotplug_event(&v->drm);
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
