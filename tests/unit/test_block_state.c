// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/block/state.c: no state is a trap, no pause makes the driver give up, and
 * nothing that ends requests is begun while the host does not answer.
 */
#include "../../drivers/block/state.h"
#include "tap.h"

/* All states that may follow, in any number of steps, as bits */
static u32 ctrl_reach(enum synd_ctrl_state from)
{
	u32 seen = 1u << from, before;
	unsigned int a, b;

	do {
		before = seen;
		for (a = 0; a < SYND_CTRL_STATES; a++)
			for (b = 0; b < SYND_CTRL_STATES; b++)
				if (seen >> a & 1 && synd_ctrl_may_become(a, b))
					seen |= 1u << b;
	} while (seen != before);
	return seen;
}

static void names(void)
{
	unsigned int i;

	for (i = 0; i < SYND_CTRL_STATES; i++)
		CHECK(synd_ctrl_state_names[i], "controller state %u", i);
	for (i = 0; i < SYND_DISK_STATES; i++)
		CHECK(synd_disk_state_names[i], "disk state %u", i);
	for (i = 0; i < SYND_HOST_STATES; i++)
		CHECK(synd_host_state_names[i], "host state %u", i);
}

static void controllers(void)
{
	unsigned int i;

	for (i = 0; i < SYND_CTRL_STATES; i++) {
		CHECK(!synd_ctrl_may_become(i, i), "%s follows itself",
		      synd_ctrl_state_names[i]);
		CHECK(ctrl_reach(i) >> SYND_CTRL_GONE & 1,
		      "%s can't be removed", synd_ctrl_state_names[i]);
		if (i == SYND_CTRL_GONE || i == SYND_CTRL_REMOVING)
			continue;
		CHECK(ctrl_reach(i) >> SYND_CTRL_LIVE & 1,
		      "%s is an end", synd_ctrl_state_names[i]);
	}
	CHECK(ctrl_reach(SYND_CTRL_GONE) == 1u << SYND_CTRL_GONE,
	      "a controller that has gone comes back");
	CHECK(!synd_ctrl_may_become(SYND_CTRL_REMOVING, SYND_CTRL_RESETTING),
	      "reset while it is removed");
	CHECK(!synd_ctrl_may_become(SYND_CTRL_SUSPENDED, SYND_CTRL_LIVE),
	      "live without an open channel");
}

static void disks(void)
{
	unsigned int i;

	for (i = 0; i < SYND_DISK_STATES; i++)
		CHECK(!synd_disk_may_become(i, i), "%s follows itself",
		      synd_disk_state_names[i]);
	CHECK(synd_disk_may_become(SYND_DISK_LIVE, SYND_DISK_CHECKING) &&
	      synd_disk_may_become(SYND_DISK_CHECKING, SYND_DISK_LIVE),
	      "a reset");
	for (i = 0; i < SYND_DISK_STATES; i++) {
		CHECK(!synd_disk_may_become(SYND_DISK_DYING, i),
		      "a dead disk becomes %s", synd_disk_state_names[i]);
		CHECK(!synd_disk_may_become(SYND_DISK_REPLACED, i) ||
		      i == SYND_DISK_DYING,
		      "the disk of another unit becomes %s",
		      synd_disk_state_names[i]);
	}
	/* whatever the host has of it is waited for */
	for (i = SYND_DISK_LIVE; i < SYND_DISK_DYING; i++)
		CHECK(synd_disk_may_become(i, SYND_DISK_DYING), "%s",
		      synd_disk_state_names[i]);
}

static void judged(void)
{
	CHECK(synd_host_judge(true, 0, 0) == SYND_HOST_STALLED, "bus");
	CHECK(synd_host_judge(false, 0, 1000000) == SYND_HOST_RESPONDS,
	      "an idle disk is no sign of a pause");
	CHECK(synd_host_judge(false, 1000000, 0) == SYND_HOST_RESPONDS,
	      "others are answered: one request is lost");
	CHECK(synd_host_judge(false, SYND_DOUBT_MS - 1, 1000000) ==
	      SYND_HOST_RESPONDS, "sent a moment ago");
	CHECK(synd_host_judge(false, SYND_DOUBT_MS, SYND_DOUBT_MS) ==
	      SYND_HOST_DOUBTFUL, "silence");
}

static void rules(void)
{
	unsigned int op;

	for (op = 0; op < SYND_OPS; op++) {
		CHECK(synd_host_rule(SYND_HOST_RESPONDS, op) == SYND_RULE_GO,
		      "operation %u", op);
		CHECK(synd_host_rule(SYND_HOST_STALLED, op) > SYND_RULE_ASK,
		      "operation %u is begun while the host stands still", op);
	}
	/* what closes channels */
	CHECK(synd_host_rule(SYND_HOST_DOUBTFUL, SYND_OP_RESET) ==
	      SYND_RULE_ASK, "reset");
	CHECK(synd_host_rule(SYND_HOST_DOUBTFUL, SYND_OP_SUSPEND) ==
	      SYND_RULE_ASK, "hibernation");
	/* what a person waits for is refused with a word, all else waits */
	CHECK(synd_host_rule(SYND_HOST_STALLED, SYND_OP_RESET) ==
	      SYND_RULE_REFUSE, "reset");
	CHECK(synd_host_rule(SYND_HOST_STALLED, SYND_OP_SUSPEND) ==
	      SYND_RULE_REFUSE, "hibernation");
	CHECK(synd_host_rule(SYND_HOST_STALLED, SYND_OP_SCAN) ==
	      SYND_RULE_DEFER, "scan");
}

int main(void)
{
	tap_test("each state has a name", names);
	tap_test("no state of a controller is a trap", controllers);
	tap_test("states of a disk", disks);
	tap_test("when the host is in doubt", judged);
	tap_test("what may be begun", rules);
	return tap_done();
}
