// SPDX-License-Identifier: GPL-2.0-only
/*
 * Does to a display what a test says, one command a line on stdin, and answers
 * each with a line: "ok", perhaps with what was asked, or "error: why". Runs in a
 * guest.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <drm_fourcc.h>
#include <xf86drm.h>
#include <xf86drmMode.h>

struct buffer {
	uint32_t handle, fb, width, height, pitch;
	uint64_t size;
	uint32_t *map;
};

static int fd;
static uint32_t connector, crtc, primary, cursor_plane;
static struct buffer screen[2], pointer;
static unsigned int front;
static unsigned int flips;

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

static void free_buffer(struct buffer *b)
{
	struct drm_mode_destroy_dumb destroy = { .handle = b->handle };

	if (!b->handle)
		return;
	if (b->fb)
		drmModeRmFB(fd, b->fb);
	munmap(b->map, b->size);
	drmIoctl(fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	memset(b, 0, sizeof(*b));
}

static int make_buffer(struct buffer *b, uint32_t width, uint32_t height,
		       uint32_t format)
{
	struct drm_mode_create_dumb create = {
		.width = width, .height = height, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };
	uint32_t handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };

	free_buffer(b);
	if (drmIoctl(fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return -1;
	b->handle = create.handle;
	b->width = width;
	b->height = height;
	b->pitch = create.pitch;
	b->size = create.size;
	map.handle = create.handle;
	if (drmIoctl(fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return -1;
	b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		      map.offset);
	if (b->map == MAP_FAILED)
		return -1;
	handles[0] = b->handle;
	pitches[0] = b->pitch;
	return drmModeAddFB2(fd, width, height, format, handles, pitches,
			     offsets, &b->fb, 0);
}

/* What a test on the other side computes, too */
static uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
	return (x * 0x010307 ^ y * 0x050b01 ^ seed * 0x9e3779) & 0xffffff;
}

static void draw(struct buffer *b, uint32_t x1, uint32_t y1, uint32_t w,
		 uint32_t h, uint32_t seed)
{
	uint32_t x, y;

	for (y = y1; y < y1 + h && y < b->height; y++) {
		for (x = x1; x < x1 + w && x < b->width; x++)
			b->map[y * (b->pitch / 4) + x] = pattern(x, y, seed);
	}
}

/* Forever: the caller frees nothing */
static drmModeModeInfo *find_mode(uint32_t width, uint32_t height)
{
	drmModeConnector *c = drmModeGetConnector(fd, connector);
	int i;

	for (i = 0; c && i < c->count_modes; i++) {
		if (c->modes[i].hdisplay == width &&
		    c->modes[i].vdisplay == height)
			return &c->modes[i];
	}
	errno = ENOENT;
	return NULL;
}

static int cmd_mode(uint32_t *n)
{
	drmModeModeInfo *mode = find_mode(n[0], n[1]);

	if (!mode)
		return failed("mode");
	if (make_buffer(&screen[0], n[0], n[1], DRM_FORMAT_XRGB8888) ||
	    make_buffer(&screen[1], n[0], n[1], DRM_FORMAT_XRGB8888))
		return failed("buffer");
	front = 0;
	draw(&screen[0], 0, 0, n[0], n[1], n[2]);
	if (drmModeSetCrtc(fd, crtc, screen[0].fb, 0, 0, &connector, 1, mode))
		return failed("crtc");
	return answer("ok");
}

static int cmd_modes(uint32_t *n)
{
	drmModeConnector *c = drmModeGetConnector(fd, connector);
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
	draw(&screen[front], n[0], n[1], n[2], n[3], n[4]);
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
	if (drmModeDirtyFB(fd, screen[front].fb, n[0] ? clips : NULL, n[0]))
		return failed("dirty");
	return answer("ok");
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

/* Times: n w h */
static int cmd_dirty_bench(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		drmModeClip clip = { 0, 0, n[1], n[2] };

		if (drmModeDirtyFB(fd, screen[front].fb, &clip, 1))
			return failed("dirty");
	}
	return answer("ok %.1f", n[0] / (now() - start));
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
	struct pollfd p = { fd, POLLIN, 0 };
	unsigned int before = flips;

	while (flips == before) {
		if (poll(&p, 1, 5000) != 1) {
			errno = ETIMEDOUT;
			return false;
		}
		drmHandleEvent(fd, &context);
	}
	return true;
}

