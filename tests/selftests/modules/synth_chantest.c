// SPDX-License-Identifier: GPL-2.0-only
/*
 * A client of the test device (<synthio/testdev.h>) that shell tests drive.
 * It calls nothing but what <linux/hyperv.h> declares, so the same tests run
 * on every VMBus that has such a device.
 *
 * /sys/kernel/debug/synth_chantest/
 *   command	takes one command line, e.g. "echo 1000"; the write fails with
 *		the command's error. "help" lists the commands
 *   result	what the last command had to say
 *   state	the device and its channels
 *
 * One command runs at a time, under chantest_lock. The removal of the device
 * ends waits by setting @gone, takes the lock, and closes what is open.
 */
#include <linux/cpu.h>
#include <linux/crc32.h>
#include <linux/debugfs.h>
#include <linux/delay.h>
#include <linux/hyperv.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include <synthio/testdev.h>

#include "compat.h"

#define CT_MAX_DATA		16384u
#define CT_MAX_PACKET		(CT_MAX_DATA + 256)
#define CT_RING_DEFAULT		(64u << 10)
#define CT_MAX_SUB		8
#define CT_BLOCK_SIZE		4096u
#define CT_BLOCK_BYTES		(512u << 10)	/* more than a host queues */
#define CT_LINE			1024
#define CT_RESULT		8192

/* Request ids: anything but what the API keeps for itself */
#define CT_ID_SINGLE		0x51a7e000ULL
#define CT_ID_SERIES		0x5e41e500000000ULL

static unsigned int timeout_ms = 8000;
module_param(timeout_ms, uint, 0644);
MODULE_PARM_DESC(timeout_ms, "How long the host may take to answer, in milliseconds");

/* What an in-band packet from the host is expected to be */
enum ct_expect {
	EXPECT_NOTHING,
	EXPECT_ECHO,
	EXPECT_SERIES,
};

/**
 * struct ct_channel - one opened channel
 * @vc: the channel
 * @mode: how it calls back
 * @copy: read with vmbus_recvpacket_raw() instead of in place
 * @drain: reads it, in ISR mode
 * @buffer: where packets are copied to
 * @paused: leave the ring alone (ISR mode)
 * @blocked: the reader pauses so that the host can't go on; it is set free as
 *	soon as our ring is full
 * @lock: protects what follows
 * @expect: see enum ct_expect
 * @data_len: length of the echo, or of each packet of a series
 * @seed: of the echo's pattern
 * @received: in-band packets as expected so far
 * @completed: completions as expected so far
 * @completion_id: request id of the last completion
 * @series_ids: completions are those of a series
 * @echo_trans: transaction id of the last echo
 * @rsp: what the last completion said
 * @rsp_len: how much of @rsp came
 * @wrong: packets that were not what was expected
 * @why: about the first of them
 * @packets: packets read
 * @callbacks: how often the channel called back
 * @callback_cpu: where it did last
 * @sink_next: sequence number of the next SINK packet, since the opening
 */
struct ct_channel {
	struct vmbus_channel *vc;
	enum hv_callback_mode mode;
	bool copy;
	struct work_struct drain;
	void *buffer;
	bool paused;
	bool blocked;
	spinlock_t lock;	/* of all below */
	enum ct_expect expect;
	u32 data_len;
	u64 seed;
	u32 received;
	u32 completed;
	u64 completion_id;
	bool series_ids;
	u64 echo_trans;
	struct synthio_test_rsp rsp;
	u32 rsp_len;
	u32 wrong;
	char why[96];
	u32 packets;
	u32 callbacks;
	unsigned int callback_cpu;
	u64 sink_next;
};

struct ct_device {
	struct hv_device *hv;
	bool gone;
	bool reopen;
	u32 ring;
	u32 rqstor;
	enum hv_callback_mode mode;
	bool copy;
	struct ct_channel *primary;
	struct mutex sub_lock;		/* the sub-channels */
	bool closing;
	unsigned int nr_subs;
	int sub_error;
	struct ct_channel *subs[CT_MAX_SUB];
};

static DEFINE_MUTEX(chantest_lock);
static struct ct_device *ct_dev;	/* set and cleared under chantest_lock */
/* Everything that a command may wait for: there is one command at a time */
static DECLARE_WAIT_QUEUE_HEAD(ct_wait);
static unsigned int ct_probes;	/* how often a device came */
static struct dentry *ct_debugfs;
static char ct_result[CT_RESULT];
static size_t ct_result_len;

static __printf(1, 2) void ct_say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	ct_result_len += vscnprintf(ct_result + ct_result_len,
				    CT_RESULT - ct_result_len, fmt, ap);
	va_end(ap);
}

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

static void ct_fill(u8 *p, u32 len, u64 seed)
{
	u32 i;

	for (i = 0; i < len; i++)
		p[i] = synthio_test_pattern(seed, i);
}

static bool ct_is_pattern(const u8 *p, u32 len, u64 seed, u32 *at)
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

static void ct_pause(struct ct_channel *c, bool pause)
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

static void ct_block(struct ct_channel *c, bool block)
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

static int ct_open(struct ct_device *dev)
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
static void ct_close(struct ct_device *dev)
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

/* Requests */

static bool ct_dead(struct ct_device *dev, struct ct_channel *c)
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

