/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the shared-memory transport share.
 *
 *   ivshmem_post.c		doorbells, signals and messages to the host
 *   ivshmem_irq.c		interrupts from the host, CPU hotplug
 *   ivshmem_boot.c		the bootstrap page: attach, detach; the heartbeat
 *   transport_ivshmem.c	the PCI function: memory, probe, power management
 */
#ifndef SYNTHIO_TRANSPORT_IVSHMEM_H
#define SYNTHIO_TRANSPORT_IVSHMEM_H

#include <linux/kernel.h>
#include <linux/mutex.h>
#include <linux/pci.h>
#include <linux/percpu.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include <synthio/ivshmem.h>

#include "transport.h"

#define IVSHMEM_DRIVER		"synth_ivshmem"
#define IVSHMEM_BAR_REGS	0
#define IVSHMEM_BAR_SHARED	2

enum ivshmem_cookie {
	COOKIE_LOW,
	COOKIE_HIGH,
	COOKIES
};

static_assert(COOKIES <= SYNTHIO_MAX_COOKIES);

/**
 * struct ivshmem_vp - one virtual processor
 * @iv: the transport
 * @cpu: the CPU behind it
 * @message: SIMP-format page
 * @event: SIEFP-format page
 * @csd: carries an interrupt on to @cpu
 * @called: @csd is queued and has not begun to run
 * @turns: how many CPUs want connection_interrupt() for this VP. The one that makes the
 *	count non-zero runs it for all of them
 */
struct ivshmem_vp {
	struct ivshmem *iv;
	unsigned int cpu;
	void *message;
	void *event;
	call_single_data_t csd;
	atomic_t called;
	atomic_t turns;
};

struct ivshmem_vector {
	struct ivshmem *iv;
	unsigned int index;
	int irq;
	u64 interrupts;
};

struct ivshmem_stats {
	u64 signals;
	u64 doorbells;
	u64 posts;
	u64 posts_full;
	u64 forwarded;
};

/**
 * struct ivshmem - the transport's state
 * @t: what the channel sees
 * @pdev: the function
 * @regs: BAR 0
 * @boot: first page of BAR 2
 * @command_lock: one command at a time
 * @attached: the host accepts posts and signals
 * @live: interrupts are passed to the channel
 * @gone: the host does not respond: no heartbeat, or no answer to ATTACH
 * @broken: the control page was inconsistent: nothing is posted any more
 * @exposed: the host may write the pages: from the first ATTACH until a DETACH is
 *	answered
 * @host_peer: its ivshmem id
 * @host_vectors: doorbell vectors that it listens on
 * @generation: the host's count of its workers, as it was read last
 * @control: hot words
 * @post: the post queue, SYNTHIO_POST_SLOTS slots
 * @signal: signal flags, by connection id
 * @cookies: one page each
 * @post_lock: guards @post and @post_prod
 * @post_prod: the guest's own count; the shared word is only a copy of it
 * @stats: counters
 * @watch: looks at the heartbeat
 * @watch_last: jiffies when @watch last ran
 * @watch_beat: heartbeat that it saw then
 * @watch_irqs: interrupts that had come by then
 * @watch_missed: beats missed in a row
 * @nr_vectors: MSI-X vectors in use
 * @vectors: of them
 * @vp_of_cpu: VP index for each CPU number, -1 for none
 * @nr_vps: how many virtual processors there are
 * @vps: of them
 */
struct ivshmem {
	struct transport t;
	struct pci_dev *pdev;
	void __iomem *regs;
	struct synthio_bootstrap __iomem *boot;
	struct mutex command_lock;	/* a command and its answer */
	bool attached;
	bool live;
	bool gone;
	bool broken;
	bool exposed;
	u32 host_peer;
	u32 host_vectors;
	u32 generation;
	struct synthio_control *control;
	struct synthio_post *post;
	unsigned long *signal;
	u64 *cookies[COOKIES];
	raw_spinlock_t post_lock;
	u32 post_prod;
	struct ivshmem_stats __percpu *stats;
	struct delayed_work watch;
	unsigned long watch_last;
	u32 watch_beat;
	u64 watch_irqs;
	unsigned int watch_missed;
	unsigned int nr_vectors;
	struct ivshmem_vector vectors[SYNTHIO_MAX_VPS];
	int *vp_of_cpu;
	unsigned int nr_vps;
	struct ivshmem_vp vps[];
};

static inline struct ivshmem *to_ivshmem(struct transport *t)
{
	return container_of(t, struct ivshmem, t);
}

