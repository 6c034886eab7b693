/* SPDX-License-Identifier: GPL-2.0-only */
/* A notifier chain of blocks with one priority. */
#ifndef TEST_LINUX_NOTIFIER_H
#define TEST_LINUX_NOTIFIER_H

#include <errno.h>
#include <stddef.h>

#define NOTIFY_OK	1

struct notifier_block {
	int (*notifier_call)(struct notifier_block *nb, unsigned long action,
			     void *data);
	struct notifier_block *next;
};

struct raw_notifier_head {
	struct notifier_block *head;
};

#define RAW_NOTIFIER_HEAD(name)		struct raw_notifier_head name

static inline int raw_notifier_chain_register(struct raw_notifier_head *chain,
					      struct notifier_block *nb)
{
	struct notifier_block **at = &chain->head;

	for (; *at; at = &(*at)->next)
		if (*at == nb)
			return -EEXIST;
	nb->next = NULL;
	*at = nb;
	return 0;
}

static inline int raw_notifier_chain_unregister(struct raw_notifier_head *chain,
						struct notifier_block *nb)
{
	struct notifier_block **at = &chain->head;

	while (*at && *at != nb)
		at = &(*at)->next;
	if (!*at)
		return -ENOENT;
	*at = nb->next;
	return 0;
}

static inline int raw_notifier_call_chain(struct raw_notifier_head *chain,
					  unsigned long action, void *data)
{
	struct notifier_block *nb;

	for (nb = chain->head; nb; nb = nb->next)
		nb->notifier_call(nb, action, data);
	return NOTIFY_OK;
}

#endif
