#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# perf's map of names: it has the functions of image, kapi and modules where gdb's symbol file has them, none of them overlap, and where
# perf works, it names functions of the image.
set -u

udf=$UDF_BUILD/udf
device=(--device qemu:nvme,serial=debug --size 64M --cpus 2)
bad=0
fail() { echo "$*"; bad=1; }

# A load from which samples can be taken: the boot, and a start of the driver.
run() {			# COMMAND...
	: >run.out		# tail is to find it
	"$@" "$udf" run "${device[@]}" --perf-map >>run.out 2>run.err &
	pid=$!
	exec 3< <(tail -f --pid=$pid -n +1 run.out)
	grep -q -m 1 nvme0n1 <&3
}

run exec
map=/tmp/perf-$pid.map
[ -f "$map" ] || fail "there is no $map"
cp "$map" map
kill -INT $pid
wait $pid || fail "udf run: $?"
rm -f "$map"

for name in 'kthread \[kernel\]' 'schedule \[kernel\]' 'kapi_deliver \[kapi\]' '__switch_to_asm \[kapi\]' 'nvme_queue_rq \[nvme\]' \
	'nvme_setup_cmd \[nvme_core\]' 'bridges \[udf\]' 'detours \[udf\]'; do
	grep -qE "^[0-9a-f]+ [0-9a-f]+ $name$" map || fail "$name is not in the map"
done
[ "$(grep -c '\[kernel\]' map)" -gt 30000 ] || fail "only $(grep -c '\[kernel\]' map) functions of the kernel"
sort map | perl -ne '($start, $size) = map { hex } (split)[0, 1]; if ($start < $end) { print "overlap: $_"; $bad = 1 }
	$end = $start + $size; END { exit $bad }' || bad=1

# the same addresses as gdb is given, which comes from other code
if command -v gdb >/dev/null; then
	for name in kthread worker_thread __switch_to_asm; do
		there=$("$udf" gdb --batch --ex "info address $name" --no-device 2>&1 | sed -n 's/^Symbol "[^"]*" is .*at \(address \)\?0x\([0-9a-f]*\)\b.*/\2/p')
		grep -qE "^$there [0-9a-f]+ $name \[" map || fail "$name is at $there for gdb"
	done
fi

# without the option nothing is written
"$udf" run "${device[@]}" --once loop >/dev/null 2>&1 &
pid=$!
wait $pid
[ -e "/tmp/perf-$pid.map" ] && fail "a map without --perf-map"

if ! perf record -q -e cpu-clock -o perf.data true >/dev/null 2>&1; then
	echo 'perf does not work here: only the map was checked'
	exit $bad
fi
run perf record -q -e cpu-clock -F 5000 -o perf.data
kill -INT $pid
wait $pid
perf report -i perf.data --stdio -s dso,symbol 2>/dev/null >report
rm -f perf.data "/tmp/perf-$pid.map"
[ "$(grep -cE '\[(kernel|kapi)\]' report)" -ge 10 ] || { fail 'perf names no functions of the kernel:'; head -n 20 report; }
if grep -q '\.udfimg' report; then fail 'perf leaves addresses of the image'; fi
exit $bad
