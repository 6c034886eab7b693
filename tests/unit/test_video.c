// SPDX-License-Identifier: GPL-2.0-only
/*
 * The display driver's parsers and lists: messages, rectangles, the pointer, the states of
 * a display, and what its host has missed.
 */
#include <stdlib.h>

#include "../../drivers/video/damage.h"
#include "../../drivers/video/message.h"
#include "../../drivers/video/pointer.h"
#include "../../drivers/video/state.h"
#include "../../drivers/video/updates.h"
#include "tap.h"

static struct {
	struct synthio_pipe pipe;
	struct synthvid_header header;
	union {
		struct synthvid_version_response version;
		struct synthvid_ack ack;
		struct synthvid_feature_change features;
		struct {
			struct synthvid_resolution_response modes;
			struct synthvid_resolution mode[255];
		} __attribute__((packed));
	};
} __attribute__((packed)) packet;
static struct synv_message msg;

static void fill(u32 type, u32 len)
{
	memset(&packet, 0, sizeof(packet));
	packet.pipe.type = SYNTHIO_PIPE_DATA;
	packet.pipe.size = sizeof(packet.header) + len;
	packet.header.type = type;
}

/* A copy of its own, so that the sanitizer sees what is read behind it */
static int parse(u32 len)
{
	void *copy = malloc(len ?: 1);
	int ret;

	memcpy(copy, &packet, len);
	ret = synv_parse(copy, len, &msg);
	free(copy);
	return ret;
}

static void test_short(void)
{
	static const struct {
		u32 type, len;
	} messages[] = {
		{ SYNTHVID_VERSION_RESPONSE, sizeof(packet.version) },
		{ SYNTHVID_VRAM_LOCATION_ACK, sizeof(packet.ack) },
		{ SYNTHVID_SITUATION_UPDATE_ACK, sizeof(packet.ack) },
		{ SYNTHVID_FEATURE_CHANGE, sizeof(packet.features) },
	};
	u32 i, len;

	for (i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
		u32 all = 16 + messages[i].len;

		fill(messages[i].type, messages[i].len);
		CHECK(!parse(all) && msg.type == messages[i].type, "type %u",
		      messages[i].type);
		CHECK(!parse((all + 7) & ~7u), "padded");
		for (len = 0; len < all; len++)
			CHECK(parse(len) == -EINVAL, "type %u, %u bytes",
			      messages[i].type, len);
		for (len = 0; len < messages[i].len; len++) {
			packet.pipe.size = 8 + len;
			CHECK(parse((all + 7) & ~7u) == -EINVAL,
			      "type %u says %u", messages[i].type, len);
		}
	}
	fill(SYNTHVID_VERSION_RESPONSE, 6);
	packet.version.version = SYNTHVID_VERSION_3_5;
	packet.version.accepted = 1;
	CHECK(!parse(24) && msg.accepted &&
	      msg.version == SYNTHVID_VERSION_3_5, "accepted");
}

static void make_modes(unsigned int count, unsigned int preferred)
{
	unsigned int i;

	fill(SYNTHVID_RESOLUTION_RESPONSE, sizeof(packet.modes) + 4 * count);
	packet.modes.count = count;
	packet.modes.preferred = preferred;
	for (i = 0; i < count; i++) {
		packet.mode[i].width = 100 + i;
		packet.mode[i].height = 200 + i;
	}
}

