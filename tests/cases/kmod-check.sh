#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# sparse and clang-tidy have nothing to say of the kernel module; and they do have something to say of one with mistakes.
#
# timeout: 300
set -eu

make -s -C "$UDF_TOP" B="$(realpath --relative-to="$UDF_TOP" "$UDF_BUILD")" kmod-check

# the same, over a copy with a mistake that the compiler does not warn of
release=$(cat "$UDF_BUILD/kernel/release")
headers=$UDF_BUILD/kernel/root/usr/src/linux-headers-$release
mkdir bad
cp "$UDF_BUILD/kmod/$release/".*.o.cmd bad/
cp -L "$UDF_BUILD/kmod/$release/"*.[ch] bad/
cat >>bad/mem.c <<'END'
int udf_mistake(const int *p);
int udf_mistake(const int *p)
{
	return p ? 0 : *p;
}
END
! "$UDF_TOP/mk/kmod-tidy.sh" bad "$headers" mem.c >out || { echo "clang-tidy sees nothing"; exit 1; }
grep -q "mem.c:.*null pointer" out
