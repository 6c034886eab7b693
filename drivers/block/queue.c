// SPDX-License-Identifier: GPL-2.0-only
/*
 * What blk-mq calls: besides the sending of a request (request.c) and its end
 * (complete.c), polling, timeouts, and which CPU uses which hardware queue.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/cpumask.h>

#include <synthio/host_state.h>

#include "synth_blk.h"
#include "trace.h"

static int synd_poll(struct blk_mq_hw_ctx *hctx, struct io_comp_batch *iob)
{
	struct synd_hctx *h = hctx->driver_data;

	return synd_poll_channel(h->disk->ctrl->queues[h->index], iob);
}

/*
 * Whether a timeout is counted. It is not while the host is paused, nor until the
 * host has had the time of a timeout since.
 */
static bool timeout_counts(struct synd_ctrl *c, const struct request *rq)
{
	if (synthio_host_stalled(c->hv)) {
		WRITE_ONCE(c->responds_since, jiffies);
		return false;
	}
	return time_after(jiffies, READ_ONCE(c->responds_since) + rq->timeout);
}

static enum blk_eh_timer_return synd_timeout(struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct synd_hctx *h = rq->mq_hctx->driver_data;
	struct synd_disk *d = h->disk;
	struct synd_ctrl *c = d->ctrl;
	unsigned int reset_after = READ_ONCE(synd_reset_after);
	int tag = READ_ONCE(rq->tag);

	/* perhaps it is not polled for any more, or an interrupt was lost */
	synd_poll_channel(c->queues[h->index], NULL);
	/* requeued meanwhile, it may have lost its tag */
	if (blk_mq_rq_state(rq) != MQ_RQ_IN_FLIGHT || tag < 0)
		return BLK_EH_DONE;
	if (synd_chan_rescinded(c->queues[h->index])) {
		synd_note(c, SYND_EVENT_CHANNEL_LOST);
		return BLK_EH_RESET_TIMER;
	}

	atomic64_inc(&d->timeouts);
	trace_synd_timeout(d, rq, READ_ONCE(h->slots[tag].id));
	if (!timeout_counts(c, rq))
		return BLK_EH_RESET_TIMER;
	if (!cmd->timeouts)
		dev_warn(disk_to_dev(d->gd),
			 "the host has not answered %s of %u bytes at sector %llu (queue %u, tag %d) for %u s: it is waited for; synth_blk/reset of the controller sends it again\n",
			 blk_op_str(req_op(rq)), blk_rq_bytes(rq),
			 (u64)blk_rq_pos(rq), h->index, tag,
			 jiffies_to_msecs(rq->timeout) / 1000);
	if (cmd->timeouts < U8_MAX)
		cmd->timeouts++;
	if (reset_after && cmd->timeouts >= reset_after)
		synd_note(c, SYND_EVENT_RESET);
	return BLK_EH_RESET_TIMER;
}

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
