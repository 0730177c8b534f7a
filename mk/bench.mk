# SPDX-License-Identifier: GPL-2.0
# Benchmarks: nothing is asserted, a table is written.

ROUNDS := 5
BENCH_SECONDS := 2
VM_ROUNDS := 3

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

# The table of the virtual machine is the end of doc/bench.md; each can be made anew without the other.
VM_SECTION := \#\# In a virtual machine

## bench: measure UDF against its yardstick, then bench-vm; write doc/bench.md
.PHONY: bench
bench: host kapi $(LATENCY)
	$(Q)bench/run.sh $(B) $(ROUNDS) $(BENCH_SECONDS) >$(B)/bench.md
	$(Q)sed -n '/^$(VM_SECTION)/,$$p' doc/bench.md >$(B)/bench-vm.md
	$(Q)(cat $(B)/bench.md; echo; cat $(B)/bench-vm.md) >doc/bench.md
	$(Q)$(MAKE) --no-print-directory bench-vm

## bench-vm: measure UDF against the kernel's own nvme, NBD and TCMU in the virtual machine; write the end of doc/bench.md
.PHONY: bench-vm
bench-vm: host kapi vm $(VM_BENCHES) $(VM_BENCH)/attached $(VM_BENCH)/count.so
	$(Q)bench/vm.sh $(B) $(VM_ROUNDS) >$(B)/bench-vm.md
	$(Q)sed '/^$(VM_SECTION)/,$$d' doc/bench.md >$(B)/bench.md
	$(Q)cat $(B)/bench.md $(B)/bench-vm.md >doc/bench.md
	$(Q)cat doc/bench.md