static void ct_expect(struct ct_channel *c, enum ct_expect expect, u32 data_len,
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

static int ct_wait_counts(struct ct_device *dev, struct ct_channel *c,
			  u32 received, u32 completed)
{
	if (!wait_event_timeout(ct_wait,
				c->wrong || ct_dead(dev, c) ||
				(READ_ONCE(c->received) >= received &&
				 READ_ONCE(c->completed) >= completed),
				msecs_to_jiffies(timeout_ms))) {
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

static int ct_check_rsp(struct ct_channel *c, u32 op)
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
static int ct_send(struct ct_device *dev, struct ct_channel *c, void *buf,
		   u32 len, u64 id, u64 *trans, bool complete, u32 *waits)
{
	u32 need = ALIGN(len + sizeof(struct vmpacket_descriptor), 8) + 8;
	u32 flags = complete ? VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED : 0;
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms);
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
						msecs_to_jiffies(timeout_ms))) {
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

static struct synthio_test_req *ct_request(u32 op, u32 arg0, u32 arg1, u32 len)
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
static int ct_call(struct ct_device *dev, struct ct_channel *c, u32 op,
		   u32 arg0, u32 arg1, const void *data, u32 len)
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

static int ct_echo_one(struct ct_device *dev, struct ct_channel *c, u32 size)
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

/* Commands. The lock is held, and there is an opened channel if they need it */

struct ct_args {
	int n;
	char *v[8];
};

static int ct_number(const struct ct_args *a, int i, u32 missing, u32 *value)
{
	int ret;

	*value = missing;
	if (i >= a->n)
		return 0;
	ret = kstrtou32(a->v[i], 0, value);
	if (ret)
		ct_say("%s is not a number\n", a->v[i]);
	return ret;
}

static int ct_parse_open(struct ct_device *dev, const struct ct_args *a)
{
	int i;

	dev->mode = HV_CALL_BATCHED;
	dev->copy = false;
	dev->ring = CT_RING_DEFAULT;
	dev->rqstor = 64;
	for (i = 1; i < a->n; i++) {
		if (!strcmp(a->v[i], "batched"))
			dev->mode = HV_CALL_BATCHED;
		else if (!strcmp(a->v[i], "direct"))
			dev->mode = HV_CALL_DIRECT;
		else if (!strcmp(a->v[i], "isr"))
			dev->mode = HV_CALL_ISR;
		else if (!strcmp(a->v[i], "copy"))
			dev->copy = true;
		else if (!strncmp(a->v[i], "ring=", 5) &&
			 !kstrtou32(a->v[i] + 5, 0, &dev->ring))
			continue;
		else if (!strncmp(a->v[i], "rqstor=", 7) &&
			 !kstrtou32(a->v[i] + 7, 0, &dev->rqstor))
			continue;
		else
			return -EINVAL;
	}
	return 0;
}

static int cmd_open(struct ct_device *dev, struct ct_args *a)
{
	int ret = ct_parse_open(dev, a);

	if (ret)
		return ret;
	if (dev->primary)
		return -EISCONN;
	ret = ct_open(dev);
	if (ret)
		ct_say("open: %d\n", ret);
	return ret;
}

static int cmd_close(struct ct_device *dev, struct ct_args *a)
{
	ct_close(dev);
	return 0;
}

static int cmd_loop(struct ct_device *dev, struct ct_args *a)
{
	u32 n, i;
	int ret;

	ret = ct_number(a, 1, 10, &n);
	if (ret)
		return ret;
	a->n -= min(a->n, 2) - 1;
	memmove(&a->v[1], &a->v[2], sizeof(a->v) - 2 * sizeof(a->v[0]));
	ret = ct_parse_open(dev, a);
	for (i = 0; i < n && !ret && !dev->gone; i++) {
		ret = ct_open(dev);
		if (ret)
			break;
		ret = ct_echo_one(dev, dev->primary, i % 4096);
		ct_close(dev);
	}
	ct_say("%u rounds\n", i);
	return dev->gone ? -ENODEV : ret;
}

static int cmd_echo(struct ct_device *dev, struct ct_args *a)
{
	u32 size, count, i;
	int ret;

	ret = ct_number(a, 1, 100, &size) ?: ct_number(a, 2, 1, &count);
	for (i = 0; !ret && i < count; i++)
		ret = ct_echo_one(dev, dev->primary, size);
	return ret;
}

static int cmd_sizes(struct ct_device *dev, struct ct_args *a)
{
	u32 size, step, n = 0;
	int ret;

	ret = ct_number(a, 1, 1, &step);
	if (!ret && !step)
		return -EINVAL;
	for (size = 0; !ret && size <= CT_MAX_DATA;
	     size += size < 64 ? 1 : step) {
		ret = ct_echo_one(dev, dev->primary, size);
		if (ret)
			ct_say("at %u bytes\n", size);
		n++;
	}
	ct_say("%u sizes\n", n);
	return ret;
}

/* Many echoes at once: the ring and the requestor fill up both ways */
static int cmd_flood(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	u32 count, size, window, i, waits = 0;
	u64 seq, trans;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 200, &size);
	if (ret)
		return ret;
	if (size < 8 || size > CT_MAX_DATA)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_ECHO, 0, 0, size);
	if (!req)
		return -ENOMEM;
	/* the host gives up on an echo for which its own ring has no room */
	window = max(dev->ring / 2 / (ALIGN(size, 8) + 128), 1u);
	ct_expect(c, EXPECT_SERIES, size, 0, true);
	for (i = 0; i < count && !ret; i++) {
		if (i >= window)
			ret = ct_wait_counts(dev, c, i - window + 1,
					     i - window + 1);
		if (ret)
			break;
		seq = i;
		memcpy(req->data, &seq, sizeof(seq));
		ct_fill(req->data + 8, size - 8, seq);
		ret = ct_send(dev, c, req, sizeof(*req) + size,
			      CT_ID_SERIES + i, &trans, true, &waits);
	}
	if (ret)
		ct_say("packet %u: %d\n", i, ret);
	else
		ret = ct_wait_counts(dev, c, count, count);
	ct_say("%u packets, ring full %u times\n", count, waits);
	kvfree(req);
	return ret;
}

