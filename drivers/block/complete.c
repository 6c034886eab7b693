// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request back from the host: which request an answer ends, what the
 * answer means, and what follows: the request ends, fails or is tried again. Requests
 * that ended well go to blk-mq in batches.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#include "synth_blk.h"
#include "trace.h"

/**
 * synd_apply_refusals() - take commands that the unit has refused out of the limits
 * @work: disk->refusals_work
 *
 * Limits can't be changed from an interrupt on every kernel.
 */
void synd_apply_refusals(struct work_struct *work)
{
	struct synd_disk *d = container_of(work, struct synd_disk,
					   refusals_work);

	if (test_bit(SYND_REFUSES_FLUSH, &d->refusals))
		compat_set_write_cache(d->gd, false, false);
	if (test_bit(SYND_REFUSES_UNMAP, &d->refusals))
		compat_disable_discard(d->gd->queue);
	if (test_bit(SYND_REFUSES_WRITE_SAME, &d->refusals))
		compat_disable_write_zeroes(d->gd->queue);
}

static void try_again(struct synd_disk *d, struct request *rq,
		      unsigned long delay_ms)
{
	atomic64_inc(&d->retries);
	blk_mq_requeue_request(rq, !delay_ms);
	if (delay_ms)
		blk_mq_delay_kick_requeue_list(d->gd->queue, delay_ms);
}

/* Whether the unit has been busy for too long */
static bool busy_too_long(struct synd_cmd *cmd)
{
	if (!cmd->busy) {
		cmd->busy = true;
		cmd->busy_since = jiffies;
	}
	return time_after(jiffies, cmd->busy_since + SYND_BUSY_LIMIT);
}

static blk_status_t error_of(const struct synd_disk *d,
			     const struct request *rq)
{
	const struct synd_cmd *cmd = blk_mq_rq_to_pdu((struct request *)rq);

	switch (cmd->verdict.outcome) {
	case SBC_MEDIUM_ERROR:
		return BLK_STS_MEDIUM;
	case SBC_TARGET_ERROR:
		return BLK_STS_TARGET;
	case SBC_NOT_SUPPORTED:
		return BLK_STS_NOTSUPP;
	case SBC_NO_SPACE:
		return BLK_STS_NOSPC;
	case SBC_RESERVED:
		return COMPAT_STS_RESERVED;
	case SBC_PROTECTION:
		return BLK_STS_PROTECTION;
	case SBC_GONE:
		return BLK_STS_OFFLINE;
	default:
		return BLK_STS_IOERR;
	}
}

/* What an outcome means, and what can be done */
static const char *meaning_of(const struct sbc_verdict *v)
{
	switch (v->outcome) {
	case SBC_MEDIUM_ERROR:
		return "the host can't read or write these blocks; check its storage";
	case SBC_TARGET_ERROR:
		return "the unit refuses the command";
	case SBC_NO_SPACE:
		return "the host's storage is full";
	case SBC_RESERVED:
		return "another initiator has reserved the unit";
	case SBC_PROTECTION:
		return "protection information does not match the data";
	case SBC_GONE:
		return "there is no such unit any more";
	case SBC_RETRY_LATER:
		return "the unit was busy for too long";
	default:
		return "I/O error on the host; check its log";
	}
}

/* Log a failed request, unless its submitter asked for silence */
static void report(const struct synd_disk *d, struct request *rq)
{
	const struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	const struct sbc_verdict *v = &cmd->verdict;
	char where[80] = "";

	/* requests that the host did not answer were reported when that was found */
	if (!v->srb_status || ((rq->rq_flags & RQF_QUIET) &&
			       req_op(rq) != REQ_OP_FLUSH))
		return;
	if (req_op(rq) != REQ_OP_FLUSH)
		snprintf(where, sizeof(where), " of %u bytes at sector %llu (LBA %llu)",
			 blk_rq_bytes(rq), (u64)blk_rq_pos(rq),
			 (u64)blk_rq_pos(rq) >> (d->block_shift - SECTOR_SHIFT));
	dev_err_ratelimited(disk_to_dev(d->gd),
			    "%s%s failed after %u retries: %s (SRB status 0x%02x, SCSI status 0x%02x, sense key 0x%x, code 0x%04x)\n",
			    blk_op_str(req_op(rq)), where, cmd->retries,
			    meaning_of(v), v->srb_status, v->scsi_status, v->key,
			    v->asc);
}

/*
 * The unit does not know SYNCHRONIZE CACHE. Only one that has never reported a write
 * cache counts as a disk without; returns whether this is one.
 */
