/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernels that the test modules meet: by type, where that is
 * possible, else by HAVE_*, which compat/configure finds out.
 */
#ifndef SYNTHIO_SELFTESTS_COMPAT_H
#define SYNTHIO_SELFTESTS_COMPAT_H

#include <linux/hyperv.h>

#include <synthio/config.h>

/* What hv_driver.remove returns: an int that nobody looks at, later void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

#if defined(HAVE_RING_SYSFS_YES) && !defined(SYNTHIO_OWN_NAMES)
#define CT_RING_SYSFS 1
/* declared in no public header */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma));
int hv_remove_ring_sysfs(struct vmbus_channel *channel);
#endif

/* what the firmware draws on moved into a struct of its own */
#ifdef HAVE_SCREEN_INFO_SYSFB
#include <linux/sysfb.h>
#define compat_screen_info()	(&sysfb_primary_display.screen)
#else
#include <linux/screen_info.h>
#define compat_screen_info()	(&screen_info)
#endif

#endif
