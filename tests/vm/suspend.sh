#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain
# more variants: iommu
#
# The machine is suspended, as far as its devices (pm_test), with a port that is open, and with a block device under load. The session is lost, the
# function is reset when it is closed, and can be had anew; udfd notices that, starts the driver again, and no request is lost.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_nvme b 64M
vm_start "$@"

set -e
udf=$UDF_BUILD/udf abi=$UDF_BUILD/vm/abi
a=0000:01:00.0 b=0000:02:00.0
insmod "$kmod"
insmod "$UDF_BUILD/tests/vm/awake/udf_awake.ko"
echo devices >/sys/power/pm_test
echo 1 >/sys/module/suspend/parameters/pm_test_delay
suspend() { echo freeze >/sys/power/state; }

# a process that holds everything there is to hold
vm_bind $a
for ((i = 0; i < 3; i++)); do
	"$abi" hold /dev/udf/$a >out 2>&1 &
	vm_until 20 grep -q ready out
	suspend
	wait $! || { cat out; vm_fail "the holder"; }
	grep -q lost out
	"$abi" bad /dev/udf/$a
done
# one that nobody holds
suspend
"$abi" bad /dev/udf/$a

# a driver under load
cat >/run/udf.conf <<CONF
[port disk]
device = pci:$b
backoff-max = 1
CONF
trap '"$udf" failures disk; tail -n 40 /run/udfd.log' ERR
vm_udfd
"$udf" start disk
disk=/dev/udf-$b-nvme0n1
vm_until 30 test -b $disk
fio --name=load --filename="${disk//:/\\:}" --direct=1 --ioengine=libaio --rw=randwrite --bs=4k --iodepth=16 --size=32M --rate_iops=500 \
	--verify=crc32c --verify_fatal=1 --verify_backlog=32 --loops=1000000 --output-format=json --output=fio.json 2>fio.err &
fio=$!
completed() { awk '{ print $1 + $5 }' "/sys/block/${disk#/dev/}/stat"; }
goes_on() { [ "$(completed)" -gt $((before + 200)) ]; }
pid_of() { vm_member disk pid; }
another() { [ "$(pid_of)" != "$pid" ]; }
for ((i = 0; i < 3; i++)); do
	before=$(completed) pid=$(pid_of)
	vm_until 30 goes_on
	suspend
	vm_until 30 another
	before=$(completed)
	vm_until 30 goes_on
done
[ "$("$udf" failures disk --json | jq -r .kind | uniq -c)" = "      3 device" ]
status=0
kill -TERM $fio
wait $fio || status=$?
# that is what fio says if a signal ended it
[ $status = 128 ] || { cat fio.err fio.json; vm_fail "fio ended with $status"; }
[ "$(sed -n '/^{/,$p' fio.json | jq '[.jobs[].error] | add')" = 0 ] || vm_fail "fio has seen an error: $(cat fio.err)"
kill $udfd
wait $udfd
