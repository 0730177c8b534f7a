#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain
# more variants: iommu
#
# The stock nvme.ko in a process performs the requests of a block device of the kernel: data that the process never touches, lists of
# segments, flushes, discards; it ends, and the block device waits for the next process.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -ex
insmod "$kmod"
vm_bind 0000:01:00.0
disk=/dev/udf-0000:01:00.0-nvme0n1

run() { vm_serve 0000:01:00.0 "$@"; }

stop() {
	kill -TERM $pid
	wait $pid
}

run --cpus 2
vm_until 20 test -b $disk
ls -l /dev/udf*
cat /sys/block/udf-*/queue/{max_sectors_kb,max_segments,virt_boundary_mask,logical_block_size} || :
head -c 24M /dev/urandom >/run/data
sum=$(md5sum </run/data)
dd if=/run/data of=$disk bs=1M oflag=direct
[ "$(dd if=$disk bs=1M count=24 iflag=direct | md5sum)" = "$sum" ]
dd if=/run/data of=$disk bs=64k conv=fsync
echo 3 >/proc/sys/vm/drop_caches
[ "$(head -c 24M $disk | md5sum)" = "$sum" ]
blkdiscard -o 32M -l 16M $disk
blkdiscard -z -o 0 -l 1M $disk
! dd if=$disk bs=1M count=1 iflag=direct | tr -d '\0' | grep -q . || exit 1
dd if=/run/data of=$disk bs=1M count=1 oflag=direct
stop
[ -b $disk ]
# the block device waits
dd if=$disk bs=1M count=24 iflag=direct 2>dd.log | md5sum >sum &
reader=$!
sleep 1
[ ! -s sum ]
run --cpus 1
wait $reader
[ "$(cat sum)" = "$sum" ]
stop
cat log
