/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernel versions that the mouse driver meets. Nothing
 * else in this directory looks at a version.
 */
#ifndef SYNTHIO_INPUT_COMPAT_H
#define SYNTHIO_INPUT_COMPAT_H

#include <linux/hyperv.h>

/* What hv_driver.remove returns: an int that nobody looks at, later void */
#define compat_remove_t		typeof(((struct hv_driver *)NULL)->remove(NULL))
#define COMPAT_REMOVE_DONE	((compat_remove_t)0)

#endif
