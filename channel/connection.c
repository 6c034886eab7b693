// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection to the host: messages both ways, version negotiation, attach
 * and detach, suspend and resume.
 *
 * Messages from the host arrive in interrupt context (interrupt.c), one at a
 * time in the message slot of a CPU. Answers to requests are matched and
 * completed right there (request.c). Offers and rescinds are queued, and offers.c
 * takes them in their order; but that a channel was rescinded is marked at once, so
 * that nobody waits for the host on its behalf while the queue waits for somebody
 * else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/io.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/sync_bitops.h>

#include "vmbus.h"
#include "trace.h"

/*
 * Hosts throttle, and some take nothing while they are busy with something else.
 * The kernel's own VMBus goes on trying for this long.
 */
#define POST_TIMEOUT_US		(170 * USEC_PER_SEC)
#define POST_RETRY_US		100
#define POST_RETRY_MAX_US	(100 * USEC_PER_MSEC)
#define SLOT_BURST		16	/* messages for one interrupt */

struct connection connection;

__u32 vmbus_proto_version = VERSION_WIN10_V4_1;

static char *max_version = "6.0";
module_param(max_version, charp, 0444);
MODULE_PARM_DESC(max_version,
		 "Newest VMBus protocol version to ask for, as major.minor (default 6.0)");

/* newest first; a host takes a version exactly or not at all */
static const u32 versions[] = {
	VERSION_WIN10_V6_0,
	VERSION_WIN10_V5_3,
	VERSION_WIN10_V5_2,
	VERSION_WIN10_V5_1,
	VERSION_WIN10_V5,
	VERSION_WIN10_V4_1,
	VERSION_WIN10,
	VERSION_WIN8_1,
	VERSION_WIN8,
};

/**
 * connection_state_name() - for people
 *
 * Context: any. Return: a word for the connection's state.
 */
const char *connection_state_name(void)
{
	static const char * const names[] = {
		[CONN_NONE]		= "none",
		[CONN_CONTACTING]	= "contacting",
		[CONN_CONNECTED]	= "connected",
		[CONN_SUSPENDED]	= "suspended",
		[CONN_LEAVING]		= "leaving",
	};

	return names[READ_ONCE(connection.state)];
}

/**
 * connection_post() - send a channel message to the host
 * @msg: a struct vmbus_channel_message_header and what follows
 * @len: bytes, at most 240
 * @mode: what to do while the host takes no message
 *
 * Context: process, or any with POST_ATOMIC.
 * Return: 0, -ENODEV if there is no host or it is lost, -ETIMEDOUT if it took no
 *	message for nearly three minutes, in which it was not stalled, -ENXIO if it does not know the connection id that
 *	contact is made by, -ESHUTDOWN if all but UNLOAD comes too late, -EINVAL for
 *	what can't be sent, -EAGAIN if the host is stalled (POST_RESPONSIVE).
 */
