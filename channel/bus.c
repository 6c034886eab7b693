// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bus: which driver takes which device, how devices come and go, and what
 * user space hears of it. Attributes are in sysfs.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci_ids.h>
#include <linux/slab.h>

#include "sysfs.h"
#include "vmbus.h"

/**
 * struct bus_device - an hv_device and what only the bus needs of it
 * @hv: what drivers see
 * @flags: bit 0: it is being unregistered
 */
struct bus_device {
	struct hv_device hv;
	unsigned long flags;
};

/* An id that user space has added to a driver */
struct dynamic_id {
	struct list_head node;
	struct hv_vmbus_device_id id;
};

/* A device that a driver was forced on need not be in its table */
static const struct hv_vmbus_device_id no_id;

/* channels directories and what is in them */
static DEFINE_MUTEX(sysfs_mutex);

static const struct hv_vmbus_device_id *find_dynamic(struct hv_driver *drv,
						     const guid_t *guid)
{
	const struct hv_vmbus_device_id *found = NULL;
	struct dynamic_id *d;

	spin_lock(&drv->dynids.lock);
	list_for_each_entry(d, &drv->dynids.list, node) {
		if (guid_equal(&d->id.guid, guid)) {
			found = &d->id;
			break;
		}
	}
	spin_unlock(&drv->dynids.lock);
	return found;
}

static const struct hv_vmbus_device_id *find_id(struct hv_driver *drv,
						struct hv_device *hv)
{
	const struct hv_vmbus_device_id *id;
	int forced = compat_match_override(hv, &drv->driver);

	if (!forced)
		return NULL;
	id = find_dynamic(drv, &hv->dev_type);
	if (id)
		return id;
	for (id = drv->id_table; id && !guid_is_null(&id->guid); id++)
		if (guid_equal(&id->guid, &hv->dev_type))
			return id;
	return forced > 0 ? &no_id : NULL;
}

static int bus_match(struct device *dev, compat_const_drv struct device_driver *driver)
{
	struct hv_driver *drv = compat_hv_drv((struct device_driver *)driver);
	struct hv_device *hv = compat_hv_dev(dev);

	/* each socket connection has a class of its own */
	if (is_hvsock_channel(hv->channel))
		return drv->hvsock;
	return find_id(drv, hv) != NULL;
}

static int bus_probe(struct device *dev)
{
	struct hv_driver *drv = compat_hv_drv(dev->driver);
	struct hv_device *hv = compat_hv_dev(dev);
	int ret;

	if (!drv->probe)
		return -ENODEV;
	channel_forget_driver(hv->channel);
	ret = drv->probe(hv, find_id(drv, hv));
	if (ret)
		channel_forget_driver(hv->channel);
	if (ret && ret != -ENODEV && ret != -EPROBE_DEFER)
		dev_err(dev, "probe of %s failed (%d)\n", drv->name, ret);
	return ret;
}

static void bus_remove(struct device *dev)
{
	struct hv_driver *drv = compat_hv_drv(dev->driver);
	struct hv_device *hv = compat_hv_dev(dev);

	if (drv->remove)
		drv->remove(hv);
	channel_forget_driver(hv->channel);
}

static void bus_shutdown(struct device *dev)
{
	if (dev->driver && compat_hv_drv(dev->driver)->shutdown)
		compat_hv_drv(dev->driver)->shutdown(compat_hv_dev(dev));
}

/* "vmbus:" and the class GUID's bytes in the order of the wire */
static int bus_uevent(compat_const_uevent_dev struct device *dev,
		      struct kobj_uevent_env *env)
{
	return add_uevent_var(env, "MODALIAS=vmbus:%*phN", UUID_SIZE,
			      &compat_hv_dev(dev)->dev_type);
}

/*
 * Hibernation. The host keeps nothing across it, so drivers close their
 * channels, and the transport, which is the parent and comes after them, breaks
 * the connection. Suspend to idle has nothing of this: channels stay up, and
 * wake the guest.
 */
