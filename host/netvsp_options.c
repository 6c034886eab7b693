// SPDX-License-Identifier: GPL-2.0-only
/*
 * Network cards as options and commands make and change them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <linux/if.h>

#include "bus.h"
#include "netvsp.h"

#define SPEED_MAX	400000u
#define COALESCE_MAX_US	100000u
#define LATE_MAX_MS	600000u
#define MAX_CHANNELS	(1u + DEVICE_MAX_SUBCHANNELS)

#define CARD_OPTIONS \
	"tap=NAME|fd=N|user[,queues=N][,mac=XX:XX:XX:XX:XX:XX][,mtu=N]" \
	"[,speed=MBIT][,link=up|down][,max-version=1|2|4|5|6|6.1]" \
	"[,slot=BYTES][,section=BYTES][,batch=N][,rsc=on|off][,lso=on|off]" \
	"[,csum=on|off][,coalesce=auto|off|USECS]"

/* What an option says until all of them are there */
struct parsed {
	char tap[IFNAMSIZ];
	int fd;
	bool user;
	bool has_mac;
	bool has_coalesce;
};

static int parse_number(const char *name, const char *value, uint64_t min,
			uint64_t max, unsigned int *to, struct text *err)
{
	uint64_t n;

	if (!value || text_size(value, &n) || n < min || n > max)
		return text_add(err, "%s is a number from %llu to %llu", name,
				(unsigned long long)min,
				(unsigned long long)max);
	*to = n;
	return 0;
}

static int parse_switch(const char *name, const char *value, bool *on,
			struct text *err)
{
	*on = value && !strcmp(value, "on");
	if (*on || (value && !strcmp(value, "off")))
		return 0;
	return text_add(err, "%s is on or off", name);
}

static int parse_mac(const char *value, uint8_t *mac, struct text *err)
{
	unsigned int b[6], i;
	int end = 0;

	if (value && sscanf(value, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1],
			    &b[2], &b[3], &b[4], &b[5], &end) == 6 &&
	    !value[end] && !(b[0] & 1)) {
		for (i = 0; i < 6; i++)
			mac[i] = b[i];
		return 0;
	}
	return text_add(err, "mac is six bytes in hexadecimal, of one card");
}

static int parse_version(struct netvsp *n, const char *value, struct text *err)
{
	static const struct {
		const char *name;
		uint32_t version;
	} versions[] = {
		{ "1", NVSP_VERSION_1 }, { "2", NVSP_VERSION_2 },
		{ "4", NVSP_VERSION_4 }, { "5", NVSP_VERSION_5 },
		{ "6", NVSP_VERSION_6 }, { "6.0", NVSP_VERSION_6 },
		{ "6.1", NVSP_VERSION_61 },
	};
	unsigned int i;

	for (i = 0; value && i < sizeof(versions) / sizeof(versions[0]); i++) {
		if (strcmp(value, versions[i].name))
			continue;
		n->configured.max_version = versions[i].version;
		return 0;
	}
	return text_add(err, "max-version is 1, 2, 4, 5, 6 or 6.1");
}

static int parse_coalesce(struct netvsp *n, const char *value,
			  struct text *err)
{
	uint64_t us = 0;

	if (value && !strcmp(value, "auto"))
		n->coalesce = CHANNEL_MODERATE_STREAM;
	else if (value && (!strcmp(value, "off") ||
			   !text_number(value, 0, COALESCE_MAX_US, &us)))
		n->coalesce = us * 1000;
	else
		return text_add(err,
				"coalesce is auto, off, or microseconds up to %u",
				COALESCE_MAX_US);
	return 0;
}

static int parse_link(const char *value, bool *up, struct text *err)
{
	*up = value && !strcmp(value, "up");
	if (*up || (value && !strcmp(value, "down")))
		return 0;
	return text_add(err, "a link is up or down");
}

