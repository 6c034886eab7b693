// SPDX-License-Identifier: GPL-2.0-only
/* What the mouse driver makes of messages: right ones, and every length */
#include <stdlib.h>

#include "../../drivers/input/message.h"
#include "../../drivers/input/state.h"
#include "tap.h"

static struct {
	struct synthio_pipe pipe;
	union {
		struct synthhid_header header;
		struct synthhid_protocol_response response;
		struct synthhid_device_info info;
		u8 bytes[8192];
	};
} packet;
static struct synm_message msg;

static void fill(u32 type, u32 size)
{
	memset(&packet, 0, sizeof(packet));
	packet.pipe.type = SYNTHIO_PIPE_DATA;
	packet.pipe.size = size;
	packet.header.type = type;
	packet.header.size = size - sizeof(packet.header);
}

/* A copy of its own, so that the sanitizer sees what is read behind it */
static int parse(u32 len)
{
	void *copy = malloc(len ?: 1);
	int ret;

	memcpy(copy, &packet, len);
	ret = synm_parse(copy, len, &msg);
	if (!ret && msg.data && msg.len) {
		/* all of it lies in the packet */
		if (msg.data < (u8 *)copy ||
		    msg.data + msg.len > (u8 *)copy + len)
			abort();
	}
	free(copy);
	return ret;
}

static void test_response(void)
{
	u32 len;

	fill(SYNTHHID_PROTOCOL_RESPONSE, 13);
	packet.response.version = SYNTHHID_VERSION_2_0;
	packet.response.approved = 1;
	CHECK(!parse(24) && msg.type == SYNTHHID_PROTOCOL_RESPONSE &&
	      msg.approved && msg.version == SYNTHHID_VERSION_2_0, "accepted");
	packet.response.approved = 0;
	CHECK(!parse(24) && !msg.approved, "refused");
	for (len = 0; len < 21; len++)
		CHECK(parse(len) == -EINVAL, "%u bytes", len);
	packet.pipe.size = 12;
	CHECK(parse(24) == -EINVAL, "its own size is short");
}

static void make_info(u32 desc_len)
{
	fill(SYNTHHID_DEVICE_INFO, sizeof(packet.info) + desc_len);
	packet.info.attributes.vendor = 0x45e;
	packet.info.attributes.product = 0x621;
	packet.info.descriptor.length = 9;
	packet.info.descriptor.report_length = desc_len;
}

static void test_info(void)
{
	u32 len;

	make_info(67);
	packet.bytes[49] = 5;
	packet.bytes[49 + 66] = 0xc0;
	CHECK(!parse(128) && msg.vendor == 0x45e && msg.product == 0x621 &&
	      msg.len == 67 && msg.data, "descriptor");
	packet.header.size = 3;
	CHECK(!parse(128) && msg.len == 67, "a header that says less");
	for (len = 0; len < 8 + 49 + 67; len++)
		CHECK(parse(len) == -EINVAL, "%u bytes", len);
	packet.pipe.size--;
	CHECK(parse(128) == -EINVAL, "a descriptor longer than its message");

	make_info(SYNM_MAX_DESCRIPTOR);
	CHECK(!parse(8 + 49 + SYNM_MAX_DESCRIPTOR), "the longest");
	make_info(SYNM_MAX_DESCRIPTOR + 1);
	CHECK(parse(8 + 49 + SYNM_MAX_DESCRIPTOR + 1) == -EINVAL, "longer");
	make_info(0);
	CHECK(parse(64) == -EINVAL, "none");
	make_info(40);
	packet.info.descriptor.length = 8;
	CHECK(parse(104) == -EINVAL, "a HID descriptor too short");
	packet.info.descriptor.length = 0;
	CHECK(parse(104) == -EINVAL, "of no length");
	packet.info.descriptor.length = 255;
	CHECK(parse(104) == -EINVAL, "too long");
	make_info(40);
	packet.info.descriptor.length = 19;
	packet.info.descriptor.report_length = 30;
	CHECK(!parse(104) && msg.len == 30, "longer than needed, but there");
	packet.info.descriptor.report_length = 31;
	CHECK(parse(104) == -EINVAL, "one byte too many");
}

