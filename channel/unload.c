// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNLOAD: the host lets go of all memory that it was shown. In an orderly way, for rmmod,
 * hibernation, reboot and kexec; and in a panic.
 *
 * connection.unload says whether an UNLOAD is due. One is due from the first
 * initiate-contact on, whatever the connection's state is. Once it was posted, every
 * caller only waits for its answer.
 *
 * In a panic UNLOAD comes after the panic notifiers, from a kmsg dumper: drm_panic is
 * a dumper as well, and its picture has to reach the host before. Dumpers are called in
 * the order of their registration, so this one is registered anew after each display.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/kmsg_dump.h>
#include <linux/module.h>

#include "vmbus.h"

#define UNLOAD_NOTICE_S		5
#define SHUTDOWN_WAIT_MS	10000

static unsigned int unload_timeout = 100;
module_param(unload_timeout, uint, 0644);
MODULE_PARM_DESC(unload_timeout,
		 "Seconds to wait for the host to write back and let go at unload, reboot and panic (default 100)");

/* Posts UNLOAD if that was not done before. Returns 0 if there is an answer to wait for */
static int unload_post(enum post_mode mode)
{
	struct vmbus_channel_message_header msg = {
		.msgtype = CHANNELMSG_UNLOAD,
	};
	int was = atomic_cmpxchg(&connection.unload, UNLOAD_DUE,
				 UNLOAD_POSTING);
	int ret;

	if (was == UNLOAD_NOT_DUE)
		return -ENOTCONN;
	/*
	 * In a panic a task that was posting it is stopped. A second UNLOAD does no
	 * harm, and none at all would.
	 */
	if (was == UNLOAD_POSTED || (was == UNLOAD_POSTING && mode != POST_ATOMIC))
		return 0;
	reinit_completion(&connection.unloaded);
	ret = host_post(&msg, sizeof(msg), mode);
	atomic_set(&connection.unload, ret ? UNLOAD_DUE : UNLOAD_POSTED);
	return ret;
}

/**
 * unload_host() - have the host let go of everything
 * @outlast: wait on while the host is stalled
 *
 * The host may first write back cached data, which takes up to a minute on busy hosts.
 *
 * Context: process, sleeps for a bounded time: unload_timeout, and as long as the host
 *	is stalled.
 * Return: 0 if it has confirmed, -EAGAIN if it is stalled and @outlast is false, or
 *	another error: then it may still use the memory.
 */
int unload_host(bool outlast)
{
	unsigned int waited;
	int ret;

	/* hosts before 8.1 know no UNLOAD, and no second connection */
	if (vmbus_proto_version < VERSION_WIN8_1)
		return -EOPNOTSUPP;
	ret = unload_post(outlast ? POST_WAIT : POST_RESPONSIVE);
	if (ret)
		return ret;
	ret = -ETIMEDOUT;

	for (waited = 0; waited < unload_timeout && ret == -ETIMEDOUT;
	     waited += UNLOAD_NOTICE_S) {
		if (waited)
			pr_notice("waiting for the host to unload\n");
		ret = host_wait(&connection.unloaded, UNLOAD_NOTICE_S, outlast);
	}
	if (ret)
		pr_err("the host did not confirm the unload (%d)\n", ret);
	/* the answer was waited for: the next caller does not wait again */
	atomic_set(&connection.unload, UNLOAD_NOT_DUE);
	return ret;
}

void connection_shutdown(struct transport *t)
{
	unsigned int ms = 0;
	bool locked;

	while (!(locked = mutex_trylock(&connection.state_mutex)) &&
	       ms < SHUTDOWN_WAIT_MS) {
		msleep(20);
		ms += 20;
	}
	if (READ_ONCE(connection.transport) != t)
		goto out;
	/*
	 * Another operation on the connection holds up neither a reboot nor a kexec.
	 * The next kernel may use the memory that the host still writes to, so the
	 * host is told in any case, and no other message is posted after that.
	 */
	WRITE_ONCE(connection.ending, true);
	if (!locked) {
		pr_warn("the host is unloaded while another operation on the connection is under way\n");
		request_fail(NULL, -ESHUTDOWN);
	}
	connection_set_state(CONN_LEAVING);
	unload_host(true);
out:
	if (locked)
		mutex_unlock(&connection.state_mutex);
}

/*
 * Frees one CPU's slot, and lets the host know if it waits for that. Returns whether
 * the answer to UNLOAD was in the slot. slot_take() is not used, since a CPU that was
 * stopped may hold its locks.
 */
