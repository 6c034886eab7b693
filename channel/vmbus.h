/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the channel share among themselves.
 *
 * Locks, outermost first:
 *
 *   connection.state_mutex	attach, detach, suspend, resume: one at a time
 *   device lock (driver core)	probe and remove of one device
 *   cpus_read_lock()		a channel's CPU stays online while it is chosen
 *   connection.modify_mutex	one modify-channel request at a time, and no close
 *				before its answer
 *   sysfs_mutex (bus.c)	channels directories
 *   connection.channel_mutex	the list of channels and their sub-channel
 *				lists, target CPUs. Not held across a wait for
 *				an answer of the host
 *   ring_buffer_mutex		(per ring) keeps it mapped for sysfs, debugfs
 *   vmbus_channel.sched_lock	(irq) the channel's callback
 *   connection.request_lock	(irq) requests that wait for an answer
 *   connection.rx_lock		(irq) messages that wait for a worker
 *
 * Those marked with (irq) are taken by what an interrupt causes, which interrupt.c
 * runs. With PREEMPT_RT that is in a thread, so none of them need be raw.
 *
 * Work runs on three queues:
 *
 *   offer_wq	(ordered) offers and rescinds in the order of their arrival.
 *		Waits for no driver, and not for the host
 *   device_wq	(freezable) adds and removes devices, so remove of drivers runs
 *		here, and probe of those that don't prefer to be probed
 *		asynchronously. May wait for both
 *   sub_wq	sub-channels come and go, relids go back to the host. Not
 *		freezable: a close waits for it while devices are frozen
 */
#ifndef SYNTHIO_VMBUS_H
#define SYNTHIO_VMBUS_H

#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/kfifo.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>

#include "compat.h"
#include "host_state.h"
#include "transport.h"

#define MAX_RELIDS		2048	/* bits in one SINT's event flags */
#define MESSAGE_CONN_ID		1	/* up to version 4.1 */
#define MESSAGE_CONN_ID_V5	4	/* Initiate Contact of 5.0 and later */
#define MESSAGE_TYPE_CHANNEL	1	/* HV_MESSAGE_TYPE of channel messages */
#define RX_FIFO_SIZE		256	/* messages; a power of two */

/**
 * struct channel - a vmbus_channel and what only the bus needs of it
 * @vc: what drivers see
 * @remove_work: removes the device or sub-channel after a rescind
 * @removing: @remove_work was queued
 * @rescind_taken: the worker has come to the host's rescind, which
 *	vmbus_channel.rescind says as soon as it is received
 * @dismissed: the bus ends it, without a rescind: its owner is to close it as
 *	after one, but the host goes on to have its ring until then
 * @swept: a close of the primary has seen this sub-channel
 * @ring_lost: the host may still write to the ring, whose pages must stay
 * @released: taken off lists and relid table
 * @left: CPU that it has left when that went offline, or nr_cpu_ids
 * @maybe_on: CPU that the host was asked to interrupt and did not confirm, or
 *	nr_cpu_ids
 * @last_interrupt: when the host last interrupted for it, ktime ns
 * @last_signal: when it last signalled the host, ktime ns
 * @gpadls: GPADLs that the host holds for this channel
 */
struct channel {
	struct vmbus_channel vc;
	struct work_struct remove_work;
	bool removing;
	bool rescind_taken;
	bool dismissed;
	bool swept;
	bool ring_lost;
	bool released;
	unsigned int left;
	unsigned int maybe_on;
	u64 last_interrupt;
	u64 last_signal;
	atomic_t gpadls;
};

static inline struct channel *to_channel(struct vmbus_channel *vc)
{
	return container_of(vc, struct channel, vc);
}

enum connection_state {
	CONN_NONE,		/* no transport */
	CONN_CONTACTING,	/* version negotiation */
	CONN_CONNECTED,
	CONN_SUSPENDED,		/* unloaded, devices stay for the resume */
	CONN_LEAVING,		/* devices are being removed */
};

