// SPDX-License-Identifier: GPL-2.0-only
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/pipe.h>

#include "bus.h"
#include "pipe.h"

#define PIPE_ANY_TYPE	UINT32_MAX
#define PIPE_MAX_TIMES	1000

struct message_header {
	uint32_t type;
	uint32_t size;
};

enum spoil_kind {
	SPOIL_CUT,
	SPOIL_GROW,
	SPOIL_PATCH,
	SPOIL_GARBAGE,
	SPOIL_LOST,
	SPOIL_LATE,
	SPOIL_TWICE,
	SPOIL_PACKET_TYPE,
	SPOIL_KINDS,
};

enum spoil_param {
	P_LEN, P_FIX, P_AT, P_HEX, P_SEED, P_MS, P_TIMES, P_VALUE, P_SKIP,
	P_COUNT,
	SPOIL_PARAMS,
};

#define P(x)		(1u << P_##x)
#define P_SELECT	(P(SKIP) | P(COUNT))

static const struct {
	const char *name;
	uint64_t max, standard;
} spoil_params[SPOIL_PARAMS] = {
	[P_LEN]		= { "len", PIPE_MAX_BYTES, 0 },
	[P_FIX]		= { "fix", 1, 0 },
	[P_AT]		= { "at", PIPE_MAX_BYTES - 1, 0 },
	[P_HEX]		= { "hex", 0, 0 },
	[P_SEED]	= { "seed", UINT64_MAX, 1 },
	[P_MS]		= { "ms", 3600000, 1000 },
	[P_TIMES]	= { "times", PIPE_MAX_TIMES, 2 },
	[P_VALUE]	= { "value", 0xffff, 11 },
	[P_SKIP]	= { "skip", UINT64_MAX, 0 },
	[P_COUNT]	= { "count", UINT64_MAX, 1 },
};

static const struct {
	const char *name;
	uint32_t needs, takes;
	const char *help;
} spoil_kinds[SPOIL_KINDS] = {
	[SPOIL_CUT] = { "cut", P(LEN), P(FIX),
		"len=N: the message ends after N bytes; fix=1: its pipe header says so" },
	[SPOIL_GROW] = { "grow", P(LEN), P(FIX),
		"len=N: bytes of 0xff follow, up to N; fix=1: the pipe header counts them" },
	[SPOIL_PATCH] = { "patch", P(AT) | P(HEX), 0,
		"at=N hex=BYTES: these bytes at offset N; 0 is the pipe header" },
	[SPOIL_GARBAGE] = { "garbage", 0, P(SEED) | P(LEN),
		"random bytes behind the pipe header, seed=1; len=N of them" },
	[SPOIL_LOST] = { "lost", 0, 0, "it is not sent" },
	[SPOIL_LATE] = { "late", 0, P(MS), "ms=N: it is sent so much later" },
	[SPOIL_TWICE] = { "twice", 0, P(TIMES), "times=N: it is sent so often" },
	[SPOIL_PACKET_TYPE] = { "packet-type", 0, P(VALUE),
		"value=N: in a packet of another type than 6: 7, 9, 11" },
};

/**
 * struct spoil - one, as it was given
 * @type: of the messages that it meets, or PIPE_ANY_TYPE
 * @bytes: P_HEX, @p[P_HEX] of them
 */
struct spoil {
	struct spoil *next;
	enum spoil_kind kind;
	uint32_t type;
	uint32_t given;
	uint64_t p[SPOIL_PARAMS];
	uint8_t *bytes;
	char *text;
	uint64_t seen, hits;
};

/* A message that comes late */
struct pipe_held {
	struct pipe_held *next;
	struct pipe *p;
	struct loop_timer timer;
	size_t len;
	uint8_t bytes[];
};

static struct pipe *pipes;

static void spoil_free(struct spoil *s)
{
	free(s->bytes);
	free(s->text);
	free(s);
}

static void pipe_clear(struct pipe *p)
{
	struct spoil *s;

	while ((s = p->spoils)) {
		p->spoils = s->next;
		spoil_free(s);
	}
}

void pipe_add(struct pipe *p)
{
	p->next = pipes;
	pipes = p;
}

void pipe_remove(struct pipe *p)
{
	struct pipe **link;

	for (link = &pipes; *link; link = &(*link)->next) {
		if (*link == p) {
			*link = p->next;
			break;
		}
	}
	pipe_clear(p);
}

void pipe_open(struct pipe *p, struct channel *ch)
{
	p->ch = ch;
}

