/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finding the device of a sub-channel's offer while it may be being removed: a bus may
 * call the sub-channel callback meanwhile. Included only by the file of a driver that
 * opens channels, since it defines a mutex.
 */
#ifndef SYNTHIO_OWNER_H
#define SYNTHIO_OWNER_H

#include <linux/hyperv.h>
#include <linux/mutex.h>

static DEFINE_MUTEX(synthio_owner_mutex);

/**
 * synthio_lock_owner() - find and lock the device of a sub-channel's offer
 * @vc: the sub-channel
 * @mutex_at: where in the driver's data of the device its mutex lies
 *
 * Context: process, sleeps. Takes the device's mutex.
 * Return: the driver's data; NULL, and nothing is locked, after
 *	synthio_disown().
 */
static inline void *synthio_lock_owner(struct vmbus_channel *vc, size_t mutex_at)
{
	void *owner;

	mutex_lock(&synthio_owner_mutex);
	owner = hv_get_drvdata(vc->primary_channel->device_obj);
	if (owner)
		mutex_lock((struct mutex *)(owner + mutex_at));
	mutex_unlock(&synthio_owner_mutex);
	return owner;
}

/**
 * synthio_disown() - stop sub-channels from finding this device
 * @hv: its channels are closed
 * @mutex: that which synthio_lock_owner() takes
 *
 * Context: process, sleeps until a caller of synthio_lock_owner() that has found the
 *	device has unlocked it.
 */
static inline void synthio_disown(struct hv_device *hv, struct mutex *mutex)
{
	mutex_lock(&synthio_owner_mutex);
	hv_set_drvdata(hv, NULL);
	mutex_unlock(&synthio_owner_mutex);
	mutex_lock(mutex);
	mutex_unlock(mutex);
}

#endif
