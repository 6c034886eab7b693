/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that the host may still use; see quarantine.c. */
#ifndef SYNTHIO_NET_QUARANTINE_H
#define SYNTHIO_NET_QUARANTINE_H

#include <linux/list.h>
#include <linux/types.h>

struct synn_adapter;

/**
 * struct synn_quarantined - embedded in what may have to be quarantined
 * @node: in synn_adapter.quarantine
 * @pages: that are counted
 * @until_rescind: only a rescind ends the host's access
 * @release: frees the object that this is embedded in. If @confirmed is false, the
 *	host may use its memory for ever: the object is kept, and only hidden from
 *	kmemleak
 */
struct synn_quarantined {
	struct list_head node;
	u32 pages;
	bool until_rescind;
	void (*release)(struct synn_quarantined *q, bool confirmed);
};

/* What has ended the host's access to quarantined memory */
enum synn_confirmed {
	SYNN_CONFIRMED_REOPEN,	/* the channel was opened again */
	SYNN_CONFIRMED_RESCIND,	/* the device was rescinded */
	SYNN_CONFIRMED_NEVER,	/* nothing, and the adapter is being freed */
};

void synn_quarantine_add(struct synn_adapter *ad, struct synn_quarantined *q,
			 u32 pages);
void synn_quarantine_release(struct synn_adapter *ad, enum synn_confirmed how);

#endif
