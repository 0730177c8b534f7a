#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# timeout: 450
# variants: plain
# more variants: iommu
#
# A zoned disk: its zones as the tools see them, writes at the write pointer and elsewhere, limits to open zones, zonefs, appends; and a
# driver that is killed while writes are in the device, which performs them: they must not be performed again, and not fail.
# block.bash tells of the second argument.
. "${UDF_TOP:-.}/tests/vm/block.bash"
# zoned NAME SIZE BLOCK OPTION...: a controller with a zoned namespace of a file, with blocks of so many bytes; OPTION: QEMU's, for what is between the two
zoned() {
	truncate -s "$2" "${UDF_WORK:-.}/$1.img"
	vm_device "nvme,id=$1,serial=$1"
	vm_backend -blockdev "driver=file,node-name=$1-file,filename=$1.img" "${@:4}" -device "nvme-ns,bus=$1,drive=$1-disk,\
logical_block_size=$3,physical_block_size=$3,zoned=on,zoned.zone_size=4M,zoned.zone_capacity=3M,zoned.max_open=4,zoned.max_active=6"
}
zoned a 64M 512 -blockdev driver=raw,node-name=a-disk,file=a-file
zoned b 32M 512 -object throttle-group,id=slow,x-iops-write=20 -blockdev driver=throttle,throttle-group=slow,node-name=b-disk,file=b-file
zoned c 32M 4096 -blockdev driver=raw,node-name=c-disk,file=c-file
vm_start "$@"

set -e
cd /run
block_load
a=0000:01:00.0 b=0000:02:00.0 c=0000:03:00.0

block_stock $a
block_limits "$disk" >stock
vm_unbind $a
block_get $a "[port b]" "device = pci:$b"
block_limits "$disk" >tested
block_compare stock tested
grep -h -e zone -e chunk stock
[ "$(cat "/sys/block/$disk/queue/zoned") $(cat "/sys/block/$disk/queue/nr_zones")" = "host-managed 16" ]

# zone N FIELD: of the report, such as wptr 0x000010, in sectors from the zone's begin, or its condition
zone() {
	blkzone report -o $(($1 * 8192)) -c 1 "$dev" >zones
	case $2 in
	wptr) echo $(($(sed 's/.*wptr \(0x[0-9a-f]*\).*/\1/' zones))) ;;
	cond) sed 's/.*zcond: *[0-9]*(\([a-z]*\)).*/\1/' zones ;;
	esac
}
# put OFFSET-IN-4K COUNT: of what is in the file `random`
put() { dd if=random of="$dev" bs=4k skip=$(($1 % 768)) seek="$1" count="$2" oflag=direct status=none; }

echo "reports"
blkzone report "$dev" | tee all
[ "$(grep -c 'start: 0x.*len 0x002000, cap 0x001800.*SEQ_WRITE_REQUIRED' all)" = 16 ]
[ "$(blkzone report -o 32768 -c 5 "$dev" | wc -l)" = 5 ]

echo "writes"
head -c 3M /dev/urandom >random
put 0 1 && put 1 99
[ "$(zone 0 wptr) $(zone 0 cond)" = "800 oi" ]
dd if="$dev" bs=4k count=100 iflag=direct status=none | cmp - <(head -c 400k random)
! put 200 1 2>err || vm_fail "a write beyond the write pointer"
! put 0 1 2>err || vm_fail "a write before the write pointer"
grep "Input/output error" err
[ "$(zone 0 wptr)" = 800 ]
dd if=random of="$dev" bs=1M seek=4 oflag=direct status=none
[ "$(zone 1 cond)" = fu ]
dd if="$dev" bs=1M skip=4 count=3 iflag=direct status=none | cmp - random
! put $((1024 + 768)) 1 2>err || vm_fail "a write beyond the zone's capacity"

