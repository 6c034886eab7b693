// SPDX-License-Identifier: GPL-2.0-only
#include "keyboard_message.h"

#define RELEASED	0x80	/* bit of a scan code */
#define PREFIX_E0	0xe0
#define PREFIX_E1	0xe1
#define LEFT_SHIFT	0x2a

/* Commands of a PS/2 keyboard, and its answers */
#define PS2_SET_LEDS	0xed
#define PS2_ECHO	0xee
#define PS2_SCAN_SET	0xf0
#define PS2_GET_ID	0xf2
#define PS2_SET_RATE	0xf3
#define PS2_ENABLE	0xf4
#define PS2_DISABLE	0xf5
#define PS2_DEFAULTS	0xf6
#define PS2_RESET	0xff

#define PS2_ACK		0xfa
#define PS2_RESEND	0xfe
#define PS2_PASSED	0xaa	/* self-test */

/* ID and number of the scan code set, as the controller translates them */
#define PS2_ID_1	0xab
#define PS2_ID_2	0x41
#define PS2_SET_2	0x41

static int parse_event(const void *packet, u32 len, struct synk_message *msg)
{
	struct synthkbd_event event;

	if (len < sizeof(event))
		return -EINVAL;
	memcpy(&event, packet, sizeof(event));
	msg->code = event.make_code;
	msg->info = event.info;
	/* a scan code has 7 bits, and is not 0 */
	if (!(msg->info & SYNTHKBD_UNICODE) &&
	    (!msg->code || msg->code >= RELEASED))
		return -EINVAL;
	return 0;
}

int synk_parse(const void *packet, u32 len, struct synk_message *msg)
{
	struct synthkbd_protocol_response rsp;
	struct synthkbd_header header;

	memset(msg, 0, sizeof(*msg));
	if (len < sizeof(header))
		return -EINVAL;
	memcpy(&header, packet, sizeof(header));
	msg->type = header.type;
	switch (header.type) {
	case SYNTHKBD_PROTOCOL_RESPONSE:
		if (len < sizeof(rsp))
			return -EINVAL;
		memcpy(&rsp, packet, sizeof(rsp));
		msg->accepted = rsp.status & SYNTHKBD_ACCEPTED;
		return 0;
	case SYNTHKBD_EVENT:
		return parse_event(packet, len, msg);
	default:
		return -ENOMSG;
	}
}

/* Characters of a US keyboard by rows, whose keys have consecutive make codes */
static const struct {
	u8 first;
	const char *plain;
	const char *shifted;
} rows[] = {
	{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
	{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
	{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
	{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
	{ 0x39, " ", "" },
	{ 0x0e, "\b\t", "" },
	{ 0x1c, "\r", "" },
	{ 0x1c, "\n", "" },
	{ 0x01, "\033", "" },
	{ 0 }
};

/* The make code of the key with this character, or 0 */
static u8 key_of(u16 c, bool *shift)
{
	const char *p;
	u32 i;

	if (!c || c > 0x7f)
		return 0;
	for (i = 0; rows[i].plain; i++) {
		p = strchr(rows[i].plain, c);
		*shift = !p;
		if (p)
			return rows[i].first + (p - rows[i].plain);
		p = strchr(rows[i].shifted, c);
		if (p)
			return rows[i].first + (p - rows[i].shifted);
	}
	return 0;
}

static u32 type(u16 c, u8 *bytes)
{
	bool shift = false;
	u8 code = key_of(c, &shift);
	u32 count = 0;

	if (!code)
		return 0;
	if (shift)
		bytes[count++] = LEFT_SHIFT;
	bytes[count++] = code;
	bytes[count++] = code | RELEASED;
	if (shift)
		bytes[count++] = LEFT_SHIFT | RELEASED;
	return count;
}

u32 synk_bytes(const struct synk_message *msg, u8 *bytes)
{
	u32 count = 0;

	if (msg->info & SYNTHKBD_UNICODE)
		return msg->info & SYNTHKBD_BREAK ? 0 : type(msg->code, bytes);
	if (msg->info & SYNTHKBD_E0)
		bytes[count++] = PREFIX_E0;
	if (msg->info & SYNTHKBD_E1)
		bytes[count++] = PREFIX_E1;
	bytes[count++] = msg->code |
			 (msg->info & SYNTHKBD_BREAK ? RELEASED : 0);
	return count;
}

/* A parameter of the last command; commands are larger numbers than any parameter */
static u32 take_parameter(struct synk_ps2 *ps2, u8 byte, u8 *answer)
{
	u32 count = 0;

	answer[count++] = PS2_ACK;
	if (ps2->command == PS2_SET_LEDS)
		ps2->leds = byte & SYNTHKBD_LED_ALL;
	/* 0 reads the current set */
	if (ps2->command == PS2_SCAN_SET && !byte)
		answer[count++] = PS2_SET_2;
	ps2->command = 0;
	return count;
}

u32 synk_command(struct synk_ps2 *ps2, u8 byte, u8 *answer)
{
	u32 count = 0;

	if (ps2->command && byte < PS2_SET_LEDS)
		return take_parameter(ps2, byte, answer);
	ps2->command = 0;
	answer[count++] = PS2_ACK;
	switch (byte) {
	case PS2_SET_LEDS:
	case PS2_SCAN_SET:
	case PS2_SET_RATE:
		ps2->command = byte;
		break;
	case PS2_GET_ID:
		answer[count++] = PS2_ID_1;
		answer[count++] = PS2_ID_2;
		break;
	case PS2_ENABLE:
	case PS2_DISABLE:
	case PS2_DEFAULTS:
		break;
	case PS2_RESET:
		ps2->leds = 0;
		answer[count++] = PS2_PASSED;
		break;
	case PS2_ECHO:
		answer[0] = PS2_ECHO;
		break;
	default:
		answer[0] = PS2_RESEND;
		break;
	}
	return count;
}
