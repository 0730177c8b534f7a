#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# list.sh: the module tests for tests/run: each module on one and on two vCPUs.
cd "$(dirname "$0")" || exit 1
for source in *.c; do
	for cpus in 1 2; do
		echo "tests/modules/run.sh@${source%.c},$cpus"
	done
done
