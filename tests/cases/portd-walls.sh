#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# The walls around a driver process: each is looked at from outside, and run against from inside by a driver that is hostile.
. "$UDF_TOP/tests/cases/portd.bash"

[ "$(id -u)" = 0 ] || { echo "not root: most walls need it"; exit 77; }

mkdir -p "$UDF_WORK/firmware"
printf '%s' 0123456789 >"$UDF_WORK/firmware/udf-test.bin"
ln -s /etc/passwd "$UDF_WORK/firmware/udf-link.bin"
config <<EOF
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
cpus = 2
module = $UDF_BUILD/tests/modules/udf_walls.ko
param = attack=1
firmware = $UDF_WORK/firmware
[port b]
device = qemu:megasas,id=hba
drive = $(disk b)
backend = -device scsi-hd,drive=udf-drive0,bus=hba.0
EOF
start_udfd
wait_log "udf_walls: done"
wait_log "b: <5> runs"

# from inside: nothing may come back but EPERM, or ENOSYS where the C library shall have another way
attempts=0
while read -r what result; do
	attempts=$((attempts + 1))
	case $what in
	clone3) want=-38 ;;
	getpid) want=1 ;;		# first in its own namespace
	*) want=-1 ;;
	esac
	[ "$result" = "$want" ] || fail "$what came back with $result, not $want"
done < <(sed -n 's/.*udf_walls: \([a-z].*\): \(-\?[0-9]*\)$/\1 \2/p' "$udfd_log" | grep -v ^firmware | sed 's/ \([^ ]*\)$/\t\1/; s/ /_/g; s/\t/ /')
[ $attempts -gt 40 ] || fail "only $attempts attempts were made"

# files that it may have, and others
has "firmware udf-test.bin: 10" cat "$udfd_log"
has "firmware udf-no-such.bin: -2" cat "$udfd_log"
grep -q "firmware ../.*etc/passwd: -" "$udfd_log" || fail "it has got /etc/passwd"
grep -q "firmware udf-link.bin: -" "$udfd_log" || fail "it has got /etc/passwd by way of a link"

# from outside: every thread of both
check_threads() {		# PID
	local status
	for status in /proc/"$1"/task/*/status; do
		grep -q "^NoNewPrivs:.1$" "$status" || fail "$status: no_new_privs is not set"
		grep -q "^Seccomp:.2$" "$status" || fail "$status: no filter"
		grep -q "^CapEff:.0*$" "$status" || fail "$status: has capabilities"
		grep -q "^CapPrm:.0*$" "$status" || fail "$status: has capabilities"
		awk '/^[UG]id:/ && ($2 < 1879048192 || $2 != $3 || $2 != $4 || $2 != $5) { exit 1 }' "$status" || fail "$status: is root's"
		grep -q "^Groups:[[:space:]]*$" "$status" || fail "$status: has groups"
	done
}
uids=
for port in a b; do
	pid=$(member $port pid)
	check_threads "$pid"
	uids+="$(awk '/^Uid:/ { print $2 }' "/proc/$pid/status") "
	for ns in mnt net ipc; do
		for task in /proc/"$pid"/task/*; do
			[ "$(readlink "$task/ns/$ns")" != "$(readlink /proc/$$/ns/$ns)" ] || fail "$port: $task is in our $ns namespace"
		done
	done
	[ "$(readlink "/proc/$pid/ns/pid")" != "$(readlink /proc/$$/ns/pid)" ] || fail "$port: our pid namespace"
	[ -z "$(ls -A "/proc/$pid/root/")" ] || fail "$port: its root is not empty"
	[ "$(wc -l <"/proc/$pid/mountinfo")" = 1 ] || fail "$port: it has mounts: $(cat "/proc/$pid/mountinfo")"
	grep -q " / / ro," "/proc/$pid/mountinfo" || fail "$port: its root can be written: $(cat "/proc/$pid/mountinfo")"
	[ "$(grep -c . "/proc/$pid/net/dev")" = 3 ] || fail "$port: it has network devices"
	grep -q "Max open files *4096 *4096" "/proc/$pid/limits" || fail "$port: open files are not limited"
	grep -q "Max processes *256 *256" "/proc/$pid/limits" || fail "$port: processes are not limited"
	walls=$("$udf" status $port --json | jq -c .walls)
	[ "$(jq 'length == 9 and all(.[]; .)' <<<"$walls")" = true ] || fail "$port: udf status says $walls"
	has "user, capabilities, no-new-privs, seccomp, mount, network, ipc, pid, limits" "$udf" status $port
done
[ "$(tr ' ' '\n' <<<"$uids" | sort -u | grep -c .)" = 2 ] || fail "two ports are one user: $uids"

# a further module came after the walls, or before: the disk needs it
wait_log "Attached SCSI disk"
has sd_mod "$udf" status b
stop_all

# without walls there are none, and that is said
config <<EOF
[port c]
device = qemu:nvme,serial=c
drive = $(disk c)
walls = off
EOF
start_udfd
wait_log "c: <5> runs"
pid=$(member c pid)
grep -q "^Seccomp:.0$" "/proc/$pid/status" || fail "walls = off has walls"
has "walls       none" "$udf" status c
stop_all