static int cmd_source(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	u32 count, size, stall;
	u64 full = c->vc->intr_in_full;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 1000, &size) ?:
	      ct_number(a, 3, 0, &stall);
	if (ret)
		return ret;
	if (size < 8 || size > CT_MAX_DATA || stall > 5000)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_SOURCE, count, size, 0);
	if (!req)
		return -ENOMEM;
	ct_expect(c, EXPECT_SERIES, size, 0, false);
	if (stall)
		ct_pause(c, true);
	ret = ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, true, NULL);
	if (stall) {
		msleep(stall);
		ct_pause(c, false);
	}
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, count, 1);
	if (!ret)
		ret = ct_check_rsp(c, SYNTHIO_TEST_SOURCE);
	ct_say("%u packets, host told of room %llu times\n", c->received,
	       c->vc->intr_in_full - full);
	kvfree(req);
	return ret;
}

/*
 * Have the host stop reading: it is to send more than the ring and its own queue
 * hold, and does nothing else before it has. Returns how many packets will come, or an error.
 */
static int ct_block_host(struct ct_device *dev, struct ct_channel *c,
			 struct synthio_test_req *req)
{
	unsigned long end = jiffies + msecs_to_jiffies(timeout_ms);
	int ret;

	req->op = SYNTHIO_TEST_SOURCE;
	req->arg0 = (dev->ring + CT_BLOCK_BYTES) / CT_BLOCK_SIZE;
	req->arg1 = CT_BLOCK_SIZE;
	ct_expect(c, EXPECT_SERIES, CT_BLOCK_SIZE, 0, false);
	ct_block(c, true);
	ret = ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, false,
		      NULL);
	/* taken, and our ring as good as full? */
	while (!ret && (hv_get_bytes_to_read(&c->vc->outbound) ||
			hv_get_bytes_to_write(&c->vc->inbound) >
			2 * CT_BLOCK_SIZE)) {
		if (time_after(jiffies, end) || ct_dead(dev, c))
			ret = -ETIMEDOUT;
		usleep_range(500, 1000);
	}
	return ret ?: req->arg0;
}

/*
 * Packets to the host; it does not read them before the ring is full, or all
 * are sent, if that is asked for. Only the last one is completed, once all
 * before it were taken.
 */
static int ct_sink(struct ct_device *dev, u32 count, u32 size, bool block,
		   u32 *waits)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	int ret = 0, blocking = 0;
	u32 i;

	if (!count || size < 8 || size > CT_MAX_DATA)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_SINK, 0, 0, size);
	if (!req)
		return -ENOMEM;
	ct_expect(c, EXPECT_NOTHING, 0, 0, false);
	if (block) {
		req->len = 0;
		blocking = ct_block_host(dev, c, req);
		ret = min(blocking, 0);
		req->op = SYNTHIO_TEST_SINK;
		req->len = size;
	}
	for (i = 0; i < count && !ret; i++) {
		memcpy(req->data, &c->sink_next, sizeof(c->sink_next));
		ct_fill(req->data + 8, size - 8, c->sink_next);
		ret = ct_send(dev, c, req, sizeof(*req) + size, CT_ID_SINGLE,
			      NULL, i == count - 1, waits);
		c->sink_next++;
	}
	ct_block(c, false);
	if (ret)
		ct_say("send of packet %u: %d\n", i, ret);
	else
		ret = ct_wait_counts(dev, c, blocking, 1);
	kvfree(req);
	return ret ?: ct_check_rsp(c, SYNTHIO_TEST_SINK);
}

static int cmd_sink(struct ct_device *dev, struct ct_args *a)
{
	bool block = a->n > 3 && !strcmp(a->v[3], "blocked");
	u32 count, size, waits = 0;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 1000, &size);
	ret = ret ?: ct_sink(dev, count, size, block, &waits);
	ct_say("%u packets, ring full %u times\n", count, waits);
	return ret;
}

/* stall MS: the host answers late, and nothing is lost */
static int cmd_stall(struct ct_device *dev, struct ct_args *a)
{
	ktime_t start = ktime_get();
	u32 ms;
	int ret;

	ret = ct_number(a, 1, 100, &ms) ?:
	      ct_call(dev, dev->primary, SYNTHIO_TEST_STALL, ms, 0, NULL, 0);
	if (!ret && ktime_ms_delta(ktime_get(), start) < ms) {
		ct_say("answered after %lld ms\n",
		       ktime_ms_delta(ktime_get(), start));
		ret = -ERANGE;
	}
	return ret;
}

static int cmd_stats(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	int ret = ct_call(dev, c, SYNTHIO_TEST_STATS, 0, 0, NULL, 0);

	if (ret)
		return ret;
	ct_say("host: in %llu out %llu signals_in %llu signals_out %llu filled %llu\n",
	       c->rsp.value[0], c->rsp.value[1], c->rsp.value[2],
	       c->rsp.value[3], c->rsp.value[4]);
	ct_say("guest: interrupts %llu sig_events %llu out_empty %llu ",
	       c->vc->interrupts, c->vc->sig_events, c->vc->intr_out_empty);
	ct_say("in_full %llu out_full %llu callbacks %u\n",
	       c->vc->intr_in_full, c->vc->out_full_total, c->callbacks);
	return 0;
}

struct ct_counts {
	u64 host[6];
	u64 interrupts;
	u64 in_full;
	u64 sig_events;
};

static int ct_counts(struct ct_device *dev, struct ct_counts *now)
{
	struct ct_channel *c = dev->primary;
	int ret = ct_call(dev, c, SYNTHIO_TEST_STATS, 0, 0, NULL, 0);

	memcpy(now->host, c->rsp.value, sizeof(now->host));
	now->interrupts = c->vc->interrupts;
	now->sig_events = c->vc->sig_events;
	now->in_full = c->vc->intr_in_full;
	return ret;
}

