#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# NBD clients at a driver's disk, from a folder that has nothing to do with the build tree: the plugin finds kernel and kapi beside
# itself. nbdinfo, qemu-img convert and compare, nbdcopy; the bytes are in the backing file at the end.
set -u

bad=0
complain() { echo "$*"; bad=1; }
dir=$(mktemp -d) || exit 1		# a socket's path must be short
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1

truncate -s 64M disk.img
head -c 24M /dev/urandom >source
nbdkit -f -U "$dir/s" --pidfile pid "$UDF_BUILD/nbdkit-udf-plugin.so" device=qemu:nvme,serial=a drive="$dir/disk.img" cpus=2 >log 2>&1 &
server=$!
until [ -s pid ]; do		# nbdkit writes it when it listens, which it does not yet when its socket is there
	kill -0 $server 2>/dev/null || { cat log; exit 1; }
done
uri="nbd+unix:///?socket=$dir/s"
[ "$(nbdinfo --size "$uri")" = $((64 << 20)) ] || complain 'nbdinfo tells another size'
qemu-img convert -n -f raw -O raw source "$uri" || complain 'qemu-img convert fails'
qemu-img compare -q -f raw -F raw source "$uri" || complain 'qemu-img compare finds a difference'
nbdcopy "$uri" out || complain 'nbdcopy fails'
cmp -n $((24 << 20)) source out || complain 'what was read is not what was written'
kill "$(cat pid)"
wait $server || complain "nbdkit ends with status $?"
cmp -n $((24 << 20)) source disk.img || complain 'the backing file holds something else'
[ $bad = 0 ] || cat log
exit $bad
