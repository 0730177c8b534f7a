#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain
# more variants: iommu
#
# A driver process is killed while the device writes to its memory, and another one starts on the same port at once: twelve times, on one
# and two vCPUs. What was written stays, no memory is lost, the device reaches nothing that is freed (with an IOMMU its log would tell).
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
vm_nvme a 64M
vm_start "$@"

set -e
udf=$UDF_BUILD/udf
insmod "$kmod"
vm_bind 0000:01:00.0
cd /run
head -c 16M /dev/urandom >data
sum=$(md5sum <data)
"$udf" write --device pci:01:00.0 --file data

check() {
	[ "$("$udf" read --device pci:01:00.0 --cpus $1 --length 16M | md5sum)" = "$sum" ] || vm_fail "the data is not what it was"
}

free_memory() {
	echo 3 >/proc/sys/vm/drop_caches
	sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

# A reader, or a writer behind what is compared; either is at work when so many bytes have gone through its pipe.
kill_one() {			# read|write CPUS
	local bytes=$((1000000 * (2 + RANDOM % 8)))

	mkfifo pipe
	if [ "$1" = read ]; then
		"$udf" read --device pci:01:00.0 --cpus "$2" >pipe &
		pid=$!
		# the pipe stays open: nothing else may end the reader
		exec 3<pipe
		head -c $bytes <&3 >/dev/null
	else
		"$udf" write --device pci:01:00.0 --cpus "$2" --offset 16M --length 48M <pipe &
		pid=$!
		exec 3>pipe
		head -c $bytes /dev/zero >&3
	fi
	kill -KILL $pid
	! wait $pid 2>/dev/null || vm_fail "it has ended before it was killed"
	exec 3>&-
	rm pipe
}

for ((i = 0; i < 6; i++)); do
	kill_one read $((1 + i % 2))
	kill_one write $((1 + i % 2))
	[ $i != 1 ] || before=$(free_memory)
	[ $((i % 3)) != 0 ] || check $((1 + i % 2))
	echo "round $i"
done
after=$(free_memory)
echo "free: $before kB, later $after kB"
# the kernel keeps some megabytes here and there; a session that is not freed has many more
[ $((before - after)) -lt 65536 ] || vm_fail "memory is lost"
check 2
rmmod udf_port
