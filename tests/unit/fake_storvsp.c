// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fake_command.h"
#include "fake_storvsp.h"

struct bus bus;
struct channel chan, sub;
struct device_kind *kind, *ide_kind;
unsigned int offered;
struct text why;
char dir[64], file[96];
uint64_t post_id = 77;

/* --- the bus ---------------------------------------------------------------- */

void device_kind_register(struct device_kind *k)
{
	if (!strcmp(k->name, "scsi"))
		kind = k;
	else
		ide_kind = k;
}

int device_register(struct bus *b, struct device *dev, struct text *err)
{
	if (b->dev && !strcmp(b->dev->id, dev->id)) {
		text_add(err, "taken");
		return -EEXIST;
	}
	dev->bus = b;
	b->dev = dev;
	return 0;
}

struct device *device_find(struct bus *b, const struct device_kind *k,
			   const char *id)
{
	return b->dev && b->dev->kind == k && !strcmp(b->dev->id, id) ?
	       b->dev : NULL;
}

int device_offer_subchannels(struct device *dev, unsigned int count)
{
	(void)dev;
	offered = count;
	return 0;
}

void *device_area(struct device *dev)
{
	(void)dev;
	return NULL;
}

struct loop *bus_loop(struct bus *b)
{
	return b->loop;
}

const struct host_profile *bus_profile(const struct bus *b)
{
	return b->profile ? b->profile : profile_default();
}

unsigned int channel_index(const struct channel *ch)
{
	return ch->index;
}

void channel_set_private(struct channel *ch, void *private)
{
	ch->private = private;
}

void *channel_private(const struct channel *ch)
{
	return ch->private;
}

int channel_complete(struct channel *ch, uint64_t trans_id,
		     const void *payload, size_t len)
{
	ch->ids[ch->completions % LOG_MAX] = trans_id;
	ch->completions++;
	ch->trans_id = trans_id;
	ch->len = len;
	memset(&ch->last, 0, sizeof(ch->last));
	memcpy(&ch->last, payload, len < sizeof(ch->last) ?
	       len : sizeof(ch->last));
	return 0;
}

int channel_complete_soon(struct channel *ch, uint64_t trans_id,
			  const void *payload, size_t len,
			  unsigned int pending)
{
	ch->pending = pending;
	return channel_complete(ch, trans_id, payload, len);
}

void channel_moderate(struct channel *ch, uint64_t ns)
{
	ch->moderate_ns = ns;
}

int channel_send(struct channel *ch, uint64_t trans_id, const void *payload,
		 size_t len, bool want_completion)
{
	if (ch->send_result)
		return ch->send_result;
	if (trans_id || want_completion || len > sizeof(ch->note))
		abort();
	ch->sent++;
	memcpy(&ch->note, payload, len);
	return 0;
}

int channel_inject(struct channel *ch, unsigned int type, uint64_t trans_id,
		   const void *payload, size_t len)
{
	ch->injected = type;
	return channel_complete(ch, trans_id, payload, len);
}

void channel_pause(struct channel *ch)
{
	ch->paused = true;
}

void channel_resume(struct channel *ch)
{
	ch->paused = false;
}

void channel_error(struct channel *ch, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ch->why, sizeof(ch->why), fmt, ap);
	va_end(ap);
	ch->errored = true;
}

/* Linked with --wrap=open: a file system that does not know O_DIRECT */
bool no_direct;

int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);

int __wrap_open(const char *path, int flags, mode_t mode)
{
	if (no_direct && (flags & O_DIRECT)) {
		errno = EINVAL;
		return -1;
	}
	return __real_open(path, flags, mode);
}

/* --- a guest ---------------------------------------------------------------- */

int option(const char *name, const char *arg)
{
	const struct device_option *o;

	text_free(&why);
	for (o = kind->options; strcmp(o->name, name); o++)
		;
	return o->parse(&bus, arg, &why);
}

int command(const char *line)
{
	return fake_command(&bus, kind, line, &why);
}

int disk(const char *options)
{
	char arg[256];

	snprintf(arg, sizeof(arg), "c0,file=%s%s", file, options);
	return option("disk", arg);
}

void begin(const char *scsi, const char *disk_options)
{
	memset(&chan, 0, sizeof(chan));
	memset(&sub, 0, sizeof(sub));
	if (option("scsi", scsi) || (disk_options && disk(disk_options))) {
		printf("# %s\n", text_str(&why));
		abort();
	}
	chan.dev = sub.dev = bus.dev;
	sub.index = 1;
	if (kind->ops->open(bus.dev, &chan))
		abort();
}

void end(void)
{
	kind->ops->drain(bus.dev, &chan);
	kind->ops->close(bus.dev, &chan);
	kind->ops->destroy(bus.dev);
	bus.dev = NULL;
}

void post(struct channel *ch, enum packet_type type, const void *payload,
		 uint32_t len, const struct iovec *iov, unsigned int count)
{
	struct packet_range range = { 0, count, 0 };
	struct packet pkt = {
		.type = type,
		.wants_completion = true,
		.trans_id = post_id,
		.len = len,
	};
	struct iovec *iovs = calloc(count + 1, sizeof(*iov));
	void *copy = malloc(len ? len : 1);
	unsigned int i;

	memcpy(copy, payload, len);
	pkt.payload = copy;
	for (i = 0; i < count; i++) {
		iovs[i] = iov[i];
		pkt.iov_bytes += iov[i].iov_len;
	}
	pkt.iov = iovs;
	pkt.iov_count = count;
	range.bytes = pkt.iov_bytes;
	pkt.ranges = &range;
	pkt.range_count = type == PACKET_GPA_DIRECT;
	kind->ops->packet(ch->dev, ch, &pkt);
	/* the packet is gone when the callback returns */
	free(iovs);
	free(copy);
}