/* Whether the host has to be told UNLOAD */
enum unload_state {
	UNLOAD_NOT_DUE,		/* it knows nothing of us */
	UNLOAD_DUE,		/* contact was made, or tried */
	UNLOAD_POSTING,		/* somebody is at it */
	UNLOAD_POSTED,		/* its answer is due */
};

/* One message from the host as it waits for a worker: a private copy */
struct rx_message {
	u32 len;
	u8 payload[HV_MESSAGE_PAYLOAD_BYTE_COUNT];
};

/**
 * struct connection - the one connection to a host
 * @transport: NULL when there is none
 * @state: enum connection_state, under @state_mutex; read without it
 * @ending: of this kernel: nothing is posted any more but UNLOAD
 * @unload: enum unload_state
 * @message_conn_id: where messages are posted to
 * @connect_cpu: the CPU that messages come in on
 * @state_mutex: see the top of this file
 * @channel_mutex: see the top of this file
 * @modify_mutex: see the top of this file
 * @channels: primary channels, by vmbus_channel.listentry
 * @deferred: offers of a device whose previous incarnation is still being
 *	removed
 * @relids: channel of each relid; RCU
 * @cpu_channels: how many performance channels each CPU has
 * @request_lock: protects @requests
 * @requests: who waits for an answer of the host
 * @rx_lock: protects @rx
 * @rx: offers and rescinds that wait for @rx_work
 * @nr_channels: channels that are not released yet, listed or not
 * @posting: how many are in connection_post()
 * @next_gpadl: handle of the next GPADL
 * @offers_delivered: the host has sent all its offers
 * @unloaded: the host has answered UNLOAD
 * @int_page: interrupt page of protocols before 5.0: first half unused (the
 *	event page serves), second half: relids that we signal
 * @monitor_pages: host's and guest's monitor page
 * @exposed: the host was told of @int_page and @monitor_pages, and has not
 *	confirmed yet that it let go of them
 * @cpuhp_state: CPU hotplug state to remove on detach, 0 for none
 */
struct connection {
	struct transport *transport;
	enum connection_state state;
	bool ending;
	atomic_t unload;
	u32 message_conn_id;
	unsigned int connect_cpu;

	struct mutex state_mutex;
	struct mutex channel_mutex;
	struct mutex modify_mutex;
	struct list_head channels;
	struct list_head deferred;
	struct vmbus_channel __rcu *relids[MAX_RELIDS];
	unsigned int *cpu_channels;

	spinlock_t request_lock;
	struct list_head requests;

	spinlock_t rx_lock;
	DECLARE_KFIFO_PTR(rx, struct rx_message);
	struct work_struct rx_work;

	struct workqueue_struct *offer_wq;
	struct workqueue_struct *device_wq;
	struct workqueue_struct *sub_wq;

	atomic_t nr_channels;
	atomic_t posting;
	atomic_t next_gpadl;
	struct completion offers_delivered;
	struct completion unloaded;
	void *int_page;
	struct monitor_page *monitor_pages[2];
	bool exposed;
	int cpuhp_state;

	/* statistics, for debugfs */
	atomic64_t messages_in;
	atomic64_t messages_out;
	atomic64_t post_retries;
	atomic64_t leaked_pages;
};

extern struct connection connection;

/*
 * The monitored-notification page of the TLFS, as far as we look at it: the
 * trigger groups, which the guest writes, and the latencies, in 100 ns.
 */
struct monitor_page {
	u32 trigger_state;
	u32 reserved1;
	struct {
		u32 pending;
		u32 armed;
	} trigger_group[4];
	u64 reserved2[3];
	s32 next_check[4][32];
	u16 latency[4][32];
	u8 reserved3[4096 - 0x340];
};

static_assert(sizeof(struct monitor_page) == 4096);
static_assert(offsetof(struct monitor_page, latency) == 0x240);

/**
 * struct request - a message to the host that it will answer
 * @node: in connection.requests
 * @answer: type of the message that answers it
 * @relid: channel that the answer names, where answers of this type name one
 * @gpadl: GPADL that the answer names, likewise
 * @channel: a rescind of this channel ends the wait; or NULL
 * @done: the answer is in @response, or @error is set
 * @error: 0, or why there will be no answer
 * @response: copy of the answer
 */
