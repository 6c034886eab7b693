// SPDX-License-Identifier: GPL-2.0-only
/*
 * The reference host, given what a hostile guest chose: posted messages,
 * signals, ring contents and control words.
 *
 * The whole host is here but for its event loop, in whose place the input says
 * when it looks at the rings. It may call the guest broken at any point. It
 * must neither crash nor forget anything: after a reset there is no channel and
 * no GPADL left, and a well-behaved guest is served as if nothing had been.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"
#include "channel.h"
#include "log.h"

#include "../unit/fake_guest.h"

#define RING_PAGES	4u	/* both directions */
#define MAX_STEPS	400

#define must(cond) do { if (!(cond)) abort(); } while (0)

struct input {
	const uint8_t *p;
	size_t left;
};

static struct fake_guest f;
static uint64_t ring_gpa;

static uint32_t take(struct input *in, uint32_t bytes)
{
	uint32_t v = 0;

	while (bytes-- && in->left) {
		v = v << 8 | *in->p++;
		in->left--;
	}
	return v;
}

/* Small numbers get further than random ones */
static uint32_t take_number(struct input *in)
{
	uint32_t how = take(in, 1);

	if (how < 224)
		return how % 16;
	return take(in, how < 240 ? 2 : 4);
}

/* So few that an open often finds the one that was made */
static uint32_t take_handle(struct input *in)
{
	uint32_t how = take(in, 1);

	return how < 240 ? 1 + how % 3 : take_number(in);
}

static struct device *take_device(struct input *in)
{
	uint32_t n = take(in, 1) % 3;
	struct device *dev = f.host.bus.devices;

	while (n-- && dev->next)
		dev = dev->next;
	return dev;
}

/* Mostly one that is offered */
static uint32_t take_relid(struct input *in)
{
	uint32_t how = take(in, 1);
	struct device *dev = take_device(in);
	struct channel *ch = dev->channels[how < 200 ? 0 : how % 3];

	if (how < 240 && ch)
		return ch->relid;
	return take_number(in);
}

static void post(uint32_t conn_id, const void *msg, uint32_t len)
{
	bus_message(&f.host.bus, conn_id, msg, len);
}

static void contact(uint32_t version, uint32_t vp)
{
	bool v5 = version >= VMBUS_WIRE_V5_0;
	struct vmbus_wire_initiate_contact m = {
		.header.msgtype = VMBUS_WIRE_INITIATE_CONTACT,
		.version = version,
		.target_vcpu = vp,
		.msg_sint = v5 ? VMBUS_WIRE_SINT : 0,
	};

	post(v5 ? VMBUS_WIRE_MESSAGE_CONN_ID_V5 : VMBUS_WIRE_MESSAGE_CONN_ID,
	     &m, sizeof(m));
}

static void take_contact(struct input *in)
{
	static const uint32_t versions[] = {
		VMBUS_WIRE_V5_3, VMBUS_WIRE_V5_2, VMBUS_WIRE_V4_1,
		VMBUS_WIRE_V3_0, VMBUS_WIRE_V2_4, VMBUS_WIRE_V6_0, 0,
	};
	uint32_t v = versions[take(in, 1) % 7];

	contact(v, take_number(in) % (FAKE_VPS + 1));
}

static void ask_offers(void)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_REQUEST_OFFERS };

	post(f.host.bus.msg_conn_id, &m, sizeof(m));
}

/* A list of pages for a ring, as it should be but for what the input spoils */
static void take_gpadl(struct input *in)
{
	uint8_t msg[VMBUS_WIRE_MSG_PAYLOAD] = { 0 };
	uint32_t pages = RING_PAGES, len, i, spoil = take(in, 1);
	struct vmbus_wire_gpadl_header h = {
		.header.msgtype = VMBUS_WIRE_GPADL_HEADER,
		.child_relid = take_relid(in),
		.gpadl = take_handle(in),
		.rangecount = 1,
	};
	struct vmbus_wire_range r = { 0 };

	if (spoil < 160)
		spoil = 0;
	if (spoil & 1)
		pages = 1 + take_number(in) % 200;
	h.range_buflen = sizeof(r) + pages * 8;
	r.byte_count = pages * RAM_PAGE;
	if (spoil & 2)
		r.byte_offset = take_number(in);
	memcpy(msg, &h, sizeof(h));
	memcpy(msg + sizeof(h), &r, sizeof(r));
	len = sizeof(h) + sizeof(r);
	for (i = 0; i < pages && i < VMBUS_WIRE_HEADER_PFNS; i++, len += 8) {
		uint64_t pfn = ring_gpa / RAM_PAGE + i % RING_PAGES;

		if (spoil & 4)
			pfn += take_number(in);
		memcpy(msg + len, &pfn, sizeof(pfn));
	}
	if (spoil & 8)
		msg[take(in, 1) % sizeof(msg)] = take(in, 1);
	if (spoil & 16)
		len = take(in, 1) % (sizeof(msg) + 1);
	post(f.host.bus.msg_conn_id, msg, len);
}

/* A message whose words are a channel and small numbers */
static void take_message(struct input *in, uint32_t type)
{
	uint8_t msg[VMBUS_WIRE_MSG_PAYLOAD] = { 0 };
	uint32_t at = sizeof(struct vmbus_wire_header), v;
	uint32_t len = take(in, 1);

	memcpy(msg, &type, sizeof(type));
	v = take_relid(in);
	memcpy(msg + at, &v, sizeof(v));
	for (at += 4; at < 40; at += 4) {
		v = at == 12 ? take_handle(in) : take_number(in);
		memcpy(msg + at, &v, sizeof(v));
	}
	post(take(in, 1) < 240 ? f.host.bus.msg_conn_id : take_number(in), msg,
	     len < 200 ? 148 : len % (sizeof(msg) + 1));
}

