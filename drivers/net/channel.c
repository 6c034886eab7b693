// SPDX-License-Identifier: GPL-2.0-only
/*
 * The channels of an adapter: open, close, send. The primary channel carries
 * everything, sub-channels only packets; each is a queue of the netdev with a NAPI
 * instance that reads its ring (poll.c).
 *
 * The bus calls channel_callback() in interrupt context (HV_CALL_ISR; with PREEMPT_RT in
 * a thread or a tasklet, synthio_isr_mode()), where the host's interrupts are masked
 * and NAPI is scheduled.
 *
 * Teardown. synn_chan_quiesce() waits for the readers; senders of packets have been shut
 * out before (synn_tx_stop()), and requests are sent under synn_adapter.mutex,
 * which the caller of synn_chan_close_all() holds. Then the bus closes the channels, and
 * returns whether the host has confirmed that it uses none of the rings any more. What
 * that is worth depends on the bus: synthio's waits for a bounded time and returns an
 * error. The kernel's own (BUS=stock on Hyper-V) waits for the primary without a bound,
 * and returns nothing about sub-channels.
 */
#include <linux/delay.h>
#include <linux/slab.h>

#include <synthio/owner.h>

#include "synth_net.h"

/* The longest packet: a transfer of the most ranges, with an NVSP message */
#define MAX_PACKET							\
	(sizeof(struct vmtransfer_page_packet_header) +			\
	 NVSP_MAX_RANGES * sizeof(struct vmtransfer_page_range) + 256)
#define RETRY_DELAY		1	/* jiffies */
#define SEND_TRIES		100	/* of a message that finds no room in the ring */

/* Waits for the host are divided into slices of a fifth of a second */
#define SLICES			5u
/* Seconds that the opening of a session outlasts a stall of the host */
#define STALL_LIMIT		300u

/* How often it is checked whether the host reads a ring, and how far apart */
#define READ_CHECKS		10
#define READ_CHECK_DELAY	100	/* ms */

/* ---- callbacks of the bus ----------------------------------------------------- */

/*
 * A rescind of the primary is followed by the removal of the device. After one of a
 * sub-channel alone the adapter needs another session.
 */
static void handle_rescind(struct synn_chan *ch)
{
	struct synn_adapter *ad = ch->adapter;

	wake_up(&ad->chan_wait);
	if (!synn_rescinded(ad))
		synn_check(ad, SYNN_CHECK_HEALTH);
}

static void channel_callback(void *context)
{
	struct synn_chan *ch = context;

	ch->rx.stats.interrupts++;
	if (napi_schedule_prep(&ch->napi)) {
		hv_begin_read(&ch->vc->inbound);
		__napi_schedule(&ch->napi);
	}
	if (unlikely(READ_ONCE(ch->vc->rescind)))
		handle_rescind(ch);
}

/**
 * synn_chan_kick() - have NAPI read the ring
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
 * synn_chan_retry() - have NAPI run soon, without an interrupt of the host
 * @ch: an open channel; something waits for room in its ring
 *
 * Context: any.
 */
void synn_chan_retry(struct synn_chan *ch)
{
	queue_delayed_work(system_wq, &ch->retry, RETRY_DELAY);
}

/* ---- sending and waiting ------------------------------------------------------- */

/**
 * synn_chan_has_room() - whether a packet fits into the ring
 * @ch: an open channel
 * @bytes: size of the packet. If there is no room, the host is asked to interrupt when
 *	there is
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
	virt_mb();	/* the host may have read just before it could see the size */
	if (hv_get_bytes_to_write(&vc->outbound) <= bytes)
		return false;
	set_channel_pending_send_size(vc, 0);
	return true;
}

/**
 * synn_chan_host_reads() - whether the host reads what is sent on a channel
 * @ch: an open channel
 *
 * Context: process, sleeps for a second at most.
 * Return: false if the host left the ring as it was for that time.
 */
