// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: open and close, interrupts and signals, request ids, and the
 * choice of the CPU that the host interrupts.
 *
 * While a channel is open the host reads and writes its ring pages. They go
 * back to the kernel only after the host has confirmed the teardown of their
 * GPADL, or has rescinded the channel, which ends its access too. Otherwise
 * they are leaked, and the log says so.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bottom_half.h>
#include <linux/interrupt.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/timekeeping.h>
#include <asm/sync_bitops.h>

#include <synthio/handover.h>

#include "ring_api.h"
#include "trace.h"
#include "vmbus.h"

/* how long a tasklet may go on before it lets others run */
#define EVENT_JIFFIES	2

/**
 * channel_interrupt() - the host says that the incoming ring has something
 * @vc: found by its relid, under rcu_read_lock()
 *
 * Context: hard interrupt normally, or with bottom halves disabled. With
 *	PREEMPT_RT always the latter, and never the former: sched_lock sleeps,
 *	and what callbacks do under it may disable bottom halves.
 */
void channel_interrupt(struct vmbus_channel *vc)
{
	struct channel *ch = to_channel(vc);
	void (*callback)(void *context);
	unsigned long flags;

	/*
	 * The lock keeps the ring mapped: vmbus_reset_channel_cb() takes the
	 * callback away under it before anybody unmaps.
	 */
	spin_lock_irqsave(&vc->sched_lock, flags);
	callback = vc->onchannel_callback;
	if (!callback)
		goto out;

	vc->interrupts++;
	ch->last_interrupt = ktime_get_mono_fast_ns();
	trace_synth_interrupt(vc);

	switch (vc->callback_mode) {
	case HV_CALL_ISR:
		callback(vc->channel_callback_context);
		break;
	case HV_CALL_BATCHED:
		hv_begin_read(&vc->inbound);
		fallthrough;
	case HV_CALL_DIRECT:
		tasklet_schedule(&vc->callback_event);
	}
out:
	spin_unlock_irqrestore(&vc->sched_lock, flags);
}

/**
 * channel_event() - tasklet of the batched and direct call modes
 * @data: the vmbus_channel
 *
 * In batched mode the host's interrupts are masked on entry. They are unmasked
 * when the ring is empty, and the ring is looked at once more then, since the
 * host may have written before it could see the mask go.
 *
 * Context: softirq.
 */
void channel_event(unsigned long data)
{
	struct vmbus_channel *vc = (void *)data;
	unsigned long limit = jiffies + EVENT_JIFFIES;

	do {
		void (*callback)(void *context) =
			READ_ONCE(vc->onchannel_callback);

		if (!callback)
			return;
		callback(vc->channel_callback_context);
		if (vc->callback_mode != HV_CALL_BATCHED)
			return;
		if (!hv_end_read(&vc->inbound))
			return;
		hv_begin_read(&vc->inbound);
	} while (time_before(jiffies, limit));

	tasklet_schedule(&vc->callback_event);
}

/**
 * channel_look() - call a channel's driver as if the host had interrupted
 * @vc: open, or it does nothing
 *
 * Context: process.
 */
void channel_look(struct vmbus_channel *vc)
{
	if (READ_ONCE(vc->state) != CHANNEL_OPENED_STATE)
		return;
	/* what a callback raises runs at the end of this, as behind an interrupt */
	local_bh_disable();
	rcu_read_lock();
	channel_interrupt(vc);
	rcu_read_unlock();
	local_bh_enable();
}

/**
 * vmbus_reset_channel_cb() - after this the driver's callback runs no more
 * @channel: open or not
 *
 * Context: process; not from the callback.
 */
void vmbus_reset_channel_cb(struct vmbus_channel *channel)
{
	unsigned long flags;

	/* waits for a running tasklet */
	tasklet_disable(&channel->callback_event);
	spin_lock_irqsave(&channel->sched_lock, flags);
	channel->onchannel_callback = NULL;
	spin_unlock_irqrestore(&channel->sched_lock, flags);
	WRITE_ONCE(channel->sc_creation_callback, NULL);
	/* one that was scheduled finds no callback; the next open needs it */
	tasklet_enable(&channel->callback_event);
}