echo "management"
manage() { blkzone "$1" -o $(($2 * 8192)) -c 1 "$dev"; }
manage open 2
[ "$(zone 2 cond)" = oe ]
manage open 3 && manage open 4 && manage open 5
! manage open 6 2>err || vm_fail "more open zones than there can be"
for n in 2 3 4 5; do put $((n * 1024)) 1; manage close $n; [ "$(zone $n cond)" = cl ] || vm_fail "zone $n is not closed"; done
# zones 0 and 2 to 5 are active
put $((6 * 1024)) 1
! put $((7 * 1024)) 1 2>err || vm_fail "more active zones than there can be"
manage finish 2
[ "$(zone 2 cond)" = fu ]
manage reset 0
[ "$(zone 0 wptr) $(zone 0 cond)" = "0 em" ]
put 0 768
dd if="$dev" bs=1M count=3 iflag=direct status=none | cmp - random
blkzone reset "$dev"
[ "$(blkzone report "$dev" | grep -c '(em)')" = 16 ]
! blkzone reset -o 4096 -c 1 "$dev" 2>err || vm_fail "half a zone"
! manage reset 16 2>err || vm_fail "a zone behind the last one"

echo "load"
for depth in 1 16; do
	block_fio "depth-$depth" "$dev" --rw=write --zonemode=zbd --max_open_zones=4 --iodepth=$depth --bsrange=4k-256k --bs_unaligned=0 --size=64M
	blkzone reset "$dev"
done
block_fio random "$dev" --rw=randrw --rwmixread=70 --verify=0 --zonemode=zbd --max_open_zones=3 --job_max_open_zones=3 --iodepth=8 --bs=16k --size=64M --io_size=16M
blkzone reset "$dev"

echo "zonefs"
# le NUMBER: in four bytes
# shellcheck disable=SC2059
le() { printf "$(printf '\\x%02x' $(($1 & 255)) $(($1 >> 8 & 255)) $(($1 >> 16 & 255)) $(($1 >> 24 & 255)))"; }
# there is no mkfs in Debian: magic, the complement of the sum of it all, defaults
super() { le 0x5a4f4653; le "$1"; head -c 4088 /dev/zero; }
sum=$(super 0 | gzip -c | tail -c 8 | od -An -tu4 -N4)
super $((sum ^ 0xffffffff)) >first
dd if=first of="$dev" bs=4k oflag=direct status=none
modprobe zonefs
mkdir -p mnt
mount -t zonefs "$dev" mnt
[ "$(find mnt/seq -type f | wc -l)" = 15 ]
# asynchronous writes, for a synchronous one is an append, which zonefs of 6.1 does not find where it is
files() { block_fio "$1" "$2" --create_on_open=0 --allow_file_create=0 --file_append=1 --rw=write --bs=64k --iodepth=1 --size=3M "${@:3}"; }
files file-0 mnt/seq/0 --io_size=1M
files file-3 mnt/seq/3
umount mnt
mount -t zonefs "$dev" mnt
[ "$(stat -c %s mnt/seq/0 mnt/seq/3 mnt/seq/4 | xargs)" = "1048576 3145728 0" ]
cmp mnt/seq/3 <(dd if="$dev" bs=1M skip=16 count=3 iflag=direct status=none)
truncate -s 3M mnt/seq/0
[ "$(zone 1 cond)" = fu ]
truncate -s 0 mnt/seq/3
[ "$(zone 4 cond)" = em ]
umount mnt
blkzone reset "$dev"

echo "appends"
vm_target "$dev"
[ "$(cat "/sys/block/$far/queue/zoned")" = host-managed ]
"$calls" append "$far"
[ "$(zone 1 cond)" = fu ]
vm_target_end
blkzone reset "$dev"

