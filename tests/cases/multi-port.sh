#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 120
#
# A card with four ports: one driver process for each, all at once. Each port has its own disk, gets its own data and gives it
# back; each driver sees its own function of the card; all four end when they are told to.
set -u

udf=$UDF_BUILD/udf
ports='0 1 2 3'
bad=0

fail() {
	echo "FAILED: $*"
	bad=$((bad + 1))
}

port() {		# N VERB OPTION...; in a subshell, which it becomes
	local n=$1 verb=$2
	shift 2
	exec "$udf" "$verb" --device "qemu:nvme,serial=port-$n" --function "$n" --drive "disk$n.img" "$@"
}

all() {			# WHAT COMMAND: run COMMAND N for all ports at once
	local what=$1 command=$2 n pids=()
	for n in $ports; do
		$command "$n" 2>"log$n" &
		pids[n]=$!
	done
	for n in $ports; do
		wait "${pids[n]}" || { fail "port $n: $what"; grep -v '^pci' "log$n" | tail -n 5; }
	done
}

write_port() { port "$1" write --file "data$1" --cpus $((1 + $1 % 2)); }
read_port() { port "$1" read --file "back$1" --length 4M; }

for n in $ports; do
	truncate -s 16M "disk$n.img"
	head -c 4194304 /dev/urandom >"data$n"
done
all 'writing' write_port
for n in $ports; do cmp -n 4194304 "data$n" "disk$n.img" || fail "port $n: its disk has not got its data"; done
all 'reading' read_port
for n in $ports; do cmp "data$n" "back$n" || fail "port $n: not what was written"; done

# All four alive at the same time.
pids=()
for n in $ports; do
	mkfifo "disks$n"
	port "$n" run --json >"disks$n" 2>"log$n" &
	pids[n]=$!
done
for n in $ports; do
	exec {keep}<"disks$n"	# stays open: its writer goes on
	read -r -t 30 line <&"$keep" || fail "port $n: no disk"
	case $line in *"\"serial\":\"port-$n\""*) ;; *) fail "port $n: its disk is $line" ;; esac
	grep -q "nvme 0000:00:04.$n:\|pci function 0000:00:04.$n" "log$n" || fail "port $n: its driver does not see function $n"
done
for n in $ports; do kill -0 "${pids[n]}" || fail "port $n: its process has ended"; done
# one that is killed takes nobody with it
kill -KILL "${pids[0]}"
wait "${pids[0]}" 2>/dev/null
for n in 1 2 3; do kill -0 "${pids[n]}" || fail "port $n: its process has ended with port 0's"; done
for n in 1 2 3; do kill -TERM "${pids[n]}"; done
for n in 1 2 3; do
	wait "${pids[n]}" || { fail "port $n: ended with status $?"; grep -v '^pci' "log$n" | tail -n 5; }
done
[ $bad = 0 ]