/* count seed: each picture is another */
static int cmd_flip(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		struct buffer *b = &screen[!front];

		draw(b, 0, 0, 32, 32, n[1] + i);
		if (i + 1 == n[0])
			draw(b, 0, 0, b->width, b->height, n[1] + i);
		if (drmModePageFlip(fd, crtc, b->fb, DRM_MODE_PAGE_FLIP_EVENT,
				    NULL) || !wait_flip())
			return failed("flip");
		front = !front;
	}
	return answer("ok %.2f", now() - start);
}

static uint32_t prop_id(uint32_t object, uint32_t type, const char *name)
{
	drmModeObjectProperties *props =
		drmModeObjectGetProperties(fd, object, type);
	uint32_t i, found = 0;

	for (i = 0; props && i < props->count_props; i++) {
		drmModePropertyRes *p = drmModeGetProperty(fd, props->props[i]);

		if (p && !strcmp(p->name, name))
			found = p->prop_id;
		drmModeFreeProperty(p);
	}
	drmModeFreeObjectProperties(props);
	return found;
}

/* A commit of the whole screen in another size, which is only tried: w h */
static int cmd_test(uint32_t *n)
{
	drmModeModeInfo *mode = find_mode(n[0], n[1]);
	drmModeAtomicReq *req = drmModeAtomicAlloc();
	struct buffer b = { 0 };
	uint32_t blob = 0, i;
	const struct {
		const char *name;
		uint64_t value;
	} props[] = {
		{ "CRTC_ID", crtc }, { "SRC_X", 0 }, { "SRC_Y", 0 },
		{ "SRC_W", (uint64_t)n[0] << 16 },
		{ "SRC_H", (uint64_t)n[1] << 16 }, { "CRTC_X", 0 },
		{ "CRTC_Y", 0 }, { "CRTC_W", n[0] }, { "CRTC_H", n[1] },
	};
	int ret;

	if (!mode || make_buffer(&b, n[0], n[1], DRM_FORMAT_XRGB8888) ||
	    drmModeCreatePropertyBlob(fd, mode, sizeof(*mode), &blob))
		return failed("test");
	drmModeAtomicAddProperty(req, crtc, prop_id(crtc, DRM_MODE_OBJECT_CRTC,
						    "MODE_ID"), blob);
	drmModeAtomicAddProperty(req, crtc, prop_id(crtc, DRM_MODE_OBJECT_CRTC,
						    "ACTIVE"), 1);
	drmModeAtomicAddProperty(req, primary,
				 prop_id(primary, DRM_MODE_OBJECT_PLANE,
					 "FB_ID"), b.fb);
	for (i = 0; i < sizeof(props) / sizeof(props[0]); i++)
		drmModeAtomicAddProperty(req, primary,
					 prop_id(primary, DRM_MODE_OBJECT_PLANE,
						 props[i].name),
					 props[i].value);
	ret = drmModeAtomicCommit(fd, req, DRM_MODE_ATOMIC_TEST_ONLY |
				  DRM_MODE_ATOMIC_ALLOW_MODESET, NULL);
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(fd, blob);
	ret = ret ? failed("commit") : answer("ok");
	free_buffer(&b);
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
	if (drmModeCreatePropertyBlob(fd, clips, n[0] * sizeof(clips[0]),
				      &blob))
		return failed("blob");
	drmModeAtomicAddProperty(req, primary,
				 prop_id(primary, DRM_MODE_OBJECT_PLANE,
					 "FB_ID"), screen[front].fb);
	drmModeAtomicAddProperty(req, primary,
				 prop_id(primary, DRM_MODE_OBJECT_PLANE,
					 "FB_DAMAGE_CLIPS"), blob);
	ret = drmModeAtomicCommit(fd, req, 0, NULL);
	drmModeAtomicFree(req);
	drmModeDestroyPropertyBlob(fd, blob);
	return ret ? failed("commit") : answer("ok");
}

