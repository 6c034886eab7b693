// SPDX-License-Identifier: GPL-2.0-only
/*
 * A logical unit as a blk-mq disk.
 *
 * The way of a request. synd_queue_rq() names its pages to the host (none is
 * copied), writes an id into the slot of its tag, and sends the packet. From
 * then on the host has it. The completion brings the id back: the slot must
 * hold just that one, so an answer that is late, doubled or made up finds
 * nothing, and is counted. What ended well goes to blk-mq in batches.
 *
 * Time. A request that the host does not answer is reported once and waited
 * for: the host may still read or write its pages. It comes back in one of
 * three ways: it is answered after all; the controller is reset, and the host
 * has confirmed that it touches nothing any more: then it is sent again; or the
 * controller is given up: then it fails, and if the host did not confirm, pages
 * that it may still write get a reference that is never dropped (quarantine).
 *
 * Slab memory can't be quarantined like that: its pages live on in other
 * objects. Reads into it (file systems have buffers smaller than a page there)
 * go through pages of our own.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/idr.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "synth_blk.h"
#include "trace.h"

#define MAX_UNMAP_DESCS		255	/* the list fits into a page */
#define LETTERS			26

/**
 * struct scratch - where a CPU puts together the description of a packet
 * @lock: one at a time
 * @mpb: with room for SYND_MAX_PAGES
 */
struct scratch {
	local_lock_t lock;
	union {
		struct vmbus_packet_mpb_array mpb;
		u8 bytes[sizeof(struct vmbus_packet_mpb_array) +
			 SYND_MAX_PAGES * sizeof(u64)];
	};
};

static struct scratch __percpu *scratch;
static DEFINE_IDA(letters);

static struct synd_disk *disk_of(const struct request *rq)
{
	return rq->q->queuedata;
}

static u64 to_blocks(const struct synd_disk *d, u64 sector)
{
	return sector >> (d->block_shift - SECTOR_SHIFT);
}

/* ---- what goes with a command --------------------------------------------- */

/* Name the pages of a request's data. Returns bytes of @mpb, 0 if it can't be */
static u32 map_data(struct vmbus_packet_mpb_array *mpb, struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bv;
	u32 n = 0, end = 0, bytes = 0;

	rq_for_each_bvec(bv, rq, iter) {
		u32 offset = offset_in_hvpage(bv.bv_offset);
		u64 pfn = page_to_hvpfn(bv.bv_page) +
			  HVPFN_DOWN(bv.bv_offset);
		u32 pages = HVPFN_UP(offset + bv.bv_len);

		if (!n) {
			mpb->range.offset = offset;
		} else if (offset && offset == end &&
			   pfn == mpb->range.pfn_array[n - 1]) {
			/* bios that were merged meet inside a page */
			pfn++;
			pages--;
		} else if (WARN_ON_ONCE(offset || end)) {
			/* the queue's limits say: no gap */
			return 0;
		}
		if (WARN_ON_ONCE(n + pages > SYND_MAX_PAGES))
			return 0;
		while (pages--)
			mpb->range.pfn_array[n++] = pfn++;
		end = offset_in_hvpage(offset + bv.bv_len);
		bytes += bv.bv_len;
	}
	mpb->rangecount = 1;
	mpb->range.len = bytes;
	return struct_size(mpb, range.pfn_array, n);
}

/* Whether a read goes to slab memory: see the top of this file */
static bool touches_slab(struct request *rq)
{
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_bvec(bv, rq, iter) {
		if (PageSlab(bv.bv_page))
			return true;
	}
	return false;
}

/* The parameter list of UNMAP. Returns its length, 0 if there is no memory */
static u32 unmap_list(struct synd_disk *d, struct request *rq)
{
	unsigned int n = blk_rq_nr_discard_segments(rq), i = 0;
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	u8 *param = cmd->small;
	struct bio *bio;

	if (n > 1) {
		param = kmalloc(SBC_UNMAP_HEADER + n * SBC_UNMAP_DESC,
				GFP_ATOMIC | __GFP_NOWARN);
		if (!param)
			return 0;
		cmd->param = param;
	}
	/* with one segment allowed, bios are merged to one range */
	if (n == 1) {
		sbc_unmap_desc(param, i++, to_blocks(d, blk_rq_pos(rq)),
			       to_blocks(d, blk_rq_sectors(rq)));
	} else {
		__rq_for_each_bio(bio, rq) {
			if (WARN_ON_ONCE(i == n))
				break;
			sbc_unmap_desc(param, i++,
				       to_blocks(d, bio->bi_iter.bi_sector),
				       to_blocks(d, bio_sectors(bio)));
		}
	}
	return sbc_unmap_header(param, i);
}