struct request {
	struct list_head node;
	u32 answer;
	u32 relid;
	u32 gpadl;
	struct vmbus_channel *channel;
	struct completion done;
	int error;
	union {
		struct vmbus_channel_message_header header;
		struct vmbus_channel_version_response version;
		struct vmbus_channel_open_result open;
		struct vmbus_channel_gpadl_created gpadl_created;
		struct vmbus_channel_gpadl_torndown gpadl_torndown;
		struct vmbus_channel_modifychannel_response modify;
	} response;
};

/* What connection_post() does when the host takes no message */
enum post_mode {
	POST_WAIT,		/* sleep and try again, also while it is stalled */
	POST_RESPONSIVE,	/* the same, but give up when it stalls */
	POST_ATOMIC,		/* try again without sleeping */
};

/* connection.c */
int connection_alloc(void);
void connection_free(void);
int connection_post(const void *msg, size_t len, enum post_mode mode);
void connection_scan(struct transport *t, unsigned int cpu);
const char *connection_state_name(void);

/* request.c */
extern unsigned int host_timeout;
void request_start(struct request *req, u32 answer,
		   struct vmbus_channel *channel, u32 gpadl);
int request_wait(struct request *req);
int request_wait_responsive(struct request *req);
void request_cancel(struct request *req);
void request_fail(struct vmbus_channel *channel, int error);
void answer_deliver(const struct rx_message *msg, u32 type);

/* unload.c */
int unload_init(void);
void unload_exit(void);
bool unload_host(void);
void unload_behind_display(void);

/* interrupt.c */
int interrupt_init(void);
void interrupt_exit(void);

/* offers.c */
void offers_process(struct work_struct *work);
int offers_request(void);
void offers_stop_releases(void);
void offers_drop_deferred(void);
void channel_release(struct vmbus_channel *channel);
struct vmbus_channel *channel_of_relid(u32 relid);
bool channel_is_perf(const struct vmbus_channel *channel);
extern const struct vmbus_device vmbus_devs[];

/* removal.c */
void removal_init(struct channel *ch, bool sub);
void removal_mark_rescind(const struct rx_message *msg);
void removal_rescind(struct vmbus_channel *channel);
void removal_all(void);
void removal_unloaded(bool confirmed);
int removal_suspend(void);
void removal_resume_done(void);
void channel_device_released(struct vmbus_channel *channel);

/* channel.c */
void channel_interrupt(struct vmbus_channel *channel);
void channel_event(unsigned long data);
void channel_forget_driver(struct vmbus_channel *primary);
void channel_look(struct vmbus_channel *channel);

/* gpadl.c */
int gpadl_establish_ring(struct vmbus_channel *channel,
			 struct vmbus_gpadl *gpadl);
u32 gpadl_ring_offset(const struct vmbus_channel *channel);

/* bus.c; the exported one is in no public header */
void vmbus_device_unregister(struct hv_device *device_obj);
int bus_init(void);
void bus_exit(void);
int bus_add_device(struct vmbus_channel *channel);
bool bus_device_is_going(struct hv_device *hv);
int bus_add_channel(struct hv_device *dev, struct vmbus_channel *channel);
void bus_remove_channel(struct vmbus_channel *channel);
void bus_rename_channel(struct vmbus_channel *channel);
void bus_kobject_init(struct vmbus_channel *channel);

#ifdef COMPAT_RING_SYSFS
/* sysfs.c; exported, and in no public header */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma));
int hv_remove_ring_sysfs(struct vmbus_channel *channel);
#endif

/* cpu.c */
void cpu_assign(struct vmbus_channel *channel);
void cpu_release(struct vmbus_channel *channel);
void cpu_set(struct vmbus_channel *channel, unsigned int cpu);
void cpu_reassign(struct vmbus_channel *channel);
int channel_move(struct vmbus_channel *channel, unsigned int cpu);
int cpu_hotplug_start(void);
void cpu_hotplug_stop(void);

/* debugfs.c */
void debugfs_init(void);
void debugfs_exit(void);

#endif
