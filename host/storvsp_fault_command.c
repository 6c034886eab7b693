// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command `fault` of the control socket.
 *
 * Two tables say what there is: the parameters, and which of them each kind of
 * fault needs and takes. The parser, the list and the help are made of them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "storvsp_fault_kinds.h"

enum fault_value {
	VALUE_NUMBER,		/* decimal, or hexadecimal behind 0x */
	VALUE_HEX,		/* always hexadecimal */
	VALUE_CHOICE,
	VALUE_OP,
	VALUE_LBA,
	VALUE_COUNT,
	VALUE_BYTES,
};

static const char *const fault_ops[] = {
	"any", "read", "write", "flush", "verify", "unmap", "write-same", NULL,
};

static const char *const fault_yes[] = { "no", "yes", NULL };
static const char *const fault_whens[] = { "after", "before", NULL };
static const char *const fault_formats[] = { "fixed", "descriptor", NULL };
static const char *const fault_thens[] = { "nothing", "right", NULL };

static const struct {
	const char *name;
	const char *arg;
	enum fault_value value;
	uint64_t max;
	const char *const *choices;
} fault_params[FAULT_PARAMS] = {
	[P_LUN]		= { "lun", "N", VALUE_NUMBER, 255, NULL },
	[P_OP]		= { "op", "any|read|write|flush|verify|unmap|write-same|0xNN",
			    VALUE_OP, 0xff, NULL },
	[P_PAGE]	= { "page", "XX", VALUE_HEX, 0xff, NULL },
	[P_LBA]		= { "lba", "A[-B]", VALUE_LBA, 0, NULL },
	[P_SKIP]	= { "skip", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_COUNT]	= { "count", "N|forever", VALUE_COUNT, 0, NULL },
	[P_KEY]		= { "key", "X", VALUE_HEX, 0xf, NULL },
	[P_ASC]		= { "asc", "XXXX", VALUE_HEX, 0xffff, NULL },
	[P_INFO]	= { "info", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_FORMAT]	= { "format", "fixed|descriptor", VALUE_CHOICE, 0,
			    fault_formats },
	[P_DEFERRED]	= { "deferred", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_DATA]	= { "data", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_LENGTH]	= { "length", "N", VALUE_NUMBER, 255, NULL },
	[P_SCSI]	= { "scsi", "XX", VALUE_HEX, 0xff, NULL },
	[P_SRB]		= { "status", "XX", VALUE_HEX, 0xff, NULL },
	[P_STATUS]	= { "nt", "XXXXXXXX", VALUE_HEX, UINT32_MAX, NULL },
	[P_HEX]		= { "hex", "BYTES", VALUE_BYTES, 0, NULL },
	[P_DONE]	= { "done", "no|yes", VALUE_CHOICE, 0, fault_yes },
	[P_WHEN]	= { "when", "after|before", VALUE_CHOICE, 0,
			    fault_whens },
	[P_MS]		= { "ms", "N", VALUE_NUMBER, 3600000, NULL },
	[P_US]		= { "us", "N", VALUE_NUMBER, 999999, NULL },
	[P_TIMES]	= { "times", "N", VALUE_NUMBER, 1000, NULL },
	[P_XOR]		= { "xor", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_THEN]	= { "then", "nothing|right", VALUE_CHOICE, 0,
			    fault_thens },
	[P_ID]		= { "id", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_LEN]		= { "len", "N", VALUE_NUMBER, FAULT_OVERSIZE_MAX, NULL },
	[P_BYTES]	= { "bytes", "N", VALUE_NUMBER, UINT32_MAX, NULL },
	[P_SEED]	= { "seed", "N", VALUE_NUMBER, UINT64_MAX, NULL },
	[P_VALUE]	= { "value", "N", VALUE_NUMBER, UINT32_MAX, NULL },
	[P_N]		= { "n", "N", VALUE_NUMBER, 255, NULL },
};

