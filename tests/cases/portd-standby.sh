#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The process that stands by: it has booted, with the modules of the port that ran last; another port has its own instead. Which ports it suits.
# timeout: 180
. "$UDF_TOP/tests/cases/portd.bash"

"$udf" image prepare >/dev/null || fail "image prepare"
config <<EOF
[defaults]
backoff-min = 0.01
backoff-max = 0.01
failures = 20
[port nvme]
device = qemu:nvme,serial=a
drive = $(disk a)
[port nic]
device = qemu:e1000e
start = off
[port grows]
device = qemu:nvme,serial=g
size = 64M
memory-max = 64
start = off
[port two]
device = qemu:nvme,serial=b
size = 64M
cpus = 2
start = off
[port memory]
device = qemu:nvme,serial=m
size = 64M
memory = 64
start = off
[port own]
device = qemu:nvme,serial=c
size = 64M
param = nvme.io_queue_depth=1
backoff-min = 60
backoff-max = 60
start = off
EOF

# has PORT MODULE; lacks PORT MODULE
has_module() { "$udf" status "$1" --json | jq -r '.modules[]' | grep -qx "$2" || fail "$1 has no $2: $("$udf" status "$1" --json | jq -c .modules)"; }
lacks_module() { ! "$udf" status "$1" --json | jq -r '.modules[]' | grep -qx "$2" || fail "$1 has $2"; }

# how PORT's last process began
began() { grep -o "$1: <7> udf-driver: kernel code .*" "$udfd_log" | tail -n 1; }

stands=0
stands_by() { wait_log "stands by" $((++stands)); }

deaths=0
nvme_dies() {
	kill -KILL "$(member nvme pid)"
	wait_log "nvme: <5> runs again" $((++deaths))
}

start_udfd --verbose
wait_log "nvme: <5> runs"
stands_by
nvme_dies
# with its modules, and what they depend on
[[ $(began nvme) =~ "has booted ahead; "([0-9]+)" modules" ]] && [ "${BASH_REMATCH[1]}" -gt 1 ] || fail "nvme: $(began nvme)"
has_module nvme nvme
stands_by

# a port with another driver, and back
"$udf" start nic || fail "start of nic"
[ "$(began nic)" = "nic: <7> udf-driver: kernel code has booted ahead; ${BASH_REMATCH[1]} modules are loaded" ] || fail "nic: $(began nic)"
has_module nic e1000e
lacks_module nic nvme
stands_by
nvme_dies
has_module nvme nvme
lacks_module nvme e1000e
stands_by

# the process that stands by
spare() { grep -o "process [0-9]* stands by" "$udfd_log" | tail -n 1 | cut -d " " -f 2; }

# how far memory may grow is known when the port is
pid=$(spare)
"$udf" start grows || fail "start of grows"
[ "$(member grows pid)" = "$pid" ] || fail "what stands by is not taken for grows"
stands_by

# what has one vCPU is nothing for a port with two, as is what has other memory, and stays
pid=$(spare)
for port in two memory; do
	"$udf" start $port || fail "start of $port"
	[ "$(began $port)" = "$port: <7> udf-driver: kernel code has not booted; 0 modules are loaded" ] || fail "$port: $(began $port)"
	[ -d "/proc/$pid" ] && [ "$(spare)" = "$pid" ] || fail "what stands by does not any more"
done
is two cpus 2

# a port with parameters for its module: it is not loaded without them, and the driver refuses these
refused "module nvme cannot be loaded: Invalid argument" "$udf" start own
grep -q "own: <3> nvme: .* invalid for parameter .io_queue_depth" "$udfd_log" || fail "own: not the parameter"
grep -q "own: <7> udf-driver: kernel code has booted ahead" "$udfd_log" || fail "own has not had what stood by"
stop_all
