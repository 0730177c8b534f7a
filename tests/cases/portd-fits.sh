#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
#
# A process that stands by takes the place of one that has failed, for each port for which it has booted as that port wants: it may differ in what
# is known later (here how far its memory may grow), not in CPUs or memory. A port that it does not suit gets one of its own, and the other goes on standing by.
. "$UDF_TOP/tests/cases/portd.bash"

config <<EOF
[defaults]
size = 64M
backoff-min = 0.01
backoff-max = 0.01
[port a]
device = qemu:nvme,serial=a
[port b]
device = qemu:nvme,serial=b
memory-max = 64
[port cpus]
device = qemu:nvme,serial=c
cpus = 2
start = off
[port memory]
device = qemu:nvme,serial=m
memory = 64
start = off
EOF
start_udfd
wait_log "a: <5> runs"
wait_log "b: <5> runs"
# stands by: a child that is no port's, and has booted
spare() {
	local pid
	for pid in $(pgrep -P "$udfd_pid"); do
		! grep -qs udf-ahead "/proc/$pid/maps" || { echo "$pid"; return; }
	done
	return 1
}
wait_spare() {
	until spare=$(spare); do sleep 0.05; done
}
declare -A runs
kill_port() {			# NAME
	kill -KILL "$(member "$1" pid)"
	runs[$1]=$((${runs[$1]-0} + 1))
	wait_log "$1: <5> runs again" "${runs[$1]}"
}

# it may not have got as far as it should when it is asked for: then it is not taken
for port in a b; do
	for ((try = 0; try < 10; try++)); do
		wait_spare
		sleep 0.5
		kill_port $port
		[ "$(member $port pid)" != "$spare" ] || break
	done
	[ $try -lt 10 ] || fail "what stands by is not taken for $port"
done

for port in cpus memory; do
	wait_spare
	sleep 0.5
	"$udf" start $port || fail "start of $port"
	[ "$(member $port pid)" != "$spare" ] || fail "what stands by runs $port, which it has not booted for"
	[ "$(spare)" = "$spare" ] || fail "what stands by does not any more"
	kill_port $port
	[ "$(member $port pid)" != "$spare" ] || fail "what stands by has become $port, which it has not booted for"
	[ "$(spare)" = "$spare" ] || fail "what stands by does not any more"
done
is cpus cpus 2
stop_all
