#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# More vCPUs than most cases have, and than the machine may have: data is what it was.
set -eu
export UDF_KERNEL_ROOT=$UDF_BUILD/kernel/root
head -c 8M /dev/urandom >data
for cpus in 3 4 8; do
	truncate -s 16M disk.img
	"$UDF_BUILD/udf" write --device qemu:nvme,serial=v --drive disk.img --cpus $cpus --file data 2>log || { cat log; exit 1; }
	"$UDF_BUILD/udf" read --device qemu:nvme,serial=v --drive disk.img --cpus $cpus --length 8M 2>>log | cmp - data
	! grep -E "WARNING|BUG|invalid address" log
	rm disk.img
done
