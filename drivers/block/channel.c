// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channels of a controller: open, close, send. The primary carries everything,
 * sub-channels only requests; each is the channel of one hardware queue of every
 * disk, or of several if the host gave fewer than were asked for. poll.c reads them.
 *
 * Ids. A request belongs to the host from the moment when its id is published. That
 * happens in the bus's ring write, under its lock, when nothing can fail any more
 * (next_request_id_callback): a send that fails has published nothing, and a send
 * that has published does not fail.
 *
 * Teardown. synd_chan_close_all() stops the readers first: each read of a ring holds
 * rx_lock and finds @open false from then on. There are no senders by then, since
 * the caller has quiesced or frozen all queues and holds ctrl->mutex, under which
 * the driver's own commands are sent. Then the bus closes the channels and returns
 * whether the host has confirmed for every ring that it does not use it any more. The
 * primary's ring stays allocated, so that opening again takes no memory that might
 * have to be freed by writing to these very disks.
 *
 * A confirmation is worth as much as the bus that reports it. synthio's bus waits for
 * a bounded time and returns an error then. The kernel's own (BUS=stock on Hyper-V)
 * waits for the primary without a bound, and ignores errors of sub-channels.
 */
#include <linux/sched/mm.h>

#include <synthio/owner.h>

#include "synth_blk.h"
#include "trace.h"

/* longest packet from the host that is read: descriptor and payload */
#define MAX_PACKET		512

/**
 * synd_chan_bad() - count and log a packet of the host that can't be used
 * @ch: channel on which it came
 * @what: is wrong with it
 * @id: transaction id, as it came
 *
 * Context: any, rx_lock held.
 */
void synd_chan_bad(struct synd_chan *ch, const char *what, u64 id)
{
	ch->bad++;
	trace_synd_bad(ch->ctrl, ch->index, what, id);
	dev_warn_ratelimited(&ch->ctrl->hv->device,
			     "channel %u: %s from the host (id 0x%llx), ignored\n",
			     ch->index, what, id);
}

/**
 * struct publication - an id on its way to the host
 * @id: transaction id
 * @slot: where it is published
 * @done: it was
 */
struct publication {
	u64 id;
	u64 *slot;
	bool done;
};

/* The bus has room for the packet and is about to show it to the host */
static u64 publish_id(struct vmbus_channel *vc, u64 request)
{
	struct publication *p = (struct publication *)(uintptr_t)request;
	u64 id = p->id;

	p->done = true;
	/*
	 * Release, since a bad host can guess the id and complete the request
	 * before its packet is visible. Pairs with the acquire in
	 * synd_request_completed() and synd_command_done().
	 */
	smp_store_release(p->slot, id);
	return id;
}

/**
 * synd_chan_send() - send a packet and publish its id
 * @ch: an open channel
 * @mpb: pages that go with the packet, or NULL; changed
 * @mpb_len: bytes of @mpb
 * @pkt: the packet
 * @id: transaction id
 * @slot: gets @id if and only if this returns 0. The host may have completed the
 *	packet by then
 *
 * Context: any. The caller keeps the channel from being closed: queues are
 * quiesced for that, or it holds ctrl->mutex.
 * Return: 0, also if the channel was rescinded after the packet was written: the
 *	rescind ends the request; -EAGAIN if there is no room, -ENODEV if the channel
 *	was rescinded, -EPROTO if the host has damaged the ring, -EINVAL if the packet
 *	can't ever fit.
 */
