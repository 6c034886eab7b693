/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions that the test modules meet. Probed by
 * type, so that no version number is needed.
 */
#ifndef SYNTHIO_SELFTESTS_COMPAT_H
#define SYNTHIO_SELFTESTS_COMPAT_H

#include <linux/hyperv.h>

/* What hv_driver.remove returns: an int that nobody looks at, later void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

#endif
