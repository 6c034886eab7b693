/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/hyperv.h>

#define tasklet_disable(t)	((t)->disabled++)
#define tasklet_enable(t)	((t)->disabled--)
