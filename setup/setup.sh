#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# setup.sh [BUILD-DIR]: make this machine able to build UDF. Installs the packages of packages.list that are missing, fetches the
# stock kernel (kernel.sh), and writes BUILD-DIR/setup.mk, which tells make what was found. Does nothing when nothing is missing.
set -eu

build=${1:-build}
here=$(dirname "$0")

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

missing_packages() {
	sed 's/#.*//' "$here/packages.list" | xargs dpkg-query -W -f '${db:Status-Status} ${Package}\n' 2>/dev/null |
		sed -n 's/^installed //p' | sort -u >"$build/.installed"
	sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$here/packages.list" | sort -u | comm -23 - "$build/.installed"
	rm -f "$build/.installed"
}

install_packages() {
	local as_root=

	if [ "$(id -u)" != 0 ]; then
		if sudo -n true 2>/dev/null || { [ -t 0 ] && command -v sudo >/dev/null; }; then
			as_root=sudo
		else
			printf 'setup: these packages are missing and installing them takes root:\n\n' >&2
			printf '  sudo apt-get install --no-install-recommends%s\n\n' "$(printf ' %s' "$@")" >&2
			exit 1
		fi
	fi
	printf 'setup: installing%s\n' "$(printf ' %s' "$@")"
	export DEBIAN_FRONTEND=noninteractive
	local install="apt-get -q -y install --no-install-recommends"
	$as_root $install "$@" || { $as_root apt-get -q update && $as_root $install "$@"; } ||
		die "apt-get could not install all of:$(printf ' %s' "$@")"
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
	die "this set-up knows Debian only (no apt-get here); packages.list names what UDF needs"

mkdir -p "$build"
mapfile -t missing < <(missing_packages)
if [ "${#missing[@]}" -gt 0 ]; then
	install_packages "${missing[@]}"
	mapfile -t missing < <(missing_packages)
	[ "${#missing[@]}" = 0 ] || die "still missing:$(printf ' %s' "${missing[@]}")"
fi

"$here/kernel.sh" "$build"
release=$(cat "$build/kernel/release")

{
	echo "# Written by setup/setup.sh."
	echo "KERNEL_RELEASE := $release"
	echo "KERNEL_HEADERS := $build/kernel/root/usr/src/linux-headers-$release"
	echo "KERNEL_SOURCE := $build/kernel/root/usr/src/linux-headers-${release%-*}-common"
	# Debian 12's Zydis has no pkg-config file.
	echo "LIBS := $(pkg-config --libs libkmod json-c liblzma libzstd liblz4 zlib) -lZydis"
} >"$build/setup.mk.tmp"
mv "$build/setup.mk.tmp" "$build/setup.mk"
