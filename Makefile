# SPDX-License-Identifier: GPL-2.0
# UDF. Default target: help. One snippet for each part of the tree is in mk/.

VERSION := 0.1.0
B := build

# The first target is the default one.
.PHONY: help
help:
	@echo 'UDF $(VERSION): stock Linux driver modules in ordinary processes'
	@echo
	@sed -n 's/^## \([a-z-]*\): /  make \1\t/p' Makefile mk/*.mk | sort | expand -t 20
	@echo
	@echo '  V=1 shows the commands; everything is made below $(B)/'

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

ifeq ($(V),1)
Q :=
say =
else
Q := @
say = @printf '  %-8s%s\n' '$(1)' '$(2)'
endif

# What the others build on comes first; the order of the rest does not matter.
PARTS := mk/setup.mk mk/host.mk mk/kapi.mk mk/tests.mk
include $(PARTS) $(filter-out $(PARTS),$(sort $(wildcard mk/*.mk)))

## build: compile everything, tests included
.PHONY: build
build: host kapi tests

## clean: remove what the compilers made (keeps the downloaded kernel)
.PHONY: clean
clean:
	$(Q)rm -rf $(filter-out $(B)/kernel,$(wildcard $(B)/*))

## distclean: remove everything that was made or downloaded
.PHONY: distclean
distclean:
	$(Q)rm -rf $(B)
