// SPDX-License-Identifier: GPL-2.0-only
/* The bootstrap handshake and channel messages, right and wrong */
#include <string.h>

#include "channel.h"
#include "fake_guest.h"
#include "tap.h"

static struct fake_guest f;
static uint64_t msg[VMBUS_WIRE_MSG_PAYLOAD / 8];

static const char *const two_devices[] = { "--test-device", "--keyboard",
					   NULL };

static void start(void)
{
	CHECK(fake_start(&f, two_devices), "start");
	fake_fill_boot(&f);
}

static void start_up(void)
{
	CHECK(fake_start(&f, two_devices), "start");
	CHECK(fake_up(&f), "up");
}

/* The offer of the test device */
static const struct vmbus_wire_offer *test_offer(void)
{
	static const struct host_guid test =
		HOST_GUID(0x5f1c5a0e, 0x7d6b, 0x4b5e, 0x9a, 0x3e,
			  0x6d, 0x0f, 0x2a, 0x5c, 0x7e, 0x11);
	unsigned int i;

	for (i = 0; i < f.offer_count; i++) {
		if (!memcmp(&f.offers[i].if_type, &test, sizeof(test)))
			return &f.offers[i];
	}
	return NULL;
}

static void test_bootstrap(void)
{
	start();
	CHECK_OK();
	CHECK(f.vectors == 2, "%u vectors", f.vectors);
	CHECK(f.boot->magic == SYNTHIO_MAGIC && f.boot->abi_version == 1 &&
	      f.boot->host_vectors == 1 && f.boot->generation == 1 &&
	      !f.boot->features && !f.boot->ack_seq, "bootstrap");
	CHECK(f.boot->aperture_offset + f.boot->aperture_size == 16 << 20,
	      "aperture");
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(f.host.guest.attached, "attached");
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "again");
	CHECK(fake_command(&f, 7) == SYNTHIO_ERR_COMMAND, "command 7");
	CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) == SYNTHIO_OK, "detach");
	CHECK(!f.host.guest.attached && !f.host.guest.control, "detached");
	CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) == SYNTHIO_OK, "twice");
	fake_stop(&f);
}

/* Each of these alone makes the host refuse, and later accept again */
static void test_bad_attach(void)
{
	start();
	CHECK_OK();
#define REFUSED(field, bad, expect) do {				\
	__typeof__(f.boot->field) good = f.boot->field;			\
	int status;							\
									\
	f.boot->field = (bad);						\
	status = fake_command(&f, SYNTHIO_CMD_ATTACH);			\
	CHECK(status == (expect), #field " = " #bad ": %d", status);	\
	CHECK(!f.host.guest.attached, #field);				\
	f.boot->field = good;						\
} while (0)
	REFUSED(guest_abi_version, 0, SYNTHIO_ERR_ABI);
	REFUSED(guest_abi_version, 2, SYNTHIO_ERR_ABI);
	REFUSED(guest_features, 1, SYNTHIO_ERR_ABI);
	REFUSED(nr_vps, 0, SYNTHIO_ERR_COUNT);
	REFUSED(nr_vps, SYNTHIO_MAX_VPS + 1, SYNTHIO_ERR_COUNT);
	REFUSED(nr_vps, 0xffffffff, SYNTHIO_ERR_COUNT);
	REFUSED(nr_vps, FAKE_VPS + 1, SYNTHIO_ERR_GPA);
	REFUSED(nr_vectors, 0, SYNTHIO_ERR_COUNT);
	REFUSED(nr_vectors, FAKE_VECTORS + 1, SYNTHIO_ERR_COUNT);
	REFUSED(guest_peer, 0, SYNTHIO_ERR_COUNT);
	REFUSED(nr_cookies, 0, SYNTHIO_ERR_COUNT);
	REFUSED(nr_cookies, SYNTHIO_MAX_COOKIES + 1, SYNTHIO_ERR_COUNT);
	REFUSED(cookies[0].value, 1, SYNTHIO_ERR_COOKIE);
	REFUSED(cookies[0].gpa, f.boot->cookies[0].gpa + 4, SYNTHIO_ERR_GPA);
	REFUSED(cookies[0].gpa, FAKE_RAM_BASE + FAKE_RAM_SIZE,
		SYNTHIO_ERR_GPA);
	REFUSED(control_gpa, 0, SYNTHIO_ERR_GPA);
	REFUSED(control_gpa, f.boot->control_gpa + 64, SYNTHIO_ERR_GPA);
	REFUSED(post_gpa, FAKE_RAM_BASE - RAM_PAGE, SYNTHIO_ERR_GPA);
	REFUSED(signal_gpa, UINT64_MAX - RAM_PAGE + 1, SYNTHIO_ERR_GPA);
	REFUSED(vps[FAKE_VPS - 1].message_gpa, 0, SYNTHIO_ERR_GPA);
	REFUSED(vps[FAKE_VPS - 1].event_gpa,
		FAKE_RAM_BASE + FAKE_RAM_SIZE, SYNTHIO_ERR_GPA);
	REFUSED(vps[0].event_gpa, 1, SYNTHIO_ERR_GPA);
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "at last");
	fake_stop(&f);
}