if [ "$front" = udf ]; then
	echo "deaths"
	block_port b $b
	dev=/dev/$disk
	fio --name=deaths --filename="${dev//:/\\:}" --ioengine=libaio --direct=1 --rw=write --zonemode=zbd --max_open_zones=3 --iodepth=3 --bs=32k \
		--size=32M --verify=crc32c --verify_fatal=1 --output-format=json --output=/run/fio-deaths.json &
	fio=$!
	die() {
		victim=$(vm_member b pid)
		kill -KILL "$victim"
		vm_until 30 vm_runs_anew b "$victim"
	}
	for ((deaths = 0; deaths < 6; deaths++)); do
		sleep 2
		kill -0 $fio 2>/dev/null || break
		die
		# a report waits, too
		[ "$(blkzone report "$dev" | wc -l)" = 8 ]
	done
	echo "$deaths deaths"
	# how many it lasts for depends on how fast the machine is
	[ $deaths -ge 3 ] || vm_fail "fio has ended too early"
	wait $fio || { cat fio-deaths.json; vm_fail "fio has seen a driver die"; }
	block_fio_done deaths
	[ "$(vm_member b restarts)" = $deaths ]
	# of a write a part is on the disk
	for n in 1 2 3 4; do
		"$calls" pieces "$disk" &
		writer=$!
		sleep 0.$((n + 1))
		kill -0 $writer || vm_fail "the write has ended too early"
		die
		wait $writer || vm_fail "a write has seen a driver die"
	done
	# an append that has been performed, and is not performed once more
	vm_target "$dev"
	"$calls" fill "$far" &
	writer=$!
	for ((deaths = 0; deaths < 3; deaths++)); do
		sleep 1
		kill -0 $writer 2>/dev/null || break
		die
	done
	[ $deaths -ge 1 ] || vm_fail "the appends have ended too early"
	wait $writer || vm_fail "an append has seen a driver die"
	vm_target_end

	echo "what is there already"
	vm_bind $c
	serve_c() {
		vm_serve $c
		vm_until 20 block_appears udf-$c-
		vm_until 20 grep -q coupled "/sys/block/$disk/state"
	}
	is_stopped() { ! grep -h '^State:' /proc/$pid/task/*/status | grep -v 'T (stopped)'; }
	is_in_flight() { [ "$(awk '{ print $1 + $2 }' "/sys/block/$disk/inflight")" = 1 ]; }
	# interrupted WHAT PART: a request that writes the data, or zeroes, to the second zone is in the ring of a process that dies, and what is in
	# the file PART is there before the next one begins
	interrupted() {
		kill -STOP $pid
		vm_until 10 is_stopped
		case $1 in
		data) dd if=data of="$dev" bs=64k seek=64 oflag=direct status=none & ;;
		zeroes) blkdiscard -f -z -o 4M -l 64k "$dev" & ;;
		esac
		writer=$!
		vm_until 10 is_in_flight
		kill -KILL $pid
		wait $pid || :
		"$udf" write --device "pci:$c" --offset 4M --file "$2"
		serve_c
		wait $writer
	}
	# there FILE: what is in it is in the second zone, and nothing more
	there() {
		[ "$(zone 1 wptr)" = $(($(stat -c %s "$1") / 512)) ] || vm_fail "$(blkzone report -o 8192 -c 1 "$dev")"
		dd if="$dev" bs=64k skip=64 count=1 iflag=direct status=none | cmp -n "$(stat -c %s "$1")" - "$1"
		manage reset 1
	}
	serve_c
	dev=/dev/$disk
	[ "$(cat "/sys/block/$disk/queue/logical_block_size")" = 4096 ]
	head -c 64k random >data
	head -c 64k /dev/zero >zeroes
	for what in data zeroes; do
		for size in 4k 28k 64k; do
			head -c $size $what >part
			interrupted $what part || vm_fail "$what, of which $size is there: fails"
			there $what
		done
		# it is not what is there
		head -c 8k $what >part
		printf x | dd of=part bs=1 seek=5000 conv=notrunc status=none
		! interrupted $what part 2>err || vm_fail "$what, over something else"
		there part
	done
	kill -TERM $pid
	wait $pid || :
fi
block_end
