#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# Failures cannot be recorded, because the disk is full or there is none: ports are started again as ever, and the records are kept in memory.
. "$UDF_TOP/tests/cases/portd.bash"

mkdir -p state
if [ "$(id -u)" = 0 ] && [ -z "${UDF_FULL:-}" ]; then
	# a small disk of our own, in a mount namespace of our own
	exec env UDF_FULL=1 unshare --mount --propagation private "$0"
elif [ -n "${UDF_FULL:-}" ]; then
	mount -t tmpfs -o size=64k none state || { echo "no tmpfs can be mounted"; exit 77; }
	dd if=/dev/zero of=state/filler bs=4k 2>/dev/null
	why="No space left on device"
else
	rmdir state
	echo >state
	why="Not a directory"
fi

config <<EOF
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
backoff-min = 0.01
backoff-max = 0.02
EOF
start_udfd
wait_log "a: <5> runs"
for i in 1 2 3; do
	kill -KILL "$(member a pid)"
	wait_log "a: <5> runs again" $i
done
[ "$(count_log "the failure cannot be recorded: $why; it is kept in memory")" = 1 ] || fail "said $(count_log "cannot be recorded") times"
[ "$("$udf" failures a --json | jq -r .kind | xargs)" = "signal signal signal" ] || fail "records: $("$udf" failures a --json)"
is a failures 3

# there is room again
if [ -n "${UDF_FULL:-}" ]; then
	rm state/filler
	kill -KILL "$(member a pid)"
	wait_log "a: <5> runs again" 4
	[ "$(find state/failures -name '*.json' | wc -l)" = 1 ] || fail "not recorded, though there is room"
	[ "$("$udf" failures a --json | wc -l)" = 4 ] || fail "records: $("$udf" failures a --json)"
fi
stop_all