static void test_modes(void)
{
	u8 sum = 0;
	u32 i;

	for (i = 1; i <= 64; i++) {
		make_modes(i, i - 1);
		CHECK(!parse(16 + 131 + 4 * i) && msg.modes.count == i &&
		      msg.modes.preferred == i - 1 && !msg.modes.has_edid &&
		      msg.modes.mode[i - 1].width == 99 + i, "%u modes", i);
		packet.pipe.size--;
		CHECK(parse(16 + 131 + 4 * i) == -EINVAL, "one byte short");
		make_modes(i, i);
		CHECK(parse(16 + 131 + 4 * i) == -EINVAL, "prefers none");
	}
	make_modes(0, 0);
	CHECK(parse(152) == -EINVAL, "none");
	for (i = 65; i < 256; i++) {
		make_modes(i, 0);
		CHECK(parse(16 + 131 + 4 * i) == -EINVAL, "%u modes", i);
	}
	for (i = 0; i < 131; i++) {
		make_modes(1, 0);
		packet.pipe.size = 8 + i;
		CHECK(parse(152) == -EINVAL, "%u bytes", i);
	}
	/* sizes of nothing are no modes */
	make_modes(3, 2);
	packet.mode[0].width = 63;
	packet.mode[1].height = 0;
	CHECK(!parse(16 + 131 + 12) && msg.modes.count == 1 &&
	      !msg.modes.preferred && msg.modes.mode[0].width == 102, "one");
	packet.mode[2].width = 0;
	CHECK(parse(16 + 131 + 12) == -EINVAL, "none of three");
	make_modes(1, 0);
	memset(packet.modes.edid + 1, 0xff, 6);
	for (i = 0; i < 127; i++)
		sum -= packet.modes.edid[i];
	packet.modes.edid[127] = sum;
	CHECK(!parse(152) && msg.modes.has_edid, "an EDID");
	packet.modes.edid[64]++;
	CHECK(!parse(152) && !msg.modes.has_edid, "a wrong sum");
	/* blocks that would follow, of which none came */
	packet.modes.edid[64]--;
	for (i = 1; i < 256; i += 254) {
		packet.modes.edid[126] = i;
		packet.modes.edid[127] = sum - i;
		CHECK(!parse(152) && msg.modes.has_edid &&
		      !msg.modes.edid[126] && msg.modes.edid[127] == sum,
		      "%u blocks", i);
	}
}

static void test_odd(void)
{
	static const u32 others[] = { 0, 1, 3, 5, 7, 8, 10, 11, 12, 13, 15,
				      0x8000000e, 0xffffffff };
	u32 i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fill(others[i], 64);
		CHECK(parse(80) == -ENOMSG, "type %u", others[i]);
	}
	fill(SYNTHVID_FEATURE_CHANGE, 4);
	packet.pipe.type = 2;
	CHECK(parse(24) == -ENOMSG, "another pipe");
	packet.pipe.type = 1;
	packet.pipe.size = 0xffffffff;
	CHECK(parse(24) == -EINVAL, "endless");
}

static struct synv_damage d;

static s64 pixels(void)
{
	s64 sum = 0;
	u32 i;

	for (i = 0; i < d.count; i++)
		sum += (s64)(d.rect[i].x2 - d.rect[i].x1) *
		       (d.rect[i].y2 - d.rect[i].y1);
	return sum;
}

static void add(int x, int y, int w, int h)
{
	synv_damage_add(&d, (struct synv_rect){ x, y, x + w, y + h });
}

static void test_damage(void)
{
	memset(&d, 0, sizeof(d));
	add(5, 5, 0, 10);
	add(5, 5, 10, -1);
	CHECK(!d.count, "nothing");
	add(0, 0, 100, 100);
	add(20, 20, 30, 30);
	CHECK(d.count == 1 && pixels() == 10000, "inside");
	add(100, 0, 50, 100);
	CHECK(d.count == 1 && pixels() == 15000, "beside");
	add(1000, 700, 100, 100);
	CHECK(d.count == 2 && pixels() == 25000, "far away");
	add(0, 0, 2000, 1000);
	CHECK(d.count == 1 && pixels() == 2000000, "around all of it");
}

