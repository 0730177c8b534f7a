#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# demo.sh [BUILD-DIR]: the demonstration, in a virtual machine (vm.sh): three NVMe cards of four ports each, a process of Debian's nvme.ko
# for each port, twelve block devices of the kernel, and what becomes of their users when three of the drivers die. Exit status 0 if
# nobody has noticed.
#
# This file makes room for the machine's disks, and takes it back. Nothing needs root on the host, and nothing is left behind.
set -u

top=$(realpath "$(dirname "$0")/..")
build=$(realpath "${1:-build}")
need_mib=1500
work=
child=

clean_up() {
	trap '' INT TERM HUP
	if [ -n "$child" ]; then
		kill -TERM "$child" 2>/dev/null
		wait "$child" 2>/dev/null
	fi
	[ -z "$work" ] || rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

for tool in qemu-system-x86_64 fio mkfs.ext4 e2fsck jq; do
	PATH=$PATH:/usr/sbin:/sbin command -v $tool >/dev/null || { echo "demo: $tool is missing; 'make setup' installs it" >&2; exit 1; }
done
# a socket's path must be short
work=$(mktemp -d "${TMPDIR:-/tmp}/udf-demo.XXXXXX") || exit 1
free=$(df -Pm "$work" | awk 'NR == 2 { print $4 }')
[ "$free" -ge $need_mib ] || { echo "demo: ${work%/*} has $free MiB left, $need_mib are needed; TMPDIR names another place" >&2; exit 1; }

export UDF_TOP=$top UDF_BUILD=$build UDF_WORK=$work XDG_CACHE_HOME=$build/cache
start=$SECONDS
"$top/demo/vm.sh" plain &
child=$!
wait $child
status=$?
child=
if [ $status = 0 ]; then
	echo "PASS: three drivers died, and nobody has noticed ($((SECONDS - start)) s)"
else
	echo "FAIL ($((SECONDS - start)) s)"
fi
exit $status
