// SPDX-License-Identifier: GPL-2.0-only
/* The display's protocol: what is answered, what is counted, what is not taken */
#include <string.h>

#include "channel.h"
#include "fake_guest.h"
#include "synthvid.h"
#include "tap.h"

#define BAR_GPA		0x80000000ull
#define VRAM_GPA	(BAR_GPA + (1 << 20))

static struct fake_guest f;
static struct fake_channel ch;
static struct fake_packet pkt;
static struct synthvid *v;

static const char *const devices[] = { "--video", "v,size=800x600,vram=4M",
				       NULL };

static const char *const openvmm[] = { "--video", "v,size=800x600,vram=4M",
				       "--like", "openvmm", NULL };

static const char *const lenient[] = { "--video", "v,size=800x600,vram=4M",
				       "--like", "lenient", NULL };

/* Attached with a BAR whose address was told */
static void start_like(const char *const *options)
{
	CHECK(fake_start(&f, options), "start");
	fake_fill_boot(&f);
	f.boot->bar_gpa = BAR_GPA;
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK &&
	      fake_contact(&f, VMBUS_WIRE_V5_3) == 1 &&
	      fake_request_offers(&f), "up");
	CHECK(f.offer_count == 1 && f.offers[0].mmio_megabytes == 4, "offer");
	CHECK(!fake_open(&f, &f.offers[0], 20, &ch), "open");
	v = to_synthvid(device_find(&f.host.bus, &synthvid_kind, NULL));
}

static void start(void)
{
	start_like(devices);
}

static void say(uint32_t type, const void *payload, uint32_t len)
{
	static struct {
		struct synthio_pipe pipe;
		struct synthvid_header h;
		uint8_t bytes[40000];
	} msg;

	msg.pipe.type = SYNTHIO_PIPE_DATA;
	msg.pipe.size = sizeof(msg.h) + len;
	msg.h.type = type;
	msg.h.size = sizeof(msg.h) + len;
	memset(msg.bytes, 0, sizeof(msg.bytes));
	memcpy(msg.bytes, payload, len);
	fake_send(&ch, 6, 0, 7, NULL, 0, &msg, 16 + len);
	fake_signal(&f, &ch);
	fake_run(&f, 1);
}

static const void *hear(uint32_t type)
{
	const uint32_t *words = (const uint32_t *)pkt.payload;

	if (!fake_receive(&ch, &pkt) || pkt.len < 16 || words[0] != 1 ||
	    words[2] != type)
		return NULL;
	return words + 4;
}

/* Behind a resolution response, where nothing is aligned */
static struct synthvid_resolution mode_of(const void *rsp, unsigned int i)
{
	struct synthvid_resolution mode;

	memcpy(&mode, (const uint8_t *)rsp +
	       sizeof(struct synthvid_resolution_response) + 4 * i, 4);
	return mode;
}

static void negotiate(uint32_t version)
{
	const struct synthvid_version_response *rsp;

	say(SYNTHVID_VERSION_REQUEST, &version, 4);
	rsp = hear(SYNTHVID_VERSION_RESPONSE);
	CHECK(rsp && rsp->accepted && rsp->version == version, "version");
}

static void place(uint64_t gpa)
{
	struct synthvid_vram_location loc = { 0x1234567890, 1, gpa };

	say(SYNTHVID_VRAM_LOCATION, &loc, sizeof(loc));
}

static void show(uint8_t active, uint32_t offset, uint8_t depth,
		 uint32_t width, uint32_t height, uint32_t pitch)
{
	struct synthvid_situation s = {
		.context = 5, .outputs = 1,
		.output = { active, offset, depth, width, height, pitch },
	};

	say(SYNTHVID_SITUATION_UPDATE, &s, sizeof(s));
}

