// SPDX-License-Identifier: GPL-2.0-only
/*
 * synth_keyboard: a keyboard port behind the synthetic keyboard's protocol.
 *
 * The host's events are the scan codes of a PC's keyboard, as its controller
 * translates them: so this is a serio port, and the kernel's atkbd makes an input
 * device of it, with its keymap and its LEDs. What atkbd sends to its keyboard is
 * answered here (keyboard_message.c), and LEDs are told to the host.
 *
 * The channel's callback runs in a tasklet. It holds rx_lock for each message, and
 * synk_write() holds it for each answer, so that their bytes do not mix. SysRq keys
 * are handled under this lock, also one that panics: nothing in a panic takes it.
 * Everything else runs in process context, serialised by the bus.
 */
#include <linux/completion.h>
#include <linux/device.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/serio.h>
#include <linux/slab.h>
#include <linux/spinlock.h>

#include <synthio/driver.h>

#include "keyboard_message.h"

#define SYNK_NAME	"synth_keyboard"

#define RING_BYTES	VMBUS_RING_SIZE(36 * 1024)
#define PACKET_MAX	1024	/* messages have 12 bytes */
#define HOST_WAIT	(10 * HZ)

/**
 * enum synk_state - how far the channel is
 * @SYNK_CLOSED: what comes is not looked at
 * @SYNK_ASKED: the host is to say whether the version suits it
 * @SYNK_LIVE: it sends keys
 */
enum synk_state {
	SYNK_CLOSED,
	SYNK_ASKED,
	SYNK_LIVE,
};

/**
 * struct synk - a keyboard
 * @hv: its device on the bus
 * @serio: freed by serio when it is unregistered
 * @rx_lock: of what follows up to @bad
 * @state: see there
 * @refused: the host does not know the version
 * @started: somebody takes the port's bytes
 * @ps2: the keyboard as atkbd sees it
 * @leds: as the host was told last
 * @bad: messages that were no use
 * @answered: the host has said whether the version suits it
 */
struct synk {
	struct hv_device *hv;
	struct serio *serio;

	spinlock_t rx_lock;
	enum synk_state state;
	bool refused;
	bool started;
	struct synk_ps2 ps2;
	u8 leds;
	u64 bad;

	struct completion answered;
};

static void bad_message(struct synk *k, const char *what)
{
	k->bad++;
	dev_warn_ratelimited(&k->hv->device, "%s from the host, ignored\n",
			     what);
}

/* --- the port ------------------------------------------------------------------ */

/* Pass bytes to the driver of the port, if there is one; rx_lock is held */
static void give(struct synk *k, const u8 *bytes, u32 count)
{
	u32 i;

	for (i = 0; k->started && i < count; i++)
		serio_interrupt(k->serio, bytes[i], 0);
}

/* Does nothing if the channel is not open; rx_lock is held */
static void tell_leds(struct synk *k)
{
	struct synthkbd_led_indicators msg = {
		.header.type = SYNTHKBD_LED_INDICATORS,
		.leds = k->ps2.leds,
	};

	if (k->state == SYNK_LIVE && k->leds != k->ps2.leds &&
	    !vmbus_sendpacket(k->hv->channel, &msg, sizeof(msg), 0,
			      VM_PKT_DATA_INBAND, 0))
		k->leds = k->ps2.leds;
}

static int synk_write(struct serio *serio, unsigned char byte)
{
	struct synk *k = serio->port_data;
	u8 answer[SYNK_MAX_ANSWER];
	unsigned long flags;
	u32 count;

	spin_lock_irqsave(&k->rx_lock, flags);
	count = synk_command(&k->ps2, byte, answer);
	tell_leds(k);
	give(k, answer, count);
	spin_unlock_irqrestore(&k->rx_lock, flags);
	return 0;
}

static void set_started(struct synk *k, bool started)
{
	spin_lock_irq(&k->rx_lock);
	k->started = started;
	spin_unlock_irq(&k->rx_lock);
}

static int synk_start(struct serio *serio)
{
	set_started(serio->port_data, true);
	return 0;
}

static void synk_stop(struct serio *serio)
{
	set_started(serio->port_data, false);
}

static int make_port(struct synk *k)
{
	struct serio *serio = kzalloc(sizeof(*serio), GFP_KERNEL);

	if (!serio)
		return -ENOMEM;
	serio->id.type = SERIO_8042_XL;
	serio->dev.parent = &k->hv->device;
	serio->port_data = k;
	serio->write = synk_write;
	serio->start = synk_start;
	serio->stop = synk_stop;
	strscpy(serio->name, "Synthetic keyboard", sizeof(serio->name));
	strscpy(serio->phys, dev_name(&k->hv->device), sizeof(serio->phys));
	k->serio = serio;
	return 0;
}

/* --- the channel ----------------------------------------------------------------- */

/* rx_lock is held */
static void take_event(struct synk *k, const struct synk_message *msg)
{
	u8 bytes[SYNK_MAX_BYTES];

	give(k, bytes, synk_bytes(msg, bytes));
	/* the release of the key that started a suspend must not end it */
	if (!(msg->info & SYNTHKBD_BREAK))
		pm_wakeup_hard_event(&k->hv->device);
}

/* rx_lock is held */
static void receive(struct synk *k, const struct vmpacket_descriptor *desc)
{
	struct synk_message msg;
	int ret;

	/* completions, of packets that want none, say nothing */
	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		bad_message(k, "a packet of an unknown type");
		return;
	}
	ret = synk_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, &msg);
	if (ret) {
		bad_message(k, ret == -ENOMSG ? "a message of an unknown type" :
			    "a malformed message");
	} else if (msg.type == SYNTHKBD_PROTOCOL_RESPONSE &&
		   k->state == SYNK_ASKED) {
		k->refused = !msg.accepted;
		k->state = msg.accepted ? SYNK_LIVE : SYNK_CLOSED;
		complete(&k->answered);
	} else if (msg.type == SYNTHKBD_EVENT && k->state == SYNK_LIVE) {
		take_event(k, &msg);
	} else {
		bad_message(k, "a message that nobody waits for");
	}
}

