// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the host offers, and what it takes back.
 *
 * An offer becomes a channel: listed, reachable by its relid, and then, on a
 * work queue, a device on the bus or a sub-channel of one. A rescind may come
 * at any moment. It first wakes everybody who waits for the host on behalf of
 * the channel, and only then waits for them: so the order of the two never
 * matters, and a probe that is in the middle of opening the channel fails and
 * ends before its device goes.
 *
 * A channel ends in channel_release(), exactly once. Who may still hold it
 * then, and why that is fine:
 *   - an interrupt that has found it by relid: it is freed by RCU
 *   - its tasklet: killed there
 *   - its works: they hold a reference to the kobject, and look at @released
 *   - a driver: its device was unregistered before (primary), or it has closed
 *     the sub-channel
 *   - sysfs and debugfs: removed there, which waits for readers
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/delay.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "ring_api.h"
#include "trace.h"
#include "vmbus.h"

/*
 * By enum vmbus_device_type. Channels of performance devices are spread over
 * the CPUs, the others share the one that messages come in on.
 */
const struct vmbus_device vmbus_devs[] = {
	{ .dev_type = HV_IDE, HV_IDE_GUID, .perf_device = true },
	{ .dev_type = HV_SCSI, HV_SCSI_GUID, .perf_device = true,
	  .allowed_in_isolated = true },
	{ .dev_type = HV_FC, HV_SYNTHFC_GUID, .perf_device = true },
	{ .dev_type = HV_NIC, HV_NIC_GUID, .perf_device = true,
	  .allowed_in_isolated = true },
	{ .dev_type = HV_ND, HV_ND_GUID, .perf_device = true },
	{ .dev_type = HV_PCIE, HV_PCIE_GUID },
	{ .dev_type = HV_FB, HV_SYNTHVID_GUID },
	{ .dev_type = HV_KBD, HV_KBD_GUID },
	{ .dev_type = HV_MOUSE, HV_MOUSE_GUID },
	{ .dev_type = HV_KVP, HV_KVP_GUID },
	{ .dev_type = HV_TS, HV_TS_GUID, .allowed_in_isolated = true },
	{ .dev_type = HV_HB, HV_HEART_BEAT_GUID, .allowed_in_isolated = true },
	{ .dev_type = HV_SHUTDOWN, HV_SHUTDOWN_GUID,
	  .allowed_in_isolated = true },
	{ .dev_type = HV_FCOPY, HV_FCOPY_GUID, .pref_ring_size = 16384 },
	{ .dev_type = HV_BACKUP, HV_VSS_GUID },
	{ .dev_type = HV_DM, HV_DM_GUID },
	{ .dev_type = HV_UNKNOWN, .pref_ring_size = 69632 },
};

/* An offer that waits until its device's former incarnation is gone */
struct deferred_offer {
	struct list_head node;
	struct vmbus_channel_offer_channel offer;
};

/* relids of sub-channels that went before the host rescinded them */
static DECLARE_BITMAP(orphans, MAX_RELIDS);
/* relids that went after the rescind came, and before the worker got to it */
static DECLARE_BITMAP(early, MAX_RELIDS);

/* how long to wait before a host without room is told of relids again */
#define RELEASE_RETRY_MS	1000
/* relids that the host is to be told of: they are its own again */
static DECLARE_BITMAP(to_release, MAX_RELIDS);
static void release_work_run(struct work_struct *work);
static DECLARE_DELAYED_WORK(release_work, release_work_run);

/**
 * channel_of_relid() - find a channel by the number on the wire
 * @relid: any number
 *
 * Context: rcu_read_lock() or channel_mutex held.
 * Return: the channel, or NULL.
 */
struct vmbus_channel *channel_of_relid(u32 relid)
{
	if (relid >= MAX_RELIDS)
		return NULL;
	return rcu_dereference_check(connection.relids[relid],
				     lockdep_is_held(&connection.channel_mutex));
}

/**
 * channel_is_perf() - whether a channel belongs to a performance device
 * @channel: any channel
 *
 * Context: any.
 */
bool channel_is_perf(const struct vmbus_channel *channel)
{
	return vmbus_devs[channel->device_id].perf_device;
}

static u16 device_type(const struct vmbus_channel_offer *offer)
{
	int i;

	if (!(offer->chn_flags & VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER))
		for (i = HV_IDE; i < HV_UNKNOWN; i++)
			if (guid_equal(&offer->if_type, &vmbus_devs[i].guid))
				return i;
	return HV_UNKNOWN;
}

static void channel_setup(struct vmbus_channel *vc,
			  const struct vmbus_channel_offer_channel *offer)
{
	vc->offermsg = *offer;
	vc->is_dedicated_interrupt = offer->is_dedicated_interrupt;
	vc->sig_event = offer->connection_id;
	vc->monitor_grp = offer->monitorid / 32;
	vc->monitor_bit = offer->monitorid % 32;
	vc->device_id = device_type(&offer->offer);
}