static const struct {
	const char *name;
	uint32_t needs, takes;
	bool for_step;		/* for `handshake`, too */
	const char *help;
} fault_kinds[FAULT_KINDS] = {
	[FAULT_SENSE] = { "sense", P(KEY) | P(ASC),
		P(INFO) | P(FORMAT) | P(DEFERRED) | P(DATA) | P(LENGTH) |
		P(SRB), false,
		"CHECK CONDITION; data=yes (default with key=1): after the command was done" },
	[FAULT_STATUS] = { "status", P(SCSI), P(SRB), false,
		"SCSI status: 08 BUSY, 18 RESERVATION CONFLICT, 28 TASK SET FULL" },
	[FAULT_SRB] = { "srb", P(SRB), P(SCSI), false,
		"SRB status alone: 02 ABORTED, 05 BUSY, 09 TIMEOUT, 0e BUS RESET, 20 INVALID LUN" },
	[FAULT_ANSWER] = { "answer", P(HEX), 0, false,
		"success, with these bytes as the data; '-' for none" },
	[FAULT_FAIL] = { "fail", 0, P(STATUS), true,
		"a failed initialisation step (c0000001)" },
	[FAULT_LOST] = { "lost", 0, P(DONE), true,
		"no completion until `release`; the command is done before that with done=yes" },
	[FAULT_LATE] = { "late", 0, P(MS) | P(US) | P(WHEN), true,
		"completed later; the transfer comes after the delay, or before it" },
	[FAULT_DUPLICATE] = { "duplicate", 0, P(TIMES) | P(MS) | P(US), true,
		"completed times=2 times; the repetitions after a delay" },
	[FAULT_WRONG_ID] = { "wrong-id", 0, P(XOR) | P(THEN), true,
		"transaction id changed by xor=1; then=right sends the right one, too" },
	[FAULT_UNKNOWN_ID_TOO] = { "unknown-id", 0, P(ID), true,
		"a completion of nothing (0xdeadbeefdeadbeef) before the right one" },
	[FAULT_SHORT] = { "short", P(LEN), 0, true,
		"payload cut to len bytes; the ring pads to 8" },
	[FAULT_OVERSIZE] = { "oversize", P(LEN), 0, true,
		"payload grown to len bytes" },
	[FAULT_MOVED] = { "moved", P(BYTES), 0, false,
		"this data_transfer_length" },
	[FAULT_GARBAGE] = { "garbage", 0, P(SEED) | P(LEN), true,
		"random payload, right id" },
	[FAULT_OPERATION] = { "operation", P(VALUE), 0, true,
		"another operation field" },
	[FAULT_SENSE_LENGTH] = { "sense-length", P(N), 0, false,
		"this sense_info_length" },
	[FAULT_PACKET_TYPE] = { "packet-type", P(VALUE), 0, true,
		"packet of another type than 11: 6, 7, 9" },
};

static const struct {
	const char *name;
	uint32_t operation;
} fault_steps[] = {
	{ "begin", STORVSP_BEGIN_INITIALIZATION },
	{ "version", STORVSP_QUERY_PROTOCOL_VERSION },
	{ "properties", STORVSP_QUERY_PROPERTIES },
	{ "subchannels", STORVSP_CREATE_SUB_CHANNELS },
	{ "end", STORVSP_END_INITIALIZATION },
	{ "reset", FAULT_STEP_RESET },
};

#define FAULT_STEPS	(sizeof(fault_steps) / sizeof(fault_steps[0]))

static int parse_hex(const char *s, uint64_t max, uint64_t *value)
{
	char *end;

	if (!isxdigit((unsigned char)*s))
		return -EINVAL;
	errno = 0;
	*value = strtoull(s, &end, 16);
	return errno || *end || *value > max ? -EINVAL : 0;
}

static int parse_choice(const char *const *choices, const char *s,
			uint64_t *value)
{
	for (*value = 0; choices[*value]; (*value)++) {
		if (!strcmp(choices[*value], s))
			return 0;
	}
	return -EINVAL;
}

