/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ethernet frames: where their headers are, checksums, and the header that a tap
 * wants before each (struct virtio_net_hdr). No state, no I/O.
 *
 * What is looked at is a copy of a frame's first bytes, so that nobody changes
 * it meanwhile.
 */
#ifndef SYNTHHOST_NETFRAME_H
#define SYNTHHOST_NETFRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#define NETFRAME_ETH		14u
#define NETFRAME_TAG		4u
#define NETFRAME_MACS		12u
#define NETFRAME_MAX		(65535u + NETFRAME_ETH + NETFRAME_TAG)
#define NETFRAME_TUPLE_MAX	36u

/* More than any header that is understood begins with */
#define NETFRAME_HEAD		192u

/**
 * struct netframe_header - struct virtio_net_hdr in this machine's byte order
 *
 * Its fields are explained there; the first two are VIRTIO_NET_HDR_*.
 */
struct netframe_header {
	uint8_t flags;
	uint8_t gso_type;
	uint16_t hdr_len;
	uint16_t gso_size;
	uint16_t csum_start;
	uint16_t csum_offset;
};

_Static_assert(sizeof(struct netframe_header) == sizeof(struct virtio_net_hdr),
	       "virtio_net_hdr");

/**
 * struct netframe - the headers of a frame
 * @ip: 4, 6, or 0: it is something else
 * @proto: IPPROTO_TCP, IPPROTO_UDP, or whatever the header says
 * @tagged: there is an 802.1Q tag
 * @l3: offset of the IP header
 * @l4: offset of the TCP or UDP header; 0: there is none that is whole, or the
 *	packet is a fragment
 */
struct netframe {
	uint8_t ip;
	uint8_t proto;
	bool tagged;
	uint16_t l3;
	uint16_t l4;
};

/**
 * netframe_parse() - find the headers
 * @head: the first @len bytes of the frame
 */
void netframe_parse(const uint8_t *head, size_t len, struct netframe *nf);

/**
 * netframe_tuple() - what a receive hash is made of
 * @types: NDIS_HASH_* that are wanted
 * @tuple: NETFRAME_TUPLE_MAX bytes
 *
 * Return: bytes in @tuple; 0: the frame has no hash.
 */
unsigned int netframe_tuple(const uint8_t *head, const struct netframe *nf,
			    uint32_t types, uint8_t *tuple);

/**
 * netframe_sum() - add to a ones' complement sum
 * @data: begins at an even offset of what is summed up
 *
 * Not yet folded: netframe_fold() makes 16 bits of it, not inverted, in the byte
 * order of the data.
 */
uint64_t netframe_sum(uint64_t sum, const void *data, size_t len);
uint16_t netframe_fold(uint64_t sum);

/**
 * netframe_fill() - put in the checksum that a sender has left to others
 * @iov: the frame's @len bytes; all pieces but the last of an even length
 * @start: where the sum begins, in the first piece
 * @offset: of the checksum, behind that; it holds the pseudo header's sum
 *
 * Return: false if that is not inside the first piece; the frame stays as it is.
 */
bool netframe_fill(const struct iovec *iov, size_t len, unsigned int start,
		   unsigned int offset);

/**
 * netframe_offload_csum() - the tap header for a frame that lacks a checksum
 * @head: a copy of the frame's first @head_len bytes: at least @l4, if there are so
 *	many
 * @ip6: what the sender says that it is
 * @udp: else TCP, likewise
 * @l4: offset of its header, likewise
 *
 * Return: false if the frame is no such packet, or a fragment of one, or its header
 * is not at @l4.
 */
bool netframe_offload_csum(struct netframe_header *vh, const uint8_t *head,
			   size_t head_len, size_t frame_len, bool ip6,
			   bool udp, unsigned int l4);

/**
 * netframe_offload_lso() - the same for a frame to be cut into segments
 * @head: a copy of the frame's first @head_len bytes. Its lengths and checksums,
 *	which the sender of an NDIS large send leaves out, are put in
 * @ip6: what the sender says that it is
 *
 * Return: bytes of headers; 0: this is no such frame.
 */
size_t netframe_offload_lso(struct netframe_header *vh, uint8_t *head,
			    size_t head_len, size_t frame_len, bool ip6,
			    unsigned int l4, unsigned int mss);

#endif
