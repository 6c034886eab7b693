// SPDX-License-Identifier: GPL-2.0-only
/* Packets: what drivers send and receive on an open channel. */
#include <linux/module.h>

#include "ring_api.h"
#include "vmbus.h"

/**
 * vmbus_sendpacket_getid() - send a packet, learn its transaction id
 * @channel: an open channel
 * @buffer: payload
 * @bufferLen: bytes
 * @requestid: what the driver wants back with the completion
 * @trans_id: NULL, or where the transaction id goes
 * @type: VM_PKT_DATA_INBAND or VM_PKT_COMP
 * @flags: 0 or VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
 *
 * Context: any. Return: see ring_write(); -EINVAL if it can't ever fit.
 */
int vmbus_sendpacket_getid(struct vmbus_channel *channel, void *buffer,
			   u32 bufferLen, u64 requestid, u64 *trans_id,
			   enum vmbus_packet_type type, u32 flags)
{
	u64 len = ALIGN((u64)sizeof(struct vmpacket_descriptor) + bufferLen, 8);
	u64 padding = 0;
	struct vmpacket_descriptor desc = {
		.type = type,
		.flags = flags,
		.offset8 = sizeof(desc) / 8,
		.len8 = len / 8,
		.trans_id = VMBUS_RQST_ERROR,	/* ring_write() knows better */
	};
	struct kvec kv[] = {
		{ &desc, sizeof(desc) },
		{ buffer, bufferLen },
		{ &padding, len - sizeof(desc) - bufferLen },
	};

	if (len / 8 > U16_MAX)
		return -EINVAL;
	return ring_write(channel, kv, ARRAY_SIZE(kv), requestid, trans_id);
}

/**
 * vmbus_sendpacket() - send a packet
 * @channel: an open channel
 * @buffer: payload
 * @bufferLen: bytes
 * @requestid: what the driver wants back with the completion
 * @type: VM_PKT_DATA_INBAND or VM_PKT_COMP
 * @flags: 0 or VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED
 *
 * Context: any. Return: see ring_write().
 */
int vmbus_sendpacket(struct vmbus_channel *channel, void *buffer,
		     u32 bufferLen, u64 requestid, enum vmbus_packet_type type,
		     u32 flags)
{
	return vmbus_sendpacket_getid(channel, buffer, bufferLen, requestid,
				      NULL, type, flags);
}

/**
 * vmbus_sendpacket_mpb_desc() - send a packet that names guest pages
 * @channel: an open channel
 * @mpb: room for the descriptor, rangecount and range filled in
 * @desc_size: bytes at @mpb that are used; a multiple of 8
 * @buffer: payload that follows
 * @bufferlen: bytes
 * @requestid: what the driver wants back with the completion
 *
 * Context: any. Return: see ring_write().
 */
int vmbus_sendpacket_mpb_desc(struct vmbus_channel *channel,
			      struct vmbus_packet_mpb_array *mpb, u32 desc_size,
			      void *buffer, u32 bufferlen, u64 requestid)
{
	u64 len = ALIGN((u64)desc_size + bufferlen, 8);
	u64 padding = 0;
	struct kvec kv[] = {
		{ mpb, desc_size },
		{ buffer, bufferlen },
		{ &padding, len - desc_size - bufferlen },
	};

	if (desc_size % 8 || len / 8 > U16_MAX)
		return -EINVAL;
	mpb->type = VM_PKT_DATA_USING_GPA_DIRECT;
	mpb->flags = VMBUS_DATA_PACKET_FLAG_COMPLETION_REQUESTED;
	mpb->dataoffset8 = desc_size / 8;
	mpb->length8 = len / 8;
	mpb->transactionid = VMBUS_RQST_ERROR;
	mpb->reserved = 0;
	return ring_write(channel, kv, ARRAY_SIZE(kv), requestid, NULL);
}

/**
 * vmbus_recvpacket() - take a packet's payload
 * @channel: an open channel
 * @buffer: where it goes
 * @bufferlen: bytes there
 * @buffer_actual_len: bytes of payload, 0 if there is no packet
 * @requestid: its transaction id
 *
 * Context: see ring_read(). Return: see ring_read().
 */
int vmbus_recvpacket(struct vmbus_channel *channel, void *buffer, u32 bufferlen,
		     u32 *buffer_actual_len, u64 *requestid)
{
	return ring_read(channel, buffer, bufferlen, buffer_actual_len,
			 requestid, false);
}

/**
 * vmbus_recvpacket_raw() - take a packet with its descriptor
 * @channel: an open channel
 * @buffer: where it goes
 * @bufferlen: bytes there
 * @buffer_actual_len: bytes of the packet, 0 if there is none
 * @requestid: its transaction id
 *
 * Context: see ring_read(). Return: see ring_read().
 */
int vmbus_recvpacket_raw(struct vmbus_channel *channel, void *buffer,
			 u32 bufferlen, u32 *buffer_actual_len, u64 *requestid)
{
	return ring_read(channel, buffer, bufferlen, buffer_actual_len,
			 requestid, true);
}