static void ready_like(const char *const *options)
{
	const struct synthvid_ack *ack;

	start_like(options);
	CHECK_OK();
	negotiate(SYNTHVID_VERSION_3_5);
	CHECK_OK();
	place(VRAM_GPA);
	ack = hear(SYNTHVID_VRAM_LOCATION_ACK);
	CHECK(ack && ack->context == 0x1234567890, "VRAM");
	CHECK(hear(SYNTHVID_FEATURE_CHANGE), "features");
	show(1, 0, 32, 800, 600, 3200);
	ack = hear(SYNTHVID_SITUATION_UPDATE_ACK);
	CHECK(ack && ack->context == 5 && v->active, "situation");
}

static void ready(void)
{
	ready_like(devices);
}

static void test_start(void)
{
	const struct synthvid_resolution_response *rsp;
	const struct synthvid_version_response *no;
	uint32_t old = SYNTHVID_VERSION(2, 0);
	uint8_t max = 64, sum = 0;
	unsigned int i;

	start();
	CHECK_OK();
	say(SYNTHVID_VERSION_REQUEST, &old, 4);
	no = hear(SYNTHVID_VERSION_RESPONSE);
	CHECK(no && !no->accepted, "2.0 is refused");
	negotiate(SYNTHVID_VERSION_3_5);
	CHECK_OK();
	say(SYNTHVID_RESOLUTION_REQUEST, &max, 1);
	rsp = hear(SYNTHVID_RESOLUTION_RESPONSE);
	CHECK(rsp && rsp->count >= 3 && rsp->preferred < rsp->count,
	      "resolutions");
	for (i = 0; i < 128; i++)
		sum += rsp->edid[i];
	CHECK(!sum && rsp->edid[1] == 0xff, "EDID");
	CHECK(mode_of(rsp, rsp->preferred).width == 800 &&
	      mode_of(rsp, rsp->preferred).height == 600, "800x600");
	for (i = 0; i < rsp->count; i++)
		CHECK(mode_of(rsp, i).width * mode_of(rsp, i).height * 4 <= 4 << 20, "%ux%u",
		      mode_of(rsp, i).width, mode_of(rsp, i).height);
	/* who takes less than all gets none */
	max = 63;
	say(SYNTHVID_RESOLUTION_REQUEST, &max, 1);
	rsp = hear(SYNTHVID_RESOLUTION_RESPONSE);
	CHECK(rsp && !rsp->count && !rsp->preferred && rsp->edid[1] == 0xff,
	      "none");
	fake_stop(&f);
	/* or, at the most friendly of hosts, the best one and others */
	start_like(lenient);
	CHECK_OK();
	negotiate(SYNTHVID_VERSION_3_5);
	CHECK_OK();
	max = 2;
	say(SYNTHVID_RESOLUTION_REQUEST, &max, 1);
	rsp = hear(SYNTHVID_RESOLUTION_RESPONSE);
	CHECK(rsp && rsp->count == 2, "two");
	CHECK(mode_of(rsp, rsp->preferred).width == 800, "the best of them");
	fake_stop(&f);
}

