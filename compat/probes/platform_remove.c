// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE platform_remove: which callback of a platform_driver returns nothing
 * FORM REMOVE: remove(), since 6.11
 * FORM REMOVE_NEW: remove_new(), since 6.3
 * FORM NONE: none
 */
#include <linux/platform_device.h>

#ifdef PROBE_NONE
static int remove(struct platform_device *pdev)
{
	return 0;
}
#else
static void remove(struct platform_device *pdev)
{
}
#endif

extern const struct platform_driver probe;
const struct platform_driver probe = {
#ifdef PROBE_REMOVE_NEW
	.remove_new = remove,
#else
	.remove = remove,
#endif
};
