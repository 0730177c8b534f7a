#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
#
# Disks of other drivers than nvme.ko: ahci, which needs libata and sd; megaraid_sas with two disks of one port.
. "${UDF_TOP:-.}/tests/vm/block.bash"
for name in ahci mega1 mega2; do vm_disk $name 64M; done
vm_device ich9-ahci,id=ahci
vm_backend -device ide-hd,drive=ahci-disk,bus=ahci.0,serial=ahci
vm_device megasas,id=mega
for i in 1 2; do vm_backend -device scsi-hd,drive=mega$i-disk,bus=mega.0,scsi-id=$i,serial=mega$i; done
vm_start "$@"

set -e
cd /run
block_load
# both ports at once, so that one udfd has them
ahci=0000:01:00.0 mega=0000:02:00.0
for address in $ahci $mega; do
	block_stock "$address"
	block_limits "$disk" >"stock-$address"
done
if [ "$front" = udf ]; then
	block_udfd '[port ahci]' "device = pci:$ahci" '[port mega]' "device = pci:$mega" 'cpus = 2'
fi

for port in ahci mega; do
	address=${!port}
	if [ "$front" = udf ]; then block_port $port "$address"; else block_stock "$address"; fi
	dev=/dev/$disk
	block_limits "$disk" >tested
	echo "$port: $disk"
	block_compare "stock-$address" tested
	block_fio $port "$dev" --iodepth=16 --bsrange=4k-128k --size=32M --io_size=16M
	# QEMU's megasas mixes up commands with many segments, of which the driver dies by a BUG: the kernel with it
	[ $port != ahci ] || "$calls" memory "$disk"
	for what in ioctls end; do "$calls" $what "$disk"; done
	block_ext4 "$dev"
done

# each of a port's disks is itself
disks=()
both() {
	local d

	disks=()
	for d in /sys/block/*; do
		case ${d##*/},$(readlink -f "$d") in
		udf-$mega-*,* | sd*,*/$mega/*) disks+=("${d##*/}") ;;
		esac
	done
	[ ${#disks[@]} = 2 ]
}
vm_until 20 both || vm_fail "megaraid_sas has the disks ${disks[*]}"
for d in "${disks[@]}"; do
	printf 'this is %s' "$d" | dd of="/dev/$d" bs=4k conv=sync oflag=direct status=none
done
for d in "${disks[@]}"; do
	[ "$(dd if="/dev/$d" bs=4k count=1 iflag=direct status=none | tr -d '\0')" = "this is $d" ] || vm_fail "$d has what was written to another"
done
block_end
