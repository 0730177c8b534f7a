#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# serial
# timeout: 240
# variants: iommu
#
# An application that is attached to a PCI port of udfd's: its buffers are pinned and reached by the device through a driver process that is
# locked up; that process is killed under load, and the next, which udfd starts, goes on with the requests. The limits of udf.conf hold for what is
# pinned.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -e
insmod "$kmod"
udf=$UDF_BUILD/udf
mkdir -p /run/udf /run/state
cd /run
cat >udf.conf <<EOF
[port a]
device = pci:0000:01:00.0
cpus = 2
attach-memory = 100
EOF
UDF_KERNEL_ROOT=$UDF_BUILD/kernel/root "$UDF_BUILD/udfd" --config udf.conf --state-dir /run/state 2>udfd.log &
udfd=$!
trap '"$udf" failures a; tail -n 40 udfd.log; dmesg | tail' ERR
vm_until 20 "$udf" ports >/dev/null
"$udf" start a
[ "$("$udf" status a --json | jq .isolated)" = true ]
pid=$("$udf" status a --json | jq .pid)
[ "$(awk '/^Uid/ { print $2 }' "/proc/$pid/status")" != 0 ]

head -c 24M /dev/urandom >data
sum=$(md5sum <data)
"$udf" write --port a --file data
[ "$("$udf" read --port a --length 24M | md5sum)" = "$sum" ]

mkfifo pipe
"$udf" read --port a --length 24M >pipe &
reader=$!
exec 3<pipe
head -c 3000000 <&3 >part
# while one has 64 MiB there is no room for another
! "$udf" read --port a --length 1M >/dev/null 2>error || vm_fail "more is pinned than attach-memory"
cat error
grep "an application's memory is refused" udfd.log
kill -KILL "$pid"
cat <&3 >>part
wait $reader
[ "$(md5sum <part)" = "$sum" ]
[ "$("$udf" status a --json | jq .restarts)" = 1 ]
[ "$("$udf" failures a --json | jq -r .kind)" = signal ]
"$udf" stop a
kill $udfd
wait $udfd