/*
 * Everything of a command but its id: @pkt, and @mpb if it has data. Returns
 * bytes of @mpb, 0 if there is no data, or -BLK_STS_*.
 */
static blk_status_t build(struct synd_disk *d, struct request *rq,
			  struct storvsp_packet *pkt,
			  struct vmbus_packet_mpb_array *mpb, u32 *mpb_len)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	bool write = op_is_write(req_op(rq));
	u64 lba = to_blocks(d, blk_rq_pos(rq));
	u32 blocks = to_blocks(d, blk_rq_sectors(rq));
	u32 bytes = blk_rq_bytes(rq);
	u8 *cdb = pkt->srb.cdb;

	*mpb_len = 0;
	cmd->expected = 0;
	switch (req_op(rq)) {
	case REQ_OP_READ:
	case REQ_OP_WRITE:
		synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    write ? STORVSP_DATA_OUT : STORVSP_DATA_IN,
				    bytes);
		pkt->srb.cdb_length =
			sbc_read_write(cdb, write, lba, blocks,
				       rq->cmd_flags & REQ_FUA);
		cmd->expected = bytes;
		if (unlikely(!write && touches_slab(rq))) {
			cmd->bounce = alloc_pages(GFP_ATOMIC | __GFP_NOWARN,
						  get_order(bytes));
			if (!cmd->bounce)
				return BLK_STS_RESOURCE;
			*mpb_len = synd_proto_mpb(mpb,
						  page_address(cmd->bounce),
						  bytes);
			return BLK_STS_OK;
		}
		*mpb_len = map_data(mpb, rq);
		return *mpb_len ? BLK_STS_OK : BLK_STS_IOERR;

	case REQ_OP_FLUSH:
		synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_NONE, 0);
		pkt->srb.cdb_length = sbc_synchronize_cache(cdb);
		return BLK_STS_OK;

	case REQ_OP_DISCARD:
		if (d->id.unmap) {
			bytes = unmap_list(d, rq);
			if (!bytes)
				return BLK_STS_RESOURCE;
			synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
					    STORVSP_DATA_OUT, bytes);
			pkt->srb.cdb_length = sbc_unmap(cdb, bytes);
			*mpb_len = synd_proto_mpb(mpb, cmd->param ?: cmd->small,
						  bytes);
			return BLK_STS_OK;
		}
		fallthrough;
	case REQ_OP_WRITE_ZEROES:
		/* a block of zeroes goes with it */
		synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_OUT, d->id.block_size);
		pkt->srb.cdb_length =
			sbc_write_same(cdb, lba, blocks,
				       d->id.ws_unmap &&
				       !(rq->cmd_flags & REQ_NOUNMAP));
		mpb->rangecount = 1;
		mpb->range.len = d->id.block_size;
		mpb->range.offset = 0;
		mpb->range.pfn_array[0] = page_to_hvpfn(ZERO_PAGE(0));
		*mpb_len = struct_size(mpb, range.pfn_array, 1);
		return BLK_STS_OK;

	default:
		return BLK_STS_NOTSUPP;
	}
}

/* Give back what a command had beside the pages of its request */
static void release_extras(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	kfree(cmd->param);
	cmd->param = NULL;
	if (unlikely(cmd->bounce)) {
		__free_pages(cmd->bounce, get_order(cmd->expected));
		cmd->bounce = NULL;
	}
}

static void copy_bounced(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	const u8 *from = page_address(cmd->bounce);
	struct req_iterator iter;
	struct bio_vec bv;

	rq_for_each_segment(bv, rq, iter) {
		memcpy_to_bvec(&bv, from);
		from += bv.bv_len;
	}
}

/* ---- to the host ------------------------------------------------------------ */

/* Take a request back from the host, if it has it under that id */
static bool slot_take(struct synd_chan *ch, struct synd_slot *slot, u64 id)
{
	unsigned long flags;
	bool taken;

	spin_lock_irqsave(&ch->rx_lock, flags);
	taken = slot->id == id;
	if (taken)
		WRITE_ONCE(slot->id, 0);
	spin_unlock_irqrestore(&ch->rx_lock, flags);
	return taken;
}

/* Why a request can't go out now */
static blk_status_t not_live(const struct synd_ctrl *c)
{
	switch (READ_ONCE(c->state)) {
	case SYND_FAILED:
		return BLK_STS_IOERR;
	case SYND_LEAVING:
		return BLK_STS_OFFLINE;
	default:
		return BLK_STS_RESOURCE;
	}
}

