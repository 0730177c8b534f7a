#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Run the benchmarks of bench/vm in the virtual machine and write their tables: vm.sh BUILD ROUNDS [RESULTS]. In the folder RESULTS is what each of them
# has said; one that is there already is not run again.
set -eu
export LC_ALL=C

build=$(realpath "$1") rounds=$2 kills=100
top=$(realpath "$(dirname "$0")/..")
if [ $# = 3 ]; then
	work=$(realpath "$3")
else
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
fi

run() {			# SCRIPT VARIANT MODE [N]
	local script=$1
	shift
	local result=$work/$script.$1.$2
	[ ! -s "$result" ] || return 0
	printf '\r%-40s' "$script $*" >&2
	rm -rf "$work/run"
	mkdir "$work/run"
	UDF_TOP=$top UDF_BUILD=$build UDF_WORK=$work/run timeout 900 "$top/bench/vm/$script" "$@" >"$work/part" || cat "$work/part" >&2
	mv "$work/part" "$result"
	rm -rf "$work/run"
}

median() { sort -n | awk '{ v[NR] = $1 } END { if (NR) print NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2; else print 0 }'; }
percentile() { sort -n | awk -v p="$1" '{ v[NR] = $1 } END { print v[int((NR - 1) * p + 0.999) + 1] }'; }
# value FILE LABEL DEPTH FIELD: the median of what lines of LABEL say
value() { sed -n "s/^guest: $2 .*depth=$3 .* *$4=\([0-9.]*\).*/\1/p" "$work/$1" | median; }
ratio() { awk -v a="$1" -v b="$2" 'BEGIN { if (b) printf "%.2f", a / b; else print "?" }'; }
row() { printf '| %s | %.0f | %.0f | %s |\n' "$1" "$2" "$3" "$(ratio "$3" "$2")"; }
rate() { awk '{ printf "%.0f", $1 ? 1e6 / $1 : 0 }'; }

"$build/udf" image prepare >/dev/null
run block.sh plain count "$rounds"
run attached.sh iommu count "$rounds"
run null.sh plain count "$rounds"
run block.sh plain time "$rounds"
run block.sh plain one "$rounds"
run block.sh plain single "$rounds"
run null.sh plain one "$rounds"
run memory.sh plain time
run recovery.sh plain count "$kills"
run recovery.sh plain one "$kills"
run recovery.sh plain time "$kills" 2
printf '\r%40s\r' '' >&2

c=block.sh.plain.count a=attached.sh.iommu.count n=null.sh.plain.count
cat <<TEXT
## In a virtual machine: the kernel's block devices, attached applications

Debian's stock kernel in QEMU without KVM, with the same NVMe controller (null back end) for all; 4 KiB random reads with io_uring, in turn,
medians of up to $rounds rounds. Counted are the guest's instructions, of all processes and the kernel, by a plugin of QEMU's (bench/vm/count.c): one processor, and
no scheduler for either disk. A string instruction counts once for each step, so a copy of the data would be seen. What a timer tick or a vCPU that spins
costs is in it, and depends on how fast the machine is: a little at depth 32, some thousand at depth 1.

| instructions for each read | in-kernel nvme | UDF | ratio |
| --- | --- | --- | --- |
TEXT
row "block device of the kernel, depth 1" "$(value $c native 1 insns)" "$(value $c udf1 1 insns)"
row "block device of the kernel, depth 32" "$(value $c native 32 insns)" "$(value $c udf1 32 insns)"
row "attached application, depth 1, IOMMU on for both" "$(value $a native 1 insns)" "$(value $a attached 1 insns)"
row "attached application, depth 32, IOMMU on for both" "$(value $a native 32 insns)" "$(value $a attached 32 insns)"
row "attached application, depth 32, against in-kernel nvme without an IOMMU" "$(value $c native 32 insns)" "$(value $a attached 32 insns)"
cat <<'TEXT'

What a process adds to each read, in instructions: a UDF block device over in-kernel nvme; nbdkit's null plugin by the kernel's NBD, and a
target_core_user handler that does nothing, each over null_blk.

| depth | UDF | NBD | TCMU |
| --- | --- | --- | --- |
TEXT
for depth in 1 32; do
	awk -v d=$depth -v u="$(value $c udf1 $depth insns)" -v n="$(value $c native $depth insns)" -v z="$(value $n null $depth insns)" \
		-v b="$(value $n nbd $depth insns)" -v t="$(value $n tcmu $depth insns)" 'BEGIN { printf "| %d | %.0f | %.0f | %.0f |\n", d, u - n, b - z, t - z }'
done
cat <<'TEXT'

Timed, on a host with two processors and nothing else to do; medians of the rounds' means, for latency of their medians. The guest has two processors,
each in a thread of QEMU's ("two"), two that take turns in one thread ("turns"), or one. "fio" is fio as it is, which sends one request at a time: then
the driver process works beside it, and tells the device of several at once (not shown where processors take turns: there fio with
the kernel's own nvme mostly stood still, which is not understood). "Batches" sends in one system call whatever has been completed, mostly all 32
at once: then application, driver process and device wait for each other in turn, and what is measured is the sum of their times and of the ways between
them, which are long where processors are emulated: some 25 us for each wake-up across processors, and for each change of address space the emulator's
tables anew.

| figure | in-kernel nvme | UDF | ratio |
| --- | --- | --- | --- |
TEXT
for mode in time single one; do
	case $mode in time) name=two ;; single) name=turns ;; *) name=one ;; esac
	f=block.sh.plain.$mode
	[ $mode != time ] || row "reads per second at depth 32, fio, $name" "$(value $f 'native fio' 32 us_per_io | rate)" "$(value $f 'udf1 fio' 32 us_per_io | rate)"
	row "reads per second at depth 32, batches, $name" "$(value $f 'native load' 32 us_per_io | rate)" "$(value $f 'udf1 load' 32 us_per_io | rate)"
	row "latency at depth 1, median, us, $name" "$(value $f 'native load' 1 p50_us)" "$(value $f 'udf1 load' 1 p50_us)"
