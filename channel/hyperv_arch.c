// SPDX-License-Identifier: GPL-2.0-only
/*
 * What differs between architectures in the Hyper-V transport: which interrupt the
 * SynIC raises, its handler, and whether there is a SynIC.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/interrupt.h>
#include <linux/irq.h>
#include <linux/percpu.h>
#include <asm/mshyperv.h>

#include "compat.h"
#include "transport_hyperv.h"

#ifdef CONFIG_X86_64

#include <asm/irq_vectors.h>
#include <asm/msr.h>

/* One vector of all CPUs, which the kernel has set aside, with its handler */

int hyperv_irq_setup(struct acpi_device *adev, void (*handler)(void))
{
	hv_setup_vmbus_handler(handler);
	return 0;
}

void hyperv_irq_free(void)
{
	hv_remove_vmbus_handler();
}

u8 hyperv_irq_vector(void)
{
	return HYPERVISOR_CALLBACK_VECTOR;
}

void hyperv_irq_on(void)
{
}

void hyperv_irq_off(void)
{
}

bool hyperv_auto_eoi(void)
{
	/* the kernel's handler of the vector signals its end by the same rule */
	return !(ms_hyperv.hints & HV_DEPRECATING_AEOI_RECOMMENDED);
}

bool hyperv_has_synic(void)
{
	u32 low, high;

	/*
	 * The privilege bit is not checked, since some hosts don't set it. A read of
	 * the register shows whether it exists.
	 */
	return !rdmsr_safe(HV_X64_MSR_SCONTROL, &low, &high);
}

#else /* CONFIG_ARM64 */

/*
 * A private peripheral interrupt (PPI), each CPU's own. The firmware names it in
 * _CRS of the VMBus device; its number is what SINTx takes as the vector.
 */
static struct {
	void (*handler)(void);
	int irq;
	u32 gsi;
	int trigger;
	int polarity;
	bool found;
} ppi;

/* request_percpu_irq() needs a percpu cookie; its value is not used */
static DEFINE_PER_CPU(u8, ppi_token);

static irqreturn_t ppi_interrupt(int irq, void *token)
{
	ppi.handler();
	return IRQ_HANDLED;
}

static acpi_status find_ppi(struct acpi_resource *res, void *unused)
{
	const struct acpi_resource_extended_irq *x = &res->data.extended_irq;

	if (res->type != ACPI_RESOURCE_TYPE_EXTENDED_IRQ ||
	    x->interrupt_count != 1)
		return AE_OK;
	ppi.gsi = x->interrupts[0];
	ppi.trigger = x->triggering;
	ppi.polarity = x->polarity;
	ppi.found = true;
	return AE_OK;
}

int hyperv_irq_setup(struct acpi_device *adev, void (*handler)(void))
{
	int ret;

	ppi.found = false;
	acpi_walk_resources(adev->handle, METHOD_NAME__CRS, find_ppi, NULL);
	if (!ppi.found || ppi.gsi > U8_MAX) {
		dev_err(&adev->dev, "the firmware names no interrupt for VMBus\n");
		return -ENODEV;
	}
	ppi.handler = handler;
	ppi.irq = acpi_register_gsi(&adev->dev, ppi.gsi, ppi.trigger,
				    ppi.polarity);
	if (ppi.irq <= 0) {
		dev_err(&adev->dev, "interrupt %u can't be registered: %d\n", ppi.gsi,
			ppi.irq);
		return ppi.irq ?: -ENXIO;
	}
	ret = request_percpu_irq(ppi.irq, ppi_interrupt, "synth_hyperv",
				 &ppi_token);
	if (ret) {
		dev_err(&adev->dev, "interrupt %u can't be requested: %d\n", ppi.gsi, ret);
		acpi_unregister_gsi(ppi.gsi);
	}
	return ret;
}

void hyperv_irq_free(void)
{
	free_percpu_irq(ppi.irq, &ppi_token);
	acpi_unregister_gsi(ppi.gsi);
}

u8 hyperv_irq_vector(void)
{
	return ppi.gsi;
}

void hyperv_irq_on(void)
{
	enable_percpu_irq(ppi.irq, IRQ_TYPE_NONE);
}

void hyperv_irq_off(void)
{
	disable_percpu_irq(ppi.irq);
}

bool hyperv_auto_eoi(void)
{
	return false;	/* the GIC's driver ends it */
}

bool hyperv_has_synic(void)
{
	/*
	 * All hypervisors of this kind have one on arm64. It can't be probed
	 * for: the kernel panics when a register that it reads is absent.
	 */
	return true;
}

#endif