static blk_status_t synd_queue_rq(struct blk_mq_hw_ctx *hctx,
				  const struct blk_mq_queue_data *bd)
{
	struct synd_hctx *h = hctx->driver_data;
	struct request *rq = bd->rq;
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct synd_disk *d = h->disk;
	struct synd_ctrl *c = d->ctrl;
	struct synd_slot *slot = &h->slots[rq->tag];
	struct synd_chan *ch = c->queues[h->index];
	struct vmbus_packet_mpb_array *mpb;
	struct storvsp_packet pkt;
	blk_status_t status;
	u32 mpb_len;
	u64 id;
	int ret;

	if (unlikely(READ_ONCE(c->state) != SYND_LIVE))
		return not_live(c);
	if (unlikely(READ_ONCE(d->gone)))
		return BLK_STS_OFFLINE;

	if (!(rq->rq_flags & RQF_DONTPREP)) {
		cmd->retries = 0;
		cmd->timeouts = 0;
		cmd->busy = false;
		rq->rq_flags |= RQF_DONTPREP;
	}
	cmd->param = NULL;
	cmd->bounce = NULL;
	blk_mq_start_request(rq);

	local_lock(&scratch->lock);
	mpb = &this_cpu_ptr(scratch)->mpb;
	status = build(d, rq, &pkt, mpb, &mpb_len);
	if (unlikely(status)) {
		local_unlock(&scratch->lock);
		return status;
	}
	slot->rq = rq;
	id = synd_id(++slot->gen, h->index, d->number, rq->tag);
	if (unlikely(!(id >> 40)))	/* no id is 0 */
		id = synd_id(++slot->gen, h->index, d->number, rq->tag);
	trace_synd_submit(d, rq, id);
	WRITE_ONCE(slot->id, id);
	/* the host may end the request from here on: only the id is ours */
	ret = synd_chan_send(ch, mpb_len ? mpb : NULL, mpb_len, &pkt, id);
	local_unlock(&scratch->lock);
	if (likely(!ret))
		return BLK_STS_OK;

	/* an answer to what was never sent may have come, from a bad host */
	if (!slot_take(ch, slot, id))
		return BLK_STS_OK;
	release_extras(rq);
	if (ret != -EAGAIN)
		return ret == -ENODEV ? BLK_STS_OFFLINE : BLK_STS_IOERR;
	/* completions run the queue again; blk-mq does, too, after a while */
	WRITE_ONCE(ch->starved, true);
	return BLK_STS_RESOURCE;
}

/* ---- back from the host ------------------------------------------------------- */

static void refused(struct synd_disk *d, struct request *rq)
{
	if (req_op(rq) == REQ_OP_DISCARD)
		WRITE_ONCE(d->no_discard, true);
	else
		WRITE_ONCE(d->no_write_zeroes, true);
	schedule_work(&d->refused_work);
}

