# SPDX-License-Identifier: GPL-2.0-only
# What the Kbuild files of the drivers share. SYNTHIO_BUS=own (default) builds
# synth_blk.ko and so on for synth_vmbus.ko, SYNTHIO_BUS=stock the same names for
# hv_vmbus.ko, SYNTHIO_BUS=hv synth_blk_hv.ko and so on for the kernel's own VMBus.

flavour := $(if $(filter hv,$(SYNTHIO_BUS)),_hv)

ifeq ($(filter stock hv,$(SYNTHIO_BUS)),)
ccflags-y += -include $(src)/../../channel/names.h
endif
ccflags-y += -I$(src)/../../include

# flags of the file that has a module's table of devices; $(1) is the module of the
# kernel's driver for them
module_flags = -DSYNTHIO_VERSION='"$(shell cat $(src)/../../VERSION)"' \
	$(if $(flavour),-DSYNTHIO_PEER='"$(1)"') \
	-include $(src)/../../include/synthio/module.h
