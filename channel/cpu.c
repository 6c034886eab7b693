// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which CPU the host interrupts for which channel.
 *
 * Channels of performance devices go where fewest such channels are, and no
 * two of a device share a CPU while there is a free one. The others stay on
 * the CPU that messages come in on. A CPU that goes offline hands its channels
 * over first.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/delay.h>
#include <linux/sched/isolation.h>
#include <linux/slab.h>

#include "trace.h"
#include "vmbus.h"

/* How often a close looks whether the answer to a modify-channel has arrived */
#define MODIFY_POLL_MS		10
/* How long to wait until a host that does not answer modify-channel has handled it */
#define MOVE_DELAY_MS		20
/* How long such a host may go on signalling the CPU that a channel has left */
#define LATE_LOOK_MS		1000

static bool device_uses(struct vmbus_channel *vc, unsigned int cpu)
{
	struct vmbus_channel *primary = vc->primary_channel, *sub;

	if (!primary)
		return false;
	if (primary->target_cpu == cpu)
		return true;
	list_for_each_entry(sub, &primary->sc_list, sc_list)
		if (sub != vc && sub->target_cpu == cpu)
			return true;
	return false;
}

static bool cpu_suits(unsigned int cpu)
{
	struct transport *t = connection.transport;

	return cpumask_test_cpu(cpu, housekeeping_cpumask(HK_TYPE_MANAGED_IRQ)) &&
	       t && t->ops->cpu_usable(t, cpu);
}

/* The best CPU for a channel, other than @except; nr_cpu_ids excepts none */
static unsigned int best_cpu(struct vmbus_channel *vc, unsigned int except)
{
	unsigned int cpu, best = nr_cpu_ids, best_cost = UINT_MAX;

	for_each_online_cpu(cpu) {
		unsigned int cost;

		if (cpu == except || !cpu_suits(cpu))
			continue;
		cost = 2 * connection.cpu_channels[cpu];
		if (device_uses(vc, cpu))
			cost += 2 * nr_cpu_ids;
		if (cost < best_cost) {
			best_cost = cost;
			best = cpu;
		}
	}
	/* only isolated CPUs are left: one of them then */
	if (best >= nr_cpu_ids)
		best = except < nr_cpu_ids ?
		       cpumask_any_but(cpu_online_mask, except) :
		       connection.connect_cpu;
	return best < nr_cpu_ids ? best : connection.connect_cpu;
}

/**
 * cpu_set() - note that a channel interrupts on a CPU now
 * @vc: had one assigned before; nothing happens if it was released meanwhile
 * @cpu: the new one
 *
 * Context: channel_mutex held.
 */
void cpu_set(struct vmbus_channel *vc, unsigned int cpu)
{
	if (to_channel(vc)->life == LIFE_RELEASED)
		return;
	if (channel_is_perf(vc)) {
		connection.cpu_channels[vc->target_cpu]--;
		connection.cpu_channels[cpu]++;
	}
	vc->target_cpu = cpu;
}

/**
 * cpu_assign() - choose a CPU for a new channel
 * @vc: listed already
 *
 * Context: channel_mutex and the CPU hotplug lock held.
 */
void cpu_assign(struct vmbus_channel *vc)
{
	unsigned int cpu = connection.connect_cpu;

	if (channel_is_perf(vc)) {
		cpu = best_cpu(vc, nr_cpu_ids);
		connection.cpu_channels[cpu]++;
	}
	vc->target_cpu = cpu;
}

/**
 * cpu_release() - the mirror of cpu_assign()
 * @vc: any channel
 *
 * Context: channel_mutex held.
 */
void cpu_release(struct vmbus_channel *vc)
{
	if (channel_is_perf(vc))
		connection.cpu_channels[vc->target_cpu]--;
}

/*
 * The last modify-channel, until its answer has arrived: a host accepts only one at a
 * time, and may disconnect a guest that sends another. The request outlives the task
 * that gave up waiting for it. Under modify_mutex.
 */
static struct request modify_request;
static bool modify_outstanding;

static void modify_end(void)
{
	request_cancel(&modify_request);
	modify_outstanding = false;
}

/* Returns 0 if the answer has arrived and the host has done it */
static int modify_wait(void)
{
	int ret = host_wait(&modify_request.done, host_timeout, false);

	if (ret == -ETIMEDOUT)
		pr_err("the host did not answer a modify-channel in %u s (relid %u)\n",
		       host_timeout, modify_request.relid);
	if (ret == -ETIMEDOUT || ret == -EAGAIN)
		return ret;
	modify_end();
	if (ret || modify_request.error)
		return ret ?: modify_request.error;
	return modify_request.response.modify.status ? -EAGAIN : 0;
}

