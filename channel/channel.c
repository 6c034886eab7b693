// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings, and opening and closing of channels.
 *
 * While a channel is open the host reads and writes its ring pages. They are freed only
 * after the host has confirmed the teardown of their GPADL, or has rescinded the channel,
 * which ends its access, too. Otherwise they are leaked, and the log says so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>

#include "ring_api.h"
#include "trace.h"
#include "vmbus.h"

/**
 * vmbus_alloc_ring() - allocate the pages of both rings
 * @channel: not open
 * @send_size: bytes for the outgoing ring with its control page; whole pages
 * @recv_size: likewise for the incoming one
 *
 * Context: process, sleeps. Return: 0, -EINVAL, -ENOMEM, or -EBUSY if the channel
 * has a ring.
 */
int vmbus_alloc_ring(struct vmbus_channel *channel, u32 send_size,
		     u32 recv_size)
{
	unsigned int order;
	struct page *pages;
	u64 size = (u64)send_size + recv_size;

	if (send_size % PAGE_SIZE || recv_size % PAGE_SIZE ||
	    send_size < 2 * PAGE_SIZE || recv_size < 2 * PAGE_SIZE ||
	    size > U32_MAX)
		return -EINVAL;

	/* the host may still have the old one */
	if (channel->ringbuffer_page)
		return -EBUSY;
	order = get_order(size);
	pages = alloc_pages_node(cpu_to_node(channel->target_cpu),
				 GFP_KERNEL | __GFP_ZERO, order);
	if (!pages)
		return -ENOMEM;
	channel->ringbuffer_page = pages;
	channel->ringbuffer_pagecount = size >> PAGE_SHIFT;
	channel->ringbuffer_send_offset = send_size >> PAGE_SHIFT;
	return 0;
}

/**
 * vmbus_free_ring() - the mirror of vmbus_alloc_ring()
 * @channel: closed. If the host did not let go of the ring, its pages stay
 *	allocated for ever
 *
 * Context: process, sleeps.
 */
void vmbus_free_ring(struct vmbus_channel *channel)
{
	struct channel *ch = to_channel(channel);

	ring_unmap(&channel->outbound);
	ring_unmap(&channel->inbound);
	if (!channel->ringbuffer_page)
		return;
	if (ch->ring_lost) {
		pr_err("channel %u: %u ring pages leaked, since the host may still write to them\n",
		       channel->offermsg.child_relid,
		       channel->ringbuffer_pagecount);
		atomic64_add(channel->ringbuffer_pagecount,
			     &connection.leaked_pages);
		ch->ring_lost = false;
	} else {
		__free_pages(channel->ringbuffer_page,
			     get_order((size_t)channel->ringbuffer_pagecount
				       << PAGE_SHIFT));
	}
	channel->ringbuffer_page = NULL;
}

static void set_state(struct vmbus_channel *vc, enum vmbus_channel_state state)
{
	mutex_lock(&connection.channel_mutex);
	channel_set_state(vc, state);
	mutex_unlock(&connection.channel_mutex);
}

static int post_close(struct vmbus_channel *vc)
{
	struct vmbus_channel_close_channel *msg = compat_close_msg(vc);

	msg->header.msgtype = CHANNELMSG_CLOSECHANNEL;
	msg->child_relid = vc->offermsg.child_relid;
	return host_post(msg, sizeof(*msg), POST_WAIT);
}

/*
 * Has the host end its access to the ring, after a failed or a successful open. A rescind
 * has ended it already. If the host does not confirm that, the ring's pages are marked as
 * lost.
 */
static int let_go_of_ring(struct vmbus_channel *vc, bool close)
{
	int ret = 0;

	if (vc->offermsg.child_relid == INVALID_RELID)
		ret = -ENODEV;
	else if (close && !vc->rescind)
		ret = post_close(vc);
	if (!ret && vc->ringbuffer_gpadlhandle.gpadl_handle)
		ret = vmbus_teardown_gpadl(vc, &vc->ringbuffer_gpadlhandle);
	if (vc->rescind)
		ret = 0;
	if (ret)
		to_channel(vc)->ring_lost = true;
	return ret;
}