done
t=null.sh.plain.one u=block.sh.plain.one
awk -v u="$(value $u udf1 1 p50_us)" -v n="$(value $u native 1 p50_us)" -v z="$(value $t null 1 p50_us)" -v b="$(value $t nbd 1 p50_us)" \
	-v t="$(value $t tcmu 1 p50_us)" 'BEGIN { printf "\nAdded to the median latency at depth 1, as above, one processor, us: UDF %.0f, NBD %.0f, TCMU %.0f.\n", u - n, b - z, t - z }'
cat <<'TEXT'

| figure | |
| --- | --- |
TEXT
field() { sed -n "s/.*[ :]$2=\([0-9.]*\).*/\1/p" "$work/$1"; }
m=memory.sh.plain.time r=recovery.sh.plain.count
printf '| private memory of a driver process, idle, twelve running, MiB | %.1f |\n' "$(field $m private_kib | median | awk '{ print $1 / 1024 }')"
printf '| memory that the machine has less for each, MiB | %.1f |\n' "$(field $m available_kib_each | awk '{ print $1 / 1024 }')"
printf '| system calls of the driver process for each read, depth 32 | %s |\n' "$(field $m per_io)"
printf '| copies of data | 0 |\n'
reset_of() { sed -n 's/.*reset ms=//p' "$work/$1" | median; }
beyond() { field "$1" recovery_ms | awk -v reset="$(reset_of "$1")" '{ print $1 - reset }'; }
printf '| reset of the device, ms | %.0f |\n' "$(reset_of recovery.sh.plain.one)"
what="from the kill of a driver process to the first completed read"
printf "| $what, millions of instructions, median of $kills | %.1f |\n" "$(field $r insns | median | awk '{ print $1 / 1e6 }')"
printf '| the same, 99th percentile | %.1f |\n' "$(field $r insns | percentile 0.99 | awk '{ print $1 / 1e6 }')"
for f in recovery.sh.plain.one recovery.sh.plain.time; do
	cpus=$([ $f = recovery.sh.plain.one ] && echo "one vCPU, one processor" || echo "two vCPUs, two processors")
	printf "| $what, less the reset, in this virtual machine, $cpus, ms, median of $kills | %.0f |\n" "$(beyond "$f" | median)"
	printf '| the same, 99th percentile | %.0f |\n' "$(beyond "$f" | percentile 0.99)"
done
cat <<'TEXT'

- What the machine has less for each driver process is mostly the port's memory for DMA (`memory`, 48 MiB), which belongs to no process.
- The recovery is one under udfd, with a process that stands by, which has booted ahead of the port; the port's memory is that of the process before.
- Wall times of a recovery are those of emulated processors, without the plugin. Code that it has not yet translated costs it most.
TEXT
