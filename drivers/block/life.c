// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changes of states, each in one function that checks and traces it, and events:
 * what files that read and send notice, and files that stand above them act upon.
 */
#include <linux/sched/mm.h>

#include "synth_blk.h"
#include "trace.h"

/**
 * synd_note() - leave an event for synd_event_work()
 * @c: controller
 * @event: what was noticed
 *
 * Context: any.
 */
void synd_note(struct synd_ctrl *c, enum synd_event event)
{
	set_bit(event, &c->events);
	queue_work(synd_repair_wq, &c->event_work);
}

/**
 * synd_ctrl_set_state() - change the state of a controller
 * @c: controller
 * @to: its next state; nothing happens if that is its state already
 *
 * Context: ctrl->mutex held.
 */
void synd_ctrl_set_state(struct synd_ctrl *c, enum synd_ctrl_state to)
{
	enum synd_ctrl_state from = c->state;

	lockdep_assert_held(&c->mutex);
	if (from == to)
		return;
	WARN_ONCE(!synd_ctrl_may_become(from, to), "synth_blk: %s to %s\n",
		  synd_ctrl_state_names[from], synd_ctrl_state_names[to]);
	trace_synd_ctrl_state(c, from, to);
	WRITE_ONCE(c->state, to);
}

/**
 * synd_disk_set_state() - change the state of a disk
 * @d: disk
 * @to: its next state; nothing happens if that is its state already
 *
 * Context: ctrl->mutex held.
 */
void synd_disk_set_state(struct synd_disk *d, enum synd_disk_state to)
{
	enum synd_disk_state from = d->state;

	lockdep_assert_held(&d->ctrl->mutex);
	if (from == to)
		return;
	WARN_ONCE(!synd_disk_may_become(from, to), "synth_blk: disk %s to %s\n",
		  synd_disk_state_names[from], synd_disk_state_names[to]);
	trace_synd_disk_state(d, from, to);
	WRITE_ONCE(d->state, to);
}

/**
 * synd_ctrl_lock() - take ctrl->mutex
 * @c: controller
 *
 * Allocations under it must not wait for I/O: the queues of these disks may be
 * quiesced, or the host paused, and only the holder of the mutex can end that.
 *
 * Context: process, sleeps for as long as the host may take to answer.
 */
void synd_ctrl_lock(struct synd_ctrl *c)
{
	mutex_lock(&c->mutex);
	c->noio = memalloc_noio_save();
}

/**
 * synd_ctrl_unlock() - the mirror of synd_ctrl_lock()
 * @c: controller
 */
void synd_ctrl_unlock(struct synd_ctrl *c)
{
	memalloc_noio_restore(c->noio);
	mutex_unlock(&c->mutex);
}
