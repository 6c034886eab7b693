// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attributes and directories of devices and channels, as the kernel's
 * Documentation/ABI/stable/sysfs-bus-vmbus describes them, and attributes that lsvmbus
 * and udev rules in the field read besides.
 */
#include <linux/cpu.h>
#include <linux/mutex.h>
#include <linux/sched/isolation.h>

#include "sysfs.h"
#include "vmbus.h"

#define DEVICE_SHOW(name, fmt, value)					\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct hv_device *hv = compat_hv_dev(dev);			\
	struct vmbus_channel *vc __maybe_unused = hv->channel;		\
									\
	return sysfs_emit(buf, fmt, value);				\
}									\
static DEVICE_ATTR_RO(name)

DEVICE_SHOW(id, "%u\n", vc->offermsg.child_relid);
DEVICE_SHOW(state, "%d\n", READ_ONCE(vc->state));
DEVICE_SHOW(class_id, "{%pUl}\n", &vc->offermsg.offer.if_type);
DEVICE_SHOW(device_id, "{%pUl}\n", &vc->offermsg.offer.if_instance);
DEVICE_SHOW(vendor, "0x%x\n", hv->vendor_id);
DEVICE_SHOW(device, "0x%x\n", hv->device_id);
DEVICE_SHOW(monitor_id, "%u\n", vc->offermsg.monitorid);
#ifdef CONFIG_NUMA
DEVICE_SHOW(numa_node, "%d\n", cpu_to_node(vc->target_cpu));
#endif

static ssize_t modalias_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	return sysfs_emit(buf, "vmbus:%*phN\n", UUID_SIZE,
			  &compat_hv_dev(dev)->dev_type);
}
static DEVICE_ATTR_RO(modalias);

