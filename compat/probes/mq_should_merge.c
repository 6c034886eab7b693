// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE mq_should_merge: whether a queue has to ask that requests are merged
 * FORM YES: BLK_MQ_F_SHOULD_MERGE, up to 6.13
 * FORM NO: merged unless it says otherwise
 */
#include <linux/blk-mq.h>

extern const unsigned int probe;
#ifdef PROBE_YES
const unsigned int probe = BLK_MQ_F_SHOULD_MERGE;
#else
/* an error where the enum has it */
extern int BLK_MQ_F_SHOULD_MERGE;
#ifdef BLK_MQ_F_SHOULD_MERGE
#error it is a macro
#endif
const unsigned int probe;
#endif
