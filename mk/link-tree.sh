#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# link-tree.sh FROM TO: make TO a tree of symbolic links to the files of FROM; links to files that are gone go as well.
set -eu

from=$(realpath "$1")
mkdir -p "$2"
to=$(realpath "$2")
find "$to" -type l ! -exec test -e {} \; -delete
cd "$from"
find . -type d -exec mkdir -p "$to/{}" \;
find . -type f -print | while read -r file; do
	[ "$(readlink "$to/$file")" = "$from/${file#./}" ] || ln -sfn "$from/${file#./}" "$to/$file"
done
