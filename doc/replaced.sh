#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# replaced.sh: print the table of doc/replaced.md from the list that the image is prepared with.
set -eu

list=$(dirname "$0")/../kapi/series/6.1/replace.h

sed -n '
	s|^/\* \([a-z].*\) \*/$|\n### \u\1\n\n\| function \| kernel path \| why \|\n\| --- \| --- \| --- \||p
	s|^REPLACE(\([^,]*\), "\([^"]*\)", "\(.*\)")$|\| \1 \| \2 \| \3 \||p
	s|^NOOP(\([^,]*\), "\([^"]*\)", "\(.*\)")$|\| \1 \| \2 \| does nothing: \3 \||p
' "$list"
