// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk I/O in flight while something ends: guest resets, QEMU's word of one,
 * unloads, rescinds. Packets are taken and I/O is submitted by calling the pollers once,
 * so that what is in flight does not depend on time.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <synthio/storvsp.h>

#include "channel.h"
#include "fake_disk.h"
#include "fake_guest.h"
#include "tap.h"
#include "unixsock.h"

#define READS		48u
#define READ_BYTES	FAKE_DISK_BLOCK
#define DISK_SIZE	(64u << 20)

static struct fake_guest f;
static struct fake_channel ch;
static struct fake_packet pkt;
static uint64_t data;			/* gpa of READS pages */
static uint8_t before[FAKE_RAM_SIZE];
static uint64_t msg[VMBUS_WIRE_MSG_PAYLOAD / 8];
static char disk[64], disk_arg[128], qmp_path[96];
static const char *scsi_arg = "c0";

/* Takes what the guest wrote, and begins the I/O; none of it completes */
static void poll_once(void)
{
	f.host.guest.poller.poll(&f.host.guest.poller);
	bus_settle(&f.host.bus);
	f.host.bus.poller.poll(&f.host.bus.poller);
	bus_settle(&f.host.bus);
}

static bool await(void)
{
	fake_run(&f, 3);
	return fake_receive(&ch, &pkt);
}

static void start(const char *option, const char *arg)
{
	const char *options[] = {
		"--scsi", scsi_arg, "--disk", disk_arg, option, arg, NULL,
	};

	CHECK(fake_start(&f, options) && fake_up(&f), "up");
	CHECK(!fake_open(&f, &f.offers[0], 8, &ch), "open");
	CHECK(fake_disk_negotiate(&f, &ch, &pkt, await), "negotiation");
	data = fake_pages(&f, READS);
}

static bool send_read(unsigned int i)
{
	return fake_disk_send(&ch, 100 + i, FAKE_DISK_READ,
			      data + i * RAM_PAGE, i);
}

static void reads_in_flight(void)
{
	struct channel *host_ch = f.host.bus.relid[ch.relid];
	uint64_t packets = host_ch->stats.packets_in;
	uint64_t count;
	unsigned int i;

	for (i = 0; i < READS; i++)
		CHECK(send_read(i), "send");
	fake_signal(&f, &ch);
	poll_once();
	CHECK(host_ch->stats.packets_in == packets + READS, "not taken");
	CHECK(!fake_receive(&ch, &pkt), "completed too early");
	while (read(f.vector_fd[0], &count, sizeof(count)) > 0)
		;
	memcpy(before, f.ram, FAKE_RAM_SIZE);
}

static bool page_changed(uint64_t gpa)
{
	return memcmp(before + (gpa - FAKE_RAM_BASE), fake_ptr(&f, gpa),
		      RAM_PAGE);
}

/* Only pages of the reads have changed since, or those of the guest's parts */
static void check_silence(bool all)
{
	uint64_t gpa, count, ring = (uint8_t *)ch.out - f.ram + FAKE_RAM_BASE;
	unsigned int i;

	for (i = 0; i < READS; i++)
		CHECK(page_changed(data + i * RAM_PAGE), "read %u was not in flight",
		      i);
	for (i = 0; i < 16; i++)
		CHECK(!page_changed(ring + i * RAM_PAGE), "page %u of the rings",
		      i);
	for (i = 0; i < FAKE_VPS; i++)
		CHECK(!page_changed(f.boot->vps[i].event_gpa),
		      "event page of VP %u", i);
	if (!all)
		return;
	CHECK(read(f.vector_fd[0], &count, sizeof(count)) < 0, "an interrupt");
	for (gpa = FAKE_RAM_BASE; gpa < FAKE_RAM_BASE + FAKE_RAM_SIZE;
	     gpa += RAM_PAGE) {
		if (gpa < data || gpa >= data + READS * RAM_PAGE)
			CHECK(!page_changed(gpa), "page at 0x%llx",
			      (unsigned long long)gpa);
	}
}

static void check_again(void)
{
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 8, &ch) &&
	      fake_disk_negotiate(&f, &ch, &pkt, await), "a new start");
}

