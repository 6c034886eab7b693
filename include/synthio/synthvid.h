/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic display's protocol, as the kernel's hyperv_drm speaks it.
 * In-band packets: a pipe header (pipe.h), a message header, a payload. Little
 * endian, packed.
 *
 *	guest				host
 *	VERSION_REQUEST			VERSION_RESPONSE
 *	RESOLUTION_REQUEST (>= 3.5)	RESOLUTION_RESPONSE
 *	VRAM_LOCATION			VRAM_LOCATION_ACK
 *	SITUATION_UPDATE		SITUATION_UPDATE_ACK
 *	DIRT, POINTER_POSITION,
 *	POINTER_SHAPE
 *					FEATURE_CHANGE, at any time, or never
 */
#ifndef SYNTHIO_SYNTHVID_H
#define SYNTHIO_SYNTHVID_H

#include <linux/types.h>

#include <synthio/pipe.h>

/* {da0a7802-e377-4aac-8e77-0558eb1073f8} */
#define SYNTHVID_GUID_INIT \
	GUID_INIT(0xda0a7802, 0xe377, 0x4aac, 0x8e, 0x77, \
		  0x05, 0x58, 0xeb, 0x10, 0x73, 0xf8)

/* minor << 16 | major, unlike the bus's versions */
#define SYNTHVID_VERSION(major, minor)	((__u32)(minor) << 16 | (major))
#define SYNTHVID_VERSION_3_2		SYNTHVID_VERSION(3, 2)
#define SYNTHVID_VERSION_3_5		SYNTHVID_VERSION(3, 5)

enum synthvid_type {
	SYNTHVID_ERROR			= 0,
	SYNTHVID_VERSION_REQUEST	= 1,
	SYNTHVID_VERSION_RESPONSE	= 2,
	SYNTHVID_VRAM_LOCATION		= 3,
	SYNTHVID_VRAM_LOCATION_ACK	= 4,
	SYNTHVID_SITUATION_UPDATE	= 5,
	SYNTHVID_SITUATION_UPDATE_ACK	= 6,
	SYNTHVID_POINTER_POSITION	= 7,
	SYNTHVID_POINTER_SHAPE		= 8,
	SYNTHVID_FEATURE_CHANGE		= 9,
	SYNTHVID_DIRT			= 10,
	SYNTHVID_RESOLUTION_REQUEST	= 13,
	SYNTHVID_RESOLUTION_RESPONSE	= 14,
};

/*
 * Guests count this header in @size, some hosts don't: a receiver uses the length of
 * the packet instead.
 */
struct synthvid_header {
	__u32 type;
	__u32 size;
};

struct synthvid_version_request {
	__u32 version;
};

struct synthvid_version_response {
	__u32 version;
	__u8  accepted;
	__u8  max_outputs;
} __attribute__((packed));

struct synthvid_vram_location {
	__u64 context;		/* comes back in the ack */
	__u8  gpa_given;
	__u64 gpa;
} __attribute__((packed));

struct synthvid_ack {		/* of VRAM_LOCATION and SITUATION_UPDATE */
	__u64 context;
};

struct synthvid_output {
	__u8  active;
	__u32 offset;		/* into the VRAM */
	__u8  depth;		/* bits of a pixel */
	__u32 width;		/* pixels */
	__u32 height;
	__u32 pitch;		/* bytes */
} __attribute__((packed));

struct synthvid_situation {
	__u64 context;
	__u8  outputs;		/* 1 */
	struct synthvid_output output;
} __attribute__((packed));

struct synthvid_pointer_position {
	__u8  visible;
	__u8  output;
	__s32 x;		/* of the image's upper left corner */
	__s32 y;
} __attribute__((packed));

#define SYNTHVID_POINTER_MAX		96	/* pixels, both ways */
#define SYNTHVID_POINTER_PART		8192	/* bytes of pixels in a message */
#define SYNTHVID_POINTER_COMPLETE	0xff

/*
 * A picture of more bytes is sent in parts. All have this header, and in @part 0,
 * 1 and so on; the last one, which may be the first, SYNTHVID_POINTER_COMPLETE.
 */
struct synthvid_pointer_shape {
	__u8  part;
	__u8  argb;
	__u32 width;
	__u32 height;
	__u32 hot_x;
	__u32 hot_y;
	/*
	 * then bytes of width × height × 4 in all: blue, green, red, alpha, which
	 * is not multiplied in
	 */
} __attribute__((packed));

struct synthvid_feature_change {
	__u8  dirt;		/* which messages the host wants from now on */
	__u8  pointer_position;
	__u8  pointer_shape;
	__u8  situation;
};

struct synthvid_rect {
	__s32 x1, y1;
	__s32 x2, y2;		/* exclusive */
};

#define SYNTHVID_MAX_RECTS		255

struct synthvid_dirt {
	__u8  output;
	__u8  count;
	/* then as many struct synthvid_rect */
};

#define SYNTHVID_EDID_BYTES		128
#define SYNTHVID_MAX_RESOLUTIONS	64

struct synthvid_resolution_request {
	__u8  max;		/* how many the guest can take: 64 */
};

struct synthvid_resolution {
	__u16 width;
	__u16 height;
};

struct synthvid_resolution_response {
	__u8  edid[SYNTHVID_EDID_BYTES];
	__u8  count;
	__u8  preferred;	/* index of the one that the host prefers */
	__u8  is_standard;
	/* then as many struct synthvid_resolution */
};

_Static_assert(sizeof(struct synthvid_header) == 8, "header");
_Static_assert(sizeof(struct synthvid_version_response) == 6, "version");
_Static_assert(sizeof(struct synthvid_vram_location) == 17, "vram location");
_Static_assert(sizeof(struct synthvid_output) == 18, "output");
_Static_assert(sizeof(struct synthvid_situation) == 27, "situation");
_Static_assert(sizeof(struct synthvid_pointer_position) == 10, "position");
_Static_assert(sizeof(struct synthvid_pointer_shape) == 18, "shape");
_Static_assert(sizeof(struct synthvid_feature_change) == 4, "features");
_Static_assert(sizeof(struct synthvid_rect) == 16, "rectangle");
_Static_assert(sizeof(struct synthvid_dirt) == 2, "dirt");
_Static_assert(sizeof(struct synthvid_resolution) == 4, "resolution");
_Static_assert(sizeof(struct synthvid_resolution_response) == 131,
	       "resolutions");

#endif
