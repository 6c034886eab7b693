// SPDX-License-Identifier: GPL-2.0-only
/* The mouse, its messages spoilt on purpose, and what a VNC viewer brings */
#include <string.h>

#include <synthio/keyboard.h>
#include <synthio/mouse.h>

#include <rfb/rfbclient.h>

#include "channel.h"
#include "console.h"
#include "fake_guest.h"
#include "tap.h"

static struct fake_guest f;
static struct fake_channel ch, keys;
static struct fake_packet pkt;

static const char *const devices[] = { "--mouse", "--keyboard", NULL };
static const char *const watched[] = { "--mouse", "--keyboard", "--vnc", "0",
				       NULL };

static const struct host_guid mouse_class =
	HOST_GUID(0xcfa8b69e, 0x5b4a, 0x4cc0, 0xb9, 0x8b,
		  0x8b, 0xa1, 0xa1, 0xf3, 0xf9, 0x5a);

static bool open_device(bool mouse, struct fake_channel *to)
{
	unsigned int i;

	for (i = 0; i < f.offer_count; i++) {
		if (!memcmp(&f.offers[i].if_type, &mouse_class,
			    sizeof(mouse_class)) == mouse)
			return !fake_open(&f, &f.offers[i], 4, to);
	}
	return false;
}

static void start_with(const char *const *options)
{
	CHECK(fake_start(&f, options) && fake_up(&f), "start");
	CHECK(f.offer_count == 2, "%u offers", f.offer_count);
	CHECK(open_device(true, &ch), "open");
}

/* @size: what the pipe header says is @size more than there is */
static void say(uint32_t type, uint32_t inner, const void *payload, uint32_t len,
		int size)
{
	struct {
		struct synthio_pipe pipe;
		struct synthhid_header h;
		uint8_t bytes[64];
	} msg = {
		.pipe = { SYNTHIO_PIPE_DATA, sizeof(msg.h) + len + size },
		.h = { type, inner },
	};

	memcpy(msg.bytes, payload, len);
	fake_send(&ch, 6, 1, 7, NULL, 0, &msg, 16 + len);
	fake_signal(&f, &ch);
	fake_run(&f, 1);
}

static void say_version(uint32_t version)
{
	say(SYNTHHID_PROTOCOL_REQUEST, 4, &version, 4, 0);
}

static void say_ack(void)
{
	say(SYNTHHID_DEVICE_INFO_ACK, 1, "", 1, 0);
}

/* The next packet is this message; NULL if not */
static const uint8_t *hear(uint32_t type)
{
	const uint32_t *words = (const uint32_t *)pkt.payload;

	if (!fake_receive(&ch, &pkt) || pkt.len < 16 || words[0] != 1 ||
	    words[2] != type)
		return NULL;
	return (const uint8_t *)(words + 4);
}

static int command(const char *line)
{
	struct text out = { 0 };
	char copy[512];
	int ret;

	strcpy(copy, line);
	control_run(&f.host.bus, copy, &out);
	bus_settle(&f.host.bus);
	ret = strcmp(out.s + out.len - 3, "ok\n") ? -1 : 0;
	text_free(&out);
	fake_run(&f, 1);
	return ret;
}

static void ready(void)
{
	say_version(SYNTHHID_VERSION_2_0);
	CHECK(hear(SYNTHHID_PROTOCOL_RESPONSE), "response");
	CHECK(hear(SYNTHHID_DEVICE_INFO), "info");
	say_ack();
	CHECK(!fake_broken(&f, ""), "%s", f.host.guest.why);
}

static void test_handshake(void)
{
	const uint8_t *p;
	struct synthhid_descriptor desc;

	start_with(devices);
	CHECK_OK();
	say_version(0x00010000);
	p = hear(SYNTHHID_PROTOCOL_RESPONSE);
	CHECK(p && !p[4], "version 1.0 is refused");
	CHECK(!fake_receive(&ch, &pkt), "and nothing follows");
	say_version(SYNTHHID_VERSION_2_0);
	p = hear(SYNTHHID_PROTOCOL_RESPONSE);
	CHECK(p && p[4] == 1, "version 2.0 is accepted");
	p = hear(SYNTHHID_DEVICE_INFO);
	CHECK(p, "the info follows unprompted");
	memcpy(&desc, p + sizeof(struct synthhid_attributes), sizeof(desc));
	CHECK(desc.length == sizeof(desc) && desc.count == 1 &&
	      desc.report_length + 32u + sizeof(desc) + 16 <= pkt.len &&
	      p[41] == 0x05 && p[40 + desc.report_length] == 0xc0,
	      "a report descriptor of %u bytes", desc.report_length);
	CHECK(command("move 1 1") < 0, "not before the ack");
	say_ack();
	CHECK(!command("move 1 1"), "move");
	CHECK(hear(SYNTHHID_INPUT_REPORT), "report");
	fake_stop(&f);
}

