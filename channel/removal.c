// SPDX-License-Identifier: GPL-2.0-only
/*
 * How channels and their devices go: when the host rescinds them, when the
 * connection ends, and over hibernation.
 *
 * A rescind ends the host's access to a channel. The bus may also end one by itself
 * whose ring the host still has (struct channel, dismissed): its owner closes it as
 * after a rescind, but then the host is asked to let go of the ring, and if it
 * can't be asked any more the ring is lost, unless it has confirmed an UNLOAD.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/module.h>

#include "vmbus.h"

/* how long to wait for whoever still holds a device that was unregistered */
#define REMOVE_WAIT_MS	10000

/*
 * A channel's device, with a reference; NULL if it has none, or if its last
 * reference has just gone. Called with channel_mutex held.
 */
static struct hv_device *get_channel_device(struct vmbus_channel *vc)
{
	struct hv_device *hv = vc->device_obj;

	return hv && kobject_get_unless_zero(&hv->device.kobj) ? hv : NULL;
}

static void remove_primary(struct vmbus_channel *vc)
{
	struct hv_device *hv;

	mutex_lock(&connection.channel_mutex);
	hv = get_channel_device(vc);
	mutex_unlock(&connection.channel_mutex);
	if (!hv)
		return;

	if (vc->chn_rescind_callback) {
		/* its owner unregisters the device, in its own time */
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
	/* an open one is released by the driver's close of the primary */
	if (READ_ONCE(vc->state) == CHANNEL_OPEN_STATE)
		channel_release(vc);
	kobject_put(&vc->kobj);
}

/**
 * removal_init() - set a new channel's work up
 * @ch: the channel
 * @sub: it is a sub-channel
 *
 * Lock checking tells the two apart by where they are initialised: see works_init().
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

/* The host has ended its access to a channel: nobody waits for it any more */
static void mark_rescinded(struct vmbus_channel *vc)
{
	/* pairs with request_start(): it sees the flag, or we its request */
	WRITE_ONCE(vc->rescind, true);
	request_fail(vc, -ENODEV);
}

/**
 * removal_mark_rescind() - a rescind was received, and waits for its turn
 * @msg: the message, of any length
 *
 * An offer that is before it in the queue waits for CPU hotplug, which may wait for
 * the host's answer about this very channel.
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

/* Called with channel_mutex held */
static void begin_removal(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);

	if (ch->removing)
		return;
	ch->removing = true;
	queue_remove(vc);
}

/**
 * removal_rescind() - the host has rescinded a channel
 * @vc: any, again is harmless
 *
 * Context: process, channel_mutex held.
 */
void removal_rescind(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);

	if (ch->rescind_taken)
		return;
	ch->rescind_taken = true;
	mark_rescinded(vc);
	complete_all(&vc->rescind_event);
	/* what the host completed before it went is still in the ring */
	channel_look(vc);
	begin_removal(vc);
}

/* Called with channel_mutex held */
static void dismiss_channel(struct vmbus_channel *vc)
{
	WRITE_ONCE(to_channel(vc)->dismissed, true);
	begin_removal(vc);
}

/* Nothing is sent for it any more. Called with channel_mutex held */
static void cut_off_channel(struct vmbus_channel *vc)
{
	u32 relid = vc->offermsg.child_relid;

	if (relid < MAX_RELIDS)
		RCU_INIT_POINTER(connection.relids[relid], NULL);
	vc->offermsg.child_relid = INVALID_RELID;
}

/**
 * removal_unloaded() - the host was told UNLOAD
 * @confirmed: it has let go of everything
 *
 * Which has then ended its access to what was dismissed and is still open, too, as
 * a rescind would have. Else whoever closes such a channel leaves its ring behind.
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
		if (!to_channel(vc)->dismissed)
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
		/* one that a rescind is removing goes by itself */
		if (!vc->device_obj || bus_device_is_going(vc->device_obj))
			continue;
		/* whoever opened it sees it go, and unregisters it */
		if (vc->chn_rescind_callback) {
			dismiss_channel(vc);
			continue;
		}
		hv = get_channel_device(vc);
		if (hv)
			break;
	}
	mutex_unlock(&connection.channel_mutex);
	return hv;
}

