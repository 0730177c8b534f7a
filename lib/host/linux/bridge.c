// SPDX-License-Identifier: GPL-2.0
/*
 * Bridges: the way from kernel code, linked below 2 GiB, to the contract's functions, which may lie anywhere. Host world.
 *
 * One slot of code for each function of UDF_CONTRACT at a fixed address, so that the prepared image can be linked against it:
 *
 *   push %rbp; mov %rsp,%rbp      the task's stack ...
 *   mov %gs:24,%rsp               ... is left for the vCPU's host stack, 16-byte aligned
 *   mov $function,%rax; call *%rax
 *   mov %rbp,%rsp; pop %rbp
 * back:                           from here on an interrupt may be delivered as in any kernel code
 *   cmpq $0,%gs:8; jne pending
 *   ret
 * pending:                        something came while we were in the host world
 *   cmpq $0,%gs:0; je -> ret      interrupts are off: later
 *   jmp kapi_irq_pending
 */
#include "host/linux/host.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "debug/frames.h"
#include "debug/symfile.h"
#include "layout.h"

typedef void udf_any_function(void);

#define UDF_BRIDGE_TARGET(fn) (udf_any_function *)fn,
static udf_any_function *const udf_bridge_targets[] = {
	UDF_CONTRACT(UDF_BRIDGE_TARGET)
};

#define NR_BRIDGES (sizeof(udf_bridge_targets) / sizeof(udf_bridge_targets[0]))
_Static_assert(NR_BRIDGES <= UDF_BRIDGE_MAX, "more contract functions than bridge slots");

#define BRIDGES_SIZE (UDF_BRIDGE_MAX * UDF_BRIDGE_SLOT)

static const uint8_t udf_bridge_code[] = {
	0x55,						/* push %rbp */
	0x48, 0x89, 0xe5,				/* mov %rsp,%rbp */
	0x65, 0x48, 0x8b, 0x24, 0x25, HOST_VCPU_HOST_STACK, 0, 0, 0,
	0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0,		/* mov $target,%rax */
	0xff, 0xd0,					/* call *%rax */
	0x48, 0x89, 0xec,				/* mov %rbp,%rsp */
	0x5d,						/* pop %rbp */
#define BRIDGE_TARGET	15
#define BRIDGE_CALL	23
#define BRIDGE_BACK	29
	0x65, 0x48, 0x83, 0x3c, 0x25, HOST_VCPU_PENDING, 0, 0, 0, 0,	/* cmpq $0,%gs:pending */
	0x75, 0x01,					/* jne pending */
	0xc3,						/* ret */
	0x65, 0x48, 0x83, 0x3c, 0x25, HOST_VCPU_IRQ_FLAG, 0, 0, 0, 0,	/* cmpq $0,%gs:irq_flag */
	0x74, 0xf3,					/* je ret */
	0xe9, 0, 0, 0, 0,				/* jmp kapi_irq_pending */
#define BRIDGE_JUMP	55
};
_Static_assert(sizeof(udf_bridge_code) <= UDF_BRIDGE_SLOT, "bridge code exceeds its slot");

bool udf_bridge_interruptible(uint64_t ip)
{
	return ip >= UDF_BRIDGE_BASE && ip < UDF_BRIDGE_BASE + BRIDGES_SIZE &&
	       (ip - UDF_BRIDGE_BASE) % UDF_BRIDGE_SLOT >= BRIDGE_BACK;
}

#define NUMBER(fn) NUMBER_##fn,
enum { UDF_CONTRACT(NUMBER) };
#undef NUMBER

uint64_t udf_bridge_mmio_access(void)
{
	return UDF_BRIDGE_BASE + (uint64_t)NUMBER_host_mmio_access * UDF_BRIDGE_SLOT;
}

int udf_bridges_map(struct udf_error *err)
{
	uint64_t pending = udf_image_kapi_symbol(udf_host.image, "kapi_irq_pending");
	uint8_t *base = mmap((void *)UDF_BRIDGE_BASE, BRIDGES_SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	size_t i;

	if (base != (void *)UDF_BRIDGE_BASE)
		return udf_error_set(err, -EEXIST, "the address range at 0x%x is in use in this process", UDF_BRIDGE_BASE);
	if (!pending)
		return udf_error_set(err, -EINVAL, "the prepared image has no kapi_irq_pending; 'udf image prepare' makes it anew");
	for (i = 0; i < NR_BRIDGES; i++) {
		uint8_t *slot = base + i * UDF_BRIDGE_SLOT;
		uint64_t target = (uint64_t)udf_bridge_targets[i];
		int32_t rel = (int32_t)(pending - ((uint64_t)slot + BRIDGE_JUMP + 4));

		memcpy(slot, udf_bridge_code, sizeof(udf_bridge_code));
		memcpy(slot + BRIDGE_TARGET, &target, sizeof(target));
		memcpy(slot + BRIDGE_JUMP, &rel, sizeof(rel));
	}
	if (mprotect(base, BRIDGES_SIZE, PROT_READ | PROT_EXEC))
		return udf_error_set(err, -errno, "mprotect of the bridges: %s", strerror(errno));
	return 0;
}

#define NAME(fn) "bridge_" #fn,
static const char *const udf_bridge_names[] = { UDF_CONTRACT(NAME) };
#undef NAME

/*
 * The host stack lies above every task's, so to a debugger that walks from a host function into its caller the stack seems to grow the
 * wrong way, which it takes for corruption. It makes an exception for a function named __morestack (of gcc's split stacks).
 */
void udf_bridges_describe(struct udf_symfile *file, struct udf_frames *frames)
{
	static const struct udf_orc entered = { .sp_reg = UDF_ORC_SP, .sp_offset = 8 };
	static const struct udf_orc pushed = { .sp_reg = UDF_ORC_SP, .sp_offset = 16, .bp_reg = UDF_ORC_PREV_SP, .bp_offset = -16 };
	static const struct udf_orc framed = { .sp_reg = UDF_ORC_BP, .sp_offset = 16, .bp_reg = UDF_ORC_PREV_SP, .bp_offset = -16 };
	size_t i;

	for (i = 0; i < NR_BRIDGES; i++) {
		uint64_t at = UDF_BRIDGE_BASE + i * UDF_BRIDGE_SLOT;

		udf_symfile_symbol(file, udf_bridge_names[i], at, BRIDGE_CALL, true, false);
		udf_symfile_symbol(file, "__morestack", at + BRIDGE_CALL, BRIDGE_BACK - BRIDGE_CALL, true, false);
		udf_symfile_symbol(file, udf_bridge_names[i], at + BRIDGE_BACK, UDF_BRIDGE_SLOT - BRIDGE_BACK, true, false);
		udf_frames_row(frames, at, at + 1, &entered);
		udf_frames_row(frames, at + 1, at + 4, &pushed);
		udf_frames_row(frames, at + 4, at + BRIDGE_BACK, &framed);
		udf_frames_row(frames, at + BRIDGE_BACK, at + UDF_BRIDGE_SLOT, &entered);
	}
}

void udf_bridges_unmap(void)
{
	munmap((void *)UDF_BRIDGE_BASE, BRIDGES_SIZE);
}