/*
 * What hosts say of their device: its message counts less than comes, and has one
 * wheel of two bytes or two of one
 */
static void test_like(void)
{
	static const struct {
		const char *like;
		uint32_t desc, room;
		uint8_t wheel[2];
	} kinds[] = {
		{ "like hyperv", 72, 128, { 0xfd, 4 } },
		{ "like openvmm", 65, 128, { 0xfd, 0xff } },
		{ "like lenient", 72, 72, { 0xfd, 4 } },
	};
	struct synthhid_descriptor desc;
	struct synthhid_header header;
	const uint8_t *p;
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		start_with(devices);
		CHECK_OK();
		CHECK(!command(kinds[i].like), "%s", kinds[i].like);
		say_version(SYNTHHID_VERSION_2_0);
		CHECK(hear(SYNTHHID_PROTOCOL_RESPONSE), "response");
		p = hear(SYNTHHID_DEVICE_INFO);
		CHECK(p, "info");
		memcpy(&desc, p + sizeof(struct synthhid_attributes),
		       sizeof(desc));
		memcpy(&header, p - sizeof(header), sizeof(header));
		CHECK(desc.report_length == kinds[i].desc, "%s: %u bytes",
		      kinds[i].like, desc.report_length);
		CHECK(header.size == 41 + kinds[i].desc, "%s: says %u",
		      kinds[i].like, header.size);
		CHECK(pkt.len == (16 + 41 + kinds[i].room + 7) / 8 * 8,
		      "%s: packet of %u bytes", kinds[i].like, pkt.len);
		say_ack();
		CHECK(!command("wheel -3 4"), "wheel");
		p = hear(SYNTHHID_INPUT_REPORT);
		CHECK(p && !memcmp(p + 5, kinds[i].wheel, 2), "%s: a wheel",
		      kinds[i].like);
		fake_stop(&f);
	}
	start_with(devices);
	CHECK_OK();
	CHECK(command("like xen") && !command("like"), "no such kind");
	fake_stop(&f);
}

/* Each of these ends the connection */
static void test_strict(void)
{
	static const struct {
		uint32_t type, inner, len;
		int size;
		bool ready;
		const char *why;
	} bad[] = {
		{ SYNTHHID_DEVICE_INFO_ACK, 1, 1, 0, false, "in state" },
		{ SYNTHHID_DEVICE_INFO_ACK, 1, 1, 0, true, "in state" },
		{ SYNTHHID_PROTOCOL_REQUEST, 4, 4, 0, true, "in state" },
		{ SYNTHHID_INPUT_REPORT, 0, 0, 0, true, "in state" },
		{ 17, 0, 0, 0, false, "in state" },
		{ SYNTHHID_PROTOCOL_REQUEST, 3, 3, 0, false, "in state" },
		{ SYNTHHID_PROTOCOL_REQUEST, 12, 4, 0, false, "says that" },
		{ SYNTHHID_PROTOCOL_REQUEST, 4, 4, 8, false, "pipe message" },
		{ SYNTHHID_PROTOCOL_REQUEST, 4, 4, -8, false, "pipe message" },
		{ SYNTHHID_PROTOCOL_REQUEST, 4, 4, -5, false, "pipe message" },
	};
	static const uint8_t zeroes[64];
	unsigned int i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_with(devices);
		CHECK_OK();
		if (bad[i].ready)
			ready();
		CHECK_OK();
		say(bad[i].type, bad[i].inner, zeroes, bad[i].len, bad[i].size);
		CHECK(fake_broken(&f, bad[i].why), "case %u: '%s'", i,
		      f.host.guest.why);
		fake_stop(&f);
	}
	start_with(devices);
	CHECK_OK();
	fake_send(&ch, 6, 0, 0, NULL, 0, zeroes, 8);
	fake_signal(&f, &ch);
	fake_run(&f, 1);
	CHECK(fake_broken(&f, "packet of type 6 with 8"), "short");
	fake_stop(&f);
}

