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
 * struct profile_bus - the bus itself
 * @overlay: message slots are the host's own memory, which the guest's page lies
 *	under: what is left in one is there again when the guest shows a page
 *	after it had taken the one before away
 * @modify_open_only: modify-channel is not answered any more once the channel
 *	is closed
 * @offers_beside: a device that was rescinded is offered anew, under another
 *	relid, while the guest has not released the old one yet
 * @subchannel_ms: so long after they were asked for sub-channels are offered, one
 *	after the other
 */
struct profile_bus {
	bool overlay;
	bool modify_open_only;
	bool offers_beside;
	uint32_t subchannel_ms;
};

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

/* How long completions of what the guest has sent are */
enum profile_completion {
	PROFILE_COMPLETION_SHORT,	/* their fields: 8 bytes */
	PROFILE_COMPLETION_WHOLE,	/* a message of the version: 28 or 40 */
	PROFILE_COMPLETION_VARIED,	/* 8, 28 and 40 in turn */
};

/**
 * struct profile_netvsp - network cards
 * @slot_head: where data begins in a suballocation of the receive buffer; 0: where
 *	it suits both sides
 * @slot_tail: bytes at its end that are not used. With either of them its size is
 *	what the frame needs, and no multiple of anything
 * @slot_skew: a suballocation of a size that we choose has so many bytes more
 * @slot_claimed: an RNDIS packet says that it is as long as its suballocation
 * @control_slots: so many suballocations, the first of all, are for control
 *	messages; the last of them is used first. 0: any of them
 * @control_exact: the range of a control message is as long as the message
 * @info_uncounted: an indication's info is not counted in the message's length
 * @link_indicated: a question for the link is answered "connected" whatever is the
 *	case; indications tell, also right after INITIALIZE if it is not
 * @min_frame, @max_frame: a guest's frame size outside of these is 1514; 0: no bound
 * @table_old: up to NVSP 6 the send table is at 40, and its offset says less
 * @completion: see enum profile_completion
 * @tags_dropped: a frame with a VLAN's tag inside is dropped
 * @tags_plain: checksums and large sends are refused for such a frame
 * @path_switched: SWITCH_DATA_PATH is sent after INITIALIZE
 * @subchannels_all: a guest that asks for more than there are gets none
 * @subchannel_ms: that long after their grant sub-channels are offered
 * @deaf_when_revoked: nothing is read after a buffer was revoked
 * @no_multicast_list: OID_802_3_MULTICAST_LIST is not known
 * @no_rsc, @no_udp_hash: what is not offered
 * @unknown_oid: status of a question that is not known, NDIS_STATUS_*
 */
struct profile_netvsp {
	uint32_t slot_head;
	uint32_t slot_tail;
	uint32_t slot_skew;
	bool slot_claimed;
	uint32_t control_slots;
	bool control_exact;
	bool info_uncounted;
	bool link_indicated;
	uint32_t min_frame;
	uint32_t max_frame;
	bool table_old;
	enum profile_completion completion;
	bool tags_dropped;
	bool tags_plain;
	bool path_switched;
	bool subchannels_all;
	uint32_t subchannel_ms;
	bool deaf_when_revoked;
	bool no_multicast_list;
	bool no_rsc;
	bool no_udp_hash;
	uint32_t unknown_oid;
};

/**
 * struct profile_storvsp - disks and their controller
 * @max_version: newest version of the protocol, STORVSP_VERSION_*; 0: any
 * @max_transfer: bytes, of a controller of which no option says it; 0: as it is
 * @write_same_max: bytes of one WRITE SAME; 0: a gigabyte
 * @sense_room: completions name so many bytes of sense data, there or not
 * @guid_ids: page 83 has a GUID, and an NAA identifier of 16 bytes made of it
 * @serial_if_given: page 80 is that of disks to which an option gives a serial
 *	number, others have none
 * @pages_of_unmap: so pages B0 and B1 of disks that do UNMAP
 * @no_transfer_limit: page B0 names none
 * @plain_unmap: UNMAP is the one way to discard, and promises no zeroes; WRITE
 *	SAME wants its block of data
 * @exact_lists: the lengths in an UNMAP list are those of the list
 * @no_control_page: MODE SENSE knows the caching page only
 * @no_fua: FUA is not understood
 * @fixed_cache: MODE SELECT does not turn the write cache on or off
 * @any_error: whatever fails behind a disk, the sense data are 3/0000
 * @bad_request: SRB status 06 goes with every illegal request, not only with
 *	unknown commands and fields
 * @missing_check: I/O to a unit that is not there has status CHECK CONDITION
 *	beside the SRB status, and no sense data
 */
struct profile_storvsp {
	uint32_t max_version;
	uint32_t max_transfer;
	uint32_t write_same_max;
	uint8_t sense_room;
	bool guid_ids;
	bool serial_if_given;
	bool pages_of_unmap;
	bool no_transfer_limit;
	bool plain_unmap;
	bool exact_lists;
	bool no_control_page;
	bool no_fua;
	bool fixed_cache;
	bool any_error;
	bool bad_request;
	bool missing_check;
};

/**
 * struct host_profile - how one kind of host behaves
 * @name: as in --like
 * @help: for --help
 * @bus: see struct profile_bus
 * @pipe: see struct profile_pipe
 * @storvsp: see struct profile_storvsp
 * @synthvid: see struct profile_synthvid
 * @mouse: see struct profile_mouse
 * @netvsp: see struct profile_netvsp
 */
struct host_profile {
	const char *name;
	const char *help;
	struct profile_bus bus;
	struct profile_pipe pipe;
	struct profile_storvsp storvsp;
	struct profile_synthvid synthvid;
	struct profile_mouse mouse;
	struct profile_netvsp netvsp;
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
