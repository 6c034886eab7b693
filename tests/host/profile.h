/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kind of host synthhost behaves like (--like): every difference between
 * hosts that a guest can see, and that is not a device's own option, is a field
 * of struct host_profile. The fields' values are in profile.c and nowhere else.
 *
 * A profile is about habits that the protocols leave open, and about limits
 * that they don't state. What is wrong by the protocol on every host is refused
 * whatever the profile says.
 */
#ifndef SYNTHHOST_PROFILE_H
#define SYNTHHOST_PROFILE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct profile_pipe - packets of the mouse and the display
 * @max_packet: of this many bytes at most, headers of the pipe and of the
 *	message included; a longer one ends the device. 0: as long as the ring
 */
struct profile_pipe {
	uint32_t max_packet;
};

/**
 * struct host_profile - how one kind of host behaves
 * @name: as in --like
 * @help: for --help
 * @pipe: see struct profile_pipe
 */
struct host_profile {
	const char *name;
	const char *help;
	struct profile_pipe pipe;
};

/**
 * profile_default() - what synthhost behaves like without --like
 */
const struct host_profile *profile_default(void);

/**
 * profile_find() - a profile by its name
 *
 * Return: NULL if there is none of this name.
 */
const struct host_profile *profile_find(const char *name);

/**
 * profile_at() - all profiles, from 0; NULL after the last
 */
const struct host_profile *profile_at(unsigned int i);

#endif
