// SPDX-License-Identifier: GPL-2.0-only
/*
 * One io_uring carries disk I/O, and a poll request on an epoll descriptor
 * that stands for all other descriptors. So there is one place to sleep in,
 * and completions are seen without a system call while the loop polls.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "loop.h"

#define LOOP_QUEUE		256
#define LOOP_COMPLETIONS	4096
#define LOOP_BUSY_US		1000
#define LOOP_POLL_STEP_NS	20000		/* the shortest busy-polling */
#define LOOP_MAX_SLEEP_NS	500000000ull

/* Taken off the ring to make room, not yet handed out */
struct loop_stashed {
	struct loop_stashed *next;
	struct loop_io *io;
	int res;
};

struct loop {
	struct io_uring ring;
	struct loop_stashed *stash, **stash_end;
	int epfd;
	bool epoll_armed;
	bool epoll_ready;
	bool stop;
	struct loop_io epoll_io;
	struct loop_timer *timers;	/* the earliest first */
	struct loop_poller *pollers;
	uint64_t poll_ns;
	uint64_t window_ns;		/* now: grows and shrinks */
	void (*settle)(void *arg);
	void *settle_arg;
	int fence;
};

uint64_t loop_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

static void loop_epoll_done(struct loop_io *io, int res)
{
	struct loop *loop = (struct loop *)((char *)io -
					    offsetof(struct loop, epoll_io));

	(void)res;
	loop->epoll_armed = false;
	loop->epoll_ready = true;
}

/*
 * Newer kernels do without the interrupt that gives a completion to a process
 * that looks by itself, and without locks where one thread submits.
 */
static int loop_ring(struct loop *loop)
{
	static const unsigned int flags[] = {
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG |
		IORING_SETUP_SINGLE_ISSUER,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
		0,
	};
	unsigned int i;
	int ret = -EINVAL;

	for (i = 0; ret == -EINVAL && i < 3; i++) {
		struct io_uring_params params = {
			.flags = IORING_SETUP_CQSIZE | flags[i],
			.cq_entries = LOOP_COMPLETIONS,
		};

		ret = io_uring_queue_init_params(LOOP_QUEUE, &loop->ring,
						 &params);
	}
	return ret;
}

/*
 * One end of a pipe that only the ring holds: a ring keeps its registered files
 * until the last of its requests has ended.
 */
static void loop_make_fence(struct loop *loop)
{
	int fds[2];

	loop->fence = -1;
	if (pipe2(fds, O_CLOEXEC))
		return;
	if (io_uring_register_files(&loop->ring, &fds[1], 1))
		close(fds[0]);
	else
		loop->fence = fds[0];
	close(fds[1]);
}

int loop_fence(const struct loop *loop)
{
	return loop->fence;
}

void loop_set_settle(struct loop *loop, void (*settle)(void *arg), void *arg)
{
	loop->settle = settle;
	loop->settle_arg = arg;
}

static bool loop_settle(struct loop *loop, bool any)
{
	if (any && loop->settle)
		loop->settle(loop->settle_arg);
	return any;
}

struct loop *loop_create(unsigned int poll_us)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int ret;

	if (!loop)
		return NULL;
	loop->stash_end = &loop->stash;
	loop->poll_ns = poll_us * 1000ull;
	loop->epoll_io.done = loop_epoll_done;
	ret = loop_ring(loop);
	if (ret < 0) {
		errno = -ret;
		goto fail_ring;
	}
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0)
		goto fail_epoll;
	loop_make_fence(loop);
	return loop;

fail_epoll:
	ret = errno;
	io_uring_queue_exit(&loop->ring);
	errno = ret;
fail_ring:
	free(loop);
	return NULL;
}

void loop_set_poll(struct loop *loop, unsigned int poll_us)
{
	loop->poll_ns = poll_us * 1000ull;
}

void loop_destroy(struct loop *loop)
{
	struct loop_stashed *s;

	if (!loop)
		return;
	while ((s = loop->stash)) {
		loop->stash = s->next;
		free(s);
	}
	io_uring_queue_exit(&loop->ring);
	close(loop->epfd);
	if (loop->fence >= 0)
		close(loop->fence);
	free(loop);
}

void loop_stop(struct loop *loop)
{
	loop->stop = true;
}

