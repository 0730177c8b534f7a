# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash
#
# vm.sh: for the cases of this folder, which begin with
#
#	. "${UDF_TOP:-.}/tests/vm/vm.sh"
#	vm_nvme a 64M			what the machine has; see below
#	vm_start "$@"			the host boots it, waits for its verdict and exits with that; the guest runs what follows
#
# The same file is run on both sides: on the host up to vm_start, in the guest as a whole, where UDF_VM is set and the vm_* functions before
# vm_start do nothing. The guest is Debian's stock kernel over the host's files (read-only below a layer in memory). UDF_WORK is a
# folder that both see. A case passes if its last command says so and the guest's kernel has had nothing to complain of.
#
# The first argument is the variant: plain, or iommu (translating, with interrupt remapping).

vm_args=() vm_ports=0 vm_allowed='' vm_memory=1024 vm_smp=2 vm_cpu=max vm_append='' vm_live=

# The processors take turns in one thread of QEMU's. With a thread each (multi), one that accesses a device while another changes what is where
# (a BAR is enabled, a function reset) may reach the wrong device, or none: QEMU dies, or the guest waits for ever for what was lost. QEMU 7.2 to
# 10.0 look up the device in a table that is exchanged under them. A case in which nothing comes and goes under load may say multi; so may
# who looks for races: UDF_VM_THREADS=multi.
vm_threads=${UDF_VM_THREADS:-single}

# What a kernel log must not have.
vm_bad='BUG:|WARNING:|Oops|kernel BUG at|general protection|unable to handle|detected stall|blocked for more than|soft lockup|Call Trace|refcount_t|DMAR:.*[Ff]ault|list_(add|del) corruption|Bad page|bad: scheduling|possible .*(deadlock|recursion)|nobody cared'

# vm_device DEVICE[,KEY=VALUE...]: a device behind a root port of its own, 0000:01:00.0, 0000:02:00.0 and so on
vm_device() {
	[ -z "${UDF_VM-}" ] || return 0
	vm_port
	vm_args+=(-device "$1,bus=port$vm_ports")
}

vm_port() {
	vm_ports=$((vm_ports + 1))
	vm_args+=(-device "pcie-root-port,id=port$vm_ports,chassis=$vm_ports,slot=$vm_ports,addr=$(printf %x $((vm_ports + 15))),x-speed=2_5")
}

# vm_backend ARGUMENT...: for QEMU, as they are
vm_backend() {
	[ -n "${UDF_VM-}" ] || vm_args+=("$@")
}

# vm_disk NAME SIZE: an empty disk for a device whose drive is NAME-disk; what is discarded reads as zeroes
vm_disk() {
	[ -z "${UDF_VM-}" ] || return 0
	truncate -s "$2" "$UDF_WORK/$1.img"
	vm_backend -blockdev "driver=file,node-name=$1-file,filename=$1.img,cache.direct=off,discard=unmap" \
		-blockdev "driver=raw,node-name=$1-disk,file=$1-file,discard=unmap"
}

# vm_nvme NAME SIZE [KEY=VALUE,...]: an NVMe controller whose id and serial number are NAME, with an empty disk
vm_nvme() {
	vm_disk "$1" "$2"
	vm_device "nvme,id=$1,serial=$1,drive=$1-disk${3:+,$3}"
}

# vm_card NAME PORTS SIZE: an NVMe card of several ports: functions of one device, NAME-port1 and so on; the first is 0000:01:00.0
vm_card() {
	local port

	[ -z "${UDF_VM-}" ] || return 0
	vm_port
	for ((port = 1; port <= $2; port++)); do
		vm_disk "$1-port$port" "$3"
		vm_backend -device "nvme,id=$1-port$port,serial=$1-port$port,drive=$1-port$port-disk,bus=port$vm_ports,multifunction=on,addr=0.$((port - 1))"
	done
}

# vm_drivers: driver processes will run. Kernel code synchronises a processor by iret, which QEMU 7.2 lets fault for a process if SMAP is on.
vm_drivers() {
	vm_cpu=max,smap=off
	# once, instead of in each machine's memory
	[ -n "${UDF_VM-}" ] || "$UDF_BUILD/udf" image prepare >/dev/null
}

