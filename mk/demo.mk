# SPDX-License-Identifier: GPL-2.0
# The demonstration: see demo/demo.sh.

## demo: four ports of an NVMe card, each driven by the stock nvme.ko in a process of its own
.PHONY: demo
demo: $(B)/udf $(B)/nbdkit-udf-plugin.so kapi
	$(Q)demo/demo.sh $(B)