static void test_versions(void)
{
	static const uint32_t good[] = {
		VMBUS_WIRE_V2_4, VMBUS_WIRE_V3_0, VMBUS_WIRE_V4_0,
		VMBUS_WIRE_V4_1, VMBUS_WIRE_V5_0, VMBUS_WIRE_V5_1,
		VMBUS_WIRE_V5_2, VMBUS_WIRE_V5_3,
	};
	static const uint32_t bad[] = {
		0, 13, VMBUS_WIRE_VERSION(1, 1), VMBUS_WIRE_VERSION(2, 3),
		VMBUS_WIRE_VERSION(4, 2), VMBUS_WIRE_VERSION(5, 4),
		VMBUS_WIRE_V6_0, 0xffffffff,
	};
	unsigned int i;

	start();
	CHECK_OK();
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		CHECK(fake_contact(&f, good[i]) == 1, "0x%x", good[i]);
		CHECK(f.conn_id == (good[i] < VMBUS_WIRE_V5_0 ? 1 : 6),
		      "connection id %u", f.conn_id);
		/* an initiate-contact voids what the last one set up */
		CHECK(fake_request_offers(&f) && f.offer_count == 2,
		      "offers with 0x%x", good[i]);
	}
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		CHECK(fake_contact(&f, bad[i]) == 0, "0x%x", bad[i]);
		CHECK(!f.host.bus.version, "no connection");
	}
	fake_stop(&f);
}

static void test_max_version(void)
{
	static const char *const old[] = { "--max-version", "4.1", NULL };
	static const char *const new[] = { "--max-version", "6.0", NULL };

	CHECK(fake_start(&f, old), "start");
	fake_fill_boot(&f);
	fake_command(&f, SYNTHIO_CMD_ATTACH);
	CHECK(fake_contact(&f, VMBUS_WIRE_V5_0) == 0, "5.0");
	CHECK(fake_contact(&f, VMBUS_WIRE_V4_1) == 1, "4.1");
	fake_stop(&f);
	CHECK(fake_start(&f, new), "start");
	fake_fill_boot(&f);
	fake_command(&f, SYNTHIO_CMD_ATTACH);
	CHECK(fake_contact(&f, VMBUS_WIRE_V6_0) == 1, "6.0");
	fake_stop(&f);
}

static void test_offers(void)
{
	struct vmbus_wire_guid first = { { 0 } };
	unsigned int i, order = 0;

	start_up();
	CHECK_OK();
	CHECK(f.offer_count == 2, "%u offers", f.offer_count);
	for (i = 0; i < 2; i++) {
		const struct vmbus_wire_offer *o = &f.offers[i];

		CHECK(o->child_relid && o->connection_id < 32768 &&
		      o->is_dedicated_interrupt == 1 &&
		      !o->monitor_allocated && !o->sub_channel_index,
		      "offer %u", i);
	}
	CHECK(f.offers[0].child_relid != f.offers[1].child_relid, "relids");
	first = test_offer()->if_instance;
	for (i = 0; i < 40; i++) {
		CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == 1, "contact");
		CHECK(fake_request_offers(&f) && test_offer(), "offers");
		CHECK(!memcmp(&test_offer()->if_instance, &first,
			      sizeof(first)), "the instance stays");
		order |= test_offer() == &f.offers[0] ? 1 : 2;
	}
	CHECK(order == 3, "always in the same order");
	fake_stop(&f);
}