static bool crash_take(struct transport *t, unsigned int cpu)
{
	struct hv_message *slot = t->ops->message_page(t, cpu);
	const struct vmbus_channel_message_header *hdr;
	bool answer;
	u32 type;

	if (!slot)
		return false;
	slot += TRANSPORT_SINT;
	type = READ_ONCE(slot->header.message_type);
	if (type == HVMSG_NONE)
		return false;
	virt_rmb();	/* as in slot_take() */
	hdr = (const void *)slot->u.payload;
	answer = type == MESSAGE_TYPE_CHANNEL &&
		 READ_ONCE(hdr->msgtype) == CHANNELMSG_UNLOAD_RESPONSE;
	/* as in slot_take() */
	virt_store_release(&slot->header.message_type, HVMSG_NONE);
	virt_mb();	/* likewise */
	if (READ_ONCE(slot->header.message_flags.asu8) & 1)
		t->ops->end_of_message(t, cpu);
	return answer;
}

/*
 * Other CPUs are stopped, perhaps with the bus' locks held, and interrupts are off. The
 * slots are only searched for the answer to UNLOAD: other messages don't matter to a
 * system that ends here. All slots are freed in each turn, since a message that is left
 * in one would keep the next kernel, whatever bus driver that has, from receiving any.
 */
static bool crash_poll(struct transport *t)
{
	bool answered = false;
	unsigned int cpu;

	for_each_possible_cpu(cpu)
		answered |= crash_take(t, cpu);
	return answered;
}

static void crash_unload(struct transport *t)
{
	unsigned int ms;

	/* the heartbeat is not checked any more, so nothing would end the wait early */
	if (host_state() != HOST_RESPONDS)
		return;
	WRITE_ONCE(connection.ending, true);
	connection_set_state(CONN_LEAVING);
	if (vmbus_proto_version < VERSION_WIN8_1 || unload_post(POST_ATOMIC))
		return;
	for (ms = 0; ms < unload_timeout * 1000; ms++) {
		/* another CPU may have handled it before it was stopped */
		if (crash_poll(t) || completion_done(&connection.unloaded)) {
			pr_info("the host has unloaded\n");
			goto out;
		}
		if (ms && !(ms % (UNLOAD_NOTICE_S * MSEC_PER_SEC)))
			pr_notice("waiting for the host to unload\n");
		mdelay(1);
	}
	pr_err("the host did not confirm the unload\n");
out:
	/* as in unload_host() */
	atomic_set(&connection.unload, UNLOAD_NOT_DUE);
}

void connection_crash(struct transport *t)
{
	if (READ_ONCE(connection.transport) == t)
		crash_unload(t);
}

static void unload_in_panic(void)
{
	struct transport *t = READ_ONCE(connection.transport);

	if (t)
		crash_unload(t);
}

static void unload_dump(struct kmsg_dumper *dumper, compat_kmsg_detail detail)
{
	unload_in_panic();
}

#ifdef COMPAT_SKIP_UNLOAD
/**
 * vmbus_initiate_unload() - have the host let go of everything, once
 * @crash: in a panic; else from process context
 */
void vmbus_initiate_unload(bool crash)
{
	if (crash)
		unload_in_panic();
	else
		unload_host(true);
}

/**
 * vmbus_set_skip_unload() - a display's driver unloads in a panic, after its picture
 * @skip: whether it does
 *
 * Nothing needs to be done: the UNLOAD of this file comes after all pictures, and does
 * nothing if the driver has unloaded.
 */
void vmbus_set_skip_unload(bool skip)
{
}
#endif

/* Two that take turns, so that one is always registered */
static struct kmsg_dumper unload_dumpers[] = {
	{ .dump = unload_dump, .max_reason = KMSG_DUMP_PANIC },
	{ .dump = unload_dump, .max_reason = KMSG_DUMP_PANIC },
};
static unsigned int unload_dumper;
static DEFINE_MUTEX(unload_dumper_mutex);

/* A display has got a driver, which may have registered with drm_panic */
static void dump_after_display(void)
{
	unsigned int other;

	mutex_lock(&unload_dumper_mutex);
	other = !unload_dumper;
	if (!kmsg_dump_register(&unload_dumpers[other])) {
		kmsg_dump_unregister(&unload_dumpers[unload_dumper]);
		unload_dumper = other;
	}
	mutex_unlock(&unload_dumper_mutex);
}

static int driver_bound(struct notifier_block *nb, unsigned long action,
			void *data)
{
	struct device *dev = data;

	if (action == BUS_NOTIFY_BOUND_DRIVER &&
	    compat_hv_dev(dev)->channel->device_id == HV_FB)
		dump_after_display();
	return NOTIFY_DONE;
}

static struct notifier_block bound_block = {
	.notifier_call = driver_bound,
};

/**
 * unload_init() - be called in a panic
 *
 * Context: process, after bus_init(). Return: 0 or a negative errno.
 */
int unload_init(void)
{
	int ret;

	ret = bus_notify(&bound_block);
	if (ret)
		return ret;
	ret = kmsg_dump_register(&unload_dumpers[unload_dumper]);
	if (ret)
		bus_stop_notifying(&bound_block);
	return ret;
}

/**
 * unload_exit() - the mirror of unload_init()
 *
 * Context: process.
 */
void unload_exit(void)
{
	kmsg_dump_unregister(&unload_dumpers[unload_dumper]);
	bus_stop_notifying(&bound_block);
}
