// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <string.h>

#include "synthvid.h"

static const struct synthvid_resolution usual_modes[] = {
	{ 640, 480 }, { 800, 600 }, { 1024, 768 }, { 1152, 864 }, { 1280, 720 },
	{ 1280, 1024 }, { 1600, 900 }, { 1600, 1200 }, { 1680, 1050 },
	{ 1920, 1080 }, { 1920, 1200 }, { 2560, 1440 }, { 3840, 2160 },
};

static bool mode_fits(const struct synthvid *v, uint32_t width, uint32_t height)
{
	return width >= SYNTHVID_MIN_SIDE && height >= SYNTHVID_MIN_SIDE &&
	       width <= SYNTHVID_MAX_SIDE && height <= SYNTHVID_MAX_SIDE &&
	       (uint64_t)width * height * SYNTHVID_BPP <= v->vram_size;
}

void synthvid_modes_init(struct synthvid *v)
{
	unsigned int i;

	for (i = 0; i < sizeof(usual_modes) / sizeof(usual_modes[0]); i++) {
		if (mode_fits(v, usual_modes[i].width, usual_modes[i].height))
			v->modes[v->mode_count++] = usual_modes[i];
	}
}

int synthvid_prefer(struct synthvid *v, uint32_t width, uint32_t height)
{
	unsigned int i;

	if (!mode_fits(v, width, height))
		return -ERANGE;
	for (i = 0; i < v->mode_count; i++) {
		if (v->modes[i].width == width && v->modes[i].height == height)
			break;
	}
	if (i == SYNTHVID_MAX_RESOLUTIONS)
		i--;		/* the one that was added last goes */
	v->modes[i].width = width;
	v->modes[i].height = height;
	if (i >= v->mode_count)
		v->mode_count = i + 1;
	v->preferred = i;
	return 0;
}

/* VESA E-EDID 1.4, 3.10.2: a timing of 60 Hz with narrow borders */
static void edid_timing(uint8_t *d, uint32_t width, uint32_t height)
{
	uint32_t hblank = 160, vblank = height / 40 + 10;
	uint32_t clock = (uint64_t)(width + hblank) * (height + vblank) * 60 /
			 10000;
	uint32_t mm_w = width * 254 / 960, mm_h = height * 254 / 960;

	if (clock > 0xffff)
		clock = 0xffff;
	d[0] = clock;
	d[1] = clock >> 8;
	d[2] = width;
	d[3] = hblank;
	d[4] = (width >> 8 & 0xf) << 4 | hblank >> 8;
	d[5] = height;
	d[6] = vblank;
	d[7] = (height >> 8 & 0xf) << 4 | (vblank >> 8 & 0xf);
	d[8] = 48;		/* front porch and width of the horizontal sync */
	d[9] = 32;
	d[10] = 3 << 4 | 6;	/* of the vertical one */
	d[12] = mm_w;
	d[13] = mm_h;
	d[14] = (mm_w >> 8 & 0xf) << 4 | (mm_h >> 8 & 0xf);
	d[17] = 0x1a;		/* separate syncs, one of them positive */
}

static void edid_text(uint8_t *d, uint8_t tag, const char *text)
{
	size_t len = strlen(text);

	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, text, len);
	d[5 + len] = '\n';
}

void synthvid_edid(uint8_t *edid, uint32_t width, uint32_t height)
{
	static const uint8_t start[] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
		0x4e, 0xd4, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, /* "SVT" */
		1, 34, 1, 4,		/* week 1 of 2024, EDID 1.4 */
		0xa0, 0, 0, 0x78, 0x06,	/* digital, 8 bits a colour */
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54,
	};
	uint8_t sum = 0;
	unsigned int i;

	memset(edid, 0, SYNTHVID_EDID_BYTES);
	memcpy(edid, start, sizeof(start));
	for (i = 38; i < 54; i++)
		edid[i] = 1;		/* no standard timings */
	/* twelve bits are all that a timing has for a side */
	edid_timing(edid + 54, width < 4095 ? width : 4095,
		    height < 4095 ? height : 4095);
	edid_text(edid + 72, 0xfc, "synthio");
	edid_text(edid + 90, 0xff, "1");
	edid[108 + 3] = 0x10;		/* nothing here */
	for (i = 0; i < SYNTHVID_EDID_BYTES - 1; i++)
		sum -= edid[i];
	edid[SYNTHVID_EDID_BYTES - 1] = sum;
}
