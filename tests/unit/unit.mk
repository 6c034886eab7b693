# SPDX-License-Identifier: GPL-2.0-only
# Unit tests in user space. From the top directory:
#
#   make -f tests/unit/unit.mk unit-test
#
#   unit-build  build/unit/NAME for each program
#   unit-test   runs them all, prints one TAP stream
#
# A test program is tests/unit/test_NAME.c; it is found by its name. It prints
# TAP (tap.h) and exits with 0 if all is well. Declared below, as far as needed:
#
#   UNIT_SRCS_test_NAME     the other sources that it is linked with
#   UNIT_CFLAGS_test_NAME   options for it alone; what comes last wins
#   UNIT_LIBS_test_NAME     libraries
#
# Everything is built with ASan and UBSan. Only stress_* is not: it is a race,
# and they are in the way.

UNIT_SRCS_test_ring := channel/ring.c
UNIT_SRCS_test_ring_api := channel/ring_api.c channel/ring.c
UNIT_CFLAGS_test_ring_api := -Itests/unit/kernel -Ichannel \
	-Wl,--wrap=ring_recv_peek
UNIT_CFLAGS_test_handover := -Itests/unit/kernel -Ichannel
UNIT_SRCS_test_stall := channel/host_state.c
UNIT_CFLAGS_test_stall := -Itests/unit/kernel -Ichannel -DSYNTHIO_OWN_NAMES \
	-Wno-unused-parameter
UNIT_SCSI_SRCS := $(patsubst %,host/%.c,scsi scsi_inquiry scsi_mode \
	profile)
UNIT_SRCS_test_sbc := drivers/block/sbc.c drivers/block/sense.c
UNIT_SRCS_test_block_state := drivers/block/state.c
UNIT_SRCS_test_identify := drivers/block/identify.c drivers/block/sbc.c \
	drivers/block/sense.c \
	$(UNIT_SCSI_SRCS)
UNIT_SRCS_test_keyboard := drivers/input/keyboard_message.c
UNIT_SRCS_test_mouse := drivers/input/message.c
UNIT_SRCS_test_video := drivers/video/message.c drivers/video/damage.c \
	drivers/video/pointer.c drivers/video/state.c drivers/video/updates.c
UNIT_SRCS_test_rndis := drivers/net/rndis.c
UNIT_SRCS_test_net_state := drivers/net/state.c
UNIT_SRCS_stress_ring := channel/ring.c host/ring.c

# test_host_*: the whole reference host but its main(), and a guest for it
ifndef HOST_SRCS
include host/host.mk
endif
UNIT_HOST := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/test_host_*.c))
$(foreach t,$(UNIT_HOST),\
	$(eval UNIT_SRCS_$(t) := tests/unit/fake_guest.c)\
	$(eval UNIT_CFLAGS_$(t) := -Ihost $(filter -DHAVE_SLIRP,$(HOST_CFLAGS)))\
	$(eval UNIT_LIBS_$(t) := $(HOST_ASAN_LIB_OBJS) $(HOST_LIBS)))
$(UNIT_HOST:%=build/unit/%): $(HOST_ASAN_LIB_OBJS)

$(foreach t,death inflight kill,\
	$(eval UNIT_SRCS_test_host_$(t) += tests/unit/fake_disk.c))

# it starts the program
build/unit/test_host_kill: build/host-asan/synthhost

# a viewer
UNIT_LIBS_test_host_mouse += -lvncclient

# these bring a bus of their own instead, or need none
UNIT_SRCS_test_host_scsi := $(UNIT_SCSI_SRCS)
UNIT_LIBS_test_host_scsi :=
UNIT_STORVSP := test_host_storvsp test_host_fault test_host_like
UNIT_STORVSP_SRCS := tests/unit/fake_storvsp.c tests/unit/fake_command.c $(patsubst %,host/%.c,\
	storvsp storvsp_io storvsp_order storvsp_state storvsp_disk \
	storvsp_fault storvsp_fault_command persist blockio loop text log) \
	$(UNIT_SCSI_SRCS)
$(foreach t,$(UNIT_STORVSP),\
	$(eval UNIT_SRCS_$(t) := $(UNIT_STORVSP_SRCS))\
	$(eval UNIT_CFLAGS_$(t) := -Wl,--wrap=open)\
	$(eval UNIT_LIBS_$(t) := $(HOST_LIBS)))
UNIT_SRCS_test_host_netframe := host/netframe.c host/toeplitz.c
UNIT_LIBS_test_host_netframe :=
UNIT_NETVSP_SRCS := tests/unit/fake_netvsp.c tests/unit/fake_command.c $(patsubst %,host/%.c,\
	netvsp netvsp_nvsp netvsp_rndis netvsp_oid netvsp_tx netvsp_rx \
	netvsp_slots netvsp_state netvsp_options netvsp_fault \
	netvsp_fault_command netvsp_fault_hold persist netframe toeplitz \
	profile text log)
$(foreach t,test_host_netvsp test_host_netvsp_like,\
	$(eval UNIT_SRCS_$(t) := $(UNIT_NETVSP_SRCS))\
	$(eval UNIT_LIBS_$(t) :=))
UNIT_SRCS_test_host_moderate := host/moderate.c
UNIT_LIBS_test_host_moderate :=
UNIT_SRCS_test_host_blockdev := $(patsubst %,host/%.c,\
	blockio loop text log)
UNIT_LIBS_test_host_blockdev := $(HOST_LIBS)
UNIT_SRCS_test_host_loop := host/loop.c host/log.c
UNIT_CFLAGS_test_host_loop := -Wl,--wrap=io_uring_submit
UNIT_LIBS_test_host_loop := $(HOST_LIBS)

UNIT_NAMES := $(patsubst tests/unit/%.c,%,$(sort \
	$(wildcard tests/unit/test_*.c tests/unit/stress_*.c)))
UNIT_HDRS := $(wildcard tests/unit/*.h tests/unit/kernel/*/*.h \
	channel/ring*.h channel/host_state.h channel/trace.h drivers/block/sbc*.h drivers/block/identify.h \
	drivers/block/state.h \
	drivers/input/*message*.h drivers/input/state.h drivers/video/message*.h \
	drivers/video/damage.h drivers/video/pointer.h \
	drivers/video/state.h drivers/video/updates.h \
	drivers/net/rndis*.h host/*.h \
	include/synthio/*.h)
UNIT_CFLAGS := -std=gnu11 -D_GNU_SOURCE -g -Wall -Wextra -Werror -Iinclude
UNIT_SAN := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer

.PHONY: unit-build unit-test
unit-build: $(UNIT_NAMES:%=build/unit/%)

build/unit:
	mkdir -p $@

.SECONDEXPANSION:
build/unit/%: tests/unit/%.c $$(UNIT_SRCS_$$*) $(UNIT_HDRS) \
		tests/unit/unit.mk | build/unit
	$(CC) $(UNIT_CFLAGS) $(if $(filter stress_%,$*),-O2,$(UNIT_SAN)) \
		$(UNIT_CFLAGS_$*) -o $@ $(filter %.c,$^) $(UNIT_LIBS_$*)

unit-test: unit-build
	@sh tests/unit/run.sh build/unit $(UNIT_NAMES)
