# SPDX-License-Identifier: GPL-2.0
# The kernel world: kapi/ becomes one relocatable object for each kernel release, $(B)/kapi/RELEASE/kapi.o.
#
# Kbuild compiles it as the parts of one module would be (the kernel's own flags, objtool, ORC tables), but stops at the linked
# object: modpost would reject the kernel's unexported symbols, which kapi may use because it is linked with the image itself.
# The objects go into a tree of symbolic links, since Kbuild writes beside the sources.

KAPI_SRCS := $(sort $(shell find kapi -name '*.[cS]'))
KAPI_HDRS := $(sort $(shell find kapi -name '*.h') $(wildcard lib/host/include/*.h) include/udf/ring.h)
KAPI_DIR := $(B)/kapi/$(KERNEL_RELEASE)
KAPI := $(KAPI_DIR)/kapi.o

# kbuild: Kbuild of the stock kernel, used where it was unpacked. (The headers' own Makefile names the place it is installed at.)
kbuild = $(MAKE) --no-print-directory -C $(KERNEL_HEADERS) -f $(abspath $(KERNEL_SOURCE))/Makefile V=$(or $(V),0)

.PHONY: kapi
kapi: $(if $(KAPI_SRCS),$(KAPI))

ifneq ($(KERNEL_RELEASE),)
$(KAPI): $(KAPI_SRCS) $(KAPI_HDRS) kapi/Kbuild mk/kapi.mk $(call list,$(KAPI_DIR)/sources.list,$(KAPI_SRCS))
	$(call say,KAPI,$@)
	@# two makes at a time would write the same objects
	$(Q)exec 9>$(KAPI_DIR)/lock && flock 9 && mk/link-tree.sh kapi $(KAPI_DIR)/tree
	$(Q)+exec 9>$(KAPI_DIR)/lock && flock 9 && $(kbuild) M=$(abspath $(KAPI_DIR)/tree) UDF_ROOT=$(CURDIR) kapi.o
	$(Q)mk/check-kapi.sh $(KAPI_DIR)/tree/kapi.o
	$(Q)cp $(KAPI_DIR)/tree/kapi.o $@.tmp && mv $@.tmp $@
endif
