// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test device: does what include/synthio/testdev.h says, so that a guest
 * can drive every path of its channel.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <synthio/testdev.h>

#include "channel.h"

#define TESTDEV_MIN_SOURCE	8
#define TESTDEV_MAX_SOURCE	16384
#define TESTDEV_MAX_STALL	5000
#define TESTDEV_MAX_SPURIOUS	10000
#define TESTDEV_MAX_MS		600000
#define TESTDEV_NEVER		0xffffffffu
#define TESTDEV_SUBCHANNELS	8

/**
 * struct testdev_saved - what survives a worker
 * @rescind_due, @offer_due: loop_now() of the timers, or 0
 * @source_id: transaction id of a SOURCE at work, which comes again
 */
struct testdev_saved {
	uint64_t rescind_due, offer_due;
	uint32_t offer_ms, reserved;
	struct {
		uint64_t sink_next;
		uint64_t source_id;
		uint64_t stall_due;
		uint32_t source, source_next;
	} channel[1 + TESTDEV_SUBCHANNELS];
};

struct testdev {
	struct device dev;
	struct testdev_channel *channels[1 + TESTDEV_SUBCHANNELS];
	struct loop_timer rescind;
	struct loop_timer offer;
	uint32_t offer_ms;
};

/* What hangs at a channel */
struct testdev_channel {
	struct channel *ch;
	uint64_t sink_next;
	/* a SOURCE at work; other packets wait until it is done */
	bool source;
	uint32_t source_next, source_count, source_len;
	/* of the worker before: that many of a SOURCE were sent */
	bool source_again;
	uint32_t source_sent;
	uint64_t source_id, stall_again;
	struct packet source_pkt;	/* trans_id, wants_completion */
	uint8_t *source_buf;
	/* a STALL at work */
	struct loop_timer stall;
	struct packet stall_pkt;
};

static struct device_kind testdev_kind;

static struct testdev *to_testdev(struct device *dev)
{
	return container_of(dev, struct testdev, dev);
}

