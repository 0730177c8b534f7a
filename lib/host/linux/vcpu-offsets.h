/* SPDX-License-Identifier: GPL-2.0 */
/* Offsets for enter.S; vcpu.c asserts them. Host world. */
#ifndef UDF_HOST_LINUX_VCPU_OFFSETS_H
#define UDF_HOST_LINUX_VCPU_OFFSETS_H

#include "cpu.h"

#define UDF_VCPU_ENTER_SP 0		/* struct udf_vcpu.enter_sp */

#endif
