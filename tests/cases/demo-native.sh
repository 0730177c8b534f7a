#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration passes; when it is interrupted while it copies, or a driver dies, it fails and leaves neither a process (the
# runner looks for those) nor a file.
#
# timeout: 120
# serial
set -u

bad=0
export TMPDIR=$UDF_WORK/tmp		# a socket's path must be short
[ ${#TMPDIR} -lt 70 ] || TMPDIR=$(mktemp -d) || exit 1
mkdir -p "$TMPDIR"
trap 'rm -rf "$TMPDIR"' EXIT

complain() { echo "$*"; bad=1; }

# Run the demo up to the copying, perform COMMAND, and expect STATUS.
disturb() {				# WHAT STATUS COMMAND...
	local what=$1 want=$2 status=0 pid
	shift 2
	"$UDF_TOP/demo/native.sh" "$UDF_BUILD" >out 2>&1 &
	pid=$!
	until compgen -G "$TMPDIR/udf-demo.*/nbdcopy-in-3.log" >/dev/null; do
		kill -0 $pid 2>/dev/null || break
	done
	"$@" $pid
	wait $pid || status=$?
	[ $status = "$want" ] || { complain "$what: status $status, not $want"; cat out; }
	[ -z "$(ls "$TMPDIR")" ] || { complain "$what: files are left"; ls "$TMPDIR"; }
}

kill_driver() {				# PID of the demo
	kill -KILL "$(pgrep -P "$1" -f "nbdkit -f .*port2.sock")"
}

"$UDF_TOP/demo/native.sh" "$UDF_BUILD" >out 2>&1 || { complain "the demo fails:"; cat out; }
tail -n 1 out | grep -q ^PASS || complain "no PASS in the last line: $(tail -n 1 out)"
[ -z "$(ls "$TMPDIR")" ] || complain "files are left"
disturb interrupted 130 kill -TERM
disturb "driver killed" 1 kill_driver
exit $bad
