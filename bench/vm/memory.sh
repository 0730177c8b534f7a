#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# memory.sh plain time: twelve driver processes, idle: the private memory of each; and the system calls of one under load.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
for ((i = 2; i <= 12; i++)); do
	vm_backend -blockdev driver=null-co,node-name=null$i,size=1073741824,read-zeroes=off
	vm_device nvme,id=null$i,serial=null$i,drive=null$i
done
vm_memory=2048
vm_start "$@"

set -e
cd /run/share
insmod "$kmod"
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
strace -f -c -o calls -p "${pids[0]}" &
strace=$!
sleep 2
"$bench/load" $bench_disk --depth 32 --count 20000
kill -INT $strace
wait $strace || :
head -n 12 calls
kill "${pids[@]}"
wait
