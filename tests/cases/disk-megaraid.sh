#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Stock megaraid_sas.ko with scsi_mod, sd_mod: a disk keeps data; with one vCPU and with two.
exec "$UDF_TOP/tests/drivers/disk.sh" megasas megaraid_sas scsi-hd
