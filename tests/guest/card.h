/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A display through DRM: its first connector and CRTC, and buffers to draw in.
 * For programs that run in a guest. What returns an int returns 0, or -1 with
 * errno.
 */
#ifndef SYNTHIO_TESTS_CARD_H
#define SYNTHIO_TESTS_CARD_H

#include <stdbool.h>
#include <stdint.h>

#include <xf86drm.h>
#include <xf86drmMode.h>

/**
 * struct card_buffer - one that is mapped; zeros: none
 * @pitch: bytes of a line
 * @offset: where the card's file has it, for mmap()
 */
struct card_buffer {
	uint32_t handle, fb, width, height, pitch;
	uint64_t size, offset;
	uint32_t *map;
};

/**
 * struct card - an open device
 * @primary: plane of the picture
 * @cursor: plane of the pointer, 0 if there is none
 */
struct card {
	int fd;
	uint32_t connector, crtc, primary, cursor;
};

int card_open(struct card *c, const char *path);

/**
 * card_buffer() - make a buffer, in the place of what was there
 * @format: DRM_FORMAT_*, of 32 bits
 */
int card_buffer(struct card *c, struct card_buffer *b, uint32_t width,
		uint32_t height, uint32_t format);

void card_free(struct card *c, struct card_buffer *b);

/**
 * card_draw() - draw what tests/vm/screen.py computes, too
 */
void card_draw(struct card_buffer *b, uint32_t x1, uint32_t y1, uint32_t w,
	       uint32_t h, uint32_t seed);

/**
 * card_mode() - the mode of this size
 *
 * Return: forever, the caller frees nothing; NULL if there is none.
 */
drmModeModeInfo *card_mode(struct card *c, uint32_t width, uint32_t height);

/**
 * card_show() - set the mode of a buffer's size, and show the buffer
 */
int card_show(struct card *c, struct card_buffer *b);

/**
 * card_prop() - the ID of a property
 * @type: DRM_MODE_OBJECT_*
 *
 * Return: 0 if the object has no such property.
 */
uint32_t card_prop(struct card *c, uint32_t object, uint32_t type,
		   const char *name);

#endif