# vm_kernel OPTION...: for the guest kernel's command line
vm_kernel() {
	vm_append+=" $*"
}

# vm_show: what the guest has to say is shown at once, as it is, and not at the end
vm_show() {
	vm_live=1
}

# vm_allow REGEX: complaints that the case provokes
vm_allow() {
	vm_allowed=$1
}

vm_fail() {
	echo "FAILED: $*"
	exit 1
}

# vm_watch: shortly before the runner ends the case, make the guest say what it is waiting for. It is asked by an NMI, which needs neither its timers
# nor its files; unknown_nmi_panic and panic_print do the rest.
vm_spare=15
vm_watch() {
	local left=$((UDF_TEST_END - EPOCHSECONDS - vm_spare))

	[ $left -gt 0 ] || return
	trap 'kill $!' TERM
	sleep $left &
	wait $! || return
	: >late
	echo nmi >host.in
}

# What each task of the guest did at the end, a line for those who did the same: how many, names, state, and from where it was called.
vm_tasks() {			# CONSOLE LOG
	awk '
	function done() {
		# of the kernel, only who is in the midst of something
		if (name != "" && (calls != ":" || state ~ /PID/) && (parent != 2 || state != "S" && state != "I")) print name, state, calls
		name = ""
	}
	{ sub(/^\[ *[0-9.]+\] ?/, "") }
	/^(NMI backtrace for cpu|CPU: )/ { done(); name = "CPU"; state = $0; calls = ":"; parent = 0; n = 0 }
	/^task:/ {
		done()
		name = substr($0, 6, 15); sub(/ *$/, "", name)
		match($0, /state:[A-Z]/); state = substr($0, RSTART + 6, 1)
		match($0, /ppid:[0-9]+/); parent = substr($0, RSTART + 5, RLENGTH - 5) + 0
		calls = ":"; n = 0
	}
	/^RIP: 0010:/ { sub(/^RIP: 0010:/, " "); if (name != "") $0 = " " $1 }
	/^ [a-z_][A-Za-z0-9_.]*\+0x/ && !/^ (__schedule|schedule|schedule_timeout|__switch_to)\+/ {
		if (n++ < 6) { sub(/\+.*/, ""); calls = calls (n > 1 ? " <" : "") $0 }
	}
	END { done() }' "$1" | sort | uniq -c | sort -rn | cut -c 1-200
}

# What the guest has left behind, judged.
vm_judge() {			# SHARE
	local status taint

	[ -n "$vm_live" ] || sed 's/^/guest: /' "$1/output" 2>/dev/null
	status=$(cat "$1/status" 2>/dev/null)
	taint=$(cat "$1/taint" 2>/dev/null)
	if [ -e late ] && [ -z "$status" ]; then
		echo "--- time is nearly over; the guest's tasks (all of it: console.log in the work folder):"
		vm_tasks console.log
		vm_fail "the case does not end in its time"
	fi
	# without dmesg (the guest died) the console has at least what was serious
	if cat "$1/dmesg" console.log 2>/dev/null | grep -E "$vm_bad" | grep -Ev "${vm_allowed:-^$}" | sort -u | head -n 20 | sed 's/^/log: /' | grep .; then
		echo "--- the last of the kernel's log"
		if [ -s "$1/dmesg" ]; then tail -n 60 "$1/dmesg"; else tail -n 60 console.log; fi
		vm_fail "the guest's kernel complains"
	fi
	[ -n "$status" ] || { tail -n 20 console.log; vm_fail "the guest has died or was stopped"; }
	# machine check, bad page, oops, warning, soft lockup
	[ -n "$vm_allowed" ] || [ $((taint & (16 | 32 | 128 | 512 | 16384))) = 0 ] || vm_fail "the guest's kernel is tainted: $taint"
	exit "$status"
}

