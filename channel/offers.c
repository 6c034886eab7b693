// SPDX-License-Identifier: GPL-2.0-only
/*
 * Offers and rescinds, as the host sends them.
 *
 * An offer becomes a channel, which is listed and can be found by its relid. A work item
 * then makes a device of a primary channel, or adds a sub-channel to one. A rescind may
 * come at any moment. Every wait for the host on behalf of the channel is ended first,
 * and only then is waited for the tasks that waited: a probe that is opening the channel
 * fails, and has ended before its device is removed.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "trace.h"
#include "vmbus.h"

/* An offer that waits until the previous device of that instance is released */
struct deferred_offer {
	struct list_head node;
	struct vmbus_channel_offer_channel offer;
};

static void primary_add_work(struct work_struct *work);
static void sub_add_work(struct work_struct *work);

/*
 * lockdep distinguishes work items by the place where they are initialised. A driver may
 * hold a lock while it closes a channel, which waits for the work items of its
 * sub-channels, and take the same lock in its probe, which runs in the work item of a
 * primary channel.
 */
static void works_init(struct channel *ch, bool sub)
{
	if (sub)
		INIT_WORK(&ch->vc.add_channel_work, sub_add_work);
	else
		INIT_WORK(&ch->vc.add_channel_work, primary_add_work);
	removal_init(ch, sub);
}

static void add_primary(struct vmbus_channel *vc)
{
	int ret = bus_add_device(vc, removal_device_released);

	if (ret) {
		pr_err("channel %u gets no device (%d)\n",
		       vc->offermsg.child_relid, ret);
		channel_release(vc);
	}
}

static void add_subchannel(struct vmbus_channel *vc)
{
	struct vmbus_channel *primary = vc->primary_channel;
	void (*callback)(struct vmbus_channel *new_sc);
	int ret = -ENODEV;

	if (!vc->rescind && primary->device_obj)
		ret = sysfs_add_channel(primary->device_obj, vc);
	if (ret) {
		if (!vc->rescind)
			pr_err("sub-channel %u can't be added (%d)\n",
			       vc->offermsg.child_relid, ret);
		return;
	}
	callback = READ_ONCE(primary->sc_creation_callback);
	if (callback)
		callback(vc);
}

/* Each work item owns a reference to its channel */
static void primary_add_work(struct work_struct *work)
{
	struct vmbus_channel *vc = container_of(work, struct vmbus_channel,
						add_channel_work);

	add_primary(vc);
	WRITE_ONCE(vc->probe_done, true);
	kobject_put(&vc->kobj);
}

static void sub_add_work(struct work_struct *work)
{
	struct vmbus_channel *vc = container_of(work, struct vmbus_channel,
						add_channel_work);

	add_subchannel(vc);
	WRITE_ONCE(vc->probe_done, true);
	kobject_put(&vc->kobj);
}

static void queue_add(struct vmbus_channel *vc)
{
	kobject_get(&vc->kobj);
	queue_work(vc->primary_channel ? connection.sub_wq :
					 connection.device_wq,
		   &vc->add_channel_work);
}

/* The instance GUID names a device: a host may not offer two with the same one */
static struct vmbus_channel *find_primary(const struct vmbus_channel_offer *o)
{
	struct vmbus_channel *vc;

	list_for_each_entry(vc, &connection.channels, listentry)
		if (guid_equal(&vc->offermsg.offer.if_instance,
			       &o->if_instance))
			return vc;
	return NULL;
}

/* Whether a device may get sub-channels: not while it is being removed */
static bool primary_lives(const struct vmbus_channel *vc,
			  const struct vmbus_channel_offer *o)
{
	return vc && !vc->rescind &&
	       guid_equal(&vc->offermsg.offer.if_type, &o->if_type) &&
	       !(vc->device_obj && bus_device_is_going(vc->device_obj));
}

/*
 * Whether a sub-channel index is in use. A sub-channel that was closed with its primary
 * channel is not opened again. It only waits for its rescind, which a host may send
 * after the offers for the next open of the primary channel.
 */