int connection_post(const void *msg, size_t len, enum post_mode mode)
{
	const struct vmbus_channel_message_header *hdr = msg;
	unsigned int waited_us = 0, pause_us = POST_RETRY_US;
	struct transport *t;
	int ret;

	atomic_inc(&connection.posting);
	/*
	 * Pairs with the barrier in forget_transport(), which waits for us: it
	 * sees the count, or we see no transport.
	 */
	smp_mb__after_atomic();
	for (;;) {
		t = READ_ONCE(connection.transport);
		if (!t || host_state() == HOST_LOST) {
			ret = -ENODEV;
			break;
		}
		if (READ_ONCE(connection.ending) &&
		    hdr->msgtype != CHANNELMSG_UNLOAD) {
			ret = -ESHUTDOWN;
			break;
		}
		ret = t->ops->post_message(t, connection.message_conn_id,
					   MESSAGE_TYPE_CHANNEL, msg, len);
		/*
		 * Hosts that are sent too much also say so of an id that is
		 * good. Only of the first one we don't know whether it is.
		 */
		if (ret != -EAGAIN &&
		    (ret != -ENXIO ||
		     hdr->msgtype == CHANNELMSG_INITIATE_CONTACT))
			break;
		if (waited_us >= POST_TIMEOUT_US) {
			ret = -ETIMEDOUT;
			break;
		}
		if (ret == -EAGAIN && mode == POST_RESPONSIVE &&
		    host_state() == HOST_STALLED)
			break;
		atomic64_inc(&connection.post_retries);
		if (mode != POST_ATOMIC)
			usleep_range(pause_us, 2 * pause_us);
		else
			udelay(pause_us);
		/* with interrupts off nothing changes the host's state */
		if (mode == POST_ATOMIC || host_state() == HOST_RESPONDS)
			waited_us += pause_us;
		if (mode != POST_ATOMIC && pause_us < POST_RETRY_MAX_US)
			pause_us *= 2;
	}

	/*
	 * Release: whoever frees the transport's pages when this is 0 finds us
	 * done with them.
	 */
	smp_mb__before_atomic();
	atomic_dec(&connection.posting);

	trace_synth_message_out(hdr->msgtype, len, ret);
	if (!ret)
		atomic64_inc(&connection.messages_out);
	else if (ret != -ENXIO && ret != -ENODEV && ret != -ESHUTDOWN &&
		 ret != -EAGAIN)
		pr_err_ratelimited("message %u could not be posted (%d)\n",
				   hdr->msgtype, ret);
	return ret;
}

/*
 * One message, already copied. False: it must wait in its slot, since the
 * queue to the workers is full. Called with rx_lock held.
 */
static bool message_deliver(const struct rx_message *msg)
{
	const struct vmbus_channel_message_header *hdr =
		(const void *)msg->payload;
	u32 type;

	if (msg->len < sizeof(*hdr)) {
		pr_warn_ratelimited("message of %u bytes from the host is too short\n",
				    msg->len);
		return true;
	}
	type = hdr->msgtype;
	trace_synth_message_in(type, msg->len);

	switch (type) {
	case CHANNELMSG_RESCIND_CHANNELOFFER:
		removal_mark_rescind(msg);
		fallthrough;
	case CHANNELMSG_OFFERCHANNEL:
	case CHANNELMSG_ALLOFFERS_DELIVERED:
		if (!kfifo_put(&connection.rx, *msg))
			return false;
		queue_work(connection.offer_wq, &connection.rx_work);
		break;
	case CHANNELMSG_VERSION_RESPONSE:
	case CHANNELMSG_OPENCHANNEL_RESULT:
	case CHANNELMSG_GPADL_CREATED:
	case CHANNELMSG_GPADL_TORNDOWN:
	case CHANNELMSG_MODIFYCHANNEL_RESPONSE:
		answer_deliver(msg, type);
		break;
	case CHANNELMSG_UNLOAD_RESPONSE:
		complete_all(&connection.unloaded);
		break;
	case CHANNELMSG_TL_CONNECT_RESULT:
		/* the socket driver learns of success by an offer */
		break;
	default:
		pr_warn_ratelimited("message of unknown type %u from the host\n",
				    type);
	}
	atomic64_inc(&connection.messages_in);
	return true;
}

/* The header that precedes a message in its slot, TLFS HV_MESSAGE_HEADER */
static bool slot_take(struct transport *t, unsigned int cpu,
		      struct hv_message *slot)
{
	struct rx_message msg;
	u32 type = READ_ONCE(slot->header.message_type);

	if (type == HVMSG_NONE)
		return false;
	/* pairs with the host's release of the type: the payload is there */
	virt_rmb();

	if (type == MESSAGE_TYPE_CHANNEL) {
		msg.len = min_t(u32, READ_ONCE(slot->header.payload_size),
				sizeof(msg.payload));
		memcpy(msg.payload, slot->u.payload, sizeof(msg.payload));
		memset(msg.payload + msg.len, 0, sizeof(msg.payload) - msg.len);
		if (!message_deliver(&msg))
			return false;
	} else if (type != HVMSG_TIMER_EXPIRED) {
		/* a timer that a kernel before this one has set rings in vain */
		pr_warn_ratelimited("SynIC message of unknown type 0x%x\n",
				    type);
	}

