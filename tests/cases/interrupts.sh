#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# One test over all types of interrupts, on one and on two vCPUs: INTx (megasas without its MSI and MSI-X), MSI (ahci, which has no
# MSI-X) and MSI-X (nvme, megasas). Data is written and read back; QEMU's trace says which interrupts there were.
set -u

bad=0

complain() { echo "$*"; bad=1; }

export UDF_QEMU=$UDF_WORK/qemu QEMU_TRACE=$UDF_WORK/trace
cat >qemu <<'END'
#!/bin/sh
exec qemu-system-x86_64 -trace pci_cfg_write -trace 'megasas_irq_raise' -trace 'megasas_ms*_raise' -trace ahci_irq_raise \
	-trace 'pci_nvme_irq_*' -D "$QEMU_TRACE" "$@"
END
chmod +x qemu
head -c 3M /dev/urandom >in
disk=(--backend '-blockdev driver=file,filename=disk.img,node-name=d0')

udf() {			# VERB OPTION...
	timeout -k 1 30 "$UDF_BUILD/udf" "$@" "${disk[@]}" "${device[@]}" --cpus "$cpus" --offset 1M --length 3M 2>log && return
	complain "$what: udf $1: status $?"
	cat log
}

# EVENT came often, and no other interrupt did.
only() {		# EVENT
	local n others
	n=$(grep -c "^$1 " trace)
	others=$(grep -E '^(megasas_(irq|msi|msix)_raise|pci_nvme_irq_(pin|msix)) ' trace | grep -vc "^$1 ")
	echo "$what: $n times $1, $others others"
	[ "$n" -ge 10 ] || complain "$what: too few interrupts"
	[ "$others" = 0 ] || complain "$what: other interrupts"
}

# The device MODEL was told so, in configuration space.
told() {		# MODEL OFFSET VALUE
	grep -q "^pci_cfg_write $1 [^ ]* @$2 <- $3$" trace || complain "$what: nobody has written $3 to $2"
}

# Whether its INTx was switched off (bit 10 of the command register, the device being bus master) is another sign.
intx_off() {		# MODEL yes|no
	local off=no
	! grep -q "^pci_cfg_write $1 [^ ]* @0x4 <- 0x407$" trace || off=yes
	[ $off = "$2" ] || complain "$what: INTx switched off: $off"
}

check() {		# NAME EVENT DEVICE...; further checks on stdin
	local name=$1 event=$2 checks
	checks=$(cat)
	device=("${@:3}")
	for cpus in 1 2; do
		what="$name, $cpus vCPUs"
		rm -f disk.img out trace
		truncate -s 16M disk.img
		udf write --file in
		only "$event"
		eval "$checks"
		udf read --file out
		only "$event"
		cmp in out || complain "$what: what is read is not what was written"
		cmp in <(tail -c +1048577 disk.img | head -c 3M) || complain "$what: something else is on the disk"
	done
}

check INTx megasas_irq_raise --device qemu:megasas,id=udf0,msi=off,msix=off --backend '-device scsi-hd,drive=d0,bus=udf0.0' \
	<<<'intx_off megasas no'
check MSI ahci_irq_raise --device qemu:ich9-ahci,id=udf0 --backend '-device ide-hd,drive=d0,bus=udf0.0' \
	<<<'intx_off ich9-ahci yes; told ich9-ahci 0x82 0x81'
check MSI-X pci_nvme_irq_msix --device qemu:nvme,serial=a,drive=d0 <<<'intx_off nvme yes; told nvme 0x42 0x8040'
check 'MSI-X of megasas' megasas_msix_raise --device qemu:megasas,id=udf0 --backend '-device scsi-hd,drive=d0,bus=udf0.0' \
	<<<'intx_off megasas yes; told megasas 0x6a 0x800e'
exit $bad
