# SPDX-License-Identifier: GPL-2.0-only
# What the tests of network cards need compiled: make -f tests/suites/net/net.mk
# from the top. Guests find it as /synthio/build/net. GUEST_ARCH=arm64: what is
# for them lies in build/arm64/net.

include tests/guest/arch.mk

SRC := tests/suites/net/bpf
OUT := $(GUEST_OUT)/net
ARCH := $(shell uname -m)

.PHONY: all
all: $(OUT)/load $(OUT)/actions.bpf.o

# asm/ lies where the machine's compiler looks, and clang for BPF does not
$(OUT)/%.bpf.o: $(SRC)/%.bpf.c $(SRC)/actions.h
	@mkdir -p $(@D)
	clang -target bpf -O2 -g -Wall -Wextra -Werror \
		-I/usr/include/$(ARCH)-linux-gnu -c -o $@.tmp $<
	llvm-strip -g $@.tmp
	mv $@.tmp $@

$(OUT)/load: $(SRC)/load.c $(SRC)/xsk.c $(wildcard $(SRC)/*.h)
	@mkdir -p $(@D)
	$(GUEST_CC) -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror -o $@.tmp \
		$(filter %.c,$^) -lbpf
	mv $@.tmp $@
