// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests that change the same blocks are done one after the other, in the
 * order in which they came.
 *
 * A guest that has two such requests in flight leaves the order to the disk. But
 * a worker that takes over does again what was not completed. Were a later write
 * completed while an earlier one of the same blocks is not, the earlier one would
 * be done again after it, and destroy what the guest knows to be written.
 */
#include "storvsp.h"

static bool order_overlap(const struct storvsp_order *a,
			  const struct storvsp_order *b)
{
	return a->begin < b->end && b->begin < a->end;
}

/* Whether one that came before still has to end */
static bool order_blocked(const struct lun *lun, const struct storvsp_order *o)
{
	const struct storvsp_order *before;

	for (before = lun->changes; before != o; before = before->next) {
		if (order_overlap(before, o))
			return true;
	}
	return false;
}

bool storvsp_order_add(struct lun *lun, struct storvsp_order *o, uint64_t begin,
		       uint64_t end)
{
	o->begin = begin;
	o->end = end;
	o->next = NULL;
	o->link = lun->changes_end ? lun->changes_end : &lun->changes;
	*o->link = o;
	lun->changes_end = &o->next;
	o->waits = order_blocked(lun, o);
	lun->waiting += o->waits;
	return !o->waits;
}

void storvsp_order_del(struct lun *lun, struct storvsp_order *o)
{
	if (!o->link)
		return;
	*o->link = o->next;
	if (o->next)
		o->next->link = o->link;
	else
		lun->changes_end = o->link;
	o->link = NULL;
	lun->waiting -= o->waits;
	o->waits = false;
}

struct storvsp_order *storvsp_order_next(struct lun *lun)
{
	struct storvsp_order *o;

	if (!lun->waiting)
		return NULL;
	for (o = lun->changes; o; o = o->next) {
		if (!o->waits || order_blocked(lun, o))
			continue;
		o->waits = false;
		lun->waiting--;
		return o;
	}
	return NULL;
}
