/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SYNTHHOST_KINDS_H
#define SYNTHHOST_KINDS_H

#include "device.h"

/**
 * device_kind_first() - all sorts of devices that are linked in, by name
 *
 * Follow @next.
 */
const struct device_kind *device_kind_first(void);

#endif