void pipe_close(struct pipe *p)
{
	struct pipe_held *held;

	while ((held = p->held)) {
		p->held = held->next;
		loop_clear_timer(&held->timer);
		free(held);
	}
	p->ch = NULL;
}

bool pipe_parse(struct pipe *p, const struct packet *pkt,
		struct pipe_message *msg)
{
	const char *name = p->dev->kind->name;
	const struct synthio_pipe *pipe = pkt->payload;
	const struct message_header *h = (const void *)(pipe + 1);
	size_t headers = sizeof(*pipe) + sizeof(*h);
	uint32_t max = p->dev->bus->profile->pipe.max_packet;

	if (max && pkt->len > max) {
		channel_error(p->ch, "%s: packet of %u bytes, %u at most", name,
			      pkt->len, max);
		return false;
	}
	if (pkt->type != PACKET_INBAND || pkt->len < headers) {
		channel_error(p->ch, "%s: packet of type %u with %u bytes", name,
			      pkt->type, pkt->len);
		return false;
	}
	/* the ring pads to 8 bytes, and nothing else does */
	if (pipe->type != SYNTHIO_PIPE_DATA || pipe->size < sizeof(*h) ||
	    pipe->size > pkt->len - sizeof(*pipe) ||
	    pkt->len - sizeof(*pipe) - pipe->size >= 8) {
		channel_error(p->ch,
			      "%s: pipe message of type %u, %u bytes, in a packet of %u",
			      name, pipe->type, pipe->size, pkt->len);
		return false;
	}
	msg->type = h->type;
	msg->payload = h + 1;
	msg->len = pipe->size - sizeof(*h);
	if (h->size != msg->len + (p->header_counts ? sizeof(*h) : 0)) {
		channel_error(p->ch,
			      "%s: message of type %u says that it has %u bytes, it has %u",
			      name, h->type, h->size, msg->len);
		return false;
	}
	return true;
}

static void pipe_late(struct loop_timer *timer)
{
	struct pipe_held *held = container_of(timer, struct pipe_held, timer);
	struct pipe_held **link = &held->p->held;

	while (*link != held)
		link = &(*link)->next;
	*link = held->next;
	channel_send(held->p->ch, 0, held->bytes, held->len, false);
	free(held);
}

static int pipe_hold(struct pipe *p, uint64_t ms, const void *bytes, size_t len)
{
	struct pipe_held *held = calloc(1, sizeof(*held) + len);

	if (!held)
		return -ENOMEM;
	held->p = p;
	held->len = len;
	held->timer.fired = pipe_late;
	memcpy(held->bytes, bytes, len);
	held->next = p->held;
	p->held = held;
	loop_set_timer(bus_loop(p->dev->bus), &held->timer, ms);
	return 0;
}

static struct spoil *spoil_find(struct pipe *p, uint32_t type)
{
	struct spoil *s;

	for (s = p->spoils; s; s = s->next) {
		if (s->type != PIPE_ANY_TYPE && s->type != type)
			continue;
		if (s->hits >= s->p[P_COUNT] || s->seen++ < s->p[P_SKIP])
			continue;
		s->hits++;
		return s;
	}
	return NULL;
}

static void spoil_garbage(const struct spoil *s, uint8_t *bytes, size_t *len)
{
	uint64_t x = s->p[P_SEED] * 0x9e3779b97f4a7c15 + s->hits;
	size_t i;

	if ((s->given & P(LEN)) && s->p[P_LEN] > sizeof(struct synthio_pipe))
		*len = s->p[P_LEN];
	for (i = sizeof(struct synthio_pipe); i < *len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = x;
	}
}

