# SPDX-License-Identifier: GPL-2.0
# The kernel module udf_port.ko, by Kbuild, in a tree of symbolic links as kapi.

KMOD_SRCS := $(wildcard kmod/*.c kmod/*.h)
KMOD_DIR := $(B)/kmod/$(KERNEL_RELEASE)
KMOD := $(KMOD_DIR)/udf_port.ko

## kmod: compile the kernel module udf_port.ko for the stock kernel
.PHONY: kmod
kmod: $(if $(KERNEL_RELEASE),$(KMOD))
build: kmod

ifneq ($(KERNEL_RELEASE),)
kbuild_kmod = $(kbuild) M=$(abspath $(1)) UDF_INCLUDE=$(CURDIR)/include W=1 $(2) modules 2>&1 | sed '/BTF/d'; exit $${PIPESTATUS[0]}

$(KMOD): SHELL := /bin/bash
$(KMOD): $(KMOD_SRCS) kmod/Kbuild include/udf/port-abi.h include/udf/ring.h mk/kmod.mk $(call list,$(KMOD_DIR)/sources.list,$(KMOD_SRCS))
	$(call say,KBUILD,$@)
	$(Q)mk/link-tree.sh kmod $(KMOD_DIR)
	$(Q)+$(call kbuild_kmod,$(KMOD_DIR))
	$(Q)touch $@

## kmod-check: sparse and clang-tidy on the kernel module; fails on any complaint
.PHONY: kmod-check
kmod-check: SHELL := /bin/bash
kmod-check: $(KMOD)
	$(Q)mk/link-tree.sh kmod $(KMOD_DIR)-sparse
	$(Q)rm -f $(KMOD_DIR)-sparse/*.o
	$(Q)+! { $(call kbuild_kmod,$(KMOD_DIR)-sparse,C=2 CHECK=sparse); } | grep 'kmod/.*\(warning\|error\)'
	$(Q)mk/kmod-tidy.sh $(KMOD_DIR) $(KERNEL_HEADERS)
endif

# As it goes to /usr/src: the ABI's header is with it.
DKMS := $(B)/dkms/udf-port-$(VERSION)

## dkms: make a source tree of udf_port.ko for DKMS, below build/dkms
.PHONY: dkms
dkms:
	$(Q)grep -q 'PACKAGE_VERSION="$(VERSION)"' kmod/dkms.conf && grep -q 'MODULE_VERSION("$(VERSION)")' kmod/main.c
	$(Q)rm -rf $(DKMS) && mkdir -p $(DKMS)/include/udf
	$(Q)cp $(KMOD_SRCS) kmod/Kbuild kmod/dkms.conf $(DKMS)/
	$(Q)cp include/udf/port-abi.h include/udf/ring.h $(DKMS)/include/udf/
	@echo $(DKMS)