static int __maybe_unused bus_freeze(struct device *dev)
{
	struct hv_driver *drv;

	if (!dev->driver)
		return 0;
	drv = compat_hv_drv(dev->driver);
	return drv->suspend ? drv->suspend(compat_hv_dev(dev)) : -EOPNOTSUPP;
}

static int __maybe_unused bus_thaw(struct device *dev)
{
	struct hv_driver *drv;

	if (!dev->driver)
		return 0;
	drv = compat_hv_drv(dev->driver);
	return drv->resume ? drv->resume(compat_hv_dev(dev)) : -EOPNOTSUPP;
}

static const struct dev_pm_ops bus_pm = {
#ifdef CONFIG_PM_SLEEP
	.freeze = bus_freeze,
	.thaw = bus_thaw,
	.poweroff = bus_freeze,
	.restore = bus_thaw,
#endif
};

static void free_dynamic_ids(struct hv_driver *drv)
{
	struct dynamic_id *d, *tmp;

	list_for_each_entry_safe(d, tmp, &drv->dynids.list, node) {
		list_del(&d->node);
		kfree(d);
	}
}

static ssize_t new_id_store(struct device_driver *driver, const char *buf,
			    size_t count)
{
	struct hv_driver *drv = compat_hv_drv(driver);
	struct dynamic_id *d;
	guid_t guid;
	int ret;

	ret = guid_parse(buf, &guid);
	if (ret)
		return ret;
	if (find_dynamic(drv, &guid))
		return -EEXIST;
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return -ENOMEM;
	d->id.guid = guid;
	spin_lock(&drv->dynids.lock);
	list_add_tail(&d->node, &drv->dynids.list);
	spin_unlock(&drv->dynids.lock);

	ret = driver_attach(driver);
	return ret ?: count;
}
static DRIVER_ATTR_WO(new_id);

static ssize_t remove_id_store(struct device_driver *driver, const char *buf,
			       size_t count)
{
	struct hv_driver *drv = compat_hv_drv(driver);
	struct dynamic_id *d, *found = NULL;
	guid_t guid;
	int ret;

	ret = guid_parse(buf, &guid);
	if (ret)
		return ret;
	spin_lock(&drv->dynids.lock);
	list_for_each_entry(d, &drv->dynids.list, node) {
		if (guid_equal(&d->id.guid, &guid)) {
			list_del(&d->node);
			found = d;
			break;
		}
	}
	spin_unlock(&drv->dynids.lock);
	kfree(found);
	return found ? count : -ENODEV;
}
static DRIVER_ATTR_WO(remove_id);

static struct attribute *driver_attrs[] = {
	&driver_attr_new_id.attr,
	&driver_attr_remove_id.attr,
	NULL
};
ATTRIBUTE_GROUPS(driver);

static ssize_t hibernation_show(compat_const_bus struct bus_type *bus,
				char *buf)
{
	bool can;

	mutex_lock(&connection.channel_mutex);	/* keeps the transport there */
	can = IS_ENABLED(CONFIG_HIBERNATION) && connection.transport &&
	      connection.transport->hibernates;
	mutex_unlock(&connection.channel_mutex);
	return sysfs_emit(buf, "%d\n", can);
}
static BUS_ATTR_RO(hibernation);

static struct attribute *bus_attrs[] = {
	&bus_attr_hibernation.attr,
	NULL
};
ATTRIBUTE_GROUPS(bus);

static struct bus_type vmbus_bus = {
	.name = "vmbus",
	.match = bus_match,
	.probe = bus_probe,
	.remove = bus_remove,
	.shutdown = bus_shutdown,
	.uevent = bus_uevent,
	.dev_groups = sysfs_device_groups,
	.drv_groups = driver_groups,
	.bus_groups = bus_groups,
	.pm = &bus_pm,
	compat_bus_driver_override
};

