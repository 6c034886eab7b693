// SPDX-License-Identifier: GPL-2.0-only
/*
 * Removal of channels and their devices: after a rescind, at the end of the connection,
 * and over hibernation.
 *
 * A rescind ends the host's access to a channel. The bus may also dismiss a channel whose
 * ring the host still has (LIFE_DISMISSED). Its driver closes it as after a rescind, but
 * then the host is asked to let go of the ring. If it can't be asked any more the ring is
 * lost, unless the host has confirmed an UNLOAD.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>

#include "vmbus.h"

/* how long to wait until the last reference to an unregistered device is dropped */
#define REMOVE_WAIT_MS	10000

static void remove_primary(struct vmbus_channel *vc)
{
	struct hv_device *hv;

	mutex_lock(&connection.channel_mutex);
	hv = bus_get_device(vc);
	mutex_unlock(&connection.channel_mutex);
	if (!hv)
		return;

	if (vc->chn_rescind_callback) {
		/* the driver that has set it unregisters the device itself */
		vc->chn_rescind_callback(vc);
	} else {
		dev_info(&hv->device, "the host has removed the device\n");
		vmbus_device_unregister(hv);
	}
	put_device(&hv->device);
}

static void primary_remove_work(struct work_struct *work)
{
	struct channel *ch = container_of(work, struct channel, remove_work);
	struct vmbus_channel *vc = &ch->vc;

	flush_work(&vc->add_channel_work);
	remove_primary(vc);
	kobject_put(&vc->kobj);
}

static void sub_remove_work(struct work_struct *work)
{
	struct channel *ch = container_of(work, struct channel, remove_work);
	struct vmbus_channel *vc = &ch->vc;

	flush_work(&vc->add_channel_work);
	/* one that is open is released when the driver closes the primary channel */
	if (channel_is_closed(vc))
		channel_release(vc);
	kobject_put(&vc->kobj);
}

/**
 * removal_init() - initialise the work item of a new channel
 * @ch: the channel
 * @sub: it is a sub-channel
 *
 * lockdep has to distinguish the two: see works_init().
 *
 * Context: any.
 */
void removal_init(struct channel *ch, bool sub)
{
	if (sub)
		INIT_WORK(&ch->remove_work, sub_remove_work);
	else
		INIT_WORK(&ch->remove_work, primary_remove_work);
}

static void queue_remove(struct vmbus_channel *vc)
{
	kobject_get(&vc->kobj);
	if (!queue_work(vc->primary_channel ? connection.sub_wq :
					      connection.device_wq,
			&to_channel(vc)->remove_work))
		kobject_put(&vc->kobj);
}

/* The host has ended its access to a channel: ends all waits on its behalf */
static void mark_rescinded(struct vmbus_channel *vc)
{
	/* pairs with request_start(): it sees the flag, or its request is found here */
	WRITE_ONCE(vc->rescind, true);
	request_fail(vc, -ENODEV);
}

/**
 * removal_mark_rescind() - note that a rescind was received, and is queued
 * @msg: the message, of any length
 *
 * An offer that is queued before it waits for CPU hotplug, which may wait for the host's
 * answer to a request of this very channel.
 *
 * Context: any.
 */
void removal_mark_rescind(const struct rx_message *msg)
{
	const struct vmbus_channel_rescind_offer *rescind =
		(const void *)msg->payload;
	struct vmbus_channel *vc;

	if (msg->len < sizeof(*rescind))
		return;
	rcu_read_lock();
	vc = channel_of_relid(rescind->child_relid);
	if (vc)
		mark_rescinded(vc);
	rcu_read_unlock();
}

/**
 * removal_rescind() - handle the host's rescind of a channel
 * @vc: any channel; the second call does nothing
 *
 * Context: process, channel_mutex held.
 */
void removal_rescind(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);
	enum channel_life was = ch->life;

	if (was == LIFE_RESCINDED)
		return;
	channel_set_life(ch, LIFE_RESCINDED);
	mark_rescinded(vc);
	complete_all(&vc->rescind_event);
	/* packets that the host wrote before the rescind are still in the ring */
	channel_look(vc);
	/* after LIFE_DISMISSED the removal has begun already */
	if (was == LIFE_OFFERED)
		queue_remove(vc);
}

/* Called with channel_mutex held */
static void dismiss_channel(struct vmbus_channel *vc)
{
	if (to_channel(vc)->life != LIFE_OFFERED)
		return;
	channel_set_life(to_channel(vc), LIFE_DISMISSED);
	queue_remove(vc);
}

/* Takes the relid away, so that no message names the channel. channel_mutex is held */
static void cut_off_channel(struct vmbus_channel *vc)
{
	u32 relid = vc->offermsg.child_relid;

	if (relid < MAX_RELIDS)
		RCU_INIT_POINTER(connection.relids[relid], NULL);
	vc->offermsg.child_relid = INVALID_RELID;
}

/**
 * removal_unloaded() - note that the host was told UNLOAD
 * @confirmed: it has let go of everything
 *
 * A confirmed UNLOAD has ended the host's access also to channels that were dismissed
 * and are still open, as a rescind would have. Without it the rings of such channels are
 * lost when they are closed.
 *
 * Context: process.
 */
void removal_unloaded(bool confirmed)
{
	struct vmbus_channel *vc, *sub;

	if (!confirmed)
		return;
	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (to_channel(vc)->life != LIFE_DISMISSED)
			continue;
		mark_rescinded(vc);
		list_for_each_entry(sub, &vc->sc_list, sc_list)
			mark_rescinded(sub);
	}
	mutex_unlock(&connection.channel_mutex);
}