/* One number of one ring; an error while the channel is closed */
#define RING_SHOW(prefix, ring, name, field)				\
static ssize_t prefix##_##name##_show(struct device *dev,		\
				      struct device_attribute *attr,	\
				      char *buf)			\
{									\
	struct vmbus_channel *vc = compat_hv_dev(dev)->channel;		\
	struct hv_ring_buffer_debug_info info;				\
	int ret = hv_ringbuffer_get_debuginfo(&vc->ring, &info);	\
									\
	return ret < 0 ? ret : sysfs_emit(buf, "%u\n", info.field);	\
}									\
static DEVICE_ATTR_RO(prefix##_##name)

RING_SHOW(out, outbound, intr_mask, current_interrupt_mask);
RING_SHOW(out, outbound, read_index, current_read_index);
RING_SHOW(out, outbound, write_index, current_write_index);
RING_SHOW(out, outbound, read_bytes_avail, bytes_avail_toread);
RING_SHOW(out, outbound, write_bytes_avail, bytes_avail_towrite);
RING_SHOW(in, inbound, intr_mask, current_interrupt_mask);
RING_SHOW(in, inbound, read_index, current_read_index);
RING_SHOW(in, inbound, write_index, current_write_index);
RING_SHOW(in, inbound, read_bytes_avail, bytes_avail_toread);
RING_SHOW(in, inbound, write_bytes_avail, bytes_avail_towrite);

static ssize_t channel_vp_mapping_show(struct device *dev,
				       struct device_attribute *attr, char *buf)
{
	struct vmbus_channel *vc = compat_hv_dev(dev)->channel, *sub;
	int len;

	mutex_lock(&connection.channel_mutex);
	len = sysfs_emit(buf, "%u:%u\n", vc->offermsg.child_relid,
			 vc->target_cpu);
	list_for_each_entry(sub, &vc->sc_list, sc_list)
		len += sysfs_emit_at(buf, len, "%u:%u\n",
				     sub->offermsg.child_relid,
				     sub->target_cpu);
	mutex_unlock(&connection.channel_mutex);
	return len;
}
static DEVICE_ATTR_RO(channel_vp_mapping);

#ifndef COMPAT_CORE_DRIVER_OVERRIDE
static ssize_t driver_override_show(struct device *dev,
				    struct device_attribute *attr, char *buf)
{
	ssize_t len;

	device_lock(dev);
	len = sysfs_emit(buf, "%s\n", compat_hv_dev(dev)->driver_override);
	device_unlock(dev);
	return len;
}

static ssize_t driver_override_store(struct device *dev,
				     struct device_attribute *attr,
				     const char *buf, size_t count)
{
	int ret = driver_set_override(dev, &compat_hv_dev(dev)->driver_override,
				      buf, count);

	return ret ?: count;
}
static DEVICE_ATTR_RW(driver_override);
#endif

static struct attribute *device_attrs[] = {
	&dev_attr_id.attr,
	&dev_attr_state.attr,
	&dev_attr_class_id.attr,
	&dev_attr_device_id.attr,
	&dev_attr_modalias.attr,
	&dev_attr_vendor.attr,
	&dev_attr_device.attr,
	&dev_attr_monitor_id.attr,
#ifdef CONFIG_NUMA
	&dev_attr_numa_node.attr,
#endif
	&dev_attr_out_intr_mask.attr,
	&dev_attr_out_read_index.attr,
	&dev_attr_out_write_index.attr,
	&dev_attr_out_read_bytes_avail.attr,
	&dev_attr_out_write_bytes_avail.attr,
	&dev_attr_in_intr_mask.attr,
	&dev_attr_in_read_index.attr,
	&dev_attr_in_write_index.attr,
	&dev_attr_in_read_bytes_avail.attr,
	&dev_attr_in_write_bytes_avail.attr,
	&dev_attr_channel_vp_mapping.attr,
#ifndef COMPAT_CORE_DRIVER_OVERRIDE
	&dev_attr_driver_override.attr,
#endif
	NULL
};

static umode_t device_attr_visible(struct kobject *kobj, struct attribute *attr,
				   int idx)
{
	struct hv_device *hv = compat_hv_dev(kobj_to_dev(kobj));

	if (attr == &dev_attr_monitor_id.attr &&
	    !hv->channel->offermsg.monitor_allocated)
		return 0;
	return attr->mode;
}

static const struct attribute_group device_group = {
	.attrs = device_attrs,
	.is_visible = device_attr_visible,
};

const struct attribute_group *sysfs_device_groups[] = {
	&device_group,
	NULL
};

struct channel_attribute {
	struct attribute attr;
	ssize_t (*show)(struct vmbus_channel *vc, char *buf);
	ssize_t (*store)(struct vmbus_channel *vc, const char *buf,
			 size_t count);
};

#define CHANNEL_SHOW(name, fmt, value)					\
static ssize_t name##_channel_show(struct vmbus_channel *vc, char *buf)	\
{									\
	return sysfs_emit(buf, fmt, value);				\
}									\
static struct channel_attribute channel_attr_##name =			\
	__ATTR(name, 0444, name##_channel_show, NULL)

CHANNEL_SHOW(interrupts, "%llu\n", vc->interrupts);
CHANNEL_SHOW(events, "%llu\n", vc->sig_events);
CHANNEL_SHOW(intr_in_full, "%llu\n", vc->intr_in_full);
CHANNEL_SHOW(intr_out_empty, "%llu\n", vc->intr_out_empty);
CHANNEL_SHOW(out_full_first, "%llu\n", vc->out_full_first);
CHANNEL_SHOW(out_full_total, "%llu\n", vc->out_full_total);
CHANNEL_SHOW(subchannel_id, "%u\n", vc->offermsg.offer.sub_channel_index);
CHANNEL_SHOW(monitor_id, "%u\n", vc->offermsg.monitorid);

#define CHANNEL_RING_SHOW(name, ring, field)				\
static ssize_t name##_channel_show(struct vmbus_channel *vc, char *buf)	\
{									\
	struct hv_ring_buffer_debug_info info;				\
	int ret = hv_ringbuffer_get_debuginfo(&vc->ring, &info);	\
									\
	return ret < 0 ? ret : sysfs_emit(buf, "%u\n", info.field);	\
}									\
static struct channel_attribute channel_attr_##name =			\
	__ATTR(name, 0444, name##_channel_show, NULL)

CHANNEL_RING_SHOW(out_mask, outbound, current_interrupt_mask);
CHANNEL_RING_SHOW(in_mask, inbound, current_interrupt_mask);
CHANNEL_RING_SHOW(read_avail, inbound, bytes_avail_toread);
CHANNEL_RING_SHOW(write_avail, outbound, bytes_avail_towrite);

static ssize_t cpu_channel_show(struct vmbus_channel *vc, char *buf)
{
	return sysfs_emit(buf, "%u\n", vc->target_cpu);
}

static ssize_t cpu_channel_store(struct vmbus_channel *vc, const char *buf,
				 size_t count)
{
	struct transport *t;
	unsigned int cpu;
	int ret;

	ret = kstrtouint(buf, 10, &cpu);
	if (ret)
		return ret;
	if (cpu >= nr_cpu_ids ||
	    !cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_MANAGED_IRQ)))
		return -EINVAL;

	cpus_read_lock();
	t = READ_ONCE(connection.transport);
	if (!t || !cpu_online(cpu) || !t->ops->cpu_usable(t, cpu))
		ret = -EINVAL;
	else if (!channel_is_open(vc))
		ret = -EIO;
	else if (cpu != vc->target_cpu && channel_move(vc, cpu))
		ret = host_state() == HOST_STALLED ? -EAGAIN : -EIO;
	cpus_read_unlock();
	return ret ?: count;
}

static struct channel_attribute channel_attr_cpu =
	__ATTR(cpu, 0644, cpu_channel_show, cpu_channel_store);

/* The guest's monitor page: is a signal pending in it, and how long may it */
static ssize_t pending_channel_show(struct vmbus_channel *vc, char *buf)
{
	struct monitor_page *page = connection.monitor_pages[1];
	bool set = false;

	if (vc->monitor_grp < ARRAY_SIZE(page->trigger_group))
		set = READ_ONCE(page->trigger_group[vc->monitor_grp].pending) &
		      BIT(vc->monitor_bit);
	return sysfs_emit(buf, "%u\n", set ? 1U << vc->monitor_bit : 0);
}

static struct channel_attribute channel_attr_pending =
	__ATTR(pending, 0444, pending_channel_show, NULL);

static ssize_t latency_channel_show(struct vmbus_channel *vc, char *buf)
{
	struct monitor_page *page = connection.monitor_pages[1];
	u16 latency = 0;

	if (vc->monitor_grp < ARRAY_SIZE(page->latency))
		latency = READ_ONCE(page->latency[vc->monitor_grp]
						 [vc->monitor_bit]);
	return sysfs_emit(buf, "%u\n", latency);
}

static struct channel_attribute channel_attr_latency =
	__ATTR(latency, 0444, latency_channel_show, NULL);

static struct attribute *channel_attrs[] = {
	&channel_attr_interrupts.attr,
	&channel_attr_events.attr,
	&channel_attr_intr_in_full.attr,
	&channel_attr_intr_out_empty.attr,
	&channel_attr_out_full_first.attr,
	&channel_attr_out_full_total.attr,
	&channel_attr_subchannel_id.attr,
	&channel_attr_out_mask.attr,
	&channel_attr_in_mask.attr,
	&channel_attr_read_avail.attr,
	&channel_attr_write_avail.attr,
	&channel_attr_cpu.attr,
	&channel_attr_monitor_id.attr,
	&channel_attr_pending.attr,
	&channel_attr_latency.attr,
	NULL
};

static struct vmbus_channel *kobj_to_channel(struct kobject *kobj)
{
	return container_of(kobj, struct vmbus_channel, kobj);
}

static umode_t channel_attr_visible(struct kobject *kobj,
				    struct attribute *attr, int idx)
{
	if ((attr == &channel_attr_monitor_id.attr ||
	     attr == &channel_attr_pending.attr ||
	     attr == &channel_attr_latency.attr) &&
	    !kobj_to_channel(kobj)->offermsg.monitor_allocated)
		return 0;
	return attr->mode;
}

#ifdef COMPAT_RING_SYSFS
/* While the file is there, so is the callback: hv_remove_ring_sysfs() */
static int ring_mmap(struct file *file, struct kobject *kobj,
		     struct bin_attribute *attr, struct vm_area_struct *vma)
{
	struct vmbus_channel *vc = kobj_to_channel(kobj);

	return vc->mmap_ring_buffer(vc, vma);
}

static struct bin_attribute channel_attr_ring = {
	.attr = { .name = "ring", .mode = 0600 },
	.mmap = ring_mmap,
};

static struct bin_attribute *channel_bin_attrs[] = {
	&channel_attr_ring,
	NULL
};

static umode_t channel_bin_attr_visible(struct kobject *kobj,
					struct bin_attribute *attr, int idx)
{
	const struct vmbus_channel *vc = kobj_to_channel(kobj);

	if (!vc->ring_sysfs_visible)
		return 0;
	/* sysfs reads it now: channels with rings of other sizes have their own */
	attr->size = vc->ringbuffer_pagecount << PAGE_SHIFT;
	return attr->attr.mode;
}
#endif

const struct attribute_group sysfs_channel_group = {
	.attrs = channel_attrs,
	.is_visible = channel_attr_visible,
#ifdef COMPAT_RING_SYSFS
	.bin_attrs = channel_bin_attrs,
	.is_bin_visible = channel_bin_attr_visible,
#endif
};

#ifdef COMPAT_RING_SYSFS
/* A file's size goes through channel_attr_ring, which all channels have */
static DEFINE_MUTEX(ring_size_mutex);

static int ring_update(struct vmbus_channel *vc)
{
	int ret;

	mutex_lock(&ring_size_mutex);
	ret = sysfs_update_group(&vc->kobj, &sysfs_channel_group);
	mutex_unlock(&ring_size_mutex);
	return ret;
}

/**
 * hv_create_ring_sysfs() - let user space map a channel's rings
 * @channel: open, with its directory in sysfs
 * @hv_mmap_ring_buffer: maps the rings into a program
 *
 * The file "ring" appears in the channel's directory. uio_hv_generic asks for it.
 *
 * Context: process, sleeps. Return: 0 or a negative errno.
 */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma))
{
	channel->mmap_ring_buffer = hv_mmap_ring_buffer;
	channel->ring_sysfs_visible = true;
	return ring_update(channel);
}

