// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does to a display what a test says, one command a line on stdin, and answers
 * each with a line: "ok", perhaps with what was asked, or "error: why". Runs in a
 * guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "card.h"

static struct card card;
static struct card_buffer screen[2], pointer;
static unsigned int front;
static unsigned int flips;
static int events = -1;

static int answer(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static int answer(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	putchar('\n');
	fflush(stdout);
	return 0;
}

static int failed(const char *what)
{
	return answer("error: %s: %s", what, strerror(errno));
}

static int cmd_mode(uint32_t *n)
{
	if (!card_mode(&card, n[0], n[1]))
		return failed("mode");
	if (card_buffer(&card, &screen[0], n[0], n[1], DRM_FORMAT_XRGB8888) ||
	    card_buffer(&card, &screen[1], n[0], n[1], DRM_FORMAT_XRGB8888))
		return failed("buffer");
	front = 0;
	card_draw(&screen[0], 0, 0, n[0], n[1], n[2]);
	if (card_show(&card, &screen[0]))
		return failed("crtc");
	return answer("ok");
}

static int cmd_modes(uint32_t *n)
{
	drmModeConnector *c = drmModeGetConnector(card.fd, card.connector);
	int i;

	(void)n;
	if (!c)
		return failed("connector");
	printf("ok");
	for (i = 0; i < c->count_modes; i++)
		printf(" %ux%u%s", c->modes[i].hdisplay, c->modes[i].vdisplay,
		       c->modes[i].type & DRM_MODE_TYPE_PREFERRED ? "*" : "");
	drmModeFreeConnector(c);
	return answer("%s", "");
}

/* A rectangle in the buffer that is shown: x y w h seed */
static int cmd_draw(uint32_t *n)
{
	card_draw(&screen[front], n[0], n[1], n[2], n[3], n[4]);
	return answer("ok");
}

/* How many rectangles, then each of them: x1 y1 x2 y2; 0: all */
static int cmd_dirty(uint32_t *n)
{
	drmModeClip clips[16];
	uint32_t i;

	for (i = 0; i < n[0] && i < 16; i++)
		clips[i] = (drmModeClip) {
			n[4 * i + 1], n[4 * i + 2], n[4 * i + 3], n[4 * i + 4] };
	if (drmModeDirtyFB(card.fd, screen[front].fb, n[0] ? clips : NULL,
			   n[0]))
		return failed("dirty");
	return answer("ok");
}

/* x1 y1 x2 y2 of what was copied, and of where to */
static int cmd_annotated(uint32_t *n)
{
	drmModeClip clips[2] = {
		{ n[0], n[1], n[2], n[3] }, { n[4], n[5], n[6], n[7] },
	};
	struct drm_mode_fb_dirty_cmd dirty = {
		.fb_id = screen[front].fb,
		.flags = DRM_MODE_FB_DIRTY_ANNOTATE_COPY,
		.num_clips = 2,
		.clips_ptr = (uintptr_t)clips,
	};

	return drmIoctl(card.fd, DRM_IOCTL_MODE_DIRTYFB, &dirty) ?
	       failed("dirty") : answer("ok");
}

/* The same of the buffer that is not shown */
static int cmd_dirty_back(uint32_t *n)
{
	(void)n;
	return drmModeDirtyFB(card.fd, screen[!front].fb, NULL, 0) ?
	       failed("dirty") : answer("ok");
}

/* x y: what is in the buffer that is shown */
static int cmd_pixel(uint32_t *n)
{
	const struct card_buffer *b = &screen[front];

	return answer("ok %06x",
		      b->map[n[1] * (b->pitch / 4) + n[0]] & 0xffffff);
}

/* Map the buffer that is shown once more, and look whether it is the same */
static int cmd_map(uint32_t *n)
{
	const struct card_buffer *b = &screen[front];
	uint32_t *map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED,
			     card.fd, b->offset);
	bool same;

	(void)n;
	if (map == MAP_FAILED)
		return failed("map");
	same = !memcmp(map, b->map, b->size);
	munmap(map, b->size);
	return answer(same ? "ok" : "error: another content");
}

/* count w h: draw in the buffer that is shown, again and again */
static int cmd_scribble(uint32_t *n)
{
	uint32_t i;

	for (i = 1; i <= n[0]; i++)
		card_draw(&screen[front], 0, 0, n[1], n[2], i);
	return answer("ok");
}

