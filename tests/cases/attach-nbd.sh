#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# timeout: 60
#
# NBD clients, nbdkit and the udf command at a driver in another process, which is killed while data is copied in: they notice nothing, and
# the bytes are in the backing file at the end.
set -u

bad=0 driver=
complain() { echo "$*"; bad=1; }
dir=$(mktemp -d) || exit 1		# a socket's path must be short
end() {
	for pid in $driver ${server-}; do kill -KILL "$pid"; done 2>/dev/null
	rm -rf "$dir"
}
trap end EXIT
cd "$dir" || exit 1

start_driver() {
	"$UDF_BUILD/udf" run --device qemu:nvme,serial=a --drive disk.img --cpus 2 --serve "$dir/driver" >>driver.log 2>&1 &
	driver=$!
}

# The predecessor's QEMU ends a moment after it, and has the image locked until the last of its threads has.
wait_for_image() {
	until qemu-io -f raw -c quit disk.img >/dev/null 2>&1; do :; done
}

truncate -s 64M disk.img
head -c 48M /dev/urandom >source
start_driver
until [ -S driver ]; do
	kill -0 $driver 2>/dev/null || { cat driver.log; exit 1; }
done
"$UDF_BUILD/udf" disks --port ./driver | grep -q '^nvme0n1  *64 MiB' || complain 'udf disks does not show the disk'
nbdkit -f -U "$dir/s" --pidfile pid "$UDF_BUILD/nbdkit-udf-plugin.so" port="$dir/driver" >nbdkit.log 2>&1 &
server=$!
until [ -s pid ]; do		# nbdkit listens
	kill -0 $server 2>/dev/null || { cat nbdkit.log; exit 1; }
done
uri="nbd+unix:///?socket=$dir/s"
for _ in 1 2 3 4 5; do
	nbdcopy --requests=8 --connections=2 source "$uri" &
	copy=$!
	before=$(stat -c %Y.%b disk.img)
	while [ "$(stat -c %Y.%b disk.img)" = "$before" ] && kill -0 $copy 2>/dev/null; do :; done	# it has begun
	kill -KILL $driver
	wait $driver 2>/dev/null
	wait_for_image
	start_driver
	wait $copy || complain 'nbdcopy fails'
	qemu-img compare -q -f raw -F raw source "$uri" || complain 'what was copied in is not there'
	"$UDF_BUILD/udf" write --port ./driver --file /dev/zero --length 48M >/dev/null || complain 'udf write fails'
done
nbdcopy source "$uri" || complain 'nbdcopy fails'
"$UDF_BUILD/udf" read --port ./driver --length 48M | cmp - source || complain 'udf read reads something else'
kill "$(cat pid)"
wait $server || complain "nbdkit ends with status $?"
server=
grep -q 'the driver process has ended; requests wait for its successor' nbdkit.log || complain 'nbdkit does not say that the driver went'
kill $driver
wait $driver || complain "the driver ends with status $?"
driver=
cmp -n $((48 << 20)) source disk.img || complain 'the backing file holds something else'
[ $bad = 0 ] || cat driver.log nbdkit.log
exit $bad