bool synn_chan_host_reads(struct synn_chan *ch)
{
	const struct hv_ring_buffer_info *r = &ch->vc->outbound;
	u32 at = READ_ONCE(r->ring_buffer->read_index);
	int i;

	for (i = 0; i < READ_CHECKS; i++) {
		if (!hv_get_bytes_to_read(r) ||
		    READ_ONCE(r->ring_buffer->read_index) != at)
			return true;
		msleep(READ_CHECK_DELAY);
	}
	return false;
}

/**
 * synn_chan_send_again() - whether to send once more what found no room in the ring
 * @ret: result of the last try
 * @tries: how many there were, 0 before the first one
 *
 * Context: process, sleeps before another try.
 */
bool synn_chan_send_again(int ret, int *tries)
{
	if (ret != -EAGAIN)
		return false;
	usleep_range(1000, 2000);
	return ++*tries < SEND_TRIES;
}

/**
 * synn_chan_send() - send a message on the primary channel
 * @ad: with its primary open
 * @message: the message
 * @bytes: its size
 * @id: transaction id, 0 if no completion is asked for
 * @flags: VMBUS_DATA_PACKET_FLAG_*
 *
 * Context: process, adapter->mutex held; sleeps while there is no room in the ring, for
 *	a fifth of a second at most.
 * Return: 0, -EAGAIN if there was no room, or another error of vmbus_sendpacket().
 */
int synn_chan_send(struct synn_adapter *ad, const void *message, u32 bytes,
		   u64 id, u32 flags)
{
	int tries = 0, ret;

	lockdep_assert_held(&ad->mutex);
	do {
		ret = vmbus_sendpacket(ad->hv->channel, (void *)message, bytes,
				       id, VM_PKT_DATA_INBAND, flags);
	} while (synn_chan_send_again(ret, &tries));
	return ret;
}

/**
 * synn_chan_wait() - wait for an answer of the host
 * @ad: adapter
 * @done: completed with the answer
 * @seconds: how long. Time in which the bus says that the host is stalled does not
 *	count while a session is being opened, for up to STALL_LIMIT seconds. At other
 *	times a stall ends the wait: the caller may hold RTNL, and can ask again
 *
 * Context: process, sleeps.
 * Return: false if there was no answer; see synn_chan_wait_error().
 */
bool synn_chan_wait(struct synn_adapter *ad, struct completion *done,
		    unsigned int seconds)
{
	enum synn_state state = READ_ONCE(ad->state);
	bool opening = state == SYNN_PROBING || state == SYNN_RESETTING;
	unsigned int counted = 0, stalled = 0;

	while (!wait_for_completion_timeout(done, HZ / SLICES)) {
		bool end;

		if (synthio_host_stalled(ad->hv))
			end = !opening || ++stalled >= STALL_LIMIT * SLICES;
		else
			end = ++counted >= seconds * SLICES;
		if (end || synn_rescinded(ad))
			return try_wait_for_completion(done);
	}
	return true;
}

/**
 * synn_chan_wait_error() - why synn_chan_wait() has returned false
 * @ad: adapter
 *
 * Return: -ENODEV after a rescind, -EAGAIN if the host is stalled, else -ETIMEDOUT.
 */
int synn_chan_wait_error(struct synn_adapter *ad)
{
	if (synn_rescinded(ad))
		return -ENODEV;
	return synthio_host_stalled(ad->hv) ? -EAGAIN : -ETIMEDOUT;
}

/* ---- opening ------------------------------------------------------------------- */

/**
 * synn_chan_alloc() - allocate a channel, once in the life of an adapter
 * @ad: adapter
 * @index: number of the channel
 *
 * Context: process, RTNL held.
 * Return: the channel, in ad->chans, or NULL.
 */
struct synn_chan *synn_chan_alloc(struct synn_adapter *ad, unsigned int index)
{
	struct synn_chan *ch = kzalloc(sizeof(*ch), GFP_KERNEL);