static int parse_option(struct netvsp *n, struct parsed *p, const char *name,
			const char *value, struct text *err)
{
	struct netvsp_config *c = &n->configured;
	unsigned int number = 0;

	if (!strcmp(name, "tap")) {
		if (!value || !*value || strlen(value) >= sizeof(p->tap))
			return text_add(err,
					"tap is the name of a network interface");
		strcpy(p->tap, value);
	} else if (!strcmp(name, "fd")) {
		if (parse_number(name, value, 0, 65535, &number, err))
			return -EINVAL;
		p->fd = number;
	} else if (!strcmp(name, "user") && !value) {
		p->user = true;
	} else if (!strcmp(name, "queues")) {
		return parse_number(name, value, 1, MAX_CHANNELS, &n->queues,
				    err);
	} else if (!strcmp(name, "mac")) {
		p->has_mac = true;
		return parse_mac(value, n->mac, err);
	} else if (!strcmp(name, "mtu")) {
		return parse_number(name, value, NETVSP_MTU_MIN,
				    NETVSP_MTU_MAX, &c->mtu, err);
	} else if (!strcmp(name, "speed")) {
		return parse_number(name, value, 1, SPEED_MAX, &n->speed, err);
	} else if (!strcmp(name, "link")) {
		return parse_link(value, &n->carrier, err);
	} else if (!strcmp(name, "max-version")) {
		return parse_version(n, value, err);
	} else if (!strcmp(name, "slot")) {
		return parse_number(name, value, NETVSP_SLOT_MIN,
				    NETVSP_SLOT_MAX, &c->slot, err);
	} else if (!strcmp(name, "section")) {
		return parse_number(name, value, NETVSP_SECTION_MIN,
				    NETVSP_SECTION_MAX, &c->section, err);
	} else if (!strcmp(name, "batch")) {
		return parse_number(name, value, 1, NVSP_MAX_RANGES, &c->batch,
				    err);
	} else if (!strcmp(name, "rsc")) {
		return parse_switch(name, value, &c->rsc, err);
	} else if (!strcmp(name, "lso")) {
		return parse_switch(name, value, &c->lso, err);
	} else if (!strcmp(name, "csum")) {
		return parse_switch(name, value, &c->csum, err);
	} else if (!strcmp(name, "coalesce")) {
		p->has_coalesce = true;
		return parse_coalesce(n, value, err);
	} else {
		return text_add(err, "\"%s\" is none of " CARD_OPTIONS, name);
	}
	return 0;
}

/* Of the name alone, so that a card has the same in each run */
static void make_mac(struct netvsp *n)
{
	uint64_t hash = 0xcbf29ce484222325ull;
	const char *p;
	unsigned int i;

	for (p = n->dev.id; *p; p++) {
		hash ^= (uint8_t)*p;
		hash *= 0x100000001b3ull;
	}
	for (i = 0; i < 6; i++)
		n->mac[i] = hash >> (8 * i);
	n->mac[0] = (n->mac[0] & ~1u) | 2;	/* one card, made up here */
}

static int open_backend(struct bus *bus, struct netvsp *n,
			const struct parsed *p, struct text *err)
{
	if (!!p->tap[0] + (p->fd >= 0) + p->user != 1)
		return text_add(err, "one of tap=NAME, fd=N and user is needed");
	if (p->user)
		n->back = netback_user(bus_loop(bus), err);
	else
		n->back = netback_tap(bus_loop(bus), p->tap[0] ? p->tap : NULL,
				      p->fd, n->queues, err);
	if (!n->back)
		return -EINVAL;
	n->back->readable = rx_readable;
	n->back->arg = n;
	n->rx_readable = ~0ull >> (64 - n->back->queues);
	if (n->back->ops->set_link)
		n->back->ops->set_link(n->back, n->carrier);
	return 0;
}

static struct netvsp *card_new(const struct host_profile *profile)
{
	struct netvsp *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->dev.kind = &netvsp_kind;
	n->queues = 1;
	n->speed = NETVSP_SPEED;
	n->carrier = true;
	n->configured = (struct netvsp_config){
		.max_version = NVSP_VERSION_61,
		.mtu = NETVSP_MTU,
		.section = NETVSP_SECTION,
		.batch = NETVSP_BATCH,
		.rsc = true,
		.lso = true,
		.csum = true,
	};
	n->like = &profile->netvsp;
	n->subchannel_ms = n->like->subchannel_ms;
	n->late.fired = nvsp_late;
	n->answers_end = &n->answers;
	n->poller.poll = rx_poll;
	return n;
}

