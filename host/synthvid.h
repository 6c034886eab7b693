/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic display: what its files know of each other.
 *
 *	synthvid.c		the protocol
 *	synthvid_pointer.c	the pointer
 *	synthvid_modes.c	resolutions and EDID
 *	synthvid_command.c	options and commands
 *	synthvid_state.c	what survives a worker
 */
#ifndef SYNTHHOST_SYNTHVID_H
#define SYNTHHOST_SYNTHVID_H

#include <synthio/synthvid.h>

#include "console.h"
#include "pipe.h"

#define SYNTHVID_BPP		4u		/* bytes of a pixel */
#define SYNTHVID_MIN_SIDE	64u
#define SYNTHVID_MAX_SIDE	8192u

enum synthvid_state {
	SYNTHVID_CLOSED,
	SYNTHVID_OPENED,
	SYNTHVID_NEGOTIATED,
};

/**
 * struct synthvid_counts - what the guest has sent
 * @dirts: DIRT messages, with @rects rectangles of @pixels pixels in all
 * @clipped: rectangles that were partly or wholly outside of the screen
 * @shape_parts: messages that pictures of the pointer came in
 * @shape_bytes: of those pictures
 * @bytes: of all messages, with their headers
 */
struct synthvid_counts {
	uint64_t dirts, rects, pixels, clipped;
	uint64_t situations, positions, shapes, shape_parts, shape_bytes;
	uint64_t resolutions, vram_locations;
	uint64_t bytes;
};

/**
 * struct synthvid_pointer - a picture of the pointer
 * @width: 0: the guest has sent none, and nothing is drawn
 * @dot: the guest has sent none, this is the host's own
 */
struct synthvid_pointer {
	uint32_t width, height, hot_x, hot_y;
	bool dot;
	uint32_t argb[SYNTHVID_POINTER_MAX * SYNTHVID_POINTER_MAX];
};

/**
 * struct synthvid_arriving - a picture that has not come as a whole yet
 * @parts: that have come; 0: there is none
 * @bytes: of @argb
 */
struct synthvid_arriving {
	struct synthvid_pointer_shape shape;
	uint32_t parts, bytes;
	uint8_t argb[SYNTHVID_POINTER_MAX * SYNTHVID_POINTER_MAX * 4];
};

/**
 * struct synthvid - one display
 * @max_version: the newest that is accepted
 * @vram_size: bytes
 * @vram: where the guest has put it, NULL if it has not said; @vram_gpa: what it
 *	has said
 * @active: @output is shown
 * @refresh: shows it again and again, once nobody tells what has changed
 * @modes: what the guest may choose from; @preferred is an index
 * @features: what the guest is told that it should send
 * @quiet: no feature change is sent unasked
 * @forgets: what was in the VRAM is overwritten when the guest says where it is
 * @position: of the pointer
 * @pointer_copy: where synthvid_keep_pointer() has put @pointer last;
 *	@pointer_committed: where that is committed
 */
struct synthvid {
	struct device dev;
	struct pipe pipe;
	struct console_sink sink;
	enum synthvid_state state;
	uint32_t max_version;
	uint32_t version;
	uint64_t vram_size;
	uint8_t *vram;
	uint64_t vram_gpa;
	bool active;
	struct loop_timer refresh;
	struct synthvid_output output;
	struct synthvid_resolution modes[SYNTHVID_MAX_RESOLUTIONS];
	unsigned int mode_count, preferred;
	struct synthvid_feature_change features;
	bool quiet;
	bool forgets;
	bool edid;
	struct synthvid_counts counts;
	struct synthvid_pointer_position position;
	struct synthvid_pointer pointer;
	struct synthvid_arriving arriving;
	uint8_t pointer_copy, pointer_committed;
};

/**
 * struct synthvid_saved - a display
 * @vram_given: the guest has said that its VRAM is at @vram_gpa
 * @pointer_copy: which copy of the pointer is valid
 * @parts, @part_bytes, @shape: a picture of the pointer that has come in part
 */
struct synthvid_saved {
	uint32_t state, version;
	uint64_t vram_gpa;
	struct synthvid_output output;
	struct synthvid_resolution modes[SYNTHVID_MAX_RESOLUTIONS];
	uint32_t mode_count, preferred;
	struct synthvid_feature_change features;
	struct synthvid_pointer_position position;
	struct synthvid_pointer_shape shape;
	uint32_t parts, part_bytes;
	uint8_t vram_given, active, pointer_copy, refreshes;
};

struct synthvid_area {
	struct synthvid_pointer pointer[2];
	uint8_t arriving[sizeof(((struct synthvid_arriving *)0)->argb)];
};

extern struct device_kind synthvid_kind;
extern const struct device_option synthvid_options[];
extern const struct device_command synthvid_commands[];

static inline struct synthvid *to_synthvid(struct device *dev)
{
	return container_of(dev, struct synthvid, dev);
}

/**
 * synthvid_refresh() - the timer's
 */
void synthvid_refresh(struct loop_timer *timer);

/**
 * synthvid_features() - tell the guest what it should send
 *
 * It may take that as a hint to ask for resolutions again.
 */
void synthvid_features(struct synthvid *v);

/**
 * synthvid_pointer_open() - the guest has sent nothing yet
 */
void synthvid_pointer_open(struct synthvid *v);

/**
 * synthvid_pointer_close() - the mirror: nothing is drawn
 */
void synthvid_pointer_close(struct synthvid *v);

void synthvid_pointer_position(struct synthvid *v,
			       const struct synthvid_pointer_position *p);

/**
 * synthvid_pointer_shape() - take a picture, or a part of one
 *
 * Return: false: a host takes no such message.
 */
bool synthvid_pointer_shape(struct synthvid *v, const struct pipe_message *msg);

/**
 * synthvid_pointer_drawn() - the pointer is drawn, even if nobody can see it
 */
bool synthvid_pointer_drawn(const struct synthvid *v);

/**
 * synthvid_pointer_state() - what a person sees: "visible", "hidden", or "dot"
 */
const char *synthvid_pointer_state(const struct synthvid *v);

/**
 * synthvid_modes_init() - the usual sizes, as far as the VRAM allows
 */
void synthvid_modes_init(struct synthvid *v);

/**
 * synthvid_prefer() - add a size, if it is new, and prefer it
 *
 * Return: 0, or -ERANGE: too small, or more than the VRAM holds.
 */
int synthvid_prefer(struct synthvid *v, uint32_t width, uint32_t height);

/**
 * synthvid_edid() - describe a display whose best size this is
 * @edid: SYNTHVID_EDID_BYTES
 */
void synthvid_edid(uint8_t *edid, uint32_t width, uint32_t height);

/**
 * synthvid_show() - show the console what @output says
 * synthvid_pointer_show() - and the pointer
 */
void synthvid_show(struct synthvid *v);
void synthvid_pointer_show(struct synthvid *v);

/* Callbacks of struct device_ops */
void synthvid_save(struct device *dev, void *state);
int synthvid_restore(struct device *dev, const void *state);
void synthvid_settled(struct device *dev);

/**
 * synthvid_keep_pointer() - @pointer has changed
 * synthvid_keep_part() - of the arriving picture more than @from bytes are there
 */
void synthvid_keep_pointer(struct synthvid *v);
void synthvid_keep_part(struct synthvid *v, uint32_t from);

void synthvid_destroy(struct device *dev);
void synthvid_status(struct device *dev, struct text *out);

#endif
