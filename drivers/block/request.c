// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request, from blk-mq to the host and back.
 *
 * To the host. synd_queue_rq() names its pages to the host (none is
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
 * Not all memory can be held by a reference: slab pages live on in other objects
 * (file systems have buffers smaller than a page there), and so do tails of plain
 * high-order allocations. Data there goes through pages of our own.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/local_lock.h>
#include <linux/mm.h>
#include <linux/percpu.h>
#include <linux/slab.h>

#include "synth_blk.h"
#include "trace.h"


/**
 * struct scratch - where a CPU puts together the description of a packet
 * @lock: one at a time
 * @mpb: with room for SYND_MAX_PAGES
 * @bytes: that room
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

static struct synd_disk *disk_of(const struct request *rq)
{
	return rq->q->queuedata;
}

static u64 to_blocks(const struct synd_disk *d, u64 sector)
{
	return sector >> (d->block_shift - SECTOR_SHIFT);
}

/* ---- what goes with a command --------------------------------------------- */

/*
 * Name the pages of a request's data. Returns bytes of @mpb, 0 if the data has to
 * go through pages of our own.
 */
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
			/* the queue's limits say: no gap. Copied, it has none */
			return 0;
		}
		for (; pages; pages--, pfn++) {
			struct page *page = pfn_to_page(pfn /
						NR_HV_HYP_PAGES_IN_PAGE);

			if (unlikely(!compat_page_can_be_held(page)))
				return 0;
			mpb->range.pfn_array[n++] = pfn;
		}
		end = offset_in_hvpage(offset + bv.bv_len);
		bytes += bv.bv_len;
	}
	mpb->rangecount = 1;
	mpb->range.len = bytes;
	return struct_size(mpb, range.pfn_array, n);
}

static void bounce_free(struct synd_cmd *cmd)
{
	u32 i;

	for (i = 0; i < DIV_ROUND_UP(cmd->expected, PAGE_SIZE); i++) {
		if (cmd->bounce[i])
			__free_page(cmd->bounce[i]);
	}
	kfree(cmd->bounce);
	cmd->bounce = NULL;
}

/* To or from the pages of our own */
static void bounce_copy(struct request *rq, bool to_host)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct req_iterator iter;
	struct bio_vec bv;
	u32 at = 0;

	rq_for_each_segment(bv, rq, iter) {
		u8 *data = bvec_kmap_local(&bv);
		u32 done, n;

		for (done = 0; done < bv.bv_len; done += n, at += n) {
			u8 *page = page_address(cmd->bounce[at / PAGE_SIZE]) +
				   at % PAGE_SIZE;

			n = min_t(u32, bv.bv_len - done,
				  PAGE_SIZE - at % PAGE_SIZE);
			if (to_host)
				memcpy(page, data + done, n);
			else
				memcpy(data + done, page, n);
		}
		kunmap_local(data);
	}
}

/* As map_data(), with pages of our own. Returns 0 if there is no memory */
static u32 map_bounced(struct vmbus_packet_mpb_array *mpb, struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	u32 bytes = cmd->expected, i;
	const gfp_t gfp = GFP_ATOMIC | __GFP_NOWARN;

	cmd->bounce = kcalloc(DIV_ROUND_UP(bytes, PAGE_SIZE),
			      sizeof(*cmd->bounce), gfp);
	if (!cmd->bounce)
		return 0;
	for (i = 0; i < DIV_ROUND_UP(bytes, PAGE_SIZE); i++) {
		cmd->bounce[i] = alloc_page(gfp);
		if (!cmd->bounce[i]) {
			bounce_free(cmd);
			return 0;
		}
	}
	if (req_op(rq) == REQ_OP_WRITE)
		bounce_copy(rq, true);

	mpb->rangecount = 1;
	mpb->range.len = bytes;
	mpb->range.offset = 0;
	for (i = 0; i < HVPFN_UP(bytes); i++)
		mpb->range.pfn_array[i] =
			page_to_hvpfn(cmd->bounce[i / NR_HV_HYP_PAGES_IN_PAGE]) +
			i % NR_HV_HYP_PAGES_IN_PAGE;
	return struct_size(mpb, range.pfn_array, i);
}

