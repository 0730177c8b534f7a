#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# net.sh MODEL MODULE: QEMU's network adapter MODEL passes frames each way with the stock driver MODULE, over a dgram netdev whose other
# end is the test.
set -u

for cpus in 1 2; do
	"$UDF_BUILD/udf-drive" --device "qemu:$1,netdev=n0" --module "$2" --cpus $cpus --expect working \
		--backend "-netdev dgram,id=n0,local.type=unix,local.path=near,remote.type=unix,remote.path=far" \
		--netcheck "$UDF_BUILD/tests/drivers/modules/udf_netcheck.ko" --near near --far far net >out 2>log
	status=$?
	cat out
	if [ $status != 0 ]; then
		cat log
		echo "with $cpus vCPUs: exit status $status"
		exit 1
	fi
	! grep -E 'WARNING: |BUG: |detected stall|blocked for more than|Call Trace' log || exit 1
done