static int parse_lba(struct fault *f, char *s)
{
	char *last = strchr(s, '-');

	if (last)
		*last++ = '\0';
	if (text_number(s, 0, UINT64_MAX, &f->p[P_LBA]) ||
	    text_number(last ? last : s, f->p[P_LBA], UINT64_MAX, &f->lba_end))
		return -EINVAL;
	return 0;
}

static int parse_bytes(struct fault *f, const char *s)
{
	size_t n = strlen(s), i;
	char two[3] = "";
	uint64_t byte;

	if (!strcmp(s, "-"))
		n = 0;
	if (n % 2 || f->bytes)
		return -EINVAL;
	f->bytes = calloc(1, n / 2 + 1);
	if (!f->bytes)
		return -ENOMEM;
	for (i = 0; i < n / 2; i++) {
		memcpy(two, s + 2 * i, 2);
		if (!isxdigit((unsigned char)two[1]) ||
		    parse_hex(two, 0xff, &byte))
			return -EINVAL;
		f->bytes[i] = byte;
	}
	f->p[P_HEX] = n / 2;
	return 0;
}

static int parse_value(struct fault *f, enum fault_param param, char *s)
{
	uint64_t max = fault_params[param].max, *value = &f->p[param];

	switch (fault_params[param].value) {
	case VALUE_NUMBER:
		return text_number(s, 0, max, value);
	case VALUE_HEX:
		return parse_hex(s, max, value);
	case VALUE_CHOICE:
		return parse_choice(fault_params[param].choices, s, value);
	case VALUE_OP:
		if (!parse_choice(fault_ops, s, value))
			return 0;
		/* "12" could be either */
		if (s[0] != '0' || s[1] != 'x' ||
		    text_number(s, 0, max, value))
			return -EINVAL;
		*value |= FAULT_OPCODE;
		return 0;
	case VALUE_LBA:
		return parse_lba(f, s);
	case VALUE_COUNT:
		if (strcmp(s, "forever"))
			return text_number(s, 1, FAULT_FOREVER - 1, value);
		*value = FAULT_FOREVER;
		return 0;
	case VALUE_BYTES:
		return parse_bytes(f, s);
	}
	return -EINVAL;
}

static int parse_kind(const char *name, bool step, enum fault_kind *kind)
{
	unsigned int i;

	for (i = 0; i < FAULT_KINDS; i++) {
		if (strcmp(fault_kinds[i].name, name))
			continue;
		if (step ? !fault_kinds[i].for_step : i == FAULT_FAIL)
			return -EINVAL;
		*kind = i;
		return 0;
	}
	return -EINVAL;
}

static int parse_param(struct fault *f, char *word, struct text *out)
{
	uint32_t allowed = fault_kinds[f->kind].needs |
			   fault_kinds[f->kind].takes |
			   (f->step ? P(SKIP) | P(COUNT) : P_SELECT);
	char *value = strchr(word, '=');
	unsigned int i;

	if (!value)
		return text_add(out, "\"%s\" is not of the form key=value",
				word);
	*value++ = '\0';
	for (i = 0; i < FAULT_PARAMS; i++) {
		if (!(allowed & (1u << i)) || strcmp(fault_params[i].name, word))
			continue;
		if (parse_value(f, i, value))
			return text_add(out, "%s is %s", word,
					fault_params[i].arg);
		f->given |= 1u << i;
		return 0;
	}
	return text_add(out, "%s takes no %s=; see 'fault help'",
			fault_kinds[f->kind].name, word);
}

/* step=S fault=KIND, in this order or the other */
static int parse_handshake(int argc, char **argv, uint32_t *step,
			   enum fault_kind *kind, struct text *out)
{
	bool has_kind = false;
	unsigned int i;
	int n;

	*step = 0;
	for (n = 3; n < argc; n++) {
		if (!strncmp(argv[n], "step=", 5)) {
			for (i = 0; i < FAULT_STEPS; i++) {
				if (!strcmp(argv[n] + 5, fault_steps[i].name))
					*step = fault_steps[i].operation;
			}
		} else if (!strncmp(argv[n], "fault=", 6)) {
			has_kind = !parse_kind(argv[n] + 6, true, kind);
		}
	}
	if (!*step)
		return text_add(out, "step is begin, version, properties, subchannels, end or reset");
	if (!has_kind)
		return text_add(out, "fault= names none that a handshake can have; see 'fault help'");
	return 0;
}