/* Limits can't be changed from an interrupt on every kernel */
static void refused_work(struct work_struct *work)
{
	struct synd_disk *d = container_of(work, struct synd_disk,
					   refused_work);

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

/* blk-mq's callback, and for what does not fit into a batch. Any context */
static void synd_complete(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	const struct sbc_verdict *v = &cmd->verdict;
	struct synd_disk *d = disk_of(rq);

	if (unlikely(cmd->bounce) && v->outcome == SBC_OK)
		copy_bounced(rq);
	release_extras(rq);

	if (likely(v->outcome == SBC_OK)) {
		blk_mq_end_request(rq, BLK_STS_OK);
		return;
	}
	if (v->key == 6)
		atomic64_inc(&d->attentions);
	if (v->hints)
		synd_ctrl_scan(d->ctrl);
	if (v->outcome == SBC_RETRY && cmd->retries < SYND_MAX_RETRIES) {
		cmd->retries++;
		try_again(d, rq, 0);
		return;
	}
	if (v->outcome == SBC_RETRY_LATER && !busy_too_long(cmd)) {
		try_again(d, rq, SYND_BUSY_DELAY);
		return;
	}
	if (v->outcome == SBC_NOT_SUPPORTED)
		refused(d, rq);
	else if (v->key && !(rq->rq_flags & RQF_QUIET))
		dev_err_ratelimited(disk_to_dev(d->gd),
				    "sense key 0x%x, code 0x%04x\n", v->key,
				    v->asc);
	atomic64_inc(&d->errors);
	blk_mq_end_request(rq, error_of(d, rq));
}

static void end_batch(struct io_comp_batch *iob)
{
	blk_mq_end_request_batch(iob);
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
	bool optional = req_op(rq) == REQ_OP_DISCARD ||
			req_op(rq) == REQ_OP_WRITE_ZEROES;

	if (len < offsetof(struct storvsp_packet, srb.sense_data) ||
	    pkt->operation != STORVSP_COMPLETE_IO) {
		synd_chan_bad(ch, "a malformed completion", id);
		cmd->verdict = (struct sbc_verdict){ .outcome = SBC_IO_ERROR };
		return;
	}
	cmd->verdict = synd_proto_judge(pkt, len, optional);
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
	if (!d || synd_id_tag(id) >= d->set.queue_depth)
		return NULL;
	return &d->hctx[queue].slots[synd_id_tag(id)];
}

/**
 * synd_disk_completed() - a completion of a request came, or says so
 * @ch: where
 * @id: as it came
 * @payload: @len bytes, a private copy
 * @len: may be anything
 * @batch: gets the request
 *
 * Context: any, rx_lock held.
 */
void synd_disk_completed(struct synd_chan *ch, u64 id, const void *payload,
			 u32 len, struct synd_batch *batch)
{
	const struct storvsp_packet *pkt = payload;
	struct synd_slot *slot;
	struct synd_cmd *cmd;
	struct request *rq;

	rcu_read_lock();
	slot = find_slot(ch, id);
	if (unlikely(!slot || !id || slot->id != id)) {
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
	trace_synd_complete(disk_of(rq), rq, id);

	if (blk_mq_complete_request_remote(rq))
		goto out;
	if (unlikely(cmd->param || cmd->bounce) ||
	    !blk_mq_add_to_batch(rq, &batch->iob,
				 cmd->verdict.outcome != SBC_OK, end_batch)) {
		cmd->next = batch->others;
		batch->others = rq;
	}
out:
	rcu_read_unlock();
}

/**
 * synd_disk_finish_batch() - end what a look into a ring has found
 * @batch: is empty afterwards
 *
 * Context: any; rx_lock not held.
 */
void synd_disk_finish_batch(struct synd_batch *batch)
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

static int synd_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *iob)
{
	struct synd_hctx *h = hctx->driver_data;

	return synd_chan_poll(h->disk->ctrl->queues[h->index], iob);
}

static enum blk_eh_timer_return synd_timeout(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct synd_hctx *h = rq->mq_hctx->driver_data;
	struct synd_disk *d = h->disk;
	struct synd_ctrl *c = d->ctrl;

	/* perhaps nobody polls, or an interrupt was lost */
	synd_chan_poll(c->queues[h->index], NULL);
	if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT)
		return BLK_EH_DONE;

	atomic64_inc(&d->timeouts);
	trace_synd_timeout(d, rq, READ_ONCE(h->slots[rq->tag].id));
	if (!cmd->timeouts)
		dev_warn(disk_to_dev(d->gd),
			 "the host does not answer: %s of %u bytes at sector %llu, queue %u, tag %d, %u s; waiting on\n",
			 blk_op_str(req_op(rq)), blk_rq_bytes(rq),
			 (u64)blk_rq_pos(rq), h->index, rq->tag,
			 jiffies_to_msecs(rq->timeout) / 1000);
	if (cmd->timeouts < U8_MAX)
		cmd->timeouts++;
	synd_ctrl_timed_out(c, cmd->timeouts);
	return BLK_EH_RESET_TIMER;
}

/* ---- all requests of a disk ---------------------------------------------------- */

/**
 * synd_disk_quiesce() - nothing is sent any more; what was sent goes on
 * @d: a disk
 *
 * Context: process, sleeps.
 */
void synd_disk_quiesce(struct synd_disk *d)
{
	blk_mq_quiesce_queue(d->gd->queue);
}

/**
 * synd_disk_unquiesce() - the mirror of synd_disk_quiesce()
 * @d: a disk
 *
 * Context: process.
 */
void synd_disk_unquiesce(struct synd_disk *d)
{
	blk_mq_unquiesce_queue(d->gd->queue);
	blk_mq_kick_requeue_list(d->gd->queue);
}

/**
 * synd_disk_in_flight() - how many requests the host has
 * @d: a disk
 *
 * Context: any. Exact if the queue is quiesced.
 */
unsigned int synd_disk_in_flight(struct synd_disk *d)
{
	unsigned int i, tag, n = 0;

	for (i = 0; i < d->ctrl->nr_queues; i++) {
		for (tag = 0; tag < d->set.queue_depth; tag++)
			n += !!READ_ONCE(d->hctx[i].slots[tag].id);
	}
	return n;
}

/* Take all requests from the host; the list is by synd_cmd.next */
static struct request *take_all(struct synd_disk *d, unsigned int *count)
{
	struct request *list = NULL;
	unsigned int i, tag;