static void test_machine_reset(void)
{
	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	guest_forget(&f.host.guest, "as after QMP RESET");
	check_silence(true);
	CHECK_OK();
	check_again();
	fake_stop(&f);
}

static void test_new_attach(void)
{
	struct synthio_bootstrap old;

	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	old = *f.boot;
	fake_fill_boot(&f);
	f.boot->command = SYNTHIO_CMD_ATTACH;
	f.boot->command_seq++;
	poll_once();
	CHECK(f.boot->ack_seq == f.boot->command_seq &&
	      f.boot->status == SYNTHIO_OK, "attach");
	memcpy(f.boot->vps, old.vps, sizeof(old.vps));
	check_silence(false);
	CHECK_OK();
	check_again();
	fake_stop(&f);
}

static void test_new_contact(void)
{
	struct vmbus_wire_initiate_contact m = {
		.header.msgtype = VMBUS_WIRE_INITIATE_CONTACT,
		.version = VMBUS_WIRE_V5_3,
		.msg_sint = VMBUS_WIRE_SINT,
	};

	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	fake_post(&f, VMBUS_WIRE_MESSAGE_CONN_ID_V5, &m, sizeof(m));
	poll_once();
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_VERSION_RESPONSE, "no answer");
	check_silence(false);
	CHECK_OK();
	CHECK(fake_request_offers(&f) && f.offer_count == 1 &&
	      !fake_open(&f, &f.offers[0], 8, &ch), "and on");
	fake_stop(&f);
}

/* This guest lives, and its rings are there until the response */
static void test_unload(void)
{
	struct vmbus_wire_header m = { .msgtype = VMBUS_WIRE_UNLOAD };
	unsigned int n = 0;

	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	fake_post(&f, f.conn_id, &m, sizeof(m));
	CHECK(fake_take(&f, msg) == VMBUS_WIRE_UNLOAD_RESPONSE, "response");
	while (fake_receive(&ch, &pkt))
		n++;
	CHECK(n == READS, "%u of %u completions", n, READS);
	fake_stop(&f);
}

/* In flight, and behind them some that the host has not even seen */
static void test_rescind(void)
{
	struct vmbus_wire_relid m;
	unsigned int n = 0, i;

	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	for (i = 0; i < READS; i++)
		CHECK(send_read(i), "send");
	CHECK(!device_rescind(f.host.bus.devices), "rescind");
	CHECK(device_rescind(f.host.bus.devices), "rescind twice");
	for (i = 0; !fake_take(&f, &msg); i++)
		CHECK(i < 2000, "no rescind");
	memcpy(&m, msg, sizeof(m));
	CHECK(m.header.msgtype == VMBUS_WIRE_RESCIND, "rescind");
	while (fake_receive(&ch, &pkt))
		n++;
	CHECK(n == 2 * READS, "%u of %u completions", n, 2 * READS);
	CHECK(!f.host.bus.devices->offered, "still offered");
	fake_stop(&f);
}

/* A guest goes while its device is being rescinded */
static void test_rescind_reset(void)
{
	start(NULL, NULL);
	CHECK_OK();
	reads_in_flight();
	CHECK_OK();
	CHECK(!device_rescind(f.host.bus.devices) &&
	      f.host.bus.devices->rescinding, "rescind");
	CHECK(!device_offer(f.host.bus.devices), "offer");
	CHECK(device_offer(f.host.bus.devices), "offer twice");
	guest_forget(&f.host.guest, "as after QMP RESET");
	check_silence(true);
	CHECK_OK();
	CHECK(!f.host.bus.devices->rescinding, "nobody waits for it");
	check_again();
	fake_stop(&f);
}

