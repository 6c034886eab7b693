// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory model under load: two processes, one ring in each direction
 * between them, real sleep and real signals.
 *
 *	   guest process			  host process
 *	channel/ring.c   ---- ring, eventfd ---->  host/ring.c
 *	                 <--- ring, eventfd -----  (or channel/ring.c again)
 *
 * Each process sends numbered packets of random length, checks each byte of
 * what it receives, and sleeps by the protocol when it has nothing to do: mask
 * put to 0, last look at the ring, then poll() on its eventfd. Nobody else
 * wakes it. A lost wakeup is therefore a sleep that does not end, and fails the
 * test. The traffic goes one way or both ways: one way, a sender is woken for
 * room only and a receiver for packets only, so that one signal can't hide the
 * loss of another.
 *
 * A system call takes much longer than the races that the barriers stop. In
 * half of the runs a sleeper therefore spins on a word that a signal changes,
 * for many more races in a second.
 *
 * Signals are counted by the side that gives them, occasions by the side that
 * takes them: each time that the mask is 0 is worth one signal for a packet (the
 * host's code counts closer than that), each wait for room one for room. There
 * must not be more signals than that.
 *
 * The barriers themselves are tested by races: both processes meet, and then at
 * the same moment one sends its packet and the other puts its mask to 0, or one
 * comes to wait for room and the other gives it back. Hundred thousands of
 * times in a second, with all delays. It must never be that one sleeps and the
 * other did not signal. (On x86 this finds each full barrier that is taken out.
 * What it can't find there is loads that pass loads.)
 *
 * STRESS_SECONDS: how long in all (2); LONG=1: a minute.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "../../channel/ring.h"
#include "../host/ring.h"
#include "tap.h"

#define PAGE		4096u
#define DATA		PAGE		/* small: full and empty are frequent */
#define RING_BYTES	(PAGE + DATA)
#define WAKEUP_MS	10000		/* a wakeup that takes longer is lost */
#define LAST		(1ULL << 63)	/* in the transaction id */

struct result {
	u64 sent, received, sleeps;
	u64 packet_signals, room_signals;	/* given */
	u64 due, room_waits;			/* occasions for the other */
	char error[160];
};

struct shared {
	u8 to_host[RING_BYTES] __attribute__((aligned(PAGE)));
	u8 to_guest[RING_BYTES] __attribute__((aligned(PAGE)));
	struct result guest, host;
	u32 kick_guest __attribute__((aligned(128)));
	u32 kick_host __attribute__((aligned(128)));
	struct {
		u32 met __attribute__((aligned(128)));
		bool signalled;
	} racer[2];
	bool race_over;
	int bias;	/* the sender's delay, or minus the receiver's */
};

/* One process's two rings, behind either code */
struct end {
	const struct end_ops *ops;
	struct ring tx, rx;		/* channel/ring.c */
	bool waiting;
	struct hring htx, hrx;		/* host/ring.c */
	struct result *res;
	int wake_me, wake_other;
	u32 *kick_me, *kick_other;	/* spinning: instead of these */
	u32 kicked;
	bool spins;
	u64 rng;
};

struct end_ops {
	const char *name;
	void (*open)(struct end *e, u8 *tx, u8 *rx);
	/* 0, -EAGAIN (will be signalled), or an error */
	int (*send)(struct end *e, struct ring_desc *pkt, u32 len, bool *sig);
	/* length, 0: empty, or an error; room is given back by commit */
	int (*receive)(struct end *e, struct ring_desc *pkt);
	bool (*commit)(struct end *e);
	void (*mask)(struct end *e);
	bool (*unmask)(struct end *e);
};

/* The guest's code */

static void guest_open(struct end *e, u8 *tx, u8 *rx)
{
	e->tx = (struct ring) {
		.ctl = (struct ring_ctl *)tx, .data = tx + PAGE, .size = DATA,
	};
	e->rx = (struct ring) {
		.ctl = (struct ring_ctl *)rx, .data = rx + PAGE, .size = DATA,
	};
	/* what the other one could have written before its mask was looked at */
	e->res->due = 1;
}

static int guest_send(struct end *e, struct ring_desc *pkt, u32 len, bool *sig)
{
	struct ring_iov iov[2] = {
		{ pkt, sizeof(*pkt) },
		{ pkt + 1, len - sizeof(*pkt) },
	};
	int ret;

	*sig = false;
	ret = ring_send_begin(&e->tx, iov, 2);
	while (ret == -EAGAIN) {
		if (!e->waiting) {
			e->waiting = true;
			e->res->room_waits++;
		}
		if (ring_send_wait(&e->tx, len))
			return -EAGAIN;
		e->waiting = false;
		ret = ring_send_begin(&e->tx, iov, 2);
	}
	if (ret < 0)
		return ret;
	if (e->waiting) {
		ring_send_wait_end(&e->tx);
		e->waiting = false;
	}
	*sig = ring_send_commit(&e->tx, len);
	return 0;
}

static int guest_receive(struct end *e, struct ring_desc *pkt)
{
	int ret = ring_recv_peek(&e->rx, pkt);

	if (ret <= 0)
		return ret;
	ring_recv_copy(&e->rx, sizeof(*pkt), pkt + 1,
		       pkt->len8 * 8u - sizeof(*pkt));
	ring_recv_advance(&e->rx, pkt->len8 * 8u);
	return pkt->len8 * 8u;
}

static bool guest_commit(struct end *e)
{
	return ring_recv_commit(&e->rx);
}

static void guest_mask(struct end *e)
{
	ring_recv_mask(&e->rx);
}

static bool guest_unmask(struct end *e)
{
	e->res->due++;
	return ring_recv_unmask(&e->rx);
}

static const struct end_ops guest_ops = {
	"channel/ring.c", guest_open, guest_send, guest_receive, guest_commit,
	guest_mask, guest_unmask,
};

/* The host's code */

static void host_open(struct end *e, u8 *tx, u8 *rx)
{
	if (hring_out_init(&e->htx, tx, RING_BYTES) ||
	    hring_in_init(&e->hrx, rx, RING_BYTES))
		abort();
}

static int host_send(struct end *e, struct ring_desc *pkt, u32 len, bool *sig)
{
	int ret = hring_out_write(&e->htx, pkt->type, pkt->flags,
				  pkt->trans_id, pkt + 1, len - sizeof(*pkt),
				  sig);

	e->res->room_waits = e->htx.episodes;
	return ret;
}

static int host_receive(struct end *e, struct ring_desc *pkt)
{
	int ret = hring_in_read(&e->hrx, pkt);

	/* by this count the host accuses a guest of needless signals */
	e->res->due = hring_in_due(&e->hrx);
	return ret;
}

static bool host_commit(struct end *e)
{
	return hring_in_commit(&e->hrx);
}

static void host_mask(struct end *e)
{
	hring_in_mask(&e->hrx, true);
}

static bool host_unmask(struct end *e)
{
	hring_in_mask(&e->hrx, false);
	return hring_in_ready(&e->hrx);
}

static const struct end_ops host_ops = {
	"the host's code", host_open, host_send, host_receive, host_commit,
	host_mask, host_unmask,
};

/* What both processes do */

static u32 rng(struct end *e, u32 below)
{
	e->rng ^= e->rng << 13;
	e->rng ^= e->rng >> 7;
	e->rng ^= e->rng << 17;
	return (e->rng >> 20) % below;
}

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ULL + t.tv_nsec / 1000000;
}

static void __attribute__((noreturn, format(printf, 2, 3)))
fail(struct end *e, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(e->res->error, sizeof(e->res->error), fmt, args);
	va_end(args);
	_exit(1);
}

static void wake(struct end *e)
{
	u64 one = 1;

	if (e->spins)
		__atomic_fetch_add(e->kick_other, 1, __ATOMIC_SEQ_CST);
	else if (write(e->wake_other, &one, sizeof(one)) != sizeof(one))
		fail(e, "eventfd: %m");
}

/* Returns whether it was woken in time */
static bool spin_for_signal(struct end *e)
{
	u32 turns = 0, now;
	u64 end = 0;

	while ((now = __atomic_load_n(e->kick_me, __ATOMIC_RELAXED)) ==
	       e->kicked) {
		/* the other one may need this processor */
		if (!(++turns % 4096)) {
			sched_yield();
			if (!end)
				end = now_ms() + WAKEUP_MS;
			else if (now_ms() > end)
				return false;
		}
	}
	e->kicked = now;
	return true;
}

static void sleep_for_signal(struct end *e, bool blocked)
{
	struct pollfd p = { .fd = e->wake_me, .events = POLLIN };
	u64 count;

	e->res->sleeps++;
	if (e->spins ? !spin_for_signal(e) : poll(&p, 1, WAKEUP_MS) != 1)
		fail(e, "lost wakeup: %s, %llu sent, %llu received",
		     blocked ? "waits for room" : "waits for packets",
		     (unsigned long long)e->res->sent,
		     (unsigned long long)e->res->received);
	if (!e->spins && read(e->wake_me, &count, sizeof(count)) != sizeof(count))
		fail(e, "eventfd: %m");
}

static u32 make_packet(struct end *e, struct ring_desc *pkt, bool last)
{
	/* by turns small, for often empty, and large, for often full */
	bool large = e->spins ? e->res->sent & 2048 : !rng(e, 8);
	u32 i, len8 = 2 + rng(e, large ? DATA / 8 - 3 : e->spins ? 2 : 12);
	u64 *word = (u64 *)(pkt + 1);

	*pkt = (struct ring_desc) {
		.type = 6, .offset8 = 2, .len8 = len8,
		.trans_id = e->res->sent | (last ? LAST : 0),
	};
	for (i = 0; i < len8 - 2; i++)
		word[i] = pkt->trans_id * 0x9e3779b97f4a7c15ULL + i;
	return len8 * 8;
}

/* Returns whether it was the last one */
static bool check_packet(struct end *e, const struct ring_desc *pkt, u32 len)
{
	const u64 *word = (const u64 *)(pkt + 1);
	u32 i;

	if ((pkt->trans_id & ~LAST) != e->res->received || pkt->type != 6 ||
	    pkt->len8 * 8u != len)
		fail(e, "packet %llu came as packet %llu",
		     (unsigned long long)pkt->trans_id,
		     (unsigned long long)e->res->received);
	for (i = 0; i < len / 8 - 2; i++)
		if (word[i] != pkt->trans_id * 0x9e3779b97f4a7c15ULL + i)
			fail(e, "packet %llu: word %u is wrong",
			     (unsigned long long)pkt->trans_id, i);
	e->res->received++;
	return pkt->trans_id & LAST;
}

static void run(struct end *e, bool sends, bool receives, u32 ms)
{
	static u64 in[DATA / 8], out[DATA / 8];
	struct ring_desc *rx = (struct ring_desc *)in;
	struct ring_desc *tx = (struct ring_desc *)out;
	u64 deadline = now_ms() + ms;
	u32 len = 0, burst, spin, most = e->spins ? 3 : 40;
	bool last = false, signal;
	int ret;

	while (sends || receives) {
		bool worked = false, blocked = false;

		e->ops->mask(e);
		/* in batches of random size, as drivers with a budget do */
		for (burst = 1 + rng(e, most); receives && burst; burst--) {
			ret = e->ops->receive(e, rx);
			if (ret < 0)
				fail(e, "receive: error %d", ret);
			if (!ret)
				break;
			worked = true;
			receives = !check_packet(e, rx, ret);
		}
		if (e->ops->commit(e)) {
			e->res->room_signals++;
			wake(e);
		}

		for (burst = 1 + rng(e, most); sends && burst; burst--) {
			if (!len) {
				last = !(e->res->sent % 16) &&
				       now_ms() >= deadline;
				len = make_packet(e, tx, last);
			}
			ret = e->ops->send(e, tx, len, &signal);
			if (ret == -EAGAIN) {
				blocked = true;
				break;
			}
			if (ret)
				fail(e, "send: error %d", ret);
			worked = true;
			len = 0;
			e->res->sent++;
			sends = !last;
			if (signal) {
				e->res->packet_signals++;
				wake(e);
			}
		}

		/* now a little early, now a little late for the other one */
		for (spin = rng(e, rng(e, 4) ? 30 : 300); spin; spin--)
			__asm__ volatile("" ::: "memory");

		if (worked || !(sends || receives))
			continue;
		if (e->ops->unmask(e))
			continue;
		sleep_for_signal(e, blocked);
	}
}

static int cpus;

/* The two processes on two processors, if there are two */
static void pin(int which)
{
	cpu_set_t all, one;
	int cpu, found = 0;

	CPU_ZERO(&one);
	sched_getaffinity(0, sizeof(all), &all);
	for (cpu = 0; cpu < CPU_SETSIZE && found <= which; cpu++) {
		if (!CPU_ISSET(cpu, &all) || found++ != which)
			continue;
		CPU_SET(cpu, &one);
		sched_setaffinity(0, sizeof(one), &one);
	}
}

static pid_t start(struct end *e, u8 *tx, u8 *rx, bool sends, bool receives,
		   u32 ms)
{
	pid_t pid = fork();

	if (pid < 0)
		abort();
	if (pid)
		return pid;
	e->ops->open(e, tx, rx);
	run(e, sends, receives, ms);
	_exit(0);
}

static void one_run(const struct end_ops *peer, bool to_host, bool to_guest,
		    bool spins, u32 ms, u64 seed)
{
	struct end guest = { .ops = &guest_ops }, host = { .ops = peer };
	struct shared *sh;
	pid_t pid[2];
	int st[2], i;

	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	((struct ring_ctl *)sh->to_host)->feature_bits = RING_FEAT_PENDING;
	((struct ring_ctl *)sh->to_guest)->feature_bits = RING_FEAT_PENDING;
	guest.res = &sh->guest;
	host.res = &sh->host;
	guest.spins = host.spins = spins;
	guest.kick_me = host.kick_other = &sh->kick_guest;
	host.kick_me = guest.kick_other = &sh->kick_host;
	guest.rng = seed * 2 + 1;
	host.rng = seed * 2 + 2;
	guest.wake_me = host.wake_other = eventfd(0, EFD_CLOEXEC);
	host.wake_me = guest.wake_other = eventfd(0, EFD_CLOEXEC);
	fflush(stdout);
	pid[0] = start(&guest, sh->to_host, sh->to_guest, to_host, to_guest, ms);
	pid[1] = start(&host, sh->to_guest, sh->to_host, to_guest, to_host, ms);
	for (i = 0; i < 2; i++)
		waitpid(pid[i], &st[i], 0);
	close(guest.wake_me);
	close(host.wake_me);

	for (i = 0; i < 2; i++) {
		struct result *r = i ? &sh->host : &sh->guest;

		printf("# %s: %llu sent, %llu received, %llu sleeps, signals: %llu for packets, %llu for room\n",
		       i ? "host " : "guest", (unsigned long long)r->sent,
		       (unsigned long long)r->received,
		       (unsigned long long)r->sleeps,
		       (unsigned long long)r->packet_signals,
		       (unsigned long long)r->room_signals);
		CHECK(!r->error[0], "%s: %s", i ? "host" : "guest", r->error);
		CHECK(!st[i], "%s: wait status %#x", i ? "host" : "guest",
		      st[i]);
		/* or the test has tested nothing */
		CHECK(r->sleeps);
	}
	CHECK(sh->guest.sent == sh->host.received);
	CHECK(sh->host.sent == sh->guest.received);
	CHECK(sh->guest.packet_signals <= sh->host.due,
	      "%llu for %llu times", (unsigned long long)sh->guest.packet_signals,
	      (unsigned long long)sh->host.due);
	CHECK(sh->host.packet_signals <= sh->guest.due,
	      "%llu for %llu times", (unsigned long long)sh->host.packet_signals,
	      (unsigned long long)sh->guest.due);
	CHECK(sh->guest.room_signals <= sh->host.room_waits,
	      "%llu for %llu waits", (unsigned long long)sh->guest.room_signals,
	      (unsigned long long)sh->host.room_waits);
	CHECK(sh->host.room_signals <= sh->guest.room_waits,
	      "%llu for %llu waits", (unsigned long long)sh->host.room_signals,
	      (unsigned long long)sh->guest.room_waits);
	munmap(sh, sizeof(*sh));
}

/* Both must come here for either to go on */
static void meet(struct end *e, struct shared *sh, int me, u32 *count)
{
	u32 turns = 0, now = ++*count;
	u64 end = 0;

	__atomic_store_n(&sh->racer[me].met, now, __ATOMIC_RELEASE);
	while (__atomic_load_n(&sh->racer[!me].met, __ATOMIC_ACQUIRE) < now) {
		if (++turns % 16384)
			continue;
		sched_yield();
		if (!end)
			end = now_ms() + WAKEUP_MS;
		else if (now_ms() > end)
			fail(e, "the other process has stopped");
	}
}

/*
 * How long the one who came too early last time waits, so that each is first in
 * about half of the rounds: that is where the races are.
 */
static void delay(struct end *e, int bias)
{
	int spin;

	for (spin = (int)rng(e, 32) + (bias > 0 ? bias : 0); spin; spin--)
		__asm__ volatile("" ::: "memory");
}

static void adjust(struct shared *sh, bool sender_was_early)
{
	if (sender_was_early && sh->bias < 4000)
		sh->bias += 2;
	else if (!sender_was_early && sh->bias > -4000)
		sh->bias -= 2;
}

/* A machine that is busy with other things may need longer to race at all */
static bool race_over(struct shared *sh, u32 round, u64 deadline)
{
	u64 now = now_ms();

	if (round % 64 || now < deadline)
		return false;
	return sh->guest.sleeps + sh->host.sleeps >= 100 ||
	       now >= deadline + WAKEUP_MS;
}

static void race_send(struct end *e, u32 len, bool *slept, bool *signalled)
{
	static u64 out[DATA / 8];
	struct ring_desc *pkt = (struct ring_desc *)out;
	int ret;

	*pkt = (struct ring_desc) {
		.type = 6, .offset8 = 2, .len8 = len / 8,
		.trans_id = e->res->sent,
	};
	ret = e->ops->send(e, pkt, len, signalled);
	if (ret && ret != -EAGAIN)
		fail(e, "send: error %d", ret);
	*slept = ret;
	e->res->sent += !ret;
}

static void race_receive(struct end *e)
{
	static u64 in[DATA / 8];
	struct ring_desc *pkt = (struct ring_desc *)in;

	if (e->ops->receive(e, pkt) <= 0 || pkt->trans_id != e->res->received)
		fail(e, "packet %llu did not come",
		     (unsigned long long)e->res->received);
	e->res->received++;
}

static void packet_sender(struct end *e, struct shared *sh, u32 ms)
{
	u64 deadline = now_ms() + ms;
	u32 met = 0, round;
	bool slept, signalled;

	for (round = 0; !sh->race_over; round++) {
		sh->race_over = race_over(sh, round, deadline);
		/* the last packet of a batch, or one alone */
		if (round & 1)
			race_send(e, 24, &slept, &signalled);
		meet(e, sh, 0, &met);
		meet(e, sh, 0, &met);
		delay(e, sh->bias);
		race_send(e, 24, &slept, &signalled);
		sh->racer[0].signalled = signalled;
		meet(e, sh, 0, &met);
		adjust(sh, !signalled);
		meet(e, sh, 0, &met);
	}
}

static void packet_receiver(struct end *e, struct shared *sh, u32 ms)
{
	u32 met = 0, round;
	bool over = false;

	(void)ms;
	for (round = 0; !over; round++) {
		e->ops->mask(e);
		meet(e, sh, 1, &met);
		over = sh->race_over;
		if (round & 1)
			race_receive(e);
		meet(e, sh, 1, &met);
		delay(e, -sh->bias);
		e->ops->commit(e);
		if (!e->ops->unmask(e)) {
			e->res->sleeps++;
			meet(e, sh, 1, &met);
			if (!sh->racer[0].signalled)
				fail(e, "lost wakeup in round %u: waits for packets",
				     round);
		} else {
			meet(e, sh, 1, &met);
		}
		e->ops->mask(e);
		race_receive(e);
		e->ops->commit(e);
		meet(e, sh, 1, &met);
	}
}

/* One of this size fits, two don't */
#define LARGE	((DATA / 2 + 512) & ~7u)

static void room_sender(struct end *e, struct shared *sh, u32 ms)
{
	u64 deadline = now_ms() + ms;
	u32 met = 0, round;
	bool slept, signalled;

	race_send(e, LARGE, &slept, &signalled);
	for (round = 0; !sh->race_over; round++) {
		sh->race_over = race_over(sh, round, deadline);
		meet(e, sh, 0, &met);
		meet(e, sh, 0, &met);
		delay(e, sh->bias);
		race_send(e, LARGE, &slept, &signalled);
		meet(e, sh, 0, &met);
		adjust(sh, slept);
		if (!slept)
			continue;
		e->res->sleeps++;
		if (!sh->racer[1].signalled)
			fail(e, "lost wakeup in round %u: waits for room", round);
		race_send(e, LARGE, &slept, &signalled);
		if (slept)
			fail(e, "woken in vain in round %u", round);
	}
}

static void room_receiver(struct end *e, struct shared *sh, u32 ms)
{
	bool over = false;
	u32 met = 0;

	(void)ms;
	while (!over) {
		meet(e, sh, 1, &met);
		over = sh->race_over;
		race_receive(e);
		meet(e, sh, 1, &met);
		delay(e, -sh->bias);
		sh->racer[1].signalled = e->ops->commit(e);
		meet(e, sh, 1, &met);
	}
}

typedef void (*racer_fn)(struct end *e, struct shared *sh, u32 ms);

static void one_race(const struct end_ops *sender, racer_fn send,
		     const struct end_ops *receiver, racer_fn receive, u32 ms)
{
	struct end e[2] = { { .ops = sender }, { .ops = receiver } };
	struct shared *sh;
	int st[2], i;
	pid_t pid[2];

	if (cpus < 2) {
		tap_skip("one processor does not race");
		return;
	}
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(sh != MAP_FAILED);
	((struct ring_ctl *)sh->to_host)->feature_bits = RING_FEAT_PENDING;
	((struct ring_ctl *)sh->to_guest)->feature_bits = RING_FEAT_PENDING;
	e[0].res = &sh->guest;
	e[1].res = &sh->host;
	fflush(stdout);
	for (i = 0; i < 2; i++) {
		e[i].rng = 7 + i;
		pid[i] = fork();
		if (pid[i] < 0)
			abort();
		if (pid[i])
			continue;
		pin(i);
		e[i].ops->open(&e[i], i ? sh->to_guest : sh->to_host,
			       i ? sh->to_host : sh->to_guest);
		(i ? receive : send)(&e[i], sh, ms);
		_exit(0);
	}
	for (i = 0; i < 2; i++)
		waitpid(pid[i], &st[i], 0);
	printf("# %llu packets, %llu sleeps\n",
	       (unsigned long long)sh->guest.sent,
	       (unsigned long long)(sh->guest.sleeps + sh->host.sleeps));
	for (i = 0; i < 2; i++) {
		CHECK(!e[i].res->error[0], "%s (%s): %s",
		      i ? "receiver" : "sender", e[i].ops->name,
		      e[i].res->error);
		CHECK(!st[i], "wait status %#x", st[i]);
	}
	/* or nothing was tested */
	CHECK(sh->guest.sleeps + sh->host.sleeps);
	munmap(sh, sizeof(*sh));
}

static u32 run_ms;

static void run_both(const struct end_ops *peer, bool to_host, bool to_guest,
		     u64 seed)
{
	one_run(peer, to_host, to_guest, false, run_ms, seed);
	CHECK_OK();
	one_run(peer, to_host, to_guest, true, run_ms, seed);
}

static void same_to_host(void)
{
	run_both(&guest_ops, true, false, 1);
}

static void same_both(void)
{
	run_both(&guest_ops, true, true, 2);
}

static void host_to_host(void)
{
	run_both(&host_ops, true, false, 3);
}

static void host_to_guest(void)
{
	run_both(&host_ops, false, true, 4);
}

static void host_both(void)
{
	run_both(&host_ops, true, true, 5);
}

static u32 race_ms;

static void race_packet_to_host(void)
{
	one_race(&guest_ops, packet_sender, &host_ops, packet_receiver, race_ms);
}

static void race_packet_to_guest(void)
{
	one_race(&host_ops, packet_sender, &guest_ops, packet_receiver, race_ms);
}

static void race_room_to_host(void)
{
	one_race(&guest_ops, room_sender, &host_ops, room_receiver, race_ms);
}

static void race_room_to_guest(void)
{
	one_race(&host_ops, room_sender, &guest_ops, room_receiver, race_ms);
}

int main(void)
{
	const char *seconds = getenv("STRESS_SECONDS");
	const char *is_long = getenv("LONG");
	cpu_set_t set;
	u32 total = is_long && *is_long && *is_long != '0' ? 60 : 2;

	if (seconds && atoi(seconds) > 0)
		total = atoi(seconds);
	if (!sched_getaffinity(0, sizeof(set), &set))
		cpus = CPU_COUNT(&set);
	/* half for ten runs, half for four races */
	run_ms = total * 1000 / 20;
	race_ms = total * 1000 / 8;

	tap_test("stress: the guest's ring code at both ends, one way",
		 same_to_host);
	tap_test("stress: the guest's ring code at both ends, both ways",
		 same_both);
	tap_test("stress: guest sends to the host's ring code", host_to_host);
	tap_test("stress: the host's ring code sends to the guest",
		 host_to_guest);
	tap_test("stress: guest and host code, both ways", host_both);
	tap_test("race: a packet from the guest, the host goes to sleep",
		 race_packet_to_host);
	tap_test("race: a packet from the host, the guest goes to sleep",
		 race_packet_to_guest);
	tap_test("race: the guest waits for room, the host makes some",
		 race_room_to_host);
	tap_test("race: the host waits for room, the guest makes some",
		 race_room_to_guest);
	return tap_done();
}
