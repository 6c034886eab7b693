/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a unit is: which questions it is asked, in which order, and what follows
 * from an answer or from none. No I/O and no kernel service: whoever calls this
 * sends the questions, so that it is tested in user space, against the command
 * set of the reference host.
 *
 * INQUIRY and READ CAPACITY must be answered. Everything else is best effort: a
 * unit that refuses a question, fails it or does not answer it is a disk all
 * the same, with what is safe for any: a write cache, no discard, no limits.
 */
#ifndef SYNTHIO_IDENTIFY_H
#define SYNTHIO_IDENTIFY_H

#include "sbc.h"

/**
 * struct sbc_asker - who sends questions to a unit
 * @ask: send a command of @cdb_len bytes, wait for the answer, of which at most
 *	@room bytes are wanted. Returns the bytes of data that came; -EOPNOTSUPP
 *	if the unit refuses the command; -EIO if it failed for another reason,
 *	@v says which; -ETIMEDOUT if the unit does not answer; another error if
 *	nobody can be asked any more
 * @answer: the data of the last one, SBC_ANSWER_MAX bytes
 */
struct sbc_asker {
	int (*ask)(struct sbc_asker *a, const u8 *cdb, u8 cdb_len, u32 room,
		   struct sbc_verdict *v);
	const u8 *answer;
};

/**
 * sbc_identify() - ask a unit what it is
 * @a: sends the questions
 * @version: STORVSP_VERSION_*, on which some rules depend
 * @d: gets the answers. Where d->type is not SBC_TYPE_DISK, nothing else
 *
 * Context: as @a->ask.
 * Return: 0; -ENODEV if nothing is there; -EINVAL if what it says is nonsense;
 *	-EIO or -EOPNOTSUPP if it does not tell what must be known; or another
 *	error of @a->ask.
 */
int sbc_identify(struct sbc_asker *a, u16 version, struct sbc_disk *d);

/**
 * sbc_same() - whether a unit is still the one that it was
 * @old: what it said once
 * @now: what it says now
 *
 * What it was asked and did not answer, this time or then, proves nothing.
 */
bool sbc_same(const struct sbc_disk *old, const struct sbc_disk *now);

/**
 * sbc_fill_in() - take over what a unit has told before and does not tell now
 * @now: what it says now
 * @old: what it said before; sbc_same()
 */
void sbc_fill_in(struct sbc_disk *now, const struct sbc_disk *old);

#endif
