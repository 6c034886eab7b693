// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_guest.h"
#include "keeper.h"
#include "unixsock.h"

#define FAKE_STEP_MS	2
#define FAKE_ROUNDS	10
#define FAKE_PATIENCE_MS	2000

struct fake_stop_timer {
	struct loop_timer timer;
	struct loop *loop;
	unsigned int rounds;
};

/* The time may have gone by without us, on a machine that is busy */
static void fake_stop_loop(struct loop_timer *timer)
{
	struct fake_stop_timer *stop =
		container_of(timer, struct fake_stop_timer, timer);

	if (stop->rounds++ < FAKE_ROUNDS)
		loop_set_timer(stop->loop, timer, 0);
	else
		loop_stop(stop->loop);
}

/* --- a worker that dies ------------------------------------------------------- */

static jmp_buf fake_dead;
static bool fake_lived_before[KEEPER_PRETEND_FD];

static void fake_die(void)
{
	longjmp(fake_dead, 1);
}

void fake_die_at(struct fake_guest *f, const char *point, unsigned int count)
{
	f->deaths = 0;
	if (persist_die_at(point, count, fake_die))
		abort();
}

static bool fake_is_guests(const struct fake_guest *f, int fd)
{
	unsigned int i;

	for (i = 0; i < f->vectors; i++) {
		if (fd == f->vector_fd[i])
			return true;
	}
	return fd == f->sock || fd == f->bar_fd || fd == f->host_fd;
}

/* Those that are open before there is a host are not a worker's */
static void fake_note_fds(void)
{
	int fd;

	for (fd = 0; fd < KEEPER_PRETEND_FD; fd++)
		fake_lived_before[fd] = fcntl(fd, F_GETFD) >= 0;
}

static bool fake_start_host(struct fake_guest *f)
{
	struct text err = { 0 };

	memset(&f->host, 0, sizeof(f->host));
	if (!host_init(&f->host, &err) &&
	    !host_parse(&f->host, f->argc, f->argv, &err) &&
	    !host_start(&f->host, &err))
		return true;
	printf("# %s\n", text_str(&err));
	text_free(&err);
	return false;
}

/* The end of a process: its memory is not looked at again, its files are closed */
static void fake_bury(struct fake_guest *f)
{
	int fd;

	loop_destroy(f->host.loop);
	for (fd = 0; fd < KEEPER_PRETEND_FD; fd++) {
		if (!fake_lived_before[fd] && !fake_is_guests(f, fd))
			close(fd);
	}
	f->deaths++;
}

/* Until one has taken over: it may die on the way, too */
static void fake_replace_worker(struct fake_guest *f)
{
	do {
		fake_bury(f);
		keeper_fence();
		if (f->then)
			persist_die_at(f->then, 1, fake_die);
		f->then = NULL;
	} while (setjmp(fake_dead));
	if (!fake_start_host(f))
		abort();
}

/* Until there is a message, or an answer to a command, or what QEMU gets */
static void fake_await_program(struct fake_guest *f)
{
	unsigned int i;

	for (i = 0; i < FAKE_PATIENCE_MS; i++) {
		struct pollfd pfd = { .fd = f->sock, .events = POLLIN };

		usleep(1000);
		if (f->slot ? guest_load(&f->slot->type) != 0 :
		    poll(&pfd, 1, 0) > 0)
			return;
		if (f->commanded && guest_load(&f->boot->ack_seq) ==
				    f->boot->command_seq) {
			f->commanded = false;
			return;
		}
	}
}

void fake_run(struct fake_guest *f, unsigned int ms)
{
	static struct fake_stop_timer stop;

	if (f->pid) {
		fake_await_program(f);
		return;
	}

	/* here again for each worker that dies meanwhile */
	while (setjmp(fake_dead))
		fake_replace_worker(f);
	stop = (struct fake_stop_timer){
		.timer.fired = fake_stop_loop,
		.loop = f->host.loop,
	};
	loop_set_timer(f->host.loop, &stop.timer, ms);
	loop_run(f->host.loop);
	loop_clear_timer(&stop.timer);
}