/* The parameter list of UNMAP. Returns its length, 0 if there is no memory */
static u32 unmap_list(struct synd_disk *d, struct request *rq)
{
	unsigned int n = blk_rq_nr_discard_segments(rq), i = 0;
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct bio *bio;
	u8 *param;

	/* not part of the request: the host may have it for longer than that */
	param = kmalloc(SBC_UNMAP_HEADER + n * SBC_UNMAP_DESC,
			GFP_ATOMIC | __GFP_NOWARN);
	if (!param)
		return 0;
	cmd->param = param;
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
 * Everything of a command but its id: @pkt, and the first @mpb_len bytes of @mpb
 * if it has data
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
		if (WARN_ON_ONCE(bytes > SYND_MAX_TRANSFER))
			return BLK_STS_IOERR;
		*mpb_len = map_data(mpb, rq);
		if (unlikely(!*mpb_len))
			*mpb_len = map_bounced(mpb, rq);
		return *mpb_len ? BLK_STS_OK : BLK_STS_RESOURCE;

	case REQ_OP_FLUSH:
		synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_NONE, 0);
		pkt->srb.cdb_length = sbc_synchronize_cache(cdb);
		return BLK_STS_OK;

	case REQ_OP_DISCARD:
		if (d->id.can_unmap) {
			bytes = unmap_list(d, rq);
			if (!bytes)
				return BLK_STS_RESOURCE;
			synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
					    STORVSP_DATA_OUT, bytes);
			pkt->srb.cdb_length = sbc_unmap(cdb, bytes);
			*mpb_len = synd_proto_mpb(mpb, cmd->param, bytes);
			return BLK_STS_OK;
		}
		fallthrough;
	case REQ_OP_WRITE_ZEROES:
		/* a block of zeroes goes with it */
		synd_proto_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_OUT, d->id.block_size);
		/* to discard it must be unmapped, for zeroes it may if they are */
		cmd->zeroes_unmap = req_op(rq) == REQ_OP_DISCARD ||
				    (d->id.ws_unmap && d->id.lbprz &&
				     !READ_ONCE(d->no_zeroes_unmap) &&
				     !(rq->cmd_flags & REQ_NOUNMAP));
		pkt->srb.cdb_length = sbc_write_same(cdb, lba, blocks,
						     cmd->zeroes_unmap);
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
	if (unlikely(cmd->bounce))
		bounce_free(cmd);
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
	slot->since = jiffies;
	id = synd_id(++slot->gen, h->index, d->number, rq->tag);
	if (unlikely(!(id >> 40)))	/* no id is 0 */
		id = synd_id(++slot->gen, h->index, d->number, rq->tag);
	trace_synd_submit(d, rq, id);
	/*
	 * The host may end the request from here on: only the id is ours. With
	 * an answer to what is still to be sent, too: whoever sees the id then
	 * sees the slot and the command. Pairs with synd_request_completed().
	 */
	smp_store_release(&slot->id, id);
	ret = synd_chan_send(ch, mpb_len ? mpb : NULL, mpb_len, &pkt, id);
	local_unlock(&scratch->lock);
	if (likely(!ret))
		return BLK_STS_OK;

	/* an answer to what was never sent may have come, from a bad host */
	if (!slot_take(ch, slot, id))
		return BLK_STS_OK;
	release_extras(rq);
	if (ret == -ENODEV && synd_chan_rescinded(ch)) {
		/* another channel will do */
		synd_ctrl_repair(c);
		return BLK_STS_RESOURCE;
	}
	if (ret != -EAGAIN)
		return ret == -ENODEV ? BLK_STS_OFFLINE : BLK_STS_IOERR;
	/* completions run the queue again; blk-mq does, too, after a while */
	WRITE_ONCE(ch->starved, true);
	return BLK_STS_RESOURCE;
}

