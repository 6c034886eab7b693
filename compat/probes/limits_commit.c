// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE limits_commit: how limits of a disk in use are changed
 * FORM FROZEN: queue_limits_commit_update_frozen(), since 6.14
 * FORM PLAIN: queue_limits_commit_update(), since 6.11
 * FORM NONE: not as a whole
 */
#include <linux/blkdev.h>

int probe(struct request_queue *q);
#ifdef PROBE_NONE
int probe(struct request_queue *q)
{
	blk_queue_write_cache(q, true, true);
	return 0;
}
#else
int probe(struct request_queue *q)
{
	struct queue_limits lim = queue_limits_start_update(q);

	lim.features |= BLK_FEAT_WRITE_CACHE;
#ifdef PROBE_FROZEN
	return queue_limits_commit_update_frozen(q, &lim);
#else
	return queue_limits_commit_update(q, &lim);
#endif
}
#endif
