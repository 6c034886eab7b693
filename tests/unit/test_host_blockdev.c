// SPDX-License-Identifier: GPL-2.0-only
/* Block devices behind a disk: loop devices, which only root can make */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "blockio.h"
#include "tap.h"

#define SIZE	(4u << 20)
#define CHUNK	(64u << 10)

static struct loop *loop;
static char file[] = "/tmp/synthhost-blockdev-XXXXXX";
static char device[32];
static int file_fd, device_fd;
static const char *lacks;
static uint8_t *data, *back;
static bool done;
static int done_error;

/* A loop device over the file, or the reason why there is none */
static const char *setup(uint32_t sector, bool read_only)
{
	struct loop_config config = {
		.block_size = sector,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR |
				 (read_only ? LO_FLAGS_READ_ONLY : 0),
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), n, tries;

	if (geteuid())
		return "loop devices need root";
	if (control < 0)
		return "there is no /dev/loop-control";
	strcpy(file, "/tmp/synthhost-blockdev-XXXXXX");
	file_fd = mkstemp(file);
	if (file_fd < 0 || ftruncate(file_fd, SIZE))
		return "there is no room in /tmp";
	config.fd = file_fd;
	/* somebody else may have taken the free one first */
	for (tries = 0; tries < 100; tries++) {
		n = ioctl(control, LOOP_CTL_GET_FREE);
		snprintf(device, sizeof(device), "/dev/loop%d", n);
		device_fd = n < 0 ? -1 : open(device, O_RDWR | O_CLOEXEC);
		if (device_fd < 0)
			break;
		if (!ioctl(device_fd, LOOP_CONFIGURE, &config)) {
			close(control);
			return NULL;
		}
		close(device_fd);
		device_fd = -1;
		if (errno != EBUSY)
			break;
	}
	close(control);
	close(file_fd);
	unlink(file);
	return "no loop device can be had";
}

/* Which ends the device as well: it goes with its last user */
static void teardown(void)
{
	close(device_fd);
	close(file_fd);
	unlink(file);
}

#define SETUP(sector, read_only) do {					\
	lacks = setup(sector, read_only);				\
	if (lacks) {							\
		tap_skip(lacks);					\
		return;							\
	}								\
} while (0)

static void request_done(struct blockio_request *r, int error)
{
	(void)r;
	done = true;
	done_error = error;
}

static bool is_done(void *arg)
{
	(void)arg;
	return done;
}

static int run(struct blockio *b, struct blockio_request *r)
{
	done = false;
	r->done = request_done;
	blockio_submit(b, r);
	loop_wait_io(loop, is_done, NULL);
	return done_error;
}

static int move(struct blockio *b, enum blockio_kind kind, uint64_t offset,
		uint8_t *buffer, uint32_t len, bool sync)
{
	struct iovec iov[2] = {
		{ buffer, len / 2 }, { buffer + len / 2, len - len / 2 },
	};
	struct blockio_request r = {
		.kind = kind,
		.offset = offset,
		.length = len,
		.iov = iov,
		.iov_count = 2,
		.sync = sync,
	};

	return run(b, &r);
}

static int plain(struct blockio *b, enum blockio_kind kind, uint64_t offset,
		 uint64_t len)
{
	struct blockio_request r = {
		.kind = kind, .offset = offset, .length = len,
	};

	return run(b, &r);
}

static bool is_zero(const uint8_t *p, uint32_t len)
{
	while (len--) {
		if (*p++)
			return false;
	}
	return true;
}

/* What is written is in the device; buffers lie as guests have them */
static void move_data(struct blockio *b, uint32_t sector)
{
	static const uint32_t at[] = { 0, 1, 4, 511, 512, 4095 };
	unsigned int i;

	for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
		uint64_t offset = i * CHUNK + sector;

		CHECK(!move(b, BLOCKIO_WRITE, offset, data + at[i], CHUNK / 2,
			    i & 1), "write from byte %u", at[i]);
		memset(back, 0xee, CHUNK);
		CHECK(!move(b, BLOCKIO_READ, offset, back + at[i], CHUNK / 2,
			    false) &&
		      !memcmp(back + at[i], data + at[i], CHUNK / 2),
		      "read to byte %u", at[i]);
		CHECK(!plain(b, BLOCKIO_FLUSH, 0, 0), "flush");
		CHECK(pread(file_fd, back, CHUNK / 2, offset) == CHUNK / 2 &&
		      !memcmp(back, data + at[i], CHUNK / 2),
		      "the file behind it, written from byte %u", at[i]);
	}
}

static struct blockio *open_it(bool read_only, uint32_t sector)
{
	struct text err = { 0 };
	struct blockio *b = blockio_open(loop, device, read_only, sector, &err);

	if (!b)
		printf("# %s\n", text_str(&err));
	text_free(&err);
	return b;
}

static void test_data(void)
{
	struct blockio *b;

	SETUP(512, false);
	b = open_it(false, 512);
	CHECK(b, "open");
	CHECK(blockio_size(b) == SIZE, "%llu bytes",
	      (unsigned long long)blockio_size(b));
	CHECK(blockio_is_direct(b), "through the page cache");
	move_data(b, 512);
	CHECK_OK();
	CHECK(move(b, BLOCKIO_WRITE, SIZE, data, 512, false), "beyond the end");
	blockio_close(b);
	teardown();
}