static bool fake_recv_fd(int sock, int64_t *value, int *fd)
{
	return !unixsock_receive_fd(sock, value, sizeof(*value), fd,
				    MSG_DONTWAIT);
}

bool fake_connect(struct fake_guest *f)
{
	int64_t value;
	int fd;

	f->vectors = 0;
	f->sock = unixsock_connect(f->socket_path);
	if (f->sock < 0)
		return false;
	fake_run(f, FAKE_STEP_MS);
	if (!fake_recv_fd(f->sock, &value, &fd) || value || fd >= 0)
		return false;
	if (!fake_recv_fd(f->sock, &value, &fd) ||
	    value != SERVER_GUEST_PEER || fd >= 0)
		return false;
	if (!fake_recv_fd(f->sock, &value, &f->bar_fd) || value != -1 ||
	    f->bar_fd < 0)
		return false;
	if (!fake_recv_fd(f->sock, &value, &f->host_fd) ||
	    value != SERVER_HOST_PEER || f->host_fd < 0)
		return false;
	while (fake_recv_fd(f->sock, &value, &fd)) {
		if (value != SERVER_GUEST_PEER || fd < 0 ||
		    f->vectors == SERVER_MAX_VECTORS)
			return false;
		f->vector_fd[f->vectors++] = fd;
	}
	f->boot = mmap(NULL, SYNTHIO_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_SHARED, f->bar_fd, 0);
	return f->boot != MAP_FAILED;
}

void fake_disconnect(struct fake_guest *f)
{
	unsigned int i;

	if (f->sock < 0)
		return;
	munmap(f->boot, SYNTHIO_PAGE_SIZE);
	close(f->sock);
	close(f->bar_fd);
	close(f->host_fd);
	for (i = 0; i < f->vectors; i++)
		close(f->vector_fd[i]);
	f->sock = -1;
	fake_run(f, FAKE_STEP_MS);
}

/* Files and options of a host */
static bool fake_prepare(struct fake_guest *f, const char *const *options)
{
	static char *const argv[] = {
		"--poll-us", "0", "--vectors", "2", "--socket", "", "--ram", "",
		"--control", "",
	};
	int fd;

	memset(f, 0, sizeof(*f));
	f->argc = sizeof(argv) / sizeof(argv[0]);
	memcpy(f->argv, argv, sizeof(argv));
	f->argv[5] = f->socket_path;
	f->argv[7] = f->ram_arg;
	f->argv[9] = f->control_path;
	f->sock = -1;
	f->next_gpadl = 0x100;
	/* page 0 stays free, so that an address of 0 is a mistake */
	f->next_page = FAKE_RAM_BASE + RAM_PAGE;
	strcpy(f->dir, "/tmp/synthhost-test-XXXXXX");
	if (!mkdtemp(f->dir))
		return false;
	snprintf(f->ram_path, sizeof(f->ram_path), "%s/ram", f->dir);
	snprintf(f->socket_path, sizeof(f->socket_path), "%s/s", f->dir);
	snprintf(f->control_path, sizeof(f->control_path), "%s/c", f->dir);
	snprintf(f->ram_arg, sizeof(f->ram_arg),
		 "file=%s,offset=4K,gpa=0x%llx,size=%llu", f->ram_path,
		 FAKE_RAM_BASE, FAKE_RAM_SIZE);
	fd = open(f->ram_path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, FAKE_RAM_SIZE + RAM_PAGE))
		return false;
	f->ram = mmap(NULL, FAKE_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED,
		      fd, RAM_PAGE);
	close(fd);
	if (f->ram == MAP_FAILED)
		return false;
	while (options && *options)
		f->argv[f->argc++] = (char *)*options++;
	return true;
}

bool fake_start(struct fake_guest *f, const char *const *options)
{
	if (!fake_prepare(f, options))
		return false;
	fake_note_fds();
	return fake_start_host(f) && fake_connect(f);
}

