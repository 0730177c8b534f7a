# SPDX-License-Identifier: GPL-2.0
# The port manager: udfd, and udf-driver, which it runs for each port. What both share, and the command needs, is portd/base.

PORTD_LIBS := $(shell pkg-config --libs libsystemd libseccomp libcap 2>/dev/null)
PORTD_BASE_OBJS := $(call objects,obj,$(PORTD_BASE_SRCS))
UDFD_OBJS := $(call objects,obj,$(call sources,portd/udfd))
DRIVER_OBJS := $(call objects,obj,$(call sources,portd/driver))

host: $(B)/udfd $(B)/udf-driver

$(B)/obj/portd/%.o: INCLUDES += -Iportd

$(B)/udfd: $(UDFD_OBJS) $(PORTD_BASE_OBJS) $(B)/libudf.a $(call list,$(B)/obj/udfd.list,$(UDFD_OBJS) $(PORTD_BASE_OBJS))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -o $@ $(UDFD_OBJS) $(PORTD_BASE_OBJS) $(B)/libudf.a $(HOST_LIBS) $(PORTD_LIBS)

# -rdynamic: as in udf, so that traces name functions
$(B)/udf-driver: $(DRIVER_OBJS) $(PORTD_BASE_OBJS) $(B)/libudf.a $(call list,$(B)/obj/driver.list,$(DRIVER_OBJS) $(PORTD_BASE_OBJS))
	$(call say,LD,$@)
	$(Q)$(CC) $(LDFLAGS) -rdynamic -o $@ $(DRIVER_OBJS) $(PORTD_BASE_OBJS) $(B)/libudf.a $(HOST_LIBS) $(PORTD_LIBS)

-include $(patsubst %.o,%.d,$(PORTD_BASE_OBJS) $(UDFD_OBJS) $(DRIVER_OBJS))
