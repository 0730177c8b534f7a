# SPDX-License-Identifier: GPL-2.0
# The demonstrations (demo/), and what documents take from the source.

## demo: twelve ports as block devices of the stock kernel in a virtual machine, while three of their drivers die
.PHONY: demo
demo: host kapi vm test-modules
	$(Q)demo/demo.sh $(B)

## demo-native: four ports of an NVMe card, each driven by the stock nvme.ko in a process of its own, without a virtual machine
.PHONY: demo-native
demo-native: $(B)/udf $(B)/nbdkit-udf-plugin.so kapi
	$(Q)demo/native.sh $(B)

## doc: bring the tables of doc/ that are taken from the source up to date
.PHONY: doc
doc:
	$(Q)doc/update.sh