	*count = 0;
	for (i = 0; i < d->ctrl->nr_queues; i++) {
		struct synd_chan *ch = d->ctrl->queues[i];

		spin_lock_irq(&ch->rx_lock);
		for (tag = 0; tag < d->set.queue_depth; tag++) {
			struct synd_slot *slot = &d->hctx[i].slots[tag];
			struct synd_cmd *cmd;

			if (!slot->id)
				continue;
			cmd = blk_mq_rq_to_pdu(slot->rq);
			cmd->next = list;
			list = slot->rq;
			WRITE_ONCE(slot->id, 0);
			++*count;
		}
		spin_unlock_irq(&ch->rx_lock);
	}
	return list;
}

/**
 * synd_disk_requeue_all() - what the host had is sent again, later
 * @d: quiesced. The host touches nothing of it any more
 *
 * Context: process. Return: how many requests.
 */
unsigned int synd_disk_requeue_all(struct synd_disk *d)
{
	unsigned int count;
	struct request *rq, *next;

	for (rq = take_all(d, &count); rq; rq = next) {
		next = ((struct synd_cmd *)blk_mq_rq_to_pdu(rq))->next;
		release_extras(rq);
		blk_mq_requeue_request(rq, false);
	}
	return count;
}

/* Keep what the host may still write. Returns how many pages */
static unsigned int quarantine(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	unsigned int n = 0;
	struct req_iterator iter;
	struct bio_vec bv;

	if (req_op(rq) != REQ_OP_READ) {
		/* read only by the host; but what it reads stays what it is */
		if (cmd->param)
			n++;
		cmd->param = NULL;
		return n;
	}
	if (cmd->bounce) {
		n = 1 << get_order(cmd->expected);
		cmd->bounce = NULL;
		return n;
	}
	rq_for_each_segment(bv, rq, iter) {
		get_page(bv.bv_page);
		n++;
	}
	return n;
}

/**
 * synd_disk_fail_all() - what the host had fails
 * @d: quiesced, or dead
 * @safe: the host touches nothing of it any more; else pages are quarantined
 *
 * Context: process. Return: how many requests.
 */
unsigned int synd_disk_fail_all(struct synd_disk *d, bool safe)
{
	unsigned int count;
	struct request *rq, *next;

	for (rq = take_all(d, &count); rq; rq = next) {
		struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

		next = cmd->next;
		if (!safe)
			d->ctrl->quarantined += quarantine(rq);
		cmd->verdict = (struct sbc_verdict){ .outcome = SBC_IO_ERROR };
		blk_mq_complete_request(rq);
	}
	return count;
}

/**
 * synd_disk_run() - run the queues of all disks, which may have found no room
 * @c: controller
 *
 * Context: any.
 */
void synd_disk_run(struct synd_ctrl *c)
{
	struct synd_disk *d;
	unsigned int i;

	rcu_read_lock();
	for (i = 0; i < SYND_MAX_DISKS; i++) {
		d = rcu_dereference(c->disks[i]);
		if (d)
			blk_mq_run_hw_queues(d->gd->queue, true);
	}
	rcu_read_unlock();
}

/* ---- what blk-mq and the block layer ask ------------------------------------- */

static int synd_init_hctx(struct blk_mq_hw_ctx *hctx, void *data,
			  unsigned int index)
{
	struct synd_disk *d = data;

	hctx->driver_data = &d->hctx[index];
	return 0;
}

/* Each CPU uses the channel that interrupts it, if there is one */
static void map_cpus(struct synd_ctrl *c, struct blk_mq_queue_map *map)
{
	unsigned int cpu, i;

	blk_mq_map_queues(map);
	for (i = 0; i < map->nr_queues; i++) {
		struct vmbus_channel *vc =
			c->queues[map->queue_offset + i]->vc;

		cpu = vc ? vc->target_cpu : nr_cpu_ids;
		if (cpu < nr_cpu_ids)
			map->mq_map[cpu] = map->queue_offset + i;
	}
}

static void synd_map_queues(struct blk_mq_tag_set *set)
{
	struct synd_disk *d = set->driver_data;
	struct synd_ctrl *c = d->ctrl;
	struct blk_mq_queue_map *map = &set->map[HCTX_TYPE_DEFAULT];

	map->nr_queues = c->nr_queues - c->nr_polled;
	map->queue_offset = 0;
	map_cpus(c, map);
	if (!c->nr_polled)
		return;
	/* reads and writes share a channel */
	set->map[HCTX_TYPE_READ].nr_queues = 0;
	map = &set->map[HCTX_TYPE_POLL];
	map->nr_queues = c->nr_polled;
	map->queue_offset = c->nr_queues - c->nr_polled;
	blk_mq_map_queues(map);
}