/**
 * cpu_lock_modify() - take modify_mutex when no modify-channel of a channel is under way
 * @vc: a channel that is to be closed: hosts answer for an open channel only
 *
 * Context: process, sleeps until the answer has arrived, but only for host_timeout in
 *	which the host is not stalled.
 */
void cpu_lock_modify(struct vmbus_channel *vc)
{
	u64 limit = (u64)host_timeout * MSEC_PER_SEC, waited = 0;

	for (;;) {
		mutex_lock(&connection.modify_mutex);
		if (!modify_outstanding || modify_request.channel != vc)
			return;
		if (completion_done(&modify_request.done) ||
		    host_state() == HOST_LOST || waited >= limit) {
			modify_end();
			return;
		}
		/*
		 * Other tasks may hold the CPU hotplug lock while they wait for the
		 * mutex, and may use the completion again once they have it: so it is
		 * not waited for here
		 */
		mutex_unlock(&connection.modify_mutex);
		msleep(MODIFY_POLL_MS);
		waited += host_counted(MODIFY_POLL_MS);
	}
}

/**
 * vmbus_send_modifychannel() - have the host interrupt another processor
 * @channel: an open channel
 * @target_vp: virtual processor index
 *
 * From version 5.3 on the host answers, and accepts one request at a time. Before that
 * nothing says when the host has stopped to interrupt the old processor.
 *
 * Callers hold the CPU hotplug lock, which other tasks wait for, so this does not wait
 * for a host that is stalled. The host may interrupt the other processor later all the
 * same.
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0, -EIO if the channel is not open or the version has no such
 *	message, -EAGAIN if the host refuses or is stalled, or as host_post() and
 *	request_wait().
 */
int vmbus_send_modifychannel(struct vmbus_channel *channel, u32 target_vp)
{
	struct vmbus_channel_modifychannel msg = {
		.header.msgtype = CHANNELMSG_MODIFYCHANNEL,
		.target_vp = target_vp,
	};
	bool answered = vmbus_proto_version >= VERSION_WIN10_V5_3;
	int ret;

	if (vmbus_proto_version < VERSION_WIN10_V4_1)
		return -EIO;

	/* a close takes the mutex, so the channel stays open while it is held */
	mutex_lock(&connection.modify_mutex);
	if (!channel_is_open(channel)) {
		ret = -EIO;
		goto out;
	}
	if (modify_outstanding) {
		ret = modify_wait();
		if (modify_outstanding)
			goto out;
	}
	msg.child_relid = channel->offermsg.child_relid;
	if (answered)
		request_start(&modify_request, CHANNELMSG_MODIFYCHANNEL_RESPONSE,
			      channel, 0);
	modify_outstanding = answered;
	ret = host_post(&msg, sizeof(msg), POST_RESPONSIVE);
	if (answered && ret)
		modify_end();
	else if (answered)
		ret = modify_wait();
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
	if (ret) {
		/* without an answer the host may have done it, or do it yet */
		if (ret == -EAGAIN || ret == -ETIMEDOUT)
			to_channel(vc)->maybe_on = cpu;
		return ret;
	}
	mutex_lock(&connection.channel_mutex);
	to_channel(vc)->maybe_on = nr_cpu_ids;
	cpu_set(vc, cpu);
	if (vc->change_target_cpu_callback &&
	    channel_is_open(vc))
		vc->change_target_cpu_callback(vc, old, cpu);
	mutex_unlock(&connection.channel_mutex);
	return 0;
}

/*
 * Whether the host interrupts a CPU for a channel, or may do so. A closed channel is
 * moved here, without the host, which learns of its CPU at the next open.
 */
static bool interrupts_on(struct vmbus_channel *vc, unsigned int cpu)
{
	if (channel_is_closed(vc)) {
		to_channel(vc)->maybe_on = nr_cpu_ids;
		if (vc->target_cpu == cpu)
			cpu_set(vc, best_cpu(vc, cpu));
		return false;
	}
	return vc->target_cpu == cpu || to_channel(vc)->maybe_on == cpu;
}

/* An open channel on @cpu, with a reference */
static struct vmbus_channel *open_channel_on(unsigned int cpu)
{
	struct vmbus_channel *vc, *sub, *found = NULL;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		if (interrupts_on(vc, cpu))
			found = vc;
		list_for_each_entry(sub, &vc->sc_list, sc_list)
			if (interrupts_on(sub, cpu))
				found = sub;
		if (found)
			break;
	}
	if (found)
		kobject_get(&found->kobj);
	mutex_unlock(&connection.channel_mutex);
	return found;
}

/**
 * cpu_reassign() - a channel comes back from hibernation
 * @vc: closed
 *
 * It keeps its CPU, unless that is still offline.
 *
 * Context: channel_mutex and the CPU hotplug lock held.
 */
