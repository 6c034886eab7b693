// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>

#include "console.h"

/* Without a display a pointer moves over a screen of this size */
#define CONSOLE_WIDTH	1024
#define CONSOLE_HEIGHT	768

void console_add_sink(struct console *c, struct console_sink *sink)
{
	struct console_sink **link = &c->sinks;

	while (*link)
		link = &(*link)->next;
	sink->next = NULL;
	*link = sink;
}

void console_remove_sink(struct console *c, struct console_sink *sink)
{
	struct console_sink **link;

	for (link = &c->sinks; *link; link = &(*link)->next) {
		if (*link == sink) {
			*link = sink->next;
			return;
		}
	}
}

void console_set_screen(struct console *c, const struct console_screen *screen)
{
	if (screen)
		c->screen = *screen;
	else
		memset(&c->screen, 0, sizeof(c->screen));
	if (c->viewer)
		c->viewer->screen(c->viewer, &c->screen);
}

void console_damage(struct console *c, uint32_t x, uint32_t y, uint32_t width,
		    uint32_t height)
{
	if (c->viewer)
		c->viewer->damage(c->viewer, x, y, width, height);
}

void console_set_cursor(struct console *c, const struct console_cursor *cursor)
{
	if (c->viewer)
		c->viewer->cursor(c->viewer, cursor);
}

void console_move_cursor(struct console *c, int32_t x, int32_t y)
{
	if (c->viewer)
		c->viewer->move(c->viewer, x, y);
}

void console_pointer(struct console *c, uint32_t x, uint32_t y,
		     uint32_t buttons)
{
	uint32_t width = c->screen.pixels ? c->screen.width : CONSOLE_WIDTH;
	uint32_t height = c->screen.pixels ? c->screen.height : CONSOLE_HEIGHT;
	struct console_sink *sink;

	if (x >= width)
		x = width - 1;
	if (y >= height)
		y = height - 1;
	for (sink = c->sinks; sink; sink = sink->next) {
		if (sink->pointer)
			sink->pointer(sink, x, y, width, height, buttons);
	}
}

void console_key(struct console *c, uint32_t keysym, bool down)
{
	struct console_sink *sink;

	for (sink = c->sinks; sink; sink = sink->next) {
		if (sink->key)
			sink->key(sink, keysym, down);
	}
}

bool console_resize(struct console *c, uint32_t width, uint32_t height)
{
	struct console_sink *sink;
	bool done = false;

	for (sink = c->sinks; sink; sink = sink->next) {
		if (sink->resize)
			done |= sink->resize(sink, width, height);
	}
	return done;
}
