/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a transport does for the channel, and what the channel offers to it.
 *
 * A transport knows messages, signals, virtual processors and MMIO; it knows
 * nothing of channels, offers or versions. Message and event-flags pages have
 * the formats of the TLFS (chapter "Inter-Partition Communication") whatever
 * carries them.
 */
#ifndef SYNTHIO_TRANSPORT_H
#define SYNTHIO_TRANSPORT_H

#include <linux/types.h>
#include <linux/device.h>
#include <linux/ioport.h>
#include <linux/list.h>
#include <linux/cpumask.h>
#include <linux/seq_file.h>

#include "host_state.h"

#define TRANSPORT_SINT			2	/* VMBus' synthetic interrupt */

struct transport;

/**
 * struct transport_ops - what a transport does
 *
 * @restart: Optional: at the start of each connection, and after each suspend: tell the
 *	host what it has to know before messages. Process context, sleeps for seconds.
 *	Returns 0, also if that was done before; -EAGAIN if the host does not answer:
 *	then the call is repeated later; another error if that is of no use.
 * @post_message: Hand one message to the host. At most 240 bytes of payload.
 *	Any context, interrupts on or off, also after a panic. Returns 0,
 *	-EAGAIN if the host has no room just now (try again after a pause),
 *	-ENODEV if the transport is not attached, -ENXIO if it knows no such connection id, -EINVAL for
 *	what can't be sent.
 * @signal_event: Tell the host that the channel of @connection_id has work. Any
 *	context. Without a host it does nothing.
 * @end_of_message: The message slot of @cpu was freed while another message
 *	was waiting for it. Any context, on any CPU.
 * @message_page: The SIMP-format page of @cpu; NULL if it has none.
 * @event_page: The SIEFP-format page of @cpu; NULL if it has none.
 * @cpu_to_vp: The virtual processor index that the host knows @cpu by.
 * @cpu_usable: Whether the host can interrupt @cpu.
 * @show: Optional: the transport's part of the debugfs page about the
 *	connection. Process context, from connection_attach() on; no call is
 *	under way when connection_detach() has returned.
 */
struct transport_ops {
	int (*restart)(struct transport *t);
	int (*post_message)(struct transport *t, u32 connection_id, u32 type,
			    const void *payload, size_t len);
	void (*signal_event)(struct transport *t, u32 connection_id);
	void (*end_of_message)(struct transport *t, unsigned int cpu);
	void *(*message_page)(struct transport *t, unsigned int cpu);
	void *(*event_page)(struct transport *t, unsigned int cpu);
	u32 (*cpu_to_vp)(struct transport *t, unsigned int cpu);
	bool (*cpu_usable)(struct transport *t, unsigned int cpu);
	void (*show)(struct transport *t, struct seq_file *s);
};

/**
 * struct transport - one path to a host
 * @name: for the log and debugfs, such as "ivshmem"
 * @ops: see above; only the optional ones may be NULL
 * @dev: the device that carries it; the parent of all VMBus devices
 * @aperture: root of the MMIO windows that drivers allocate from. Its children
 *	are the allocations, which are busy, and what the transport keeps out
 *	of them, which is not. aperture.end < aperture.start: there is none
 * @framebuffer: a child of @aperture, the firmware's framebuffer, for allocations that
 *	say that they may overlap it; no flags: there is none
 * @connect_cpu_stays: messages come in on the CPU of the contact for good: it
 *	can't go offline as long as the connection is there
 * @hibernates: the machine can, for all that the transport knows
 */
struct transport {
	const char *name;
	const struct transport_ops *ops;
	struct device *dev;
	struct resource aperture;
	struct resource framebuffer;
	bool connect_cpu_stays;
	bool hibernates;
};

/* connection.c: what a transport calls */

/**
 * connection_attach() - a transport has a host: negotiate, ask for offers
 * @t: set up and able to post and to interrupt; stays valid until
 *	connection_detach() has returned
 *
 * Context: process, sleeps for seconds if the host is slow.
 * Return: 0, also if the transport's restart has said -EAGAIN: then the connection is
 *	made as soon as the host answers. -EBUSY if another transport is in use; -ETIMEDOUT
 *	or -EPROTO if the host does not answer, or there is no common version.
 */
int connection_attach(struct transport *t);

/**
 * connection_in_use() - whether another transport would be refused now
 *
 * Context: any. Return: the name of the attached transport, or NULL.
 */
