// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command `net-fault` of the control socket.
 *
 * One table says which numbers each message has, one which keys there are besides.
 * The parser and the help are made of them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "netvsp.h"

#define SEND_MAX	1024u
#define SEND_TIMES	100000u

/* --- what there is ------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *help;
} points[NETVSP_POINTS] = {
	[POINT_INIT] = { "init", "completion of INIT" },
	[POINT_RECEIVE_BUFFER] = { "receive-buffer",
		"completion of SEND_RECEIVE_BUFFER" },
	[POINT_SEND_BUFFER] = { "send-buffer", "completion of SEND_SEND_BUFFER" },
	[POINT_SUBCHANNEL] = { "subchannel", "completion of SUBCHANNEL" },
	[POINT_TX] = { "tx", "completion of a packet of the guest's, data or control" },
	[POINT_PAGES] = { "pages", "transfer-pages packet, of frames" },
	[POINT_FRAME] = { "frame", "RNDIS header of a frame; it has one piece of per-packet info at least" },
	[POINT_ANSWER] = { "answer", "RNDIS control message to the guest" },
	[POINT_TABLE] = { "table", "SEND_INDIRECTION_TABLE" },
	[POINT_SET] = { "set", "a SET of the guest's, which is not done" },
};

#define NVSP(field) \
	.offset = offsetof(struct nvsp_message, field), \
	.bytes = sizeof(((struct nvsp_message *)0)->field)
#define AFTER(type, field) \
	.offset = RNDIS_HEADER + offsetof(type, field), \
	.bytes = sizeof(((type *)0)->field)
#define PACKET(field)	AFTER(struct rndis_packet, field)
#define INFO(field) \
	.offset = RNDIS_HEADER + sizeof(struct rndis_packet) + \
		  offsetof(struct rndis_info, field), \
	.bytes = sizeof(((struct rndis_info *)0)->field)
#define HEADER(field) \
	.offset = offsetof(struct rndis_header, field), \
	.bytes = sizeof(uint32_t)
#define WORD(at) \
	.offset = (at), \
	.bytes = sizeof(uint32_t)

static const struct field {
	enum netvsp_point point;
	const char *name;
	uint16_t offset;
	uint8_t bytes;
	bool payload, last;
} fields[] = {
	{ POINT_INIT, "type", NVSP(type) },
	{ POINT_INIT, "version", NVSP(init_complete.version) },
	{ POINT_INIT, "status", NVSP(init_complete.status) },
	{ POINT_RECEIVE_BUFFER, "type", NVSP(type) },
	{ POINT_RECEIVE_BUFFER, "status",
	  NVSP(receive_buffer_complete.status) },
	{ POINT_RECEIVE_BUFFER, "sections",
	  NVSP(receive_buffer_complete.section_count) },
	{ POINT_RECEIVE_BUFFER, "offset",
	  NVSP(receive_buffer_complete.section.offset) },
	{ POINT_RECEIVE_BUFFER, "size",
	  NVSP(receive_buffer_complete.section.size) },
	{ POINT_RECEIVE_BUFFER, "slots",
	  NVSP(receive_buffer_complete.section.count) },
	{ POINT_RECEIVE_BUFFER, "end",
	  NVSP(receive_buffer_complete.section.end) },
	{ POINT_SEND_BUFFER, "type", NVSP(type) },
	{ POINT_SEND_BUFFER, "status", NVSP(send_buffer_complete.status) },
	{ POINT_SEND_BUFFER, "size",
	  NVSP(send_buffer_complete.section_size) },
	{ POINT_SUBCHANNEL, "type", NVSP(type) },
	{ POINT_SUBCHANNEL, "status", NVSP(subchannel_complete.status) },
	{ POINT_SUBCHANNEL, "channels",
	  NVSP(subchannel_complete.count) },
	{ POINT_TX, "type", NVSP(type) },
	{ POINT_TX, "status", NVSP(rndis_complete.status) },
	{ POINT_PAGES, "set", .offset = 0, .bytes = 2 },
	{ POINT_PAGES, "ranges", WORD(4) },
	{ POINT_PAGES, "range-bytes", WORD(8) },
	{ POINT_PAGES, "range-offset", WORD(12) },
	{ POINT_PAGES, "last-bytes", WORD(8), .last = true },
	{ POINT_PAGES, "last-offset", WORD(12), .last = true },
	{ POINT_PAGES, "type", NVSP(type), .payload = true },
	{ POINT_PAGES, "channel-type", NVSP(rndis.channel_type), .payload = true },
	{ POINT_FRAME, "type", HEADER(type) },
	{ POINT_FRAME, "len", HEADER(len) },
	{ POINT_FRAME, "data-offset", PACKET(data_offset) },
	{ POINT_FRAME, "data-len", PACKET(data_len) },
	{ POINT_FRAME, "oob-offset", PACKET(oob_offset) },
	{ POINT_FRAME, "oob-len", PACKET(oob_len) },
	{ POINT_FRAME, "oob-count", PACKET(oob_count) },
	{ POINT_FRAME, "info-offset", PACKET(info_offset) },
	{ POINT_FRAME, "info-len", PACKET(info_len) },
	{ POINT_FRAME, "info-size", INFO(size) },
	{ POINT_FRAME, "info-type", INFO(type) },
	{ POINT_FRAME, "info-at", INFO(offset) },
	{ POINT_FRAME, "info-value", WORD(RNDIS_HEADER +
	  sizeof(struct rndis_packet) + sizeof(struct rndis_info)) },
	{ POINT_ANSWER, "type", HEADER(type) },
	{ POINT_ANSWER, "len", HEADER(len) },
	{ POINT_ANSWER, "request",
	  AFTER(struct rndis_query_complete, request_id) },
	{ POINT_ANSWER, "status",
	  AFTER(struct rndis_query_complete, status) },
	{ POINT_ANSWER, "info-len",
	  AFTER(struct rndis_query_complete, info_len) },
	{ POINT_ANSWER, "info-offset",
	  AFTER(struct rndis_query_complete, info_offset) },
	{ POINT_ANSWER, "value", WORD(RNDIS_HEADER +
	  sizeof(struct rndis_query_complete)) },
	{ POINT_ANSWER, "value2", WORD(RNDIS_HEADER +
	  sizeof(struct rndis_query_complete) + 4) },
	{ POINT_ANSWER, "max-packets",
	  AFTER(struct rndis_initialize_complete, max_packets) },
	{ POINT_ANSWER, "max-transfer",
	  AFTER(struct rndis_initialize_complete, max_transfer) },
	{ POINT_ANSWER, "alignment",
	  AFTER(struct rndis_initialize_complete, alignment) },
	{ POINT_ANSWER, "indicate-status",
	  AFTER(struct rndis_indicate, status) },
	{ POINT_ANSWER, "indicate-len",
	  AFTER(struct rndis_indicate, info_len) },
	{ POINT_ANSWER, "indicate-offset",
	  AFTER(struct rndis_indicate, info_offset) },
	{ POINT_SET, "status", AFTER(struct rndis_set_complete, status) },
	{ POINT_TABLE, "type", NVSP(type) },
	{ POINT_TABLE, "entries", NVSP(table.count) },
	{ POINT_TABLE, "offset", NVSP(table.offset) },
	{ POINT_TABLE, "entry", WORD(12) },
	{ POINT_TABLE, "entry-last", WORD(12 + 4 * (NVSP_TABLE_ENTRIES - 1)) },
};

#define FIELDS	(sizeof(fields) / sizeof(fields[0]))

static const struct {
	const char *name;
	uint32_t type;
} messages[] = {
	{ "initialize", RNDIS_TYPE_INITIALIZE | RNDIS_COMPLETION },
	{ "query", RNDIS_TYPE_QUERY | RNDIS_COMPLETION },
	{ "set", RNDIS_TYPE_SET | RNDIS_COMPLETION },
	{ "reset", RNDIS_TYPE_RESET | RNDIS_COMPLETION },
	{ "keepalive", RNDIS_TYPE_KEEPALIVE | RNDIS_COMPLETION },
	{ "indicate", RNDIS_TYPE_INDICATE },
};

#define MESSAGES	(sizeof(messages) / sizeof(messages[0]))

/* --- parsers ---------------------------------------------------------------------- */

