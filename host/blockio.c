// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files and block devices through io_uring: see blockio.h. A request is a
 * small state machine: each completion calls r->step, which either submits the
 * next part or ends the request.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "blockio.h"
#include "log.h"

#define BLOCKIO_PAGE	4096u
#define BLOCKIO_CHUNK	(1u << 20)	/* of patterns, zeroes and verifying */

struct blockio {
	struct loop *loop;
	char *path;
	int fd;			/* through the page cache; holds the lock */
	int direct_fd;		/* -1: the file cannot do that */
	uint32_t align;		/* of buffers for direct_fd, bytes */
	uint32_t sector;
	uint64_t size;
	bool is_device;
	bool read_only;
	bool can_punch;
	bool no_zero_range;	/* learnt when it was refused */
};

#define request_of(ptr) \
	((struct blockio_request *)((char *)(ptr) - \
				    offsetof(struct blockio_request, io)))

/*
 * O_DIRECT's demands differ by file system and device, and can be asked for
 * only since Linux 6.1 and not everywhere, so read a little and see. Only a
 * unit that is no larger than a sector will do.
 */
static void blockio_probe_direct(struct blockio *b)
{
	static const uint32_t units[] = { 512, 4096 };
	uint8_t *buffer;
	char self[32];
	unsigned int i;
	int fd;

	snprintf(self, sizeof(self), "/proc/self/fd/%d", b->fd);
	fd = open(self, (b->read_only ? O_RDONLY : O_RDWR) | O_DIRECT |
		  O_CLOEXEC);
	if (fd < 0)
		return;
	buffer = aligned_alloc(BLOCKIO_PAGE, 3 * BLOCKIO_PAGE);
	for (i = 0; buffer && i < 2 && units[i] <= b->sector; i++) {
		/* at an address that is aligned to the unit and no more */
		if (pread(fd, buffer + units[i], units[i], 0) !=
		    (ssize_t)units[i])
			continue;
		b->direct_fd = fd;
		b->align = units[i];
		break;
	}
	free(buffer);
	if (b->direct_fd < 0)
		close(fd);
}

/* Behind the end of the file there is nothing that a hole could destroy */
static void blockio_probe_punch(struct blockio *b)
{
	if (b->read_only)
		return;
	b->can_punch = b->is_device ||
		       !fallocate(b->fd,
				  FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  b->size, BLOCKIO_PAGE);
}

static int blockio_get_size(const struct blockio *b, uint64_t *size)
{
	struct stat st;

	if (b->is_device)
		return ioctl(b->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(b->fd, &st))
		return -errno;
	*size = st.st_size;
	return 0;
}

static int blockio_check_size(const struct blockio *b, uint64_t size,
			      struct text *err)
{
	if (!size)
		return text_add(err, "%s is empty", b->path);
	if (size % b->sector)
		return text_add(err,
				"size of %s, %llu bytes, is no multiple of the sector, %u",
				b->path, (unsigned long long)size, b->sector);
	return 0;
}

/* An open-file-description lock also stands between two disks of ours */
static int blockio_lock(struct blockio *b, struct text *err)
{
	struct flock fl = {
		.l_type = b->read_only ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(b->fd, F_OFD_SETLK, &fl))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return text_add(err, "%s is in use by another disk or process",
				b->path);
	log_warn("%s cannot be locked (%s): keep others away from it", b->path,
		 strerror(errno));
	return 0;
}