/*
 * Both rings are filled while nobody reads them: that is once that they stop
 * being empty, so one signal, whatever the number of packets.
 */
static int cmd_signals(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct ct_counts before, after;
	struct synthio_test_req *req;
	u64 sent, heard, room, host_sent, host_filled;
	u32 count;
	int ret;

	ret = ct_number(a, 1, 50, &count) ?: ct_counts(dev, &before);
	if (ret)
		return ret;

	ret = ct_sink(dev, count, 64, true, NULL) ?: ct_counts(dev, &after);
	if (ret)
		return ret;
	sent = after.sig_events - before.sig_events;
	heard = after.host[2] - before.host[2];
	room = after.in_full - before.in_full;
	ct_say("to the host: %u packets, %llu signals sent, %llu of them for room, ",
	       count + 2, sent, room);
	ct_say("%llu heard, %llu needless\n", heard,
	       after.host[5] - before.host[5]);
	/* SOURCE, the packets, STATS; and room for what the host has to say */
	if (sent > 3 + room || heard > sent || after.host[5] != before.host[5]) {
		ct_say("that is too many\n");
		return -ERANGE;
	}

	before = after;
	ct_expect(c, EXPECT_SERIES, 64, 0, false);
	ct_pause(c, true);
	req = ct_request(SYNTHIO_TEST_SOURCE, count, 64, 0);
	ret = req ? ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, true,
			    NULL) : -ENOMEM;
	msleep(300);
	ct_pause(c, false);
	kvfree(req);
	ret = ret ?: ct_wait_counts(dev, c, count, 1) ?: ct_counts(dev, &after);
	if (ret)
		return ret;
	sent = after.interrupts - before.interrupts;
	host_sent = after.host[3] - before.host[3];
	host_filled = after.host[4] - before.host[4];
	ct_say("to the guest: %u packets, ring filled %llu times, ",
	       count + 2, host_filled);
	ct_say("%llu signals sent, %llu interrupts\n", host_sent, sent);
	if (host_sent > host_filled + 1 || sent > host_sent + 1) {
		ct_say("that is too many\n");
		return -ERANGE;
	}
	return 0;
}

static int ct_check_crc(struct ct_channel *c, const void *mem, u32 len)
{
	u32 crc = crc32_le(~0, mem, len) ^ ~0;

	if (c->rsp.value[0] == crc)
		return 0;
	ct_say("host reads CRC %#llx where it is %#x\n", c->rsp.value[0], crc);
	return -EBADMSG;
}

static int ct_check_filled(const u8 *mem, u32 len, u64 seed)
{
	u32 at;

	if (ct_is_pattern(mem, len, seed, &at))
		return 0;
	ct_say("byte %u was not written by the host\n", at);
	return -EBADMSG;
}

static int cmd_gpadl(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct vmbus_gpadl gpadl = {};
	u32 size;
	u8 *mem;
	int ret, err;

	ret = ct_number(a, 1, 4096, &size);
	if (ret)
		return ret;
	if (!size || !PAGE_ALIGNED(size) || size > 64 << 20)
		return -EINVAL;
	mem = vmalloc(size);
	if (!mem)
		return -ENOMEM;
	ct_fill(mem, size, size);
	ret = vmbus_establish_gpadl(c->vc, mem, size, &gpadl);
	if (ret) {
		ct_say("establish: %d\n", ret);
		vfree(mem);
		return ret;
	}
	ret = ct_call(dev, c, SYNTHIO_TEST_GPADL_CRC, gpadl.gpadl_handle, 0,
		      NULL, 0) ?: ct_check_crc(c, mem, size);
	ret = ret ?: ct_call(dev, c, SYNTHIO_TEST_GPADL_FILL,
			     gpadl.gpadl_handle, 77, NULL, 0) ?:
	      ct_check_filled(mem, size, 77);
	err = vmbus_teardown_gpadl(c->vc, &gpadl);
	if (err) {
		/* the host may still write it */
		ct_say("teardown: %d, memory is lost\n", err);
		return err;
	}
	vfree(mem);
	return ret;
}

static int ct_gpa_call(struct ct_device *dev, u32 op, u8 *mem, u32 offset,
		       u32 len)
{
	u32 pages = HVPFN_UP(offset + len), i;
	struct ct_channel *c = dev->primary;
	struct vmbus_packet_mpb_array *mpb;
	struct synthio_test_req req = { .op = op, .arg1 = 99 };
	u32 size = struct_size(mpb, range.pfn_array, pages);
	int ret;

	mpb = kzalloc(size, GFP_KERNEL);
	if (!mpb)
		return -ENOMEM;
	mpb->rangecount = 1;
	mpb->range.len = len;
	mpb->range.offset = offset;
	for (i = 0; i < pages; i++)
		mpb->range.pfn_array[i] =
			virt_to_hvpfn(mem + i * HV_HYP_PAGE_SIZE);
	ct_expect(c, EXPECT_NOTHING, 0, 0, false);
	ret = vmbus_sendpacket_mpb_desc(c->vc, mpb, size, &req, sizeof(req),
					CT_ID_SINGLE);
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, 0, 1);
	kfree(mpb);
	return ret ?: ct_check_rsp(c, op);
}

