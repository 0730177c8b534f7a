#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# block.sh VARIANT MODE [ROUNDS]: the same controller by the kernel's own nvme and by the same nvme.ko in a driver process, in turn.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
vm_start "$@"

measure() {			# LABEL DEVICE
	local depth
	for depth in 1 32; do
		bench_load "$1" "$2" $depth $latency
	done
	[ "$bench_mode" != time ] || bench_fio "$1" "$2" 32
}

set -e
modprobe nvme
insmod "$kmod"
rounds=${3:-1}
for ((round = 0; round < rounds; round++)); do
	bench_native
	echo none >/sys/block/nvme0n1/queue/scheduler
	measure native /dev/nvme0n1
	vm_unbind 0000:01:00.0
	bench_udf --cpus 1 --perf-map
	measure udf1 $bench_disk
	cp /proc/$bench_pid/maps maps
	cp /tmp/perf-$bench_pid.map perf.map || :
	bench_udf_end
	vm_unbind 0000:01:00.0
done
cp /proc/kallsyms /run/share/kallsyms
