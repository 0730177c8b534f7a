#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
# variants: plain iommu
#
# udfd with real PCI functions: it finds them by class, takes them from the kernel's own driver, runs each in a locked-up process, and replaces
# one that is killed or stopped; then gives one back.
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
cat >/run/udf.conf <<EOF
[defaults]
hang-timeout = 5
cpus = 2
[port disks]
device = pci:class=0108
EOF
trap '"$udf" failures $a; tail -n 40 /run/udfd.log' ERR

vm_udfd
"$udf" start $a
"$udf" start $b
"$udf" ports | tee ports
[ "$(grep -c "nvme  *running  *nvme0n1 " ports)" = 2 ]
"$udf" status $a | tee status
grep -q "serial a" status
grep -q "walls       user, capabilities, no-new-privs, seccomp, mount, network, ipc, pid, limits" status
[ "$(basename "$(readlink /sys/bus/pci/devices/0000:01:00.0/driver)")" = udf_port ]
if [ "$1" = iommu ]; then
	grep -q "^isolation   by an IOMMU$" status
	isolated=true
else
	grep -q "^isolation   not isolated: its device reaches all memory$" status
	isolated=false
fi
[ "$(vm_member $a isolated)" = $isolated ]
[ "$("$udf" ports --json | jq -s -c 'map(.isolated)')" = "[$isolated,$isolated]" ]

# one fails, in each way; the other does not notice
other=$(vm_member $b pid)
pid=$(vm_member $a pid)
kill -KILL "$pid"
vm_until 60 vm_runs_anew $a "$pid"
pid=$(vm_member $a pid)
kill -STOP "$pid"
vm_until 60 vm_runs_anew $a "$pid"
"$udf" failures $a
[ "$("$udf" failures $a --json | wc -l)" = 2 ]
[ "$(vm_member $b pid)" = "$other" ]

# udfd fails
pid=$(vm_member $a pid)
kill -KILL $udfd
wait $udfd || :
vm_udfd
vm_until 30 grep -q "$a: <5> goes on in process $pid" /run/udfd.log
[ "$(vm_member $a pid)" = "$pid" ]

# and the function goes back
! "$udf" unbind 0000:01:00.0 2>error || exit 1
grep "0000:01:00.0 is in use by port $a; 'udf stop $a' ends that" error
"$udf" stop $a
"$udf" unbind 01:00.0
[ "$(basename "$(readlink /sys/bus/pci/devices/0000:01:00.0/driver)")" = nvme ]
! "$udf" unbind 01:00.0 2>error || exit 1
grep "nvme has it, and not udf_port" error
"$udf" bind 01:00.0
[ "$(basename "$(readlink /sys/bus/pci/devices/0000:01:00.0/driver)")" = udf_port ]
"$udf" start $a
"$udf" stop $a
"$udf" stop $b
kill $udfd
wait $udfd