static int cmd_gpa(struct ct_device *dev, struct ct_args *a)
{
	u32 len, offset, before, after;
	u8 *mem;
	int ret;

	ret = ct_number(a, 1, 4096, &len) ?: ct_number(a, 2, 0, &offset);
	if (ret)
		return ret;
	if (!len || len > 1 << 20 || offset >= HV_HYP_PAGE_SIZE)
		return -EINVAL;
	mem = vzalloc(PAGE_ALIGN(offset + len + 1));
	if (!mem)
		return -ENOMEM;
	ct_fill(mem + offset, len, len);
	ret = ct_gpa_call(dev, SYNTHIO_TEST_GPA_CRC, mem, offset, len) ?:
	      ct_check_crc(dev->primary, mem + offset, len);
	before = offset ? mem[offset - 1] : 0;
	after = mem[offset + len];
	ret = ret ?: ct_gpa_call(dev, SYNTHIO_TEST_GPA_FILL, mem, offset, len) ?:
	      ct_check_filled(mem + offset, len, 99);
	if (!ret && ((offset && mem[offset - 1] != before) ||
		     mem[offset + len] != after)) {
		ct_say("host wrote beside the range\n");
		ret = -EBADMSG;
	}
	if (ret && !dev->primary->completed) {
		ct_say("host did not let go: memory is lost\n");
		return ret;
	}
	vfree(mem);
	return ret;
}

static int cmd_subchannels(struct ct_device *dev, struct ct_args *a)
{
	unsigned int i;
	u32 n;
	int ret;

	ret = ct_number(a, 1, 1, &n);
	if (ret)
		return ret;
	ret = ct_call(dev, dev->primary, SYNTHIO_TEST_SUBCHANNELS, n, 0, NULL, 0);
	if (ret)
		return ret;
	if (!wait_event_timeout(ct_wait,
				READ_ONCE(dev->nr_subs) >= n ||
				dev->sub_error || dev->gone,
				msecs_to_jiffies(timeout_ms))) {
		ct_say("%u of %u sub-channels came\n", dev->nr_subs, n);
		return -ETIMEDOUT;
	}
	if (dev->sub_error) {
		ct_say("opening a sub-channel: %d\n", dev->sub_error);
		return dev->sub_error;
	}
	for (i = 0; i < dev->nr_subs && !ret; i++)
		ret = ct_echo_one(dev, dev->subs[i], 1000 + i);
	ct_say("%u sub-channels\n", dev->nr_subs);
	return ret;
}

static int cmd_subecho(struct ct_device *dev, struct ct_args *a)
{
	u32 size, count, i, sub;
	int ret;

	ret = ct_number(a, 1, 100, &size) ?: ct_number(a, 2, 1, &count);
	if (!ret && !dev->nr_subs)
		return -ENOENT;
	for (i = 0; i < count && !ret; i++)
		for (sub = 0; sub < dev->nr_subs && !ret; sub++)
			ret = ct_echo_one(dev, dev->subs[sub], size);
	return ret;
}

/* modify VP CPU: the channel's interrupts then come to CPU */
static int cmd_modify(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	u32 vp, cpu;
	int ret;

	ret = ct_number(a, 1, 0, &vp) ?: ct_number(a, 2, vp, &cpu);
	if (ret)
		return ret;
	ret = vmbus_send_modifychannel(c->vc, vp);
	if (ret) {
		ct_say("modify: %d\n", ret);
		return ret;
	}
	/* Older hosts don't confirm: an echo later it has been done */
	msleep(50);
	ret = ct_echo_one(dev, c, 64) ?: ct_echo_one(dev, c, 64);
	ct_say("called back on CPU %u\n", c->callback_cpu);
	if (!ret && c->callback_cpu != cpu)
		ret = -ERANGE;
	return ret;
}

static int cmd_where(struct ct_device *dev, struct ct_args *a)
{
	int ret = ct_echo_one(dev, dev->primary, 64);

	ct_say("%u\n", dev->primary->callback_cpu);
	return ret;
}

/*
 * Packets that no host may send. @len: bytes that the host writes, of which
 * the first 16 are the header.
 */
struct ct_raw {
	const char *name;
	u16 type, offset8, len8, flags;
	u64 trans;
	u32 len;
	u8 fill;
};

static const struct ct_raw ct_raws[] = {
	{ "all zero",			0, 0, 0, 0, 0, 16, 0 },
	{ "length 0",			6, 2, 0, 0, 1, 16, 0 },
	{ "length 1",			6, 2, 1, 0, 1, 16, 0 },
	{ "length below offset",	6, 4, 3, 0, 1, 32, 0 },
	{ "offset 0",			6, 0, 4, 0, 1, 32, 0 },
	{ "offset in the header",	6, 1, 4, 0, 1, 32, 0 },
	{ "offset at the end",		6, 4, 4, 0, 1, 32, 0 },
	{ "offset behind the end",	6, 5, 4, 0, 1, 32, 0 },
	{ "offset 0xffff",		6, 0xffff, 4, 0, 1, 32, 0 },
	{ "length 0xffff",		6, 2, 0xffff, 0, 1, 32, 0 },
	{ "offset and length 0xffff",	6, 0xffff, 0xffff, 0, 1, 32, 0 },
	{ "longer than what is there",	6, 2, 64, 0, 1, 32, 0 },
	{ "longer than the ring",	6, 2, 0x4001, 0, 1, 32, 0 },
	{ "longer than max_pkt_size",	6, 2, 0x0900, 0, 1, 32, 0 },
	{ "shorter than what is there",	6, 2, 2, 0, 1, 64, 0xa5 },
	{ "type 0",			0, 2, 4, 0, 1, 32, 0 },
	{ "type 1",			1, 2, 4, 0, 1, 32, 0 },
	{ "type 5",			5, 2, 4, 0, 1, 32, 0 },
	{ "type 8",			8, 2, 4, 0, 1, 32, 0 },
	{ "type 0xa",			10, 2, 4, 0, 1, 32, 0 },
	{ "type 0xffff",		0xffff, 2, 4, 0, 1, 32, 0 },
	{ "transfer pages without end",	7, 4, 6, 0, 1, 48, 0xff },
	{ "transfer pages, bare header", 7, 2, 2, 0, 1, 16, 0 },
	{ "GPA-direct from the host",	9, 4, 6, 0, 1, 48, 0xff },
	{ "completion of nothing",	11, 2, 9, 0, 4242, 72, 0 },
	{ "completion of id 0",		11, 2, 9, 0, 0, 72, 0 },
	{ "completion of the last id",	11, 2, 9, 0, U64_MAX, 72, 0 },
	{ "completion of an error id",	11, 2, 9, 0, U64_MAX - 1, 72, 0 },
	{ "completion without payload",	11, 2, 2, 0, 1, 16, 0 },
	{ "unknown flags",		6, 2, 4, 0xfffe, 1, 32, 0 },
	{ "half a header",		6, 2, 4, 0, 1, 8, 0 },
	{ "all ones",			0xffff, 0xffff, 0xffff, 0xffff, U64_MAX, 256, 0xff },
};