static void loop_submit(struct loop *loop)
{
	while (io_uring_sq_ready(&loop->ring)) {
		int ret = io_uring_submit(&loop->ring);

		if (ret < 0 && ret != -EINTR && ret != -EAGAIN &&
		    ret != -EBUSY) {
			log_error("io_uring: cannot submit: error %d", -ret);
			abort();
		}
		/* Completions are in the way: they are kept by the kernel */
		if (ret == -EAGAIN || ret == -EBUSY)
			break;
	}
}

/*
 * The kernel takes no more before completions are taken from it. Their
 * callbacks have to wait: who submits does not expect to be called meanwhile.
 */
static void loop_make_room(struct loop *loop)
{
	struct io_uring_cqe *cqe;
	struct loop_stashed *s;
	bool any = false;

	while (!io_uring_peek_cqe(&loop->ring, &cqe)) {
		s = malloc(sizeof(*s));
		if (!s)
			break;
		s->next = NULL;
		s->io = io_uring_cqe_get_data(cqe);
		s->res = cqe->res;
		io_uring_cqe_seen(&loop->ring, cqe);
		*loop->stash_end = s;
		loop->stash_end = &s->next;
		any = true;
	}
	/* or it is short of memory */
	if (!any)
		usleep(LOOP_BUSY_US);
}

struct io_uring_sqe *loop_sqe(struct loop *loop, struct loop_io *io)
{
	struct io_uring_sqe *sqe;

	while (!(sqe = io_uring_get_sqe(&loop->ring))) {
		loop_submit(loop);
		if (!io_uring_sq_space_left(&loop->ring))
			loop_make_room(loop);
	}
	io_uring_sqe_set_data(sqe, io);
	return sqe;
}

void loop_cancel(struct loop *loop, struct loop_io *io)
{
	struct io_uring_sqe *sqe = loop_sqe(loop, NULL);

	io_uring_prep_cancel(sqe, io, 0);
	io_uring_sqe_set_data(sqe, NULL);
}

/* One completion; false if there is none */
static bool loop_reap_one(struct loop *loop)
{
	struct loop_stashed *s = loop->stash;
	struct io_uring_cqe *cqe;
	struct loop_io *io;
	int res;

	if (s) {
		loop->stash = s->next;
		if (!loop->stash)
			loop->stash_end = &loop->stash;
		io = s->io;
		res = s->res;
		free(s);
		if (io)
			io->done(io, res);
		return true;
	}
	if (io_uring_peek_cqe(&loop->ring, &cqe))
		return false;
	io = io_uring_cqe_get_data(cqe);
	res = cqe->res;
	/* First: a callback may come back here */
	io_uring_cqe_seen(&loop->ring, cqe);
	if (io)
		io->done(io, res);
	return true;
}

void loop_wait_io(struct loop *loop, bool (*done)(void *arg), void *arg)
{
	while (!done(arg)) {
		loop_submit(loop);
		if (!loop_reap_one(loop))
			io_uring_submit_and_wait(&loop->ring, 1);
	}
}

int loop_add_fd(struct loop *loop, struct loop_fd *lfd, int fd,
		uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	if (epoll_ctl(loop->epfd, EPOLL_CTL_ADD, fd, &ev))
		return -errno;
	lfd->loop = loop;
	lfd->fd = fd;
	lfd->events = events;
	lfd->added = true;
	return 0;
}

void loop_mod_fd(struct loop_fd *lfd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	if (!lfd->added || lfd->events == events)
		return;
	lfd->events = events;
	epoll_ctl(lfd->loop->epfd, EPOLL_CTL_MOD, lfd->fd, &ev);
}

void loop_del_fd(struct loop_fd *lfd)
{
	if (!lfd->added)
		return;
	epoll_ctl(lfd->loop->epfd, EPOLL_CTL_DEL, lfd->fd, NULL);
	lfd->added = false;
}

/*
 * Events are taken one at a time: a callback may delete any other descriptor,
 * whose event would otherwise already be in our hands.
 */
static bool loop_events(struct loop *loop)
{
	struct epoll_event ev;
	bool any = false;
	int budget = 64;

	while (budget-- && epoll_wait(loop->epfd, &ev, 1, 0) == 1) {
		struct loop_fd *lfd = ev.data.ptr;

		lfd->event(lfd, ev.events);
		any = true;
	}
	/* Perhaps there are more: level triggered, the poll request tells */
	loop->epoll_ready = false;
	return any;
}

void loop_clear_timer(struct loop_timer *timer)
{
	if (!timer->link)
		return;
	*timer->link = timer->next;
	if (timer->next)
		timer->next->link = timer->link;
	timer->link = NULL;
}

