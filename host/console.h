/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a person sits at: one screen, and where keys and pointer go. Devices
 * register what they have; a viewer (vnc.h) shows it and brings input. None of
 * them knows another. All of it is called from the loop.
 */
#ifndef SYNTHHOST_CONSOLE_H
#define SYNTHHOST_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct console_screen - a picture of 32-bit pixels: blue, green, red, unused
 * @pixels: guest memory, which changes at any time; NULL: nothing is shown
 * @pitch: bytes from one line to the next
 */
struct console_screen {
	const void *pixels;
	uint32_t width, height, pitch;
};

/**
 * struct console_cursor - @argb has width × height pixels, not premultiplied
 */
struct console_cursor {
	const uint32_t *argb;
	uint32_t width, height;
	uint32_t hot_x, hot_y;
};

/**
 * struct console_sink - takes input; leave out what it does not take
 * @pointer: @x of 0 to @width - 1; @buttons: bit 0 left, 1 middle, 2 right,
 *	3 and 4 wheel up and down, 5 and 6 wheel left and right, 7 back, 8 forward
 * @key: an X11 keysym
 * @resize: the viewer wants another size; false: not possible
 */
struct console_sink {
	void (*pointer)(struct console_sink *sink, uint32_t x, uint32_t y,
			uint32_t width, uint32_t height, uint32_t buttons);
	void (*key)(struct console_sink *sink, uint32_t keysym, bool down);
	bool (*resize)(struct console_sink *sink, uint32_t width,
		       uint32_t height);
	/* the console's own */
	struct console_sink *next;
};

/**
 * struct console_viewer - shows the screen
 * @screen: it is another one now, or its size is. When this returns the old
 *	pixels are not looked at any more
 * @damage: this part has changed; inside of the screen
 * @cursor: another shape; NULL: none. Copied
 * @move: the cursor's image is there now
 */
struct console_viewer {
	void (*screen)(struct console_viewer *v,
		       const struct console_screen *screen);
	void (*damage)(struct console_viewer *v, uint32_t x, uint32_t y,
		       uint32_t width, uint32_t height);
	void (*cursor)(struct console_viewer *v,
		       const struct console_cursor *cursor);
	void (*move)(struct console_viewer *v, int32_t x, int32_t y);
};

struct console {
	struct console_screen screen;
	struct console_viewer *viewer;
	struct console_sink *sinks;
};

void console_add_sink(struct console *c, struct console_sink *sink);
void console_remove_sink(struct console *c, struct console_sink *sink);

/* What the screen's device says; @screen NULL: there is none */
void console_set_screen(struct console *c, const struct console_screen *screen);
void console_damage(struct console *c, uint32_t x, uint32_t y, uint32_t width,
		    uint32_t height);
void console_set_cursor(struct console *c, const struct console_cursor *cursor);
void console_move_cursor(struct console *c, int32_t x, int32_t y);

/* What the viewer says */
void console_pointer(struct console *c, uint32_t x, uint32_t y,
		     uint32_t buttons);
void console_key(struct console *c, uint32_t keysym, bool down);
bool console_resize(struct console *c, uint32_t width, uint32_t height);

#endif
