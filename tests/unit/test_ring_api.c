// SPDX-License-Identifier: GPL-2.0-only
/*
 * channel/ring_api.c, with as much of a kernel around it as kernel/linux has:
 * the client API's functions, and above all that the loops in which existing
 * drivers read end, whatever a host writes.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "ring.h"
#include "ring_api.h"
#include "tap.h"

#define PAGES		3u
#define DATA		((PAGES - 1) * PAGE_SIZE)
#define MAX_PKT		512u

unsigned int test_logged;

static int memory;		/* the "physical" pages of both rings */
static struct page *pages;
static struct vmbus_channel ch;
static struct ring host_tx, host_rx;	/* the other end */
static unsigned int signals, ids_out;
static u64 next_id;
static unsigned int late;	/* packets that the host has yet to send */
static unsigned int host_signals;
static int mapped;		/* vmap() without vunmap() */

void *vmap(struct page **list, unsigned int count, unsigned long flags, int prot)
{
	u8 *at = mmap(NULL, count * PAGE_SIZE, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int i;

	(void)flags;
	(void)prot;
	mapped++;
	for (i = 0; i < count; i++)
		if (mmap(at + i * PAGE_SIZE, PAGE_SIZE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_FIXED, memory,
			 (list[i] - pages) * PAGE_SIZE) == MAP_FAILED)
			abort();
	return at;
}

void vunmap(void *addr)
{
	if (!addr)
		return;
	mapped--;
	munmap(addr, (1 + 2 * (PAGES - 1)) * PAGE_SIZE);
}

void vmbus_setevent(struct vmbus_channel *channel)
{
	(void)channel;
	signals++;
}

static u64 id_new(struct vmbus_channel *channel, u64 addr)
{
	(void)channel;
	(void)addr;
	if (!next_id)
		return VMBUS_RQST_ERROR;
	ids_out++;
	return next_id;
}

static u64 id_free(struct vmbus_channel *channel, u64 id)
{
	(void)channel;
	ids_out -= id == next_id;
	return 0;
}

static void set_up(void)
{
	memset(&ch, 0, sizeof(ch));
	signals = test_logged = ids_out = 0;
	next_id = 0;
	memset(pages, 0xee, 2 * PAGES * PAGE_SIZE);
	ring_prepare(&ch.outbound);
	ring_prepare(&ch.inbound);
	if (ring_map(&ch.outbound, pages, PAGES, 0) ||
	    ring_map(&ch.inbound, pages + PAGES, PAGES, MAX_PKT))
		abort();
	host_rx = (struct ring) {
		.ctl = (struct ring_ctl *)pages, .data = pages[1].bytes,
		.size = DATA,
	};
	host_tx = (struct ring) {
		.ctl = (struct ring_ctl *)(pages + PAGES),
		.data = pages[PAGES + 1].bytes, .size = DATA,
	};
}

static void tear_down(void)
{
	ring_unmap(&ch.outbound);
	ring_unmap(&ch.inbound);
	ring_unmap(&ch.inbound);	/* harmless */
}

/* A packet of len bytes with its payload at offset, from the host */
static int host_send(u32 len, u32 offset, u64 id)
{
	static u64 buf[DATA / 8];
	struct ring_desc d = {
		.type = 6, .offset8 = offset / 8, .len8 = len / 8, .trans_id = id,
	};
	struct ring_iov iov = { buf, len };
	int ret;

	memset(buf, id, sizeof(buf));
	memcpy(buf, &d, sizeof(d));
	ret = ring_send_begin(&host_tx, &iov, 1);
	if (ret > 0)
		host_signals += ring_send_commit(&host_tx, ret);
	return ret;
}

static int guest_write(u16 flags, u64 requestid, u64 *trans_id)
{
	struct vmpacket_descriptor d = {
		.type = 6, .offset8 = 2, .len8 = 4, .flags = flags,
		.trans_id = 1,
	};
	u8 data[9] = "payload", pad[7] = "";
	struct kvec kv[3] = { { &d, 16 }, { data, 9 }, { pad, 7 } };

	return ring_write(&ch, kv, 3, requestid, trans_id);
}

/* <linux/hyperv.h>, hv_end_read(): what keeps tasklets and NAPI going */
static u32 unread(void)
{
	u32 rd = ch.inbound.ring_buffer->read_index;
	u32 wr = ch.inbound.ring_buffer->write_index;

	return wr >= rd ? wr - rd : DATA - rd + wr;
}

/* foreach_vmbus_pkt(); returns packets, or -1 if it did not end */
static int drain_by_iterator(void)
{
	struct vmpacket_descriptor *d;
	int n = 0;

	for (d = hv_pkt_iter_first(&ch); d; n++) {
		if (n > 10000 || d->len8 * 8u > MAX_PKT || d->offset8 < 2 ||
		    d->offset8 > d->len8)
			return -1;
		d = __hv_pkt_iter_next(&ch, d);
		if (!d)
			hv_pkt_iter_close(&ch);
	}
	return n;
}

static int drain_by_read(void)
{
	u8 buf[MAX_PKT];
	u32 len;
	u64 id;
	int n;

	for (n = 0; n < 10000; n++)
		if (ring_read(&ch, buf, sizeof(buf), &len, &id, false) || !len)
			return n;
	return -1;
}

/* The tasklet: again as long as something is said to be left */
static int drain(bool iterator)
{
	int turns, n = 0, got;

	for (turns = 0; turns < 100; turns++) {
		got = iterator ? drain_by_iterator() : drain_by_read();
		if (got < 0)
			return got;
		n += got;
		if (!unread())
			return n;
	}
	return -1;
}

static void test_map(void)
{
	struct hv_ring_buffer_debug_info info;

	set_up();
	CHECK(ch.inbound.ring_size == PAGES * PAGE_SIZE);
	CHECK(ch.inbound.ring_datasize == DATA);
	CHECK(ch.outbound.ring_size_div10_reciprocal.of ==
	      PAGES * PAGE_SIZE / 10);
	CHECK(ch.inbound.pkt_buffer_size == MAX_PKT && ch.inbound.pkt_buffer);
	CHECK(host_rx.ctl->feature_bits == 1 && host_tx.ctl->feature_bits == 1);
	CHECK(!host_rx.ctl->write_index && !host_rx.ctl->reserved[11]);
	ch.outbound.ring_buffer->buffer[DATA + 5] = 0x5a;
	CHECK(host_rx.data[5] == 0x5a);
	CHECK(!hv_ringbuffer_get_debuginfo(&ch.outbound, &info));
	CHECK(!info.bytes_avail_toread && info.bytes_avail_towrite == DATA);
	host_rx.ctl->read_index = 0xfffffff0;
	CHECK(!hv_ringbuffer_get_debuginfo(&ch.outbound, &info));
	CHECK(info.current_read_index == 0xfffffff0);
	CHECK(!info.bytes_avail_toread && !info.bytes_avail_towrite);
	tear_down();
	CHECK(hv_ringbuffer_get_debuginfo(&ch.outbound, &info) == -EINVAL);
	CHECK(guest_write(0, 1, NULL) == -ENODEV);
	CHECK(!hv_ringbuffer_spinlock_busy(&ch));
	CHECK(ring_map(&ch.inbound, pages, 1, 0) == -EINVAL);
}

/* Opened again on the rings that were kept: nothing is mapped a second time */
static void test_again(void)
{
	const void *buffer;

	set_up();
	CHECK(mapped == 2);
	CHECK(guest_write(0, 77, NULL) == 0);
	buffer = ch.inbound.pkt_buffer;
	CHECK(!ring_map(&ch.outbound, pages, PAGES, 0));
	CHECK(!ring_map(&ch.inbound, pages + PAGES, PAGES, MAX_PKT));
	CHECK(mapped == 2 && ch.inbound.pkt_buffer == buffer);
	CHECK(!host_rx.ctl->write_index && host_rx.ctl->feature_bits == 1);
	CHECK(guest_write(0, 77, NULL) == 0);
	/* a driver that takes larger packets than the last one */
	CHECK(!ring_map(&ch.inbound, pages + PAGES, PAGES, 2 * MAX_PKT));
	CHECK(mapped == 2 && ch.inbound.pkt_buffer_size == 2 * MAX_PKT);
	tear_down();
	CHECK(!mapped);
}

static void test_write(void)
{
	struct ring_desc d;
	u8 data[16];
	u64 id = 0;

	set_up();
	CHECK(guest_write(0, 77, &id) == 0);
	CHECK(id == 77 && signals == 1 && ch.intr_out_empty == 1);
	CHECK(guest_write(0, 78, NULL) == 0);
	CHECK(signals == 1 && ch.intr_out_empty == 1);
	CHECK(ring_recv_peek(&host_rx, &d) == 1);
	CHECK(d.trans_id == 77 && d.len8 == 4);
	ring_recv_copy(&host_rx, 16, data, 16);
	CHECK(!memcmp(data, "payload\0", 9));
	tear_down();
}

static void test_write_full(void)
{
	u32 n = 0, rd;

	set_up();
	while (!guest_write(0, 1, NULL))
		CHECK(++n < 1000);
	CHECK(n == (DATA - 8) / 40);
	CHECK(guest_write(0, 1, NULL) == -EAGAIN);
	CHECK(ch.out_full_total == 2 && ch.out_full_first == 1);
	CHECK(ch.out_full_flag && signals == 1);
	rd = 40;
	host_rx.ctl->read_index = rd;
	CHECK(!guest_write(0, 1, NULL) && !ch.out_full_flag);
	/* the host's index is not believed, and ours is not the shared one */
	host_rx.ctl->read_index = 41;
	CHECK(guest_write(0, 1, NULL) == -EPROTO && test_logged == 1);
	host_rx.ctl->read_index = DATA;
	CHECK(guest_write(0, 1, NULL) == -EPROTO);
	host_rx.ctl->read_index = 400;
	host_rx.ctl->write_index = 0xdeadbeef;
	CHECK(!guest_write(0, 1, NULL));
	CHECK(host_rx.ctl->write_index < DATA);
	CHECK(!ch.outbound.ring_lock.held);
	tear_down();
}

static void test_request_ids(void)
{
	struct ring_desc d;
	u64 id = 0;

	set_up();
	ch.next_request_id_callback = id_new;
	ch.request_addr_callback = id_free;
	/* none left: nothing is sent */
	CHECK(guest_write(1, 5, &id) == -EAGAIN);
	CHECK(!ring_recv_peek(&host_rx, &d) && !signals);
	/* not asked for where no completion is */
	CHECK(!guest_write(0, 5, &id) && id == 5);
	next_id = 99;
	CHECK(!guest_write(1, 5, &id) && id == 99 && ids_out == 1);
	ring_recv_advance(&host_rx, 32);
	CHECK(ring_recv_peek(&host_rx, &d) == 1 && d.trans_id == 99);
	/* nothing is taken after a rescind */
	ch.rescind = true;
	CHECK(guest_write(1, 5, &id) == -ENODEV && ids_out == 1);
	tear_down();
}

static u64 id_new_and_rescind(struct vmbus_channel *channel, u64 addr)
{
	channel->rescind = true;
	return id_new(channel, addr);
}

static void test_rescind_while_writing(void)
{
	set_up();
	next_id = 99;
	ch.next_request_id_callback = id_new_and_rescind;
	ch.request_addr_callback = id_free;
	CHECK(guest_write(1, 5, NULL) == -ENODEV && ids_out == 0);
	tear_down();
}

static void test_iterate(void)
{
	struct vmpacket_descriptor *d;
	u32 i, j;

	set_up();
	for (i = 1; i < 400; i++) {
		CHECK(host_send(16 + i % 60 * 8, 16, i) > 0);
		CHECK(host_send(24, 24, i + 1000) > 0);
		d = hv_pkt_iter_first(&ch);
		CHECK(d && d == hv_pkt_iter_first(&ch));
		CHECK(d->trans_id == i && d->len8 == 2 + i % 60);
		for (j = 16; j < d->len8 * 8u; j++)
			CHECK(((u8 *)d)[j] == (u8)i);
		CHECK(unread());
		d = __hv_pkt_iter_next(&ch, d);
		CHECK(d && d->trans_id == i + 1000 && d->offset8 == 3);
		CHECK(!__hv_pkt_iter_next(&ch, d));
		hv_pkt_iter_close(&ch);
		CHECK(!unread());
	}
	CHECK(!test_logged && !signals);
	tear_down();
}

static void test_read(void)
{
	u8 buf[MAX_PKT];
	u32 len;
	u64 id;

	set_up();
	host_send(40, 24, 3);
	host_send(40, 24, 4);
	CHECK(ring_read(&ch, buf, 0, &len, &id, false) == -EINVAL);
	CHECK(!ring_read(&ch, buf, 16, &len, &id, false));
	CHECK(len == 16 && id == 3 && buf[0] == 3 && buf[15] == 3);
	CHECK(!ring_read(&ch, buf, 40, &len, &id, true));
	CHECK(len == 40 && id == 4 && buf[0] == 6 && buf[39] == 4);
	CHECK(!ring_read(&ch, buf, 40, &len, &id, false));
	CHECK(!len && !id && !unread());
	/* one without payload does not hide the next one */
	host_send(16, 16, 5);
	host_send(24, 16, 6);
	CHECK(!ring_read(&ch, buf, 40, &len, &id, false));
	CHECK(len == 8 && id == 6 && !unread());
	tear_down();
}

static void test_small_buffer(void)
{
	u8 buf[MAX_PKT];
	u32 len, i;
	u64 id;

	set_up();
	host_send(104, 16, 3);
	host_send(24, 16, 4);
	for (i = 0; i < 10; i++)
		CHECK(ring_read(&ch, buf, 87, &len, &id, false) == -ENOBUFS &&
		      len == 88 && id == 3 && unread());
	CHECK(!ring_read(&ch, buf, 88, &len, &id, false) && len == 88);
	/* a driver that never brings a larger one does not hang */
	host_send(104, 16, 5);
	CHECK(!ring_read(&ch, buf, 8, &len, &id, false) && id == 4);
	for (i = 0; i < 1000 && unread(); i++)
		CHECK(ring_read(&ch, buf, 87, &len, &id, false) == -ENOBUFS);
	CHECK(i == 64, "%u", i);
	tear_down();
}

static void test_pending(void)
{
	int n = 0;

	set_up();
	while (host_send(408, 16, n) > 0)
		n++;
	CHECK(ring_send_wait(&host_tx, 408));
	CHECK(drain(true) == n && signals == 1 && ch.intr_in_full == 1);
	tear_down();
}

/*
 * The packet that comes just after the guest found the ring empty: the host
 * signals, or the guest must find it in the same call. Drivers that read in
 * HV_CALL_DIRECT mode are called for signals only.
 */
int __real_ring_recv_peek(const struct ring *r, struct ring_desc *desc);
int __wrap_ring_recv_peek(const struct ring *r, struct ring_desc *desc);

int __wrap_ring_recv_peek(const struct ring *r, struct ring_desc *desc)
{
	int ret = __real_ring_recv_peek(r, desc);

	if (!ret && late) {
		late--;
		host_send(48, 16, 2);
	}
	return ret;
}

static void test_late_packet(void)
{
	int iterator, n;

	for (iterator = 0; iterator < 2; iterator++) {
		set_up();
		host_send(48, 16, 1);
		host_signals = 0;
		late = 1;
		n = iterator ? drain_by_iterator() : drain_by_read();
		CHECK(!late && (n == 2 || host_signals == 1));
		tear_down();
	}
}

static void test_oversized(bool iterator)
{
	set_up();
	host_send(24, 16, 1);
	host_send(MAX_PKT + 8, 16, 2);
	host_send(MAX_PKT, 16, 3);
	CHECK(drain(iterator) == 2 && test_logged == 1);
	tear_down();
}

static void test_oversized_packets(void)
{
	test_oversized(true);
	CHECK_OK();
	test_oversized(false);
}

/* Each index that a host can write, and each descriptor: every loop ends */
static void test_loops_end(void)
{
	static const u32 far[] = { 0x7fffffff, 0xfffffff8, 0xffffffff, 0x10000 };
	u32 i, how, index;
	bool iterator;
	int n;

	for (i = 0; i < DATA + 64 + 4; i += i < DATA ? 4 : 1) {
		for (how = 0; how < 6; how++) {
			iterator = how & 1;
			index = i < DATA + 64 ? i : far[i - DATA - 64];
			set_up();
			host_send(32, 16, 1);
			/* one may be read before the trouble starts */
			if (how & 4)
				CHECK(drain(iterator) == 1);
			if (how & 2)
				host_tx.ctl->read_index = index;
			else
				host_tx.ctl->write_index = index;
			n = drain(iterator);
			CHECK(n >= 0 && !unread(), "how %u index %#x", how,
			      index);
			/* and when the host is sane again, so are we */
			host_tx.pos = ch.inbound.priv_read_index;
			host_tx.ctl->write_index = host_tx.pos;
			CHECK(drain(iterator) == 0);
			CHECK(host_send(48, 16, 9) == 48);
			CHECK(drain(iterator) == 1, "how %u index %#x", how,
			      index);
			tear_down();
		}
	}
}

static void test_bad_descriptors(void)
{
	u32 len8, offset8, how;
	struct ring_desc d;
	int n;

	for (len8 = 0; len8 < 80; len8++) {
		for (offset8 = 0; offset8 < 12; offset8++) {
			for (how = 0; how < 2; how++) {
				set_up();
				host_send(64, 16, 1);
				host_send(64, 16, 2);
				d = (struct ring_desc) { 6, offset8,
							 len8 * len8, 0, 1 };
				memcpy(host_tx.data, &d, sizeof(d));
				n = drain(how);
				CHECK(n >= 0 && n <= 10 && !unread());
				CHECK(host_send(48, 16, 9) == 48);
				CHECK(drain(how) == 1);
				tear_down();
			}
		}
	}
}

int main(void)
{
	memory = memfd_create("pages", 0);
	if (memory < 0 || ftruncate(memory, 2 * PAGES * PAGE_SIZE))
		return 1;
	pages = mmap(NULL, 2 * PAGES * PAGE_SIZE, PROT_READ | PROT_WRITE,
		     MAP_SHARED, memory, 0);
	if (pages == MAP_FAILED)
		return 1;

	tap_test("ring api: map and unmap", test_map);
	tap_test("ring api: opened again", test_again);
	tap_test("ring api: write", test_write);
	tap_test("ring api: full and corrupted outgoing ring", test_write_full);
	tap_test("ring api: request ids", test_request_ids);
	tap_test("ring api: rescind while writing gives the id back",
		 test_rescind_while_writing);
	tap_test("ring api: iterate", test_iterate);
	tap_test("ring api: read with and without descriptor", test_read);
	tap_test("ring api: a buffer that is too small", test_small_buffer);
	tap_test("ring api: the host waits for room", test_pending);
	tap_test("ring api: a packet that comes when the ring was found empty",
		 test_late_packet);
	tap_test("ring api: packets longer than the driver takes",
		 test_oversized_packets);
	tap_test("ring api: drivers' loops end whatever the indices",
		 test_loops_end);
	tap_test("ring api: drivers' loops end whatever the descriptor",
		 test_bad_descriptors);
	return tap_done();
}
