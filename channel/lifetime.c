// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creation and end of a channel.
 *
 * A channel ends in channel_release(), exactly once. These may hold it at that time:
 *   - an interrupt that has found it by its relid: the memory is freed by RCU
 *   - its tasklet: it is killed there
 *   - its work items: they hold a reference to the kobject, and check the state
 *   - a driver: its device was unregistered before (primary channel), or the driver
 *     has closed the sub-channel
 *   - sysfs and debugfs: the directory is removed there, which waits for readers
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/slab.h>

#include "ring_api.h"
#include "vmbus.h"

/**
 * channel_setup() - take over what an offer says about a channel
 * @vc: new, or closed and offered again after hibernation
 * @offer: the offer
 *
 * Context: channel_mutex held, or the channel is not listed yet.
 */
void channel_setup(struct vmbus_channel *vc,
			  const struct vmbus_channel_offer_channel *offer)
{
	vc->offermsg = *offer;
	vc->is_dedicated_interrupt = offer->is_dedicated_interrupt;
	vc->sig_event = offer->connection_id;
	vc->monitor_grp = offer->monitorid / 32;
	vc->monitor_bit = offer->monitorid % 32;
	vc->device_id = relid_device_type(&offer->offer);
}

/**
 * channel_alloc() - allocate a channel, without its work items
 * @offer: what it is of
 *
 * Context: process. Return: the channel with one reference, which channel_release()
 *	drops; or NULL.
 */
struct vmbus_channel *
channel_alloc(const struct vmbus_channel_offer_channel *offer)
{
	struct channel *ch = kzalloc(sizeof(*ch), GFP_KERNEL);
	struct vmbus_channel *vc;

	if (!ch)
		return NULL;
	vc = &ch->vc;
	INIT_LIST_HEAD(&vc->listentry);
	INIT_LIST_HEAD(&vc->sc_list);
	spin_lock_init(&vc->sched_lock);
	init_completion(&vc->rescind_event);
	tasklet_init(&vc->callback_event, channel_event, (unsigned long)vc);
	ring_prepare(&vc->inbound);
	ring_prepare(&vc->outbound);
	sysfs_channel_init(vc);
	vc->state = CHANNEL_CLOSED;
	ch->life = LIFE_OFFERED;
	ch->left = nr_cpu_ids;
	ch->maybe_on = nr_cpu_ids;
	channel_setup(vc, offer);
	atomic_inc(&connection.nr_channels);
	return vc;
}

/**
 * channel_release() - end a channel; harmless if it was ended before
 * @vc: neither open nor known to a driver any more. The caller holds a reference to its
 *	kobject, or knows that this is the first call
 *
 * Context: process, sleeps; none of the bus' locks held.
 */
void channel_release(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);
	u32 relid = vc->offermsg.child_relid;
	bool primary = !vc->primary_channel;

	mutex_lock(&connection.channel_mutex);
	if (ch->life == LIFE_RELEASED) {
		mutex_unlock(&connection.channel_mutex);
		return;
	}
	/*
	 * Only a rescinded relid is given back to the host. One that the host still
	 * offers is remembered until it is rescinded.
	 */
	if (relid < MAX_RELIDS && vc->rescind && ch->life != LIFE_RESCINDED)
		relid_retire(relid, true);
	else if (relid < MAX_RELIDS && !vc->rescind && connection_takes_offers())
		relid_retire(relid, false);
	channel_set_life(ch, LIFE_RELEASED);
	vc->device_obj = NULL;
	if (channel_of_relid(relid) == vc)
		RCU_INIT_POINTER(connection.relids[relid], NULL);
	if (primary)
		list_del_init(&vc->listentry);
	else
		list_del_init(&vc->sc_list);
	cpu_release(vc);
	mutex_unlock(&connection.channel_mutex);

	tasklet_kill(&vc->callback_event);
	sysfs_remove_channel(vc);
	/* last, since the host may use the number again at once */
	if (relid < MAX_RELIDS && vc->rescind)
		relid_give_back(relid);
	if (atomic_read(&ch->gpadls) && !vc->rescind)
		pr_warn("channel %u ends while the host holds %d of its GPADLs\n",
			relid, atomic_read(&ch->gpadls));
	kobject_put(&vc->kobj);

	/* an offer of the same device may wait for this */
	if (primary)
		queue_work(connection.offer_wq, &connection.rx_work);
	/* removal_all() and the module's exit wait for it */
	atomic_dec(&connection.nr_channels);
}
