// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel/ring.c by itself: one thread, both ends. Plain rings lie in memory
 * of exactly their size, so that the address sanitizer sees each byte too far.
 */
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../../channel/ring.h"
#include "tap.h"

#define HDR	((u32)sizeof(struct ring_desc))

/* Both ends of one ring */
struct pair {
	struct ring_ctl *ctl;
	u8 *data;
	struct ring tx, rx;
};

static void pair_open(struct pair *p, u32 size, bool twice, u32 start)
{
	if (twice) {
		int fd = memfd_create("ring", 0);

		if (fd < 0 || ftruncate(fd, size))
			abort();
		p->data = mmap(NULL, 2 * size, PROT_NONE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p->data == MAP_FAILED ||
		    mmap(p->data, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED ||
		    mmap(p->data + size, size, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			abort();
		close(fd);
	} else {
		p->data = calloc(1, size);
	}
	p->ctl = calloc(1, sizeof(*p->ctl));
	if (!p->data || !p->ctl)
		abort();
	p->ctl->feature_bits = RING_FEAT_PENDING;
	p->ctl->write_index = start;
	p->ctl->read_index = start;
	p->tx = (struct ring) { p->ctl, p->data, size, start, twice };
	p->rx = p->tx;
}

static void pair_close(struct pair *p)
{
	if (p->tx.twice)
		munmap(p->data, 2 * p->tx.size);
	else
		free(p->data);
	free(p->ctl);
}

static u8 pattern(u32 seed, u32 i)
{
	return seed * 31 + i * 7 + (i >> 8);
}

/* Start to send a packet of len bytes in all, in parts cut at two places */
static int send_begin(struct pair *p, u32 len, u64 id, u32 cut1, u32 cut2)
{
	struct ring_desc d = {
		.type = 6, .offset8 = HDR / 8, .len8 = len / 8, .trans_id = id,
	};
	u8 *buf = malloc(len ? len : 1);
	struct ring_iov iov[3];
	u32 i;
	int ret;

	for (i = HDR; i < len; i++)
		buf[i] = pattern(id, i);
	memcpy(buf, &d, len < HDR ? len : HDR);
	iov[0].iov_base = buf;
	iov[0].iov_len = cut1;
	iov[1].iov_base = buf + cut1;
	iov[1].iov_len = cut2 - cut1;
	iov[2].iov_base = buf + cut2;
	iov[2].iov_len = len - cut2;
	ret = ring_send_begin(&p->tx, iov, 3);
	free(buf);
	return ret;
}

/* Returns whether to signal */
static bool send(struct pair *p, u32 len, u64 id)
{
	int ret = send_begin(p, len, id, HDR, len);

	if (ret != (int)len) {
		printf("# packet of %u was not sent: %d\n", len, ret);
		tap_bad = true;
		return false;
	}
	return ring_send_commit(&p->tx, len);
}

/* Take a packet and check its content; commits nothing */
static void take(struct pair *p, u32 len, u64 id)
{
	struct ring_desc d;
	u8 *buf = malloc(len);
	bool good;
	u32 i;

	good = ring_recv_peek(&p->rx, &d) == 1 && d.len8 * 8u == len &&
	       d.trans_id == id && d.type == 6 && d.offset8 == 2;
	if (good) {
		ring_recv_copy(&p->rx, 0, buf, len);
		for (i = HDR; i < len; i++)
			good &= buf[i] == pattern(id, i);
		memset(buf, 0, len);
		ring_recv_copy(&p->rx, HDR, buf, len - HDR);
		for (i = HDR; i < len; i++)
			good &= buf[i - HDR] == pattern(id, i);
		ring_recv_advance(&p->rx, len);
	}
	free(buf);
	CHECK(good, "packet %llu of %u bytes at %u",
	      (unsigned long long)id, len, p->rx.pos);
}

static void try_wrap(u32 size, bool twice, u32 step)
{
	u32 start, len, trailer_at;
	struct ring_desc d;
	struct pair p;
	u64 trailer;

	for (start = 0; start < size; start += 8 * step) {
		for (len = HDR; len <= size - 16; len += 8 * step) {
			pair_open(&p, size, twice, start);
			CHECK(send(&p, len, start + len) && !tap_bad,
			      "size %u start %u len %u", size, start, len);
			trailer_at = (start + len) % size;
			memcpy(&trailer, p.data + trailer_at, 8);
			CHECK(trailer == (u64)start << 32);
			CHECK(p.ctl->write_index == (trailer_at + 8) % size);
			take(&p, len, start + len);
			CHECK_OK();
			CHECK(ring_recv_peek(&p.rx, &d) == 0);
			CHECK(p.ctl->read_index == start);
			CHECK(!ring_recv_commit(&p.rx));
			CHECK(p.ctl->read_index == p.ctl->write_index);
			pair_close(&p);
		}
	}
}

static void test_wrap_plain(void)
{
	try_wrap(256, false, 1);
	CHECK_OK();
	try_wrap(32, false, 1);
	CHECK_OK();
	try_wrap(4096, false, 13);
}

static void test_wrap_twice(void)
{
	try_wrap(4096, true, 13);
}

static void test_gather(void)
{
	u32 start, cut1, cut2;
	struct pair p;

	for (start = 0; start < 128; start += 8) {
		for (cut1 = 0; cut1 <= 64; cut1++) {
			for (cut2 = cut1; cut2 <= 64; cut2 += 5) {
				pair_open(&p, 128, false, start);
				CHECK(send_begin(&p, 64, 9, cut1, cut2) == 64);
				CHECK(p.ctl->write_index == start);
				CHECK(ring_send_commit(&p.tx, 64));
				take(&p, 64, 9);
				CHECK_OK();
				pair_close(&p);
			}
		}
	}
}

static void test_set_id(void)
{
	struct ring_desc d;
	struct pair p;
	u32 start;

	for (start = 0; start < 64; start += 8) {
		pair_open(&p, 64, false, start);
		CHECK(send_begin(&p, 24, 1, 16, 24) == 24);
		ring_send_set_id(&p.tx, 0x1122334455667788ULL);
		ring_send_commit(&p.tx, 24);
		CHECK(ring_recv_peek(&p.rx, &d) == 1);
		CHECK(d.trans_id == 0x1122334455667788ULL && d.len8 == 3);
		pair_close(&p);
	}
}

static void test_not_committed(void)
{
	struct ring_desc d;
	struct pair p;

	pair_open(&p, 128, false, 120);
	CHECK(send_begin(&p, 32, 1, 16, 32) == 32);
	CHECK(ring_recv_peek(&p.rx, &d) == 0);
	CHECK(p.tx.pos == 120 && p.ctl->write_index == 120);
	/* the next one goes to the same place */
	CHECK(send(&p, 24, 2));
	take(&p, 24, 2);
	pair_close(&p);
}

static void test_exact_fit(void)
{
	u32 start, size = 128;
	struct ring_desc d;
	struct pair p;

	for (start = 0; start < size; start += 8) {
		pair_open(&p, size, false, start);
		/* 8 bytes stay free, or it would look empty */
		CHECK(send_begin(&p, size - 8, 1, 16, 16) == -EINVAL);
		CHECK(send(&p, size - 16, 1) && !tap_bad);
		CHECK(send_begin(&p, HDR, 2, HDR, HDR) == -EAGAIN);
		take(&p, size - 16, 1);
		CHECK_OK();
		/* read, but not given back */
		CHECK(send_begin(&p, HDR, 2, HDR, HDR) == -EAGAIN);
		ring_recv_commit(&p.rx);
		CHECK(ring_recv_peek(&p.rx, &d) == 0);
		CHECK(send(&p, size - 16, 3) && !tap_bad);
		pair_close(&p);
	}
}

static void test_fill_in_small(void)
{
	u32 start, i, size = 256, n = (size - 8) / (HDR + 8);
	struct pair p;

	for (start = 0; start < size; start += 8) {
		pair_open(&p, size, false, start);
		for (i = 0; i < n; i++)
			CHECK(send(&p, HDR, i) == !i && !tap_bad, "%u", i);
		CHECK(send_begin(&p, HDR, 99, HDR, HDR) == -EAGAIN);
		for (i = 0; i < n; i++) {
			take(&p, HDR, i);
			CHECK_OK();
		}
		pair_close(&p);
	}
}

static void test_bad_lengths(void)
{
	struct ring_iov iov[2];
	u8 buf[512] = { 0 };
	struct pair p;
	u32 len;

	pair_open(&p, 128, false, 0);
	for (len = 0; len < sizeof(buf); len++) {
		bool good = len >= HDR && !(len % 8) && len <= 128 - 16;
		int want = good ? (int)len : -EINVAL;

		iov[0].iov_base = buf;
		iov[0].iov_len = len;
		CHECK(ring_send_begin(&p.tx, iov, 1) == want, "%u", len);
	}
	CHECK(ring_send_begin(&p.tx, iov, 0) == -EINVAL);
	/* a sum that wraps */
	iov[0].iov_len = SIZE_MAX - 7;
	iov[1].iov_base = buf;
	iov[1].iov_len = 32;
	CHECK(ring_send_begin(&p.tx, iov, 2) == -EINVAL);
	CHECK(ring_send_begin(&p.tx, iov + 1, 1) == 32);
	pair_close(&p);
}

static const u32 far_indices[] = {
	0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff, 0x10000, 0xfff8,
};

static void test_bad_read_index(void)
{
	u32 i, index, size = 128;
	struct pair p;
	bool good;

	for (i = 0; i < 2 * size + 6; i++) {
		index = i < 2 * size ? i : far_indices[i - 2 * size];
		good = index < size && index % 8 == 0;
		pair_open(&p, size, false, 0);
		p.ctl->read_index = index;
		if (!good) {
			CHECK(send_begin(&p, 24, 1, 24, 24) == -EPROTO,
			      "%#x", index);
			CHECK(!ring_send_wait(&p.tx, 24));
			CHECK(!p.ctl->pending_send_sz);
		} else {
			/* room: all of it, or up to the reader */
			u32 room = index ? index : size;
			int want = room > 24 + 8 ? 24 : -EAGAIN;

			CHECK(send_begin(&p, 24, 1, 24, 24) == want);
		}
		pair_close(&p);
	}
}

static void test_bad_write_index(void)
{
	u32 i, index, size = 128, start = 40;
	struct ring_desc d;
	struct pair p;
	bool good;

	for (i = 0; i < 2 * size + 6; i++) {
		index = i < 2 * size ? i : far_indices[i - 2 * size];
		good = index < size && index % 8 == 0;
		if (good)
			continue;
		pair_open(&p, size, false, start);
		p.ctl->write_index = index;
		CHECK(ring_recv_peek(&p.rx, &d) == -EPROTO, "%#x", index);
		CHECK(!ring_recv_commit(&p.rx));
		p.ctl->pending_send_sz = 8;
		CHECK(!ring_recv_commit(&p.rx));
		/* loops that compare the shared words end ... */
		CHECK(!ring_recv_discard(&p.rx));
		CHECK(p.ctl->read_index == p.ctl->write_index);
		CHECK(!ring_recv_unmask(&p.rx));
		CHECK(p.rx.pos == start);
		/* ... and reading goes on when the index is sane again */
		p.ctl->read_index = start;
		send(&p, 24, 5);
		take(&p, 24, 5);
		CHECK_OK();
		pair_close(&p);
	}
}

/* Each length, offset and published size, at each place in the ring */
static void test_bad_descriptor(void)
{
	static const u16 far[] = { 0x7fff, 0x8000, 0xfffe, 0xffff, 0x2000 };
	u32 size = 64, i, j;
	struct ring_desc d, got;
	struct pair p;

	for (i = 0; i < 8 * 8 * 15 * 15; i++) {
		u32 start = i % 8 * 8, avail = i / 8 % 8 * 8;
		u32 l = i / 64 % 15, o = i / 64 / 15;
		u16 len8 = l < 10 ? l : far[l - 10];
		u16 offset8 = o < 10 ? o : far[o - 10];
		bool good = avail >= HDR + 8 && offset8 >= 2 &&
			    offset8 <= len8 && len8 * 8u + 8 <= avail;
		int want = !avail ? 0 : good ? 1 : -EBADMSG;

		pair_open(&p, size, false, start);
		d = (struct ring_desc) { 6, offset8, len8, 1, 77 };
		for (j = 0; j < HDR; j++)
			p.data[(start + j) % size] = ((u8 *)&d)[j];
		p.ctl->write_index = (start + avail) % size;
		CHECK(ring_recv_peek(&p.rx, &got) == want,
		      "start %u avail %u len8 %u offset8 %u",
		      start, avail, len8, offset8);
		if (good)
			CHECK(!memcmp(&got, &d, HDR));
		CHECK(p.rx.pos == start);
		ring_recv_discard(&p.rx);
		CHECK(p.ctl->read_index == p.ctl->write_index);
		CHECK(p.rx.pos == p.ctl->write_index);
		pair_close(&p);
	}
}

static void test_copied_once(void)
{
	struct ring_desc d;
	struct pair p;
	u8 buf[32];

	pair_open(&p, 128, false, 112);
	send(&p, 32, 1);
	send(&p, 24, 2);
	CHECK(ring_recv_peek(&p.rx, &d) == 1);
	/* the host changes its mind after the check */
	memset(p.data + 112, 0xff, HDR);
	CHECK(d.len8 == 4 && d.offset8 == 2 && d.trans_id == 1);
	ring_recv_copy(&p.rx, HDR, buf, d.len8 * 8 - HDR);
	ring_recv_advance(&p.rx, d.len8 * 8);
	take(&p, 24, 2);
	pair_close(&p);
}

static void test_signal_once(void)
{
	struct pair p;

	pair_open(&p, 256, false, 248);
	CHECK(send(&p, 24, 1));			/* empty: signal */
	CHECK(!send(&p, 24, 2));		/* not empty */
	take(&p, 24, 1);
	CHECK(!send(&p, 24, 3));		/* read, not given back */
	ring_recv_commit(&p.rx);
	CHECK(!send(&p, 24, 4));		/* two are left */
	take(&p, 24, 2);
	take(&p, 24, 3);
	take(&p, 24, 4);
	CHECK(!send(&p, 24, 5));		/* empty, but nobody said so */
	take(&p, 24, 5);
	ring_recv_commit(&p.rx);
	CHECK(send(&p, 24, 6));			/* empty again */
	CHECK(!send(&p, 24, 7));
	CHECK_OK();
	pair_close(&p);
}

static void test_mask(void)
{
	struct pair p;

	pair_open(&p, 256, false, 0);
	ring_recv_mask(&p.rx);
	CHECK(p.ctl->interrupt_mask);
	CHECK(!send(&p, 24, 1));
	CHECK(ring_recv_unmask(&p.rx));		/* came while masked */
	CHECK(!p.ctl->interrupt_mask);
	ring_recv_mask(&p.rx);
	take(&p, 24, 1);
	ring_recv_commit(&p.rx);
	CHECK(!ring_recv_unmask(&p.rx));
	CHECK(send(&p, 24, 2));
	CHECK_OK();
	pair_close(&p);
}

/* Fill, let the sender wait for len bytes, free in pieces: one signal */
static void test_pending(void)
{
	u32 start, len, i, room, size = 256, piece = HDR + 8, n;
	struct pair p;

	for (start = 0; start < size; start += 8) {
		for (len = 24; len + 16 <= size; len += 8) {
			pair_open(&p, size, false, start);
			n = (size - 8) / piece;
			for (i = 0; i < n; i++)
				send(&p, HDR, i);
			room = size - n * piece;
			CHECK(ring_send_wait(&p.tx, len) == (room <= len + 8));
			CHECK(p.ctl->pending_send_sz == len + 8);
			for (i = 0; i < n; i++) {
				bool want;

				take(&p, HDR, i);
				CHECK_OK();
				want = room <= len + 8 &&
				       room + piece > len + 8;
				room += piece;
				CHECK(ring_recv_commit(&p.rx) == want,
				      "len %u room %u", len, room);
				/* without progress: nothing */
				CHECK(!ring_recv_commit(&p.rx));
				if (want)
					CHECK(send_begin(&p, len, 1, 16, 16) ==
					      (int)len);
			}
			pair_close(&p);
		}
	}
}

static void test_pending_exact(void)
{
	struct pair p;

	/* 128 of data, 120 used: packets of 32 + 8, 40 + 8 and 24 + 8 */
	pair_open(&p, 128, false, 64);
	send(&p, 32, 1);
	send(&p, 40, 2);
	send(&p, 24, 3);
	CHECK(ring_send_wait(&p.tx, 40));
	take(&p, 32, 1);
	/* 48 free are not enough for 48: it would look empty */
	CHECK(!ring_recv_commit(&p.rx));
	CHECK(send_begin(&p, 40, 4, 16, 16) == -EAGAIN);
	CHECK(ring_send_wait(&p.tx, 40));
	take(&p, 40, 2);
	CHECK(ring_recv_commit(&p.rx));
	take(&p, 24, 3);
	CHECK(!ring_recv_commit(&p.rx));
	ring_send_wait_end(&p.tx);
	CHECK(!p.ctl->pending_send_sz);
	CHECK_OK();
	pair_close(&p);
}

static void test_pending_not_used(void)
{
	struct pair p;
	int i;

	for (i = 0; i < 3; i++) {
		pair_open(&p, 128, false, 0);
		send(&p, 104, 1);
		CHECK(ring_send_wait(&p.tx, 104));
		if (i == 0)
			p.ctl->feature_bits = 0;
		else if (i == 1)
			p.ctl->pending_send_sz = 0;
		else
			p.ctl->pending_send_sz = 0xffffffff;
		take(&p, 104, 1);
		CHECK(!ring_recv_commit(&p.rx), "%d", i);
		pair_close(&p);
	}
}

static void test_wait_sees_room(void)
{
	struct pair p;

	pair_open(&p, 128, false, 0);
	send(&p, 104, 1);
	take(&p, 104, 1);
	ring_recv_commit(&p.rx);
	/* the room came between the refusal and the wait */
	CHECK(!ring_send_wait(&p.tx, 104));
	CHECK(!p.ctl->pending_send_sz);
	pair_close(&p);
}

/* A waiting sender is woken though its peer's own old index was overwritten */
static void test_bad_old_index(void)
{
	struct pair p;

	pair_open(&p, 128, false, 0);
	send(&p, 104, 1);
	CHECK(ring_send_wait(&p.tx, 104));
	take(&p, 104, 1);
	p.ctl->read_index = 0xfffffff1;
	CHECK(ring_recv_commit(&p.rx));
	CHECK(p.ctl->read_index == p.rx.pos);
	pair_close(&p);
}

/* Discarding gives room, for which somebody may wait */
static void test_discard_signals(void)
{
	struct pair p;

	pair_open(&p, 128, false, 16);
	send(&p, 104, 1);
	CHECK(ring_send_wait(&p.tx, 64));
	memset(p.data + 16, 0, HDR);
	CHECK(ring_recv_discard(&p.rx));
	CHECK(send(&p, 64, 2) && !tap_bad);
	take(&p, 64, 2);
	pair_close(&p);
}

static u64 rng_state;

static u32 rng(u32 below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (rng_state >> 20) % below;
}

/*
 * Random operations at both ends against a model that knows only a queue of
 * packet lengths and three byte counts.
 */
static void run_model(u64 seed, u32 size, bool twice)
{
	u32 queue[1024], head = 0, tail = 0;	/* lengths, by packet number */
	u32 used = 0, unread = 0;	/* not committed; not yet taken */
	u32 waits = 0, step, len, want_room;
	struct ring_desc d;
	struct pair p;
	bool signal;
	int ret;

	rng_state = seed * 0x9e3779b97f4a7c15ULL + 1;
	pair_open(&p, size, twice, rng(size / 8) * 8);
	for (step = 0; step < 20000; step++) {
		switch (rng(6)) {
		case 0:
		case 1:
			len = HDR + rng((size - 16 - HDR) / 8 + 1) * 8;
			if (rng(2))
				len = HDR + rng(6) * 8;
			if (len > size - 16)
				len = size - 16;
			ret = send_begin(&p, len, tail, rng(len + 1), len);
			if (used + len + 8 >= size) {
				CHECK(ret == -EAGAIN, "step %u", step);
				signal = ring_send_wait(&p.tx, len);
				CHECK(signal, "step %u", step);
				waits = len + 8;
				break;
			}
			CHECK(ret == (int)len, "step %u: %d", step, ret);
			if (waits) {
				ring_send_wait_end(&p.tx);
				waits = 0;
			}
			signal = ring_send_commit(&p.tx, len);
			CHECK(signal == (!used && !p.ctl->interrupt_mask),
			      "step %u", step);
			queue[tail++ % 1024] = len;
			used += len + 8;
			unread += len + 8;
			break;
		case 2:
		case 3:
			ret = ring_recv_peek(&p.rx, &d);
			CHECK(ret == (head != tail), "step %u: %d", step, ret);
			if (!ret)
				break;
			len = queue[head % 1024];
			take(&p, len, head++);
			CHECK_OK();
			unread -= len + 8;
			break;
		case 4:
			want_room = size - used;
			signal = ring_recv_commit(&p.rx);
			used = unread;
			CHECK(signal == (waits && want_room <= waits &&
					 size - used > waits),
			      "step %u", step);
			break;
		case 5:
			if (rng(2)) {
				ring_recv_mask(&p.rx);
			} else {
				signal = ring_recv_unmask(&p.rx);
				CHECK(signal == (used != 0), "step %u", step);
			}
			break;
		}
	}
	pair_close(&p);
}

static void test_model(void)
{
	static const u32 sizes[] = { 32, 64, 128, 1016, 4096, 16384 };
	u32 i;

	for (i = 0; i < 24; i++) {
		u32 size = sizes[i % 6];
		bool twice = i >= 12 && !(size % 4096);

		printf("# seed %u: %u bytes%s\n", i + 1, size,
		       twice ? ", mapped twice" : "");
		run_model(i + 1, size, twice);
		CHECK_OK();
	}
}

int main(void)
{
	tap_test("ring: a packet of each length at each offset", test_wrap_plain);
	tap_test("ring: the same where the data is mapped twice",
		 test_wrap_twice);
	tap_test("ring: parts cut anywhere", test_gather);
	tap_test("ring: the transaction id is replaced in place", test_set_id);
	tap_test("ring: what is not committed was never there",
		 test_not_committed);
	tap_test("ring: exact fit leaves 8 bytes", test_exact_fit);
	tap_test("ring: filled with smallest packets", test_fill_in_small);
	tap_test("ring: lengths that can't be sent", test_bad_lengths);
	tap_test("ring: each bad read index stops the sender",
		 test_bad_read_index);
	tap_test("ring: each bad write index stops the receiver",
		 test_bad_write_index);
	tap_test("ring: each bad length and offset in a descriptor",
		 test_bad_descriptor);
	tap_test("ring: a descriptor changed after the check",
		 test_copied_once);
	tap_test("ring: one signal when it stops being empty",
		 test_signal_once);
	tap_test("ring: the mask holds signals back", test_mask);
	tap_test("ring: one signal when there is room enough", test_pending);
	tap_test("ring: exactly enough room is not enough",
		 test_pending_exact);
	tap_test("ring: nobody waits, no signal", test_pending_not_used);
	tap_test("ring: room that came before the wait", test_wait_sees_room);
	tap_test("ring: an overwritten index does not lose the signal",
		 test_bad_old_index);
	tap_test("ring: discarding makes room, too", test_discard_signals);
	tap_test("ring: random operations against a model", test_model);
	return tap_done();
}
