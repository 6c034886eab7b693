// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Hyper-V transport: messages and event flags through the SynIC, posts and
 * signals by hypercall (TLFS, chapters "Inter-Partition Communication" and
 * "Virtual Interrupt Controller"). The kernel does what belongs to the
 * hypervisor as a whole: hypercall page, virtual processor indices, the
 * interrupt vector.
 *
 * SynIC registers are a CPU's own: only that CPU writes them. Its SynIC is on
 * while the CPU is online and @live is set.
 *
 * Who may still be inside, and when pages go:
 *
 *   the interrupt handler runs with interrupts off on a CPU whose SINT is not
 *   masked, and end-of-message calls are queued for other CPUs. hyperv_stop()
 *   masks the SINT on each CPU, then waits for each CPU to have taken one more
 *   interrupt: nobody is in either after that. With PREEMPT_RT the handler only
 *   wakes a thread, which is gone from the pages when connection_detach() has
 *   returned.
 *
 *   posts and signals come from the channel, which has none in flight once
 *   connection_detach() has returned. @attached refuses those that a device
 *   still sends after a shutdown.
 *
 *   message and event pages are the hypervisor's as long as their register has
 *   the enable bit. Clearing it takes effect at once, whatever the host thinks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/gfp.h>
#include <linux/io.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/pm.h>
#include <linux/random.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <clocksource/hyperv_timer.h>
#include <asm/mshyperv.h>

#include "compat.h"
#include "transport_hyperv.h"

#define HYPERV_DRIVER		"synth_hyperv"
#define HYPERV_PAYLOAD		240
#define HYPERV_SLOT_SIZE	256

/* SynIC registers: what they share, and SINTx */
#define SYNIC_ENABLE		BIT_ULL(0)	/* SCONTROL, SIMP, SIEFP */
#define SYNIC_ADDRESS		GENMASK_ULL(63, 12)	/* SIMP, SIEFP */
#define SINT_VECTOR		GENMASK_ULL(7, 0)
#define SINT_MASKED		BIT_ULL(16)
#define SINT_AUTO_EOI		BIT_ULL(17)
#define SINT_POLLING		BIT_ULL(18)

/* Input of HvCallPostMessage; it must not cross a page */
struct hyperv_post {
	u32 connection_id;
	u32 reserved;
	u32 message_type;
	u32 payload_size;
	u8 payload[HYPERV_PAYLOAD];
};

static_assert(sizeof(struct hyperv_post) == 256);

/**
 * struct hyperv_cpu - one CPU's SynIC
 * @message: SIMP page
 * @event: SIEFP page
 * @post: input of a hypercall that posts; used with interrupts off
 * @eom: carries an end of message to the CPU, for who frees its slot elsewhere
 * @interrupts: counters, for debugfs
 * @posts: likewise
 * @posts_full: likewise
 * @signals: likewise
 * @eoms: likewise
 */
struct hyperv_cpu {
	void *message;
	void *event;
	struct hyperv_post *post;
	call_single_data_t eom;
	u64 interrupts;
	u64 posts;
	u64 posts_full;
	u64 signals;
	u64 eoms;
};

/**
 * struct hyperv - the transport's state
 * @t: what the channel sees
 * @attached: the host takes posts and signals
 * @live: each CPU that is online has its SynIC on
 * @cpuhp_state: CPU hotplug state
 * @cpus: per CPU
 * @mmio: windows
 */
struct hyperv {
	struct transport t;
	bool attached;
	bool live;
	int cpuhp_state;
	struct hyperv_cpu __percpu *cpus;
	struct hyperv_mmio mmio;
};

/* The hypervisor is one, and so is the handler that the kernel keeps for us */
static struct hyperv *hyperv_instance;

static struct hyperv *to_hyperv(struct transport *t)
{
	return container_of(t, struct hyperv, t);
}

/* Messages and signals */