static char *join(int argc, char **argv)
{
	struct text t = { 0 };
	int i;

	for (i = 0; i < argc; i++)
		text_add(&t, "%s%s", i ? " " : "", argv[i]);
	return t.s;
}

static int check_needs(const struct fault *f, struct text *out)
{
	uint32_t missing = fault_kinds[f->kind].needs & ~f->given;
	unsigned int i;

	if (!missing)
		return 0;
	i = __builtin_ctz(missing);
	return text_add(out, "%s needs %s=%s", fault_kinds[f->kind].name,
			fault_params[i].name, fault_params[i].arg);
}

static int fault_add(struct storvsp *s, int argc, char **argv,
		     struct text *out)
{
	bool handshake = !strcmp(argv[2], "handshake");
	struct fault *f, **link = &s->faults.list;
	enum fault_kind kind = FAULT_FAIL;
	uint32_t step = 0;
	int i, ret = 0;

	if (handshake) {
		ret = parse_handshake(argc, argv, &step, &kind, out);
		if (ret)
			return ret;
	} else if (parse_kind(argv[2], false, &kind)) {
		return text_add(out, "there is no fault \"%s\"; see 'fault help'",
				argv[2]);
	}
	f = fault_new(kind);
	if (!f)
		return -ENOMEM;
	f->step = step;
	f->text = join(argc - 2, argv + 2);
	for (i = 3; i < argc && !ret; i++) {
		if (handshake && (!strncmp(argv[i], "step=", 5) ||
				  !strncmp(argv[i], "fault=", 6)))
			continue;
		ret = parse_param(f, argv[i], out);
	}
	if (!ret)
		ret = check_needs(f, out);
	if (ret || !f->text) {
		fault_put(f);
		return ret ? ret : -ENOMEM;
	}
	while (*link)
		link = &(*link)->next;
	*link = f;
	log_info("%s: fault: %s", s->dev.id, f->text);
	return 0;
}

/* Not a fault of an answer: says something by itself, now */
static int fault_unsolicited(struct storvsp *s, int argc, char **argv,
			     struct text *out)
{
	struct storvsp_packet pkt = { 0 };
	uint64_t op = 0, count = 1, id = 0, len;
	bool has_op = false;
	int i, ret = 0;

	len = s->version < STORVSP_VERSION_5_1 ? STORVSP_PACKET_OLD :
						 sizeof(pkt);
	for (i = 3; i < argc && !ret; i++) {
		char *value = strchr(argv[i], '=');

		if (value)
			*value++ = '\0';
		if (value && !strcmp(argv[i], "operation")) {
			ret = text_number(value, 0, UINT32_MAX, &op);
			has_op = true;
		} else if (value && !strcmp(argv[i], "count")) {
			ret = text_number(value, 1, 100000, &count);
		} else if (value && !strcmp(argv[i], "id")) {
			ret = text_number(value, 0, UINT64_MAX, &id);
		} else if (value && !strcmp(argv[i], "len")) {
			ret = text_number(value, 0, sizeof(pkt), &len);
		} else {
			ret = -EINVAL;
		}
	}
	if (ret || !has_op)
		return text_add(out, "unsolicited operation=N [count=N] [id=N] [len=N]");
	if (!s->primary)
		return text_add(out, "the channel is not open");
	pkt.operation = op;
	while (count-- && !ret)
		ret = channel_send(s->primary, id, &pkt, len, false);
	return ret ? text_add(out, "%s", strerror(-ret)) : 0;
}

static int fault_report(struct storvsp *s, int argc, char **argv,
			struct text *out)
{
	struct storvsp_report report = s->report;
	int i, ret;

	if (argc < 4)
		return text_add(out, "report needs key=value");
	for (i = 3; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value)
			*value++ = '\0';
		ret = storvsp_report_option(&report, argv[i], value, out);
		if (ret == -ENOENT)
			return text_add(out, "report knows no %s=", argv[i]);
		if (ret)
			return ret;
	}
	s->report = report;
	return 0;
}