static int net_option(struct bus *bus, const char *arg, struct text *err)
{
	struct netvsp *n = card_new(bus->profile);
	struct parsed p = { .fd = -1 };
	struct option_list ol;
	char *name, *value;
	int ret;

	if (!n)
		return -ENOMEM;
	option_list_init(&ol, arg);
	if (!option_next(&ol, &name, &value) || value)
		ret = text_add(err, "it begins with the card's name");
	else
		ret = device_set_id(&n->dev, name, err);
	while (!ret && option_next(&ol, &name, &value))
		ret = parse_option(n, &p, name, value, err);
	option_list_free(&ol);
	if (!ret)
		ret = open_backend(bus, n, &p, err);
	if (!ret) {
		if (!p.has_mac)
			make_mac(n);
		/*
		 * Each frame takes libslirp longer than it takes the guest:
		 * what is held then only keeps the guest from sending
		 */
		if (!p.has_coalesce && !p.user)
			n->coalesce = CHANNEL_MODERATE_STREAM;
		n->dev.max_subchannels = n->queues - 1;
		oid_reset(n);
		ret = device_register(bus, &n->dev, err);
	}
	if (!ret) {
		loop_add_poller(bus_loop(bus), &n->poller);
		return 0;
	}
	if (n->back)
		n->back->ops->close(n->back);
	free(n);
	return ret;
}

/* --- commands ----------------------------------------------------------------- */

static struct netvsp *find_card(struct bus *bus, int argc, char **argv,
				int want, const char *usage, struct text *out)
{
	struct device *dev;

	if (argc != want) {
		text_add(out, "%s", usage);
		return NULL;
	}
	dev = device_find(bus, &netvsp_kind, argv[1]);
	if (!dev) {
		text_add(out, "there is no network card \"%s\"", argv[1]);
		return NULL;
	}
	return to_netvsp(dev);
}

static int link_command(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	struct netvsp *n = find_card(bus, argc, argv, 3, "net-link ID up|down",
				     out);
	bool up;

	if (!n || parse_link(argv[2], &up, out))
		return -EINVAL;
	netvsp_set_carrier(n, up);
	return 0;
}

static int speed_command(struct bus *bus, int argc, char **argv,
			 struct text *out)
{
	struct netvsp *n = find_card(bus, argc, argv, 3, "net-speed ID MBIT",
				     out);
	unsigned int speed = 0;

	if (!n || parse_number("speed", argv[2], 1, SPEED_MAX, &speed, out))
		return -EINVAL;
	netvsp_set_speed(n, speed);
	return 0;
}

static int late_command(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	struct netvsp *n = find_card(bus, argc, argv, 3, "net-late ID MS", out);
	unsigned int ms = 0;

	if (!n || parse_number("milliseconds", argv[2], 0, LATE_MAX_MS, &ms,
			       out))
		return -EINVAL;
	nvsp_set_late(n, ms);
	return 0;
}

static int csum_command(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	static const char *const names[] = {
		[NETVSP_RX_CSUM_FILLED] = "filled",
		[NETVSP_RX_CSUM_STALE] = "stale",
		[NETVSP_RX_CSUM_FAILED] = "failed",
	};
	static const char usage[] = "net-rx-csum ID filled|stale|failed";
	struct netvsp *n = find_card(bus, argc, argv, 3, usage, out);
	unsigned int i;

	for (i = 0; n && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(argv[2], names[i]))
			continue;
		n->rx_csum = i;
		return 0;
	}
	return n ? text_add(out, "%s", usage) : -EINVAL;
}

static void add_stat(struct text *out, const char *name, uint64_t value)
{
	text_add(out, "%s %llu\n", name, (unsigned long long)value);
}

static int stat_command(struct bus *bus, int argc, char **argv,
			struct text *out)
{
	struct netvsp *n = find_card(bus, argc, argv, 2, "net-stat ID", out);
	const struct netvsp_stats *s;
	char name[32];
	unsigned int i;

