# SPDX-License-Identifier: GPL-2.0-only
# "make help" lists the targets. The kernel's build does not read this file but
# Kbuild, beside it, in a copy of the sources: build/<release>/<bus>.

.DEFAULT_GOAL := modules
MAKEFLAGS += --no-print-directory

BUS ?= own
# The kernel to build for: the running one, or KVER= or KDIR=. KERNEL= names one of
# the distribution's kernels instead, which need not be installed
# (tests/vm/kernel.sh); "make test" boots its guests with that kernel.
KVER ?= $(shell uname -r)
KDIR ?= /lib/modules/$(KVER)/build
KERNEL ?=
# A build with KERNEL= enables more warnings and fails for each of them. An object that
# is up to date was therefore compiled without a warning, so incremental builds prove
# as much as new ones.
W ?= $(if $(KERNEL),1)
# Modules for one of the distribution's kernels have no debug information, which
# takes a third of the compiler's time, and without it no BTF can be made;
# DEBUG_INFO=1 keeps both
DEBUG_INFO ?=
STRICT := $(if $(filter-out debug,$(KERNEL)),$(if $(filter 1,$(DEBUG_INFO)), \
	KCFLAGS=-Werror,KCFLAGS="-Werror -g0" CONFIG_DEBUG_INFO_BTF_MODULES=))
SUITE ?=
JOBS ?= 2
export LONG DEBUG_KERNEL KEEP JOBS_TEST OPENVMM QEMU
export PYTHONDONTWRITEBYTECODE := 1

GUEST_KERNEL := $(if $(filter 1,$(DEBUG_KERNEL)),debug,$(or $(KERNEL),distro))
# The architecture of programs that run in guests; empty for this machine's. See
# tests/guest/arch.mk.
GUEST_ARCH := $(if $(findstring arm64,$(GUEST_KERNEL)),arm64)
SOURCES = Kbuild VERSION channel include drivers tests/selftests/modules
# Lists the sources below the current directory, without generated files.
FIND_SOURCES = find $(SOURCES) -type f \( -name '*.[ch]' -o -name Kbuild \
	-o -name flavour.mk -o -name VERSION -o -name Makefile \) \
	! -name '*.mod.c' ! -name config.h 2>/dev/null

-include host/host.mk
-include tests/guest/guest.mk

ifneq ($(filter-out own stock hv,$(BUS)),)
$(error BUS is own, stock or hv, not $(BUS))
endif

# Variables of the command line that choose a compiler; compat/configure passes them
# to the kernel's build.
KVARS = $(foreach v,CC LD LLVM ARCH CROSS_COMPILE HOSTCC,$(if \
	$(filter command%,$(origin $v)),$v=$($v)))

