#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: iommu
# more variants: plain
#
# An application that is attached to a driver process over udf_port: the device reaches its buffers where they are, which takes an IOMMU; the
# driver process is killed under load, and its successor goes on with the requests. Without an IOMMU it is told why not.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -e
cd /run
udf=$UDF_BUILD/udf
insmod "$kmod"
vm_bind 0000:01:00.0

serve() {
	"$udf" run --serve ./s --device pci:01:00.0 --cpus 2 >>log 2>&1 &
	pid=$!
}

serve
vm_until 60 grep -q nvme0n1 log
head -c 24M /dev/urandom >data
sum=$(md5sum <data)
if [ "$1" = plain ]; then
	! "$udf" read --port ./s --length 1M 2>err >/dev/null || vm_fail "it works without an IOMMU"
	cat err
	exit 0
fi
"$udf" disks --port ./s
"$udf" write --port ./s --file data
[ "$("$udf" read --port ./s --length 24M | md5sum)" = "$sum" ]

mkfifo pipe
"$udf" read --port ./s --length 24M >pipe &
reader=$!
exec 3<pipe
head -c 3000000 <&3 >part
kill -KILL $pid
wait $pid 2>/dev/null || :
rm -f s
serve
cat <&3 >>part
wait $reader
[ "$(md5sum <part)" = "$sum" ] || vm_fail "what was read across a kill is not what was written"
kill -TERM $pid
wait $pid || :
rmmod udf_port
