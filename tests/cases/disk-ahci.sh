#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Stock ahci.ko with libata, scsi_mod, sd_mod: a disk keeps data; with one vCPU and with two.
exec "$UDF_TOP/tests/drivers/disk.sh" ich9-ahci ahci ide-hd