char *fault_value(char *arg, struct text *out)
{
	char *value = strchr(arg, '=');

	if (value)
		*value++ = '\0';
	else
		text_add(out, "\"%s\" is not of the form key=value", arg);
	return value;
}

int fault_number(const char *name, const char *value, uint64_t max,
		 uint64_t *to, struct text *out)
{
	if (!text_number(value, 0, max, to))
		return 0;
	return text_add(out, "%s is a number up to %llu", name,
			(unsigned long long)max);
}

/* -ENOENT: it is no field of that message */
static int take_field(struct netvsp_fault *f, const char *name,
		      const char *value, struct text *out)
{
	struct netvsp_patch *p = &f->patch[f->patches];
	unsigned int i;

	for (i = 0; i < FIELDS; i++) {
		const struct field *field = &fields[i];
		uint64_t max = (1ull << (8 * field->bytes)) - 1;

		if (field->point != f->point || strcmp(field->name, name))
			continue;
		if (f->patches == NETVSP_FAULT_FIELDS)
			return text_add(out, "more than %u numbers",
					NETVSP_FAULT_FIELDS);
		if (fault_number(name, value, max, &p->value, out))
			return -EINVAL;
		p->offset = field->offset;
		p->bytes = field->bytes;
		p->payload = field->payload;
		p->last = field->last;
		f->patches++;
		return 0;
	}
	return -ENOENT;
}