static void test_reports(void)
{
	static const struct {
		const char *command;
		uint8_t report[7];
	} steps[] = {
		{ "move 32767 258", { 0, 0xff, 0x7f, 2, 1, 0, 0 } },
		{ "button 1 down", { 1, 0xff, 0x7f, 2, 1, 0, 0 } },
		{ "button 5 down", { 17, 0xff, 0x7f, 2, 1, 0, 0 } },
		{ "wheel -3 4", { 17, 0xff, 0x7f, 2, 1, 0xfd, 4 } },
		{ "button 1 up", { 16, 0xff, 0x7f, 2, 1, 0, 0 } },
		{ "move 0 0", { 16, 0, 0, 0, 0, 0, 0 } },
	};
	static const char *const bad[] = {
		"move 1", "move 32768 0", "move -1 0", "button 0 down",
		"button 6 up", "button 1", "button 1 on", "wheel", "wheel 128",
		"wheel 1 -128", "wheel x",
	};
	const uint8_t *p;
	unsigned int i;

	start_with(devices);
	CHECK_OK();
	ready();
	CHECK_OK();
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		CHECK(!command(steps[i].command), "%s", steps[i].command);
		p = hear(SYNTHHID_INPUT_REPORT);
		CHECK(p && !memcmp(p, steps[i].report, 7), "%s",
		      steps[i].command);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(command(bad[i]) < 0, "%s", bad[i]);
	CHECK(!fake_receive(&ch, &pkt), "nothing more");
	/* a ring that nobody empties: what came last is told in the end */
	for (i = 0; i < 20000; i++)
		command("move 5 5");
	command("move 77 88");
	for (i = 0; i < 60000; i++) {
		fake_run(&f, 0);
		while (fake_receive(&ch, &pkt))
			p = (const uint8_t *)pkt.payload + 16;
		fake_signal(&f, &ch);
		if (p[1] == 77)
			break;
	}
	CHECK(p[1] == 77 && p[3] == 88, "at %u %u", p[1], p[3]);
	fake_stop(&f);
}

