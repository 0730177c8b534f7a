#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# variants: plain
#
# A disk whose blocks have 4096 bytes.
. "${UDF_TOP:-.}/tests/vm/block.bash"
vm_nvme a 512M logical_block_size=4096,physical_block_size=4096
vm_start "$@"

set -e
cd /run
block_load
block_stock 0000:01:00.0
block_limits "$disk" >stock
vm_unbind 0000:01:00.0
block_get 0000:01:00.0
block_limits "$disk" >tested
block_compare stock tested
[ "$(blockdev --getss "$dev")" = 4096 ]

block_fio mixed "$dev" --iodepth=32 --bsrange=4k-256k --size=64M
block_fio buffered "$dev" --direct=0 --ioengine=psync --bs=4k --size=16M --end_fsync=1
for what in memory ioctls end; do "$calls" $what "$disk"; done
! dd if="$dev" of=/dev/null bs=512 count=1 iflag=direct 2>err || vm_fail "512 bytes can be read"
# pieces of a block go through the page cache
printf 'one' | dd of="$dev" bs=1 seek=5000 conv=fsync status=none
[ "$(dd if="$dev" bs=4k skip=1 count=1 iflag=direct status=none | dd bs=1 skip=904 count=3 status=none)" = one ]
blkdiscard -o 4096 -l 8192 "$dev"
[ "$(dd if="$dev" bs=4k skip=1 count=2 iflag=direct status=none | tr -d '\0' | wc -c)" = 0 ]
! blkdiscard -o 512 -l 4096 "$dev" 2>err || vm_fail "half a block can be discarded"
block_ext4 "$dev"
block_xfs "$dev"
block_end
