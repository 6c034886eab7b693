// SPDX-License-Identifier: GPL-2.0-only
/*
 * A plugin for QEMU's emulated CPUs that counts what a guest does, for
 * `make bench`: instructions, and accesses to devices, each of which is an exit
 * where a hypervisor runs the guest.
 *
 * The counters lie in a file that the benchmark maps too: nothing has to be
 * asked while the guest runs. Each vCPU has its own, since two that added to
 * one word would lose counts.
 *
 * Arguments: out=FILE.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "qemu_plugin.h"

int qemu_plugin_version = 1;

/* A cache line for each vCPU; measure.py reads the same */
#define COUNT_VCPUS	8u

struct count {
	uint64_t instructions;
	uint64_t port;		/* in, out */
	uint64_t mmio;		/* device memory, but the local APIC's */
	uint64_t apic;
	uint64_t unused[4];
};
_Static_assert(sizeof(struct count) == 64, "a cache line");

static struct count *counts;

static struct count *count_of(unsigned int vcpu)
{
	return &counts[vcpu % COUNT_VCPUS];
}

static void count_block(unsigned int vcpu, void *instructions)
{
	count_of(vcpu)->instructions += (uintptr_t)instructions;
}

static void count_port(unsigned int vcpu, void *data)
{
	(void)data;
	count_of(vcpu)->port++;
}

static void count_memory(unsigned int vcpu, uint32_t info, uint64_t vaddr, void *data)
{
	const struct qemu_plugin_hwaddr *h = qemu_plugin_get_hwaddr(info, vaddr);

	(void)data;
	if (!h || !qemu_plugin_hwaddr_is_io(h))
		return;
	if (qemu_plugin_hwaddr_phys_addr(h) >> 20 == 0xfee)
		count_of(vcpu)->apic++;
	else
		count_of(vcpu)->mmio++;
}

/* What an instruction may do that leaves the guest, by its opcode */
enum kind {
	KIND_OTHER,
	KIND_PORT,	/* in, out, ins, outs */
	KIND_MOVE,	/* of 32 bits or less: what readl() and writel() are */
};

static bool is_prefix(uint8_t c)
{
	/* operand and address size, lock, repeat, segments; REX */
	return c == 0x66 || c == 0x67 || c == 0xf0 || c == 0xf2 || c == 0xf3 ||
	       c == 0x26 || c == 0x2e || c == 0x36 || c == 0x3e || c == 0x64 || c == 0x65 ||
	       (c & 0xf0) == 0x40;
}

static enum kind classify(const uint8_t *p, size_t n)
{
	bool wide = false;

	for (; n > 1 && is_prefix(*p); p++, n--)
		wide = (*p & 0xf8) == 0x48;
	if ((*p >= 0x6c && *p <= 0x6f) || (*p >= 0xe4 && *p <= 0xe7) || (*p >= 0xec && *p <= 0xef))
		return KIND_PORT;
	/* looking at all memory accesses would make the guest several times slower */
	if (!wide && ((*p >= 0x88 && *p <= 0x8b) || *p == 0xc6 || *p == 0xc7))
		return KIND_MOVE;
	return KIND_OTHER;
}

static void translate(uint64_t id, struct qemu_plugin_tb *tb)
{
	size_t i, n = qemu_plugin_tb_n_insns(tb);

	(void)id;
	qemu_plugin_register_vcpu_tb_exec_cb(tb, count_block, PLUGIN_NO_REGS, (void *)n);
	for (i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);

		switch (classify(qemu_plugin_insn_data(insn), qemu_plugin_insn_size(insn))) {
		case KIND_PORT:
			qemu_plugin_register_vcpu_insn_exec_cb(insn, count_port,
							       PLUGIN_NO_REGS, NULL);
			break;
		case KIND_MOVE:
			/* programs, in the lower half, reach no device */
			if (qemu_plugin_insn_vaddr(insn) >> 63)
				qemu_plugin_register_vcpu_mem_cb(insn, count_memory,
								 PLUGIN_NO_REGS, PLUGIN_MEM_RW,
								 NULL);
			break;
		case KIND_OTHER:
			break;
		}
	}
}

int qemu_plugin_install(uint64_t id, const void *info, int argc, char **argv)
{
	const size_t size = COUNT_VCPUS * sizeof(struct count);
	int fd;

	(void)info;
	if (argc != 1 || strncmp(argv[0], "out=", 4))
		return -1;
	fd = open(argv[0] + 4, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	if (ftruncate(fd, size)) {
		close(fd);
		return -1;
	}
	counts = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	if (counts == MAP_FAILED)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translate);
	return 0;
}
