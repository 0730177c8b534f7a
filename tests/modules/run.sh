#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 300
#
# run.sh NAME CPUS: run the test module NAME in a driver process with CPUS vCPUs and judge what it says.
#
# Comment lines in the module's source, below " *", say how it wants to be run:
#
#   run: [PARAMETER=VALUE...]                  run it so and expect PASS; without any such line it runs once, without parameters
#   run: [PARAMETER=VALUE...] | fails          loading must fail, as an error and not as a death
#   run: [PARAMETER=VALUE...] | dies: TEXT...  the process must end, and its log must hold each TEXT
#   firmware: [PARAMETER=VALUE...]             as run, with the file udf-test.bin in a firmware folder
#   expect: TEXT                               the log of a passing run must hold TEXT
set -u

name=$1
cpus=$2
source=$UDF_TOP/tests/modules/$name.c
module=$UDF_BUILD/tests/modules/udf_$name.ko
log=$UDF_WORK/log
bad=0
patience=60		# seconds for one run

header() {		# WORD: what follows it, line by line
	sed -n '/\*\//q; s/^ \* '"$1"':[[:space:]]*//p' "$source"
}

fail() {
	echo "FAILED: $*"
	bad=1
}

in_log() {
	grep -qF -- "$1" "$log"
}

udf_run() {		# ARGUMENT...: run the module; sets STATUS
	echo "+ udf run --no-device --cpus $cpus --once udf_$name.ko $*"
	timeout -s KILL "$patience" "$UDF_BUILD/udf" run --no-device --cpus "$cpus" --once "$@" >"$log" 2>&1
	status=$?
	cat "$log"
	[ $status != 137 ] || fail "it hung for $patience s"
}

check_pass() {
	local text
	[ $status = 0 ] || fail "exit status $status"
	in_log "udf_test: udf_$name: PASS" || fail "no PASS"
	! in_log "FAIL" || fail "it says FAIL"
	while read -r text; do
		in_log "$text" || fail "the log does not say '$text'"
	done < <(header expect)
	# Complaints of the kernel code that nobody asked for.
	if ! header expect | grep -qE 'WARNING|Call Trace'; then
		! grep -E 'WARNING: |BUG: |detected stall|blocked for more than|Call Trace' "$log" || fail "the kernel code complains"
	fi
}

check_fails() {
	[ $status != 0 ] || fail "it loaded"
	[ $status -lt 126 ] || fail "it died: exit status $status"
	! in_log "udf_test: udf_$name: PASS" || fail "its init ran"
}

check_dies() {		# TEXT
	[ $status != 0 ] || fail "it survived"
	in_log "$1" || fail "the log does not say '$1'"
}

run_line() {		# PARAMETERS [| VERDICT]...
	local parameters=${1%%|*} verdicts='' verdict
	case $1 in *'|'*) verdicts=${1#*|} ;; esac
	patience=$([ -n "$verdicts" ] && echo 10 || echo 60)
	eval "set -- $parameters"	# the line may have quotes; it is ours
	udf_run "$module" "$@"
	if [ -z "$verdicts" ]; then
		check_pass
		return
	fi
	while IFS= read -r verdict; do
		case $(echo $verdict) in
		fails) check_fails ;;
		'dies: '*) check_dies "$(echo "${verdict#*dies:}" | sed 's/^ *//; s/ *$//')" ;;
		*) fail "'$verdict' is no verdict" ;;
		esac
	done < <(tr '|' '\n' <<<"$verdicts")
}

[ -e "$module" ] || { echo "$module is not built"; exit 1; }
mapfile -t lines < <(header run)
[ ${#lines[@]} -gt 0 ] || lines=('')
for line in "${lines[@]}"; do
	run_line "$line"
done

if [ -n "$(header firmware)" ] && ! "$UDF_BUILD/udf" help run | grep -q -- --firmware; then
	echo "not run with a firmware file: udf run has no --firmware"
elif [ -n "$(header firmware)" ]; then
	mkdir -p "$UDF_WORK/firmware"
	for ((i = 0; i < 4099; i++)); do printf '%b' "\\x$(printf %x $((7 * i % 256)))"; done >"$UDF_WORK/firmware/udf-test.bin"
	udf_run --firmware "$UDF_WORK/firmware" "$module" "$(header firmware)"
	check_pass
fi
exit $bad