	/*
	 * Release: the host writes the next message as soon as it reads 0. A
	 * load of the copy above that came after this store, as a weakly
	 * ordered CPU may have it, would take parts of that one.
	 */
	virt_store_release(&slot->header.message_type, HVMSG_NONE);
	/*
	 * Pairs with the barrier between the host's setting of msg_pending and
	 * its second look at the type: it sees the slot free, or we see that it
	 * waits for it. Without the barrier both could miss, and the message
	 * would wait for ever.
	 */
	virt_mb();
	if (READ_ONCE(slot->header.message_flags.asu8) & 1)
		t->ops->end_of_message(t, cpu);
	return true;
}

static void slots_scan(struct transport *t, unsigned int cpu)
{
	struct hv_message *page = t->ops->message_page(t, cpu);
	unsigned long flags;
	int i;

	if (!page || READ_ONCE(page[TRANSPORT_SINT].header.message_type) ==
		     HVMSG_NONE)
		return;

	spin_lock_irqsave(&connection.rx_lock, flags);
	for (i = 0; i < SLOT_BURST; i++)
		if (!slot_take(t, cpu, &page[TRANSPORT_SINT]))
			break;
	spin_unlock_irqrestore(&connection.rx_lock, flags);
}

static void events_scan(struct transport *t, unsigned int cpu)
{
	unsigned long *flags = t->ops->event_page(t, cpu);
	unsigned int word, bit;

	if (!flags)
		return;
	flags += TRANSPORT_SINT * MAX_RELIDS / BITS_PER_LONG;

	for (word = 0; word < MAX_RELIDS / BITS_PER_LONG; word++) {
		unsigned long set;

		if (!READ_ONCE(flags[word]))
			continue;
		/*
		 * A locked exchange even on one CPU, and a full barrier: ring
		 * contents that the host wrote before the flag are visible.
		 */
		set = xchg(&flags[word], 0);
		for_each_set_bit(bit, &set, BITS_PER_LONG) {
			struct vmbus_channel *channel;

			/* keeps the channel until its callback was called */
			rcu_read_lock();
			channel = channel_of_relid(word * BITS_PER_LONG + bit);
			if (channel)
				channel_interrupt(channel);
			rcu_read_unlock();
		}
	}
}

/**
 * connection_scan() - look at one CPU's message and event-flags pages
 * @t: the caller's transport
 * @cpu: whose pages
 *
 * Context: hard interrupt, or with interrupts off; with PREEMPT_RT that CPU's
 *	thread instead, with bottom halves disabled (interrupt.c). An RCU reader
 *	in any case.
 */
void connection_scan(struct transport *t, unsigned int cpu)
{
	/* pairs with connection_attach(): what it set up before is there */
	if (smp_load_acquire(&connection.transport) != t)
		return;
	events_scan(t, cpu);
	slots_scan(t, cpu);
}

/*
 * offers.c has made room: take what had to wait in the slots. No interrupt
 * comes for those.
 */
static void slots_rescan(void)
{
	struct transport *t = connection.transport;
	unsigned int cpu;

	if (t)
		/* of an offline CPU too: it may be the one for messages */
		for_each_possible_cpu(cpu)
			slots_scan(t, cpu);
}

static void connection_rx_work(struct work_struct *work)
{
	offers_process(work);
	slots_rescan();
}

static u32 max_version_number(void)
{
	unsigned int major, minor;

	if (sscanf(max_version, "%u.%u", &major, &minor) != 2 ||
	    major > 0xffff || minor > 0xffff) {
		pr_warn("max_version=%s is not major.minor, ignored\n",
			max_version);
		return U32_MAX;
	}
	return major << 16 | minor;
}

/*
 * Ask for one version. Returns 0 if the host accepts, -EPROTO if it refuses,
 * or an error that another version can't mend.
 */
