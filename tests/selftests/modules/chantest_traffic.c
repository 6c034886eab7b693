// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: packets each way, one by one and many at once, and the signals
 * that go with them.
 */
#include <linux/delay.h>
#include <linux/hyperv.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <synthio/testdev.h>

#include "chantest.h"

#define CT_BLOCK_SIZE		4096u
#define CT_BLOCK_BYTES		(512u << 10)	/* more than a host queues */

static int cmd_echo(struct ct_device *dev, struct ct_args *a)
{
	u32 size, count, i;
	int ret;

	ret = ct_number(a, 1, 100, &size) ?: ct_number(a, 2, 1, &count);
	for (i = 0; !ret && i < count; i++)
		ret = ct_echo_one(dev, dev->primary, size);
	return ret;
}

static int cmd_sizes(struct ct_device *dev, struct ct_args *a)
{
	u32 size, step, n = 0;
	int ret;

	ret = ct_number(a, 1, 1, &step);
	if (!ret && !step)
		return -EINVAL;
	for (size = 0; !ret && size <= CT_MAX_DATA;
	     size += size < 64 ? 1 : step) {
		ret = ct_echo_one(dev, dev->primary, size);
		if (ret)
			ct_say("at %u bytes\n", size);
		n++;
	}
	ct_say("%u sizes\n", n);
	return ret;
}

/* Many echoes at once: the ring and the requestor fill up both ways */
static int cmd_flood(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	u32 count, size, window, i, waits = 0;
	u64 seq, trans;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 200, &size);
	if (ret)
		return ret;
	if (size < 8 || size > CT_MAX_DATA)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_ECHO, 0, 0, size);
	if (!req)
		return -ENOMEM;
	/* the host gives up on an echo for which its own ring has no room */
	window = max(dev->ring / 2 / (ALIGN(size, 8) + 128), 1u);
	ct_expect(c, EXPECT_SERIES, size, 0, true);
	for (i = 0; i < count && !ret; i++) {
		if (i >= window)
			ret = ct_wait_counts(dev, c, i - window + 1,
					     i - window + 1);
		if (ret)
			break;
		seq = i;
		memcpy(req->data, &seq, sizeof(seq));
		ct_fill(req->data + 8, size - 8, seq);
		ret = ct_send(dev, c, req, sizeof(*req) + size,
			      CT_ID_SERIES + i, &trans, true, &waits);
	}
	if (ret)
		ct_say("packet %u: %d\n", i, ret);
	else
		ret = ct_wait_counts(dev, c, count, count);
	ct_say("%u packets, ring full %u times\n", count, waits);
	kvfree(req);
	return ret;
}

static int cmd_source(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	u32 count, size, stall;
	u64 full = c->vc->intr_in_full;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 1000, &size) ?:
	      ct_number(a, 3, 0, &stall);
	if (ret)
		return ret;
	if (size < 8 || size > CT_MAX_DATA || stall > 5000)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_SOURCE, count, size, 0);
	if (!req)
		return -ENOMEM;
	ct_expect(c, EXPECT_SERIES, size, 0, false);
	if (stall)
		ct_pause(c, true);
	ret = ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, true, NULL);
	if (stall) {
		msleep(stall);
		ct_pause(c, false);
	}
	if (ret)
		ct_say("send: %d\n", ret);
	else
		ret = ct_wait_counts(dev, c, count, 1);
	if (!ret)
		ret = ct_check_rsp(c, SYNTHIO_TEST_SOURCE);
	ct_say("%u packets, host told of room %llu times\n", c->received,
	       c->vc->intr_in_full - full);
	kvfree(req);
	return ret;
}

/*
 * Have the host stop reading: it is to send more than the ring and its own queue
 * hold, and does nothing else before it has. Returns how many packets will come, or an error.
 */
static int ct_block_host(struct ct_device *dev, struct ct_channel *c,
			 struct synthio_test_req *req)
{
	unsigned long end = jiffies + msecs_to_jiffies(ct_timeout_ms);
	int ret;

