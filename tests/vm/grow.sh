#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain iommu
#
# DMA memory of a driver process grows on demand (tests/cases/grow.c), as far as its setting allows, and as far as the module does. A driver that
# has grown is killed: the next one gets the memory that the first began with, and what it had besides is free again.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 96M
vm_start "$@"

set -e
abi=$UDF_BUILD/vm/abi grow=$UDF_BUILD/tests/cases/grow
a=0000:01:00.0
insmod "$kmod"
vm_bind $a
cd /run

free_mib() {
	echo 3 >/proc/sys/vm/drop_caches
	awk '/^MemFree:/ { print int($2 / 1024) }' /proc/meminfo
}

"$grow" pci:$a 2>log || { cat log; vm_fail "it does not grow"; }
[ "$(grep -c "$a: the driver's memory is used up, 128 MiB, and memory-max is no more" log)" = 1 ]

# more than half a dozen times, on what the one before has left: with a pattern in all of its pages
"$abi" leave /dev/udf/$a 32
for i in 1 2 3 4 5 6; do
	"$grow" pci:$a hold >out 2>log &
	pid=$!
	vm_until 60 grep -q grown out || { cat log; vm_fail "it does not grow"; }
	[ $i != 1 ] || before=$(free_mib)
	kill -KILL $pid
	wait $pid || :
done
# the first pages of an arena are in use from the start
"$abi" left /dev/udf/$a 32
after=$(free_mib)
[ "$after" -gt $((before + 24)) ] || vm_fail "with a driver that had grown $before MiB were free, without it $after"
"$grow" pci:$a 2>log || { cat log; vm_fail "it does not grow on what was left"; }

# the module refuses, and then does not any more
echo 48 >/sys/module/udf_port/parameters/dma_limit_mib
"$grow" pci:$a 48 2>log || { cat log; vm_fail "a limit of the module's does harm"; }
grep "$a: the driver's memory is used up, 48 MiB, and there is no more, though memory-max is 128 MiB: Cannot allocate memory" log
echo 2048 >/sys/module/udf_port/parameters/dma_limit_mib
"$grow" pci:$a 2>log || { cat log; vm_fail "it does not grow after it could not"; }
