# SPDX-License-Identifier: GPL-2.0
# The host world: libudf (lib/), the udf command (cli/), plugins, examples. Which folder a file is in decides its flags.

CC := gcc
CFLAGS := -O2 -g
WARNINGS := -Wall -Wextra -Wno-unused-parameter -Wstrict-prototypes -Wmissing-prototypes -Wshadow=local \
	-Werror=implicit-function-declaration -Werror=implicit-int -Werror=int-conversion -Werror=incompatible-pointer-types \
	-Werror=return-type -Werror=format -Wno-format-truncation
# The contract's headers are named after topics ("time.h"): -iquote keeps them out of the way of libc's.
INCLUDES := -iquote lib/host/include -Ilib -Iinclude
HOST_CFLAGS = -std=gnu11 -fPIC -pthread $(WARNINGS) $(INCLUDES) -DUDF_VERSION='"$(VERSION)"' $(CFLAGS)
HOST_LIBS = $(LIBS) -pthread -ldl

# $(call sources,DIR...): the C and assembly files in these folders.
sources = $(sort $(foreach d,$(1),$(wildcard $(d)/*.c) $(wildcard $(d)/*.S)))
# $(call objects,PREFIX,FILE...): the objects that these sources become below $(B)/PREFIX.
objects = $(addsuffix .o,$(addprefix $(B)/$(1)/,$(basename $(2))))

LIB_SRCS := $(call sources,$(filter-out lib/host lib/host/fake,$(patsubst %/,%,$(wildcard lib/*/ lib/*/*/))))
LIB_OBJS := $(call objects,obj,$(LIB_SRCS))
CLI_SRCS := $(call sources,cli)
# What the port manager and the command share: see mk/portd.mk.
PORTD_BASE_SRCS := $(call sources,portd/base)
CLI_OBJS := $(call objects,obj,$(CLI_SRCS) $(PORTD_BASE_SRCS))
NBDKIT_SRCS := $(call sources,plugins/nbdkit)
NBDKIT_OBJS := $(call objects,obj,$(NBDKIT_SRCS))
EXAMPLES := $(patsubst %.c,$(B)/%,$(wildcard examples/*.c))
BENCHES := $(patsubst %.c,$(B)/%,$(wildcard bench/*.c))

.PHONY: host
host: $(B)/udf $(B)/libudf.a $(B)/libudf.so $(if $(NBDKIT_SRCS),$(B)/nbdkit-udf-plugin.so) $(EXAMPLES) $(BENCHES)

# Everything is compiled again when the flags may have changed.
FLAGS_FROM := mk/host.mk

$(B)/obj/%.o: %.c $(FLAGS_FROM)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

$(B)/obj/%.o: %.S $(FLAGS_FROM)
	$(call say,AS,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(HOST_CFLAGS) -MMD -MP -c -o $@ $<

# $(call list,FILE,WORDS): FILE holds WORDS and changes only when they do, so that a removed source relinks what it was in.
list = $(shell mkdir -p $(dir $(1)); echo '$(2)' | cmp -s - $(1) || echo '$(2)' >$(1))$(1)

$(B)/libudf.a: $(LIB_OBJS) $(call list,$(B)/obj/lib.list,$(LIB_OBJS))
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $(LIB_OBJS)

# Only what the public headers declare is visible, where lib/libudf.map says so.
LIBUDF_MAP := $(wildcard lib/libudf.map)
$(B)/libudf.so: $(LIB_OBJS) $(LIBUDF_MAP) $(call list,$(B)/obj/lib.list,$(LIB_OBJS))
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,-soname,libudf.so $(addprefix -Wl$(comma)--version-script=,$(LIBUDF_MAP)) $(LDFLAGS) -o $@ $(LIB_OBJS) $(HOST_LIBS)
comma := ,

# Verbs of the command: one for each cli/cmd-<verb>.c.
VERBS := $(patsubst cli/cmd-%.c,%,$(filter cli/cmd-%.c,$(CLI_SRCS)))
VERBS_INC := $(call list,$(B)/gen/verbs.inc,$(foreach v,$(VERBS),VERB($(subst -,_,$(v)), "$(v)")))
$(B)/obj/cli/main.o: $(VERBS_INC)
$(B)/obj/cli/gdb-script.o: cli/gdb.py
$(B)/obj/cli/%.o: INCLUDES += -iquote $(B)/gen -Iportd

$(B)/udf: $(CLI_OBJS) $(B)/libudf.a $(call list,$(B)/obj/cli.list,$(CLI_OBJS))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $(CLI_OBJS) $(B)/libudf.a $(HOST_LIBS)

$(B)/nbdkit-udf-plugin.so: $(NBDKIT_OBJS) $(B)/libudf.a
	$(call say,LD,$@)
	$(Q)$(CC) -shared -Wl,--exclude-libs,ALL $(LDFLAGS) -o $@ $(NBDKIT_OBJS) $(B)/libudf.a $(HOST_LIBS)

# Benchmarks look beneath the public interface.
$(BENCHES): $(B)/%: $(B)/obj/%.o $(B)/libudf.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(B)/libudf.a $(HOST_LIBS)

$(EXAMPLES): $(B)/%: $(B)/obj/%.o $(B)/libudf.so
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(LDFLAGS) -o $@ $< -L$(B) -ludf '-Wl,-rpath,$$ORIGIN/..' $(HOST_LIBS)

-include $(patsubst %.o,%.d,$(LIB_OBJS) $(CLI_OBJS) $(NBDKIT_OBJS)) $(patsubst $(B)/%,$(B)/obj/%.d,$(EXAMPLES) $(BENCHES))
