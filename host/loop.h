/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The event loop: one thread, one io_uring. Everything in synthhost runs in
 * callbacks of this loop, so nothing needs a lock, and no callback may block.
 *
 * Before it sleeps the loop calls its pollers for a while (busy polling), so
 * that a guest that answers at once needs no doorbell. For how long follows
 * from what came of it lately: where nothing ever comes in time it does not.
 */
#ifndef SYNTHHOST_LOOP_H
#define SYNTHHOST_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include <liburing.h>

struct loop;

/**
 * struct loop_io - one asynchronous operation; embed it in a request
 * @done: called once from the loop when the operation has ended
 * @res: as a system call returns it: bytes, or -errno
 *
 * The memory must stay until @done was called.
 */
struct loop_io {
	void (*done)(struct loop_io *io, int res);
};

/**
 * struct loop_fd - a file descriptor that is watched for events
 * @event: called from the loop with the poll events that came (POLLIN, ...)
 *
 * Zero it before its first use. Level triggered.
 */
struct loop_fd {
	void (*event)(struct loop_fd *lfd, uint32_t events);
	/* the loop's own */
	struct loop *loop;
	int fd;
	uint32_t events;
	bool added;
};

/**
 * struct loop_timer - calls back once, after a time
 * @fired: called from the loop; may set the timer again or free it
 *
 * Zero it before its first use.
 */
struct loop_timer {
	void (*fired)(struct loop_timer *timer);
	/* the loop's own */
	struct loop_timer *next, **link;
	uint64_t due_ns;
};

/**
 * struct loop_poller - looks for work in shared memory
 * @poll: look and do it; true if there was some. Must not take long
 * @prepare_sleep: the loop is about to sleep: ask for a doorbell, then look
 *	again. True: there is work, do not sleep. May be NULL
 * @end_sleep: the loop has woken up. May be NULL
 */
struct loop_poller {
	bool (*poll)(struct loop_poller *p);
	bool (*prepare_sleep)(struct loop_poller *p);
	void (*end_sleep)(struct loop_poller *p);
	/* the loop's own */
	struct loop_poller *next;
};

/**
 * loop_create() - make the event loop
 * @poll_us: how long to busy-poll at most before a sleep, microseconds
 *
 * Return: the loop, or NULL with errno set.
 */
struct loop *loop_create(unsigned int poll_us);

/**
 * loop_set_poll() - change how long to busy-poll at most, microseconds
 */
void loop_set_poll(struct loop *loop, unsigned int poll_us);
void loop_destroy(struct loop *loop);

/**
 * loop_run() - run until loop_stop()
 */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/**
 * loop_set_settle() - call back whenever something was done
 * @settle: called after the callbacks of completions, of descriptors, of timers,
 *	and after each poller that did something: what they changed is consistent
 *	by then
 */
void loop_set_settle(struct loop *loop, void (*settle)(void *arg), void *arg);

/**
 * loop_fence() - a descriptor that tells when the loop's I/O has ended
 *
 * The kernel hangs it up (POLLHUP) when the io_uring has gone with all that was
 * submitted there. That may be some time after the end of the process: direct
 * I/O that was under way still is.
 * Return: the descriptor, which is the loop's, or -1: the kernel offers none.
 */
int loop_fence(const struct loop *loop);

/**
 * loop_now() - monotonic time in nanoseconds, read afresh
 */
uint64_t loop_now(void);

/**
 * loop_sqe() - begin an asynchronous operation
 * @loop: the loop
 * @io: called when it is done; @io->done must be set
 *
 * Prepare the returned entry at once with one of the io_uring_prep_*()
 * functions; set no user data (prep functions leave it alone). The loop
 * submits it before it looks at completions again. Never NULL: where the queue is full it is
 * submitted first. Buffers and iovec arrays must stay until @io->done.
 */
struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_io *io);

/**
 * loop_cancel() - ask that an operation ends early
 * @io: begun by loop_sqe(); its @done is still called, perhaps with -ECANCELED
 */
void loop_cancel(struct loop *loop, struct loop_io *io);

/**
 * loop_wait_io() - let operations of loop_sqe() complete, and nothing else
 * @done: asked after each completion; true ends the wait
 * @arg: for @done
 *
 * This is what a drain is made of. No timer, fd or poller runs meanwhile, so
 * the caller meets only the done callbacks of its own operations and those of
 * others. It may be nested.
 */
void loop_wait_io(struct loop *loop, bool (*done)(void *arg), void *arg);

/**
 * loop_add_fd() - watch a file descriptor
 * @lfd: with @event set; stays in memory until loop_del_fd()
 * @events: POLLIN, POLLOUT
 *
 * Return: 0 or -errno.
 */
int loop_add_fd(struct loop *loop, struct loop_fd *lfd, int fd,
		uint32_t events);

/**
 * loop_mod_fd() - watch for other events from now on
 */
void loop_mod_fd(struct loop_fd *lfd, uint32_t events);

/**
 * loop_del_fd() - stop watching; harmless if not watched. Does not close it
 *
 * After it returns @lfd may be freed: its callback does not come any more.
 */
void loop_del_fd(struct loop_fd *lfd);

/**
 * loop_set_timer() - (re)arm
 * @ms: milliseconds from now
 */
void loop_set_timer(struct loop *loop, struct loop_timer *timer,
		    unsigned int ms);

/**
 * loop_set_timer_us() - the same, microseconds from now
 */
void loop_set_timer_us(struct loop *loop, struct loop_timer *timer,
		       uint64_t us);

/**
 * loop_clear_timer() - disarm; harmless if not armed
 */
void loop_clear_timer(struct loop_timer *timer);

void loop_add_poller(struct loop *loop, struct loop_poller *p);
void loop_del_poller(struct loop *loop, struct loop_poller *p);

#endif