static int take_message(struct netvsp_fault *f, const char *value,
			struct text *out)
{
	unsigned int i;

	for (i = 0; i < MESSAGES; i++) {
		if (strcmp(messages[i].name, value))
			continue;
		f->message = messages[i].type;
		return 0;
	}
	return text_add(out, "\"%s\" is no RNDIS message; see 'net-fault help'",
			value);
}

static int take_key(struct netvsp_fault *f, const char *name,
		    const char *value, struct text *out)
{
	enum netvsp_point p = f->point;
	bool packet = p != POINT_FRAME && p != POINT_ANSWER && p != POINT_SET;
	uint64_t v = 0;
	int ret;

	if (!strcmp(name, "skip"))
		return fault_number(name, value, UINT64_MAX, &f->skip, out);
	if (!strcmp(name, "every"))
		return fault_number(name, value, UINT64_MAX, &f->every, out);
	if (!strcmp(name, "count")) {
		f->count = NETVSP_FAULT_FOREVER;
		return strcmp(value, "forever") ?
		       fault_number(name, value, UINT64_MAX - 1, &f->count,
				    out) : 0;
	}
	if (!strcmp(name, "times") && p != POINT_SET) {
		ret = fault_number(name, value, 1000, &v, out);
		f->times = v;
	} else if (!strcmp(name, "id-xor") && packet) {
		ret = fault_number(name, value, UINT64_MAX, &f->id_xor, out);
	} else if (!strcmp(name, "length") && packet) {
		ret = fault_number(name, value, NETVSP_FAULT_LENGTH, &v, out);
		f->length = v;
	} else if (!strcmp(name, "packet-type") && packet) {
		ret = fault_number(name, value, UINT16_MAX, &v, out);
		f->packet_type = v;
	} else if (!strcmp(name, "repeat") && p == POINT_PAGES) {
		ret = fault_number(name, value, NETVSP_FAULT_REPEAT, &v, out);
		f->repeat = v;
	} else if (!strcmp(name, "piece") && p == POINT_FRAME) {
		f->piece = -1;
		if (!strcmp(value, "last"))
			return 0;
		ret = fault_number(name, value, 1000, &v, out);
		f->piece = v;
	} else if (!strcmp(name, "flags") && p == POINT_FRAME) {
		ret = fault_number(name, value, UINT8_MAX, &v, out);
		f->flags = v;
	} else if (!strcmp(name, "message") && p == POINT_ANSWER) {
		ret = take_message(f, value, out);
	} else if (!strcmp(name, "oid") &&
		   (p == POINT_ANSWER || p == POINT_SET)) {
		ret = fault_number(name, value, UINT32_MAX, &v, out);
		f->oid = v;
	} else {
		ret = take_field(f, name, value, out);
	}
	if (ret == -ENOENT)
		return text_add(out, "%s takes no %s=; see 'net-fault help'",
				points[p].name, name);
	return ret;
}

static int take_word(struct netvsp_fault *f, char *word, struct text *out)
{
	char *value = strchr(word, '=');

	if (!strcmp(word, "lost") && f->point != POINT_SET) {
		f->times = 0;
		return 0;
	}
	if (!strcmp(word, "twice") && f->point != POINT_SET) {
		f->times = 2;
		return 0;
	}
	if (!value)
		return text_add(out, "\"%s\" is not of the form key=value",
				word);
	*value++ = '\0';
	return take_key(f, word, value, out);
}

static int find_point(const char *name)
{
	unsigned int i;

	for (i = 0; i < NETVSP_POINTS; i++) {
		if (!strcmp(points[i].name, name))
			return i;
	}
	return -1;
}

static void fault_init(struct netvsp_fault *f, enum netvsp_point point)
{
	memset(f, 0, sizeof(*f));
	f->point = point;
	f->count = 1;
	f->every = 1;
	f->times = 1;
	f->length = -1;
	f->flags = -1;
}

