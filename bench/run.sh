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
latency() { grep -F "$1 idle_us=$2 " "$work/latency" | field median_ns | median | awk '{ printf "%.1f", $1 / 1000 }'; }

# System calls of the process in one second in the middle of its run, but those of the socket to QEMU, for each of its reads.
other_calls_per_read() {
	command -v perf >/dev/null && perf stat -e raw_syscalls:sys_enter true >/dev/null 2>&1 || { echo "(needs perf and leave to use it)"; return; }
	"$build/bench/io" --depth 32 --seconds 4 2>/dev/null >"$work/calls" &
	sleep 2
	perf stat -x , -o "$work/perf" -e raw_syscalls:sys_enter -e syscalls:sys_enter_sendto -e syscalls:sys_enter_recvfrom \
		-p $! sleep 1 2>/dev/null
	wait $!
	awk -F , -v iops="$(field iops <"$work/calls")" '/raw_syscalls/ { n += $1 } /sendto|recvfrom/ { n -= $1 } END { printf "%.4f", n / iops }' \
		"$work/perf"
}

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
		"$build/bench/attached" --depth $depth --seconds "$seconds" 2>/dev/null | sed -n 1p >"$work/a"
		cat "$work/a" >>"$work/attached.$depth"
		awk -v u="$(field iops <"$work/u")" -v a="$(field iops <"$work/a")" 'BEGIN { print a / u }' >>"$work/share.$depth"
		awk -v y="$(field iops <"$work/y")" -v u="$(field iops <"$work/u")" 'BEGIN { print u / y }' >>"$work/ratio.$depth"
	done
	"$build/bench/start" --seconds 2 2>/dev/null >>"$work/start"
	"$build/bench/wake" >>"$work/latency"
	"$build/udf" run --no-device --cpus 2 --once "$build/bench/modules/udf_latency.ko" 2>&1 | grep "^udf_latency" >>"$work/latency"
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
printf '| system calls for each read at depth 32, besides those of the socket to QEMU | | %s | |\n' "$(other_calls_per_read)"
printf '| times that a vCPU went to sleep for each read at depth 32 | 0 | %.3f | |\n' "$(of counts.32 sleeps)"
printf '| start to first completed read, image cached, less the start of QEMU (%.0f ms), ms | | %.1f | |\n' "$(of start qemu_ms)" "$(of start udf_ms)"
printf '| private memory of the process, idle, MiB | | %.1f | |\n' "$(of start private_kib | awk '{ print $1 / 1024 }')"
printf '| CPU time of the process, idle, percent of a core | | %.2f | |\n' "$(of start idle_cpu_percent)"

echo
echo "The same from an application in another process, attached to the driver process (option port), against the application that runs the driver"
echo "itself; QEMU, driver and application are three busy processes then. CPU time is of application and driver process together."
echo
echo "| figure | in-process | attached | ratio |"
echo "| --- | --- | --- | --- |"
for depth in 1 32 128; do
	printf '| reads per second at depth %d | %.0f | %.0f | %.2f |\n' $depth "$(of udf.$depth iops)" "$(of attached.$depth iops)" "$(median <"$work/share.$depth")"
done
for depth in 1 32 128; do
	printf '| CPU time for each read at depth %d, us | %.2f | %.2f | |\n' $depth "$(of udf.$depth cpu_us_per_io)" "$(of attached.$depth cpu_us_per_io)"
done

echo
echo "Latency in us, medians: from one vCPU to another one, which has been idle for that long; and for comparison from a thread to one that"
echo "sleeps in a futex, without UDF: what the machine itself takes to wake one of its processors."
echo
echo "| event | idle for 20 us: spinning | idle for 10 ms: sleeping |"
echo "| --- | --- | --- |"
printf '| interrupt to its handler | %s | %s |\n' "$(latency interrupt 20)" "$(latency interrupt 10000)"
printf '| wake-up to the task that is woken | %s | %s |\n' "$(latency wakeup 20)" "$(latency wakeup 10000)"
printf '| futex to the thread that sleeps in it | | %s |\n' "$(latency futex 10000)"