static void channel_callback(void *context)
{
	struct synk *k = context;
	struct vmpacket_descriptor *desc;

	foreach_vmbus_pkt(desc, k->hv->channel) {
		spin_lock(&k->rx_lock);
		if (k->state != SYNK_CLOSED)
			receive(k, desc);
		spin_unlock(&k->rx_lock);
	}
}

static void set_state(struct synk *k, enum synk_state state)
{
	spin_lock_irq(&k->rx_lock);
	k->state = state;
	k->refused = false;
	spin_unlock_irq(&k->rx_lock);
}

/* The host answers in time, or has gone */
static int wait_for_host(struct synk *k)
{
	unsigned long deadline = jiffies + HOST_WAIT;

	while (!wait_for_completion_timeout(&k->answered, HZ / 4)) {
		if (READ_ONCE(k->hv->channel->rescind))
			return -ENODEV;
		if (time_after(jiffies, deadline))
			return -ETIMEDOUT;
	}
	return READ_ONCE(k->refused) ? -EPROTO : 0;
}

static int negotiate(struct synk *k)
{
	struct synthkbd_protocol_request msg = {
		.header.type = SYNTHKBD_PROTOCOL_REQUEST,
		.version = SYNTHKBD_VERSION_1_0,
	};
	int ret = vmbus_sendpacket(k->hv->channel, &msg, sizeof(msg), 0,
				   VM_PKT_DATA_INBAND, 0);

	return ret ?: wait_for_host(k);
}

/* No event is taken afterwards. Harmless if the channel is closed */
static void close_channel(struct synk *k)
{
	set_state(k, SYNK_CLOSED);
	vmbus_close(k->hv->channel);
	synthio_leave_channel(k->hv->channel);
}

/*
 * Sleeps up to 10 seconds. -ENODEV: the device was taken away; -ETIMEDOUT; -EPROTO:
 * the host does not speak our version; or what vmbus_open() says
 */
static int open_channel(struct synk *k)
{
	struct vmbus_channel *vc = k->hv->channel;
	int ret;

	reinit_completion(&k->answered);
	set_state(k, SYNK_ASKED);
	synthio_take_channel(vc, PACKET_MAX, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(vc, RING_BYTES, RING_BYTES, NULL, 0, channel_callback,
			 k);
	if (ret) {
		set_state(k, SYNK_CLOSED);
		synthio_leave_channel(vc);
		dev_err(&k->hv->device, "the channel does not open: %d\n", ret);
		return ret;
	}
	ret = negotiate(k);
	if (ret) {
		close_channel(k);
		dev_err(&k->hv->device, "%s: %d\n", ret == -EPROTO ?
			"the host does not know version 1.0" :
			"no answer from the host", ret);
		return ret;
	}
	/* a host that has just accepted a version has all LEDs off */
	spin_lock_irq(&k->rx_lock);
	k->leds = 0;
	tell_leds(k);
	spin_unlock_irq(&k->rx_lock);
	return 0;
}

/* --- what the bus calls ------------------------------------------------------------- */

static int synk_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synk *k = kzalloc(sizeof(*k), GFP_KERNEL);
	int ret;

	if (!k)
		return -ENOMEM;
	k->hv = hv;
	spin_lock_init(&k->rx_lock);
	init_completion(&k->answered);
	hv_set_drvdata(hv, k);
	ret = make_port(k);
	if (ret)
		goto err_free;
	ret = open_channel(k);
	if (ret)
		goto err_port;
	device_init_wakeup(&hv->device, true);
	serio_register_port(k->serio);
	return 0;

err_port:
	kfree(k->serio);
err_free:
	hv_set_drvdata(hv, NULL);
	kfree(k);
	return ret;
}

/* The input core releases pressed keys when the port goes */
static compat_remove_t synk_remove(struct hv_device *hv)
{
	struct synk *k = hv_get_drvdata(hv);

	serio_unregister_port(k->serio);
	close_channel(k);
	device_init_wakeup(&hv->device, false);
	hv_set_drvdata(hv, NULL);
	kfree(k);
	return COMPAT_REMOVE_DONE;
}

/*
 * For hibernation; suspend to idle keeps the channel open, and is ended by it. The
 * port stays, and answers atkbd's commands while the channel is closed.
 */
static int synk_suspend(struct hv_device *hv)
{
	close_channel(hv_get_drvdata(hv));
	return 0;
}

static int synk_resume(struct hv_device *hv)
{
	return open_channel(hv_get_drvdata(hv));
}

static const struct hv_vmbus_device_id synk_ids[] = {
	{ HV_KBD_GUID, },
	{ }
};
MODULE_DEVICE_TABLE(vmbus, synk_ids);

static struct hv_driver synk_driver = {
	.name		= SYNK_NAME,
	.id_table	= synk_ids,
	.probe		= synk_probe,
	.remove		= synk_remove,
	.suspend	= synk_suspend,
	.resume		= synk_resume,
	.driver		= {
		.probe_type	= PROBE_PREFER_ASYNCHRONOUS,
	},
};

static int __init synk_init(void)
{
	int ret = synthio_refuse_isolated();

	return ret ? ret : vmbus_driver_register(&synk_driver);
}
module_init(synk_init);

static void __exit synk_exit(void)
{
	vmbus_driver_unregister(&synk_driver);
}
module_exit(synk_exit);

MODULE_DESCRIPTION("Keyboard of a VMBus host, as a PC's");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