static void test_spoils(void)
{
	static const char *const bad[] = {
		"spoil", "spoil nobody list", "spoil mouse report",
		"spoil mouse report twist", "spoil mouse nothing lost",
		"spoil mouse report cut", "spoil mouse report cut len=x",
		"spoil mouse report cut ms=1", "spoil mouse report lost x",
		"spoil mouse report patch at=1 hex=0", "spoil mouse send",
		"spoil mouse send hex=0g",
	};
	const uint32_t *w = (const uint32_t *)pkt.payload;
	const uint8_t *p;
	unsigned int i;

	start_with(devices);
	CHECK_OK();
	ready();
	CHECK_OK();
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK(command(bad[i]) < 0, "%s", bad[i]);
	CHECK(!command("spoil help"), "help");
	CHECK(!command("spoil mouse report cut len=18 skip=1"), "cut");
	command("move 1 2");
	p = hear(SYNTHHID_INPUT_REPORT);
	CHECK(p && p[1] == 1 && p[3] == 2, "skipped");
	command("move 1 2");
	p = hear(SYNTHHID_INPUT_REPORT);
	CHECK(p && pkt.len == 24 && w[1] == 15 && p[1] == 1 && !p[3], "cut");
	CHECK(!command("spoil mouse report grow len=100 fix=1"), "grow");
	command("move 1 2");
	CHECK(hear(SYNTHHID_INPUT_REPORT) && pkt.len == 104 && w[1] == 92 &&
	      w[24] == 0xffffffff, "grown");
	CHECK(!command("spoil mouse 4 patch at=4 hex=ffffffff"), "patch");
	command("move 1 2");
	CHECK(hear(SYNTHHID_INPUT_REPORT) && w[1] == 0xffffffff, "patched");
	CHECK(!command("spoil mouse any garbage seed=3 len=50"), "garbage");
	command("move 1 2");
	CHECK(fake_receive(&ch, &pkt) && pkt.len == 56 && w[0] == 1 &&
	      w[2] != 4, "garbage");
	CHECK(!command("spoil mouse report lost count=2"), "lost");
	command("move 1 2");
	command("move 1 2");
	CHECK(!fake_receive(&ch, &pkt), "lost");
	CHECK(!command("spoil mouse report twice times=3"), "twice");
	command("move 1 2");
	for (i = 0; i < 3; i++)
		CHECK(hear(SYNTHHID_INPUT_REPORT), "%u of 3", i);
	CHECK(!fake_receive(&ch, &pkt), "not four");
	CHECK(!command("spoil mouse report packet-type value=9"), "type");
	command("move 1 2");
	CHECK(fake_receive(&ch, &pkt) && pkt.desc.type == 9, "type");
	CHECK(!command("spoil mouse report late ms=20"), "late");
	command("move 9 9");
	command("move 1 2");
	CHECK((p = hear(SYNTHHID_INPUT_REPORT)) && p[1] == 1, "overtakes");
	for (i = 0; i < 1000 && !fake_receive(&ch, &pkt); i++)
		fake_run(&f, 1);
	CHECK(i < 1000, "late");
	CHECK(!command("spoil mouse send hex=0100000000000000"), "send");
	fake_run(&f, 1);
	CHECK(fake_receive(&ch, &pkt) && pkt.len == 8 && w[0] == 1, "sent");
	CHECK(!command("spoil mouse report late ms=20"), "late");
	command("move 9 9");
	CHECK(!command("spoil mouse list") && !command("spoil mouse clear"),
	      "list");
	CHECK(fake_close(&f, &ch), "close with a message held");
	fake_stop(&f);
}

/* --- a viewer ------------------------------------------------------------------- */

static rfbClient *view(void)
{
	rfbClient *client = rfbGetClient(8, 3, 4);

	free(client->serverHost);
	client->serverHost = strdup("127.0.0.1");
	client->serverPort = vnc_port(f.host.vnc);
	client->format.redShift = 16;
	client->format.greenShift = 8;
	client->format.blueShift = 0;
	client->appData.encodingsString = "zlib raw";	/* nothing is lost */
	client->appData.enableJPEG = FALSE;
	client->canHandleNewFBSize = TRUE;
	client->appData.useRemoteCursor = TRUE;
	return rfbInitClient(client, NULL, NULL) ? client : NULL;
}

static uint32_t pixels[2][48 * 64];

static bool same(const rfbClient *client, const uint32_t *wanted)
{
	const uint32_t *got = (const uint32_t *)client->frameBuffer;
	unsigned int i;

	if (client->width != 64 || client->height != 48 || !got)
		return false;
	for (i = 0; i < 64 * 48; i++) {
		if ((got[i] ^ wanted[i]) & 0xffffff)
			return false;
	}
	return true;
}

/* Let both work until the viewer sees this */
static bool sees(rfbClient *client, const uint32_t *wanted)
{
	unsigned int i;

	for (i = 0; i < 300 && !same(client, wanted); i++) {
		fake_run(&f, 1);
		if (WaitForMessage(client, 10000) > 0 &&
		    !HandleRFBServerMessage(client))
			return false;
		SendIncrementalFramebufferUpdateRequest(client);
	}
	return same(client, wanted);
}

static bool types(const uint8_t *codes)
{
	struct synthkbd_event e;
	unsigned int i;

	for (i = 0; *codes && i < 300; i++) {
		fake_run(&f, 5);
		while (*codes && fake_receive(&keys, &pkt)) {
			memcpy(&e, pkt.payload, sizeof(e));
			if (e.make_code != (*codes & 0x7f) ||
			    !(e.info & SYNTHKBD_BREAK) != !(*codes & 0x80))
				return false;
			codes++;
		}
	}
	return !*codes;
}

static void say_key(const uint32_t *words, uint32_t len)
{
	fake_send(&keys, 6, 1, 7, NULL, 0, words, len);
	fake_signal(&f, &keys);
	fake_run(&f, 1);
}