static bool flush_refused(struct synd_disk *d, struct request *rq)
{
	if (READ_ONCE(d->id.write_cache_reported))
		return false;
	if (!test_and_set_bit(SYND_REFUSES_FLUSH, &d->refusals)) {
		dev_warn(disk_to_dev(d->gd),
			 "FLUSH: the unit does not know SYNCHRONIZE CACHE and reports no write cache: no flushes are sent any more\n");
		schedule_work(&d->refusals_work);
	}
	blk_mq_end_request(rq, BLK_STS_OK);
	return true;
}

/*
 * The unit does not know a command, which is not sent any more. Returns true if the
 * request was dealt with.
 */
static bool refused(struct synd_disk *d, struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (req_op(rq) != REQ_OP_DISCARD && cmd->zeroes_unmap) {
		set_bit(SYND_REFUSES_WRITE_SAME_UNMAP, &d->refusals);
		try_again(d, rq, 0);
		return true;
	}
	set_bit(req_op(rq) == REQ_OP_DISCARD ? SYND_REFUSES_UNMAP :
		SYND_REFUSES_WRITE_SAME, &d->refusals);
	schedule_work(&d->refusals_work);
	return false;
}

/* A command that the host did not carry out */
static void failed(struct synd_disk *d, struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct sbc_verdict *v = &cmd->verdict;

	if (v->key == SBC_KEY_UNIT_ATTENTION)
		atomic64_inc(&d->attentions);
	if (v->hints)
		synd_note(d->ctrl, SYND_EVENT_SCAN);
	if (v->outcome == SBC_NOT_SUPPORTED && req_op(rq) == REQ_OP_FLUSH) {
		if (flush_refused(d, rq))
			return;
		v->outcome = SBC_TARGET_ERROR;
		v->retry = true;
	}
	if (v->retry && cmd->retries < SYND_MAX_RETRIES) {
		cmd->retries++;
		/* where no reason is given it may need a moment to pass */
		try_again(d, rq, v->key == SBC_KEY_UNIT_ATTENTION ||
			  v->key == SBC_KEY_ABORTED_COMMAND ?
				 0 : SYND_RETRY_DELAY);
		return;
	}
	if (v->outcome == SBC_RETRY_LATER && !busy_too_long(cmd)) {
		try_again(d, rq, SYND_BUSY_DELAY);
		return;
	}
	if (v->outcome == SBC_NOT_SUPPORTED) {
		if (refused(d, rq))
			return;
	} else {
		report(d, rq);
	}
	atomic64_inc(&d->errors);
	blk_mq_end_request(rq, error_of(d, rq));
}

/**
 * synd_complete() - blk-mq's callback, and for what does not fit into a batch
 * @rq: its verdict is known
 *
 * Context: any.
 */
void synd_complete(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	synd_request_release(rq);

	if (likely(cmd->verdict.outcome == SBC_OK))
		blk_mq_end_request(rq, BLK_STS_OK);
	else
		failed(synd_disk_of(rq), rq);
}

/* Whether the command succeeded and moved all of its data */
static bool plain_success(const struct storvsp_packet *pkt, u32 len,
			  u32 expected)
{
	return len >= offsetofend(struct storvsp_packet,
				  srb.data_transfer_length) &&
	       pkt->operation == STORVSP_COMPLETE_IO &&
	       (pkt->srb.srb_status & STORVSP_SRB_STATUS_MASK) ==
	       STORVSP_SRB_SUCCESS && !pkt->srb.scsi_status &&
	       (!expected || pkt->srb.data_transfer_length == expected);
}

static void judge(struct synd_chan *ch, u64 id, struct request *rq,
		  const struct storvsp_packet *pkt, u32 len)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	enum sbc_command command = SBC_CMD_OPTIONAL;

	if (req_op(rq) == REQ_OP_READ || req_op(rq) == REQ_OP_WRITE)
		command = SBC_CMD_KNOWN;
	else if (req_op(rq) == REQ_OP_FLUSH)
		command = SBC_CMD_FLUSH;
	if (len < offsetof(struct storvsp_packet, srb.sense_data) ||
	    pkt->operation != STORVSP_COMPLETE_IO) {
		synd_chan_bad(ch, "a malformed completion", id);
		cmd->verdict = (struct sbc_verdict){ .outcome = SBC_IO_ERROR };
		return;
	}
	cmd->verdict = synd_command_judge(pkt, len, command);
	if (cmd->verdict.outcome == SBC_OK && cmd->expected &&
	    pkt->srb.data_transfer_length != cmd->expected) {
		synd_chan_bad(ch, "a completion of the wrong length", id);
		cmd->verdict.outcome = SBC_IO_ERROR;
	}
}

