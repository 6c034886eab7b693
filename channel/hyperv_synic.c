// SPDX-License-Identifier: GPL-2.0-only
/*
 * The Hyper-V transport: the synthetic interrupt controller (SynIC) of each CPU (TLFS,
 * chapter "Virtual Interrupt Controller").
 *
 * SynIC registers belong to a CPU, and only that CPU writes them. Its SynIC is enabled
 * while the CPU is online and hyperv.live is set.
 */
#include <linux/bits.h>
#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/kernel.h>
#include <linux/smp.h>
#include <linux/string.h>
#include <asm/mshyperv.h>

#include "compat.h"
#include "transport_hyperv.h"

#define HYPERV_SLOT_SIZE	256

/* SynIC registers: what they share, and SINTx */
#define SYNIC_ENABLE		BIT_ULL(0)	/* SCONTROL, SIMP, SIEFP */
#define SYNIC_ADDRESS		GENMASK_ULL(63, 12)	/* SIMP, SIEFP */
#define SINT_VECTOR		GENMASK_ULL(7, 0)
#define SINT_MASKED		BIT_ULL(16)
#define SINT_AUTO_EOI		BIT_ULL(17)
#define SINT_POLLING		BIT_ULL(18)

struct hyperv *hyperv_instance;

void hyperv_eom(void *unused)
{
	compat_synic_set(EOM, 0);
}

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
	 * On some hypervisors the pages are an overlay, which still has what was in it
	 * when the SynIC was last enabled. None of that is for this connection, which
	 * has not told the host of this CPU yet.
	 */
	memset(c->message + TRANSPORT_SINT * HYPERV_SLOT_SIZE, 0,
	       HYPERV_SLOT_SIZE);
	memset(c->event + TRANSPORT_SINT * HYPERV_SLOT_SIZE, 0,
	       HYPERV_SLOT_SIZE);
	hyperv_eom(NULL);

	v = compat_synic_get(SINT0 + TRANSPORT_SINT);
	v &= ~(SINT_VECTOR | SINT_MASKED | SINT_AUTO_EOI | SINT_POLLING);
	v |= hyperv_irq_vector();
	if (hyperv_auto_eoi())
		v |= SINT_AUTO_EOI;
	hyperv_irq_on();
	compat_synic_set(SINT0 + TRANSPORT_SINT, v);
	local_irq_restore(flags);
}

void hyperv_synic_off(void)
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

void hyperv_start(struct hyperv *hv)
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
 * Each CPU executes two calls, one after the other, and neither while a handler runs. What
 * hyperv_end_of_message() had queued may run after the first call, and has run before the
 * second.
 */
void hyperv_stop(struct hyperv *hv)
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

/* The hotplug states run on the CPU in question, with the hotplug lock held for writing */
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
	 * The channels were moved to other CPUs before. What the host had sent to
	 * this one is in the pages, which can't be read when the SynIC is off.
	 */
	hyperv_mask_sint();
	connection_drain(&hv->t, cpu);
	hyperv_synic_off();
	connection_cpu_gone(&hv->t, cpu);
	return 0;
}

int hyperv_hotplug_init(struct hyperv *hv)
{
	int ret;

	/* before the state in cpu.c, so that channels leave a CPU before its SynIC is off */
	ret = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN,
					"synthio/hyperv:online",
					hyperv_cpu_online, hyperv_cpu_offline);
	if (ret < 0)
		return ret;
	hv->cpuhp_state = ret;
	return 0;
}

void hyperv_hotplug_exit(struct hyperv *hv)
{
	cpuhp_remove_state_nocalls(hv->cpuhp_state);
}
