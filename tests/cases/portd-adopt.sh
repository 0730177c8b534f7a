#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# udfd dies or is replaced: the drivers go on, and the next udfd takes over what it finds, in whatever state.
. "$UDF_TOP/tests/cases/portd.bash"

config <<EOF
[udfd]
standby = off
[defaults]
backoff-min = 0.5
backoff-max = 1
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
hang-timeout = 1
[port b]
device = qemu:nvme,serial=b
drive = $(disk b)
cpus = 2
[port gone]
device = qemu:nvme,serial=g
size = 64M
EOF
start_udfd
wait_log "a: <5> runs"
wait_log "b: <5> runs"
wait_log "gone: <5> runs"
kill -KILL "$(member a pid)"
wait_log "a: <5> runs again"
a=$(member a pid) b=$(member b pid) gone=$(member gone pid) since=$(member b since-ms)

kill_udfd() {			# SIGNAL
	kill "-$1" "$udfd_pid"
	wait "$udfd_pid" 2>/dev/null
}

# killed: the same processes, their history, their log; and they are watched as before
kill_udfd KILL
kill -0 "$a" "$b" || fail "a driver has ended with udfd"
sed -i '/^\[port gone\]/,$d' udf.conf
start_udfd
wait_log "a: <5> goes on in process $a"
wait_log "b: <5> goes on in process $b"
wait_log "gone: <5> is not configured any more: stopping"
wait_log "gone: <5> stopped"
is a pid "$a"
is a adopted true
is a restarts 1
is a failures 1
is a state running
is b since-ms "$since"
is b changed false
has "nvme0n1" "$udf" status b
has "2/0/0 default/read/poll queues" "$udf" logs b
gone "$gone" || fail "a port that is not configured any more runs"
kill -KILL "$a"
wait_log "a: <5> runs again"
has "how it ended is not known" "$udf" failures a || fail "what an adopted driver died of"
is a adopted false
is a restarts 2
a=$(member a pid)
kill -STOP "$b"		# hang-timeout is the default: longer than this case, the stop below must not wait for it

# ended in order, in the middle of recoveries: one port waits for its back-off, one is stopped, one has just died
kill -KILL "$a"
wait_log "a: <5> starting again in"
kill_udfd TERM
start_udfd
wait_log "a: <5> runs"
wait_log "driver process $b: it does not answer"	# a stopped process is no driver
wait_log "b: <5> runs again"
has "it does not answer" "$udf" status b
a=$(member a pid) b=$(member b pid)

# died while nobody looked
kill_udfd KILL
kill -KILL "$a"
until gone "$a"; do :; done
start_udfd
wait_log "b: <5> goes on in process $b"
wait_log "a: <5> runs"
is a adopted false

# killed while a driver is being started: it is adopted as it is
a=$(member a pid)
kill -KILL "$a"
wait_log "a: <2> failed"
kill_udfd KILL
start_udfd
wait_log "a: <5> "
"$udf" start a || fail "a does not start"
is a state running

# the configuration has changed meanwhile
kill_udfd KILL
b=$(member b pid 2>/dev/null)
sed -i 's/cpus = 2/cpus = 1/' udf.conf
start_udfd
wait_log "b: <5> goes on in process"
is b changed true
is b cpus 2
"$udf" restart b
is b changed false
is b cpus 1

# an adopted driver is stopped in order, too
kill_udfd KILL
start_udfd
wait_log "b: <5> goes on in process"
"$udf" stop b || fail "stop"
is b failures 1
# without any udfd, a driver ends in order by a signal
b=$(member a pid)
kill_udfd KILL
kill -TERM "$b"
until gone "$b"; do :; done
exit 0
