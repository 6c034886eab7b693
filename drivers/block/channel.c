// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channels of a controller. The primary carries everything, sub-channels
 * only requests; each is the channel of one hardware queue of every disk, or of
 * several if the host gave fewer than we asked for.
 *
 * Receiving. The bus calls in interrupt context (HV_CALL_ISR; with PREEMPT_RT in
 * a thread or a tasklet, synthio_isr_mode()), where the whole ring is read with
 * the host's interrupts masked, so that what comes meanwhile costs none. What was
 * found done is handed to blk-mq as one batch after the lock is dropped. A polled
 * channel stays masked from its open to its close: io_uring looks into it, and so
 * does a timeout, which is a poller of the last resort for requests that nobody
 * polls for. An interrupt that comes all the same is not listened to: bios of
 * pollers must not end in interrupt context.
 *
 * Teardown. synd_chan_close_all() makes readers go away first: each look into a
 * ring holds rx_lock and finds @open false from then on. Senders are gone
 * already, since the caller has quiesced or frozen all queues and holds
 * ctrl->mutex, under which single commands are sent. Then the bus closes, and
 * tells whether the host has let go of every ring. The primary's ring stays
 * allocated until synd_chan_free(), so that opening again takes no memory that
 * might have to be made free by writing to these very disks.
 *
 * That the close is confirmed is as good as the bus that says so. synthio's waits
 * for a bounded time and tells. The kernel's own (BUS=stock on Hyper-V) waits for
 * the primary without a bound, and says nothing of sub-channels.
 */
#include <linux/cpumask.h>
#include <linux/sched/mm.h>

#include <synthio/owner.h>

#include "synth_blk.h"
#include "trace.h"

/* longest packet from the host that is looked at: descriptor and payload */
#define MAX_PACKET		512
/* packets that are read in one interrupt; a tasklet reads on */
#define IRQ_BUDGET		512

/**
 * synd_chan_bad() - the host has sent what can't be used
 * @ch: where
 * @what: is wrong
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

/* What the host says on its own */
static void host_packet(struct synd_chan *ch, const void *payload, u32 len)
{
	const struct storvsp_packet *pkt = payload;

	if (len < offsetofend(struct storvsp_packet, operation)) {
		synd_chan_bad(ch, "a short packet", 0);
		return;
	}
	switch (pkt->operation) {
	case STORVSP_ENUMERATE_BUS:
	case STORVSP_REMOVE_DEVICE:
		synd_scan(ch->ctrl);
		break;
	case STORVSP_FCHBA_DATA:
		break;
	default:
		synd_chan_bad(ch, "an unknown operation", 0);
	}
}

static void receive(struct synd_chan *ch,
		    const struct vmpacket_descriptor *desc,
		    struct synd_batch *batch)
{
	u32 offset = desc->offset8 * 8, len = desc->len8 * 8;
	const void *payload = (const u8 *)desc + offset;
	u64 id = desc->trans_id;

	/* the bus has checked that; it costs nothing to be sure */
	if (offset < sizeof(*desc) || offset > len) {
		synd_chan_bad(ch, "a malformed packet", id);
		return;
	}
	len -= offset;
	switch (desc->type) {
	case VM_PKT_COMP:
		if (synd_id_disk(id) == SYND_ID_SINGLE)
			synd_proto_single_done(ch, id, payload, len);
		else
			synd_request_completed(ch, id, payload, len, batch);
		break;
	case VM_PKT_DATA_INBAND:
		host_packet(ch, payload, len);
		break;
	default:
		synd_chan_bad(ch, "a packet of an unknown type", id);
	}
}

/*
 * Read what is in the ring, at most @budget packets. rx_lock is held and the
 * channel is open. Returns how many there were.
 */
static unsigned int read_ring(struct synd_chan *ch, struct synd_batch *batch,
			      unsigned int budget)
{
	struct vmpacket_descriptor *desc;
	unsigned int n = 0;

	for (desc = hv_pkt_iter_first(ch->vc); desc;
	     desc = hv_pkt_iter_next(ch->vc, desc)) {
		receive(ch, desc, batch);
		if (++n < budget)
			continue;
		/* go behind this one; the next look finds what follows */
		__hv_pkt_iter_next(ch->vc, desc);
		hv_pkt_iter_close(ch->vc);
		break;
	}
	if (n) {
		ch->looks++;
		if (n > ch->largest)
			ch->largest = n;
	}
	return n;
}