/* count: buffers of the screen's size come, are shown, and go */
static int cmd_churn(uint32_t *n)
{
	struct card_buffer b[3] = { { 0 } };
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		struct card_buffer *one = &b[i % 3];

		if (card_buffer(&card, one, screen[0].width, screen[0].height,
				DRM_FORMAT_XRGB8888))
			return failed("buffer");
		one->map[i] = i;
		if (card_show(&card, one) ||
		    drmModeDirtyFB(card.fd, one->fb, NULL, 0))
			return failed("crtc");
	}
	if (card_show(&card, &screen[front]))
		return failed("crtc");
	for (i = 0; i < 3; i++)
		card_free(&card, &b[i]);
	return answer("ok");
}

/* Give the buffer that is shown to others, as a dma-buf, and draw in that: seed */
static int cmd_export(uint32_t *n)
{
	struct card_buffer b = screen[front];
	int fd;

	if (drmPrimeHandleToFD(card.fd, b.handle, DRM_CLOEXEC | DRM_RDWR, &fd))
		return failed("export");
	b.map = mmap(NULL, b.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (b.map == MAP_FAILED)
		return failed("map");
	card_draw(&b, 0, 0, b.width, b.height, n[0]);
	munmap(b.map, b.size);
	return answer("ok");
}

/* Show a buffer that vgem has made: w h seed */
static int cmd_import(uint32_t *n)
{
	uint32_t handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };
	struct card_buffer b = { 0 };
	int other, fd, i, ret;
	char path[32];

	for (i = 0; i < 8; i++) {
		drmVersion *version;
		bool found;

		snprintf(path, sizeof(path), "/dev/dri/card%d", i);
		other = open(path, O_RDWR | O_CLOEXEC);
		if (other < 0)
			continue;
		version = drmGetVersion(other);
		found = version && !strcmp(version->name, "vgem");
		drmFreeVersion(version);
		if (found)
			break;
		close(other);
	}
	if (i == 8)
		return answer("error: no vgem");
	card_free(&card, &screen[front]);
	/* no framebuffers there: that it fails at the end is as it should be */
	card_buffer(&(struct card){ .fd = other }, &b, n[0], n[1],
		    DRM_FORMAT_XRGB8888);
	if (!b.map || b.map == MAP_FAILED)
		return failed("vgem's buffer");
	card_draw(&b, 0, 0, n[0], n[1], n[2]);
	ret = drmPrimeHandleToFD(other, b.handle, DRM_CLOEXEC | DRM_RDWR, &fd);
	close(other);
	if (ret || drmPrimeFDToHandle(card.fd, fd, &b.handle))
		return failed("import");
	close(fd);
	handles[0] = b.handle;
	pitches[0] = b.pitch;
	if (drmModeAddFB2(card.fd, n[0], n[1], DRM_FORMAT_XRGB8888, handles,
			  pitches, offsets, &b.fb, 0))
		return failed("framebuffer");
	screen[front] = b;
	return card_show(&card, &screen[front]) ? failed("crtc") : answer("ok");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* n w h: tells of a rectangle n times, each beyond the beat of the one before */
static int cmd_dirties(uint32_t *n)
{
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		drmModeClip clip = { 0, 0, n[1], n[2] };

		if (drmModeDirtyFB(card.fd, screen[front].fb, &clip, 1))
			return failed("dirty");
		usleep(25000);
	}
	return answer("ok");
}

/*
 * n seed: draws 32 squares, 8 a row, over and over, and tells of each. In the end
 * they have the pattern of this seed.
 */
static int cmd_burst(uint32_t *n)
{
	struct card_buffer *b = &screen[front];
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		uint32_t x = i % 8 * (b->width / 8);
		uint32_t y = i / 8 % 4 * (b->height / 4);
		drmModeClip clip = { x, y, x + 16, y + 16 };

		card_draw(b, x, y, 16, 16, i + 32 < n[0] ? i : n[1]);
		if (drmModeDirtyFB(card.fd, b->fb, &clip, 1))
			return failed("dirty");
	}
	return answer("ok");
}

static void flipped(int f, unsigned int sequence, unsigned int sec,
		    unsigned int usec, void *data)
{
	(void)f;
	(void)sequence;
	(void)sec;
	(void)usec;
	(void)data;
	flips++;
}

static bool wait_flip(void)
{
	drmEventContext context = {
		.version = 2, .page_flip_handler = flipped,
	};
	struct pollfd p = { card.fd, POLLIN, 0 };
	unsigned int before = flips;

	while (flips == before) {
		if (poll(&p, 1, 5000) != 1) {
			errno = ETIMEDOUT;
			return false;
		}
		drmHandleEvent(card.fd, &context);
	}
	return true;
}