/* Whatever comes: no more than there is room for, and nothing is lost */
static void test_damage_random(void)
{
	static bool want[256][256];
	unsigned int round, i, x, y;

	srand(1);
	for (round = 0; round < 200; round++) {
		memset(&d, 0, sizeof(d));
		memset(want, 0, sizeof(want));
		for (i = 0; i < 100; i++) {
			int rx = rand() % 250, ry = rand() % 250;
			int w = rand() % (rand() % 3 ? 6 : 256 - rx);
			int h = rand() % (rand() % 3 ? 6 : 256 - ry);

			add(rx, ry, w, h);
			CHECK(d.count <= SYNV_DAMAGE_MAX, "%u", d.count);
			for (y = ry; (int)y < ry + h; y++)
				for (x = rx; (int)x < rx + w; x++)
					want[y][x] = true;
		}
		for (i = 0; i < d.count; i++) {
			CHECK(d.rect[i].x1 >= 0 && d.rect[i].x2 <= 256 &&
			      d.rect[i].y1 >= 0 && d.rect[i].y2 <= 256,
			      "inside");
			for (y = d.rect[i].y1; (int)y < d.rect[i].y2; y++)
				for (x = d.rect[i].x1; (int)x < d.rect[i].x2;
				     x++)
					want[y][x] = false;
		}
		for (i = 0; i < 65536; i++)
			CHECK(!want[i / 256][i % 256], "%u,%u", i % 256,
			      i / 256);
	}
}

/* Many small ones that are far apart cost no more than they have to */
static void test_damage_full(void)
{
	int i;

	memset(&d, 0, sizeof(d));
	for (i = 0; i < 100; i++)
		add(i % 10 * 190, i / 10 * 100, 16, 16);
	CHECK(d.count <= SYNV_DAMAGE_MAX && d.count > SYNV_DAMAGE_MAX / 2,
	      "%u rectangles", d.count);
	CHECK(pixels() < 1920 * 1080 / 4, "%lld pixels", (long long)pixels());
}

/* Exact as long as there is room, then one around all */
static void test_damage_gather(void)
{
	int i, k;

	memset(&d, 0, sizeof(d));
	for (k = 0; k < 2; k++) {
		for (i = 0; i < SYNV_DAMAGE_MAX; i++)
			synv_damage_gather(&d, (struct synv_rect){
				i * 100, 0, i * 100 + 16, 16 });
		CHECK(d.count == SYNV_DAMAGE_MAX && pixels() == 256 * d.count,
		      "%u rectangles, %lld pixels", d.count,
		      (long long)pixels());
	}
	synv_damage_gather(&d, (struct synv_rect){ 0, 500, 16, 516 });
	CHECK(d.count == 2 && pixels() == (31 * 100 + 16 + 16) * 16,
	      "%u rectangles, %lld pixels", d.count, (long long)pixels());
}

/* Within a rectangle, and only there */
static void test_damage_clip(void)
{
	static const struct synv_rect within = { 100, 100, 200, 200 };

	memset(&d, 0, sizeof(d));
	add(0, 0, 100, 1000);
	add(500, 500, 10, 10);
	synv_damage_clip(&d, &within);
	CHECK(!d.count, "%u rectangles outside", d.count);
	add(0, 0, 1000, 1000);
	synv_damage_clip(&d, &within);
	CHECK(d.count == 1 && !memcmp(&d.rect[0], &within, sizeof(within)),
	      "all of it");
	d.count = 0;
	add(0, 0, 110, 110);
	add(199, 199, 100, 100);
	add(0, 500, 600, 10);
	synv_damage_clip(&d, &within);
	CHECK(d.count == 2 && pixels() == 101, "%u rectangles, %lld pixels",
	      d.count, (long long)pixels());
}

static struct synv_pointer p;

/* A transparent picture, but for this rectangle, where each pixel is another */
static void draw(u32 width, u32 height, u32 hot_x, u32 hot_y,
		 struct synv_rect r)
{
	u32 line[SYNTHVID_POINTER_MAX];
	int x, y;