/**
 * hv_remove_ring_sysfs() - the mirror of hv_create_ring_sysfs()
 * @channel: the same
 *
 * No mapping is begun after that. Those that exist are taken away with the file,
 * so that a program that still uses one gets SIGBUS.
 *
 * Context: process, sleeps. Return: 0 or a negative errno.
 */
int hv_remove_ring_sysfs(struct vmbus_channel *channel)
{
	int ret;

	channel->ring_sysfs_visible = false;
	/* returns when ring_mmap() is not running any more */
	ret = ring_update(channel);
	channel->mmap_ring_buffer = NULL;
	return ret;
}
#endif

static ssize_t channel_show(struct kobject *kobj, struct attribute *attr,
			    char *buf)
{
	struct channel_attribute *a =
		container_of(attr, struct channel_attribute, attr);

	return a->show(kobj_to_channel(kobj), buf);
}

static ssize_t channel_store(struct kobject *kobj, struct attribute *attr,
			     const char *buf, size_t count)
{
	struct channel_attribute *a =
		container_of(attr, struct channel_attribute, attr);

	return a->store ? a->store(kobj_to_channel(kobj), buf, count) : -EIO;
}

const struct sysfs_ops sysfs_channel_ops = {
	.show = channel_show,
	.store = channel_store,
};