/* count seed: each picture is another */
static int cmd_flip(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		struct card_buffer *b = &screen[!front];

		card_draw(b, 0, 0, 32, 32, n[1] + i);
		if (i + 1 == n[0])
			card_draw(b, 0, 0, b->width, b->height, n[1] + i);
		if (drmModePageFlip(card.fd, card.crtc, b->fb,
				    DRM_MODE_PAGE_FLIP_EVENT, NULL) ||
		    !wait_flip())
			return failed("flip");
		front = !front;
	}
	return answer("ok %.2f", now() - start);
}

static bool storm_ends;

static void *storm(void *data)
{
	uint32_t i;

	(void)data;
	for (i = 0; !__atomic_load_n(&storm_ends, __ATOMIC_RELAXED); i++) {
		drmModeClip clip = { i % 64, i % 32, i % 64 + 99, i % 32 + 99 };

		if (drmModeDirtyFB(card.fd, screen[i % 2].fb, &clip, 1))
			return (void *)1;
	}
	return NULL;
}

static int set_dpms(bool off)
{
	uint32_t id = card_prop(&card, card.connector,
				DRM_MODE_OBJECT_CONNECTOR, "DPMS");

	return drmModeConnectorSetProperty(card.fd, card.connector, id,
					   off ? 3 : 0);
}

/* count seed: flips, moves out of the VRAM, and darkness, while others tell */
static int cmd_storm(uint32_t *n)
{
	struct card_buffer *b;
	pthread_t thread[2];
	void *bad = NULL, *ret;
	uint32_t i;
	int err = 0;

	storm_ends = false;
	for (i = 0; i < 2; i++) {
		if (pthread_create(&thread[i], NULL, storm, NULL))
			return failed("thread");
	}
	for (i = 0; i < n[0] && !err; i++) {
		front = !front;
		b = &screen[front];
		card_draw(b, 0, 0, b->width, 16, i);
		if (i % 8 == 7)
			err = set_dpms(true) || set_dpms(false);
		else if (i % 8 == 3)
			err = card_show(&card, b);
		else
			err = drmModePageFlip(card.fd, card.crtc, b->fb,
					      DRM_MODE_PAGE_FLIP_EVENT, NULL) ||
			      !wait_flip();
	}
	__atomic_store_n(&storm_ends, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++) {
		pthread_join(thread[i], &ret);
		bad = ret ?: bad;
	}
	if (err || bad)
		return failed("storm");
	b = &screen[front];
	card_draw(b, 0, 0, b->width, b->height, n[1]);
	if (card_show(&card, b) || drmModeDirtyFB(card.fd, b->fb, NULL, 0))
		return failed("crtc");
	return answer("ok");
}

static uint32_t crtc_prop(const char *name)
{
	return card_prop(&card, card.crtc, DRM_MODE_OBJECT_CRTC, name);
}

static uint32_t plane_prop(const char *name)
{
	return card_prop(&card, card.primary, DRM_MODE_OBJECT_PLANE, name);
}

