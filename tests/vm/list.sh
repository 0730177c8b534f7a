#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# list.sh [--all]: the virtual machine's tests for tests/run: each case in each variant that its header names ("variants: plain iommu"). Only
# with --all: the variants that take time and seldom tell more ("more variants: iommu"), and cases whose header names an open failure
# ("known: TEXT").
cd "$(dirname "$0")" || exit 1
for case in *.sh; do
	[ "${1-}" = --all ] || ! grep -q '^# known: ' "$case" || continue
	for variant in $(sed -n 's/^# variants: //p' "$case") $([ "${1-}" != --all ] || sed -n 's/^# more variants: //p' "$case"); do
		echo "tests/vm/$case@$variant"
	done
done
