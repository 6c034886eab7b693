// SPDX-License-Identifier: GPL-2.0-only
/*
 * synth_keyboard: a keyboard port behind the synthetic keyboard's protocol.
 *
 * The host sends scan codes of a PC's keyboard, as its controller translates them. So this
 * is a serio port, and the kernel's atkbd makes an input device of it, with its keymap and
 * its LEDs. What atkbd sends to its keyboard is answered here (keyboard_message.c), and the
 * host is told which LEDs are on.
 *
 * The channel's callback runs in a tasklet. It holds rx_lock for each message, and
 * synk_write() holds it for each answer, so that their bytes do not mix. SysRq keys are
 * handled under this lock, also one that panics: nothing in a panic takes it. Everything
 * else runs in process context: probe, remove, suspend and resume are serialised by the
 * bus, and work is cancelled before they go on.
 */
#include <linux/completion.h>
#include <linux/debugfs.h>
#include <linux/device.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <linux/seq_file.h>
#include <linux/serio.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <synthio/driver.h>
#include <synthio/host_state.h>
#include <synthio/silent.h>

#include "keyboard_message.h"
#include "link.h"

#define SYNK_NAME	"synth_keyboard"

#define RING_BYTES	VMBUS_RING_SIZE(36 * 1024)
#define PACKET_MAX	1024	/* messages have 12 bytes */
#define LEDS_DELAY	(HZ / 4)	/* before LEDs are sent again to a full ring */

static struct dentry *debugfs_dir;

/**
 * struct synk - a keyboard
 * @link: the connection with the host; its rx_lock is also of what follows up to @leds,
 *	but for @serio and @registered
 * @serio: the port; freed by serio when it is unregistered
 * @registered: the port is registered: the host has answered once
 * @started: the port has a driver, which takes bytes
 * @ps2: the keyboard as atkbd sees it
 * @leds: as the host knows them
 * @work: connects a keyboard whose host did not answer, or sends LEDs that the host has
 *	missed
 * @host_nb: called when the host stalls or responds
 * @debugfs: the file that shows the state
 */
struct synk {
	struct synth_input_link link;
	struct serio *serio;
	bool registered;

	bool started;
	struct synk_ps2 ps2;
	u8 leds;

	struct delayed_work work;
	struct notifier_block host_nb;
	struct dentry *debugfs;
};

/* --- the port ------------------------------------------------------------------ */

/* Pass bytes to the driver of the port, if there is one; rx_lock is held */
static void pass(struct synk *k, const u8 *bytes, u32 count)
{
	u32 i;

	for (i = 0; k->started && i < count; i++)
		serio_interrupt(k->serio, bytes[i], 0);
}

/*
 * Send the LEDs that are on, if the host does not know them and there is a channel. A host
 * that does not respond gets the last ones when it does. rx_lock is held
 */
static void send_leds(struct synk *k)
{
	struct synthkbd_led_indicators msg = {
		.header.type = SYNTHKBD_LED_INDICATORS,
		.leds = k->ps2.leds,
	};
	int ret;

	if (k->link.state != SYNTH_INPUT_LIVE || k->leds == k->ps2.leds)
		return;
	ret = synthio_host_stalled(k->link.hv) ? -EAGAIN :
		vmbus_sendpacket(k->link.hv->channel, &msg, sizeof(msg), 0,
				 VM_PKT_DATA_INBAND, 0);
	if (!ret)
		k->leds = k->ps2.leds;
	else if (ret == -EAGAIN)
		queue_delayed_work(system_freezable_wq, &k->work, LEDS_DELAY);
}

static int synk_write(struct serio *serio, unsigned char byte)
{
	struct synk *k = serio->port_data;
	u8 answer[SYNK_MAX_ANSWER];
	unsigned long flags;
	u32 count;

	spin_lock_irqsave(&k->link.rx_lock, flags);
	count = synk_command(&k->ps2, byte, answer);
	send_leds(k);
	pass(k, answer, count);
	spin_unlock_irqrestore(&k->link.rx_lock, flags);
	return 0;
}

static void set_started(struct synk *k, bool started)
{
	spin_lock_irq(&k->link.rx_lock);
	k->started = started;
	spin_unlock_irq(&k->link.rx_lock);
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
	serio->dev.parent = &k->link.hv->device;
	serio->port_data = k;
	serio->write = synk_write;
	serio->start = synk_start;
	serio->stop = synk_stop;
	strscpy(serio->name, "Synthetic keyboard", sizeof(serio->name));
	strscpy(serio->phys, dev_name(&k->link.hv->device), sizeof(serio->phys));
	k->serio = serio;
	return 0;
}

/* --- the channel ----------------------------------------------------------------- */

/* rx_lock is held */
static void pass_event(struct synk *k, const struct synk_message *msg)
{
	u8 bytes[SYNK_MAX_BYTES];

	pass(k, bytes, synk_bytes(msg, bytes));
	/* the release of the key that has started a suspend must not end it */
	if (!(msg->info & SYNTHKBD_BREAK))
		pm_wakeup_hard_event(&k->link.hv->device);
}

