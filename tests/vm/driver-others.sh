#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
#
# Stock drivers that use the port in other ways than nvme.ko: ahci with MSI, megaraid_sas with MSI-X in a BAR of its own, sym53c8xx with INTx,
# and scripts that the device reads from its own memory.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
for name in ahci mega lsi; do
	[ -n "${UDF_VM-}" ] || truncate -s 64M "$UDF_WORK/$name.img"
	vm_backend -blockdev "driver=file,node-name=$name-disk,filename=$name.img"
done
vm_device ich9-ahci,id=ahci
vm_backend -device ide-hd,drive=ahci-disk,bus=ahci.0
vm_device megasas,id=mega
vm_backend -device scsi-hd,drive=mega-disk,bus=mega.0
vm_device lsi53c895a,id=lsi
vm_backend -device scsi-hd,drive=lsi-disk,bus=lsi.0
vm_start "$@"

set -e
cd /run
udf=$UDF_BUILD/udf
insmod "$kmod"
head -c 4M /dev/urandom >data
sum=$(md5sum <data)
# sym53c8xx frees DMA memory with interrupts off, which warns, as it does on hardware
exec 2>log
cpus=2
for port in 0000:01:00.0 0000:02:00.0 0000:03:00.0; do
	vm_bind $port
	"$udf" disks --device pci:$port --cpus $cpus --timeout 60
	"$udf" write --device pci:$port --cpus $cpus --timeout 60 --file data
	cpus=1
	[ "$("$udf" read --device pci:$port --timeout 60 --length 4M | md5sum)" = "$sum" ] || vm_fail "$port: the data is not what it was"
	echo "$port: ok"
done
rmmod udf_port
