// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel's hv_sock driver calls, whose socket connections are channels. */
#include <linux/delay.h>

#include "vmbus.h"

/**
 * vmbus_send_tl_connect_request() - ask the host for a socket connection
 * @shv_guest_servie_id: the guest's end
 * @shv_host_servie_id: the service on the host
 *
 * The host answers with an offer if it accepts, and not at all if it does not.
 *
 * Context: process. Return: as host_post().
 */
int vmbus_send_tl_connect_request(const guid_t *shv_guest_servie_id,
				  const guid_t *shv_host_servie_id)
{
	struct vmbus_channel_tl_connect_request msg = {
		.header.msgtype = CHANNELMSG_TL_CONNECT_REQUEST,
		.guest_endpoint_id = *shv_guest_servie_id,
		.host_service_id = *shv_host_servie_id,
	};

	return host_post(&msg, sizeof(msg), POST_WAIT);
}

/**
 * vmbus_hvsock_device_unregister() - remove the device of a socket connection
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
		     READ_ONCE(to_channel(channel)->life) != LIFE_OFFERED))
			break;
		if (host_state() == HOST_LOST)
			break;
		usleep_range(1000, 2000);
		ms += host_counted(1);
	}
	mutex_lock(&connection.channel_mutex);
	hv = bus_get_device(channel);
	mutex_unlock(&connection.channel_mutex);
	if (!hv)
		return;
	vmbus_device_unregister(hv);
	put_device(&hv->device);
}