/* ---- back from the host ------------------------------------------------------- */

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

	/* that the host said nothing at all was told by whoever found out */
	if (!v->srb_status || ((rq->rq_flags & RQF_QUIET) &&
			       req_op(rq) != REQ_OP_FLUSH))
		return;
	dev_err_ratelimited(disk_to_dev(d->gd),
			    "%s of %u bytes at sector %llu failed after %u retries: SRB status 0x%02x, SCSI status 0x%02x, sense key 0x%x, code 0x%04x\n",
			    blk_op_str(req_op(rq)), blk_rq_bytes(rq),
			    (u64)blk_rq_pos(rq), cmd->retries, v->srb_status,
			    v->scsi_status, v->key, v->asc);
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

	if (req_op(rq) == REQ_OP_DISCARD) {
		WRITE_ONCE(d->no_discard, true);
	} else if (cmd->zeroes_unmap) {
		WRITE_ONCE(d->no_zeroes_unmap, true);
		try_again(d, rq, 0);
		return true;
	} else {
		WRITE_ONCE(d->no_write_zeroes, true);
	}
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

/* blk-mq's callback, and for what does not fit into a batch. Any context */
static void synd_complete(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	if (unlikely(cmd->bounce) && cmd->verdict.outcome == SBC_OK &&
	    req_op(rq) == REQ_OP_READ)
		bounce_copy(rq, false);
	release_extras(rq);

	if (likely(cmd->verdict.outcome == SBC_OK))
		blk_mq_end_request(rq, BLK_STS_OK);
	else
		failed(disk_of(rq), rq);
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
	trace_synd_complete(disk_of(rq), rq, id);

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
	int tag = READ_ONCE(rq->tag);

	/* perhaps nobody polls, or an interrupt was lost */
	synd_chan_poll(c->queues[h->index], NULL);
	/* requeued meanwhile, it may have lost its tag */
	if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT || tag < 0)
		return BLK_EH_DONE;
	if (synd_chan_rescinded(c->queues[h->index])) {
		synd_ctrl_repair(c);
		return BLK_EH_RESET_TIMER;
	}

	atomic64_inc(&d->timeouts);
	trace_synd_timeout(d, rq, READ_ONCE(h->slots[tag].id));
	if (!cmd->timeouts)
		dev_warn(disk_to_dev(d->gd),
			 "the host does not answer: %s of %u bytes at sector %llu, queue %u, tag %d, %u s; waiting on\n",
			 blk_op_str(req_op(rq)), blk_rq_bytes(rq),
			 (u64)blk_rq_pos(rq), h->index, tag,
			 jiffies_to_msecs(rq->timeout) / 1000);
	if (cmd->timeouts < U8_MAX)
		cmd->timeouts++;
	synd_ctrl_timed_out(c, cmd->timeouts);
	return BLK_EH_RESET_TIMER;
}

/* ---- all requests of a disk ---------------------------------------------------- */

/**
 * synd_disk_quiesce() - nothing is sent any more; what was sent goes on
 * @d: a disk, perhaps not a known one yet
 *
 * Context: process, sleeps.
 */
void synd_disk_quiesce(struct synd_disk *d)
{
	if (d->gd)
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
	if (!d->gd)
		return;
	blk_mq_unquiesce_queue(d->gd->queue);
	blk_mq_kick_requeue_list(d->gd->queue);
}

/**
 * synd_disk_freeze() - begin to let no requests in; those that are in go on
 * @d: a disk
 *
 * Context: process.
 */
void synd_disk_freeze(struct synd_disk *d)
{
	if (d->gd)
		compat_freeze_start(d->gd->queue);
}

/**
 * synd_disk_frozen() - whether no request is left in
 * @d: a disk, after synd_disk_freeze()
 *
 * Context: process, sleeps for a moment if there are some.
 */
bool synd_disk_frozen(struct synd_disk *d)
{
	return !d->gd || blk_mq_freeze_queue_wait_timeout(d->gd->queue,
							  HZ / 20) > 0;
}

