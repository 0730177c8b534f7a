/* SPDX-License-Identifier: GPL-2.0 */
/* What every unit test includes: cmocka with what it needs before it. */
#ifndef UDF_TESTS_UNIT_H
#define UDF_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
