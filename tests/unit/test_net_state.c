// SPDX-License-Identifier: GPL-2.0-only
/*
 * drivers/net/state.c: which states of a network adapter follow each other, and what
 * is decided about a host that does not respond.
 */
#include "../../drivers/net/state.h"
#include "tap.h"

static void names(void)
{
	unsigned int i;

	for (i = 0; i < SYNN_NR_STATES; i++)
		CHECK(synn_state_name(i), "state %u has no name", i);
	for (i = 0; i < SYNN_NR_TX_STATES; i++)
		CHECK(synn_tx_state_name(i), "tx state %u has no name", i);
	for (i = 0; i < SYNN_NR_CHAN_STATES; i++)
		CHECK(synn_chan_state_name(i), "channel state %u has no name", i);
}

/* An adapter can be removed at any time, and never changes after that */
static void removal(void)
{
	unsigned int i;

	for (i = 0; i < SYNN_NR_STATES; i++) {
		CHECK(synn_state_allows(i, SYNN_REMOVING) == (i != SYNN_REMOVING),
		      "%s", synn_state_name(i));
		CHECK(!synn_state_allows(SYNN_REMOVING, i), "to %s",
		      synn_state_name(i));
	}
}

/* No state but the last one is an end: each leads to RUNNING again */
static void no_end(void)
{
	bool reaches[SYNN_NR_STATES] = { [SYNN_RUNNING] = true };
	unsigned int round, from, to;

	for (round = 0; round < SYNN_NR_STATES; round++) {
		for (from = 0; from < SYNN_NR_STATES; from++) {
			for (to = 0; to < SYNN_NR_STATES; to++)
				if (synn_state_allows(from, to) && reaches[to])
					reaches[from] = true;
		}
	}
	for (from = 0; from < SYNN_REMOVING; from++)
		CHECK(reaches[from], "%s is an end", synn_state_name(from));
}

/* A session is closed or suspended only while the host is taken to respond */
static void stalled_session_stays(void)
{
	unsigned int i;

	for (i = 0; i < SYNN_NR_STATES; i++)
		CHECK(synn_state_allows(SYNN_STALLED, i) ==
		      (i == SYNN_SETTLING || i == SYNN_REMOVING),
		      "stalled to %s", synn_state_name(i));
	CHECK(!synn_state_allows(SYNN_SETTLING, SYNN_SUSPENDED), "settling");
	CHECK(synn_state_has_session(SYNN_RUNNING) &&
	      synn_state_has_session(SYNN_STALLED) &&
	      synn_state_has_session(SYNN_SETTLING), "sessions");
	CHECK(!synn_state_has_session(SYNN_FAILED) &&
	      !synn_state_has_session(SYNN_RESETTING) &&
	      !synn_state_has_session(SYNN_PROBING), "no sessions");
}

static void tx_queue(void)
{
	CHECK(!synn_tx_state_allows(SYNN_TX_FAILED, SYNN_TX_OPEN) &&
	      !synn_tx_state_allows(SYNN_TX_FAILED, SYNN_TX_BLOCKED),
	      "a queue that has failed is used again in the same session");
	CHECK(!synn_tx_state_allows(SYNN_TX_CLOSED, SYNN_TX_BLOCKED) &&
	      !synn_tx_state_allows(SYNN_TX_CLOSED, SYNN_TX_FAILED),
	      "a closed queue changes");
	CHECK(synn_tx_state_allows(SYNN_TX_OPEN, SYNN_TX_CLOSED) &&
	      synn_tx_state_allows(SYNN_TX_BLOCKED, SYNN_TX_CLOSED) &&
	      synn_tx_state_allows(SYNN_TX_FAILED, SYNN_TX_CLOSED),
	      "a queue can't be closed");
	CHECK(!synn_chan_state_allows(SYNN_CHAN_POLLED, SYNN_CHAN_IDLE) &&
	      !synn_chan_state_allows(SYNN_CHAN_IDLE, SYNN_CHAN_OPEN),
	      "a channel leaves out a step");
}

#define ACTION(state, ...)						\
	synn_health_action(state, &(struct synn_health){ __VA_ARGS__ })
#define RESPONDS	.probe = SYNN_PROBE_RESPONDS
#define SILENT		.probe = SYNN_PROBE_SILENT

static void in_use(void)
{
	const enum synn_state s = SYNN_RUNNING;

	CHECK(ACTION(s, .settled = true, .retry_due = true) == SYNN_ACT_NONE,
	      "all is well");
	CHECK(ACTION(s, .host_stalled = true, .stuck = true) == SYNN_ACT_STALL,
	      "the bus knows");
	CHECK(ACTION(s, .silent = true) == SYNN_ACT_PROBE, "silence");
	CHECK(ACTION(s, .silent = true, RESPONDS) == SYNN_ACT_NONE,
	      "silence, but nothing is wrong");
	CHECK(ACTION(s, .silent = true, SILENT) == SYNN_ACT_STALL, "a pause");
	CHECK(ACTION(s, .stuck = true) == SYNN_ACT_PROBE, "reset unasked");
	CHECK(ACTION(s, .stuck = true, .silent = true, SILENT) ==
	      SYNN_ACT_STALL, "a reset in a pause");
	CHECK(ACTION(s, .stuck = true, .silent = true, RESPONDS) ==
	      SYNN_ACT_RESET, "lost completions");
	CHECK(ACTION(s, .broken = true, RESPONDS) == SYNN_ACT_RESET,
	      "a queue that failed");
	CHECK(ACTION(s, .broken = true, SILENT) == SYNN_ACT_STALL,
	      "a queue that failed, in a pause");
}