static int post_open(struct vmbus_channel *vc, const void *userdata,
		     u32 userdatalen, bool *maybe_open)
{
	struct transport *t = connection.transport;
	u32 relid = vc->offermsg.child_relid;
	struct vmbus_channel_open_channel msg = {
		.header.msgtype = CHANNELMSG_OPENCHANNEL,
		.child_relid = relid,
		.openid = relid,
		.ringbuffer_gpadlhandle =
			vc->ringbuffer_gpadlhandle.gpadl_handle,
		.target_vp = t->ops->cpu_to_vp(t, vc->target_cpu),
		.downstream_ringbuffer_pageoffset = gpadl_ring_offset(vc),
	};
	struct request req;
	int ret;

	if (userdatalen)
		memcpy(msg.userdata, userdata, userdatalen);

	request_start(&req, CHANNELMSG_OPENCHANNEL_RESULT, vc, 0);
	ret = host_post(&msg, sizeof(msg), POST_WAIT);
	if (ret) {
		request_cancel(&req);
		return ret;
	}
	ret = request_wait(&req, true);
	if (!ret && !req.response.open.status)
		return 0;
	/* without an answer the host may have opened it */
	*maybe_open = ret && !vc->rescind;
	return ret ?: -EAGAIN;
}

static int channel_open(struct vmbus_channel *vc, const void *userdata,
			u32 userdatalen, void (*callback)(void *context),
			void *context)
{
	u32 send_pages = vc->ringbuffer_send_offset;
	u32 recv_pages = vc->ringbuffer_pagecount - send_pages;
	bool maybe_open = false;
	int ret;

	if (userdatalen > MAX_USER_DEFINED_BYTES)
		return -EINVAL;
	/* the host still has the ring from an earlier open */
	if (to_channel(vc)->ring_lost)
		return -EBUSY;
	if (!connection.transport || vc->rescind ||
	    vc->offermsg.child_relid == INVALID_RELID)
		return -ENODEV;

	mutex_lock(&connection.channel_mutex);
	if (!channel_is_closed(vc)) {
		mutex_unlock(&connection.channel_mutex);
		return -EINVAL;
	}
	channel_set_state(vc, CHANNEL_CHANGING);
	mutex_unlock(&connection.channel_mutex);

	if (vc->rqstor_size) {
		ret = requestor_alloc(&vc->requestor, vc->rqstor_size);
		if (ret)
			goto err_state;
	}
	if (!vc->max_pkt_size)
		vc->max_pkt_size = VMBUS_DEFAULT_MAX_PKT_SIZE;

	ret = ring_map(&vc->outbound, vc->ringbuffer_page, send_pages, 0);
	if (ret)
		goto err_requestor;
	ret = ring_map(&vc->inbound, &vc->ringbuffer_page[send_pages],
		       recv_pages, vc->max_pkt_size);
	if (ret)
		goto err_unmap_out;
	ret = gpadl_establish_ring(vc, &vc->ringbuffer_gpadlhandle);
	if (ret)
		goto err_unmap_in;

	/* the host may interrupt before its answer to the open arrives */
	vc->channel_callback_context = context;
	spin_lock_irq(&vc->sched_lock);
	vc->onchannel_callback = callback;
	spin_unlock_irq(&vc->sched_lock);

	ret = post_open(vc, userdata, userdatalen, &maybe_open);
	if (ret)
		goto err_callback;

	/*
	 * removal_rescind() calls the driver of a channel that is open. If it has
	 * run before, the driver was not called, and learns of the rescind here.
	 */
	set_state(vc, CHANNEL_OPEN);
	if (READ_ONCE(vc->rescind)) {
		set_state(vc, CHANNEL_CHANGING);
		ret = -ENODEV;
		goto err_callback;
	}
	trace_synth_open(vc, 0);
	return 0;

err_callback:
	vmbus_reset_channel_cb(vc);
	let_go_of_ring(vc, maybe_open);
err_unmap_in:
	ring_unmap(&vc->inbound);
err_unmap_out:
	ring_unmap(&vc->outbound);
err_requestor:
	requestor_free(&vc->requestor);
err_state:
	set_state(vc, CHANNEL_CLOSED);
	trace_synth_open(vc, ret);
	return ret;
}

/**
 * vmbus_connect_ring() - open a channel on a ring that is allocated already
 * @channel: after vmbus_alloc_ring()
 * @onchannel_callback: called when the host has sent something; context by
 *	the channel's call mode
 * @context: its argument
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0, -EINVAL, -ENOMEM, -EAGAIN if the host refuses, -ENODEV if the
 *	channel was rescinded or the host has gone, -ETIMEDOUT, -EBUSY if the
 *	host still has this ring from an earlier open.
 */
int vmbus_connect_ring(struct vmbus_channel *channel,
		       void (*onchannel_callback)(void *context), void *context)
{
	return channel_open(channel, NULL, 0, onchannel_callback, context);
}

