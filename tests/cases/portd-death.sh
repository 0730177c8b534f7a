#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A driver process dies, of whatever there is to die of: udfd knows of what, records it, and starts the next; the other port goes on.
# timeout: 180
. "$UDF_TOP/tests/cases/portd.bash"

modules=$UDF_BUILD/tests/modules
config <<EOF
[defaults]
backoff-min = 0.05
backoff-max = 0.2
failures = 3
hang-timeout = 1
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
[port other]
device = qemu:nvme,serial=o
drive = $(disk o)
cpus = 2
EOF
start_udfd
wait_log "a: <5> runs"
wait_log "other: <5> runs"
other=$(member other pid)

last_kind() {			# PORT
	"$udf" failures "$1" --json | tail -n 1 | jq -r .kind
}

deaths=0
# Have A die by COMMAND, which is given its process id; the record must say KIND and WHY.
die() {				# KIND WHY COMMAND...
	local kind=$1 why=$2 pid
	shift 2
	pid=$(member a pid)
	deaths=$((deaths + 1))
	"$@" "$pid"
	wait_log "a: <5> runs again" $deaths
	has "$why" "$udf" status a
	[ "$(last_kind a)" = "$kind" ] || fail "recorded as $(last_kind a), not $kind"
	[ "$("$udf" failures a --json | tail -n 1 | jq -r .pid)" = "$pid" ] || fail "another process is recorded"
	is a restarts $deaths
	is a failures $deaths
	is a state running
	[ "$(member a pid)" != "$pid" ] || fail "the same process"
}

kill_qemu() {
	# the one process that the driver process has started
	kill -KILL $(pgrep -P "$1")
}

die signal "killed by signal 9 (Killed)" kill -KILL
grep -q "a: <5> starting again at once" "$udfd_log" || fail "the first restart was not at once"
die signal "aborted" kill -ABRT
grep -q "a: <5> starting again in 0\.0[2-5]" "$udfd_log" || fail "the second restart was not delayed"
die device "QEMU (process" kill_qemu
die hang "the driver hangs: vCPU 0 has not got on for 1.0 s: its process is stopped" kill -STOP
is other pid "$other"
is other restarts 0

# bounded, oldest first
[ "$("$udf" failures a --json | jq -r .kind | xargs)" = "signal device hang" ] || fail "records: $("$udf" failures a --json | jq -r .kind | xargs)"
[ "$(ls state/failures/a | wc -l)" = 3 ] || fail "more files than records"
has "signal  after" "$udf" failures a

# kernel code that dies, at the start and later
mkdir -p udf.conf.d
module_port() {			# NAME MODULE PARAM...
	local name=$1 module=$2
	shift 2
	{
		printf '[port %s]\nbackoff-max = 1\nstop-timeout = 3\ndevice = qemu:nvme,serial=%s\nsize = 64M\ncpus = 2\nmodule = %s/udf_%s.ko\n' "$name" "$name" "$modules" "$module"
		printf 'param = %s\n' "$@"
	} >"udf.conf.d/$name.conf"
}

# Its port fails again and again, is never given up, and each time for that reason.
dies() {			# NAME KIND WHY
	wait_log "$1: <5> starting again in"
	[ "$(last_kind "$1")" = "$2" ] || fail "$1 is recorded as $(last_kind "$1"), not $2"
	has "$3" "$udf" status "$1"
	"$udf" stop "$1" || fail "$1 does not stop"
	is "$1" state stopped
}

module_port bug bug die=bug
module_port late bug die=bug after_ms=50
module_port null bug die=null
module_port unsupported bug die=unsupported
module_port spin hang hang=preempt
module_port irqs hang hang=irqs
module_port work hang hang=work
module_port sleep hang hang=sleep
echo "hung-task-timeout = 1" >>udf.conf.d/sleep.conf
printf '[port missing]\ndevice = qemu:nvme,serial=x\nsize = 64M\nmodule = udf_no_such\n' >udf.conf.d/missing.conf
printf '[port nodevice]\ndevice = qemu:no-such-model\n' >udf.conf.d/nodevice.conf
"$udf" reload
dies bug bug "kernel BUG"
has "the_very_place" "$udf" failures bug
has "udf_bug" "$udf" failures bug
dies late bug "kernel BUG"
has "the_very_place" "$udf" failures late
dies null oops "kernel code accessed invalid address"
dies unsupported unsupported "get_user_pages_fast() is not supported"
dies spin hang "the driver hangs: vCPU 1 has not got on for 1.0 s"
dies irqs hang "the driver hangs: vCPU 1 has not got on for 1.0 s"
# before they are killed they say where they are
for port in spin irqs; do
	has " threads:" "$udf" failures $port
	has "vCPU 1 is here" "$udf" failures $port
	has " hang_thread+0x" "$udf" failures $port
	has "vCPU 0 is " "$udf" failures $port
done
has "with interrupts off" "$udf" failures irqs
dies work hang "the driver hangs: vCPU 1"
dies sleep hang "hung_task: blocked tasks"
has "blocked for more than" "$udf" failures sleep
dies missing start "udf_no_such"
dies nodevice device "no-such-model"
refused "no-such-model" "$udf" start nodevice
"$udf" stop nodevice
is other pid "$other"
is other state running
stop_all
