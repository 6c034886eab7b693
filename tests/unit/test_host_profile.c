// SPDX-License-Identifier: GPL-2.0-only
/* What kinds of host (--like) differ in: the bus */
#include <string.h>

#include "channel.h"
#include "fake_guest.h"
#include "tap.h"

static struct fake_guest f;
static struct fake_channel ch;
static struct synthio_test_rsp rsp;
static uint64_t msg[VMBUS_WIRE_MSG_PAYLOAD / 8];

static void start(const char *kind, const char *ms)
{
	const char *options[] = { "--test-device", "--like", kind,
				  ms ? "--subchannel-ms" : NULL, ms, NULL };

	CHECK(fake_start(&f, options), "start");
	CHECK(fake_up(&f), "up");
	CHECK(f.offer_count == 1, "%u offers", f.offer_count);
	CHECK(!fake_open(&f, &f.offers[0], 4, &ch), "open");
}

/* Messages until there are none: how many of this type */
static unsigned int count(uint32_t wanted)
{
	unsigned int n = 0;
	uint32_t type;

	while ((type = fake_take(&f, msg))) {
		n += type == wanted;
		fake_run(&f, 1);
	}
	return n;
}

static void modify_and_close(const char *kind, unsigned int answers)
{
	struct vmbus_wire_modify m = {
		.header.msgtype = VMBUS_WIRE_MODIFY,
		.target_vp = 1,
	};
	struct vmbus_wire_relid c = { .header.msgtype = VMBUS_WIRE_CLOSE };

	start(kind, NULL);
	CHECK_OK();
	m.child_relid = ch.relid;
	c.child_relid = ch.relid;
	fake_post(&f, f.conn_id, &m, sizeof(m));
	fake_post_run(&f, &c, sizeof(c));
	fake_run(&f, 20);
	CHECK(count(VMBUS_WIRE_MODIFY_RESPONSE) == answers, "answers");
	CHECK(!f.host.guest.broken, "%s", f.host.guest.why);
	fake_stop(&f);
}

static void test_modify(void)
{
	modify_and_close("hyperv", 0);
	CHECK_OK();
	modify_and_close("openvmm", 0);
	CHECK_OK();
	modify_and_close("lenient", 1);
}

static void rescind_and_offer(const char *kind, unsigned int beside)
{
	struct device *dev;

	start(kind, NULL);
	CHECK_OK();
	dev = f.host.bus.devices;
	CHECK(!device_rescind(dev) && !device_offer(dev), "first");
	fake_run(&f, 1);
	CHECK(count(VMBUS_WIRE_OFFER) == beside, "before its release");
	if (beside) {
		/* and again, though nobody has released anything */
		CHECK(!device_rescind(dev) && !device_offer(dev), "second");
		fake_run(&f, 1);
		CHECK(count(VMBUS_WIRE_OFFER) == 1, "a third relid");
	}
	CHECK(!f.host.guest.broken, "%s", f.host.guest.why);
	fake_stop(&f);
}

static void test_offers_beside(void)
{
	rescind_and_offer("hyperv", 1);
	CHECK_OK();
	rescind_and_offer("openvmm", 1);
	CHECK_OK();
	rescind_and_offer("lenient", 0);
}

static void test_subchannels(void)
{
	struct vmbus_wire_relid c = { .header.msgtype = VMBUS_WIRE_CLOSE };
	unsigned int n = 0;

	start("hyperv", NULL);
	CHECK_OK();
	CHECK(f.host.bus.profile->bus.subchannel_ms, "late");
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 3, 0, NULL, 0,
			    &rsp), "three");
	while (f.host.bus.devices->subs.fired && n < 3) {
		fake_run(&f, 10);
		n += count(VMBUS_WIRE_OFFER);
	}
	CHECK(n == 3, "%u come", n);
	fake_stop(&f);

	start("lenient", NULL);
	CHECK_OK();
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 3, 0, NULL, 0,
			    &rsp), "three");
	CHECK(count(VMBUS_WIRE_OFFER) == 3, "all at once");
	fake_stop(&f);

	/* what comes later than the guest stays is not offered at all */
	start("hyperv", "600000");
	CHECK_OK();
	CHECK(!fake_request(&f, &ch, SYNTHIO_TEST_SUBCHANNELS, 3, 0, NULL, 0,
			    &rsp), "three");
	CHECK(!count(VMBUS_WIRE_OFFER), "at once");
	CHECK(f.host.bus.devices->subs_due == 3, "due");
	c.child_relid = ch.relid;
	fake_post_run(&f, &c, sizeof(c));
	CHECK(!f.host.bus.devices->subs_due, "after the close");
	fake_stop(&f);
}

/* Unloads, does not look at the answer, and begins anew on the same pages */
static void leave_answer(const char *kind, bool overlay)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_UNLOAD };

	start(kind, NULL);
	CHECK_OK();
	fake_post_run(&f, &m, sizeof(m));
	CHECK(f.slot->type == VMBUS_WIRE_MSG_CHANNEL, "answered");
	CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) == SYNTHIO_OK, "detach");
	memset(f.slot, 0, sizeof(*f.slot));
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(!!f.slot->type == overlay, "type %u", f.slot->type);
	if (!overlay)
		goto out;
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_UNLOAD_RESPONSE, "the old one");
	CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) == SYNTHIO_OK, "detach");
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(!fake_take(&f, msg), "once");
out:
	fake_stop(&f);
}

static void test_overlay(void)
{
	leave_answer("hyperv", true);
	CHECK_OK();
	leave_answer("openvmm", true);
	CHECK_OK();
	leave_answer("lenient", false);
}

/* A machine that was reset has nothing in its slots */
static void test_overlay_reset(void)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_UNLOAD };

	start("hyperv", NULL);
	CHECK_OK();
	fake_post_run(&f, &m, sizeof(m));
	CHECK(fake_command(&f, SYNTHIO_CMD_DETACH) == SYNTHIO_OK, "detach");
	guest_machine_reset(&f.host.guest, "test");
	memset(f.slot, 0, sizeof(*f.slot));
	CHECK(fake_command(&f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK, "attach");
	CHECK(!fake_take(&f, msg), "left over");
	fake_stop(&f);
}

int main(void)
{
	log_open("/dev/null");
	tap_test("kinds of host: modify-channel and a close", test_modify);
	tap_test("kinds of host: rescind and offer at once", test_offers_beside);
	tap_test("kinds of host: sub-channels come late", test_subchannels);
	tap_test("kinds of host: what is left in a slot", test_overlay);
	tap_test("kinds of host: a reset leaves nothing", test_overlay_reset);
	return tap_done();
}
