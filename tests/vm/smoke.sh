#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# variants: plain
# more variants: iommu
#
# The machine itself: it boots, has its devices, and udf_port loads, takes a function, gives it back, and unloads.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_nvme a 16M
vm_start "$@"

set -ex
test -e /sys/bus/pci/devices/0000:01:00.0
insmod "$kmod"
vm_bind 0000:01:00.0
test -c /dev/udf/0000:01:00.0
modprobe nvme
test "$(basename "$(readlink /sys/bus/pci/devices/0000:01:00.0/driver)")" = udf_port
rmmod udf_port
test ! -e /dev/udf/0000:01:00.0
vm_bind 0000:01:00.0 nvme
vm_until 10 test -b /dev/nvme0n1
dmesg | grep udf_port
if [ "$1" = iommu ]; then dmesg | grep 'udf_port.*: isolated'; else dmesg | grep 'udf_port.*not isolated'; fi
