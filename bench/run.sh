#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run the benchmarks in turn and write their table: run.sh BUILD ROUNDS SECONDS. The yardstick and UDF alternate, so that a machine whose
# speed drifts does not favour one; what counts is the median of the ratios.
set -eu

build=$1 rounds=$2 seconds=$3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

field() { sed -n "s/.* $1=\([-0-9.]*\).*/\1/p"; }
median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2 }'; }
of() { field "$2" <"$work/$1" | median; }

"$build/udf" image prepare >&2
for ((round = 1; round <= rounds; round++)); do
	for depth in 1 32 128; do
		printf '\rround %d of %d, depth %d  ' "$round" "$rounds" "$depth" >&2
		"$build/bench/yardstick" --depth $depth --seconds "$seconds" >"$work/y"
		"$build/bench/io" --depth $depth --seconds "$seconds" 2>/dev/null >"$work/both"
		sed -n 1p "$work/both" >"$work/u"
		sed -n 2p "$work/both" >>"$work/counts.$depth"
		cat "$work/y" >>"$work/yardstick.$depth"
		cat "$work/u" >>"$work/udf.$depth"
		awk -v y="$(field iops <"$work/y")" -v u="$(field iops <"$work/u")" 'BEGIN { print u / y }' >>"$work/ratio.$depth"
	done
	"$build/bench/start" --seconds 2 2>/dev/null >>"$work/start"
done
printf '\r%40s\r' '' >&2

echo "# What UDF costs"
echo
echo "\`make bench\` made this table on $(date -u +%Y-%m-%d), on $(nproc) cores of $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(uname -r):"
echo "4 KiB random reads of an NVMe controller of QEMU's with a null back end, one vCPU, through stock nvme.ko and libudf"
echo "(UDF_QUEUE_POLLED), against the yardstick (bench/yardstick.c): a minimal polled client of the same controller over the same"
echo "transport, without a kernel. $rounds rounds of $seconds s, in turn; medians."
echo
echo "| figure | yardstick | UDF | ratio |"
echo "| --- | --- | --- | --- |"
for depth in 1 32 128; do
	printf '| reads per second at depth %d | %.0f | %.0f | %.2f |\n' $depth "$(of yardstick.$depth iops)" "$(of udf.$depth iops)" "$(median <"$work/ratio.$depth")"
done
for depth in 1 32 128; do
	printf '| CPU time of the process for each read at depth %d, us | %.2f | %.2f | |\n' $depth "$(of yardstick.$depth cpu_us_per_io)" "$(of udf.$depth cpu_us_per_io)"
done
printf '| times that a vCPU went to sleep for each read at depth 32 | 0 | %.3f | |\n' "$(of counts.32 sleeps)"
printf '| start to first completed read, image cached, less the start of QEMU (%.0f ms), ms | | %.1f | |\n' "$(of start qemu_ms)" "$(of start udf_ms)"
printf '| private memory of the process, idle, MiB | | %.1f | |\n' "$(of start private_kib | awk '{ print $1 / 1024 }')"
printf '| CPU time of the process, idle, percent of a core | | %.2f | |\n' "$(of start idle_cpu_percent)"