/* rx_lock is held */
static void receive(struct synk *k, const struct vmpacket_descriptor *desc)
{
	struct synk_message msg;
	int ret;

	/* no packet of this driver asks for a completion */
	if (desc->type == VM_PKT_COMP)
		return;
	if (desc->type != VM_PKT_DATA_INBAND ||
	    desc->offset8 * 8 < sizeof(*desc) || desc->offset8 > desc->len8) {
		synth_input_drop(&k->link, "a packet of an unknown type");
		return;
	}
	ret = synk_parse((const u8 *)desc + desc->offset8 * 8,
			 (desc->len8 - desc->offset8) * 8, &msg);
	if (ret) {
		synth_input_drop(&k->link, ret == -ENOMSG ? "a message of an unknown type" :
			    "a malformed message");
	} else if (msg.type == SYNTHKBD_PROTOCOL_RESPONSE &&
		   k->link.state == SYNTH_INPUT_ASKED) {
		if (msg.accepted) {
			synth_input_set_state(&k->link, SYNTH_INPUT_ACCEPTED);
			synth_input_set_state(&k->link, SYNTH_INPUT_LIVE);
		} else {
			synth_input_set_state(&k->link, SYNTH_INPUT_REFUSED);
		}
		complete(&k->link.answered);
	} else if (msg.type == SYNTHKBD_EVENT &&
		   k->link.state == SYNTH_INPUT_LIVE) {
		pass_event(k, &msg);
	} else {
		synth_input_drop(&k->link, "a message out of turn");
	}
}

static void channel_callback(void *context)
{
	struct synk *k = context;
	struct vmpacket_descriptor *desc;

	foreach_vmbus_pkt(desc, k->link.hv->channel) {
		spin_lock(&k->link.rx_lock);
		if (k->link.state != SYNTH_INPUT_CLOSED)
			receive(k, desc);
		spin_unlock(&k->link.rx_lock);
	}
}

static int negotiate(struct synk *k)
{
	struct synthkbd_protocol_request msg = {
		.header.type = SYNTHKBD_PROTOCOL_REQUEST,
		.version = SYNTHKBD_VERSION_1_0,
	};
	int ret = vmbus_sendpacket(k->link.hv->channel, &msg, sizeof(msg), 0,
				   VM_PKT_DATA_INBAND, 0);

	return ret ?: synth_input_wait(&k->link);
}

/* No event arrives afterwards. Harmless if the channel is closed */
static void close_channel(struct synk *k)
{
	if (READ_ONCE(k->link.state) == SYNTH_INPUT_CLOSED)
		return;
	synth_input_change_state(&k->link, SYNTH_INPUT_CLOSED);
	vmbus_close(k->link.hv->channel);
	synthio_leave_channel(k->link.hv->channel);
}

/*
 * Sleeps up to 10 seconds for the answer. -ENODEV: the device was rescinded; -ETIMEDOUT;
 * -EPROTO: the host refuses the version; or what vmbus_open() returns
 */
static int open_channel(struct synk *k)
{
	struct vmbus_channel *vc = k->link.hv->channel;
	int ret;

	if (synthio_host_stalled(k->link.hv))
		return -ETIMEDOUT;
	reinit_completion(&k->link.answered);
	synth_input_change_state(&k->link, SYNTH_INPUT_ASKED);
	synthio_take_channel(vc, PACKET_MAX, HV_CALL_BATCHED, NULL);
	ret = vmbus_open(vc, RING_BYTES, RING_BYTES, NULL, 0, channel_callback,
			 k);
	if (ret) {
		synth_input_change_state(&k->link, SYNTH_INPUT_CLOSED);
		synthio_leave_channel(vc);
		dev_err(&k->link.hv->device, "the channel can't be opened: %d\n", ret);
		return ret;
	}
	ret = negotiate(k);
	if (ret) {
		close_channel(k);
		dev_err(&k->link.hv->device, "%s: %d\n", ret == -EPROTO ?
			"the host does not accept version 1.0 of the keyboard's protocol" :
			"the host does not answer", ret);
		return ret;
	}
	/* a host that has just accepted a version has all LEDs off */
	spin_lock_irq(&k->link.rx_lock);
	k->leds = 0;
	send_leds(k);
	spin_unlock_irq(&k->link.rx_lock);
	return 0;
}

/*
 * Whether the host does not answer, so that the keyboard is connected later. Further
 * attempts say nothing: there may be many.
 */
static bool connect_later(struct synk *k, int ret, bool say)
{
	if (!synthio_host_silent(k->link.hv, ret))
		return false;
	if (say)
		dev_warn(&k->link.hv->device,
			 "the host does not respond (%d); the keyboard is connected when it does\n",
			 ret);
	queue_delayed_work(system_freezable_wq, &k->work, SYNTHIO_RETRY_DELAY);
	return true;
}

