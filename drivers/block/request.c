// SPDX-License-Identifier: GPL-2.0-only
/*
 * The way of a request from blk-mq to the host; complete.c has the way back.
 *
 * synd_queue_rq() describes the request's pages to the host, none of which is copied,
 * and sends the packet. When the packet is certain to be sent, its id is published in
 * the slot of its tag: from then on the host has the request. The completion has the
 * same id: if the slot does not hold it, the completion is late, doubled or made up,
 * and is counted as bad.
 *
 * A request that the host does not answer is reported once and waited for, since the
 * host may still read or write its pages. It ends in one of three ways: the host
 * answers late; the controller is reset, and when the host has confirmed that it
 * uses nothing any more, the request is sent again; or the controller is removed. If
 * the host does not confirm then either, quarantine.c keeps the pages.
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
 * struct scratch - a CPU's buffer for the description of a packet
 * @lock: one packet at a time
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

/* Describe the pages of a request's data. Returns bytes of @mpb, 0 for an error */
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
			/* the queue's limits (virt_boundary) allow no gap */
			return 0;
		}
		while (pages--)
			mpb->range.pfn_array[n++] = pfn++;
		end = offset_in_hvpage(offset + bv.bv_len);
		bytes += bv.bv_len;
	}
	mpb->rangecount = 1;
	mpb->range.len = bytes;
	return struct_size(mpb, range.pfn_array, n);
}

/* The parameter list of UNMAP. Returns its length, 0 if there is no memory */
static u32 unmap_list(struct synd_disk *d, struct request *rq)
{
	unsigned int n = blk_rq_nr_discard_segments(rq), i = 0;
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct bio *bio;
	u8 *param;

	/* not part of the request: the quarantine may have to keep it longer */
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

/* Fill in @pkt, and the first @mpb_len bytes of @mpb if the command has data */
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
		synd_command_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    write ? STORVSP_DATA_OUT : STORVSP_DATA_IN,
				    bytes);
		pkt->srb.cdb_length =
			sbc_read_write(cdb, write, lba, blocks,
				       rq->cmd_flags & REQ_FUA);
		cmd->expected = bytes;
		if (WARN_ON_ONCE(bytes > SYND_MAX_TRANSFER))
			return BLK_STS_IOERR;
		*mpb_len = map_data(mpb, rq);
		return *mpb_len ? BLK_STS_OK : BLK_STS_IOERR;

	case REQ_OP_FLUSH:
		synd_command_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_NONE, 0);
		pkt->srb.cdb_length = sbc_synchronize_cache(cdb);
		return BLK_STS_OK;

	case REQ_OP_DISCARD:
		if (d->id.can_unmap) {
			bytes = unmap_list(d, rq);
			if (!bytes)
				return BLK_STS_RESOURCE;
			synd_command_fill_srb(d->ctrl, pkt, d->target, d->lun,
					    STORVSP_DATA_OUT, bytes);
			pkt->srb.cdb_length = sbc_unmap(cdb, bytes);
			*mpb_len = synd_command_mpb(mpb, cmd->param, bytes);
			return BLK_STS_OK;
		}
		fallthrough;
	case REQ_OP_WRITE_ZEROES:
		/* a block of zeroes goes with it */
		synd_command_fill_srb(d->ctrl, pkt, d->target, d->lun,
				    STORVSP_DATA_OUT, d->id.block_size);
		/*
		 * A discard has to unmap. To write zeroes, unmapping is allowed if
		 * unmapped blocks read as zeroes.
		 */
		cmd->zeroes_unmap = req_op(rq) == REQ_OP_DISCARD ||
				    (d->id.ws_unmap && d->id.lbprz &&
				     !test_bit(SYND_REFUSES_WRITE_SAME_UNMAP,
					       &d->refusals) &&
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
 * synd_request_release() - free what a command had beside its request's pages
 * @rq: the host does not use it any more
 *
 * Context: any.
 */
void synd_request_release(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

	kfree(cmd->param);
	cmd->param = NULL;
}

/* The status of a request that a controller or a disk in this state does not send */
static blk_status_t not_sent(const struct synd_ctrl *c,
			     const struct synd_disk *d)
{
	switch (READ_ONCE(c->state)) {
	case SYND_CTRL_FAILED:
		return BLK_STS_IOERR;
	case SYND_CTRL_GONE:
		return BLK_STS_OFFLINE;
	case SYND_CTRL_LIVE:
	case SYND_CTRL_REMOVING:
		break;
	default:
		return BLK_STS_RESOURCE;
	}
	return READ_ONCE(d->state) == SYND_DISK_CHECKING ? BLK_STS_RESOURCE :
							   BLK_STS_OFFLINE;
}

static u64 next_id(struct synd_slot *slot, const struct synd_hctx *h, u32 tag)
{
	u64 id;

	do {
		id = synd_id(++slot->gen, h->index, h->disk->number, tag);
	} while (unlikely(!(id >> 40)));	/* no id is 0 */
	return id;
}

/**
 * synd_queue_rq() - send a request to the host
 * @hctx: hardware queue
 * @bd: has the request
 *
 * Context: any; queues are quiesced before channels are closed.
 * Return: BLK_STS_OK if the host has the request now, or has had it.
 */
blk_status_t synd_queue_rq(struct blk_mq_hw_ctx *hctx,
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

	if (unlikely(READ_ONCE(c->state) > SYND_CTRL_REMOVING ||
		     READ_ONCE(d->state) > SYND_DISK_LIVE))
		return not_sent(c, d);

	if (!(rq->rq_flags & RQF_DONTPREP)) {
		cmd->retries = 0;
		cmd->timeouts = 0;
		cmd->busy = false;
		rq->rq_flags |= RQF_DONTPREP;
	}
	cmd->param = NULL;
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
	id = next_id(slot, h, rq->tag);
	trace_synd_submit(d, rq, id);
	ret = synd_chan_send(ch, mpb_len ? mpb : NULL, mpb_len, &pkt, id,
			     &slot->id);
	local_unlock(&scratch->lock);
	/* the request may have ended by now: nothing of it is read any more */
	if (likely(!ret))
		return BLK_STS_OK;

	synd_request_release(rq);
	if (ret == -EAGAIN) {
		/* completions run the queue again; blk-mq does, too, later */
		WRITE_ONCE(ch->starved, true);
		return BLK_STS_RESOURCE;
	}
	if (ret == -ENODEV && synd_chan_rescinded(ch)) {
		/* the queue gets another channel */
		synd_note(c, SYND_EVENT_CHANNEL_LOST);
		return BLK_STS_RESOURCE;
	}
	return ret == -ENODEV ? BLK_STS_OFFLINE : BLK_STS_IOERR;
}

/**
 * synd_request_init() - allocate the buffers of all CPUs
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
 * Context: process, there are no disks any more.
 */
void synd_request_exit(void)
{
	free_percpu(scratch);
}