/* After an attack: it still works, or it works once opened again */
static int ct_recover(struct ct_device *dev, bool *survived)
{
	unsigned int old = timeout_ms;
	int ret;

	timeout_ms = min(old, 500u);
	ret = ct_echo_one(dev, dev->primary, 200);
	timeout_ms = old;
	*survived = !ret;
	if (!ret)
		return 0;
	ct_close(dev);
	ret = ct_open(dev);
	if (ret)
		ct_say("can't be opened again: %d\n", ret);
	else
		ret = ct_echo_one(dev, dev->primary, 200);
	return ret;
}

static int ct_raw_one(struct ct_device *dev, const struct ct_raw *raw)
{
	u32 len = sizeof(struct vmpacket_descriptor) + 240;
	struct vmpacket_descriptor *d;
	struct synthio_test_req *req;
	bool survived;
	int ret;

	req = ct_request(SYNTHIO_TEST_RAW, 0, 0, len);
	if (!req)
		return -ENOMEM;
	d = (void *)req->data;
	memset(d, raw->fill, len);
	d->type = raw->type;
	d->offset8 = raw->offset8;
	d->len8 = raw->len8;
	d->flags = raw->flags;
	d->trans_id = raw->trans;
	req->len = raw->len;
	ct_expect(dev->primary, EXPECT_NOTHING, 0, 0, false);
	ret = ct_send(dev, dev->primary, req, sizeof(*req) + raw->len,
		      CT_ID_SINGLE, NULL, false, NULL);
	kvfree(req);
	if (ret)
		return ret;
	msleep(20);
	ret = ct_recover(dev, &survived);
	ct_result_len = 0;
	ct_say("%s: %s\n", raw->name, ret ? "not usable any more" :
	       survived ? "survived" : "usable once opened again");
	return ret;
}

/* raw N: the Nth malformed packet; without a number: how many there are */
static int cmd_raw(struct ct_device *dev, struct ct_args *a)
{
	u32 n;
	int ret = ct_number(a, 1, U32_MAX, &n);

	if (ret)
		return ret;
	if (n == U32_MAX) {
		ct_say("%zu\n", ARRAY_SIZE(ct_raws));
		return 0;
	}
	if (n >= ARRAY_SIZE(ct_raws))
		return -EINVAL;
	return ct_raw_one(dev, &ct_raws[n]);
}

static int cmd_badindex(struct ct_device *dev, struct ct_args *a)
{
	struct synthio_test_req req = { .op = SYNTHIO_TEST_BAD_INDEX };
	bool survived;
	int ret;

	ret = ct_number(a, 1, 0xfffffff8, &req.arg0);
	if (ret)
		return ret;
	ct_expect(dev->primary, EXPECT_NOTHING, 0, 0, false);
	ret = ct_send(dev, dev->primary, &req, sizeof(req), CT_ID_SINGLE, NULL,
		      false, NULL);
	if (ret)
		return ret;
	msleep(20);
	ret = ct_recover(dev, &survived);
	ct_result_len = 0;
	ct_say("index %#x: %s\n", req.arg0, ret ? "not usable any more" :
	       survived ? "survived" : "usable once opened again");
	return ret;
}

static int cmd_spurious(struct ct_device *dev, struct ct_args *a)
{
	u32 n;
	int ret = ct_number(a, 1, 100, &n);

	return ret ?: ct_call(dev, dev->primary, SYNTHIO_TEST_SPURIOUS, n, 0,
			      NULL, 0) ?: ct_echo_one(dev, dev->primary, 100);
}

static int ct_run_locked(struct ct_args *a);

/*
 * rescind AFTER_MS BACK_MS [COMMAND...]: with a command, that one runs until
 * the rescind makes it fail, as it must
 */
static int cmd_rescind(struct ct_device *dev, struct ct_args *a)
{
	u32 after, back;
	int ret;

	ret = ct_number(a, 1, 0, &after) ?: ct_number(a, 2, 200, &back) ?:
	      ct_call(dev, dev->primary, SYNTHIO_TEST_RESCIND, after, back,
		      NULL, 0);
	/* a rescind at once may overtake the answer */
	if (ret == -ENODEV)
		ret = 0;
	if (ret || a->n <= 3)
		return ret;
	a->n -= 3;
	memmove(a->v, a->v + 3, a->n * sizeof(a->v[0]));
	if (!strcmp(a->v[0], "loop"))
		ct_close(dev);
	ret = ct_run_locked(a);
	if (!ret) {
		ct_say("%s ended before the rescind\n", a->v[0]);
		return -ERANGE;
	}
	ct_say("%s: %d\n", a->v[0], ret);
	return 0;
}

