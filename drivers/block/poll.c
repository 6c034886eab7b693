// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads the rings of channels, and hands what is in them to complete.c and command.c.
 *
 * The bus calls in interrupt context (HV_CALL_ISR; with PREEMPT_RT in a thread or a
 * tasklet, synthio_isr_mode()). The whole ring is read there with the host's
 * interrupts masked, so that packets which come meanwhile cost no interrupt. What was
 * found completed is handed to blk-mq as one batch after the lock is dropped.
 *
 * A polled channel stays masked from its open to its close. io_uring polls it, and so
 * does a timeout, for requests that are not polled for any more. An interrupt that
 * comes all the same reads nothing: bios of pollers must not end in interrupt
 * context.
 */
#include "synth_blk.h"

/* packets that are read in one interrupt; a tasklet reads on */
#define IRQ_BUDGET		512

/* A packet that the host sends on its own */
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
		synd_note(ch->ctrl, SYND_EVENT_SCAN);
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

	/* the bus has checked that already */
	if (offset < sizeof(*desc) || offset > len) {
		synd_chan_bad(ch, "a malformed packet", id);
		return;
	}
	len -= offset;
	switch (desc->type) {
	case VM_PKT_COMP:
		if (synd_id_disk(id) == SYND_ID_COMMAND)
			synd_command_done(ch, id, payload, len);
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
 * Read at most @budget packets. rx_lock is held and the channel is open. Returns how
 * many there were.
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
		/* step over this packet; the next read finds what follows */
		__hv_pkt_iter_next(ch->vc, desc);
		hv_pkt_iter_close(ch->vc);
		break;
	}
	if (n) {
		WRITE_ONCE(ch->last_packet, jiffies);
		ch->reads++;
		if (n > ch->largest)
			ch->largest = n;
	}
	return n;
}

/* Run queues that found no room, since there may be some now */
static void run_starved(struct synd_chan *ch)
{
	if (unlikely(READ_ONCE(ch->starved))) {
		WRITE_ONCE(ch->starved, false);
		synd_request_run_all(ch->ctrl);
	}
}

/**
 * synd_poll_interrupt() - read until the ring is empty, interrupts masked meanwhile
 * @chan: struct synd_chan
 *
 * The bus's callback; synthio's bus also calls it when a channel is rescinded.
 *
 * Context: hard interrupt, or what the bus has instead of it.
 */
void synd_poll_interrupt(void *chan)
{
	struct synd_batch batch = { };
	struct synd_chan *ch = chan;
	unsigned int n = 0;
	unsigned long flags;
	bool lost = false;

	spin_lock_irqsave(&ch->rx_lock, flags);
	ch->interrupts++;
	if (!ch->open)
		goto out;
	lost = ch->index && READ_ONCE(ch->vc->rescind);
	if (ch->polled)
		goto out;
	do {
		hv_begin_read(&ch->vc->inbound);
		n += read_ring(ch, &batch, IRQ_BUDGET - n);
		if (n >= IRQ_BUDGET) {
			/* interrupts stay masked: the tasklet reads on */
			tasklet_schedule(&ch->task);
			break;
		}
	} while (hv_end_read(&ch->vc->inbound));
out:
	spin_unlock_irqrestore(&ch->rx_lock, flags);
	if (n) {
		synd_request_finish_batch(&batch);
		run_starved(ch);
	}
	if (unlikely(lost))
		synd_note(ch->ctrl, SYND_EVENT_CHANNEL_LOST);
}

static void channel_task(struct tasklet_struct *t)
{
	struct synd_chan *ch = from_tasklet(ch, t, task);

	synd_poll_interrupt(ch);
}

/**
 * synd_poll_channel() - read a ring without an interrupt
 * @ch: any channel
 * @iob: gets what was completed, or NULL to end it here
 *
 * Context: any.
 * Return: how many packets there were.
 */
int synd_poll_channel(struct synd_chan *ch, struct io_comp_batch *iob)
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
		run_starved(ch);
	}
	return n;
}

/**
 * synd_poll_init() - prepare the reading of a controller's channels
 * @c: after synd_chan_init()
 */
void synd_poll_init(struct synd_ctrl *c)
{
	unsigned int i;

	for (i = 0; i < SYND_MAX_CHANNELS; i++)
		tasklet_setup(&c->chans[i].task, channel_task);
}
