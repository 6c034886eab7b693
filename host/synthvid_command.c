// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "synthvid.h"

/* Rows of 3 bytes for a pixel; libpng reports errors by longjmp */
static int png_write(FILE *f, const uint8_t *rgb, uint32_t width,
		     uint32_t height)
{
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL,
						  NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	uint32_t y;

	if (!info || setjmp(png_jmpbuf(png))) {
		png_destroy_write_struct(&png, &info);
		return -EIO;
	}
	png_init_io(png, f);
	png_set_IHDR(png, info, width, height, 8, PNG_COLOR_TYPE_RGB,
		     PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	/* areas and text get smaller without a filter than with one */
	png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE);
	png_set_compression_level(png, 3);
	png_write_info(png, info);
	for (y = 0; y < height; y++)
		png_write_row(png, rgb + (size_t)y * width * 3);
	png_write_end(png, info);
	png_destroy_write_struct(&png, &info);
	return 0;
}

static uint32_t blend(uint32_t below, uint32_t argb)
{
	uint32_t alpha = argb >> 24, out = 0;
	int shift;

	for (shift = 16; shift >= 0; shift -= 8) {
		uint32_t a = argb >> shift & 0xff, b = below >> shift & 0xff;

		out |= (a * alpha + b * (255 - alpha) + 127) / 255 << shift;
	}
	return out;
}

/* The screen as a person sees it, or without the pointer */
static uint8_t *take_picture(const struct synthvid *v, bool pointer)
{
	uint32_t width = v->output.width, height = v->output.height, x, y;
	uint8_t *rgb = malloc((size_t)width * height * 3), *to = rgb;

	pointer = pointer && synthvid_pointer_drawn(v);
	for (y = 0; rgb && y < height; y++) {
		const uint32_t *line = (const void *)(v->vram +
			v->output.offset + (size_t)y * v->output.pitch);

		for (x = 0; x < width; x++) {
			uint32_t p = line[x];
			uint32_t px = x - v->position.x, py = y - v->position.y;

			if (pointer && px < v->pointer.width &&
			    py < v->pointer.height)
				p = blend(p, v->pointer.argb[
						py * v->pointer.width + px]);
			*to++ = p >> 16;
			*to++ = p >> 8;
			*to++ = p;
		}
	}
	return rgb;
}

static struct synthvid *video_first(struct bus *bus, struct text *out)
{
	struct device *dev = device_find(bus, &synthvid_kind, NULL);

	if (dev)
		return to_synthvid(dev);
	text_add(out, "there is no display; see --video");
	return NULL;
}

static int cmd_screenshot(struct bus *bus, int argc, char **argv,
			  struct text *out)
{
	struct synthvid *v = video_first(bus, out);
	bool pointer = argc == 3 && !strcmp(argv[2], "pointer");
	uint8_t *rgb;
	FILE *f;
	int ret;

	if (!v)
		return -ENODEV;
	if (argc != 2 && !pointer)
		return text_add(out, "needs a file, then perhaps 'pointer'");
	if (!v->active)
		return text_add(out, "the guest shows nothing");
	rgb = take_picture(v, pointer);
	f = rgb ? fopen(argv[1], "we") : NULL;
	if (!f) {
		ret = -errno;
		text_add(out, "%s: %s", argv[1], strerror(errno));
		free(rgb);
		return ret;
	}
	ret = png_write(f, rgb, v->output.width, v->output.height);
	free(rgb);
	if (fclose(f) || ret)
		return text_add(out, "%s: cannot be written", argv[1]);
	return 0;
}

static int parse_size(const char *word, uint64_t *width, uint64_t *height)
{
	char text[32], *x;

	snprintf(text, sizeof(text), "%s", word);
	x = strchr(text, 'x');
	if (!x)
		return -EINVAL;
	*x++ = '\0';
	return text_number(text, 1, 65535, width) ?:
	       text_number(x, 1, 65535, height);
}

static bool synthvid_resize(struct console_sink *sink, uint32_t width,
			    uint32_t height)
{
	struct synthvid *v = container_of(sink, struct synthvid, sink);

	if (synthvid_prefer(v, width, height))
		return false;
	log_info("video %s: %ux%u is wanted now", v->dev.id, width, height);
	synthvid_features(v);
	return true;
}

static int cmd_resize(struct synthvid *v, const char *word, struct text *out)
{
	uint64_t width, height;

	if (parse_size(word, &width, &height))
		return text_add(out, "'%s' is no WxH", word);
	if (!synthvid_resize(&v->sink, width, height))
		return text_add(out, "%s does not fit into the VRAM", word);
	return 0;
}

