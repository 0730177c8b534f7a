#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
# more variants: iommu
#
# Block devices under udfd when more than a driver fails: the disk that failures are recorded on is full, and two cards are unplugged at once, one
# of them while its process is being replaced.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_nvme b 64M
vm_start "$@"

set -ex
modprobe nvme
vm_until 20 test -b /dev/nvme0n1 -a -b /dev/nvme1n1
insmod "$kmod"
udf=$UDF_BUILD/udf
a=disks-0000:01:00.0 b=disks-0000:02:00.0
disk_a=/dev/udf-0000:01:00.0-nvme0n1 disk_b=/dev/udf-0000:02:00.0-nvme0n1
mkdir /run/state
mount -t tmpfs -o size=256k tmpfs /run/state
cat >/run/udf.conf <<EOF
[defaults]
hang-timeout = 5
[port disks]
device = pci:class=0108
EOF
trap 'tail -n 40 /run/udfd.log; "$udf" ports' ERR
vm_udfd
# what is read without end, and why it ended
reader() { exec fio --name=r --filename="${1//:/\\:}" --direct=1 --ioengine=io_uring --rw=randread --bs=4k --iodepth=8 --time_based --runtime=600; }
reads() { awk '{ print $1 }' "/sys/block/$(basename "$(readlink -f "$1")")/stat"; }
read_on() { local n; n=$(reads "$1"); vm_until 60 more_than "$1" "$n"; }
more_than() { [ "$(reads "$1")" -gt $(($2 + 100)) ]; }

"$udf" start $a
"$udf" start $b
vm_until 20 test -b $disk_a
vm_until 20 test -b $disk_b
reader $disk_a >a.out 2>&1 &
reader_a=$!
reader $disk_b >b.out 2>&1 &
reader_b=$!
read_on $disk_a
read_on $disk_b

# no room for records: the driver process is replaced all the same, and the log has what could not be kept
dd if=/dev/zero of=/run/state/full bs=4k 2>/dev/null || :
pid=$(vm_member $a pid)
kill -KILL "$pid"
vm_until 60 vm_runs_anew $a "$pid"
read_on $disk_a
kill -0 $reader_a
grep -i "no space left" /run/udfd.log
rm /run/state/full
before=$("$udf" failures $a --json | wc -l)
pid=$(vm_member $a pid)
kill -KILL "$pid"
vm_until 60 vm_runs_anew $a "$pid"
read_on $disk_a
[ "$("$udf" failures $a --json | wc -l)" -gt "$before" ]

# two cards go at once, one of them has no driver process at this moment
kill -KILL "$(vm_member $b pid)"
vm_monitor device_del a
vm_monitor device_del b
vm_until 60 test ! -e /sys/bus/pci/devices/0000:01:00.0
vm_until 60 test ! -e /sys/bus/pci/devices/0000:02:00.0
wait $reader_a && vm_fail "reading a card that is gone goes on"
wait $reader_b && vm_fail "reading a card that is gone goes on"
grep "err= *5" a.out
grep "err= *5" b.out
vm_until 20 test ! -b $disk_a -a ! -b $disk_b
"$udf" ports
kill -TERM $udfd
wait $udfd
vm_until 10 rmmod udf_port
