#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# fuzz_loader.seed.sh FOLDER: small stock modules, some for each kind of special section.
set -eu

modules=$(find "${UDF_BUILD:-build}/kernel/root/lib/modules" -name '*.ko' -size -48k 2>/dev/null | sort)
for section in __ksymtab_gpl .retpoline_sites .static_call_sites __jump_table .data..percpu .altinstructions __ex_table \
		__param .init.rodata _ftrace_events; do
	echo "$modules" | xargs -r grep -lF -- "$section" | sed -n 1,4p
done | sort -u | xargs -r cp -t "$1"