	ASSERT_RTNL();
	if (!ch)
		return NULL;
	ch->adapter = ad;
	ch->index = index;
	u64_stats_init(&ch->tx.stats.syncp);
	u64_stats_init(&ch->rx.stats.syncp);
	INIT_DELAYED_WORK(&ch->retry, retry_work);
	/* readers of statistics take no lock */
	smp_store_release(&ad->chans[index], ch);
	return ch;
}

/* Opens a channel that is prepared and taken (synthio_take_channel()) */
static int open_channel(struct synn_chan *ch, struct vmbus_channel *vc)
{
	int tries, ret = 0;

	/* the host may call before the bus has returned */
	ch->vc = vc;
	ch->heard = jiffies;
	for (tries = 0; tries < 2; tries++) {
		if (!vc->ringbuffer_page)
			ret = synthio_alloc_ring(vc, synn_ring_size);
		if (!ret)
			ret = vmbus_connect_ring(vc, channel_callback, ch);
		if (ret != -EBUSY)
			break;
		/*
		 * Only our bus says that: the host did not confirm that it had closed
		 * this ring. The bus keeps those pages; the next session gets others.
		 */
		vmbus_free_ring(vc);
		ret = 0;
	}
	if (ret) {
		ch->vc = NULL;
		return ret;
	}
	synn_chan_set_state(ch, SYNN_CHAN_OPEN);
	return 0;
}

/**
 * synn_chan_disown() - from here on no sub-channel finds this adapter
 * @ad: its channels are closed
 *
 * Context: process, sleeps.
 */
void synn_chan_disown(struct synn_adapter *ad)
{
	synthio_disown(ad->hv, &ad->open_mutex);
}

/* The bus' callback for an offered sub-channel. Process context, may sleep */
static void sub_channel(struct vmbus_channel *vc)
{
	struct synn_adapter *ad =
		synthio_lock_owner(vc, offsetof(struct synn_adapter, open_mutex));
	unsigned int n;
	int ret;

	if (!ad)
		return;
	/* hosts of NVSP number sub-channels, and use that number as a queue's index */
	n = vc->offermsg.offer.sub_channel_index;
	if (!n || n >= ad->accepted ||
	    ad->chans[n]->state != SYNN_CHAN_PREPARED) {
		netdev_info(ad->dev, "the host offers sub-channel %u, which was not requested; it is not opened\n",
			    n);
		goto out;
	}
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), NULL);
	ret = open_channel(ad->chans[n], vc);
	if (ret) {
		netdev_warn(ad->dev, "sub-channel %u can't be opened (%d); its queue is not used\n",
			    n, ret);
		synthio_leave_channel(vc);
		if (vc->ringbuffer_page)
			vmbus_free_ring(vc);
		goto out;
	}
	WRITE_ONCE(ad->nr_open, ad->nr_open + 1);
	wake_up(&ad->chan_wait);
	/* the session is open, so nothing waits for this channel any more */
	if (synn_state_has_session(READ_ONCE(ad->state)))
		synn_event(ad, SYNN_EVENT_GROW);
out:
	mutex_unlock(&ad->open_mutex);
}

/**
 * synn_chan_open_primary() - open the primary channel
 * @ad: with no channel open; channel 0 is prepared
 *
 * Context: process, RTNL and adapter->mutex held.
 * Return: 0, or as vmbus_open().
 */
int synn_chan_open_primary(struct synn_adapter *ad)
{
	struct vmbus_channel *vc = ad->hv->channel;
	int ret;

	lockdep_assert_held(&ad->mutex);
	synthio_take_channel(vc, MAX_PACKET, synthio_isr_mode(), sub_channel);
	ret = open_channel(ad->chans[0], vc);
	if (ret) {
		synthio_leave_channel(vc);
		return ret;
	}
	WRITE_ONCE(ad->nr_open, 1);
	synn_chan_enable_polling(ad);
	return 0;
}

