// SPDX-License-Identifier: GPL-2.0-only
/*
 * UDP datagrams for `make bench`, as many as the other end takes: 64 to a system
 * call, so that a sender's and a receiver's own work is small beside the network
 * card's.
 *
 *	udp send ADDRESS PORT SIZE [FILE]
 *		FILE: a counter of what was dropped on the way, such as
 *		/sys/class/net/tap0/statistics/tx_dropped. When it grows there is
 *		no room, and the sender sleeps for a moment: it keeps the queue
 *		full without taking a CPU from whoever empties it.
 *	udp sink ADDRESS PORT	takes what comes
 *	udp hole ADDRESS PORT	has a socket that nobody reads: what comes is dropped
 *
 * Each runs until it is ended.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	64u
#define LARGEST	9000u
/* a tap's queue of 500 drains in no less */
#define NAP_NS	300000

static char data[BATCH][LARGEST];
static struct mmsghdr messages[BATCH];
static struct iovec vectors[BATCH];

static void die(const char *what)
{
	fprintf(stderr, "udp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t read_number(int fd)
{
	char text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		die("reading the counter");
	text[n] = 0;
	return strtoull(text, NULL, 10);
}

static void batch(size_t size)
{
	unsigned int i;

	for (i = 0; i < BATCH; i++) {
		vectors[i].iov_base = data[i];
		vectors[i].iov_len = size;
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
}

static void __attribute__((noreturn)) sender(int fd, const struct sockaddr_in *a, size_t size, const char *counter)
{
	const struct timespec nap = { .tv_nsec = NAP_NS };
	uint64_t dropped = 0, seen;
	int watch = -1, n;

	if (counter) {
		watch = open(counter, O_RDONLY);
		if (watch < 0)
			die(counter);
		dropped = read_number(watch);
	}
	if (connect(fd, (const struct sockaddr *)a, sizeof(*a)))
		die("connect");
	batch(size);
	for (;;) {
		n = sendmmsg(fd, messages, BATCH, 0);
		/* a port that nobody has opened yet answers; no room is no end */
		if (n < 0 && errno != ECONNREFUSED && errno != ENOBUFS && errno != EAGAIN)
			die("sendmmsg");
		if (watch < 0)
			continue;
		seen = read_number(watch);
		if (seen != dropped)
			nanosleep(&nap, NULL);
		dropped = seen;
	}
}

static void __attribute__((noreturn)) sink(int fd)
{
	batch(LARGEST);
	for (;;)
		if (recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL) < 0)
			die("recvmmsg");
}

int main(int argc, char **argv)
{
	struct sockaddr_in a = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	const int large = 4 << 20;
	int size;

	if (argc < 4 || inet_pton(AF_INET, argv[2], &a.sin_addr) != 1)
		goto usage;
	a.sin_port = htons(atoi(argv[3]));
	if (fd < 0)
		die("socket");
	if (!strcmp(argv[1], "send") && (argc == 5 || argc == 6)) {
		size = atoi(argv[4]);
		if (size < 1 || size > (int)LARGEST)
			goto usage;
		sender(fd, &a, size, argv[5]);
	}
	if (argc != 4 || (strcmp(argv[1], "sink") && strcmp(argv[1], "hole")))
		goto usage;
	if (bind(fd, (const struct sockaddr *)&a, sizeof(a)))
		die("bind");
	if (!strcmp(argv[1], "hole"))
		for (;;)
			pause();
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &large, sizeof(large));
	sink(fd);
usage:
	fprintf(stderr, "usage: udp send ADDRESS PORT SIZE [FILE] | udp sink|hole ADDRESS PORT\n");
	return 2;
}