static int contact(u32 version)
{
	struct transport *t = connection.transport;
	struct vmbus_channel_initiate_contact msg = {
		.header.msgtype = CHANNELMSG_INITIATE_CONTACT,
		.vmbus_version_requested = version,
		.target_vcpu = t->ops->cpu_to_vp(t, connection.connect_cpu),
		.monitor_page1 = virt_to_phys(connection.monitor_pages[0]),
		.monitor_page2 = virt_to_phys(connection.monitor_pages[1]),
	};
	struct vmbus_channel_version_response *rsp;
	struct request req;
	int ret;

	if (version >= VERSION_WIN10_V5) {
		/* VTL and, from 6.0 on, feature flags stay 0 */
		msg.msg_sint = TRANSPORT_SINT;
		connection.message_conn_id = MESSAGE_CONN_ID_V5;
	} else {
		msg.interrupt_page = virt_to_phys(connection.int_page);
		connection.message_conn_id = MESSAGE_CONN_ID;
	}

	/* even if it does not answer, it may have taken the pages */
	connection.exposed = true;
	atomic_set(&connection.unload, UNLOAD_DUE);
	request_start(&req, CHANNELMSG_VERSION_RESPONSE, NULL, 0);
	ret = connection_post(&msg, sizeof(msg), POST_WAIT);
	if (ret) {
		request_cancel(&req);
		/* a host without the newer connection id speaks no 5.0 */
		return ret == -ENXIO ? -EPROTO : ret;
	}
	ret = request_wait(&req);
	if (ret)
		return ret;

	rsp = &req.response.version;
	if (!rsp->version_supported) {
		atomic_set(&connection.unload, UNLOAD_NOT_DUE);
		return -EPROTO;
	}
	if (rsp->connection_state) {
		pr_err("the host accepts version %u.%u but refuses the connection (state %u)\n",
		       version >> 16, version & 0xffff, rsp->connection_state);
		return -ECONNREFUSED;
	}
	if (version >= VERSION_WIN10_V5)
		connection.message_conn_id = rsp->msg_conn_id;
	return 0;
}

static int negotiate(u32 newest, u32 oldest)
{
	bool v5_silent = false;
	int i, ret = -EPROTO;

	for (i = 0; i < ARRAY_SIZE(versions); i++) {
		u32 version = versions[i];

		if (version > newest || version < oldest)
			continue;
		if (v5_silent && version >= VERSION_WIN10_V5)
			continue;
		ret = contact(version);
		if (!ret) {
			vmbus_proto_version = version;
			/*
			 * Offers and rescinds that are still queued are of a
			 * connection before this one, and are dropped in the state
			 * that we are in
			 */
			flush_workqueue(connection.offer_wq);
			pr_info("VMBus version %u.%u over %s\n", version >> 16,
				version & 0xffff, connection.transport->name);
			return 0;
		}
		if (ret == -ETIMEDOUT && version >= VERSION_WIN10_V5) {
			/* perhaps nobody listens on the newer connection id */
			v5_silent = true;
			continue;
		}
		if (ret != -EPROTO)
			break;
	}
	pr_err("no connection to the host (%d)%s\n", ret,
	       ret == -EPROTO ? ": it speaks no version that this driver does" : "");
	return ret;
}

static int fetch_offers(void)
{
	int ret;

	reinit_completion(&connection.offers_delivered);
	ret = offers_request();
	if (ret)
		return ret;
	ret = host_wait(&connection.offers_delivered, host_timeout, true);
	if (ret)
		pr_warn("the host has not sent all its offers (%d): devices may be missing until it does\n",
			ret);
	return 0;
}

static void set_state(enum connection_state state)
{
	lockdep_assert_held(&connection.state_mutex);
	WRITE_ONCE(connection.state, state);
}

