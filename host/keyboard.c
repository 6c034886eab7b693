// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic keyboard. Scan codes are those of set 1, as a PC's keyboard
 * controller gives them; text is typed on a US layout.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/keyboard.h>

#include "console.h"
#include "device.h"

#define KEY_LEFT_SHIFT	0x2a
#define KEY_E0		0x80	/* behind an 0xe0, in the table of keysyms */

struct keyboard {
	struct device dev;
	struct console_sink sink;
	struct channel *channel;
	bool ready;		/* the guest's version was accepted */
	uint16_t leds;		/* SYNTHKBD_LED_* */
	uint64_t events;
};

static struct device_kind keyboard_kind;

static struct keyboard *to_keyboard(struct device *dev)
{
	return container_of(dev, struct keyboard, dev);
}

static int keyboard_open(struct device *dev, struct channel *ch)
{
	to_keyboard(dev)->channel = ch;
	to_keyboard(dev)->ready = false;
	to_keyboard(dev)->leds = 0;
	return 0;
}

static void keyboard_close(struct device *dev, struct channel *ch)
{
	(void)ch;
	to_keyboard(dev)->channel = NULL;
	to_keyboard(dev)->ready = false;
}

static void keyboard_version(struct keyboard *k, struct channel *ch,
			     const struct packet *pkt)
{
	const struct synthkbd_protocol_request *req = pkt->payload;
	struct synthkbd_protocol_response rsp = {
		.header.type = SYNTHKBD_PROTOCOL_RESPONSE,
	};

	if (k->ready || pkt->len != sizeof(*req)) {
		channel_error(ch, "version request of %u bytes%s", pkt->len,
			      k->ready ? ", again" : "");
		return;
	}
	k->ready = req->version == SYNTHKBD_VERSION_1_0;
	rsp.status = k->ready ? SYNTHKBD_ACCEPTED : 0;
	log_info("keyboard %s: version %u.%u %s", k->dev.id,
		 req->version >> 16, req->version & 0xffff,
		 k->ready ? "accepted" : "refused");
	/* An answer of its own; the host completes nothing on this channel */
	channel_send(ch, pkt->trans_id, &rsp, sizeof(rsp), false);
}

static void keyboard_leds(struct keyboard *k, struct channel *ch,
			  const struct packet *pkt)
{
	const struct synthkbd_led_indicators *msg = pkt->payload;

	if (!k->ready || pkt->len != sizeof(*msg) ||
	    msg->leds & ~SYNTHKBD_LED_ALL) {
		channel_error(ch, "LEDs of %u bytes%s", pkt->len,
			      k->ready ? "" : ", before a version");
		return;
	}
	k->leds = msg->leds;
	log_debug("keyboard %s: LEDs %x", k->dev.id, k->leds);
}

static void keyboard_packet(struct device *dev, struct channel *ch,
			    const struct packet *pkt)
{
	const struct synthkbd_header *h = pkt->payload;

	if (pkt->type != PACKET_INBAND || pkt->len < sizeof(*h)) {
		channel_error(ch, "packet of type %u with %u bytes",
			      pkt->type, pkt->len);
		return;
	}
	switch (h->type) {
	case SYNTHKBD_PROTOCOL_REQUEST:
		keyboard_version(to_keyboard(dev), ch, pkt);
		break;
	case SYNTHKBD_LED_INDICATORS:
		keyboard_leds(to_keyboard(dev), ch, pkt);
		break;
	default:
		channel_error(ch, "unknown message type %u", h->type);
	}
}

/* What survives a worker */
struct keyboard_saved {
	uint16_t ready;
	uint16_t leds;
};

static void keyboard_save(struct device *dev, void *state)
{
	struct keyboard_saved *s = state;

	s->ready = to_keyboard(dev)->ready;
	s->leds = to_keyboard(dev)->leds;
}

static int keyboard_restore(struct device *dev, const void *state)
{
	const struct keyboard_saved *s = state;

	to_keyboard(dev)->ready = s->ready;
	to_keyboard(dev)->leds = s->leds;
	return 0;
}

static void keyboard_status(struct device *dev, struct text *out)
{
	struct keyboard *k = to_keyboard(dev);

	text_add(out, "  %s, %llu key events, LEDs:%s%s%s%s\n",
		 k->ready ? "ready" : "not ready",
		 (unsigned long long)k->events,
		 k->leds & SYNTHKBD_LED_NUM ? " num" : "",
		 k->leds & SYNTHKBD_LED_CAPS ? " caps" : "",
		 k->leds & SYNTHKBD_LED_SCROLL ? " scroll" : "",
		 k->leds ? "" : " none");
}

