# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the cases about block devices by a process that has no driver, build/vm/ramdisk, which source it instead of vm.sh: its port is a device
# of QEMU's that is no disk.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_device edu
function=0000:01:00.0
# shellcheck disable=SC2034 # the cases use it
port=/dev/udf/$function

# ramdisk_load: what is needed in the guest
ramdisk_load() {
	insmod "$kmod"
	vm_bind "$function"
}

# start ARGUMENT...: run it in the background as $pid, until it has written something into the file `said`; end: kill it
start() {
	rm -f said
	"$UDF_BUILD/vm/ramdisk" "$@" >said &
	pid=$!
	vm_until 10 test -s said
}

end() {
	kill -KILL $pid 2>/dev/null || :
	wait $pid || :
}
