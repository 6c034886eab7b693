// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE queue_limits: how a disk's limits are set
 * FORM FEATURES: as a whole, features among them, since 6.11
 * FORM ARGUMENT: one by one; blk_mq_alloc_disk() takes limits, since 6.9
 * FORM SETTERS: one by one
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>

struct gendisk *probe(struct blk_mq_tag_set *set);
struct gendisk *probe(struct blk_mq_tag_set *set)
{
#ifdef PROBE_FEATURES
	struct queue_limits lim = {
		.features = BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
			    BLK_FEAT_ROTATIONAL,
	};

	return blk_mq_alloc_disk(set, &lim, NULL);
#elif defined(PROBE_ARGUMENT)
	struct gendisk *gd = blk_mq_alloc_disk(set, NULL, NULL);

	blk_queue_write_cache(gd->queue, true, true);
	return gd;
#else
	struct gendisk *gd = blk_mq_alloc_disk(set, NULL);

	blk_queue_write_cache(gd->queue, true, true);
	return gd;
#endif
}