static inline struct ivshmem_vp *ivshmem_vp(struct ivshmem *iv, unsigned int cpu)
{
	if (cpu >= nr_cpu_ids || iv->vp_of_cpu[cpu] < 0)
		return NULL;
	return &iv->vps[iv->vp_of_cpu[cpu]];
}

/* ivshmem_post.c */

/**
 * ivshmem_ring() - wake the host
 * @vector: one of the host's, below host_vectors
 *
 * Context: any.
 */
void ivshmem_ring(struct ivshmem *iv, u32 vector);

/*
 * Operations of the transport, which struct transport_ops describes.
 */
void ivshmem_signal_event(struct transport *t, u32 connection_id);
void ivshmem_end_of_message(struct transport *t, unsigned int cpu);
int ivshmem_post_message(struct transport *t, u32 connection_id, u32 type,
			 const void *payload, size_t len);

/* ivshmem_irq.c */

/**
 * ivshmem_vp_pending() - whether a message or an event waits for a VP
 *
 * Context: any; the VP's pages exist.
 */
bool ivshmem_vp_pending(const struct ivshmem_vp *vp);

/**
 * ivshmem_vp_init() - prepare what carries an interrupt on to a VP's CPU
 * @vp: its @iv and @cpu are set
 *
 * Context: any.
 */
void ivshmem_vp_init(struct ivshmem_vp *vp);

/**
 * ivshmem_interrupts() - how many interrupts the host has raised so far
 *
 * Context: any.
 */
u64 ivshmem_interrupts(struct ivshmem *iv);

/**
 * ivshmem_request_irqs() - take as many MSI-X vectors as there are VPs, or fewer
 *
 * Context: process. Return: 0, or a negative errno, with the reason in the log.
 */
int ivshmem_request_irqs(struct ivshmem *iv);

/**
 * ivshmem_free_irqs() - the mirror of ivshmem_request_irqs()
 *
 * @live is false. When this returns, no handler and no cross-call looks at a page
 * of @iv any more.
 *
 * Context: process, sleeps.
 */
void ivshmem_free_irqs(struct ivshmem *iv);

/**
 * ivshmem_publish() - let vectors follow their CPUs from here on
 *
 * Context: process. Return: 0, or -EBUSY if another device is in use: there can
 * be one connection only.
 */
int ivshmem_publish(struct ivshmem *iv);

/**
 * ivshmem_unpublish() - the mirror of ivshmem_publish()
 *
 * Context: process.
 */
void ivshmem_unpublish(void);

/**
 * ivshmem_hotplug_init() - give CPUs that come online their vectors
 *
 * Context: process. Return: 0, or a negative errno.
 */
int ivshmem_hotplug_init(void);

/**
 * ivshmem_hotplug_exit() - the mirror of ivshmem_hotplug_init()
 *
 * Context: process.
 */
void ivshmem_hotplug_exit(void);

/* ivshmem_boot.c */

/**
 * ivshmem_has_magic() - whether the peer of this function is a VMBus host
 *
 * Context: any; the bootstrap page is mapped.
 */
bool ivshmem_has_magic(struct ivshmem *iv);

/**
 * ivshmem_attach() - tell the host where everything is, from a clean slate
 *
 * All pages are allocated and interrupts requested. From here on the host may
 * write the pages (@exposed).
 *
 * Context: process, sleeps until the host answers, 5 s at most.
 * Return: 0, or a negative errno, with the reason in the log.
 */
int ivshmem_attach(struct ivshmem *iv);

/**
 * ivshmem_detach() - have the host forget all pages
 * @outlast: if the host is stalled, wait until it goes on, for host_stall_limit() at most
 *
 * After an error the host may still write them.
 *
 * Context: process, sleeps until the host answers, 5 s at most without @outlast.
 * Return: 0, also if it was not attached; or a negative errno.
 */
int ivshmem_detach(struct ivshmem *iv, bool outlast);

/**
 * ivshmem_watch_init() - prepare the heartbeat watch
 *
 * Context: any.
 */
void ivshmem_watch_init(struct ivshmem *iv);

/**
 * ivshmem_watch_start() - look at the heartbeat once a second from here on
 *
 * The bus is told, by connection_host_stalled(), when it stops and when it goes on.
 *
 * Context: any.
 */
void ivshmem_watch_start(struct ivshmem *iv);

/**
 * ivshmem_watch_stop() - the mirror of ivshmem_watch_start()
 *
 * Context: process, sleeps.
 */
void ivshmem_watch_stop(struct ivshmem *iv);

#endif