	req->op = SYNTHIO_TEST_SOURCE;
	req->arg0 = (dev->ring + CT_BLOCK_BYTES) / CT_BLOCK_SIZE;
	req->arg1 = CT_BLOCK_SIZE;
	ct_expect(c, EXPECT_SERIES, CT_BLOCK_SIZE, 0, false);
	ct_block(c, true);
	ret = ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, false,
		      NULL);
	/* taken, and our ring as good as full? */
	while (!ret && (hv_get_bytes_to_read(&c->vc->outbound) ||
			hv_get_bytes_to_write(&c->vc->inbound) >
			2 * CT_BLOCK_SIZE)) {
		if (time_after(jiffies, end) || ct_dead(dev, c))
			ret = -ETIMEDOUT;
		usleep_range(500, 1000);
	}
	return ret ?: req->arg0;
}

/*
 * Packets to the host; it does not read them before the ring is full, or all
 * are sent, if that is asked for. Only the last one is completed, once all
 * before it were taken.
 */
static int ct_sink(struct ct_device *dev, u32 count, u32 size, bool block,
		   u32 *waits)
{
	struct ct_channel *c = dev->primary;
	struct synthio_test_req *req;
	int ret = 0, blocking = 0;
	u32 i;

	if (!count || size < 8 || size > CT_MAX_DATA)
		return -EINVAL;
	req = ct_request(SYNTHIO_TEST_SINK, 0, 0, size);
	if (!req)
		return -ENOMEM;
	ct_expect(c, EXPECT_NOTHING, 0, 0, false);
	if (block) {
		req->len = 0;
		blocking = ct_block_host(dev, c, req);
		ret = min(blocking, 0);
		req->op = SYNTHIO_TEST_SINK;
		req->len = size;
	}
	for (i = 0; i < count && !ret; i++) {
		memcpy(req->data, &c->sink_next, sizeof(c->sink_next));
		ct_fill(req->data + 8, size - 8, c->sink_next);
		ret = ct_send(dev, c, req, sizeof(*req) + size, CT_ID_SINGLE,
			      NULL, i == count - 1, waits);
		c->sink_next++;
	}
	ct_block(c, false);
	if (ret)
		ct_say("send of packet %u: %d\n", i, ret);
	else
		ret = ct_wait_counts(dev, c, blocking, 1);
	kvfree(req);
	return ret ?: ct_check_rsp(c, SYNTHIO_TEST_SINK);
}

static int cmd_sink(struct ct_device *dev, struct ct_args *a)
{
	bool block = a->n > 3 && !strcmp(a->v[3], "blocked");
	u32 count, size, waits = 0;
	int ret;

	ret = ct_number(a, 1, 1000, &count) ?: ct_number(a, 2, 1000, &size);
	ret = ret ?: ct_sink(dev, count, size, block, &waits);
	ct_say("%u packets, ring full %u times\n", count, waits);
	return ret;
}

/* stall MS: the host answers late, and nothing is lost */
static int cmd_stall(struct ct_device *dev, struct ct_args *a)
{
	ktime_t start = ktime_get();
	u32 ms;
	int ret;

	ret = ct_number(a, 1, 100, &ms) ?:
	      ct_call(dev, dev->primary, SYNTHIO_TEST_STALL, ms, 0, NULL, 0);
	if (!ret && ktime_ms_delta(ktime_get(), start) < ms) {
		ct_say("answered after %lld ms\n",
		       ktime_ms_delta(ktime_get(), start));
		ret = -ERANGE;
	}
	return ret;
}

static int cmd_stats(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	int ret = ct_call(dev, c, SYNTHIO_TEST_STATS, 0, 0, NULL, 0);

	if (ret)
		return ret;
	ct_say("host: in %llu out %llu signals_in %llu signals_out %llu filled %llu\n",
	       c->rsp.value[0], c->rsp.value[1], c->rsp.value[2],
	       c->rsp.value[3], c->rsp.value[4]);
	ct_say("guest: interrupts %llu sig_events %llu out_empty %llu ",
	       c->vc->interrupts, c->vc->sig_events, c->vc->intr_out_empty);
	ct_say("in_full %llu out_full %llu callbacks %u\n",
	       c->vc->intr_in_full, c->vc->out_full_total, c->callbacks);
	return 0;
}