int synd_chan_send(struct synd_chan *ch, struct vmbus_packet_mpb_array *mpb,
		   u32 mpb_len, struct storvsp_packet *pkt, u64 id, u64 *slot)
{
	struct publication p = { .id = id, .slot = slot };
	u32 len = ch->ctrl->packet_len;
	u64 request = (uintptr_t)&p;
	int ret;

	if (mpb)
		ret = vmbus_sendpacket_mpb_desc(ch->vc, mpb, mpb_len, pkt, len,
						request);
	else
		ret = vmbus_sendpacket(ch->vc, pkt, len, request,
				       VM_PKT_DATA_INBAND,
				       VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
	if (likely(p.done)) {
		ch->sent++;
		return 0;
	}
	if (ret == -EAGAIN)
		ch->full++;
	return ret;
}

/*
 * Open a channel that was taken. A primary that was open before has its ring still.
 * If the host may still use that one, the bus does not open it (-EBUSY): another ring
 * is allocated then, and the bus keeps the old one.
 */
static int open_channel(struct synd_chan *ch, struct vmbus_channel *vc)
{
	bool again = vc->ringbuffer_page;
	int ret;

	vc->next_request_id_callback = publish_id;
	/* the host may interrupt before the bus has returned */
	spin_lock_irq(&ch->rx_lock);
	ch->vc = vc;
	ch->cpu = vc->target_cpu;
	ch->polled = false;
	ch->last_packet = jiffies;
	spin_unlock_irq(&ch->rx_lock);
	do {
		if (!vc->ringbuffer_page) {
			again = false;
			ret = synthio_alloc_ring(vc, synd_ring_size);
			if (ret)
				return ret;
		}
		ret = vmbus_connect_ring(vc, ch->ctrl->interrupt, ch);
		if (ret == -EBUSY && again)
			vmbus_free_ring(vc);
	} while (ret == -EBUSY && again);
	if (ret)
		return ret;
	spin_lock_irq(&ch->rx_lock);
	ch->open = true;
	spin_unlock_irq(&ch->rx_lock);
	/* packets that came before that were not read */
	ch->ctrl->interrupt(ch);
	return 0;
}

/**
 * synd_chan_disown() - no sub-channel finds this controller any more
 * @c: its channels are closed
 *
 * Context: process, sleeps.
 */
void synd_chan_disown(struct synd_ctrl *c)
{
	synthio_disown(c->hv, &c->open_mutex);
}

/* A sub-channel was offered. In a work of the bus, may sleep */
static void sub_channel(struct vmbus_channel *vc)
{
	struct synd_ctrl *c =
		synthio_lock_owner(vc, offsetof(struct synd_ctrl, open_mutex));
	unsigned int n, noio;
	int ret;

	if (!c)
		return;
	n = c->nr_chans;
	if (n >= c->accept) {
		synd_info(c, "a sub-channel that comes late or was not asked for stays closed\n");
		goto out;
	}
	/* the queues of these disks may be quiesced: see synd_ctrl_lock() */
	noio = memalloc_noio_save();
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), NULL);
	ret = open_channel(&c->chans[n], vc);
	if (ret) {
		synd_warn(c, "opening a sub-channel failed: %d; the queue uses another channel\n",
			  ret);
		synthio_leave_channel(vc);
		if (vc->ringbuffer_page)
			vmbus_free_ring(vc);
	}
	memalloc_noio_restore(noio);
	if (ret)
		goto out;
	WRITE_ONCE(c->nr_chans, n + 1);
	wake_up(&c->chan_wait);
out:
	mutex_unlock(&c->open_mutex);
}

/**
 * synd_chan_open_primary() - open the primary channel
 * @c: with no channel open
 *
 * The host can only open the channel after it has closed it: so once this succeeds, a
 * close before that the host did not answer counts as confirmed.
 *
 * Context: process, ctrl->mutex held.
 * Return: 0, or as vmbus_open().
 */
int synd_chan_open_primary(struct synd_ctrl *c)
{
	struct vmbus_channel *vc = c->hv->channel;
	int ret;

	lockdep_assert_held(&c->mutex);
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), sub_channel);
	ret = open_channel(&c->chans[0], vc);
	if (ret) {
		synthio_leave_channel(vc);
		return ret;
	}
	c->unconfirmed = false;
	WRITE_ONCE(c->nr_chans, 1);
	return 0;
}

/**
 * synd_chan_accept() - open sub-channels as they are offered
 * @c: with its primary open
 * @wanted: channels in all; from now on no more than that are opened, and with
 *	0 none at all
 *
 * Context: process.
 */
void synd_chan_accept(struct synd_ctrl *c, unsigned int wanted)
{
	mutex_lock(&c->open_mutex);
	c->accept = wanted;
	mutex_unlock(&c->open_mutex);
}

/**
 * synd_chan_set_polled() - mask the interrupts of a channel until it is closed
 * @ch: an open channel
 *
 * Context: process.
 */
void synd_chan_set_polled(struct synd_chan *ch)
{
	spin_lock_irq(&ch->rx_lock);
	ch->polled = true;
	hv_begin_read(&ch->vc->inbound);
	spin_unlock_irq(&ch->rx_lock);
}

/* After this the ring is not read any more */
static void stop_reading(struct synd_chan *ch)
{
	spin_lock_irq(&ch->rx_lock);
	ch->open = false;
	spin_unlock_irq(&ch->rx_lock);
	tasklet_kill(&ch->task);
}

