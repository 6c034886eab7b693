// SPDX-License-Identifier: GPL-2.0-only
/*
 * Request ids: the numbers that stand for a driver's requests on the wire, so that
 * the host never sees, and can't make up, an address of the guest.
 */
#include <linux/bitmap.h>
#include <linux/slab.h>

#include "vmbus.h"

/**
 * requestor_alloc() - allocate the ids of a channel
 * @r: the channel's
 * @size: how many
 *
 * Context: process. Return: 0 or -ENOMEM.
 */
int requestor_alloc(struct vmbus_requestor *r, u32 size)
{
	u32 i;

	r->req_arr = kcalloc(size, sizeof(*r->req_arr), GFP_KERNEL);
	r->req_bitmap = bitmap_zalloc(size, GFP_KERNEL);
	if (!r->req_arr || !r->req_bitmap) {
		kfree(r->req_arr);
		bitmap_free(r->req_bitmap);
		r->req_arr = NULL;
		r->req_bitmap = NULL;
		return -ENOMEM;
	}
	/* the free slots are a list in the array: each has the index of the next */
	for (i = 0; i < size; i++)
		r->req_arr[i] = i + 1 < size ? i + 1 : U64_MAX;
	r->size = size;
	r->next_request_id = 0;
	spin_lock_init(&r->req_lock);
	return 0;
}

/**
 * requestor_free() - the mirror of requestor_alloc(), harmless without it
 * @r: the channel's; nothing is sent or received any more
 *
 * Context: process.
 */
void requestor_free(struct vmbus_requestor *r)
{
	kfree(r->req_arr);
	bitmap_free(r->req_bitmap);
	r->req_arr = NULL;
	r->req_bitmap = NULL;
	r->size = 0;
}

/**
 * vmbus_next_request_id() - keep a request's address, get an id for the wire
 * @channel: its driver has set rqstor_size before the open
 * @rqst_addr: what vmbus_request_addr() will return
 *
 * Id 0 is never used: on the wire it means that there was no request.
 *
 * Context: any. Return: the id, VMBUS_NO_RQSTOR, or VMBUS_RQST_ERROR if full.
 */
u64 vmbus_next_request_id(struct vmbus_channel *channel, u64 rqst_addr)
{
	struct vmbus_requestor *r = &channel->requestor;
	unsigned long flags;
	u64 slot;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;

	lock_requestor(channel, flags);
	slot = r->next_request_id;
	if (slot >= r->size) {
		unlock_requestor(channel, flags);
		return VMBUS_RQST_ERROR;
	}
	r->next_request_id = r->req_arr[slot];
	r->req_arr[slot] = rqst_addr;
	__set_bit(slot, r->req_bitmap);
	unlock_requestor(channel, flags);
	return slot + 1;
}

/**
 * __vmbus_request_addr_match() - give an id back, if it stands for this request
 * @channel: its driver uses request ids
 * @trans_id: from the host, so anything
 * @rqst_addr: the request, or VMBUS_RQST_ADDR_ANY
 *
 * Context: lock_requestor() held.
 * Return: what was kept under the id (and still is if it is not @rqst_addr),
 *	VMBUS_RQST_ERROR if nothing was, VMBUS_NO_RQSTOR.
 */
u64 __vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id,
			       u64 rqst_addr)
{
	struct vmbus_requestor *r = &channel->requestor;
	u64 slot = trans_id - 1, addr;

	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;
	if (!trans_id || slot >= r->size || !test_bit(slot, r->req_bitmap))
		return VMBUS_RQST_ERROR;

	addr = r->req_arr[slot];
	if (rqst_addr == VMBUS_RQST_ADDR_ANY || addr == rqst_addr) {
		r->req_arr[slot] = r->next_request_id;
		r->next_request_id = slot;
		__clear_bit(slot, r->req_bitmap);
	}
	return addr;
}

/**
 * vmbus_request_addr_match() - __vmbus_request_addr_match() with the lock
 * @channel: its driver uses request ids
 * @trans_id: from the host
 * @rqst_addr: the request, or VMBUS_RQST_ADDR_ANY
 *
 * Context: any. Return: as __vmbus_request_addr_match().
 */
u64 vmbus_request_addr_match(struct vmbus_channel *channel, u64 trans_id,
			     u64 rqst_addr)
{
	unsigned long flags;
	u64 addr;

	/* without a requestor its lock was never initialised */
	if (!channel->rqstor_size)
		return VMBUS_NO_RQSTOR;
	lock_requestor(channel, flags);
	addr = __vmbus_request_addr_match(channel, trans_id, rqst_addr);
	unlock_requestor(channel, flags);
	return addr;
}

/**
 * vmbus_request_addr() - give an id back
 * @channel: its driver uses request ids
 * @trans_id: from the host
 *
 * Context: any. Return: as __vmbus_request_addr_match().
 */
u64 vmbus_request_addr(struct vmbus_channel *channel, u64 trans_id)
{
	return vmbus_request_addr_match(channel, trans_id,
					VMBUS_RQST_ADDR_ANY);
}
