// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands: a host that breaks the protocol, or takes the device away.
 */
#include <linux/delay.h>
#include <linux/hyperv.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/string.h>

#include <synthio/testdev.h>

#include "chantest.h"

/*
 * Packets that no host may send. @len: bytes that the host writes, of which
 * the first 16 are the header.
 */
struct ct_raw {
	const char *name;
	u16 type, offset8, len8, flags;
	u64 trans;
	u32 len;
	u8 fill;
};

static const struct ct_raw ct_raws[] = {
	{ "all zero",			0, 0, 0, 0, 0, 16, 0 },
	{ "length 0",			6, 2, 0, 0, 1, 16, 0 },
	{ "length 1",			6, 2, 1, 0, 1, 16, 0 },
	{ "length below offset",	6, 4, 3, 0, 1, 32, 0 },
	{ "offset 0",			6, 0, 4, 0, 1, 32, 0 },
	{ "offset in the header",	6, 1, 4, 0, 1, 32, 0 },
	{ "offset at the end",		6, 4, 4, 0, 1, 32, 0 },
	{ "offset behind the end",	6, 5, 4, 0, 1, 32, 0 },
	{ "offset 0xffff",		6, 0xffff, 4, 0, 1, 32, 0 },
	{ "length 0xffff",		6, 2, 0xffff, 0, 1, 32, 0 },
	{ "offset and length 0xffff",	6, 0xffff, 0xffff, 0, 1, 32, 0 },
	{ "longer than what is there",	6, 2, 64, 0, 1, 32, 0 },
	{ "longer than the ring",	6, 2, 0x4001, 0, 1, 32, 0 },
	{ "longer than max_pkt_size",	6, 2, 0x0900, 0, 1, 32, 0 },
	{ "shorter than what is there",	6, 2, 2, 0, 1, 64, 0xa5 },
	{ "type 0",			0, 2, 4, 0, 1, 32, 0 },
	{ "type 1",			1, 2, 4, 0, 1, 32, 0 },
	{ "type 5",			5, 2, 4, 0, 1, 32, 0 },
	{ "type 8",			8, 2, 4, 0, 1, 32, 0 },
	{ "type 0xa",			10, 2, 4, 0, 1, 32, 0 },
	{ "type 0xffff",		0xffff, 2, 4, 0, 1, 32, 0 },
	{ "transfer pages without end",	7, 4, 6, 0, 1, 48, 0xff },
	{ "transfer pages, bare header", 7, 2, 2, 0, 1, 16, 0 },
	{ "GPA-direct from the host",	9, 4, 6, 0, 1, 48, 0xff },
	{ "completion of nothing",	11, 2, 9, 0, 4242, 72, 0 },
	{ "completion of id 0",		11, 2, 9, 0, 0, 72, 0 },
	{ "completion of the last id",	11, 2, 9, 0, U64_MAX, 72, 0 },
	{ "completion of an error id",	11, 2, 9, 0, U64_MAX - 1, 72, 0 },
	{ "completion without payload",	11, 2, 2, 0, 1, 16, 0 },
	{ "unknown flags",		6, 2, 4, 0xfffe, 1, 32, 0 },
	{ "half a header",		6, 2, 4, 0, 1, 8, 0 },
	{ "all ones",			0xffff, 0xffff, 0xffff, 0xffff, U64_MAX, 256, 0xff },
};

/* After an attack: it still works, or it works once opened again */
static int ct_recover(struct ct_device *dev, bool *survived)
{
	unsigned int old = ct_timeout_ms;
	int ret;

	ct_timeout_ms = min(old, 200u);
	ret = ct_echo_one(dev, dev->primary, 200);
	ct_timeout_ms = old;
	*survived = !ret;
	if (!ret)
		return 0;
	ct_close(dev);
	ret = ct_open(dev);
	if (ret)
		ct_say("can't be opened again: %d\n", ret);
	else
		ret = ct_echo_one(dev, dev->primary, 200);
	return ret;
}

static int ct_raw_one(struct ct_device *dev, const struct ct_raw *raw)
{
	u32 len = sizeof(struct vmpacket_descriptor) + 240;
	struct vmpacket_descriptor *d;
	struct synthio_test_req *req;
	bool survived;
	int ret;

	req = ct_request(SYNTHIO_TEST_RAW, 0, 0, len);
	if (!req)
		return -ENOMEM;
	d = (void *)req->data;
	memset(d, raw->fill, len);
	d->type = raw->type;
	d->offset8 = raw->offset8;
	d->len8 = raw->len8;
	d->flags = raw->flags;
	d->trans_id = raw->trans;
	req->len = raw->len;
	ct_expect(dev->primary, EXPECT_NOTHING, 0, 0, false);
	ret = ct_send(dev, dev->primary, req, sizeof(*req) + raw->len,
		      CT_ID_SINGLE, NULL, false, NULL);
	kvfree(req);
	if (ret)
		return ret;
	msleep(20);
	ret = ct_recover(dev, &survived);
	ct_forget();
	ct_say("%s: %s\n", raw->name, ret ? "not usable any more" :
	       survived ? "survived" : "usable once opened again");
	return ret;
}