static int add(struct netvsp *n, int argc, char **argv, struct text *out)
{
	struct netvsp_fault *f, **link = &n->faults.list;
	int point = find_point(argv[2]), i, ret = 0;
	struct text words = { 0 };

	if (point < 0)
		return text_add(out, "there is no \"%s\"; see 'net-fault help'",
				argv[2]);
	f = malloc(sizeof(*f));
	if (!f)
		return -ENOMEM;
	fault_init(f, point);
	for (i = 2; i < argc; i++)
		text_add(&words, "%s%s", i > 2 ? " " : "", argv[i]);
	f->text = words.s;
	for (i = 3; i < argc && !ret; i++)
		ret = take_word(f, argv[i], out);
	if (ret) {
		free(f->text);
		free(f);
		return ret;
	}
	while (*link)
		link = &(*link)->next;
	*link = f;
	log_info("%s: fault: %s", n->dev.id, f->text);
	return 0;
}

/* --- at once ------------------------------------------------------------------------ */

static int take_hex(const char *s, uint8_t *to, size_t room)
{
	size_t len = strlen(s), i;
	char two[3] = "";

	if (!strcmp(s, "-"))
		return 0;
	if (len % 2 || len / 2 > room)
		return -1;
	for (i = 0; i < len / 2; i++) {
		memcpy(two, s + 2 * i, 2);
		if (!isxdigit((unsigned char)two[0]) ||
		    !isxdigit((unsigned char)two[1]))
			return -1;
		to[i] = strtoul(two, NULL, 16);
	}
	return len / 2;
}

static int send_bytes(struct netvsp *n, int argc, char **argv, bool rndis,
		      struct text *out)
{
	uint64_t type = 6, id = 0, count = 1, channel = 0;
	uint8_t bytes[SEND_MAX];
	int len = -1, i, ret = 0;

	for (i = 3; i < argc && !ret; i++) {
		char *value = fault_value(argv[i], out);

		if (!value)
			return -EINVAL;
		if (!strcmp(argv[i], "hex")) {
			len = take_hex(value, bytes, sizeof(bytes));
			if (len < 0)
				ret = text_add(out, "hex is up to %u bytes, '-' for none",
					       SEND_MAX);
		} else if (!strcmp(argv[i], "count")) {
			ret = fault_number(argv[i], value, SEND_TIMES, &count,
					   out);
		} else if (!strcmp(argv[i], "packet-type") && !rndis) {
			ret = fault_number(argv[i], value, UINT16_MAX, &type,
					   out);
		} else if (!strcmp(argv[i], "id") && !rndis) {
			ret = fault_number(argv[i], value, UINT64_MAX, &id, out);
		} else if (!strcmp(argv[i], "channel") && !rndis) {
			ret = fault_number(argv[i], value,
					   DEVICE_MAX_SUBCHANNELS, &channel,
					   out);
		} else {
			ret = text_add(out, "%s takes no %s=", argv[2], argv[i]);
		}
	}
	if (ret)
		return ret;
	if (len < 0)
		return text_add(out, "%s needs hex=BYTES", argv[2]);
	if (!n->channels[channel])
		return text_add(out, "the channel is not open");
	while (count--) {
		if (rndis)
			rndis_send(n, bytes, len);
		else
			channel_inject(n->channels[channel]->ch, type, id,
				       bytes, len);
	}
	return 0;
}

/* An INDICATE, or a table, as it should be but for what the words say */
static int send_now(struct netvsp *n, int argc, char **argv, bool table,
		    struct text *out)
{
	uint32_t info = n->speed * 10000;
	struct netvsp_fault *f, one;
	int i, ret = 0;

	if (n->rndis != NETVSP_RNDIS_UP)
		return text_add(out, "the guest has not initialised it");
	fault_init(&one, table ? POINT_TABLE : POINT_ANSWER);
	for (i = 3; i < argc && !ret; i++)
		ret = take_word(&one, argv[i], out);
	if (ret)
		return ret;
	/* Before all others, for this once */
	f = n->faults.list;
	one.next = f;
	n->faults.list = &one;
	if (table)
		nvsp_send_table(n);
	else
		rndis_indicate(n, NDIS_STATUS_LINK_SPEED_CHANGE, &info,
			       sizeof(info));
	n->faults.list = f;
	return 0;
}

/* --- the rest ------------------------------------------------------------------------- */

