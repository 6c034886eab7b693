/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the channel share.
 *
 * Locks, outermost first:
 *
 *   connection.state_mutex	attach, detach, suspend, resume: one at a time
 *   device lock (driver core)	probe and remove of one device
 *   cpus_read_lock()		a channel's CPU stays online while it is chosen
 *   connection.modify_mutex	one modify-channel request at a time, and no close
 *				before its answer
 *   sysfs_mutex (sysfs.c)	the channels directories
 *   connection.channel_mutex	the list of channels and their sub-channel lists,
 *				channel states, target CPUs. Not held across a wait
 *				for an answer of the host
 *   ring_buffer_mutex		(one for each ring) keeps the ring mapped for sysfs
 *				and debugfs
 *   vmbus_channel.sched_lock	(irq) the channel's callback
 *   connection.request_lock	(irq) requests that wait for an answer
 *   connection.rx_lock		(irq) messages that wait for a work item
 *
 * Locks marked with (irq) are taken in interrupt context, by what interrupt.c calls.
 * With PREEMPT_RT that is a thread, so none of them has to be a raw spinlock.
 *
 * Work runs on three queues:
 *
 *   offer_wq	(ordered) offers and rescinds in the order of their arrival.
 *		Waits neither for drivers nor for the host
 *   device_wq	(freezable) adds and removes devices: calls remove of drivers, and
 *		probe of those that don't prefer asynchronous probing. May wait for
 *		drivers and for the host
 *   sub_wq	adds and removes sub-channels, gives relids back, contacts the host
 *		again. Not freezable: a close waits for it while devices are frozen
 *
 * The files form floors: a file calls functions of its own floor and of those below.
 * docs/code.md has the picture, tests/suites/unit/floors.py checks it.
 */
#ifndef SYNTHIO_VMBUS_H
#define SYNTHIO_VMBUS_H

#include <linux/completion.h>
#include <linux/hyperv.h>
#include <linux/kfifo.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
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

/*
 * vmbus_channel.state. Two names of <linux/hyperv.h> mislead: CHANNEL_OPEN_STATE is the
 * state of a channel that is not open, and CHANNEL_OPENING_STATE stands for closing, too.
 */
#define CHANNEL_CLOSED		CHANNEL_OPEN_STATE
#define CHANNEL_CHANGING	CHANNEL_OPENING_STATE
#define CHANNEL_OPEN		CHANNEL_OPENED_STATE

/* What has become of the host's offer of a channel */
enum channel_life {
	LIFE_OFFERED,
	LIFE_DISMISSED,		/* the bus ends it: the host was not asked */
	LIFE_RESCINDED,		/* the work item has handled the host's rescind */
	LIFE_RELEASED,		/* off the lists and the relid table */
};

/**
 * struct channel - a vmbus_channel and what only the bus needs of it
 * @vc: what drivers see. vc.rescind is set when a rescind is received, before @life is
 *	LIFE_RESCINDED
 * @life: what has become of the offer. A channel that was dismissed is closed by its
 *	driver as after a rescind, but the host still has its ring until then
 * @remove_work: removes the device or sub-channel after it was rescinded or dismissed
 * @rename_due: the channel was offered again under another relid, and its directory has
 *	the name of the old one
 * @swept: a close of the primary channel has dealt with this sub-channel
 * @ring_lost: the host may still write to the ring, whose pages must stay
 * @left: CPU that the channel has left when that went offline, or nr_cpu_ids
 * @maybe_on: CPU that the host was asked to interrupt and did not confirm, or
 *	nr_cpu_ids
 * @last_interrupt: when the host last interrupted for the channel, ktime ns
 * @last_signal: when the guest last signalled the host, ktime ns
 * @gpadls: GPADLs that the host holds for this channel
 */