/* A commit of the whole screen in another size, which is only tried: w h */
static int cmd_test(uint32_t *n)
{
	drmModeModeInfo *mode = card_mode(&card, n[0], n[1]);
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct card_buffer b = { 0 };
	uint32_t blob = 0, i;
	const struct {
		const char *name;
		uint64_t value;
	} props[] = {
		{ "CRTC_ID", card.crtc }, { "SRC_X", 0 }, { "SRC_Y", 0 },
		{ "SRC_W", (uint64_t)n[0] << 16 },
		{ "SRC_H", (uint64_t)n[1] << 16 }, { "CRTC_X", 0 },
		{ "CRTC_Y", 0 }, { "CRTC_W", n[0] }, { "CRTC_H", n[1] },
	};
	int ret;

	if (!mode || card_buffer(&card, &b, n[0], n[1], DRM_FORMAT_XRGB8888) ||
	    drmModeCreatePropertyBlob(card.fd, mode, sizeof(*mode), &blob))
		return failed("test");
	drmModeAtomicAddProperty(req, card.crtc, crtc_prop("MODE_ID"), blob);
	drmModeAtomicAddProperty(req, card.crtc, crtc_prop("ACTIVE"), 1);
	drmModeAtomicAddProperty(req, card.primary, plane_prop("FB_ID"), b.fb);
	for (i = 0; i < sizeof(props) / sizeof(props[0]); i++)
		drmModeAtomicAddProperty(req, card.primary,
					 plane_prop(props[i].name),
					 props[i].value);
	ret = drmModeAtomicCommit(card.fd, req, DRM_MODE_ATOMIC_TEST_ONLY |
				  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(card.fd, blob);
	ret = ret ? failed("commit") : answer("ok");
	card_free(&card, &b);
	return ret;
}

/* An atomic commit of the same buffer with these clips: count, x1 y1 x2 y2... */
static int cmd_clips(uint32_t *n)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct drm_mode_rect clips[16];
	uint32_t blob, i;
	int ret;

	for (i = 0; i < n[0] && i < 16; i++)
		clips[i] = (struct drm_mode_rect){
			n[4 * i + 1], n[4 * i + 2], n[4 * i + 3], n[4 * i + 4] };
	if (drmModeCreatePropertyBlob(card.fd, clips, n[0] * sizeof(clips[0]),
				      &blob))
		return failed("blob");
	drmModeAtomicAddProperty(req, card.primary, plane_prop("FB_ID"),
				 screen[front].fb);
	drmModeAtomicAddProperty(req, card.primary,
				 plane_prop("FB_DAMAGE_CLIPS"), blob);
	ret = drmModeAtomicCommit(card.fd, req, 0, NULL);
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(card.fd, blob);
	return ret ? failed("commit") : answer("ok");
}

static struct card_buffer wide;

/*
 * w h x y at seed: draws all of a buffer of its own, of any size, and shows it from
 * x, y on, which are in 65536ths of a pixel; at: where on the screen it begins
 */
static int cmd_pan(uint32_t *n)
{
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	uint64_t w = screen[front].width, h = screen[front].height;
	const struct {
		const char *name;
		uint64_t value;
	} props[] = {
		{ "CRTC_ID", card.crtc }, { "SRC_X", n[2] }, { "SRC_Y", n[3] },
		{ "SRC_W", w << 16 }, { "SRC_H", h << 16 }, { "CRTC_X", n[4] },
		{ "CRTC_Y", 0 }, { "CRTC_W", w }, { "CRTC_H", h },
	};
	uint32_t i;
	int ret;

	if ((wide.width != n[0] || wide.height != n[1]) &&
	    card_buffer(&card, &wide, n[0], n[1], DRM_FORMAT_XRGB8888))
		return failed("buffer");
	card_draw(&wide, 0, 0, n[0], n[1], n[5]);
	drmModeAtomicAddProperty(req, card.primary, plane_prop("FB_ID"),
				 wide.fb);
	for (i = 0; i < sizeof(props) / sizeof(props[0]); i++)
		drmModeAtomicAddProperty(req, card.primary,
					 plane_prop(props[i].name),
					 props[i].value);
	ret = drmModeAtomicCommit(card.fd, req, 0, NULL);
	drmModeAtomicFree(req);
	return ret ? failed("commit") : answer("ok");
}

/* khz: the mode as it is, with another clock; tried only */
static int cmd_clock(uint32_t *n)
{
	drmModeModeInfo *mode = card_mode(&card, screen[front].width,
					  screen[front].height), fast;
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	uint32_t blob = 0;
	int ret;

	if (!mode)
		return failed("mode");
	fast = *mode;
	fast.clock = n[0];
	if (drmModeCreatePropertyBlob(card.fd, &fast, sizeof(fast), &blob))
		return failed("blob");
	drmModeAtomicAddProperty(req, card.crtc, crtc_prop("MODE_ID"), blob);
	ret = drmModeAtomicCommit(card.fd, req, DRM_MODE_ATOMIC_TEST_ONLY |
				  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(card.fd, blob);
	return ret ? failed("commit") : answer("ok");
}

/* count: commits of the same buffer, each waited for by its fence; seconds */
static int cmd_fences(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		drmModeAtomicReq *req = drmModeAtomicAlloc();
		struct pollfd p = { -1, POLLIN, 0 };
		int ret;

		drmModeAtomicAddProperty(req, card.primary, plane_prop("FB_ID"),
					 screen[front].fb);
		drmModeAtomicAddProperty(req, card.crtc,
					 crtc_prop("OUT_FENCE_PTR"),
					 (uintptr_t)&p.fd);
		ret = drmModeAtomicCommit(card.fd, req,
					  DRM_MODE_ATOMIC_NONBLOCK, NULL);
		drmModeAtomicFree(req);
		if (!ret && poll(&p, 1, 5000) != 1) {
			errno = ETIMEDOUT;
			ret = -1;
		}
		if (p.fd >= 0)
			close(p.fd);
		if (ret)
			return failed("commit");
	}
	return answer("ok %.3f", now() - start);
}

