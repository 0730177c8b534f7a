#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# udfd without root: ports of QEMU's run, behind the walls that take none.
. "$UDF_TOP/tests/cases/portd.bash"

if [ "$(id -u)" = 0 ]; then
	setpriv --reuid 65534 --regid 65534 --clear-groups test -r "$UDF_BUILD/udfd" || { echo "another user cannot read the build"; exit 77; }
	chown 65534:65534 "$UDF_WORK"
	mkdir -p "$UDF_WORK/cache"
	chown 65534:65534 "$UDF_WORK/cache"
	XDG_CACHE_HOME=$UDF_WORK/cache exec setpriv --reuid 65534 --regid 65534 --clear-groups "$0"
fi

config <<EOF
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
EOF
start_udfd
wait_log "a: <5> runs"
pid=$(member a pid)
grep -q "^Seccomp:.2$" "/proc/$pid/status" || fail "no filter"
grep -q "^NoNewPrivs:.1$" "/proc/$pid/status" || fail "no_new_privs is not set"
has "walls       capabilities, no-new-privs, seccomp, limits" "$udf" status a
has "without     user, mount, network, ipc, pid" "$udf" status a
kill -KILL "$pid"
wait_log "a: <5> runs again"
# in no namespace of its own QEMU is waited for all the same: else its image would be in use
[ "$(count_log "a: <2> failed")" = 1 ] || fail "it took more than one try"
stop_all
