// SPDX-License-Identifier: GPL-2.0-only
/*
 * The synthetic mouse: a HID device with an absolute pointer, five buttons and
 * two wheels, or one. As strict as a real host: anything out of order ends the
 * guest's connection.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/mouse.h>

#include "bus.h"
#include "console.h"
#include "pipe.h"

#define MOUSE_MAX	32767		/* of X and Y, the way HID counts */
#define MOUSE_VENDOR	0x045e		/* those that hid-hyperv binds to */
#define MOUSE_PRODUCT	0x0621
#define MOUSE_BUTTONS	5

/* HID 1.11, 6.2.2; usages as in the HID Usage Tables */
static const uint8_t mouse_descriptor[] = {
	0x05, 0x01,		/* usage page: generic desktop */
	0x09, 0x02,		/* usage: mouse */
	0xa1, 0x01,		/* collection: application */
	0x09, 0x01,		/*  usage: pointer */
	0xa1, 0x00,		/*  collection: physical */
	0x05, 0x09,		/*   usage page: buttons */
	0x19, 0x01,		/*   usages from 1 */
	0x29, MOUSE_BUTTONS,	/*   to 5 */
	0x15, 0x00, 0x25, 0x01,	/*   logical 0 to 1 */
	0x95, MOUSE_BUTTONS, 0x75, 0x01,	/* 5 of 1 bit */
	0x81, 0x02,		/*   input: data, variable, absolute */
	0x95, 0x01, 0x75, 0x03,	/*   1 of 3 bits */
	0x81, 0x01,		/*   input: constant */
	0x05, 0x01,		/*   usage page: generic desktop */
	0x09, 0x30, 0x09, 0x31,	/*   usages: X, Y */
	0x15, 0x00, 0x26, 0xff, 0x7f,	/* logical 0 to 32767 */
	0x75, 0x10, 0x95, 0x02,	/*   2 of 16 bits */
	0x81, 0x02,		/*   input: data, variable, absolute */
};

/* The end of it: two wheels */
static const uint8_t mouse_two_wheels[] = {
	0x09, 0x38,		/*   usage: wheel */
	0x15, 0x81, 0x25, 0x7f,	/*   logical -127 to 127 */
	0x75, 0x08, 0x95, 0x01,	/*   1 of 8 bits */
	0x81, 0x06,		/*   input: data, variable, relative */
	0x05, 0x0c,		/*   usage page: consumer */
	0x0a, 0x38, 0x02,	/*   usage: AC pan */
	0x95, 0x01,		/*   1 of 8 bits */
	0x81, 0x06,		/*   input: data, variable, relative */
	0xc0, 0xc0,		/* ends of the collections */
};

/* Or one of 16 bits */
static const uint8_t mouse_wide_wheel[] = {
	0x09, 0x38,		/*   usage: wheel */
	0x16, 0x01, 0x80,	/*   logical -32767 */
	0x26, 0xff, 0x7f,	/*   to 32767 */
	0x75, 0x10, 0x95, 0x01,	/*   1 of 16 bits */
	0x81, 0x06,		/*   input: data, variable, relative */
	0xc0, 0xc0,		/* ends of the collections */
};

/* Of both the length is the same */
struct mouse_report {
	uint8_t buttons;
	uint16_t x, y;
	union {
		struct {
			int8_t wheel, pan;
		};
		int16_t wide_wheel;
	};
} __attribute__((packed));

enum mouse_state {
	MOUSE_CLOSED,
	MOUSE_OPENED,
	MOUSE_NEGOTIATED,	/* the device info is on its way */
	MOUSE_READY,
};

/**
 * struct mouse - one
 * @report: as it was sent last, wheels apart
 * @viewer: buttons as the viewer has them
 * @wide_wheel: it has one wheel, as the guest was told
 * @owed: the ring was full: X, Y and buttons are still to be told
 */
struct mouse {
	struct device dev;
	struct pipe pipe;
	struct console_sink sink;
	enum mouse_state state;
	struct mouse_report report;
	uint32_t viewer;
	bool owed;
	bool wide_wheel;
	uint64_t reports;
};

