#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The cache of prepared images takes care of itself: several processes at once prepare an image, one that is killed while it
# writes leaves nothing that others would use, and a prepared image that was cut short since is prepared anew.
set -u

udf=$UDF_BUILD/udf
release=$(cat "$UDF_BUILD/kernel/release") || exit 1
root=$UDF_BUILD/kernel/root
[ -e "$root/boot/vmlinuz-$release" ] || root=
good=$root/lib/modules/$release/kernel/lib/crc-itu-t.ko
bad=0

runs() {		# WHAT
	timeout -s KILL 30 "$udf" run --cache cache --no-device --once "$good" >output 2>log && return
	echo "FAILED: $1"
	tail -n 5 log
	bad=1
}

written() {
	[ -n "$(find cache -type f -size +1M 2>/dev/null)" ]
}

"$udf" image prepare --cache cache >output 2>log &
pid=$!
until written || ! kill -0 $pid 2>/dev/null; do :; done
kill -KILL $pid
wait $pid 2>/dev/null
runs 'after a preparation that was killed'

prepared=$(find cache -name '*.udfimg')
[ -n "$prepared" ] || { echo "FAILED: there is no image in the cache"; ls -lR cache; exit 1; }
for size in 4096 $(($(stat -c %s "$prepared") - 4096)); do
	truncate -s "$size" "$prepared"
	runs "with a cached image of $size bytes"
done

rm -r cache
pids=()
for n in 1 2 3; do
	timeout -s KILL 60 "$udf" run --cache cache --no-device --once "$good" >"output$n" 2>"log$n" &
	pids[n]=$!
done
for n in 1 2 3; do
	wait "${pids[n]}" || { echo "FAILED: one of three at once"; tail -n 5 "log$n"; bad=1; }
done
[ "$(find cache -name '*.udfimg' | wc -l)" = 1 ] || { echo "FAILED: not one image"; ls -lR cache; bad=1; }
exit $bad
