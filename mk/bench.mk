# SPDX-License-Identifier: GPL-2.0
# Benchmarks: nothing is asserted, a table is written.

ROUNDS := 5
BENCH_SECONDS := 2

LATENCY_DIR := $(B)/bench/modules
LATENCY := $(LATENCY_DIR)/udf_latency.ko

ifneq ($(KERNEL_RELEASE),)
$(LATENCY): SHELL := /bin/bash
$(LATENCY): $(wildcard bench/modules/*)
	$(call say,KBUILD,$@)
	$(Q)mk/link-tree.sh bench/modules $(LATENCY_DIR)
	$(Q)+$(kbuild) M=$(abspath $(LATENCY_DIR)) modules 2>&1 | sed '/BTF/d'; exit $${PIPESTATUS[0]}
	$(Q)touch $@
endif

## bench: measure UDF against its yardstick, write doc/bench.md
.PHONY: bench
bench: host kapi $(LATENCY)
	$(Q)bench/run.sh $(B) $(ROUNDS) $(BENCH_SECONDS) >$(B)/bench.md
	$(Q)mv $(B)/bench.md doc/bench.md
	$(Q)cat doc/bench.md
