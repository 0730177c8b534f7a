# SPDX-License-Identifier: GPL-2.0
# Set-up: packages and the stock kernel. It runs by itself before a goal that compiles, whenever something is missing:
# $(B)/setup.mk is an included file that make brings up to date first, then make starts over with what it says.

GOALS := $(or $(MAKECMDGOALS),help)

# From setup.mk: KERNEL_RELEASE, KERNEL_HEADERS, KERNEL_SOURCE, LIBS.
ifneq ($(filter-out help setup clean distclean,$(GOALS)),)
include $(B)/setup.mk
endif

$(B)/setup.mk: setup/packages.list setup/setup.sh setup/kernel.sh
	$(Q)setup/setup.sh $(B)

## setup: install missing packages, fetch the stock kernel into build/kernel
.PHONY: setup
setup:
	$(Q)setup/setup.sh $(B)
