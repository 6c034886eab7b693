// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channels of a card. The primary carries everything, sub-channels only
 * packets; each is a queue of the netdev, with a NAPI instance that reads its ring.
 *
 * Reading. The bus calls in interrupt context (HV_CALL_ISR; with PREEMPT_RT in a
 * thread or a tasklet, synthio_isr_mode()), where the host's interrupts are masked
 * and NAPI is scheduled. poll() reads until the budget is used up,
 * or the ring is empty; then it unmasks, and looks once more, since the host may
 * have written before it could see the mask go. An interrupt that comes between
 * napi_complete_done() and the end of the mask schedules NAPI again and masks; the
 * unmasking that follows costs one interrupt too many, nothing else. Sockets that
 * poll come without an interrupt: poll() masks then, and stays masked until they let
 * NAPI complete.
 *
 * Requests are answered while the interface is down, too, so NAPI runs from the
 * beginning of a session to its end.
 *
 * Teardown. synn_chan_stop() waits for the readers; whoever sends packets has been
 * shut out before (synn_tx_stop()), and requests are sent under synn_card.mutex,
 * which the caller of synn_chan_close_all() holds. Then the bus closes, and tells
 * whether the host has let go of every ring. That is as good as the bus that says
 * so: synthio's waits for a bounded time and tells. The kernel's own (BUS=stock on
 * Hyper-V) waits for the primary without a bound, and says nothing of sub-channels.
 */
#include <linux/slab.h>

#include <synthio/owner.h>

#include "synth_net.h"
#include "trace.h"

/* the longest packet: a transfer of the most ranges, with an NVSP message */
#define MAX_PACKET							\
	(sizeof(struct vmtransfer_page_packet_header) +			\
	 NVSP_MAX_RANGES * sizeof(struct vmtransfer_page_range) + 256)
#define RETRY_DELAY		1	/* jiffies */

/**
 * synn_bad() - the host has sent what can't be used
 * @ch: where
 * @what: is wrong
 * @id: transaction id, as it came
 *
 * Context: NAPI of @ch.
 */
void synn_bad(struct synn_chan *ch, const char *what, u64 id)
{
	ch->rx.stats.bad++;
	trace_synn_bad(ch, what, id);
	if (net_ratelimit())
		netdev_warn(ch->card->dev,
			    "channel %u: %s from the host (id 0x%llx), ignored\n",
			    ch->index, what, id);
}

static void completed(struct synn_chan *ch, u64 id, const void *payload,
		      u32 len, struct synn_tx_batch *batch, int budget)
{
	switch (synn_id_kind(id)) {
	case SYNN_ID_SEND:
		synn_tx_completed(ch, id, payload, len, batch, budget);
		break;
	case SYNN_ID_NVSP:
		synn_nvsp_completed(ch, id, payload, len);
		break;
	case SYNN_ID_CONTROL:
		synn_control_completed(ch, id, payload, len);
		break;
	default:
		synn_bad(ch, "a completion of nothing", id);
	}
}

/* Returns how many packets for the stack there were */
static int receive(struct synn_chan *ch, const struct vmpacket_descriptor *desc,
		   struct synn_tx_batch *batch, int budget)
{
	u32 offset = desc->offset8 * 8, len = desc->len8 * 8;
	const void *payload = (const u8 *)desc + offset;
	u64 id = desc->trans_id;

	/* the bus has checked that; it costs nothing to be sure */
	if (unlikely(offset < sizeof(*desc) || offset > len)) {
		synn_bad(ch, "a malformed packet", id);
		return 0;
	}
	switch (desc->type) {
	case VM_PKT_COMP:
		completed(ch, id, payload, len - offset, batch, budget);
		return 0;
	case VM_PKT_DATA_USING_XFER_PAGES:
		return synn_rx_transfer(ch, desc);
	case VM_PKT_DATA_INBAND:
		synn_nvsp_message(ch, payload, len - offset);
		return 0;
	}
	synn_bad(ch, "a packet of an unknown type", id);
	return 0;
}

/* Go behind @desc for good: the next look finds what follows */
static void leave(struct vmbus_channel *vc,
		  const struct vmpacket_descriptor *desc)
{
	__hv_pkt_iter_next(vc, desc);
	hv_pkt_iter_close(vc);
}

