#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
# variants: plain
# more variants: iommu
#
# The device is unplugged while a driver process reads from it: the process says so and ends by itself, and the kernel removes the device.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
# more than can be read before it is gone
vm_nvme a 256G
vm_start "$@"

set -e
cd /run
insmod "$kmod"
vm_bind 0000:01:00.0
mkfifo pipe
"$UDF_BUILD/udf" read --device pci:01:00.0 >pipe 2>err &
pid=$!
exec 3<pipe
head -c 4000000 <&3 >/dev/null
vm_monitor device_del a
cat <&3 >/dev/null
status=0
wait $pid || status=$?
cat err
[ $status = 1 ] || vm_fail "exit status $status"
grep -q '0000:01:00.0 was removed' err || vm_fail "it does not say why"
vm_until 20 test ! -e /sys/bus/pci/devices/0000:01:00.0
rmmod udf_port