/* Queues that found no room: there may be some now */
static void feed_starved(struct synd_chan *ch)
{
	if (unlikely(READ_ONCE(ch->starved))) {
		WRITE_ONCE(ch->starved, false);
		synd_request_run_all(ch->ctrl);
	}
}

/* Read until the ring is empty, with the host's interrupts masked meanwhile */
static void drain_ring(struct synd_chan *ch)
{
	struct synd_batch batch = { };
	unsigned int n = 0;
	unsigned long flags;

	spin_lock_irqsave(&ch->rx_lock, flags);
	ch->interrupts++;
	if (!ch->open || ch->polled)
		goto out;
	do {
		hv_begin_read(&ch->vc->inbound);
		n += read_ring(ch, &batch, IRQ_BUDGET - n);
		if (n >= IRQ_BUDGET) {
			/* stays masked: the task reads on */
			tasklet_schedule(&ch->task);
			break;
		}
	} while (hv_end_read(&ch->vc->inbound));
out:
	spin_unlock_irqrestore(&ch->rx_lock, flags);
	if (n) {
		synd_request_finish_batch(&batch);
		feed_starved(ch);
	}
}

static void channel_task(struct tasklet_struct *t)
{
	struct synd_chan *ch = from_tasklet(ch, t, task);

	drain_ring(ch);
}

/* The bus' callback, in interrupt context or in what stands for it */
static void channel_callback(void *context)
{
	drain_ring(context);
}

/**
 * synd_chan_poll() - look into a ring without an interrupt
 * @ch: any channel
 * @iob: where what is done goes, or NULL to end it here
 *
 * Context: any.
 * Return: how many packets there were.
 */
int synd_chan_poll(struct synd_chan *ch, struct io_comp_batch *iob)
{
	struct synd_batch batch = { };
	unsigned long flags;
	int n = 0;

	if (iob)
		batch.iob = *iob;
	spin_lock_irqsave(&ch->rx_lock, flags);
	if (ch->open) {
		n = read_ring(ch, &batch, IRQ_BUDGET);
		ch->polled_completions += n;
	}
	spin_unlock_irqrestore(&ch->rx_lock, flags);
	if (iob) {
		*iob = batch.iob;
		batch.iob = (struct io_comp_batch){ };
	}
	if (n) {
		synd_request_finish_batch(&batch);
		feed_starved(ch);
	}
	return n;
}

/**
 * synd_chan_send() - send a packet
 * @ch: an open channel
 * @mpb: what pages go with it, or NULL; changed
 * @mpb_len: bytes of @mpb
 * @pkt: the packet
 * @id: transaction id
 *
 * Context: any. The caller keeps the channel from being closed: queues are
 * quiesced for that, or it holds ctrl->mutex.
 * Return: 0, -EAGAIN if there is no room, -ENODEV if the channel was rescinded,
 *	-EPROTO if the host has spoilt the ring, -EINVAL if it never fits.
 */
int synd_chan_send(struct synd_chan *ch, struct vmbus_packet_mpb_array *mpb,
		   u32 mpb_len, struct storvsp_packet *pkt, u64 id)
{
	u32 len = ch->ctrl->packet_len;
	int ret;

	if (mpb)
		ret = vmbus_sendpacket_mpb_desc(ch->vc, mpb, mpb_len, pkt, len,
						id);
	else
		ret = vmbus_sendpacket(ch->vc, pkt, len, id, VM_PKT_DATA_INBAND,
				       VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED);
	if (likely(!ret))
		ch->sent++;
	else if (ret == -EAGAIN)
		ch->full++;
	return ret;
}