/*
 * What stays in the ring for now. netpoll wants room for sends: no packets; and it
 * may not free a frame of XDP, since it comes with interrupts off.
 */
static bool must_wait(const struct synn_chan *ch,
		      const struct vmpacket_descriptor *desc, int budget)
{
	if (desc->type == VM_PKT_DATA_USING_XFER_PAGES)
		return !budget || synn_rx_is_full(ch);
	return !budget && desc->type == VM_PKT_COMP &&
	       synn_tx_is_frame(ch, desc->trans_id);
}

static int poll(struct napi_struct *napi, int budget)
{
	struct synn_chan *ch = container_of(napi, struct synn_chan, napi);
	struct vmbus_channel *vc = ch->vc;
	struct synn_tx_batch batch = { };
	struct vmpacket_descriptor *desc;
	bool all_told, waits = false;
	int work = 0, n = 0;

	ch->rx.stats.polls++;
	ch->rx.was_running = netif_running(ch->card->dev);
	/*
	 * A socket that polls has had no interrupt before, and needs none meanwhile.
	 * netpoll does not complete, so nobody would unmask after it.
	 */
	if (budget && !READ_ONCE(vc->inbound.ring_buffer->interrupt_mask))
		hv_begin_read(&vc->inbound);
	for (desc = hv_pkt_iter_first(vc); desc;
	     desc = hv_pkt_iter_next(vc, desc)) {
		if (unlikely(must_wait(ch, desc, budget))) {
			waits = true;
			hv_pkt_iter_close(vc);
			break;
		}
		work += receive(ch, desc, &batch, budget);
		/* completions count little, but a host must not keep us here */
		if (unlikely(work >= budget || ++n >= 8 * NAPI_POLL_WEIGHT)) {
			leave(vc, desc);
			work = budget;
			break;
		}
	}
	if (ch->rx.flush)
		synn_xdp_poll_end(ch);
	synn_tx_poll_end(ch, &batch, budget);
	all_told = synn_rx_complete(ch);
	if (unlikely(!all_told))
		synn_chan_retry(ch);

	if (work >= budget)
		return budget;
	if (napi_complete_done(napi, work)) {
		/* a host that does not read is looked at again by synn_chan_retry() */
		if (unlikely(waits && !all_told))
			return work;
		/* or stay masked for a while */
		if (synn_coalesce_sleep(ch, work + batch.packets))
			return work;
		if (hv_end_read(&vc->inbound) && napi_schedule_prep(napi)) {
			hv_begin_read(&vc->inbound);
			__napi_schedule(napi);
		}
	}
	return work;
}

/* All of the card: it is removed soon. A sub-channel alone: go on without it */
static void rescinded(struct synn_chan *ch)
{
	struct synn_card *c = ch->card;

	wake_up(&c->chan_wait);
	if (!READ_ONCE(c->hv->channel->rescind))
		synn_reset(c);
}

/* The bus' callback, in interrupt context or in what stands for it */
static void channel_callback(void *context)
{
	struct synn_chan *ch = context;

	ch->rx.stats.interrupts++;
	if (napi_schedule_prep(&ch->napi)) {
		hv_begin_read(&ch->vc->inbound);
		__napi_schedule(&ch->napi);
	}
	if (unlikely(READ_ONCE(ch->vc->rescind)))
		rescinded(ch);
}

/**
 * synn_chan_kick() - have NAPI look into the ring
 * @ch: an open channel
 *
 * Context: any.
 */
void synn_chan_kick(struct synn_chan *ch)
{
	local_bh_disable();
	napi_schedule(&ch->napi);
	local_bh_enable();
}

static void retry_work(struct work_struct *work)
{
	synn_chan_kick(container_of(to_delayed_work(work), struct synn_chan,
				    retry));
}

/**
 * synn_chan_retry() - look again soon, whether the host interrupts or not
 * @ch: an open channel; something waits for room in its ring
 *
 * Context: any.
 */
void synn_chan_retry(struct synn_chan *ch)
{
	queue_delayed_work(system_wq, &ch->retry, RETRY_DELAY);
}

/**
 * synn_chan_has_room() - whether a packet would fit into the ring
 * @ch: an open channel
 * @bytes: of it. If there is no room, the host is asked to interrupt when there is
 *
 * Context: any.
 */