/* Run one wrong message against a host that is up; it must disconnect us */
static void wrong(const void *m, uint32_t len, const char *why)
{
	start_up();
	CHECK_OK();
	fake_post_run(&f, m, len);
	CHECK(fake_broken(&f, why), "'%s' is not '%s'", f.host.guest.why,
	      why);
	/* it is not heard any more, but may start anew */
	CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == -1, "still heard");
	fake_fill_boot(&f);
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == 1, "contact");
	fake_stop(&f);
}

static void test_message_lengths(void)
{
	static const struct {
		uint32_t type, size;
	} kinds[] = {
		{ VMBUS_WIRE_OPEN, 148 }, { VMBUS_WIRE_CLOSE, 12 },
		{ VMBUS_WIRE_GPADL_HEADER, 20 }, { VMBUS_WIRE_GPADL_BODY, 16 },
		{ VMBUS_WIRE_GPADL_TEARDOWN, 16 },
		{ VMBUS_WIRE_RELID_RELEASED, 12 }, { VMBUS_WIRE_MODIFY, 16 },
		{ VMBUS_WIRE_TL_CONNECT, 40 },
	};
	unsigned int i;

	memset(msg, 0, sizeof(msg));
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		msg[0] = kinds[i].type;
		wrong(msg, kinds[i].size - 1, "it needs");
		CHECK_OK();
		wrong(msg, 8, "it needs");
		CHECK_OK();
	}
	msg[0] = VMBUS_WIRE_REQUEST_OFFERS;
	wrong(msg, 7, "no such message");
	CHECK_OK();
	wrong(msg, 0, "no such message");
	CHECK_OK();
	wrong(msg, 241, "at most 240");
	CHECK_OK();
	wrong(msg, 0xffffffff, "at most 240");
	CHECK_OK();
	wrong(msg, 8, "requested twice");
}

static void test_message_types(void)
{
	static const uint32_t types[] = { 0, 1, 2, 4, 6, 10, 12, 15, 17, 18,
					  19, 20, 23, 24, 25, 0xffffffff };
	unsigned int i;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		memset(msg, 0, sizeof(msg));
		msg[0] = types[i];
		wrong(msg, 240, "no such message");
		CHECK_OK();
	}
}

static void test_relids(void)
{
	static const uint32_t types[] = {
		VMBUS_WIRE_OPEN, VMBUS_WIRE_CLOSE, VMBUS_WIRE_GPADL_HEADER,
		VMBUS_WIRE_GPADL_TEARDOWN, VMBUS_WIRE_RELID_RELEASED,
		VMBUS_WIRE_MODIFY,
	};
	static const uint32_t relids[] = { 0, 100, 2047, 2048, 0xffffffff };
	unsigned int i, j;

	for (i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		for (j = 0; j < sizeof(relids) / sizeof(relids[0]); j++) {
			memset(msg, 0, sizeof(msg));
			msg[0] = types[i];
			msg[1] = relids[j];
			wrong(msg, 240, "not offered");
			CHECK_OK();
		}
	}
}

static void test_contact_fields(void)
{
	static const struct vmbus_wire_initiate_contact good = {
		.header.msgtype = VMBUS_WIRE_INITIATE_CONTACT,
		.version = VMBUS_WIRE_V5_3,
		.msg_sint = 2,
	};
	struct vmbus_wire_initiate_contact m;

#define CONTACT(id, change, why) do {					\
	m = good;							\
	change;								\
	start();							\
	CHECK_OK();							\
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == 0, "attach");	\
	f.conn_id = id;							\
	fake_post_run(&f, &m, sizeof(m));				\
	CHECK(fake_broken(&f, why), "%s", why);				\
	fake_stop(&f);							\
} while (0)
	CONTACT(1, (void)0, "on connection id 1");
	CONTACT(6, (void)0, "on connection id 6");
	CONTACT(4, m.version = VMBUS_WIRE_V4_1, "on connection id 4");
	CONTACT(4, m.target_vcpu = FAKE_VPS, "messages on VP 3 of 3");
	CONTACT(4, m.target_vcpu = 0xffffffff, "messages on VP");
	CONTACT(4, m.msg_sint = 3, "SINT 3");
	CONTACT(4, m.msg_vtl = 1, "VTL 1");
	CONTACT(4, m.monitor_page1 = 4096, "outside RAM");
	CONTACT(4, m.monitor_page2 = UINT64_MAX, "outside RAM");
	CONTACT(1, (m.version = VMBUS_WIRE_V4_0, m.msg_sint = 8),
		"outside RAM");
}

