#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# memory.sh plain time: twelve driver processes, idle: the private memory of each; and the system calls of one under load.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
for ((i = 2; i <= 12; i++)); do
	vm_backend -blockdev driver=null-co,node-name=null$i,size=1073741824,read-zeroes=off
	vm_device nvme,id=null$i,serial=null$i,drive=null$i
done
vm_memory=2048 vm_smp=1
vm_start "$@"

set -e
cd /run/share
insmod "$kmod"
available() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }
cat "$UDF_BUILD"/udf >/dev/null
before=$(available)
for port in /sys/bus/pci/devices/*; do
	[ "$(cat "$port/class")" = 0x010802 ] || continue
	address=${port##*/}
	vm_bind "$address"
	"$UDF_BUILD/udf" run --device "pci:$address" --block >"disks.$address" 2>>log &
	pids+=($!)
	vm_until 60 grep -q nvme "disks.$address"
done
sleep 2
for pid in "${pids[@]}"; do
	awk -v pid="$pid" '/^Private/ { private += $2 } /^Shared_Dirty/ { dirty += $2 } /^Pss:/ { pss += $2 } /^Rss/ { rss += $2 }
		END { printf "memory pid=%d private_kib=%d shared_dirty_kib=%d pss_kib=%d rss_kib=%d\n", pid, private, dirty, pss, rss }' /proc/"$pid"/smaps_rollup
done
available | awk -v before="$before" '{ printf "memory available_kib_each=%d\n", (before - $1) / 12 }'
perf stat -x , -o calls -e raw_syscalls:sys_enter -p "${pids[0]}" -- "$bench/load" $bench_disk --depth 32 --count 40000 >reads
awk -F , -v n="$(sed 's/.* ios=\([0-9]*\).*/\1/' reads)" '/raw_syscalls/ { printf "calls per_io=%.4f\n", $1 / (n * 10 / 9) }' calls
kill "${pids[@]}"
wait
