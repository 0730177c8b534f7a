# SPDX-License-Identifier: GPL-2.0
# Stock drivers, measured: each one for a device that QEMU can emulate is started once (tests/drivers/).

DRIVE_SRCS := $(call sources,tests/drivers)
DRIVE_OBJS := $(call objects,obj,$(DRIVE_SRCS))
# Beside udf, where the kernel and kapi are found.
DRIVE := $(B)/udf-drive
NETCHECK_DIR := $(B)/tests/drivers/modules
NETCHECK := $(NETCHECK_DIR)/udf_netcheck.ko

tests: $(DRIVE) $(if $(KERNEL_RELEASE),$(NETCHECK))

$(DRIVE): $(DRIVE_OBJS) $(B)/libudf.a $(call list,$(B)/obj/drive.list,$(DRIVE_OBJS))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $(DRIVE_OBJS) $(B)/libudf.a $(HOST_LIBS)

-include $(patsubst %.o,%.d,$(DRIVE_OBJS))

ifneq ($(KERNEL_RELEASE),)
$(NETCHECK): SHELL := /bin/bash
$(NETCHECK): $(wildcard tests/drivers/modules/*)
	$(call say,KBUILD,$@)
	$(Q)mk/link-tree.sh tests/drivers/modules $(NETCHECK_DIR)
	$(Q)+$(kbuild) M=$(abspath $(NETCHECK_DIR)) modules 2>&1 | sed '/BTF/d'; exit $${PIPESTATUS[0]}
	$(Q)touch $@
endif

## check-drivers: start every stock driver for a device of QEMU's, compare with doc/drivers.md; UPDATE=1 writes that, T=TEXT, CPUS=N
.PHONY: check-drivers
check-drivers: host kapi $(DRIVE) $(NETCHECK)
	$(Q)UDF_TOP=$(CURDIR) UDF_BUILD=$(abspath $(B)) tests/drivers/check.sh $(if $(UPDATE),--update) $(if $(CPUS),--cpus $(CPUS)) $(T)
