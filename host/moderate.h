/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * When completions are shown to the guest: at once, or some together.
 *
 * A guest that is slower than the host has one request done before it has sent
 * the next, and takes an interrupt for each, however deep its queue is. So
 * completions are held while the guest goes on sending; it does not miss them.
 * How deep the queue is cannot be seen as long as nothing is held: every so
 * often one completion is held for a moment, as a trial. If another request
 * comes meanwhile, all is held until no more come: as many requests as are then
 * outstanding are the depth. From then on half of that is held, so that the
 * guest has the other half to go on with.
 *
 * A guest with one request outstanding waits for each, which is the one thing
 * that must not be made slower: it is held up by trials alone, and they get
 * rare where they fail.
 *
 * A stream is simpler: packets that are done when they are taken, of a guest
 * that wants nothing from their completions but to go on some time. They are
 * held until no more packets come for a moment, or many are held: a guest that
 * waits for one sends no more.
 *
 * All times are nanoseconds of loop_now(), given by the caller.
 */
#ifndef SYNTHHOST_MODERATE_H
#define SYNTHHOST_MODERATE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct moderate - of one channel; moderate_init() first
 * @limit: the longest hold; 0: nothing is held
 * @fixed: hold for @limit, whatever the guest does
 * @stream: hold until it pauses
 * @pending: requests that are still being done
 * @held: completions that wait
 * @since: when the first of them came
 * @arrived: when the last request came
 * @arrivals: requests that came since @since
 * @gap: how long the guest takes from one request to the next, on average
 * @depth: how many requests it has outstanding
 * @measuring: hold all until no more requests come
 * @trial: a measurement that nothing has spoken for yet
 * @waited: the guest was kept waiting
 * @paid: the last measurement found more than one request
 * @completions, @next_trial: measure when so many have been shown
 * @interval: between two measurements, completions
 * @batches, @holds, @trials, @held_ns: for statistics; @holds are the batches
 *	that waited at all
 */
struct moderate {
	uint64_t limit;
	bool fixed;
	bool stream;
	unsigned int pending;
	unsigned int held;
	uint64_t since;
	uint64_t arrived;
	unsigned int arrivals;
	uint64_t gap;
	unsigned int depth;
	bool measuring;
	bool trial;
	bool waited;
	bool paid;
	uint64_t completions;
	uint64_t next_trial;
	unsigned int interval;
	uint64_t batches, holds, trials, held_ns;
};

#define MODERATE_AUTO	UINT64_MAX
#define MODERATE_STREAM	(UINT64_MAX - 1)

/**
 * moderate_init() - begin anew
 * @ns: hold for so long; 0: never; MODERATE_AUTO: as it pays; MODERATE_STREAM:
 *	while the guest goes on sending
 */
void moderate_init(struct moderate *m, uint64_t ns);

/**
 * moderate_arrival() - a request was taken
 */
void moderate_arrival(struct moderate *m, uint64_t now);

/**
 * moderate_completion() - a completion is ready to be shown
 * @pending: requests that are still being done without it
 */
void moderate_completion(struct moderate *m, uint64_t now,
			 unsigned int pending);

/**
 * moderate_due() - whether what is held is to be shown now
 */
bool moderate_due(struct moderate *m, uint64_t now);

/**
 * moderate_shown() - it was shown
 */
void moderate_shown(struct moderate *m, uint64_t now);

#endif