static bool sub_index_taken(struct vmbus_channel *primary, u16 index)
{
	struct vmbus_channel *sub;

	list_for_each_entry(sub, &primary->sc_list, sc_list)
		if (sub->offermsg.offer.sub_channel_index == index &&
		    !sub->rescind && !to_channel(sub)->swept)
			return true;
	return false;
}

static bool defer_offer(const struct vmbus_channel_offer_channel *offer)
{
	struct deferred_offer *d;

	/* an offer of this relid is already waiting */
	list_for_each_entry(d, &connection.deferred, node)
		if (d->offer.child_relid == offer->child_relid)
			return true;
	d = kmalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return false;
	d->offer = *offer;
	list_add_tail(&d->node, &connection.deferred);
	return true;
}

/*
 * Returns whether the offer was accepted. If not, its relid is given back to the host.
 * Called with channel_mutex and the CPU hotplug lock held.
 */
static bool take_offer(const struct vmbus_channel_offer_channel *offer)
{
	u32 relid = offer->child_relid;
	struct vmbus_channel *vc, *primary;

	primary = find_primary(&offer->offer);
	if (!offer->offer.sub_channel_index) {
		if (primary &&
		    (primary->rescind || to_channel(primary)->life != LIFE_OFFERED))
			return defer_offer(offer);
		if (primary &&
		    primary->offermsg.child_relid == INVALID_RELID &&
		    primary->device_id == relid_device_type(&offer->offer) &&
		    guid_equal(&primary->offermsg.offer.if_type,
			       &offer->offer.if_type)) {
			/* resume: the device is offered again under a new relid */
			channel_setup(primary, offer);
			to_channel(primary)->rename_due = true;
			cpu_reassign(primary);
			rcu_assign_pointer(connection.relids[relid], primary);
			return true;
		}
		if (primary) {
			pr_err_ratelimited("device %pUl is offered twice\n",
					   &offer->offer.if_instance);
			return false;
		}
	} else if (primary && primary->rescind) {
		/* the rescind of the primary channel was received after this offer */
		return false;
	} else if (!primary_lives(primary, &offer->offer) ||
		   sub_index_taken(primary, offer->offer.sub_channel_index)) {
		pr_err_ratelimited("sub-channel %u of %pUl does not fit any device\n",
				   offer->offer.sub_channel_index,
				   &offer->offer.if_instance);
		return false;
	}

	vc = channel_alloc(offer);
	if (!vc)
		return false;
	works_init(to_channel(vc), offer->offer.sub_channel_index);
	if (offer->offer.sub_channel_index) {
		vc->primary_channel = primary;
		list_add_tail(&vc->sc_list, &primary->sc_list);
	} else {
		list_add_tail(&vc->listentry, &connection.channels);
	}
	cpu_assign(vc);
	/*
	 * The host interrupts for a channel only after its open, so an interrupt
	 * that finds it by its relid finds it initialised.
	 */
	rcu_assign_pointer(connection.relids[relid], vc);
	queue_add(vc);
	return true;
}

static void on_offer(const struct vmbus_channel_offer_channel *offer)
{
	u32 relid = offer->child_relid;
	bool taken = false;

	trace_synth_offer(offer);
	if (!relid || relid >= MAX_RELIDS) {
		pr_err_ratelimited("offer with relid %u, which is out of range\n",
				   relid);
		return;
	}

	cpus_read_lock();
	mutex_lock(&connection.channel_mutex);
	if (!connection_takes_offers()) {
		/* an UNLOAD follows, or has come before: it ends all offers */
		taken = true;
	} else if (channel_of_relid(relid)) {
		pr_err_ratelimited("offer with relid %u, which is in use\n",
				   relid);
		taken = true;
	} else {
		relid_offered(relid);
		taken = take_offer(offer);
	}
	mutex_unlock(&connection.channel_mutex);
	cpus_read_unlock();

	if (!taken)
		relid_give_back(relid);
}

