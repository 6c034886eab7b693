// SPDX-License-Identifier: GPL-2.0-only
/*
 * When completions are shown, against a guest that is simulated: one CPU,
 * which sends a request, takes an interrupt, looks at completions, each in its
 * time, and has so many requests outstanding. Time is counted, not measured.
 */
#include <stdlib.h>
#include <string.h>

#include "../host/moderate.h"
#include "tap.h"

#define STEP_NS		1000ull
#define QUEUE_MAX	256

struct guest {
	/* what it is like */
	unsigned int depth;
	uint64_t send_ns;		/* for one request */
	uint64_t interrupt_ns;		/* for one interrupt, entry and exit */
	uint64_t reap_ns;		/* for one completion */
	uint64_t disk_ns;		/* of the host, for one request */
	unsigned int disk_width;	/* how many at a time */
	/* what it does */
	uint64_t busy_until;
	bool sending, in_interrupt;
	bool pending_irq;
	unsigned int outstanding;	/* sent, not reaped */
	unsigned int visible;		/* shown, not reaped */
	/* the host's */
	uint64_t done_at[QUEUE_MAX];
	unsigned int on_disk;
	/* counted */
	uint64_t completions, interrupts, requests;
	uint64_t longest_hold;
};

static void guest_step(struct guest *g, struct moderate *m, uint64_t now)
{
	if (g->busy_until > now)
		return;
	if (g->sending) {
		uint64_t start = now;
		unsigned int i;

		/* where the disk is full it waits for its place */
		if (g->on_disk >= g->disk_width) {
			uint64_t last = 0;

			for (i = 0; i < g->on_disk; i++) {
				if (g->done_at[i] > last)
					last = g->done_at[i];
			}
			start = last;
		}
		g->done_at[g->on_disk++] = start + g->disk_ns;
		g->sending = false;
		g->outstanding++;
		g->requests++;
		moderate_arrival(m, now);
	}
	if (g->in_interrupt) {
		if (g->visible) {
			g->visible--;
			g->outstanding--;
			g->completions++;
			g->busy_until = now + g->reap_ns;
			return;
		}
		g->in_interrupt = false;
	}
	if (g->pending_irq) {
		g->pending_irq = false;
		g->in_interrupt = true;
		g->interrupts++;
		g->busy_until = now + g->interrupt_ns;
		return;
	}
	if (g->outstanding < g->depth) {
		g->sending = true;
		g->busy_until = now + g->send_ns;
	}
}

static void host_step(struct guest *g, struct moderate *m, uint64_t now)
{
	unsigned int i = 0;
	bool quiet;

	while (i < g->on_disk) {
		if (g->done_at[i] > now) {
			i++;
			continue;
		}
		g->done_at[i] = g->done_at[--g->on_disk];
		moderate_completion(m, now, g->on_disk);
	}
	if (!m->held)
		return;
	quiet = g->in_interrupt || g->visible;
	if (!quiet && !moderate_due(m, now))
		return;
	if (now - m->since > g->longest_hold)
		g->longest_hold = now - m->since;
	if (!quiet)
		g->pending_irq = true;
	g->visible += m->held;
	moderate_shown(m, now);
}

static void simulate(struct guest *g, struct moderate *m, uint64_t from,
		     uint64_t ns)
{
	uint64_t now;

	g->completions = 0;
	g->interrupts = 0;
	g->longest_hold = 0;
	for (now = from; now < from + ns; now += STEP_NS) {
		guest_step(g, m, now);
		host_step(g, m, now);
	}
}

/* As an emulated guest: slower than its disk */
static struct guest slow_guest(unsigned int depth)
{
	return (struct guest){
		.depth = depth, .send_ns = 45000, .interrupt_ns = 40000,
		.reap_ns = 15000, .disk_ns = 40000, .disk_width = 64,
	};
}

/* Completions of a second, after one to learn in */
static uint64_t rate(struct guest g, uint64_t coalesce, struct guest *out)
{
	struct moderate m;

	moderate_init(&m, coalesce);
	simulate(&g, &m, 1000000000ull, 1000000000ull);
	simulate(&g, &m, 2000000000ull, 1000000000ull);
	if (out)
		*out = g;
	return g.completions;
}

