/* SPDX-License-Identifier: GPL-2.0-only */
#include <linux/hyperv.h>

#define module_param(name, type, mode)
#define MODULE_PARM_DESC(name, text)	static_assert(sizeof(text) > 1, "")
#define EXPORT_SYMBOL_GPL(name)
