#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The contract between the worlds is whole: each function of UDF_CONTRACT is declared and implemented by the host world, and the
# kapi object imports nothing named host_* that is not in it.
set -u

cd "$UDF_TOP" || exit 1
release=$(cat "$UDF_BUILD/kernel/release") || exit 1
kapi=$UDF_BUILD/kapi/$release/kapi.o
bad=0

complain() {		# WHAT, names on stdin
	local name
	while read -r name; do
		echo "$name $1"
		bad=$((bad + 1))
	done
}

listed=$(grep -oE 'fn\(host_[a-z_]+\)' lib/host/include/contract.h | sed 's/fn(\(.*\))/\1/' | sort)
declared=$(grep -hoE '\bhost_[a-z_]+\(' lib/host/include/*.h | tr -d '(' | sort -u)
implemented=$(nm --defined-only "$UDF_BUILD/libudf.a" 2>/dev/null | sed -n 's/.* T \(host_[a-z_]*\)$/\1/p' | sort -u)
imported=$(nm -u "$kapi" | sed -n 's/.* \(host_[a-z_]*\)$/\1/p' | sort -u)

complain "is in UDF_CONTRACT twice" < <(uniq -d <<<"$listed")
complain "is in UDF_CONTRACT but not declared" < <(comm -23 <(echo "$listed") <(echo "$declared"))
complain "is in UDF_CONTRACT but not implemented" < <(comm -23 <(echo "$listed") <(echo "$implemented"))
complain "is called by kapi but not in UDF_CONTRACT" < <(comm -23 <(echo "$imported") <(echo "$listed"))
echo "$(wc -l <<<"$listed") functions, $(wc -l <<<"$imported") of them called"
[ "$bad" = 0 ]
