# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# guest.sh: for the scripts of this folder, which are like the cases of tests/vm. bench_machine VARIANT MODE describes the machine: one controller
# with a null back end. MODE is count (one processor, its instructions are counted), one (processor), single (two that take turns in one
# thread of QEMU's) or time (two in a thread each). No pages of the guest's are gathered to huge ones, which costs at times that have nothing to do
# with I/O.
. "${UDF_TOP:-.}/tests/vm/vm.sh"

bench_machine() {
	vm_drivers
	vm_backend -blockdev driver=null-co,node-name=null,size=1073741824,read-zeroes=off
	vm_device nvme,id=null,serial=null,drive=null
	vm_kernel norandmaps transparent_hugepage=never
	[ "$2" != count ] || bench_count
	bench=$UDF_BUILD/bench/vm
	bench_mode=$2
	latency=$([ "$2" = count ] || echo --latency 1)
	[ "$2" != one ] || vm_smp=1
	case $2 in
	single) vm_threads=single ;;
	# most of it reads from a device that stays; recovery.sh may see QEMU die (tests/vm/vm.sh tells why)
	time) vm_threads=multi ;;
	esac
}

bench_count() {
	vm_smp=1
	vm_backend -plugin "$UDF_BUILD/bench/vm/count.so,out=$UDF_WORK/share/counts"
}

# ---- for the guest ----

# bench_load LABEL DEVICE DEPTH [OPTION...]: a line of results
bench_load() {
	local label=$1 device=$2 depth=$3 line
	shift 3
	if [ "$bench_mode" = count ]; then
		line=$("$bench/${bench_program:-load}" "$device" --depth "$depth" --count "${bench_reads:-9000}" "$@")
		sync
		cp counts "counts.$label.$depth"
		line+=$(awk -v n="${line##* ios=}" '/^(kernel|load|user) / { printf " %s=%.0f", $1, $2 / n; sum += $2 } END { printf " insns=%.0f", sum / n }' counts)
	else
		line=$("$bench/${bench_program:-load}" "$device" --depth "$depth" --seconds "${bench_seconds:-3}" "$@")
	fi
	echo "$label $line"
}

# bench_fio LABEL DEVICE DEPTH: the same by fio as it is, which sends one request at a time and takes what is there
bench_fio() {
	fio --name=bench --filename="${2//:/\\:}" --direct=1 --ioengine=io_uring --rw=randread --bs=4k --iodepth="$3" --time_based \
		--runtime="${bench_seconds:-3}" --minimal >fio.out
	awk -F';' -v label="$1" -v depth="$3" '{ printf "%s fio depth=%s iops=%d us_per_io=%.2f\n", label, depth, $8, 1e6 / $8 }' fio.out
}

bench_native() {
	[ -b /dev/nvme0n1 ] && return
	vm_bind 0000:01:00.0 nvme
	vm_until 20 test -b /dev/nvme0n1
}

bench_disk=/dev/udf-0000:01:00.0-nvme0n1
bench_pid=

# bench_udf OPTION...: the driver process, until bench_udf_end
bench_udf() {
	[ -n "$bench_pid" ] && return
	vm_bind 0000:01:00.0
	vm_serve 0000:01:00.0 "$@"
	bench_pid=$pid
	vm_until 20 grep -q nvme0n1 disks
	vm_until 20 test -b $bench_disk
}

bench_udf_end() {
	kill -TERM $bench_pid
	wait $bench_pid
	bench_pid=
}
