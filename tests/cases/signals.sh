#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# SIGINT, SIGTERM and SIGHUP end `udf run` in order, at whatever point of its start they come: the controller, once it was enabled, is
# told to shut down (QEMU's trace has it), QEMU ends, no file is left in the cache that is not whole. A second one ends it at once.
# timeout: 120
set -u

patience=20		# seconds from the signal to the end
bad=0

complain() { echo "$*"; bad=1; }

# QEMU with its trace, which tells its process id, and can send the signal itself as soon as it is there.
export UDF_QEMU=$UDF_WORK/qemu QEMU_TRACE=$UDF_WORK/trace QEMU_PID=$UDF_WORK/qemu.pid
cat >qemu <<'END'
#!/bin/sh
echo $$ >>"$QEMU_PID"
[ -z "${SIGNAL:-}" ] || kill -"$SIGNAL" $PPID
exec qemu-system-x86_64 -trace 'enable=pci_nvme_mmio_st*' -trace 'enable=pci_nvme_mmio_sh*' -D "$QEMU_TRACE" "$@"
END
chmod +x qemu

start() {		# OPTION...: sets pid, opens its log as descriptor 3
	rm -f "$QEMU_TRACE" "$QEMU_PID" log
	mkfifo log
	"$UDF_BUILD/udf" run --verbose --device qemu:nvme,serial=a --size 64M "$@" 2>log >disks &
	pid=$!
	exec 3<log
}

# Read the log up to TEXT, a line of it.
await() {		# TEXT
	local line
	while IFS= read -r -t $patience line <&3; do
		case $line in *"$1"*) return ;; esac
	done
	complain "the log does not say '$1'"
}

# Wait for the end, with everything that was started; sets status and what is left of the log.
finish() {		# WHAT
	local watchdog rest start=$EPOCHREALTIME
	(trap 'kill $!' TERM; sleep $patience & wait $! && kill -KILL $pid) 2>/dev/null &
	watchdog=$!
	rest=$(cat <&3)
	exec 3<&-
	wait $pid
	status=$?
	kill -TERM $watchdog 2>/dev/null
	wait $watchdog 2>/dev/null
	[ $status != 137 ] || complain "$1: still there after $patience s: $rest"
	echo "$1: status $status after $(((${EPOCHREALTIME/./} - ${start/./}) / 1000)) ms"
	! grep -E 'WARNING: |BUG: |Call Trace' <<<"$rest" || complain "$1: the kernel code complains"
	qemu_gone $((status ? 5 : 0)) || complain "$1: QEMU is still there"
}

# After an end in order it is gone; after another one it takes a moment.
qemu_gone() {		# SECONDS
	local number state
	[ -e "$QEMU_PID" ] || return 0
	number=$(cat "$QEMU_PID")
	[ "$1" = 0 ] || timeout "$1" tail -s 0.02 --pid="$number" -f /dev/null
	read -r _ _ state _ 2>/dev/null <"/proc/$number/stat" || return 0
	[ "$state" = Z ]	# nobody has asked what became of it
}

# The controller was enabled exactly as often as it was shut down.
shut_down() {		# WHAT TIMES
	local started stopped
	started=$(grep -cs start_success "$QEMU_TRACE")
	stopped=$(grep -cs shutdown_set "$QEMU_TRACE")
	[ "${started:-0}" = "${stopped:-0}" ] || complain "$1: enabled ${started:-0} times, shut down ${stopped:-0} times"
	[ "${started:-0}" -ge "$2" ] || complain "$1: the controller was never enabled"
}

end_at() {		# SIGNAL TEXT ENABLED [OPTION...]
	local what="$1 at '$2'"
	start "${@:4}"
	await "$2"
	kill -"$1" $pid
	finish "$what"
	[ $status = 0 ] || complain "$what: exit status $status"
	shut_down "$what" "$3"
}

# while nothing happens any more
for cpus in 1 2; do
	for signal in INT TERM HUP; do
		end_at $signal 'Ignoring bogus' 1 --cpus $cpus
	done
done
# during the start
for text in 'Zone ranges' 'SLUB: ' 'smp: Brought up' 'PCI host bridge' 'BAR 0'; do
	end_at TERM "$text" 0 --cpus 2
done
for text in 'pci function' 'enabling device' 'default/read/poll queues'; do
	end_at INT "$text" 1 --cpus 2
done

# as QEMU starts
SIGNAL=TERM start
finish 'TERM as QEMU starts'
[ $status = 0 ] || complain "TERM as QEMU starts: exit status $status"
shut_down 'TERM as QEMU starts' 0

# at once, with an image to prepare: it may not have taken charge of its signals yet
XDG_CACHE_HOME=$UDF_WORK/cache start
kill -TERM $pid
finish 'TERM at once'
[ $status = 0 ] || [ $status = 143 ] || complain "TERM at once: exit status $status"
# (the lock's file stays, for the next)
left=$(find cache -type f -name '*tmp*' -o -type f -name '.*' ! -name .lock 2>/dev/null)
[ -z "$left" ] || complain "TERM at once: files are left: $left"

# twice: without waiting for anything, but QEMU ends as well
start --cpus 2
await 'pci function'
kill -TERM $pid
kill -INT $pid
finish 'TERM and INT'
case $status in 0 | 130 | 143) ;; *) complain "TERM and INT: exit status $status" ;; esac

exit $bad