bool fake_start_program(struct fake_guest *f, const char *program,
			const char *const *options)
{
	unsigned int i;

	if (!fake_prepare(f, options))
		return false;
	f->pid = fork();
	if (!f->pid) {
		memmove(f->argv + 1, f->argv, f->argc * sizeof(f->argv[0]));
		f->argv[0] = (char *)program;
		f->argv[f->argc + 1] = NULL;
		execv(program, f->argv);
		_exit(127);
	}
	for (i = 0; i < FAKE_PATIENCE_MS && access(f->control_path, F_OK); i++)
		usleep(10000);
	return fake_connect(f);
}

void fake_stop(struct fake_guest *f)
{
	fake_disconnect(f);
	if (f->pid) {
		kill(f->pid, SIGTERM);
		waitpid(f->pid, &f->status, 0);
	} else {
		host_exit(&f->host);
	}
	munmap(f->ram, FAKE_RAM_SIZE);
	unlink(f->ram_path);
	rmdir(f->dir);
}

uint64_t fake_pages(struct fake_guest *f, unsigned int count)
{
	uint64_t gpa = f->next_page;

	f->next_page += (uint64_t)count * RAM_PAGE;
	if (f->next_page > FAKE_RAM_BASE + FAKE_RAM_SIZE)
		abort();
	return gpa;
}

void *fake_ptr(struct fake_guest *f, uint64_t gpa)
{
	return f->ram + (gpa - FAKE_RAM_BASE);
}

void fake_fill_boot(struct fake_guest *f)
{
	struct synthio_bootstrap *b = f->boot;
	uint64_t cookie;
	uint32_t i;

	b->guest_abi_version = SYNTHIO_ABI_VERSION;
	b->guest_peer = SERVER_GUEST_PEER;
	b->guest_features = 0;
	b->bar_gpa = 0xfe000000;
	b->nr_vps = FAKE_VPS;
	b->nr_vectors = FAKE_VECTORS;
	b->control_gpa = fake_pages(f, 1);
	b->post_gpa = fake_pages(f, 1);
	b->signal_gpa = fake_pages(f, 1);
	cookie = fake_pages(f, 1) + 64;
	b->nr_cookies = 1;
	b->cookies[0].gpa = cookie;
	b->cookies[0].value = 0x123456789abcdef0ull;
	*(uint64_t *)fake_ptr(f, cookie) = b->cookies[0].value;
	for (i = 0; i < FAKE_VPS; i++) {
		b->vps[i].message_gpa = fake_pages(f, 1);
		b->vps[i].event_gpa = fake_pages(f, 1);
	}
	f->control = fake_ptr(f, b->control_gpa);
	f->posts = fake_ptr(f, b->post_gpa);
	f->signals = fake_ptr(f, b->signal_gpa);
	f->slot = fake_ptr(f, b->vps[0].message_gpa);
	f->slot += VMBUS_WIRE_SINT;
}

static void fake_ring_doorbell(struct fake_guest *f)
{
	uint64_t one = 1;

	if (write(f->host_fd, &one, sizeof(one)) < 0)
		abort();
}

int fake_command(struct fake_guest *f, uint32_t command)
{
	uint32_t seq = f->boot->ack_seq + 1;

	f->commanded = true;
	f->boot->command = command;
	__atomic_store_n(&f->boot->command_seq, seq, __ATOMIC_RELEASE);
	fake_ring_doorbell(f);
	fake_run(f, FAKE_STEP_MS);
	return __atomic_load_n(&f->boot->ack_seq, __ATOMIC_ACQUIRE) == seq ?
	       (int)f->boot->status : -1;
}

void fake_post(struct fake_guest *f, uint32_t conn_id, const void *msg,
	       uint32_t len)
{
	uint32_t prod = f->control->post_prod;
	struct synthio_post *post = &f->posts[prod % SYNTHIO_POST_SLOTS];

	post->connection_id = conn_id;
	post->message_type = VMBUS_WIRE_MSG_CHANNEL;
	post->payload_size = len;
	memcpy(post->payload, msg, len > sizeof(post->payload) ?
	       sizeof(post->payload) : len);
	__atomic_store_n(&f->control->post_prod, prod + 1, __ATOMIC_SEQ_CST);
	if (f->control->need_kick[0])
		fake_ring_doorbell(f);
}

