# SPDX-License-Identifier: GPL-2.0-only
# Programs of the tests that run in a guest or talk to one. From the top directory:
# make -f tests/guest/guest.mk guest-tools
#
#   build/guest/drmtool	 shows a picture, in a guest
#   build/guest/vnccapture  a VNC viewer without a screen
#   build/guest/echo	 gives back what is sent to it over TCP, in a guest

GUEST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -Wall -Wextra -Werror

.PHONY: guest-tools
guest-tools: build/guest/drmtool build/guest/vnccapture build/guest/echo

build/guest:
	mkdir -p $@

build/guest/drmtool: tests/guest/drmtool.c tests/guest/card.c \
		tests/guest/card.h | build/guest
	$(CC) $(GUEST_CFLAGS) -I/usr/include/libdrm -o $@ $(filter %.c,$^) -ldrm

build/guest/vnccapture: tests/guest/vnccapture.c | build/guest
	$(CC) $(GUEST_CFLAGS) -o $@ $< -lvncclient

build/guest/echo: tests/guest/echo.c | build/guest
	$(CC) $(GUEST_CFLAGS) -static -o $@ $<
