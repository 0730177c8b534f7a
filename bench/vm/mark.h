/* SPDX-License-Identifier: GPL-2.0 */
/* Marks for bench/vm/count.c: an instruction that does nothing, with a number in it. */
#ifndef UDF_BENCH_MARK_H
#define UDF_BENCH_MARK_H

#define MARK_BEGIN	1
#define MARK_END	2
/* nopl 0x554400NN(%rax) */
#define MARK_CODE(n)	0x0f, 0x1f, 0x80, (n), 0x00, 0x44, 0x55

#define mark_begin()	__asm__ volatile(".byte 0x0f, 0x1f, 0x80, 1, 0x00, 0x44, 0x55" ::: "memory")
#define mark_end()	__asm__ volatile(".byte 0x0f, 0x1f, 0x80, 2, 0x00, 0x44, 0x55" ::: "memory")

#endif
