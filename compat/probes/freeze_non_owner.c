// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE freeze_non_owner: a freeze that another task may end
 * FORM OWN_NAME: blk_freeze_queue_start_non_owner(), since 6.13
 * FORM ANY: any freeze may be ended by any task
 */
#include <linux/blk-mq.h>

#ifdef PROBE_ANY
/* an error where there is such a function */
extern int blk_freeze_queue_start_non_owner;
#endif

void probe(struct request_queue *q);
void probe(struct request_queue *q)
{
#ifdef PROBE_OWN_NAME
	blk_freeze_queue_start_non_owner(q);
	blk_mq_unfreeze_queue_non_owner(q);
#else
	blk_freeze_queue_start(q);
	blk_mq_unfreeze_queue(q);
#endif
}