static void help_params(uint32_t set, bool optional, struct text *out)
{
	unsigned int i;

	for (i = 0; i < FAULT_PARAMS; i++) {
		if (set & (1u << i))
			text_add(out, optional ? " [%s=%s]" : " %s=%s",
				 fault_params[i].name, fault_params[i].arg);
	}
}

static void fault_help_text(struct text *out)
{
	unsigned int i;

	text_add(out, "fault CTRL KIND [key=value...]: the first fault that matches a command spoils it\n");
	text_add(out, "which commands (default: one, of any kind that transfers, writes back or discards):\n ");
	help_params(P_SELECT, true, out);
	text_add(out, "\n  skip=N lets N pass first; op=0xNN is an operation code, page= of INQUIRY or MODE SENSE\nkinds:\n");
	for (i = 0; i < FAULT_KINDS; i++) {
		if (i == FAULT_FAIL)
			continue;
		text_add(out, "  %s", fault_kinds[i].name);
		help_params(fault_kinds[i].needs, false, out);
		help_params(fault_kinds[i].takes, true, out);
		text_add(out, "\n      %s\n", fault_kinds[i].help);
	}
	text_add(out, "  handshake step=");
	for (i = 0; i < FAULT_STEPS; i++)
		text_add(out, "%s%s", i ? "|" : "", fault_steps[i].name);
	text_add(out, " fault=KIND [skip=N] [count=N|forever]\n      KIND is fail [nt=XXXXXXXX]");
	for (i = 0; i < FAULT_KINDS; i++) {
		if (fault_kinds[i].for_step && i != FAULT_FAIL)
			text_add(out, ", %s", fault_kinds[i].name);
	}
	text_add(out,
		 "; with its own keys\n"
		 "at once:\n"
		 "  unsolicited operation=N [count=N] [id=N] [len=N]\n"
		 "      send such a packet: 11 ENUMERATE_BUS, 2 REMOVE_DEVICE, 12 FCHBA, others are unknown\n"
		 "  report [max-version=X.Y] [report-max-transfer=N] [report-channels=N] [offer-subchannels=N]\n"
		 "      what the next initialisation is told, as the options of --scsi\n"
		 "  list, clear (all faults and reports), release (complete what is lost)\n");
}

static void fault_list(const struct storvsp *s, struct text *out)
{
	const struct fault *f;
	unsigned int n = 0;

	for (f = s->faults.list; f; f = f->next) {
		text_add(out, "%u hits=%llu seen=%llu left=", ++n,
			 (unsigned long long)f->hits,
			 (unsigned long long)f->seen);
		if (f->p[P_COUNT] == FAULT_FOREVER)
			text_add(out, "forever %s\n", f->text);
		else
			text_add(out, "%llu %s\n",
				 (unsigned long long)f->p[P_COUNT], f->text);
	}
	fault_status(s, out);
}

int fault_command(struct bus *bus, int argc, char **argv, struct text *out)
{
	struct storvsp *s;

	if (argc == 2 && !strcmp(argv[1], "help")) {
		fault_help_text(out);
		return 0;
	}
	if (argc < 3)
		return text_add(out, "fault " FAULT_ARGS);
	s = storvsp_find(bus, argv[1], out);
	if (!s)
		return -ENOENT;
	if (!strcmp(argv[2], "unsolicited"))
		return fault_unsolicited(s, argc, argv, out);
	if (!strcmp(argv[2], "report"))
		return fault_report(s, argc, argv, out);
	if (argc > 3 || (strcmp(argv[2], "list") && strcmp(argv[2], "clear") &&
			 strcmp(argv[2], "release")))
		return fault_add(s, argc, argv, out);
	if (!strcmp(argv[2], "list"))
		fault_list(s, out);
	else if (!strcmp(argv[2], "clear"))
		fault_clear(s);
	else
		text_add(out, "released %u\n", fault_release(s));
	return 0;
}