static void on_rescind(u32 relid)
{
	struct deferred_offer *d, *tmp;
	struct vmbus_channel *vc;
	bool release = false, known;

	trace_synth_rescind(relid);
	mutex_lock(&connection.channel_mutex);
	vc = channel_of_relid(relid);
	/* a relid of before an UNLOAD is known no more */
	known = vc || !connection_takes_offers();
	if (vc) {
		removal_rescind(vc);
	} else if (relid_rescinded(relid, &release)) {
		known = true;
	} else {
		list_for_each_entry_safe(d, tmp, &connection.deferred, node) {
			if (d->offer.child_relid != relid)
				continue;
			list_del(&d->node);
			kfree(d);
			release = true;
		}
	}
	mutex_unlock(&connection.channel_mutex);

	if (release)
		relid_give_back(relid);
	else if (!known)
		pr_warn_ratelimited("rescind of relid %u, which is not offered\n",
				    relid);
}

/* Handles offers again that have waited until a device is released */
static void retry_deferred(void)
{
	struct deferred_offer *d, *tmp;
	LIST_HEAD(retry);

	mutex_lock(&connection.channel_mutex);
	list_splice_init(&connection.deferred, &retry);
	mutex_unlock(&connection.channel_mutex);

	list_for_each_entry_safe(d, tmp, &retry, node) {
		list_del(&d->node);
		on_offer(&d->offer);
		kfree(d);
	}
}

/**
 * offers_drop_deferred() - drop offers that wait until a device is released
 *
 * Context: process.
 */
void offers_drop_deferred(void)
{
	struct deferred_offer *d, *tmp;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry_safe(d, tmp, &connection.deferred, node) {
		list_del(&d->node);
		kfree(d);
	}
	mutex_unlock(&connection.channel_mutex);
}

/**
 * offers_process() - handle queued offers and rescinds, in their order
 * @work: connection.rx_work
 *
 * Handles at most as many as the queue holds and then queues the work item again, so that
 * a flush of the work queue ends even if the host never stops sending.
 *
 * Context: process, on offer_wq. Waits neither for drivers nor for the host.
 */
void offers_process(struct work_struct *work)
{
	struct rx_message msg;
	unsigned int n;

	retry_deferred();
	for (n = 0; n < RX_FIFO_SIZE; n++) {
		if (!kfifo_get(&connection.rx, &msg))
			return;
		const struct vmbus_channel_message_header *hdr =
			(const void *)msg.payload;
		const struct vmbus_channel_rescind_offer *rescind =
			(const void *)msg.payload;

		switch ((u32)hdr->msgtype) {
		case CHANNELMSG_OFFERCHANNEL:
			if (msg.len < sizeof(struct vmbus_channel_offer_channel))
				pr_err_ratelimited("offer of %u bytes is too short\n",
						   msg.len);
			else
				on_offer((const void *)msg.payload);
			break;
		case CHANNELMSG_RESCIND_CHANNELOFFER:
			if (msg.len < sizeof(*rescind))
				pr_err_ratelimited("rescind of %u bytes is too short\n",
						   msg.len);
			else
				on_rescind(rescind->child_relid);
			break;
		case CHANNELMSG_ALLOFFERS_DELIVERED:
			complete(&connection.offers_delivered);
			break;
		}
	}
	queue_work(connection.offer_wq, work);
}

/**
 * vmbus_set_sc_create_callback() - set the callback for new sub-channels
 * @primary_channel: whose sub-channels
 * @sc_cr_cb: called in process context, may open the sub-channel
 *
 * Context: any, before the driver asks the host for sub-channels.
 */
void vmbus_set_sc_create_callback(struct vmbus_channel *primary_channel,
				  void (*sc_cr_cb)(struct vmbus_channel *new_sc))
{
	WRITE_ONCE(primary_channel->sc_creation_callback, sc_cr_cb);
}

/**
 * vmbus_set_chn_rescind_callback() - set the callback that replaces a removal
 * @channel: a primary channel
 * @chn_rescind_cb: called in process context after a rescind; has the device
 *	unregistered
 *
 * Context: any.
 */
void vmbus_set_chn_rescind_callback(struct vmbus_channel *channel,
				    void (*chn_rescind_cb)(struct vmbus_channel *))
{
	channel->chn_rescind_callback = chn_rescind_cb;
}
