/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The synthetic keyboard's protocol, as the kernel's hyperv-keyboard speaks
 * it. Payload of in-band packets, without a pipe header. Little endian.
 */
#ifndef SYNTHIO_KEYBOARD_H
#define SYNTHIO_KEYBOARD_H

#include <linux/types.h>

/* {f912ad6d-2b17-48ea-bd65-f927a61c7684} */
#define SYNTHKBD_GUID_INIT \
	GUID_INIT(0xf912ad6d, 0x2b17, 0x48ea, 0xbd, 0x65, \
		  0xf9, 0x27, 0xa6, 0x1c, 0x76, 0x84)

#define SYNTHKBD_VERSION_1_0		0x00010000u

enum synthkbd_type {
	SYNTHKBD_PROTOCOL_REQUEST	= 1,	/* guest to host */
	SYNTHKBD_PROTOCOL_RESPONSE	= 2,	/* host to guest */
	SYNTHKBD_EVENT			= 3,	/* host to guest */
	SYNTHKBD_LED_INDICATORS		= 4,	/* guest to host */
};

struct synthkbd_header {
	__u32 type;
};

struct synthkbd_protocol_request {
	struct synthkbd_header header;
	__u32 version;
};

#define SYNTHKBD_ACCEPTED		0x1

struct synthkbd_protocol_response {
	struct synthkbd_header header;
	__u32 status;
};

#define SYNTHKBD_UNICODE		0x1
#define SYNTHKBD_BREAK			0x2	/* the key is released */
#define SYNTHKBD_E0			0x4	/* an 0xe0 came before it */
#define SYNTHKBD_E1			0x8

struct synthkbd_event {
	struct synthkbd_header header;
	__u16 make_code;	/* scan code set 1 */
	__u16 reserved;
	__u32 info;
};

#define SYNTHKBD_LED_SCROLL		0x1
#define SYNTHKBD_LED_NUM		0x2
#define SYNTHKBD_LED_CAPS		0x4
#define SYNTHKBD_LED_ALL		0x7

struct synthkbd_led_indicators {
	struct synthkbd_header header;
	__u16 leds;		/* SYNTHKBD_LED_*, as in a PS/2 keyboard's command */
	__u16 reserved;
};

_Static_assert(sizeof(struct synthkbd_protocol_request) == 8, "request");
_Static_assert(sizeof(struct synthkbd_led_indicators) == 8, "LEDs");
_Static_assert(sizeof(struct synthkbd_protocol_response) == 8, "response");
_Static_assert(sizeof(struct synthkbd_event) == 12, "event");

#endif