/**
 * synd_disk_unfreeze() - the mirror of synd_disk_freeze()
 * @d: a disk
 *
 * Context: process.
 */
void synd_disk_unfreeze(struct synd_disk *d)
{
	if (d->gd)
		compat_unfreeze(d->gd->queue);
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
		for (tag = 0; tag < synd_queue_depth; tag++)
			n += !!READ_ONCE(d->hctx[i].slots[tag].id);
	}
	return n;
}

/*
 * Take requests from the host, those of one channel or with NULL all; the list is
 * by synd_cmd.next
 */
static struct request *take_all(struct synd_disk *d,
				const struct synd_chan *only,
				unsigned int *count)
{
	struct request *list = NULL;
	unsigned int i, tag;

	*count = 0;
	for (i = 0; i < d->ctrl->nr_queues; i++) {
		struct synd_chan *ch = d->ctrl->queues[i];

		if (only && only != ch)
			continue;
		spin_lock_irq(&ch->rx_lock);
		for (tag = 0; tag < synd_queue_depth; tag++) {
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
 * synd_disk_requeue() - what the host had is sent again, later
 * @d: quiesced. The host touches nothing of it any more
 * @ch: only what was sent on this channel; NULL: all
 *
 * Context: process. Return: how many requests.
 */
unsigned int synd_disk_requeue(struct synd_disk *d, const struct synd_chan *ch)
{
	unsigned int count;
	struct request *rq, *next;

	for (rq = take_all(d, ch, &count); rq; rq = next) {
		next = ((struct synd_cmd *)blk_mq_rq_to_pdu(rq))->next;
		release_extras(rq);
		blk_mq_requeue_request(rq, false);
	}
	return count;
}

/*
 * Keep what the host may still use. What it would only read is kept, too: used
 * for something else, that would be written to the disk. Returns how many pages.
 */
static unsigned int quarantine(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct req_iterator iter;
	struct bio_vec bv;
	unsigned int n = 0;

	if (cmd->param) {
		cmd->param = NULL;
		return 1;
	}
	if (cmd->bounce) {
		n = DIV_ROUND_UP(cmd->expected, PAGE_SIZE);
		kfree(cmd->bounce);
		cmd->bounce = NULL;
		return n;
	}
	if (req_op(rq) != REQ_OP_READ && req_op(rq) != REQ_OP_WRITE)
		return 0;
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

	for (rq = take_all(d, NULL, &count); rq; rq = next) {
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
 * synd_request_run_all() - run the queues of all disks, which may have found no room
 * @c: controller
 *
 * Context: any.
 */
void synd_request_run_all(struct synd_ctrl *c)
{
	/* not always the same one first: there may be room for few */
	unsigned int first = READ_ONCE(c->next_run) + 1, i;
	struct gendisk *gd;
	struct synd_disk *d;

	WRITE_ONCE(c->next_run, first);
	rcu_read_lock();
	for (i = 0; i < SYND_MAX_DISKS; i++) {
		d = rcu_dereference(c->disks[(first + i) % SYND_MAX_DISKS]);
		gd = d ? READ_ONCE(d->gd) : NULL;
		if (gd)
			blk_mq_run_hw_queues(gd->queue, true);
	}
	rcu_read_unlock();
}

/* ---- what blk-mq asks --------------------------------------------------------- */

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
		cpu = READ_ONCE(c->queues[map->queue_offset + i]->cpu);
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

const struct blk_mq_ops synd_mq_ops = {
	.queue_rq	= synd_queue_rq,
	.complete	= synd_complete,
	.timeout	= synd_timeout,
	.poll		= synd_poll,
	.init_hctx	= synd_init_hctx,
	.map_queues	= synd_map_queues,
};

/**
 * synd_request_init() - what all requests share
 *
 * Return: 0 or -ENOMEM.
 */
int synd_request_init(void)
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
 * synd_request_exit() - the mirror of synd_request_init()
 *
 * Context: all disks are gone.
 */
void synd_request_exit(void)
{
	free_percpu(scratch);
}