static void test_connection_id(void)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_REQUEST_OFFERS };

	start();
	CHECK_OK();
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(fake_contact(&f, VMBUS_WIRE_V5_3) == 1, "contact");
	f.conn_id = 4;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "the version response said 6"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
	start();
	CHECK_OK();
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "without a connection"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
}

static void test_post_queue(void)
{
	start_up();
	CHECK_OK();
	f.control->post_prod += SYNTHIO_POST_SLOTS + 1;
	fake_signal(&f, &(struct fake_channel){ .conn_id = 0x1000 });
	fake_run(&f, 5);
	CHECK(fake_broken(&f, "post_prod is 17 ahead"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
	start_up();
	CHECK_OK();
	f.posts[f.control->post_prod % SYNTHIO_POST_SLOTS].message_type = 2;
	f.posts[f.control->post_prod % SYNTHIO_POST_SLOTS].payload_size = 8;
	f.control->post_prod++;
	fake_signal(&f, &(struct fake_channel){ .conn_id = 0x1000 });
	fake_run(&f, 5);
	CHECK(fake_broken(&f, "of type 2"), "%s", f.host.guest.why);
	fake_stop(&f);
}

static void test_open_fields(void)
{
	static const struct vmbus_wire_open good = {
		.header.msgtype = VMBUS_WIRE_OPEN,
		.downstream_page = 4,
		.openid = 77,
	};
	struct vmbus_wire_open m;
	uint32_t one_page, handle;
	uint64_t gpa;

#define OPEN(change, reason) do {					\
	start_up();							\
	CHECK_OK();							\
	gpa = fake_pages(&f, 8);					\
	handle = fake_gpadl(&f, test_offer()->child_relid, gpa, 8);	\
	one_page = fake_gpadl(&f, test_offer()->child_relid, gpa, 1);	\
	CHECK(handle && one_page, "GPADLs");				\
	m = good;							\
	m.child_relid = test_offer()->child_relid;			\
	m.ring_gpadl = handle;						\
	change;								\
	fake_post_run(&f, &m, sizeof(m));				\
	CHECK(fake_broken(&f, reason), "'%s' is not '%s'",		\
	      f.host.guest.why, reason);				\
	fake_stop(&f);							\
} while (0)
	OPEN(m.ring_gpadl = 0, "GPADL does not exist");
	OPEN(m.ring_gpadl = 0x999, "GPADL does not exist");
	OPEN(m.child_relid = f.offers[0].child_relid == m.child_relid ?
	     f.offers[1].child_relid : f.offers[0].child_relid,
	     "another channel's");
	OPEN(m.downstream_page = 0, "downstream page");
	OPEN(m.downstream_page = 8, "downstream page");
	OPEN(m.downstream_page = 0xffffffff, "downstream page");
	OPEN(m.downstream_page = 1, "control page and data");
	OPEN(m.downstream_page = 7, "control page and data");
	OPEN(m.ring_gpadl = one_page, "downstream page");
	OPEN(m.target_vp = FAKE_VPS, "target VP");
	OPEN(m.target_vp = 0xffffffff, "target VP");
	OPEN(*(uint32_t *)fake_ptr(&f, gpa) = 12, "lies outside");
	OPEN(((uint32_t *)fake_ptr(&f, gpa))[1] = 4096 * 3, "lies outside");
	OPEN(*(uint32_t *)fake_ptr(&f, gpa + 4 * RAM_PAGE) = 0x80000000,
	     "lies outside");
	OPEN((fake_post(&f, f.conn_id, &m, sizeof(m))), "it is open");
}

/* A ring's GPADL: one range, offset 0, whole pages */
static void test_ring_gpadl(void)
{
	struct {
		struct vmbus_wire_gpadl_header h;
		uint32_t bytes, offset;
		uint64_t pfn[4];
	} __attribute__((packed)) m = {
		.h = { { VMBUS_WIRE_GPADL_HEADER, 0 }, 0, 0x55, 40, 1 },
	};
	struct vmbus_wire_open open = {
		.header.msgtype = VMBUS_WIRE_OPEN,
		.ring_gpadl = 0x55,
		.downstream_page = 2,
	};
	uint64_t pfn;
	int i, j;

	for (i = 0; i < 2; i++) {
		start_up();
		CHECK_OK();
		pfn = fake_pages(&f, 4) / RAM_PAGE;
		for (j = 0; j < 4; j++)
			m.pfn[j] = pfn + j;
		m.bytes = 4 * RAM_PAGE - 8;
		m.offset = i ? 8 : 0;
		m.h.child_relid = test_offer()->child_relid;
		open.child_relid = m.h.child_relid;
		fake_post_run(&f, &m, sizeof(m));
		CHECK(fake_take(&f, msg) == VMBUS_WIRE_GPADL_CREATED,
		      "such a GPADL may be for data");
		fake_post_run(&f, &open, sizeof(open));
		CHECK(fake_broken(&f, "not one range of whole pages"), "%s",
		      f.host.guest.why);
		fake_stop(&f);
	}
}

static void test_gpadl_errors(void)
{
	struct vmbus_wire_gpadl_teardown t = {
		.header.msgtype = VMBUS_WIRE_GPADL_TEARDOWN,
		.gpadl = 0x999,
	};
	struct fake_channel ch;

	start_up();
	CHECK_OK();
	CHECK(!fake_gpadl(&f, test_offer()->child_relid,
			  FAKE_RAM_BASE + FAKE_RAM_SIZE - RAM_PAGE, 2),
	      "page behind RAM");
	CHECK(fake_broken(&f, "not in guest RAM"), "%s", f.host.guest.why);
	fake_stop(&f);

	start_up();
	CHECK_OK();
	t.child_relid = test_offer()->child_relid;
	fake_post_run(&f, &t, sizeof(t));
	CHECK(fake_broken(&f, "does not exist"), "%s", f.host.guest.why);
	fake_stop(&f);

	start_up();
	CHECK_OK();
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open");
	t.child_relid = ch.relid;
	t.gpadl = ch.gpadl;
	fake_post_run(&f, &t, sizeof(t));
	CHECK(fake_broken(&f, "ring of an open channel"), "%s",
	      f.host.guest.why);
	fake_stop(&f);
}

static void test_big_gpadl(void)
{
	uint32_t handle;

	start_up();
	CHECK_OK();
	handle = fake_gpadl(&f, test_offer()->child_relid,
			    FAKE_RAM_BASE, 1000);
	CHECK(handle, "1000 pages");
	fake_stop(&f);
}

static void test_close_order(void)
{
	struct vmbus_wire_relid m = { .header.msgtype = VMBUS_WIRE_CLOSE };
	struct fake_channel ch;

	start_up();
	CHECK_OK();
	m.child_relid = test_offer()->child_relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "which is not open"), "%s", f.host.guest.why);
	fake_stop(&f);

	start_up();
	CHECK_OK();
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open");
	CHECK(fake_close(&f, &ch), "close");
	CHECK(!f.host.bus.gpadls.count, "no GPADL is left");
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open again");
	m.header.msgtype = VMBUS_WIRE_RELID_RELEASED;
	m.child_relid = ch.relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "which is open"), "%s", f.host.guest.why);
	fake_stop(&f);
}