	p = (struct synv_pointer) {
		.width = width, .height = height,
		.hot_x = hot_x, .hot_y = hot_y,
	};
	for (y = 0; y < (int)height; y++) {
		for (x = 0; x < (int)width; x++)
			line[x] = x < r.x1 || x >= r.x2 || y < r.y1 ||
				  y >= r.y2 ? 0 : 0xff000000 + y * 256 + x;
		synv_pointer_line(&p, y, line);
	}
	synv_pointer_crop(&p);
}

static void test_pointer_crop(void)
{
	static const struct {
		u32 hot_x, hot_y;
		struct synv_rect drawn, kept;
	} cases[] = {
		{ 0, 0, { 0, 0, 64, 64 }, { 0, 0, 64, 64 } },
		{ 0, 0, { 0, 0, 12, 20 }, { 0, 0, 12, 20 } },
		{ 31, 30, { 24, 20, 40, 44 }, { 24, 20, 40, 44 } },
		{ 63, 63, { 63, 63, 64, 64 }, { 63, 63, 64, 64 } },
		/* what points is no pixel of the picture */
		{ 0, 0, { 24, 20, 40, 44 }, { 0, 0, 40, 44 } },
		{ 63, 0, { 24, 20, 40, 44 }, { 24, 0, 64, 44 } },
		{ 30, 63, { 24, 20, 40, 44 }, { 24, 20, 40, 64 } },
	};
	u32 i, x, y;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct synv_rect *d = &cases[i].drawn;
		const struct synv_rect *k = &cases[i].kept;

		draw(64, 64, cases[i].hot_x, cases[i].hot_y, *d);
		CHECK((int)p.x == k->x1 && (int)p.y == k->y1 &&
		      (int)(p.x + p.width) == k->x2 &&
		      (int)(p.y + p.height) == k->y2, "case %u: %ux%u at %u,%u",
		      i, p.width, p.height, p.x, p.y);
		CHECK(p.x + p.hot_x == cases[i].hot_x &&
		      p.y + p.hot_y == cases[i].hot_y, "case %u: %u,%u", i,
		      p.hot_x, p.hot_y);
		for (y = 0; y < p.height; y++) {
			for (x = 0; x < p.width; x++) {
				int at_x = p.x + x, at_y = p.y + y;
				bool in = at_x >= d->x1 && at_x < d->x2 &&
					  at_y >= d->y1 && at_y < d->y2;
				u32 want = in ? 0xff000000 + at_y * 256 + at_x :
					   0;

				CHECK(p.argb[y * p.width + x] == want,
				      "case %u: %08x at %u,%u", i,
				      p.argb[y * p.width + x], x, y);
			}
		}
	}
	/* nothing is not the same as no pixels: hosts want some */
	draw(64, 64, 30, 30, (struct synv_rect){ 0, 0, 0, 0 });
	CHECK(p.width == 1 && p.height == 1 && !p.hot_x && !p.hot_y && !p.x &&
	      !p.y && p.argb[0] >> 24 == 1, "nothing");
}

/* DRM has alpha multiplied in */
static void test_pointer_alpha(void)
{
	static const u32 pixels[][2] = {
		{ 0xff123456, 0xff123456 }, { 0x80800000, 0x80ff0000 },
		{ 0x80404000, 0x80808000 }, { 0x01010000, 0x01ff0000 },
		/* more than there can be */
		{ 0x10ff0000, 0x10ff0000 },
	};
	u32 i;

	for (i = 0; i < sizeof(pixels) / sizeof(pixels[0]); i++) {
		p = (struct synv_pointer) { .width = 1, .height = 1 };
		synv_pointer_line(&p, 0, &pixels[i][0]);
		CHECK(p.argb[0] == pixels[i][1], "%08x", p.argb[0]);
	}
}

