#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# block.sh VARIANT count|time [ROUNDS]: the same controller by the kernel's own nvme and by the same nvme.ko in a driver process, in turn.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
vm_start "$@"

set -e
modprobe nvme
insmod "$kmod"
rounds=${3:-1}
for ((round = 0; round < rounds; round++)); do
	bench_native
	echo none >/sys/block/nvme0n1/queue/scheduler
	for depth in 1 32; do
		bench_load native /dev/nvme0n1 $depth $latency
	done
	vm_unbind 0000:01:00.0
	for cpus in 1 2; do
		[ "$bench_mode" = time ] || [ "$bench_mode" = single ] || [ $cpus = 1 ] || continue
		bench_udf --cpus $cpus --perf-map
		for depth in 1 32; do
			bench_load udf$cpus $bench_disk $depth $latency
		done
		cp /proc/$bench_pid/maps maps
		cp /tmp/perf-$bench_pid.map perf.map || :
		bench_udf_end
	done
	vm_unbind 0000:01:00.0
done
cp /proc/kallsyms /run/share/kallsyms