/* message HEX: the host posts this as a channel message */
static int cmd_message(struct ct_device *dev, struct ct_args *a)
{
	size_t len, i;
	u8 msg[240];

	if (a->n != 2)
		return -EINVAL;
	len = strlen(a->v[1]);
	if (!len || len & 1 || len > 2 * sizeof(msg))
		return -EINVAL;
	for (i = 0; i < len / 2; i++)
		if (sscanf(a->v[1] + 2 * i, "%2hhx", &msg[i]) != 1)
			return -EINVAL;
	return ct_call(dev, dev->primary, SYNTHIO_TEST_MESSAGE, 0, 0, msg,
		       len / 2) ?: ct_echo_one(dev, dev->primary, 100);
}

/* offer: what the bus keeps of our offer, in hex, for message */
static int cmd_offer(struct ct_device *dev, struct ct_args *a)
{
	struct vmbus_channel *vc = dev->hv->channel;

	ct_say("relid %u connection %u\n%*phN\n", vc->offermsg.child_relid,
	       vc->offermsg.connection_id, (int)sizeof(vc->offermsg.header),
	       &vc->offermsg.header);
	return 0;
}

static int cmd_mmio(struct ct_device *dev, struct ct_args *a)
{
	struct resource *one, *two;
	resource_size_t start;
	u32 size, align;
	int ret;

	ret = ct_number(a, 1, 1 << 20, &size) ?: ct_number(a, 2, 4096, &align);
	if (ret)
		return ret;
	ret = vmbus_allocate_mmio(&one, dev->hv, 0, -1, size, align, false);
	if (ret) {
		ct_say("first: %d\n", ret);
		return ret;
	}
	start = one->start;
	ct_say("%pR\n", one);
	if (resource_size(one) != size || !IS_ALIGNED(start, align)) {
		ct_say("not what was asked for\n");
		ret = -ERANGE;
	}
	if (!ret) {
		ret = vmbus_allocate_mmio(&two, dev->hv, 0, -1, size, align,
					  false);
		if (ret) {
			ct_say("second: %d\n", ret);
		} else {
			ct_say("%pR\n", two);
			if (two->start < start + size &&
			    start < two->start + size) {
				ct_say("they overlap\n");
				ret = -ERANGE;
			}
			vmbus_free_mmio(two->start, size);
		}
	}
	vmbus_free_mmio(start, size);
	return ret;
}

static const struct ct_command {
	const char *name;
	bool opened;		/* wants an opened channel */
	bool closed;		/* wants a closed one */
	int (*run)(struct ct_device *dev, struct ct_args *a);
	const char *help;
} ct_commands[] = {
	{ "open", false, true, cmd_open,
	  "[batched|direct|isr] [copy] [ring=BYTES] [rqstor=N]" },
	{ "close", false, false, cmd_close, "" },
	{ "loop", false, true, cmd_loop, "ROUNDS [as open]: open, echo, close" },
	{ "echo", true, false, cmd_echo, "SIZE [COUNT]" },
	{ "sizes", true, false, cmd_sizes, "[STEP]: echo of 0 to 16384 bytes" },
	{ "flood", true, false, cmd_flood, "COUNT SIZE: echoes at once" },
	{ "source", true, false, cmd_source, "COUNT SIZE [STALL_MS]" },
	{ "sink", true, false, cmd_sink, "COUNT SIZE [blocked]" },
	{ "stall", true, false, cmd_stall, "MS" },
	{ "stats", true, false, cmd_stats, "" },
	{ "signals", true, false, cmd_signals, "[COUNT]: none too many" },
	{ "gpadl", true, false, cmd_gpadl, "BYTES" },
	{ "gpa", true, false, cmd_gpa, "BYTES [OFFSET]" },
	{ "subchannels", true, false, cmd_subchannels, "COUNT: have that many, in all" },
	{ "subecho", true, false, cmd_subecho, "SIZE [COUNT]" },
	{ "modify", true, false, cmd_modify, "VP [CPU]" },
	{ "where", true, false, cmd_where, ": the CPU that is called back on" },
	{ "raw", true, false, cmd_raw, "[N]: malformed packet N" },
	{ "badindex", true, false, cmd_badindex, "VALUE" },
	{ "spurious", true, false, cmd_spurious, "COUNT" },
	{ "rescind", true, false, cmd_rescind, "AFTER_MS BACK_MS [COMMAND...]" },
	{ "message", true, false, cmd_message, "HEX" },
	{ "offer", false, false, cmd_offer, "" },
	{ "mmio", false, false, cmd_mmio, "BYTES [ALIGN]" },
};

/*
 * wait N [MS]: until a device has come for the Nth time. The lock is not held:
 * the device needs it to come and go
 */
static int cmd_wait(struct ct_args *a)
{
	unsigned int probes;
	unsigned long end;
	u32 want, ms;
	int ret;

	ret = ct_number(a, 1, 1, &want) ?: ct_number(a, 2, timeout_ms, &ms);
	if (ret)
		return ret;
	end = jiffies + msecs_to_jiffies(ms);
	for (;;) {
		mutex_lock(&chantest_lock);
		probes = ct_dev ? ct_probes : 0;
		mutex_unlock(&chantest_lock);
		if (probes >= want)
			return 0;
		if (time_after(jiffies, end))
			return -ETIMEDOUT;
		if (msleep_interruptible(10))
			return -EINTR;
	}
}

static void cmd_help(void)
{
	size_t i;

	ct_say("wait N [MS]: until the device has come N times\n");
	for (i = 0; i < ARRAY_SIZE(ct_commands); i++)
		ct_say("%s %s\n", ct_commands[i].name, ct_commands[i].help);
}

