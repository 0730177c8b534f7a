#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Stock e1000e.ko: probe, open, link up, frames of many lengths each way, unload; with one vCPU and with two.
exec "$UDF_TOP/tests/drivers/net.sh" e1000e e1000e