/* What a real host would not take ends the connection */
static void test_strict(void)
{
	uint8_t bytes[64] = { 0 };
	uint32_t version = SYNTHVID_VERSION_3_5;
	unsigned int i;

	for (i = 0; i < 23; i++) {
		ready();
		CHECK_OK();
		switch (i) {
		case 0:
			say(SYNTHVID_VERSION_REQUEST, &version, 4);
			break;
		case 1:
			say(SYNTHVID_RESOLUTION_REQUEST, bytes, 2);
			break;
		case 2:
			say(SYNTHVID_VRAM_LOCATION, bytes, 16);
			break;
		case 3:
			place(BAR_GPA);
			break;
		case 4:
			place(BAR_GPA - 4096);
			break;
		case 5:
			place(BAR_GPA + (13 << 20));
			break;
		case 6:
			place(UINT64_MAX - 4095);
			break;
		case 7:
			show(1, 0, 16, 800, 600, 3200);
			break;
		case 8:
			show(1, 0, 32, 0, 600, 3200);
			break;
		case 9:
			show(1, 0, 32, 800, 0, 3200);
			break;
		case 10:
			show(1, 0, 32, 801, 600, 3200);
			break;
		case 11:
			show(1, 0, 32, 800, 1311, 3200);
			break;
		case 12:
			show(1, 3 << 20, 32, 800, 600, 3200);
			break;
		case 13:
			show(1, 0, 32, 800, 600, 0xfffffffc);
			break;
		case 14:
			show(1, 0xfffffffc, 32, 800, 600, 3200);
			break;
		case 15:
			show(1, 0, 32, 0x40000000, 4, 3200);
			break;
		case 16:
			say(SYNTHVID_DIRT, "\0\1", 2);
			break;
		case 17:
			say(SYNTHVID_DIRT, bytes, 18);
			break;
		case 18:
			say(SYNTHVID_POINTER_POSITION, bytes, 9);
			break;
		case 19:
			say(SYNTHVID_POINTER_SHAPE, bytes, 18);
			break;
		case 20:
			say(SYNTHVID_SITUATION_UPDATE, bytes, 26);
			break;
		case 21:
			say(99, bytes, 8);
			break;
		case 22:
			show(1, 4096, 32, 800, 600, 3200);
			break;
		}
		CHECK(fake_broken(&f, "video:"), "case %u: '%s'", i,
		      f.host.guest.why);
		CHECK(!v->active && !f.host.console.screen.pixels,
		      "case %u: shown", i);
		fake_stop(&f);
	}
}

/* What only some hosts do */
static void test_like(void)
{
	const struct synthvid_header *h;
	const struct synthvid_ack *ack;

	ready_like(lenient);
	CHECK_OK();
	show(1, 4096, 32, 800, 600, 3200);
	CHECK(hear(SYNTHVID_SITUATION_UPDATE_ACK) && v->output.offset == 4096,
	      "anywhere in the VRAM");
	fake_stop(&f);

	start_like(openvmm);
	CHECK_OK();
	negotiate(SYNTHVID_VERSION_3_5);
	CHECK_OK();
	place(VRAM_GPA);
	ack = hear(SYNTHVID_VRAM_LOCATION_ACK);
	h = (const void *)ack;
	CHECK(ack && h[-1].size == sizeof(*ack), "the header is not counted");
	show(1, 0, 32, 800, 600, 3200);
	CHECK(hear(SYNTHVID_SITUATION_UPDATE_ACK), "no feature change before");
	CHECK(console_resize(&f.host.console, 700, 500), "resize");
	fake_run(&f, 1);
	CHECK(!fake_receive(&ch, &pkt), "nor after");
	CHECK(!strcmp(synthvid_pointer_state(v), "hidden"), "no dot");
	fake_stop(&f);
}

static void dirt(unsigned int count, const struct synthvid_rect *rects)
{
	uint8_t bytes[2 + 16 * 16] = { 0, count };

	memcpy(bytes + 2, rects, 16 * count);
	say(SYNTHVID_DIRT, bytes, 2 + 16 * count);
}

static void test_counts(void)
{
	static const struct synthvid_rect rects[] = {
		{ 0, 0, 10, 10 }, { 790, 590, 900, 900 }, { -5, -5, 5, 5 },
		{ 5, 5, 5, 9 }, { 9, 9, 3, 3 },
		{ INT32_MIN, INT32_MIN, INT32_MAX, INT32_MAX },
	};
	const uint32_t *pixels;

	ready();
	CHECK_OK();
	dirt(6, rects);
	CHECK(v->counts.dirts == 1 && v->counts.rects == 6 &&
	      v->counts.clipped == 3 &&
	      v->counts.pixels == 100 + 100 + 25 + 480000, "%llu pixels",
	      (unsigned long long)v->counts.pixels);
	dirt(0, rects);
	CHECK(v->counts.dirts == 2 && v->counts.rects == 6, "no rectangle");
	pixels = f.host.console.screen.pixels;
	CHECK(pixels && f.host.console.screen.width == 800 &&
	      (const uint8_t *)pixels ==
	      (const uint8_t *)f.host.guest.boot + (1 << 20), "the screen");
	show(0, 0, 0, 0, 0, 0);
	CHECK(!f.host.console.screen.pixels && !v->active, "dark");
	CHECK(hear(SYNTHVID_SITUATION_UPDATE_ACK), "acknowledged");
	dirt(1, rects);
	CHECK(v->counts.rects == 6, "nothing is shown, nothing counts");
	CHECK(fake_close(&f, &ch), "close");
	fake_stop(&f);
}