/* The directories channels/RELID below that of a device, and this mutex for them */
static DEFINE_MUTEX(sysfs_mutex);

static void channel_kobj_release(struct kobject *kobj)
{
	struct vmbus_channel *vc = container_of(kobj, struct vmbus_channel,
						kobj);

	/* an interrupt may have found the channel by its relid before the release */
	kfree_rcu(to_channel(vc), vc.rcu);
}

static const struct kobj_type channel_ktype = {
	.sysfs_ops = &sysfs_channel_ops,
	.release = channel_kobj_release,
};

/**
 * sysfs_channel_init() - initialise a channel's kobject
 * @channel: just allocated
 *
 * Context: any. From now on kobject_put() frees the channel.
 */
void sysfs_channel_init(struct vmbus_channel *channel)
{
	kobject_init(&channel->kobj, (struct kobj_type *)&channel_ktype);
}

/**
 * sysfs_add_channel() - show a channel below its device
 * @dev: the device
 * @channel: its primary channel or a sub-channel
 *
 * Context: process. Return: 0, -ENODEV if the device is going, or as
 *	kobject_add().
 */
int sysfs_add_channel(struct hv_device *dev, struct vmbus_channel *channel)
{
	int ret = -ENODEV;

	mutex_lock(&sysfs_mutex);
	if (!dev->channels_kset)
		goto out;
	channel->kobj.kset = dev->channels_kset;
	ret = kobject_add(&channel->kobj, NULL, "%u",
			  channel->offermsg.child_relid);
	if (ret) {
		channel->kobj.kset = NULL;
		goto out;
	}
	ret = sysfs_create_group(&channel->kobj, &sysfs_channel_group);
	if (ret)
		kobject_del(&channel->kobj);
	else
		kobject_uevent(&channel->kobj, KOBJ_ADD);
out:
	mutex_unlock(&sysfs_mutex);
	return ret;
}