/* A disk of 512-byte sectors on a device that has larger ones */
static void test_large_sectors(void)
{
	struct blockio *b;

	SETUP(4096, false);
	b = open_it(false, 512);
	CHECK(b, "open with 512");
	CHECK(!blockio_is_direct(b), "direct in units that it can't do");
	move_data(b, 512);
	CHECK_OK();
	blockio_close(b);
	b = open_it(false, 4096);
	CHECK(b, "open with 4096");
	CHECK(blockio_is_direct(b), "through the page cache");
	move_data(b, 4096);
	CHECK_OK();
	blockio_close(b);
	teardown();
}

static void test_zeroes(void)
{
	struct blockio_request pattern = {
		.kind = BLOCKIO_PATTERN, .offset = CHUNK, .length = CHUNK,
		.pattern = data,
	};
	struct blockio *b;
	uint32_t i;

	SETUP(512, false);
	b = open_it(false, 512);
	CHECK(b, "open");
	for (i = 0; i < 4; i++)
		CHECK(!move(b, BLOCKIO_WRITE, i * CHUNK, data, CHUNK, false),
		      "write");
	CHECK(!plain(b, BLOCKIO_ZERO, CHUNK + 512, CHUNK - 1024), "zero");
	CHECK(!move(b, BLOCKIO_READ, CHUNK, back, CHUNK, false), "read");
	CHECK(!memcmp(back, data, 512) && is_zero(back + 512, CHUNK - 1024) &&
	      !memcmp(back + CHUNK - 512, data + CHUNK - 512, 512),
	      "zeroes are not where they should be");

	/* a discard is advice: no more is promised than that the rest stays */
	CHECK(blockio_can_discard(b) && !blockio_discard_zeroes(b), "discard");
	CHECK(!plain(b, BLOCKIO_DISCARD, 2 * CHUNK, CHUNK), "discard");
	CHECK(!move(b, BLOCKIO_READ, 3 * CHUNK, back, CHUNK, false) &&
	      !memcmp(back, data, CHUNK), "behind the discard");

	CHECK(!run(b, &pattern), "pattern");
	CHECK(!move(b, BLOCKIO_READ, CHUNK, back, CHUNK, false), "read");
	for (i = 0; i < CHUNK; i += 512)
		CHECK(!memcmp(back + i, data, 512), "pattern at %u", i);
	blockio_close(b);
	teardown();
}

static void test_read_only(void)
{
	struct text err = { 0 };
	struct blockio *b;

	SETUP(512, true);
	/* the kernel lets root open such a device for writing */
	CHECK(!blockio_open(loop, device, false, 512, &err), "for writing");
	CHECK(strstr(text_str(&err), "readonly may do"), "%s", text_str(&err));
	text_free(&err);
	b = open_it(true, 512);
	CHECK(b, "open");
	CHECK(!move(b, BLOCKIO_READ, 0, back, CHUNK, false) &&
	      is_zero(back, CHUNK), "read");
	CHECK(move(b, BLOCKIO_WRITE, 0, data, CHUNK, false), "write");
	blockio_close(b);
	teardown();
}

static void test_busy(void)
{
	struct text err = { 0 };
	struct blockio *b;
	int holder;

	SETUP(512, false);
	holder = open(device, O_RDONLY | O_EXCL | O_CLOEXEC);
	CHECK(holder >= 0, "hold it as a mount does");
	CHECK(!blockio_open(loop, device, false, 512, &err), "while held");
	CHECK(strstr(text_str(&err), "in use"), "%s", text_str(&err));
	text_free(&err);
	close(holder);
	b = open_it(false, 512);
	CHECK(b, "open");
	CHECK(!blockio_open(loop, device, false, 512, &err), "a second time");
	CHECK(strstr(text_str(&err), "in use"), "%s", text_str(&err));
	text_free(&err);
	blockio_close(b);
	teardown();
}

static void test_resize(void)
{
	struct text err = { 0 };
	struct blockio *b;

	SETUP(512, false);
	b = open_it(false, 512);
	CHECK(b, "open");
	CHECK(blockio_resize(b, 2 * SIZE, &err), "a device grows by order");
	text_free(&err);
	CHECK(blockio_size(b) == SIZE, "size after a refusal");
	CHECK(!ftruncate(file_fd, 2 * SIZE) &&
	      !ioctl(device_fd, LOOP_SET_CAPACITY, 0), "grow it");
	CHECK(!blockio_resize(b, 0, &err), "%s", text_str(&err));
	CHECK(blockio_size(b) == 2 * SIZE, "%llu bytes",
	      (unsigned long long)blockio_size(b));
	CHECK(!move(b, BLOCKIO_WRITE, 2 * SIZE - CHUNK, data, CHUNK, true) &&
	      !move(b, BLOCKIO_READ, 2 * SIZE - CHUNK, back, CHUNK, false) &&
	      !memcmp(back, data, CHUNK), "at the new end");
	blockio_close(b);
	teardown();
}

int main(void)
{
	unsigned int i;

	/* the failure may be a wait without an end */
	alarm(120);
	loop = loop_create(0);
	data = aligned_alloc(4096, CHUNK + 4096);
	back = aligned_alloc(4096, CHUNK + 4096);
	if (!loop || !data || !back) {
		printf("Bail out! io_uring or memory\n");
		return 1;
	}
	for (i = 0; i < CHUNK + 4096; i++)
		data[i] = i * 2654435761u >> 13;
	tap_test("block device: data", test_data);
	tap_test("block device: larger sectors", test_large_sectors);
	tap_test("block device: zeroes, discard, patterns", test_zeroes);
	tap_test("block device: read-only", test_read_only);
	tap_test("block device: in use", test_busy);
	tap_test("block device: resize", test_resize);
	free(data);
	free(back);
	loop_destroy(loop);
	return tap_done();
}
