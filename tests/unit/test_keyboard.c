// SPDX-License-Identifier: GPL-2.0-only
/* What the keyboard driver makes of messages, and what its PS/2 keyboard answers */
#include <stdlib.h>

#include "../../drivers/input/keyboard_message.h"
#include "tap.h"

static struct synk_message msg;

/* A copy of its own, so that the sanitizer sees what is read behind it */
static int parse(const void *packet, u32 len)
{
	void *copy = malloc(len ?: 1);
	int ret;

	memcpy(copy, packet, len);
	ret = synk_parse(copy, len, &msg);
	free(copy);
	return ret;
}

static int parse_event(u16 code, u32 info)
{
	struct synthkbd_event event = {
		.header.type = SYNTHKBD_EVENT,
		.make_code = code,
		.info = info,
	};

	return parse(&event, sizeof(event));
}

static void test_messages(void)
{
	static const u32 others[] = { 0, 1, 4, 5, 0x80000003, 0xffffffff };
	struct synthkbd_protocol_response rsp = {
		.header.type = SYNTHKBD_PROTOCOL_RESPONSE,
	};
	u32 words[8] = { SYNTHKBD_EVENT, 0x1e };
	u32 i;

	for (i = 0; i < sizeof(rsp); i++)
		CHECK(parse(&rsp, i) == -EINVAL, "response, %u bytes", i);
	CHECK(!parse(&rsp, sizeof(rsp)) && !msg.accepted, "refused");
	rsp.status = 0xfffffffe;
	CHECK(!parse(&rsp, sizeof(rsp)) && !msg.accepted, "refused, too");
	rsp.status = 0xffffffff;
	CHECK(!parse(&rsp, sizeof(rsp)) && msg.accepted &&
	      msg.type == SYNTHKBD_PROTOCOL_RESPONSE, "accepted");
	for (i = 0; i < 12; i++)
		CHECK(parse(words, i) == -EINVAL, "event, %u bytes", i);
	for (; i <= sizeof(words); i++)
		CHECK(!parse(words, i) && msg.code == 0x1e && !msg.info,
		      "event, %u bytes", i);
	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		words[0] = others[i];
		CHECK(parse(words, sizeof(words)) == -ENOMSG, "type %u",
		      others[i]);
	}
}

/* The bytes of a message, or that there are none */
static bool gives(u16 code, u32 info, u32 count, u32 want)
{
	u8 bytes[SYNK_MAX_BYTES] = { 0 };
	u32 i;

	if (parse_event(code, info) || synk_bytes(&msg, bytes) != count)
		return false;
	for (i = 0; i < count; i++) {
		if (bytes[i] != (u8)(want >> 8 * (count - 1 - i)))
			return false;
	}
	return true;
}

static void test_keys(void)
{
	u32 code;

	for (code = 0; code < 0x10000; code++) {
		if (code && code < 0x80)
			CHECK(gives(code, 0, 1, code) &&
			      gives(code, SYNTHKBD_BREAK, 1, code | 0x80) &&
			      gives(code, SYNTHKBD_E0, 2, 0xe000 | code) &&
			      gives(code, SYNTHKBD_E1 | SYNTHKBD_BREAK, 2,
				    0xe180 | code), "code %x", code);
		else
			CHECK(parse_event(code, 0) == -EINVAL, "code %x",
			      code);
	}
	/* what nobody has said yet means nothing */
	CHECK(gives(0x1e, 0xfffffff0, 1, 0x1e), "other bits");
}

static void test_characters(void)
{
	const u32 unicode = SYNTHKBD_UNICODE;
	u32 c;

	CHECK(gives('a', unicode, 2, 0x1e9e), "a");
	CHECK(gives('A', unicode, 4, 0x2a1e9eaa), "A");
	CHECK(gives('\n', unicode, 2, 0x1c9c), "Enter");
	CHECK(gives('\t', unicode, 2, 0x0f8f), "Tab");
	CHECK(gives(' ', unicode, 2, 0x39b9), "a space");
	CHECK(gives('~', unicode, 4, 0x2a29a9aa), "~");
	CHECK(gives('a', unicode | SYNTHKBD_BREAK, 0, 0), "it is let go");
	for (c = 0; c < 0x10000; c++) {
		u8 bytes[SYNK_MAX_BYTES];
		u32 count;

		CHECK(!parse_event(c, unicode), "%x", c);
		count = synk_bytes(&msg, bytes);
		CHECK(count == 0 || count == 2 || count == 4, "%x", c);
		CHECK(!count == (!c || c > 0x7e || (c < 0x20 && c != 8 &&
						    c != 9 && c != 10 &&
						    c != 13 && c != 27)),
		      "%x: %u bytes", c, count);
	}
}

static void test_commands(void)
{
	/* byte, what is answered, LEDs afterwards: as atkbd says it */
	static const struct {
		u8 byte, count, answer[SYNK_MAX_ANSWER], leds;
	} steps[] = {
		{ 0xf2, 3, { 0xfa, 0xab, 0x41 }, 0 },
		{ 0xf5, 1, { 0xfa }, 0 },
		{ 0xed, 1, { 0xfa }, 0 }, { 0x00, 1, { 0xfa }, 0 },
		{ 0xf3, 1, { 0xfa }, 0 }, { 0x20, 1, { 0xfa }, 0 },
		{ 0xf4, 1, { 0xfa }, 0 },
		{ 0xed, 1, { 0xfa }, 0 }, { 0x06, 1, { 0xfa }, 6 },
		{ 0xed, 1, { 0xfa }, 6 }, { 0x7f, 1, { 0xfa }, 7 },
		/* another command instead of a parameter */
		{ 0xed, 1, { 0xfa }, 7 }, { 0xf4, 1, { 0xfa }, 7 },
		{ 0x00, 1, { 0xfe }, 7 },
		{ 0xf0, 1, { 0xfa }, 7 }, { 0x00, 2, { 0xfa, 0x41 }, 7 },
		{ 0xf0, 1, { 0xfa }, 7 }, { 0x02, 1, { 0xfa }, 7 },
		{ 0xee, 1, { 0xee }, 7 },
		{ 0xea, 1, { 0xfe }, 7 }, { 0xfe, 1, { 0xfe }, 7 },
		{ 0xff, 2, { 0xfa, 0xaa }, 0 },
	};
	struct synk_ps2 ps2 = { 0 };
	u8 answer[SYNK_MAX_ANSWER];
	u32 i, count;

	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		count = synk_command(&ps2, steps[i].byte, answer);
		CHECK(count == steps[i].count &&
		      !memcmp(answer, steps[i].answer, count) &&
		      ps2.leds == steps[i].leds, "step %u: %u bytes, %02x, %x",
		      i, count, answer[0], ps2.leds);
	}
	/* nothing has no answer: who waits for one would wait in vain */
	srand(1);
	for (i = 0; i < 100000; i++) {
		count = synk_command(&ps2, rand(), answer);
		CHECK(count && count <= SYNK_MAX_ANSWER &&
		      ps2.leds <= SYNTHKBD_LED_ALL, "%u bytes", count);
	}
}

int main(void)
{
	tap_test("messages of every length", test_messages);
	tap_test("keys", test_keys);
	tap_test("characters", test_characters);
	tap_test("commands", test_commands);
	return tap_done();
}