static int hyperv_post_message(struct transport *t, u32 connection_id, u32 type,
			       const void *payload, size_t len)
{
	struct hyperv *hv = to_hyperv(t);
	struct hyperv_post *post;
	unsigned long flags;
	int status;

	if (len > HYPERV_PAYLOAD)
		return -EINVAL;
	if (!READ_ONCE(hv->attached))
		return -ENODEV;

	/*
	 * The buffer is this CPU's. A panic that comes out of an NMI may find
	 * a poster here, but that one does not go on.
	 */
	local_irq_save(flags);
	post = this_cpu_ptr(hv->cpus)->post;
	post->connection_id = connection_id;
	post->reserved = 0;
	post->message_type = type;
	post->payload_size = len;
	memcpy(post->payload, payload, len);
	memset(post->payload + len, 0, sizeof(post->payload) - len);
	status = hv_result(hv_do_hypercall(HVCALL_POST_MESSAGE, post, NULL));
	local_irq_restore(flags);

	switch (status) {
	case HV_STATUS_SUCCESS:
		this_cpu_inc(hv->cpus->posts);
		return 0;
	case HV_STATUS_INVALID_CONNECTION_ID:
		this_cpu_inc(hv->cpus->posts_full);
		return -ENXIO;
	case HV_STATUS_INSUFFICIENT_MEMORY:
	case HV_STATUS_INSUFFICIENT_BUFFERS:
		this_cpu_inc(hv->cpus->posts_full);
		return -EAGAIN;
	default:
		pr_err_ratelimited("the hypervisor does not post a message (status 0x%x)\n",
				   status);
		return -EINVAL;
	}
}

/*
 * The whole input of HvCallSignalEvent fits into a register: the connection,
 * and flag number 0 above it.
 */
static void hyperv_signal_event(struct transport *t, u32 connection_id)
{
	struct hyperv *hv = to_hyperv(t);

	if (!READ_ONCE(hv->attached))
		return;
	this_cpu_inc(hv->cpus->signals);
	hv_do_fast_hypercall8(HVCALL_SIGNAL_EVENT, connection_id);
}

static void hyperv_eom_here(void *unused)
{
	compat_synic_set(EOM, 0);
}

/*
 * The register is the CPU's own. One that stands still for good, after a panic,
 * never takes the call: a message that waits for its slot is lost.
 */
static void hyperv_end_of_message(struct transport *t, unsigned int cpu)
{
	struct hyperv *hv = to_hyperv(t);

	this_cpu_inc(hv->cpus->eoms);
	if (get_cpu() == cpu)
		hyperv_eom_here(NULL);
	else
		/*
		 * Busy: one is queued there, and has not begun. Offline: that
		 * CPU's SynIC is off.
		 */
		smp_call_function_single_async(cpu,
					       &per_cpu_ptr(hv->cpus, cpu)->eom);
	put_cpu();
}

static void hyperv_interrupt(void)
{
	struct hyperv *hv = READ_ONCE(hyperv_instance);

	if (!hv)
		return;
	this_cpu_inc(hv->cpus->interrupts);
	connection_interrupt(&hv->t, smp_processor_id());
	add_interrupt_randomness(hyperv_irq_vector());
}

/* The other operations */

static void *hyperv_message_page(struct transport *t, unsigned int cpu)
{
	return per_cpu_ptr(to_hyperv(t)->cpus, cpu)->message;
}

static void *hyperv_event_page(struct transport *t, unsigned int cpu)
{
	return per_cpu_ptr(to_hyperv(t)->cpus, cpu)->event;
}

static u32 hyperv_cpu_to_vp(struct transport *t, unsigned int cpu)
{
	return hv_cpu_number_to_vp_number(cpu);
}

static bool hyperv_cpu_usable(struct transport *t, unsigned int cpu)
{
	return cpu_online(cpu) && hv_cpu_number_to_vp_number(cpu) != VP_INVAL;
}

/* The transport's part of debugfs: synth_vmbus/connection */
static void hyperv_show(struct transport *t, struct seq_file *m)
{
	struct hyperv *hv = to_hyperv(t);
	unsigned int i;
	int cpu;

	for (i = 0; i < hv->mmio.nr; i++)
		seq_printf(m, "MMIO window    0x%llx-0x%llx\n",
			   hv->mmio.windows[i].start, hv->mmio.windows[i].end);
	for_each_online_cpu(cpu) {
		struct hyperv_cpu *c = per_cpu_ptr(hv->cpus, cpu);

		seq_printf(m, "cpu %-10d vp %u, interrupts %llu, posts %llu, refused %llu, signals %llu, end of message %llu\n",
			   cpu, hyperv_cpu_to_vp(t, cpu), c->interrupts,
			   c->posts, c->posts_full, c->signals, c->eoms);
	}
}

static const struct transport_ops hyperv_ops = {
	.post_message	= hyperv_post_message,
	.signal_event	= hyperv_signal_event,
	.end_of_message	= hyperv_end_of_message,
	.message_page	= hyperv_message_page,
	.event_page	= hyperv_event_page,
	.cpu_to_vp	= hyperv_cpu_to_vp,
	.cpu_usable	= hyperv_cpu_usable,
	.show		= hyperv_show,
};

/* SynIC */

