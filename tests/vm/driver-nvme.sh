#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
# more variants: iommu
#
# The stock nvme.ko in a process drives a PCI function through udf_port: data goes in and comes back, on one and two vCPUs; afterwards the
# kernel's own driver finds it there.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -ex
udf=$UDF_BUILD/udf
insmod "$kmod"
! "$udf" disks --device pci:01:00.0 2>error || exit 1
grep "0000:01:00.0 is bound to no driver; 'udf bind 0000:01:00.0' hands it over" error
vm_bind 0000:01:00.0
head -c 24M /dev/urandom >/run/data
sum=$(md5sum </run/data)
for cpus in 1 2; do
	"$udf" disks --device pci:0000:01:00.0 --cpus $cpus | tee disks
	grep '^nvme0n1 *64 MiB.*QEMU NVMe Ctrl *a ' disks
	"$udf" write --device pci:01:00.0 --cpus $cpus --file /run/data
	[ "$("$udf" read --device pci:01:00.0 --cpus $cpus --length 24M | md5sum)" = "$sum" ]
done
rmmod udf_port
modprobe nvme
vm_bind 0000:01:00.0 nvme
vm_until 10 test -b /dev/nvme0n1
[ "$(head -c 24M /dev/nvme0n1 | md5sum)" = "$sum" ]
