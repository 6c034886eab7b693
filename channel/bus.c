// SPDX-License-Identifier: GPL-2.0-only
/*
 * The bus: which driver binds to which device, adding and removing of devices, uevents,
 * and hibernation of devices. Attributes of devices and channels are in sysfs.c.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dma-mapping.h>
#include <linux/module.h>
#include <linux/pci_ids.h>
#include <linux/slab.h>

#include "sysfs.h"
#include "vmbus.h"

/* Bits of bus_device.flags */
enum {
	BUS_DEVICE_GOING,	/* vmbus_device_unregister() was called */
	BUS_DEVICE_RESUME_DUE,	/* suspended until the connection is there again */
};

/**
 * struct bus_device - an hv_device and what only the bus needs of it
 * @hv: what drivers see
 * @flags: see above
 * @released: called when the last reference to the device is dropped
 */
struct bus_device {
	struct hv_device hv;
	unsigned long flags;
	void (*released)(struct vmbus_channel *channel);
};

static struct bus_device *to_bus_device(struct hv_device *hv)
{
	return container_of(hv, struct bus_device, hv);
}

/* An id that user space has added to a driver */
struct dynamic_id {
	struct list_head node;
	struct hv_vmbus_device_id id;
};

/* What a driver gets that driver_override has bound to a device not in its table */
static const struct hv_vmbus_device_id no_id;

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

	/* the class GUID of a socket connection names the socket, not a class */
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
	clear_bit(BUS_DEVICE_RESUME_DUE, &to_bus_device(hv)->flags);
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
 * Hibernation. The host keeps nothing across it, so drivers close their channels, and
 * the transport, which is the parent and is suspended after them, ends the connection.
 * Suspend to idle does nothing of this: channels stay open, and wake the guest.
 *
 * If the host does not answer in the resume, the connection comes back later
 * (connection.c), and devices are resumed then.
 */
static int __maybe_unused bus_freeze(struct device *dev)
{
	struct hv_device *hv = compat_hv_dev(dev);
	struct hv_driver *drv;

	if (!dev->driver)
		return 0;
	/* it is suspended already */
	if (test_bit(BUS_DEVICE_RESUME_DUE, &to_bus_device(hv)->flags))
		return 0;
	drv = compat_hv_drv(dev->driver);
	if (!drv->suspend)
		return -EOPNOTSUPP;
	if (host_state() != HOST_RESPONDS) {
		dev_err(dev, "hibernation is refused: the host does not respond, and is needed to close the device's channels\n");
		return -EAGAIN;
	}
	return drv->suspend(hv);
}

static int resume_if_due(struct device *dev)
{
	struct hv_device *hv = compat_hv_dev(dev);
	struct hv_driver *drv;

	if (!test_and_clear_bit(BUS_DEVICE_RESUME_DUE,
				&to_bus_device(hv)->flags) ||
	    !dev->driver)
		return 0;
	drv = compat_hv_drv(dev->driver);
	return drv->resume ? drv->resume(hv) : -EOPNOTSUPP;
}

static int __maybe_unused bus_thaw(struct device *dev)
{
	if (!dev->driver)
		return 0;
	set_bit(BUS_DEVICE_RESUME_DUE,
		&to_bus_device(compat_hv_dev(dev))->flags);
	/*
	 * Pairs with the state's change before bus_resume_devices(): either the new
	 * state is seen here, or the flag is seen there.
	 */
	smp_mb__after_atomic();
	if (host_state() != HOST_LOST &&
	    (READ_ONCE(connection.state) == CONN_SUSPENDED ||
	     READ_ONCE(connection.state) == CONN_RESUMING))
		return 0;
	return resume_if_due(dev);
}