static void hyperv_mask_sint(void)
{
	u64 sint = compat_synic_get(SINT0 + TRANSPORT_SINT);

	compat_synic_set(SINT0 + TRANSPORT_SINT, sint | SINT_MASKED);
}

/* On the CPU that it is for */
static void hyperv_synic_on(struct hyperv *hv)
{
	struct hyperv_cpu *c = this_cpu_ptr(hv->cpus);
	unsigned long flags;
	u64 v;

	local_irq_save(flags);
	/* a kernel before this one, or firmware, may have left it on */
	hyperv_mask_sint();

	v = compat_synic_get(SIMP) & ~SYNIC_ADDRESS;
	compat_synic_set(SIMP, v | virt_to_phys(c->message) | SYNIC_ENABLE);
	v = compat_synic_get(SIEFP) & ~SYNIC_ADDRESS;
	compat_synic_set(SIEFP, v | virt_to_phys(c->event) | SYNIC_ENABLE);
	v = compat_synic_get(SCONTROL);
	compat_synic_set(SCONTROL, v | SYNIC_ENABLE);

	/*
	 * The pages lie over ours, and show what was in them when they were
	 * last on. Nothing of it is for us: nobody has our address yet.
	 */
	memset(c->message + TRANSPORT_SINT * HYPERV_SLOT_SIZE, 0,
	       HYPERV_SLOT_SIZE);
	memset(c->event + TRANSPORT_SINT * HYPERV_SLOT_SIZE, 0,
	       HYPERV_SLOT_SIZE);
	hyperv_eom_here(NULL);

	v = compat_synic_get(SINT0 + TRANSPORT_SINT);
	v &= ~(SINT_VECTOR | SINT_MASKED | SINT_AUTO_EOI | SINT_POLLING);
	v |= hyperv_irq_vector();
	if (hyperv_auto_eoi())
		v |= SINT_AUTO_EOI;
	hyperv_irq_on();
	compat_synic_set(SINT0 + TRANSPORT_SINT, v);
	local_irq_restore(flags);
}

/* On the CPU that it is for */
static void hyperv_synic_off(void)
{
	unsigned long flags;
	u64 v;

	local_irq_save(flags);
	hyperv_mask_sint();
	v = compat_synic_get(SIMP);
	compat_synic_set(SIMP, v & ~(SYNIC_ADDRESS | SYNIC_ENABLE));
	v = compat_synic_get(SIEFP);
	compat_synic_set(SIEFP, v & ~(SYNIC_ADDRESS | SYNIC_ENABLE));
	v = compat_synic_get(SCONTROL);
	compat_synic_set(SCONTROL, v & ~SYNIC_ENABLE);
	hyperv_irq_off();
	local_irq_restore(flags);
}

static void hyperv_on_here(void *hv)
{
	hyperv_synic_on(hv);
}

static void hyperv_off_here(void *unused)
{
	hyperv_synic_off();
}

/* All CPUs that are online, and those that come online from now on */
static void hyperv_start(struct hyperv *hv)
{
	cpus_read_lock();
	if (!hv->live) {
		hv->live = true;
		on_each_cpu(hyperv_on_here, hv, 1);
	}
	cpus_read_unlock();
	WRITE_ONCE(hv->attached, true);
}

/*
 * The mirror of hyperv_start(). Each CPU takes two calls, one after the other, and
 * with no handler running: the second finds nothing left that
 * hyperv_end_of_message() has queued, which may be run behind the first.
 */
static void hyperv_stop(struct hyperv *hv)
{
	WRITE_ONCE(hv->attached, false);
	cpus_read_lock();
	if (hv->live) {
		hv->live = false;
		on_each_cpu(hyperv_off_here, NULL, 1);
	}
	kick_all_cpus_sync();
	cpus_read_unlock();
}

/* Both run on the CPU in question, with the hotplug lock held for writing */
static int hyperv_cpu_online(unsigned int cpu)
{
	struct hyperv *hv = hyperv_instance;

	if (hv->live)
		hyperv_synic_on(hv);
	return 0;
}

static int hyperv_cpu_offline(unsigned int cpu)
{
	struct hyperv *hv = hyperv_instance;

	if (!hv->live)
		return 0;
	/*
	 * Channels have gone to other CPUs before. What the host had sent here
	 * until then is in the pages, which the register takes away.
	 */
	hyperv_mask_sint();
	connection_drain(&hv->t, cpu);
	hyperv_synic_off();
	connection_cpu_gone(&hv->t, cpu);
	return 0;
}

/* The end of this kernel */

/*
 * Timers that interrupt by themselves are the kernel's, and need no VMBus; but
 * who stops them before another kernel starts is left to it. In the other mode
 * they interrupt through a SINT, and without the kernel's own VMBus nobody has
 * set them up.
 */