/**
 * sysfs_rename_channel() - show a channel under the relid that it has now
 * @channel: a primary channel that the host has offered again
 *
 * Before sub-channels are offered, since one may have the number that this one
 * had.
 *
 * Context: process, sleeps; not with channel_mutex held.
 */
void sysfs_rename_channel(struct vmbus_channel *channel)
{
	char name[12];
	int ret = 0;

	snprintf(name, sizeof(name), "%u", channel->offermsg.child_relid);
	mutex_lock(&sysfs_mutex);
	if (channel->kobj.state_in_sysfs &&
	    strcmp(name, kobject_name(&channel->kobj)))
		ret = kobject_rename(&channel->kobj, name);
	mutex_unlock(&sysfs_mutex);
	if (ret)
		pr_err("channel %s can't be renamed in sysfs (%d)\n", name,
		       ret);
}

static void remove_channel_locked(struct vmbus_channel *channel)
{
	if (!channel->kobj.state_in_sysfs)
		return;
	/* waits for readers and writers of the attributes */
	sysfs_remove_group(&channel->kobj, &sysfs_channel_group);
	kobject_del(&channel->kobj);
}

/**
 * sysfs_remove_channel() - the mirror of sysfs_add_channel(); harmless if not added
 * @channel: any channel
 *
 * Context: process, sleeps; not with channel_mutex held, which attributes take.
 */
void sysfs_remove_channel(struct vmbus_channel *channel)
{
	mutex_lock(&sysfs_mutex);
	remove_channel_locked(channel);
	mutex_unlock(&sysfs_mutex);
}

/**
 * sysfs_create_directory() - create the channels directory of a device
 * @hv: its own directory exists
 *
 * The directory gets the primary channel.
 *
 * Context: process. Return: 0 or a negative errno.
 */
int sysfs_create_directory(struct hv_device *hv)
{
	hv->channels_kset = kset_create_and_add("channels", NULL,
						&hv->device.kobj);
	if (!hv->channels_kset)
		return -ENOMEM;
	return sysfs_add_channel(hv, hv->channel);
}

/**
 * sysfs_remove_directory() - the mirror of sysfs_create_directory()
 * @hv: no channel is added to it any more
 *
 * Context: process, sleeps; not with channel_mutex held, which attributes take.
 */
void sysfs_remove_directory(struct hv_device *hv)
{
	struct vmbus_channel *sub;
	struct kset *kset;
	bool again;

	mutex_lock(&sysfs_mutex);
	kset = hv->channels_kset;
	hv->channels_kset = NULL;
	remove_channel_locked(hv->channel);
	do {
		again = false;
		mutex_lock(&connection.channel_mutex);
		list_for_each_entry(sub, &hv->channel->sc_list, sc_list) {
			if (!sub->kobj.state_in_sysfs)
				continue;
			kobject_get(&sub->kobj);
			again = true;
			break;
		}
		mutex_unlock(&connection.channel_mutex);
		if (again) {
			remove_channel_locked(sub);
			kobject_put(&sub->kobj);
		}
	} while (again);
	mutex_unlock(&sysfs_mutex);

	kset_unregister(kset);
}
