// SPDX-License-Identifier: GPL-2.0-only
/*
 * Leaves a framebuffer behind as firmware does: screen_info says where, and a
 * device is there for the kernel's simplefb (or simpledrm) to draw on. So a
 * display driver can be seen to take over from it, at any address, while no
 * firmware of an emulated machine draws in our aperture.
 *
 *	insmod synth_firmfb.ko base=0xfe100000 width=640 height=480
 */
#include <linux/module.h>
#include <linux/platform_data/simplefb.h>
#include <linux/platform_device.h>

#include "compat.h"

#define BPP	4

static unsigned long long base;
module_param(base, ullong, 0400);
MODULE_PARM_DESC(base, "where it lies");
static unsigned int width = 640;
module_param(width, uint, 0400);
MODULE_PARM_DESC(width, "pixels");
static unsigned int height = 480;
module_param(height, uint, 0400);
MODULE_PARM_DESC(height, "pixels");

static struct platform_device *firmfb;
static struct screen_info before;

static int __init firmfb_init(void)
{
	u32 size = width * height * BPP;
	struct resource res = DEFINE_RES_MEM(base, size);
	struct simplefb_platform_data mode = {
		.width = width, .height = height, .stride = width * BPP,
		.format = "x8r8g8b8",
	};
	struct screen_info *si = compat_screen_info();

	before = *si;
	si->orig_video_isVGA = VIDEO_TYPE_EFI;
	si->lfb_base = base;
	si->ext_lfb_base = base >> 32;
	si->capabilities = si->ext_lfb_base ? VIDEO_CAPABILITY_64BIT_BASE : 0;
	si->lfb_size = size;
	si->lfb_width = width;
	si->lfb_height = height;
	si->lfb_depth = 8 * BPP;
	si->lfb_linelength = width * BPP;
	firmfb = platform_device_register_resndata(NULL, "simple-framebuffer",
						   0, &res, 1, &mode,
						   sizeof(mode));
	if (IS_ERR(firmfb)) {
		*si = before;
		return PTR_ERR(firmfb);
	}
	/* who takes over unregisters it */
	get_device(&firmfb->dev);
	return 0;
}
module_init(firmfb_init);

static void __exit firmfb_exit(void)
{
	if (device_is_registered(&firmfb->dev))
		platform_device_unregister(firmfb);
	put_device(&firmfb->dev);
	*compat_screen_info() = before;
}
module_exit(firmfb_exit);

MODULE_DESCRIPTION("Leaves a framebuffer behind as firmware does, for tests");
MODULE_LICENSE("GPL");
