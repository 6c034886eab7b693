# SPDX-License-Identifier: GPL-2.0-only
# What DKMS runs in its copy of the sources, with KDIR=; it adds -j and
# KERNELRELEASE=, which go on to the kernel's build.

KMAKE := -C $(KDIR) $(shell sh compat/kmake $(KDIR))
# variables of the command line that choose a compiler: configure's make gets them too
KVARS = $(foreach v,CC LD LLVM ARCH CROSS_COMPILE HOSTCC,$(if \
	$(filter command%,$(origin $v)),$v=$($v)))
# Empty if the kernel has no VMBus. dkms.conf has the same rule: newer kernels have an
# option for VMBus alone, in older ones it is part of CONFIG_HYPERV
VMBUS := $(shell config=$(KDIR)/.config; option=CONFIG_HYPERV; \
	! grep -q 'CONFIG_HYPERV_VMBUS\>' $$config || option=CONFIG_HYPERV_VMBUS; \
	grep "^$$option=" $$config)

.PHONY: modules
modules:
	sh compat/configure -j $$(nproc) compat/result $(KDIR) make $(KMAKE) $(KVARS)
	cp compat/result/config.h include/synthio/config.h
	$(MAKE) $(KMAKE) M=$(CURDIR) SYNTHIO_BUS=own modules
ifneq ($(VMBUS),)
	mkdir -p hv
	cp -r Kbuild VERSION include drivers hv/
	find hv -name '*.o' -delete
	$(MAKE) $(KMAKE) M=$(CURDIR)/hv SYNTHIO_BUS=hv modules
endif