static struct device_kind mouse_kind;

static struct mouse *to_mouse(struct device *dev)
{
	return container_of(dev, struct mouse, dev);
}

static int mouse_open(struct device *dev, struct channel *ch)
{
	struct mouse *m = to_mouse(dev);

	pipe_open(&m->pipe, ch);
	m->state = MOUSE_OPENED;
	m->owed = false;
	return 0;
}

static void mouse_close(struct device *dev, struct channel *ch)
{
	(void)ch;
	pipe_close(&to_mouse(dev)->pipe);
	to_mouse(dev)->state = MOUSE_CLOSED;
}

static void mouse_send_info(struct mouse *m)
{
	const struct profile_mouse *like = &m->dev.bus->profile->mouse;
	const size_t start = sizeof(mouse_descriptor);
	const uint8_t *wheels = like->wide_wheel ? mouse_wide_wheel :
				mouse_two_wheels;
	size_t end = like->wide_wheel ? sizeof(mouse_wide_wheel) :
		     sizeof(mouse_two_wheels);
	struct {
		struct synthhid_attributes attributes;
		struct synthhid_descriptor descriptor;
		uint8_t report[256];
	} __attribute__((packed)) info = {
		.attributes = {
			.size = sizeof(info.attributes),
			.vendor = MOUSE_VENDOR,
			.product = MOUSE_PRODUCT,
			.version = 0x0100,
		},
		.descriptor = {
			.length = sizeof(info.descriptor),
			.type = SYNTHHID_DESC_HID,
			.hid_version = 0x0111,
			.count = 1,
			.report_type = SYNTHHID_DESC_REPORT,
			.report_length = start + end,
		},
	};
	size_t before = offsetof(__typeof__(info), report);
	size_t len = before + start + end, sent = before + like->descriptor_room;

	m->wide_wheel = like->wide_wheel;
	memcpy(info.report, mouse_descriptor, start);
	memcpy(info.report + start, wheels, end);
	pipe_send_counted(&m->pipe, SYNTHHID_DEVICE_INFO, &info,
			  sent > len ? sent : len, len);
}

static void mouse_version(struct mouse *m, uint32_t version)
{
	struct {
		uint32_t version;
		uint8_t approved;
	} __attribute__((packed)) rsp = {
		.version = version,
		.approved = version == SYNTHHID_VERSION_2_0,
	};

	log_info("mouse %s: version %u.%u %s", m->dev.id, version >> 16,
		 version & 0xffff, rsp.approved ? "accepted" : "refused");
	pipe_send(&m->pipe, SYNTHHID_PROTOCOL_RESPONSE, &rsp, sizeof(rsp));
	if (!rsp.approved)
		return;
	m->state = MOUSE_NEGOTIATED;
	mouse_send_info(m);
}

static void mouse_packet(struct device *dev, struct channel *ch,
			 const struct packet *pkt)
{
	struct mouse *m = to_mouse(dev);
	struct pipe_message msg;
	uint32_t version;

	if (!pipe_parse(&m->pipe, pkt, &msg))
		return;
	if (msg.type == SYNTHHID_PROTOCOL_REQUEST &&
	    m->state == MOUSE_OPENED && msg.len == sizeof(version)) {
		memcpy(&version, msg.payload, sizeof(version));
		mouse_version(m, version);
	} else if (msg.type == SYNTHHID_DEVICE_INFO_ACK &&
		   m->state == MOUSE_NEGOTIATED && msg.len == 1) {
		m->state = MOUSE_READY;
		log_info("mouse %s: ready", dev->id);
	} else {
		channel_error(ch, "mouse: message %u of %u bytes in state %d",
			      msg.type, msg.len, m->state);
	}
}

/* What has not gone is told when there is room: a pointer has no history */
static int mouse_report(struct mouse *m, int wheel, int pan)
{
	struct mouse_report report = m->report;
	int ret;

	if (m->wide_wheel) {
		report.wide_wheel = wheel;
	} else {
		report.wheel = wheel;
		report.pan = pan;
	}
	if (m->state != MOUSE_READY)
		return -ENODEV;
	ret = pipe_send(&m->pipe, SYNTHHID_INPUT_REPORT, &report,
			sizeof(report));
	m->owed = ret == -ENOBUFS;
	if (!ret)
		m->reports++;
	return ret;
}

