// SPDX-License-Identifier: GPL-2.0-only
/*
 * The receiving side of channel/ring.c, given bytes that a hostile host chose:
 * control words, data, and changes to both while the receiver works.
 *
 * It must end, must stay inside the data (allocated to its exact size) and
 * inside the packet buffer, and must leave a ring that its owner can go on
 * with.
 */
#include <stdlib.h>

#include "../../channel/ring.h"

#define MAX_SIZE	4096u

struct input {
	const u8 *p;
	size_t left;
};

static u32 take(struct input *in, u32 bytes)
{
	u32 v = 0;

	while (bytes-- && in->left) {
		v = v << 8 | *in->p++;
		in->left--;
	}
	return v;
}

/* Indices near the truth get further than random ones */
static u32 take_index(struct input *in, u32 size)
{
	u32 how = take(in, 1);

	if (how < 200)
		return how * 8 % size;
	if (how < 240)
		return take(in, 2) * 8 % size;
	if (how < 248)
		return size - 8 + (how & 15);
	return take(in, 4);
}

#define must(cond) do { if (!(cond)) abort(); } while (0)

/* What a host may do at any moment, also between a check and a use */
static void meddle(struct input *in, struct ring *r)
{
	u32 at, n;

	switch (take(in, 1) & 15) {
	case 1:
		r->ctl->write_index = take_index(in, r->size);
		break;
	case 2:
		r->ctl->read_index = take_index(in, r->size);
		break;
	case 3:
		r->ctl->pending_send_sz = take_index(in, r->size);
		break;
	case 4:
		r->ctl->feature_bits = take(in, 4);
		break;
	case 5:
	case 6:
		at = r->pos;
		for (n = take(in, 1) & 31; n; n--) {
			r->data[at++] = take(in, 1);
			at = at == r->size ? 0 : at;
		}
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct ring_ctl *ctl = calloc(1, sizeof(*ctl));
	u32 tries, len, max;
	struct ring_desc d;
	struct ring r;
	u8 *buf;
	int ret;

	r.ctl = ctl;
	r.size = 32 + take(&in, 2) * 8 % (MAX_SIZE - 32 + 8);
	r.pos = take(&in, 2) * 8 % r.size;
	r.twice = false;
	r.data = malloc(r.size);
	max = 16 + take(&in, 1) * 8;
	buf = malloc(max);
	must(ctl && r.data && buf);
	ctl->feature_bits = RING_FEAT_PENDING;
	ctl->read_index = r.pos;
	ctl->write_index = take_index(&in, r.size);
	for (len = 0; len < r.size; len++)
		r.data[len] = len < in.left ? in.p[len] : len;

	/* as ring_api.c does it, until the host has nothing left to say */
	for (tries = r.size + 2 * size; tries; tries--) {
		meddle(&in, &r);
		ret = ring_recv_peek(&r, &d);
		if (!ret && !in.left)
			break;
		if (ret < 0) {
			must(ret == -EPROTO || ret == -EBADMSG);
			ring_recv_discard(&r);
			must(ctl->read_index == ctl->write_index);
			must(!ring_recv_unmask(&r));
			must(ring_index_ok(&r, r.pos));
			if (!in.left)
				break;
			continue;
		}
		if (ret) {
			len = d.len8 * 8u;
			must(d.offset8 >= 2 && d.offset8 <= d.len8);
			must(len + RING_TRAILER < r.size);
			meddle(&in, &r);
			if (len <= max) {
				memcpy(buf, &d, sizeof(d));
				ring_recv_copy(&r, sizeof(d), buf + sizeof(d),
					       len - sizeof(d));
			}
			ring_recv_advance(&r, len);
			must(ring_index_ok(&r, r.pos));
			meddle(&in, &r);
		}
		if (take(&in, 1) & 1 || !ret) {
			ring_recv_commit(&r);
			must(ctl->read_index == r.pos);
		}
	}
	/* each turn takes from the ring or from the input: it has to end */
	must(tries);

	free(buf);
	free(r.data);
	free(ctl);
	return 0;
}
