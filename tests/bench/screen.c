// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a display, for `make bench`, until it is ended, or COUNT times if that is
 * not 0. What it has done it tells as asked.h says.
 *
 *	screen full CARD WIDTH HEIGHT COUNT	draws the whole screen anew
 *	screen part CARD WIDTH HEIGHT COUNT	... 200x200 pixels of it
 *	screen move CARD WIDTH HEIGHT COUNT	moves the pointer
 *	screen scroll TERMINAL WIDTH HEIGHT COUNT	writes lines
 *
 * To draw is to copy from memory of its own to the buffer, wherever that lies: in
 * memory that the driver or the host copies once more, or in the device's. Then it
 * tells what is new, unless the driver says that nobody has to be told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "../guest/card.h"
#include "asked.h"

#define PART		200u
#define POINTER		64u
#define COLUMNS		100

static struct card card;
static struct card_buffer screen, pointer;
static uint32_t *drawn[2];	/* what is drawn, in turns */
static bool untold;		/* nobody has to be told */
static int terminal;

static void die(const char *what)
{
	fprintf(stderr, "screen: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int tell(uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	drmModeClip clip = { x, y, x + w, y + h };

	return drmModeDirtyFB(card.fd, screen.fb, &clip, 1);
}

static void open_screen(const char *path, uint32_t width, uint32_t height)
{
	unsigned int i;

	if (card_open(&card, path))
		die(path);
	if (card_buffer(&card, &screen, width, height, DRM_FORMAT_XRGB8888))
		die("buffer");
	card_draw(&screen, 0, 0, width, height, 1);
	if (card_show(&card, &screen))
		die("mode");
	untold = tell(0, 0, 1, 1);
	if (untold && errno != ENOSYS)
		die("dirty");
	for (i = 0; i < 2; i++) {
		drawn[i] = malloc(screen.size);
		if (!drawn[i])
			die("memory");
		card_draw(&screen, 0, 0, width, height, i);
		memcpy(drawn[i], screen.map, screen.size);
	}
}

static int update(uint32_t i, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	uint32_t pitch = screen.pitch / 4, line;
	const uint32_t *from = drawn[i % 2];

	for (line = y; line < y + h; line++)
		memcpy(screen.map + line * pitch + x, from + line * pitch + x,
		       w * 4);
	return untold ? 0 : tell(x, y, w, h);
}

static int full(uint32_t i)
{
	return update(i, 0, 0, screen.width, screen.height);
}

/* Here and there: no two that follow each other touch */
static int part(uint32_t i)
{
	return update(i, i * 331 % (screen.width - PART),
		      i * 257 % (screen.height - PART), PART, PART);
}

static void open_pointer(const char *path, uint32_t width, uint32_t height)
{
	open_screen(path, width, height);
	if (!card.cursor)
		errno = ENODEV;
	if (!card.cursor || card_buffer(&card, &pointer, POINTER, POINTER,
					DRM_FORMAT_ARGB8888))
		die("no cursor plane");
	memset(pointer.map, 0xff, pointer.size);
	if (drmModeSetCursor2(card.fd, card.crtc, pointer.handle, POINTER,
			      POINTER, 0, 0))
		die("cursor");
}

static int move(uint32_t i)
{
	return drmModeMoveCursor(card.fd, card.crtc,
				 i * 7 % (screen.width - POINTER),
				 i * 3 % (screen.height - POINTER));
}

static void open_terminal(const char *path, uint32_t width, uint32_t height)
{
	(void)width;
	(void)height;
	terminal = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
	if (terminal < 0)
		die(path);
}

static int scroll(uint32_t i)
{
	char line[COLUMNS + 2];
	int at = snprintf(line, sizeof(line), "%08u ", i);

	for (; at < COLUMNS; at++)
		line[at] = '!' + (at + i) % 90;
	line[at++] = '\n';
	return write(terminal, line, at) == at ? 0 : -1;
}

static const struct {
	const char *name;
	void (*open)(const char *path, uint32_t width, uint32_t height);
	int (*once)(uint32_t i);
} loads[] = {
	{ "full", open_screen, full }, { "part", open_screen, part },
	{ "move", open_pointer, move }, { "scroll", open_terminal, scroll },
};

int main(int argc, char **argv)
{
	unsigned int k;
	uint32_t i, count;

	for (k = 0; argc == 6 && k < sizeof(loads) / sizeof(loads[0]); k++) {
		if (strcmp(loads[k].name, argv[1]))
			continue;
		loads[k].open(argv[2], strtoul(argv[3], NULL, 10),
			      strtoul(argv[4], NULL, 10));
		count = strtoul(argv[5], NULL, 10);
		errno = asked_start();
		if (errno)
			die("thread");
		for (i = 0; !count || i < count; i++) {
			if (loads[k].once(i))
				die(argv[1]);
			asked_add();
		}
		return 0;
	}
	fprintf(stderr, "usage: screen full|part|move|scroll PATH WIDTH HEIGHT COUNT\n");
	return 2;
}