static int resume_late(struct device *dev, void *unused)
{
	int ret;

	device_lock(dev);
	ret = resume_if_due(dev);
	device_unlock(dev);
	if (ret)
		dev_err(dev, "the device does not work: its driver did not resume it (%d)\n",
			ret);
	return 0;
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

/*
 * When this is called for a new device its directory exists, and neither a driver nor
 * udev was told of the device: both find the channels directory.
 */
static int device_notify(struct notifier_block *nb, unsigned long action,
			 void *data)
{
	struct device *dev = data;
	int ret;

	if (action != BUS_NOTIFY_ADD_DEVICE)
		return NOTIFY_DONE;
	ret = sysfs_create_directory(compat_hv_dev(dev));
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

	to_bus_device(hv)->released(hv->channel);
	compat_free_override(hv);
	kfree(to_bus_device(hv));
}

/**
 * bus_add_device() - create the device of a primary channel, and find its driver
 * @channel: not released before the device is
 * @released: called in process context when the last reference to the device is dropped
 *
 * Context: process, sleeps; probes.
 * Return: 0, or an error: then @released has been called, unless there was no memory
 *	for the device.
 */
int bus_add_device(struct vmbus_channel *channel,
		   void (*released)(struct vmbus_channel *channel))
{
	struct bus_device *bd = kzalloc(sizeof(*bd), GFP_KERNEL);
	struct device *dev;
	int ret;

	if (!bd)
		return -ENOMEM;
	dev = &bd->hv.device;
	bd->released = released;
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
		/* no sub-channel is added to it any more */
		set_bit(BUS_DEVICE_GOING, &bd->flags);
		sysfs_remove_directory(&bd->hv);
		put_device(dev);
	}
	return ret;
}

/**
 * vmbus_device_unregister() - remove a device; harmless the second time
 * @device_obj: the caller holds a reference, or knows that this is the first call
 *
 * Context: process, sleeps; the driver's remove runs.
 */
void vmbus_device_unregister(struct hv_device *device_obj)
{
	if (test_and_set_bit(BUS_DEVICE_GOING,
			     &to_bus_device(device_obj)->flags))
		return;
	sysfs_remove_directory(device_obj);
	device_unregister(&device_obj->device);
}

/**
 * bus_device_is_going() - whether vmbus_device_unregister() was called
 * @hv: any device of this bus
 *
 * Context: any.
 */
bool bus_device_is_going(struct hv_device *hv)
{
	return test_bit(BUS_DEVICE_GOING, &to_bus_device(hv)->flags);
}

/**
 * bus_get_device() - take a reference to the device of a primary channel
 * @channel: the channel
 *
 * Context: channel_mutex held.
 * Return: the device, or NULL if there is none or its last reference was dropped.
 */
struct hv_device *bus_get_device(struct vmbus_channel *channel)
{
	struct hv_device *hv = channel->device_obj;

	return hv && kobject_get_unless_zero(&hv->device.kobj) ? hv : NULL;
}

/**
 * bus_resume_devices() - resume devices that could not be, for want of a connection
 *
 * Context: process, sleeps; the connection's state is CONN_CONNECTED, or the host is
 *	lost.
 */
void bus_resume_devices(void)
{
	/* pairs with the barrier in bus_thaw() */
	smp_mb();
	bus_for_each_dev(&vmbus_bus, NULL, NULL, resume_late);
}

/**
 * bus_notify() - call a notifier block for events of the bus, BUS_NOTIFY_*
 * @nb: stays registered until bus_stop_notifying()
 *
 * Context: process. Return: 0 or a negative errno.
 */
int bus_notify(struct notifier_block *nb)
{
	return bus_register_notifier(&vmbus_bus, nb);
}

/**
 * bus_stop_notifying() - the mirror of bus_notify()
 * @nb: the same
 *
 * Context: process, sleeps.
 */
void bus_stop_notifying(struct notifier_block *nb)
{
	bus_unregister_notifier(&vmbus_bus, nb);
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
	/* before the messages of its probes, so that the log names the driver first */
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
 * The default build calls it synth_vmbus where the kernel's own VMBus may register the
 * name vmbus.
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