vm_boot() {			# ARGUMENT...
	local build=$UDF_BUILD share=$UDF_WORK/share append name value qemu watch='' died=0 khz

	[ -s "$build/vm/initrd" ] || vm_fail "the virtual machine is not built: make vm"
	mkdir -p "$share"
	{
		for name in UDF_TOP UDF_BUILD UDF_LONG; do
			value=${!name-}
			printf 'export %s=%q\n' "$name" "$value"
		done
		printf 'export UDF_VM=1 UDF_WORK=/run/share XDG_CACHE_HOME=%q\n' "$build/cache"
		printf 'cd /run/share\nexec bash %q' "$(realpath "$0")"
		printf ' %q' "$@"
		echo
	} >"$share/start"
	append="console=ttyS0 quiet panic=-1 oops=panic tsc=reliable no_timer_check mitigations=off nokaslr cryptomgr.notests=1"
	# the second processor would measure its delays all the same: lpj are the counts of a jiffy of 4 ms
	khz=$("$build/vm/tsc")
	append+=" random.trust_cpu=on log_buf_len=4M tsc_early_khz=$khz lpj=$((khz * 4))$vm_append"
	# tasks, timers and all processors
	append+=" unknown_nmi_panic panic_print=0x45"
	[ "${1-}" != iommu ] || append+=" intel_iommu=on"
	cd "$UDF_WORK" || exit 1
	rm -f host.in host.out late
	mkfifo host.in host.out
	# Devices of the machine itself come first: the numbers of the others are then the same in all variants.
	qemu-system-x86_64 -nodefaults -no-user-config -display none -no-reboot -M q35 -accel tcg,thread=$vm_threads -cpu "$vm_cpu" \
		-m "$vm_memory" -smp "$vm_smp" -kernel "$build/vm/vmlinux.elf" -initrd "$build/vm/initrd" -append "$append" \
		$([ "${1-}" != iommu ] || echo -device intel-iommu,intremap=on) \
		-chardev file,id=console,path=console.log -serial chardev:console \
		-chardev socket,id=monitor,path=monitor,server=on,wait=off -mon chardev=monitor,mode=readline \
		-chardev socket,id=line,path=monitor -serial chardev:line \
		-chardev pipe,id=host,path=host -mon chardev=host,mode=readline \
		-device isa-debug-exit,iobase=0xf4,iosize=4 \
		-fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=root,mount_tag=hostroot,addr=2 \
		-fsdev local,id=share,path=share,security_model=none -device virtio-9p-pci,fsdev=share,mount_tag=share,addr=3 \
		"${vm_args[@]}" </dev/null &
	qemu=$!
	[ -z "${UDF_TEST_END-}" ] || { vm_watch 2>/dev/null & watch=$!; }
	# shellcheck disable=SC2064 # now
	trap "kill $watch 2>/dev/null; kill -KILL $qemu 2>/dev/null" EXIT
	# it ends by itself when QEMU has
	[ -z "$vm_live" ] || { : >"$share/output"; tail -f -n +1 --pid=$qemu "$share/output"; }
	wait $qemu || died=$?
	# a guest's own verdict is less
	[ $died -le 128 ] || echo "QEMU itself has died: SIG$(kill -l $died)"
	vm_judge "$share"
}

# In the guest: what every case wants.
vm_guest() {
	local release
	release=$(uname -r)
	# as systemd does: what is unmounted is so in all namespaces
	mount --make-rshared / || exit 1
	mount --bind "$UDF_BUILD/kernel/root/lib/modules/$release" "/lib/modules/$release" 2>/dev/null || {
		mkdir -p "/lib/modules/$release"
		mount --bind "$UDF_BUILD/kernel/root/lib/modules/$release" "/lib/modules/$release" || exit 1
	}
	kmod=$UDF_BUILD/kmod/$release/udf_port.ko
}

vm_start() {
	if [ -n "${UDF_VM-}" ]; then vm_guest; else vm_boot "$@"; fi
}

# ---- for the guest ----

# vm_monitor COMMAND: one for QEMU's monitor; what it answers is lost
# The line stays open: closing it throws away what has not left the serial port. An empty line ends what is there from before.
vm_line=
vm_monitor() {
	[ -n "$vm_line" ] || exec {vm_line}>/dev/ttyS1
	printf '\n%s\n' "$*" >&"$vm_line"
}

