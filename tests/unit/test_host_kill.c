// SPDX-License-Identifier: GPL-2.0-only
/*
 * The real synthhost, whose worker is killed with SIGKILL at any instruction,
 * while a guest writes to its disk without a pause. Each request has to be
 * completed once; after each round each block has to have what was written
 * last, although most writes overlap others that are in flight.
 *
 * LONG=1 kills 1000 workers instead of 20.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <synthio/storvsp.h>

#include "fake_disk.h"
#include "fake_guest.h"
#include "tap.h"

#define PROGRAM		"build/host-asan/synthhost"
#define BLOCK		FAKE_DISK_BLOCK
#define BLOCKS		6u
#define DEPTH		24u
#define WRITES		300u		/* of one round */
#define PATIENCE_MS	60000u

static struct fake_guest f;
static struct fake_channel ch;
static struct fake_packet pkt;
static uint64_t data;			/* gpa of DEPTH pages */
static unsigned int wanted_kills = 20;
/* shared with the thread that kills */
static atomic_uint kills;
static atomic_bool enough;
static char disk[64], disk_arg[128];

/* --- who kills ----------------------------------------------------------------- */

static pid_t worker(void)
{
	char path[64];
	int pid = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", f.pid, f.pid);
	file = fopen(path, "re");
	if (file && fscanf(file, "%d", &pid) != 1)
		pid = 0;
	if (file)
		fclose(file);
	return pid;
}

static uint32_t generation(void)
{
	return __atomic_load_n(&f.boot->generation, __ATOMIC_ACQUIRE);
}

/* Each worker gets to serve before it dies; how long it may, chance says */
static void *killer(void *arg)
{
	unsigned int seed = 1;
	uint32_t last = 0;

	(void)arg;
	while (!enough) {
		pid_t pid = worker();

		usleep(1000);
		if (!pid || generation() == last)
			continue;
		usleep(rand_r(&seed) % 100000);
		if (pid != worker() || kill(pid, SIGKILL))
			continue;
		last = generation();
		kills++;
	}
	return NULL;
}

/* --- the guest ------------------------------------------------------------------- */

static bool await(void)
{
	unsigned int i;

	for (i = 0; i < PATIENCE_MS; i++) {
		if (fake_receive(&ch, &pkt))
			return true;
		usleep(1000);
	}
	return false;
}

static void fill(uint64_t gpa, uint64_t value)
{
	uint64_t *page = fake_ptr(&f, gpa);
	unsigned int i;

	for (i = 0; i < BLOCK / 8; i++)
		page[i] = value;
}

/* Ids are those of the slots, and in the upper half numbers of the requests */
static void take_one(bool *busy, const uint64_t *ids)
{
	struct storvsp_packet p;
	unsigned int slot;

	CHECK(await(), "no completion for %u ms", PATIENCE_MS);
	slot = pkt.desc.trans_id % DEPTH;
	CHECK(busy[slot] && ids[slot] == pkt.desc.trans_id,
	      "completion %llu twice, or of nothing",
	      (unsigned long long)pkt.desc.trans_id);
	memcpy(&p, pkt.payload, sizeof(p));
	CHECK(p.status == STORVSP_STATUS_SUCCESS, "request %llu: status 0x%x",
	      (unsigned long long)pkt.desc.trans_id, p.status);
	busy[slot] = false;
}

static void run_round(unsigned int *seed, uint64_t *seq)
{
	bool busy[DEPTH] = { false };
	uint64_t ids[DEPTH] = { 0 }, last[BLOCKS] = { 0 };
	unsigned int sent = 0, done = 0, slot, i, b;

	while (done < WRITES) {
		for (slot = 0; slot < DEPTH && sent < WRITES; slot++) {
			if (busy[slot])
				continue;
			b = rand_r(seed) % BLOCKS;
			ids[slot] = ++*seq * DEPTH + slot;
			fill(data + slot * RAM_PAGE, ids[slot]);
			if (!fake_disk_send(&ch, ids[slot], FAKE_DISK_WRITE,
					    data + slot * RAM_PAGE, b))
				break;
			last[b] = ids[slot];
			busy[slot] = true;
			sent++;
		}
		fake_signal(&f, &ch);
		take_one(busy, ids);
		CHECK_OK();
		done++;
	}
	for (b = 0; b < BLOCKS; b++) {
		const uint64_t *page = fake_ptr(&f, data + b * RAM_PAGE);

		ids[b] = ++*seq * DEPTH + b;
		busy[b] = true;
		fill(data + b * RAM_PAGE, 0);
		CHECK(fake_disk_send(&ch, ids[b], FAKE_DISK_READ,
				     data + b * RAM_PAGE, b), "room");
		fake_signal(&f, &ch);
		take_one(busy, ids);
		CHECK_OK();
		for (i = 0; last[b] && i < BLOCK / 8; i++)
			CHECK(page[i] == last[b], "block %u has %llu, not %llu",
			      b, (unsigned long long)page[i],
			      (unsigned long long)last[b]);
	}
}

static void test_kills(void)
{
	const char *const options[] = {
		"--scsi", "c0", "--disk", disk_arg, NULL,
	};
	unsigned int seed = 7, rounds = 0;
	pthread_t thread;
	uint64_t seq = 0;

	CHECK(fake_start_program(&f, PROGRAM, options), "start");
	CHECK(fake_up(&f) && !fake_open(&f, &f.offers[0], 8, &ch), "up");
	CHECK(fake_disk_negotiate(&f, &ch, &pkt, await), "negotiation");
	data = fake_pages(&f, DEPTH);
	CHECK(!pthread_create(&thread, NULL, killer, NULL), "thread");
	while (!tap_bad && kills < wanted_kills) {
		run_round(&seed, &seq);
		rounds++;
	}
	enough = true;
	pthread_join(thread, NULL);
	CHECK_OK();
	CHECK(!fake_receive(&ch, &pkt), "a completion too many");
	printf("# %u workers killed, %llu requests, each completed once; %u times all blocks as written last\n",
	       kills, (unsigned long long)seq, rounds);
	f.slot = NULL;
	fake_stop(&f);
	CHECK(WIFEXITED(f.status) && !WEXITSTATUS(f.status), "end: 0x%x",
	      f.status);
}

int main(void)
{
	int fd;

	if (getenv("LONG"))
		wanted_kills = 1000;
	strcpy(disk, "/var/tmp/synthhost-kill-XXXXXX");
	fd = mkstemp(disk);
	if (fd < 0 || ftruncate(fd, 1 << 20))
		return 1;
	close(fd);
	snprintf(disk_arg, sizeof(disk_arg), "c0,lun=0,file=%s", disk);
	tap_test("workers are killed at any time", test_kills);
	unlink(disk);
	return tap_done();
}
