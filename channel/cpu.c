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

/* How long a host may take to see that a channel has moved, if it does not tell */
#define MOVE_DELAY_MS		20
/* After that much it has, and signals no CPU that is offline */
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
	/* all that are left are isolated: better one of those than none */
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
	if (to_channel(vc)->released)
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

/**
 * vmbus_send_modifychannel() - have the host interrupt another processor
 * @channel: an open channel
 * @target_vp: virtual processor index
 *
 * From version 5.3 on the host answers, and wants one request at a time.
 * Before that nothing says when the old processor hears no more.
 *
 * Callers hold the CPU hotplug lock, which others wait for, so this does not wait for
 * a host that is stalled. It may interrupt the other processor later all the same.
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0, -EIO if the channel is not open or the version has no such
 *	message, -EAGAIN if the host refuses or is stalled, or as connection_post() and
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

	/* a close waits for it, so the channel stays open until it is released */
	mutex_lock(&connection.modify_mutex);
	if (READ_ONCE(channel->state) != CHANNEL_OPENED_STATE) {
		ret = -EIO;
		goto out;
	}
	msg.child_relid = channel->offermsg.child_relid;
	if (answered)
		request_start(&req, CHANNELMSG_MODIFYCHANNEL_RESPONSE, channel,
			      0);
	ret = connection_post(&msg, sizeof(msg), POST_RESPONSIVE);
	if (answered && ret) {
		request_cancel(&req);
	} else if (answered) {
		ret = request_wait_responsive(&req);
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
	    vc->state == CHANNEL_OPENED_STATE)
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
	if (vc->state == CHANNEL_OPEN_STATE) {
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
 * It keeps its CPU, unless that has not come back.
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
	 * Hibernation: all channels are closed, and the CPU comes back before
	 * they do. They would all end up on the one CPU that stays.
	 */
	if (READ_ONCE(connection.state) == CONN_SUSPENDED)
		return 0;

	if (cpu == connection.connect_cpu && t && t->connect_cpu_stays &&
	    READ_ONCE(connection.state) == CONN_CONNECTED) {
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
			    READ_ONCE(vc->state) == CHANNEL_OPEN_STATE)) {
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
	 * Older hosts don't say when they have done it, and signal the old CPU
	 * until then
	 */
	if (moved && !ret && vmbus_proto_version < VERSION_WIN10_V5_3)
		msleep(MOVE_DELAY_MS);
	return ret;
}

/* Look at those that have left a CPU, or any CPU for nr_cpu_ids */
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
	/* a slow host may still have signalled there after that */
	if (vmbus_proto_version < VERSION_WIN10_V5_3)
		mod_delayed_work(connection.sub_wq, &late_look_work,
				 msecs_to_jiffies(LATE_LOOK_MS));
}

/**
 * cpu_hotplug_start() - hear of CPUs that go from now on
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
}