static void in_a_stall(void)
{
	const enum synn_state s = SYNN_STALLED;

	CHECK(ACTION(s, .host_stalled = true, RESPONDS, .stuck = true) ==
	      SYNN_ACT_NONE, "the bus says that it is stalled");
	CHECK(ACTION(s, .broken = true, .stuck = true, .silent = true) ==
	      SYNN_ACT_PROBE, "asked");
	CHECK(ACTION(s, .broken = true, SILENT) == SYNN_ACT_NONE, "waits on");
	CHECK(ACTION(s, .broken = true, .stuck = true, RESPONDS) ==
	      SYNN_ACT_SETTLE, "the host is back: nothing is reset yet");
}

static void settling(void)
{
	const enum synn_state s = SYNN_SETTLING;

	CHECK(ACTION(s, .broken = true) == SYNN_ACT_NONE, "too early");
	CHECK(ACTION(s, .stuck = true) == SYNN_ACT_NONE, "too early");
	CHECK(ACTION(s, .incomplete = true) == SYNN_ACT_NONE, "too early");
	CHECK(ACTION(s, .silent = true) == SYNN_ACT_RESUME,
	      "nothing is owed, so there is nothing to wait for");
	CHECK(ACTION(s, .settled = true, .incomplete = true) == SYNN_ACT_RESUME,
	      "a lost completion alone is no reason for a reset");
	CHECK(ACTION(s, .host_stalled = true, .settled = true) ==
	      SYNN_ACT_STALL, "another pause");
	CHECK(ACTION(s, .settled = true) == SYNN_ACT_RESUME, "complete");
	CHECK(ACTION(s, .settled = true, .silent = true) == SYNN_ACT_RESUME,
	      "complete");
	CHECK(ACTION(s, .settled = true, .stuck = true) == SYNN_ACT_PROBE,
	      "incomplete");
	CHECK(ACTION(s, .settled = true, .stuck = true, RESPONDS) ==
	      SYNN_ACT_RESET, "incomplete");
	CHECK(ACTION(s, .settled = true, .stuck = true, SILENT) ==
	      SYNN_ACT_STALL, "another pause that the bus does not know of");
}

static void failed(void)
{
	const enum synn_state s = SYNN_FAILED;

	CHECK(ACTION(s, .broken = true) == SYNN_ACT_NONE, "too early");
	CHECK(ACTION(s, .retry_due = true) == SYNN_ACT_REOPEN, "due");
	CHECK(ACTION(s, .retry_due = true, .host_stalled = true) ==
	      SYNN_ACT_NONE, "due, but the host is stalled");
}

/* Actions of a state lead to states that may follow it */
static void actions_are_allowed(void)
{
	static const enum synn_state leads_to[] = {
		[SYNN_ACT_STALL] = SYNN_STALLED,
		[SYNN_ACT_SETTLE] = SYNN_SETTLING,
		[SYNN_ACT_RESUME] = SYNN_RUNNING,
		[SYNN_ACT_RESET] = SYNN_RESETTING,
		[SYNN_ACT_REOPEN] = SYNN_RESETTING,
	};
	unsigned int s, bits, probe;

	for (s = 0; s < SYNN_NR_STATES; s++) {
		for (bits = 0; bits < 128; bits++) {
			for (probe = 0; probe < 3; probe++) {
				struct synn_health h = {
					bits & 1, bits & 2, bits & 4, bits & 8,
					bits & 16, bits & 32, bits & 64, probe
				};
				enum synn_action a = synn_health_action(s, &h);

				CHECK(a != SYNN_ACT_PROBE ||
				      probe == SYNN_PROBE_NONE,
				      "asks without end in %s",
				      synn_state_name(s));
				CHECK(a <= SYNN_ACT_PROBE ||
				      synn_state_allows(s, leads_to[a]),
				      "%s does %u", synn_state_name(s), a);
				CHECK(a != SYNN_ACT_RESET || !h.host_stalled,
				      "reset of a stalled host in %s",
				      synn_state_name(s));
			}
		}
	}
}

static void backoff(void)
{
	u32 s = 0, i, sum = 0;

	for (i = 0; i < 20; i++) {
		u32 next = synn_next_backoff(s);

		CHECK(next >= s && next <= 64, "%u after %u", next, s);
		s = next;
		sum += s;
	}
	CHECK(synn_next_backoff(0) == 1 && s == 64, "ends at %u", s);
	CHECK(sum > 600, "%u s for 20 attempts", sum);
}

int main(void)
{
	tap_test("each state has a name", names);
	tap_test("removal is possible in each state, and final", removal);
	tap_test("no other state is final", no_end);
	tap_test("a session of a stalled host is kept", stalled_session_stays);
	tap_test("a tx queue and a channel go step by step", tx_queue);
	tap_test("running", in_use);
	tap_test("stalled", in_a_stall);
	tap_test("settling", settling);
	tap_test("failed", failed);
	tap_test("actions lead to states that may follow", actions_are_allowed);
	tap_test("attempts come less and less often", backoff);
	return tap_done();
}
