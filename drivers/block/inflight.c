// SPDX-License-Identifier: GPL-2.0-only
/*
 * All requests of a disk at once: its queue is held, requests are taken back from the
 * host, sent again, or failed.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

#include "synth_blk.h"

/**
 * synd_disk_set_hold() - hold a disk's queue, or let it go
 * @d: a disk; nothing happens if it has no queue yet
 * @hold: how
 *
 * SYND_HOLD_FROZEN begins a freeze: synd_disk_frozen() tells when it is complete.
 * The new hold begins before the old one ends, so no request slips through between.
 *
 * Context: process, ctrl->mutex held, sleeps.
 */
void synd_disk_set_hold(struct synd_disk *d, enum synd_hold hold)
{
	enum synd_hold old = d->hold;

	lockdep_assert_held(&d->ctrl->mutex);
	if (!d->gd || old == hold)
		return;
	d->hold = hold;
	if (hold == SYND_HOLD_QUIESCED)
		blk_mq_quiesce_queue(d->gd->queue);
	else if (hold == SYND_HOLD_FROZEN)
		compat_freeze_start(d->gd->queue);
	if (old == SYND_HOLD_QUIESCED) {
		blk_mq_unquiesce_queue(d->gd->queue);
		blk_mq_kick_requeue_list(d->gd->queue);
	} else if (old == SYND_HOLD_FROZEN) {
		compat_unfreeze(d->gd->queue);
	}
}

/**
 * synd_disk_frozen() - whether a freeze is complete
 * @d: a disk, with SYND_HOLD_FROZEN
 *
 * Context: process, sleeps for a moment if there are requests.
 */
bool synd_disk_frozen(struct synd_disk *d)
{
	return !d->gd || blk_mq_freeze_queue_wait_timeout(d->gd->queue,
							  HZ / 20) > 0;
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

/**
 * synd_disk_oldest() - for how long the host has had the oldest request
 * @d: a disk
 *
 * Context: any; an estimate.
 * Return: jiffies, 0 if the host has none.
 */
unsigned long synd_disk_oldest(struct synd_disk *d)
{
	unsigned long now = jiffies, oldest = 0, age;
	unsigned int i, tag;

	for (i = 0; i < d->ctrl->nr_queues; i++) {
		for (tag = 0; tag < synd_queue_depth; tag++) {
			struct synd_slot *slot = &d->hctx[i].slots[tag];

			if (!READ_ONCE(slot->id))
				continue;
			age = now - READ_ONCE(slot->since);
			if ((long)age > (long)oldest)
				oldest = age;
		}
	}
	return oldest;
}

/*
 * Take requests back from the host, those of one channel or with NULL all; the list
 * is by synd_cmd.next
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
 * synd_disk_requeue() - send again what the host had, when the queue runs
 * @d: quiesced or frozen. The host does not use any of these requests any more
 * @ch: only what was sent on this channel; NULL: all
 *
 * Context: process.
 * Return: how many requests.
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

/**
 * synd_disk_fail_all() - fail all requests that the host has
 * @d: quiesced, or dead
 * @confirmed: the host does not use any of them any more; else their memory is
 *	quarantined
 * @kept: incremented by the number of pages in quarantine
 *
 * Context: process, sleeps.
 * Return: how many requests.
 */
unsigned int synd_disk_fail_all(struct synd_disk *d, bool confirmed,
				unsigned int *kept)
{
	unsigned int count;
	struct request *rq, *next;

	for (rq = take_all(d, NULL, &count); rq; rq = next) {
		struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);

		next = cmd->next;
		if (!confirmed)
			*kept += synd_quarantine_request(d->ctrl, rq);
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
	/* begin with another disk each time: there may be room for few requests */
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
