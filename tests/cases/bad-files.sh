#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
#
# Modules and kernel images that are truncated, foreign, damaged or no such thing at all: one line says which file and what is wrong
# with it, the exit status is 1, nothing crashes or hangs, and the cache of images holds nothing that is not whole.
set -u

udf=$UDF_BUILD/udf
release=$(cat "$UDF_BUILD/kernel/release") || exit 1
root=$UDF_BUILD/kernel/root
[ -e "$root/boot/vmlinuz-$release" ] || root=
modules=$root/lib/modules/$release/kernel
vmlinuz=$root/boot/vmlinuz-$release
bad=0
ulimit -c 0

fail() {
	echo "FAILED: $*"
	sed 's/^/    /' errors
	bad=$((bad + 1))
}

refused() {		# FILE TEXT COMMAND...: it fails with one line that names FILE and says TEXT (a regular expression)
	local file=$1 text=$2 status lines
	shift 2
	timeout -s KILL 30 "$@" >output 2>log
	status=$?
	# the driver's log aside
	grep '^udf: ' log >errors
	lines=$(wc -l <errors)
	if [ $status != 1 ]; then fail "$*: exit status $status"
	elif [ "$lines" != 1 ]; then fail "$*: $lines lines of error"
	elif ! grep -qF "$file" errors; then fail "$*: the error does not name $file"
	elif ! grep -qE "$text" errors; then fail "$*: the error does not say '$text'"
	elif grep -qE 'BUG|Oops|Call Trace|invalid address' log; then fail "$*: the kernel code complains"
	else cat errors
	fi
}

module() {		# FILE TEXT
	refused "$1" "$2" "$udf" run --no-device --once "./$1"
}

# ---- modules ----

export XDG_CACHE_HOME=$UDF_BUILD/cache
good=$modules/lib/crc-itu-t.ko
big=$modules/drivers/nvme/host/nvme-core.ko
"$udf" run --no-device --once "$good" >output 2>log || { cp log errors; fail "the good module does not load"; }

: >empty.ko
module empty.ko 'empty'
echo 'not a module' >text.ko
module text.ko 'short for an ELF|not an ELF'
head -c 100000 /dev/urandom >noise.ko
module noise.ko 'not an ELF'
cp "$(type -P true)" program.ko
module program.ko 'not a relocatable'
head -c 50 "$good" >head.ko
module head.ko 'truncated|too short'
size=$(stat -c %s "$big")
for part in 1 2 3 4 5 6 7; do
	head -c $((size * part / 8)) "$big" >truncated.ko
	module truncated.ko 'truncated'
done
# behind the section headers there is only the signature: cut them by a byte
headers=$(readelf -h "$big" | awk -F: '/Start of section/ { at = $2 } /Size of section h/ { s = $2 } /Number of section h/ { n = $2 } END { print at + s * n }')
head -c $((headers - 1)) "$big" >truncated.ko
module truncated.ko 'truncated'

LC_ALL=C sed 's/vermagic=6\.1\.0-/vermagic=6.1.9-/' "$good" >release.ko
module release.ko '6\.1\.9-.*'"$release"
objcopy --dump-section __versions=versions "$big" /dev/null
printf '\x01\x02\x03\x04' | dd of=versions bs=1 seek=64 conv=notrunc status=none
objcopy --update-section __versions=versions "$big" crc.ko
module crc.ko '(version|CRC|checksum)'
# another machine's: e_machine is AArch64
cp "$good" arm.ko
printf '\xb7' | dd of=arm.ko bs=1 seek=18 conv=notrunc status=none
module arm.ko '(machine|x86-64)'
cp "$good" word32.ko
printf '\x01' | dd of=word32.ko bs=1 seek=4 conv=notrunc status=none
module word32.ko '(32-bit|another machine)'
xz -qc "$good" | head -c 1000 >truncated.ko.xz
module truncated.ko.xz 'truncated'
if command -v zstd >/dev/null; then
	zstd -qc "$good" | head -c 1000 >truncated.ko.zst
	module truncated.ko.zst 'truncated'
fi
module nosuch.ko 'No such file'
refused no_such_module "no such module.*$release" "$udf" run --no-device --once no_such_module
# with a device there, as its driver
refused crc.ko '(version|CRC|checksum)' "$udf" disks --device qemu:nvme,serial=a --size 1M --module ./crc.ko
mkdir -p folder.ko
module folder.ko 'directory'

# a good module still loads
"$udf" run --no-device --once "$good" >output 2>log || { cp log errors; fail "the good module does not load any more"; }

# ---- kernel images ----

export XDG_CACHE_HOME=$UDF_WORK/cache
cache=$XDG_CACHE_HOME/udf

image() {		# FILE TEXT
	refused "$1" "$2" "$udf" run --no-device --once "$good" --image "./$1"
	[ -z "$(find "$cache" -type f -size +0 2>/dev/null)" ] || fail "$1 left something in the cache: $(ls -l "$cache")"
}

: >empty.img
image empty.img 'empty|no kernel|too short'
echo 'no kernel' >text.img
image text.img 'no kernel'
image program.ko 'no kernel'
size=$(stat -c %s "$vmlinuz")
for part in 1 4 7; do
	head -c $((size * part / 8)) "$vmlinuz" >truncated.img
	image truncated.img 'truncated|ends|beyond|damaged'
done
cp "$vmlinuz" damaged.img
printf 'UDF was here' | dd of=damaged.img bs=1 seek=$((size / 2)) conv=notrunc status=none
image damaged.img 'damaged|corrupt|cannot be unpacked|checksum'
# an arm64 Image: "MZ", and its own magic at 56
{ printf 'MZ'; head -c 54 /dev/zero; printf 'ARM\x64'; head -c 100000 /dev/urandom; } >arm64.img
image arm64.img 'no kernel'
image nosuch.img 'No such file'
image folder.ko 'directory'

# A limit on how large a file may become: no signal, an error. Disks that are full are in cache-places.sh.
(
	ulimit -f 4096
	refused "$cache" 'ulimit -f' "$udf" image prepare --image "$vmlinuz"
	exit $bad
) || bad=$((bad + 1))
[ -z "$(find "$cache" -type f -size +0 2>/dev/null)" ] || fail "the limit left something in the cache: $(ls -l "$cache")"

# Killed while it writes: the next one does not care.
"$udf" image prepare --image "$vmlinuz" >output 2>errors &
pid=$!
until [ -n "$(find "$cache" -type f -size +0)" ] || ! kill -0 $pid 2>/dev/null; do :; done
kill -KILL $pid
wait $pid 2>/dev/null
"$udf" run --no-device --once "$good" --image "$vmlinuz" >output 2>errors || fail "after a preparation that was killed"

# A cached image that was damaged since.
prepared=$(find "$cache" -name '*.udfimg')
[ -n "$prepared" ] || fail "there is no image in the cache: $(ls -l "$cache")"
truncate -s 1000000 "$prepared"
"$udf" run --no-device --once "$good" --image "$vmlinuz" >output 2>errors || fail "a truncated cached image is not prepared anew"

[ $bad = 0 ]
