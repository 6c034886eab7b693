// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channel of a mouse. The host is asked whether it accepts the version, then describes
 * its device unprompted, which is acknowledged once, and sends reports.
 */
#include <linux/device.h>
#include <linux/jiffies.h>

#include "mouse.h"

#define RING_BYTES	VMBUS_RING_SIZE(36 * 1024)
#define PACKET_MAX	8192	/* more than a descriptor of maximum size and headers */

static void save_info(struct synm *m, const struct synm_message *msg)
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

	/* no packet of this driver asks for a completion */
	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		synth_input_drop(&m->link, "a packet of an unknown type");
		return;
	}
	ret = synm_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, &msg);
	if (ret) {
		synth_input_drop(&m->link, ret == -ENOMSG ? "a message of an unknown type" :
			    "a malformed message");
		return;
	}
	if (msg.type == SYNTHHID_PROTOCOL_RESPONSE &&
	    m->link.state == SYNTH_INPUT_ASKED) {
		synth_input_set_state(&m->link, msg.approved ? SYNTH_INPUT_ACCEPTED :
			  SYNTH_INPUT_REFUSED);
		if (!msg.approved)
			complete(&m->link.answered);
	} else if (msg.type == SYNTHHID_DEVICE_INFO &&
		   m->link.state == SYNTH_INPUT_ACCEPTED) {
		save_info(m, &msg);
		synth_input_set_state(&m->link, SYNTH_INPUT_LIVE);
		complete(&m->link.answered);
	} else if (msg.type == SYNTHHID_INPUT_REPORT &&
		   m->link.state == SYNTH_INPUT_LIVE) {
		if (!synm_hid_report(m, msg.data, msg.len))
			synth_input_drop(&m->link, "a report that is not in its descriptor");
		pm_wakeup_hard_event(&m->link.hv->device);
	} else {
		synth_input_drop(&m->link, "a message out of turn");
	}
}

static void channel_callback(void *context)
{
	struct synm *m = context;
	struct vmpacket_descriptor *desc;

	spin_lock(&m->link.rx_lock);
	foreach_vmbus_pkt(desc, m->link.hv->channel) {
		if (m->link.state != SYNTH_INPUT_CLOSED)
			receive(m, desc);
	}
	spin_unlock(&m->link.rx_lock);
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

	return vmbus_sendpacket(m->link.hv->channel, &msg, sizeof(msg), 0,
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

	return vmbus_sendpacket(m->link.hv->channel, &msg, sizeof(msg), 0,
				VM_PKT_DATA_INBAND, 0);
}

static int negotiate(struct synm *m)
{
	int ret = send_request(m);

	if (!ret)
		ret = synth_input_wait(&m->link);
	return ret ?: send_ack(m);
}

/**
 * synm_channel_open() - open the channel, and get the host's description of the device
 * @m: the mouse, whose channel is closed
 *
 * m->next is the description, and does not change until the channel is opened again.
 *
 * Context: process, sleeps up to 10 seconds for the answers.
 * Return: 0; -ENODEV if the device was rescinded; -ETIMEDOUT; -EPROTO if the host refuses
 * the version; or what vmbus_open() returns. The channel is closed again then.
 */
int synm_channel_open(struct synm *m)
{
	struct vmbus_channel *vc = m->link.hv->channel;
	int ret;

	reinit_completion(&m->link.answered);
	synth_input_change_state(&m->link, SYNTH_INPUT_ASKED);
	synthio_take_channel(vc, PACKET_MAX, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(vc, RING_BYTES, RING_BYTES, NULL, 0, channel_callback,
			 m);
	if (ret) {
		synth_input_change_state(&m->link, SYNTH_INPUT_CLOSED);
		synthio_leave_channel(vc);
		dev_err(&m->link.hv->device, "the channel can't be opened: %d\n", ret);
		return ret;
	}
	ret = negotiate(m);
	if (ret) {
		dev_err(&m->link.hv->device, "%s: %d\n", ret == -EPROTO ?
			"the host does not accept version 2.0 of the mouse's protocol" :
			"the host does not describe its mouse", ret);
		synm_channel_close(m);
	}
	return ret;
}

/**
 * synm_channel_close() - the mirror of synm_channel_open(); harmless on a closed channel
 * @m: the mouse; no report arrives any more afterwards
 *
 * Context: process, sleeps.
 */
void synm_channel_close(struct synm *m)
{
	if (READ_ONCE(m->link.state) == SYNTH_INPUT_CLOSED)
		return;
	synth_input_change_state(&m->link, SYNTH_INPUT_CLOSED);
	vmbus_close(m->link.hv->channel);
	synthio_leave_channel(m->link.hv->channel);
}