static const struct blk_mq_ops synd_mq_ops = {
	.queue_rq	= synd_queue_rq,
	.complete	= synd_complete,
	.timeout	= synd_timeout,
	.poll		= synd_poll,
	.init_hctx	= synd_init_hctx,
	.map_queues	= synd_map_queues,
};

static void disk_free(struct synd_disk *d)
{
	unsigned int i;

	for (i = 0; d->hctx && i < d->ctrl->nr_queues; i++)
		kvfree(d->hctx[i].slots);
	kfree(d->hctx);
	d->hctx = NULL;
}

static void synd_free_disk(struct gendisk *gd)
{
	kfree(gd->private_data);
}

/* For the NFS server, which names disks to its clients */
static int synd_get_unique_id(struct gendisk *gd, u8 id[16],
			      enum blk_unique_id type)
{
	const struct synd_disk *d = gd->private_data;

	if (!d->id.id_len ||
	    type != (d->id.id_is_naa ? BLK_UID_NAA : BLK_UID_EUI64))
		return -EINVAL;
	memcpy(id, d->id.id, d->id.id_len);
	return d->id.id_len;
}

static const struct block_device_operations synd_fops = {
	.owner		= THIS_MODULE,
	.free_disk	= synd_free_disk,
	.get_unique_id	= synd_get_unique_id,
};

#define SYND_ATTR(name, fmt, ...)					\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct synd_disk *d = dev_to_disk(dev)->private_data;		\
									\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);			\
}									\
static DEVICE_ATTR_RO(name)

SYND_ATTR(serial, "%s", d->id.serial);
SYND_ATTR(wwid, "%s", d->id.wwid);
SYND_ATTR(vendor, "%s", d->id.vendor);
SYND_ATTR(model, "%s", d->id.product);
SYND_ATTR(firmware_rev, "%s", d->id.revision);
SYND_ATTR(address, "%u:%u", d->target, d->lun);
SYND_ATTR(retries, "%lld", atomic64_read(&d->retries));
SYND_ATTR(timeouts, "%lld", atomic64_read(&d->timeouts));
SYND_ATTR(io_errors, "%lld", atomic64_read(&d->errors));

static struct attribute *synd_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_wwid.attr,
	&dev_attr_vendor.attr,
	&dev_attr_model.attr,
	&dev_attr_firmware_rev.attr,
	&dev_attr_address.attr,
	&dev_attr_retries.attr,
	&dev_attr_timeouts.attr,
	&dev_attr_io_errors.attr,
	NULL
};

static const struct attribute_group synd_group = { .attrs = synd_attrs };
static const struct attribute_group *synd_groups[] = { &synd_group, NULL };

/* ---- coming and going ------------------------------------------------------------ */

/* synda to syndz, syndaa, ...: as sd names its disks */
static void name_disk(char *name, size_t room, int n)
{
	char letters[8], *p = &letters[sizeof(letters) - 1];

	*p = 0;
	do {
		*--p = 'a' + n % LETTERS;
		n = n / LETTERS - 1;
	} while (n >= 0);
	snprintf(name, room, "synd%s", p);
}

/* A number of blocks as bytes of a limit: at most what 32 bits hold */
static u32 limit_bytes(const struct sbc_disk *id, u64 blocks)
{
	return min_t(u64, blocks, (U32_MAX & ~(u32)(SBC_BLOCK_MAX - 1)) /
		     id->block_size) * id->block_size;
}

static void find_limits(const struct synd_ctrl *c, const struct sbc_disk *id,
			struct compat_limits *l)
{
	u64 max = c->max_transfer;
	bool fua = id->write_cache && id->fua;

	if (id->max_transfer)
		max = min(max, id->max_transfer);
	*l = (struct compat_limits) {
		.max_transfer = max,
		.block_size = id->block_size,
		.physical_block_size = id->physical_block_size,
		.alignment = id->alignment,
		.io_min = id->io_min % id->physical_block_size ? 0 : id->io_min,
		.io_opt = id->io_opt % id->physical_block_size ? 0 : id->io_opt,
		.discard_segments = 1,
		.discard_granularity = id->unmap_granularity ?:
				       id->physical_block_size,
		.discard_alignment = id->unmap_alignment,
		.write_cache = id->write_cache,
		.fua = fua,
		.rotational = id->rotational,
	};
	if (id->unmap && id->unmap_max_blocks && id->unmap_max_descs) {
		l->discard_max = limit_bytes(id, id->unmap_max_blocks);
		l->discard_segments = min_t(u32, id->unmap_max_descs,
					    MAX_UNMAP_DESCS);
	} else if (id->ws_unmap && id->ws_max_blocks) {
		l->discard_max = limit_bytes(id, id->ws_max_blocks);
	}
	/* unmapped blocks must read as zeroes, else zeroes could not be unmapped */
	if (id->ws_max_blocks && (!id->ws_unmap || id->lbprz))
		l->zeroes_max = limit_bytes(id, id->ws_max_blocks);
	if (!l->discard_max)
		l->discard_granularity = 0;
}

