#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 480
# long-timeout: 3600
# variants: plain iommu
#
# Two ports under verified load, one through ext4, one raw. Their driver processes are killed, stopped, and die of a BUG, udfd with them,
# one time after the other (UDF_LONG=1: 200 deaths and more). Nobody gets an error, nothing is mixed up, what was written before is there,
# and while a port is gone the other's I/O goes on. Then: rmmod is refused, the disk goes to the kernel's own driver and back, and a
# third one is unplugged with requests in flight, which fail.
. "${UDF_TOP:-.}/tests/vm/block.bash"
# shellcheck disable=SC2034 # vm_start reads it
vm_memory=1536
vm_nvme a 256M
vm_nvme b 256M
vm_nvme c 64M
vm_start "$@"

set -e
cd /run
block_load
rounds=1
[ -z "$UDF_LONG" ] || rounds=20
declare -A address=([a]=0000:01:00.0 [b]=0000:02:00.0 [c]=0000:03:00.0) disk_of=() load=() deaths=([a]=0 [b]=0)
lines=()
for port in a b c; do
	lines+=("[port $port]" "device = pci:${address[$port]}" "module = $UDF_BUILD/tests/modules/udf_doomed.ko")
done
block_udfd "${lines[@]}" 'start = off'
for port in a b; do
	block_port $port "${address[$port]}"
	disk_of[$port]=$disk
done

# ---- what is at stake ----

mkfs.ext4 -q -F "/dev/${disk_of[a]}"
mkdir -p mnt
mount -t ext4 "/dev/${disk_of[a]}" mnt
head -c 8M /dev/urandom >precious
cp precious mnt/precious
dd if=precious of="/dev/${disk_of[b]}" bs=1M seek=240 oflag=direct status=none
sync

start_load() {			# PORT FILE OPTION...
	local file=$2 port=$1
	shift 2
	fio --name="$port" --filename="${file//:/\\:}" --ioengine=libaio --direct=1 --rw=randwrite --bsrange=4k-64k --size=32M --iodepth=8 --rate_iops=100,100 \
		--verify=crc32c --verify_fatal=1 --verify_backlog=32 --loops=1000000 --output-format=json --output="fio-$port.json" "$@" 2>"fio-$port.err" &
	load[$port]=$!
}

end_load() {			# PORT
	local status=0

	kill -TERM "${load[$1]}"
	wait "${load[$1]}" || status=$?
	# that is what fio says if a signal ended it
	[ $status = 128 ] || { cat "fio-$1.err" "fio-$1.json"; vm_fail "$1: fio ended with $status"; }
	block_fio_done "$1" 128
}

start_load a mnt/load --fsync=64
start_load b "/dev/${disk_of[b]}"

# ---- deaths ----

completed() {			# PORT: requests so far
	awk '{ print $1 + $5 }' "/sys/block/${disk_of[$1]}/stat"
}

goes_on() {			# PORT COUNT
	[ "$(completed "$1")" -gt "$2" ]
}

check_loads() {
	local port

	for port in a b; do
		kill -0 "${load[$port]}" 2>/dev/null || { cat fio-$port.err fio-$port.json; vm_fail "$port: fio has ended"; }
	done
}

runs_anew() {			# PORT PID
	vm_runs_anew "$1" "$2" && [ "$(cat "/sys/block/${disk_of[$1]}/state")" = coupled ]
}

recovers() {			# PORT PID: another process than PID does what is to be done
	local count

	vm_until 60 runs_anew "$1" "$2" || { tail -n 60 udfd.log; vm_fail "$1 does not run again"; }
	count=$(completed "$1")
	vm_until 30 goes_on "$1" "$count" || vm_fail "$1: I/O does not go on"
	check_loads
}

bug() {				# PORT PID
	local where

	where=$("$udf" logs "$1" | sed -n 's/.*udf_doomed: write 1 to \([0-9a-f]*\).*/\1/p' | tail -n 1)
	printf '\1' | dd of="/proc/$2/mem" bs=1 seek=$((16#$where)) conv=notrunc status=none
}

kind_of() {			# PORT: of its last failure
	"$udf" failures "$1" --json | tail -n 1 | jq -r .kind
}

# How the end of a process is recorded that is killed: nobody can know if an earlier udfd had started it.
declare -A kill_is=([a]=signal [b]=signal)

# death HOW PORT: the other one's I/O goes on as long as the port is gone
death() {
	local how=$1 port=$2 other count pid kind=${kill_is[$2]} start=${EPOCHREALTIME/./}

	other=$([ "$port" = a ] && echo b || echo a)
	pid=$(vm_member "$port" pid)
	case $how in
	kill) kill -KILL "$pid" ;;
	stop) kill -STOP "$pid"; kind=hang ;;
	bug) bug "$port" "$pid"; kind=bug ;;
	esac
	count=$(completed "$other")
	vm_until 30 goes_on "$other" "$count" || vm_fail "$other: I/O does not go on while $port is gone"
	recovers "$port" "$pid"
	[[ $(kind_of "$port") = $kind ]] || vm_fail "$port: $how is recorded as $(kind_of "$port")"
	kill_is[$port]=signal
	echo "$port: $how, at work again after $(((${EPOCHREALTIME/./} - start) / 1000)) ms"
	deaths[$port]=$((deaths[$port] + 1))
}