static void test_pointer_parts(void)
{
	static const u32 sizes[][3] = {
		{ 1, 1, 1 }, { 32, 64, 1 }, { 32, 65, 2 }, { 64, 64, 2 },
		{ 96, 96, 5 }, { 96, 1, 1 }, { 1, 96, 1 },
	};
	struct synthvid_pointer_shape shape;
	u8 pixels[SYNTHVID_POINTER_PART];
	u32 i, part, bytes, all, have;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		u32 w = sizes[i][0], h = sizes[i][1];

		draw(w, h, w - 1, h / 2, (struct synv_rect){ 0, 0, w, h });
		all = w * h * 4;
		have = 0;
		for (part = 0; (bytes = synv_pointer_part(&p, part, &shape,
							  pixels)); part++) {
			bool last = part + 1 == sizes[i][2];

			CHECK(shape.part == (last ? 255 : part), "part %u: %u",
			      part, shape.part);
			CHECK(shape.argb == 1 && shape.width == w &&
			      shape.height == h && shape.hot_x == w - 1 &&
			      shape.hot_y == h / 2, "part %u", part);
			CHECK(last || bytes == sizeof(pixels), "%u bytes",
			      bytes);
			CHECK(have + bytes <= all &&
			      !memcmp(pixels, (u8 *)p.argb + have, bytes),
			      "part %u", part);
			have += bytes;
		}
		CHECK(part == sizes[i][2] && have == all, "%ux%u: %u parts",
		      w, h, part);
	}
}

static void test_pointer_same(void)
{
	static struct synv_pointer a;

	draw(64, 64, 30, 30, (struct synv_rect){ 20, 20, 40, 40 });
	a = p;
	a.argb[20 * 20]++;
	a.x++;
	CHECK(synv_pointer_same(&a, &p), "what is not sent does not differ");
	a.argb[20 * 20 - 1]++;
	CHECK(!synv_pointer_same(&a, &p), "a pixel");
	a = p;
	a.hot_y++;
	CHECK(!synv_pointer_same(&a, &p), "what points");
	a = p;
	a.width = 40;
	a.height = 10;
	CHECK(!synv_pointer_same(&a, &p), "size");
}

static void test_states(void)
{
	/* every step of a life, and no other one */
	static const char steps[][2] = {
		{ SYNV_CLOSED, SYNV_OPENING }, { SYNV_OPENING, SYNV_CLOSED },
		{ SYNV_OPENING, SYNV_READY }, { SYNV_READY, SYNV_CLOSED },
		{ SYNV_READY, SYNV_LIVE }, { SYNV_LIVE, SYNV_STALLED },
		{ SYNV_STALLED, SYNV_LIVE }, { SYNV_LIVE, SYNV_LEAVING },
		{ SYNV_STALLED, SYNV_LEAVING }, { SYNV_LEAVING, SYNV_LIVE },
		{ SYNV_LEAVING, SYNV_CLOSED },
	};
	u32 from, to, i, found = 0;

	for (from = 0; from <= SYNV_LEAVING + 1; from++) {
		for (to = 0; to <= SYNV_LEAVING + 1; to++) {
			bool may = false;

			for (i = 0; i < ARRAY_SIZE(steps); i++)
				may |= steps[i][0] == (char)from &&
				       steps[i][1] == (char)to;
			CHECK(synv_state_may_follow(from, to) == may,
			      "%s -> %s", synv_state_name(from),
			      synv_state_name(to));
			found += may;
		}
	}
	CHECK(found == ARRAY_SIZE(steps), "%u steps", found);
	CHECK(!strcmp(synv_state_name(SYNV_STALLED), "stalled") &&
	      !strcmp(synv_state_name(77), "invalid"), "names");
}