static void test_modify(void)
{
	struct vmbus_wire_modify m = {
		.header.msgtype = VMBUS_WIRE_MODIFY,
		.target_vp = 2,
	};
	struct fake_channel ch;

	start_up();
	CHECK_OK();
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open");
	m.child_relid = ch.relid;
	fake_post_run(&f, &m, sizeof(m));
	fake_run(&f, 10);
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_MODIFY_RESPONSE, "answer");
	CHECK(f.host.bus.relid[ch.relid]->target_vp == 2, "moved");
	fake_post(&f, f.conn_id, &m, sizeof(m));
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "second modify-channel"), "%s",
	      f.host.guest.why);
	fake_stop(&f);

	start_up();
	CHECK_OK();
	m.child_relid = test_offer()->child_relid;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "not open"), "%s", f.host.guest.why);
	fake_stop(&f);

	start_up();
	CHECK_OK();
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open");
	m.child_relid = ch.relid;
	m.target_vp = FAKE_VPS;
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_broken(&f, "to VP 3 of 3"), "%s", f.host.guest.why);
	fake_stop(&f);
}

static void test_unload(void)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_UNLOAD };
	struct vmbus_wire_relid late = {
		.header.msgtype = VMBUS_WIRE_RELID_RELEASED,
		.child_relid = 1,
	};
	struct fake_channel ch;

	start_up();
	CHECK_OK();
	CHECK(!fake_open(&f, test_offer(), 4, &ch), "open");
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_UNLOAD_RESPONSE, "answer");
	CHECK(!f.host.bus.version && !f.host.bus.gpadls.count, "reset");
	fake_post_run(&f, &late, sizeof(late));
	CHECK(!f.host.guest.broken, "a late release is no error");
	CHECK(fake_contact(&f, VMBUS_WIRE_V4_0) == 1, "contact");
	CHECK(fake_request_offers(&f) && f.offer_count == 2, "offers");
	fake_stop(&f);
}