struct ct_counts {
	u64 host[6];
	u64 interrupts;
	u64 in_full;
	u64 sig_events;
};

static int ct_counts(struct ct_device *dev, struct ct_counts *now)
{
	struct ct_channel *c = dev->primary;
	int ret = ct_call(dev, c, SYNTHIO_TEST_STATS, 0, 0, NULL, 0);

	memcpy(now->host, c->rsp.value, sizeof(now->host));
	now->interrupts = c->vc->interrupts;
	now->sig_events = c->vc->sig_events;
	now->in_full = c->vc->intr_in_full;
	return ret;
}

/*
 * Both rings are filled while nobody reads them: that is once that they stop
 * being empty, so one signal, whatever the number of packets.
 */
static int cmd_signals(struct ct_device *dev, struct ct_args *a)
{
	struct ct_channel *c = dev->primary;
	struct ct_counts before, after;
	struct synthio_test_req *req;
	u64 sent, heard, room, host_sent, host_filled;
	u32 count;
	int ret;

	ret = ct_number(a, 1, 50, &count) ?: ct_counts(dev, &before);
	if (ret)
		return ret;

	ret = ct_sink(dev, count, 64, true, NULL) ?: ct_counts(dev, &after);
	if (ret)
		return ret;
	sent = after.sig_events - before.sig_events;
	heard = after.host[2] - before.host[2];
	room = after.in_full - before.in_full;
	ct_say("to the host: %u packets, %llu signals sent, %llu of them for room, ",
	       count + 2, sent, room);
	ct_say("%llu heard, %llu needless\n", heard,
	       after.host[5] - before.host[5]);
	/* SOURCE, the packets, STATS; and room for what the host has to say */
	if (sent > 3 + room || heard > sent || after.host[5] != before.host[5]) {
		ct_say("that is too many\n");
		return -ERANGE;
	}

	before = after;
	ct_expect(c, EXPECT_SERIES, 64, 0, false);
	ct_pause(c, true);
	req = ct_request(SYNTHIO_TEST_SOURCE, count, 64, 0);
	ret = req ? ct_send(dev, c, req, sizeof(*req), CT_ID_SINGLE, NULL, true,
			    NULL) : -ENOMEM;
	msleep(300);
	ct_pause(c, false);
	kvfree(req);
	ret = ret ?: ct_wait_counts(dev, c, count, 1) ?: ct_counts(dev, &after);
	if (ret)
		return ret;
	sent = after.interrupts - before.interrupts;
	host_sent = after.host[3] - before.host[3];
	host_filled = after.host[4] - before.host[4];
	ct_say("to the guest: %u packets, ring filled %llu times, ",
	       count + 2, host_filled);
	ct_say("%llu signals sent, %llu interrupts\n", host_sent, sent);
	if (host_sent > host_filled + 1 || sent > host_sent + 1) {
		ct_say("that is too many\n");
		return -ERANGE;
	}
	return 0;
}

const struct ct_command ct_traffic[] = {
	{ "echo", true, false, cmd_echo, "SIZE [COUNT]" },
	{ "sizes", true, false, cmd_sizes, "[STEP]: echo of 0 to 16384 bytes" },
	{ "flood", true, false, cmd_flood, "COUNT SIZE: echoes at once" },
	{ "source", true, false, cmd_source, "COUNT SIZE [STALL_MS]" },
	{ "sink", true, false, cmd_sink, "COUNT SIZE [blocked]" },
	{ "stall", true, false, cmd_stall, "MS" },
	{ "stats", true, false, cmd_stats, "" },
	{ "signals", true, false, cmd_signals, "[COUNT]: none too many" },
	{}
};