/* @bytes has room for PIPE_MAX_BYTES */
static int spoil_send(struct pipe *p, const struct spoil *s, uint8_t *bytes,
		      size_t len)
{
	struct synthio_pipe *pipe = (void *)bytes;
	unsigned int type = PACKET_INBAND;
	uint64_t i, times = 1;
	int ret = 0;

	switch (s->kind) {
	case SPOIL_CUT:
		if (s->p[P_LEN] < len)
			len = s->p[P_LEN];
		break;
	case SPOIL_GROW:
		if (s->p[P_LEN] > len) {
			memset(bytes + len, 0xff, s->p[P_LEN] - len);
			len = s->p[P_LEN];
		}
		break;
	case SPOIL_PATCH:
		for (i = 0; i < s->p[P_HEX] && s->p[P_AT] + i < len; i++)
			bytes[s->p[P_AT] + i] = s->bytes[i];
		break;
	case SPOIL_GARBAGE:
		spoil_garbage(s, bytes, &len);
		break;
	case SPOIL_LOST:
		return 0;
	case SPOIL_LATE:
		return pipe_hold(p, s->p[P_MS], bytes, len);
	case SPOIL_TWICE:
		times = s->p[P_TIMES];
		break;
	case SPOIL_PACKET_TYPE:
		type = s->p[P_VALUE];
		break;
	default:
		break;
	}
	if (s->p[P_FIX] && len >= sizeof(*pipe))
		pipe->size = len - sizeof(*pipe);
	for (i = 0; !ret && i < times; i++)
		ret = channel_inject(p->ch, type, 0, bytes, len);
	return ret;
}

int pipe_send(struct pipe *p, uint32_t type, const void *payload, size_t len)
{
	return pipe_send_counted(p, type, payload, len, len);
}

int pipe_send_counted(struct pipe *p, uint32_t type, const void *payload,
		      size_t len, size_t counted)
{
	static uint8_t bytes[PIPE_MAX_BYTES] __attribute__((aligned(8)));
	struct synthio_pipe *pipe = (void *)bytes;
	struct message_header *h = (void *)(pipe + 1);
	struct spoil *s;

	if (!p->ch)
		return -ENODEV;
	if (len > sizeof(bytes) - sizeof(*pipe) - sizeof(*h))
		return -EMSGSIZE;
	pipe->type = SYNTHIO_PIPE_DATA;
	pipe->size = sizeof(*h) + len;
	h->type = type;
	h->size = p->header_counts && !p->dev->bus->profile->pipe.bare_sizes ?
		  counted + sizeof(*h) : counted;
	memcpy(h + 1, payload, len);
	len += sizeof(*pipe) + sizeof(*h);
	s = spoil_find(p, type);
	if (s)
		return spoil_send(p, s, bytes, len);
	return channel_send(p->ch, 0, bytes, len, false);
}

void pipe_status(const struct pipe *p, struct text *out)
{
	const struct spoil *s;

	for (s = p->spoils; s; s = s->next)
		text_add(out, "  spoil hits=%" PRIu64 " seen=%" PRIu64 " %s\n",
			 s->hits, s->seen, s->text);
}

/* --- the command -------------------------------------------------------------- */

static int spoil_bytes(const char *hex, uint8_t **bytes, uint64_t *count)
{
	size_t len = strlen(hex), i;

	if (!len || len % 2 || len / 2 > PIPE_MAX_BYTES)
		return -EINVAL;
	for (i = 0; i < len; i++) {
		if (!isxdigit((unsigned char)hex[i]))
			return -EINVAL;
	}
	free(*bytes);
	*bytes = malloc(len / 2);
	if (!*bytes)
		return -ENOMEM;
	for (i = 0; i < len / 2; i++) {
		char two[3] = { hex[2 * i], hex[2 * i + 1] };

		(*bytes)[i] = strtoul(two, NULL, 16);
	}
	*count = len / 2;
	return 0;
}

static int spoil_param(struct spoil *s, char *word, struct text *out)
{
	char *value = strchr(word, '=');
	uint32_t takes = spoil_kinds[s->kind].needs |
			 spoil_kinds[s->kind].takes | P_SELECT;
	unsigned int i;

	if (!value)
		return text_add(out, "'%s' is no key=value", word);
	*value++ = '\0';
	for (i = 0; i < SPOIL_PARAMS; i++) {
		if (strcmp(spoil_params[i].name, word) || !(takes & (1u << i)))
			continue;
		s->given |= 1u << i;
		if (i == P_COUNT && !strcmp(value, "forever"))
			s->p[i] = UINT64_MAX;
		else if (i == P_HEX ?
			 spoil_bytes(value, &s->bytes, &s->p[i]) :
			 text_number(value, 0, spoil_params[i].max, &s->p[i]))
			return text_add(out, "%s=%s is not possible", word,
					value);
		return 0;
	}
	return text_add(out, "%s takes no %s", spoil_kinds[s->kind].name, word);
}

static int spoil_type(const struct pipe *p, const char *word, uint32_t *type)
{
	const struct pipe_name *n;
	uint64_t number;

	for (n = p->names; n->name; n++) {
		if (!strcmp(n->name, word)) {
			*type = n->type;
			return 0;
		}
	}
	*type = PIPE_ANY_TYPE;
	if (!strcmp(word, "any"))
		return 0;
	if (text_number(word, 0, UINT32_MAX - 1, &number))
		return -EINVAL;
	*type = number;
	return 0;
}

