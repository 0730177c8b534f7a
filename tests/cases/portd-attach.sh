#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# An application attached to a port of udfd's: its data arrives though the driver is killed, and udfd too, while it writes; and the driver
# process serves it from behind its walls.
. "$UDF_TOP/tests/cases/portd.bash"

"$udf" help read | grep -q -- --port || { echo "applications cannot attach in this build"; exit 77; }

config <<EOF
[defaults]
backoff-max = 0.5
[port a]
device = qemu:nvme,serial=a
drive = $(disk a 320M)
cpus = 2
EOF
start_udfd
wait_log "a: <5> runs"
head -c 300M /dev/urandom >data
mkfifo pipe
"$udf" write --port run/attach/a <pipe 2>err &
writer=$!
exec 5>pipe
part=0
# Give it the next part; when that is through, it is at work on the end of it.
write_part() {
	tail -c +$((part * 50 * 1048576 + 1)) data | head -c 50M >&5 || fail "the application has ended: $(cat err)"
	part=$((part + 1))
}
for i in 1 2 3; do
	write_part
	kill -KILL "$(member a pid)"
	wait_log "a: <5> runs again" $i
done
pid=$(member a pid)
write_part
kill -KILL "$udfd_pid"
wait "$udfd_pid" 2>/dev/null
write_part
start_udfd 5>&-
wait_log "a: <5> goes on in process $pid"
kill -KILL "$pid"
write_part
wait_log "a: <5> runs again"
exec 5>&-
wait $writer || fail "the application has failed: $(cat err)"
"$udf" read --port run/attach/a --length 300M | cmp - data || fail "the data is not what was written"
[ "$(stat -c %a run/attach/a)" = 600 ] || fail "everybody may attach"
is a state running
stop_all
[ ! -e run/attach/a ] || fail "a port that is stopped lets applications connect"
