#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain iommu
#
# The kernel's block devices of udf_port.ko, by a process that has no driver but copies the data itself: so every byte passes through page
# faults on the memory of requests. It is killed with requests in flight, succeeded by one with another disk, and by one that lies.
. "${UDF_TOP:-.}/tests/vm/ramdisk.bash"
vm_start "$@"

set -ex
ramdisk_load
dev=/dev/udf-0000:01:00.0-ram0
sys=/sys/block/udf-0000:01:00.0-ram0
truncate -s 64M /run/disk
state() { [ "$(cat $sys/state)" = "$1" ]; }

"$UDF_BUILD/vm/ramdisk" bad $port /run/disk
start serve $port /run/disk
vm_until 10 test -b $dev
[ "$(cat said)" = coupled ]
[ "$(cat $sys/serial) $(cat $sys/queue/logical_block_size) $(cat $sys/queue/write_cache)" = "RAM1 512 write back" ]
head -c 40M /dev/urandom >/run/data
dd if=/run/data of=$dev bs=1M oflag=direct
dd if=$dev bs=64k count=640 iflag=direct | cmp - /run/data
cmp -n 41943040 /run/disk /run/data
dd if=$dev bs=4k skip=1000 count=100 | cmp - <(dd if=/run/data bs=4k skip=1000 count=100)
blkdiscard -o 0 -l 1M $dev
cmp -n 1048576 /run/disk /dev/zero
blkdiscard -z -o 1M -l 1M $dev
cmp -n 2097152 /run/disk /dev/zero
dd if=/run/data of=$dev bs=4k count=10 oflag=direct,dsync
! dd if=/dev/zero of=$dev bs=1M seek=64 count=1 oflag=direct || exit 1

# who has it open keeps the module
exec 5<$dev
! rmmod udf_port || exit 1
exec 5<&-

# killed: what is in flight waits, and what comes
end
vm_until 10 state waiting
start hold $port /run/disk
state coupled
dd if=/run/data of=$dev bs=256k count=16 oflag=direct &
writer=$!
vm_until 10 grep -q took said
end
dd if=$dev of=/run/read bs=64k count=64 iflag=direct &
reader=$!
vm_until 10 state waiting
"$UDF_BUILD/vm/ramdisk" once $port /run/disk serial=RAM2 | grep serial
"$UDF_BUILD/vm/ramdisk" once $port /run/disk block=4096 | grep format
truncate -s 32M /run/other
"$UDF_BUILD/vm/ramdisk" once $port /run/other | grep size
dmesg | grep "udf-0000:01:00.0-ram0 waits for another disk than the driver has now: the serial number differs"
kill -0 $writer && kill -0 $reader
start serve $port /run/disk
wait $writer && wait $reader
cmp -n 4194304 /run/disk /run/data
end

# a request that kills whoever performs it is not for ever; what comes after it is performed
dd if=/run/data of=$dev bs=4k seek=4096 count=1 oflag=direct 2>dd.log &
writer=$!
for n in 1 2 3 4 5 6 7 8 9 10; do
	kill -0 $writer
	start hold $port /run/disk
	vm_until 10 grep -q took said
	end
done
! wait $writer || exit 1
grep "Input/output error" dd.log
dmesg | grep "10 driver processes have died with this request in flight, which fails now: operation 1 at sector 32768, 4096 bytes"

# a limit to waiting, and another life
start serve $port /run/disk wait=500
end
! dd if=$dev of=/dev/null bs=4k count=1 iflag=direct || exit 1
state failing
dmesg | grep "no process has performed the requests of its disks for 500 ms"
# the limit is one from the last death on: so if that of the death before is reached while the device is made quiet
ms() { echo $((${EPOCHREALTIME/./} / 1000)); }
is_over() { [ "$(ms)" -ge $limit ]; }
for before in 120 90 60 30; do
	start serve $port /run/disk wait=1500
	end
	limit=$(($(ms) + 1500 - before))
	start hold $port /run/disk wait=1500
	dd if=$dev of=/dev/null bs=4k count=1 iflag=direct &
	reader=$!
	vm_until 10 grep -q took said
	vm_until 10 is_over
	limit=$(($(ms) + 1500))
	end
	vm_until 10 test ! -e /proc/$reader
	is_over
	! wait $reader || exit 1
done
start serve $port /run/disk fail=1 queues=1
dd if=$dev bs=64k count=10 iflag=direct | cmp - <(head -c 640k /run/data)
end
vm_until 10 state failing
# also what has so many segments that they would be listed in the rings, which are gone
for n in 1 2 3 4 5; do
	! dd if=$dev of=/dev/null bs=4k count=1 iflag=direct || exit 1
	! dd if=$dev of=/dev/null bs=1M count=1 iflag=direct || exit 1
	! dd if=/run/data of=$dev bs=1M count=1 oflag=direct || exit 1
done

# one that lies, with requests in flight: it loses the port, and who comes next performs what waits
for what in lie break; do
	start $what $port /run/disk
	dd if=/run/data of=$dev bs=16k oflag=direct 2>/dev/null &
	writer=$!
	dd if=$dev of=/dev/null bs=16k 2>/dev/null &
	reader=$!
	vm_until 60 test ! -e /proc/$pid -o ! -e /proc/$writer
	end
	start serve $port /run/disk
	wait $writer || :
	wait $reader || :
	dd if=/run/data of=$dev bs=256k count=4 oflag=direct
	cmp -n 1048576 /run/disk /run/data
	end
done
dmesg | grep 'taken from its process: its process has broken a ring'

# removed while its partitions are looked for, and another one of the same name comes
start renew $port /run/disk name=ram2
vm_until 10 grep -q renewed said
vm_until 10 grep -qs coupled /sys/block/udf-0000:01:00.0-ram2/state
dd if=/dev/udf-0000:01:00.0-ram2 bs=64k count=1 iflag=direct | cmp - <(head -c 64k /run/disk)
end

# gone with the port
start serve $port /run/disk
state coupled
vm_unbind 0000:01:00.0
vm_until 10 test ! -e $dev
wait $pid
rmmod udf_port

# whoever dies while its disk is scanned for partitions takes it along: nobody has seen it, and a scan that waits is one that each sync() waits for
printf 'label: gpt\n,8M\n' | sfdisk -q /run/disk
ramdisk_load
for limit in '' wait=200 fail=1; do
	# shellcheck disable=SC2086 # or none
	start hold $port /run/disk $limit
	vm_until 10 grep -q took said
	end
	vm_until 10 test ! -e $sys
	sync
done
start serve $port /run/disk
vm_until 10 test -b ${dev}p1
end
state waiting

# whose successor has another disk: neither scan keeps the port
vm_unbind 0000:01:00.0
vm_bind 0000:01:00.0
start hold $port /run/disk
vm_until 10 grep -q took said
end
start hold $port /run/disk name=ram1
end
vm_unbind 0000:01:00.0
! ls /sys/block | grep udf || exit 1
rmmod udf_port