/**
 * synn_chan_enable_polling() - enable NAPI of all channels that are open
 * @ad: adapter
 *
 * That is not done when a sub-channel opens, since they open in any order: newer
 * kernels give an instance its id when it is enabled, and list instances by their ids.
 * A host sends nothing on a sub-channel before it is told of its queue.
 *
 * Context: process, RTNL held, sleeps.
 */
void synn_chan_enable_polling(struct synn_adapter *ad)
{
	unsigned int i;

	ASSERT_RTNL();
	mutex_lock(&ad->open_mutex);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = ad->chans[i];

		/* netpoll polls what is enabled, so not before there is a ring */
		if (!ch || ch->state != SYNN_CHAN_OPEN)
			continue;
		synn_chan_set_state(ch, SYNN_CHAN_POLLED);
		napi_enable(&ch->napi);
		synn_chan_kick(ch);
	}
	mutex_unlock(&ad->open_mutex);
}

/**
 * synn_chan_accept() - open sub-channels as they are offered
 * @ad: with its primary open
 * @wanted: channels in all, which are prepared; 0: no sub-channel at all
 *
 * Context: process.
 */
void synn_chan_accept(struct synn_adapter *ad, unsigned int wanted)
{
	mutex_lock(&ad->open_mutex);
	ad->accepted = wanted;
	mutex_unlock(&ad->open_mutex);
}

/* ---- closing ------------------------------------------------------------------- */

/**
 * synn_chan_quiesce() - disable NAPI of all channels, and what schedules it
 * @ad: adapter
 *
 * Context: process, RTNL and adapter->mutex held.
 */
void synn_chan_quiesce(struct synn_adapter *ad)
{
	unsigned int i;

	lockdep_assert_held(&ad->mutex);
	synn_chan_accept(ad, 0);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = ad->chans[i];

		if (!ch || ch->state != SYNN_CHAN_POLLED)
			continue;
		napi_disable(&ch->napi);
		synn_chan_set_state(ch, SYNN_CHAN_OPEN);
	}
	/*
	 * The poll function runs on for a moment after napi_complete_done(), and so may
	 * the stack's watchdog, which has seen the netdev while it was present.
	 */
	synchronize_net();
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		struct synn_chan *ch = ad->chans[i];

		if (!ch || ch->state != SYNN_CHAN_OPEN)
			continue;
		/* it may schedule NAPI, which does not run any more */
		cancel_delayed_work_sync(&ch->retry);
		synn_chan_set_state(ch, SYNN_CHAN_PREPARED);
	}
}

/**
 * synn_chan_close_all() - close the primary and all sub-channels
 * @ad: nothing sends; after synn_chan_quiesce()
 *
 * Context: process, RTNL and adapter->mutex held; sleeps for as long as the bus waits
 *	for the host.
 * Return: 0 if the host has confirmed that it uses neither the rings nor the memory of
 *	any send any more. Else an error.
 */
int synn_chan_close_all(struct synn_adapter *ad)
{
	struct vmbus_channel *vc = ad->hv->channel;
	unsigned int i;
	int ret;

	lockdep_assert_held(&ad->mutex);
	if (!ad->nr_open)
		return 0;
	WRITE_ONCE(ad->nr_open, 0);
	ret = vmbus_disconnect_ring(vc);
	compat_closed_ring(vc, !ret);
	synthio_leave_channel(vc);
	for (i = 0; i < SYNN_MAX_QUEUES; i++) {
		if (ad->chans[i])
			ad->chans[i]->vc = NULL;
	}
	return ret;
}

/**
 * synn_chan_free_all() - free the channels and the primary's rings
 * @ad: all channels are closed, its netdev is unregistered
 * @confirmed: the host has confirmed the close of each of its sessions
 *
 * Context: process, sleeps.
 */
void synn_chan_free_all(struct synn_adapter *ad, bool confirmed)
{
	unsigned int i;

	if (ad->hv->channel->ringbuffer_page)
		compat_free_ring(ad->hv->channel, confirmed);
	for (i = 0; i < SYNN_MAX_QUEUES; i++)
		kfree(ad->chans[i]);
}
