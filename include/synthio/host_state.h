/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Whether the host answers at present, for device drivers.
 *
 * A host stands still while it is paused (live migration, a snapshot, a debugger), and
 * a host that has died looks the same. The bus of this project learns of that from its
 * transport, after a few seconds. A driver then begins nothing that needs an answer of
 * the host, and gives up nothing that was begun: its device works again as soon as the
 * host responds.
 *
 * The kernel's own VMBus has no such notion. Drivers that are built for it (BUS=stock)
 * get functions that say that the host always responds.
 */
#ifndef SYNTHIO_HOST_STATE_H
#define SYNTHIO_HOST_STATE_H

#include <linux/notifier.h>
#include <linux/types.h>

struct hv_device;

/**
 * enum synthio_host_event - what a notifier block is called with
 * @SYNTHIO_HOST_STALLED: the host has not responded for some seconds
 * @SYNTHIO_HOST_RESPONDS: the host responds again
 */
enum synthio_host_event {
	SYNTHIO_HOST_STALLED,
	SYNTHIO_HOST_RESPONDS,
};

#ifdef SYNTHIO_OWN_NAMES

/**
 * synthio_host_stalled() - whether the host does not respond at present
 * @hv: a device of the host
 *
 * The answer may be some seconds old: a host that stopped just now is not known to
 * have stopped, so a caller still needs a bound for what it waits for.
 *
 * Context: any.
 */
bool synthio_host_stalled(struct hv_device *hv);

/**
 * synthio_host_register() - call a notifier block when the host stalls or responds
 * @nb: stays registered until synthio_host_unregister(). Its notifier_call gets the
 *	block, an enum synthio_host_event, and NULL; it returns NOTIFY_OK or NOTIFY_DONE
 *
 * Each block gets SYNTHIO_HOST_STALLED first, and then both events in turn. A block
 * that is registered during a stall gets SYNTHIO_HOST_STALLED soon: mostly from within
 * this function. A stall that ends before the blocks were called may be left out.
 *
 * Blocks are called one after the other, in the order of their registration and in
 * process context, and may sleep. They are not called while the system is being
 * hibernated, but after that, if the state is then another one. A block may not wait
 * for the host, and may neither register nor unregister: as long as it runs no other
 * block is called. It may take locks, but none that is held while this function or
 * synthio_host_unregister() is called.
 *
 * synthio_host_stalled() says the new state when a block is called, unless the state
 * has changed again; then the block is called once more.
 *
 * Context: process, sleeps. Return: 0, or -EEXIST if @nb is registered already.
 */
int synthio_host_register(struct notifier_block *nb);

/**
 * synthio_host_unregister() - the mirror of synthio_host_register()
 * @nb: not called any more when this returns
 *
 * Context: process, sleeps until a call that is under way has returned.
 */
void synthio_host_unregister(struct notifier_block *nb);

#else

static inline bool synthio_host_stalled(struct hv_device *hv)
{
	return false;
}

static inline int synthio_host_register(struct notifier_block *nb)
{
	return 0;
}

static inline void synthio_host_unregister(struct notifier_block *nb)
{
}

#endif
#endif
