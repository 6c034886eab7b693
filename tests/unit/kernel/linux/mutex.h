/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/hyperv.h>

#define DEFINE_MUTEX(name)	struct mutex name