static void test_hvsock(void)
{
	struct vmbus_wire_tl_connect m = {
		.header.msgtype = VMBUS_WIRE_TL_CONNECT,
		.guest_endpoint = { { 1, 2, 3 } },
	};
	struct vmbus_wire_tl_connect_result *rsp = (void *)msg;

	start_up();
	CHECK_OK();
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_TL_CONNECT_RESULT, "answer");
	CHECK(rsp->status == VMBUS_WIRE_STATUS_REFUSED &&
	      rsp->guest_endpoint.b[1] == 2, "refused");
	fake_stop(&f);
}

static void test_message_flood(void)
{
	struct vmbus_wire_tl_connect m = {
		.header.msgtype = VMBUS_WIRE_TL_CONNECT,
	};
	unsigned int i;

	start_up();
	CHECK_OK();
	for (i = 0; i < GUEST_MAX_QUEUED + 40 && !f.host.guest.broken; i++) {
		fake_post(&f, f.conn_id, &m, sizeof(m));
		if (i % SYNTHIO_POST_SLOTS == SYNTHIO_POST_SLOTS - 1)
			fake_run(&f, 1);
	}
	fake_run(&f, 5);
	CHECK(fake_broken(&f, "messages lying"), "%u", i);
	fake_stop(&f);
}

static void test_heartbeat(void)
{
	uint32_t before;

	start_up();
	CHECK_OK();
	before = f.control->heartbeat;
	fake_run(&f, 1000);
	CHECK(f.control->heartbeat > before, "it beats");
	memset(msg, 0, sizeof(msg));
	fake_post_run(&f, msg, 8);
	CHECK(f.host.guest.broken, "broken");
	before = f.control->heartbeat;
	fake_run(&f, 1000);
	CHECK(f.control->heartbeat == before, "it beats for nobody");
	fake_stop(&f);
}

int main(void)
{
	log_open("/dev/null");
	tap_test("bootstrap", test_bootstrap);
	tap_test("attach with a bad field", test_bad_attach);
	tap_test("versions", test_versions);
	tap_test("--max-version", test_max_version);
	tap_test("offers", test_offers);
	tap_test("lengths of messages", test_message_lengths);
	tap_test("types of messages", test_message_types);
	tap_test("relids that are not offered", test_relids);
	tap_test("fields of initiate-contact", test_contact_fields);
	tap_test("connection ids of messages", test_connection_id);
	tap_test("post queue", test_post_queue);
	tap_test("fields of open", test_open_fields);
	tap_test("GPADL of a ring", test_ring_gpadl);
	tap_test("GPADL errors", test_gpadl_errors);
	tap_test("GPADL of many messages", test_big_gpadl);
	tap_test("order of close and release", test_close_order);
	tap_test("modify-channel", test_modify);
	tap_test("unload", test_unload);
	tap_test("hvsock is refused", test_hvsock);
	tap_test("messages that are not taken", test_message_flood);
	tap_test("heartbeat", test_heartbeat);
	return tap_done();
}
