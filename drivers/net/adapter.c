// SPDX-License-Identifier: GPL-2.0-only
/* The life of an adapter: probe, removal, hibernation, sysfs. */
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define DEFAULT_QUEUES		8
#define DEFAULT_SLOTS		512

/* ---- sysfs: /sys/bus/vmbus/devices/ID/synth_net/ --------------------------------- */

static struct synn_adapter *adapter_of(struct device *dev)
{
	return hv_get_drvdata(device_to_hv_device(dev));
}

static ssize_t adapter_state_show(struct device *dev,
				  struct device_attribute *attr, char *buf)
{
	enum synn_state state = READ_ONCE(adapter_of(dev)->state);

	return sysfs_emit(buf, "%s\n", synn_state_name(state));
}
static DEVICE_ATTR_RO(adapter_state);

static ssize_t protocol_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	u32 version = READ_ONCE(adapter_of(dev)->session.version);

	return sysfs_emit(buf, "%u.%u\n", version >> 16, version & 0xffff);
}
static DEVICE_ATTR_RO(protocol);

static ssize_t quarantined_pages_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(adapter_of(dev)->quarantined));
}
static DEVICE_ATTR_RO(quarantined_pages);

static struct attribute *adapter_attrs[] = {
	&dev_attr_adapter_state.attr,
	&dev_attr_protocol.attr,
	&dev_attr_quarantined_pages.attr,
	NULL
};

static const struct attribute_group adapter_group = {
	.name = SYNN_NAME,
	.attrs = adapter_attrs,
};

static const struct attribute_group *adapter_groups[] = {
	&adapter_group, NULL
};

/* ---- probe and removal ------------------------------------------------------------ */

static struct synn_adapter *adapter_alloc(struct hv_device *hv)
{
	struct net_device *dev;
	struct synn_adapter *ad;

	dev = alloc_etherdev_mq(sizeof(*ad), SYNN_MAX_QUEUES);
	if (!dev)
		return NULL;
	ad = netdev_priv(dev);
	ad->dev = dev;
	ad->hv = hv;
	spin_lock_init(&ad->state_lock);
	mutex_init(&ad->mutex);
	mutex_init(&ad->open_mutex);
	spin_lock_init(&ad->wait_lock);
	init_waitqueue_head(&ad->chan_wait);
	INIT_LIST_HEAD(&ad->quarantine);
	INIT_DELAYED_WORK(&ad->event_work, synn_event_work);
	INIT_DELAYED_WORK(&ad->service_work, synn_service_work);
	ad->wanted_queues = min_t(unsigned int, synn_queues ?: DEFAULT_QUEUES,
				  min_t(unsigned int, num_present_cpus(),
					SYNN_MAX_QUEUES));
	ad->wanted_slots = DEFAULT_SLOTS;
	ad->wanted_sections = clamp_t(u32, (synn_receive_buffer << 10) /
				      SYNN_SECTION_BYTES, SYNN_MIN_SECTIONS,
				      SYNN_MAX_SECTIONS);
	ad->msg_level = NETIF_MSG_DRV | NETIF_MSG_PROBE | NETIF_MSG_LINK;
	netdev_rss_key_fill(ad->rss_key, sizeof(ad->rss_key));
	ad->rss_hashes = SYNN_RSS_HASHES;
	synn_netdev_setup(ad);
	if (synn_control_init(ad))
		goto err_free;
	/* reclaim of memory does not depend on it, so it needs no rescuer */
	ad->wq = alloc_ordered_workqueue("synth_net_%s", WQ_FREEZABLE,
					 dev_name(&hv->device));
	if (!ad->wq)
		goto err_control;
	return ad;

err_control:
	synn_control_free(ad);
err_free:
	free_netdev(dev);
	return NULL;
}

/* All channels are closed */
static void adapter_free(struct synn_adapter *ad)
{
	bool confirmed = !ad->quarantined || synn_rescinded(ad);

	destroy_workqueue(ad->wq);
	synn_control_free(ad);
	synn_quarantine_release(ad, synn_rescinded(ad) ? SYNN_CONFIRMED_RESCIND :
						       SYNN_CONFIRMED_NEVER);
	synn_chan_free_all(ad, confirmed);
	free_netdev(ad->dev);
}

