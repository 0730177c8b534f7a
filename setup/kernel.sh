#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# kernel.sh [BUILD-DIR]: fetch the stock kernel of Debian's 6.1 series into BUILD-DIR/kernel, without installing it:
#
#   release    the kernel's release, as in `uname -r`
#   debs/      the packages as apt-get downloaded and verified them
#   root/      their contents: boot/, lib/modules/, usr/src/
#   manifest   one line for each package (name, version, SHA-256) and for each module (SHA-256, path, package)
#
# The machine's own kernel plays no part, so that everyone builds against the same files. Takes no time when it is done.
set -eu

series=6.1
flavour=amd64
kernel=${1:-build}/kernel
apt=(-q)

die() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# apt's own lists may be absent, old, or not ours to refresh: keep lists of our own below BUILD-DIR.
private_lists() {
	local dir
	dir=$(realpath "$kernel")/apt
	mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
	apt=(-q -o "Dir::State::lists=$dir/lists" -o "Dir::Cache=$dir/cache" -o APT::Sandbox::User=)
	echo "setup: refreshing package lists (below $kernel)"
	apt-get "${apt[@]}" update >"$dir/log" 2>&1 || { tail -n 5 "$dir/log" >&2; die "apt-get update failed: is the network there?"; }
}

# What the meta package names: the newest release of our series.
newest_release() {
	apt-cache "${apt[@]}" show "linux-image-$flavour" 2>/dev/null |
		sed -n "s/^Depends:.*linux-image-\($series\.[^ ,]*-$flavour\)\( .*\)\?$/\1/p" | sort -V | tail -n 1
}

package_names() {	# RELEASE
	echo "linux-image-$1 linux-headers-$1 linux-headers-${1%-$flavour}-common linux-kbuild-$series"
}

download() {		# RELEASE
	rm -rf "$kernel/debs.tmp"
	mkdir -p "$kernel/debs.tmp"
	# shellcheck disable=SC2046 # several names
	(cd "$kernel/debs.tmp" && apt-get "${apt[@]}" -o APT::Sandbox::User= download $(package_names "$1"))
}

unpack() {
	local deb
	rm -rf "$kernel/root.tmp"
	for deb in "$kernel"/debs/*.deb; do
		echo "setup: unpacking ${deb##*/}"
		dpkg-deb -x "$deb" "$kernel/root.tmp"
	done
}

# Check what was unpacked against the packages' own lists, and write down what every module must look like.
write_manifest() {
	local deb name version
	for deb in "$kernel"/debs/*.deb; do
		name=$(dpkg-deb -f "$deb" Package)
		version=$(dpkg-deb -f "$deb" Version)
		echo "package $name $version $(sha256sum <"$deb" | cut -d ' ' -f 1)"
		dpkg-deb -I "$deb" md5sums | sed -n '/\.ko$\|vmlinuz-/p' >"$kernel/md5sums"
		[ -s "$kernel/md5sums" ] || continue
		(cd "$kernel/root.tmp" && md5sum --quiet -c) <"$kernel/md5sums" >&2 ||
			die "files unpacked from ${deb##*/} differ from the package's own list: is the disk full?"
		sed 's/^[^ ]*  *//' "$kernel/md5sums" | (cd "$kernel/root.tmp" && xargs sha256sum) |
			sed "s/^\([^ ]*\)  *\(.*\)/file \1 \2 $name/"
	done
	rm -f "$kernel/md5sums"
}

command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null ||
	die "the stock kernel comes from Debian's packages; this machine has no apt-get"

mkdir -p "$kernel"
exec 9>"$kernel/.lock"
flock 9			# one at a time, also among several makes

if [ -s "$kernel/release" ] && [ -s "$kernel/manifest" ] && [ -e "$kernel/root/boot/vmlinuz-$(cat "$kernel/release")" ]; then
	exit 0
fi
rm -f "$kernel/release" "$kernel/manifest"

release=$(newest_release)
if [ -z "$release" ]; then
	private_lists
	release=$(newest_release)
	[ -n "$release" ] || die "apt offers no linux-image-$flavour of series $series: is this Debian 12?"
fi
echo "setup: fetching Debian's kernel $release"
if ! download "$release"; then
	# Mirrors drop a package when its successor comes; lists then name what is gone.
	private_lists
	release=$(newest_release)
	download "$release" || die "could not download $(package_names "$release")"
fi
rm -rf "$kernel/debs"
mv "$kernel/debs.tmp" "$kernel/debs"
unpack
write_manifest >"$kernel/manifest.tmp"
# modules.dep and its like: made on the machine, not part of the package.
PATH=$PATH:/sbin:/usr/sbin depmod -b "$kernel/root.tmp" "$release"
rm -rf "$kernel/root" "$kernel/apt"
mv "$kernel/root.tmp" "$kernel/root"
mv "$kernel/manifest.tmp" "$kernel/manifest"
echo "$release" >"$kernel/release"
echo "setup: kernel $release is in $kernel/root"