bool synn_chan_has_room(struct synn_chan *ch, u32 bytes)
{
	struct vmbus_channel *vc = ch->vc;

	/* a ring is never filled to the last byte, and each packet has a trailer */
	bytes += 16;
	if (hv_get_bytes_to_write(&vc->outbound) > bytes)
		return true;
	set_channel_pending_send_size(vc, bytes);
	virt_mb();	/* the host may have read just before it saw that */
	if (hv_get_bytes_to_write(&vc->outbound) <= bytes)
		return false;
	set_channel_pending_send_size(vc, 0);
	return true;
}

/* ---- opening ------------------------------------------------------------------- */

/**
 * synn_chan_prepare() - memory and NAPI of a channel that is to be opened
 * @c: its card
 * @index: which one
 *
 * Context: process, RTNL held.
 * Return: 0 or -ENOMEM.
 */
int synn_chan_prepare(struct synn_card *c, unsigned int index)
{
	struct synn_chan *ch = c->chans[index];
	int ret;

	ASSERT_RTNL();
	if (!ch) {
		ch = kzalloc(sizeof(*ch), GFP_KERNEL);
		if (!ch)
			return -ENOMEM;
		ch->card = c;
		ch->index = index;
		u64_stats_init(&ch->tx.stats.syncp);
		u64_stats_init(&ch->rx.stats.syncp);
		INIT_DELAYED_WORK(&ch->retry, retry_work);
		synn_coalesce_init(ch);
		/* statistics look without a lock */
		smp_store_release(&c->chans[index], ch);
	}
	compat_napi_add(c->dev, &ch->napi, poll, index);
	ret = synn_rx_prepare(ch);
	if (ret) {
		netif_napi_del(&ch->napi);
		return ret;
	}
	ch->ready = true;
	return 0;
}

/**
 * synn_chan_unprepare() - the mirror of synn_chan_prepare() and synn_tx_prepare()
 * @ch: a channel, ready or not
 * @safe: the host touches nothing of it any more
 *
 * Context: process, RTNL held; the channel is closed.
 */
void synn_chan_unprepare(struct synn_chan *ch, bool safe)
{
	ASSERT_RTNL();
	if (!ch->ready)
		return;
	ch->ready = false;
	synn_tx_unprepare(ch, safe);
	netif_napi_del(&ch->napi);
	synn_rx_unprepare(ch);
}

/* Open one channel that is ready and taken */
static int open_channel(struct synn_chan *ch, struct vmbus_channel *vc)
{
	int ret;

	if (!vc->ringbuffer_page) {
		ret = synthio_alloc_ring(vc, synn_ring_size);
		if (ret)
			return ret;
	}
	/* the host may call before the bus has returned */
	ch->vc = vc;
	synn_coalesce_start(ch);
	ret = vmbus_connect_ring(vc, channel_callback, ch);
	if (ret) {
		ch->vc = NULL;
		return ret;
	}
	ch->open = true;
	return 0;
}

/**
 * synn_chan_disown() - no sub-channel finds this card any more
 * @c: its channels are closed
 *
 * Context: process, sleeps.
 */
void synn_chan_disown(struct synn_card *c)
{
	synthio_disown(c->hv, &c->open_mutex);
}

/* A sub-channel was offered. In a work of the bus, may sleep */
static void sub_channel(struct vmbus_channel *vc)
{
	struct synn_card *c =
		synthio_lock_owner(vc, offsetof(struct synn_card, open_mutex));
	unsigned int n;
	int ret;

	if (!c)
		return;
	/* hosts of NVSP number them, and mean that by a channel's index */
	n = vc->offermsg.offer.sub_channel_index;
	if (!n || n >= c->accept || c->chans[n]->open) {
		netdev_info(c->dev, "sub-channel %u was not asked for, and stays closed\n",
			    n);
		goto out;
	}
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), NULL);
	ret = open_channel(c->chans[n], vc);
	if (ret) {
		netdev_warn(c->dev, "sub-channel %u does not open: %d\n", n,
			    ret);
		synthio_leave_channel(vc);
		if (vc->ringbuffer_page)
			vmbus_free_ring(vc);
		goto out;
	}
	WRITE_ONCE(c->nr_open, c->nr_open + 1);
	wake_up(&c->chan_wait);
	/* where nobody waits any more */
	if (READ_ONCE(c->state) == SYNN_LIVE)
		synn_event(c, SYNN_EVENT_GROW);
out:
	mutex_unlock(&c->open_mutex);
}