struct channel {
	struct vmbus_channel vc;
	enum channel_life life;
	struct work_struct remove_work;
	bool rename_due;
	bool swept;
	bool ring_lost;
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

static inline bool channel_is_closed(const struct vmbus_channel *vc)
{
	return READ_ONCE(vc->state) == CHANNEL_CLOSED;
}

static inline bool channel_is_open(const struct vmbus_channel *vc)
{
	return READ_ONCE(vc->state) == CHANNEL_OPEN;
}

enum connection_state {
	CONN_NONE,		/* no transport */
	CONN_CONTACTING,	/* the transport's set-up, version negotiation */
	CONN_CONNECTED,
	CONN_SUSPENDED,		/* unloaded; devices stay for the resume */
	CONN_RESUMING,		/* offers are matched to the devices that stayed */
	CONN_LEAVING,		/* devices are being removed */
};

/* Whether the host has to be told UNLOAD */
enum unload_state {
	UNLOAD_NOT_DUE,		/* it knows nothing of this guest */
	UNLOAD_DUE,		/* contact was made, or tried */
	UNLOAD_POSTING,		/* a task is posting it */
	UNLOAD_POSTED,		/* its answer is due */
};

/* One message from the host as it waits for a work item: a private copy */
struct rx_message {
	u32 len;
	u8 payload[HV_MESSAGE_PAYLOAD_BYTE_COUNT];
};

/**
 * struct connection - the one connection to a host
 * @transport: NULL when there is none
 * @state: changed by connection_set_state(); read without a lock
 * @ending: this kernel ends: nothing is posted any more but UNLOAD
 * @unload: enum unload_state
 * @message_conn_id: where messages are posted to
 * @connect_cpu: the CPU that messages come in on
 * @state_mutex: see the top of this file
 * @channel_mutex: see the top of this file
 * @modify_mutex: see the top of this file
 * @channels: primary channels, by vmbus_channel.listentry
 * @deferred: offers of a device whose previous incarnation is still being removed
 * @relids: the channel of each relid; RCU
 * @cpu_channels: how many channels of performance devices each CPU has
 * @request_lock: protects @requests
 * @requests: requests that wait for an answer of the host
 * @rx_lock: protects @rx
 * @rx: offers and rescinds that wait for @rx_work
 * @contact_work: tries again to reach a host that did not answer
 * @nr_channels: channels that are not released yet, listed or not
 * @posting: how many tasks are in host_post()
 * @next_gpadl: handle of the next GPADL
 * @offers_delivered: the host has sent all its offers
 * @unloaded: the host has answered UNLOAD
 * @int_page: interrupt page of protocols before 5.0: the first half is not used (the
 *	event page is), the second half has the relids that the guest signals
 * @monitor_pages: host's and guest's monitor page
 * @exposed: the host was told of @int_page and @monitor_pages, and has not confirmed yet
 *	that it lets go of them
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
	struct delayed_work contact_work;

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
 * The monitored-notification page of the TLFS, as far as it is used
 * here: the trigger groups, which the guest writes, and the latencies, in 100 ns.
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
 * @channel: its rescind ends the wait; or NULL
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

/* What host_post() does while the host takes no message */
enum post_mode {
	POST_WAIT,		/* sleep and try again, also while it is stalled */
	POST_RESPONSIVE,	/* the same, but give up when it stalls */
	POST_ATOMIC,		/* try again without sleeping */
};

/* From here on in the order of the floors, the lowest first */

/* state.c */
const char *connection_state_name(void);
void connection_set_state(enum connection_state to);
const char *channel_state_name(const struct vmbus_channel *vc);
void channel_set_state(struct vmbus_channel *vc, enum vmbus_channel_state to);
const char *channel_life_name(const struct channel *ch);
void channel_set_life(struct channel *ch, enum channel_life to);

/* Whether offers become channels; else they end with the UNLOAD */
static inline bool connection_takes_offers(void)
{
	enum connection_state state = READ_ONCE(connection.state);

	return state == CONN_CONNECTED || state == CONN_RESUMING;
}

/* host_post.c */
int host_post(const void *msg, size_t len, enum post_mode mode);

/* requestor.c */
int requestor_alloc(struct vmbus_requestor *r, u32 size);
void requestor_free(struct vmbus_requestor *r);

/* callback.c */
void channel_interrupt(struct vmbus_channel *channel);
void channel_event(unsigned long data);
void channel_look(struct vmbus_channel *channel);
void channel_forget_driver(struct vmbus_channel *primary);

/* relid.c */
extern const struct vmbus_device vmbus_devs[];
struct vmbus_channel *channel_of_relid(u32 relid);
bool channel_is_perf(const struct vmbus_channel *channel);
u16 relid_device_type(const struct vmbus_channel_offer *offer);
void relid_give_back(u32 relid);
void relid_stop_giving_back(void);
void relid_retire(u32 relid, bool received);
void relid_offered(u32 relid);
bool relid_rescinded(u32 relid, bool *give_back);
void relid_reset(void);

/* request.c */
extern unsigned int host_timeout;
void request_start(struct request *req, u32 answer,
		   struct vmbus_channel *channel, u32 gpadl);
int request_wait(struct request *req, bool outlast);
void request_cancel(struct request *req);
void request_fail(struct vmbus_channel *channel, int error);
void request_deliver(const struct rx_message *msg, u32 type);

/* gpadl.c */
int gpadl_establish_ring(struct vmbus_channel *channel,
			 struct vmbus_gpadl *gpadl);
u32 gpadl_ring_offset(const struct vmbus_channel *channel);

/* cpu.c */
void cpu_assign(struct vmbus_channel *channel);
void cpu_release(struct vmbus_channel *channel);
void cpu_set(struct vmbus_channel *channel, unsigned int cpu);
void cpu_reassign(struct vmbus_channel *channel);
void cpu_lock_modify(struct vmbus_channel *channel);
int channel_move(struct vmbus_channel *channel, unsigned int cpu);
int cpu_hotplug_start(void);
void cpu_hotplug_stop(void);

/* sysfs.c */
void sysfs_channel_init(struct vmbus_channel *channel);
int sysfs_create_directory(struct hv_device *dev);
void sysfs_remove_directory(struct hv_device *dev);
int sysfs_add_channel(struct hv_device *dev, struct vmbus_channel *channel);
void sysfs_remove_channel(struct vmbus_channel *channel);
void sysfs_rename_channel(struct vmbus_channel *channel);
#ifdef COMPAT_RING_SYSFS
/* exported, and in no public header */
int hv_create_ring_sysfs(struct vmbus_channel *channel,
			 int (*hv_mmap_ring_buffer)(struct vmbus_channel *channel,
						    struct vm_area_struct *vma));
int hv_remove_ring_sysfs(struct vmbus_channel *channel);
#endif

/* lifetime.c */
struct vmbus_channel *
channel_alloc(const struct vmbus_channel_offer_channel *offer);
void channel_setup(struct vmbus_channel *vc,
		   const struct vmbus_channel_offer_channel *offer);
void channel_release(struct vmbus_channel *channel);

/* bus.c; the exported one is in no public header */
void vmbus_device_unregister(struct hv_device *device_obj);
int bus_init(void);
void bus_exit(void);
int bus_notify(struct notifier_block *nb);
void bus_stop_notifying(struct notifier_block *nb);
int bus_add_device(struct vmbus_channel *channel,
		   void (*released)(struct vmbus_channel *channel));
struct hv_device *bus_get_device(struct vmbus_channel *channel);
bool bus_device_is_going(struct hv_device *hv);
void bus_resume_devices(void);

/* removal.c */
void removal_init(struct channel *ch, bool sub);
void removal_mark_rescind(const struct rx_message *msg);
void removal_rescind(struct vmbus_channel *channel);
void removal_all(void);
void removal_unloaded(bool confirmed);
int removal_suspend(void);
void removal_resume_done(void);
void removal_device_released(struct vmbus_channel *channel);

/* offers.c */
void offers_process(struct work_struct *work);
void offers_drop_deferred(void);

/* message.c */
void message_scan(struct transport *t, unsigned int cpu);
void message_rescan(void);
void message_work(struct work_struct *work);

/* interrupt.c */
int interrupt_init(void);
void interrupt_exit(void);

/* unload.c */
int unload_init(void);
void unload_exit(void);
int unload_host(bool outlast);

/* negotiate.c */
int negotiate_first(bool outlast);
int negotiate_again(bool outlast);
int negotiate_offers(void);
int negotiate_wait_offers(bool outlast);

/* connection.c */
int connection_alloc(void);
void connection_free(void);

/* debugfs.c */
void debugfs_init(void);
void debugfs_exit(void);

#endif