/* Remove all devices, unload. Returns whether the host has let go. */
static bool leave_host(void)
{
	bool confirmed;

	set_state(CONN_LEAVING);
	/* an offer that is being taken now becomes a device, or sees LEAVING */
	flush_workqueue(connection.offer_wq);
	flush_workqueue(connection.device_wq);
	removal_all();
	flush_workqueue(connection.sub_wq);
	offers_stop_releases();

	confirmed = unload_host();
	if (confirmed)
		connection.exposed = false;
	removal_unloaded(confirmed);
	/* until then drivers waited for interrupts: of CPUs that must not go */
	cpu_hotplug_stop();
	return confirmed;
}

/* Afterwards nobody uses the transport or begins to */
static void forget_transport(void)
{
	set_state(CONN_NONE);
	mutex_lock(&connection.channel_mutex);	/* debugfs looks at it */
	WRITE_ONCE(connection.transport, NULL);
	mutex_unlock(&connection.channel_mutex);
	/* these pair with the barriers around "posting" in connection_post() */
	smp_mb();
	while (atomic_read_acquire(&connection.posting))
		usleep_range(1000, 2000);
	synchronize_rcu();	/* vmbus_set_event(), connection_scan() */
	/* messages that came since */
	flush_workqueue(connection.offer_wq);
}

int connection_attach(struct transport *t)
{
	int ret;

	mutex_lock(&connection.state_mutex);
	if (connection.transport) {
		ret = -EBUSY;
		goto out;
	}
	host_state_set(HOST_RESPONDS);
	connection.ending = false;
	connection.connect_cpu = cpumask_first(cpu_online_mask);
	memset(connection.int_page, 0, PAGE_SIZE);
	memset(connection.monitor_pages[0], 0, PAGE_SIZE);
	memset(connection.monitor_pages[1], 0, PAGE_SIZE);
	/* whoever finds it, such as debugfs, finds it set up */
	smp_store_release(&connection.transport, t);
	set_state(CONN_CONTACTING);
	/*
	 * What an earlier guest was still owed may have come before anybody
	 * looked, and keeps its slot from what is for us
	 */
	slots_rescan();

	ret = negotiate(max_version_number(), VERSION_WIN8);
	if (ret)
		goto no_transport;
	ret = cpu_hotplug_start();
	if (ret)
		goto no_offers;

	set_state(CONN_CONNECTED);
	ret = fetch_offers();
	if (ret)
		goto no_offers;
	/* whoever loaded us finds the devices there */
	flush_workqueue(connection.offer_wq);
	flush_workqueue(connection.device_wq);
	goto out;

no_offers:
	leave_host();
no_transport:
	forget_transport();
out:
	mutex_unlock(&connection.state_mutex);
	return ret;
}

const char *connection_in_use(void)
{
	struct transport *t = READ_ONCE(connection.transport);

	return t ? t->name : NULL;
}

bool connection_detach(struct transport *t)
{
	bool confirmed = false;

	mutex_lock(&connection.state_mutex);
	if (connection.transport != t)
		goto out;

	confirmed = leave_host();
	forget_transport();
out:
	mutex_unlock(&connection.state_mutex);
	return confirmed;
}

void connection_released(void)
{
	WRITE_ONCE(connection.exposed, false);
}

void connection_host_stalled(struct transport *t, bool stalled)
{
	if (READ_ONCE(connection.transport) == t)
		host_state_set(stalled ? HOST_STALLED : HOST_RESPONDS);
}

void connection_host_lost(struct transport *t)
{
	if (READ_ONCE(connection.transport) != t)
		return;
	host_state_set(HOST_LOST);
	request_fail(NULL, -ENODEV);
}

int connection_suspend(struct transport *t)
{
	bool confirmed;
	int ret;

	mutex_lock(&connection.state_mutex);
	if (connection.transport != t || connection.state != CONN_CONNECTED) {
		ret = -EBUSY;
		goto out;
	}
	set_state(CONN_SUSPENDED);
	ret = removal_suspend();
	if (ret) {
		set_state(CONN_CONNECTED);
		goto out;
	}
	offers_stop_releases();
	confirmed = unload_host();
	if (!confirmed)
		pr_warn("suspending without the host's consent\n");
	removal_unloaded(confirmed);
out:
	mutex_unlock(&connection.state_mutex);
	return ret;
}