/**
 * synd_chan_find_lost() - find a sub-channel that was rescinded alone
 * @c: queues are quiesced
 *
 * The rescind has ended the host's access to what was sent on the channel. The bus
 * keeps it until the primary closes, but it is not used any more.
 *
 * Context: process, ctrl->mutex held.
 * Return: a channel that is not read any more, or NULL if there is no other.
 */
struct synd_chan *synd_chan_find_lost(struct synd_ctrl *c)
{
	unsigned int i;

	lockdep_assert_held(&c->mutex);
	for (i = 1; i < c->nr_chans; i++) {
		struct synd_chan *ch = &c->chans[i];

		if (!ch->open || !READ_ONCE(ch->vc->rescind))
			continue;
		stop_reading(ch);
		return ch;
	}
	return NULL;
}

/**
 * synd_chan_rescinded() - whether a sub-channel was rescinded alone
 * @ch: any channel
 *
 * Context: any.
 */
bool synd_chan_rescinded(struct synd_chan *ch)
{
	unsigned long flags;
	bool lost;

	spin_lock_irqsave(&ch->rx_lock, flags);
	lost = ch->open && ch->index && READ_ONCE(ch->vc->rescind) &&
	       !READ_ONCE(ch->ctrl->hv->channel->rescind);
	spin_unlock_irqrestore(&ch->rx_lock, flags);
	return lost;
}

/**
 * synd_chan_close_all() - close the primary and all sub-channels
 * @c: there are no senders
 *
 * Context: process, ctrl->mutex held; sleeps for as long as the bus waits for
 * the host.
 * Return: true if the host has confirmed: it uses neither rings nor the memory of
 *	any request any more. Once false, it stays false until the channel was
 *	opened again: ctrl->unconfirmed.
 */
bool synd_chan_close_all(struct synd_ctrl *c)
{
	unsigned int i, n;
	int ret;

	lockdep_assert_held(&c->mutex);
	mutex_lock(&c->open_mutex);
	c->accept = 0;
	n = c->nr_chans;
	WRITE_ONCE(c->nr_chans, 0);
	mutex_unlock(&c->open_mutex);
	if (n) {
		for (i = 0; i < n; i++)
			stop_reading(&c->chans[i]);
		/*
		 * The bus may free a sub-channel that was rescinded as soon as it
		 * is closed: after this no pointer to one is followed.
		 */
		for (i = 1; i < n; i++)
			c->chans[i].vc = NULL;
		ret = vmbus_disconnect_ring(c->hv->channel);
		compat_closed_ring(c->hv->channel, !ret);
		synthio_leave_channel(c->hv->channel);
		if (ret) {
			synd_err(c, "the host did not confirm the close of its channels: %d; what was sent to it waits\n",
				 ret);
			c->unconfirmed = true;
		}
	}
	/* a rescind has ended all access of the host */
	if (READ_ONCE(c->hv->channel->rescind))
		c->unconfirmed = false;
	return !c->unconfirmed;
}

/**
 * synd_chan_completions() - answers to requests so far
 * @c: controller
 *
 * Context: any; an estimate while they come.
 */
u64 synd_chan_completions(const struct synd_ctrl *c)
{
	unsigned int i;
	u64 n = 0;

	for (i = 0; i < SYND_MAX_CHANNELS; i++)
		n += READ_ONCE(c->chans[i].completions);
	return n;
}

/**
 * synd_chan_init() - the array of channels, none of them open
 * @c: its controller
 * @interrupt: what the bus calls with a struct synd_chan when the host has sent
 *	something
 *
 * Return: 0 or -ENOMEM.
 */
int synd_chan_init(struct synd_ctrl *c, void (*interrupt)(void *chan))
{
	unsigned int i;

	c->interrupt = interrupt;
	c->chans = kcalloc(SYND_MAX_CHANNELS, sizeof(*c->chans), GFP_KERNEL);
	if (!c->chans)
		return -ENOMEM;
	for (i = 0; i < SYND_MAX_CHANNELS; i++) {
		c->chans[i].ctrl = c;
		c->chans[i].index = i;
		spin_lock_init(&c->chans[i].rx_lock);
	}
	return 0;
}

/**
 * synd_chan_free() - the mirror of synd_chan_init()
 * @c: all channels are closed
 *
 * Context: process, sleeps.
 */
void synd_chan_free(struct synd_ctrl *c)
{
	if (c->hv->channel->ringbuffer_page)
		compat_free_ring(c->hv->channel, !c->unconfirmed);
	kfree(c->chans);
}