	if (!n)
		return -EINVAL;
	s = &n->stats;
	text_add(out, "version 0x%x\n", n->version);
	text_add(out, "link %s\n", n->carrier ? "up" : "down");
	add_stat(out, "speed", n->speed);
	add_stat(out, "mtu", n->mtu);
	text_add(out, "address %02x:%02x:%02x:%02x:%02x:%02x\n",
		 n->address[0], n->address[1], n->address[2], n->address[3],
		 n->address[4], n->address[5]);
	text_add(out, "filter 0x%x\n", n->filter);
	add_stat(out, "multicast_addresses", n->multicasts);
	add_stat(out, "slot_bytes", n->slot_bytes);
	add_stat(out, "slots", n->slot_count);
	add_stat(out, "slots_free", n->slots_free + n->control_free +
				    n->rx_held_count);
	add_stat(out, "subchannels", n->offered);
	add_stat(out, "rss", n->rss.on);
	add_stat(out, "rx_offload_csum", n->back_offloads.csum);
	add_stat(out, "rx_offload_tso4", n->back_offloads.tso4);
	add_stat(out, "rx_offload_tso6", n->back_offloads.tso6);
	add_stat(out, "tx_packets", s->tx_packets);
	add_stat(out, "tx_bytes", s->tx_bytes);
	add_stat(out, "tx_lso", s->tx_lso);
	add_stat(out, "tx_csum", s->tx_csum);
	add_stat(out, "tx_in_section", s->tx_in_section);
	add_stat(out, "tx_refused", s->tx_refused);
	add_stat(out, "tx_failed", s->tx_failed);
	add_stat(out, "tx_dropped", s->tx_dropped);
	add_stat(out, "tx_tagged", s->tx_tagged);
	add_stat(out, "rx_packets", s->rx_packets);
	add_stat(out, "rx_bytes", s->rx_bytes);
	add_stat(out, "rx_large", s->rx_large);
	add_stat(out, "rx_csum", s->rx_csum);
	add_stat(out, "rx_pages", s->rx_pages);
	add_stat(out, "rx_filtered", s->rx_filtered);
	add_stat(out, "rx_oversized", s->rx_oversized);
	add_stat(out, "rx_malformed", s->rx_malformed);
	add_stat(out, "rx_failed", s->rx_failed);
	add_stat(out, "rx_discarded", s->rx_discarded);
	add_stat(out, "rx_no_slots", s->rx_no_slots);
	add_stat(out, "control", s->control);
	for (i = 0; i <= DEVICE_MAX_SUBCHANNELS; i++) {
		const struct netvsp_channel *nc = n->channels[i];

		if (!nc)
			continue;
		snprintf(name, sizeof(name), "channel%u_tx_packets", i);
		add_stat(out, name, nc->stats.tx_packets);
		snprintf(name, sizeof(name), "channel%u_rx_packets", i);
		add_stat(out, name, nc->stats.rx_packets);
	}
	return 0;
}

void netvsp_status(struct device *dev, struct text *out)
{
	const struct netvsp *n = to_netvsp(dev);

	text_add(out, "  NVSP 0x%x, %s, ", n->version,
		 n->state == NETVSP_READY ? "ready" :
		 n->state == NETVSP_CLOSED ? "closed" : "initialising");
	n->back->ops->status(n->back, out);
	text_add(out, ", link %s, %u Mbit/s, MTU %u\n",
		 n->carrier ? "up" : "down", n->speed, n->mtu);
	text_add(out,
		 "  sent %llu (%llu bytes), received %llu (%llu bytes), %u of %u slots free\n",
		 (unsigned long long)n->stats.tx_packets,
		 (unsigned long long)n->stats.tx_bytes,
		 (unsigned long long)n->stats.rx_packets,
		 (unsigned long long)n->stats.rx_bytes,
		 n->slots_free + n->control_free + n->rx_held_count,
		 n->slot_count);
}

const struct device_option netvsp_options[] = {
	{ "net", "ID," CARD_OPTIONS,
	  "a network card on a tap, or with user networking; docs/host-network.md says what the options do",
	  net_option },
	{ 0 },
};

const struct device_command netvsp_commands[] = {
	{ "net-link", "ID up|down", "plug a network card's cable in or out",
	  link_command },
	{ "net-speed", "ID MBIT", "change the speed that it says", speed_command },
	{ "net-late", "ID MS",
	  "how long sub-channels are held back that it has granted; also those that are now",
	  late_command },
	{ "net-rx-csum", "ID filled|stale|failed",
	  "how checksums of frames to the guest are: right; not valid, as the guest is told; said to be wrong",
	  csum_command },
	{ "net-fault", NETVSP_FAULT_ARGS, NETVSP_FAULT_HELP,
	  netvsp_fault_command },
	{ "net-stat", "ID", "what it has negotiated and counted", stat_command },
	{ 0 },
};