int connection_resume(struct transport *t)
{
	int ret = -EBUSY;

	mutex_lock(&connection.state_mutex);
	if (connection.transport != t || connection.state != CONN_SUSPENDED)
		goto out;

	/* it may have stood still meanwhile, or another one has taken its place */
	host_state_set(HOST_RESPONDS);
	/* drivers have adapted to the version that there was */
	ret = negotiate(vmbus_proto_version, vmbus_proto_version);
	if (ret)
		goto out;
	set_state(CONN_CONNECTED);
	ret = fetch_offers();
	if (ret)
		goto out;
	flush_workqueue(connection.offer_wq);
	removal_resume_done();
out:
	mutex_unlock(&connection.state_mutex);
	return ret;
}

/**
 * connection_alloc() - what the connection needs before there is a transport
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int connection_alloc(void)
{
	struct connection *c = &connection;
	int i;

	mutex_init(&c->state_mutex);
	mutex_init(&c->channel_mutex);
	mutex_init(&c->modify_mutex);
	INIT_LIST_HEAD(&c->channels);
	INIT_LIST_HEAD(&c->deferred);
	INIT_LIST_HEAD(&c->requests);
	spin_lock_init(&c->request_lock);
	spin_lock_init(&c->rx_lock);
	init_completion(&c->offers_delivered);
	init_completion(&c->unloaded);
	INIT_WORK(&c->rx_work, connection_rx_work);
	/* not 0: stock drivers take a zero handle for none */
	atomic_set(&c->next_gpadl, 0xe1e10);

	c->int_page = (void *)get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < ARRAY_SIZE(c->monitor_pages); i++)
		c->monitor_pages[i] = (void *)get_zeroed_page(GFP_KERNEL);
	c->cpu_channels = kcalloc(nr_cpu_ids, sizeof(*c->cpu_channels),
				  GFP_KERNEL);
	/* a disk's channel may have to be opened anew before memory is free */
	c->offer_wq = alloc_ordered_workqueue("synth_offers", WQ_MEM_RECLAIM);
	c->device_wq = alloc_workqueue("synth_devices",
				       WQ_UNBOUND | WQ_FREEZABLE, 0);
	c->sub_wq = alloc_workqueue("synth_subchannels",
				    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	if (!c->int_page || !c->monitor_pages[0] || !c->monitor_pages[1] ||
	    !c->cpu_channels || !c->offer_wq || !c->device_wq || !c->sub_wq ||
	    kfifo_alloc(&c->rx, RX_FIFO_SIZE, GFP_KERNEL)) {
		connection_free();
		return -ENOMEM;
	}
	return 0;
}

/**
 * connection_free() - the mirror of connection_alloc(), also of a failed one
 *
 * Context: process; no transport is left.
 */
void connection_free(void)
{
	struct connection *c = &connection;
	unsigned int ms = 0;

	/*
	 * Our code runs when the last reference to a device goes, so it must
	 * stay until then. Whoever holds one is in this kernel, not the host.
	 */
	while (atomic_read(&c->nr_channels)) {
		if (ms && !(ms % 10000))
			pr_notice("waiting for the last user of a device\n");
		msleep(20);
		ms += 20;
	}
	/* both may have queued something there late */
	cpu_hotplug_stop();
	offers_stop_releases();
	if (c->sub_wq)
		destroy_workqueue(c->sub_wq);
	if (c->device_wq)
		destroy_workqueue(c->device_wq);
	if (c->offer_wq)
		destroy_workqueue(c->offer_wq);
	kfifo_free(&c->rx);
	kfree(c->cpu_channels);
	if (c->exposed) {
		pr_err("3 pages leaked, since the host may still write to them\n");
		return;
	}
	free_page((unsigned long)c->monitor_pages[1]);
	free_page((unsigned long)c->monitor_pages[0]);
	free_page((unsigned long)c->int_page);
}
