// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE ring_sysfs: whether a channel's ring can be mapped through its sysfs directory
 * FORM YES: by a callback in struct vmbus_channel, which hv_create_ring_sysfs() sets
 * FORM PREPARE: by a callback that prepares the mapping, in 7.x
 * FORM NO: not through the bus
 */
#include <linux/hyperv.h>
#include <linux/sysfs.h>

#if defined(PROBE_YES)
static int map(struct file *file, struct kobject *kobj,
	       struct bin_attribute *attr, struct vm_area_struct *vma)
{
	struct vmbus_channel *vc = container_of(kobj, struct vmbus_channel, kobj);

	vc->ring_sysfs_visible = true;
	return vc->mmap_ring_buffer(vc, vma);
}

extern const struct bin_attribute probe;
const struct bin_attribute probe = { .mmap = map };

static umode_t visible(struct kobject *kobj, struct bin_attribute *attr, int idx)
{
	return 0;
}

extern const struct attribute_group probe_group;
const struct attribute_group probe_group = { .is_bin_visible = visible };
#elif defined(PROBE_PREPARE)
extern bool (*probe)(struct vmbus_channel *vc);
static bool map(struct vmbus_channel *vc)
{
	return vc->ring_sysfs_visible && vc->mmap_prepare_ring_buffer;
}

bool (*probe)(struct vmbus_channel *vc) = map;
#else
/* two members of one name are an error */
struct probe {
	struct vmbus_channel;
	int ring_sysfs_visible;
};
#endif