/**
 * synn_chan_open_primary() - open the primary channel
 * @c: with no channel open; channel 0 is prepared
 *
 * Context: process, RTNL and card->mutex held.
 * Return: 0, or as vmbus_open().
 */
int synn_chan_open_primary(struct synn_card *c)
{
	struct vmbus_channel *vc = c->hv->channel;
	int ret;

	lockdep_assert_held(&c->mutex);
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), sub_channel);
	ret = open_channel(c->chans[0], vc);
	if (ret) {
		synthio_leave_channel(vc);
		return ret;
	}
	WRITE_ONCE(c->nr_open, 1);
	synn_chan_poll_all(c);
	return 0;
}

/**
 * synn_chan_poll_all() - NAPI looks into the rings of all channels that are open
 * @c: card
 *
 * Not as sub-channels open, in whatever order they come: newer kernels give an
 * instance its id when it is enabled, and list instances by their ids. Nothing
 * comes on a sub-channel before the host is told of its queue.
 *
 * Context: process, RTNL held, sleeps.
 */
void synn_chan_poll_all(struct synn_card *c)
{
	unsigned int i;

	ASSERT_RTNL();
	mutex_lock(&c->open_mutex);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = c->chans[i];

		/* netpoll polls what is enabled, so not before there is a ring */
		if (!ch || !ch->open || ch->polled)
			continue;
		ch->polled = true;
		napi_enable(&ch->napi);
		synn_chan_kick(ch);
	}
	mutex_unlock(&c->open_mutex);
}

/**
 * synn_chan_accept() - open sub-channels as they are offered
 * @c: with its primary open
 * @wanted: channels in all, which are prepared; with 0 none at all
 *
 * Context: process.
 */
void synn_chan_accept(struct synn_card *c, unsigned int wanted)
{
	mutex_lock(&c->open_mutex);
	c->accept = wanted;
	mutex_unlock(&c->open_mutex);
}

/* ---- closing ------------------------------------------------------------------------ */

/**
 * synn_chan_stop() - nobody looks into any ring any more
 * @c: card
 *
 * Context: process, RTNL and card->mutex held.
 */
void synn_chan_stop(struct synn_card *c)
{
	unsigned int i;

	lockdep_assert_held(&c->mutex);
	mutex_lock(&c->open_mutex);
	c->accept = 0;
	mutex_unlock(&c->open_mutex);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (!c->chans[i] || !c->chans[i]->polled)
			continue;
		c->chans[i]->polled = false;
		napi_disable(&c->chans[i]->napi);
	}
	/*
	 * poll() goes on for a moment after napi_complete_done(), and so may a
	 * watchdog that has seen the netdev while it was there.
	 */
	synchronize_net();
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = c->chans[i];

		if (!ch || !ch->open)
			continue;
		/* both may schedule NAPI, which does not run */
		synn_coalesce_stop(ch);
		cancel_delayed_work_sync(&ch->retry);
		ch->open = false;
	}
}

/**
 * synn_chan_close_all() - close the primary and all sub-channels
 * @c: nobody sends; after synn_chan_stop()
 *
 * Context: process, RTNL and card->mutex held; sleeps for as long as the bus waits
 * for the host.
 * Return: 0 if the host has let go: it touches neither rings nor the memory of any
 *	send any more. Else an error.
 */
int synn_chan_close_all(struct synn_card *c)
{
	struct vmbus_channel *vc = c->hv->channel;
	unsigned int i;
	int ret;

	lockdep_assert_held(&c->mutex);
	if (!c->nr_open)
		return 0;
	WRITE_ONCE(c->nr_open, 0);
	ret = vmbus_disconnect_ring(vc);
	compat_closed_ring(vc, !ret);
	synthio_leave_channel(vc);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (c->chans[i])
			c->chans[i]->vc = NULL;
	}
	return ret;
}

/**
 * synn_chan_free_all() - free what synn_chan_prepare() has left
 * @c: all channels are closed, its netdev is gone
 *
 * Context: process, sleeps.
 */
void synn_chan_free_all(struct synn_card *c)
{
	unsigned int i;

	if (c->hv->channel->ringbuffer_page)
		compat_free_ring(c->hv->channel, !c->host_holds);
	for (i = 0; i < SYNN_MAX_QUEUES; i++)
		kfree(c->chans[i]);
}
