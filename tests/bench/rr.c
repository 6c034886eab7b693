// SPDX-License-Identifier: GPL-2.0-only
/*
 * TCP request and response, one at a time, for `make bench`: a byte goes there, a
 * byte comes back, and the next one goes. What is measured is the way, not the
 * width.
 *
 *	rr serve ADDRESS PORT		until it is ended
 *	rr ask ADDRESS PORT RAMP_MS	until SIGTERM; then it prints
 *		COUNT P50 P99 MAX	the last three in nanoseconds
 *
 * The first RAMP_MS are not looked at.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/*
 * Times are counted in buckets, 64 to each power of two: 1.6 % wide at most.
 * Nothing is allocated or written while it measures.
 */
#define SHIFT		6
#define PER_POWER	(1u << SHIFT)
#define BUCKETS		((64u - SHIFT) * PER_POWER)

static uint32_t buckets[BUCKETS];
static int ended;	/* atomic: the handler's */

static bool is_ended(void)
{
	return __atomic_load_n(&ended, __ATOMIC_RELAXED);
}

static void end(int sig)
{
	(void)sig;
	__atomic_store_n(&ended, 1, __ATOMIC_RELAXED);
}

static void die(const char *what)
{
	fprintf(stderr, "rr: %s: %s\n", what, strerror(errno));
	exit(1);
}

static unsigned int bucket_of(uint64_t ns)
{
	unsigned int power;

	if (ns < PER_POWER)
		return ns;
	power = 63 - __builtin_clzll(ns) - SHIFT;
	return (power + 1) * PER_POWER + ((ns >> power) & (PER_POWER - 1));
}

/* the middle of what a bucket stands for */
static uint64_t bucket_ns(unsigned int bucket)
{
	unsigned int power = bucket / PER_POWER;
	uint64_t low = bucket % PER_POWER;

	if (!power)
		return low;
	low = (low | PER_POWER) << (power - 1);
	return low + (1ull << (power - 1)) / 2;
}

static uint64_t percentile(uint64_t count, unsigned int percent)
{
	uint64_t seen = 0, goal = (count * percent + 99) / 100;
	unsigned int i;

	for (i = 0; i < BUCKETS; i++) {
		seen += buckets[i];
		if (seen && seen >= goal)
			return bucket_ns(i);
	}
	return 0;
}

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ull + t.tv_nsec;
}

static struct sockaddr_in parse(const char *host, const char *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET };

	a.sin_port = htons(atoi(port));
	if (inet_pton(AF_INET, host, &a.sin_addr) != 1) {
		fprintf(stderr, "rr: %s is no address\n", host);
		exit(2);
	}
	return a;
}

static void no_delay(int fd)
{
	const int on = 1;

	if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)))
		die("TCP_NODELAY");
}

static void __attribute__((noreturn)) serve(const struct sockaddr_in *a)
{
	const int on = 1;
	int listener = socket(AF_INET, SOCK_STREAM, 0), fd;
	char c;

	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (const struct sockaddr *)a, sizeof(*a)) || listen(listener, 1))
		die("listen");
	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			die("accept");
		no_delay(fd);
		while (read(fd, &c, 1) == 1 && write(fd, &c, 1) == 1)
			;
		close(fd);
	}
}

static int ask(const struct sockaddr_in *a, uint64_t ramp)
{
	/* without SA_RESTART: one that waits for an answer has to end, too */
	const struct sigaction sa = { .sa_handler = end };
	uint64_t begin, last, t, most = 0, count = 0;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char c = 'a';

	sigaction(SIGTERM, &sa, NULL);
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)))
		die("connect");
	no_delay(fd);
	begin = last = now();
	for (;;) {
		if (write(fd, &c, 1) != 1 || read(fd, &c, 1) != 1) {
			if (is_ended())
				break;
			die("lost the other end");
		}
		t = now();
		if (t - begin >= ramp) {
			buckets[bucket_of(t - last)]++;
			count++;
			if (t - last > most)
				most = t - last;
		}
		if (is_ended())
			break;
		last = t;
	}
	printf("%llu %llu %llu %llu\n", (unsigned long long)count,
	       (unsigned long long)percentile(count, 50),
	       (unsigned long long)percentile(count, 99), (unsigned long long)most);
	return 0;
}

int main(int argc, char **argv)
{
	struct sockaddr_in a;

	if (argc == 4 && !strcmp(argv[1], "serve")) {
		a = parse(argv[2], argv[3]);
		serve(&a);
	}
	if (argc == 5 && !strcmp(argv[1], "ask")) {
		a = parse(argv[2], argv[3]);
		return ask(&a, atoll(argv[4]) * 1000000ull);
	}
	fprintf(stderr, "usage: rr serve ADDRESS PORT | rr ask ADDRESS PORT RAMP_MS\n");
	return 2;
}
