# SPDX-License-Identifier: GPL-2.0-only
# Fuzzing. From the top directory: make -f tests/fuzz/fuzz.mk fuzz-test
#
#   fuzz-build  build/fuzz/fuzz_*
#   fuzz-test   runs each for FUZZ_SECONDS (30), prints TAP; inputs that were
#               found worth keeping, and what failed, are left in build/fuzz
#
# A target is tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput(); the other
# sources that it needs are named below as FUZZ_SRCS_NAME, and -I or -l for it
# as FUZZ_CFLAGS_NAME and FUZZ_LIBS_NAME. A host part that declares its own
# does so here, too.
#
# With clang, libFuzzer leads it to where the code is. Without, standalone.c
# feeds it random inputs.

FUZZ_SRCS_ring := channel/ring.c
FUZZ_SRCS_sbc := drivers/block/sbc.c drivers/block/sense.c
FUZZ_SRCS_keyboard := drivers/input/keyboard_message.c
FUZZ_SRCS_mouse := drivers/input/message.c
FUZZ_SRCS_video := drivers/video/message.c
FUZZ_SRCS_rndis := drivers/net/rndis.c

# the whole reference host but its main(), and a guest for it
FUZZ_SRCS_bus := $(filter-out host/main.c,$(wildcard host/*.c)) \
	tests/unit/fake_guest.c
FUZZ_CFLAGS_bus := -Ihost
FUZZ_LIBS_bus := -luring -lvncserver -lpng -lpthread

FUZZ_SECONDS ?= 30
FUZZ_CC ?= $(shell command -v clang || command -v clang-14)
FUZZ_HAS := $(shell echo 'int LLVMFuzzerTestOneInput(void){return 0;}' | \
	$(or $(FUZZ_CC),false) -x c -fsanitize=fuzzer,address - -o /dev/null \
	2>/dev/null && echo yes)
FUZZ_NAMES := $(patsubst tests/fuzz/fuzz_%.c,%,$(wildcard tests/fuzz/fuzz_*.c))
FUZZ_HDRS := $(wildcard channel/ring*.h drivers/block/sbc*.h \
	drivers/input/*message*.h drivers/video/message*.h \
	drivers/net/rndis*.h host/*.h \
	tests/unit/*.h include/synthio/*.h)
FUZZ_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O1 -g -Wall -Wextra -Werror -Iinclude \
	-fno-omit-frame-pointer -fno-sanitize-recover=undefined

ifeq ($(FUZZ_HAS),yes)
FUZZ_BUILD := $(FUZZ_CC) -fsanitize=fuzzer,address,undefined
else
FUZZ_BUILD := $(CC) -fsanitize=address,undefined
FUZZ_MAIN := tests/fuzz/standalone.c
endif

.PHONY: fuzz-build fuzz-test
fuzz-build: $(FUZZ_NAMES:%=build/fuzz/fuzz_%)

build/fuzz:
	mkdir -p $@

.SECONDEXPANSION:
build/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $$(FUZZ_SRCS_$$*) $(FUZZ_MAIN) \
		$(FUZZ_HDRS) tests/fuzz/fuzz.mk | build/fuzz
	$(FUZZ_BUILD) $(FUZZ_CFLAGS) $(FUZZ_CFLAGS_$*) -o $@ \
		$(filter %.c,$^) $(FUZZ_LIBS_$*)

fuzz-test: fuzz-build
	@sh tests/fuzz/run.sh build/fuzz $(FUZZ_SECONDS) \
		"$(if $(FUZZ_MAIN),random inputs,libFuzzer)" $(sort $(FUZZ_NAMES))
