# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# For the cases about the kernel's block devices, which source it instead of vm.sh.
#
# Second argument of a case: whose block devices are tested. `udf`, the default, are udf_port's, /dev/udf-ADDRESS-NAME, with a driver
# process of udfd's behind each; `stock` are those of the stock driver in the guest's kernel, of which all the same must hold: that proves
# the tests. A disk is named as in /sys/block.
. "${UDF_TOP:-.}/tests/vm/vm.sh"
vm_drivers
# shellcheck disable=SC2034 # the cases use them
front=${2-udf} dev=
# shellcheck disable=SC2034
calls=$UDF_BUILD/vm/block-calls udf=$UDF_BUILD/udf
# nobody makes device nodes for LVM
export LVM_SUPPRESS_FD_WARNINGS=1 DM_DISABLE_UDEV=1

# ---- disks ----

# block_load: what is needed in the guest, whichever front is tested
block_load() {
	modprobe -a sd_mod ext4 xfs dm-mod loop || vm_fail "modules"
	[ "$front" != udf ] || insmod "$kmod" || vm_fail "udf_port.ko"
}

# block_stock ADDRESS: hand it to the kernel's own driver, and name its disk in $disk
block_stock() {
	local pci=/sys/bus/pci/devices/$1

	vm_unbind "$1"
	echo >"$pci/driver_override"
	modprobe "$(cat "$pci/modalias")"
	[ -e "$pci/driver" ] || echo "$1" >/sys/bus/pci/drivers_probe
	vm_until 20 block_find "$1" || vm_fail "$1 has no disk with the kernel's own driver"
}

block_find() {			# ADDRESS
	local d

	for d in /sys/block/*; do
		case ${d##*/},$(readlink -f "$d") in
		udf-*) ;;
		*"/$1/"*) disk=${d##*/}; return 0 ;;
		esac
	done
	return 1
}

# block_udfd LINE...: start udfd; the lines are of the configuration, sections of ports included
block_udfd() {
	{
		printf '[defaults]\nhang-timeout = 5\nbackoff-min = 0.05\nbackoff-max = 0.5\nstable = 1\nmemory = 32\n'
		printf '%s\n' "$@"
	} >/run/udf.conf
	vm_udfd
}

# block_port NAME ADDRESS: start it if it is stopped, and name its disk, or one of them, in $disk
block_port() {
	[ "$(vm_member "$1" state)" != stopped ] || "$udf" start "$1" || vm_fail "$1 does not start"
	vm_until 40 block_appears "udf-$2-" || { cat /run/udfd.log; vm_fail "$1 has no block device"; }
}

block_appears() {		# PREFIX
	local d

	for d in /sys/block/"$1"*; do
		[ -b "/dev/${d##*/}" ] || return 1
		disk=${d##*/}
	done
}

# block_get ADDRESS [LINE...]: one disk, of the front that is tested, in $disk; the lines are for the port's section of the configuration
block_get() {
	local address=$1
	shift
	if [ "$front" = stock ]; then
		block_stock "$address"
	else
		block_udfd '[port a]' "device = pci:$address" "$@"
		block_port a "$address"
	fi
	# shellcheck disable=SC2034
	dev=/dev/$disk
}

# ---- limits ----

# Of a queue, what a stock driver's and udf_port's may have different, and why.
declare -A block_may_differ=(
	[io_poll]='there are no polled queues' [io_poll_delay]='there are no polled queues'
	[add_random]="no entropy from a disk's timing"
	[io_timeout]='a request waits for the next driver process'
	[nr_requests]="the ring's entries" [scheduler]="the kernel's choice, by the number of queues" [wbt_lat_usec]='follows from the scheduler'
	[max_segments]="the ring's" [max_segment_size]="the ring's" [max_hw_sectors_kb]="the ring's" [max_sectors_kb]="the ring's"
	[virt_boundary_mask]='requests are divided in the driver process' [max_discard_segments]='one range in a request'
	[max_integrity_segments]='no protection information' [dma_alignment]='segments are whole blocks'
)
# Of those, what may be less but not more.
block_no_more=' max_segments max_segment_size max_hw_sectors_kb max_sectors_kb max_discard_segments max_integrity_segments '

# block_limits DISK: what is known of it, a line each
block_limits() {
	local file what

	for file in /sys/block/"$1"/queue/*; do
		[ ! -f "$file" ] || echo "${file##*/} $(cat "$file" 2>/dev/null)"
	done
	for file in ro removable alignment_offset discard_alignment size; do
		echo "$file $(cat "/sys/block/$1/$file")"
	done
	for what in getss getpbsz getiomin getioopt getalignoff getbsz getra getsize64; do
		echo "$what $(blockdev --$what "/dev/$1")"
	done
}