void fake_post_run(struct fake_guest *f, const void *msg, uint32_t len)
{
	fake_post(f, f->conn_id, msg, len);
	fake_run(f, FAKE_STEP_MS);
}

uint32_t fake_take(struct fake_guest *f, void *msg)
{
	uint32_t type;

	if (f->slot->type != VMBUS_WIRE_MSG_CHANNEL)
		fake_run(f, FAKE_STEP_MS);
	if (f->slot->type != VMBUS_WIRE_MSG_CHANNEL)
		return 0;
	memset(msg, 0, VMBUS_WIRE_MSG_PAYLOAD);
	memcpy(msg, f->slot->payload, f->slot->payload_size);
	__atomic_store_n(&f->slot->type, 0, __ATOMIC_SEQ_CST);
	if (f->slot->flags & VMBUS_WIRE_MSG_PENDING) {
		__atomic_fetch_add(&f->control->eom, 1, __ATOMIC_SEQ_CST);
		if (f->control->need_kick[0])
			fake_ring_doorbell(f);
	}
	memcpy(&type, msg, sizeof(type));
	return type;
}

int fake_contact(struct fake_guest *f, uint32_t version)
{
	bool v5 = version >= VMBUS_WIRE_V5_0;
	struct vmbus_wire_initiate_contact m = {
		.header.msgtype = VMBUS_WIRE_INITIATE_CONTACT,
		.version = version,
		.msg_sint = v5 ? VMBUS_WIRE_SINT : 0,
	};
	union {
		struct vmbus_wire_version_response rsp;
		uint8_t raw[VMBUS_WIRE_MSG_PAYLOAD];
	} u;

	fake_post(f, v5 ? VMBUS_WIRE_MESSAGE_CONN_ID_V5 :
		  VMBUS_WIRE_MESSAGE_CONN_ID, &m, sizeof(m));
	if (fake_take(f, &u) != VMBUS_WIRE_VERSION_RESPONSE)
		return -1;
	f->conn_id = v5 ? u.rsp.msg_conn_id : VMBUS_WIRE_MESSAGE_CONN_ID;
	return u.rsp.version_supported;
}

bool fake_request_offers(struct fake_guest *f)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_REQUEST_OFFERS };
	union {
		struct vmbus_wire_offer offer;
		uint8_t raw[VMBUS_WIRE_MSG_PAYLOAD];
	} u;
	uint32_t type;

	f->offer_count = 0;
	fake_post_run(f, &m, sizeof(m));
	while ((type = fake_take(f, &u)) == VMBUS_WIRE_OFFER &&
	       f->offer_count < FAKE_MAX_OFFERS)
		f->offers[f->offer_count++] = u.offer;
	return type == VMBUS_WIRE_OFFERS_DELIVERED;
}

bool fake_up(struct fake_guest *f)
{
	fake_fill_boot(f);
	return fake_command(f, SYNTHIO_CMD_ATTACH) == SYNTHIO_OK &&
	       fake_contact(f, VMBUS_WIRE_V5_3) == 1 &&
	       fake_request_offers(f);
}

