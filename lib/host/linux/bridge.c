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

void udf_bridges_unmap(void)
{
	munmap((void *)UDF_BRIDGE_BASE, BRIDGES_SIZE);
}
