# SPDX-License-Identifier: GPL-2.0-only
# Programs of the tests that run in a guest or talk to one. From the top directory:
# make -f tests/guest/guest.mk guest-tools
#
#   build/guest/drmtool	 shows a picture, in a guest
#   build/guest/vnccapture  a VNC viewer without a screen
#   build/guest/echo	 gives back what is sent to it over TCP, in a guest
#   build/guest/stress_ring  tests/unit's, to be run in a guest
#
# GUEST_ARCH=arm64: those that run in a guest lie in build/arm64/guest

include tests/guest/arch.mk

GUEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror

.PHONY: guest-tools
guest-tools: $(GUEST_OUT)/guest/drmtool $(GUEST_OUT)/guest/echo \
	$(GUEST_OUT)/guest/stress_ring build/guest/vnccapture

$(sort build/guest $(GUEST_OUT)/guest):
	mkdir -p $@

$(GUEST_OUT)/guest/drmtool: tests/guest/drmtool.c tests/guest/card.c \
		tests/guest/card.h | $(GUEST_OUT)/guest
	$(GUEST_CC) $(GUEST_CFLAGS) -I$(GUEST_ROOT)/usr/include/libdrm -o $@ \
		$(filter %.c,$^) -ldrm

build/guest/vnccapture: tests/guest/vnccapture.c | build/guest
	$(CC) $(GUEST_CFLAGS) -o $@ $< -lvncclient

$(GUEST_OUT)/guest/echo: tests/guest/echo.c | $(GUEST_OUT)/guest
	$(GUEST_CC) $(GUEST_CFLAGS) -static -o $@ $<

$(GUEST_OUT)/guest/stress_ring: tests/unit/stress_ring.c channel/ring.c \
		host/ring.c tests/unit/tap.h channel/ring.h \
		channel/ring_env.h host/ring.h include/synthio/vmbus.h \
		| $(GUEST_OUT)/guest
	$(GUEST_CC) $(GUEST_CFLAGS) -Iinclude -static -o $@ $(filter %.c,$^)
