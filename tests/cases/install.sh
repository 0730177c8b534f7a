#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
# make install: what is installed runs where it was put, finds its parts, and every command has its manual page.
. "$UDF_TOP/tests/cases/portd.bash"

root=$UDF_WORK/root
make -s -C "$UDF_TOP" B="$UDF_BUILD" PREFIX=/opt/udf DESTDIR="$root" nbdkitdir=/opt/udf/lib/nbdkit install || fail "make install"
bin=$root/opt/udf/bin
[ "$("$bin/udf" --version)" = "$("$UDF_BUILD/udf" --version)" ] || fail "udf --version"
release=$(cat "$UDF_BUILD/kernel/release")
[ -e "$root/opt/udf/lib/udf/kapi/$release/kapi.o" ] || fail "no kapi"
grep -rq '@[a-z]*@' "$root/opt/udf/lib/systemd" "$root/opt/udf/lib/udev" && fail "a placeholder is left: $(grep -r '@[a-z]*@' "$root/opt/udf/lib")"
grep -q '^ExecStart=/opt/udf/sbin/udfd$' "$root/opt/udf/lib/systemd/system/udfd.service" || fail "the unit starts something else"
for verb in $("$bin/udf" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
	[ "$verb" = help ] || [ -e "$root/opt/udf/share/man/man1/udf-$verb.1" ] || fail "udf $verb has no manual page"
done
for page in "$root"/opt/udf/share/man/man*/*; do
	(cd "$root/opt/udf/share/man" && ! man --warnings -l "$page" 2>&1 >/dev/null | grep .) || [ $? = 1 ] || fail "$page"
done

# the kernel module's source is complete: it compiles outside of this tree, as DKMS has it compiled
src=$root/usr/src/udf-port-$("$bin/udf" --version | awk '{ print $2 }')
[ -e "$src/dkms.conf" ] || fail "no source of the kernel module: $(ls "$root/usr/src")"
cp -r "$src" kmod
setup() { realpath "$UDF_TOP/$(sed -n "s/^$1 := //p" "$UDF_BUILD/setup.mk")"; }
make -C "$(setup KERNEL_HEADERS)" -f "$(setup KERNEL_SOURCE)/Makefile" M="$UDF_WORK/kmod" modules >kmod.log 2>&1 || fail "its source does not compile: $(tail -n 20 kmod.log)"
modinfo -F version kmod/udf_port.ko | grep -q . || fail "no module"

# udev's rules name the right things
grep -q 'RUN+="/opt/udf/bin/udf reload"' "$root/opt/udf/lib/udev/rules.d/60-udf.rules" || fail "no udev rules"

# the configuration that comes with it says nothing yet; one that is there stays
[ "$("$root/opt/udf/sbin/udfd" --config "$root/etc/udf/udf.conf" --check)" = "$root/etc/udf/udf.conf: 0 ports" ] || fail "the example is wrong"
# what it shows, without the comment signs, is right as well
sed -n 's/^#\([a-z[].*\)/\1/p' "$root/etc/udf/udf.conf" >example.conf
"$root/opt/udf/sbin/udfd" --config example.conf --check || fail "the example's examples are wrong"
echo '# mine' >"$root/etc/udf/udf.conf"
make -s -C "$UDF_TOP" B="$UDF_BUILD" PREFIX=/opt/udf DESTDIR="$root" nbdkitdir=/opt/udf/lib/nbdkit install || fail "make install again"
[ "$(cat "$root/etc/udf/udf.conf")" = '# mine' ] || fail "the configuration was overwritten"

# udfd finds udf-driver, that finds kapi
unset UDF_LIBDIR
printf '[port a]\ndevice = qemu:nvme,serial=a\nsize = 64M\n' >udf.conf
: >log
"$root/opt/udf/sbin/udfd" --config udf.conf --runtime-dir "$UDF_WORK/run" --state-dir "$UDF_WORK/state" 2>log &
udfd_pid=$!
udfd_log=log
wait_log "ports in"
"$bin/udf" start a || fail "the port does not start: $(cat log)"
"$bin/udf" stop a
kill $udfd_pid
wait $udfd_pid
