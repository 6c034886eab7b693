/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The states of a controller, of a disk and of the host, as tables: which state may
 * follow which, and what may be begun while the host does not answer. No kernel
 * service, so that the tables are tested in user space. life.c changes states,
 * docs/code.md draws them.
 */
#ifndef SYNTHIO_BLOCK_STATE_H
#define SYNTHIO_BLOCK_STATE_H

#include <synthio/env.h>

/**
 * enum synd_ctrl_state - the life of a controller
 * @SYND_CTRL_LIVE: requests are sent to the host
 * @SYND_CTRL_REMOVING: the driver is being unbound. Requests are still sent, so that
 *	dirty data is written back, but nothing is scanned or reset any more
 * @SYND_CTRL_STARTING: probe is under way; there are no disks yet
 * @SYND_CTRL_RESETTING: queues are quiesced, channels are being closed or opened
 * @SYND_CTRL_RECOVERING: the host did not answer in a reset or a resume. Requests
 *	stay where they are; the reset is tried again
 * @SYND_CTRL_FAILED: the host has refused to initialise the controller. Requests
 *	fail; the reset is tried again
 * @SYND_CTRL_SUSPENDED: closed for hibernation, queues are frozen
 * @SYND_CTRL_GONE: the host has taken the controller away, or a removal was not
 *	answered. Requests fail. The last state
 *
 * Requests are sent in the first two, which one comparison can tell.
 */
enum synd_ctrl_state {
	SYND_CTRL_LIVE,
	SYND_CTRL_REMOVING,
	SYND_CTRL_STARTING,
	SYND_CTRL_RESETTING,
	SYND_CTRL_RECOVERING,
	SYND_CTRL_FAILED,
	SYND_CTRL_SUSPENDED,
	SYND_CTRL_GONE,
	SYND_CTRL_STATES
};

/**
 * enum synd_disk_state - the life of a disk
 * @SYND_DISK_PLANNED: a scan has found the unit; there is no gendisk yet
 * @SYND_DISK_ADDING: the gendisk is being made known
 * @SYND_DISK_LIVE: in use
 * @SYND_DISK_CHECKING: after a reset the unit's identity is to be read before
 *	anything is sent to it. The queue is quiesced or frozen
 * @SYND_DISK_REPLACED: there is no such unit any more, or another one is in its
 *	place. Requests fail, the next scan removes the disk
 * @SYND_DISK_DYING: the disk was marked dead; requests of it are still at the host
 *
 * Requests are sent up to SYND_DISK_LIVE.
 */
enum synd_disk_state {
	SYND_DISK_PLANNED,
	SYND_DISK_ADDING,
	SYND_DISK_LIVE,
	SYND_DISK_CHECKING,
	SYND_DISK_REPLACED,
	SYND_DISK_DYING,
	SYND_DISK_STATES
};

/**
 * enum synd_host_state - whether the host answers
 * @SYND_HOST_RESPONDS: as far as is known
 * @SYND_HOST_DOUBTFUL: requests are outstanding, and nothing was answered for
 *	SYND_DOUBT_MS. Either the host is paused, or it has lost these requests
 * @SYND_HOST_STALLED: the bus reports that the host is paused, or it has not answered
 *	a question either
 */
enum synd_host_state {
	SYND_HOST_RESPONDS,
	SYND_HOST_DOUBTFUL,
	SYND_HOST_STALLED,
	SYND_HOST_STATES
};

#define SYND_DOUBT_MS		5000

/* What a driver may be about to do that needs the host */
enum synd_operation {
	SYND_OP_RESET,		/* asked for by a person, or by reset_after */
	SYND_OP_SUSPEND,
	SYND_OP_SCAN,
	SYND_OP_RECOVER,	/* another try of a reset */
	SYND_OP_CHECK,		/* identity of a unit after a reset */
	SYND_OPS
};

enum synd_rule {
	SYND_RULE_GO,
	SYND_RULE_ASK,		/* if the host answers a question first */
	SYND_RULE_REFUSE,	/* with -EAGAIN and a message */
	SYND_RULE_DEFER,	/* until the host answers; without a message */
};

/**
 * synd_ctrl_may_become() - whether a controller may go from one state to another
 * @from: its state
 * @to: the next one
 */
bool synd_ctrl_may_become(enum synd_ctrl_state from, enum synd_ctrl_state to);

/**
 * synd_disk_may_become() - whether a disk may go from one state to another
 * @from: its state
 * @to: the next one
 */
bool synd_disk_may_become(enum synd_disk_state from, enum synd_disk_state to);

/**
 * synd_host_judge() - what is known of the host
 * @bus_stalled: the bus reports that it is paused
 * @outstanding_ms: how long the oldest request has been at the host, 0 for none
 * @silent_ms: how long ago the host has sent anything on this controller
 */
enum synd_host_state synd_host_judge(bool bus_stalled, u64 outstanding_ms,
				     u64 silent_ms);

/**
 * synd_host_rule() - whether something may be begun
 * @host: what is known of the host
 * @op: what is to be begun
 */
enum synd_rule synd_host_rule(enum synd_host_state host, enum synd_operation op);

extern const char * const synd_ctrl_state_names[SYND_CTRL_STATES];
extern const char * const synd_disk_state_names[SYND_DISK_STATES];
extern const char * const synd_host_state_names[SYND_HOST_STATES];

#endif
