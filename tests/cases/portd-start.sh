#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# A start that does not end is a failure: killed at start-timeout, recorded with what its threads and kernel tasks were at, and tried again.
. "$UDF_TOP/tests/cases/portd.bash"

# with the image there, a start takes less than the limit
"$udf" image prepare >/dev/null || fail "image prepare"

# A driver process that does not do anything, the first time.
cat >driver <<EOF
#!/bin/bash
[ -e "$UDF_WORK/idle" ] || { : >"$UDF_WORK/idle"; exec sleep infinity; }
exec "$UDF_BUILD/udf-driver" "\$@"
EOF
chmod +x driver
config <<EOF
[udfd]
standby = off
[defaults]
backoff-min = 0.05
backoff-max = 0.2
start-timeout = 3
stop-timeout = 1
hang-timeout = 30
[port early]
device = qemu:nvme,serial=e
size = 64M
EOF
UDF_DRIVER=$UDF_WORK/driver start_udfd
wait_log "early: <2> failed: the driver did not start within 3 s"
wait_log "early: <5> runs again"
is early restarts 1
[ "$("$udf" failures early --json | jq -r .kind)" = hang ] || fail "recorded as $("$udf" failures early --json | jq -r .kind)"
has " threads:" "$udf" failures early
has "(sleep) S" "$udf" failures early
"$udf" stop early || fail "stop"

cat >>udf.conf <<EOF
[port init]
device = qemu:nvme,serial=i
size = 64M
cpus = 2
module = $UDF_BUILD/tests/modules/udf_hang.ko
param = hang=init
start = off
[port ever]
device = qemu:nvme,serial=x
size = 64M
module = $UDF_BUILD/tests/modules/udf_hang.ko
param = hang=init
start-timeout = 0
start = off
EOF
"$udf" reload
"$udf" start ever 2>ever.error &
ever=$!

# stopped while it starts
"$udf" start init 2>init.error &
starter=$!
wait_log "init: <6> pci_bus 0000:00: busn_res"
kill -STOP "$(member init pid)"
wait $starter && fail "it has started"
has "the driver did not start within 3 s: its process is stopped" cat init.error
has ") T, " "$udf" failures init
"$udf" stop init || fail "stop"

# kernel code that never comes to the end of a module's init
refused "the driver did not start within 3 s" "$udf" start init
"$udf" stop init || fail "stop"
"$udf" failures init | tee failures
# as the machine's kernel sees it, as its own does, and each vCPU
grep -q "thread [0-9]* (udf-driver) S, system call" failures || fail "no threads"
grep -q "task:udf-control .*state:D" failures || fail "no tasks"
grep -q "hang_init+0x" failures || fail "no trace of the task"
grep -q "vCPU 0 is idle, interrupts pending: 0" failures || fail "nothing of vCPU 0"
grep -q "vCPU 1 is idle, interrupts pending: 0" failures || fail "nothing of vCPU 1"

# one that stands by and is stopped is not taken for a port, but replaced
sed -i 's/^standby = off/standby = on/' udf.conf
"$udf" reload
"$udf" restart early || fail "restart"
standby() { pgrep -P "$udfd_pid" | grep -vxF -e "$(member early pid)" -e "$(member ever pid)"; }
until spare=$(standby) && grep -q "$XDG_CACHE_HOME" "/proc/$spare/maps"; do sleep 0.05; done	# the image is mapped
kill -STOP "$spare"
kill -KILL "$(member early pid)"
wait_log "early: <5> runs again" 2
[ "$(member early pid)" != "$spare" ] || fail "what is stopped runs"
is early failures 2
until next=$(standby) && [ "$next" != "$spare" ]; do sleep 0.05; done
gone "$spare" || fail "what is of no use lives"

# without a limit it goes on trying; a stop ends that
is ever state starting
is ever failures 0
"$udf" stop ever || fail "stop of what starts"
wait $ever
[ "$("$udf" failures ever --json | jq -r .why)" = "the driver did not stop within 1 s" ] || fail "ever: $("$udf" failures ever)"
stop_all