static int cmd_features(struct synthvid *v, int argc, char **argv,
			struct text *out)
{
	uint64_t n[4];
	int i;

	if (argc != 6)
		return text_add(out, "needs four of 0 or 1: dirt, position, shape, situation");
	for (i = 0; i < 4; i++) {
		if (text_number(argv[2 + i], 0, 255, &n[i]))
			return text_add(out, "'%s' is no number", argv[2 + i]);
	}
	v->features.dirt = n[0];
	v->features.pointer_position = n[1];
	v->features.pointer_shape = n[2];
	v->features.situation = n[3];
	synthvid_features(v);
	return 0;
}

/* In the VRAM, so that it shows what a guest writes there, and what it does not */
static int cmd_fill(struct synthvid *v, const char *word, struct text *out)
{
	uint64_t byte;

	if (text_number(word, 0, 255, &byte))
		return text_add(out, "'%s' is no byte", word);
	if (!v->vram)
		return text_add(out, "the guest has no VRAM");
	memset(v->vram, byte, v->vram_size);
	return 0;
}

/* Bytes of the screen that are not this one, and the rectangle around them */
static int cmd_differs(struct synthvid *v, const char *word, struct text *out)
{
	uint32_t x1 = UINT32_MAX, y1 = UINT32_MAX, x2 = 0, y2 = 0, x, y;
	uint64_t byte, count = 0;

	if (text_number(word, 0, 255, &byte))
		return text_add(out, "'%s' is no byte", word);
	if (!v->active)
		return text_add(out, "the guest shows nothing");
	for (y = 0; y < v->output.height; y++) {
		const uint32_t *line = (const void *)(v->vram +
			v->output.offset + (size_t)y * v->output.pitch);

		for (x = 0; x < v->output.width; x++) {
			if (line[x] == byte * 0x01010101u)
				continue;
			count++;
			x1 = x < x1 ? x : x1;
			x2 = x + 1 > x2 ? x + 1 : x2;
			y1 = y < y1 ? y : y1;
			y2 = y + 1;
		}
	}
	if (count)
		text_add(out, "%llu pixels in %u,%u-%u,%u\n",
			 (unsigned long long)count, x1, y1, x2, y2);
	else
		text_add(out, "0 pixels\n");
	return 0;
}

static void add_counts(const struct synthvid_counts *c, struct text *out)
{
	text_add(out, "dirts=%llu rects=%llu pixels=%llu clipped=%llu situations=%llu positions=%llu shapes=%llu shape_parts=%llu shape_bytes=%llu resolutions=%llu vram_locations=%llu bytes=%llu\n",
		 (unsigned long long)c->dirts, (unsigned long long)c->rects,
		 (unsigned long long)c->pixels, (unsigned long long)c->clipped,
		 (unsigned long long)c->situations,
		 (unsigned long long)c->positions,
		 (unsigned long long)c->shapes,
		 (unsigned long long)c->shape_parts,
		 (unsigned long long)c->shape_bytes,
		 (unsigned long long)c->resolutions,
		 (unsigned long long)c->vram_locations,
		 (unsigned long long)c->bytes);
}

static int cmd_video(struct bus *bus, int argc, char **argv, struct text *out)
{
	struct synthvid *v = video_first(bus, out);

	if (!v)
		return -ENODEV;
	if (argc == 2 && !strcmp(argv[1], "stats"))
		add_counts(&v->counts, out);
	else if (argc == 2 && !strcmp(argv[1], "reset"))
		memset(&v->counts, 0, sizeof(v->counts));
	else if (argc >= 2 && !strcmp(argv[1], "features"))
		return cmd_features(v, argc, argv, out);
	else if (argc == 3 && !strcmp(argv[1], "resize"))
		return cmd_resize(v, argv[2], out);
	else if (argc == 3 && !strcmp(argv[1], "fill"))
		return cmd_fill(v, argv[2], out);
	else if (argc == 3 && !strcmp(argv[1], "differs"))
		return cmd_differs(v, argv[2], out);
	else
		return text_add(out, "see help");
	return 0;
}

