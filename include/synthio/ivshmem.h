/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shared-memory transport: what a guest and its host agree on when the
 * channel runs over an ivshmem-doorbell PCI function.
 *
 * Three places hold shared words, and each word has one writer:
 *
 *   bootstrap  the first page of BAR 2, struct synthio_bootstrap. Set-up only:
 *              a BAR below 4 GiB maps uncached, so what is used often is elsewhere.
 *   control    one page of guest RAM, struct synthio_control: the post queue's
 *              indices, the words by which the host asks for doorbells, and
 *              its heartbeat.
 *   VP pages   for each virtual processor a message page and an event-flags
 *              page in guest RAM, in the formats of the TLFS (SIMP, SIEFP).
 *              The flags are set by one side and cleared by the other, with
 *              locked bit operations.
 *
 * All fields are little endian and naturally aligned. docs/ivshmem-transport.md
 * describes the protocol in order.
 */
#ifndef SYNTHIO_IVSHMEM_H
#define SYNTHIO_IVSHMEM_H

#include <linux/types.h>

#define SYNTHIO_PCI_VENDOR		0x1af4
#define SYNTHIO_PCI_DEVICE		0x1110

/* ivshmem-doorbell, BAR 0: QEMU's docs/specs/ivshmem-spec */
#define SYNTHIO_IVSHMEM_IVPOSITION	0x08
#define SYNTHIO_IVSHMEM_DOORBELL	0x0c

#define SYNTHIO_PAGE_SIZE		4096u
#define SYNTHIO_MAGIC			0x004f4948544e5953ULL	/* "SYNTHIO\0" */
#define SYNTHIO_ABI_VERSION		1u
#define SYNTHIO_MAX_VPS			120u
#define SYNTHIO_MAX_COOKIES		4u
#define SYNTHIO_MAX_HOST_VECTORS	64u

/* Connection ids on this transport are bit numbers in the signal-flags page */
#define SYNTHIO_MAX_CONNECTION_ID	(SYNTHIO_PAGE_SIZE * 8 - 1)

/* Guest memory by which the host proves that it knows the RAM layout */
struct synthio_cookie {
	__u64 gpa;		/* of 8 bytes, 8-byte aligned */
	__u64 value;		/* what the guest wrote there */
};

struct synthio_vp {
	__u64 message_gpa;	/* SIMP: 16 slots of 256 bytes, slot = SINT */
	__u64 event_gpa;	/* SIEFP: 16 sets of 2048 flags, set = SINT */
};

enum synthio_command {
	SYNTHIO_CMD_NONE	= 0,
	SYNTHIO_CMD_ATTACH	= 1,	/* forgets all that went before */
	SYNTHIO_CMD_DETACH	= 2,	/* answered once the host touches no page */
};

enum synthio_status {
	SYNTHIO_OK		= 0,
	SYNTHIO_ERR_ABI		= 1,	/* no common ABI version or features */
	SYNTHIO_ERR_COMMAND	= 2,	/* unknown command */
	SYNTHIO_ERR_GPA		= 3,	/* address outside RAM, or misaligned */
	SYNTHIO_ERR_COOKIE	= 4,	/* RAM layout is not what the host was told */
	SYNTHIO_ERR_COUNT	= 5,	/* VPs, vectors or cookies out of range */
};

/**
 * struct synthio_bootstrap - first page of BAR 2
 *
 * Offsets 0x000 to 0x3ff have the host as their only writer, 0x400 to 0xfff
 * the guest. A command is given by filling in the guest's half, writing
 * @command, then (after a write barrier) @command_seq, and ringing host vector
 * 0. It is answered when the host has written @status and then (after a write
 * barrier) @ack_seq = @command_seq.
 *
 * A guest starts from the @ack_seq that it finds, so that the count goes on
 * across a reset.
 */
struct synthio_bootstrap {
	/* written by the host */
	__u64 magic;
	__u32 abi_version;
	__u32 host_peer;	/* the host's ivshmem peer id, for the doorbell */
	__u64 features;		/* none is defined in version 1: 0 */
	__u32 host_vectors;	/* how many doorbell vectors the host listens on */
	__u32 generation;	/* counts host workers since the BAR was made, from 1 */
	__u64 aperture_offset;	/* in BAR 2, page aligned; for MMIO allocations */
	__u64 aperture_size;	/* bytes, 0: none */
	__u32 status;		/* enum synthio_status, of the last command */
	__u32 ack_seq;
	__u8  reserved0[0x400 - 0x38];

