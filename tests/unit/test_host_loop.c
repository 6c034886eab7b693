// SPDX-License-Identifier: GPL-2.0-only
/* The event loop where the kernel takes no more submissions for now */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "../host/loop.h"
#include "tap.h"

#define NOPS	2000u

static struct loop *loop;
static struct loop_io io[NOPS];
static unsigned int done, refused;
static bool busy, inside;

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);

/* Linked with --wrap: a kernel that wants its completions taken first */
int __wrap_io_uring_submit(struct io_uring *ring)
{
	if (busy && io_uring_cq_ready(ring)) {
		refused++;
		return refused & 1 ? -EBUSY : -EAGAIN;
	}
	return __real_io_uring_submit(ring);
}

static void nop_done(struct loop_io *at, int res)
{
	if (inside || res || at != &io[done])
		tap_bad = true;
	done++;
}

static bool all_done(void *arg)
{
	(void)arg;
	return done == NOPS;
}

static void test_busy(void)
{
	unsigned int i;

	busy = true;
	inside = true;
	for (i = 0; i < NOPS; i++) {
		io[i].done = nop_done;
		io_uring_prep_nop(loop_sqe(loop, &io[i]));
	}
	inside = false;
	CHECK(refused, "it was never busy");
	CHECK(!done && !tap_bad, "completed inside of loop_sqe()");
	loop_wait_io(loop, all_done, NULL);
	CHECK(!tap_bad, "out of order, or failed");
}

/* What is left over when the loop ends is not lost memory */
static void test_left_over(void)
{
	unsigned int i;

	done = 0;
	for (i = 0; i < NOPS; i++)
		io_uring_prep_nop(loop_sqe(loop, &io[i]));
	CHECK(!done, "completed inside of loop_sqe()");
}

int main(void)
{
	/* the failure is a loop without an end */
	alarm(60);
	loop = loop_create(0);
	if (!loop) {
		printf("Bail out! io_uring\n");
		return 1;
	}
	tap_test("loop: the kernel is busy", test_busy);
	tap_test("loop: completions are left over", test_left_over);
	loop_destroy(loop);
	return tap_done();
}
