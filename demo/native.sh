#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# native.sh [BUILD-DIR]: four ports of one NVMe card, each driven by Debian's own nvme.ko in a process of its own, carry four file
# systems in and out at the same time. Says at the end what ran and what it cost; exit status 0 if every byte came back.
#
#   files --mkfs.ext4 -d--> portN.img --nbdcopy--> nbdkit + libudf + nvme.ko --> QEMU's NVMe function N --> portN.disk
#                           portN.out <--nbdcopy--      (one process a port)
#
# Nothing needs root, and nothing is left behind: neither a process nor a file.
set -u

top=$(realpath "$(dirname "$0")/..")
build=$(realpath "${1:-build}")
ports=(0 1 2 3)
vcpus=2
image_mib=48
need_mib=800
copy_limit_ms=60000
tree=$(realpath "$build/kernel/root")

export LC_ALL=C PATH=$PATH:/usr/sbin:/sbin
export XDG_CACHE_HOME=$build/cache	# the prepared kernel image stays with the build

work=
declare -A children=()			# process id -> what it is
failed=0
started=$EPOCHREALTIME

# ---- words to the user ----

ms_since() {				# EPOCHREALTIME
	echo $(((${EPOCHREALTIME/./} - ${1/./}) / 1000))
}

seconds() {				# MILLISECONDS
	printf '%d.%02d' $(($1 / 1000)) $(($1 % 1000 / 10))
}

# A step takes two lines at most: on a terminal its progress is shown in place.
step() {				# TEXT
	step=$1
	step_start=$EPOCHREALTIME
	[ ! -t 1 ] || printf '   %s ...' "$step"
}

progress() {				# TEXT
	[ ! -t 1 ] || printf '\r\033[K   %s ... %s' "$step" "$1"
}

step_done() {				# [RESULT]
	[ ! -t 1 ] || printf '\r\033[K'
	printf '%6s s  %s%s\n' "$(seconds "$(ms_since "$step_start")")" "$step" "${1:+: $1}"
}

problem() {				# TEXT
	[ ! -t 1 ] || printf '\r\033[K'
	printf 'demo: %s\n' "$*" >&2
	failed=1
}

# ---- processes ----

start() {				# NAME COMMAND...: in the background; its messages go to NAME.log. Sets child.
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 </dev/null &
	child=$!
	children[$child]=$name
}

# The exit status of a child; says so, with its last words, if it is not 0.
finish() {				# PID
	local status=0

	wait "$1" 2>/dev/null || status=$?
	[ "$status" = 0 ] || problem "${children[$1]} ended with status $status: $(tail -n 1 "$work/${children[$1]}.log")"
	unset "children[$1]"
	return "$status"
}

alive() {				# PID
	kill -0 "$1" 2>/dev/null
}

# What still runs is told to end, and killed if it does not within five seconds.
end_children() {
	local pid tries

	[ ${#children[@]} -eq 0 ] || kill -TERM "${!children[@]}" 2>/dev/null
	for pid in "${!children[@]}"; do
		for ((tries = 0; tries < 100; tries++)); do
			alive "$pid" || break
			sleep 0.05
		done
		! alive "$pid" || kill -KILL "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	children=()
}

clean_up() {
	trap '' INT TERM HUP
	end_children
	[ -z "$work" ] || rm -rf "$work"
}

interrupted() {
	[ ! -t 1 ] || printf '\r\033[K'
	echo "demo: interrupted; cleaning up" >&2
	exit 130
}
trap clean_up EXIT
trap interrupted INT TERM HUP

# ---- the parts ----

check_machine() {
	local tool free

	for tool in nbdkit nbdcopy mkfs.ext4 e2fsck debugfs qemu-system-x86_64; do
		command -v "$tool" >/dev/null || { problem "$tool is missing; 'make setup' installs it"; return 1; }
	done
	work=$(mktemp -d "${TMPDIR:-/tmp}/udf-demo.XXXXXX") || return 1
	free=$(df -Pm "$work" | awk 'NR == 2 { print $4 }')
	[ "$free" -ge $need_mib ] || { problem "${work%/*} has $free MiB left, $need_mib are needed; TMPDIR names another place"; return 1; }
	release=$(cat "$build/kernel/release")
}

# Different files for each port: real ones, from the kernel's packages.
files_of() {				# PORT
	local modules=$tree/lib/modules/$release/kernel

	case $1 in
	0) echo "$tree/usr/src"/linux-headers-*-common/include ;;
	1) echo "$modules/fs" ;;
	2) echo "$modules/net" ;;
	3) echo "$modules/sound" ;;
	esac
}

