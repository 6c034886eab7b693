// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a card: probe, removal, hibernation.
 *
 * A host that does not answer. Nothing here waits for it without end: requests
 * give up after host_timeout, closing a channel after what the bus allows. A card
 * that can't be opened again has failed: its netdev stays, without a carrier, and
 * "ethtool --reset", a change of its MTU and the like try once more. If the host
 * did not confirm that it has let go of memory, that memory is kept for ever, and
 * the card stays failed.
 */
#include <linux/module.h>
#include <linux/rtnetlink.h>

#include "synth_net.h"

#define DEFAULT_QUEUES		8
#define DEFAULT_SLOTS		512

const char *synn_state_name(const struct synn_card *c)
{
	static const char * const names[] = {
		[SYNN_STARTING]		= "starting",
		[SYNN_LIVE]		= "live",
		[SYNN_SUSPENDED]	= "suspended",
		[SYNN_FAILED]		= "failed",
		[SYNN_LEAVING]		= "leaving",
	};

	return names[READ_ONCE(c->state)];
}

/* ---- sysfs: /sys/bus/vmbus/devices/ID/synth_net/ -------------------------------- */

static struct synn_card *card_of(struct device *dev)
{
	return hv_get_drvdata(device_to_hv_device(dev));
}

static ssize_t card_state_show(struct device *dev, struct device_attribute *attr,
			       char *buf)
{
	return sysfs_emit(buf, "%s\n", synn_state_name(card_of(dev)));
}
static DEVICE_ATTR_RO(card_state);

static ssize_t protocol_show(struct device *dev, struct device_attribute *attr,
			     char *buf)
{
	u32 version = READ_ONCE(card_of(dev)->link.version);

	return sysfs_emit(buf, "%u.%u\n", version >> 16, version & 0xffff);
}
static DEVICE_ATTR_RO(protocol);

static ssize_t quarantined_pages_show(struct device *dev,
				      struct device_attribute *attr, char *buf)
{
	return sysfs_emit(buf, "%llu\n", READ_ONCE(card_of(dev)->quarantined));
}
static DEVICE_ATTR_RO(quarantined_pages);

static struct attribute *card_attrs[] = {
	&dev_attr_card_state.attr,
	&dev_attr_protocol.attr,
	&dev_attr_quarantined_pages.attr,
	NULL
};

static const struct attribute_group card_group = {
	.name = SYNN_NAME,
	.attrs = card_attrs,
};

static const struct attribute_group *card_groups[] = { &card_group, NULL };

/* ---- the bus ------------------------------------------------------------------------ */

static struct synn_card *card_alloc(struct hv_device *hv)
{
	struct net_device *dev;
	struct synn_card *c;

	dev = alloc_etherdev_mq(sizeof(*c), SYNN_MAX_QUEUES);
	if (!dev)
		return NULL;
	c = netdev_priv(dev);
	c->dev = dev;
	c->hv = hv;
	mutex_init(&c->mutex);
	mutex_init(&c->open_mutex);
	spin_lock_init(&c->wait_lock);
	init_waitqueue_head(&c->chan_wait);
	INIT_DELAYED_WORK(&c->event_work, synn_event_work);
	INIT_DELAYED_WORK(&c->reset_work, synn_reset_work);
	c->want_queues = min_t(unsigned int, synn_queues ?: DEFAULT_QUEUES,
			       min_t(unsigned int, num_present_cpus(),
				     SYNN_MAX_QUEUES));
	c->want_slots = DEFAULT_SLOTS;
	c->want_sections = clamp_t(u32, (synn_receive_buffer << 10) /
				   SYNN_SECTION_BYTES, SYNN_MIN_SECTIONS,
				   SYNN_MAX_SECTIONS);
	c->msg_level = NETIF_MSG_DRV | NETIF_MSG_PROBE | NETIF_MSG_LINK;
	netdev_rss_key_fill(c->rss_key, sizeof(c->rss_key));
	c->rss_hashes = SYNN_RSS_HASHES;
	synn_netdev_setup(c);
	if (synn_control_init(c))
		goto err_free;
	/* links may be down, or the host silent: nobody's memory depends on it */
	c->wq = alloc_ordered_workqueue("synth_net_%s", WQ_FREEZABLE,
					dev_name(&hv->device));
	if (!c->wq)
		goto err_control;
	return c;

err_control:
	synn_control_free(c);
err_free:
	free_netdev(dev);
	return NULL;
}

