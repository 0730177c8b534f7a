#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# attached.sh iommu count|time [ROUNDS]: an application that is attached to a driver process, and one that uses the kernel's own nvme by io_uring.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
vm_start "$@"

set -e
cd /run/share
modprobe nvme
insmod "$kmod"
for ((round = 0; round < ${3:-1}; round++)); do
	bench_native
	echo none >/sys/block/nvme0n1/queue/scheduler
	for depth in 1 32; do
		bench_load native /dev/nvme0n1 $depth
	done
	vm_bind 0000:01:00.0
	"$UDF_BUILD/udf" run --serve /run/s --device pci:0000:01:00.0 --perf-map >disks 2>>log &
	bench_pid=$!
	vm_until 20 grep -q nvme0n1 disks
	for depth in 1 32; do
		bench_program=attached bench_load attached /run/s $depth
	done
	cp /proc/$bench_pid/maps maps
	cp /tmp/perf-$bench_pid.map perf.map || :
	bench_udf_end
	rm -f /run/s
	vm_unbind 0000:01:00.0
done
cp /proc/kallsyms /run/share/kallsyms