static int blockio_open_fd(struct blockio *b, struct text *err)
{
	int flags = (b->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	struct stat st;

	/* before it is opened: opening a FIFO could block, a tape rewind */
	if (stat(b->path, &st))
		return text_add(err, "%s: %s", b->path, strerror(errno));
	b->is_device = S_ISBLK(st.st_mode);
	if (!b->is_device && !S_ISREG(st.st_mode))
		return text_add(err, "%s is neither a file nor a block device",
				b->path);
	/* O_EXCL refuses a block device that is mounted */
	if (b->is_device && !b->read_only)
		flags |= O_EXCL;
	b->fd = open(b->path, flags);
	if (b->fd >= 0) {
		int ro = 0;

		/* the kernel lets root open it all the same */
		if (!b->is_device || b->read_only ||
		    ioctl(b->fd, BLKROGET, &ro) || !ro)
			return 0;
		errno = EROFS;
	}
	if (errno == EACCES || errno == EROFS || errno == EPERM)
		return text_add(err, "%s cannot be opened for %s: %s%s",
				b->path, b->read_only ? "reading" : "writing",
				strerror(errno),
				b->read_only ? "" : " (readonly may do)");
	if (errno == EBUSY)
		return text_add(err, "%s is in use (mounted?)", b->path);
	return text_add(err, "%s: %s", b->path, strerror(errno));
}

struct blockio *blockio_open(struct loop *loop, const char *path,
			     bool read_only, uint32_t sector,
			     struct text *err)
{
	struct blockio *b = calloc(1, sizeof(*b));
	int ret;

	if (b)
		b->path = strdup(path);
	if (!b || !b->path) {
		free(b);
		text_add(err, "out of memory");
		return NULL;
	}
	b->loop = loop;
	b->fd = -1;
	b->direct_fd = -1;
	b->sector = sector;
	b->read_only = read_only;
	if (blockio_open_fd(b, err) || blockio_lock(b, err))
		goto fail;
	ret = blockio_get_size(b, &b->size);
	if (ret) {
		text_add(err, "size of %s: %s", path, strerror(-ret));
		goto fail;
	}
	if (blockio_check_size(b, b->size, err))
		goto fail;
	blockio_probe_direct(b);
	blockio_probe_punch(b);
	return b;

fail:
	blockio_close(b);
	return NULL;
}

void blockio_close(struct blockio *b)
{
	if (!b)
		return;
	if (b->direct_fd >= 0)
		close(b->direct_fd);
	if (b->fd >= 0)
		close(b->fd);
	free(b->path);
	free(b);
}

uint64_t blockio_size(const struct blockio *b)
{
	return b->size;
}

int blockio_resize(struct blockio *b, uint64_t size, struct text *err)
{
	int ret;

	if (size) {
		ret = blockio_check_size(b, size, err);
		if (ret)
			return ret;
		if (b->is_device || b->read_only) {
			text_add(err, "%s is %s: its size cannot be set",
				 b->path, b->is_device ? "a block device" :
							 "opened read-only");
			return -EINVAL;
		}
		if (ftruncate(b->fd, size)) {
			ret = -errno;
			text_add(err, "%s: %s", b->path, strerror(-ret));
			return ret;
		}
	}
	ret = blockio_get_size(b, &size);
	if (ret) {
		text_add(err, "size of %s: %s", b->path, strerror(-ret));
		return ret;
	}
	ret = blockio_check_size(b, size, err);
	if (!ret)
		b->size = size;
	return ret;
}

bool blockio_can_discard(const struct blockio *b)
{
	return b->can_punch;
}

bool blockio_discard_zeroes(const struct blockio *b)
{
	/* a hole in a file does; BLKDISCARD promises nothing */
	return !b->is_device;
}

bool blockio_is_direct(const struct blockio *b)
{
	return b->direct_fd >= 0;
}

static void blockio_io_done(struct loop_io *io, int res)
{
	struct blockio_request *r = request_of(io);

	r->step(r, res);
}

static struct io_uring_sqe *
blockio_sqe(struct blockio_request *r,
	    void (*step)(struct blockio_request *r, int res))
{
	r->step = step;
	r->io.done = blockio_io_done;
	return loop_sqe(r->b->loop, &r->io);
}

static void blockio_end(struct blockio_request *r, int error)
{
	free(r->buffer);
	r->buffer = NULL;
	r->done(r, error);
}

static void blockio_end_step(struct blockio_request *r, int res)
{
	blockio_end(r, res < 0 ? -res : 0);
}

static void blockio_fail_step(struct blockio_request *r, int res)
{
	(void)res;
	blockio_end(r, r->result);
}

/* Ends with an error, but not before the caller has left blockio_submit() */
static void blockio_fail_later(struct blockio_request *r, int error)
{
	r->result = error;
	io_uring_prep_nop(blockio_sqe(r, blockio_fail_step));
}

static void blockio_sync(struct blockio_request *r)
{
	io_uring_prep_fsync(blockio_sqe(r, blockio_end_step), r->b->fd,
			    IORING_FSYNC_DATASYNC);
}

/* --- transfers ---------------------------------------------------------- */

static void iov_advance(struct iovec **vec, unsigned int *count, size_t bytes)
{
	while (*count && bytes >= (*vec)->iov_len) {
		bytes -= (*vec)->iov_len;
		(*vec)++;
		(*count)--;
	}
	if (*count) {
		(*vec)->iov_base = (char *)(*vec)->iov_base + bytes;
		(*vec)->iov_len -= bytes;
	}
}

static void iov_zero(const struct iovec *vec, unsigned int count)
{
	for (; count; vec++, count--)
		memset(vec->iov_base, 0, vec->iov_len);
}

static bool iov_aligned(const struct iovec *vec, unsigned int count,
			uint32_t align)
{
	uintptr_t all = 0;

	for (; count; vec++, count--)
		all |= (uintptr_t)vec->iov_base | vec->iov_len;
	return !(all & (align - 1));
}

static void iov_gather(uint8_t *to, const struct iovec *vec,
		       unsigned int count)
{
	for (; count; vec++, count--) {
		memcpy(to, vec->iov_base, vec->iov_len);
		to += vec->iov_len;
	}
}

static void iov_scatter(const uint8_t *from, const struct iovec *vec,
			unsigned int count)
{
	for (; count; vec++, count--) {
		memcpy(vec->iov_base, from, vec->iov_len);
		from += vec->iov_len;
	}
}

static void transfer_step(struct blockio_request *r, int res);

static bool transfer_reads(const struct blockio_request *r)
{
	return r->kind == BLOCKIO_READ || r->kind == BLOCKIO_VERIFY;
}

static void transfer_submit(struct blockio_request *r)
{
	struct blockio *b = r->b;
	int fd = b->direct_fd >= 0 && !r->buffered ? b->direct_fd : b->fd;
	struct io_uring_sqe *sqe = blockio_sqe(r, transfer_step);

	if (transfer_reads(r))
		io_uring_prep_readv(sqe, fd, r->vec, r->vec_count, r->at);
	else
		io_uring_prep_writev2(sqe, fd, r->vec, r->vec_count, r->at,
				      r->sync ? RWF_DSYNC : 0);
}

static void chunk_next(struct blockio_request *r);

/* All of @vec was moved */
static void transfer_end(struct blockio_request *r)
{
	if (r->kind != BLOCKIO_READ && r->kind != BLOCKIO_WRITE) {
		if (r->left && r->cancelled && r->cancelled(r))
			blockio_end(r, ECANCELED);
		else
			chunk_next(r);
		return;
	}
	if (r->bounced && r->kind == BLOCKIO_READ)
		iov_scatter(r->buffer, r->iov, r->iov_count);
	blockio_end(r, 0);
}

static void transfer_step(struct blockio_request *r, int res)
{
	if (res == -EINTR || res == -EAGAIN) {
		transfer_submit(r);
		return;
	}
	/*
	 * The file system may refuse O_DIRECT here and not there: at the end
	 * of the file, or in a part that is compressed. What it refuses goes
	 * through the page cache, this one time.
	 */
	if (res == -EINVAL && r->b->direct_fd >= 0 && !r->buffered) {
		r->buffered = true;
		transfer_submit(r);
		return;
	}
	if (res < 0) {
		blockio_end(r, -res);
		return;
	}
	if (!res) {
		if (!transfer_reads(r)) {
			blockio_end(r, EIO);
			return;
		}
		/* the file is shorter than the disk: zeroes */
		iov_zero(r->vec, r->vec_count);
		r->vec_count = 0;
	}
	r->at += res;
	iov_advance(&r->vec, &r->vec_count, res);
	if (!r->vec_count) {
		transfer_end(r);
		return;
	}
	/* what is left may begin where O_DIRECT cannot */
	r->buffered = true;
	transfer_submit(r);
}

static uint64_t transfer_start(struct blockio_request *r)
{
	struct blockio *b = r->b;
	uint64_t held = 0;

	r->vec = r->iov;
	r->vec_count = r->iov_count;
	if (b->direct_fd >= 0 && !iov_aligned(r->iov, r->iov_count, b->align)) {
		r->buffer = aligned_alloc(BLOCKIO_PAGE,
					  (r->length + BLOCKIO_PAGE - 1) &
					  ~(uint64_t)(BLOCKIO_PAGE - 1));
		if (!r->buffer) {
			blockio_fail_later(r, ENOMEM);
			return 0;
		}
		held = r->length;
		r->bounced = true;
		if (r->kind == BLOCKIO_WRITE)
			iov_gather(r->buffer, r->iov, r->iov_count);
		r->one.iov_base = r->buffer;
		r->one.iov_len = r->length;
		r->vec = &r->one;
		r->vec_count = 1;
	}
	transfer_submit(r);
	return held;
}

/* --- what is done chunk by chunk: patterns, written zeroes, verifying ----- */

static void chunk_next(struct blockio_request *r)
{
	uint64_t n = r->left < r->chunk ? r->left : r->chunk;

	if (!r->left) {
		/* each chunk was written with RWF_DSYNC if that was asked */
		blockio_end(r, 0);
		return;
	}
	r->left -= n;
	r->buffered = false;
	r->one.iov_base = r->buffer;
	r->one.iov_len = n;
	r->vec = &r->one;
	r->vec_count = 1;
	transfer_submit(r);
}

static uint64_t chunk_start(struct blockio_request *r)
{
	uint64_t i;

	r->chunk = r->left < BLOCKIO_CHUNK ? r->left : BLOCKIO_CHUNK;
	r->chunk = (r->chunk + BLOCKIO_PAGE - 1) &
		   ~(uint64_t)(BLOCKIO_PAGE - 1);
	r->buffer = aligned_alloc(BLOCKIO_PAGE, r->chunk);
	if (!r->buffer) {
		blockio_fail_later(r, ENOMEM);
		return 0;
	}
	if (r->kind == BLOCKIO_PATTERN) {
		for (i = 0; i < r->chunk; i += r->b->sector)
			memcpy(r->buffer + i, r->pattern, r->b->sector);
	} else {
		memset(r->buffer, 0, r->chunk);
	}
	chunk_next(r);
	return r->chunk;
}

/* --- zeroes and holes ----------------------------------------------------- */

static void zero_step(struct blockio_request *r, int res);

static void zero_fallocate(struct blockio_request *r)
{
	struct blockio *b = r->b;
	int mode = FALLOC_FL_ZERO_RANGE;

	if (r->may_unmap)
		mode = FALLOC_FL_PUNCH_HOLE;
	io_uring_prep_fallocate(blockio_sqe(r, zero_step), b->fd,
				mode | FALLOC_FL_KEEP_SIZE, r->offset,
				r->length);
}

static void zero_step(struct blockio_request *r, int res)
{
	struct blockio *b = r->b;

	if (res == -EINTR || res == -EAGAIN) {
		zero_fallocate(r);
	} else if (res == -EOPNOTSUPP || res == -EINVAL) {
		if (!r->may_unmap)
			b->no_zero_range = true;
		if (r->may_unmap && !b->no_zero_range) {
			r->may_unmap = false;
			zero_fallocate(r);
		} else {
			chunk_start(r);
		}
	} else if (res < 0 || !r->sync) {
		blockio_end_step(r, res);
	} else {
		blockio_sync(r);
	}
}

static uint64_t zero_start(struct blockio_request *r)
{
	if (!r->b->can_punch)
		r->may_unmap = false;
	if (!r->may_unmap && r->b->no_zero_range)
		return chunk_start(r);
	zero_fallocate(r);
	/* in case it comes to writing them */
	return r->left < BLOCKIO_CHUNK ? r->left : BLOCKIO_CHUNK;
}

static void discard_file_step(struct blockio_request *r, int res)
{
	if (res < 0 || !r->sync)
		blockio_end_step(r, res);
	else
		blockio_sync(r);
}

/*
 * BLKDISCARD is an ioctl, which io_uring does not carry on older kernels, and
 * may take seconds: a thread of its own does it and says so on an eventfd,
 * which the loop reads.
 */
static void *discard_thread(void *arg)
{
	struct blockio_request *r = arg;
	uint64_t range[2] = { r->offset, r->length };
	uint64_t one = 1;
	int event = r->event;

	r->result = ioctl(r->b->fd, BLKDISCARD, range) ? errno : 0;
	/* the loop may free the request as soon as it has read this */
	while (write(event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	return NULL;
}

static void discard_device_step(struct blockio_request *r, int res)
{
	int error = r->result;

	if (res == -EINTR || res == -EAGAIN) {
		io_uring_prep_read(blockio_sqe(r, discard_device_step),
				   r->event, &r->chunk, sizeof(r->chunk), 0);
		return;
	}
	close(r->event);
	r->event = -1;
	/* a device without it keeps its blocks: a discard is only advice */
	if (error == EOPNOTSUPP || error == ENOTTY)
		error = 0;
	blockio_end(r, error);
}

static void discard_device(struct blockio_request *r)
{
	pthread_attr_t attr;
	pthread_t thread;
	int ret;

	r->event = eventfd(0, EFD_CLOEXEC);
	if (r->event < 0) {
		blockio_fail_later(r, EAGAIN);
		return;
	}
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	ret = pthread_create(&thread, &attr, discard_thread, r);
	pthread_attr_destroy(&attr);
	if (ret) {
		close(r->event);
		r->event = -1;
		blockio_fail_later(r, EAGAIN);
		return;
	}
	io_uring_prep_read(blockio_sqe(r, discard_device_step), r->event,
			   &r->chunk, sizeof(r->chunk), 0);
}

uint64_t blockio_submit(struct blockio *b, struct blockio_request *r)
{
	r->b = b;
	r->at = r->offset;
	r->left = r->length;
	r->buffer = NULL;
	r->buffered = false;
	r->bounced = false;
	r->event = -1;
	r->result = 0;

	switch (r->kind) {
	case BLOCKIO_READ:
	case BLOCKIO_WRITE:
		return transfer_start(r);
	case BLOCKIO_FLUSH:
		blockio_sync(r);
		return 0;
	case BLOCKIO_DISCARD:
		if (b->is_device)
			discard_device(r);
		else
			io_uring_prep_fallocate(
				blockio_sqe(r, discard_file_step), b->fd,
				FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				r->offset, r->length);
		return 0;
	case BLOCKIO_ZERO:
		return zero_start(r);
	case BLOCKIO_PATTERN:
	case BLOCKIO_VERIFY:
		return chunk_start(r);
	}
	return 0;
}
