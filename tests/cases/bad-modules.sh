#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Wrong and truncated modules: each is refused with a message that names it and says what is wrong; status 1, no hang, no core dump.
set -u

udf=$UDF_BUILD/udf
good=$UDF_BUILD/tests/modules/udf_params.ko
release=$(cat "$UDF_BUILD/kernel/release")
bad=0

complain() { echo "$*"; bad=1; }

refused() {		# MODULE TEXT... [-- OPTION...]: each TEXT is in the message
	local module=$1 status=0 text
	shift
	timeout -k 1 30 "$udf" run --no-device --once "$module" >out 2>log || status=$?
	[ $status = 1 ] || complain "$module: status $status"
	[ ! -s out ] || complain "$module: output"
	# what the boot said, at level 7, is not of interest
	grep -E "^udf: |^udf_params: " log >said || complain "$module: no message"
	[ "$(wc -l <said)" -le 2 ] || complain "$module: more than two lines"
	for text; do
		grep -qF -- "$text" said || { complain "$module: no word of '$text':"; cat said; }
	done
	! grep -qE 'Call Trace|udf_test:' log || { complain "$module: its code ran, or more"; tail log; }
}

patch() {		# NAME OFFSET BYTES: a copy of the good one
	cp "$good" "$1"
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

# no module at all
: >empty.ko;						refused ./empty.ko ./empty.ko 'too short'
echo 'not a module' >text.ko;				refused ./text.ko ./text.ko 'too short'
head -c 100000 /dev/urandom >random.ko;			refused ./random.ko ./random.ko 'not an ELF file'
mkdir directory.ko;					refused ./directory.ko ./directory.ko 'directory'
							refused ./missing.ko ./missing.ko 'No such file'
							refused no_such_module no_such_module 'no such module' "$release"
# part of one
for size in 63 64 1000 20000 $(($(stat -c %s "$good") - 1)); do
	head -c "$size" "$good" >truncated.ko;		refused ./truncated.ko ./truncated.ko
done
xz -c "$good" | head -c 3000 >truncated.ko.xz;		refused ./truncated.ko.xz ./truncated.ko.xz 'truncated'
zstd -qc "$good" | head -c 3000 >truncated.ko.zst;	refused ./truncated.ko.zst ./truncated.ko.zst 'truncated'
# one of another machine, kernel, kind
patch arm.ko 18 '\xb7\x00';				refused ./arm.ko ./arm.ko 'another machine' 183 x86-64
patch program.ko 16 '\x02\x00';				refused ./program.ko ./program.ko 'not a relocatable object'
patch word32.ko 4 '\x01';				refused ./word32.ko ./word32.ko
patch big-endian.ko 5 '\x02';				refused ./big-endian.ko ./big-endian.ko
sed "s/vermagic=$release/vermagic=9${release:1}/" "$good" >release.ko
							refused ./release.ko udf_params vermagic "9${release:1}" "$release"
versions=$(readelf -SW "$good" | sed -n 's/.* __versions *PROGBITS *[0-9a-f]* *\([0-9a-f]*\) .*/\1/p')
patch crc.ko $((16#$versions + 64)) '\x12\x34\x56\x78';	refused ./crc.ko udf_params CRC 0x78563412

# the good one still loads, and one that a device's driver would be is refused with the device there
"$udf" run --no-device --once "$good" >out 2>log || complain "the good one does not load: $(tail -n 3 log)"
status=0
"$udf" disks --device qemu:nvme,serial=a --size 1M --module ./crc.ko >out 2>log || status=$?
[ $status = 1 ] && grep -q CRC log || { complain "a port's module: status $status"; cat log; }

[ -z "$(find . -name 'core*')" ] || complain "a core was dumped"
exit $bad
