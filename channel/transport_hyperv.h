/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the Hyper-V transport share. */
#ifndef SYNTHIO_TRANSPORT_HYPERV_H
#define SYNTHIO_TRANSPORT_HYPERV_H

#include <linux/acpi.h>
#include <linux/ioport.h>
#include <linux/percpu.h>
#include <linux/smp.h>

#include "transport.h"

#define HYPERV_WINDOWS	8	/* Hyper-V has two, above and below 4 GiB */

/**
 * struct hyperv_mmio - MMIO windows that the firmware has set aside for VMBus
 * @nr: how many
 * @windows: in rising order, apart from each other
 * @gaps: what lies between them, which the aperture must keep out
 */
struct hyperv_mmio {
	unsigned int nr;
	struct {
		u64 start;
		u64 end;
	} windows[HYPERV_WINDOWS];
	struct resource gaps[HYPERV_WINDOWS - 1];
};

#define HYPERV_PAYLOAD	240

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
 * @eom: call to the CPU that its slot was freed on another CPU
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

static inline struct hyperv *to_hyperv(struct transport *t)
{
	return container_of(t, struct hyperv, t);
}

/* hyperv_synic.c */

/**
 * hyperv_eom() - tell this CPU's SynIC that its message slot is free
 * @unused: for calls from other CPUs
 *
 * Context: any, on the CPU in question.
 */
void hyperv_eom(void *unused);

/**
 * hyperv_start() - enable the SynIC of all CPUs that are or come online
 * @hv: the transport
 *
 * Context: process. Afterwards posts and signals are accepted.
 */
void hyperv_start(struct hyperv *hv);

/**
 * hyperv_stop() - the mirror of hyperv_start()
 * @hv: the transport
 *
 * Afterwards no CPU is in the interrupt handler, and no end of message is queued.
 *
 * Context: process, sleeps.
 */
void hyperv_stop(struct hyperv *hv);

/**
 * hyperv_synic_off() - disable the SynIC of this CPU
 *
 * Context: any, on the CPU in question.
 */
void hyperv_synic_off(void);

/*
 * There is one hypervisor, and the kernel has one handler for its interrupt. Set by
 * transport_hyperv.c before hyperv_hotplug_init(), NULL again after
 * hyperv_hotplug_exit().
 */
extern struct hyperv *hyperv_instance;

/**
 * hyperv_hotplug_init() - have SynICs follow their CPUs
 * @hv: the transport; there is only one
 *
 * Context: process. Return: 0 or a negative errno.
 */
int hyperv_hotplug_init(struct hyperv *hv);

/**
 * hyperv_hotplug_exit() - the mirror of hyperv_hotplug_init()
 * @hv: the transport, after hyperv_stop()
 *
 * Context: process.
 */
void hyperv_hotplug_exit(struct hyperv *hv);

/* hyperv_mmio.c */

/**
 * hyperv_mmio_find() - make a transport's aperture of the device's windows
 * @m: zeroed; stays as long as @t, whose aperture has parts of it
 * @t: its aperture and framebuffer are set; there may be none
 * @adev: the VMBus device
 *
 * Context: process.
 */
void hyperv_mmio_find(struct hyperv_mmio *m, struct transport *t,
		      struct acpi_device *adev);

/* hyperv_arch.c: what differs between architectures */

/**
 * hyperv_irq_setup() - take the interrupt that the SynIC raises
 * @adev: the VMBus device
 * @handler: called in hard interrupt context on the CPU whose SynIC has interrupted
 *
 * Context: process. Return: 0, or a negative errno, with the reason in the log.
 */
int hyperv_irq_setup(struct acpi_device *adev, void (*handler)(void));

/**
 * hyperv_irq_free() - the mirror of hyperv_irq_setup()
 *
 * Context: process; the interrupt is off on all CPUs.
 */
void hyperv_irq_free(void);

/**
 * hyperv_irq_vector() - what SINTx is to raise
 *
 * Context: any, after hyperv_irq_setup().
 */
u8 hyperv_irq_vector(void);

/**
 * hyperv_irq_on() - enable the interrupt on this CPU
 *
 * Context: this CPU, interrupts off. hyperv_irq_off() is the mirror.
 */
void hyperv_irq_on(void);
void hyperv_irq_off(void);

/**
 * hyperv_auto_eoi() - whether the hypervisor ends the interrupt by itself
 *
 * Context: any.
 */
bool hyperv_auto_eoi(void);

/**
 * hyperv_has_synic() - whether this guest has a SynIC at all
 *
 * Context: any.
 */
bool hyperv_has_synic(void);

#endif