/* Host and device end while timers of both run */
static void test_exit_while_retiring(void)
{
	static struct synthio_test_rsp rsp;
	struct fake_channel test;
	struct text out = { 0 };
	char line[] = "rescind c0";
	unsigned int i, scsi = 0;
	const char *options[] = {
		"--scsi", "c0", "--disk", disk_arg, "--test-device", NULL,
	};

	CHECK(fake_start(&f, options) && fake_up(&f) && f.offer_count == 2,
	      "up");
	for (i = 0; i < 2; i++) {
		if (f.offers[i].if_type.b[0] == 0xd9)
			scsi = i;
	}
	CHECK(!fake_open(&f, &f.offers[scsi], 8, &ch) &&
	      !fake_open(&f, &f.offers[!scsi], 4, &test), "open");
	CHECK(fake_disk_negotiate(&f, &ch, &pkt, await), "negotiation");
	control_run(&f.host.bus, line, &out);
	bus_settle(&f.host.bus);
	CHECK(!strcmp(text_str(&out), "ok\n"), "%s", text_str(&out));
	text_free(&out);
	CHECK(!fake_request(&f, &test, SYNTHIO_TEST_RESCIND, 60000, 0, NULL, 0,
			    &rsp), "rescind later");
	bus_status(&f.host.bus, &out);
	CHECK(strstr(text_str(&out), "device c0: scsi, retiring"), "%s",
	      text_str(&out));
	text_free(&out);
	strcpy(line, "offer c0");
	control_run(&f.host.bus, line, &out);
	bus_settle(&f.host.bus);
	CHECK(strstr(text_str(&out), "error: it is retiring"), "%s",
	      text_str(&out));
	text_free(&out);
	fake_stop(&f);
}

/* --- QEMU's monitor --------------------------------------------------------- */

static struct {
	int listener, fd;
	const char *status;
	bool refuse, mute;
	char log[400];			/* the commands, in order */
	bool attached_at_stop;
	bool over;			/* nothing more will be said */
} qmp;

static void qmp_say(const char *line)
{
	if (send(qmp.fd, line, strlen(line), MSG_NOSIGNAL) < 0)
		abort();
}

/* One line of synthhost's; false: it has said all */
static bool qmp_hear(char *line, unsigned int size)
{
	struct pollfd pfd = { .fd = qmp.fd, .events = POLLIN };
	unsigned int n = 0;

	while (n < size - 1) {
		bool over = __atomic_load_n(&qmp.over, __ATOMIC_SEQ_CST);

		if (poll(&pfd, 1, 10) <= 0) {
			if (over)
				return false;
			continue;
		}
		if (recv(qmp.fd, line + n, 1, 0) != 1)
			return false;
		if (line[n] == '\n') {
			line[n] = '\0';
			return true;
		}
		n++;
	}
	return false;
}

static void qmp_note(const char *line)
{
	static const char *const names[] = {
		"stop", "cont", "query-status", "qmp_capabilities",
	};
	char quoted[32];
	unsigned int i;

	for (i = 0; i < 4; i++) {
		snprintf(quoted, sizeof(quoted), "\"%s\"", names[i]);
		if (strstr(line, quoted)) {
			strcat(qmp.log, names[i]);
			strcat(qmp.log, " ");
		}
	}
}

/* QEMU, in a thread of its own since synthhost waits for its answer */
static void *qmp_thread(void *arg)
{
	char line[200];

	(void)arg;
	while (qmp_hear(line, sizeof(line))) {
		qmp_note(line);
		if (strstr(line, "\"stop\"") && qmp.refuse) {
			qmp_say("{\"error\": {\"class\": \"GenericError\"}}\r\n");
		} else if (strstr(line, "\"stop\"") && !qmp.mute) {
			usleep(50000);
			/* not drained before the machine stands still */
			qmp.attached_at_stop =
				__atomic_load_n(&f.host.guest.attached,
						__ATOMIC_SEQ_CST);
			qmp_say("{\"timestamp\": {}, \"event\": \"STOP\"}\r\n{\"return\": {}}\r\n");
		} else if (strstr(line, "\"cont\"")) {
			qmp_say("{\"event\": \"RESUME\"}\r\n{\"return\": {}}\r\n");
		}
	}
	return NULL;
}

static void qmp_begin(const char *status)
{
	struct text err = { 0 };
	char line[200];

	memset(&qmp, 0, sizeof(qmp));
	snprintf(qmp_path, sizeof(qmp_path), "%s.qmp", disk);
	qmp.listener = unixsock_listen(qmp_path, &err);
	CHECK(qmp.listener >= 0, "%s", text_str(&err));
	start("--qmp", qmp_path);
	CHECK_OK();
	qmp.fd = accept(qmp.listener, NULL, NULL);
	CHECK(qmp.fd >= 0, "synthhost does not connect");
	qmp_say("{\"QMP\": {\"version\": {}}}\r\n");
	fake_run(&f, 5);
	qmp.over = true;
	while (!strstr(qmp.log, "query-status")) {
		CHECK(qmp_hear(line, sizeof(line)), "not asked for the status");
		qmp_note(line);
	}
	snprintf(line, sizeof(line), "{\"return\": {}}\r\n{\"return\": {\"status\": \"%s\", \"running\": false}, \"id\": 1}\r\n",
		 status);
	qmp_say(line);
	fake_run(&f, 5);
	qmp.log[0] = '\0';
}

