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

# In the virtual machine: see doc/bench.md. The load generator is below 16 MiB, where count.so looks for it.
VM_BENCH := $(B)/bench/vm
VM_BENCHES := $(patsubst bench/vm/%.c,$(VM_BENCH)/%,$(filter-out bench/vm/count.c bench/vm/attached.c,$(wildcard bench/vm/*.c)))

$(VM_BENCHES): $(VM_BENCH)/%: bench/vm/%.c $(wildcard bench/vm/*.h) bench/bench.h $(FLAGS_FROM)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -fno-pic -static -no-pie -o $@ $<

$(VM_BENCH)/attached: $(B)/obj/bench/vm/attached.o $(B)/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $< $(B)/libudf.a $(HOST_LIBS)

$(VM_BENCH)/count.so: bench/vm/count.c bench/vm/mark.h $(FLAGS_FROM)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -shared -o $@ $<

.PHONY: bench-vm-build
bench-vm-build: host kapi vm $(VM_BENCHES) $(VM_BENCH)/attached $(VM_BENCH)/count.so
