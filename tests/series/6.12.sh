#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# 6.12.sh BUILD-DIR TEST...: compile udf_port.ko for the stock 6.12 kernel of Debian 13, and run tests of tests/vm that need nothing but the
# module with that kernel in the virtual machine. As root, for it takes Debian 13's compiler, in a tree that debootstrap makes.
#
# Below BUILD-DIR/series-6.12: system/ (Debian 13, the module is compiled in it), and what a build folder has for the virtual machine.
set -eu

build=$(realpath "$1")
shift
top=$(realpath "$(dirname "$0")/../..")
dir=$build/series-6.12
system=$dir/system
PATH=$PATH:/sbin:/usr/sbin

die() { printf '6.12: %s\n' "$*" >&2; exit 1; }
[ "$(id -u)" = 0 ] || die "debootstrap needs root"
command -v debootstrap >/dev/null || die "debootstrap is not there: apt-get install debootstrap"

if [ ! -e "$dir/ready" ]; then
	rm -rf "$dir"
	mkdir -p "$dir/kernel/root/boot"
	echo "6.12: making a Debian 13 below $system"
	debootstrap --variant=minbase --include=linux-headers-amd64,make,gcc,kmod,xz-utils trixie "$system" >"$dir/log" 2>&1 ||
		die "debootstrap failed: $(tail -n 1 "$dir/log")"
	release=$(basename "$(ls -d "$system"/usr/src/linux-headers-*-amd64)")
	release=${release#linux-headers-}
	echo "6.12: fetching the kernel $release"
	(cd "$dir" && chroot "$system" sh -c "cd /tmp && apt-get -q -o APT::Sandbox::User= download linux-image-$release" >>"$dir/log" 2>&1) ||
		die "no linux-image-$release: $(tail -n 1 "$dir/log")"
	dpkg-deb -x "$system"/tmp/linux-image-*.deb "$dir/image"
	mv "$dir"/image/boot/vmlinuz-* "$dir/kernel/root/boot/"
	mkdir -p "$dir/kernel/root/lib"
	mv "$dir"/image/usr/lib/modules "$dir/kernel/root/lib/" 2>/dev/null || mv "$dir"/image/lib/modules "$dir/kernel/root/lib/"
	# the first process of the virtual machine loads them as they are
	find "$dir/kernel/root/lib/modules" -name '*.ko.xz' -exec xz -d {} +
	depmod -b "$dir/kernel/root" "$release"
	echo "$release" >"$dir/kernel/release"
	touch "$dir/ready"
fi
release=$(cat "$dir/kernel/release")

echo "6.12: compiling udf_port.ko for $release"
rm -rf "$system/kmod"
mkdir -p "$system/kmod/include/udf" "$dir/kmod/$release" "$dir/vm"
cp "$top"/kmod/*.[ch] "$top/kmod/Kbuild" "$system/kmod/"
cp "$top"/include/udf/{port-abi,ring}.h "$system/kmod/include/udf/"
chroot "$system" make -s -C "/usr/src/linux-headers-$release" M=/kmod KCFLAGS=-Werror modules
cp "$system/kmod/udf_port.ko" "$dir/kmod/$release/"

cp "$build"/vm/{abi,ramdisk,init,tsc,vmlinux} "$dir/vm/"
"$dir/vm/vmlinux" "$dir/kernel/root/boot/vmlinuz-$release" "$dir/vm/vmlinux.elf"
"$top/tests/vm/initrd.sh" "$dir/vm/init" "$dir/kernel/root" "$release" "$dir/vm/initrd"
UDF_BUILD=$dir "$top/tests/run" "$@"