static int ct_run_locked(struct ct_args *a)
{
	const struct ct_command *cmd = NULL;
	size_t i;

	if (!strcmp(a->v[0], "help")) {
		cmd_help();
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(ct_commands); i++)
		if (!strcmp(a->v[0], ct_commands[i].name))
			cmd = &ct_commands[i];
	if (!cmd) {
		ct_say("no such command: %s\n", a->v[0]);
		return -EINVAL;
	}
	if (!ct_dev || READ_ONCE(ct_dev->gone)) {
		ct_say("no device\n");
		return -ENODEV;
	}
	if (cmd->opened && !ct_dev->primary) {
		ct_say("not open\n");
		return -ENOTCONN;
	}
	if (cmd->closed && ct_dev->primary) {
		ct_say("open already\n");
		return -EISCONN;
	}
	return cmd->run(ct_dev, a);
}

static int ct_run(char *line)
{
	struct ct_args a = {};
	char *word;
	int ret;

	while ((word = strsep(&line, " \t\n"))) {
		if (!*word)
			continue;
		if (a.n == ARRAY_SIZE(a.v))
			return -E2BIG;
		a.v[a.n++] = word;
	}
	if (!a.n)
		return -EINVAL;
	if (!strcmp(a.v[0], "wait"))
		return cmd_wait(&a);

	mutex_lock(&chantest_lock);
	ct_result_len = 0;
	ct_result[0] = 0;
	ret = ct_run_locked(&a);
	mutex_unlock(&chantest_lock);
	return ret;
}

static ssize_t ct_command_write(struct file *file, const char __user *buf,
				size_t len, loff_t *pos)
{
	char *line;
	int ret;

	if (len >= CT_LINE)
		return -E2BIG;
	line = memdup_user_nul(buf, len);
	if (IS_ERR(line))
		return PTR_ERR(line);
	ret = ct_run(line);
	kfree(line);
	return ret ?: len;
}

static const struct file_operations ct_command_fops = {
	.owner	= THIS_MODULE,
	.open	= simple_open,
	.write	= ct_command_write,
};

static int ct_result_show(struct seq_file *m, void *unused)
{
	mutex_lock(&chantest_lock);
	seq_puts(m, ct_result);
	mutex_unlock(&chantest_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ct_result);

static int ct_state_show(struct seq_file *m, void *unused)
{
	mutex_lock(&chantest_lock);
	if (ct_dev)
		seq_printf(m, "%s: %s, %u sub-channels\n",
			   dev_name(&ct_dev->hv->device),
			   ct_dev->primary ? "open" : "closed",
			   ct_dev->nr_subs);
	else
		seq_puts(m, "no device\n");
	seq_printf(m, "probes %u\n", ct_probes);
	mutex_unlock(&chantest_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(ct_state);

/* The driver */

static int ct_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct ct_device *dev = kzalloc(sizeof(*dev), GFP_KERNEL);

	if (!dev)
		return -ENOMEM;
	dev->hv = hv;
	mutex_init(&dev->sub_lock);
	hv_set_drvdata(hv, dev);
	mutex_lock(&chantest_lock);
	if (ct_dev) {
		mutex_unlock(&chantest_lock);
		hv_set_drvdata(hv, NULL);
		kfree(dev);
		dev_err(&hv->device, "one test device is enough\n");
		return -EBUSY;
	}
	ct_dev = dev;
	ct_probes++;
	mutex_unlock(&chantest_lock);
	return 0;
}

static compat_remove_t ct_remove(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);

	WRITE_ONCE(dev->gone, true);
	/* A command may open and close meanwhile: wake it until it has ended */
	while (!mutex_trylock(&chantest_lock)) {
		wake_up_all(&ct_wait);
		msleep(20);
	}
	ct_dev = NULL;
	ct_close(dev);
	mutex_unlock(&chantest_lock);
	hv_set_drvdata(hv, NULL);
	kfree(dev);
	return COMPAT_REMOVE_DONE;
}

/* Hibernation: what was open is open again afterwards */
static int ct_suspend(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);

	mutex_lock(&chantest_lock);
	dev->reopen = dev->primary;
	ct_close(dev);
	mutex_unlock(&chantest_lock);
	return 0;
}

static int ct_resume(struct hv_device *hv)
{
	struct ct_device *dev = hv_get_drvdata(hv);
	int ret = 0;

	mutex_lock(&chantest_lock);
	if (dev->reopen)
		ret = ct_open(dev);
	mutex_unlock(&chantest_lock);
	return ret;
}

static const struct hv_vmbus_device_id ct_ids[] = {
	{ .guid = SYNTHIO_TEST_GUID_INIT },
	{}
};
MODULE_DEVICE_TABLE(vmbus, ct_ids);

static struct hv_driver ct_driver = {
	.name		= "synth_chantest",
	.id_table	= ct_ids,
	.probe		= ct_probe,
	.remove		= ct_remove,
	.suspend	= ct_suspend,
	.resume		= ct_resume,
};

static int __init chantest_init(void)
{
	int ret;

	ret = vmbus_driver_register(&ct_driver);
	if (ret)
		return ret;
	ct_debugfs = debugfs_create_dir("synth_chantest", NULL);
	debugfs_create_file("command", 0200, ct_debugfs, NULL, &ct_command_fops);
	debugfs_create_file("result", 0400, ct_debugfs, NULL, &ct_result_fops);
	debugfs_create_file("state", 0400, ct_debugfs, NULL, &ct_state_fops);
	return 0;
}

static void __exit chantest_exit(void)
{
	debugfs_remove_recursive(ct_debugfs);
	vmbus_driver_unregister(&ct_driver);
}

module_init(chantest_init);
module_exit(chantest_exit);
MODULE_DESCRIPTION("Drives the VMBus test device of synthio's reference host");
MODULE_LICENSE("GPL");
