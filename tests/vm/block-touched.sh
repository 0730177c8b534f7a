#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 150
# variants: plain
# more variants: iommu
#
# Kernel code of the driver process touches the data of the kernel's requests, and so does an attached application's driver its own: the disk has
# protection information, which the process makes and checks. Each finds its memory, side by side and in turns.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
truncate -s 96M "${UDF_WORK:-.}/a.img"
vm_device nvme,id=a,serial=a
vm_backend -blockdev driver=file,node-name=a-file,filename=a.img -blockdev driver=raw,node-name=a-disk,file=a-file \
	-device nvme-ns,bus=a,drive=a-disk,ms=8,pi=1
vm_start "$@"

set -ex
udf=$UDF_BUILD/udf
insmod "$kmod"
vm_bind 0000:01:00.0
disk=/dev/udf-0000:01:00.0-nvme0n1
mkdir -p /run/trace
mount -t tracefs none /run/trace
# faults in the window of the kernel's requests: device address + 0x80000000000
echo 'address >= 0x80000000000 && address < 0x100000000000' >/run/trace/events/exceptions/page_fault_user/filter
echo 1 >/run/trace/events/exceptions/page_fault_user/enable

vm_serve 0000:01:00.0 --serve /run/driver --cpus 2
vm_until 20 test -b $disk
head -c 16M /dev/urandom >/run/data
sum=$(md5sum </run/data)
dd if=/run/data of=$disk bs=256k oflag=direct
[ "$(dd if=$disk bs=256k count=64 iflag=direct | md5sum)" = "$sum" ]
dd if=/run/data of=$disk bs=4k seek=8192 oflag=direct count=512
cmp -n 2M <(dd if=$disk bs=4k skip=8192 iflag=direct count=512) /run/data
faults=$(grep -c page_fault_user /run/trace/trace)
echo "$faults page faults"
[ "$faults" -gt 100 ]

# an attached application: only where an IOMMU makes its memory contiguous
if [ "${1-}" = iommu ]; then
	fio --name=t --filename="${disk//:/\\:}" --direct=1 --ioengine=io_uring --iodepth=16 --rw=randrw --bsrange=4k-128k --offset=48M --size=16M \
		--verify=crc32c --time_based --runtime=20 >fio.out &
	fio=$!
	for i in 1 2 3 4 5 6; do
		"$udf" write --port /run/driver --offset 32M --file /run/data
		[ "$("$udf" read --port /run/driver --offset 32M --length 16M | md5sum)" = "$sum" ]
	done
	[ "$(dd if=$disk bs=1M count=16 skip=32 iflag=direct | md5sum)" = "$sum" ]
	wait $fio
	[ "$(dd if=$disk bs=256k count=64 iflag=direct | md5sum)" = "$sum" ]
fi
kill -TERM $pid
wait $pid
cat log
