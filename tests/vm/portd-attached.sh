#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
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
cd /run
cat >udf.conf <<EOF
[port a]
device = pci:0000:01:00.0
cpus = 2
attach-memory = 100
EOF
trap '"$udf" failures a; tail -n 40 /run/udfd.log; dmesg | tail' ERR
vm_udfd
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
grep "an application's memory is refused" /run/udfd.log
kill -KILL "$pid"
cat <&3 >>part
wait $reader
[ "$(md5sum <part)" = "$sum" ]
[ "$("$udf" status a --json | jq .restarts)" = 1 ]
[ "$("$udf" failures a --json | jq -r .kind)" = signal ]
"$udf" stop a
kill $udfd
wait $udfd