static bool status_has(const char *what)
{
	struct text out = { 0 };
	char line[] = "status";
	bool found;

	control_run(&f.host.bus, line, &out);
	bus_settle(&f.host.bus);
	found = strstr(out.s, what);
	text_free(&out);
	return found;
}

static void start_keys(bool agree)
{
	static const uint32_t old[] = { SYNTHKBD_PROTOCOL_REQUEST, 0x20000 };
	static const uint32_t request[] = { SYNTHKBD_PROTOCOL_REQUEST,
					    SYNTHKBD_VERSION_1_0 };
	struct synthkbd_protocol_response rsp;

	start_with(devices);
	CHECK_OK();
	CHECK(open_device(false, &keys), "open");
	if (!agree)
		return;
	say_key(old, sizeof(old));
	CHECK(fake_receive(&keys, &pkt), "response");
	memcpy(&rsp, pkt.payload, sizeof(rsp));
	CHECK(rsp.header.type == SYNTHKBD_PROTOCOL_RESPONSE && !rsp.status,
	      "2.0 is refused");
	say_key(request, sizeof(request));
	CHECK(fake_receive(&keys, &pkt), "response");
	memcpy(&rsp, pkt.payload, sizeof(rsp));
	CHECK(rsp.status == SYNTHKBD_ACCEPTED, "1.0 is accepted");
}

static void test_keyboard(void)
{
	static const struct {
		uint32_t words[4], len;
		bool agree;
	} bad[] = {
		{ { SYNTHKBD_LED_INDICATORS, 1 }, 8, false },
		{ { SYNTHKBD_PROTOCOL_REQUEST, 0x10000 }, 16, false },
		{ { SYNTHKBD_PROTOCOL_REQUEST, 0x10000 }, 8, true },
		{ { SYNTHKBD_LED_INDICATORS, 1 }, 16, true },
		{ { SYNTHKBD_LED_INDICATORS, 8 }, 8, true },
		{ { SYNTHKBD_EVENT, 1, 0 }, 16, true },
		{ { 17 }, 8, true },
	};
	static const uint32_t leds[] = { SYNTHKBD_LED_INDICATORS,
					 SYNTHKBD_LED_CAPS | SYNTHKBD_LED_NUM };
	struct synthkbd_event e;
	unsigned int i;

	start_keys(true);
	CHECK_OK();
	CHECK(status_has("LEDs: none"), "dark");
	say_key(leds, sizeof(leds));
	CHECK(status_has("LEDs: num caps"), "LEDs");
	CHECK(!command("unicode 65"), "a character");
	CHECK(fake_receive(&keys, &pkt), "its event");
	memcpy(&e, pkt.payload, sizeof(e));
	CHECK(e.make_code == 'A' && e.info == SYNTHKBD_UNICODE, "%x", e.info);
	CHECK(!command("key-message 3 30 8"), "a message");
	CHECK(fake_receive(&keys, &pkt) && fake_receive(&keys, &pkt), "it");
	memcpy(&e, pkt.payload, sizeof(e));
	CHECK(e.make_code == 30 && e.info == SYNTHKBD_E1, "%x", e.info);
	CHECK(command("unicode 65536") && command("unicode") &&
	      command("key-message"), "no such commands");
	fake_stop(&f);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		start_keys(bad[i].agree);
		CHECK_OK();
		say_key(bad[i].words, bad[i].len);
		CHECK(fake_broken(&f, ""), "case %u", i);
		fake_stop(&f);
	}
}

static bool points(const uint8_t *report)
{
	unsigned int i;

	for (i = 0; i < 300; i++) {
		fake_run(&f, 5);
		if (fake_receive(&ch, &pkt))
			return !memcmp((uint8_t *)pkt.payload + 16, report, 7);
	}
	return false;
}

static uint32_t wanted_width, wanted_height;

static bool want(struct console_sink *sink, uint32_t width, uint32_t height)
{
	(void)sink;
	wanted_width = width;
	wanted_height = height;
	return true;
}

