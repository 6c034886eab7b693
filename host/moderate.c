// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "moderate.h"

#define MODERATE_LIMIT_NS	1000000ull
#define MODERATE_TRIAL_NS	100000ull
#define MODERATE_GAP_MIN_NS	10000ull	/* scheduling is no pause */
#define MODERATE_GAP_MAX_NS	200000ull
#define MODERATE_GAP_SHIFT	3		/* of the moving average */
#define MODERATE_INTERVAL	64u
#define MODERATE_INTERVAL_MAX	4096u
#define MODERATE_REMEASURE	512u
/* a stream: how many a guest does without, and what is a pause at most */
#define MODERATE_STREAM_HELD	32u
#define MODERATE_PAUSE_MAX_NS	50000ull

void moderate_init(struct moderate *m, uint64_t ns)
{
	memset(m, 0, sizeof(*m));
	m->stream = ns == MODERATE_STREAM;
	m->fixed = ns != MODERATE_AUTO && !m->stream;
	m->limit = m->fixed ? ns : MODERATE_LIMIT_NS;
	m->gap = MODERATE_TRIAL_NS / 2;
	m->depth = 1;
	m->interval = MODERATE_INTERVAL;
	m->next_trial = MODERATE_INTERVAL;
}

void moderate_arrival(struct moderate *m, uint64_t now)
{
	uint64_t gap = now - m->arrived;

	/*
	 * With nothing outstanding it had nothing to send, or no reason. In a
	 * stream nothing is ever outstanding, and gaps beyond what is a pause
	 * now must be seen, or it could never become longer.
	 */
	if ((m->pending || m->held || m->stream) && gap < m->limit) {
		if (gap > MODERATE_GAP_MAX_NS)
			gap = MODERATE_GAP_MAX_NS;
		m->gap += (gap >> MODERATE_GAP_SHIFT) -
			  (m->gap >> MODERATE_GAP_SHIFT);
	}
	m->arrived = now;
	m->arrivals++;
	m->pending++;
	if (m->pending + m->held > m->depth)
		m->depth = m->pending + m->held;
}

void moderate_completion(struct moderate *m, uint64_t now,
			 unsigned int pending)
{
	m->pending = pending;
	if (!m->held++) {
		m->since = now;
		m->arrivals = 0;
		if (!m->fixed && !m->stream &&
		    m->completions >= m->next_trial) {
			m->measuring = true;
			m->trial = m->depth == 1;
			m->trials++;
		}
	}
}

/*
 * The guest sends no more: what is outstanding is all that it wants to have.
 * Unless somebody else had its CPU, so one look is not believed altogether.
 */
static void moderate_seen(struct moderate *m)
{
	unsigned int less = m->depth - (m->depth + 3) / 4;

	m->depth = m->pending + m->held;
	if (m->depth < less)
		m->depth = less;
}

static void moderate_measured(struct moderate *m)
{
	unsigned int before = m->depth;

	moderate_seen(m);
	if (m->depth < before)
		m->interval = MODERATE_INTERVAL;
	else if (m->depth > 1)
		m->interval = MODERATE_REMEASURE;
	else if (m->paid)
		m->interval = MODERATE_INTERVAL;
	else if (m->interval < MODERATE_INTERVAL_MAX)
		m->interval *= 2;
	m->paid = m->depth > 1;
	m->measuring = false;
	m->next_trial = m->completions + m->held + m->interval;
}

/* No sign of a guest that still sends, for so long */
static uint64_t moderate_patience(const struct moderate *m)
{
	uint64_t patience = 2 * m->gap;

	return patience < MODERATE_GAP_MIN_NS ? MODERATE_GAP_MIN_NS : patience;
}

/* Until it pauses: then it waits for them, or for nothing */
static bool moderate_pauses(const struct moderate *m, uint64_t now)
{
	uint64_t pause = moderate_patience(m);

	if (pause > MODERATE_PAUSE_MAX_NS)
		pause = MODERATE_PAUSE_MAX_NS;
	return now - m->arrived >= pause;
}

static bool moderate_enough(struct moderate *m, uint64_t now)
{
	uint64_t patience = moderate_patience(m);

	if (now - m->since >= m->limit) {
		if (m->measuring)
			moderate_measured(m);
		return true;
	}
	if (m->fixed)
		return false;
	if (m->stream)
		return m->held >= MODERATE_STREAM_HELD ||
		       moderate_pauses(m, now);
	if (m->measuring) {
		if (m->trial && !m->arrivals)
			patience = MODERATE_TRIAL_NS;
		if (now - m->since < patience || now - m->arrived < patience)
			return false;
		moderate_measured(m);
		return true;
	}
	if (m->held >= m->depth / 2)
		return true;
	if (now - m->arrived < patience)
		return false;
	moderate_seen(m);
	return true;
}

bool moderate_due(struct moderate *m, uint64_t now)
{
	if (!m->held)
		return false;
	if (moderate_enough(m, now))
		return true;
	m->waited = true;
	return false;
}

void moderate_shown(struct moderate *m, uint64_t now)
{
	if (!m->held)
		return;
	m->batches++;
	m->completions += m->held;
	if (m->waited) {
		m->holds++;
		m->held_ns += now - m->since;
	}
	m->waited = false;
	m->held = 0;
	m->measuring = false;
}
