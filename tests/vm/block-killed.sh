#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# more variants: plain iommu
#
# The driver process is killed again and again under load, and ended in order as well: who uses the block device notices nothing but a pause.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -ex
insmod "$kmod"
vm_bind 0000:01:00.0
disk=/dev/udf-0000:01:00.0-nvme0n1

run() { vm_serve 0000:01:00.0 "$@"; }

run --cpus 2
set +x; vm_until 20 test -b $disk; set -x
fio --name=t --filename="${disk//:/\\:}" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randrw --bsrange=4k-256k --size=48M \
	--verify=crc32c --time_based --runtime=45 >fio.out 2>&1 &
fio=$!
for signal in KILL KILL TERM KILL TERM KILL; do
	sleep 3
	kill -0 $fio
	kill -$signal $pid
	wait $pid || :
	run --cpus $((1 + RANDOM % 2))
done
wait $fio
cat fio.out
cat /sys/block/udf-*/state
kill -TERM $pid
wait $pid
sort log | uniq -c | sort -rn | head -40