static int spoil_add(struct pipe *p, int argc, char **argv, struct text *out)
{
	struct spoil *s, **link;
	struct text text = { 0 };
	unsigned int kind;
	int i;

	for (kind = 0; kind < SPOIL_KINDS; kind++) {
		if (!strcmp(spoil_kinds[kind].name, argv[1]))
			break;
	}
	if (kind == SPOIL_KINDS)
		return text_add(out, "no kind '%s'; see spoil help", argv[1]);
	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->kind = kind;
	for (i = 0; i < SPOIL_PARAMS; i++)
		s->p[i] = spoil_params[i].standard;
	for (i = 0; i < argc; i++)
		text_add(&text, "%s%s", i ? " " : "", argv[i]);
	s->text = text.s;
	if (spoil_type(p, argv[0], &s->type)) {
		spoil_free(s);
		return text_add(out, "no message '%s'", argv[0]);
	}
	for (i = 2; i < argc; i++) {
		if (spoil_param(s, argv[i], out)) {
			spoil_free(s);
			return -EINVAL;
		}
	}
	if (spoil_kinds[kind].needs & ~s->given) {
		spoil_free(s);
		return text_add(out, "%s needs more: %s",
				spoil_kinds[kind].name, spoil_kinds[kind].help);
	}
	for (link = &p->spoils; *link; link = &(*link)->next)
		;
	*link = s;
	return 0;
}

/* A message of the host's own: `send hex=...` has all of it */
static int spoil_unasked(struct pipe *p, const char *word, struct text *out)
{
	uint8_t *bytes = NULL;
	uint64_t count = 0;
	int ret;

	if (!p->ch)
		return text_add(out, "the guest has not opened it");
	if (strncmp(word, "hex=", 4) || spoil_bytes(word + 4, &bytes, &count))
		return text_add(out, "send needs hex=BYTES");
	ret = channel_send(p->ch, 0, bytes, count, false);
	free(bytes);
	return ret ? text_add(out, "%s", strerror(-ret)) : 0;
}

static void spoil_help(struct text *out)
{
	unsigned int i;

	text_add(out,
		 "spoil ID MESSAGE KIND [key=value...] [skip=N] [count=N|forever]\n"
		 "spoil ID list | clear | send hex=BYTES (with the pipe header)\n"
		 "MESSAGE: any, its number, or one of\n");
	for (const struct pipe *p = pipes; p; p = p->next) {
		text_add(out, " %s:", p->dev->id);
		for (const struct pipe_name *n = p->names; n->name; n++)
			text_add(out, " %s", n->name);
		text_add(out, "\n");
	}
	for (i = 0; i < SPOIL_KINDS; i++)
		text_add(out, " %-12s %s\n", spoil_kinds[i].name,
			 spoil_kinds[i].help);
}

static int spoil_command(struct bus *bus, int argc, char **argv,
			 struct text *out)
{
	struct pipe *p;

	if (argc == 2 && !strcmp(argv[1], "help")) {
		spoil_help(out);
		return 0;
	}
	if (argc < 3)
		return text_add(out, "see spoil help");
	for (p = pipes; p; p = p->next) {
		if (p->dev->bus == bus && !strcmp(p->dev->id, argv[1]))
			break;
	}
	if (!p)
		return text_add(out, "no mouse or display '%s'", argv[1]);
	if (argc == 3 && !strcmp(argv[2], "clear"))
		pipe_clear(p);
	else if (argc == 3 && !strcmp(argv[2], "list"))
		pipe_status(p, out);
	else if (argc == 4 && !strcmp(argv[2], "send"))
		return spoil_unasked(p, argv[3], out);
	else if (argc < 4)
		return text_add(out, "see spoil help");
	else
		return spoil_add(p, argc - 2, argv + 2, out);
	return 0;
}

static const struct device_command pipe_commands[] = {
	{ "spoil", "help | ID MESSAGE KIND [key=value...] | ID list|clear|send",
	  "spoil messages of a mouse or display on purpose", spoil_command },
	{ 0 }
};

/* No device: it has the command */
static struct device_kind pipe_kind = {
	.name = "pipe",
	.commands = pipe_commands,
};

DEVICE_KIND(pipe_kind);