	/* written by the guest */
	__u32 guest_abi_version;
	__u32 guest_peer;	/* IVPosition, as the guest read it */
	__u64 guest_features;	/* subset of @features */
	__u64 bar_gpa;		/* where the guest sees BAR 2 */
	__u32 nr_vps;		/* 1 to SYNTHIO_MAX_VPS */
	__u32 nr_vectors;	/* VP v is interrupted on vector v % nr_vectors */
	__u64 control_gpa;	/* struct synthio_control, one page */
	__u64 post_gpa;		/* SYNTHIO_POST_SLOTS × struct synthio_post */
	__u64 signal_gpa;	/* signal flags, one page, bit = connection id */
	__u32 nr_cookies;
	__u32 reserved1;
	struct synthio_cookie cookies[SYNTHIO_MAX_COOKIES];
	__u32 command;
	__u32 command_seq;
	__u8  reserved2[0x880 - 0x488];
	struct synthio_vp vps[SYNTHIO_MAX_VPS];
};

_Static_assert(sizeof(struct synthio_bootstrap) == SYNTHIO_PAGE_SIZE,
	       "the bootstrap is one page");
_Static_assert(__builtin_offsetof(struct synthio_bootstrap,
				  guest_abi_version) == 0x400,
	       "the guest's half starts at 0x400");
_Static_assert(__builtin_offsetof(struct synthio_bootstrap, command) == 0x480,
	       "guest half layout");
_Static_assert(__builtin_offsetof(struct synthio_bootstrap, vps) == 0x880,
	       "VP table layout");

/*
 * A posted message (guest to host), as HvCallPostMessage takes it. The queue
 * has one producer side (the guest, under its own lock) and one consumer.
 */
#define SYNTHIO_POST_SLOTS		16u
#define SYNTHIO_POST_PAYLOAD		240u

struct synthio_post {
	__u32 connection_id;
	__u32 message_type;	/* 1: channel message */
	__u32 payload_size;	/* bytes, at most SYNTHIO_POST_PAYLOAD */
	__u32 reserved;
	__u8  payload[SYNTHIO_POST_PAYLOAD];
};

_Static_assert(sizeof(struct synthio_post) == 256, "post slot");
_Static_assert(sizeof(struct synthio_post) * SYNTHIO_POST_SLOTS ==
	       SYNTHIO_PAGE_SIZE, "the post queue is one page");

/**
 * struct synthio_control - the control page
 * @post_prod: messages posted so far, modulo 2^32; written by the guest
 * @eom: end-of-message writes so far; written by the guest. When it changes the
 *	 host tries again to deliver what found its slot taken
 * @post_cons: messages taken so far; written by the host. The queue is full
 *	       when @post_prod - @post_cons == SYNTHIO_POST_SLOTS
 * @heartbeat: grows at least once a second while the host lives; written by it
 * @need_kick: one word for each host vector, written by the host: not zero
 *	       while the thread behind the vector sleeps or is about to
 *
 * Signals for connection id c belong to host vector c % host_vectors, posted
 * messages, commands and EOMs to vector 0.
 *
 * The doorbell may be left out where need_kick is zero. Each side writes, puts
 * a full barrier, then reads what the other side wrote:
 *
 *	guest				host thread
 *	set flag / advance post_prod	need_kick = 1
 *	full barrier			full barrier
 *	read need_kick			look at flags and post_prod again
 *	ring if set			sleep if there was nothing
 *
 * so at least one of them sees the other. Towards the guest, the host sets an
 * event flag with a locked OR and rings the VP's vector only when the 64-bit
 * word was zero before: the operation that made it non-zero has rung, and the guest
 * takes a word with an exchange, and scans all words for each interrupt. After it
 * has filled a message slot (type last, with release) the host always rings.
 */
struct synthio_control {
	__u32 post_prod;
	__u32 eom;
	__u8  reserved0[64 - 8];
	__u32 post_cons;
	__u32 heartbeat;
	__u8  reserved1[128 - 72];
	__u32 need_kick[SYNTHIO_MAX_HOST_VECTORS];
	__u8  reserved2[SYNTHIO_PAGE_SIZE - 128 - 4 * SYNTHIO_MAX_HOST_VECTORS];
};

_Static_assert(sizeof(struct synthio_control) == SYNTHIO_PAGE_SIZE,
	       "the control page");
_Static_assert(__builtin_offsetof(struct synthio_control, post_cons) == 64,
	       "writers do not share a cache line");
_Static_assert(__builtin_offsetof(struct synthio_control, need_kick) == 128,
	       "control layout");

#endif
