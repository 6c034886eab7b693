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
 * @bare_sizes: the sizes in messages to the guest don't count message headers
 */
struct profile_pipe {
	uint32_t max_packet;
	bool bare_sizes;
};

/**
 * struct profile_synthvid - displays
 * @accepted: what says that a version was
 * @any_offset: the picture may be anywhere in the VRAM; else at its beginning
 * @no_features: what the guest should send is never said
 * @few_resolutions: a guest that asks for less than all resolutions is told some;
 *	else none
 * @shape_part: bytes of a pointer's picture in one message, at most; 0: any
 * @dot: as long as the guest has sent no picture of the pointer, a dot is drawn
 * @always_visible: that a pointer is said to be invisible is ignored
 */
struct profile_synthvid {
	uint8_t accepted;
	bool any_offset;
	bool no_features;
	bool few_resolutions;
	uint32_t shape_part;
	bool dot;
	bool always_visible;
};

/**
 * struct profile_mouse - mice
 * @descriptor_room: bytes that a report descriptor has in the message of it, of
 *	which those that are not used are not counted in the message's size
 * @wide_wheel: the wheel has 16 bits, and there is none for sideways
 */
struct profile_mouse {
	uint32_t descriptor_room;
	bool wide_wheel;
};

/**
 * struct host_profile - how one kind of host behaves
 * @name: as in --like
 * @help: for --help
 * @pipe: see struct profile_pipe
 * @synthvid: see struct profile_synthvid
 * @mouse: see struct profile_mouse
 */
struct host_profile {
	const char *name;
	const char *help;
	struct profile_pipe pipe;
	struct profile_synthvid synthvid;
	struct profile_mouse mouse;
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