static int alloc_hctxs(struct synd_disk *d)
{
	unsigned int i;

	d->hctx = kcalloc(d->ctrl->nr_queues, sizeof(*d->hctx), GFP_KERNEL);
	if (!d->hctx)
		return -ENOMEM;
	for (i = 0; i < d->ctrl->nr_queues; i++) {
		d->hctx[i].disk = d;
		d->hctx[i].index = i;
		d->hctx[i].slots = kvcalloc(synd_queue_depth,
					    sizeof(struct synd_slot),
					    GFP_KERNEL);
		if (!d->hctx[i].slots)
			return -ENOMEM;
	}
	return 0;
}

static int free_number(const struct synd_ctrl *c)
{
	unsigned int i;

	for (i = 0; i < SYND_MAX_DISKS; i++) {
		if (!rcu_access_pointer(c->disks[i]))
			return i;
	}
	return -ENOSPC;
}

/**
 * synd_disk_create() - a disk that nobody sees yet
 * @c: its controller
 * @target: SCSI target
 * @lun: LUN
 * @id: what it said of itself
 *
 * Context: process, ctrl->mutex held.
 * Return: the disk, on the controller's list, for synd_disk_add(); an error
 *	pointer.
 */
struct synd_disk *synd_disk_create(struct synd_ctrl *c, u8 target, u8 lun,
				   const struct sbc_disk *id)
{
	struct compat_limits limits;
	struct synd_disk *d;
	struct gendisk *gd;
	int ret;

	ret = free_number(c);
	if (ret < 0)
		return ERR_PTR(ret);
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->ctrl = c;
	d->number = ret;
	d->target = target;
	d->lun = lun;
	d->id = *id;
	d->block_shift = ilog2(id->block_size);
	INIT_WORK(&d->refused_work, refused_work);
	ret = alloc_hctxs(d);
	if (ret)
		goto err_free;
	d->letter = ida_alloc(&letters, GFP_KERNEL);
	if (d->letter < 0) {
		ret = d->letter;
		goto err_free;
	}

	d->set.ops = &synd_mq_ops;
	d->set.driver_data = d;
	d->set.nr_hw_queues = c->nr_queues;
	d->set.nr_maps = c->nr_polled ? HCTX_MAX_TYPES : 1;
	d->set.queue_depth = synd_queue_depth;
	d->set.cmd_size = sizeof(struct synd_cmd);
	d->set.numa_node = dev_to_node(&c->hv->device);
	d->set.timeout = synd_timeout_s * HZ;
	/* order is the host's business, unless an arm has to move */
	d->set.flags = COMPAT_MQ_F_MERGE |
		       (id->rotational ? 0 : BLK_MQ_F_NO_SCHED_BY_DEFAULT);
	ret = blk_mq_alloc_tag_set(&d->set);
	if (ret)
		goto err_letter;

	find_limits(c, id, &limits);
	gd = compat_alloc_disk(&d->set, &limits, d);
	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto err_set;
	}
	d->gd = gd;
	gd->fops = &synd_fops;
	gd->private_data = d;
	name_disk(gd->disk_name, sizeof(gd->disk_name), d->letter);
	set_capacity(gd, id->blocks << (d->block_shift - SECTOR_SHIFT));
	set_disk_ro(gd, id->read_only);

	rcu_assign_pointer(c->disks[d->number], d);
	list_add_tail(&d->node, &c->disk_list);
	return d;

err_set:
	blk_mq_free_tag_set(&d->set);
err_letter:
	ida_free(&letters, d->letter);
err_free:
	disk_free(d);
	kfree(d);
	return ERR_PTR(ret);
}

/**
 * synd_disk_add() - make a disk known
 * @d: from synd_disk_create()
 *
 * Reads partition tables: ctrl->mutex is not held, so that whoever ends I/O that
 * hangs can have it.
 *
 * Context: process, sleeps for as long as the host takes.
 * Return: 0, or as device_add_disk().
 */
