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
 * channel_rescind_wake() - let the driver see what is left in the ring
 * @vc: just rescinded
 *
 * Context: process.
 */
void channel_rescind_wake(struct vmbus_channel *vc)
{
	if (READ_ONCE(vc->state) != CHANNEL_OPENED_STATE)
		return;
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
	vc->next_request_id_callback = NULL;
	vc->request_addr_callback = NULL;
	vc->change_target_cpu_callback = NULL;
	vc->chn_rescind_callback = NULL;
	vc->per_channel_state = NULL;
	vc->rqstor_size = 0;
	vc->max_pkt_size = 0;
	vc->low_latency = false;
	set_channel_read_mode(vc, HV_CALL_BATCHED);
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
	return connection_post(msg, sizeof(*msg), true);
}

/*
 * The host's part of the way down, after a failed or a successful open. A
 * rescind has done all of it. If something can't be confirmed the pages are
 * marked as lost.
 */
static int let_go_of_ring(struct vmbus_channel *vc, bool close)
{
	int ret = 0;

	if (close && !vc->rescind)
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
	ret = connection_post(&msg, sizeof(msg), true);
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

	set_channel_state(vc, CHANNEL_OPENED_STATE);
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

	mutex_lock(&connection.channel_mutex);
	if (vc->state != CHANNEL_OPENED_STATE) {
		mutex_unlock(&connection.channel_mutex);
		return -EINVAL;
	}
	/* a rescind that comes now must not release it under our hands */
	WRITE_ONCE(vc->state, CHANNEL_OPENING_STATE);
	mutex_unlock(&connection.channel_mutex);

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
 * vmbus_sendpacket_getid() - send a packet, learn its transaction id
 * @channel: an open channel
 * @buffer: payload
 * @bufferLen: bytes
 * @requestid: what the driver wants back with the completion
 * @trans_id: NULL, or where the transaction id goes
 * @type: VM_PKT_DATA_INBAND or VM_PKT_COMP
 * @flags: 0 or VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
 *
 * Context: any. Return: see ring_write(); -EINVAL if it can't ever fit.
 */
int vmbus_sendpacket_getid(struct vmbus_channel *channel, void *buffer,
			   u32 bufferLen, u64 requestid, u64 *trans_id,
			   enum vmbus_packet_type type, u32 flags)
{
	u64 len = ALIGN((u64)sizeof(struct vmpacket_descriptor) + bufferLen, 8);
	u64 padding = 0;
	struct vmpacket_descriptor desc = {
		.type = type,
		.flags = flags,
		.offset8 = sizeof(desc) / 8,
		.len8 = len / 8,
		.trans_id = VMBUS_RQST_ERROR,	/* ring_write() knows better */
	};
	struct kvec kv[] = {
		{ &desc, sizeof(desc) },
		{ buffer, bufferLen },
		{ &padding, len - sizeof(desc) - bufferLen },
	};

	if (len / 8 > U16_MAX)
		return -EINVAL;
	return ring_write(channel, kv, ARRAY_SIZE(kv), requestid, trans_id);
}

/**
 * vmbus_sendpacket() - send a packet
 * @channel: an open channel
 * @buffer: payload
 * @bufferLen: bytes
 * @requestid: what the driver wants back with the completion
 * @type: VM_PKT_DATA_INBAND or VM_PKT_COMP
 * @flags: 0 or VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
 *
 * Context: any. Return: see ring_write().
 */
int vmbus_sendpacket(struct vmbus_channel *channel, void *buffer,
		     u32 bufferLen, u64 requestid, enum vmbus_packet_type type,
		     u32 flags)
{
	return vmbus_sendpacket_getid(channel, buffer, bufferLen, requestid,
				      NULL, type, flags);
}

/**
 * vmbus_sendpacket_mpb_desc() - send a packet that names guest pages
 * @channel: an open channel
 * @mpb: room for the descriptor, rangecount and range filled in
 * @desc_size: bytes at @mpb that are used; a multiple of 8
 * @buffer: payload that follows
 * @bufferlen: bytes
 * @requestid: what the driver wants back with the completion
 *
 * Context: any. Return: see ring_write().
 */
int vmbus_sendpacket_mpb_desc(struct vmbus_channel *channel,
			      struct vmbus_packet_mpb_array *mpb, u32 desc_size,
			      void *buffer, u32 bufferlen, u64 requestid)
{
	u64 len = ALIGN((u64)desc_size + bufferlen, 8);
	u64 padding = 0;
	struct kvec kv[] = {
		{ mpb, desc_size },
		{ buffer, bufferlen },
		{ &padding, len - desc_size - bufferlen },
	};

	if (desc_size % 8 || len / 8 > U16_MAX)
		return -EINVAL;
	mpb->type = VM_PKT_DATA_USING_GPA_DIRECT;
	mpb->flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED;
	mpb->dataoffset8 = desc_size / 8;
	mpb->length8 = len / 8;
	mpb->transactionid = VMBUS_RQST_ERROR;
	mpb->reserved = 0;
	return ring_write(channel, kv, ARRAY_SIZE(kv), requestid, NULL);
}

/**
 * vmbus_recvpacket() - take a packet's payload
 * @channel: an open channel
 * @buffer: where it goes
 * @bufferlen: bytes there
 * @buffer_actual_len: bytes of payload, 0 if there is no packet
 * @requestid: its transaction id
 *
 * Context: see ring_read(). Return: see ring_read().
 */
int vmbus_recvpacket(struct vmbus_channel *channel, void *buffer, u32 bufferlen,
		     u32 *buffer_actual_len, u64 *requestid)
{
	return ring_read(channel, buffer, bufferlen, buffer_actual_len,
			 requestid, false);
}

/**
 * vmbus_recvpacket_raw() - take a packet with its descriptor
 * @channel: an open channel
 * @buffer: where it goes
 * @bufferlen: bytes there
 * @buffer_actual_len: bytes of the packet, 0 if there is none
 * @requestid: its transaction id
 *
 * Context: see ring_read(). Return: see ring_read().
 */
int vmbus_recvpacket_raw(struct vmbus_channel *channel, void *buffer,
			 u32 bufferlen, u32 *buffer_actual_len, u64 *requestid)
{
	return ring_read(channel, buffer, bufferlen, buffer_actual_len,
			 requestid, true);
}

/**
 * vmbus_next_request_id() - keep a request's address, get an id for the wire
 * @channel: its driver has set rqstor_size before the open
 * @rqst_addr: what vmbus_request_addr() will return
 *
 * Id 0 is never used: on the wire it means that nobody asked.
 *
 * Context: any. Return: the id, VMBUS_NO_RQSTOR, or VMBUS_RQST_ERROR if full.
 */
u64 vmbus_next_request_id(struct vmbus_channel *channel, u64 rqst_addr)
{
	struct vmbus_requestor *r = &channel->requestor;
	unsigned long flags;
	u64 slot;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;

	lock_requestor(channel, flags);
	slot = r->next_request_id;
	if (slot >= r->size) {
		unlock_requestor(channel, flags);
		return VMBUS_RQST_ERROR;
	}
	r->next_request_id = r->req_arr[slot];
	r->req_arr[slot] = rqst_addr;
	__set_bit(slot, r->req_bitmap);
	unlock_requestor(channel, flags);
	return slot + 1;
}

/**
 * __vmbus_request_addr_match() - give an id back, if it stands for this request
 * @channel: its driver uses request ids
 * @trans_id: from the host, so anything
 * @rqst_addr: the request, or VMBUS_RQST_ADDR_ANY
 *
 * Context: lock_requestor() held.
 * Return: what was kept under the id (and still is if it is not @rqst_addr),
 *	VMBUS_RQST_ERROR if nothing was, VMBUS_NO_RQSTOR.
 */
u64 __vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id,
			       u64 rqst_addr)
{
	struct vmbus_requestor *r = &channel->requestor;
	u64 slot = trans_id - 1, addr;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;
	if (!trans_id || slot >= r->size || !test_bit(slot, r->req_bitmap))
		return VMBUS_RQST_ERROR;

	addr = r->req_arr[slot];
	if (rqst_addr == VMBUS_RQST_ADDR_ANY || addr == rqst_addr) {
		r->req_arr[slot] = r->next_request_id;
		r->next_request_id = slot;
		__clear_bit(slot, r->req_bitmap);
	}
	return addr;
}

