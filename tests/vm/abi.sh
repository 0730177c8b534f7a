#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 180
# long-timeout: 7200
# variants: plain iommu
#
# The ABI of udf_port.ko: what it can, what it refuses, and random calls. Three devices: one that does DMA and interrupts as it is told (edu),
# MSI-X with the table in the only BAR (nvme), several BARs and I/O ports (e1000e).
. "${UDF_TOP:-.}/tests/vm/vm.sh"
# so much that most of it is beyond 32 bits: DMA masks have something to do
# shellcheck disable=SC2034 # vm_start reads it
vm_memory=5120
vm_device edu
vm_nvme a 16M
vm_device e1000e
# the faults that are provoked, to show that the device gets no further
vm_allow 'DMAR: \[DMA Read.*fault addr 0x100000|DMAR: \[DMA Write NO_PASID\] Request device \[01:00.0\]|DMAR: DRHD: handling fault status'
vm_start "$@"

set -e
# random calls of each device's
calls=3000
[ -z "${UDF_LONG-}" ] || calls=400000
abi=$UDF_BUILD/vm/abi
# what scans a disk for partitions has it open
unused() { grep -q '^udf_port [0-9]* 0 ' /proc/modules; }
insmod "$kmod"
for device in 0000:01:00.0 0000:02:00.0 0000:03:00.0; do
	vm_bind $device
	for what in good bad "fuzz $calls ${device:6:1}"; do
		# shellcheck disable=SC2086 # what and its arguments
		set -- ${what%% *} /dev/udf/$device ${what#* }
		echo "$device: $1"
		"$abi" "$@"
	done
	vm_until 10 unused || vm_fail "the module is still in use"
done
if dmesg | grep 'udf_port 0000:01:00.0: isolated'; then
	dmesg | grep 'DMAR: .DMA Read.*fault addr 0x100000' || vm_fail "the device could reach the kernel's memory"
	dmesg | grep 'DMAR: .DMA Write.*01:00.0. fault addr' || vm_fail "the device could reach memory that was removed"
fi
rmmod udf_port