/* Who waits for each request must not wait for us */
static void test_one(void)
{
	static const uint64_t disks[] = { 5000, 40000, 100000, 400000 };
	unsigned int i;

	for (i = 0; i < 4; i++) {
		struct guest g = slow_guest(1), out;
		uint64_t plain, ours;

		g.disk_ns = disks[i];
		plain = rate(g, 0, NULL);
		ours = rate(g, MODERATE_AUTO, &out);
		CHECK(ours * 100 >= plain * 99, "disk of %u ns: %u, not %u",
		      (unsigned int)disks[i], (unsigned int)ours,
		      (unsigned int)plain);
		CHECK(out.interrupts <= out.completions + 1, "more interrupts");
	}
}

/* A deep queue: many completions in an interrupt, and more of them */
static void test_deep(void)
{
	static const unsigned int depths[] = { 4, 8, 16, 32, 64 };
	unsigned int i;

	for (i = 0; i < 5; i++) {
		struct guest g = slow_guest(depths[i]), plain, ours;

		rate(g, 0, &plain);
		rate(g, MODERATE_AUTO, &ours);
		printf("# depth %u: %u/s with %.2f interrupts each, held back %u/s with %.3f\n",
		       depths[i], (unsigned int)plain.completions,
		       (double)plain.interrupts / plain.completions,
		       (unsigned int)ours.completions,
		       (double)ours.interrupts / ours.completions);
		CHECK(ours.completions >= plain.completions, "depth %u: slower",
		      depths[i]);
		CHECK(ours.interrupts * depths[i] <= ours.completions * 4 ||
		      ours.interrupts * 8 <= ours.completions,
		      "depth %u: %u interrupts for %u", depths[i],
		      (unsigned int)ours.interrupts,
		      (unsigned int)ours.completions);
		CHECK(ours.longest_hold <= 1000000 + STEP_NS,
		      "held for %u ns", (unsigned int)ours.longest_hold);
	}
}

/* A guest that is faster than the disk is not kept waiting for long */
static void test_fast(void)
{
	static const unsigned int depths[] = { 1, 2, 4, 8, 32 };
	static const unsigned int widths[] = { 1, 4, 64 };
	unsigned int i, w;

	for (i = 0; i < 5; i++) {
		for (w = 0; w < 3; w++) {
			struct guest g = {
				.depth = depths[i], .send_ns = 3000,
				.interrupt_ns = 4000, .reap_ns = 1000,
				.disk_ns = 80000, .disk_width = widths[w],
			};
			uint64_t plain = rate(g, 0, NULL);
			uint64_t ours = rate(g, MODERATE_AUTO, NULL);

			CHECK(ours * 100 >= plain * 95,
			      "depth %u, width %u: %u, not %u", depths[i],
			      widths[w], (unsigned int)ours,
			      (unsigned int)plain);
		}
	}
}

/* Its queue becomes shallow, deep and shallow again, and it is noticed */
static void test_change(void)
{
	struct guest g = slow_guest(32), alone = slow_guest(1);
	uint64_t plain = rate(alone, 0, NULL), t = 1000000000ull;
	struct moderate m;
	unsigned int i;

	moderate_init(&m, MODERATE_AUTO);
	for (i = 0; i < 4; i++) {
		g.depth = i % 2 ? 1 : 32;
		simulate(&g, &m, t, 1000000000ull);
		t += 1000000000ull;
		simulate(&g, &m, t, 1000000000ull);
		t += 1000000000ull;
		if (g.depth == 1)
			CHECK(g.completions * 100 >= plain * 98,
			      "%u, not %u", (unsigned int)g.completions,
			      (unsigned int)plain);
		else
			CHECK(g.interrupts * 8 <= g.completions,
			      "%u interrupts for %u",
			      (unsigned int)g.interrupts,
			      (unsigned int)g.completions);
	}
}

