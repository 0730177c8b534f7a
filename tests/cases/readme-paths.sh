#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The paths that our READMEs and documents name exist. A path is what stands in `backticks` and has a '/' in it (no blank, no
# wildcard or placeholder), or the target of a [link](target). Paths of the machine (/...) and of the build folder are left alone.
set -u

cd "$UDF_TOP" || exit 1
bad=0
count=0

named_paths() {		# FILE
	# Code blocks show sessions, not the tree.
	sed '/^```/,/^```/d' "$1" | grep -oE '`[^` ]+`|\]\([^)# ]+' | sed -E 's/^`(.*)`$/\1/; s/^\]\(//' |
		grep -E '/|\.(md|h|c|sh|mk|1|5|8)$' | grep -vE '^/|^~|^https?:|^mailto:|^build/|[][*<>{}$=,:|]|\.\.\.|^[A-Z_]+/' | sort -u
}

while read -r file; do
	dir=$(dirname "$file")
	while read -r path; do
		count=$((count + 1))
		[ -e "$path" ] || [ -e "$dir/$path" ] || { echo "$file names $path, which is not there"; bad=$((bad + 1)); }
	done < <(named_paths "$file")
done < <(find . -name build -prune -o -name .git -prune -o -name '*.md' -print)
echo "$count paths"
[ "$bad" = 0 ]