static struct hv_device *first_device(void)
{
	struct vmbus_channel *vc;
	struct hv_device *hv = NULL;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		/* the work item of a rescind is removing it */
		if (!vc->device_obj || bus_device_is_going(vc->device_obj))
			continue;
		/* the driver that has set the callback unregisters the device */
		if (vc->chn_rescind_callback) {
			dismiss_channel(vc);
			continue;
		}
		hv = bus_get_device(vc);
		if (hv)
			break;
	}
	mutex_unlock(&connection.channel_mutex);
	return hv;
}

/**
 * removal_all() - unregister all devices, and wait a while until they are released
 *
 * Context: process, sleeps; no offers are accepted any more.
 */
void removal_all(void)
{
	struct vmbus_channel *vc, *sub;
	struct hv_device *hv;
	unsigned int ms = 0;

	while ((hv = first_device())) {
		vmbus_device_unregister(hv);
		put_device(&hv->device);
	}
	flush_workqueue(connection.device_wq);

	/*
	 * A reference to a device may be held for any length of time: by a file
	 * system that is still mounted, when the PCI function is unbound or pulled
	 * out. Its channel is then cut off from the host, and is released with the
	 * device. The module stays until all devices are released.
	 */
	while (atomic_read(&connection.nr_channels) && ms < REMOVE_WAIT_MS) {
		msleep(20);
		ms += 20;
	}
	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		pr_warn("device %pUl is still in use: the module stays until it is not\n",
			&vc->offermsg.offer.if_instance);
		if (to_channel(vc)->life == LIFE_OFFERED)
			channel_set_life(to_channel(vc), LIFE_DISMISSED);
		cut_off_channel(vc);
		list_for_each_entry(sub, &vc->sc_list, sc_list)
			cut_off_channel(sub);
	}
	mutex_unlock(&connection.channel_mutex);
}

static void release_subchannels(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub;

	for (;;) {
		mutex_lock(&connection.channel_mutex);
		sub = list_first_entry_or_null(&primary->sc_list,
					       struct vmbus_channel, sc_list);
		if (sub)
			kobject_get(&sub->kobj);
		mutex_unlock(&connection.channel_mutex);
		if (!sub)
			return;
		flush_work(&sub->add_channel_work);
		channel_release(sub);
		kobject_put(&sub->kobj);
	}
}

/* With a reference */
static struct vmbus_channel *primary_with_subchannels(void)
{
	struct vmbus_channel *vc, *found = NULL;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (list_empty(&vc->sc_list))
			continue;
		kobject_get(&vc->kobj);
		found = vc;
		break;
	}
	mutex_unlock(&connection.channel_mutex);
	return found;
}

/**
 * removal_device_released() - release the channels of a device that was released
 * @vc: its primary channel
 *
 * Context: process, sleeps.
 */
void removal_device_released(struct vmbus_channel *vc)
{
	release_subchannels(vc);
	channel_release(vc);
}

/**
 * removal_suspend() - take relids away, release sub-channels, keep devices
 *
 * The drivers have suspended and closed their channels. Socket connections can't be
 * resumed after hibernation, and are removed.
 *
 * Context: process. Return: 0, or -EBUSY if a channel is still open.
 */
int removal_suspend(void)
{
	struct vmbus_channel *vc;
	int ret = 0;

	flush_workqueue(connection.offer_wq);
	flush_workqueue(connection.sub_wq);

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (is_hvsock_channel(vc) || channel_is_closed(vc))
			continue;
		pr_err("channel %u is still open: no hibernation\n",
		       vc->offermsg.child_relid);
		ret = -EBUSY;
	}
	if (!ret)
		list_for_each_entry(vc, &connection.channels, listentry)
			if (is_hvsock_channel(vc))
				dismiss_channel(vc);
	mutex_unlock(&connection.channel_mutex);
	if (ret)
		return ret;

	while ((vc = primary_with_subchannels())) {
		release_subchannels(vc);
		kobject_put(&vc->kobj);
	}

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry)
		cut_off_channel(vc);
	mutex_unlock(&connection.channel_mutex);
	return 0;
}

/* With a reference */
static struct vmbus_channel *channel_to_rename(void)
{
	struct vmbus_channel *vc, *found = NULL;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (!to_channel(vc)->rename_due)
			continue;
		to_channel(vc)->rename_due = false;
		kobject_get(&vc->kobj);
		found = vc;
		break;
	}
	mutex_unlock(&connection.channel_mutex);
	return found;
}

/**
 * removal_resume_done() - remove devices that the host has not offered again
 *
 * Called when it has sent all its offers. Devices are removed once tasks are thawed.
 * Channels that were offered again are renamed in sysfs.
 *
 * Context: process.
 */
void removal_resume_done(void)
{
	struct vmbus_channel *vc;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (vc->offermsg.child_relid != INVALID_RELID || vc->rescind ||
		    to_channel(vc)->life != LIFE_OFFERED)
			continue;
		pr_warn("device %pUl did not come back after hibernation: it is removed\n",
			&vc->offermsg.offer.if_instance);
		removal_rescind(vc);
	}
	mutex_unlock(&connection.channel_mutex);

	while ((vc = channel_to_rename())) {
		sysfs_rename_channel(vc);
		kobject_put(&vc->kobj);
	}
}