# block_compare STOCK TESTED: two outputs of block_limits
block_compare() {
	local name value other bad=0
	local -A tested=()

	while read -r name value; do tested[$name]=$value; done <"$2"
	while read -r name value; do
		other=${tested[$name]-missing}
		[ "$value" != "$other" ] || continue
		case $block_no_more in
		*" $name "*) [ "$other" -le "$value" ] || { echo "$name: stock $value, here $other, which is more"; bad=1; } ;;
		esac
		[ -n "${block_may_differ[$name]-}" ] || { echo "$name: stock '$value', here '$other'"; bad=1; continue; }
		echo "$name: stock '$value', here '$other': ${block_may_differ[$name]}"
	done <"$1"
	[ "$(wc -l <"$1")" -gt 40 ] || { echo "the list is too short"; bad=1; }
	[ $bad = 0 ] || vm_fail "limits"
}

# ---- load ----

# block_fio NAME FILE OPTION...: run fio, which must read and write without an error; verifies all it writes unless told otherwise
block_fio() {
	local name=$1 file=$2 json=/run/fio-$1.json
	shift 2
	# a colon in a name would divide it
	fio --name="$name" --filename="${file//:/\\:}" --ioengine=libaio --direct=1 --rw=randrw --verify=crc32c --verify_fatal=1 \
		--output-format=json --output="$json" "$@" || { cat "$json"; vm_fail "fio $name"; }
	block_fio_done "$name"
}

block_fio_done() {		# NAME [UNVERIFIED]: of what it has written so many may not have been read again
	local errors reads writes trims ms

	# what is before the object are messages
	read -r errors reads writes trims ms < <(sed -n '/^{/,$p' "/run/fio-$1.json" | jq -r '.jobs |
		[map(.error), map(.read.total_ios), map(.write.total_ios), map(.trim.total_ios), map(.job_runtime)] | map(add) | join(" ")')
	echo "fio $1: $reads reads, $writes writes, $trims trims, $ms ms"
	[ "$errors" = 0 ] || vm_fail "fio $1: error $errors"
	[ $((reads + trims)) -gt 0 ] || vm_fail "fio $1: it has done nothing"
	# what is written is read, to verify it
	[ "$reads" -ge $((writes - ${2-0})) ] || vm_fail "fio $1: it has not verified all"
}

# block_files FOLDER: real files go there and are compared, before and after the caches are dropped
block_files() {
	local from=$UDF_TOP/lib/loader

	mkdir "$1/tree"
	cp -r "$from" "$1/tree/a"
	cp -r "$1/tree/a" "$1/tree/b"
	rm -r "$1/tree/a"
	sync -f "$1"
	echo 3 >/proc/sys/vm/drop_caches
	diff -r "$from" "$1/tree/b" || vm_fail "files are not what they were"
}

# block_ext4 FILE, block_xfs FILE: make a file system there, use it, and check it
block_ext4() {
	mkfs.ext4 -q -F "$1"
	mkdir -p /run/mnt
	mount -t ext4 "$1" /run/mnt
	block_files /run/mnt
	block_fio ext4 /run/mnt/file --size=4M --bs=4k --iodepth=8 --fsync=32
	block_fio ext4-mapped /run/mnt/file --size=2M --bs=4k --ioengine=mmap --direct=0
	fstrim /run/mnt
	diff -r "$UDF_TOP/lib/loader" /run/mnt/tree/b || vm_fail "fstrim took files"
	umount /run/mnt
	e2fsck -fn "$1" || vm_fail "e2fsck"
	echo "ext4: ok"
}

block_xfs() {
	mkfs.xfs -q -f "$1"
	mkdir -p /run/mnt
	mount -t xfs "$1" /run/mnt
	block_files /run/mnt
	block_fio xfs /run/mnt/file --size=4M --bs=4k --iodepth=8 --fsync=32
	umount /run/mnt
	xfs_repair -n "$1" >/run/xfs_repair 2>&1 || { cat /run/xfs_repair; vm_fail "xfs_repair"; }
	echo "xfs: ok"
}

# ---- what a case has done ----

# block_end: the module can go, so nothing holds a port, a disk or a request
block_end() {
	local port

	[ "$front" = udf ] || return 0
	for port in $("$udf" ports --json | jq -r .name); do
		"$udf" stop "$port" || vm_fail "$port does not stop"
	done
	kill "$udfd"
	wait "$udfd"
	rmmod udf_port || vm_fail "the module is in use"
}