void cpu_reassign(struct vmbus_channel *vc)
{
	if (!cpu_online(vc->target_cpu))
		cpu_set(vc, channel_is_perf(vc) ? best_cpu(vc, nr_cpu_ids) :
						  connection.connect_cpu);
}

static int cpu_going_offline(unsigned int cpu)
{
	struct transport *t = READ_ONCE(connection.transport);
	struct vmbus_channel *vc;
	unsigned int target;
	bool moved = false;
	int ret = 0;

	/*
	 * Hibernation: all channels are closed, and the CPU comes back before they
	 * are opened. If they were moved, all of them would end up on the one CPU
	 * that stays online.
	 */
	if (READ_ONCE(connection.state) == CONN_SUSPENDED)
		return 0;

	if (cpu == connection.connect_cpu && t && t->connect_cpu_stays &&
	    connection_takes_offers()) {
		pr_notice("CPU %u stays online: the host sends its messages there\n",
			  cpu);
		return -EBUSY;
	}

	while (!ret && (vc = open_channel_on(cpu))) {
		mutex_lock(&connection.channel_mutex);
		target = best_cpu(vc, cpu);
		mutex_unlock(&connection.channel_mutex);
		ret = channel_move(vc, target);
		if (!ret)
			to_channel(vc)->left = cpu;
		/* closed or rescinded meanwhile, or the host is lost */
		if (ret && (READ_ONCE(vc->rescind) ||
			    host_state() == HOST_LOST ||
			    channel_is_closed(vc))) {
			mutex_lock(&connection.channel_mutex);
			to_channel(vc)->maybe_on = nr_cpu_ids;
			cpu_set(vc, target);
			mutex_unlock(&connection.channel_mutex);
			ret = 0;
		}
		if (ret)
			pr_err("CPU %u stays online: channel %u can't be moved to another CPU (%d)%s\n",
			       cpu, vc->offermsg.child_relid, ret,
			       host_state() == HOST_STALLED ?
			       ", since the host does not respond: try again later" : "");
		moved |= !ret;
		kobject_put(&vc->kobj);
	}
	/*
	 * Hosts before 5.3 do not answer modify-channel, and signal the old CPU until
	 * they have handled it
	 */
	if (moved && !ret && vmbus_proto_version < VERSION_WIN10_V5_3)
		msleep(MOVE_DELAY_MS);
	return ret;
}

/* Call the driver of a channel that has left a CPU, or any CPU for nr_cpu_ids */
static void look_again(struct vmbus_channel *vc, unsigned int cpu)
{
	unsigned int left = to_channel(vc)->left;

	if (left < nr_cpu_ids && (left == cpu || cpu == nr_cpu_ids))
		channel_look(vc);
}

static void look_at_moved(unsigned int cpu)
{
	struct vmbus_channel *vc, *sub;

	mutex_lock(&connection.channel_mutex);
	list_for_each_entry(vc, &connection.channels, listentry) {
		look_again(vc, cpu);
		list_for_each_entry(sub, &vc->sc_list, sc_list)
			look_again(sub, cpu);
	}
	mutex_unlock(&connection.channel_mutex);
}

static void late_look(struct work_struct *work)
{
	look_at_moved(nr_cpu_ids);
}

static DECLARE_DELAYED_WORK(late_look_work, late_look);

void connection_cpu_gone(struct transport *t, unsigned int cpu)
{
	if (READ_ONCE(connection.transport) != t)
		return;
	look_at_moved(cpu);
	/* a slow host may have signalled the offline CPU after that */
	if (vmbus_proto_version < VERSION_WIN10_V5_3)
		mod_delayed_work(connection.sub_wq, &late_look_work,
				 msecs_to_jiffies(LATE_LOOK_MS));
}

/**
 * cpu_hotplug_start() - move channels away from CPUs that go offline
 *
 * Context: process. Return: 0 or an error of the CPU hotplug core.
 */
int cpu_hotplug_start(void)
{
	int ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					    KBUILD_MODNAME ":online", NULL,
					    cpu_going_offline);

	if (ret < 0)
		return ret;
	connection.cpuhp_state = ret;
	return 0;
}

/**
 * cpu_hotplug_stop() - the mirror of cpu_hotplug_start()
 *
 * Context: process.
 */
void cpu_hotplug_stop(void)
{
	if (connection.cpuhp_state)
		cpuhp_remove_state_nocalls(connection.cpuhp_state);
	connection.cpuhp_state = 0;
	cancel_delayed_work_sync(&late_look_work);
	/* the next connection is not asked for the answer */
	mutex_lock(&connection.modify_mutex);
	if (modify_outstanding)
		modify_end();
	mutex_unlock(&connection.modify_mutex);
}
