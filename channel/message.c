// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages and event flags from the host, in the pages that a transport has for each
 * CPU.
 *
 * The host has one message slot for each CPU. An answer to a request is matched and
 * completed right there, in interrupt context (request.c). Offers and rescinds are
 * queued for a work item, which handles them in the order of their arrival (offers.c).
 * That a channel was rescinded is marked when the message arrives, so that nothing waits
 * for the host on behalf of that channel while the work item waits for something else.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include "trace.h"
#include "vmbus.h"

#define SLOT_BURST		16	/* messages for one interrupt */

/*
 * Handles one message, which is a private copy. Returns false if the message has to stay
 * in its slot, since the queue for the work item is full. Called with rx_lock held.
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
		request_deliver(msg, type);
		break;
	case CHANNELMSG_UNLOAD_RESPONSE:
		complete_all(&connection.unloaded);
		break;
	case CHANNELMSG_TL_CONNECT_RESULT:
		/* hv_sock learns of success by an offer */
		break;
	default:
		pr_warn_ratelimited("message of unknown type %u from the host\n",
				    type);
	}
	atomic64_inc(&connection.messages_in);
	return true;
}

/*
 * Takes the message out of a slot (TLFS: HV_MESSAGE_HEADER and payload). Returns whether
 * the slot was freed, so that another message may be in it.
 */
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
		/* a kernel before this one may have left a timer running */
		pr_warn_ratelimited("SynIC message of unknown type 0x%x\n",
				    type);
	}

	/*
	 * Release: the host writes the next message as soon as it reads 0. Without
	 * it a weakly ordered CPU may execute loads of the copy above after this
	 * store, and the copy would have parts of the next message.
	 */
	virt_store_release(&slot->header.message_type, HVMSG_NONE);
	/*
	 * Pairs with the barrier between the host's setting of msg_pending and
	 * its second look at the type: the host sees that the slot is free, or this
	 * CPU sees msg_pending. Without the barrier both could miss the other's
	 * store, and the message would wait for ever.
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
 * message_scan() - handle what is in one CPU's message and event-flags pages
 * @t: the caller's transport
 * @cpu: whose pages
 *
 * Context: hard interrupt, or with interrupts off; with PREEMPT_RT that CPU's
 *	thread instead, with bottom halves disabled (interrupt.c). An RCU reader
 *	in any case.
 */
void message_scan(struct transport *t, unsigned int cpu)
{
	/* pairs with the release in connection_attach(), after its set-up */
	if (smp_load_acquire(&connection.transport) != t)
		return;
	events_scan(t, cpu);
	slots_scan(t, cpu);
}

/**
 * message_rescan() - handle messages for which there was no room in the queue
 *
 * No interrupt comes for a message that stayed in its slot.
 *
 * Context: process; connection.transport can't go away.
 */
void message_rescan(void)
{
	struct transport *t = connection.transport;
	unsigned int cpu;

	if (t)
		/* also of offline CPUs: messages may come in on one */
		for_each_possible_cpu(cpu)
			slots_scan(t, cpu);
}

/**
 * message_work() - handle the offers and rescinds that are queued
 * @work: connection.rx_work
 *
 * Context: process, on offer_wq.
 */
void message_work(struct work_struct *work)
{
	offers_process(work);
	message_rescan();
}
