#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 240
# variants: plain
#
# The modules of tests/modules in the stock kernel itself: what they expect of a driver process is what a kernel does. Their headers say
# with which parameters (see tests/modules/run.sh); what is meant to kill or to warn is left out here. So is grow: it wants more
# memory than there is.
left_out=' grow '
. "${UDF_TOP:-.}/tests/vm/vm.sh"
# as in a driver process
vm_kernel preempt=full
vm_start "$@"

cd /run || exit 1
bad=0
mkdir firmware
for ((i = 0; i < 4099; i++)); do printf '%b' "\\x$(printf %x $((7 * i % 256)))"; done >firmware/udf-test.bin

header() {			# SOURCE WORD
	sed -n '/\*\//q; s/^ \* '"$2"':[[:space:]]*//p' "$1"
}

run() {				# NAME PARAMETERS [fails]
	dmesg -C
	echo "+ insmod udf_$1.ko $2 ${3+(must fail)}"
	# shellcheck disable=SC2086 # several parameters
	if eval "insmod $UDF_BUILD/tests/modules/udf_$1.ko $2" 2>err; then
		[ $# = 2 ] || { echo "FAILED: it loaded"; bad=1; }
		rmmod "udf_$1" || bad=1
	elif [ $# = 2 ]; then
		cat err
		bad=1
	fi
	dmesg >log
	cat log >>all
	if [ $# = 2 ] && { ! grep -q "udf_test: udf_$1: PASS" log || grep FAIL log; }; then
		echo "FAILED: no PASS"
		tail -n 20 log
		bad=1
	fi
}

for source in "$UDF_TOP"/tests/modules/*.c; do
	name=$(basename "$source" .c)
	! header "$source" expect | grep -qE 'WARNING|Call Trace' || continue
	case $left_out in *" $name "*) continue ;; esac
	mapfile -t lines < <(header "$source" run)
	[ ${#lines[@]} -gt 0 ] || lines=('')
	for line in "${lines[@]}"; do
		case $line in
		*dies:*) ;;
		*'|'*) run "$name" "${line%%|*}" fails ;;
		*) run "$name" "$line" ;;
		esac
	done
	if [ -n "$(header "$source" firmware)" ]; then
		echo -n /run/firmware >/sys/module/firmware_class/parameters/path
		run "$name" "$(header "$source" firmware)"
	fi
done
cat all >/dev/kmsg 2>/dev/null	# for the verdict: dmesg was cleared
exit $bad
