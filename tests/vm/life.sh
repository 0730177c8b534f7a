#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain iommu
#
# The ends of a session that nobody has announced: the process is killed, in the middle of calls, too; the function is unbound, reset or
# unplugged under it. Each time the port can be had anew, and no memory is lost.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_device edu,id=edu
vm_nvme a 16M
vm_nvme b 16M
vm_start "$@"

set -e
abi=$UDF_BUILD/vm/abi
insmod "$kmod" dma_limit_mib=128
edu=0000:01:00.0 a=0000:02:00.0 b=0000:03:00.0
ports="$edu $a $b"
for port in $ports; do vm_bind $port; done

# start WHAT DEVICE: in the background, until it says that it is ready
start() {
	rm -f out
	"$abi" "$1" "/dev/udf/$2" >out 2>&1 &
	pid=$!
	vm_until 20 grep -q ready out
}

lost() {			# HOW: the holder has noticed, in time
	wait $pid || { cat out; vm_fail "$1: the holder"; }
	grep -q lost out
	echo "$1: ok"
}

anew() {			# DEVICE: it can be had again
	"$abi" bad "/dev/udf/$1"
}

free_memory() {
	echo 3 >/proc/sys/vm/drop_caches
	sed -n 's/^MemFree: *\([0-9]*\) kB/\1/p' /proc/meminfo
}

kill_busy() {			# ROUNDS
	for ((i = 0; i < $1; i++)); do
		for port in $edu $a; do
			start busy $port
			# a different moment each time
			"$abi" fuzz /dev/udf/$b $((10 * (i % 7)))
			kill -KILL $pid
			wait $pid 2>/dev/null || :
		done
	done
}

echo "killed in the middle of calls"
kill_busy 2
before=$(free_memory)
kill_busy 10
after=$(free_memory)
echo "free: $before kB before, $after kB after 20 kills"
# the kernel keeps some megabytes here and there; a session that is not freed has many more
[ $((before - after)) -lt 65536 ] || vm_fail "memory is lost"
anew $edu
anew $a

# with an IOMMU, the kernel's log tells of a device that reaches for memory that is not there any more
echo "killed while the device is about to write"
for ((i = 0; i < 5; i++)); do
	status=0
	"$abi" die /dev/udf/$edu || status=$?
	[ $status = 137 ]
done
anew $edu

start hold $a
! rmmod udf_port 2>/dev/null || vm_fail "rmmod while a port is open"
! "$abi" bad /dev/udf/$a 2>err || vm_fail "a second opener"
grep -q 'busy' err
vm_unbind $a
lost unbind
vm_bind $a
anew $a

start hold $a
echo 1 >/sys/bus/pci/devices/$a/reset
lost "reset by somebody else"
anew $a

start hold $edu
echo 1 >/sys/bus/pci/devices/$edu/remove
lost remove
echo 1 >/sys/bus/pci/rescan
vm_bind $edu
anew $edu

# a holder that does not listen: it loses its memory, and removal goes on
start hold $a
kill -STOP $pid
vm_unbind $a
kill -CONT $pid
! wait $pid || vm_fail "the holder's memory is still there"
vm_bind $a
anew $a

start hold $b
vm_monitor device_del b
lost unplug
vm_until 20 test ! -e /sys/bus/pci/devices/$b

# and back to the kernel's own driver
start hold $a
vm_unbind $a
lost "unbind once more"
modprobe nvme
vm_bind $a nvme
vm_until 10 test -b /dev/nvme0n1
dd if=/dev/zero of=/dev/nvme0n1 bs=64k count=16 oflag=direct status=none
rmmod udf_port
echo done
