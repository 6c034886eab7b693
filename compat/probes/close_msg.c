// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE close_msg: where struct vmbus_channel keeps its close message
 * FORM PLAIN: the message itself, in 7.x
 * FORM WRAPPED: in a struct vmbus_close_msg
 */
#include <linux/hyperv.h>

struct vmbus_channel_close_channel *probe(struct vmbus_channel *vc);
struct vmbus_channel_close_channel *probe(struct vmbus_channel *vc)
{
#ifdef PROBE_PLAIN
	return &vc->close_msg;
#else
	return &vc->close_msg.msg;
#endif
}
