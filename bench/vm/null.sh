#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# null.sh plain count|time [ROUNDS]: what the kernel's other ways to block devices of processes cost, with nothing behind them: NBD (nbdkit's null
# plugin over a Unix socket) and TCMU (tcmu.c, as a SCSI disk of tcm_loop), each over null_blk, which has no process.
. "${UDF_TOP:-.}/bench/vm/guest.sh"
bench_machine "$@"
vm_start "$@"

set -e
cd /run/share
modprobe null_blk queue_mode=2 irqmode=0 gb=1 bs=4096 submit_queues=1 nr_devices=1
modprobe nbd nbds_max=1
modprobe -a sd_mod target_core_user tcm_loop

# NBD
nbdkit -f -U /run/nbd.sock --pidfile /run/nbd.pid null 1G &
nbdkit=$!
vm_until 20 test -s /run/nbd.pid
"$bench/nbd" /dev/nbd0 /run/nbd.sock &
nbd=$!
vm_until 20 grep -q 2097152 /sys/block/nbd0/size

# TCMU
config=/sys/kernel/config/target
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
core=$config/core/user_0/null
mkdir -p $core
echo "dev_size=1073741824" >$core/control
echo "hw_block_size=4096" >$core/control
echo "dev_config=null/null" >$core/control
echo "nl_reply_supported=-1" >$core/control
echo 1 >$core/enable
uio=$(grep -l tcm-user/ /sys/class/uio/*/name)
uio=${uio%/name}
"$bench/tcmu" /dev/"${uio##*/}" "$(cat $uio/maps/map0/size)" 262144 &
tcmu=$!
port=$config/loopback/naa.5001405000000001/tpgt_1
mkdir -p $port/lun/lun_0
echo naa.5001405000000002 >$port/nexus
ln -s $core $port/lun/lun_0/null
find_sd() { sd=$(ls /sys/block | grep '^sd' | head -n 1); [ -n "$sd" ] && [ -b /dev/"$sd" ]; }
vm_until 20 find_sd
for disk in nullb0 nbd0 $sd; do
	echo none >/sys/block/$disk/queue/scheduler
done
for ((round = 0; round < ${3:-1}; round++)); do
	for depth in 1 32; do
		bench_load null /dev/nullb0 $depth $latency
		bench_load nbd /dev/nbd0 $depth $latency
		bench_load tcmu /dev/"$sd" $depth $latency
	done
done
rm $port/lun/lun_0/null
rmdir $port/lun/lun_0 $port ${port%/*} $core
kill $tcmu $nbd $nbdkit || :
cp /proc/kallsyms /run/share/kallsyms