/* What is shown stays when the guest closes, and goes with device or guest */
static void test_stays(void)
{
	unsigned int i;

	for (i = 0; i < 3; i++) {
		ready();
		CHECK_OK();
		if (i == 0) {
			CHECK(!device_rescind(&v->dev), "rescind");
			fake_run(&f, 1);
			CHECK(!v->active && !f.host.console.screen.pixels,
			      "the device has gone");
			fake_stop(&f);
			continue;
		}
		CHECK(fake_close(&f, &ch), "close");
		CHECK(v->active && f.host.console.screen.pixels, "it stays");
		if (i == 1)
			CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) ==
			      SYNTHIO_OK, "detach");
		else
			fake_disconnect(&f);
		fake_run(&f, 1);
		CHECK(!v->active && !v->vram &&
		      !f.host.console.screen.pixels, "the guest has gone");
		fake_stop(&f);
	}
}

static struct {
	struct synthvid_pointer_shape s;
	uint32_t argb[97 * 96];
} __attribute__((packed)) shape;

/* A part of a picture, of which so many bytes follow */
static void say_part(uint8_t part, uint32_t width, uint32_t height,
		     uint32_t bytes)
{
	shape.s = (struct synthvid_pointer_shape) {
		.part = part, .argb = 1, .width = width, .height = height,
		.hot_x = width - 1,
	};
	say(SYNTHVID_POINTER_SHAPE, &shape, sizeof(shape.s) + bytes);
}

static void test_pointer(void)
{
	struct synthvid_pointer_position p = { 1, 0, -3, 70 };

	shape.argb[0] = 0x80123456;
	ready_like(lenient);
	CHECK_OK();
	CHECK(!strcmp(synthvid_pointer_state(v), "hidden"), "no dot");
	say_part(SYNTHVID_POINTER_COMPLETE, 96, 96, 96 * 96 * 4);
	say(SYNTHVID_POINTER_POSITION, &p, sizeof(p));
	CHECK(v->counts.shapes == 1 && v->counts.positions == 1 &&
	      v->pointer.argb[0] == 0x80123456 && v->pointer.hot_x == 95 &&
	      v->position.x == -3 && !v->counts.pixels, "pointer");
	p.visible = 0;
	say(SYNTHVID_POINTER_POSITION, &p, sizeof(p));
	CHECK(!strcmp(synthvid_pointer_state(v), "hidden"), "invisible");
	say_part(SYNTHVID_POINTER_COMPLETE, 97, 96, 96 * 97 * 4);
	CHECK(fake_broken(&f, "video:"), "too wide");
	fake_stop(&f);
	ready();
	CHECK_OK();
	say_part(SYNTHVID_POINTER_COMPLETE, 96, 96, 96 * 96 * 4);
	CHECK(fake_broken(&f, "video: packet of 36"), "over 16384 bytes");
	fake_stop(&f);
}