static bool hyperv_direct_timers(void)
{
	return ms_hyperv.misc_features & HV_STIMER_DIRECT_MODE_AVAILABLE;
}

/* kexec: hyperv_shutdown() has come before */
static void hyperv_kexec(void)
{
	if (hyperv_direct_timers())
		hv_stimer_global_cleanup();
}

/*
 * A crash kernel is about to start, on this CPU, and will not look at what
 * other CPUs had.
 */
static void hyperv_crash(struct pt_regs *regs)
{
	struct hyperv *hv = READ_ONCE(hyperv_instance);

	if (!hv)
		return;
	connection_crash(&hv->t);
	WRITE_ONCE(hv->attached, false);
	if (hyperv_direct_timers())
		hv_stimer_cleanup(smp_processor_id());
	hyperv_synic_off();
}

/* Memory */

static void hyperv_free(struct hyperv *hv)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct hyperv_cpu *c = per_cpu_ptr(hv->cpus, cpu);

		free_page((unsigned long)c->post);
		free_page((unsigned long)c->event);
		free_page((unsigned long)c->message);
	}
	free_percpu(hv->cpus);
	kfree(hv);
}

static void *hyperv_page(int cpu)
{
	struct page *page = alloc_pages_node(cpu_to_node(cpu),
					     GFP_KERNEL | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

static struct hyperv *hyperv_alloc(struct device *dev)
{
	struct hyperv *hv = kzalloc(sizeof(*hv), GFP_KERNEL);
	int cpu;

	if (!hv)
		return NULL;
	hv->t.name = "hyperv";
	hv->t.ops = &hyperv_ops;
	hv->t.dev = dev;
	hv->t.connect_cpu_stays = true;
	/* a host says so by the state S4 */
	hv->t.hibernates = hv_is_hibernation_supported();
	hv->cpus = alloc_percpu(struct hyperv_cpu);
	if (!hv->cpus) {
		kfree(hv);
		return NULL;
	}
	for_each_possible_cpu(cpu) {
		struct hyperv_cpu *c = per_cpu_ptr(hv->cpus, cpu);

		INIT_CSD(&c->eom, hyperv_eom_here, NULL);
		c->message = hyperv_page(cpu);
		c->event = hyperv_page(cpu);
		c->post = hyperv_page(cpu);
		if (!c->message || !c->event || !c->post) {
			hyperv_free(hv);
			return NULL;
		}
	}
	return hv;
}

/* The device */

/* Whether the host can be spoken to from here, with the reason if not */
static int hyperv_check(struct device *dev)
{
	const char *other = connection_in_use();

	if (other) {
		dev_info(dev, "Hyper-V's channel is left alone: %s is in use\n",
			 other);
		return -ENODEV;
	}
	if (compat_hv_root()) {
		dev_err(dev, "this is Hyper-V's root partition: its SynIC is not ours\n");
		return -ENODEV;
	}
	/*
	 * Its driver does not give the host up when it is unbound, only when it
	 * is unloaded
	 */
	if (driver_find("vmbus", dev->bus)) {
		dev_err(dev, "the Hyper-V host is left to the kernel's own VMBus, though that has let go of the device\n");
		return -ENODEV;
	}
	if (!hyperv_has_synic()) {
		dev_err(dev, "the hypervisor gives this guest no SynIC\n");
		return -ENODEV;
	}
	return 0;
}

static int hyperv_probe(struct device *dev)
{
	struct hyperv *hv;
	int ret;

	if (hyperv_instance) {
		dev_err(dev, "only one such device can be used, and one is\n");
		return -EBUSY;
	}
	ret = hyperv_check(dev);
	if (ret)
		return ret;
	hv = hyperv_alloc(dev);
	if (!hv)
		return -ENOMEM;
	hyperv_mmio_find(&hv->mmio, &hv->t, compat_vmbus_acpi(dev));

	WRITE_ONCE(hyperv_instance, hv);
	ret = hyperv_irq_setup(compat_vmbus_acpi(dev), hyperv_interrupt);
	if (ret)
		goto err_free;
	/* before the channel's own state, so that channels leave a CPU first */
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					"synthio/hyperv:online",
					hyperv_cpu_online, hyperv_cpu_offline);
	if (ret < 0)
		goto err_handler;
	hv->cpuhp_state = ret;
	hyperv_start(hv);
	hv_setup_kexec_handler(hyperv_kexec);
	hv_setup_crash_handler(hyperv_crash);

	ret = connection_attach(&hv->t);
	if (ret)
		goto err_stop;
	return 0;

err_stop:
	hv_remove_crash_handler();
	hv_remove_kexec_handler();
	hyperv_stop(hv);
	cpuhp_remove_state_nocalls(hv->cpuhp_state);
err_handler:
	hyperv_irq_free();
err_free:
	WRITE_ONCE(hyperv_instance, NULL);
	hyperv_free(hv);
	return ret;
}

static void hyperv_remove(struct device *dev)
{
	struct hyperv *hv = hyperv_instance;

	connection_detach(&hv->t);
	hv_remove_crash_handler();
	hv_remove_kexec_handler();
	hyperv_stop(hv);
	cpuhp_remove_state_nocalls(hv->cpuhp_state);
	hyperv_irq_free();
	WRITE_ONCE(hyperv_instance, NULL);
	hyperv_free(hv);
}

/* Reboot and kexec: the next kernel finds a host and SynICs at rest */
static void hyperv_shutdown(struct device *dev)
{
	struct hyperv *hv = hyperv_instance;

	if (!hv || hv->t.dev != dev)
		return;
	connection_shutdown(&hv->t);
	hyperv_stop(hv);
}

/*
 * Hibernation. Devices on the bus are our children: they have been suspended
 * before us and are resumed after us. The vector is not one of those that are
 * suspended, so the host is heard in the noirq phase. CPUs that go offline and
 * come back meanwhile stay without SynIC, as does the one that writes the
 * image. Suspend to idle and to RAM leave the connection as it is.
 */
static int hyperv_resume(struct hyperv *hv)
{
	int ret;

	hyperv_start(hv);
	ret = connection_resume(&hv->t);
	if (ret) {
		dev_err(hv->t.dev, "no connection after hibernation: %d\n",
			ret);
		connection_host_lost(&hv->t);
	}
	return ret;
}

static int __maybe_unused hyperv_pm_freeze(struct device *dev)
{
	struct hyperv *hv = hyperv_instance;
	int ret;

	ret = connection_suspend(&hv->t);
	if (!ret)
		hyperv_stop(hv);
	return ret;
}

static int __maybe_unused hyperv_pm_thaw(struct device *dev)
{
	return hyperv_resume(hyperv_instance);
}

static const struct dev_pm_ops hyperv_pm_ops = {
	.freeze_noirq	= pm_sleep_ptr(hyperv_pm_freeze),
	.thaw_noirq	= pm_sleep_ptr(hyperv_pm_thaw),
	.poweroff_noirq	= pm_sleep_ptr(hyperv_pm_freeze),
	.restore_noirq	= pm_sleep_ptr(hyperv_pm_thaw),
};

static const struct acpi_device_id hyperv_ids[] = {
	{ "VMBUS" },
	{ "VMBus" },
	{}
};
/*
 * No MODULE_DEVICE_TABLE: udev would load this module beside the kernel's own,
 * and chance decide which of both gets the device with the root disk behind it.
 */

COMPAT_VMBUS_DRIVER(hyperv, HYPERV_DRIVER);

/* Somebody else has the device: say so, since nothing happens then */
static void hyperv_tell_owner(void)
{
	const struct acpi_device_id *id;
	struct acpi_device *adev = NULL;
	struct device *dev;

	for (id = hyperv_ids; id->id[0] && !adev; id++)
		adev = acpi_dev_get_first_match_dev(id->id, NULL, -1);
	if (!adev)
		return;
	dev = compat_vmbus_device(adev);
	if (dev) {
		device_lock(dev);
		if (dev->driver && strcmp(dev->driver->name, HYPERV_DRIVER))
			dev_info(dev, "the Hyper-V host is left to the kernel's own VMBus (driver %s)\n",
				 dev->driver->name);
		device_unlock(dev);
	}
	acpi_dev_put(adev);
}

/**
 * transport_hyperv_init() - look for Hyper-V's VMBus, and attach to it if it is
 *	there and the kernel's own has not taken it
 *
 * Context: process, sleeps; for seconds if the host is slow.
 * Return: 0, also without a device; a negative errno if the driver can't be
 *	registered.
 */
int transport_hyperv_init(void)
{
	int ret;

	if (!hv_is_hyperv_initialized())
		return 0;
	ret = compat_vmbus_register(&hyperv_driver);
	if (!ret && !hyperv_instance)
		hyperv_tell_owner();
	return ret;
}

/**
 * transport_hyperv_exit() - the mirror of transport_hyperv_init()
 *
 * Context: process, sleeps.
 */
void transport_hyperv_exit(void)
{
	if (hv_is_hyperv_initialized())
		compat_vmbus_unregister(&hyperv_driver);
}
