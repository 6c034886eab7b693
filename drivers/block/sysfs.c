// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes of a controller: /sys/bus/vmbus/devices/ID/synth_blk/. None of the
 * readers takes ctrl->mutex, which may be held for as long as the host is waited for.
 */
#include <linux/device.h>
#include <linux/sysfs.h>

#include "synth_blk.h"

static struct synd_ctrl *ctrl_of(struct device *dev)
{
	return hv_get_drvdata(device_to_hv_device(dev));
}

static ssize_t controller_state_show(struct device *dev,
				     struct device_attribute *attr, char *buf)
{
	struct synd_ctrl *c = ctrl_of(dev);

	return sysfs_emit(buf, "%s\n",
			  synd_ctrl_state_names[READ_ONCE(c->state)]);
}
static DEVICE_ATTR_RO(controller_state);

static ssize_t host_state_show(struct device *dev,
			       struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%s\n",
			  synd_host_state_names[synd_pause_state(ctrl_of(dev))]);
}
static DEVICE_ATTR_RO(host_state);

static ssize_t protocol_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	u16 version = READ_ONCE(ctrl_of(dev)->version);

	return sysfs_emit(buf, "%u.%u\n", version >> 8, version & 0xff);
}
static DEVICE_ATTR_RO(protocol);

static ssize_t queues_show(struct device *dev, struct device_attribute *attr,
			   char *buf)
{
	struct synd_ctrl *c = ctrl_of(dev);

	return sysfs_emit(buf, "%u %u\n", c->nr_queues - c->nr_polled,
			  c->nr_polled);
}
static DEVICE_ATTR_RO(queues);

static ssize_t quarantined_pages_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%u\n", synd_quarantined(ctrl_of(dev)));
}
static DEVICE_ATTR_RO(quarantined_pages);

static ssize_t reset_store(struct device *dev, struct device_attribute *attr,
			   const char *buf, size_t count)
{
	struct synd_ctrl *c = ctrl_of(dev);
	int ret;

	synd_ctrl_lock(c);
	ret = synd_reset(c);
	synd_ctrl_unlock(c);
	return ret ?: count;
}
static DEVICE_ATTR_WO(reset);

static ssize_t rescan_store(struct device *dev, struct device_attribute *attr,
			    const char *buf, size_t count)
{
	/* not waited for, since a removal waits for writers of this file */
	synd_scan(ctrl_of(dev));
	return count;
}
static DEVICE_ATTR_WO(rescan);

static struct attribute *ctrl_attrs[] = {
	&dev_attr_controller_state.attr,
	&dev_attr_host_state.attr,
	&dev_attr_protocol.attr,
	&dev_attr_queues.attr,
	&dev_attr_quarantined_pages.attr,
	&dev_attr_reset.attr,
	&dev_attr_rescan.attr,
	NULL
};

static const struct attribute_group ctrl_group = {
	.name = SYND_NAME,
	.attrs = ctrl_attrs,
};

const struct attribute_group *synd_ctrl_groups[] = { &ctrl_group, NULL };
