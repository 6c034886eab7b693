/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions that the test modules meet. Probed by
 * type, where that is possible.
 */
#ifndef SYNTHIO_SELFTESTS_COMPAT_H
#define SYNTHIO_SELFTESTS_COMPAT_H

#include <linux/hyperv.h>
#include <linux/version.h>

/* What hv_driver.remove returns: an int that nobody looks at, later void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

/* what the firmware draws on moved into a struct of its own */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 19, 0)
#include <linux/sysfb.h>
#define compat_screen_info()	(&sysfb_primary_display.screen)
#else
#include <linux/screen_info.h>
#define compat_screen_info()	(&screen_info)
#endif

#endif