static void mouse_writable(struct device *dev, struct channel *ch)
{
	struct mouse *m = to_mouse(dev);

	(void)ch;
	if (m->owed)
		mouse_report(m, 0, 0);
}

static void mouse_viewer(struct console_sink *sink, uint32_t x, uint32_t y,
			 uint32_t width, uint32_t height, uint32_t buttons)
{
	struct mouse *m = container_of(sink, struct mouse, sink);
	uint32_t pressed = buttons & ~m->viewer;
	int wheel = !!(pressed & 8) - !!(pressed & 16);
	int pan = !!(pressed & 64) - !!(pressed & 32);

	m->viewer = buttons;
	/* the middle of the pixel, so that it is this one after scaling back */
	m->report.x = ((2ull * x + 1) * MOUSE_MAX / width + 1) / 2;
	m->report.y = ((2ull * y + 1) * MOUSE_MAX / height + 1) / 2;
	/* HID counts left, right, middle */
	m->report.buttons = (buttons & 1) | (buttons & 4) >> 1 |
			    (buttons & 2) << 1 | (buttons >> 7 & 3) << 3;
	mouse_report(m, wheel, pan);
}

/* What survives a worker */
struct mouse_saved {
	uint32_t state;
	uint32_t viewer;
	struct mouse_report report;
	uint8_t owed, wide_wheel;
};

static void mouse_save(struct device *dev, void *state)
{
	struct mouse *m = to_mouse(dev);
	struct mouse_saved *s = state;

	s->state = m->state;
	s->viewer = m->viewer;
	s->report = m->report;
	s->owed = m->owed;
	s->wide_wheel = m->wide_wheel;
}

static int mouse_restore(struct device *dev, const void *state)
{
	struct mouse *m = to_mouse(dev);
	const struct mouse_saved *s = state;

	m->state = s->state;
	m->viewer = s->viewer;
	m->report = s->report;
	m->owed = s->owed;
	m->wide_wheel = s->wide_wheel;
	return 0;
}

static void mouse_status(struct device *dev, struct text *out)
{
	static const char *const states[] = {
		"closed", "opened", "negotiated", "ready",
	};
	struct mouse *m = to_mouse(dev);

	text_add(out, "  %s, %llu reports, at %u %u, buttons %02x\n",
		 states[m->state], (unsigned long long)m->reports, m->report.x,
		 m->report.y, m->report.buttons);
	pipe_status(&m->pipe, out);
}

static void mouse_destroy(struct device *dev)
{
	struct mouse *m = to_mouse(dev);

	console_remove_sink(bus_console(dev->bus), &m->sink);
	pipe_remove(&m->pipe);
	free(m);
}

/* --- commands ------------------------------------------------------------------- */

static int mouse_number(const char *word, int64_t min, int64_t max, int64_t *n)
{
	bool minus = word[0] == '-';
	uint64_t value;

	if (text_number(word + minus, 0, UINT32_MAX, &value))
		return -EINVAL;
	*n = minus ? -(int64_t)value : (int64_t)value;
	return *n < min || *n > max ? -ERANGE : 0;
}

static int mouse_told(int ret, struct text *out)
{
	if (ret == -ENODEV)
		text_add(out, "the guest has no driver on its mouse");
	else if (ret)
		text_add(out, "the guest does not take its reports");
	return ret;
}

static struct mouse *mouse_first(struct bus *bus, struct text *out)
{
	struct device *dev = device_find(bus, &mouse_kind, NULL);

	if (dev)
		return to_mouse(dev);
	text_add(out, "there is no mouse; see --mouse");
	return NULL;
}

static int mouse_cmd_move(struct bus *bus, int argc, char **argv,
			  struct text *out)
{
	struct mouse *m = mouse_first(bus, out);
	int64_t x, y;