make_file_systems() {
	local port total=0

	step "making four ext4 file systems from real files"
	for port in "${ports[@]}"; do
		start "mkfs-$port" mkfs.ext4 -q -L "udf-port-$port" -d "$(files_of "$port")" "$work/port$port.img" "${image_mib}M"
		finish "$child" || return 1
		truncate -s "${image_mib}M" "$work/port$port.disk"
		total=$((total + $(find "$(files_of "$port")" -type f | wc -l)))
	done
	step_done "$total files, $image_mib MiB each"
}

# Once for each kernel; cached afterwards.
prepare_image() {
	step "preparing the kernel image $release"
	start image "$build/udf" image prepare
	finish "$child" || return 1
	step_done
}

uri() {					# PORT
	echo "nbd+unix:///?socket=$work/port$1.sock"
}

declare -A driver=()			# port -> process id
start_drivers() {
	local port

	step "starting four drivers, one process for each port"
	for port in "${ports[@]}"; do
		# nbdkit listens before its plugin is ready, and answers afterwards
		start "driver-$port" nbdkit -f -U "$work/port$port.sock" "$build/nbdkit-udf-plugin.so" \
			"device=qemu:nvme,serial=udf-port-$port" "function=$port" "drive=$work/port$port.disk" \
			"cpus=$vcpus" "stats=$work/port$port.json" timeout=30
		driver[$port]=$child
	done
	for port in "${ports[@]}"; do
		until nbdinfo --size "$(uri "$port")" >"$work/size" 2>/dev/null; do
			alive "${driver[$port]}" || { finish "${driver[$port]}"; return 1; }
			sleep 0.02
		done
		[ "$(cat "$work/size")" = $((image_mib << 20)) ] || { problem "port $port has a disk of $(cat "$work/size") bytes"; return 1; }
	done
	step_done "/dev/nvme0n1 of each is exported over NBD"
}

# Milliseconds that each port took.
declare -A in_ms=() out_ms=()
copy() {				# DIRECTION
	local direction=$1 port pid status=0 line begin turn=0
	local -A copier=()

	step "copying $direction, all four at once"
	begin=$EPOCHREALTIME
	for port in "${ports[@]}"; do
		case $direction in
		in) set -- "$work/port$port.img" "$(uri "$port")" ;;
		out) set -- "$(uri "$port")" "$work/port$port.out" ;;
		esac
		# --no-extents: every byte is read, holes of the image included
		start "nbdcopy-$direction-$port" nbdcopy --no-extents --sparse=0 --allocated --flush --connections=$vcpus \
			--progress=1 "$@"
		copier[$child]=$port
	done
	while [ ${#copier[@]} -gt 0 ]; do
		for pid in "${!copier[@]}"; do
			! alive "$pid" || continue
			case $direction in
			in) in_ms[${copier[$pid]}]=$(ms_since "$begin") ;;
			out) out_ms[${copier[$pid]}]=$(ms_since "$begin") ;;
			esac
			finish "$pid" || status=1
			unset "copier[$pid]"
		done
		if [ $((turn++ % 20)) = 10 ]; then
			copy_progress "$direction"
			[ "$(ms_since "$begin")" -lt $copy_limit_ms ] ||
				{ problem "copying $direction has not ended after $((copy_limit_ms / 1000)) s on port ${copier[*]}"; return 1; }
		fi
		sleep 0.01
	done
	[ $status = 0 ] || return 1
	step_done "$((image_mib * ${#ports[@]})) MiB at $((image_mib * ${#ports[@]} * 1048576 / 1000 / $(ms_since "$begin"))) MB/s in all"
}

copy_progress() {			# DIRECTION: what nbdcopy wrote last, "PERCENT/100"
	local port line=

	[ -t 1 ] || return 0
	for port in "${ports[@]}"; do
		line+="  port $port: $(tail -n 1 "$work/nbdcopy-$1-$port.log" | cut -d / -f 1) %"
	done
	progress "$line"
}

compare() {
	local port

	step "comparing with cmp, checking with e2fsck"
	for port in "${ports[@]}"; do
		cmp "$work/port$port.img" "$work/port$port.out" || { problem "port $port gave back other bytes than it was given"; return 1; }
		e2fsck -fn "$work/port$port.out" >"$work/e2fsck" 2>&1 || { problem "port $port: $(tail -n 1 "$work/e2fsck")"; return 1; }
	done
	step_done "$((image_mib * ${#ports[@]})) MiB came back as they were, four clean file systems"
}

show_files() {
	echo
	echo "What is in the file system that came back through port 0 (debugfs):"
	debugfs -R 'ls -p /linux' "$work/port0.out" 2>/dev/null |
		awk -F / '$6 ~ /\.h$/ && n++ < 5 { printf "   %8d  /linux/%s\n", $7, $6 } END { printf "   ... %d headers there\n", n }'
	echo
}

declare -A private_mib=()
measure_memory() {
	local port

	for port in "${ports[@]}"; do
		private_mib[$port]=$(awk '/^Private/ { kib += $2 } END { printf "%.1f", kib / 1024 }' "/proc/${driver[$port]}/smaps_rollup")
	done
}

