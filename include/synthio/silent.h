/* SPDX-License-Identifier: GPL-2.0-only */
/* A host that did not answer when a device was to be connected, and may do so later. */
#ifndef SYNTHIO_SILENT_H
#define SYNTHIO_SILENT_H

#include <linux/errno.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>

/* Before a device is connected again, unless the bus reports earlier that the host responds */
#define SYNTHIO_RETRY_DELAY	(10 * HZ)

/**
 * synthio_host_silent() - whether a device may be connected later
 * @hv: the device
 * @ret: why it could not be connected now: an error of vmbus_open(), or of a wait for
 *	an answer
 *
 * A paused host answers when it goes on. A device that was rescinded never comes back,
 * and a host that has refused the device has answered.
 */
static inline bool synthio_host_silent(const struct hv_device *hv, int ret)
{
	return (ret == -ETIMEDOUT || ret == -ENODEV) &&
	       !READ_ONCE(hv->channel->rescind);
}

#endif
