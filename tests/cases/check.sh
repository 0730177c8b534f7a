#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# udf check: every stock PCI module of the release would load; what would not is told, in words, in JSON and by the exit status.
set -u

udf=$UDF_BUILD/udf
release=$(cat "$UDF_BUILD/kernel/release")
good=$UDF_BUILD/tests/modules/udf_params.ko
bad=0

complain() { echo "$*"; bad=1; }

check() {		# STATUS ARGUMENT...
	local want=$1 status=0
	shift
	"$udf" check "$@" >out 2>log || status=$?
	[ $status = "$want" ] || { complain "udf check $*: status $status, not $want"; tail -n 5 out log; }
}

says() {		# TEXT...
	local text
	for text; do
		grep -qE -- "$text" out || { complain "no word of '$text'"; tail -n 20 out; }
	done
}

value() {		# NAME: of the totals, which come last
	sed -n 's/^ *"'"$1"'": *\([0-9]*\),*$/\1/p' out | tail -n 1
}

is() {			# NAME NUMBER
	[ "$(value "$1")" = "$2" ] || complain "$1 is '$(value "$1")', not $2"
}

valid_json() {
	command -v python3 >/dev/null || return 0
	python3 -m json.tool <out >/dev/null || complain "this is no JSON"
}

# the number of modules for PCI devices, counted in another way
pci=$(awk '$1 == "alias" && $2 ~ /^pci:/ { print $NF }' \
	"$UDF_BUILD/kernel/root/lib/modules/$release/modules.alias" | sort -u | wc -l)
[ "$pci" -gt 500 ] || complain "only $pci modules have PCI aliases"

check 0 --all
says "^$pci PCI modules of the release, .*: $pci ok$" '; 0 missing, 0 with another CRC$'
tail -n 3 out
check 0 --all --json
valid_json
is modules "$pci"; is ok "$pci"; is failed 0; is missing 0; is crc_mismatches 0
[ "$(value from_kapi)" -gt 100 ] && [ "$(value from_modules)" -gt 1000 ] && [ "$(value from_image)" -gt 10000 ] ||
	complain "where do the symbols come from? $(tail -n 15 out)"

check 0 nvme
says '^nvme$' '^  depends on .*nvme_core' '^  privileged  none' '^  verdict     ok'
check 0 'pci:v00001B36d00000010sv00001AF4sd00001100bc01sc08i02'
says '^nvme$'
check 0 --json nvme e1000e "$good"
valid_json
is modules 3; is ok 3

# what would not load
versions=$(readelf -SW "$good" | sed -n 's/.* __versions *PROGBITS *[0-9a-f]* *\([0-9a-f]*\) .*/\1/p')
cp "$good" crc.ko
printf '\x12\x34\x56\x78' | dd of=crc.ko bs=1 seek=$((16#$versions + 64)) conv=notrunc status=none
sed "s/vermagic=$release/vermagic=9${release:1}/" "$good" >release.ko
sed 's/param_ops_uint/param_ops_uinz/g' "$good" >symbol.ko
head -c 10000 "$good" >truncated.ko
check 1 ./crc.ko
says '^  verdict     CRC mismatch' 'wants 0x78563412'
check 1 ./release.ko
says '^  verdict     wrong kernel' "9${release:1}"
check 1 ./symbol.ko
says 'param_ops_uinz'
check 1 ./truncated.ko
says 'verdict     broken file' 'truncated'
check 1 no_such_module
says 'verdict     not found'
check 1 --json ./crc.ko ./symbol.ko ./truncated.ko no_such_module nvme
valid_json
is modules 5; is ok 1; is failed 4; is missing 1; is crc_mismatches 1
says '"symbol":"param_ops_uinz"' '"want_crc":2018915346'

# wrong usage
check 2
check 2 --all nvme
check 2 --no-such-option
exit $bad
