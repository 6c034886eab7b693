/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ring functions that only the channel core calls. Those of the client API
 * (hv_pkt_iter_first() and related functions, hv_ringbuffer_get_debuginfo(),
 * hv_ringbuffer_spinlock_busy()) are declared in <linux/hyperv.h> and live in
 * ring_api.c too.
 */
#ifndef SYNTHIO_RING_API_H
#define SYNTHIO_RING_API_H

#include <linux/hyperv.h>
#include <linux/uio.h>

/**
 * ring_prepare() - initialise locks, once in a channel's life
 * @rbi: one direction of the channel
 *
 * Context: any.
 */
void ring_prepare(struct hv_ring_buffer_info *rbi);

/**
 * ring_map() - give a direction its pages, and zero its control page
 * @rbi: one direction, after ring_prepare()
 * @pages: control page first, then data; consecutive
 * @page_cnt: how many, at least 2
 * @max_pkt_size: for the inbound direction: the largest packet to be copied
 *	out, bytes; 0 for the outbound one
 *
 * The data pages are mapped twice in a row, so that no copy needs to wrap. A
 * direction that has its pages, since they were kept over a close, begins anew.
 *
 * Context: process, sleeps. Return: 0 or -ENOMEM.
 */
int ring_map(struct hv_ring_buffer_info *rbi, struct page *pages, u32 page_cnt,
	     u32 max_pkt_size);

/**
 * ring_unmap() - the mirror of ring_map(); harmless when not mapped
 * @rbi: one direction. No ring function may be running
 *
 * Context: process, sleeps.
 */
void ring_unmap(struct hv_ring_buffer_info *rbi);

/**
 * ring_write() - put one packet into the outgoing ring and signal if due
 * @channel: an opened channel
 * @kv: descriptor first, then data, then padding to 8 bytes
 * @kv_count: entries in @kv
 * @requestid: what the driver wants back with the completion; stored through
 *	channel->next_request_id_callback where the driver has one
 * @trans_id: NULL, or where the transaction id on the wire goes
 *
 * Context: any. Return: 0, -EAGAIN if the ring or the requestor is full,
 *	-ENODEV after a rescind, -EPROTO if the host corrupted the indices.
 */
int ring_write(struct vmbus_channel *channel, const struct kvec *kv,
	       u32 kv_count, u64 requestid, u64 *trans_id);

/**
 * ring_read() - take one packet out of the incoming ring, into a buffer
 * @channel: an opened channel
 * @buffer: where it goes
 * @buflen: bytes at @buffer
 * @actual_len: length of the packet, 0 when there is none
 * @requestid: its transaction id
 * @raw: with the descriptor, or only the payload
 *
 * Context: any but re-entrant for one channel. Return: 0, also when there is
 *	no packet; -ENOBUFS if it does not fit (it is then left where it is).
 */
int ring_read(struct vmbus_channel *channel, void *buffer, u32 buflen,
	      u32 *actual_len, u64 *requestid, bool raw);

#endif
