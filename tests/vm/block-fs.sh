#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain
# more variants: iommu
#
# What Linux puts on a disk: partitions, ext4, xfs, LVM with the device mapper, a loop device; each is used, found again, and taken away.
. "${UDF_TOP:-.}/tests/vm/block.bash"
vm_nvme a 1G
vm_start "$@"

set -e
cd /run
block_load
block_get 0000:01:00.0 'cpus = 2'

echo "partitions"
sfdisk -q "$dev" <<END
label: gpt
first-lba: 2048
size=64M
size=384M
size=64M
END
vm_until 10 test -b "${dev}p3" || vm_fail "there are no partitions"
sfdisk -d "$dev" | grep -c "^${dev}p" | grep -x 3
sfdisk -V "$dev"
lsblk -n -o NAME,TYPE,SIZE "$dev" | tee out
grep -q "${disk}p1 *part *64M" out && grep -q "${disk}p2 *part *384M" out
# they lie where the table says, and nowhere else
dd if=/dev/urandom of=random bs=1M count=16 status=none
dd if=random of="${dev}p1" bs=1M oflag=direct status=none
dd if="$dev" bs=1M skip=1 count=16 iflag=direct status=none | cmp - random
block_fio partition "${dev}p2" --bsrange=4k-64k --iodepth=16 --size=32M
dd if="${dev}p1" bs=1M count=16 iflag=direct status=none | cmp - random
blkdiscard -f "${dev}p1"
[ "$(dd if="$dev" bs=1M skip=1 count=64 iflag=direct status=none | tr -d '\0' | wc -c)" = 0 ]

echo "file systems"
block_ext4 "${dev}p1"
block_xfs "${dev}p2"
[ "$(blkid -o value -s TYPE -p "${dev}p1") $(blkid -o value -s TYPE -p "${dev}p2")" = "ext4 xfs" ]
# a mounted partition holds the disk
mount -t ext4 "${dev}p1" mnt
! blockdev --rereadpt "$dev" 2>err || vm_fail "partitions can be read anew below a mounted file system"
! wipefs -q -a "$dev" 2>err || vm_fail "a disk in use can be wiped"
umount mnt
wipefs -q -a "${dev}p1" "${dev}p2"
sfdisk -q --delete "$dev"
vm_until 10 test ! -e "${dev}p1" || vm_fail "partitions stay"
wipefs -q -a "$dev"

echo "LVM"
lvm=(--config 'activation { udev_sync=0 udev_rules=0 }' --devices "$dev")
pvcreate -q "${lvm[@]}" "$dev"
vgcreate -q "${lvm[@]}" udf_test "$dev"
lvcreate -q "${lvm[@]}" -y -n one -L 64M udf_test
lvcreate -q "${lvm[@]}" -y -n two -i 1 -L 64M udf_test
lvs "${lvm[@]}" udf_test
lsblk -n -o NAME,TYPE "$dev" | grep "udf_test-one *lvm"
block_fio volume /dev/mapper/udf_test-one --bsrange=4k-64k --iodepth=16 --size=32M
block_fio other-volume /dev/mapper/udf_test-two --direct=0 --ioengine=psync --bs=64k --size=32M --end_fsync=1
lvextend -q "${lvm[@]}" -L +64M udf_test/one
[ "$(blockdev --getsize64 /dev/mapper/udf_test-one)" = $((128 << 20)) ]
! pvremove -q "${lvm[@]}" "$dev" 2>err || vm_fail "a volume in use can be removed"
vgchange -q "${lvm[@]}" -an udf_test
vgchange -q "${lvm[@]}" -ay udf_test
block_ext4 /dev/mapper/udf_test-one
vgremove -q "${lvm[@]}" -y udf_test
pvremove -q "${lvm[@]}" "$dev"

echo "the whole disk"
mkfs.ext4 -q -F "$dev"
mount -t ext4 "$dev" mnt
truncate -s 32M mnt/inner
loop=$(losetup --find --show --direct-io=on mnt/inner)
block_fio loop "$loop" --bs=4k --iodepth=8 --size=8M
losetup -d "$loop"
umount mnt
e2fsck -fn "$dev"

block_end