static void forget_driver(struct vmbus_channel *vc)
{
	vmbus_reset_channel_cb(vc);
	synthio_set_channel(vc, 0, HV_CALL_BATCHED, NULL);
}

/**
 * channel_forget_driver() - leave nothing of a driver in a device's channels
 * @primary: before probe, or after remove or a probe that failed
 *
 * A driver sets what it needs and takes the rest for granted: what the one before
 * has left would be a callback into a module that may have gone.
 *
 * Context: process, sleeps; the device is locked.
 */
void channel_forget_driver(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub;

	mutex_lock(&connection.channel_mutex);
	forget_driver(primary);
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		forget_driver(sub);
	mutex_unlock(&connection.channel_mutex);
}

/**
 * vmbus_set_event() - signal the host, at once
 * @channel: an open channel
 *
 * Context: any.
 */
void vmbus_set_event(struct vmbus_channel *channel)
{
	u32 relid = channel->offermsg.child_relid;
	struct transport *t;

	trace_synth_signal(channel);
	channel->sig_events++;
	to_channel(channel)->last_signal = ktime_get_mono_fast_ns();
	/* nobody listens any more, and after a suspend it has no number */
	if (READ_ONCE(channel->rescind) || relid >= MAX_RELIDS)
		return;

	/* connection_detach() waits for whoever has seen the transport here */
	rcu_read_lock();
	t = READ_ONCE(connection.transport);
	if (t) {
		/* hosts without dedicated interrupts look for the channel here */
		if (!channel->is_dedicated_interrupt)
			sync_set_bit(relid, connection.int_page +
				     HV_HYP_PAGE_SIZE / 2);
		t->ops->signal_event(t, channel->sig_event);
	}
	rcu_read_unlock();
}

/**
 * vmbus_setevent() - signal the host in the way that the channel prefers
 * @channel: an open channel
 *
 * A host may have allocated a monitor: then a bit in a page suffices, which
 * the hypervisor polls, unless the driver wants low latency.
 *
 * Context: any.
 */
void vmbus_setevent(struct vmbus_channel *channel)
{
	struct monitor_page *page = connection.monitor_pages[1];
	u32 relid = channel->offermsg.child_relid;

	if (!channel->offermsg.monitor_allocated || channel->low_latency ||
	    channel->monitor_grp >= ARRAY_SIZE(page->trigger_group)) {
		vmbus_set_event(channel);
		return;
	}
	if (READ_ONCE(channel->rescind) || relid >= MAX_RELIDS)
		return;
	trace_synth_signal(channel);
	to_channel(channel)->last_signal = ktime_get_mono_fast_ns();
	sync_set_bit(relid, connection.int_page + HV_HYP_PAGE_SIZE / 2);
	/*
	 * Outside of x86 the operation has no order of its own: the host must
	 * not see the trigger and then no bit, nor a ring from before both.
	 */
	virt_mb__before_atomic();
	sync_set_bit(channel->monitor_bit,
		     (unsigned long *)
		     &page->trigger_group[channel->monitor_grp].pending);
}

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

static int requestor_alloc(struct vmbus_requestor *r, u32 size)
{
	u32 i;

	r->req_arr = kcalloc(size, sizeof(*r->req_arr), GFP_KERNEL);
	r->req_bitmap = bitmap_zalloc(size, GFP_KERNEL);
	if (!r->req_arr || !r->req_bitmap) {
		kfree(r->req_arr);
		bitmap_free(r->req_bitmap);
		r->req_arr = NULL;
		r->req_bitmap = NULL;
		return -ENOMEM;
	}
	/* a free slot holds the index of the next one: a list in the array */
	for (i = 0; i < size; i++)
		r->req_arr[i] = i + 1 < size ? i + 1 : U64_MAX;
	r->size = size;
	r->next_request_id = 0;
	spin_lock_init(&r->req_lock);
	return 0;
}

static void requestor_free(struct vmbus_requestor *r)
{
	kfree(r->req_arr);
	bitmap_free(r->req_bitmap);
	r->req_arr = NULL;
	r->req_bitmap = NULL;
	r->size = 0;
}