uint32_t fake_gpadl(struct fake_guest *f, uint32_t relid, uint64_t gpa,
		    unsigned int pages)
{
	uint64_t pfn = gpa / RAM_PAGE, message[VMBUS_WIRE_MSG_PAYLOAD / 8];
	struct vmbus_wire_gpadl_header h = {
		.header.msgtype = VMBUS_WIRE_GPADL_HEADER,
		.child_relid = relid,
		.gpadl = f->next_gpadl++,
		.range_buflen = 8 + pages * 8,
		.rangecount = 1,
	};
	struct vmbus_wire_gpadl_body b = {
		.header.msgtype = VMBUS_WIRE_GPADL_BODY,
		.gpadl = h.gpadl,
	};
	struct vmbus_wire_range r = { .byte_count = pages * RAM_PAGE };
	union {
		struct vmbus_wire_gpadl_created rsp;
		uint8_t raw[VMBUS_WIRE_MSG_PAYLOAD];
	} u;
	unsigned int n, i, done = 0;
	uint8_t *at = (uint8_t *)message;

	memcpy(at, &h, sizeof(h));
	memcpy(at + sizeof(h), &r, sizeof(r));
	at += sizeof(h) + sizeof(r);
	n = pages < VMBUS_WIRE_HEADER_PFNS ? pages : VMBUS_WIRE_HEADER_PFNS;
	for (;;) {
		for (i = 0; i < n; i++, pfn++)
			memcpy(at + i * 8, &pfn, 8);
		fake_post_run(f, message, at + n * 8 - (uint8_t *)message);
		done += n;
		if (done == pages)
			break;
		memcpy(message, &b, sizeof(b));
		at = (uint8_t *)message + sizeof(b);
		n = pages - done < VMBUS_WIRE_BODY_PFNS ? pages - done :
		    VMBUS_WIRE_BODY_PFNS;
	}
	if (fake_take(f, &u) != VMBUS_WIRE_GPADL_CREATED ||
	    u.rsp.gpadl != h.gpadl || u.rsp.child_relid != relid ||
	    u.rsp.status)
		return 0;
	return h.gpadl;
}

int64_t fake_open(struct fake_guest *f, const struct vmbus_wire_offer *offer,
		  unsigned int pages, struct fake_channel *ch)
{
	uint64_t gpa = fake_pages(f, 2 * pages);
	struct vmbus_wire_open m = {
		.header.msgtype = VMBUS_WIRE_OPEN,
		.child_relid = offer->child_relid,
		.openid = offer->child_relid,
		.downstream_page = pages,
	};
	union {
		struct vmbus_wire_open_result rsp;
		uint8_t raw[VMBUS_WIRE_MSG_PAYLOAD];
	} u;

	ch->relid = offer->child_relid;
	ch->conn_id = offer->connection_id;
	ch->out = fake_ptr(f, gpa);
	ch->in = fake_ptr(f, gpa + pages * RAM_PAGE);
	memset(ch->out, 0, 2 * pages * RAM_PAGE);
	ch->out->feature_bits = VMBUS_WIRE_FEAT_PENDING_SEND_SZ;
	ch->out_size = (pages - 1) * RAM_PAGE;
	ch->in_size = ch->out_size;
	ch->gpadl = fake_gpadl(f, ch->relid, gpa, 2 * pages);
	m.ring_gpadl = ch->gpadl;
	fake_post_run(f, &m, sizeof(m));
	if (fake_take(f, &u) != VMBUS_WIRE_OPEN_RESULT ||
	    u.rsp.openid != m.openid || u.rsp.child_relid != m.child_relid)
		return -1;
	return u.rsp.status;
}

bool fake_close(struct fake_guest *f, struct fake_channel *ch)
{
	struct vmbus_wire_relid m = {
		.header.msgtype = VMBUS_WIRE_CLOSE,
		.child_relid = ch->relid,
	};
	struct vmbus_wire_gpadl_teardown t = {
		.header.msgtype = VMBUS_WIRE_GPADL_TEARDOWN,
		.child_relid = ch->relid,
		.gpadl = ch->gpadl,
	};
	union {
		struct vmbus_wire_gpadl_torndown rsp;
		uint8_t raw[VMBUS_WIRE_MSG_PAYLOAD];
	} u;

	fake_post(f, f->conn_id, &m, sizeof(m));
	fake_post_run(f, &t, sizeof(t));
	for (;;) {
		uint32_t type = fake_take(f, &u);

		if (type == VMBUS_WIRE_GPADL_TORNDOWN)
			return u.rsp.gpadl == ch->gpadl;
		/* a rescind of subchannels may come before it */
		if (type != VMBUS_WIRE_RESCIND)
			return false;
	}
}

static uint32_t fake_put(struct fake_channel *ch, uint32_t at,
			 const void *from, uint32_t len)
{
	uint8_t *data = (uint8_t *)(ch->out + 1);
	uint32_t i;

	for (i = 0; i < len; i++)
		data[(at + i) % ch->out_size] = ((const uint8_t *)from)[i];
	return (at + len) % ch->out_size;
}

