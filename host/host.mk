# SPDX-License-Identifier: GPL-2.0-only
# The reference host. From the top directory: make -f host/host.mk host
#
#   host        build/host/synthhost
#   host-asan   build/host-asan/synthhost, with ASan and UBSan
#
# Unit tests link $(HOST_ASAN_LIB): all of it except main.c.

HOST_SRCS := $(sort $(wildcard host/*.c))
HOST_HDRS := $(wildcard host/*.h include/synthio/*.h)
HOST_CFLAGS := -std=gnu11 -D_GNU_SOURCE -O2 -g -Wall -Wextra -Werror -Iinclude
HOST_SAN := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
HOST_LIBS := -luring -lvncserver -lpng -lpthread

# User networking, if there is the library. Not by pkg-config: slirp.pc asks for
# glib's headers, which its own do without
HOST_SLIRP := $(shell printf '\043include <slirp/libslirp.h>\n' | \
	$(CC) -E - >/dev/null 2>&1 && echo yes)
ifeq ($(HOST_SLIRP),yes)
HOST_CFLAGS += -DHAVE_SLIRP
HOST_LIBS += -lslirp
endif

HOST_OBJS := $(HOST_SRCS:host/%.c=build/host/%.o)
HOST_ASAN_OBJS := $(HOST_SRCS:host/%.c=build/host-asan/%.o)
HOST_ASAN_LIB_OBJS := $(filter-out build/host-asan/main.o,$(HOST_ASAN_OBJS))

.PHONY: host host-asan
host: build/host/synthhost
host-asan: build/host-asan/synthhost

build/host build/host-asan:
	mkdir -p $@

build/host/%.o: host/%.c $(HOST_HDRS) | build/host
	$(CC) $(HOST_CFLAGS) -c $< -o $@

build/host-asan/%.o: host/%.c $(HOST_HDRS) | build/host-asan
	$(CC) $(HOST_CFLAGS) $(HOST_SAN) -c $< -o $@

build/host/synthhost: $(HOST_OBJS)
	$(CC) -g -o $@ $^ $(HOST_LIBS)

build/host-asan/synthhost: $(HOST_ASAN_OBJS)
	$(CC) -g $(HOST_SAN) -o $@ $^ $(HOST_LIBS)
