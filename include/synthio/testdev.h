/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The reference host's test device: a VMBus device that does what its guest
 * asks, so that a kernel test can drive every path of the channel from one
 * side. Requests are in-band packets (type 6) whose payload begins with struct
 * synthio_test_req. Where a request asks for completion, the host completes it
 * with struct synthio_test_rsp, after the operation.
 */
#ifndef SYNTHIO_TESTDEV_H
#define SYNTHIO_TESTDEV_H

#include <linux/types.h>

/* {5f1c5a0e-7d6b-4b5e-9a3e-6d0f2a5c7e11} */
#define SYNTHIO_TEST_GUID_INIT \
	GUID_INIT(0x5f1c5a0e, 0x7d6b, 0x4b5e, 0x9a, 0x3e, \
		  0x6d, 0x0f, 0x2a, 0x5c, 0x7e, 0x11)

enum synthio_test_op {
	/* sends @data back in an in-band packet of its own, same trans id */
	SYNTHIO_TEST_ECHO	= 0,
	/*
	 * sends arg0 in-band packets of arg1 payload bytes (8 to 16384), packet
	 * i with trans id i: u64 sequence number, then synthio_test_pattern().
	 * Waits with pending_send_sz where the ring is full.
	 */
	SYNTHIO_TEST_SOURCE	= 1,
	/* takes @data: u64 sequence number expected in order, then pattern */
	SYNTHIO_TEST_SINK	= 2,
	/* puts nothing into the incoming ring for arg0 ms, at most 5000 */
	SYNTHIO_TEST_STALL	= 3,
	/* writes @data into the incoming ring as it is: header and all */
	SYNTHIO_TEST_RAW	= 4,
	/* CRC-32 (IEEE, as zlib's) of the memory behind GPADL handle arg0 */
	SYNTHIO_TEST_GPADL_CRC	= 5,
	/* fills the memory behind GPADL arg0 with pattern of seed arg1 */
	SYNTHIO_TEST_GPADL_FILL	= 6,
	/*
	 * rescinds the device after arg0 ms, offers it again arg1 ms later
	 * (0xffffffff: never). Completed before the rescind.
	 */
	SYNTHIO_TEST_RESCIND	= 7,
	/* offers subchannels until there are arg0, at most 8 */
	SYNTHIO_TEST_SUBCHANNELS = 8,
	/* overwrites the host-written index of the incoming ring with arg0 */
	SYNTHIO_TEST_BAD_INDEX	= 9,
	/* in a GPA-direct packet (type 9): CRC-32 over the ranges in order */
	SYNTHIO_TEST_GPA_CRC	= 10,
	/* in a GPA-direct packet: fills the ranges with pattern of seed arg1 */
	SYNTHIO_TEST_GPA_FILL	= 11,
	/* posts @data (at most 240 bytes) as a raw channel message */
	SYNTHIO_TEST_MESSAGE	= 12,
	/*
	 * statistics of this channel as the host counts them, in value[]:
	 * packets in, packets out, signals received, signals sent, times the
	 * outgoing ring was seen to stop being empty
	 */
	SYNTHIO_TEST_STATS	= 13,
	/* signals the guest arg0 times with nothing in the ring */
	SYNTHIO_TEST_SPURIOUS	= 14,
	/*
	 * arg0 1: from now on subchannels stay offered when the primary is
	 * closed, while SUBCHANNELS offers new ones in their places. arg0 0:
	 * no longer, and those are rescinded
	 */
	SYNTHIO_TEST_LATE	= 15,
};

struct synthio_test_req {
	__u32 op;
	__u32 arg0;
	__u32 arg1;
	__u32 len;		/* of data, bytes */
	__u8  data[];
};

enum synthio_test_status {
	SYNTHIO_TEST_OK		= 0,
	SYNTHIO_TEST_BAD_OP	= 1,
	SYNTHIO_TEST_BAD_ARG	= 2,
	SYNTHIO_TEST_MISMATCH	= 3,	/* SINK: sequence or pattern wrong */
};

struct synthio_test_rsp {
	__u32 status;		/* enum synthio_test_status */
	__u32 op;
	__u64 value[6];
};

_Static_assert(sizeof(struct synthio_test_req) == 16, "test request");
_Static_assert(sizeof(struct synthio_test_rsp) == 56, "test response");

/**
 * synthio_test_pattern() - the byte at an offset of a test pattern
 * @seed: sequence number or seed
 * @offset: bytes from the start of the pattern
 */
static inline __u8 synthio_test_pattern(__u64 seed, __u32 offset)
{
	__u32 x = (__u32)seed * 2654435761u + offset * 40503u;

	return (x >> 13 ^ x) & 0xff;
}

#endif