/* w h argb: premultiplied, hot spot in the middle */
static int cmd_cursor(uint32_t *n)
{
	uint32_t i;

	if (make_buffer(&pointer, n[0], n[1], DRM_FORMAT_ARGB8888))
		return failed("buffer");
	for (i = 0; i < pointer.size / 4; i++)
		pointer.map[i] = n[2];
	if (drmModeSetCursor2(fd, crtc, pointer.handle, n[0], n[1], n[0] / 2,
			      n[1] / 2))
		return failed("cursor");
	return answer("ok");
}

static int cmd_nocursor(uint32_t *n)
{
	(void)n;
	return drmModeSetCursor(fd, crtc, 0, 0, 0) ? failed("cursor") :
	       answer("ok");
}

static int cmd_move(uint32_t *n)
{
	return drmModeMoveCursor(fd, crtc, n[0], n[1]) ? failed("move") :
	       answer("ok");
}

/* count: all over the screen */
static int cmd_moves(uint32_t *n)
{
	double start = now();
	uint32_t i;

	for (i = 0; i < n[0]; i++) {
		if (drmModeMoveCursor(fd, crtc, i * 7 % 600, i * 3 % 400))
			return failed("move");
	}
	return answer("ok %.1f", n[0] / (now() - start));
}

/* 1: off, 0: on */
static int cmd_dpms(uint32_t *n)
{
	uint32_t id = prop_id(connector, DRM_MODE_OBJECT_CONNECTOR, "DPMS");

	if (drmModeConnectorSetProperty(fd, connector, id, n[0] ? 3 : 0))
		return failed("dpms");
	return answer("ok");
}

static int cmd_master(uint32_t *n)
{
	if (n[0] ? drmSetMaster(fd) : drmDropMaster(fd))
		return failed("master");
	return answer("ok");
}

static const struct {
	const char *name;
	int (*run)(uint32_t *n);
} commands[] = {
	{ "mode", cmd_mode }, { "modes", cmd_modes }, { "draw", cmd_draw },
	{ "dirty", cmd_dirty }, { "dirties", cmd_dirty_bench },
	{ "flip", cmd_flip }, { "test", cmd_test }, { "clips", cmd_clips },
	{ "cursor", cmd_cursor }, { "nocursor", cmd_nocursor },
	{ "move", cmd_move }, { "moves", cmd_moves }, { "dpms", cmd_dpms },
	{ "master", cmd_master },
};

static void run(char *line)
{
	uint32_t n[80] = { 0 };
	char *word = strtok(line, " \n"), *arg;
	unsigned int i, count = 0;

	if (!word)
		return;
	while ((arg = strtok(NULL, " \n")) && count < 80)
		n[count++] = strtoul(arg, NULL, 0);
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (!strcmp(commands[i].name, word)) {
			commands[i].run(n);
			return;
		}
	}
	answer("error: what is %s?", word);
}

static bool find_objects(void)
{
	drmModeRes *res = drmModeGetResources(fd);
	drmModePlaneRes *planes;
	uint32_t i;

	if (!res || res->count_connectors < 1 || res->count_crtcs < 1)
		return false;
	connector = res->connectors[0];
	crtc = res->crtcs[0];
	drmModeFreeResources(res);
	planes = drmModeGetPlaneResources(fd);
	for (i = 0; planes && i < planes->count_planes; i++) {
		uint32_t id = planes->planes[i];
		uint32_t type = prop_id(id, DRM_MODE_OBJECT_PLANE, "type");
		drmModeObjectProperties *p = drmModeObjectGetProperties(
			fd, id, DRM_MODE_OBJECT_PLANE);
		uint32_t k;

		for (k = 0; p && k < p->count_props; k++) {
			if (p->props[k] != type)
				continue;
			if (p->prop_values[k] == DRM_PLANE_TYPE_PRIMARY)
				primary = id;
			else if (p->prop_values[k] == DRM_PLANE_TYPE_CURSOR)
				cursor_plane = id;
		}
		drmModeFreeObjectProperties(p);
	}
	return primary;
}

int main(int argc, char **argv)
{
	char line[1024];

	fd = open(argc > 1 ? argv[1] : "/dev/dri/card0", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return failed("open") + 1;
	drmSetClientCap(fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1);
	drmSetClientCap(fd, DRM_CLIENT_CAP_ATOMIC, 1);
	if (!find_objects())
		return failed("objects") + 1;
	answer("ok cursor=%u", !!cursor_plane);
	while (fgets(line, sizeof(line), stdin))
		run(line);
	return 0;
}