static void channel_kobj_release(struct kobject *kobj)
{
	struct vmbus_channel *vc = container_of(kobj, struct vmbus_channel,
						kobj);

	/* an interrupt may have found it by relid a moment ago */
	kfree_rcu(to_channel(vc), vc.rcu);
}

static const struct kobj_type channel_ktype = {
	.sysfs_ops = &sysfs_channel_ops,
	.release = channel_kobj_release,
};

/**
 * bus_kobject_init() - start a channel's reference count
 * @channel: just allocated
 *
 * Context: any. From now on kobject_put() frees the channel.
 */
void bus_kobject_init(struct vmbus_channel *channel)
{
	kobject_init(&channel->kobj, (struct kobj_type *)&channel_ktype);
}

/**
 * bus_add_channel() - show a channel below its device
 * @dev: the device
 * @channel: its primary channel or a sub-channel
 *
 * Context: process. Return: 0, -ENODEV if the device is going, or as
 *	kobject_add().
 */
int bus_add_channel(struct hv_device *dev, struct vmbus_channel *channel)
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
 * bus_rename_channel() - show a channel under the relid that it has now
 * @channel: a primary channel that the host has offered again
 *
 * Before sub-channels are offered, since one may have the number that this one
 * had.
 *
 * Context: process, sleeps; not with channel_mutex held.
 */
void bus_rename_channel(struct vmbus_channel *channel)
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
 * bus_remove_channel() - the mirror of bus_add_channel(); harmless if not added
 * @channel: any channel
 *
 * Context: process, sleeps; not with channel_mutex held, which attributes take.
 */
void bus_remove_channel(struct vmbus_channel *channel)
{
	mutex_lock(&sysfs_mutex);
	remove_channel_locked(channel);
	mutex_unlock(&sysfs_mutex);
}

static void remove_channels_directory(struct hv_device *hv)
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

/*
 * A device's directory exists, and no driver was asked yet: the one moment at
 * which the channels directory can be made so that drivers and udev find it.
 */
static int device_notify(struct notifier_block *nb, unsigned long action,
			 void *data)
{
	struct device *dev = data;
	struct hv_device *hv = compat_hv_dev(dev);
	int ret = 0;

	if (action == BUS_NOTIFY_BOUND_DRIVER &&
	    hv->channel->device_id == HV_FB)
		unload_behind_display();
	if (action != BUS_NOTIFY_ADD_DEVICE)
		return NOTIFY_DONE;
	hv->channels_kset = kset_create_and_add("channels", NULL, &dev->kobj);
	if (!hv->channels_kset)
		ret = -ENOMEM;
	else
		ret = bus_add_channel(hv, hv->channel);
	if (ret)
		dev_err(dev, "no channel attributes (%d)\n", ret);
	return NOTIFY_OK;
}

static struct notifier_block device_block = {
	.notifier_call = device_notify,
};

static void device_release(struct device *dev)
{
	struct hv_device *hv = compat_hv_dev(dev);

	channel_device_released(hv->channel);
	compat_free_override(hv);
	kfree(container_of(hv, struct bus_device, hv));
}

/**
 * bus_add_device() - make a device of a primary channel, and find its driver
 * @channel: not released before the device is
 *
 * Context: process, sleeps; probes.
 * Return: 0, or an error: then the channel has been released, unless it is
 *	-ENOMEM before there was a device; releasing it again does no harm.
 */
