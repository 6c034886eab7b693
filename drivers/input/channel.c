// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel to the host, which is opened, asked for its version, says what the
 * device is, and is told once that this was heard. Then it sends reports.
 */
#include <linux/device.h>
#include <linux/jiffies.h>

#include "mouse.h"

#define RING_BYTES	VMBUS_RING_SIZE(36 * 1024)
#define PACKET_MAX	8192	/* descriptor and headers, with room to spare */
#define HOST_WAIT	(10 * HZ)

static void bad_message(struct synm *m, const char *what)
{
	m->bad++;
	dev_warn_ratelimited(&m->hv->device, "%s from the host, ignored\n",
			     what);
}

static void take_info(struct synm *m, const struct synm_message *msg)
{
	m->next.vendor = msg->vendor;
	m->next.product = msg->product;
	m->next.version = msg->device_version;
	m->next.desc_len = msg->len;
	memcpy(m->next.desc, msg->data, msg->len);
	synm_fix_descriptor(m->next.desc, msg->len);
}

/* rx_lock is held */
static void receive(struct synm *m, const struct vmpacket_descriptor *desc)
{
	struct synm_message msg;
	int ret;

	/* completions, of packets that want none, say nothing */
	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		bad_message(m, "a packet of an unknown type");
		return;
	}
	ret = synm_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, &msg);
	if (ret) {
		bad_message(m, ret == -ENOMSG ? "a message of an unknown type" :
			    "a malformed message");
		return;
	}
	if (msg.type == SYNTHHID_PROTOCOL_RESPONSE && m->state == SYNM_ASKED) {
		m->approved = msg.approved;
		m->state = SYNM_AGREED;
		/* a device that is not approved says nothing more */
		if (!msg.approved)
			complete(&m->answered);
	} else if (msg.type == SYNTHHID_DEVICE_INFO &&
		   m->state == SYNM_AGREED && m->approved) {
		take_info(m, &msg);
		m->state = SYNM_LIVE;
		complete(&m->answered);
	} else if (msg.type == SYNTHHID_INPUT_REPORT && m->state == SYNM_LIVE) {
		if (!synm_hid_report(m, msg.data, msg.len))
			bad_message(m, "a report that the device has not");
		pm_wakeup_hard_event(&m->hv->device);
	} else {
		bad_message(m, "a message that nobody waits for");
	}
}

static void channel_callback(void *context)
{
	struct synm *m = context;
	struct vmpacket_descriptor *desc;

	spin_lock(&m->rx_lock);
	foreach_vmbus_pkt(desc, m->hv->channel) {
		if (m->state != SYNM_CLOSED)
			receive(m, desc);
	}
	spin_unlock(&m->rx_lock);
}

static int send_request(struct synm *m)
{
	struct {
		struct synthio_pipe pipe;
		struct synthhid_protocol_request request;
	} msg = {
		.pipe = { SYNTHIO_PIPE_DATA, sizeof(msg.request) },
		.request = {
			.header = { SYNTHHID_PROTOCOL_REQUEST, sizeof(u32) },
			.version = SYNTHHID_VERSION_2_0,
		},
	};

	return vmbus_sendpacket(m->hv->channel, &msg, sizeof(msg), 0,
				VM_PKT_DATA_INBAND, 0);
}

static int send_ack(struct synm *m)
{
	struct {
		struct synthio_pipe pipe;
		struct synthhid_device_info_ack ack;
	} __packed msg = {
		.pipe = { SYNTHIO_PIPE_DATA, sizeof(msg.ack) },
		.ack.header = { SYNTHHID_DEVICE_INFO_ACK, 1 },
	};

	return vmbus_sendpacket(m->hv->channel, &msg, sizeof(msg), 0,
				VM_PKT_DATA_INBAND, 0);
}

static void set_state(struct synm *m, enum synm_state state)
{
	spin_lock_irq(&m->rx_lock);
	m->state = state;
	m->approved = false;
	spin_unlock_irq(&m->rx_lock);
}

/* The host answers in time, or has gone */
static int wait_for_host(struct synm *m)
{
	unsigned long deadline = jiffies + HOST_WAIT;

	while (!wait_for_completion_timeout(&m->answered, HZ / 4)) {
		if (READ_ONCE(m->hv->channel->rescind))
			return -ENODEV;
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
	}
	return 0;
}

static int negotiate(struct synm *m)
{
	bool approved;
	int ret;

	ret = send_request(m);
	if (!ret)
		ret = wait_for_host(m);
	if (ret)
		return ret;
	spin_lock_irq(&m->rx_lock);
	approved = m->approved;
	spin_unlock_irq(&m->rx_lock);
	if (!approved)
		return -EPROTO;
	return send_ack(m);
}

/**
 * synm_channel_open() - open the channel, and learn what the device is
 * @m: closed
 *
 * m->next says what it is, and does not change until the channel is opened
 * again.
 * Context: process, sleeps up to 10 seconds.
 * Return: 0; -ENODEV: the device was taken away; -ETIMEDOUT; -EPROTO: the host
 * does not speak our version; or what vmbus_open() says.
 */
int synm_channel_open(struct synm *m)
{
	struct vmbus_channel *vc = m->hv->channel;
	int ret;

	reinit_completion(&m->answered);
	set_state(m, SYNM_ASKED);
	synthio_take_channel(vc, PACKET_MAX, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(vc, RING_BYTES, RING_BYTES, NULL, 0, channel_callback,
			 m);
	if (ret) {
		set_state(m, SYNM_CLOSED);
		synthio_leave_channel(vc);
		dev_err(&m->hv->device, "the channel does not open: %d\n", ret);
		return ret;
	}
	ret = negotiate(m);
	if (ret) {
		synm_channel_close(m);
		dev_err(&m->hv->device, "%s: %d\n", ret == -EPROTO ?
			"the host does not know version 2.0" :
			"no device from the host", ret);
	}
	return ret;
}

/**
 * synm_channel_close() - the mirror; no report comes any more
 * @m: open, or closed: then it is harmless
 *
 * Context: process, sleeps.
 */
void synm_channel_close(struct synm *m)
{
	set_state(m, SYNM_CLOSED);
	vmbus_close(m->hv->channel);
	synthio_leave_channel(m->hv->channel);
}
