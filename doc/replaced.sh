#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# replaced.sh: print the tables of doc/replaced.md from the lists that the image is prepared with.
set -eu

cd "$(dirname "$0")/../kapi/series/6.1"

table() {				# FILE: a table for each group that a comment of one line begins
	awk '
	function heading(text) {
		printf "\n### %s\n\n| function | kernel path | why |\n| --- | --- | --- |\n", toupper(substr(text, 1, 1)) substr(text, 2)
	}
	/^\/\* [a-z].* \*\/$/ { gsub(/^\/\* | \*\/$/, ""); heading($0) }
	/^#define / { name = $2; sub(/^#define [A-Z_]+ "/, ""); sub(/"$/, ""); text[name] = $0 }
	/^(REPLACE|NOOP|UNSUPPORTED)\(/ {
		noop = /^NOOP/
		sub(/^[A-Z]+\(/, ""); sub(/\)$/, "")
		fn = $0; sub(/,.*/, "", fn)
		path = $0; sub(/^[^"]*"/, "", path); sub(/".*/, "", path)
		why = $0; sub(/^[^"]*"[^"]*", */, "", why)
		if (why in text)
			why = text[why]
		gsub(/^"|"$/, "", why)
		printf "| %s | %s | %s%s |\n", fn, path, noop ? "does nothing: " : "", why
	}' "$1"
}

table replace.h
echo
echo "## What is not supported"
echo
echo "A call of one of these ends the driver with the function's name and a trace. \`udf check\` marks the modules that import one."
table unsupported.h