static void qmp_end(void)
{
	close(qmp.fd);
	close(qmp.listener);
	fake_stop(&f);
	unlink(qmp_path);
}

/* A reset, with reads in flight; the loop runs until QEMU hears no more */
static void qmp_reset(void)
{
	pthread_t thread;

	reads_in_flight();
	CHECK_OK();
	qmp_say("{\"event\": \"RESET\"}\r\n");
	qmp.over = false;
	CHECK(!pthread_create(&thread, NULL, qmp_thread, NULL), "thread");
	fake_run(&f, 50);
	__atomic_store_n(&qmp.over, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	fake_run(&f, 5);
	CHECK(!f.host.guest.attached, "not forgotten");
}

static void test_qmp_reset(void)
{
	unsigned int i;

	qmp_begin("running");
	CHECK_OK();
	/* twice, since nothing of the first may stick */
	for (i = 0; i < 2; i++) {
		qmp.log[0] = '\0';
		qmp_reset();
		CHECK_OK();
		CHECK(qmp.attached_at_stop,
		      "drained before the machine stood still");
		CHECK(!strcmp(qmp.log, "stop cont "), "said: %s", qmp.log);
		check_again();
		CHECK_OK();
	}
	qmp_end();
}

/* Who has stopped the machine lets it go */
static void test_qmp_paused(void)
{
	qmp_begin("paused");
	CHECK_OK();
	qmp_reset();
	CHECK_OK();
	CHECK(!*qmp.log, "said: %s", qmp.log);
	qmp_end();
}

static void test_qmp_refuses(void)
{
	qmp_begin("running");
	CHECK_OK();
	qmp.refuse = true;
	qmp_reset();
	CHECK_OK();
	CHECK(!strcmp(qmp.log, "stop "), "said: %s", qmp.log);
	/* a stop that is not ours is somebody's own */
	qmp_say("{\"event\": \"STOP\"}\r\n");
	fake_run(&f, 5);
	qmp.log[0] = '\0';
	qmp_say("{\"event\": \"RESET\"}\r\n");
	fake_run(&f, 5);
	CHECK(poll(&(struct pollfd){ .fd = qmp.fd, .events = POLLIN }, 1, 50)
	      == 0, "it says something");
	qmp_end();
}

/* QEMU says nothing: the wait has an end, and cont comes for when it does */
static void test_qmp_mute(void)
{
	uint64_t begin;
	pthread_t thread;

	qmp_begin("running");
	CHECK_OK();
	qmp.mute = true;
	qmp.over = false;
	begin = loop_now();
	qmp_say("{\"event\": \"RESET\"}\r\n");
	CHECK(!pthread_create(&thread, NULL, qmp_thread, NULL), "thread");
	fake_run(&f, 50);
	__atomic_store_n(&qmp.over, true, __ATOMIC_SEQ_CST);
	CHECK(loop_now() - begin > 900000000ull, "did not wait");
	CHECK(!f.host.guest.attached, "not forgotten");
	pthread_join(thread, NULL);
	CHECK(!strncmp(qmp.log, "stop ", 5), "said: %s", qmp.log);
	qmp_end();
}

static bool all_held(void *arg)
{
	return ((struct channel *)arg)->mod.held == READS;
}

/*
 * Completions are held for a tenth of a second, but time goes by only where
 * the pollers are called: here, by hand.
 */
static struct channel *hold_reads(void)
{
	struct channel *host_ch;

	scsi_arg = "c0,coalesce=100000";
	start(NULL, NULL);
	scsi_arg = "c0";
	if (tap_bad)
		return NULL;
	host_ch = f.host.bus.relid[ch.relid];
	reads_in_flight();
	if (tap_bad)
		return NULL;
	loop_wait_io(f.host.loop, all_held, host_ch);
	return host_ch;
}

static unsigned int receive_all(void)
{
	unsigned int n = 0;

	while (fake_receive(&ch, &pkt))
		n++;
	return n;
}

/* A completion that may not wait takes those along that do */
static void test_held(void)
{
	struct storvsp_packet p = { .operation = STORVSP_RESET_BUS, .flags = 1 };
	struct channel *host_ch = hold_reads();
	struct text text = { 0 };
	uint64_t signals, batches;

	CHECK_OK();
	signals = host_ch->stats.signals_out;
	batches = host_ch->mod.batches;
	CHECK(!fake_receive(&ch, &pkt), "shown too early");
	fake_send(&ch, 6, 1, 7, NULL, 0, &p, sizeof(p));
	fake_signal(&f, &ch);
	poll_once();
	CHECK(receive_all() == READS + 1 && pkt.desc.trans_id == 7,
	      "all of them, in order");
	CHECK(host_ch->stats.signals_out == signals + 1, "one signal");
	CHECK(host_ch->mod.batches == batches + 1 && !host_ch->mod.held,
	      "one batch");
	bus_stats(&f.host.bus, &text, true);
	CHECK(strstr(text_str(&text), "\"batched\":48"), "%s",
	      text_str(&text));
	text_free(&text);
	fake_stop(&f);
}

/* A guest that looks by itself does not wait, and gets no signal */
static void test_held_polling(void)
{
	struct channel *host_ch = hold_reads();
	uint64_t signals;

	CHECK_OK();
	signals = host_ch->stats.signals_out;
	ch.in->interrupt_mask = 1;
	poll_once();
	CHECK(receive_all() == READS, "shown at once");
	CHECK(host_ch->stats.signals_out == signals, "a signal");
	fake_stop(&f);
}

/* The end of the channel shows them, before the close is confirmed */
static void test_held_close(void)
{
	CHECK(hold_reads(), "reads");
	CHECK_OK();
	CHECK(fake_close(&f, &ch), "close");
	CHECK(receive_all() == READS, "not shown at the end");
	fake_stop(&f);
}

static void test_held_rescind(void)
{
	struct channel *host_ch = hold_reads();

	CHECK_OK();
	CHECK(!device_rescind(host_ch->dev), "rescind");
	CHECK(receive_all() == READS, "not shown before the rescind");
	fake_stop(&f);
}

static bool make_disk(void)
{
	uint8_t buffer[READ_BYTES];
	unsigned int i;
	int fd;

	strcpy(disk, "/var/tmp/synthhost-test-XXXXXX");
	fd = mkstemp(disk);
	if (fd < 0 || ftruncate(fd, DISK_SIZE))
		return false;
	memset(buffer, 0x5a, sizeof(buffer));
	for (i = 0; i < READS; i++) {
		if (write(fd, buffer, sizeof(buffer)) != sizeof(buffer))
			return false;
	}
	close(fd);
	snprintf(disk_arg, sizeof(disk_arg), "c0,lun=0,file=%s", disk);
	return true;
}

int main(void)
{
	log_open("/dev/null");
	if (!make_disk()) {
		printf("Bail out! no disk file\n");
		return 1;
	}
	tap_test("I/O in flight: the machine is reset", test_machine_reset);
	tap_test("I/O in flight: a new attach", test_new_attach);
	tap_test("I/O in flight: a new contact", test_new_contact);
	tap_test("I/O in flight: unload", test_unload);
	tap_test("I/O in flight: rescind", test_rescind);
	tap_test("I/O in flight: rescind and reset", test_rescind_reset);
	tap_test("held completions: what may not wait", test_held);
	tap_test("held completions: a guest that polls", test_held_polling);
	tap_test("held completions: close", test_held_close);
	tap_test("held completions: rescind", test_held_rescind);
	tap_test("the end while a device retires", test_exit_while_retiring);
	tap_test("QMP: a reset", test_qmp_reset);
	tap_test("QMP: a reset of a stopped machine", test_qmp_paused);
	tap_test("QMP: stop is refused", test_qmp_refuses);
	tap_test("QMP: stop is not answered", test_qmp_mute);
	unlink(disk);
	return tap_done();
}
