#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A failed driver process is replaced before its failure is written down: who waits for the port does not wait for a disk. A debugger holds udfd where
# it would write.
. "$UDF_TOP/tests/cases/portd.bash"

command -v gdb >/dev/null || exit 77
config <<EOF
[port a]
device = qemu:nvme,serial=a
size = 64M
EOF
start_udfd
wait_log "a: <5> runs"
: >gdb.out
gdb --nx --batch -ex "break udf_records_add" -ex "echo attached\\n" -ex continue -ex up -ex "printf \"state %d, process %d\\n\", port->state, port->process->pid" \
	-ex detach "$UDF_BUILD/udfd" "$udfd_pid" >gdb.out 2>&1 &
wait_line gdb.out attached
kill -KILL "$(member a pid)"
wait_line gdb.out "state "
grep -q "^state [0-9]*, process [1-9]" gdb.out || { cat gdb.out; fail "it is written down before another process is started"; }
wait_log "a: <5> runs again"
[ "$("$udf" failures a --json | jq -r .kind)" = signal ] || fail "it is not written down"
stop_all
