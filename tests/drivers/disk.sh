#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# disk.sh MODEL MODULE DISK: a DISK of QEMU's adapter MODEL keeps data with the stock driver MODULE.
set -u

for cpus in 1 2; do
	truncate -s 64M disk
	"$UDF_BUILD/udf-drive" --device "qemu:$1" --module "$2" --cpus $cpus --expect working \
		--backend "-drive if=none,id=d0,format=raw,file=disk" --backend "-device $3,drive=d0,bus=udf0.0" --file disk disk >out 2>log
	status=$?
	cat out
	if [ $status != 0 ]; then
		cat log
		echo "with $cpus vCPUs: exit status $status"
		exit 1
	fi
	! grep -E 'WARNING: |BUG: |detected stall|blocked for more than|Call Trace' log || exit 1
done
