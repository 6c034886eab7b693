// SPDX-License-Identifier: GPL-2.0-only
/*
 * From the host's interrupt to messages and channels.
 *
 * A transport calls connection_interrupt() in its hard interrupt handler. Both are
 * looked at right there, and so channels in HV_CALL_ISR mode are called there.
 *
 * With PREEMPT_RT a hard interrupt may not: spinlock_t sleeps, vmbus_channel has
 * one that is held around such a callback, and callbacks take their own. There each
 * CPU has a thread, which the hard interrupt wakes and which does the same. It has
 * the priority of threaded interrupt handlers, and disables bottom halves as they
 * do: what a callback raises, such as a tasklet or NAPI, then runs at the end of
 * the thread's turn, with its priority, and not in ksoftirqd.
 *
 * Both are RCU readers while they look at a transport's pages. forget_transport()
 * takes the transport away and then waits for readers, so that its pages can be
 * freed; a thread that is woken later finds no transport.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/bottom_half.h>
#include <linux/cpuhotplug.h>
#include <linux/cpumask.h>
#include <linux/err.h>
#include <linux/irqflags.h>
#include <linux/kthread.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/smp.h>
#include <linux/topology.h>

#include "vmbus.h"

/**
 * struct cpu_thread - what looks at one CPU's pages, with PREEMPT_RT
 * @cpu: whose pages, and where it runs while that CPU is online
 * @task: the thread; NULL as long as the CPU never was online, when it has no
 *	channels and messages don't come there
 * @worker: of the thread
 * @work: one scan of the pages
 */
struct cpu_thread {
	unsigned int cpu;
	struct task_struct *task;
	struct kthread_worker worker;
	struct kthread_work work;
};

static DEFINE_PER_CPU(struct cpu_thread, cpu_threads);
static int thread_cpuhp_state;

static void thread_look(struct kthread_work *work)
{
	struct cpu_thread *th = container_of(work, struct cpu_thread, work);
	struct transport *t;

	/*
	 * When its CPU goes offline the scheduler moves the thread to another
	 * one, and the thread looks at the pages from there. Here the CPU is
	 * online again, and the thread goes back to it.
	 */
	if (unlikely(raw_smp_processor_id() != th->cpu) && cpu_active(th->cpu))
		set_cpus_allowed_ptr(current, cpumask_of(th->cpu));

	local_bh_disable();
	rcu_read_lock();
	t = READ_ONCE(connection.transport);
	if (t)
		message_scan(t, th->cpu);
	rcu_read_unlock();
	local_bh_enable();
}

/* Threads stay when their CPU goes, since interrupts may still be under way */
static int thread_online(unsigned int cpu)
{
	struct cpu_thread *th = per_cpu_ptr(&cpu_threads, cpu);
	struct task_struct *task;

	if (th->task)
		return 0;
	th->cpu = cpu;
	kthread_init_worker(&th->worker);
	kthread_init_work(&th->work, thread_look);
	task = kthread_create_on_node(kthread_worker_fn, &th->worker,
				      cpu_to_node(cpu),
				      KBUILD_MODNAME "/%u", cpu);
	if (IS_ERR(task))
		return PTR_ERR(task);
	kthread_bind(task, cpu);
	sched_set_fifo(task);
	wake_up_process(task);
	/* thread_of() finds the worker initialised */
	smp_store_release(&th->task, task);
	return 0;
}

static void threads_stop(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct cpu_thread *th = per_cpu_ptr(&cpu_threads, cpu);

		if (!th->task)
			continue;
		kthread_flush_worker(&th->worker);
		kthread_stop(th->task);
		th->task = NULL;
	}
}

/* The thread for a CPU's pages, or NULL */
static struct cpu_thread *thread_of(unsigned int cpu)
{
	struct cpu_thread *th = per_cpu_ptr(&cpu_threads, cpu);

	/* pairs with the release in thread_online() */
	return smp_load_acquire(&th->task) ? th : NULL;
}

void connection_interrupt(struct transport *t, unsigned int cpu)
{
	struct cpu_thread *th;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		/* for lockdep, which knows what a hard interrupt may on RT */
		lockdep_hardirq_threaded();
		message_scan(t, cpu);
		return;
	}
	th = thread_of(cpu);
	/* threads come before transports have their CPUs interrupted */
	if (!WARN_ON_ONCE(!th))
		kthread_queue_work(&th->worker, &th->work);
}

void connection_drain(struct transport *t, unsigned int cpu)
{
	struct cpu_thread *th;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT)) {
		/* what callbacks raise runs here, when bottom halves may again */
		local_bh_disable();
		local_irq_disable();
		message_scan(t, cpu);
		local_irq_enable();
		local_bh_enable();
		return;
	}
	th = thread_of(cpu);
	if (!th)
		return;
	kthread_queue_work(&th->worker, &th->work);
	kthread_flush_work(&th->work);
}

/**
 * interrupt_init() - create the threads that handle interrupts with PREEMPT_RT
 *
 * Context: process, sleeps. Return: 0 or a negative errno.
 */
int interrupt_init(void)
{
	int ret;

	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		return 0;
	/* a transport's state comes later, and has a CPU interrupted after this */
	ret = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, KBUILD_MODNAME ":thread",
				thread_online, NULL);
	if (ret < 0) {
		threads_stop();
		return ret;
	}
	thread_cpuhp_state = ret;
	return 0;
}

/**
 * interrupt_exit() - the mirror of interrupt_init()
 *
 * Context: process, sleeps; no transport is left.
 */
void interrupt_exit(void)
{
	if (!IS_ENABLED(CONFIG_PREEMPT_RT))
		return;
	cpuhp_remove_state_nocalls(thread_cpuhp_state);
	threads_stop();
}
