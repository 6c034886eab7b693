// SPDX-License-Identifier: GPL-2.0-only
/*
 * Run in a guest: puts one of the programs of actions.bpf.c to work.
 *
 *	load OBJECT INTERFACE PROGRAM [TARGET|QUEUE]
 *
 * redirect sends to TARGET, to_socket to an AF_XDP socket on QUEUE that gives
 * all back. "attached" is printed once it works; on SIGTERM or SIGINT it is
 * detached and what it has counted is printed, by action.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actions.h"
#include "xsk.h"

/* SIGTERM and SIGINT are blocked, and looked for */
static sigset_t endings;

static bool ended(void)
{
	const struct timespec now = { 0 };

	return sigtimedwait(&endings, NULL, &now) > 0;
}

static void show_counts(int map)
{
	static const char *const names[ACTIONS] = {
		"aborted", "drop", "pass", "tx", "redirect"
	};
	int cpus = libbpf_num_possible_cpus(), cpu;
	uint64_t *value = calloc((size_t)cpus, sizeof(*value)), sum;
	uint32_t i;

	for (i = 0; i < ACTIONS; i++) {
		if (bpf_map_lookup_elem(map, &i, value))
			continue;
		for (sum = 0, cpu = 0; cpu < cpus; cpu++)
			sum += value[cpu];
		printf("%s %lu\n", names[i], (unsigned long)sum);
	}
	free(value);
}

static int map_fd(struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static bool reflect(struct bpf_object *object, int ifindex, uint32_t queue)
{
	unsigned long seen = 0, sent = 0;
	struct xsk *x;
	bool good;
	int fd;

	x = xsk_open(ifindex, queue, &fd);
	if (!x)
		return false;
	if (bpf_map_update_elem(map_fd(object, "sockets"), &queue, &fd, 0)) {
		perror("XSKMAP");
		return false;
	}
	puts("attached");
	fflush(stdout);
	do {
		good = xsk_reflect(x, 50, &seen, &sent);
	} while (good && !ended());
	/* what is on its way is still confirmed */
	for (fd = 0; good && sent < seen && fd < 40; fd++)
		good = xsk_reflect(x, 50, &seen, &sent);
	printf("socket %lu seen, %lu sent\n", seen, sent);
	return good;
}

int main(int argc, char **argv)
{
	struct bpf_object *object;
	struct bpf_program *p;
	uint32_t zero = 0, to;
	bool good = true;
	int ifindex, err;

	if (argc < 4)
		return 2;
	sigemptyset(&endings);
	sigaddset(&endings, SIGTERM);
	sigaddset(&endings, SIGINT);
	sigprocmask(SIG_BLOCK, &endings, NULL);
	ifindex = (int)if_nametoindex(argv[2]);
	object = bpf_object__open_file(argv[1], NULL);
	if (!ifindex || !object)
		return 1;
	bpf_object__for_each_program(p, object)
		bpf_program__set_autoload(p, !strcmp(bpf_program__name(p),
						     argv[3]));
	p = bpf_object__find_program_by_name(object, argv[3]);
	if (!p || bpf_object__load(object))
		return 1;
	if (!strcmp(argv[3], "redirect")) {
		to = if_nametoindex(argv[4]);
		if (bpf_map_update_elem(map_fd(object, "devices"), &zero, &to,
					0)) {
			perror("DEVMAP");
			return 1;
		}
	}
	err = bpf_xdp_attach(ifindex, bpf_program__fd(p), XDP_FLAGS_DRV_MODE,
			     NULL);
	if (err) {
		fprintf(stderr, "attach: %s\n", strerror(-err));
		return 1;
	}
	if (!strcmp(argv[3], "to_socket")) {
		good = reflect(object, ifindex, (uint32_t)atoi(argv[4]));
	} else {
		puts("attached");
		fflush(stdout);
		sigwaitinfo(&endings, NULL);
	}
	err = bpf_xdp_detach(ifindex, XDP_FLAGS_DRV_MODE, NULL);
	if (err)
		fprintf(stderr, "detach: %s\n", strerror(-err));
	show_counts(map_fd(object, "counts"));
	return good && !err ? 0 : 1;
}