static void primary_add_work(struct work_struct *work);
static void sub_add_work(struct work_struct *work);

/*
 * Lock checking tells works apart by where they are initialised. A driver may
 * hold a lock across the close of a channel, which waits for the works of its
 * sub-channels, and take the same lock in a probe, which runs in the work of a
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

static struct vmbus_channel *
channel_alloc(const struct vmbus_channel_offer_channel *offer)
{
	struct channel *ch = kzalloc(sizeof(*ch), GFP_KERNEL);
	struct vmbus_channel *vc;

	if (!ch)
		return NULL;
	vc = &ch->vc;
	works_init(ch, offer->offer.sub_channel_index);
	INIT_LIST_HEAD(&vc->listentry);
	INIT_LIST_HEAD(&vc->sc_list);
	spin_lock_init(&vc->sched_lock);
	init_completion(&vc->rescind_event);
	tasklet_init(&vc->callback_event, channel_event, (unsigned long)vc);
	ring_prepare(&vc->inbound);
	ring_prepare(&vc->outbound);
	bus_kobject_init(vc);
	vc->state = CHANNEL_OPEN_STATE;
	ch->left = nr_cpu_ids;
	ch->maybe_on = nr_cpu_ids;
	channel_setup(vc, offer);
	atomic_inc(&connection.nr_channels);
	return vc;
}

/*
 * The host offers a device again only when it has got its old relid back, so a host
 * that takes no message for long is asked until it does.
 */
static void release_work_run(struct work_struct *work)
{
	struct vmbus_channel_relid_released msg = {
		.header.msgtype = CHANNELMSG_RELID_RELEASED,
	};
	unsigned int relid;

	for_each_set_bit(relid, to_release, MAX_RELIDS) {
		clear_bit(relid, to_release);
		msg.child_relid = relid;
		if (connection_post(&msg, sizeof(msg), POST_WAIT) != -ETIMEDOUT)
			continue;
		set_bit(relid, to_release);
		queue_delayed_work(connection.sub_wq, &release_work,
				   msecs_to_jiffies(RELEASE_RETRY_MS));
		return;
	}
}

static void relid_released(u32 relid)
{
	set_bit(relid, to_release);
	mod_delayed_work(connection.sub_wq, &release_work, 0);
}

/**
 * offers_stop_releases() - no relid is given back any more
 *
 * Before an UNLOAD, which ends all of them.
 *
 * Context: process, sleeps.
 */
void offers_stop_releases(void)
{
	cancel_delayed_work_sync(&release_work);
	bitmap_zero(to_release, MAX_RELIDS);
}

/**
 * channel_release() - the end of a channel; harmless if it was done before
 * @vc: neither open nor known to a driver any more. The caller holds a
 *	reference to its kobject, or knows that this is the first call
 *
 * Context: process, sleeps; no lock of ours held.
 */
void channel_release(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);
	u32 relid = vc->offermsg.child_relid;
	bool primary = !vc->primary_channel;

	mutex_lock(&connection.channel_mutex);
	if (ch->released) {
		mutex_unlock(&connection.channel_mutex);
		return;
	}
	ch->released = true;
	vc->device_obj = NULL;
	if (channel_of_relid(relid) == vc)
		RCU_INIT_POINTER(connection.relids[relid], NULL);
	if (primary)
		list_del_init(&vc->listentry);
	else
		list_del_init(&vc->sc_list);
	cpu_release(vc);
	/*
	 * Only a rescinded relid goes back to the host. One that it still
	 * offers is remembered until it takes it back.
	 */
	if (relid < MAX_RELIDS && !vc->rescind &&
	    READ_ONCE(connection.state) == CONN_CONNECTED)
		set_bit(relid, orphans);
	if (relid < MAX_RELIDS && vc->rescind && !ch->rescind_taken)
		set_bit(relid, early);
	mutex_unlock(&connection.channel_mutex);

	tasklet_kill(&vc->callback_event);
	bus_remove_channel(vc);
	/* last: the host may use the number again at once */
	if (relid < MAX_RELIDS && vc->rescind)
		relid_released(relid);
	if (atomic_read(&ch->gpadls) && !vc->rescind)
		pr_warn("channel %u ends with %d GPADLs in the host's hands\n",
			relid, atomic_read(&ch->gpadls));
	kobject_put(&vc->kobj);

	/* an offer may have waited for this */
	if (primary)
		queue_work(connection.offer_wq, &connection.rx_work);
	/* removal_all() and the module's exit wait for it */
	atomic_dec(&connection.nr_channels);
}