/**
 * removal_all() - unregister all devices, wait a while for their end
 *
 * Context: process, sleeps; connection.state is not CONN_CONNECTED any more,
 *	so no new ones come.
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
	 * Somebody in this kernel may hold a device for as long as he likes: a
	 * file system that is still mounted does, when the PCI function is
	 * unbound or pulled out. Its channel is cut off from the host then, and
	 * goes with the device. The module stays until all have gone.
	 */
	while (atomic_read(&connection.nr_channels) && ms < REMOVE_WAIT_MS) {
		msleep(20);
		ms += 20;
	}
	mutex_lock(&connection.channel_mutex);
	offers_drop_deferred();
	list_for_each_entry(vc, &connection.channels, listentry) {
		pr_warn("device %pUl is still in use\n",
			&vc->offermsg.offer.if_instance);
		WRITE_ONCE(to_channel(vc)->dismissed, true);
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
 * channel_device_released() - the last reference to a device has gone
 * @vc: its primary channel
 *
 * Context: process, sleeps.
 */
void channel_device_released(struct vmbus_channel *vc)
{
	release_subchannels(vc);
	channel_release(vc);
}

/**
 * removal_suspend() - forget relids and sub-channels, keep devices
 *
 * The drivers have suspended and closed their channels. Socket connections do
 * not live through hibernation: they go.
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
		if (is_hvsock_channel(vc) || vc->state == CHANNEL_OPEN_STATE)
			continue;
		pr_err("channel %u is still open\n", vc->offermsg.child_relid);
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
	offers_drop_deferred();
	list_for_each_entry(vc, &connection.channels, listentry)
		cut_off_channel(vc);
	mutex_unlock(&connection.channel_mutex);
	return 0;
}

/**
 * removal_resume_done() - the host has offered all that it still has
 *
 * Devices that it did not offer again are removed, once tasks are thawed.
 *
 * Context: process.
 */
void removal_resume_done(void)
{
	struct vmbus_channel *vc;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (vc->offermsg.child_relid != INVALID_RELID || vc->rescind ||
		    to_channel(vc)->dismissed)
			continue;
		pr_warn("device %pUl did not come back\n",
			&vc->offermsg.offer.if_instance);
		removal_rescind(vc);
	}
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (vc->rescind)
			continue;
		/* it stays listed: device_wq, which removes, is frozen */
		mutex_unlock(&connection.channel_mutex);
		bus_rename_channel(vc);
		mutex_lock(&connection.channel_mutex);
	}
	mutex_unlock(&connection.channel_mutex);
}

/**
 * vmbus_hvsock_device_unregister() - a socket connection is closed
 * @channel: of the connection; the host rescinds it when both ends are closed
 *
 * Context: process, sleeps for a bounded time.
 */
void vmbus_hvsock_device_unregister(struct vmbus_channel *channel)
{
	struct hv_device *hv;
	unsigned int ms = 0;

	if (WARN_ON_ONCE(!is_hvsock_channel(channel)))
		return;
	while (ms < 30000) {
		if (READ_ONCE(channel->probe_done) &&
		    (READ_ONCE(channel->rescind) ||
		     READ_ONCE(to_channel(channel)->dismissed)))
			break;
		if (host_state() == HOST_LOST)
			break;
		usleep_range(1000, 2000);
		ms += host_counted(1);
	}
	mutex_lock(&connection.channel_mutex);
	hv = get_channel_device(channel);
	mutex_unlock(&connection.channel_mutex);
	if (!hv)
		return;
	vmbus_device_unregister(hv);
	put_device(&hv->device);
}
