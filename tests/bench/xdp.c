// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts a small XDP program into a network card's driver, for `make bench`:
 *
 *	xdp INTERFACE drop	drops each frame
 *	xdp INTERFACE tx	sends each IPv4 frame back to whoever sent it, with
 *				its MAC addresses swapped; others go up the stack
 *	xdp INTERFACE try	only says whether the driver has it
 *
 * For each line that it reads it prints how many frames it has seen. With the
 * end of its input, or its own, the program goes.
 *
 * Native mode only: what the kernel's stack does for drivers without XDP is no
 * matter of the driver. The program is written down as instructions, so that
 * nothing but the kernel is needed to build and load it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/bpf.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_CPUS	64

/* one instruction; the names are those of the kernel's instruction set document */
#define INSN(c, d, s, o, i) \
	((struct bpf_insn){ .code = (c), .dst_reg = (d), .src_reg = (s), .off = (o), .imm = (i) })
#define LOAD(size, d, s, o)	INSN(BPF_LDX | BPF_MEM | (size), d, s, o, 0)
#define STORE(size, d, s, o)	INSN(BPF_STX | BPF_MEM | (size), d, s, o, 0)
#define MOVE(d, s)		INSN(BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define SET(d, i)		INSN(BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, i)		INSN(BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define CALL(f)			INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT			INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)
#define R0	BPF_REG_0
#define R1	BPF_REG_1
#define R2	BPF_REG_2
#define R3	BPF_REG_3
#define R4	BPF_REG_4
#define R5	BPF_REG_5
#define R6	BPF_REG_6
#define R10	BPF_REG_10

static int bpf(int command, union bpf_attr *attr)
{
	return syscall(__NR_bpf, command, attr, sizeof(*attr));
}

static void die(const char *what)
{
	fprintf(stderr, "xdp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int make_map(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_PERCPU_ARRAY, .key_size = 4,
			     .value_size = 8, .max_entries = 1 };

	return bpf(BPF_MAP_CREATE, &a);
}

static int load(const struct bpf_insn *insns, size_t count)
{
	static char log[8192];
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_XDP, .insns = (uintptr_t)insns,
			     .insn_cnt = count, .license = (uintptr_t)"GPL",
			     .log_buf = (uintptr_t)log, .log_size = sizeof(log), .log_level = 1 };
	int fd = bpf(BPF_PROG_LOAD, &a);

	if (fd < 0)
		fprintf(stderr, "%s", log);
	return fd;
}

/* Counts the frame; then comes the verdict. */
static int make_program(int map, bool tx)
{
	struct bpf_insn insns[32] = {
		MOVE(R6, R1),
		INSN(BPF_ST | BPF_MEM | BPF_W, R10, 0, -4, 0),		/* the key, 0 */
		INSN(BPF_LD | BPF_DW | BPF_IMM, R1, BPF_PSEUDO_MAP_FD, 0, map),
		INSN(0, 0, 0, 0, 0),			/* the upper half of that */
		MOVE(R2, R10),
		ADD(R2, -4),
		CALL(BPF_FUNC_map_lookup_elem),
		INSN(BPF_JMP | BPF_JEQ | BPF_K, R0, 0, 3, 0),
		LOAD(BPF_DW, R1, R0, 0),
		ADD(R1, 1),
		STORE(BPF_DW, R0, R1, 0),
	};
	const size_t first = 11;
	const struct bpf_insn drop[] = { SET(R0, XDP_DROP), EXIT };
	const struct bpf_insn back[] = {
		LOAD(BPF_W, R2, R6, offsetof(struct xdp_md, data)),
		LOAD(BPF_W, R3, R6, offsetof(struct xdp_md, data_end)),
		MOVE(R4, R2),
		ADD(R4, 14),
		SET(R0, XDP_PASS),
		/* shorter than a header, or no IPv4: to the end */
		INSN(BPF_JMP | BPF_JGT | BPF_X, R4, R3, 11, 0),
		LOAD(BPF_H, R5, R2, 12),
		INSN(BPF_JMP | BPF_JNE | BPF_K, R5, 0, 9, 0x0008),
		LOAD(BPF_W, R3, R2, 0),
		LOAD(BPF_H, R4, R2, 4),
		LOAD(BPF_W, R5, R2, 6),
		LOAD(BPF_H, R1, R2, 10),
		STORE(BPF_W, R2, R5, 0),
		STORE(BPF_H, R2, R1, 4),
		STORE(BPF_W, R2, R3, 6),
		STORE(BPF_H, R2, R4, 10),
		SET(R0, XDP_TX),
		EXIT,
	};

	memcpy(insns + first, tx ? back : drop, tx ? sizeof(back) : sizeof(drop));
	return load(insns, first + (tx ? sizeof(back) : sizeof(drop)) / sizeof(*insns));
}

/* The program stays as long as this descriptor is open. */
static int attach(int program, unsigned int interface)
{
	union bpf_attr a = { .link_create = { .prog_fd = program, .target_ifindex = interface,
					      .attach_type = BPF_XDP,
					      .flags = XDP_FLAGS_DRV_MODE } };

	return bpf(BPF_LINK_CREATE, &a);
}

static uint64_t seen(int map)
{
	static uint64_t values[MAX_CPUS];
	uint32_t key = 0;
	union bpf_attr a = { .map_fd = map, .key = (uintptr_t)&key,
			     .value = (uintptr_t)values };
	uint64_t sum = 0;
	unsigned int i;

	if (bpf(BPF_MAP_LOOKUP_ELEM, &a))
		die("reading the map");
	for (i = 0; i < MAX_CPUS; i++)
		sum += values[i];
	return sum;
}

int main(int argc, char **argv)
{
	unsigned int interface;
	int map, program;
	char line[16];

	if (argc != 3 || (strcmp(argv[2], "drop") && strcmp(argv[2], "tx") &&
			  strcmp(argv[2], "try"))) {
		fprintf(stderr, "usage: xdp INTERFACE drop|tx|try\n");
		return 2;
	}
	/* the kernel writes a word for each possible CPU */
	if (sysconf(_SC_NPROCESSORS_CONF) > MAX_CPUS) {
		fprintf(stderr, "xdp: more than %d CPUs\n", MAX_CPUS);
		return 1;
	}
	interface = if_nametoindex(argv[1]);
	if (!interface)
		die(argv[1]);
	map = make_map();
	if (map < 0)
		die("making a map");
	program = make_program(map, !strcmp(argv[2], "tx"));
	if (program < 0)
		die("loading the program");
	if (attach(program, interface) < 0)
		die("attaching the program");
	if (!strcmp(argv[2], "try"))
		return 0;
	while (fgets(line, sizeof(line), stdin)) {
		printf("%llu\n", (unsigned long long)seen(map));
		fflush(stdout);
	}
	return 0;
}