# vm_until SECONDS COMMAND...: until it succeeds; fails when time is over
vm_until() {
	local end=$((SECONDS + $1))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || { echo "in vain: $*"; return 1; }
		sleep 0.05
	done
}

# vm_serve ADDRESS [OPTION...]: a driver process without udfd, whose disks become block devices of the kernel; its process id is $pid
vm_serve() {
	"$UDF_BUILD/udf" run --device "pci:$1" --block "${@:2}" >disks 2>>log &
	pid=$!
}

# vm_udfd: start udfd with the configuration in /run/udf.conf, and wait until it answers; its process id is $udfd, its log /run/udfd.log
vm_udfd() {
	mkdir -p /run/udf /run/state
	UDF_KERNEL_ROOT=$UDF_BUILD/kernel/root "$UDF_BUILD/udfd" --config /run/udf.conf --state-dir /run/state 2>>/run/udfd.log &
	udfd=$!
	vm_until 20 "$UDF_BUILD/udf" ports >/run/ports 2>&1 || { cat /run/udfd.log; vm_fail "udfd"; }
}

# vm_member PORT NAME: one member of its status; vm_runs_anew PORT PID: whether it runs, in another process than that
vm_member() {
	"$UDF_BUILD/udf" status "$1" --json | jq -r ".[\"$2\"]"
}

# of one moment: with the state of the process that was and the id of the next, which only starts, its end would be missed
vm_runs_anew() {
	"$UDF_BUILD/udf" status "$1" --json | jq -e ".state == \"running\" and .pid != $2" >/dev/null
}

# vm_bind ADDRESS [DRIVER]: hand a function to udf_port, or to DRIVER; vm_unbind ADDRESS: take it from its driver
vm_unbind() {
	[ ! -e "/sys/bus/pci/devices/$1/driver" ] || echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
}

vm_bind() {
	vm_unbind "$1"
	echo "${2-udf_port}" >"/sys/bus/pci/devices/$1/driver_override"
	echo "$1" >/sys/bus/pci/drivers_probe
	[ "$(basename "$(readlink "/sys/bus/pci/devices/$1/driver")")" = "${2-udf_port}" ] || { echo "$1 is not bound to ${2-udf_port}"; return 1; }
}

# vm_target DEVICE: the kernel's own NVMe target offers that block device, and its NVMe driver makes another one of it, named in $far: one may
# send NVMe commands to it, such as appends to zones, which the target hands on. vm_target_end: undo it
vm_nvmet=/sys/kernel/config/nvmet
vm_target() {
	modprobe -a nvmet-tcp nvme-tcp || return 1
	ip link set lo up
	mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
	mkdir $vm_nvmet/subsystems/far $vm_nvmet/subsystems/far/namespaces/1 $vm_nvmet/ports/1
	echo 1 >$vm_nvmet/subsystems/far/attr_allow_any_host
	echo "$1" >$vm_nvmet/subsystems/far/namespaces/1/device_path
	echo 1 >$vm_nvmet/subsystems/far/namespaces/1/enable
	echo tcp >$vm_nvmet/ports/1/addr_trtype
	echo ipv4 >$vm_nvmet/ports/1/addr_adrfam
	echo 127.0.0.1 >$vm_nvmet/ports/1/addr_traddr
	echo 4420 >$vm_nvmet/ports/1/addr_trsvcid
	ln -s $vm_nvmet/subsystems/far $vm_nvmet/ports/1/subsystems/far
	echo transport=tcp,traddr=127.0.0.1,trsvcid=4420,nqn=far >/dev/nvme-fabrics
	vm_until 20 vm_target_found
}

vm_target_found() {
	local d

	for d in /sys/block/nvme*; do
		far=${d##*/}
		[ ! -b "/dev/$far" ] || [ "$(cat "$d/device/subsysnqn")" != far ] || return 0
	done
	return 1
}

vm_target_end() {
	local n

	for n in /sys/class/nvme-fabrics/ctl/nvme*/delete_controller; do echo 1 >"$n"; done
	rm $vm_nvmet/ports/1/subsystems/far
	rmdir $vm_nvmet/ports/1 $vm_nvmet/subsystems/far/namespaces/1 $vm_nvmet/subsystems/far
}
