#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# vm.sh: the demonstration's machine, and what happens in it; demo.sh starts it. As with the cases of tests/vm/ the host runs it up to
# vm_start, which boots the machine, and the guest as a whole.
#
#   fio, a file system          twelve jobs, each on a block device of its own
#        |
#   guest's kernel, stock       /dev/udf-0000:01:00.0-nvme0n1 ... /dev/udf-0000:03:00.3-nvme0n1
#        |
#   twelve driver processes     nvme.ko in each; udfd watches and replaces them
#        |
#   QEMU                        three cards, each of four NVMe functions
. "${UDF_TOP:-.}/tests/vm/vm.sh"
cards=(1 2 3) ports=(1 2 3 4)
# shellcheck disable=SC2034 # vm_start reads it
vm_memory=3072
vm_drivers
vm_show
for card in "${cards[@]}"; do vm_card "card$card" ${#ports[@]} 64M; done
[ -n "${UDF_VM-}" ] || echo "UDF demo: booting Debian's kernel $(cat "$UDF_BUILD/kernel/release") in a virtual machine (QEMU without KVM, 2 CPUs that take turns)"
vm_start "$@"

set -u
cd /run || exit 1
udf=$UDF_BUILD/udf
names=()
declare -A address=() disk=() happened=() pid=()
for card in "${cards[@]}"; do
	for port in "${ports[@]}"; do
		name=card$card-port$port
		names+=("$name")
		address[$name]=0000:0$card:00.$((port - 1))
		disk[$name]=udf-${address[$name]}-nvme0n1
		happened[$name]=-
	done
done
with_files=card1-port1	# it has the file system
killed=card1-port1 bugged=card2-port2 stopped=card3-port3
begin=${EPOCHREALTIME/./}

say() {
	local ms=$(((${EPOCHREALTIME/./} - begin) / 1000))

	printf '%4d.%d s  %s\n' $((ms / 1000)) $((ms % 1000 / 100)) "$*"
}

die() {
	say "$*"
	tail -n 30 udfd.log
	exit 1
}

member() {			# PORT NAME
	"$udf" status "$1" --json | jq -r ".[\"$2\"]"
}

# ---- twelve ports ----

start_ports() {
	local name

	mkdir -p udf state
	{
		printf '[defaults]\nmemory = 24\nhang-timeout = 5\nbackoff-min = 0.05\n'
		for name in "${names[@]}"; do
			printf '[port %s]\ndevice = pci:%s\n' "$name" "${address[$name]}"
		done
		# besides nvme.ko, something that makes a BUG when it is told to
		printf '[port %s]\nmodule = %s/tests/modules/udf_doomed.ko\n' $bugged "$UDF_BUILD"
	} >udf.conf
	insmod "$kmod" || die "udf_port.ko cannot be loaded"
	UDF_KERNEL_ROOT=$UDF_BUILD/kernel/root "$UDF_BUILD/udfd" --config udf.conf --state-dir state 2>udfd.log &
	udfd=$!
	vm_until 120 all_there || die "not all ports run"
	say "udfd runs twelve driver processes; the kernel has twelve block devices:"
	"$udf" ports
	lsblk -d -o NAME,SIZE,SERIAL,TRAN,TYPE | grep -c '^udf-.* disk' | sed 's/^/lsblk lists /; s/$/ of them/'
}

all_there() {
	local name

	for name in "${names[@]}"; do
		[ -b "/dev/${disk[$name]}" ] || return 1
	done
}

make_files() {
	local sum

	modprobe ext4
	mkdir -p mnt
	mkfs.ext4 -q -F "/dev/${disk[$with_files]}" && mount "/dev/${disk[$with_files]}" mnt || die "no file system"
	cp -r "$UDF_TOP/lib/host" mnt/ || die "files cannot be written"
	sum=$(find mnt/host -type f | wc -l)
	say "ext4 on ${disk[$with_files]}, with $sum files of UDF's source"
}

# ---- the load ----

start_load() {
	local name file

	{
		printf '[global]\nioengine=libaio\ndirect=1\nthread=1\nrw=randwrite\nbsrange=4k-32k\nsize=16M\niodepth=4\nrate_iops=40,40\n'
		printf 'verify=crc32c\nverify_fatal=1\nverify_backlog=16\nloops=1000000\nlog_unix_epoch=1\n'
		for name in "${names[@]}"; do
			file=/dev/${disk[$name]}
			[ $name != $with_files ] || file=/run/mnt/load
			# a colon would divide the name
			printf '[%s]\nfilename=%s\nwrite_lat_log=%s\n' "$name" "${file//:/\\:}" "$name"
		done
	} >load.fio
	fio --output-format=json --output=fio.json load.fio 2>fio.err &
	fio=$!
	for name in "${names[@]}"; do
		vm_until 60 goes_on "$name" 50 || die "$name: fio does not start"
	done
	say "fio writes on all twelve at random, up to 40 requests a second each, and reads back and verifies"
}

completed() {			# PORT: requests so far
	local s

	read -r -a s <"/sys/block/${disk[$1]}/stat"
	echo $((s[0] + s[4]))
}

goes_on() {			# PORT COUNT
	[ "$(completed "$1")" -gt "$2" ]
}

# How much each port has done, every two seconds.
show_progress() {
	local name now line
	local -A before=()

	for name in "${names[@]}"; do before[$name]=$(completed "$name"); done
	while sleep 2; do
		line=
		for name in "${names[@]}"; do
			now=$(completed "$name")
			line+=$(printf ' %4d' $((now - before[$name])))
			before[$name]=$now
		done
		say "requests in 2 s:$line"
	done
}

# ---- three of them die ----

writes() {			# PORT: one is in flight
	local reads writes

	read -r reads writes <"/sys/block/${disk[$1]}/inflight"
	[ "$writes" -gt 0 ]
}

# Write in large pieces besides, where fio does not, until one is seen in flight: fio's own are too short for being met.
begin_write() {			# PORT
	local where=(of="/dev/${disk[$1]}" seek=32)

	[ "$1" != $with_files ] || where=(of=/run/mnt/more)
	dd if=/dev/zero "${where[@]}" bs=1M count=16 oflag=direct conv=notrunc status=none &
	writer=$!
	until writes "$1"; do
		kill -0 $writer 2>/dev/null || return 1
	done
}

kill_driver() { kill -KILL "$1"; }
stop_driver() { kill -STOP "$1"; }

# The module says where it looks for being told.
bug_driver() {
	local where

	where=$("$udf" logs $bugged | sed -n 's/.*udf_doomed: write 1 to \([0-9a-f]*\).*/\1/p' | tail -n 1)
	printf '\1' | dd of="/proc/$1/mem" bs=1 seek=$((16#$where)) conv=notrunc status=none
}

runs_anew() {			# PORT
	[ "$(cat "/sys/block/${disk[$1]}/state")" = coupled ] && [ "$(member "$1" state)" = running ] && [ "$(member "$1" pid)" != "${pid[$1]}" ]
}

death() {			# PORT TEXT COMMAND
	local name=$1 other
	local -A before=()

	pid[$name]=$(member "$name" pid)
	for other in "${names[@]}"; do before[$other]=$(completed "$other"); done
	vm_until 30 begin_write "$name" || die "$name: nothing is written"
	"$3" "${pid[$name]}" || die "$name: $3"
	happened[$name]=$2
	say "$name: $2, while it writes"
	vm_until 60 runs_anew "$name" || die "$name does not run again"
	vm_until 30 goes_on "$name" "$(completed "$name")" || die "$name: I/O does not go on"
	wait $writer || die "$name: a write has failed"
	for other in "${names[@]}"; do
		goes_on "$other" "${before[$other]}" || die "$other: no I/O while $name had no driver"
	done
	say "$name: another driver process does its work, $(member "$name" gap-ms) ms after the loss; recorded: $("$udf" failures "$name" --json | tail -n 1 | jq -r '"\(.kind): \(.why)"')"
	kill -0 $fio 2>/dev/null || die "fio has ended: $(head -n 3 fio.err)"
}

# ---- what became of it ----

end_load() {
	local status=0

	kill -TERM $fio
	wait $fio || status=$?
	# that is what fio says if it was ended by a signal
	[ $status = 128 ] && [ ! -s fio.err ] || { cat fio.err; die "fio: exit status $status"; }
	sed -n '/^{/,$p' fio.json | jq -r '.jobs[] | "\(.jobname) \(.error) \(.write.total_ios) \(.read.total_ios)"' >jobs
	say "fio has ended: $(awk '{ e += $2; w += $3; r += $4 } END { print w " writes, " r " reads verified, " e + 0 " errors, 0 mismatches" }' jobs)"
}

check_files() {
	diff -r "$UDF_TOP/lib/host" mnt/host || die "files are not what they were"
	umount mnt
	e2fsck -fn "/dev/${disk[$with_files]}" >e2fsck 2>&1 || { cat e2fsck; die "the file system is damaged"; }
	say "the file system's files are what they were, and e2fsck finds nothing"
}

gap_of() {			# PORT: the longest time without a completion that fio has seen, ms
	sort -n -t , "$1"_clat.*.log | awk -F , 'NR > 1 && $1 - last > gap { gap = $1 - last } { last = $1 } END { print gap + 0 }'
}

row() { printf '   %-12s %-13s %-12s %-8s %9s %9s %8s %9s %7s\n' "$@"; }

table() {
	local name error w r gap recorded quiet=0 shortest=999999 bad=0
	local -A restarts=()

	while read -r name r; do restarts[$name]=$r; done < <("$udf" ports --json | jq -r '"\(.name) \(.restarts)"')
	echo
	row PORT "FUNCTION" "HAPPENED" RECORDED "RESTARTS" "LONGEST" WRITES VERIFIED ERRORS
	row "" "" "" AS "" "I/O GAP" "" "" ""
	while read -r name error w r; do
		gap=$(gap_of "$name")
		recorded=
		if [ "${happened[$name]}" = - ]; then
			[ "$gap" -le $quiet ] || quiet=$gap
			[ "${restarts[$name]}" = 0 ] || { echo "$name was restarted"; bad=1; }
		else
			[ "$gap" -ge $shortest ] || shortest=$gap
			[ "${restarts[$name]}" = 1 ] || { echo "$name was not restarted once"; bad=1; }
			recorded=$("$udf" failures "$name" --json | jq -r .kind | xargs)
		fi
		row "$name" "${address[$name]}" "${happened[$name]}" "$recorded" "${restarts[$name]}" "$gap ms" "$w" "$r" "$error"
		[ "$error" = 0 ] && [ "$w" -ge 48 ] && [ "$r" -ge $((w - 64)) ] || { echo "$name: not all is verified"; bad=1; }
	done <jobs
	echo
	say "ports whose driver died were without I/O for $shortest ms or more, the others, who share two emulated CPUs with their successors, for $quiet ms at most"
	[ "$(wc -l <jobs)" = ${#names[@]} ] && [ $bad = 0 ]
}

show_modules() {
	local file sum

	for file in nvme-core nvme; do
		sum=$(cd "$UDF_BUILD/kernel/root" && sha256sum "lib/modules/$(uname -r)/kernel/drivers/nvme/host/$file.ko") || die "$file.ko"
		grep -q "^file $(sed 's/  / /' <<<"$sum") " "$UDF_BUILD/kernel/manifest" || die "$file.ko is not the package's"
		say "$file.ko is the package's: SHA-256 ${sum%% *}"
	done
}

stop_ports() {
	local name

	for name in "${names[@]}"; do "$udf" stop "$name" & stopping+=($!); done
	wait "${stopping[@]}" || die "a port does not stop"
	kill $udfd
	wait $udfd
	rmmod udf_port || die "udf_port.ko is in use"
	say "all ports are stopped, and udf_port.ko is unloaded"
}
stopping=()

start_ports
show_modules
make_files
start_load
show_progress &
progress=$!
death $killed "kill -9" kill_driver
death $bugged "BUG" bug_driver
death $stopped "SIGSTOP" stop_driver
vm_until 30 goes_on $stopped "$(($(completed $stopped) + 50))" || die "I/O does not go on"
kill $progress
end_load
check_files
table || exit 1
stop_ports
