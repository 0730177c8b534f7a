/* SPDX-License-Identifier: GPL-2.0 */
/* Offsets in struct udf_vcpu for enter.S; vcpu.c asserts them. Host world. */
#ifndef UDF_HOST_LINUX_VCPU_OFFSETS_H
#define UDF_HOST_LINUX_VCPU_OFFSETS_H

#include "cpu.h"

#define UDF_VCPU_ENTER_SP 0		/* enter_sp */
#define UDF_VCPU_DRIVE_SP 8		/* drive_sp */
#define UDF_VCPU_IDLE 16		/* idle: rbx rbp r12 r13 r14 r15 rip */

#endif