int bus_add_device(struct vmbus_channel *channel)
{
	struct bus_device *bd = kzalloc(sizeof(*bd), GFP_KERNEL);
	struct device *dev;
	int ret;

	if (!bd)
		return -ENOMEM;
	dev = &bd->hv.device;
	bd->hv.channel = channel;
	bd->hv.dev_type = channel->offermsg.offer.if_type;
	bd->hv.dev_instance = channel->offermsg.offer.if_instance;
	bd->hv.vendor_id = PCI_VENDOR_ID_MICROSOFT;
	bd->hv.device_id = channel->device_id;

	device_initialize(dev);
	dev->bus = &vmbus_bus;
	dev->parent = connection.transport->dev;
	dev->release = device_release;
	dev->dma_parms = &bd->hv.dma_parms;
	dev->dma_mask = &bd->hv.dma_mask;
	/* pages are named by guest-physical address, whatever it is */
	dma_set_mask(dev, DMA_BIT_MASK(64));
	mutex_lock(&connection.channel_mutex);
	channel->device_obj = &bd->hv;
	mutex_unlock(&connection.channel_mutex);

	ret = dev_set_name(dev, "%pUl", &bd->hv.dev_instance);
	if (!ret)
		ret = device_add(dev);
	if (ret) {
		/* no sub-channel joins it any more */
		set_bit(0, &bd->flags);
		remove_channels_directory(&bd->hv);
		put_device(dev);
	}
	return ret;
}

/**
 * vmbus_device_unregister() - remove a device; harmless the second time
 * @device_obj: the caller holds a reference, or knows that it is the first
 *
 * Context: process, sleeps; the driver's remove runs.
 */
void vmbus_device_unregister(struct hv_device *device_obj)
{
	struct bus_device *bd = container_of(device_obj, struct bus_device, hv);

	if (test_and_set_bit(0, &bd->flags))
		return;
	remove_channels_directory(device_obj);
	device_unregister(&device_obj->device);
}

/**
 * bus_device_is_going() - whether vmbus_device_unregister() was called
 * @hv: any device of ours
 *
 * Context: any.
 */
bool bus_device_is_going(struct hv_device *hv)
{
	return test_bit(0, &container_of(hv, struct bus_device, hv)->flags);
}

/**
 * __vmbus_driver_register() - add a driver; use vmbus_driver_register()
 * @hv_driver: lives until vmbus_driver_unregister()
 * @owner: its module
 * @mod_name: the module's name
 *
 * Context: process, sleeps; probes. Return: as driver_register().
 */
int __vmbus_driver_register(struct hv_driver *hv_driver, struct module *owner,
			    const char *mod_name)
{
	/* before what its probes say: who is at work on the bus from now on */
	pr_info("new driver %s\n", hv_driver->name);
	hv_driver->driver.name = hv_driver->name;
	hv_driver->driver.owner = owner;
	hv_driver->driver.mod_name = mod_name;
	hv_driver->driver.bus = &vmbus_bus;
	spin_lock_init(&hv_driver->dynids.lock);
	INIT_LIST_HEAD(&hv_driver->dynids.list);
	return driver_register(&hv_driver->driver);
}

/**
 * vmbus_driver_unregister() - the mirror of vmbus_driver_register()
 * @hv_driver: was registered
 *
 * Context: process, sleeps; the driver's remove runs for each of its devices.
 */
void vmbus_driver_unregister(struct hv_driver *hv_driver)
{
	driver_unregister(&hv_driver->driver);
	free_dynamic_ids(hv_driver);
}

/**
 * bus_init() - register the bus
 *
 * The default build makes way for the kernel's own VMBus: on a hypervisor that
 * brings one it is called synth_vmbus.
 *
 * Context: process. Return: 0 or an error.
 */
int bus_init(void)
{
	int ret;

	vmbus_bus.name = compat_bus_name();
	ret = bus_register(&vmbus_bus);
	if (ret)
		return ret;
	ret = bus_register_notifier(&vmbus_bus, &device_block);
	if (ret)
		bus_unregister(&vmbus_bus);
	return ret;
}

/**
 * bus_exit() - the mirror of bus_init()
 *
 * Context: process; no device and no driver is left.
 */
void bus_exit(void)
{
	bus_unregister_notifier(&vmbus_bus, &device_block);
	bus_unregister(&vmbus_bus);
}
