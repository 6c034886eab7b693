// SPDX-License-Identifier: GPL-2.0-only
/*
 * One request to the test device, and its answer.
 */
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>

#include <synthio/testdev.h>

#include "chantest.h"

bool ct_dead(struct ct_device *dev, struct ct_channel *c)
{
	return READ_ONCE(dev->gone) || READ_ONCE(c->vc->rescind);
}

static int ct_verdict(struct ct_channel *c)
{
	if (!c->wrong)
		return 0;
	ct_say("%s (%u wrong in all)\n", c->why, c->wrong);
	return -EBADMSG;
}

void ct_expect(struct ct_channel *c, enum ct_expect expect, u32 data_len,
	       u64 seed, bool series_ids)
{
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->expect = expect;
	c->data_len = data_len;
	c->seed = seed;
	c->received = 0;
	c->completed = 0;
	c->completion_id = 0;
	c->series_ids = series_ids;
	c->rsp_len = 0;
	c->wrong = 0;
	memset(&c->rsp, 0, sizeof(c->rsp));
	spin_unlock_irqrestore(&c->lock, flags);
}

int ct_wait_counts(struct ct_device *dev, struct ct_channel *c, u32 received,
		   u32 completed)
{
	if (!wait_event_timeout(ct_wait,
				c->wrong || ct_dead(dev, c) ||
				(READ_ONCE(c->received) >= received &&
				 READ_ONCE(c->completed) >= completed),
				msecs_to_jiffies(ct_timeout_ms))) {
		ct_say("timeout: %u of %u packets, %u of %u completions\n",
		       c->received, received, c->completed, completed);
		return -ETIMEDOUT;
	}
	if (c->wrong)
		return ct_verdict(c);
	if (c->received < received || c->completed < completed) {
		ct_say("device is gone\n");
		return -ENODEV;
	}
	return 0;
}

int ct_check_rsp(struct ct_channel *c, u32 op)
{
	if (c->completion_id != CT_ID_SINGLE) {
		ct_say("completion of %#llx instead of %#llx\n",
		       c->completion_id, CT_ID_SINGLE);
		return -EBADMSG;
	}
	if (c->rsp_len < 8 || c->rsp.op != op) {
		ct_say("completion of %u bytes for operation %u\n", c->rsp_len,
		       c->rsp.op);
		return -EBADMSG;
	}
	if (c->rsp.status) {
		ct_say("host says status %u\n", c->rsp.status);
		return -EREMOTEIO;
	}
	return 0;
}

/*
 * Send one packet. While the ring is full, say how much room is needed and
 * wait for the host's signal: if none comes, that is an error, room or not.
 */
int ct_send(struct ct_device *dev, struct ct_channel *c, void *buf, u32 len,
	    u64 id, u64 *trans, bool complete, u32 *waits)
{
	u32 need = ALIGN(len + sizeof(struct vmpacket_descriptor), 8) + 8;
	u32 flags = complete ? VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED : 0;
	unsigned long end = jiffies + msecs_to_jiffies(ct_timeout_ms);
	u32 seen;
	int ret;

	for (;;) {
		seen = READ_ONCE(c->callbacks);
		if (ct_dead(dev, c))
			return -ENODEV;
		ret = vmbus_sendpacket_getid(c->vc, buf, len, id, trans,
					     VM_PKT_DATA_INBAND, flags);
		if (ret != -EAGAIN)
			break;
		if (time_after(jiffies, end)) {
			ct_say("no room for a packet\n");
			break;
		}
		if (hv_get_bytes_to_write(&c->vc->outbound) > need) {
			/* the requestor is full: the next completion helps */
			wait_event_timeout(ct_wait, ct_dead(dev, c) ||
					   c->callbacks != seen, HZ / 10);
			continue;
		}
		set_channel_pending_send_size(c->vc, need);
		/*
		 * Pairs with the host's barrier between read index and
		 * pending size: one of us sees what the other wrote.
		 */
		virt_mb();
		if (hv_get_bytes_to_write(&c->vc->outbound) <= need) {
			if (waits)
				++*waits;
			ct_block(c, false);
			if (!wait_event_timeout(ct_wait, ct_dead(dev, c) ||
						READ_ONCE(c->callbacks) != seen,
						msecs_to_jiffies(ct_timeout_ms))) {
				ct_say("no signal for room in the ring\n");
				ret = -ETIMEDOUT;
				break;
			}
		}
		set_channel_pending_send_size(c->vc, 0);
	}
	set_channel_pending_send_size(c->vc, 0);
	return ret;
}

struct synthio_test_req *ct_request(u32 op, u32 arg0, u32 arg1, u32 len)
{
	struct synthio_test_req *req = kvzalloc(sizeof(*req) + len, GFP_KERNEL);

	if (req) {
		req->op = op;
		req->arg0 = arg0;
		req->arg1 = arg1;
		req->len = len;
	}
	return req;
}

/* One request without data, and its completion */
int ct_call(struct ct_device *dev, struct ct_channel *c, u32 op, u32 arg0,
	    u32 arg1, const void *data, u32 len)
{
	struct synthio_test_req *req = ct_request(op, arg0, arg1, len);
	int ret;

	if (!req)
		return -ENOMEM;
	if (len)
		memcpy(req->data, data, len);
	ct_expect(c, EXPECT_NOTHING, 0, 0, false);
	ret = ct_send(dev, c, req, sizeof(*req) + len, CT_ID_SINGLE, NULL, true,
		      NULL);
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, 0, 1);
	if (!ret)
		ret = ct_check_rsp(c, op);
	kvfree(req);
	return ret;
}

int ct_echo_one(struct ct_device *dev, struct ct_channel *c, u32 size)
{
	struct synthio_test_req *req;
	u64 trans = 0;
	int ret;

	if (size > CT_MAX_DATA)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_ECHO, 0, 0, size);
	if (!req)
		return -ENOMEM;
	ct_fill(req->data, size, size + 1);
	ct_expect(c, EXPECT_ECHO, size, size + 1, false);
	ret = ct_send(dev, c, req, sizeof(*req) + size, CT_ID_SINGLE, &trans,
		      true, NULL);
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, 1, 1);
	if (!ret)
		ret = ct_check_rsp(c, SYNTHIO_TEST_ECHO);
	/* without a requestor the id goes over the wire as it is */
	if (!ret && c->echo_trans != (dev->rqstor ? trans : CT_ID_SINGLE)) {
		ct_say("echo has transaction id %#llx instead of %#llx\n",
		       c->echo_trans, dev->rqstor ? trans : CT_ID_SINGLE);
		ret = -EBADMSG;
	}
	kvfree(req);
	return ret;
}