static void card_free(struct synn_card *c)
{
	destroy_workqueue(c->wq);
	synn_control_free(c);
	synn_chan_free_all(c);
	free_netdev(c->dev);
}

/* After this nobody but the caller does anything with the card */
static void stop_works(struct synn_card *c)
{
	cancel_delayed_work_sync(&c->event_work);
	cancel_delayed_work_sync(&c->reset_work);
}

/* Queues before the netdev can be seen */
static int first_session(struct synn_card *c)
{
	int ret = synn_link_up(c);

	if (ret)
		return ret;
	if (c->dev->mtu > c->link.max_mtu)
		c->dev->mtu = c->link.max_mtu;
	ret = netif_set_real_num_queues(c->dev, c->nr_queues, c->nr_queues);
	if (!ret) {
		netif_carrier_off(c->dev);
		ret = register_netdevice(c->dev);
	}
	if (ret)
		synn_link_down(c);
	else
		synn_link_go(c);
	return ret;
}

static int synn_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synn_card *c = card_alloc(hv);
	int ret;

	if (!c)
		return -ENOMEM;
	hv_set_drvdata(hv, c);
	rtnl_lock();
	ret = first_session(c);
	if (ret)
		c->state = SYNN_LEAVING;
	rtnl_unlock();
	if (ret) {
		stop_works(c);
		synn_chan_disown(c);
		card_free(c);
		return ret;
	}
	netdev_info(c->dev, "NVSP %u.%u, %u queues, %u receive sections of %u KiB in all\n",
		    c->link.version >> 16, c->link.version & 0xffff,
		    c->nr_queues, c->link.sections, c->link.receive.bytes >> 10);
	synn_debugfs_add(c);
	return 0;
}

static compat_remove_t synn_remove(struct hv_device *hv)
{
	struct synn_card *c = hv_get_drvdata(hv);

	synn_debugfs_remove(c);
	rtnl_lock();
	/* the filter goes off, as far as somebody listens */
	dev_close(c->dev);
	WRITE_ONCE(c->state, SYNN_LEAVING);
	netif_device_detach(c->dev);
	synn_link_down(c);
	unregister_netdevice(c->dev);
	rtnl_unlock();
	stop_works(c);
	synn_chan_disown(c);
	card_free(c);
	return COMPAT_REMOVE_DONE;
}

/* ---- hibernation ---------------------------------------------------------------------- */

static int synn_suspend(struct hv_device *hv)
{
	struct synn_card *c = hv_get_drvdata(hv);
	int ret = 0;

	rtnl_lock();
	if (c->state == SYNN_LIVE) {
		ret = synn_link_suspend(c);
	} else if (c->host_holds) {
		/* an image must not have memory that is written to */
		ret = -EIO;
	}
	rtnl_unlock();
	return ret;
}

static int synn_resume(struct hv_device *hv)
{
	struct synn_card *c = hv_get_drvdata(hv);
	int ret = 0;

	rtnl_lock();
	if (c->state == SYNN_SUSPENDED)
		ret = synn_link_again(c);
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
		.dev_groups	= card_groups,
	},
};

/**
 * synn_card_register() - take the cards that there are, and will be
 *
 * Return: 0 or an error.
 */
int synn_card_register(void)
{
	return vmbus_driver_register(&synn_driver);
}

/**
 * synn_card_unregister() - the mirror of synn_card_register()
 */
void synn_card_unregister(void)
{
	vmbus_driver_unregister(&synn_driver);
}
