# SPDX-License-Identifier: GPL-2.0
# The virtual machine that tests the kernel module: Debian's stock kernel in QEMU, over the host's files.

VM := $(B)/vm
VM_TESTS = $(shell tests/vm/list.sh)
VM_PROGS := $(patsubst tests/vm/%.c,$(VM)/%,$(filter-out tests/vm/init.c,$(wildcard tests/vm/*.c)))

AWAKE := $(if $(KERNEL_RELEASE),$(B)/tests/vm/awake/udf_awake.ko)

## vm: build the virtual machine for the tests of the kernel module
.PHONY: vm
vm: $(VM)/initrd $(VM)/vmlinux.elf $(VM_PROGS) $(AWAKE) kmod
tests: vm

$(VM_PROGS): $(VM)/%: $(B)/obj/tests/vm/%.o $(B)/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $< $(B)/libudf.a $(HOST_LIBS)

$(VM)/init: $(B)/obj/tests/vm/init.o
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -static -o $@ $<

-include $(patsubst $(VM)/%,$(B)/obj/tests/vm/%.d,$(VM_PROGS) $(VM)/init)

ifneq ($(KERNEL_RELEASE),)
$(AWAKE): SHELL := /bin/bash
$(AWAKE): tests/vm/awake/awake.c tests/vm/awake/Kbuild
	$(call say,KBUILD,$@)
	$(Q)mk/link-tree.sh tests/vm/awake $(@D)
	$(Q)+$(kbuild) M=$(abspath $(@D)) modules 2>&1 | sed '/BTF/d'; exit $${PIPESTATUS[0]}

$(VM)/vmlinux.elf: $(VM)/vmlinux $(B)/kernel/root/boot/vmlinuz-$(KERNEL_RELEASE)
	$(call say,UNPACK,$@)
	$(Q)$^ $@

$(VM)/initrd: $(VM)/init tests/vm/initrd.sh
	$(call say,INITRD,$@)
	$(Q)tests/vm/initrd.sh $(VM)/init $(B)/kernel/root $(KERNEL_RELEASE) $@
endif

## check-vm: the tests in the virtual machine, with those that have an open failure; T=TEXT chooses by name
.PHONY: check-vm
check-vm: build
	$(Q)$(RUN_TESTS) $(call chosen,$(shell tests/vm/list.sh --all))

## check-6.12: compile the kernel module for Debian 13's stock kernel, and test it there; as root, with debootstrap
.PHONY: check-6.12
check-6.12: vm
	$(Q)tests/series/6.12.sh $(B) tests/vm/abi.sh@plain tests/vm/abi.sh@iommu tests/vm/block-abi.sh@plain tests/vm/block-abi.sh@iommu