static void add_primary(struct vmbus_channel *vc)
{
	int ret = bus_add_device(vc);

	if (ret) {
		pr_err("no device for channel %u (%d)\n",
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
		ret = bus_add_channel(primary->device_obj, vc);
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

/* Each work owns a reference to its channel */
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

/* By instance, which alone names a device; a host may not use it twice */
static struct vmbus_channel *find_primary(const struct vmbus_channel_offer *o)
{
	struct vmbus_channel *vc;

	list_for_each_entry(vc, &connection.channels, listentry)
		if (guid_equal(&vc->offermsg.offer.if_instance,
			       &o->if_instance))
			return vc;
	return NULL;
}

/* A device that may get sub-channels: not one that is on its way out */
static bool primary_lives(const struct vmbus_channel *vc,
			  const struct vmbus_channel_offer *o)
{
	return vc && !vc->rescind &&
	       guid_equal(&vc->offermsg.offer.if_type, &o->if_type) &&
	       !(vc->device_obj && bus_device_is_going(vc->device_obj));
}

/*
 * Whether an index is in use. A sub-channel that went through a close of its
 * primary is over: nobody opens it again, and it only waits for its rescind,
 * which a host may send after the offers for the primary's next life.
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

	/* the same again is the same */
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
 * Returns whether the relid is ours now; if not it goes back to the host.
 * Called with channel_mutex and the CPU hotplug lock held.
 */
static bool take_offer(const struct vmbus_channel_offer_channel *offer)
{
	u32 relid = offer->child_relid;
	struct vmbus_channel *vc, *primary;

	primary = find_primary(&offer->offer);
	if (!offer->offer.sub_channel_index) {
		if (primary &&
		    (primary->rescind || to_channel(primary)->dismissed))
			return defer_offer(offer);
		if (primary &&
		    primary->offermsg.child_relid == INVALID_RELID &&
		    primary->device_id == device_type(&offer->offer) &&
		    guid_equal(&primary->offermsg.offer.if_type,
			       &offer->offer.if_type)) {
			/* resume: an old acquaintance under a new number */
			channel_setup(primary, offer);
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
		/* its rescind has overtaken this one */
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
	if (offer->offer.sub_channel_index) {
		vc->primary_channel = primary;
		list_add_tail(&vc->sc_list, &primary->sc_list);
	} else {
		list_add_tail(&vc->listentry, &connection.channels);
	}
	cpu_assign(vc);
	/*
	 * The host interrupts for a channel only after its open, so whoever
	 * finds it by relid finds it complete.
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
	if (READ_ONCE(connection.state) != CONN_CONNECTED) {
		/* all of it ends with the UNLOAD */
		taken = true;
	} else if (channel_of_relid(relid)) {
		pr_err_ratelimited("offer with relid %u, which is in use\n",
				   relid);
		taken = true;
	} else {
		clear_bit(relid, orphans);
		clear_bit(relid, early);
		taken = take_offer(offer);
	}
	mutex_unlock(&connection.channel_mutex);
	cpus_read_unlock();

	if (!taken)
		relid_released(relid);
}

static void on_rescind(u32 relid)
{
	struct deferred_offer *d, *tmp;
	struct vmbus_channel *vc;
	bool release = false, known;

	trace_synth_rescind(relid);
	mutex_lock(&connection.channel_mutex);
	vc = channel_of_relid(relid);
	/* of what there was before an UNLOAD, too */
	known = vc || READ_ONCE(connection.state) != CONN_CONNECTED;
	if (vc) {
		removal_rescind(vc);
	} else if (relid < MAX_RELIDS && test_and_clear_bit(relid, early)) {
		known = true;
	} else if (relid < MAX_RELIDS && test_and_clear_bit(relid, orphans)) {
		release = true;
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
		relid_released(relid);
	else if (!known)
		pr_warn_ratelimited("rescind of relid %u, which is not offered\n",
				    relid);
}

/* Try again what had to wait for a device to go */
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
 * offers_drop_deferred() - forget offers that wait for a device to go
 *
 * Context: process, channel_mutex held.
 */
void offers_drop_deferred(void)
{
	struct deferred_offer *d, *tmp;

	list_for_each_entry_safe(d, tmp, &connection.deferred, node) {
		list_del(&d->node);
		kfree(d);
	}
}

/**
 * offers_process() - take queued offers and rescinds, in their order
 * @work: connection.rx_work
 *
 * At most as many as the queue holds, so that a flush of the queue ends even if
 * the host never stops.
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
 * offers_request() - ask the host for its offers
 *
 * Context: process. Return: as connection_post().
 */
int offers_request(void)
{
	struct vmbus_channel_message_header msg = {
		.msgtype = CHANNELMSG_REQUESTOFFERS,
	};

	bitmap_zero(orphans, MAX_RELIDS);
	bitmap_zero(early, MAX_RELIDS);
	return connection_post(&msg, sizeof(msg), POST_WAIT);
}

/**
 * vmbus_set_sc_create_callback() - what to call for each new sub-channel
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
 * vmbus_set_chn_rescind_callback() - what to call instead of a removal
 * @channel: a primary channel
 * @chn_rescind_cb: called in process context after a rescind. Whoever sets it
 *	unregisters the device
 *
 * Context: any.
 */
void vmbus_set_chn_rescind_callback(struct vmbus_channel *channel,
				    void (*chn_rescind_cb)(struct vmbus_channel *))
{
	channel->chn_rescind_callback = chn_rescind_cb;
}
