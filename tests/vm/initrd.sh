#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# initrd.sh INIT KERNEL-ROOT RELEASE OUT: the initial RAM disk: init, and the modules for 9p and overlay in the order of loading.
set -eu

init=$1 root=$2 release=$3 out=$4
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
PATH=$PATH:/sbin:/usr/sbin

mkdir -p "$tree"/{modules,dev,proc,sys}
cp "$init" "$tree/init"
number=100
for module in virtio_pci 9pnet_virtio 9p overlay; do
	modprobe -d "$root" -S "$release" --show-depends "$module"
done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r file; do
	cp "$file" "$tree/modules/$number-${file##*/}"
	number=$((number + 1))
done
(cd "$tree" && find . -print0 | sort -z | cpio -o -H newc -0 --quiet) >"$out.tmp"
mv "$out.tmp" "$out"