/* The number of queues has to be known before the netdev is registered */
static int first_session(struct synn_adapter *ad)
{
	int ret = synn_session_open(ad);

	if (ret)
		return ret;
	if (ad->dev->mtu > ad->session.max_mtu)
		ad->dev->mtu = ad->session.max_mtu;
	ret = netif_set_real_num_queues(ad->dev, ad->nr_queues, ad->nr_queues);
	if (!ret) {
		netif_carrier_off(ad->dev);
		ret = register_netdevice(ad->dev);
	}
	if (ret)
		synn_session_close(ad);
	else
		synn_session_start(ad);
	return ret;
}

static int synn_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synn_adapter *ad = adapter_alloc(hv);
	int ret;

	if (!ad)
		return -ENOMEM;
	hv_set_drvdata(hv, ad);
	rtnl_lock();
	ret = first_session(ad);
	if (ret)
		synn_set_state(ad, SYNN_REMOVING);
	rtnl_unlock();
	if (ret) {
		cancel_delayed_work_sync(&ad->event_work);
		cancel_delayed_work_sync(&ad->service_work);
		synn_chan_disown(ad);
		adapter_free(ad);
		return ret;
	}
	netdev_info(ad->dev, "NVSP %u.%u, %u queues, %u receive sections of %u KiB in all\n",
		    ad->session.version >> 16, ad->session.version & 0xffff,
		    ad->nr_queues, ad->session.sections,
		    ad->session.receive->bytes >> 10);
	synn_service_add(ad);
	synn_debugfs_add(ad);
	return 0;
}

static compat_remove_t synn_remove(struct hv_device *hv)
{
	struct synn_adapter *ad = hv_get_drvdata(hv);

	synn_debugfs_remove(ad);
	rtnl_lock();
	/* this clears the packet filter, if the host responds */
	dev_close(ad->dev);
	synn_set_state(ad, SYNN_REMOVING);
	netif_device_detach(ad->dev);
	synn_session_close(ad);
	unregister_netdevice(ad->dev);
	rtnl_unlock();
	synn_service_remove(ad);
	cancel_delayed_work_sync(&ad->event_work);
	synn_chan_disown(ad);
	adapter_free(ad);
	return COMPAT_REMOVE_DONE;
}

/* ---- hibernation ------------------------------------------------------------------ */

static int synn_suspend(struct hv_device *hv)
{
	struct synn_adapter *ad = hv_get_drvdata(hv);
	int ret = 0;

	rtnl_lock();
	if (READ_ONCE(ad->state) != SYNN_FAILED) {
		ret = synn_session_suspend(ad);
	} else if (ad->quarantined) {
		netdev_warn(ad->dev, "the host may still use memory of an earlier session, so the adapter can't be suspended; try again when it has a session\n");
		ret = -EIO;
	}
	rtnl_unlock();
	return ret;
}

/* If no session can be opened, the service task makes further attempts */
static int synn_resume(struct hv_device *hv)
{
	struct synn_adapter *ad = hv_get_drvdata(hv);
	int ret = 0;

	rtnl_lock();
	if (READ_ONCE(ad->state) == SYNN_SUSPENDED &&
	    synn_set_state(ad, SYNN_RESETTING))
		ret = synn_session_reopen(ad);
	rtnl_unlock();
	return ret;
}

static const struct hv_vmbus_device_id synn_ids[] = {
	{ HV_NIC_GUID },
	{ }
};
MODULE_DEVICE_TABLE(vmbus, synn_ids);

static struct hv_driver synn_driver = {
	.name		= SYNN_NAME,
	.id_table	= synn_ids,
	.probe		= synn_probe,
	.remove		= synn_remove,
	.suspend	= synn_suspend,
	.resume		= synn_resume,
	.driver		= {
		.probe_type	= PROBE_FORCE_SYNCHRONOUS,
		.dev_groups	= adapter_groups,
	},
};

/**
 * synn_adapter_register() - register the driver with the bus
 *
 * Return: 0 or an error.
 */
int synn_adapter_register(void)
{
	return vmbus_driver_register(&synn_driver);
}

/**
 * synn_adapter_unregister() - the mirror of synn_adapter_register()
 */
void synn_adapter_unregister(void)
{
	vmbus_driver_unregister(&synn_driver);
}
