#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The demonstration passes, and leaves neither a process (the runner looks for those) nor a file; nor does it when it is interrupted.
#
# timeout: 360
# serial
set -u

export TMPDIR=$UDF_WORK/tmp		# a socket's path must be short
[ ${#TMPDIR} -lt 70 ] || TMPDIR=$(mktemp -d) || exit 1
mkdir -p "$TMPDIR"
trap 'rm -rf "$TMPDIR"' EXIT

fail() { cat out; echo "FAILED: $*"; exit 1; }
trap 'fail "time is over"' TERM

"$UDF_TOP/demo/demo.sh" "$UDF_BUILD" >out 2>&1 &
pid=$!
until grep -q "driver processes" out; do
	kill -0 $pid 2>/dev/null || fail "it has ended"
	sleep 0.2
done
kill -TERM $pid
status=0
wait $pid || status=$?
[ $status = 130 ] || fail "interrupted: status $status"
[ -z "$(ls "$TMPDIR")" ] || fail "interrupted: files are left"

"$UDF_TOP/demo/demo.sh" "$UDF_BUILD" >out 2>&1 || fail "the demo fails"
tail -n 1 out | grep -q ^PASS || fail "no PASS in the last line"
[ -z "$(ls "$TMPDIR")" ] || fail "files are left"
