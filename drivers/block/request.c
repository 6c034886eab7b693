// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request from blk-mq to the host; complete.c has the way back.
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

/**
 * synd_request_copy() - data to or from the pages of our own
 * @rq: has synd_cmd.bounce
 * @to_host: to them
 *
 * Context: any.
 */
void synd_request_copy(struct request *rq, bool to_host)
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
		synd_request_copy(rq, true);

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

/**
 * synd_request_release() - give back what a command had beside its request's pages
 * @rq: the host does not have it any more
 *
 * Context: any.
 */
void synd_request_release(struct request *rq)
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
	synd_request_release(rq);
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

/* ---- while the host has it ------------------------------------------------- */

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
