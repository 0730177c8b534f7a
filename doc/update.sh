#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# update.sh [--check]: write what doc/replaced.sh prints into doc/replaced.md, or tell whether it is there.
set -eu

cd "$(dirname "$0")"
new=$(sed '/^<!-- table -->/q' replaced.md; ./replaced.sh; echo; sed -n '/^<!-- end -->/,$p' replaced.md)
if [ "${1-}" = --check ]; then
	diff replaced.md - <<<"$new" && exit
	echo "doc/replaced.md is not what kapi/series says: 'make doc' writes it"
	exit 1
fi
echo "$new" >replaced.md