/**
 * vmbus_open() - allocate rings and open a channel
 * @channel: a channel that is not open
 * @send_ringbuffersize: see vmbus_alloc_ring()
 * @recv_ringbuffersize: see vmbus_alloc_ring()
 * @userdata: for the host's side of the device, or NULL
 * @userdatalen: bytes, at most MAX_USER_DEFINED_BYTES
 * @onchannel_callback: see vmbus_connect_ring()
 * @context: its argument
 *
 * Context: process, sleeps for a bounded time.
 * Return: as vmbus_alloc_ring() and vmbus_connect_ring().
 */
int vmbus_open(struct vmbus_channel *channel, u32 send_ringbuffersize,
	       u32 recv_ringbuffersize, void *userdata, u32 userdatalen,
	       void (*onchannel_callback)(void *context), void *context)
{
	int ret;

	ret = vmbus_alloc_ring(channel, send_ringbuffersize,
			       recv_ringbuffersize);
	if (ret)
		return ret;
	ret = channel_open(channel, userdata, userdatalen, onchannel_callback,
			   context);
	if (ret)
		vmbus_free_ring(channel);
	return ret;
}

static int channel_close(struct vmbus_channel *vc)
{
	int ret;

	vmbus_reset_channel_cb(vc);

	/* no modify-channel is sent for a channel that is not open */
	cpu_lock_modify(vc);
	mutex_lock(&connection.channel_mutex);
	if (!channel_is_open(vc)) {
		mutex_unlock(&connection.channel_mutex);
		mutex_unlock(&connection.modify_mutex);
		return -EINVAL;
	}
	/* not yet CHANNEL_CLOSED: a rescind releases a closed sub-channel */
	channel_set_state(vc, CHANNEL_CHANGING);
	mutex_unlock(&connection.channel_mutex);
	mutex_unlock(&connection.modify_mutex);

	ret = let_go_of_ring(vc, true);
	requestor_free(&vc->requestor);
	set_state(vc, CHANNEL_CLOSED);
	trace_synth_close(vc, ret);
	return ret;
}

/* The next sub-channel that this close has not seen yet, with a reference */
static struct vmbus_channel *next_unswept(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub, *found = NULL;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(sub, &primary->sc_list, sc_list) {
		if (to_channel(sub)->swept)
			continue;
		to_channel(sub)->swept = true;
		kobject_get(&sub->kobj);
		found = sub;
		break;
	}
	mutex_unlock(&connection.channel_mutex);
	return found;
}

/* Returns 0, or an error if the host does not let go of a sub-channel's ring */
static int close_subchannels(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub;
	int ret, err = 0;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		to_channel(sub)->swept = false;
	mutex_unlock(&connection.channel_mutex);

	while ((sub = next_unswept(primary))) {
		/* the driver's sub-channel callback may be opening it */
		flush_work(&sub->add_channel_work);
		ret = channel_close(sub);
		if (ret != -EINVAL) {
			vmbus_free_ring(sub);
			err = ret ?: err;
		}
		if (READ_ONCE(sub->rescind))
			channel_release(sub);
		kobject_put(&sub->kobj);
	}
	return err;
}

/**
 * vmbus_disconnect_ring() - close a channel and its sub-channels
 * @channel: a primary channel
 *
 * Sub-channels lose their rings too; the primary keeps its own for another
 * vmbus_connect_ring() or for vmbus_free_ring().
 *
 * Context: process, sleeps for a bounded time. Not from a channel callback
 *	nor from a sub-channel callback.
 * Return: 0, -EINVAL if it was not open, or an error if the host does not let
 *	go of it or of a sub-channel. Pages of rings that it did not let go of
 *	stay allocated, here or in vmbus_free_ring().
 */
int vmbus_disconnect_ring(struct vmbus_channel *channel)
{
	int ret, err;

	if (channel->primary_channel)
		return -EINVAL;
	/* no new sub-channel is opened from here on */
	WRITE_ONCE(channel->sc_creation_callback, NULL);
	err = close_subchannels(channel);
	ret = channel_close(channel);
	return ret ?: err;
}

/**
 * vmbus_close() - vmbus_disconnect_ring() and vmbus_free_ring()
 * @channel: a primary channel; harmless if it is not open
 *
 * Context: process, sleeps for a bounded time.
 */
void vmbus_close(struct vmbus_channel *channel)
{
	if (vmbus_disconnect_ring(channel) != -EINVAL)
		vmbus_free_ring(channel);
}
