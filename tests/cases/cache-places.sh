#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Caches of images that cannot be written: one line that names the place and says what to do, status 1, and nothing half-written is
# left. What is written in the end is whole, and damage is found.
set -u

udf=$UDF_BUILD/udf
release=$(cat "$UDF_BUILD/kernel/release")
vmlinuz=$UDF_BUILD/kernel/root/boot/vmlinuz-$release
bad=0

complain() { echo "$*"; bad=1; }

refused() {		# WHAT COMMAND... -- TEXT...: each TEXT is in the message
	local what=$1 command=() status=0 text
	shift
	while [ "$1" != -- ]; do command+=("$1"); shift; done
	shift
	timeout -k 1 30 "${command[@]}" >out 2>log || status=$?
	[ $status = 1 ] || complain "$what: status $status"
	[ ! -s out ] || complain "$what: output"
	[ "$(wc -l <log)" = 1 ] || complain "$what: not one line"
	for text in 'udf: ' "$@"; do
		grep -qF -- "$text" log || { complain "$what: no word of '$text':"; cat log; }
	done
}

nothing_in() {		# CACHE
	local left
	left=$(find "$1" -type f ! -name .lock 2>/dev/null)
	[ -z "$left" ] || complain "left in the cache: $left"
}

: >file
cache() {		# WHAT CACHE TEXT...
	refused "$1" "$udf" image prepare --image "$vmlinuz" --cache "$2" -- "${@:2}" --cache
}
cache 'cache below a file' file/x
cache 'cache is in a folder that takes none' /proc/nowhere
ulimit -Sf 16000
cache 'limit of file sizes' limited 'ulimit -f'
ulimit -Sf unlimited
nothing_in limited
cat >mounted.sh <<'END'
mkdir -p mounted && mount -t tmpfs -o "$1" none mounted || exit 77
timeout -k 1 30 "$2" image prepare --image "$3" --cache mounted
status=$?
find mounted -type f ! -name .lock >left
exit $status
END
if unshare -rm true 2>/dev/null || unshare -m true 2>/dev/null; then
	enter=(unshare -m) && [ "$(id -u)" = 0 ] || enter=(unshare -rm)
	refused 'full disk' "${enter[@]}" sh mounted.sh size=8m "$udf" "$vmlinuz" -- mounted full MiB --cache
	[ ! -s left ] || complain "left on the full disk: $(cat left)"
	refused 'read-only disk' "${enter[@]}" sh mounted.sh ro "$udf" "$vmlinuz" -- mounted Read-only --cache
	if [ "$(id -u)" = 0 ]; then echo "a folder without permission is not tried: root has them all"; fi
else
	echo "no disks are mounted: no permission"
fi
if [ "$(id -u)" != 0 ]; then
	mkdir -m 555 closed
	cache 'no permission' closed 'ermission'
fi

# what is prepared is whole; what was damaged since is found
"$udf" image prepare --image "$vmlinuz" --cache whole >out 2>log || { complain "the good one is refused"; cat log; }
"$udf" image verify --cache whole >out 2>log || complain "the good one is not good: $(cat out log)"
printf 'damage' | dd of="$(find whole -name '*.udfimg')" bs=1 seek=20000000 conv=notrunc status=none
! "$udf" image verify --cache whole >out 2>&1 || complain "damage is not found"

[ -z "$(find . -name 'core*')" ] || complain "a core was dumped"
exit $bad