/* The slot that an id refers to, or NULL. RCU is held */
static struct synd_slot *find_slot(struct synd_chan *ch, u64 id)
{
	struct synd_ctrl *c = ch->ctrl;
	u32 number = synd_id_disk(id), queue = synd_id_queue(id);
	struct synd_disk *d;

	if (number >= SYND_MAX_DISKS || queue >= c->nr_queues ||
	    c->queues[queue] != ch)
		return NULL;
	d = rcu_dereference(c->disks[number]);
	if (!d || synd_id_tag(id) >= synd_queue_depth)
		return NULL;
	return &d->hctx[queue].slots[synd_id_tag(id)];
}

/**
 * synd_request_completed() - end the request that a completion refers to
 * @ch: channel on which it came
 * @id: as it came
 * @payload: @len bytes, a private copy
 * @len: may be anything
 * @batch: gets the request
 *
 * Context: any, rx_lock held.
 */
void synd_request_completed(struct synd_chan *ch, u64 id, const void *payload,
			 u32 len, struct synd_batch *batch)
{
	const struct storvsp_packet *pkt = payload;
	struct synd_slot *slot;
	struct synd_cmd *cmd;
	struct request *rq;

	rcu_read_lock();
	slot = find_slot(ch, id);
	/*
	 * Acquire, for an id that a bad host has guessed before the packet was
	 * visible to it: only this word tells then that the submitter has written
	 * the rest. Otherwise slot->rq might be read before slot->id, and be an
	 * earlier request. Pairs with publish_id().
	 */
	if (unlikely(!slot || !id || smp_load_acquire(&slot->id) != id)) {
		synd_chan_bad(ch, "a completion without a request", id);
		goto out;
	}
	rq = slot->rq;
	/* fault injection: as if it had not come, the slot stays taken */
	if (unlikely(blk_should_fake_timeout(rq->q)))
		goto out;
	WRITE_ONCE(slot->id, 0);
	ch->completions++;
	cmd = blk_mq_rq_to_pdu(rq);
	if (likely(plain_success(pkt, len, cmd->expected)))
		cmd->verdict = (struct sbc_verdict){ .outcome = SBC_OK };
	else
		judge(ch, id, rq, pkt, len);
	trace_synd_complete(synd_disk_of(rq), rq, id);

	/*
	 * On the CPU of its submitter the request ends right here. With only one
	 * queue blk-mq would raise a softirq for each request.
	 */
	if (likely(blk_mq_rq_cpu(rq) == raw_smp_processor_id()))
		blk_mq_set_request_complete(rq);
	else if (blk_mq_complete_request_remote(rq))
		goto out;
	if (unlikely((rq->cmd_flags & REQ_POLLED) && in_interrupt())) {
		/* bios of pollers go back to a cache that allows no interrupt */
		if (llist_add(&cmd->deferred, &ch->ctrl->deferred))
			schedule_work(&ch->ctrl->deferred_work);
		goto out;
	}
	if (unlikely(cmd->param) ||
	    !blk_mq_add_to_batch(rq, &batch->iob,
				 cmd->verdict.outcome != SBC_OK,
				 blk_mq_end_request_batch)) {
		cmd->next = batch->others;
		batch->others = rq;
	}
out:
	rcu_read_unlock();
}

/**
 * synd_request_finish_deferred() - end requests of pollers that an interrupt found
 * @work: ctrl->deferred_work
 *
 * That happens where a polled queue has to use a channel that interrupts.
 */
void synd_request_finish_deferred(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(work, struct synd_ctrl,
					   deferred_work);
	struct synd_cmd *cmd, *next;

	llist_for_each_entry_safe(cmd, next, llist_del_all(&c->deferred),
				  deferred)
		synd_complete(blk_mq_rq_from_pdu(cmd));
}

/**
 * synd_request_finish_batch() - end the requests that a read of a ring has found
 * @batch: is empty afterwards
 *
 * Context: any; rx_lock not held.
 */
void synd_request_finish_batch(struct synd_batch *batch)
{
	struct request *rq, *next;

	if (batch->iob.complete)
		batch->iob.complete(&batch->iob);
	for (rq = batch->others; rq; rq = next) {
		next = ((struct synd_cmd *)blk_mq_rq_to_pdu(rq))->next;
		synd_complete(rq);
	}
	batch->others = NULL;
}