	if (!m)
		return -ENODEV;
	if (argc != 3 || mouse_number(argv[1], 0, MOUSE_MAX, &x) ||
	    mouse_number(argv[2], 0, MOUSE_MAX, &y))
		return text_add(out, "needs X and Y, 0 to %d", MOUSE_MAX);
	m->report.x = x;
	m->report.y = y;
	return mouse_told(mouse_report(m, 0, 0), out);
}

static int mouse_cmd_button(struct bus *bus, int argc, char **argv,
			    struct text *out)
{
	struct mouse *m = mouse_first(bus, out);
	int64_t n;

	if (!m)
		return -ENODEV;
	if (argc != 3 || mouse_number(argv[1], 1, MOUSE_BUTTONS, &n) ||
	    (strcmp(argv[2], "down") && strcmp(argv[2], "up")))
		return text_add(out, "needs 1 to %d, then down or up",
				MOUSE_BUTTONS);
	if (argv[2][0] == 'd')
		m->report.buttons |= 1 << (n - 1);
	else
		m->report.buttons &= ~(1 << (n - 1));
	return mouse_told(mouse_report(m, 0, 0), out);
}

static int mouse_cmd_wheel(struct bus *bus, int argc, char **argv,
			   struct text *out)
{
	struct mouse *m = mouse_first(bus, out);
	int64_t wheel, pan = 0;

	if (!m)
		return -ENODEV;
	if ((argc != 2 && argc != 3) ||
	    mouse_number(argv[1], -127, 127, &wheel) ||
	    (argc == 3 && mouse_number(argv[2], -127, 127, &pan)))
		return text_add(out, "needs one or two numbers, -127 to 127");
	return mouse_told(mouse_report(m, wheel, pan), out);
}

static int mouse_parse(struct bus *bus, const char *arg, struct text *err)
{
	static const struct pipe_name names[] = {
		{ "response", SYNTHHID_PROTOCOL_RESPONSE },
		{ "info", SYNTHHID_DEVICE_INFO },
		{ "report", SYNTHHID_INPUT_REPORT },
		{ 0 }
	};
	struct mouse *m = calloc(1, sizeof(*m));
	int ret;

	if (!m)
		return -ENOMEM;
	m->dev.kind = &mouse_kind;
	m->sink.pointer = mouse_viewer;
	m->pipe.dev = &m->dev;
	m->pipe.names = names;
	ret = device_set_id(&m->dev, arg ? arg : "mouse", err);
	if (!ret)
		ret = device_register(bus, &m->dev, err);
	if (ret) {
		free(m);
		return ret;
	}
	pipe_add(&m->pipe);
	console_add_sink(bus_console(bus), &m->sink);
	return 0;
}

static const struct device_ops mouse_ops = {
	.open = mouse_open,
	.packet = mouse_packet,
	.writable = mouse_writable,
	.state_bytes = sizeof(struct mouse_saved),
	.save = mouse_save,
	.restore = mouse_restore,
	.close = mouse_close,
	.status = mouse_status,
	.destroy = mouse_destroy,
};

static const struct device_option mouse_options[] = {
	{ "mouse", "[ID]", "a mouse (ID: \"mouse\" if not given)", mouse_parse },
	{ 0 }
};

static const struct device_command mouse_commands[] = {
	{ "move", "X Y", "put the pointer there, 0 to 32767 both ways",
	  mouse_cmd_move },
	{ "button", "N down|up",
	  "a button of the mouse: 1 left, 2 right, 3 middle, 4 back, 5 forward",
	  mouse_cmd_button },
	{ "wheel", "N [SIDEWAYS]", "turn the wheels of the mouse; up and right are positive",
	  mouse_cmd_wheel },
	{ 0 }
};

static struct device_kind mouse_kind = {
	.name = "mouse",
	.class = HOST_GUID(0xcfa8b69e, 0x5b4a, 0x4cc0, 0xb9, 0x8b,
			   0x8b, 0xa1, 0xa1, 0xf3, 0xf9, 0x5a),
	.chn_flags = DEVICE_FLAG_ENUMERATE,
	.ops = &mouse_ops,
	.options = mouse_options,
	.commands = mouse_commands,
};

DEVICE_KIND(mouse_kind);