/* raw N: the Nth malformed packet; without a number: how many there are */
static int cmd_raw(struct ct_device *dev, struct ct_args *a)
{
	u32 n;
	int ret = ct_number(a, 1, U32_MAX, &n);

	if (ret)
		return ret;
	if (n == U32_MAX) {
		ct_say("%zu\n", ARRAY_SIZE(ct_raws));
		return 0;
	}
	if (n >= ARRAY_SIZE(ct_raws))
		return -EINVAL;
	return ct_raw_one(dev, &ct_raws[n]);
}

static int cmd_badindex(struct ct_device *dev, struct ct_args *a)
{
	struct synthio_test_req req = { .op = SYNTHIO_TEST_BAD_INDEX };
	bool survived;
	int ret;

	ret = ct_number(a, 1, 0xfffffff8, &req.arg0);
	if (ret)
		return ret;
	ct_expect(dev->primary, EXPECT_NOTHING, 0, 0, false);
	ret = ct_send(dev, dev->primary, &req, sizeof(req), CT_ID_SINGLE, NULL,
		      false, NULL);
	if (ret)
		return ret;
	msleep(20);
	ret = ct_recover(dev, &survived);
	ct_forget();
	ct_say("index %#x: %s\n", req.arg0, ret ? "not usable any more" :
	       survived ? "survived" : "usable once opened again");
	return ret;
}

static int cmd_spurious(struct ct_device *dev, struct ct_args *a)
{
	u32 n;
	int ret = ct_number(a, 1, 100, &n);

	return ret ?: ct_call(dev, dev->primary, SYNTHIO_TEST_SPURIOUS, n, 0,
			      NULL, 0) ?: ct_echo_one(dev, dev->primary, 100);
}

/*
 * rescind AFTER_MS BACK_MS [COMMAND...]: with a command, that one runs until
 * the rescind makes it fail, as it must
 */
static int cmd_rescind(struct ct_device *dev, struct ct_args *a)
{
	u32 after, back;
	int ret;

	ret = ct_number(a, 1, 0, &after) ?: ct_number(a, 2, 200, &back) ?:
	      ct_call(dev, dev->primary, SYNTHIO_TEST_RESCIND, after, back,
		      NULL, 0);
	/* a rescind at once may overtake the answer */
	if (ret == -ENODEV)
		ret = 0;
	if (ret || a->n <= 3)
		return ret;
	a->n -= 3;
	memmove(a->v, a->v + 3, a->n * sizeof(a->v[0]));
	if (!strcmp(a->v[0], "loop"))
		ct_close(dev);
	ret = ct_run_locked(a);
	if (!ret) {
		ct_say("%s ended before the rescind\n", a->v[0]);
		return -ERANGE;
	}
	ct_say("%s: %d\n", a->v[0], ret);
	return 0;
}

/* message HEX: the host posts this as a channel message */
static int cmd_message(struct ct_device *dev, struct ct_args *a)
{
	size_t len, i;
	u8 msg[240];

	if (a->n != 2)
		return -EINVAL;
	len = strlen(a->v[1]);
	if (!len || len & 1 || len > 2 * sizeof(msg))
		return -EINVAL;
	for (i = 0; i < len / 2; i++)
		if (sscanf(a->v[1] + 2 * i, "%2hhx", &msg[i]) != 1)
			return -EINVAL;
	return ct_call(dev, dev->primary, SYNTHIO_TEST_MESSAGE, 0, 0, msg,
		       len / 2) ?: ct_echo_one(dev, dev->primary, 100);
}

const struct ct_command ct_hostile[] = {
	{ "raw", true, false, cmd_raw, "[N]: malformed packet N" },
	{ "badindex", true, false, cmd_badindex, "VALUE" },
	{ "spurious", true, false, cmd_spurious, "COUNT" },
	{ "rescind", true, false, cmd_rescind, "AFTER_MS BACK_MS [COMMAND...]" },
	{ "message", true, false, cmd_message, "HEX" },
	{}
};
