/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SYNTHIO_SYSFS_H
#define SYNTHIO_SYSFS_H

#include <linux/sysfs.h>

extern const struct attribute_group *sysfs_device_groups[];
extern const struct attribute_group sysfs_channel_group;
extern const struct sysfs_ops sysfs_channel_ops;

#endif
