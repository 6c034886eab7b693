// SPDX-License-Identifier: GPL-2.0-only
/* The tables of states: see state.h. */
#include "state.h"

const char * const synd_ctrl_state_names[SYND_CTRL_STATES] = {
	[SYND_CTRL_LIVE]	= "live",
	[SYND_CTRL_REMOVING]	= "removing",
	[SYND_CTRL_STARTING]	= "starting",
	[SYND_CTRL_RESETTING]	= "resetting",
	[SYND_CTRL_RECOVERING]	= "recovering",
	[SYND_CTRL_FAILED]	= "failed",
	[SYND_CTRL_SUSPENDED]	= "suspended",
	[SYND_CTRL_GONE]	= "gone",
};

const char * const synd_disk_state_names[SYND_DISK_STATES] = {
	[SYND_DISK_PLANNED]	= "planned",
	[SYND_DISK_ADDING]	= "adding",
	[SYND_DISK_LIVE]	= "live",
	[SYND_DISK_CHECKING]	= "checking",
	[SYND_DISK_REPLACED]	= "replaced",
	[SYND_DISK_DYING]	= "dying",
};

const char * const synd_host_state_names[SYND_HOST_STATES] = {
	[SYND_HOST_RESPONDS]	= "responds",
	[SYND_HOST_DOUBTFUL]	= "doubtful",
	[SYND_HOST_STALLED]	= "stalled",
};

#define TO(state)	(1u << (state))

/* Which states may follow, as bits */
static const u32 ctrl_next[SYND_CTRL_STATES] = {
	[SYND_CTRL_STARTING] = TO(SYND_CTRL_LIVE) | TO(SYND_CTRL_GONE),
	[SYND_CTRL_LIVE] = TO(SYND_CTRL_RESETTING) | TO(SYND_CTRL_SUSPENDED) |
			   TO(SYND_CTRL_REMOVING) | TO(SYND_CTRL_GONE),
	[SYND_CTRL_RESETTING] = TO(SYND_CTRL_LIVE) | TO(SYND_CTRL_RECOVERING) |
				TO(SYND_CTRL_FAILED),
	[SYND_CTRL_RECOVERING] = TO(SYND_CTRL_RESETTING) | TO(SYND_CTRL_GONE),
	[SYND_CTRL_FAILED] = TO(SYND_CTRL_RESETTING) | TO(SYND_CTRL_GONE),
	[SYND_CTRL_SUSPENDED] = TO(SYND_CTRL_RESETTING) | TO(SYND_CTRL_GONE),
	[SYND_CTRL_REMOVING] = TO(SYND_CTRL_GONE),
	[SYND_CTRL_GONE] = 0,
};

/* A disk that is freed has no state any more: that is not in the table */
static const u32 disk_next[SYND_DISK_STATES] = {
	[SYND_DISK_PLANNED] = TO(SYND_DISK_ADDING),
	[SYND_DISK_ADDING] = TO(SYND_DISK_LIVE) | TO(SYND_DISK_CHECKING),
	[SYND_DISK_LIVE] = TO(SYND_DISK_CHECKING) | TO(SYND_DISK_REPLACED) |
			   TO(SYND_DISK_DYING),
	[SYND_DISK_CHECKING] = TO(SYND_DISK_LIVE) | TO(SYND_DISK_REPLACED) |
			       TO(SYND_DISK_DYING),
	[SYND_DISK_REPLACED] = TO(SYND_DISK_DYING),
	[SYND_DISK_DYING] = 0,
};

/*
 * While the host is paused nothing is begun that needs an answer, and nothing is
 * given up. In doubt, what would end requests that the host has is begun only after
 * the host has answered a question; a scan and a check are questions themselves.
 */
static const enum synd_rule rules[SYND_OPS][SYND_HOST_STATES] = {
	/*			responds	doubtful	stalled */
	[SYND_OP_RESET]	  = { SYND_RULE_GO, SYND_RULE_ASK, SYND_RULE_REFUSE },
	[SYND_OP_SUSPEND] = { SYND_RULE_GO, SYND_RULE_ASK, SYND_RULE_REFUSE },
	[SYND_OP_SCAN]	  = { SYND_RULE_GO, SYND_RULE_GO, SYND_RULE_DEFER },
	[SYND_OP_RECOVER] = { SYND_RULE_GO, SYND_RULE_GO, SYND_RULE_DEFER },
	[SYND_OP_CHECK]	  = { SYND_RULE_GO, SYND_RULE_GO, SYND_RULE_DEFER },
};

bool synd_ctrl_may_become(enum synd_ctrl_state from, enum synd_ctrl_state to)
{
	return ctrl_next[from] & TO(to);
}

bool synd_disk_may_become(enum synd_disk_state from, enum synd_disk_state to)
{
	return disk_next[from] & TO(to);
}

enum synd_host_state synd_host_judge(bool bus_stalled, u64 outstanding_ms,
				     u64 silent_ms)
{
	if (bus_stalled)
		return SYND_HOST_STALLED;
	if (outstanding_ms >= SYND_DOUBT_MS && silent_ms >= SYND_DOUBT_MS)
		return SYND_HOST_DOUBTFUL;
	return SYND_HOST_RESPONDS;
}

enum synd_rule synd_host_rule(enum synd_host_state host, enum synd_operation op)
{
	return rules[op][host];
}
