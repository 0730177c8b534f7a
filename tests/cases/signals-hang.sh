#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 100
#
# SIGTERM ends `udf run` also while its driver waits for a device that has stopped answering (QEMU is stopped): in bounded time with a
# message, or at once with a second signal.
set -u

bad=0

fail() {
	echo "FAILED: $*"
	bad=1
}

stop_at() {		# NAME TEXT: start, and stop QEMU at the log's line with TEXT; sets pid and opens the log's rest as a descriptor
	local line children
	rm -f log qemu.pid
	mkfifo log
	"$UDF_BUILD/udf" run --verbose --device qemu:nvme,serial=a --size 64M 2>log >disks &
	pid=$!
	exec 3<log
	while IFS= read -r -t 30 -u 3 line; do
		case $line in *"$1"*) break ;; esac
	done
	# no program is started between the line and this: the driver goes on meanwhile
	for children in /proc/$pid/task/*/children; do
		qemu=
		read -r qemu <"$children"
		[ -n "$qemu" ] && kill -STOP $qemu && return
	done
	fail "QEMU is not there"
}

ended() {		# WHAT STATUS: the end comes within 50 s
	local rest
	rest=$(timeout 50 cat <&3)
	exec 3<&-
	# its files are closed before it is gone
	timeout 10 tail -s 0.02 --pid=$pid -f /dev/null || { kill -KILL $pid; fail "$1: it does not end"; }
	wait $pid
	status=$?
	echo "$rest" | tail -n 1
	[ $status = "$2" ] || fail "$1: exit status $status, not $2"
	timeout 10 tail -s 0.02 --pid="$qemu" -f /dev/null || fail "$1: QEMU is still there"
}

stop_at 'Zone ranges'
kill -TERM $pid
ended 'during the start' 143

stop_at 'Zone ranges'
kill -TERM $pid
# taken when it is not pending any more
until ! grep -q '^S[ih][gd]Pnd:.*[1-9a-f]' /proc/$pid/status; do :; done
kill -INT $pid
ended 'a second signal' 130
exit $bad