int synd_disk_add(struct synd_disk *d)
{
	const struct sbc_disk *id = &d->id;
	int ret;

	ret = device_add_disk(&d->ctrl->hv->device, d->gd, synd_groups);
	if (ret) {
		synd_err(d->ctrl, "target %u LUN %u can't become a disk: %d\n",
			 d->target, d->lun, ret);
		return ret;
	}
	d->added = true;
	dev_info(disk_to_dev(d->gd),
		 "%s %s, %llu blocks of %u bytes%s%s, target %u LUN %u\n",
		 id->vendor, id->product, id->blocks, id->block_size,
		 id->read_only ? ", read-only" : "",
		 id->write_cache ? id->fua ? ", write cache, FUA" :
		 ", write cache" : "", d->target, d->lun);
	return 0;
}

/**
 * synd_disk_remove() - take a disk away
 * @d: a disk; gone afterwards, if this succeeds
 * @surprise: the unit is gone: nothing can be written back
 * @wait: jiffies to wait for requests that the host still has, with @surprise
 *
 * Without @surprise what is dirty is written back first, however long it takes.
 *
 * Context: process, ctrl->mutex not held; nobody else adds or removes disks.
 * Return: false if requests are still there: the disk is dead, call again later.
 */
bool synd_disk_remove(struct synd_disk *d, bool surprise, unsigned long wait)
{
	struct synd_ctrl *c = d->ctrl;
	struct gendisk *gd = d->gd;
	bool added = d->added;

	if (surprise) {
		WRITE_ONCE(d->gone, true);
		if (!d->dying) {
			blk_mark_disk_dead(gd);
			/* what waits for a unit that was busy goes on to fail */
			blk_mq_kick_requeue_list(gd->queue);
		}
		d->dying = true;
		if (!blk_mq_freeze_queue_wait_timeout(gd->queue, wait))
			return false;
	}
	if (added)
		del_gendisk(gd);
	cancel_work_sync(&d->refused_work);

	mutex_lock(&c->mutex);
	list_del(&d->node);
	rcu_assign_pointer(c->disks[d->number], NULL);
	mutex_unlock(&c->mutex);
	synchronize_rcu();

	ida_free(&letters, d->letter);
	if (!added) {
		put_disk(gd);
		blk_mq_free_tag_set(&d->set);
		disk_free(d);
		kfree(d);
		return true;
	}
	blk_mq_free_tag_set(&d->set);
	disk_free(d);
	/* the last one who has it open frees the rest */
	put_disk(gd);
	return true;
}

/**
 * synd_disk_same() - whether a unit is still the one that the disk was made of
 * @d: the disk
 * @id: what the unit says now
 */
bool synd_disk_same(const struct synd_disk *d, const struct sbc_disk *id)
{
	return id->type == SBC_TYPE_DISK &&
	       id->block_size == d->id.block_size &&
	       !strcmp(id->serial, d->id.serial) &&
	       !strcmp(id->wwid, d->id.wwid);
}

/**
 * synd_disk_update() - capacity and parameters of a disk may have changed
 * @d: the disk
 * @id: what the unit says now; synd_disk_same()
 *
 * Context: process, ctrl->mutex not held, since requests may have to end first.
 */
void synd_disk_update(struct synd_disk *d, const struct sbc_disk *id)
{
	struct sbc_disk *old = &d->id;

	if (id->read_only != old->read_only) {
		dev_info(disk_to_dev(d->gd), "is now %s\n",
			 id->read_only ? "read-only" : "writable");
		set_disk_ro(d->gd, id->read_only);
	}
	if (id->write_cache != old->write_cache || id->fua != old->fua)
		compat_set_write_cache(d->gd, id->write_cache,
				       id->write_cache && id->fua);
	if (id->blocks != old->blocks)
		set_capacity_and_notify(d->gd, id->blocks <<
					(d->block_shift - SECTOR_SHIFT));
	old->read_only = id->read_only;
	old->write_cache = id->write_cache;
	old->fua = id->fua;
	old->blocks = id->blocks;
}

/**
 * synd_disk_init() - what all disks share
 *
 * Return: 0 or -ENOMEM.
 */
int synd_disk_init(void)
{
	int cpu;

	scratch = alloc_percpu(struct scratch);
	if (!scratch)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		local_lock_init(&per_cpu_ptr(scratch, cpu)->lock);
	return 0;
}

/**
 * synd_disk_exit() - the mirror of synd_disk_init()
 *
 * Context: all disks are gone.
 */
void synd_disk_exit(void)
{
	free_percpu(scratch);
	ida_destroy(&letters);
}
