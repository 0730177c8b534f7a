#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# The two worlds meet only in lib/host/include. Kernel-world code (kapi/) includes kernel headers and the contract, host-world code
# includes libc's and its own headers, the contract and the public ABI include nothing foreign at all.
set -u

cd "$UDF_TOP" || exit 1
release=$(cat "$UDF_BUILD/kernel/release") || exit 77
headers=$UDF_BUILD/kernel/root/usr/src
kernel_dirs=()
for dir in "$headers/linux-headers-$release" "$headers/linux-headers-${release%-*}-common"; do
	kernel_dirs+=("$dir/include" "$dir/include/uapi" "$dir/arch/x86/include" "$dir/arch/x86/include/generated"
		"$dir/arch/x86/include/uapi" "$dir/arch/x86/include/generated/uapi" "$dir/include/generated/uapi")
done
libc_dirs=(/usr/include "/usr/include/$(gcc -print-multiarch)" "$(gcc -print-file-name=include)")
bad=0

exists_in() {		# HEADER DIR...
	local header=$1 dir
	shift
	for dir; do
		[ -e "$dir/$header" ] && return 0
	done
	return 1
}

crossed() {		# FILE HEADER WHY
	echo "$1 includes $2: $3"
	bad=$((bad + 1))
}

# Print "FILE <HEADER>" or "FILE "HEADER"" for each #include in the files named on stdin.
includes() {
	xargs -r grep -HoE '^[[:space:]]*#[[:space:]]*include[[:space:]]*["<][^">]+[">]' /dev/null |
		sed -E 's/^([^:]*):.*include[[:space:]]*(["<].*)$/\1 \2/'
}

check() {		# WHICH-CHECK, sources on stdin
	local file header name count=0
	while read -r file header; do
		name=${header:1:-1}
		"$1" "$file" "$header" "$name" "${file%/*}"
		count=$((count + 1))
	done < <(includes)
	echo "$1: $count includes"
}

kernel_world() {	# FILE HEADER NAME FOLDER
	case $2 in
	'<'*) exists_in "$3" "${kernel_dirs[@]}" || crossed "$1" "$2" "no kernel header" ;;
	'"udf/ring.h"') ;;	# the ABI that all worlds share
	*) exists_in "$3" "$4" kapi lib/host/include || crossed "$1" "$2" "neither kapi's own nor the contract's" ;;
	esac
	# The contract's folder must not be a way around.
	case $3 in ../*lib/*) crossed "$1" "$2" "host-world header" ;; esac
}

host_world() {
	case $2 in
	'<'*) exists_in "$3" "${libc_dirs[@]}" include || crossed "$1" "$2" "no header of libc or a library" ;;
	*) exists_in "$3" "$4" lib include lib/host/include tests/unit cli portd "$UDF_BUILD/gen" || crossed "$1" "$2" "not a header of ours" ;;
	esac
	case $3 in *kapi/*) crossed "$1" "$2" "kernel-world header" ;; esac
}

contract() {
	case $2 in
	'<'*) crossed "$1" "$2" "the contract uses plain C only" ;;
	*) [ -e "lib/host/include/$3" ] || crossed "$1" "$2" "not part of the contract" ;;
	esac
}

check kernel_world < <(find kapi bench/modules -name '*.[chS]')
check host_world < <(find lib cli include plugins portd examples bench tests/unit tests/fuzz tests/cases -name '*.[chS]' ! -path 'lib/host/include/*' ! -path 'bench/modules/*' 2>/dev/null)
check contract < <(find lib/host/include -name '*.h')

# Each world's compiled objects: what was really read, by way of other headers too.
if find "$UDF_BUILD/obj" "$UDF_BUILD/asan" -name '*.d' -exec grep -lE 'linux-headers|(^|[ /])kapi/.*\.h' {} + 2>/dev/null; then
	echo "these host-world objects were compiled with kernel-world headers"
	bad=$((bad + 1))
fi
if find "$UDF_BUILD/kapi/$release/tree" -name '.*.cmd' -exec grep -lE '(^|[ (])/usr/include/' {} + 2>/dev/null; then
	echo "these kernel-world objects were compiled with libc's headers"
	bad=$((bad + 1))
fi
[ "$bad" = 0 ]
