/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a unit is: which commands ask it, in which order, and what follows from an
 * answer or from none. No I/O and no kernel service: the caller sends the commands,
 * so that this is tested in user space, against the command set of the reference
 * host.
 *
 * INQUIRY and READ CAPACITY must be answered. Everything else is optional: a unit that
 * refuses a command, fails it or does not answer it is a disk all the same, with
 * defaults that are safe for any disk: a write cache, no discard, no limits.
 */
#ifndef SYNTHIO_IDENTIFY_H
#define SYNTHIO_IDENTIFY_H

#include "sbc.h"

/**
 * struct sbc_asker - sends commands to a unit
 * @ask: send a command of @cdb_len bytes, wait for the answer, of which at most
 *	@room bytes are wanted. Returns the bytes of data that came; -EOPNOTSUPP
 *	if the unit refuses the command; -EIO if it failed for another reason,
 *	@v has it; -ETIMEDOUT if the unit does not answer; another error if the
 *	channel can't be used any more
 * @answer: the data of the last answer, SBC_ANSWER_MAX bytes
 */
struct sbc_asker {
	int (*ask)(struct sbc_asker *a, const u8 *cdb, u8 cdb_len, u32 room,
		   struct sbc_verdict *v);
	const u8 *answer;
};

/**
 * sbc_identify() - ask a unit what it is
 * @a: sends the commands
 * @version: STORVSP_VERSION_*, on which some rules depend
 * @d: gets the answers; if d->type is not SBC_TYPE_DISK, the type alone
 *
 * Context: as @a->ask.
 * Return: 0; -ENODEV if nothing is there; -EINVAL if an answer makes no sense;
 *	-EIO or -EOPNOTSUPP if INQUIRY or READ CAPACITY fail; or another error of
 *	@a->ask.
 */
int sbc_identify(struct sbc_asker *a, u16 version, struct sbc_disk *d);

/**
 * sbc_same() - whether a unit may still be the one that it was
 * @old: what it has reported once
 * @now: what it reports now
 *
 * What it did not answer, this time or then, is no reason to take it for another.
 */
bool sbc_same(const struct sbc_disk *old, const struct sbc_disk *now);

enum sbc_identity {
	SBC_IDENTITY_SAME,
	SBC_IDENTITY_OTHER,
	SBC_IDENTITY_UNKNOWN,	/* what would prove it was not answered this time */
};

/**
 * sbc_compare() - whether a unit is proved to be the one that it was
 * @old: what it has reported once
 * @now: what it reports now
 *
 * Stricter than sbc_same(): whatever names the unit, its serial number and its
 * identifier, has to be reported again and be the same. A unit that has neither is
 * known by its size alone. One that is proved may have another size: it was resized.
 */
enum sbc_identity sbc_compare(const struct sbc_disk *old,
			      const struct sbc_disk *now);

/**
 * sbc_fill_in() - take over what a unit has reported before and does not report now
 * @now: what it reports now
 * @old: what it has reported before; sbc_same()
 */
void sbc_fill_in(struct sbc_disk *now, const struct sbc_disk *old);

#endif
