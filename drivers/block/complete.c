// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request back from the host: which one an answer ends, what it
 * means, and what follows: the request ends, fails or is tried again. What ended
 * well goes to blk-mq in batches.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#include "synth_blk.h"
#include "trace.h"

/**
 * synd_request_refused() - tell the block layer what the host has refused
 * @work: disk->refused_work
 *
 * Limits can't be changed from an interrupt on every kernel.
 */
void synd_request_refused(struct work_struct *work)
{
	struct synd_disk *d = container_of(work, struct synd_disk,
					   refused_work);

	if (READ_ONCE(d->no_cache))
		compat_set_write_cache(d->gd, false, false);
	if (READ_ONCE(d->no_discard))
		compat_disable_discard(d->gd->queue);
	if (READ_ONCE(d->no_write_zeroes))
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

/* Whether the verdict was "later" for too long */
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

/* In the log, as far as somebody wants to know */
static void report(const struct synd_disk *d, struct request *rq)
{
	const struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	const struct sbc_verdict *v = &cmd->verdict;
	char where[48] = "";

	/* that the host said nothing at all was told by whoever found out */
	if (!v->srb_status || ((rq->rq_flags & RQF_QUIET) &&
			       req_op(rq) != REQ_OP_FLUSH))
		return;
	if (req_op(rq) != REQ_OP_FLUSH)
		snprintf(where, sizeof(where), " of %u bytes at sector %llu",
			 blk_rq_bytes(rq), (u64)blk_rq_pos(rq));
	dev_err_ratelimited(disk_to_dev(d->gd),
			    "%s%s failed after %u retries: SRB status 0x%02x, SCSI status 0x%02x, sense key 0x%x, code 0x%04x\n",
			    blk_op_str(req_op(rq)), where, cmd->retries,
			    v->srb_status, v->scsi_status, v->key, v->asc);
}

/*
 * The disk does not know the command to flush its cache. Only one that never said
 * that it has a cache can be taken for a disk without: returns whether it is.
 */
static bool flush_refused(struct synd_disk *d, struct request *rq)
{
	if (READ_ONCE(d->id.write_cache_told))
		return false;
	if (!xchg(&d->no_cache, true)) {
		dev_warn(disk_to_dev(d->gd),
			 "does not know SYNCHRONIZE CACHE, nor says that it has a write cache: it is not flushed any more\n");
		schedule_work(&d->refused_work);
	}
	blk_mq_end_request(rq, BLK_STS_OK);
	return true;
}

/*
 * The disk does not know what was asked for: it is not asked again. Returns true
 * if the request was dealt with.
 */
static bool refused(struct synd_disk *d, struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (req_op(rq) != REQ_OP_DISCARD && cmd->zeroes_unmap) {
		WRITE_ONCE(d->no_zeroes_unmap, true);
		try_again(d, rq, 0);
		return true;
	}
	if (req_op(rq) == REQ_OP_DISCARD)
		WRITE_ONCE(d->no_discard, true);
	else
		WRITE_ONCE(d->no_write_zeroes, true);
	schedule_work(&d->refused_work);
	return false;
}

/* A command that the host did not carry out */
static void failed(struct synd_disk *d, struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct sbc_verdict *v = &cmd->verdict;

	if (v->key == 6)
		atomic64_inc(&d->attentions);
	if (v->hints)
		synd_scan(d->ctrl);
	if (v->outcome == SBC_NOT_SUPPORTED && req_op(rq) == REQ_OP_FLUSH) {
		if (flush_refused(d, rq))
			return;
		v->outcome = SBC_TARGET_ERROR;
		v->retry = true;
	}
	if (v->retry && cmd->retries < SYND_MAX_RETRIES) {
		cmd->retries++;
		/* where no reason is given it may need a moment to pass */
		try_again(d, rq, v->key == 6 || v->key == 0xb ?
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

	if (unlikely(cmd->bounce) && cmd->verdict.outcome == SBC_OK &&
	    req_op(rq) == REQ_OP_READ)
		synd_request_copy(rq, false);
	synd_request_release(rq);

	if (likely(cmd->verdict.outcome == SBC_OK))
		blk_mq_end_request(rq, BLK_STS_OK);
	else
		failed(synd_disk_of(rq), rq);
}

/* What came back is what was asked for, entirely */
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
	cmd->verdict = synd_proto_judge(pkt, len, command);
	if (cmd->verdict.outcome == SBC_OK && cmd->expected &&
	    pkt->srb.data_transfer_length != cmd->expected) {
		synd_chan_bad(ch, "a completion of the wrong length", id);
		cmd->verdict.outcome = SBC_IO_ERROR;
	}
}

/* The slot that an id names, or NULL. RCU is held */
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
 * synd_request_completed() - a completion of a request came, or says so
 * @ch: where
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
	 * Acquire, for the id of a request that is not sent yet, which a bad host
	 * can guess: nothing but this word says then that the submitter has
	 * written the rest. Without it slot->rq may be read before slot->id, and
	 * be a request of earlier.
	 */
	if (unlikely(!slot || !id || smp_load_acquire(&slot->id) != id)) {
		synd_chan_bad(ch, "a completion of nothing", id);
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
	 * On the CPU that it came from it ends right here. blk-mq would send it
	 * through a softirq if there is only one queue, one by one.
	 */
	if (likely(blk_mq_rq_cpu(rq) == raw_smp_processor_id()))
		blk_mq_set_request_complete(rq);
	else if (blk_mq_complete_request_remote(rq))
		goto out;
	if (unlikely((rq->cmd_flags & REQ_POLLED) && in_interrupt())) {
		/* bios of pollers go back to a cache that allows no interrupt */
		if (llist_add(&cmd->later, &ch->ctrl->later))
			schedule_work(&ch->ctrl->later_work);
		goto out;
	}
	if (unlikely(cmd->param || cmd->bounce) ||
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
 * synd_request_later() - end requests of pollers that an interrupt found done
 * @work: ctrl->later_work
 *
 * That happens where a polled queue has to use a channel that interrupts.
 */
void synd_request_later(struct work_struct *work)
{
	struct synd_ctrl *c = container_of(work, struct synd_ctrl, later_work);
	struct synd_cmd *cmd, *next;

	llist_for_each_entry_safe(cmd, next, llist_del_all(&c->later), later)
		synd_complete(blk_mq_rq_from_pdu(cmd));
}

/**
 * synd_request_finish_batch() - end what a look into a ring has found
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