define find_kernel
	set -e; \
	if [ -n "$(KERNEL)" ]; then \
		vars=$$(tests/vm/kernel.sh headers $(KERNEL)); \
		eval "$$vars"; \
		kbuild=$$KBUILD_DIR; \
		name=$$KREL; [ $(KERNEL) != debug ] || name=debug; \
		kmake="tests/vm/kernel.sh make $$name"; \
	else \
		[ -e "$(KDIR)/Makefile" ] || { \
			echo "$(KDIR) has no kernel headers: install" \
			"linux-headers-$(KVER), or say KVER= or KDIR=" >&2; \
			exit 1; }; \
		KREL=$$(sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' \
			"$(KDIR)/include/generated/utsrelease.h"); \
		kbuild="$(KDIR)"; \
		kmake="$(MAKE) -C $(KDIR) $$(compat/kmake "$(KDIR)")"; \
	fi; \
	dir=$(CURDIR)/build/$$KREL/$(BUS)
endef

# Finds out which interfaces the kernel has. Both buses use the result.
define configure
	compat/configure -j $(JOBS) "build/$$KREL/compat" "$$kbuild" $$kmake $(KVARS)
endef

# Changed sources are copied into the build directory and removed ones are removed
# there; objects are kept. Files are compared by contents, because a changed file can
# have an older time stamp than the copy. The lock is for tests that run at the same
# time and need the same modules.
define build_modules
	mkdir -p "$$dir" build/lock; \
	exec 9>"build/lock/modules-$$KREL-$(BUS)"; \
	! command -v flock >/dev/null || flock 9; \
	$(configure); \
	config="$$dir/include/synthio/config.h"; \
	cmp -s "build/$$KREL/compat/config.h" "$$config" || \
		install -D -m 644 "build/$$KREL/compat/config.h" "$$config"; \
	for f in $$($(FIND_SOURCES)); do \
		cmp -s "$$f" "$$dir/$$f" || \
			install -D -m 644 "$$f" "$$dir/$$f"; \
	done; \
	for f in $$(cd "$$dir" && $(FIND_SOURCES)); do \
		[ -e "$$f" ] || rm "$$dir/$$f"; \
	done; \
	$$kmake M="$$dir" SYNTHIO_BUS=$(BUS) $(if $(W),W=$(W)) $(STRICT) \
		-j$(JOBS) modules
endef

.PHONY: modules
modules:
	@$(find_kernel); $(build_modules)

.PHONY: config-report
config-report:
	@$(find_kernel); ($(configure)) || :; \
	compat/configure report "build/$$KREL/compat"

# udev rules of a package (DESTDIR= is set) belong in /usr/lib, those that the
# administrator installs in /etc.
UDEV_RULES_DIR ?= $(if $(DESTDIR),/usr/lib,/etc)/udev/rules.d
UDEV_RULES = packaging/udev/60-synth-blk.rules
# The hook that adds the disk driver to an initramfs, likewise.
INITRAMFS_HOOKS_DIR ?= $(if $(DESTDIR),/usr/share,/etc)/initramfs-tools/hooks
INITRAMFS_HOOK = packaging/initramfs/synthio

# Only modules with names of their own are installed. depmod would bind the
# distribution's drivers to a hv_vmbus.ko below updates/, so the drop-in is never put
# there.
.PHONY: install uninstall
install:
	@[ "$(BUS)" = own ] || { echo "the drop-in is not installed: load" \
		"build/<release>/stock/channel/hv_vmbus.ko by hand" >&2; exit 1; }
	@$(find_kernel); $(build_modules); \
	to="$(DESTDIR)/lib/modules/$$KREL/updates/synthio"; \
	set --; \
	for ko in "$$dir"/channel/*.ko "$$dir"/drivers/*/*.ko; do \
		[ ! -e "$$ko" ] || set -- "$$@" "$$ko"; \
	done; \
	echo "installing $$(($$(cat "$$@" | wc -c) / 1024)) KiB in $$to:"; \
	for ko; do echo "  $${ko##*/}"; done; \
	echo "and $(DESTDIR)$(UDEV_RULES_DIR)/$(notdir $(UDEV_RULES))"; \
	echo "and $(DESTDIR)$(INITRAMFS_HOOKS_DIR)/$(notdir $(INITRAMFS_HOOK))"; \
	[ -n "$(DESTDIR)" ] || echo "then depmod $$KREL"; \
	install -D -m 644 -t "$$to" "$$@"; \
	install -D -m 644 -t "$(DESTDIR)$(UDEV_RULES_DIR)" $(UDEV_RULES); \
	install -D -m 755 -t "$(DESTDIR)$(INITRAMFS_HOOKS_DIR)" \
		$(INITRAMFS_HOOK); \
	[ -n "$(DESTDIR)" ] || depmod "$$KREL"

uninstall:
	@$(find_kernel); \
	rm -rfv "$(DESTDIR)/lib/modules/$$KREL/updates/synthio" \
		"$(DESTDIR)$(UDEV_RULES_DIR)/$(notdir $(UDEV_RULES))" \
		"$(DESTDIR)$(INITRAMFS_HOOKS_DIR)/$(notdir $(INITRAMFS_HOOK))"; \
	rmdir "$(DESTDIR)/lib/modules/$$KREL/updates" 2>/dev/null || true; \
	[ -n "$(DESTDIR)" ] || depmod "$$KREL"

.PHONY: dkms-install dkms-uninstall
dkms-install:
	packaging/dkms.sh install
dkms-uninstall:
	packaging/dkms.sh uninstall

.PHONY: deb rpm
deb rpm:
	@packaging/$@.sh

# ---- targets that boot guests ------------------------------------------------

.PHONY: guest-modules guest-ready
guest-modules:
	@for bus in own stock; do \
		echo "building modules for the $(GUEST_KERNEL) kernel, BUS=$$bus"; \
		$(MAKE) modules KERNEL=$(GUEST_KERNEL) BUS=$$bus || exit; \
	done

# Modules first, then the rest: also with -j.
guest-ready:
	@$(MAKE) guest-modules
	@$(MAKE) -j$(JOBS) host host-asan guest-tools

# tests/run skips a suite whose packages are missing, and runs the others.
.PHONY: test
test:
ifeq ($(SUITE),model)
	@tests/vm/deps.sh model || true
else ifeq ($(filter-out unit package,$(or $(SUITE),all)),)
	@tests/vm/deps.sh build vm fresh || true
else
	@tests/vm/deps.sh test arm64 fresh model || true
	@[ -n "$$(tests/vm/deps.sh -m test $(filter arm64,$(GUEST_ARCH)))" ] || \
		$(MAKE) guest-ready
endif
	@$(if $(KERNEL),VM_KERNEL=$(KERNEL)) tests/run $(SUITE)

.PHONY: demo
demo:
	@tests/vm/deps.sh demo
	@echo "building the reference host and the drop-in hv_vmbus.ko"
	@$(MAKE) -j$(JOBS) host
	@$(MAKE) modules KERNEL=distro BUS=stock
	@$(MAKE) -f tests/guest/guest.mk build/guest/drmtool
	@tests/vm/demo.py

# Compares the drivers with their peers. The reference host is built without
# sanitizers.
.PHONY: bench
export CASES QUICK ROUNDS PEERS ROWS SETUPS
bench:
	@tests/vm/deps.sh bench
	@$(MAKE) -j$(JOBS) host
	@for bus in own stock; do \
		$(MAKE) modules KERNEL=distro BUS=$$bus || exit; \
	done
	@$(MAKE) build/bench/count.so $(BENCH_TOOLS)
	@tests/bench/run

# A plugin of QEMU that counts instructions.
build/bench/count.so: tests/bench/count.c tests/bench/qemu_plugin.h
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror -shared -fPIC -o $@ $<

# Programs that generate load for the network card (in the guest and at the far end),
# the pointer and the display.
BENCH_TOOLS := $(addprefix build/bench/,rr udp xdp pointer screen)
$(BENCH_TOOLS): build/bench/%: tests/bench/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -O2 -Wall -Wextra -Werror $(CFLAGS_BENCH) -o $@ \
		$(filter %.c,$^) $(LIBS_BENCH)
build/bench/pointer build/bench/screen: tests/bench/asked.h
build/bench/screen: tests/guest/card.c tests/guest/card.h
build/bench/screen: CFLAGS_BENCH := -I/usr/include/libdrm
build/bench/screen: LIBS_BENCH := -ldrm

VM_DISK := build/vm/disk.img
# By default the guest has the drop-in, on which the distribution's drivers run;
# BUS=own on the command line selects the project's drivers. VNC=[ADDR:]PORT is where
# a viewer connects.
VM_BUS := $(if $(filter command%,$(origin BUS)),$(BUS),stock)
.PHONY: vm
vm:
	@tests/vm/deps.sh vm
	@$(MAKE) -j$(JOBS) host
	@$(MAKE) modules KERNEL=$(GUEST_KERNEL) BUS=$(VM_BUS)
	@mkdir -p $(dir $(VM_DISK)); [ -e $(VM_DISK) ] || truncate -s 1G $(VM_DISK)
	@$(if $(KERNEL),VM_KERNEL=$(KERNEL)) tests/vm/run --shell --name vm --limit 86400 --host-build host \
		--mem 1G --load $(VM_BUS) --bar 32M \
		--host "--scsi c0 --keyboard --mouse --video video,vram=16M" \
		--host "--vnc $(or $(VNC),0)" \
		--host "--disk c0,lun=0,file=$(CURDIR)/$(VM_DISK)"

# These makefiles look for compilers when they are read. They are not included, so
# that other targets do not pay for that.
.PHONY: unit-test fuzz-test
unit-test fuzz-test:
	@$(MAKE) -s -f tests/$(@:-test=)/$(@:-test=).mk $@

# KERNELS="6.12-rt newest-arm64" or patterns such as "6.12.*" build fewer than all.
.PHONY: kernels
kernels:
	@tests/vm/deps.sh build vm fresh cross
	@tests/kernels --fresh $(KERNELS)

.PHONY: abi-check
abi-check:
	@tests/vm/deps.sh vm
	@$(MAKE) modules KERNEL=$(or $(KERNEL),distro) BUS=stock
	@vars=$$(tests/vm/kernel.sh headers $(or $(KERNEL),distro)) && eval "$$vars" && \
		tests/abi-check "$$KBUILD_DIR/Module.symvers" \
			"build/$$KREL/stock/Module.symvers" \
			"build/$$KREL"/stock/drivers/*/*.ko

.PHONY: lint
lint:
	@tests/vm/deps.sh vm lint
	@tests/lint

.PHONY: fresh-debian
fresh-debian:
	@tests/vm/deps.sh vm fresh
	@tests/vm/fresh-debian.sh

.PHONY: clean distclean
clean:
	rm -rf build/host build/host-asan build/guest build/unit build/fuzz build/demo \
		build/bench build/lint build/logs build/vm build/[0-9]*.[0-9]*

distclean:
	rm -rf build

.PHONY: help
help:
	@echo "make                    modules for the running kernel, or KVER= or KDIR=;"
	@echo "                        BUS=own (default): synth_vmbus.ko; BUS=stock: hv_vmbus.ko;"
	@echo "                        BUS=hv: drivers alone, for the kernel's own VMBus;"
	@echo "                        KERNEL=6.12, 6.1-rt, 6.12-arm64, newest...: for one of"
	@echo "                        Debian's, which need not be installed"
	@echo "make config-report      which forms of the kernel's interfaces it has"
	@echo "make install            puts them into /lib/modules (BUS=own only), rules for"
	@echo "                        disks where udev finds them, and a hook for root"
	@echo "                        disks where initramfs-tools does, below DESTDIR= if"
	@echo "                        that is given; uninstall"
	@echo "make dkms-install       the same by DKMS; dkms-uninstall"
	@echo "make deb                Debian packages in build/deb: synthio-dkms, synthio-host,"
	@echo "                        synthio-tools; rpm: the same in build/rpm"
	@echo "make demo               from nothing to a guest with a disk and a keyboard"
	@echo "make test               all test suites; SUITE=unit|model|channel|block|net|"
	@echo "                        input|video|hyperv|openvmm|package; LONG=1 adds soak;"
	@echo "                        SUITE=openvmm OPENVMM=/path/to/openvmm [QEMU=]: on"
	@echo "                        OpenVMM, another VMBus host (docs/hyperv.md);"
	@echo "                        DEBUG_KERNEL=1: in a kernel with KASAN and lockdep;"
	@echo "                        KEEP=1 keeps build/run/NAME.PID of each guest;"
	@echo "                        JOBS_TEST=N programs at once: by default as many as"
	@echo "                        CPUs, 2 at most, and 1 with LONG=1 or DEBUG_KERNEL=1"
	@echo "make unit-test          parts of SUITE=unit by themselves; fuzz-test"
	@echo "make host               synthhost, the reference host; host-asan: for tests"
	@echo "make vm                 a guest to play in (BUS= chooses its channel), its"
	@echo "                        screen at VNC=[ADDR:]PORT, or a free port"
	@echo "make bench              our devices against their peers, an hour each;"
	@echo "                        CASES=disk,net; QUICK=1: 5 minutes each; ROUNDS=,"
	@echo "                        PEERS=a,b, ROWS=a,b, SETUPS=a,b: less of it;"
	@echo "                        docs/benchmark.md says which there are; leaves"
	@echo "                        build/bench/report.html"
	@echo "make kernels            modules for each kernel in Debian's archive, or KERNELS=;"
	@echo "                        prints a table of the results"
	@echo "make abi-check          compares the drop-in's symbols with the kernel's"
	@echo "make lint               checkpatch, sparse, W=1, shellcheck"
	@echo "make fresh-debian       demo and unit tests in a new Debian 12 (root)"
	@echo "make clean              removes what was built; distclean: kernels too"
	@echo "What boots guests, lint and fresh-debian say which Debian packages are"
	@echo "missing and how large they are, then install them (root or sudo); without"
	@echo "that, test skips what lacks them, the others stop. JOBS=: as make -j (2)."
