# SPDX-License-Identifier: GPL-2.0
# Installation. DESTDIR is put before all of it; a part with files of its own adds a target that `install` depends on.

PREFIX := /usr/local
bindir := $(PREFIX)/bin
sbindir := $(PREFIX)/sbin
libdir := $(PREFIX)/lib
includedir := $(PREFIX)/include
mandir := $(PREFIX)/share/man
sysconfdir := /etc
srcdir := /usr/src
unitdir := $(libdir)/systemd/system
rulesdir := $(libdir)/udev/rules.d
completionsdir := $(PREFIX)/share/bash-completion/completions
nbdkitdir := $(shell pkg-config --variable=plugindir nbdkit 2>/dev/null)

INSTALL := install
# $(call put,MODE,FILE,DIRECTORY): with paths of the installation in the place of @bindir@ and @sbindir@.
put = sed 's|@bindir@|$(bindir)|g; s|@sbindir@|$(sbindir)|g' $(2) | $(INSTALL) -D -m $(1) /dev/stdin $(DESTDIR)$(3)/$(notdir $(2))

## install: install everything below PREFIX=/usr/local (configuration: /etc, the kernel module's source: /usr/src); DESTDIR=DIR for packages
.PHONY: install install-portd install-kmod
install: install-portd install-kmod

# 'dkms install udf-port/VERSION' compiles and installs it, for each kernel of the machine. What an earlier installation has left goes.
install-kmod: dkms
	$(Q)rm -rf $(DESTDIR)$(srcdir)/udf-port-$(VERSION)
	$(Q)cd $(DKMS) && find . -type f -exec $(INSTALL) -D -m 644 {} $(abspath $(DESTDIR)$(srcdir))/udf-port-$(VERSION)/{} \;

install-portd: host kapi
	$(Q)$(INSTALL) -d $(addprefix $(DESTDIR),$(bindir) $(sbindir) $(libdir)/udf/kapi/$(KERNEL_RELEASE) $(includedir)/udf $(sysconfdir)/udf/udf.conf.d)
	$(Q)$(INSTALL) -m 755 $(B)/udf $(DESTDIR)$(bindir)
	$(Q)$(INSTALL) -m 755 $(B)/udfd $(DESTDIR)$(sbindir)
	$(Q)$(INSTALL) -m 755 $(B)/udf-driver $(DESTDIR)$(libdir)/udf
	$(Q)$(INSTALL) -m 644 $(KAPI) $(DESTDIR)$(libdir)/udf/kapi/$(KERNEL_RELEASE)
	$(Q)$(INSTALL) -m 644 $(B)/libudf.so $(B)/libudf.a $(DESTDIR)$(libdir)
	$(Q)$(INSTALL) -m 644 include/udf/*.h $(DESTDIR)$(includedir)/udf
	$(Q)$(if $(nbdkitdir),$(INSTALL) -D -m 644 $(B)/nbdkit-udf-plugin.so $(DESTDIR)$(nbdkitdir)/nbdkit-udf-plugin.so)
	$(Q)for page in man/*.[1358]; do $(INSTALL) -D -m 644 $$page $(DESTDIR)$(mandir)/man$${page##*.}/$${page##*/}; done
	$(Q)$(INSTALL) -D -m 644 completions/udf $(DESTDIR)$(completionsdir)/udf
	$(Q)$(call put,644,portd/etc/udfd.service,$(unitdir))
	$(Q)$(call put,644,portd/etc/udfd.socket,$(unitdir))
	$(Q)$(call put,644,portd/etc/60-udf.rules,$(rulesdir))
	@# what an administrator has written stays
	$(Q)[ -e $(DESTDIR)$(sysconfdir)/udf/udf.conf ] || $(INSTALL) -m 644 portd/etc/udf.conf $(DESTDIR)$(sysconfdir)/udf
