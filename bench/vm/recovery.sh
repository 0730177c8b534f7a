#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# recovery.sh plain count|one|time [KILLS [CPUS]]: a driver process under udfd is killed under load; the time until a read of its block device is completed again, and
# the time that resetting the device takes, which is part of it.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
vm_start "$@"

set -e
cd /run/share
insmod "$kmod"
vm_bind 0000:01:00.0
for ((i = 0; i < 5; i++)); do
	start=$EPOCHREALTIME
	echo 1 >/sys/bus/pci/devices/0000:01:00.0/reset
	echo "$start $EPOCHREALTIME" | awk '{ printf "reset ms=%.1f\n", ($2 - $1) * 1000 }'
done
cat >/run/udf.conf <<CONF
[port disks]
device = pci:class=0108
backoff-min = 0.001
backoff-max = 0.001
failures = 1000
${4:+cpus = $4}
CONF
trap 'tail -n 40 /run/udfd.log' ERR
vm_udfd
udf=$UDF_BUILD/udf
port=disks-0000:01:00.0
"$udf" start $port || :
vm_until 30 test -b $bench_disk
# another process stands by: it has booted, and has nothing more to do
cpu_time() { awk '{ print $14 + $15 }' "/proc/$1/stat"; }
stands_by() {
	local spare before
	# shellcheck disable=SC2046 # several
	spare=$(grep -ls udf-ahead $(pgrep -P $udfd | sed 's,.*,/proc/&/maps,') | sed 's,/proc/\([0-9]*\)/maps,\1,')
	[ -n "$spare" ] && before=$(cpu_time "$spare") && sleep 0.3 && [ "$(cpu_time "$spare")" = "$before" ]
}
for ((i = 0; i < ${3:-10}; i++)); do
	vm_until 20 stands_by
	"$udf" status $port --json | jq -r .pid >pid
	line=$("$bench/load" $bench_disk --depth 32 --kill pid)
	[ "$bench_mode" != count ] || { sync; line+=$(awk '/^(kernel|load|user) / { printf " %s=%d", $1, $2; sum += $2 } END { printf " insns=%d", sum }' counts); }
	echo "$line"
done
kill $udfd
wait
