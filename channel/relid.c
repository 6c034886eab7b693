// SPDX-License-Identifier: GPL-2.0-only
/*
 * The numbers by which host and guest name channels (relid): which channel has which,
 * which of them go back to the host, and what class of device a channel belongs to.
 *
 * The host rescinds a relid, and may use it again once the guest has released it.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt


#include "vmbus.h"

/*
 * By enum vmbus_device_type. Channels of performance devices are spread over the CPUs,
 * the others share the one that messages come in on.
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

/* relids of channels that were released before the host has rescinded them */
static DECLARE_BITMAP(orphans, MAX_RELIDS);
/*
 * relids of channels that were released after their rescind was received, and before
 * the work item that handles it came to it
 */
static DECLARE_BITMAP(early, MAX_RELIDS);

/* how long to wait before a host without message buffers is told of relids again */
#define RELEASE_RETRY_MS	1000
/* relids that the host is to be told of: it may use them again */
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

/**
 * relid_device_type() - the class of device that an offer is of
 * @offer: the offer
 *
 * Context: any. Return: an index into vmbus_devs[].
 */
u16 relid_device_type(const struct vmbus_channel_offer *offer)
{
	int i;

	if (!(offer->chn_flags & VMBUS_CHANNEL_TLNPI_PROVIDER_OFFER))
		for (i = HV_IDE; i < HV_UNKNOWN; i++)
			if (guid_equal(&offer->if_type, &vmbus_devs[i].guid))
				return i;
	return HV_UNKNOWN;
}

/*
 * The host offers a device again only after it has got its old relid back, so a host
 * that takes no message for long is told again until it does.
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
		if (host_post(&msg, sizeof(msg), POST_WAIT) != -ETIMEDOUT)
			continue;
		set_bit(relid, to_release);
		queue_delayed_work(connection.sub_wq, &release_work,
				   msecs_to_jiffies(RELEASE_RETRY_MS));
		return;
	}
}

/**
 * relid_give_back() - tell the host that it may use a relid again
 * @relid: of a channel that was rescinded and is released, or of an offer that was
 *	not accepted
 *
 * Context: any.
 */
void relid_give_back(u32 relid)
{
	set_bit(relid, to_release);
	mod_delayed_work(connection.sub_wq, &release_work, 0);
}

/**
 * relid_stop_giving_back() - tell the host of no relid any more
 *
 * Called before an UNLOAD, which ends all relids.
 *
 * Context: process, sleeps.
 */
void relid_stop_giving_back(void)
{
	cancel_delayed_work_sync(&release_work);
	bitmap_zero(to_release, MAX_RELIDS);
}

/**
 * relid_retire() - note that a channel is released whose rescind is still to be handled
 * @relid: the channel's, less than MAX_RELIDS
 * @received: its rescind was received, and waits in the queue
 *
 * Context: channel_mutex held.
 */
void relid_retire(u32 relid, bool received)
{
	set_bit(relid, received ? early : orphans);
}

/**
 * relid_offered() - forget what was noted about a relid, since the host offers it
 * @relid: less than MAX_RELIDS
 *
 * Context: channel_mutex held.
 */
void relid_offered(u32 relid)
{
	clear_bit(relid, orphans);
	clear_bit(relid, early);
}

/**
 * relid_rescinded() - handle a rescind of a relid that no channel has
 * @relid: any number
 * @give_back: whether the caller is to give the relid back
 *
 * Context: channel_mutex held. Return: whether relid_retire() was called for it.
 */
bool relid_rescinded(u32 relid, bool *give_back)
{
	*give_back = false;
	if (relid >= MAX_RELIDS)
		return false;
	if (test_and_clear_bit(relid, early))
		return true;
	*give_back = test_and_clear_bit(relid, orphans);
	return *give_back;
}

/**
 * relid_reset() - forget all relids: the host is about to offer everything anew
 *
 * Context: process.
 */
void relid_reset(void)
{
	bitmap_zero(orphans, MAX_RELIDS);
	bitmap_zero(early, MAX_RELIDS);
}