bool fake_send(struct fake_channel *ch, uint16_t type, uint16_t flags,
	       uint64_t trans_id, const void *extra, uint32_t extra_len,
	       const void *payload, uint32_t len)
{
	uint32_t padded = (len + 7) & ~7u, w = ch->out->write_index;
	uint32_t r = ch->out->read_index;
	uint64_t trailer = (uint64_t)w << 32, zero = 0;
	struct vmbus_wire_packet p = {
		.type = type,
		.offset8 = (sizeof(p) + extra_len) / 8,
		.len8 = (sizeof(p) + extra_len + padded) / 8,
		.flags = flags,
		.trans_id = trans_id,
	};
	uint32_t room = r > w ? r - w : ch->out_size - (w - r), at;

	if (room <= sizeof(p) + extra_len + padded + sizeof(trailer))
		return false;
	at = fake_put(ch, w, &p, sizeof(p));
	at = fake_put(ch, at, extra, extra_len);
	at = fake_put(ch, at, payload, len);
	at = fake_put(ch, at, &zero, padded - len);
	at = fake_put(ch, at, &trailer, sizeof(trailer));
	__atomic_store_n(&ch->out->write_index, at, __ATOMIC_SEQ_CST);
	return true;
}

void fake_signal(struct fake_guest *f, const struct fake_channel *ch)
{
	__atomic_fetch_or(&f->signals[ch->conn_id / 64],
			  1ull << (ch->conn_id % 64), __ATOMIC_SEQ_CST);
	if (f->control->need_kick[0])
		fake_ring_doorbell(f);
}

static void fake_get(struct fake_channel *ch, uint32_t at, void *to,
		     uint32_t len)
{
	const uint8_t *data = (const uint8_t *)(ch->in + 1);
	uint32_t i;

	for (i = 0; i < len; i++)
		((uint8_t *)to)[i] = data[(at + i) % ch->in_size];
}

bool fake_receive(struct fake_channel *ch, struct fake_packet *pkt)
{
	uint32_t r = ch->in->read_index, bytes;
	uint32_t w = __atomic_load_n(&ch->in->write_index, __ATOMIC_ACQUIRE);

	if (r == w || w >= ch->in_size)
		return false;
	fake_get(ch, r, &pkt->desc, sizeof(pkt->desc));
	bytes = pkt->desc.len8 * 8u;
	pkt->len = bytes - pkt->desc.offset8 * 8u;
	if (pkt->len > sizeof(pkt->payload))
		return false;
	fake_get(ch, r + sizeof(pkt->desc), pkt->extra, sizeof(pkt->extra));
	fake_get(ch, r + pkt->desc.offset8 * 8u, pkt->payload, pkt->len);
	__atomic_store_n(&ch->in->read_index, (r + bytes + 8) % ch->in_size,
			 __ATOMIC_SEQ_CST);
	return true;
}

int fake_request(struct fake_guest *f, struct fake_channel *ch, uint32_t op,
		 uint32_t arg0, uint32_t arg1, const void *data, uint32_t len,
		 struct synthio_test_rsp *rsp)
{
	struct synthio_test_req *req = calloc(1, sizeof(*req) + len);
	static struct fake_packet pkt;
	int status = -1;

	req->op = op;
	req->arg0 = arg0;
	req->arg1 = arg1;
	req->len = len;
	if (len)
		memcpy(req->data, data, len);
	if (fake_send(ch, VMBUS_WIRE_PKT_INBAND, 1, 0xabc, NULL, 0, req,
		      sizeof(*req) + len)) {
		fake_signal(f, ch);
		fake_run(f, FAKE_STEP_MS);
		while (status < 0 && fake_receive(ch, &pkt)) {
			if (pkt.desc.type != VMBUS_WIRE_PKT_COMPLETION ||
			    pkt.desc.trans_id != 0xabc)
				continue;
			memcpy(rsp, pkt.payload, sizeof(*rsp));
			status = rsp->status;
		}
	}
	free(req);
	return status;
}

bool fake_broken(const struct fake_guest *f, const char *why)
{
	return f->host.guest.broken && !f->host.guest.attached &&
	       strstr(f->host.guest.why, why);
}