/* The input device comes with the first connection, and stays */
static int connect(struct synk *k)
{
	int ret = open_channel(k);

	if (!ret && !k->registered) {
		k->registered = true;
		serio_register_port(k->serio);
	}
	return ret;
}

static void deferred_work(struct work_struct *work)
{
	struct synk *k = container_of(to_delayed_work(work), struct synk, work);
	int ret;

	if (READ_ONCE(k->link.state) == SYNTH_INPUT_CLOSED) {
		ret = connect(k);
		if (ret && !connect_later(k, ret, false))
			dev_err(&k->link.hv->device,
				"the keyboard can't be connected (%d); unbind and bind it to try again\n",
				ret);
		return;
	}
	spin_lock_irq(&k->link.rx_lock);
	send_leds(k);
	spin_unlock_irq(&k->link.rx_lock);
}

static int host_event(struct notifier_block *nb, unsigned long event, void *data)
{
	struct synk *k = container_of(nb, struct synk, host_nb);

	if (event == SYNTHIO_HOST_RESPONDS && cancel_delayed_work(&k->work))
		queue_delayed_work(system_freezable_wq, &k->work, 0);
	return NOTIFY_OK;
}

static int state_show(struct seq_file *s, void *unused)
{
	struct synk *k = s->private;

	spin_lock_irq(&k->link.rx_lock);
	seq_printf(s, "state: %s\nmissed:%s\nbad: %llu\n",
		   synth_input_state_name(k->link.state),
		   k->leds != k->ps2.leds ? " leds" : "", k->link.bad);
	spin_unlock_irq(&k->link.rx_lock);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(state);

/* --- what the bus calls ------------------------------------------------------------- */

static int synk_probe(struct hv_device *hv, const struct hv_vmbus_device_id *id)
{
	struct synk *k = kzalloc(sizeof(*k), GFP_KERNEL);
	int ret;

	if (!k)
		return -ENOMEM;
	k->link.hv = hv;
	spin_lock_init(&k->link.rx_lock);
	init_completion(&k->link.answered);
	INIT_DELAYED_WORK(&k->work, deferred_work);
	k->host_nb.notifier_call = host_event;
	hv_set_drvdata(hv, k);
	ret = make_port(k);
	if (ret)
		goto err_free;
	ret = connect(k);
	if (ret && !connect_later(k, ret, true))
		goto err_port;
	device_init_wakeup(&hv->device, true);
	synthio_host_register(&k->host_nb);
	k->debugfs = debugfs_create_file(dev_name(&hv->device), 0444, debugfs_dir,
					 k, &state_fops);
	return 0;

err_port:
	kfree(k->serio);
err_free:
	hv_set_drvdata(hv, NULL);
	kfree(k);
	return ret;
}

/* The input core releases pressed keys when the port is unregistered */
static compat_remove_t synk_remove(struct hv_device *hv)
{
	struct synk *k = hv_get_drvdata(hv);

	debugfs_remove(k->debugfs);
	synthio_host_unregister(&k->host_nb);
	cancel_delayed_work_sync(&k->work);
	if (k->registered)
		serio_unregister_port(k->serio);
	else
		kfree(k->serio);
	/*
	 * LEDs may have been set until the port was unregistered. The work opens a
	 * channel that is closed, so it must have ended before that.
	 */
	cancel_delayed_work_sync(&k->work);
	close_channel(k);
	device_init_wakeup(&hv->device, false);
	hv_set_drvdata(hv, NULL);
	kfree(k);
	return COMPAT_REMOVE_DONE;
}

/*
 * For hibernation; suspend to idle keeps the channel open, and a key ends it. The port
 * stays, and answers atkbd's commands while the channel is closed.
 */
static int synk_suspend(struct hv_device *hv)
{
	struct synk *k = hv_get_drvdata(hv);

	if (synthio_host_stalled(hv)) {
		dev_err(&hv->device,
			"the host does not respond, so the keyboard can't be suspended; try again when it does\n");
		return -EAGAIN;
	}
	cancel_delayed_work_sync(&k->work);
	close_channel(k);
	return 0;
}

static int synk_resume(struct hv_device *hv)
{
	struct synk *k = hv_get_drvdata(hv);
	int ret = connect(k);

	return ret && connect_later(k, ret, true) ? 0 : ret;
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

	if (ret)
		return ret;
	debugfs_dir = debugfs_create_dir(SYNK_NAME, NULL);
	ret = vmbus_driver_register(&synk_driver);
	if (ret)
		debugfs_remove(debugfs_dir);
	return ret;
}
module_init(synk_init);

static void __exit synk_exit(void)
{
	vmbus_driver_unregister(&synk_driver);
	debugfs_remove(debugfs_dir);
}
module_exit(synk_exit);

MODULE_DESCRIPTION("Keyboard of a VMBus host, as a PC's");
MODULE_AUTHOR("synthio");
MODULE_LICENSE("GPL");