/* Whether a commit can say where the pointer's hot spot is */
static int cmd_hotspot(uint32_t *n)
{
	(void)n;
	return answer("ok %u", !!card_prop(&card, card.cursor,
					   DRM_MODE_OBJECT_PLANE,
					   "HOTSPOT_X"));
}

/*
 * argb how: the pointer is drawn anew, in the same buffer; told by a commit, by
 * DIRTYFB if how is 1, or by the call of old if it is 2
 */
static int cmd_redraw(uint32_t *n)
{
	drmModeAtomicReq *req;
	uint32_t i;
	int ret;

	for (i = 0; i < pointer.size / 4; i++)
		pointer.map[i] = n[0];
	if (n[1] == 2) {
		ret = drmModeSetCursor2(card.fd, card.crtc, pointer.handle,
					pointer.width, pointer.height,
					pointer.width / 2, pointer.height / 2);
	} else if (n[1]) {
		ret = drmModeDirtyFB(card.fd, pointer.fb, NULL, 0);
	} else {
		req = drmModeAtomicAlloc();
		drmModeAtomicAddProperty(req, card.cursor,
					 card_prop(&card, card.cursor,
						   DRM_MODE_OBJECT_PLANE,
						   "FB_ID"), pointer.fb);
		ret = drmModeAtomicCommit(card.fd, req, 0, NULL);
		drmModeAtomicFree(req);
	}
	return ret ? failed("redraw") : answer("ok");
}

/* w h argb: premultiplied, hot spot in the middle */
static int cmd_cursor(uint32_t *n)
{
	uint32_t i;

	if (card_buffer(&card, &pointer, n[0], n[1], DRM_FORMAT_ARGB8888))
		return failed("buffer");
	for (i = 0; i < pointer.size / 4; i++)
		pointer.map[i] = n[2];
	if (drmModeSetCursor2(card.fd, card.crtc, pointer.handle, n[0], n[1],
			      n[0] / 2, n[1] / 2))
		return failed("cursor");
	return answer("ok");
}

/* White with a black edge; its tip is what points */
static int cmd_arrow(uint32_t *n)
{
	uint32_t size = 32, x, y;

	(void)n;
	if (card_buffer(&card, &pointer, size, size, DRM_FORMAT_ARGB8888))
		return failed("buffer");
	for (y = 0; y < size; y++) {
		for (x = 0; x < size; x++) {
			bool in = x <= y && x + y < size + 8;
			bool edge = !x || x == y || x + 1 == y ||
				    x + y > size + 4;

			pointer.map[y * (pointer.pitch / 4) + x] =
				!in ? 0 : edge ? 0xff000000 : 0xffffffff;
		}
	}
	if (drmModeSetCursor2(card.fd, card.crtc, pointer.handle, size, size, 0,
			      0))
		return failed("cursor");
	return answer("ok");
}

/* w h x1 y1 x2 y2 argb: nothing is seen but this, whose middle points */
static int cmd_box(uint32_t *n)
{
	uint32_t x, y;

	if (card_buffer(&card, &pointer, n[0], n[1], DRM_FORMAT_ARGB8888))
		return failed("buffer");
	for (y = n[3]; y < n[5]; y++) {
		for (x = n[2]; x < n[4]; x++)
			pointer.map[y * (pointer.pitch / 4) + x] = n[6];
	}
	if (drmModeSetCursor2(card.fd, card.crtc, pointer.handle, n[0], n[1],
			      (n[2] + n[4]) / 2, (n[3] + n[5]) / 2))
		return failed("cursor");
	return answer("ok");
}

static int cmd_nocursor(uint32_t *n)
{
	(void)n;
	return drmModeSetCursor(card.fd, card.crtc, 0, 0, 0) ?
	       failed("cursor") : answer("ok");
}

static int cmd_move(uint32_t *n)
{
	return drmModeMoveCursor(card.fd, card.crtc, n[0], n[1]) ?
	       failed("move") : answer("ok");
}

/* count: all over the screen */
static int cmd_moves(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		if (drmModeMoveCursor(card.fd, card.crtc, i * 7 % 600,
				      i * 3 % 400))
			return failed("move");
	}
	return answer("ok %.1f", n[0] / (now() - start));
}