static void test_reader(void)
{
	/* the time wraps meanwhile */
	const unsigned long start = -5ul;
	struct synv_reader r = { .empty = true };

	CHECK(!synv_reader_stalled(&r, 0, 0, start, 20), "nothing to read");
	CHECK(!synv_reader_stalled(&r, 0, 64, start + 1000, 20),
	      "a message after a long time");
	CHECK(!synv_reader_stalled(&r, 0, 128, start + 1020, 20), "not yet");
	CHECK(synv_reader_stalled(&r, 0, 192, start + 1021, 20),
	      "more messages do not count");
	CHECK(synv_reader_stalled(&r, 0, 192, start + 9000, 20), "still");
	CHECK(!synv_reader_stalled(&r, 64, 192, start + 9001, 20), "it reads");
	CHECK(!synv_reader_stalled(&r, 128, 192, start + 9022, 20),
	      "it reads slowly");
	CHECK(synv_reader_stalled(&r, 128, 192, start + 9043, 20), "again");
	CHECK(!synv_reader_stalled(&r, 192, 192, start + 9999, 20),
	      "it has read all");
	CHECK(!synv_reader_stalled(&r, 192, 64, start + 19999, 20),
	      "the ring wraps");
}

static const struct synthvid_feature_change wants_all = { 1, 1, 1, 1 };
static struct synv_updates updates;

static struct synthvid_output output_of(u32 width, u32 height)
{
	return (struct synthvid_output) { 1, 0, 32, width, height, width * 4 };
}

static void show_size(u32 width, u32 height)
{
	struct synthvid_output output = output_of(width, height);

	synv_updates_situation(&updates, &output);
}

static void dirty(int x1, int y1, int x2, int y2)
{
	const struct synv_damage d = { 1, { { x1, y1, x2, y2 } } };

	synv_updates_dirt(&updates, &d);
}

/* What is sent, in this order; all of it gets through */
static u32 send_all(u32 *sent)
{
	u32 count = 0, update;

	while ((update = synv_updates_next(&updates, &wants_all))) {
		sent[count++] = update;
		synv_updates_sent(&updates, update);
		if (count == 8)
			break;
	}
	return count;
}

static void test_updates_order(void)
{
	u32 sent[8], count;

	memset(&updates, 0, sizeof(updates));
	updates.position.visible = 1;
	/* a host that was never told of a mode is told of the pointer only */
	synv_updates_all_missed(&updates);
	count = send_all(sent);
	CHECK(count == 2 && sent[0] == SYNV_UPDATE_SHAPE &&
	      sent[1] == SYNV_UPDATE_POSITION, "%u at first", count);
	/* damage first, and the mode last: they are sent the other way round */
	show_size(640, 480);
	send_all(sent);
	dirty(1, 2, 3, 4);
	synv_updates_position(&updates, 5, 6);
	updates.missed |= SYNV_UPDATE_SHAPE;
	show_size(800, 600);
	count = send_all(sent);
	CHECK(count == 4 && sent[0] == SYNV_UPDATE_SITUATION &&
	      sent[1] == SYNV_UPDATE_SHAPE && sent[2] == SYNV_UPDATE_POSITION &&
	      sent[3] == SYNV_UPDATE_DIRT, "%u", count);
	CHECK(!updates.missed && !updates.dirt.count, "all was sent");
	synv_updates_all_missed(&updates);
	CHECK(updates.missed == SYNV_UPDATE_ALL && updates.dirt.count == 1 &&
	      updates.dirt.rect[0].x2 == 800, "all of it once more");
}

/* A pause: the last values count, and all damage does */
static void test_updates_pause(void)
{
	u32 sent[8], i;

	memset(&updates, 0, sizeof(updates));
	show_size(640, 480);
	send_all(sent);
	for (i = 0; i < 100000; i++) {
		synv_updates_position(&updates, i, i + 1);
		dirty(i % 600, i % 400, i % 600 + 10, i % 400 + 20);
	}
	CHECK(updates.position.x == 99999 && updates.position.y == 100000 &&
	      updates.position.visible, "the last position");
	CHECK(updates.dirt.count && updates.dirt.count <= SYNV_DAMAGE_MAX,
	      "%u rectangles", updates.dirt.count);
	for (i = 0; i < 100000; i += 7) {
		const struct synv_rect want = {
			i % 600, i % 400, i % 600 + 10, i % 400 + 20 };
		bool covered = false;
		u32 k;

		for (k = 0; k < updates.dirt.count; k++)
			covered |= updates.dirt.rect[k].x1 <= want.x1 &&
				   updates.dirt.rect[k].y1 <= want.y1 &&
				   updates.dirt.rect[k].x2 >= want.x2 &&
				   updates.dirt.rect[k].y2 >= want.y2;
		CHECK(covered, "damage %u is lost", i);
	}
}

