// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel: what it receives, and how it is opened and closed.
 */
#include <linux/hyperv.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/mutex.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/testdev.h>

#include "chantest.h"

/* Receiving */

static __printf(2, 3) void ct_wrong(struct ct_channel *c, const char *fmt, ...)
{
	va_list ap;

	if (c->wrong++)
		return;
	va_start(ap, fmt);
	vscnprintf(c->why, sizeof(c->why), fmt, ap);
	va_end(ap);
}

void ct_fill(u8 *p, u32 len, u64 seed)
{
	u32 i;

	for (i = 0; i < len; i++)
		p[i] = synthio_test_pattern(seed, i);
}

bool ct_is_pattern(const u8 *p, u32 len, u64 seed, u32 *at)
{
	u32 i;

	for (i = 0; i < len; i++) {
		if (p[i] != synthio_test_pattern(seed, i)) {
			*at = i;
			return false;
		}
	}
	return true;
}

static void ct_inband(struct ct_channel *c, u64 trans, const void *data, u32 len)
{
	u64 seq;
	u32 at;

	if (c->expect == EXPECT_NOTHING) {
		ct_wrong(c, "in-band packet of %u bytes out of the blue", len);
		return;
	}
	if (len != ALIGN(c->data_len, 8)) {
		ct_wrong(c, "in-band packet of %u bytes, not %u", len,
			 ALIGN(c->data_len, 8));
		return;
	}
	if (c->expect == EXPECT_ECHO) {
		if (!ct_is_pattern(data, c->data_len, c->seed, &at)) {
			ct_wrong(c, "echo differs at byte %u", at);
			return;
		}
		c->echo_trans = trans;
	} else {
		memcpy(&seq, data, sizeof(seq));
		if (seq != c->received) {
			ct_wrong(c, "packet %llu instead of %u", seq,
				 c->received);
			return;
		}
		if (!ct_is_pattern(data + 8, c->data_len - 8, seq, &at)) {
			ct_wrong(c, "packet %llu differs at byte %u", seq, at);
			return;
		}
	}
	c->received++;
}

static void ct_completion(struct ct_channel *c, u64 trans, const void *data,
			  u32 len)
{
	u64 id = trans;

	if (c->vc->request_addr_callback) {
		id = c->vc->request_addr_callback(c->vc, trans);
		if (id == VMBUS_RQST_ERROR) {
			ct_wrong(c, "completion with unknown id %#llx", trans);
			return;
		}
	}
	if (c->series_ids && id != CT_ID_SERIES + c->completed) {
		ct_wrong(c, "completion %#llx instead of %#llx", id,
			 CT_ID_SERIES + c->completed);
		return;
	}
	c->rsp_len = min_t(u32, len, sizeof(c->rsp));
	memcpy(&c->rsp, data, c->rsp_len);
	if (c->series_ids && c->rsp.status) {
		ct_wrong(c, "host says status %u for packet %u", c->rsp.status,
			 c->completed);
		return;
	}
	c->completion_id = id;
	c->completed++;
}

static void ct_packet(struct ct_channel *c, const struct vmpacket_descriptor *d)
{
	u32 offset = d->offset8 << 3, len = d->len8 << 3;
	unsigned long flags;

	spin_lock_irqsave(&c->lock, flags);
	c->packets++;
	if (offset < sizeof(*d) || offset > len)
		ct_wrong(c, "packet with offset %u and length %u", offset, len);
	else if (d->type == VM_PKT_DATA_INBAND)
		ct_inband(c, d->trans_id, (void *)d + offset, len - offset);
	else if (d->type == VM_PKT_COMP)
		ct_completion(c, d->trans_id, (void *)d + offset, len - offset);
	else
		ct_wrong(c, "packet of type %u", d->type);
	spin_unlock_irqrestore(&c->lock, flags);
}

static void ct_read_all(struct ct_channel *c)
{
	struct vmpacket_descriptor *d;
	u64 id;
	u32 len;
	int ret;

	if (!c->copy) {
		foreach_vmbus_pkt(d, c->vc)
			ct_packet(c, d);
		return;
	}
	for (;;) {
		ret = vmbus_recvpacket_raw(c->vc, c->buffer, CT_MAX_PACKET,
					   &len, &id);
		if (ret || !len)
			break;
		d = c->buffer;
		if (len < sizeof(*d) || d->len8 << 3 != len)
			ct_wrong(c, "copied %u bytes of a packet", len);
		else
			ct_packet(c, d);
	}
	if (ret)
		ct_wrong(c, "receiving failed: %d", ret);
}

