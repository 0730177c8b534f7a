# SPDX-License-Identifier: GPL-2.0
# The demonstration (demo/demo.sh), and what documents take from the source.

## demo: four ports of an NVMe card, each driven by the stock nvme.ko in a process of its own
.PHONY: demo
demo: $(B)/udf $(B)/nbdkit-udf-plugin.so kapi
	$(Q)demo/demo.sh $(B)

## doc: bring the tables of doc/ that are taken from the source up to date
.PHONY: doc
doc:
	$(Q)doc/update.sh
