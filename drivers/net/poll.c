// SPDX-License-Identifier: GPL-2.0-only
/*
 * The NAPI poll function: reads a channel's ring, and hands what it finds to the
 * files that it is for. Requests are answered while the interface is down, too, so NAPI
 * is enabled during all of a session.
 *
 * synn_poll() reads until the budget is used up or the ring is empty; then it unmasks
 * the host's interrupts and looks once more, since the host may have written before it
 * could see that the mask is gone. An interrupt that comes between napi_complete_done()
 * and the end of the mask schedules NAPI again and masks; the unmasking that follows
 * costs one interrupt too many, nothing else. Sockets that poll come without an
 * interrupt: synn_poll() masks then, and leaves the mask until they let NAPI complete.
 */
#include "synth_net.h"

static void handle_completion(struct synn_chan *ch, u64 id, const void *payload,
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
		synn_bad_packet(ch, "a completion of an unknown kind", id);
	}
}

/* Returns how many packets for the stack there were */
static int handle_packet(struct synn_chan *ch,
			 const struct vmpacket_descriptor *desc,
			 struct synn_tx_batch *batch, int budget)
{
	u32 offset = desc->offset8 * 8, len = desc->len8 * 8;
	const void *payload = (const u8 *)desc + offset;
	u64 id = desc->trans_id;

	/* the bus has checked that, but another bus may not */
	if (unlikely(offset < sizeof(*desc) || offset > len)) {
		synn_bad_packet(ch, "a malformed packet", id);
		return 0;
	}
	switch (desc->type) {
	case VM_PKT_COMP:
		handle_completion(ch, id, payload, len - offset, batch, budget);
		return 0;
	case VM_PKT_DATA_USING_XFER_PAGES:
		return synn_rx_transfer(ch, desc);
	case VM_PKT_DATA_INBAND:
		synn_nvsp_message(ch, payload, len - offset);
		return 0;
	}
	synn_bad_packet(ch, "a packet of an unknown type", id);
	return 0;
}

/* Moves the read index behind @desc: the next poll finds what follows it */
static void release_packet(struct vmbus_channel *vc,
			   const struct vmpacket_descriptor *desc)
{
	__hv_pkt_iter_next(vc, desc);
	hv_pkt_iter_close(vc);
}

/*
 * Whether a packet has to stay in the ring for now. netpoll (a budget of 0) only wants
 * room for sends, so it takes no packets; and it has interrupts off, so it may not free
 * a frame of XDP.
 */
static bool must_defer(const struct synn_chan *ch,
		       const struct vmpacket_descriptor *desc, int budget)
{
	if (desc->type == VM_PKT_DATA_USING_XFER_PAGES)
		return !budget || synn_rx_is_full(ch);
	return !budget && desc->type == VM_PKT_COMP &&
	       synn_tx_is_frame(ch, desc->trans_id);
}

/**
 * synn_poll() - the NAPI poll function
 * @napi: of a channel
 * @budget: packets for the stack that may be taken; 0 for netpoll
 *
 * Context: softirq, or netpoll with interrupts off.
 */
int synn_poll(struct napi_struct *napi, int budget)
{
	struct synn_chan *ch = container_of(napi, struct synn_chan, napi);
	struct vmbus_channel *vc = ch->vc;
	struct synn_tx_batch batch = { };
	struct vmpacket_descriptor *desc;
	bool all_completed, deferred = false;
	int work = 0, n = 0;

	ch->rx.stats.polls++;
	ch->rx.was_running = netif_running(ch->adapter->dev);
	/*
	 * A socket that polls has had no interrupt before, and needs none meanwhile.
	 * netpoll does not complete, so nothing would unmask after it.
	 */
	if (budget && !READ_ONCE(vc->inbound.ring_buffer->interrupt_mask))
		hv_begin_read(&vc->inbound);
	desc = hv_pkt_iter_first(vc);
	if (desc)
		WRITE_ONCE(ch->heard, jiffies);
	for (; desc; desc = hv_pkt_iter_next(vc, desc)) {
		if (unlikely(must_defer(ch, desc, budget))) {
			deferred = true;
			hv_pkt_iter_close(vc);
			break;
		}
		work += handle_packet(ch, desc, &batch, budget);
		/* completions cost little, but a host must not keep this CPU here */
		if (unlikely(work >= budget || ++n >= 8 * NAPI_POLL_WEIGHT)) {
			release_packet(vc, desc);
			work = budget;
			break;
		}
	}
	if (ch->rx.flush)
		synn_xdp_poll_end(ch);
	synn_tx_poll_end(ch, &batch, budget);
	all_completed = synn_rx_complete(ch);
	if (unlikely(!all_completed))
		synn_chan_retry(ch);

	if (work >= budget)
		return budget;
	if (napi_complete_done(napi, work)) {
		/* synn_chan_retry() looks again at a host that does not read */
		if (unlikely(deferred && !all_completed))
			return work;
		/* or the mask stays for a while */
		if (synn_coalesce_sleep(ch, work + batch.packets))
			return work;
		if (hv_end_read(&vc->inbound) && napi_schedule_prep(napi)) {
			hv_begin_read(&vc->inbound);
			__napi_schedule(napi);
		}
	}
	return work;
}
