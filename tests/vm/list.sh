#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# list.sh: the virtual machine's tests for tests/run: each case in each variant that its header names ("variants: plain iommu").
cd "$(dirname "$0")" || exit 1
for case in *.sh; do
	for variant in $(sed -n 's/^# variants: //p' "$case"); do
		echo "tests/vm/$case@$variant"
	done
done