static bool answered(void *arg)
{
	return chan.completions + sub.completions >= *(unsigned int *)arg ||
	       chan.errored || sub.errored;
}

void wait_answer(unsigned int n)
{
	loop_wait_io(bus.loop, answered, &n);
}

uint32_t simple(uint32_t op, const struct storvsp_packet *with)
{
	struct storvsp_packet p = { 0 };

	if (with)
		p = *with;
	p.operation = op;
	p.flags = 1;
	chan.completions = 0;
	memset(&chan.last, 0xee, sizeof(chan.last));
	post(&chan, PACKET_INBAND, &p, sizeof(p), NULL, 0);
	wait_answer(1);
	return chan.last.status;
}

void negotiate(uint16_t version)
{
	struct storvsp_packet p = { 0 };

	p.version.major_minor = version;
	if (simple(7, NULL) || simple(9, &p) || simple(10, NULL) ||
	    simple(8, NULL))
		abort();
}

struct storvsp_packet srb(const uint8_t *cdb, unsigned int cdb_len,
				 uint8_t lun, uint8_t dir_in, uint32_t bytes)
{
	struct storvsp_packet p = { .operation = 3, .flags = 1 };

	p.srb.length = 52;
	p.srb.lun = lun;
	p.srb.cdb_length = cdb_len;
	p.srb.sense_info_length = 20;
	p.srb.data_in = dir_in;
	p.srb.data_transfer_length = bytes;
	memcpy(p.srb.cdb, cdb, cdb_len);
	return p;
}

/* Sends an SRB with @bytes of memory at @data, @offset behind a page's start */
void execute_on(struct channel *ch, const struct storvsp_packet *p,
		       uint8_t *data, uint32_t bytes, unsigned int offset,
		       bool in)
{
	unsigned int pages = (offset + bytes + 4095) / 4096, i;
	struct iovec iov[520] = { 0 };
	uint8_t *page[520];
	uint32_t at = 0;

	for (i = 0; i < pages; i++) {
		uint32_t skip = i ? 0 : offset;
		uint32_t n = 4096 - skip < bytes - at ? 4096 - skip :
							bytes - at;

		page[i] = aligned_alloc(4096, 4096);
		iov[i].iov_base = page[i] + skip;
		iov[i].iov_len = n;
		memcpy(iov[i].iov_base, data + at, n);
		at += n;
	}
	ch->completions = 0;
	post(ch, bytes ? PACKET_GPA_DIRECT : PACKET_INBAND, p, sizeof(*p), iov,
	     pages);
	wait_answer(1);
	for (i = 0, at = 0; i < pages; i++) {
		if (in)
			memcpy(data + at, iov[i].iov_base, iov[i].iov_len);
		at += iov[i].iov_len;
		free(page[i]);
	}
}

uint8_t buffer[DATA_MAX];

/* A command on LUN 1; 1: GOOD */
bool execute(const uint8_t *cdb, unsigned int cdb_len, uint8_t dir_in,
		    uint32_t bytes, unsigned int offset)
{
	struct storvsp_packet p = srb(cdb, cdb_len, 1, dir_in, bytes);

	execute_on(&chan, &p, buffer, bytes, offset, dir_in == 1);
	return chan.completions == 1 && !chan.errored && chan.trans_id == post_id &&
	       chan.len == 64 && chan.last.operation == 1 &&
	       !chan.last.status && chan.last.srb.srb_status == 1 &&
	       !chan.last.srb.scsi_status;
}

bool rw10(uint8_t op, uint8_t flags, uint32_t lba, uint16_t blocks,
		 uint32_t sector, unsigned int offset)
{
	uint8_t cdb[10] = { op, flags, lba >> 24, lba >> 16, lba >> 8, lba, 0,
			    blocks >> 8, blocks };
	uint32_t bytes = blocks * sector;

	return execute(cdb, 10, op == 0x28, bytes, offset) &&
	       chan.last.srb.data_transfer_length == bytes;
}

bool sense(uint8_t key, unsigned int asc)
{
	const struct storvsp_srb *s = &chan.last.srb;

	return chan.last.status && (s->srb_status & 0x80) &&
	       s->scsi_status == 2 && s->sense_info_length == 18 &&
	       !s->data_transfer_length && s->sense_data[2] == key &&
	       s->sense_data[12] == asc >> 8 &&
	       s->sense_data[13] == (asc & 0xff);
}

void fill(unsigned int seed, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i < bytes; i++)
		buffer[i] = (seed * 2654435761u + i * 40503u) >> 7;
}

bool filled(unsigned int seed, uint32_t bytes)
{
	uint32_t i;

	for (i = 0; i < bytes; i++) {
		if (buffer[i] !=
		    (uint8_t)((seed * 2654435761u + i * 40503u) >> 7))
			return false;
	}
	return true;
}

bool zeroes(uint32_t bytes)
{
	return !buffer[0] && !memcmp(buffer, buffer + 1, bytes - 1);
}

void make_file(const char *in, uint32_t size)
{
	int fd;

	snprintf(dir, sizeof(dir), "%s/synthio-test-XXXXXX", in);
	if (!mkdtemp(dir))
		abort();
	snprintf(file, sizeof(file), "%s/disk", dir);
	fd = open(file, O_CREAT | O_RDWR, 0600);
	if (fd < 0 || ftruncate(fd, size))
		abort();
	close(fd);
}

void remove_file(void)
{
	unlink(file);
	rmdir(dir);
}
