#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 200
# variants: plain iommu
#
# DMA memory that a session leaves to the next: who gets it, who does not, and when it is freed. A driver works with whatever is in it, also if the
# one before it was killed.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
# two functions of one slot, which only the bus could reset
vm_port
for function in 0 1; do
	vm_backend -device "e1000e,bus=port2,multifunction=on,addr=0.$function"
done
vm_start "$@"

set -e
abi=$UDF_BUILD/vm/abi udf=$UDF_BUILD/udf
a=0000:01:00.0 other=0000:02:00.0
insmod "$kmod"
vm_bind $a
vm_bind $other

free_mib() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemFree:/ { print int($2 / 1024) }' /proc/meminfo
}

# freed WHAT: of 256 MiB that were kept
freed() {
	vm_until 30 eval '[ $(free_mib) -gt $((before - 64)) ]' || vm_fail "$1: $before MiB were free, then $kept, now $(free_mib)"
	echo "$1: $before MiB free, $kept, $(free_mib)"
}

leave() {
	before=$(free_mib)
	"$abi" leave /dev/udf/$a 256
	kept=$(free_mib)
	[ "$kept" -lt $((before - 192)) ] || vm_fail "nothing is kept: $before MiB were free, then $kept"
}

"$abi" kept /dev/udf/$a
"$abi" kept /dev/udf/$other "no reset"

# also while the function is still being reset
"$abi" early /dev/udf/$a

# or has not begun to be, and it is unbound
before=$(free_mib)
"$abi" overtaken /dev/udf/$a 96
kept=$(free_mib)
vm_unbind $a
freed overtaken
vm_bind $a

# nothing is kept of what the cases above have left
"$abi" hold /dev/udf/$a >out &
vm_until 20 grep -q ready out
vm_unbind $a
wait $!
vm_bind $a

leave
first=$before
vm_unbind $a
freed unbind
vm_bind $a
leave
echo 1 >/sys/bus/pci/devices/$a/remove
freed remove
echo 1 >/sys/bus/pci/rescan
vm_bind $a
leave
freed expiry

# the module goes while a function is being reset
"$abi" leave /dev/udf/$a 4
vm_unbind $other
rmmod udf_port
insmod "$kmod"
vm_bind $a
vm_bind $other

# a driver, on memory with a pattern in all of its pages: as much as it begins with; and the next, on what that has left, which is killed
head -c 16M /dev/urandom >/run/data
"$abi" leave /dev/udf/$a 48
"$udf" write --device pci:$a --file /run/data
"$abi" left /dev/udf/$a 48
"$abi" leave /dev/udf/$a 48
vm_serve $a
vm_until 20 test -b /dev/udf-$a-nvme0n1
# what scans it for partitions has it open
dd if=/dev/udf-$a-nvme0n1 of=/dev/null bs=4k count=1 iflag=direct status=none
kill -KILL $pid
wait $pid || :
[ "$("$udf" read --device pci:$a --length 16M | md5sum)" = "$(md5sum </run/data)" ] || vm_fail "the data is not what it was"
"$abi" left /dev/udf/$a 48

kept=$(free_mib) before=$first
rmmod udf_port
freed rmmod
