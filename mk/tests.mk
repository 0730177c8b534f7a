# SPDX-License-Identifier: GPL-2.0
# Tests: unit (cmocka, under ASan and UBSan), modules (Kbuild), cases, fuzz targets.

SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
# Libraries of the host world that need no vCPU: these run under the sanitizers, with the fake host beneath.
PURE_SRCS := $(call sources,$(addprefix lib/,common debug image loader port front host/fake) portd/base) \
	lib/host/linux/detour-code.c lib/host/linux/rings.c

ASAN_OBJS := $(call objects,asan,$(PURE_SRCS))
UNIT_SRCS := $(sort $(shell find tests -path "tests/unit/*" -name "test_*.c"))
UNIT_HELPERS := $(sort $(filter-out $(UNIT_SRCS),$(shell find tests -path "tests/unit/*" -name "*.c")))
UNIT_HELPER_OBJS := $(call objects,asan,$(UNIT_HELPERS))
UNITS := $(patsubst %.c,$(B)/%,$(UNIT_SRCS))

CASE_PROGS := $(patsubst %.c,$(B)/%,$(wildcard tests/cases/*.c))
SOAK_PROGS := $(patsubst %.c,$(B)/%,$(wildcard tests/soak/*.c))

.PHONY: tests units
## units: compile the unit tests
units: $(UNITS)
tests: $(UNITS) $(CASE_PROGS) $(SOAK_PROGS) test-modules

$(B)/asan/%.o: %.c $(FLAGS_FROM) mk/tests.mk
	$(call say,CC.asan,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -O1 $(SANITIZE) -MMD -MP -c -o $@ $<

$(B)/asan/%.o: %.S $(FLAGS_FROM) mk/tests.mk
	$(call say,AS.asan,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/asan/tests/unit/%.o: INCLUDES += -Itests/unit -Iportd
$(B)/asan/portd/%.o $(B)/fuzz/portd/%.o $(B)/fuzz/tests/fuzz/fuzz_portd.o: INCLUDES += -Iportd

$(B)/asan/libudf.a: $(ASAN_OBJS) $(call list,$(B)/asan/lib.list,$(ASAN_OBJS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(ASAN_OBJS)

$(UNITS): $(B)/%: $(B)/asan/%.o $(UNIT_HELPER_OBJS) $(B)/asan/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SANITIZE) $(LDFLAGS) -o $@ $< $(UNIT_HELPER_OBJS) $(B)/asan/libudf.a -lcmocka $(HOST_LIBS)

$(CASE_PROGS) $(SOAK_PROGS): $(B)/%: $(B)/obj/%.o $(B)/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $< $(B)/libudf.a $(HOST_LIBS)

-include $(patsubst %.o,%.d,$(ASAN_OBJS) $(UNIT_HELPER_OBJS)) $(patsubst $(B)/%,$(B)/asan/%.d,$(UNITS))
-include $(patsubst $(B)/%,$(B)/obj/%.d,$(CASE_PROGS) $(SOAK_PROGS))

RUN_TESTS = UDF_BUILD=$(B) tests/run -j $(or $(JOBS),2) $(if $(filter 1,$(V)),-v)
# Cases of the tree itself, quick enough for every commit.
TREE_CASES := tests/cases/worlds.sh tests/cases/readme-paths.sh
CASES := $(sort $(wildcard tests/cases/*.sh) $(CASE_PROGS))
MODULE_TESTS = $(shell tests/modules/list.sh)
# T=TEXT: only the tests whose names have TEXT in them.
chosen = $(if $(T),$(foreach t,$(1),$(if $(findstring $(T),$(t)),$(t))),$(1))

## check-fast: seconds: unit tests under ASan and UBSan, and the border between the worlds
.PHONY: check-fast
check-fast: $(UNITS)
	$(Q)$(RUN_TESTS) $(call chosen,$(UNITS) $(TREE_CASES))

## check: every test; T=TEXT chooses by name, JOBS=N how many run at once
.PHONY: check
check: build
	$(Q)$(RUN_TESTS) $(call chosen,$(UNITS) $(CASES) $(MODULE_TESTS) $(VM_TESTS))

# Test modules: ordinary kernel modules.
MODULE_SRCS := $(wildcard tests/modules/*.c)
MODULE_DIR := $(B)/tests/modules

.PHONY: test-modules
test-modules: $(if $(MODULE_SRCS),$(MODULE_DIR)/.built)

ifneq ($(KERNEL_RELEASE),)
$(MODULE_DIR)/.built: $(MODULE_SRCS) $(wildcard tests/modules/*.h tests/modules/Kbuild) mk/tests.mk \
		$(call list,$(MODULE_DIR)/sources.list,$(MODULE_SRCS))
	$(call say,KBUILD,$(MODULE_DIR))
	$(Q)mk/link-tree.sh tests/modules $(MODULE_DIR)
	$(Q)+$(kbuild) M=$(abspath $(MODULE_DIR)) modules 2>&1 | sed '/BTF/d'; exit $${PIPESTATUS[0]}
	$(Q)touch $@
$(MODULE_DIR)/.built: SHELL := /bin/bash
endif

# Fuzz targets: libFuzzer, which is clang's.
FUZZ_CC := clang-14
FUZZ_SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined
FUZZ_SRCS := $(wildcard tests/fuzz/fuzz_*.c)
FUZZERS := $(patsubst %.c,$(B)/%,$(FUZZ_SRCS))
FUZZ_OBJS := $(call objects,fuzz,$(PURE_SRCS))
SECONDS := 60

$(B)/fuzz/%.o: %.c $(FLAGS_FROM) mk/tests.mk
	$(call say,CC.fuzz,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -Wshadow=local -Wno-format-truncation,$(HOST_CFLAGS)) -fsanitize=fuzzer-no-link $(FUZZ_SANITIZE) -MMD -MP -c -o $@ $<

$(B)/fuzz/%.o: %.S $(FLAGS_FROM) mk/tests.mk
	$(call say,AS.fuzz,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(filter-out -Wshadow=local -Wno-format-truncation,$(HOST_CFLAGS)) -MMD -MP -c -o $@ $<

$(B)/fuzz/tests/%.o: INCLUDES += -Itests/unit

$(B)/fuzz/libudf.a: $(FUZZ_OBJS)
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(FUZZ_OBJS)

$(FUZZERS): $(B)/%: $(B)/fuzz/%.o $(B)/fuzz/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer $(FUZZ_SANITIZE) -o $@ $< $(B)/fuzz/libudf.a $(HOST_LIBS)

-include $(patsubst %.o,%.d,$(FUZZ_OBJS)) $(patsubst $(B)/%,$(B)/fuzz/%.d,$(FUZZERS))

# Seeds: tests/fuzz/corpus/NAME if it is there, and what tests/fuzz/NAME.seed.sh FOLDER makes. Findings go to $(B)/fuzz/NAME.
## fuzz: run each fuzz target for SECONDS=60; FUZZ=NAME chooses one
.PHONY: fuzz
fuzz: $(FUZZERS)
	$(Q)set -e; for f in $(if $(FUZZ),$(filter %/$(FUZZ),$(FUZZERS)),$(FUZZERS)); do name=$${f##*/}; \
		mkdir -p $(B)/fuzz/$$name/corpus; \
		if [ -x tests/fuzz/$$name.seed.sh ]; then tests/fuzz/$$name.seed.sh $(B)/fuzz/$$name/corpus; fi; \
		echo "fuzz: $$name for $(SECONDS) s"; \
		$$f -max_total_time=$(SECONDS) -print_final_stats=1 -verbosity=0 -artifact_prefix=$(B)/fuzz/$$name/ \
			$(B)/fuzz/$$name/corpus $$(ls -d tests/fuzz/corpus/$$name 2>/dev/null || :); \
	done