/* Open a pointing device, /dev/input/event of this number */
static int cmd_pointer(uint32_t *n)
{
	char path[32];

	snprintf(path, sizeof(path), "/dev/input/event%u", n[0]);
	if (events >= 0)
		close(events);
	events = open(path, O_RDONLY | O_CLOEXEC);
	return events < 0 ? failed("pointer") : answer("ok");
}

static uint32_t scale(int value, const struct input_absinfo *abs, uint32_t size)
{
	return (uint64_t)(value - abs->minimum) * size /
	       (abs->maximum - abs->minimum + 1);
}

/*
 * x y: the image follows the pointing device until that has been there. Answers
 * how many moves that took.
 */
static int cmd_follow(uint32_t *n)
{
	struct input_absinfo abs[2];
	struct input_event e;
	struct pollfd p = { events, POLLIN, 0 };
	uint32_t moves = 0;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		if (ioctl(events, EVIOCGABS(ABS_X + i), &abs[i]))
			return failed("no pointing device");
	}
	while (!moves || abs[0].value != (int)n[0] ||
	       abs[1].value != (int)n[1]) {
		if (poll(&p, 1, 20000) != 1)
			return answer("error: it stays at %d,%d after %u moves",
				      abs[0].value, abs[1].value, moves);
		/* all of a report, which EV_SYN ends */
		do {
			if (read(events, &e, sizeof(e)) != sizeof(e))
				return failed("events");
			if (e.type == EV_ABS && e.code <= ABS_Y)
				abs[e.code - ABS_X].value = e.value;
		} while (e.type != EV_SYN);
		if (drmModeMoveCursor(card.fd, card.crtc,
				      scale(abs[0].value, &abs[0],
					    screen[0].width),
				      scale(abs[1].value, &abs[1],
					    screen[0].height)))
			return failed("move");
		moves++;
	}
	return answer("ok %u", moves);
}

/* 1: off, 0: on */
static int cmd_dpms(uint32_t *n)
{
	return set_dpms(n[0]) ? failed("dpms") : answer("ok");
}

static int cmd_master(uint32_t *n)
{
	if (n[0] ? drmSetMaster(card.fd) : drmDropMaster(card.fd))
		return failed("master");
	return answer("ok");
}

static const struct {
	const char *name;
	int (*run)(uint32_t *n);
} commands[] = {
	{ "mode", cmd_mode }, { "modes", cmd_modes }, { "draw", cmd_draw },
	{ "dirty", cmd_dirty }, { "dirties", cmd_dirties },
	{ "flip", cmd_flip }, { "test", cmd_test }, { "clips", cmd_clips },
	{ "cursor", cmd_cursor }, { "nocursor", cmd_nocursor },
	{ "move", cmd_move }, { "moves", cmd_moves }, { "dpms", cmd_dpms },
	{ "master", cmd_master }, { "arrow", cmd_arrow },
	{ "annotated", cmd_annotated }, { "dirtyback", cmd_dirty_back },
	{ "pixel", cmd_pixel }, { "map", cmd_map },
	{ "scribble", cmd_scribble }, { "churn", cmd_churn },
	{ "export", cmd_export }, { "import", cmd_import },
	{ "storm", cmd_storm }, { "burst", cmd_burst },
	{ "pan", cmd_pan }, { "clock", cmd_clock }, { "fences", cmd_fences },
	{ "redraw", cmd_redraw }, { "box", cmd_box },
	{ "hotspot", cmd_hotspot },
	{ "pointer", cmd_pointer }, { "follow", cmd_follow },
};

static void run(char *line)
{
	uint32_t n[80] = { 0 };
	static const char blanks[] = "\n ";
	char *word = strtok(line, blanks), *arg;
	unsigned int i, count = 0;

	if (!word)
		return;
	while ((arg = strtok(NULL, blanks)) && count < 80)
		n[count++] = strtoul(arg, NULL, 0);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, word)) {
			commands[i].run(n);
			return;
		}
	}
	answer("error: what is %s?", word);
}

int main(int argc, char **argv)
{
	char line[1024];

	if (card_open(&card, argc > 1 ? argv[1] : "/dev/dri/card0"))
		return failed("open") + 1;
	answer("ok cursor=%u", !!card.cursor);
	while (fgets(line, sizeof(line), stdin))
		run(line);
	return 0;
}