static void test_reports(void)
{
	u32 len, size;

	for (len = 1; len < 64; len++) {
		fill(SYNTHHID_INPUT_REPORT, 8 + len);
		CHECK(!parse(16 + len) && msg.len == len, "%u bytes", len);
		CHECK(!parse((16 + len + 7) & ~7u) && msg.len == len, "padded");
		for (size = len + 1; size < 80; size++) {
			packet.header.size = size;
			CHECK(parse((16 + len + 7) & ~7u) == -EINVAL,
			      "%u bytes of %u", size, len);
		}
		packet.header.size = 0xffffffff;
		CHECK(parse((16 + len + 7) & ~7u) == -EINVAL, "all of it");
		packet.header.size = 0;
		CHECK(parse((16 + len + 7) & ~7u) == -EINVAL, "none of it");
	}
}

static void test_odd(void)
{
	static const u32 others[] = { 0, 3, 5, 6, 0x80000004, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		fill(others[i], 8);
		CHECK(parse(16) == -ENOMSG, "type %u", others[i]);
	}
	fill(SYNTHHID_INPUT_REPORT, 16);
	for (i = 0; i < 4; i++) {
		packet.pipe.type = i == SYNTHIO_PIPE_DATA ? 0xffffffff : i;
		CHECK(parse(24) == -ENOMSG, "pipe type %u", i);
	}
	fill(SYNTHHID_INPUT_REPORT, 16);
	packet.pipe.size = 17;
	CHECK(parse(24) == -EINVAL, "the pipe says more");
	packet.pipe.size = 0xfffffff8;
	CHECK(parse(24) == -EINVAL, "much more");
	packet.pipe.size = 7;
	CHECK(parse(24) == -EINVAL, "no header");
}

static void test_fix(void)
{
	u8 old[16] = { 5, 1, 9, 2, 0xa1, 1, 9, 1, 0xa1, 0, 5, 9, 0x19, 1,
		       0x25, 5 };

	synm_fix_descriptor(old, 15);
	CHECK(old[14] == 0x25, "too short to be one");
	synm_fix_descriptor(old, 16);
	CHECK(old[14] == 0x29, "mended");
	old[12] = 0x15;
	old[14] = 0x25;
	synm_fix_descriptor(old, 16);
	CHECK(old[14] == 0x25, "a good one stays");
}

static void test_states(void)
{
	/* every step of a connection, and no other one */
	static const char steps[][2] = {
		{ SYNTH_INPUT_CLOSED, SYNTH_INPUT_ASKED },
		{ SYNTH_INPUT_ASKED, SYNTH_INPUT_ACCEPTED },
		{ SYNTH_INPUT_ASKED, SYNTH_INPUT_REFUSED },
		{ SYNTH_INPUT_ASKED, SYNTH_INPUT_CLOSED },
		{ SYNTH_INPUT_ACCEPTED, SYNTH_INPUT_LIVE },
		{ SYNTH_INPUT_ACCEPTED, SYNTH_INPUT_CLOSED },
		{ SYNTH_INPUT_REFUSED, SYNTH_INPUT_CLOSED },
		{ SYNTH_INPUT_LIVE, SYNTH_INPUT_CLOSED },
	};
	u32 from, to, i, found = 0;

	for (from = 0; from <= SYNTH_INPUT_LIVE + 1; from++) {
		for (to = 0; to <= SYNTH_INPUT_LIVE + 1; to++) {
			bool may = false;

			for (i = 0; i < ARRAY_SIZE(steps); i++)
				may |= steps[i][0] == (char)from &&
				       steps[i][1] == (char)to;
			CHECK(synth_input_may_follow(from, to) == may,
			      "%s -> %s", synth_input_state_name(from),
			      synth_input_state_name(to));
			found += may;
		}
	}
	CHECK(found == ARRAY_SIZE(steps), "%u steps", found);
}

int main(void)
{
	tap_test("response", test_response);
	tap_test("device info", test_info);
	tap_test("reports of every length", test_reports);
	tap_test("other messages", test_odd);
	tap_test("a mended descriptor", test_fix);
	tap_test("the states of mouse and keyboard", test_states);
	return tap_done();
}
