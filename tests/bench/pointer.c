// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reads a pointing device, for `make bench`, until it is ended, and counts its
 * reports. What it has counted it tells as asked.h says, and, at once, in a page of
 * memory that the host can see.
 *
 *	pointer DEVICE FILE	writes the page's physical address to the file
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/input.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "asked.h"

#define PRESENT		(1ull << 63)	/* of /proc/self/pagemap */
#define PFN		((1ull << 55) - 1)

static void die(const char *what)
{
	fprintf(stderr, "pointer: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A page that stays where it is: MAP_LOCKED and touched */
static uint64_t *shared_page(const char *file)
{
	long size = sysconf(_SC_PAGESIZE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t *page = mmap(NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED |
			      MAP_POPULATE, -1, 0);
	uint64_t entry;
	FILE *f;

	if (fd < 0 || page == MAP_FAILED)
		die("page");
	*page = 0;
	if (pread(fd, &entry, sizeof(entry), (uintptr_t)page / size *
		  sizeof(entry)) != sizeof(entry))
		die("pagemap");
	close(fd);
	if (!(entry & PRESENT) || !(entry & PFN)) {
		errno = EPERM;
		die("pagemap");
	}
	f = fopen(file, "we");
	if (!f || fprintf(f, "%llu\n", (unsigned long long)
			  ((entry & PFN) * size)) < 0 || fclose(f))
		die(file);
	return page;
}

int main(int argc, char **argv)
{
	uint64_t *page;
	struct input_event e[16];
	ssize_t got, i;
	int fd;

	if (argc != 3) {
		fprintf(stderr, "usage: pointer DEVICE FILE\n");
		return 2;
	}
	fd = open(argv[1], O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(argv[1]);
	page = shared_page(argv[2]);
	errno = asked_start();
	if (errno)
		die("thread");
	while ((got = read(fd, e, sizeof(e))) >= (ssize_t)sizeof(e[0])) {
		for (i = 0; i < got / (ssize_t)sizeof(e[0]); i++) {
			if (e[i].type != EV_SYN || e[i].code != SYN_REPORT)
				continue;
			asked_add();
			__atomic_store_n(page, asked_count, __ATOMIC_RELEASE);
		}
	}
	die("read");
}