static void keyboard_destroy(struct device *dev)
{
	struct keyboard *k = to_keyboard(dev);

	console_remove_sink(bus_console(dev->bus), &k->sink);
	free(k);
}

static int keyboard_key(struct keyboard *k, uint16_t code, uint32_t info)
{
	struct synthkbd_event event = {
		.header.type = SYNTHKBD_EVENT,
		.make_code = code,
		.info = info,
	};
	int ret = channel_send(k->channel, 0, &event, sizeof(event), false);

	if (!ret)
		k->events++;
	return ret;
}

/* Set 1 make codes of the keys in their rows, from the row's first code on */
static const struct {
	uint8_t first;
	const char *plain;
	const char *shifted;
} keyboard_rows[] = {
	{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
	{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
	{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
	{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
	{ 0x39, " ", " " },
	{ 0x1c, "\n", "\n" },
	{ 0x0f, "\t", "\t" },
};

/* False: no key gives this character */
static bool keyboard_lookup(char c, uint8_t *code, bool *shift)
{
	unsigned int i;
	const char *p;

	for (i = 0; c && i < sizeof(keyboard_rows) / sizeof(keyboard_rows[0]);
	     i++) {
		p = strchr(keyboard_rows[i].plain, c);
		*shift = !p;
		if (p) {
			*code = keyboard_rows[i].first +
				(p - keyboard_rows[i].plain);
			return true;
		}
		p = strchr(keyboard_rows[i].shifted, c);
		if (p) {
			*code = keyboard_rows[i].first +
				(p - keyboard_rows[i].shifted);
			return true;
		}
	}
	return false;
}

static int keyboard_type(struct keyboard *k, char c)
{
	uint8_t code;
	bool shift;
	int ret = 0;

	if (!keyboard_lookup(c, &code, &shift))
		return -EINVAL;
	if (shift)
		ret = keyboard_key(k, KEY_LEFT_SHIFT, 0);
	if (!ret)
		ret = keyboard_key(k, code, 0);
	if (!ret)
		ret = keyboard_key(k, code, SYNTHKBD_BREAK);
	if (!ret && shift)
		ret = keyboard_key(k, KEY_LEFT_SHIFT, SYNTHKBD_BREAK);
	return ret;
}

/* X11 keysyms of keys without a character: their make codes, from one on */
static const struct {
	uint16_t keysym;
	uint8_t code;
	uint8_t count;
} keyboard_keysyms[] = {
	{ 0xff08, 0x0e, 1 },		/* BackSpace */
	{ 0xff09, 0x0f, 1 },		/* Tab */
	{ 0xfe20, 0x0f, 1 },		/* with Shift */
	{ 0xff0d, 0x1c, 1 },		/* Return */
	{ 0xff13, 0x46 | KEY_E0, 1 },	/* Pause, as with Ctrl */
	{ 0xff14, 0x46, 1 },		/* Scroll Lock */
	{ 0xff1b, 0x01, 1 },		/* Escape */
	{ 0xff50, 0x47 | KEY_E0, 1 },	/* Home */
	{ 0xff51, 0x4b | KEY_E0, 1 },	/* Left */
	{ 0xff52, 0x48 | KEY_E0, 1 },	/* Up */
	{ 0xff53, 0x4d | KEY_E0, 1 },	/* Right */
	{ 0xff54, 0x50 | KEY_E0, 1 },	/* Down */
	{ 0xff55, 0x49 | KEY_E0, 1 },	/* Page Up */
	{ 0xff56, 0x51 | KEY_E0, 1 },	/* Page Down */
	{ 0xff57, 0x4f | KEY_E0, 1 },	/* End */
	{ 0xff61, 0x37 | KEY_E0, 1 },	/* Print */
	{ 0xff63, 0x52 | KEY_E0, 1 },	/* Insert */
	{ 0xff67, 0x5d | KEY_E0, 1 },	/* Menu */
	{ 0xff7f, 0x45, 1 },		/* Num Lock */
	{ 0xff8d, 0x1c | KEY_E0, 1 },	/* Enter, of the number pad */
	{ 0xffaa, 0x37, 1 },		/* multiply, there */
	{ 0xffab, 0x4e, 1 },		/* add */
	{ 0xffad, 0x4a, 1 },		/* subtract */
	{ 0xffae, 0x53, 1 },		/* decimal */
	{ 0xffaf, 0x35 | KEY_E0, 1 },	/* divide */
	{ 0xffb0, 0x52, 1 },		/* 0 */
	{ 0xffb1, 0x4f, 3 },		/* 1 to 3 */
	{ 0xffb4, 0x4b, 3 },		/* 4 to 6 */
	{ 0xffb7, 0x47, 3 },		/* 7 to 9 */
	{ 0xffbe, 0x3b, 10 },		/* F1 to F10 */
	{ 0xffc8, 0x57, 2 },		/* F11, F12 */
	{ 0xffe1, 0x2a, 1 },		/* Shift, left */
	{ 0xffe2, 0x36, 1 },		/* right */
	{ 0xffe3, 0x1d, 1 },		/* Control, left */
	{ 0xffe4, 0x1d | KEY_E0, 1 },	/* right */
	{ 0xffe5, 0x3a, 1 },		/* Caps Lock */
	{ 0xffe7, 0x38, 1 },		/* Meta, left: as Alt */
	{ 0xffe8, 0x38 | KEY_E0, 1 },
	{ 0xffe9, 0x38, 1 },		/* Alt, left */
	{ 0xffea, 0x38 | KEY_E0, 1 },	/* right */
	{ 0xfe03, 0x38 | KEY_E0, 1 },	/* AltGr */
	{ 0xffeb, 0x5b | KEY_E0, 1 },	/* Super, left */
	{ 0xffec, 0x5c | KEY_E0, 1 },	/* right */
	{ 0xffff, 0x53 | KEY_E0, 1 },	/* Delete */
};

/*
 * A viewer sends characters, and Shift as a key of its own. Which key has the
 * character is for a US layout to say, as what the guest makes of it.
 */
static void keyboard_viewer(struct console_sink *sink, uint32_t keysym,
			    bool down)
{
	struct keyboard *k = container_of(sink, struct keyboard, sink);
	uint32_t info = down ? 0 : SYNTHKBD_BREAK;
	uint8_t code = 0;
	unsigned int i;
	bool shift;

	if (!k->ready)
		return;
	if (keysym >= 0x20 && keysym < 0x7f)
		keyboard_lookup(keysym, &code, &shift);
	for (i = 0; i < sizeof(keyboard_keysyms) / sizeof(keyboard_keysyms[0]);
	     i++) {
		if (keysym - keyboard_keysyms[i].keysym <
		    keyboard_keysyms[i].count)
			code = keyboard_keysyms[i].code + keysym -
			       keyboard_keysyms[i].keysym;
	}
	if (!code)
		return;
	if (code & KEY_E0)
		info |= SYNTHKBD_E0;
	keyboard_key(k, code & ~KEY_E0, info);
}

/* The first keyboard; NULL, with a reason, if its guest cannot take keys */
static struct keyboard *keyboard_ready(struct bus *bus, struct text *out)
{
	struct device *dev = device_find(bus, &keyboard_kind, NULL);

	if (!dev)
		text_add(out, "there is no keyboard; see --keyboard");
	else if (!to_keyboard(dev)->ready)
		text_add(out, "the guest has no driver on its keyboard");
	else
		return to_keyboard(dev);
	return NULL;
}

static int keyboard_full(struct text *out)
{
	return text_add(out, "the guest does not take its keys");
}

/* In the arguments, \n and \t may be written as two characters */
static int keyboard_cmd_key(struct bus *bus, int argc, char **argv,
			    struct text *out)
{
	struct keyboard *k = keyboard_ready(bus, out);
	int i, ret = 0;
	const char *p;

	if (!k)
		return -ENODEV;
	if (argc < 2)
		return text_add(out, "needs text");
	for (i = 1; i < argc; i++) {
		if (i > 1 && keyboard_type(k, ' '))
			return keyboard_full(out);
		for (p = argv[i]; *p; p++) {
			char c = *p;

			if (c == '\\' && (p[1] == 'n' || p[1] == 't'))
				c = *++p == 'n' ? '\n' : '\t';
			ret = keyboard_type(k, c);
			if (ret == -EINVAL)
				return text_add(out, "no key for character 0x%02x",
						(unsigned char)c);
			if (ret)
				return keyboard_full(out);
		}
	}
	return 0;
}

/* Characters instead of keys, as a host does that types text for somebody */
static int keyboard_cmd_unicode(struct bus *bus, int argc, char **argv,
				struct text *out)
{
	struct keyboard *k = keyboard_ready(bus, out);
	uint64_t c;
	int i;

	if (!k)
		return -ENODEV;
	if (argc < 2)
		return text_add(out, "needs numbers of characters");
	for (i = 1; i < argc; i++) {
		if (text_number(argv[i], 0, 0xffff, &c))
			return text_add(out, "'%s' is no character", argv[i]);
		if (keyboard_key(k, c, SYNTHKBD_UNICODE) ||
		    keyboard_key(k, c, SYNTHKBD_UNICODE | SYNTHKBD_BREAK))
			return keyboard_full(out);
	}
	return 0;
}

/* A message as it is, right or wrong */
static int keyboard_cmd_raw(struct bus *bus, int argc, char **argv,
			    struct text *out)
{
	struct keyboard *k = keyboard_ready(bus, out);
	uint32_t words[16];
	uint64_t n;
	int i;

	if (!k)
		return -ENODEV;
	if (argc < 2 || argc > 17)
		return text_add(out, "needs 1 to 16 numbers of 32 bits");
	for (i = 1; i < argc; i++) {
		if (text_number(argv[i], 0, UINT32_MAX, &n))
			return text_add(out, "'%s' is no number", argv[i]);
		words[i - 1] = n;
	}
	return channel_send(k->channel, 0, words, (argc - 1) * sizeof(words[0]),
			    false) ? keyboard_full(out) : 0;
}

/* A byte stream as a keyboard sends it: e0 and e1 prefixes, bit 7 = break */
static int keyboard_cmd_scancode(struct bus *bus, int argc, char **argv,
				 struct text *out)
{
	struct keyboard *k = keyboard_ready(bus, out);
	uint32_t prefix = 0;
	int i;

	if (!k)
		return -ENODEV;
	if (argc < 2)
		return text_add(out, "needs hexadecimal bytes");
	for (i = 1; i < argc; i++) {
		unsigned int code;
		char rest;

		if (sscanf(argv[i], "%2x%c", &code, &rest) != 1)
			return text_add(out, "'%s' is no hexadecimal byte",
					argv[i]);
		if (code == 0xe0 || code == 0xe1) {
			prefix = code == 0xe0 ? SYNTHKBD_E0 : SYNTHKBD_E1;
			continue;
		}
		if (keyboard_key(k, code & 0x7f, prefix |
				 (code & 0x80 ? SYNTHKBD_BREAK : 0)))
			return keyboard_full(out);
		prefix = 0;
	}
	return 0;
}

static int keyboard_parse(struct bus *bus, const char *arg, struct text *err)
{
	struct keyboard *k = calloc(1, sizeof(*k));
	int ret;

	if (!k)
		return -ENOMEM;
	k->dev.kind = &keyboard_kind;
	k->sink.key = keyboard_viewer;
	ret = device_set_id(&k->dev, arg ? arg : "kbd", err);
	if (!ret)
		ret = device_register(bus, &k->dev, err);
	if (ret)
		free(k);
	else
		console_add_sink(bus_console(bus), &k->sink);
	return ret;
}

static const struct device_ops keyboard_ops = {
	.open = keyboard_open,
	.packet = keyboard_packet,
	.state_bytes = sizeof(struct keyboard_saved),
	.save = keyboard_save,
	.restore = keyboard_restore,
	.close = keyboard_close,
	.status = keyboard_status,
	.destroy = keyboard_destroy,
};

static const struct device_option keyboard_options[] = {
	{ "keyboard", "[ID]", "a keyboard (ID: \"kbd\" if not given)",
	  keyboard_parse },
	{ 0 }
};

static const struct device_command keyboard_commands[] = {
	{ "key", "TEXT...", "type text on the keyboard; \\n is Enter",
	  keyboard_cmd_key },
	{ "scancode", "HEX...", "send scan codes of set 1, such as e0 48 e0 c8",
	  keyboard_cmd_scancode },
	{ "unicode", "NUMBER...", "type characters that are told as such",
	  keyboard_cmd_unicode },
	{ "key-message", "NUMBER...",
	  "send a message of the keyboard's, in words of 32 bits, whatever it is",
	  keyboard_cmd_raw },
	{ 0 }
};

static struct device_kind keyboard_kind = {
	.name = "keyboard",
	.class = HOST_GUID(0xf912ad6d, 0x2b17, 0x48ea, 0xbd, 0x65,
			   0xf9, 0x27, 0xa6, 0x1c, 0x76, 0x84),
	.chn_flags = DEVICE_FLAG_ENUMERATE,
	.ops = &keyboard_ops,
	.options = keyboard_options,
	.commands = keyboard_commands,
};

DEVICE_KIND(keyboard_kind);