static uint32_t testdev_crc(uint32_t crc, const void *buf, size_t len)
{
	const uint8_t *p = buf;
	int bit;

	crc = ~crc;
	while (len--) {
		/* guest memory: each byte is read once */
		crc ^= *p++;
		for (bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
	}
	return ~crc;
}

static uint32_t testdev_iov_crc(const struct iovec *iov, unsigned int count)
{
	uint32_t crc = 0;

	while (count--) {
		crc = testdev_crc(crc, iov->iov_base, iov->iov_len);
		iov++;
	}
	return crc;
}

static void testdev_iov_fill(const struct iovec *iov, unsigned int count,
			     uint32_t seed)
{
	uint32_t at = 0;
	size_t i;

	for (; count--; iov++) {
		for (i = 0; i < iov->iov_len; i++)
			((uint8_t *)iov->iov_base)[i] =
				synthio_test_pattern(seed, at++);
	}
}

static void testdev_complete(struct channel *ch, const struct packet *pkt,
			     const struct synthio_test_rsp *rsp)
{
	if (pkt->wants_completion)
		channel_complete(ch, pkt->trans_id, rsp, sizeof(*rsp));
}

static void testdev_source_end(struct testdev_channel *tc, uint32_t status)
{
	struct synthio_test_rsp rsp = {
		.status = status,
		.op = SYNTHIO_TEST_SOURCE,
		.value = { tc->source_next },
	};

	tc->source = false;
	free(tc->source_buf);
	tc->source_buf = NULL;
	testdev_complete(tc->ch, &tc->source_pkt, &rsp);
	channel_resume(tc->ch);
}

/* As many packets as the channel takes now; writable() goes on */
static void testdev_source_run(struct testdev_channel *tc)
{
	while (tc->source && tc->source_next < tc->source_count) {
		uint64_t seq = tc->source_next;
		uint32_t i;
		int ret;

		memcpy(tc->source_buf, &seq, sizeof(seq));
		for (i = sizeof(seq); i < tc->source_len; i++)
			tc->source_buf[i] = synthio_test_pattern(seq, i -
							sizeof(seq));
		ret = channel_send(tc->ch, seq, tc->source_buf,
				   tc->source_len, false);
		if (ret == -ENOBUFS)
			return;
		if (ret) {
			testdev_source_end(tc, SYNTHIO_TEST_BAD_ARG);
			return;
		}
		tc->source_next++;
	}
	if (tc->source)
		testdev_source_end(tc, SYNTHIO_TEST_OK);
}

static int testdev_source(struct testdev_channel *tc,
			  const struct packet *pkt,
			  const struct synthio_test_req *req)
{
	if (req->arg1 < TESTDEV_MIN_SOURCE || req->arg1 > TESTDEV_MAX_SOURCE)
		return SYNTHIO_TEST_BAD_ARG;
	tc->source_buf = malloc(req->arg1);
	if (!tc->source_buf)
		return SYNTHIO_TEST_BAD_ARG;
	tc->source = true;
	tc->source_next = 0;
	if (tc->source_again && pkt->trans_id == tc->source_id)
		tc->source_next = tc->source_sent;
	tc->source_again = false;
	tc->source_count = req->arg0;
	tc->source_len = req->arg1;
	tc->source_pkt = *pkt;
	channel_pause(tc->ch);
	testdev_source_run(tc);
	return -1;
}

static uint32_t testdev_sink(struct testdev_channel *tc,
			     const struct synthio_test_req *req)
{
	uint64_t seq;
	uint32_t i;

	if (req->len < sizeof(seq))
		return SYNTHIO_TEST_BAD_ARG;
	memcpy(&seq, req->data, sizeof(seq));
	if (seq != tc->sink_next)
		return SYNTHIO_TEST_MISMATCH;
	for (i = sizeof(seq); i < req->len; i++) {
		if (req->data[i] != synthio_test_pattern(seq, i - sizeof(seq)))
			return SYNTHIO_TEST_MISMATCH;
	}
	tc->sink_next++;
	return SYNTHIO_TEST_OK;
}

static void testdev_stall_end(struct loop_timer *timer)
{
	struct testdev_channel *tc = container_of(timer,
						  struct testdev_channel,
						  stall);
	struct synthio_test_rsp rsp = {
		.status = SYNTHIO_TEST_OK,
		.op = SYNTHIO_TEST_STALL,
	};

	channel_stall(tc->ch, false);
	testdev_complete(tc->ch, &tc->stall_pkt, &rsp);
}

static unsigned int testdev_left(uint64_t due)
{
	uint64_t now = loop_now();

	return due > now ? (due - now) / 1000000 : 0;
}

static int testdev_stall(struct testdev_channel *tc, const struct packet *pkt,
			 const struct synthio_test_req *req)
{
	if (req->arg0 > TESTDEV_MAX_STALL || tc->stall.link)
		return SYNTHIO_TEST_BAD_ARG;
	tc->stall_pkt = *pkt;
	channel_stall(tc->ch, true);
	loop_set_timer(bus_loop(tc->ch->bus), &tc->stall,
		       tc->stall_again ? testdev_left(tc->stall_again) :
					 req->arg0);
	tc->stall_again = 0;
	return -1;
}

static void testdev_rescind_now(struct loop_timer *timer)
{
	struct testdev *t = container_of(timer, struct testdev, rescind);

	device_rescind(&t->dev);
	if (t->offer_ms != TESTDEV_NEVER)
		loop_set_timer(bus_loop(t->dev.bus), &t->offer, t->offer_ms);
}

static void testdev_offer_now(struct loop_timer *timer)
{
	device_offer(&container_of(timer, struct testdev, offer)->dev);
}

static uint32_t testdev_rescind(struct testdev *t,
				const struct synthio_test_req *req)
{
	if (req->arg0 > TESTDEV_MAX_MS ||
	    (req->arg1 > TESTDEV_MAX_MS && req->arg1 != TESTDEV_NEVER))
		return SYNTHIO_TEST_BAD_ARG;
	t->offer_ms = req->arg1;
	loop_set_timer(bus_loop(t->dev.bus), &t->rescind, req->arg0);
	return SYNTHIO_TEST_OK;
}

static uint32_t testdev_gpadl(struct testdev_channel *tc,
			      const struct synthio_test_req *req,
			      struct synthio_test_rsp *rsp)
{
	unsigned int count;
	struct iovec *iov = channel_gpadl(tc->ch, req->arg0, &count);

	if (!iov)
		return SYNTHIO_TEST_BAD_ARG;
	if (req->op == SYNTHIO_TEST_GPADL_CRC)
		rsp->value[0] = testdev_iov_crc(iov, count);
	else
		testdev_iov_fill(iov, count, req->arg1);
	free(iov);
	return SYNTHIO_TEST_OK;
}

static uint32_t testdev_gpa(const struct packet *pkt,
			    const struct synthio_test_req *req,
			    struct synthio_test_rsp *rsp)
{
	if (pkt->type != PACKET_GPA_DIRECT)
		return SYNTHIO_TEST_BAD_ARG;
	if (req->op == SYNTHIO_TEST_GPA_CRC)
		rsp->value[0] = testdev_iov_crc(pkt->iov, pkt->iov_count);
	else
		testdev_iov_fill(pkt->iov, pkt->iov_count, req->arg1);
	rsp->value[1] = pkt->iov_bytes;
	return SYNTHIO_TEST_OK;
}

static uint32_t testdev_spurious(struct channel *ch, uint32_t count)
{
	if (count > TESTDEV_MAX_SPURIOUS)
		return SYNTHIO_TEST_BAD_ARG;
	while (count--)
		channel_event(ch);
	return SYNTHIO_TEST_OK;
}

static uint32_t testdev_late(struct device *dev, uint32_t late)
{
	if (late > 1)
		return SYNTHIO_TEST_BAD_ARG;
	dev->rescinds_late = late;
	if (!late)
		bus_rescind_late(dev->bus, dev);
	return SYNTHIO_TEST_OK;
}

static void testdev_stats(const struct channel *ch,
			  struct synthio_test_rsp *rsp)
{
	rsp->value[0] = ch->stats.packets_in;
	rsp->value[1] = ch->stats.packets_out;
	rsp->value[2] = ch->stats.signals_in;
	rsp->value[3] = ch->stats.signals_out;
	rsp->value[4] = ch->out.filled;
	rsp->value[5] = ch->stats.signals_needless;
}

/* The status, or -1: the operation answers later, or cannot */
static int testdev_do(struct testdev *t, struct testdev_channel *tc,
		      const struct packet *pkt,
		      const struct synthio_test_req *req,
		      struct synthio_test_rsp *rsp)
{
	struct channel *ch = tc->ch;

	switch (req->op) {
	case SYNTHIO_TEST_ECHO:
		return channel_send(ch, pkt->trans_id, req->data, req->len,
				    false) ? SYNTHIO_TEST_BAD_ARG :
		       SYNTHIO_TEST_OK;
	case SYNTHIO_TEST_SOURCE:
		return testdev_source(tc, pkt, req);
	case SYNTHIO_TEST_SINK:
		return testdev_sink(tc, req);
	case SYNTHIO_TEST_STALL:
		return testdev_stall(tc, pkt, req);
	case SYNTHIO_TEST_RAW:
		if (!req->len || req->len % 8 ||
		    channel_raw(ch, req->data, req->len))
			return SYNTHIO_TEST_BAD_ARG;
		return SYNTHIO_TEST_OK;
	case SYNTHIO_TEST_GPADL_CRC:
	case SYNTHIO_TEST_GPADL_FILL:
		return testdev_gpadl(tc, req, rsp);
	case SYNTHIO_TEST_RESCIND:
		return testdev_rescind(t, req);
	case SYNTHIO_TEST_SUBCHANNELS:
		return req->arg0 > TESTDEV_SUBCHANNELS ||
		       device_offer_subchannels(&t->dev, req->arg0) ?
		       SYNTHIO_TEST_BAD_ARG : SYNTHIO_TEST_OK;
	case SYNTHIO_TEST_BAD_INDEX:
		/* A completion would repair the index: there is none */
		channel_wreck(ch, req->arg0);
		return -1;
	case SYNTHIO_TEST_GPA_CRC:
	case SYNTHIO_TEST_GPA_FILL:
		return testdev_gpa(pkt, req, rsp);
	case SYNTHIO_TEST_MESSAGE:
		if (req->len > VMBUS_WIRE_MSG_PAYLOAD)
			return SYNTHIO_TEST_BAD_ARG;
		guest_post(ch->bus->guest, ch->bus->target_vp, req->data,
			   req->len);
		return SYNTHIO_TEST_OK;
	case SYNTHIO_TEST_STATS:
		testdev_stats(ch, rsp);
		return SYNTHIO_TEST_OK;
	case SYNTHIO_TEST_SPURIOUS:
		return testdev_spurious(ch, req->arg0);
	case SYNTHIO_TEST_LATE:
		return testdev_late(&t->dev, req->arg0);
	default:
		return SYNTHIO_TEST_BAD_OP;
	}
}

static void testdev_packet(struct device *dev, struct channel *ch,
			   const struct packet *pkt)
{
	const struct synthio_test_req *req = pkt->payload;
	struct synthio_test_rsp rsp = { 0 };
	int status;

	if (pkt->type == PACKET_COMPLETION)
		return;
	if (pkt->len < sizeof(*req) || req->len > pkt->len - sizeof(*req)) {
		channel_error(ch, "request of %u bytes%s", pkt->len,
			      pkt->len < sizeof(*req) ? "" :
			      " says that it has more data");
		return;
	}
	rsp.op = req->op;
	status = testdev_do(to_testdev(dev), channel_private(ch), pkt, req,
			    &rsp);
	if (status >= 0) {
		rsp.status = status;
		testdev_complete(ch, pkt, &rsp);
	}
}

static void testdev_writable(struct device *dev, struct channel *ch)
{
	(void)dev;
	testdev_source_run(channel_private(ch));
}

static int testdev_open(struct device *dev, struct channel *ch)
{
	struct testdev_channel *tc = calloc(1, sizeof(*tc));

	if (!tc)
		return -ENOMEM;
	tc->ch = ch;
	to_testdev(dev)->channels[channel_index(ch)] = tc;
	tc->stall.fired = testdev_stall_end;
	channel_set_private(ch, tc);
	return 0;
}

static bool testdev_busy(struct device *dev, struct channel *ch)
{
	struct testdev_channel *tc = channel_private(ch);

	(void)dev;
	return tc->source || tc->stall.link;
}

static void testdev_close(struct device *dev, struct channel *ch)
{
	struct testdev_channel *tc = channel_private(ch);

	to_testdev(dev)->channels[channel_index(ch)] = NULL;
	loop_clear_timer(&tc->stall);
	free(tc->source_buf);
	free(tc);
}

/* What the old guest asked for is not done to the next. An offer still comes */
static void testdev_reset(struct device *dev)
{
	loop_clear_timer(&to_testdev(dev)->rescind);
	dev->rescinds_late = false;
}

static uint64_t testdev_due(const struct loop_timer *timer)
{
	return timer->link ? timer->due_ns : 0;
}

static void testdev_save(struct device *dev, void *state)
{
	struct testdev *t = to_testdev(dev);
	struct testdev_saved *s = state;
	unsigned int i;

	s->rescind_due = testdev_due(&t->rescind);
	s->offer_due = testdev_due(&t->offer);
	s->offer_ms = t->offer_ms;
	for (i = 0; i <= TESTDEV_SUBCHANNELS; i++) {
		const struct testdev_channel *tc = t->channels[i];

		if (!tc)
			continue;
		s->channel[i].sink_next = tc->sink_next;
		s->channel[i].stall_due = testdev_due(&tc->stall);
		s->channel[i].source = tc->source;
		if (tc->source) {
			s->channel[i].source_next = tc->source_next;
			s->channel[i].source_id = tc->source_pkt.trans_id;
		}
	}
}

/* A SOURCE and a STALL that were at work come again, and go on from here */
static int testdev_restore(struct device *dev, const void *state)
{
	struct testdev *t = to_testdev(dev);
	const struct testdev_saved *s = state;
	unsigned int i;

	t->offer_ms = s->offer_ms;
	if (s->rescind_due)
		loop_set_timer(bus_loop(dev->bus), &t->rescind,
			       testdev_left(s->rescind_due));
	if (s->offer_due)
		loop_set_timer(bus_loop(dev->bus), &t->offer,
			       testdev_left(s->offer_due));
	for (i = 0; i <= TESTDEV_SUBCHANNELS; i++) {
		struct testdev_channel *tc = t->channels[i];

		if (!tc)
			continue;
		tc->sink_next = s->channel[i].sink_next;
		tc->stall_again = s->channel[i].stall_due;
		tc->source_again = s->channel[i].source;
		tc->source_sent = s->channel[i].source_next;
		tc->source_id = s->channel[i].source_id;
	}
	return 0;
}

static void testdev_destroy(struct device *dev)
{
	struct testdev *t = to_testdev(dev);

	loop_clear_timer(&t->rescind);
	loop_clear_timer(&t->offer);
	free(t);
}

static int testdev_parse(struct bus *bus, const char *arg, struct text *err)
{
	struct testdev *t = calloc(1, sizeof(*t));
	int ret;

	if (!t)
		return -ENOMEM;
	t->dev.kind = &testdev_kind;
	t->dev.max_subchannels = TESTDEV_SUBCHANNELS;
	t->rescind.fired = testdev_rescind_now;
	t->offer.fired = testdev_offer_now;
	ret = device_set_id(&t->dev, arg ? arg : "test", err);
	if (!ret)
		ret = device_register(bus, &t->dev, err);
	if (ret)
		free(t);
	return ret;
}

static const struct device_ops testdev_ops = {
	.open = testdev_open,
	.packet = testdev_packet,
	.writable = testdev_writable,
	.busy = testdev_busy,
	.close = testdev_close,
	.reset = testdev_reset,
	.state_bytes = sizeof(struct testdev_saved),
	.save = testdev_save,
	.restore = testdev_restore,
	.destroy = testdev_destroy,
};

static const struct device_option testdev_options[] = {
	{ "test-device", "[ID]",
	  "a device for tests of the channel (ID: \"test\" if not given)",
	  testdev_parse },
	{ 0 }
};

static struct device_kind testdev_kind = {
	.name = "test",
	.class = HOST_GUID(0x5f1c5a0e, 0x7d6b, 0x4b5e, 0x9a, 0x3e,
			   0x6d, 0x0f, 0x2a, 0x5c, 0x7e, 0x11),
	.chn_flags = DEVICE_FLAG_ENUMERATE,
	.ops = &testdev_ops,
	.options = testdev_options,
};

DEVICE_KIND(testdev_kind);
