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

/* what the firmware draws on moved into a struct of its own */
#ifdef HAVE_SCREEN_INFO_SYSFB
#include <linux/sysfb.h>
#define compat_screen_info()	(&sysfb_primary_display.screen)
#else
#include <linux/screen_info.h>
#define compat_screen_info()	(&screen_info)
#endif

#endif
