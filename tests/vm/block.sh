#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# serial
# timeout: 300
# variants: plain iommu
#
# A block device, as every user of one finds it: its limits are those of the stock driver's for the same device; data at all depths and
# sizes, direct and buffered; discard, zeroes, flushes; system calls that must be refused. block.bash tells of the second argument.
. "${UDF_TOP:-.}/tests/vm/block.bash"
# one driver process, which stays: processors that run at the same time, then
vm_threads=multi
vm_nvme a 128M
vm_start "$@"

set -e
cd /run
block_load
a=0000:01:00.0

block_stock $a
block_limits "$disk" >stock
fua=$(cat "/sys/block/$disk/queue/fua") cache=$(cat "/sys/block/$disk/queue/write_cache")
vm_unbind $a
block_get $a 'cpus = 2'
block_limits "$disk" >tested
block_compare stock tested
queue=/sys/block/$disk/queue

lsblk -o NAME,TYPE,SIZE,RO,DISC-MAX,LOG-SEC,PHY-SEC,ROTA "$dev" | tee out
grep "^$disk *disk *128M *0 " out
lsblk | grep "^$disk " || vm_fail "lsblk does not list it"

echo "data"
for depth in 1 8 32 128; do
	block_fio "depth-$depth" "$dev" --iodepth=$depth --bsrange=4k-256k --size=32M
done
block_fio small "$dev" --iodepth=32 --bs=512 --size=2M
block_fio uring "$dev" --ioengine=io_uring --iodepth=32 --bs=4k --size=64M --io_size=8M
block_fio vectors "$dev" --ioengine=pvsync2 --bsrange=4k-1M --size=64M --io_size=32M
block_fio together "$dev" --iodepth=16 --bs=16k --numjobs=4 --size=16M --io_size=8M --offset_increment=16M --group_reporting
block_fio buffered "$dev" --direct=0 --ioengine=psync --bsrange=4k-256k --size=64M --io_size=32M --end_fsync=1 --invalidate=1

echo "system calls"
for what in memory ioctls end; do "$calls" $what "$disk"; done

echo "flushes"
[ "$(cat "$queue/fua")" = "$fua" ] && [ "$(cat "$queue/write_cache")" = "$cache" ]
[ "$cache" = "write back" ] || vm_fail "the device has no cache that could be flushed"
flushes() { awk '{ print $16 }' "/sys/block/$disk/stat"; }
before=$(flushes)
block_fio fsync "$dev" --bs=4k --size=4M --iodepth=4 --fsync=4
block_fio fdatasync "$dev" --ioengine=psync --bs=4k --size=2M --fdatasync=4
dd if=/dev/urandom of=random bs=4k count=64 status=none
dd if=random of="$dev" bs=4k oflag=direct,dsync status=none
dd if="$dev" bs=4k count=64 iflag=direct status=none | cmp - random
[ $(($(flushes) - before)) -ge 100 ] || vm_fail "$(($(flushes) - before)) flushes"
# the switch of the kernel's own that says the cache needs no flushing
echo "write through" >"$queue/write_cache"
before=$(flushes)
dd if=random of="$dev" bs=4k oflag=direct conv=fsync status=none
[ "$(flushes)" = "$before" ]
echo "$cache" >"$queue/write_cache"

echo "discard"
# MiB 8 to 24 of 32 are taken away; what is around stays, and what was there is zeroes: the device promises that
dd if=/dev/urandom of=random bs=1M count=32 status=none
taken() {
	dd if=random bs=1M count=8 status=none
	head -c 16M /dev/zero
	dd if=random bs=1M skip=24 status=none
}
discards() { awk '{ print $12 }' "/sys/block/$disk/stat"; }
for how in '' -z; do
	dd if=random of="$dev" bs=1M oflag=direct status=none
	before=$(discards)
	blkdiscard $how -o 8M -l 16M "$dev"
	dd if="$dev" bs=1M count=32 iflag=direct status=none | cmp - <(taken) || vm_fail "blkdiscard $how"
	[ -n "$how" ] || [ "$(discards)" -gt "$before" ] || vm_fail "nothing was discarded"
done
# with what is in the page cache, and in pieces of a block
dd if=random of="$dev" bs=1M conv=fsync status=none
blkdiscard -o 8M -l 16M -p 1M "$dev"
dd if="$dev" bs=1M count=32 status=none | cmp - <(taken) || vm_fail "blkdiscard -p"
blkdiscard -o 512 -l 512 "$dev"
[ "$(dd if="$dev" bs=512 skip=1 count=1 iflag=direct status=none | tr -d '\0' | wc -c)" = 0 ]
dd if="$dev" bs=512 count=1 iflag=direct status=none | cmp - <(head -c 512 random)
! blkdiscard -s "$dev" 2>err || vm_fail "secure erasure"
block_fio trim "$dev" --rw=randtrim --verify=0 --bs=64k --size=32M --iodepth=8
# the whole of it, as mkfs does
blkdiscard -f "$dev"
[ "$(head -c 128M "$dev" | tr -d '\0' | wc -c)" = 0 ]

block_end