void synthvid_status(struct device *dev, struct text *out)
{
	struct synthvid *v = to_synthvid(dev);

	if (v->active)
		text_add(out, "  shows %ux%u, pitch %u, offset %u",
			 v->output.width, v->output.height, v->output.pitch,
			 v->output.offset);
	else
		text_add(out, "  shows nothing");
	text_add(out, ", version %u.%u, pointer %ux%u at %d,%d %s, prefers %ux%u\n  ",
		 v->version & 0xffff, v->version >> 16, v->pointer.width,
		 v->pointer.height, v->position.x, v->position.y,
		 synthvid_pointer_state(v),
		 v->modes[v->preferred].width, v->modes[v->preferred].height);
	add_counts(&v->counts, out);
	pipe_status(&v->pipe, out);
}

/* --- the option ------------------------------------------------------------------ */

static int video_option(struct synthvid *v, const char *name, const char *value,
			uint64_t *width, uint64_t *height, struct text *err)
{
	if (!strcmp(name, "vram") && value && !text_size(value, &v->vram_size) &&
	    v->vram_size >= 1 << 20 && v->vram_size <= 256 << 20 &&
	    v->vram_size % (1 << 20) == 0)
		return 0;
	if (!strcmp(name, "size") && value && !parse_size(value, width, height))
		return 0;
	if (!strcmp(name, "version") && value) {
		if (!strcmp(value, "3.2")) {
			v->max_version = SYNTHVID_VERSION_3_2;
			return 0;
		}
		if (!strcmp(value, "3.5"))
			return 0;
	}
	if (!strcmp(name, "no-edid") && !value) {
		v->edid = false;
		return 0;
	}
	if (!strcmp(name, "quiet") && !value) {
		v->quiet = true;
		return 0;
	}
	if (!strcmp(name, "forgets") && !value) {
		v->forgets = true;
		return 0;
	}
	return text_add(err, "'%s%s%s' is not possible", name,
			value ? "=" : "", value ?: "");
}

static int video_parse(struct bus *bus, const char *arg, struct text *err)
{
	static const struct pipe_name names[] = {
		{ "version", SYNTHVID_VERSION_RESPONSE },
		{ "resolutions", SYNTHVID_RESOLUTION_RESPONSE },
		{ "vram", SYNTHVID_VRAM_LOCATION_ACK },
		{ "situation", SYNTHVID_SITUATION_UPDATE_ACK },
		{ "features", SYNTHVID_FEATURE_CHANGE },
		{ 0 }
	};
	struct synthvid *v = calloc(1, sizeof(*v));
	uint64_t width = 1024, height = 768;
	struct option_list list;
	char *name, *value;
	int ret = 0;

	if (!v)
		return -ENOMEM;
	v->dev.kind = &synthvid_kind;
	v->pipe.dev = &v->dev;
	v->pipe.names = names;
	v->pipe.header_counts = true;
	v->sink.resize = synthvid_resize;
	v->refresh.fired = synthvid_refresh;
	v->vram_size = 8 << 20;
	v->max_version = SYNTHVID_VERSION_3_5;
	v->features = (struct synthvid_feature_change){ 1, 1, 1, 1 };
	v->edid = true;
	option_list_init(&list, arg ? arg : "video");
	if (!option_next(&list, &name, &value) || value)
		ret = text_add(err, "an ID comes first");
	else
		ret = device_set_id(&v->dev, name, err);
	while (!ret && option_next(&list, &name, &value))
		ret = video_option(v, name, value, &width, &height, err);
	option_list_free(&list);
	if (!ret) {
		v->dev.mmio_megabytes = v->vram_size >> 20;
		synthvid_modes_init(v);
		if (synthvid_prefer(v, width, height))
			ret = text_add(err, "%llux%llu does not fit into the VRAM",
				       (unsigned long long)width,
				       (unsigned long long)height);
	}
	if (!ret)
		ret = device_register(bus, &v->dev, err);
	if (ret) {
		free(v);
		return ret;
	}
	pipe_add(&v->pipe);
	console_add_sink(bus_console(bus), &v->sink);
	return 0;
}

const struct device_option synthvid_options[] = {
	{ "video", "[ID[,size=WxH][,vram=SIZE][,version=3.2|3.5][,no-edid][,quiet][,forgets]]",
	  "a display (ID: \"video\", 8M, 1024x768 if not given); quiet: it never says unasked what it wants to be told; forgets: what was in the VRAM is lost when the guest sets it up",
	  video_parse },
	{ 0 }
};

const struct device_command synthvid_commands[] = {
	{ "screenshot", "FILE [pointer]", "write a PNG of the screen", cmd_screenshot },
	{ "video", "resize WxH | stats | reset | features DIRT POSITION SHAPE SITUATION | fill BYTE | differs BYTE",
	  "ask the guest for another size; what it has sent; what it should send; its VRAM",
	  cmd_video },
	{ 0 }
};
