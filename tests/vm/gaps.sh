#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
#
# DMA memory in pieces that are no neighbours for the device: a driver process that boots in it, one that has booted before it had a port and moves
# there, and both when they grow.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 96M
vm_nvme b 64M
vm_start "$@"

set -e
a=0000:01:00.0 b=0000:02:00.0
insmod "$kmod"
vm_bind $a
vm_bind $b
cd /run
"$UDF_BUILD/vm/abi" scatter /dev/udf/$a /dev/udf/$b 200 >out &
pid=$!
vm_until 20 grep -q ready out
"$UDF_BUILD/tests/cases/ahead" pci:$a 2>log || { tail -n 40 log; vm_fail "it does not move"; }
"$UDF_BUILD/tests/cases/grow" pci:$a >out 2>log || { tail -n 40 log; vm_fail "it does not grow"; }
cat out
! grep -q "began as 1 ranges" out || vm_fail "nothing is scattered"
kill $pid
