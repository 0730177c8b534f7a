#!/bin/bash
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
bench_count
vm_smp=2
vm_start "$@"
set -e
modprobe nvme
insmod "$kmod"
bench_udf --cpus 1 --perf-map
for d in 1 32; do
$bench/load $bench_disk --depth $d --seconds 3 --latency 1
sync
cp counts counts.$d
done
head -3 counts.1 counts.32
cp /proc/$bench_pid/maps maps
cp /tmp/perf-$bench_pid.map perf.map || :
cp /proc/kallsyms /run/share/kallsyms
