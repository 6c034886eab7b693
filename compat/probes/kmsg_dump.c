// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE kmsg_dump: what a kmsg dumper is told
 * FORM DETAIL: a struct kmsg_dump_detail
 * FORM REASON: the reason alone
 */
#include <linux/kmsg_dump.h>

#ifdef PROBE_DETAIL
static void dump(struct kmsg_dumper *dumper, struct kmsg_dump_detail *detail)
#else
static void dump(struct kmsg_dumper *dumper, enum kmsg_dump_reason reason)
#endif
{
}

struct kmsg_dumper probe;
struct kmsg_dumper probe = { .dump = dump };
