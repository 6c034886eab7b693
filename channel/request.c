// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to the host, and matching of the answers.
 *
 * Answers are matched and completed in interrupt context, so that a task that waits for
 * one is woken also while the work queues are busy.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "vmbus.h"

unsigned int host_timeout = 30;
module_param(host_timeout, uint, 0644);
MODULE_PARM_DESC(host_timeout,
		 "Seconds to wait for the host's answer to a request (default 30)");

/**
 * request_start() - register for an answer, before the request is posted
 * @req: stays valid until request_wait() or request_cancel() has returned
 * @answer: CHANNELMSG_* of the answer
 * @channel: of the request: its relid must match, and its rescind ends the
 *	wait. NULL for a request of the connection itself
 * @gpadl: for answers about GPADLs: the handle
 *
 * Context: any.
 */
void request_start(struct request *req, u32 answer,
		   struct vmbus_channel *channel, u32 gpadl)
{
	unsigned long flags;

	memset(req, 0, sizeof(*req));
	req->answer = answer;
	req->channel = channel;
	req->relid = channel ? channel->offermsg.child_relid : 0;
	req->gpadl = gpadl;
	init_completion(&req->done);

	spin_lock_irqsave(&connection.request_lock, flags);
	list_add_tail(&req->node, &connection.requests);
	/*
	 * The rescind handler sets the flag, then walks the list under the
	 * lock: either it finds this request, or the flag is seen here.
	 */
	if (channel && channel->rescind)
		req->error = -ENODEV;
	spin_unlock_irqrestore(&connection.request_lock, flags);
}

/**
 * request_cancel() - stop waiting for an answer
 * @req: after request_start()
 *
 * Context: any. Afterwards no answer is written into @req.
 */
void request_cancel(struct request *req)
{
	unsigned long flags;

	spin_lock_irqsave(&connection.request_lock, flags);
	list_del(&req->node);
	spin_unlock_irqrestore(&connection.request_lock, flags);
}

/**
 * request_wait() - wait for the answer, for a bounded time
 * @req: after request_start(), and after the request was posted
 * @outlast: wait on while the host is stalled: that time does not count, and the answer
 *	comes when the host goes on. Without it the host may still do later what was
 *	asked
 *
 * Context: process, sleeps; as host_wait().
 * Return: 0 with the answer in @req->response; -ENODEV if the channel was rescinded or
 *	the host is lost, -ETIMEDOUT, -EAGAIN if the host is stalled and @outlast is
 *	false.
 */
int request_wait(struct request *req, bool outlast)
{
	int ret = 0;

	if (!req->error)
		ret = host_wait(&req->done, host_timeout, outlast);

	request_cancel(req);

	/* the answer, or a rescind, may have come since */
	if (req->error)
		ret = req->error;
	else if (completion_done(&req->done))
		ret = 0;
	if (ret == -ETIMEDOUT)
		pr_err("the host did not answer with message %u in %u s (relid %u)\n",
		       req->answer, host_timeout, req->relid);
	return ret;
}

/**
 * request_fail() - end waits for answers that will not come
 * @channel: whose requests; its rescind flag is set already. NULL: all requests
 * @error: what they return
 *
 * Context: any.
 */
void request_fail(struct vmbus_channel *channel, int error)
{
	struct request *req;
	unsigned long flags;

	spin_lock_irqsave(&connection.request_lock, flags);
	list_for_each_entry(req, &connection.requests, node) {
		if (channel && req->channel != channel)
			continue;
		if (completion_done(&req->done))
			continue;
		req->error = error;
		complete_all(&req->done);
	}
	spin_unlock_irqrestore(&connection.request_lock, flags);
}

/* What a response must hold, in bytes from the message header on */
static size_t answer_min_len(u32 type)
{
	switch (type) {
	case CHANNELMSG_VERSION_RESPONSE:
		/* old hosts send no connection id */
		return offsetofend(struct vmbus_channel_version_response,
				   connection_state);
	case CHANNELMSG_OPENCHANNEL_RESULT:
		return sizeof(struct vmbus_channel_open_result);
	case CHANNELMSG_GPADL_CREATED:
		return sizeof(struct vmbus_channel_gpadl_created);
	case CHANNELMSG_GPADL_TORNDOWN:
		return sizeof(struct vmbus_channel_gpadl_torndown);
	case CHANNELMSG_MODIFYCHANNEL_RESPONSE:
		return sizeof(struct vmbus_channel_modifychannel_response);
	default:
		return 0;
	}
}

static bool answer_matches(const struct request *req, const void *msg)
{
	const struct vmbus_channel_open_result *open = msg;
	const struct vmbus_channel_gpadl_created *created = msg;
	const struct vmbus_channel_gpadl_torndown *torndown = msg;
	const struct vmbus_channel_modifychannel_response *modify = msg;

	switch (req->answer) {
	case CHANNELMSG_VERSION_RESPONSE:
		return true;
	case CHANNELMSG_OPENCHANNEL_RESULT:
		return open->child_relid == req->relid &&
		       open->openid == req->relid;
	case CHANNELMSG_GPADL_CREATED:
		return created->child_relid == req->relid &&
		       created->gpadl == req->gpadl;
	case CHANNELMSG_GPADL_TORNDOWN:
		return torndown->gpadl == req->gpadl;
	case CHANNELMSG_MODIFYCHANNEL_RESPONSE:
		return modify->child_relid == req->relid;
	default:
		return false;
	}
}

/**
 * request_deliver() - complete the request that a message answers
 * @msg: from the host
 * @type: CHANNELMSG_* of an answer
 *
 * Context: any.
 */
void request_deliver(const struct rx_message *msg, u32 type)
{
	struct request *req;
	unsigned long flags;
	bool found = false;

	if (msg->len < answer_min_len(type)) {
		pr_warn_ratelimited("message %u from the host is too short: %u bytes\n",
				    type, msg->len);
		return;
	}
	spin_lock_irqsave(&connection.request_lock, flags);
	list_for_each_entry(req, &connection.requests, node) {
		if (req->answer != type || completion_done(&req->done) ||
		    !answer_matches(req, msg->payload))
			continue;
		memcpy(&req->response, msg->payload,
		       min_t(size_t, msg->len, sizeof(req->response)));
		complete_all(&req->done);
		found = true;
		break;
	}
	spin_unlock_irqrestore(&connection.request_lock, flags);

	if (!found)
		pr_warn_ratelimited("message %u from the host answers no request\n",
				    type);
}