static void list(const struct netvsp *n, struct text *out)
{
	const struct netvsp_fault *f;
	unsigned int i = 0;

	for (f = n->faults.list; f; f = f->next) {
		text_add(out, "%u hits=%llu seen=%llu left=", ++i,
			 (unsigned long long)f->hits,
			 (unsigned long long)f->seen);
		if (f->count == NETVSP_FAULT_FOREVER)
			text_add(out, "forever %s\n", f->text);
		else
			text_add(out, "%llu %s\n", (unsigned long long)f->count,
				 f->text);
	}
}

static const char frame_help[] =
	"\n    flags=N: it is a piece with these flags: 1 piece, 2 first, 4 last; 0: none\n"
	"    piece=N|last: of a frame in pieces, this one's header (0)";

static void help(struct text *out)
{
	unsigned int p, i;

	text_add(out,
		 "net-fault ID POINT [key=value...]: the next message there is spoilt so\n"
		 "keys of all points:\n"
		 "  skip=N [count=N|forever]: N pass first; so many are spoilt (1)\n"
		 "  every=N: of those that come then, each Nth (1: all)\n"
		 "of all but set:\n"
		 "  lost | twice | times=N: sent so often\n"
		 "of all but frame, answer and set:\n"
		 "  id-xor=N: under another transaction id\n"
		 "  length=N: of the payload, before the ring pads it\n"
		 "  packet-type=N: as such a packet\n"
		 "points, and the numbers that can be replaced there:\n");
	for (p = 0; p < NETVSP_POINTS; p++) {
		text_add(out, "  %s: %s\n   ", points[p].name, points[p].help);
		for (i = 0; i < FIELDS; i++) {
			if (fields[i].point == p)
				text_add(out, " %s=N", fields[i].name);
		}
		if (p == POINT_PAGES)
			text_add(out, "\n    repeat=N: the last range so many times more");
		if (p == POINT_FRAME)
			text_add(out, "%s", frame_help);
		if (p == POINT_SET)
			text_add(out, "\n    oid=N: only of this object");
		if (p == POINT_ANSWER) {
			text_add(out, "\n    oid=N: only to this object; message=");
			for (i = 0; i < MESSAGES; i++)
				text_add(out, "%s%s", i ? "|" : "",
					 messages[i].name);
		}
		text_add(out, "\n");
	}
	text_add(out,
		 "at once:\n"
		 "  send hex=BYTES [packet-type=N] [id=N] [channel=N] [count=N]: such a packet\n"
		 "  rndis hex=BYTES [count=N]: such a control message\n"
		 "  indicate [key=value...]: a link speed change, spoilt as an answer\n"
		 "  table [key=value...]: the table again, spoilt so\n"
		 "  hold, resume: nothing of the guest's is read meanwhile, so that its rings fill\n"
		 "  guess [from=N] [to=N] [slots=N] [channel=N]: completions of the packets that\n"
		 "    follow the last one as the Nth to the Nth, in each of so many slots\n"
		 "  list, clear\n");
}

int netvsp_fault_command(struct bus *bus, int argc, char **argv,
			 struct text *out)
{
	struct device *dev;
	struct netvsp *n;

	if (argc == 2 && !strcmp(argv[1], "help")) {
		help(out);
		return 0;
	}
	if (argc < 3)
		return text_add(out, "net-fault " NETVSP_FAULT_ARGS);
	dev = device_find(bus, &netvsp_kind, argv[1]);
	if (!dev)
		return text_add(out, "there is no network card \"%s\"", argv[1]);
	n = to_netvsp(dev);
	if (!strcmp(argv[2], "send") || !strcmp(argv[2], "rndis"))
		return send_bytes(n, argc, argv, argv[2][0] == 'r', out);
	if (!strcmp(argv[2], "indicate"))
		return send_now(n, argc, argv, false, out);
	/* Before there is a guest it is for when the table is due */
	if (!strcmp(argv[2], "table") && n->rndis == NETVSP_RNDIS_UP)
		return send_now(n, argc, argv, true, out);
	if (!strcmp(argv[2], "guess"))
		return netvsp_fault_guess(n, argc, argv, out);
	if (!strcmp(argv[2], "hold") && argc == 3)
		netvsp_fault_hold(n, true);
	else if (!strcmp(argv[2], "resume") && argc == 3)
		netvsp_fault_hold(n, false);
	else if (!strcmp(argv[2], "list") && argc == 3)
		list(n, out);
	else if (!strcmp(argv[2], "clear") && argc == 3)
		netvsp_fault_clear(n);
	else
		return add(n, argc, argv, out);
	return 0;
}
