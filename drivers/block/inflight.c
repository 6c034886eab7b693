// SPDX-License-Identifier: GPL-2.0-only
/*
 * All requests of a disk at once: held back, taken back from the host, sent
 * again, or failed.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "synth_blk.h"

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
		synd_request_release(rq);
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