/**
 * vmbus_request_addr_match() - __vmbus_request_addr_match() with the lock
 * @channel: its driver uses request ids
 * @trans_id: from the host
 * @rqst_addr: the request, or VMBUS_RQST_ADDR_ANY
 *
 * Context: any. Return: as __vmbus_request_addr_match().
 */
u64 vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id,
			     u64 rqst_addr)
{
	unsigned long flags;
	u64 addr;

	/* without a requestor its lock was never initialised */
	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;
	lock_requestor(channel, flags);
	addr = __vmbus_request_addr_match(channel, trans_id, rqst_addr);
	unlock_requestor(channel, flags);
	return addr;
}

/**
 * vmbus_request_addr() - give an id back
 * @channel: its driver uses request ids
 * @trans_id: from the host
 *
 * Context: any. Return: as __vmbus_request_addr_match().
 */
u64 vmbus_request_addr(struct vmbus_channel *channel, u64 trans_id)
{
	return vmbus_request_addr_match(channel, trans_id,
					VMBUS_RQST_ADDR_ANY);
}

/**
 * vmbus_send_modifychannel() - have the host interrupt another processor
 * @channel: an open channel
 * @target_vp: virtual processor index
 *
 * From version 5.3 on the host answers, and wants one request at a time.
 * Before that nothing says when the old processor hears no more.
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0, -EIO if the channel is not open or the version has no such
 *	message, -EAGAIN if the host refuses, or as connection_post() and
 *	request_wait().
 */
