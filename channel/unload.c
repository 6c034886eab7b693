// SPDX-License-Identifier: GPL-2.0-only
/*
 * UNLOAD: the host lets go of all that it was shown. In an orderly way, for rmmod,
 * hibernation, reboot and kexec; and in a panic.
 *
 * connection.unload says whether one is due. It is from the first initiate-contact
 * on, whatever the connection's state is; once it was posted only its answer is
 * waited for, by whoever comes.
 *
 * In a panic it comes after the panic notifiers, in the place of a kmsg dumper:
 * drm_panic is one as well, and its picture has to reach the host before. Dumpers
 * are called in the order of their registration, so ours is registered anew behind
 * each display.
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

/*
 * Post it, unless somebody else has done so. Returns 0 if there is an answer to
 * wait for.
 */
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
	 * In a panic nobody goes on who was posting it. A second one does no harm;
	 * none at all would.
	 */
	if (was == UNLOAD_POSTED || (was == UNLOAD_POSTING && mode != POST_ATOMIC))
		return 0;
	reinit_completion(&connection.unloaded);
	ret = connection_post(&msg, sizeof(msg), mode);
	atomic_set(&connection.unload, ret ? UNLOAD_DUE : UNLOAD_POSTED);
	return ret;
}

/**
 * unload_host() - have the host let go of everything
 *
 * It may first write back what it holds for us, which takes up to a minute on busy
 * hosts.
 *
 * Context: process, sleeps for a bounded time: unload_timeout, and as long as the host
 *	is stalled.
 * Return: whether it has confirmed.
 */
bool unload_host(void)
{
	unsigned int waited;
	int ret = -ETIMEDOUT;

	/* hosts before 8.1 know no UNLOAD, and no second connection */
	if (vmbus_proto_version < VERSION_WIN8_1 || unload_post(POST_WAIT))
		return false;

	for (waited = 0; waited < unload_timeout && ret == -ETIMEDOUT;
	     waited += UNLOAD_NOTICE_S) {
		if (waited)
			pr_notice("waiting for the host to unload\n");
		ret = host_wait(&connection.unloaded, UNLOAD_NOTICE_S, true);
	}
	if (ret)
		pr_err("the host did not confirm the unload (%d)\n", ret);
	/* it has been waited for: whoever comes after this does not again */
	atomic_set(&connection.unload, UNLOAD_NOT_DUE);
	return !ret;
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
	 * Whoever is at work on the connection holds up neither a reboot nor a
	 * kexec. The next kernel may put anything where the host still writes, so
	 * it is told in any case, and hears nothing of anybody else after that.
	 */
	WRITE_ONCE(connection.ending, true);
	if (!locked) {
		pr_warn("unloading in the middle of something else\n");
		request_fail(NULL, -ESHUTDOWN);
	}
	WRITE_ONCE(connection.state, CONN_LEAVING);
	unload_host();
out:
	if (locked)
		mutex_unlock(&connection.state_mutex);
}

/*
 * Free one CPU's slot, and let the host know if it waits for that. Returns whether
 * the answer to UNLOAD was in it. Not with slot_take(): its locks may be held by a
 * CPU that stands still.
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
 * Other CPUs stand still, perhaps with our locks held, and interrupts are off. Only
 * the slots are looked at, only for the answer to UNLOAD; what else is in them can't
 * be lost on a system that ends here. All of them are freed in each turn: what is
 * left in one would keep the kernel that comes next, also one that is not ours, from
 * ever hearing of its host.
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

	/* the heartbeat is not looked at any more: nothing would end the wait early */
	if (host_state() != HOST_RESPONDS)
		return;
	WRITE_ONCE(connection.ending, true);
	WRITE_ONCE(connection.state, CONN_LEAVING);
	if (vmbus_proto_version < VERSION_WIN8_1 || unload_post(POST_ATOMIC))
		return;
	for (ms = 0; ms < unload_timeout * 1000; ms++) {
		/* it may have been taken before all others stood still */
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
		unload_host();
}

/**
 * vmbus_set_skip_unload() - a driver unloads in a panic, behind its picture
 * @skip: or no longer
 *
 * Ours comes behind all pictures anyway, and then finds nothing left to do.
 */
void vmbus_set_skip_unload(bool skip)
{
}
#endif

/* Two, so that there is always one while they take turns */
static struct kmsg_dumper unload_dumpers[] = {
	{ .dump = unload_dump, .max_reason = KMSG_DUMP_PANIC },
	{ .dump = unload_dump, .max_reason = KMSG_DUMP_PANIC },
};
static unsigned int unload_dumper;
static DEFINE_MUTEX(unload_dumper_mutex);

/**
 * unload_behind_display() - a panic shows its picture before we unload
 *
 * A display has just got its driver, which may have registered with drm_panic.
 *
 * Context: process, sleeps.
 */
void unload_behind_display(void)
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

/**
 * unload_init() - be called in a panic
 *
 * Context: process. Return: 0 or a negative errno.
 */
int unload_init(void)
{
	return kmsg_dump_register(&unload_dumpers[unload_dumper]);
}

/**
 * unload_exit() - the mirror of unload_init(), also of a failed one
 *
 * Context: process.
 */
void unload_exit(void)
{
	kmsg_dump_unregister(&unload_dumpers[unload_dumper]);
}