static void test_updates_modes(void)
{
	struct synthvid_output dark = output_of(640, 480);
	u32 sent[8];

	memset(&updates, 0, sizeof(updates));
	dirty(0, 0, 5, 5);
	CHECK(!updates.missed, "damage of a screen that was never lit");
	show_size(1024, 768);
	send_all(sent);
	dirty(1000, 700, 1024, 768);
	/* rectangles of the larger screen are not those of the smaller one */
	show_size(640, 480);
	CHECK(updates.dirt.count == 1 && updates.dirt.rect[0].x2 == 640 &&
	      updates.dirt.rect[0].y2 == 480, "all of another size");
	dark.active = 0;
	synv_updates_situation(&updates, &dark);
	CHECK(updates.missed == SYNV_UPDATE_SITUATION && !updates.dirt.count,
	      "a dark screen: 0x%x", updates.missed);
	dirty(0, 0, 5, 5);
	synv_updates_sent(&updates, SYNV_UPDATE_SITUATION);
	CHECK(!updates.missed, "damage of a dark screen");
	synv_updates_situation(&updates, &dark);
	CHECK(!updates.missed, "dark twice");
	show_size(640, 480);
	CHECK(updates.missed == (SYNV_UPDATE_SITUATION | SYNV_UPDATE_DIRT),
	      "lit again: 0x%x", updates.missed);
	send_all(sent);
	show_size(640, 480);
	synv_updates_position(&updates, 0, 0);
	send_all(sent);
	synv_updates_position(&updates, 0, 0);
	CHECK(!updates.missed, "the same mode and position");
}

static void test_updates_features(void)
{
	struct synthvid_feature_change few = { 0 };

	memset(&updates, 0, sizeof(updates));
	show_size(640, 480);
	synv_updates_all_missed(&updates);
	CHECK(synv_updates_next(&updates, &few) == SYNV_UPDATE_SITUATION,
	      "a mode is always sent");
	synv_updates_sent(&updates, SYNV_UPDATE_SITUATION);
	CHECK(!synv_updates_next(&updates, &few), "and nothing else");
	few.dirt = 1;
	CHECK(synv_updates_next(&updates, &few) == SYNV_UPDATE_DIRT, "damage");
	few.pointer_position = 1;
	CHECK(synv_updates_next(&updates, &few) == SYNV_UPDATE_POSITION,
	      "position");
	few.pointer_shape = 1;
	CHECK(synv_updates_next(&updates, &few) == SYNV_UPDATE_SHAPE, "shape");
}

int main(void)
{
	tap_test("messages of every length", test_short);
	tap_test("resolutions", test_modes);
	tap_test("other messages", test_odd);
	tap_test("rectangles", test_damage);
	tap_test("no damage is lost", test_damage_random);
	tap_test("more rectangles than there is room for", test_damage_full);
	tap_test("one around too many", test_damage_gather);
	tap_test("the part of them that is on a screen", test_damage_clip);
	tap_test("a pointer's edges", test_pointer_crop);
	tap_test("a pointer's alpha", test_pointer_alpha);
	tap_test("a pointer's messages", test_pointer_parts);
	tap_test("another pointer", test_pointer_same);
	tap_test("the states of a display", test_states);
	tap_test("a host that stops reading", test_reader);
	tap_test("the order of what was missed", test_updates_order);
	tap_test("what is missed in a pause", test_updates_pause);
	tap_test("modes and damage that were missed", test_updates_modes);
	tap_test("what the host does not want", test_updates_features);
	return tap_done();
}