/* ISR mode: the host was told not to interrupt until the ring is empty */
static void ct_drain(struct work_struct *work)
{
	struct ct_channel *c = container_of(work, struct ct_channel, drain);

	u32 packets;

	if (READ_ONCE(c->paused))
		return;
	do {
		packets = c->packets;
		hv_begin_read(&c->vc->inbound);
		ct_read_all(c);
		/* bytes that are no packet don't become one by looking again */
	} while (hv_end_read(&c->vc->inbound) && c->packets != packets);
	wake_up_all(&ct_wait);
}

static void ct_callback(void *context)
{
	struct ct_channel *c = context;

	c->callback_cpu = smp_processor_id();
	WRITE_ONCE(c->callbacks, c->callbacks + 1);
	if (c->mode == HV_CALL_ISR) {
		hv_begin_read(&c->vc->inbound);
		schedule_work_on(c->callback_cpu, &c->drain);
	} else {
		ct_read_all(c);
	}
	wake_up_all(&ct_wait);
}

void ct_pause(struct ct_channel *c, bool pause)
{
	if (c->mode == HV_CALL_ISR) {
		WRITE_ONCE(c->paused, pause);
		if (pause)
			flush_work(&c->drain);
		else
			schedule_work(&c->drain);
	} else if (pause) {
		tasklet_disable(&c->vc->callback_event);
	} else {
		tasklet_enable(&c->vc->callback_event);
	}
}

void ct_block(struct ct_channel *c, bool block)
{
	if (c->blocked == block)
		return;
	c->blocked = block;
	ct_pause(c, block);
}

/* Opening and closing */

static void ct_free_channel(struct ct_channel *c)
{
	cancel_work_sync(&c->drain);
	kvfree(c->buffer);
	kfree(c);
}

static struct ct_channel *ct_open_channel(struct ct_device *dev,
					  struct vmbus_channel *vc, int *err)
{
	struct ct_channel *c = kzalloc(sizeof(*c), GFP_KERNEL);

	*err = -ENOMEM;
	if (!c)
		return NULL;
	c->buffer = kvmalloc(CT_MAX_PACKET, GFP_KERNEL);
	if (!c->buffer) {
		kfree(c);
		return NULL;
	}
	c->vc = vc;
	c->mode = dev->mode;
	c->copy = dev->copy;
	spin_lock_init(&c->lock);
	INIT_WORK(&c->drain, ct_drain);

	vc->max_pkt_size = CT_MAX_PACKET;
	vc->rqstor_size = dev->rqstor;
	vc->next_request_id_callback = dev->rqstor ? vmbus_next_request_id : NULL;
	vc->request_addr_callback = dev->rqstor ? vmbus_request_addr : NULL;
	set_channel_read_mode(vc, dev->mode);
	*err = vmbus_open(vc, VMBUS_RING_SIZE(dev->ring),
			  VMBUS_RING_SIZE(dev->ring), NULL, 0, ct_callback, c);
	if (!*err)
		return c;
	ct_free_channel(c);
	return NULL;
}

/* Comes from the bus, in process context, for each sub-channel offered */
static void ct_new_sub(struct vmbus_channel *sub)
{
	struct ct_device *dev = hv_get_drvdata(sub->primary_channel->device_obj);
	struct ct_channel *c;
	int err;

	mutex_lock(&dev->sub_lock);
	if (!dev->closing && dev->nr_subs < CT_MAX_SUB) {
		c = ct_open_channel(dev, sub, &err);
		if (c)
			dev->subs[dev->nr_subs++] = c;
		else
			dev->sub_error = err;
	}
	mutex_unlock(&dev->sub_lock);
	wake_up_all(&ct_wait);
}

int ct_open(struct ct_device *dev)
{
	int err;

	dev->closing = false;
	dev->sub_error = 0;
	dev->nr_subs = 0;
	/* the close before has cleared it */
	vmbus_set_sc_create_callback(dev->hv->channel, ct_new_sub);
	dev->primary = ct_open_channel(dev, dev->hv->channel, &err);
	return err;
}

/* Sub-channels are closed with their primary, whoever opened them */
void ct_close(struct ct_device *dev)
{
	unsigned int i;

	if (!dev->primary)
		return;
	mutex_lock(&dev->sub_lock);
	dev->closing = true;
	mutex_unlock(&dev->sub_lock);

	vmbus_close(dev->hv->channel);
	for (i = 0; i < dev->nr_subs; i++)
		ct_free_channel(dev->subs[i]);
	dev->nr_subs = 0;
	ct_free_channel(dev->primary);
	dev->primary = NULL;
}
