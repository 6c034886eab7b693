// SPDX-License-Identifier: GPL-2.0-only
/* Channel messages to the host. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>

#include "trace.h"
#include "vmbus.h"

/*
 * A host may be out of message buffers for a while. The kernel's own VMBus driver
 * tries again for this long.
 */
#define POST_TIMEOUT_US		(170 * USEC_PER_SEC)
#define POST_RETRY_US		100
#define POST_RETRY_MAX_US	(100 * USEC_PER_MSEC)

/**
 * host_post() - send a channel message to the host
 * @msg: a struct vmbus_channel_message_header and what follows
 * @len: bytes, at most 240
 * @mode: what to do while the host takes no message
 *
 * Context: process, or any with POST_ATOMIC.
 * Return: 0, -ENODEV if there is no host or it is lost, -ETIMEDOUT if it took no
 *	message for nearly three minutes, in which it was not stalled, -ENXIO if it does not know the connection id that
 *	contact is made by, -ESHUTDOWN if all but UNLOAD comes too late, -EINVAL for
 *	what can't be sent, -EAGAIN if the host is stalled (POST_RESPONSIVE).
 */
int host_post(const void *msg, size_t len, enum post_mode mode)
{
	const struct vmbus_channel_message_header *hdr = msg;
	unsigned int waited_us = 0, pause_us = POST_RETRY_US;
	struct transport *t;
	int ret;

	atomic_inc(&connection.posting);
	/*
	 * Pairs with the barrier in forget_transport(), which waits until the count
	 * is 0: it sees the count, or this function sees no transport.
	 */
	smp_mb__after_atomic();
	for (;;) {
		t = READ_ONCE(connection.transport);
		if (!t || host_state() == HOST_LOST) {
			ret = -ENODEV;
			break;
		}
		if (READ_ONCE(connection.ending) &&
		    hdr->msgtype != CHANNELMSG_UNLOAD) {
			ret = -ESHUTDOWN;
			break;
		}
		ret = t->ops->post_message(t, connection.message_conn_id,
					   MESSAGE_TYPE_CHANNEL, msg, len);
		/*
		 * Hosts that are sent too many messages also return this for an id
		 * that exists. Only before the first contact is the id in doubt.
		 */
		if (ret != -EAGAIN &&
		    (ret != -ENXIO ||
		     hdr->msgtype == CHANNELMSG_INITIATE_CONTACT))
			break;
		if (waited_us >= POST_TIMEOUT_US) {
			ret = -ETIMEDOUT;
			break;
		}
		if (ret == -EAGAIN && mode == POST_RESPONSIVE &&
		    host_state() == HOST_STALLED)
			break;
		atomic64_inc(&connection.post_retries);
		if (mode != POST_ATOMIC)
			usleep_range(pause_us, 2 * pause_us);
		else
			udelay(pause_us);
		/* with interrupts off nothing changes the host's state */
		if (mode == POST_ATOMIC || host_state() == HOST_RESPONDS)
			waited_us += pause_us;
		if (mode != POST_ATOMIC && pause_us < POST_RETRY_MAX_US)
			pause_us *= 2;
	}

	/*
	 * Release: the transport's pages are freed when the count is 0, and are not
	 * used after this.
	 */
	smp_mb__before_atomic();
	atomic_dec(&connection.posting);

	trace_synth_message_out(hdr->msgtype, len, ret);
	if (!ret)
		atomic64_inc(&connection.messages_out);
	else if (ret != -ENXIO && ret != -ENODEV && ret != -ESHUTDOWN &&
		 ret != -EAGAIN)
		pr_err_ratelimited("message %u could not be posted (%d)\n",
				   hdr->msgtype, ret);
	return ret;
}
