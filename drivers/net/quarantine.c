// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that the host may still use, because the host has not confirmed the close of
 * the channel: sends, and the page of a control request. It is kept until the host
 * confirms after all:
 *
 * - The host processes messages in order, and opens a channel only after the earlier
 *   close of that channel is complete. So when another session has been opened, memory
 *   of the session before is not used any more.
 * - A rescind ends the host's access.
 *
 * An adapter that is removed without either keeps the memory for ever.
 *
 * The receive and the send buffer are confirmed by the teardown of their GPADLs. Where
 * that fails, this project's bus keeps the pages and frees them when the host has
 * confirmed; on the kernel's bus the buffers are put here, and only a rescind
 * releases them (nvsp.c).
 */
#include "synth_net.h"

/**
 * synn_quarantine_add() - keep memory that the host may still use
 * @ad: adapter
 * @q: embedded in the object, with its release function set
 * @pages: how many pages it has
 *
 * Context: process, adapter->mutex held.
 */
void synn_quarantine_add(struct synn_adapter *ad, struct synn_quarantined *q,
			 u32 pages)
{
	lockdep_assert_held(&ad->mutex);
	q->pages = pages;
	ad->quarantined += pages;
	list_add_tail(&q->node, &ad->quarantine);
	netdev_warn(ad->dev, "%u pages are quarantined, since the host has not confirmed that it does not use them any more\n",
		    pages);
}

/**
 * synn_quarantine_release() - free quarantined memory
 * @ad: adapter
 * @how: what has ended the host's access. With SYNN_CONFIRMED_NEVER the memory is
 *	never freed
 *
 * Context: process, adapter->mutex held, or the adapter is being freed.
 */
void synn_quarantine_release(struct synn_adapter *ad, enum synn_confirmed how)
{
	struct synn_quarantined *q, *next;
	u64 pages = 0;

	list_for_each_entry_safe(q, next, &ad->quarantine, node) {
		if (q->until_rescind && how == SYNN_CONFIRMED_REOPEN)
			continue;
		list_del(&q->node);
		pages += q->pages;
		q->release(q, how != SYNN_CONFIRMED_NEVER);
	}
	if (!pages)
		return;
	if (how == SYNN_CONFIRMED_NEVER) {
		netdev_err(ad->dev, "%llu pages are never freed, since the host may still use them\n",
			   pages);
		return;
	}
	ad->quarantined -= pages;
	netdev_info(ad->dev, "%llu quarantined pages are freed: the host has confirmed that it does not use them any more\n",
		    pages);
}
