// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <drm_fourcc.h>

#include "card.h"

/* DRM_CLIENT_CAP_*, which older headers lack */
#define CURSOR_PLANE_HOTSPOT	6

void card_free(struct card *c, struct card_buffer *b)
{
	struct drm_mode_destroy_dumb destroy = { .handle = b->handle };

	if (!b->handle)
		return;
	if (b->fb)
		drmModeRmFB(c->fd, b->fb);
	munmap(b->map, b->size);
	drmIoctl(c->fd, DRM_IOCTL_MODE_DESTROY_DUMB, &destroy);
	memset(b, 0, sizeof(*b));
}

int card_buffer(struct card *c, struct card_buffer *b, uint32_t width,
		uint32_t height, uint32_t format)
{
	struct drm_mode_create_dumb create = {
		.width = width, .height = height, .bpp = 32,
	};
	struct drm_mode_map_dumb map = { 0 };
	uint32_t handles[4] = { 0 }, pitches[4] = { 0 }, offsets[4] = { 0 };

	card_free(c, b);
	if (drmIoctl(c->fd, DRM_IOCTL_MODE_CREATE_DUMB, &create))
		return -1;
	b->handle = create.handle;
	b->width = width;
	b->height = height;
	b->pitch = create.pitch;
	b->size = create.size;
	map.handle = create.handle;
	if (drmIoctl(c->fd, DRM_IOCTL_MODE_MAP_DUMB, &map))
		return -1;
	b->offset = map.offset;
	b->map = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd,
		      map.offset);
	if (b->map == MAP_FAILED)
		return -1;
	handles[0] = b->handle;
	pitches[0] = b->pitch;
	return drmModeAddFB2(c->fd, width, height, format, handles, pitches,
			     offsets, &b->fb, 0);
}

/* What a test on the other side computes, too */
static uint32_t pattern(uint32_t x, uint32_t y, uint32_t seed)
{
	return (x * 0x010307 ^ y * 0x050b01 ^ seed * 0x9e3779) & 0xffffff;
}

void card_draw(struct card_buffer *b, uint32_t x1, uint32_t y1, uint32_t w,
	       uint32_t h, uint32_t seed)
{
	uint32_t x, y;

	for (y = y1; y < y1 + h && y < b->height; y++) {
		for (x = x1; x < x1 + w && x < b->width; x++)
			b->map[y * (b->pitch / 4) + x] = pattern(x, y, seed);
	}
}

drmModeModeInfo *card_mode(struct card *c, uint32_t width, uint32_t height)
{
	drmModeConnector *conn = drmModeGetConnector(c->fd, c->connector);
	int i;

	for (i = 0; conn && i < conn->count_modes; i++) {
		if (conn->modes[i].hdisplay == width &&
		    conn->modes[i].vdisplay == height)
			return &conn->modes[i];
	}
	errno = ENOENT;
	return NULL;
}

uint32_t card_prop(struct card *c, uint32_t object, uint32_t type,
		   const char *name)
{
	drmModeObjectProperties *props =
		drmModeObjectGetProperties(c->fd, object, type);
	uint32_t i, found = 0;

	for (i = 0; props && i < props->count_props; i++) {
		drmModePropertyRes *p = drmModeGetProperty(c->fd,
							   props->props[i]);

		if (p && !strcmp(p->name, name))
			found = p->prop_id;
		drmModeFreeProperty(p);
	}
	drmModeFreeObjectProperties(props);
	return found;
}

static bool find_objects(struct card *c)
{
	drmModeRes *res = drmModeGetResources(c->fd);
	drmModePlaneRes *planes;
	uint32_t i;

	if (!res || res->count_connectors < 1 || res->count_crtcs < 1)
		return false;
	c->connector = res->connectors[0];
	c->crtc = res->crtcs[0];
	drmModeFreeResources(res);
	planes = drmModeGetPlaneResources(c->fd);
	for (i = 0; planes && i < planes->count_planes; i++) {
		uint32_t id = planes->planes[i];
		uint32_t type = card_prop(c, id, DRM_MODE_OBJECT_PLANE,
					  "type");
		drmModeObjectProperties *p = drmModeObjectGetProperties(
			c->fd, id, DRM_MODE_OBJECT_PLANE);
		uint32_t k;

		for (k = 0; p && k < p->count_props; k++) {
			if (p->props[k] != type)
				continue;
			if (p->prop_values[k] == DRM_PLANE_TYPE_PRIMARY)
				c->primary = id;
			else if (p->prop_values[k] == DRM_PLANE_TYPE_CURSOR)
				c->cursor = id;
		}
		drmModeFreeObjectProperties(p);
	}
	return c->primary;
}

int card_open(struct card *c, const char *path)
{
	*c = (struct card){ .fd = open(path, O_RDWR | O_CLOEXEC) };
	if (c->fd < 0)
		return -1;
	drmSetClientCap(c->fd, DRM_CLIENT_CAP_UNIVERSAL_PLANES, 1);
	drmSetClientCap(c->fd, DRM_CLIENT_CAP_ATOMIC, 1);
	/* or the plane of a pointer that the host draws is not there, from 6.8 on */
	drmSetClientCap(c->fd, CURSOR_PLANE_HOTSPOT, 1);
	if (find_objects(c))
		return 0;
	close(c->fd);
	errno = ENXIO;
	return -1;
}

int card_show(struct card *c, struct card_buffer *b)
{
	drmModeModeInfo *mode = card_mode(c, b->width, b->height);

	return !mode || drmModeSetCrtc(c->fd, c->crtc, b->fb, 0, 0,
				       &c->connector, 1, mode) ? -1 : 0;
}