static void test_viewer(void)
{
	static const uint8_t typed[] = { 0x2a, 0x1e, 0x9e, 0xaa, 0x3b, 0 };
	/* the middle of pixel 63 of 64, of pixel 0 of 48 */
	static const uint8_t left[] = { 1, 0xff, 0x7e, 0x55, 0x01, 0, 0 };
	static const uint8_t up[] = { 0, 0xff, 0x7e, 0x55, 0x01, 1, 0 };
	static const uint32_t argb[4] = { 0xffff0000, 0, 0x80808080, 0xff0000ff };
	struct console_cursor cursor = { argb, 2, 2, 1, 1 };
	struct console_screen screen = { pixels[0], 64, 48, 64 * 4 };
	struct synthkbd_protocol_request req = {
		{ SYNTHKBD_PROTOCOL_REQUEST }, SYNTHKBD_VERSION_1_0
	};
	struct console *c = &f.host.console;
	struct console_sink resizer = { .resize = want };
	rfbClient *client;
	unsigned int i;

	start_with(watched);
	CHECK_OK();
	ready();
	CHECK_OK();
	CHECK(open_device(false, &keys), "keyboard");
	fake_send(&keys, 6, 0, 0, NULL, 0, &req, sizeof(req));
	fake_signal(&f, &keys);
	fake_run(&f, 1);
	CHECK(fake_receive(&keys, &pkt), "keyboard");

	for (i = 0; i < 64 * 48; i++) {
		pixels[0][i] = i * 0x10305;
		pixels[1][i] = i * 0x70301;
	}
	console_set_screen(c, &screen);
	client = view();
	CHECK(client, "connects");
	CHECK(sees(client, pixels[0]), "the first picture: %dx%d",
	      client->width, client->height);

	for (i = 0; i < 32; i++)
		pixels[0][10 * 64 + i] = 0x123456;
	console_damage(c, 0, 10, 32, 1);
	CHECK(sees(client, pixels[0]), "what was damaged");
	screen.pixels = pixels[1];
	console_set_screen(c, &screen);
	CHECK(sees(client, pixels[1]), "another screen");

	console_set_cursor(c, &cursor);
	for (i = 0; i < 300 && !client->rcSource; i++) {
		fake_run(&f, 1);
		if (WaitForMessage(client, 10000) > 0)
			HandleRFBServerMessage(client);
		SendIncrementalFramebufferUpdateRequest(client);
	}
	CHECK(client->rcSource &&
	      (*(uint32_t *)client->rcSource & 0xffffff) == 0xff0000, "cursor");

	SendKeyEvent(client, 0xffe1, TRUE);
	SendKeyEvent(client, 'A', TRUE);
	SendKeyEvent(client, 'A', FALSE);
	SendKeyEvent(client, 0xffe1, FALSE);
	SendKeyEvent(client, 0x1000394, TRUE);	/* no key has it */
	SendKeyEvent(client, 0xffbe, TRUE);
	CHECK(types(typed), "keys");
	SendPointerEvent(client, 63, 0, 1);
	CHECK(points(left), "button");
	SendPointerEvent(client, 63, 0, 8);
	CHECK(points(up), "wheel");
	console_add_sink(c, &resizer);
	CHECK(SendExtDesktopSize(client, 100, 80), "resize");
	for (i = 0; i < 300 && !wanted_width; i++)
		fake_run(&f, 5);
	CHECK(wanted_width == 100 && wanted_height == 80, "%ux%u",
	      wanted_width, wanted_height);
	console_remove_sink(c, &resizer);
	console_set_screen(c, NULL);
	fake_run(&f, 1);
	/* what the library leaves to its users */
	free(client->frameBuffer);
	free(client->rcSource);
	free(client->rcMask);
	client->rcSource = NULL;
	client->rcMask = NULL;
	client->frameBuffer = NULL;
	rfbClientCleanup(client);
	fake_stop(&f);
}

/* libvncserver loses one with each size that a viewer asks for */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libvncserver.so";
}

static void quiet(const char *fmt, ...)
{
	(void)fmt;
}

int main(void)
{
	rfbClientLog = quiet;
	rfbClientErr = quiet;
	tap_test("handshake", test_handshake);
	tap_test("kinds of host", test_like);
	tap_test("the keyboard's messages", test_keyboard);
	tap_test("what a guest must not do", test_strict);
	tap_test("reports", test_reports);
	tap_test("messages spoilt on purpose", test_spoils);
	tap_test("a VNC viewer", test_viewer);
	return tap_done();
}
