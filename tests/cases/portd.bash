# SPDX-License-Identifier: GPL-2.0
# For cases about the port manager, which source it: a udfd with places of its own in the work folder. shellcheck shell=bash
set -u

export UDF_KERNEL_ROOT=$UDF_BUILD/kernel/root UDF_LIBDIR=$UDF_BUILD
export UDF_SOCKET=$UDF_WORK/run/udfd.sock
udf=$UDF_BUILD/udf
udfd_pid=
udfd_log=
udfds=0

fail() {
	[ -z "$udfd_log" ] || { echo "udfd's log:"; tail -n 60 "$udfd_log"; }
	echo "FAILED: $*"
	exit 1
}

# Wait until the COUNT-th line with TEXT is in FILE. Lines come by inotify: nothing is polled.
wait_line() {			# FILE TEXT [COUNT [SECONDS]]
	local left=${3:-1} seconds=${4:-30} line tail status=1
	exec 9< <(exec tail -n +1 -f "$1" 2>/dev/null)
	tail=$!
	while IFS= read -r -t "$seconds" line <&9; do
		case $line in
		*"$2"*) left=$((left - 1)) ;;
		esac
		[ $left -gt 0 ] || { status=0; break; }
	done
	kill $tail
	exec 9<&-
	wait $tail 2>/dev/null
	[ $status = 0 ] || fail "'$2' (${3:-1} times) did not come within $seconds s"
}

# The same of udfd's log.
wait_log() {			# TEXT [COUNT [SECONDS]]
	wait_line "$udfd_log" "$@"
}

count_log() {			# TEXT
	grep -cF -- "$1" "$udfd_log"
}

# The configuration is read from stdin.
config() {
	cat >"$UDF_WORK/udf.conf"
}

start_udfd() {			# [OPTION...]
	udfds=$((udfds + 1))
	udfd_log=$UDF_WORK/udfd-$udfds.log
	: >"$udfd_log"
	"$UDF_BUILD/udfd" --config "$UDF_WORK/udf.conf" --runtime-dir "$UDF_WORK/run" --state-dir "$UDF_WORK/state" "$@" 2>"$udfd_log" &
	udfd_pid=$!
	wait_log "ports in"
}

# One member of a port's status, as text.
member() {			# PORT NAME
	"$udf" status "$1" --json | jq -r ".[\"$2\"]"
}

is() {				# PORT NAME VALUE
	[ "$(member "$1" "$2")" = "$3" ] || fail "$1: $2 is '$(member "$1" "$2")' and not '$3'"
}

has() {				# TEXT COMMAND...: its output has TEXT in it
	local text=$1 out
	shift
	out=$("$@" 2>&1)
	case $out in
	*"$text"*) ;;
	*) fail "'$*' does not say '$text' but: $out" ;;
	esac
}

refused() {			# TEXT COMMAND...: it fails, and says TEXT
	local text=$1 out
	shift
	out=$("$@" 2>&1) && fail "'$*' did not fail"
	case $out in
	*"$text"*) ;;
	*) fail "'$*' does not say '$text' but: $out" ;;
	esac
}

# Whether a process has ended; that it has not been waited for does not matter.
gone() {			# PID
	[ -z "$(cat "/proc/$1/maps" 2>/dev/null)" ]
}

disk() {			# NAME: a disk image
	truncate -s "${2:-16M}" "$UDF_WORK/$1.img"
	echo "$UDF_WORK/$1.img"
}

# Everything that udfd has started ends, in order.
stop_all() {
	local port
	for port in $("$udf" ports --json | jq -r .name); do
		"$udf" stop "$port" || fail "$port does not stop"
	done
	kill "$udfd_pid"
	wait "$udfd_pid"
}

# Whatever happens, nothing stays: the processes that are ours are known by their control socket's folder.
clean_up() {
	[ -z "$udfd_pid" ] || kill -KILL "$udfd_pid" 2>/dev/null
}
trap clean_up EXIT
