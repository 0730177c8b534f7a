#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# What a manager is asked for by hand: see ports, start, stop and restart them, change the configuration; and who may.
. "$UDF_TOP/tests/cases/portd.bash"

refused "udfd does not run" "$udf" ports

config <<EOF
# a comment
[defaults]
cpus = 2
[port a]
device = qemu:nvme,serial=a
drive = $(disk a)
[port manual]
device = qemu:nvme,serial=m
size = 64M
start = off
EOF
mkdir -p udf.conf.d
cat >udf.conf.d/20-b.conf <<EOF
[port b]
device = qemu:nvme,serial=b
drive = $(disk b)
nice = 5
affinity = 0
EOF
start_udfd
refused "another udfd runs there" "$UDF_BUILD/udfd" --config udf.conf --runtime-dir run --state-dir state
wait_log "a: <5> runs"
wait_log "b: <5> runs"
"$udf" start a || fail "start of what runs"

# the table, and JSON
has "NAME" "$udf" ports
"$udf" ports >table
grep -Eq "^a +qemu:nvme.0 +nvme +running +nvme0n1 +0 +00:00:[0-9]+ +0$" table || fail "table: $(cat table)"
grep -Eq "^manual +qemu:nvme,serial=m +- +stopped +- +0 +- +0$" table || fail "table: $(cat table)"
[ "$("$udf" ports --json | jq -r .name | sort | xargs)" = "a b manual" ] || fail "JSON names"
is a state running
is a driver nvme
is a cpus 2
has "serial a" "$udf" status a
has "nvme_core, nvme" "$udf" status a
"$udf" top --json --interval 0.1 2>&1 | head -n 3 | jq -e .name >/dev/null || fail "udf top"
[ "$(awk '{ print $19 }' "/proc/$(member b pid)/stat")" = 0 ] || fail "the main thread is nice, too"
awk '{ print $19 }' /proc/"$(member b pid)"/task/*/stat | grep -qx 5 || fail "b is not nice"

# stop, start, restart
pid=$(member a pid)
"$udf" stop a || fail "stop"
is a state stopped
is a failures 0
[ ! -e "/proc/$pid" ] || fail "the driver process of a stopped port lives"
"$udf" stop a || fail "stop of what is stopped"
"$udf" start a || fail "start"
is a state running
[ "$(member a pid)" != "$pid" ] || fail "no new process"
pid=$(member a pid)
"$udf" restart a || fail "restart"
[ "$(member a pid)" != "$pid" ] || fail "no new process"
is a failures 0
"$udf" start manual || fail "start of manual"
is manual state running
[ -z "$("$udf" failures a)" ] || fail "failures where there are none"

# logs: of the driver and of udfd, also as they come
has "nvme nvme0: 2/0/0 default/read/poll queues" "$udf" logs a
has "runs" "$udf" logs a
exec 7< <(exec "$udf" logs a -f --json)
follow=$!
"$udf" stop a
while read -r -t 20 line <&7; do
	[ "$(jq -r .text <<<"$line")" != stopped ] || { line=; break; }
done
[ -z "$line" ] || fail "logs -f does not go on"
kill $follow
"$udf" start a

# the configuration: what is wrong with it changes nothing
pid=$(member a pid)
echo "bad line" >udf.conf.d/90-bad.conf
refused "90-bad.conf:1: 'bad line' is neither [SECTION] nor KEY = VALUE" "$udf" reload
refused "90-bad.conf:1" "$UDF_BUILD/udfd" --config udf.conf --check
printf '[port a]\nnonsense = 1\n' >udf.conf.d/90-bad.conf
refused "90-bad.conf:2: a port has no setting 'nonsense'" "$udf" reload
printf '[port a]\ncpus = 99\n' >udf.conf.d/90-bad.conf
refused "90-bad.conf:2: cpus is '99', but must be a number from 1 to 8" "$udf" reload
printf '[port c]\ncpus = 1\n' >udf.conf.d/90-bad.conf
refused "port c has no device" "$udf" reload
printf '[port ../x]\n' >udf.conf.d/90-bad.conf
refused "is no name for a port" "$udf" reload
is a pid "$pid"
# ... and what is right does
rm udf.conf.d/20-b.conf
printf '[port a]\ncpus = 1\n[port c]\ndevice = qemu:nvme,serial=c\nsize = 64M\n' >udf.conf.d/90-bad.conf
kill -HUP "$udfd_pid"
wait_log "c: <5> runs"
wait_log "b: <5> stopped"
is a pid "$pid"
is a changed true
has "udf restart a" "$udf" status a
"$udf" restart a
is a changed false
is a cpus 1
"$udf" reload
refused "there is no port 'b'" "$udf" status b
printf '[port a]\ndevice = qemu:nvme,serial=z\n' >>udf.conf.d/90-bad.conf
"$udf" reload
is a changed true
has "serial a" "$udf" status a
"$udf" restart a
is a changed false
has "serial z" "$udf" status a

# who may do what
refused "there is no port 'x'" "$udf" start x
refused "name the port" "$udf" start
refused "'c' is more" "$udf" start a c
refused "no PCI address" "$udf" bind nonsense
refused "there is no such PCI function" "$udf" bind ffff:1f:1f.7
if [ "$(id -u)" = 0 ]; then
	chmod 0755 "$UDF_WORK" "$UDF_WORK/run"
	as_nobody() { setpriv --reuid 65534 --regid "${gid:-65534}" --clear-groups "$@"; }
	if as_nobody test -x "$udf"; then
		has "running" as_nobody "$udf" ports
		has "queues" as_nobody "$udf" logs a
		for verb in stop start restart; do
			refused "you may not $verb ports" as_nobody "$udf" $verb a
		done
		refused "you may not reload" as_nobody "$udf" reload
		refused "you may not unbind" as_nobody "$udf" unbind 0000:03:00.0
		refused "Permission denied" as_nobody ls run/ports
		is a state running
		printf '[udfd]\nadmin-group = games\n' >>udf.conf.d/90-bad.conf
		"$udf" reload
		gid=60 has "" as_nobody "$udf" stop a
		is a state stopped
		refused "you may not" as_nobody "$udf" start a
	fi
fi
stop_all

# a configuration that is wrong at the start
printf '[port a]\ndevice = nonsense\n' >udf.conf
refused "udf.conf:2: device is 'nonsense', but must be" "$UDF_BUILD/udfd" --config udf.conf --runtime-dir run --state-dir state
refused "'--nonsense'" "$UDF_BUILD/udfd" --nonsense
has "--runtime-dir" "$UDF_BUILD/udfd" --help
has "--control" "$UDF_BUILD/udf-driver" --help
refused "started by udfd" "$UDF_BUILD/udf-driver"
exit 0
