#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A driver process, locked up, whose driver needs more memory than it has at the start: it gets it, and 'udf status' tells how much it has. When it has
# as much as it may have the log says so.
. "$UDF_TOP/tests/cases/portd.bash"

config <<EOF
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
[port b]
device = qemu:nvme,serial=b
drive = $(disk b)
# takes all there is, and gives it back
module = $UDF_BUILD/tests/modules/udf_grow.ko
memory = 16
memory-max = 100
EOF
start_udfd
wait_log "a: <5> runs"
wait_log "b: <5> runs"
wait_log "b: <4> qemu:nvme.0: the driver's memory is used up, 100 MiB, and memory-max is no more"

# figures come once a second
for port in a b; do
	for ((i = 0; i < 100; i++)); do
		[ "$(member $port memory)" = 0 ] || break
		sleep 0.1
	done
	"$udf" status $port
done
is a memory $((48 << 20))
is a memory-max $((256 << 20))
is b memory $((100 << 20))
is b memory-max $((100 << 20))
has "memory      48 MiB, at most 256 MiB" "$udf" status a
has "walls       user, capabilities, no-new-privs, seccomp" "$udf" status b

# its successor begins as it did
pid=$(member b pid)
kill -KILL "$pid"
wait_log "b: <4> qemu:nvme.0: the driver's memory is used up, 100 MiB, and memory-max is no more" 2
stop_all
