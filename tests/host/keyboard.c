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

#include "device.h"

#define KEY_LEFT_SHIFT	0x2a

struct keyboard {
	struct device dev;
	struct channel *channel;
	bool ready;		/* the guest's version was accepted */
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

	if (pkt->len < sizeof(*req)) {
		channel_error(ch, "version request of %u bytes", pkt->len);
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
		log_debug("keyboard %s: LEDs", dev->id);
		break;
	default:
		channel_error(ch, "unknown message type %u", h->type);
	}
}

static void keyboard_status(struct device *dev, struct text *out)
{
	struct keyboard *k = to_keyboard(dev);

	text_add(out, "  %s, %llu key events\n",
		 k->ready ? "ready" : "not ready",
		 (unsigned long long)k->events);
}

static void keyboard_destroy(struct device *dev)
{
	free(to_keyboard(dev));
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
	ret = device_set_id(&k->dev, arg ? arg : "kbd", err);
	if (!ret)
		ret = device_register(bus, &k->dev, err);
	if (ret)
		free(k);
	return ret;
}

static const struct device_ops keyboard_ops = {
	.open = keyboard_open,
	.packet = keyboard_packet,
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
