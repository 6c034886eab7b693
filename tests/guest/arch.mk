# SPDX-License-Identifier: GPL-2.0-only
# For whom programs of the tests are compiled that run in a guest:
#
#   GUEST_ARCH  amd64 or arm64; default: as this machine
#   GUEST_OUT   where they go: below build/, or build/$(GUEST_ARCH) if they are
#               not for this machine
#   GUEST_CC    their compiler
#   GUEST_ROOT  where it finds headers and libraries, in usr/include and so on:
#               the guest's user space (tests/vm/userland.sh), or nothing

GUEST_HERE := $(patsubst aarch64,arm64,$(patsubst x86_64,amd64,$(shell uname -m)))
override GUEST_ARCH := $(or $(GUEST_ARCH),$(GUEST_HERE))
ifeq ($(GUEST_ARCH),$(GUEST_HERE))
GUEST_OUT := build
GUEST_CC = $(CC)
GUEST_ROOT :=
else ifeq ($(GUEST_ARCH),arm64)
GUEST_OUT := build/arm64
GUEST_CC = aarch64-linux-gnu-gcc --sysroot=$(GUEST_ROOT)
# asked for once, and only if something is compiled
GUEST_ROOT = $(eval GUEST_ROOT := $(or $(shell tests/vm/userland.sh get arm64),\
	$(error there is no user space for arm64)))$(GUEST_ROOT)
else
$(error GUEST_ARCH is amd64 or arm64, not $(GUEST_ARCH))
endif
