#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# A short run of the soak: I/O, resets and the test modules at once. `make soak SECONDS=N` runs it for longer.
# timeout: 180
exec "$UDF_BUILD/tests/soak/soak" "${UDF_SOAK_SECONDS:-16}"
