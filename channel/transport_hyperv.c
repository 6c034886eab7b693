// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Hyper-V transport: the VMBus device of ACPI, messages and signals by hypercall
 * (TLFS, chapter "Inter-Partition Communication"), shutdown and hibernation. The kernel
 * does what belongs to the hypervisor as a whole: hypercall page, virtual processor
 * indices, the interrupt vector. The SynIC is in hyperv_synic.c.
 *
 * What may still use the pages when they are to be freed:
 *
 *   the interrupt handler runs with interrupts off on a CPU whose SINT is not masked,
 *   and end-of-message calls are queued for other CPUs. hyperv_stop() masks the SINT on
 *   each CPU, then waits until each CPU has executed one more call: after that neither
 *   runs. With PREEMPT_RT the handler only wakes a thread, which does not use the pages
 *   any more when connection_detach() has returned.
 *
 *   posts and signals come from the channel, which has none in flight when
 *   connection_detach() has returned. @attached refuses those that a device still sends
 *   after a shutdown.
 *
 *   message and event pages belong to the hypervisor while their register has the enable
 *   bit. Clearing it takes effect at once, whatever state the host is in.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/acpi.h>
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
	 * The buffer belongs to this CPU. A panic from an NMI may interrupt a poster
	 * here, which does not go on.
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

/*
 * The register belongs to a CPU. One that was stopped by a panic does not execute the
 * call: a message that waits for its slot is lost.
 */
static void hyperv_end_of_message(struct transport *t, unsigned int cpu)
{
	struct hyperv *hv = to_hyperv(t);

	this_cpu_inc(hv->cpus->eoms);
	if (get_cpu() == cpu)
		hyperv_eom(NULL);
	else
		/*
		 * -EBUSY: a call is queued and has not begun. -ENXIO: the CPU is
		 * offline, and its SynIC is off.
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

/* The end of this kernel */

/*
 * Timers in direct mode belong to the kernel and need no VMBus, but the VMBus driver has
 * to stop them before another kernel starts. In the other mode they interrupt through a
 * SINT, and only the kernel's own VMBus driver sets them up.
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

/* A crash kernel is about to start on this CPU, and does not reset other CPUs' SynICs */
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

		INIT_CSD(&c->eom, hyperv_eom, NULL);
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

/* Whether this transport can use the host; logs the reason if not */
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
	/* the kernel's driver gives the host up when it is unloaded, not when unbound */
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
	ret = hyperv_hotplug_init(hv);
	if (ret)
		goto err_handler;
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
	hyperv_hotplug_exit(hv);
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
	hyperv_hotplug_exit(hv);
	hyperv_irq_free();
	WRITE_ONCE(hyperv_instance, NULL);
	hyperv_free(hv);
}

/* Reboot and kexec: the host is unloaded and the SynICs are off for the next kernel */
static void hyperv_shutdown(struct device *dev)
{
	struct hyperv *hv = hyperv_instance;

	if (!hv || hv->t.dev != dev)
		return;
	connection_shutdown(&hv->t);
	hyperv_stop(hv);
}

/*
 * Hibernation. The devices on the bus are children of this one: they are suspended before
 * it and resumed after it. The interrupt vector is not suspended, so the host's answers
 * arrive in the noirq phase. CPUs that go offline and come back meanwhile stay without
 * SynIC, as does the one that writes the image. Suspend to idle and to RAM leave the
 * connection as it is.
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
 * No MODULE_DEVICE_TABLE: udev would load this module beside the kernel's own, and it
 * would depend on the order which of them gets the device, and the root disk with it.
 */

COMPAT_VMBUS_DRIVER(hyperv, HYPERV_DRIVER);

/* Logs which other driver has the device, since this one then does nothing */
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
