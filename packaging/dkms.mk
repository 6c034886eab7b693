# SPDX-License-Identifier: GPL-2.0-only
# What DKMS runs in its copy of the sources, with KDIR=; it adds -j and
# KERNELRELEASE=, which go on to the kernel's build.

KMAKE := -C $(KDIR) $(shell sh compat/kmake $(KDIR))

.PHONY: modules
modules:
	sh compat/configure -j $$(nproc) compat/result $(KDIR) make $(KMAKE)
	cp compat/result/config.h include/synthio/config.h
	$(MAKE) $(KMAKE) M=$(CURDIR) SYNTHIO_BUS=own modules