static void set_channel_state(struct vmbus_channel *vc,
			      enum vmbus_channel_state state)
{
	mutex_lock(&connection.channel_mutex);
	WRITE_ONCE(vc->state, state);
	mutex_unlock(&connection.channel_mutex);
}

static int post_close(struct vmbus_channel *vc)
{
	struct vmbus_channel_close_channel *msg = compat_close_msg(vc);

	msg->header.msgtype = CHANNELMSG_CLOSECHANNEL;
	msg->child_relid = vc->offermsg.child_relid;
	return connection_post(msg, sizeof(*msg), POST_WAIT);
}

/*
 * The host's part of the way down, after a failed or a successful open. A
 * rescind has done all of it. If something can't be confirmed the pages are
 * marked as lost.
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
	ret = connection_post(&msg, sizeof(msg), POST_WAIT);
	if (ret) {
		request_cancel(&req);
		return ret;
	}
	ret = request_wait(&req);
	if (!ret && !req.response.open.status)
		return 0;
	/* silence is no refusal */
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
	/* a ring that the host still has can't be opened a second time */
	if (to_channel(vc)->ring_lost)
		return -EBUSY;
	if (!connection.transport || vc->rescind ||
	    vc->offermsg.child_relid == INVALID_RELID)
		return -ENODEV;

	mutex_lock(&connection.channel_mutex);
	if (vc->state != CHANNEL_OPEN_STATE) {
		mutex_unlock(&connection.channel_mutex);
		return -EINVAL;
	}
	WRITE_ONCE(vc->state, CHANNEL_OPENING_STATE);
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

	/* the host may interrupt before its answer is here */
	vc->channel_callback_context = context;
	spin_lock_irq(&vc->sched_lock);
	vc->onchannel_callback = callback;
	spin_unlock_irq(&vc->sched_lock);

	ret = post_open(vc, userdata, userdatalen, &maybe_open);
	if (ret)
		goto err_callback;

	/*
	 * A rescind that the worker comes to from now on wakes the driver. One that
	 * it came to before has not, as the channel was not open.
	 */
	set_channel_state(vc, CHANNEL_OPENED_STATE);
	if (READ_ONCE(vc->rescind)) {
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
	set_channel_state(vc, CHANNEL_OPEN_STATE);
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

	/*
	 * Hosts answer a modify-channel for an open channel only: whoever waits for
	 * that has had it before, and nobody asks any more after this
	 */
	mutex_lock(&connection.modify_mutex);
	mutex_lock(&connection.channel_mutex);
	if (vc->state != CHANNEL_OPENED_STATE) {
		mutex_unlock(&connection.channel_mutex);
		mutex_unlock(&connection.modify_mutex);
		return -EINVAL;
	}
	/* a rescind that comes now must not release it under our hands */
	WRITE_ONCE(vc->state, CHANNEL_OPENING_STATE);
	mutex_unlock(&connection.channel_mutex);
	mutex_unlock(&connection.modify_mutex);

	ret = let_go_of_ring(vc, true);
	requestor_free(&vc->requestor);
	set_channel_state(vc, CHANNEL_OPEN_STATE);
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

/* Returns 0, or an error if the host does not let go of one of them */
static int close_subchannels(struct vmbus_channel *primary)
{
	struct vmbus_channel *sub;
	int ret, err = 0;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		to_channel(sub)->swept = false;
	mutex_unlock(&connection.channel_mutex);

	while ((sub = next_unswept(primary))) {
		/* it may just be opening in the driver's callback */
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
	/* no new ones from here on */
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

/**
 * vmbus_send_tl_connect_request() - a socket in the guest wants to connect
 * @shv_guest_servie_id: the guest's end
 * @shv_host_servie_id: the service on the host
 *
 * The answer is an offer, or nothing.
 *
 * Context: process. Return: as connection_post().
 */
int vmbus_send_tl_connect_request(const guid_t *shv_guest_servie_id,
				  const guid_t *shv_host_servie_id)
{
	struct vmbus_channel_tl_connect_request msg = {
		.header.msgtype = CHANNELMSG_TL_CONNECT_REQUEST,
		.guest_endpoint_id = *shv_guest_servie_id,
		.host_service_id = *shv_host_servie_id,
	};

	return connection_post(&msg, sizeof(msg), POST_WAIT);
}