/* A picture that is too large for a message */
static void test_pointer_parts(void)
{
	unsigned int i, round;

	for (i = 0; i < 96 * 96; i++)
		shape.argb[i] = 0xff000000 + i % 2048;
	ready();
	CHECK_OK();
	for (round = 1; round < 3; round++) {
		for (i = 0; i < 4; i++)
			say_part(i, 96, 96, 8192);
		CHECK(v->counts.shapes == round - 1, "it is not complete");
		say_part(SYNTHVID_POINTER_COMPLETE, 96, 96, 4096);
		CHECK(v->counts.shapes == round &&
		      v->counts.shape_parts == 5 * round &&
		      v->pointer.width == 96, "five parts");
	}
	for (i = 0; i < 96 * 96; i++)
		CHECK(v->pointer.argb[i] == 0xff000000 + i % 2048, "pixel %u",
		      i);
	say_part(SYNTHVID_POINTER_COMPLETE, 32, 64, 8192);
	CHECK(v->counts.shapes == 3 && v->pointer.height == 64, "one part");
	CHECK(!fake_broken(&f, "video:"), "all is well");
	fake_stop(&f);

	for (i = 0; i < 9; i++) {
		ready();
		CHECK_OK();
		if (i < 6)
			say_part(0, 96, 96, 8192);
		CHECK(!fake_broken(&f, "video:"), "case %u", i);
		switch (i) {
		case 0:
			say_part(0, 96, 96, 8192);
			break;
		case 1:
			say_part(2, 96, 96, 8192);
			break;
		case 2:
			say_part(SYNTHVID_POINTER_COMPLETE, 96, 96, 8192);
			break;
		case 3:
			say_part(1, 96, 95, 8192);
			break;
		case 4:
			say_part(SYNTHVID_POINTER_COMPLETE, 1, 1, 4);
			break;
		case 5:
			say_part(1, 96, 96, 0);
			break;
		case 6:
			say_part(1, 96, 96, 8192);
			break;
		case 7:
			say_part(0, 1, 1, 4);
			break;
		case 8:
			say_part(SYNTHVID_POINTER_COMPLETE, 32, 65, 8320);
			break;
		}
		CHECK(fake_broken(&f, "video:"), "case %u is taken", i);
		fake_stop(&f);
	}
}

/* What is drawn before there is a picture, and instead of an invisible one */
static void test_pointer_hidden(void)
{
	struct synthvid_pointer_position p = { 0, 0, 10, 20 };

	ready();
	CHECK_OK();
	CHECK(!strcmp(synthvid_pointer_state(v), "dot"), "a dot");
	say(SYNTHVID_POINTER_POSITION, &p, sizeof(p));
	CHECK(!strcmp(synthvid_pointer_state(v), "dot"), "it stays");
	shape.argb[0] = 0xff0000ff;
	say_part(SYNTHVID_POINTER_COMPLETE, 1, 1, 4);
	CHECK(!strcmp(synthvid_pointer_state(v), "visible"), "a picture");
	say(SYNTHVID_POINTER_POSITION, &p, sizeof(p));
	CHECK(!strcmp(synthvid_pointer_state(v), "visible"), "not hidden by that");
	shape.argb[0] = 0x01010100;
	say_part(SYNTHVID_POINTER_COMPLETE, 1, 1, 4);
	CHECK(!strcmp(synthvid_pointer_state(v), "hidden"), "but by this");
	fake_stop(&f);
}

static void test_resize(void)
{
	const struct synthvid_resolution_response *rsp;
	uint8_t max = 64;

	ready();
	CHECK_OK();
	CHECK(console_resize(&f.host.console, 700, 500), "resize");
	fake_run(&f, 1);
	CHECK(hear(SYNTHVID_FEATURE_CHANGE), "it is told");
	say(SYNTHVID_RESOLUTION_REQUEST, &max, 1);
	rsp = hear(SYNTHVID_RESOLUTION_RESPONSE);
	CHECK(rsp, "resolutions");
	CHECK(mode_of(rsp, rsp->preferred).width == 700 &&
	      mode_of(rsp, rsp->preferred).height == 500, "the new one");
	CHECK(!console_resize(&f.host.console, 2000, 2000), "too large");
	CHECK(!console_resize(&f.host.console, 63, 500), "too small");
	fake_stop(&f);
}

int main(void)
{
	tap_test("from the version to the resolutions", test_start);
	tap_test("what a guest must not do", test_strict);
	tap_test("kinds of host", test_like);
	tap_test("rectangles are counted, and clipped", test_counts);
	tap_test("a picture stays when its channel is closed", test_stays);
	tap_test("pointer", test_pointer);
	tap_test("a pointer in parts", test_pointer_parts);
	tap_test("a pointer that is hidden", test_pointer_hidden);
	tap_test("another size", test_resize);
	return tap_done();
}