stop_drivers() {
	local port status=0

	step "shutting the four devices down"
	kill -TERM "${driver[@]}"
	for port in "${ports[@]}"; do
		finish "${driver[$port]}" || status=1
	done
	[ $status = 0 ] || return 1
	step_done
}

# ---- the table ----

stat_of() {				# PORT KEY: a number of the driver's report
	sed -n "s/^ *\"$2\": *\([0-9]*\),\?$/\1/p" "$work/port$1.json"
}

modules_of() {				# PORT: files of the driver's modules, in the order of loading
	sed -n 's/^ *"file": *"\(.*\)",\?$/\1/p' "$work/port$1.json"
}

# The file that was loaded against what its package, as downloaded and verified by apt, holds.
declare -A package_sum=()
read_manifest() {
	local kind sum path package version

	while read -r kind sum path package; do
		[ "$kind" != file ] || package_sum[$path]=$sum
	done <"$build/kernel/manifest"
	read -r package version < <(sed -n 's/^package \(linux-image-[^ ]*\) \([^ ]*\) .*/\1 \2/p' "$build/kernel/manifest")
	echo "The modules that ran, and the SHA-256 of their files in the package $package $version as downloaded:"
}

check_modules() {
	local port file path sum

	read_manifest
	for port in "${ports[@]}"; do
		for file in $(modules_of "$port"); do
			path=$(realpath "$file")
			path=${path#"$tree/"}
			sum=$(sha256sum "$file" | cut -d ' ' -f 1)
			if [ "${package_sum[$path]-none}" != "$sum" ]; then
				problem "port $port runs $file, which is not the package's: SHA-256 $sum, not ${package_sum[$path]-known to it}"
			elif [ "$port" = 0 ]; then
				printf '   %-26s %s = package\n' "$(basename "$path")" "$sum"
			fi
		done
		[ -n "$(modules_of "$port")" ] || problem "port $port does not say which modules it ran"
	done
}

row() {
	printf '   %-5s %-9s %6s %9s %7s %8s %9s %9s %11s %10s\n' "$@"
}

table() {
	local port requests privileged interrupts bytes

	echo
	row PORT DRIVER VCPUS START-UP I/Os "MB/s IN" "MB/s OUT" "PRIVATE" PRIVILEGED INTERRUPTS
	row "" "" "" "" "" "" "" "MEMORY" "CALLS/I/O" "/I/O"
	for port in "${ports[@]}"; do
		requests=$(stat_of "$port" requests)
		bytes=$((image_mib << 20))
		[ "$(stat_of "$port" bytes_written)" = $bytes ] && [ "$(stat_of "$port" bytes_read)" -ge $bytes ] ||
			problem "port $port moved $(stat_of "$port" bytes_written) bytes in and $(stat_of "$port" bytes_read) out, not $bytes"
		privileged=$(($(stat_of "$port" privileged_calls) - $(stat_of "$port" privileged_calls_at_start)))
		interrupts=$(($(stat_of "$port" interrupts) - $(stat_of "$port" interrupts_at_start)))
		row "$port" "$(basename "$(modules_of "$port" | tail -n 1)")" "$(stat_of "$port" cpus)" \
			"$(($(stat_of "$port" ready_ns) / 1000000)) ms" "$requests" \
			"$((bytes / 1000 / in_ms[$port]))" "$((bytes / 1000 / out_ms[$port]))" "${private_mib[$port]} MiB" \
			"$(awk "BEGIN { printf \"%.2f\", $privileged / $requests }")" \
			"$(awk "BEGIN { printf \"%.2f\", $interrupts / $requests }")"
	done
	echo
}

# After a failure: what the drivers had to say.
last_words() {
	local port

	for port in "${!driver[@]}"; do
		[ ! -s "$work/driver-$port.log" ] || tail -n 3 "$work/driver-$port.log" | sed "s/^/demo: driver of port $port: /" >&2
	done
}

main() {
	check_machine || return
	echo "UDF demo: Debian's drivers for kernel $release in ordinary processes"
	echo "   on $(uname -sr), as user $(id -un); four functions of one NVMe card of $(qemu-system-x86_64 --version | sed -n 's/ *(.*//; 1p')"
	echo
	make_file_systems && prepare_image && start_drivers && copy in && copy out && compare || return
	measure_memory
	stop_drivers || return
	show_files
	check_modules
	table
}

cd "$top" || exit 1
main || failed=1
[ $failed = 0 ] || last_words
if [ $failed = 0 ]; then
	echo "PASS: every byte came back through stock drivers in user space ($(seconds "$(ms_since "$started")") s)"
else
	echo "FAIL ($(seconds "$(ms_since "$started")") s)"
fi
exit $failed
