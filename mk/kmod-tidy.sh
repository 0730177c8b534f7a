#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kmod-tidy.sh MODULE-DIR HEADERS [FILE...]: clang-tidy on the kernel module that Kbuild has compiled in MODULE-DIR, with what of the
# compiler's flags clang knows. FILE: one of its sources, all by default. Fails on any complaint about a file of the module's.
set -u

dir=$(realpath "$1")
headers=$(realpath "$2")
shift 2
checks='-*,clang-analyzer-*,bugprone-*,performance-*'
# of the kernel's style: macros, conditions with assignments, comparing strings, pointers to structures
for check in easily-swappable-parameters reserved-identifier macro-parentheses narrowing-conversions assignment-in-if-condition \
	implicit-widening-of-multiplication-result suspicious-string-compare sizeof-expression; do
	checks+=",-bugprone-$check"
done
checks+=,-clang-analyzer-security.insecureAPI.*,-performance-no-int-to-ptr

tidy() {			# SOURCE
	local name flags out

	name=$(basename "$1" .c)
	mapfile -t flags < <(sed -n '1s/^[^:]*:= [^ ]* //p' "$dir/.$name.o.cmd" | sed 's/;.*//' | tr ' ' '\n' |
		grep -E '^(-I.*|-D.*|-include|-isystem|-nostdinc|-std=.*|-m(no-)?(sse2?|mmx|avx|80387|red-zone)|-m64|-fshort-wchar|-fno-strict-aliasing|[./].*\.h)$')
	out=$(cd "$headers" && clang-tidy --quiet --checks="$checks" "$1" -- "${flags[@]}" -Wno-everything 2>&1) &&
		! grep -q "^$dir/.*: \(warning\|error\)" <<<"$out" && return
	printf '%s\n' "$out"
	return 1
}

[ $# -gt 0 ] || mapfile -t -O 0 all < <(cd "$dir" && find . -maxdepth 1 -name '*.c' ! -name '*.mod.c' -printf '%P\n')
export dir headers checks
export -f tidy
printf '%s\0' "${@:-${all[@]}}" | xargs -0 -P "$(nproc)" -I '{}' bash -c 'tidy "$dir/{}"'
