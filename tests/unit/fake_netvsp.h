/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A bus, a backend and a guest for tests of the reference host's network card:
 * packets go straight to its callbacks, and the backend keeps and makes frames.
 * Guest memory is heap memory of exactly the size that a packet names.
 */
#ifndef FAKE_NETVSP_H
#define FAKE_NETVSP_H

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/bus.h"
#include "../host/netvsp.h"

#define RECEIVE_BYTES	(256u << 10)
#define SEND_BYTES	(64u << 10)
#define RECEIVE_GPADL	5u
#define SEND_GPADL	6u

#define CARD	"n0,tap=t,queues=2,mac=02:00:00:00:00:01"
#define FILTER	(NDIS_FILTER_DIRECTED | NDIS_FILTER_BROADCAST)

/* What it was sent: completions, messages, packets of receive memory */
struct channel {
	struct device *dev;
	unsigned int index;
	void *private;
	bool errored, backlog, shown, paused;
	uint64_t moderate_ns;
	char why[200];
	unsigned int completions, messages, pages;
	uint64_t trans_id;		/* of the last completion */
	uint32_t len;
	struct nvsp_message last;
	uint8_t message[256];
	struct {
		uint64_t id;
		size_t head, len;
		uint8_t bytes[8192];
	} page[64];
};

/* The backend */
struct fake_back {
	struct netback nb;
	struct netback_offloads offloads;
	bool link;
	struct netframe_header sent_header, header;
	uint8_t sent[NETFRAME_MAX];
	size_t sent_len;
	unsigned int sends;
	uint8_t frame[NETFRAME_MAX];	/* the one that is there, @frames times */
	size_t frame_len;
	unsigned int frames;
};

extern struct bus bus;
extern struct channel chan, sub;
extern struct device_kind *kind;
extern struct netvsp *n;
extern struct text why;
extern uint8_t *receive_buffer, *send_buffer;
extern unsigned int offered;
extern struct fake_back back;

/**
 * option() - make a card
 * command() - what the control socket takes
 *
 * Return: 0 or -errno; why says more.
 */
int option(const char *arg);
int command(const char *line);

/**
 * begin() - make a card and open its primary channel
 * @options: of --net, perhaps with the kind of host before them: "hyperv:n0,..."
 *	Without it all that the protocols have may be had ("lenient")
 */
void begin(const char *options);
void end(void);

/**
 * post() - a packet of the guest's
 * @type: PACKET_*
 */
void post(struct channel *ch, int type, const void *payload, size_t len,
	  struct iovec *iov, unsigned int ranges, bool wants);

/**
 * nvsp() - an NVSP message on the primary channel
 */
void nvsp(const struct nvsp_message *msg, bool wants);

/**
 * step() - one of the five of the negotiation
 */
void step(unsigned int i, uint32_t version);

/**
 * rndis() - a message of the guest's in one range or more, or in a section
 */
void rndis(struct channel *ch, uint32_t channel_type, struct iovec *iov,
	   unsigned int ranges, uint32_t section, uint32_t bytes);

/**
 * last_answer() - what the guest got last, of RNDIS
 */
const uint8_t *last_answer(void);
uint32_t word(const uint8_t *p);

/**
 * give_back() - the guest gives all receive packets back
 */
void give_back(struct channel *ch);

/**
 * request() - QUERY or SET
 *
 * Return: the status of the answer.
 */
uint32_t request(uint32_t type, uint32_t oid, const void *info, uint32_t len);

/**
 * up() - a card with RNDIS and a packet filter
 */
void up(const char *options, uint32_t version, uint32_t filter);
void rndis_up(void);
void all_offloads(void);

/**
 * make_packet() - an RNDIS packet: header, a piece of info, @len bytes of data
 *
 * Return: its length.
 */
size_t make_packet(uint8_t *to, size_t len, uint32_t type, uint32_t value);

/**
 * frame() - frames for the guest
 * @to: their address, six bytes
 */
void frame(const char *to, size_t len, unsigned int count);

#endif