/* Open a channel that was taken. A primary that was open before has its ring still */
static int open_channel(struct synd_chan *ch, struct vmbus_channel *vc)
{
	int ret;

	if (!vc->ringbuffer_page) {
		ret = synthio_alloc_ring(vc, synd_ring_size);
		if (ret)
			return ret;
	}

	/* the host may call before the bus has returned */
	spin_lock_irq(&ch->rx_lock);
	ch->vc = vc;
	ch->cpu = vc->target_cpu;
	ch->polled = false;
	spin_unlock_irq(&ch->rx_lock);
	ret = vmbus_connect_ring(vc, channel_callback, ch);
	if (ret)
		return ret;
	spin_lock_irq(&ch->rx_lock);
	ch->open = true;
	spin_unlock_irq(&ch->rx_lock);
	/* what came before that was not read */
	drain_ring(ch);
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
	/* the queues of these disks may be quiet: see synd_ctrl_lock() */
	noio = memalloc_noio_save();
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), NULL);
	ret = open_channel(&c->chans[n], vc);
	if (ret) {
		synd_warn(c, "a sub-channel does not open: %d\n", ret);
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
 * Context: process, ctrl->mutex held.
 * Return: 0, or as vmbus_open().
 */
int synd_chan_open_primary(struct synd_ctrl *c)
{
	int ret;

	lockdep_assert_held(&c->mutex);
	synthio_take_channel(c->hv->channel, MAX_PACKET, synthio_isr_mode(),
			     sub_channel);
	ret = open_channel(&c->chans[0], c->hv->channel);
	if (ret)
		synthio_leave_channel(c->hv->channel);
	else
		WRITE_ONCE(c->nr_chans, 1);
	return ret;
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
 * synd_chan_set_polled() - no interrupts from a channel any more
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

/* Nobody looks into a ring any more */
static void stop_reading(struct synd_chan *ch)
{
	spin_lock_irq(&ch->rx_lock);
	ch->open = false;
	spin_unlock_irq(&ch->rx_lock);
	tasklet_kill(&ch->task);
}

/**
 * synd_chan_lost() - find a sub-channel that was rescinded alone
 * @c: queues are quiet
 *
 * That ended the host's access to what was sent on it. The bus keeps it until
 * the primary closes, but it is used no more.
 *
 * Context: process, ctrl->mutex held.
 * Return: one that is not open any more, or NULL if there is no other.
 */
struct synd_chan *synd_chan_lost(struct synd_ctrl *c)
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
 * @c: nobody sends
 *
 * Context: process, ctrl->mutex held; sleeps for as long as the bus waits for
 * the host.
 * Return: true if the host has let go: it touches neither rings nor the memory
 *	of any request any more. Once false, it stays false: ctrl->host_holds.
 */
bool synd_chan_close_all(struct synd_ctrl *c)
{
	unsigned int i, n;
	int ret;

	lockdep_assert_held(&c->mutex);
	mutex_lock(&c->open_mutex);
	c->accept = 0;
	n = c->nr_chans;
	c->nr_chans = 0;
	mutex_unlock(&c->open_mutex);
	if (!n)
		return !c->host_holds;

	for (i = 0; i < n; i++)
		stop_reading(&c->chans[i]);
	/*
	 * The bus may free a sub-channel that was rescinded as soon as it is
	 * closed: none of them is looked at after this.
	 */
	for (i = 1; i < n; i++)
		c->chans[i].vc = NULL;
	ret = vmbus_disconnect_ring(c->hv->channel);
	compat_closed_ring(c->hv->channel, !ret);
	synthio_leave_channel(c->hv->channel);
	if (ret) {
		synd_err(c, "the host does not let go of its rings: %d\n", ret);
		c->host_holds = true;
	}
	return !c->host_holds;
}

/**
 * synd_chan_init() - the array of channels, none of them open
 * @c: its controller
 *
 * Return: 0 or -ENOMEM.
 */
int synd_chan_init(struct synd_ctrl *c)
{
	unsigned int i;

	c->chans = kcalloc(SYND_MAX_CHANNELS, sizeof(*c->chans), GFP_KERNEL);
	if (!c->chans)
		return -ENOMEM;
	for (i = 0; i < SYND_MAX_CHANNELS; i++) {
		struct synd_chan *ch = &c->chans[i];

		ch->ctrl = c;
		ch->index = i;
		spin_lock_init(&ch->rx_lock);
		tasklet_setup(&ch->task, channel_task);
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
		compat_free_ring(c->hv->channel, !c->host_holds);
	kfree(c->chans);
}
