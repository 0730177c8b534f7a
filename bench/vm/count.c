// SPDX-License-Identifier: GPL-2.0
/*
 * A plugin of QEMU's that counts the guest's instructions between two marks, exactly, however slow or loaded the machine is; and says where
 * they were. One virtual processor only.
 *
 *	qemu-system-x86_64 -smp 1 ... -plugin count.so,out=FILE
 *
 * The guest makes a mark with bench/vm/mark.h: BEGIN zeroes the counters, END writes them to FILE, which is then that of the last
 * measurement: a line "kernel N", "load N" (the load generator, which is linked below 16 MiB) and "user N" (all other processes), and then a
 * line "ADDRESS COUNT" for each block of code that has run. Debian ships no header of this interface: what is used of it is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"

#define LOAD_END (16ull << 20)

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info {
	const char *target;
	int min, cur;
	bool system;
	int smp, max_smp;
};

enum { ADD_U64 };

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv);
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*cb)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int, void *), int flags, void *arg);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb, int op, void *counter, uint64_t add);

int qemu_plugin_version = 1;

/* Blocks are translated again and again; each time there is a new one of these. */
struct block {
	struct block *next;
	uint64_t vaddr, count;
};

static struct block *blocks;
static const char *out;

static void write_counts(void)
{
	uint64_t kernel = 0, load = 0, user = 0;
	FILE *f = fopen(out, "w");

	if (!f)
		return;
	for (const struct block *b = blocks; b; b = b->next)
		*(b->vaddr >> 63 ? &kernel : b->vaddr < LOAD_END ? &load : &user) += b->count;
	fprintf(f, "kernel %" PRIu64 "\nload %" PRIu64 "\nuser %" PRIu64 "\n", kernel, load, user);
	for (const struct block *b = blocks; b; b = b->next)
		if (b->count)
			fprintf(f, "%" PRIx64 " %" PRIu64 "\n", b->vaddr, b->count);
	fclose(f);
}

static void mark(unsigned int cpu, void *what)
{
	if ((uintptr_t)what == MARK_END)
		write_counts();
	for (struct block *b = blocks; b; b = b->next)
		b->count = 0;
}

static void translated(plugin_id id, struct qemu_plugin_tb *tb)
{
	static const uint8_t code[] = { MARK_CODE(0) };
	size_t n = qemu_plugin_tb_n_insns(tb);
	struct block *b = calloc(1, sizeof(*b));

	if (!b)
		abort();
	b->vaddr = qemu_plugin_tb_vaddr(tb);
	b->next = blocks;
	blocks = b;
	qemu_plugin_register_vcpu_tb_exec_inline(tb, ADD_U64, &b->count, n);
	for (size_t i = 0; i < n; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
		const uint8_t *is = qemu_plugin_insn_data(insn);

		if (qemu_plugin_insn_size(insn) != sizeof(code) || memcmp(is, code, 3) || memcmp(is + 4, code + 4, sizeof(code) - 4))
			continue;
		qemu_plugin_register_vcpu_insn_exec_cb(insn, mark, 0, (void *)(uintptr_t)is[3]);
	}
}

int qemu_plugin_install(plugin_id id, const struct qemu_info *info, int argc, char **argv)
{
	for (int i = 0; i < argc; i++)
		if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	if (!out)
		return -1;
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