int vmbus_send_modifychannel(struct vmbus_channel *channel, u32 target_vp)
{
	struct vmbus_channel_modifychannel msg = {
		.header.msgtype = CHANNELMSG_MODIFYCHANNEL,
		.target_vp = target_vp,
	};
	bool answered = vmbus_proto_version >= VERSION_WIN10_V5_3;
	struct request req;
	int ret;

	if (vmbus_proto_version < VERSION_WIN10_V4_1)
		return -EIO;

	mutex_lock(&connection.modify_mutex);
	/* a close that comes now is posted after us */
	mutex_lock(&connection.channel_mutex);
	if (channel->state != CHANNEL_OPENED_STATE) {
		mutex_unlock(&connection.channel_mutex);
		ret = -EIO;
		goto out;
	}
	msg.child_relid = channel->offermsg.child_relid;
	if (answered)
		request_start(&req, CHANNELMSG_MODIFYCHANNEL_RESPONSE, channel,
			      0);
	ret = connection_post(&msg, sizeof(msg), true);
	mutex_unlock(&connection.channel_mutex);

	if (answered && ret) {
		request_cancel(&req);
	} else if (answered) {
		ret = request_wait(&req);
		if (!ret && req.response.modify.status)
			ret = -EAGAIN;
	}
out:
	mutex_unlock(&connection.modify_mutex);
	trace_synth_modify(channel, target_vp, ret);
	return ret;
}

/**
 * channel_move() - move a channel's interrupts to another CPU
 * @vc: open or not
 * @cpu: online
 *
 * Context: process, sleeps; CPU hotplug lock held.
 * Return: 0, or as vmbus_send_modifychannel().
 */
int channel_move(struct vmbus_channel *vc, unsigned int cpu)
{
	struct transport *t = connection.transport;
	u32 old = vc->target_cpu;
	int ret;

	if (!t)
		return -ENODEV;
	ret = vmbus_send_modifychannel(vc, t->ops->cpu_to_vp(t, cpu));
	if (ret)
		return ret;
	mutex_lock(&connection.channel_mutex);
	cpu_set(vc, cpu);
	if (vc->change_target_cpu_callback &&
	    vc->state == CHANNEL_OPENED_STATE)
		vc->change_target_cpu_callback(vc, old, cpu);
	mutex_unlock(&connection.channel_mutex);
	return 0;
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

	return connection_post(&msg, sizeof(msg), true);
}