has_pid() {			# PORT PID: another process than that is at work, if only to start
	local pid
	pid=$(vm_member "$1" pid)
	[ "$pid" != null ] && [ "$pid" != "$2" ]
}

# Killed, and its successor too as soon as there is one, while it starts.
death_twice() {			# PORT
	local first second

	first=$(vm_member "$1" pid)
	kill -KILL "$first"
	vm_until 30 has_pid "$1" "$first"
	second=$(vm_member "$1" pid)
	kill -KILL "$second"
	recovers "$1" "$second"
	deaths[$1]=$((deaths[$1] + 2))
}

death_of_both() {
	local a b

	a=$(vm_member a pid) b=$(vm_member b pid)
	kill -KILL "$a" "$b"
	recovers a "$a"
	recovers b "$b"
	deaths[a]=$((deaths[a] + 1)) deaths[b]=$((deaths[b] + 1))
}

# udfd is killed when it has just begun to replace a driver process.
death_of_udfd() {			# PORT
	local pid

	pid=$(vm_member "$1" pid)
	kill -KILL "$pid"
	vm_until 30 has_pid "$1" "$pid"
	kill -KILL "$udfd"
	wait "$udfd" || :
	vm_udfd
	recovers "$1" "$pid"
	kill_is=([a]=unknown [b]='@(signal|unknown)')
	deaths[$1]=$((deaths[$1] + 1))
}

for ((round = 1; round <= rounds; round++)); do
	death kill a
	death kill b
	death bug a
	death bug b
	death stop "$([ $((round % 2)) = 1 ] && echo a || echo b)"
	death_twice a
	death_of_both
	death_of_udfd b
	echo "round $round: a has died ${deaths[a]} times, b ${deaths[b]}"
done
for port in a b; do
	end_load $port
	"$udf" failures $port | grep -v '^ ' || :
done

# ---- what became of it ----

cmp precious mnt/precious || vm_fail "what was on the file system"
rm mnt/load
! rmmod udf_port 2>/dev/null || vm_fail "rmmod while a file system is mounted"
umount mnt
e2fsck -fn "/dev/${disk_of[a]}" >e2fsck 2>&1 || { cat e2fsck; vm_fail "e2fsck"; }
! grep "in use" e2fsck || vm_fail "a file system that was unmounted is in use"
dd if="/dev/${disk_of[b]}" bs=1M skip=240 count=8 iflag=direct status=none | cmp - precious || vm_fail "what was on the disk"

echo "to the kernel's own driver, and back"
"$udf" stop a
block_stock "${address[a]}"
vm_until 10 test ! -e "/dev/${disk_of[a]}" || vm_fail "the block device is still there"
mount -t ext4 "/dev/$disk" mnt
cmp precious mnt/precious
head -c 4M precious >mnt/more
umount mnt
block_port a "${address[a]}"
mount -t ext4 "/dev/$disk" mnt
cmp precious mnt/precious
head -c 4M precious | cmp - mnt/more
umount mnt

echo "unplugged"
block_port c "${address[c]}"
disk_of[c]=$disk
start_load c "/dev/$disk"
vm_until 20 goes_on c 100
exec 3<"/dev/$disk"
vm_monitor device_del c
status=0
wait "${load[c]}" || status=$?
[ $status != 0 ] || vm_fail "fio has noticed nothing"
# a write that begins after the disk has gone finds one of size 0, as with any driver
grep -m 1 'Input/output error\|No such device\|"error" : 28' fio-c.err fio-c.json || { cat fio-c.json; vm_fail "fio has failed of something else"; }
"$calls" failed "$disk"
# who has it open still finds no end of the world, but the end of the disk
[ "$(dd bs=4k count=1 iflag=direct <&3 2>/dev/null | wc -c)" = 0 ] || vm_fail "a device that is gone can be read"
exec 3<&-
vm_until 20 test ! -e "/dev/$disk" -a ! -e "/sys/bus/pci/devices/${address[c]}"

block_end