void loop_set_timer(struct loop *loop, struct loop_timer *timer,
		    unsigned int ms)
{
	loop_set_timer_us(loop, timer, ms * 1000ull);
}

void loop_set_timer_us(struct loop *loop, struct loop_timer *timer,
		       uint64_t us)
{
	struct loop_timer **link = &loop->timers;

	loop_clear_timer(timer);
	timer->due_ns = loop_now() + us * 1000;
	while (*link && (*link)->due_ns <= timer->due_ns)
		link = &(*link)->next;
	timer->next = *link;
	if (timer->next)
		timer->next->link = &timer->next;
	timer->link = link;
	*link = timer;
}

static bool loop_timers(struct loop *loop)
{
	uint64_t now = loop_now();
	bool any = false;

	while (loop->timers && loop->timers->due_ns <= now) {
		struct loop_timer *timer = loop->timers;

		loop_clear_timer(timer);
		timer->fired(timer);
		any = true;
	}
	return any;
}

void loop_add_poller(struct loop *loop, struct loop_poller *p)
{
	p->next = loop->pollers;
	loop->pollers = p;
}

void loop_del_poller(struct loop *loop, struct loop_poller *p)
{
	struct loop_poller **link = &loop->pollers;

	while (*link && *link != p)
		link = &(*link)->next;
	if (*link)
		*link = p->next;
}

/* Everything that can be done without sleeping, once; true if some was */
static bool loop_round(struct loop *loop)
{
	struct loop_poller *p, *next;
	bool any = false;
	int budget = LOOP_QUEUE;

	if (!loop->epoll_armed && !loop->epoll_ready) {
		io_uring_prep_poll_add(loop_sqe(loop, &loop->epoll_io),
				       loop->epfd, POLLIN);
		loop->epoll_armed = true;
	}
	loop_submit(loop);
	while (budget-- && loop_reap_one(loop))
		any = true;
	loop_settle(loop, any);
	if (loop->epoll_ready)
		any |= loop_settle(loop, loop_events(loop));
	any |= loop_settle(loop, loop_timers(loop));
	for (p = loop->pollers; p; p = next) {
		next = p->next;
		any |= loop_settle(loop, p->poll(p));
	}
	return any;
}

static bool loop_prepare_sleep(struct loop *loop)
{
	struct loop_poller *p;
	bool work = false;

	for (p = loop->pollers; p; p = p->next) {
		if (p->prepare_sleep)
			work |= p->prepare_sleep(p);
	}
	return work;
}

static void loop_end_sleep(struct loop *loop)
{
	struct loop_poller *p;

	for (p = loop->pollers; p; p = p->next) {
		if (p->end_sleep)
			p->end_sleep(p);
	}
}

static void loop_sleep(struct loop *loop)
{
	uint64_t before = loop_now(), ns = LOOP_MAX_SLEEP_NS;
	struct __kernel_timespec ts;
	struct io_uring_cqe *cqe;

	if (loop->stash)
		return;
	if (loop->timers) {
		uint64_t due = loop->timers->due_ns;

		if (due <= before)
			return;
		if (due - before < ns)
			ns = due - before;
	}
	ts.tv_sec = ns / 1000000000ull;
	ts.tv_nsec = ns % 1000000000ull;
	io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &ts, NULL);
}

static inline void loop_relax(void)
{
#if defined(__x86_64__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

/*
 * After a sleep: had we found what woke us by polling longer, within the limit?
 * Then do so the next time. If it came later than that, all the polling before
 * it was for nothing.
 */
static void loop_adapt(struct loop *loop, uint64_t idle_ns)
{
	if (idle_ns > loop->poll_ns)
		loop->window_ns /= 2;
	else if (loop->window_ns)
		loop->window_ns *= 2;
	else
		loop->window_ns = LOOP_POLL_STEP_NS;
	if (loop->window_ns < LOOP_POLL_STEP_NS)
		loop->window_ns = 0;
	if (loop->window_ns > loop->poll_ns)
		loop->window_ns = loop->poll_ns;
}

void loop_run(struct loop *loop)
{
	uint64_t idle_since = loop_now();

	loop->stop = false;
	while (!loop->stop) {
		if (loop_round(loop)) {
			idle_since = loop_now();
			continue;
		}
		if (loop_now() - idle_since < loop->window_ns) {
			loop_relax();
			continue;
		}
		if (!loop_prepare_sleep(loop))
			loop_sleep(loop);
		loop_end_sleep(loop);
		loop_adapt(loop, loop_now() - idle_since);
		idle_since = loop_now();
	}
}