static void take_open(struct input *in)
{
	struct vmbus_wire_open m = {
		.header.msgtype = VMBUS_WIRE_OPEN,
		.child_relid = take_relid(in),
		.openid = take_number(in),
		.ring_gpadl = take_handle(in),
		.target_vp = take_number(in) % (FAKE_VPS + 1),
		.downstream_page = RING_PAGES / 2,
	};

	if (take(in, 1) > 200)
		m.downstream_page = take_number(in);
	post(f.host.bus.msg_conn_id, &m, sizeof(m));
}

static void take_bytes(struct input *in)
{
	uint8_t msg[VMBUS_WIRE_MSG_PAYLOAD];
	uint32_t len = take(in, 1) % (sizeof(msg) + 1), i;

	for (i = 0; i < len; i++)
		msg[i] = take(in, 1);
	post(f.host.bus.msg_conn_id, msg, len);
}

/* A request to whatever device has its ring there */
static void take_packet(struct input *in)
{
	struct fake_channel ch = {
		.out = fake_ptr(&f, ring_gpa),
		.out_size = (RING_PAGES / 2 - 1) * RAM_PAGE,
	};
	uint32_t words[64], n = 4 + take(in, 1) % 60, i;
	uint32_t type = take(in, 1), extra[8], extra_len = 0;

	for (i = 0; i < n; i++)
		words[i] = take_number(in);
	if (type > 200) {	/* GPA-direct: count of ranges, then ranges */
		extra_len = sizeof(extra);
		for (i = 0; i < 8; i++)
			extra[i] = take_number(in);
	}
	/* fake_send() believes the indices: only where they are good */
	if (ch.out->write_index < ch.out_size && ch.out->write_index % 8 == 0 &&
	    ch.out->read_index < ch.out_size && ch.out->read_index % 8 == 0)
		fake_send(&ch, extra_len ? VMBUS_WIRE_PKT_GPA_DIRECT :
			  type > 180 ? type : VMBUS_WIRE_PKT_INBAND,
			  take(in, 1) & 1, take_number(in), extra, extra_len,
			  words, n * 4);
}

/* What a guest may write at any moment: control words and data */
static void take_scribble(struct input *in)
{
	uint32_t *page = fake_ptr(&f, ring_gpa +
				  take(in, 1) % RING_PAGES * RAM_PAGE);
	uint32_t at = take(in, 1) % 20, n = 1 + take(in, 1) % 4;

	while (n--)
		page[at++] = take_number(in) * (take(in, 1) & 8 ? 8 : 1);
}

static void take_device_event(struct input *in)
{
	struct device *dev = take_device(in);

	if (take(in, 1) & 1)
		device_rescind(dev);
	else
		device_offer(dev);
}

/* A guest takes its messages, or lets them pile up */
static void take_slots(void)
{
	uint32_t vp;

	for (vp = 0; vp < FAKE_VPS; vp++)
		__atomic_store_n(&f.host.guest.vp[vp].slot->type, 0,
				 __ATOMIC_SEQ_CST);
}

static void step(struct input *in)
{
	struct bus *bus = &f.host.bus;

	switch (take(in, 1) % 16) {
	case 0:
		take_contact(in);
		break;
	case 1:
		ask_offers();
		break;
	case 2:
	case 3:
		take_gpadl(in);
		break;
	case 4:
	case 5:
		take_open(in);
		break;
	case 6:
		take_message(in, VMBUS_WIRE_CLOSE);
		break;
	case 7:
		take_message(in, VMBUS_WIRE_GPADL_TEARDOWN);
		break;
	case 8:
		take_message(in, take_number(in));
		break;
	case 9:
		take_bytes(in);
		break;
	case 10:
	case 11:
		take_packet(in);
		break;
	case 12:
		take_scribble(in);
		break;
	case 13:
		bus_signal(bus, GUEST_FIRST_CONN_ID + take_relid(in));
		break;
	case 14:
		take_device_event(in);
		break;
	case 15:
		take_slots();
		break;
	}
	bus->poller.poll(&bus->poller);
	bus_settle(bus);
}

/* Nothing is left of a guest, and the next one is served */
static void begin_anew(void)
{
	struct guest *g = &f.host.guest;
	struct bus *bus = &f.host.bus;
	struct device *dev;
	uint32_t i;

	bus_reset(bus, "the end of the input");
	g->broken = false;
	for (i = 0; i < VMBUS_WIRE_MAX_RELIDS; i++)
		must(!bus->relid[i]);
	must(!bus->gpadls.count && !bus->gpadls.first && !g->queue);
	take_slots();
	memset(fake_ptr(&f, ring_gpa), 0, RING_PAGES * RAM_PAGE);
	for (dev = bus->devices; dev; dev = dev->next) {
		must(!dev->rescinding && !dev->channels[0]);
		device_offer(dev);
	}
	contact(VMBUS_WIRE_V5_3, 0);
	must(bus->version == VMBUS_WIRE_V5_3 && guest_usable(g));
}

static void stop(void)
{
	fake_stop(&f);
}

static void start(void)
{
	static const char *const devices[] = {
		"--test-device", "--keyboard", "--scsi", "c0,subchannels=2",
		NULL
	};

	must(!log_set_level("error") && !log_open("/dev/null"));
	must(fake_start(&f, devices) && fake_up(&f));
	ring_gpa = fake_pages(&f, RING_PAGES + 16);
	atexit(stop);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	unsigned int steps = 0;

	if (!f.ram)
		start();
	begin_anew();
	if (take(&in, 1) < 240)
		ask_offers();
	while (in.left && steps++ < MAX_STEPS && guest_usable(&f.host.guest))
		step(&in);
	begin_anew();
	return 0;
}
