#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# variants: plain
# more variants: iommu
#
# Zoned block devices by a process that has no driver; see block-abi.sh. It reports zones that cannot be, says that a write pointer is where it cannot
# be, and is killed: what another process has had is marked. A disk whose zones cannot be does not become a block device; whoever announces it
# next begins anew.
. "${UDF_TOP:-.}/tests/vm/ramdisk.bash"
vm_start "$@"

set -ex
ramdisk_load
truncate -s 64M /run/disk
head -c 2M /dev/urandom >/run/data

zoned=udf-0000:01:00.0-zone0 refused=0
zones() { start "$1" $port /run/disk name=zone0 zone=4194304 "${@:2}"; }
is_refused() { [ "$(dmesg | grep -c 'zone[0-9] cannot become a block device: error -5')" = $refused ]; }
for lie in start len capacity capacity0 type cond none; do
	zones serve report=$lie
	refused=$((refused + 1))
	vm_until 10 is_refused
	[ ! -e /dev/$zoned ]
	end
done
zones serve report=wp
vm_until 10 test -b /dev/$zoned
(cd /sys/block/$zoned/queue; [ "$(cat zoned nr_zones chunk_sectors max_open_zones zone_append_max_bytes | xargs)" = "host-managed 16 8192 3 262144" ])
grep '\[mq-deadline\]' /sys/block/$zoned/queue/scheduler
blkzone report /dev/$zoned | tail -n 1 | grep 'start: 0x00001e000, .*wptr 0x002000 '
dd if=/run/data of=/dev/$zoned bs=64k count=32 oflag=direct
cmp -n 2097152 /run/disk /run/data
blkzone report -c 1 /dev/$zoned | grep 'wptr 0x001000 '
blkzone finish -o 8192 -c 1 /dev/$zoned
blkzone reset -o 0 -c 1 /dev/$zoned
[ "$(blkzone report /dev/$zoned | grep -c 'wptr 0x000000 ')" = 14 ]
blkzone reset /dev/$zoned
end
"$UDF_BUILD/vm/ramdisk" once $port /run/disk name=zone0 zone=8388608 | grep format
"$UDF_BUILD/vm/ramdisk" once $port /run/disk name=zone0 | grep format
# zones that are not written in order
start serve $port /run/disk name=conv0 zone=4194304 conv=2
conv=/dev/udf-0000:01:00.0-conv0
vm_until 10 test -b $conv
[ "$(blkzone report $conv | grep -c 'CONVENTIONAL')" = 2 ]
for n in 3 0 5 1; do dd if=/run/data of=$conv bs=64k count=1 skip=$n seek=$((63 + n)) oflag=direct; done
dd if=$conv bs=64k skip=63 count=2 iflag=direct | cmp -n 131072 - /run/data
dd if=$conv bs=64k skip=68 count=1 iflag=direct | cmp - <(dd if=/run/data bs=64k skip=5 count=1)
! blkzone reset -o 0 -c 1 $conv || exit 1
blkzone reset $conv
end
# who has a request that another process has had is told
zones hold
dd if=/run/data of=/dev/$zoned bs=4k count=1 oflag=direct &
writer=$!
vm_until 10 grep -q took said
end
zones serve
wait $writer
grep again said
dd if=/dev/$zoned of=/dev/null bs=4k count=1 iflag=direct
[ "$(grep -c again said)" = 1 ]
end
# lies when it is there already
zones serve report=len
! blkzone report /dev/$zoned || exit 1
end
zones serve append=9000
vm_target /dev/$zoned
! "$UDF_BUILD/vm/block-calls" append "$far" || exit 1
dmesg | grep "I/O error, dev $zoned, sector 8192 op 0x[0-9a-f]*:(ZONE_APPEND)"
end
zones serve
"$UDF_BUILD/vm/block-calls" append "$far"
vm_target_end
end
# killed while its zones are looked at: they still are to be; and so if requests do not wait
start hold $port /run/disk name=zone1 zone=4194304
vm_until 10 grep -q took said
end
start serve $port /run/disk name=zone1 zone=4194304
vm_until 10 test -b /dev/udf-0000:01:00.0-zone1
end
start hold $port /run/disk name=zone2 zone=4194304 fail=1
vm_until 10 grep -q took said
end
is_refused
start serve $port /run/disk name=zone2 zone=4194304
vm_until 10 test -b /dev/udf-0000:01:00.0-zone2
end

vm_unbind 0000:01:00.0
! ls /sys/block | grep udf || exit 1
rmmod udf_port
