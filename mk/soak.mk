# SPDX-License-Identifier: GPL-2.0
# The soak: everything at once, for as long as asked. Its program is built with the cases, see mk/tests.mk.

## soak: everything at once on two vCPUs, for SECONDS=60
.PHONY: soak
soak: build
	$(Q)mkdir -p $(B)/soak
	$(Q)UDF_BUILD=$(abspath $(B)) UDF_WORK=$(B)/soak XDG_CACHE_HOME=$(abspath $(B))/cache $(B)/tests/soak/soak $(SECONDS)