const char *connection_in_use(void);

/**
 * connection_detach() - the mirror of connection_attach()
 * @t: the attached transport
 *
 * Removes all devices, says UNLOAD to the host and waits for its answer for a
 * bounded time. Afterwards nothing here calls @t any more.
 *
 * Context: process, sleeps.
 * Return: true if the host has confirmed that it uses none of this guest's memory any
 *	more. False: keep what it may still write.
 */
bool connection_detach(struct transport *t);

/**
 * connection_released() - the host has confirmed that it uses no memory of this guest
 *
 * For a transport that has a way of its own to have the host confirm that: versions
 * before 3.0 have no UNLOAD.
 *
 * Context: any; nothing was sent since the last UNLOAD.
 */
void connection_released(void);

/**
 * connection_shutdown() - reboot or kexec: only tell the host, remove nothing
 * @t: the attached transport
 *
 * Context: process; bounded wait.
 */
void connection_shutdown(struct transport *t);

/**
 * connection_crash() - unload the host in a crash, without other CPUs
 * @t: the attached transport
 *
 * For a transport that is called before a crash kernel starts, when panic notifiers
 * may not be called. The second call does nothing.
 *
 * Context: any, interrupts off, other CPUs perhaps standing still; polls for a
 * bounded time.
 */
void connection_crash(struct transport *t);

/**
 * connection_host_stalled() - the host has stopped to respond, or responds again
 * @t: the attached transport
 * @stalled: it does not respond. What waits for it waits on, for a bounded time
 *	(host_state.h), and drivers are told
 *
 * Context: process.
 */
void connection_host_stalled(struct transport *t, bool stalled);

/**
 * connection_host_lost() - the host will not respond any more
 * @t: the attached transport
 *
 * What waits for the host ends with -ENODEV from now on, and nothing is posted to it.
 *
 * Context: process.
 */
void connection_host_lost(struct transport *t);

/**
 * connection_interrupt() - handle what is in one CPU's message and event-flags pages
 * @t: the attached transport
 * @cpu: the CPU of the pages; normally the one that this runs on
 *
 * With PREEMPT_RT this only wakes the thread that looks, on @cpu if that is
 * online, whichever CPU this runs on.
 *
 * Context: hard interrupt. A call when nothing is pending does no harm.
 */
void connection_interrupt(struct transport *t, unsigned int cpu);

/**
 * connection_drain() - connection_interrupt() that is done when it returns
 * @t: the attached transport
 * @cpu: the CPU of the pages; normally the one that this runs on. Its interrupts of @t
 *	are masked
 *
 * Context: process, interrupts on; sleeps with PREEMPT_RT.
 */
void connection_drain(struct transport *t, unsigned int cpu);

/**
 * connection_cpu_gone() - the host's signals don't reach a CPU any more
 * @t: the attached transport
 * @cpu: its channels have gone to other CPUs, and connection_drain() has returned
 *
 * Hosts drop signals to a CPU whose interrupt is masked, and older ones don't confirm
 * that they have moved a channel.
 *
 * Context: process, sleeps; CPU hotplug lock held.
 */
void connection_cpu_gone(struct transport *t, unsigned int cpu);

/**
 * connection_suspend() - suspend for hibernation, after the devices' suspend
 * @t: the attached transport
 *
 * Context: process.
 * Return: 0; -EBUSY if a channel is open or another operation is under way; -EAGAIN if
 *	the host is stalled. After an error the connection is there, or comes back as after
 *	connection_resume().
 */
int connection_suspend(struct transport *t);

/**
 * connection_resume() - negotiate again and match offers to what exists
 * @t: the attached transport
 *
 * If the host does not answer, that is repeated until it does. Devices are resumed then.
 *
 * Context: process. Return: 0, also if the host does not answer yet; or an error: then
 *	there will be no connection.
 */
int connection_resume(struct transport *t);

/* transport_ivshmem.c, transport_hyperv.c: what main.c calls */
int transport_ivshmem_init(void);
void transport_ivshmem_exit(void);
#ifdef SYNTHIO_TRANSPORT_HYPERV
int transport_hyperv_init(void);
void transport_hyperv_exit(void);
#else
static inline int transport_hyperv_init(void)
{
	return 0;
}

static inline void transport_hyperv_exit(void)
{
}
#endif

#endif