/*
 * A guest that sends @packets, one each @gap_ns, @burst of them at once; they are
 * done when they come. The host looks all the time. Returns batches.
 */
static unsigned int stream(struct moderate *m, uint64_t *t,
			   unsigned int packets, uint64_t gap_ns,
			   unsigned int burst, uint64_t *longest)
{
	unsigned int n = 0, i;
	uint64_t end;

	while (packets) {
		for (i = 0; i < burst && packets; i++, packets--) {
			moderate_arrival(m, *t);
			moderate_completion(m, *t, 0);
		}
		for (end = *t + burst * gap_ns; *t < end; *t += STEP_NS) {
			if (!m->held)
				continue;
			if (longest && *t - m->since > *longest)
				*longest = *t - m->since;
			if (moderate_due(m, *t)) {
				moderate_shown(m, *t);
				n++;
			}
		}
	}
	return n;
}

/* Held while more come, and not when they stop */
static void test_stream(void)
{
	uint64_t t = 1000000, last, longest = 0;
	struct moderate m;
	unsigned int n;

	/* one alone: the guest may wait for it */
	moderate_init(&m, MODERATE_STREAM);
	moderate_arrival(&m, t);
	moderate_completion(&m, t, 0);
	CHECK(!moderate_due(&m, t) && !moderate_due(&m, t + 9000),
	      "it may go on sending");
	CHECK(moderate_due(&m, t + 50000), "it does not");
	moderate_shown(&m, t + 50000);

	n = stream(&m, &t, 6400, 10000, 1, NULL);
	CHECK(n >= 195 && n <= 205, "10 us: %u batches", n);
	/* one that is out of room waits for twice its usual step */
	moderate_arrival(&m, t);
	moderate_completion(&m, t, 0);
	for (last = t; !moderate_due(&m, t); t += STEP_NS)
		;
	CHECK(t - last >= 15000 && t - last <= 25000, "%u ns",
	      (unsigned int)(t - last));
	moderate_shown(&m, t);

	/* slower: that is soon noticed */
	n = stream(&m, &t, 6400, 24000, 1, &longest);
	CHECK(n >= 195 && n <= 230, "24 us: %u batches", n);
	CHECK(longest <= 1000000, "held for %u ns", (unsigned int)longest);
	/* the host was away, and finds many at once */
	stream(&m, &t, 500, 1000, 50, NULL);
	n = stream(&m, &t, 6400, 20000, 1, NULL);
	CHECK(n >= 195 && n <= 230, "20 us: %u batches", n);
	/* too slow to be waited for, and to wait for long */
	moderate_shown(&m, t);
	longest = 0;
	n = stream(&m, &t, 100, 150000, 1, &longest);
	CHECK(n == 100, "%u batches", n);
	CHECK(longest <= 51000, "held for %u ns", (unsigned int)longest);
	CHECK(!m.trials, "nothing is tried");
}

static void test_fixed(void)
{
	struct moderate m;

	moderate_init(&m, 0);
	CHECK(!moderate_due(&m, 5), "there is nothing");
	moderate_completion(&m, 5, 0);
	CHECK(moderate_due(&m, 5), "off: at once");
	moderate_shown(&m, 5);
	CHECK(!m.held && m.batches == 1 && !m.holds, "shown");

	moderate_init(&m, 50000);
	moderate_completion(&m, 1000, 3);
	moderate_completion(&m, 2000, 2);
	CHECK(!moderate_due(&m, 50999) && moderate_due(&m, 51000),
	      "as long as was asked");
	moderate_shown(&m, 51000);
	CHECK(m.completions == 2 && m.holds == 1 && m.held_ns == 50000,
	      "counted");
}

int main(void)
{
	tap_test("moderate: one request at a time", test_one);
	tap_test("moderate: a deep queue", test_deep);
	tap_test("moderate: a fast guest", test_fast);
	tap_test("moderate: a queue that changes", test_change);
	tap_test("moderate: a stream", test_stream);
	tap_test("moderate: off, fixed", test_fixed);
	return tap_done();
}
