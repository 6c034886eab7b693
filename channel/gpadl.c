// SPDX-License-Identifier: GPL-2.0-only
/*
 * GPADLs: lists of guest pages that the host may read and write.
 *
 * A list goes to the host as one header message, and body messages for what
 * does not fit. From the header on the host may use the pages, until it has
 * confirmed the teardown or rescinded the channel. When neither can be had the
 * pages must stay; since drivers free their buffers all the same, the pages get
 * a reference that is never dropped. (That holds for vmalloc() and for single or
 * compound pages, which is what drivers use. Rings have ring_lost.)
 *
 * The host counts in pages of 4 KiB (HV_HYP_PAGE_SIZE) whatever the kernel's are.
 * A buffer is then a longer list, and its last pages may lie behind its end in
 * the kernel's last page. A ring's control page takes a whole page of the kernel
 * (struct hv_ring_buffer), so that data can be mapped behind it, and the host
 * is shown the first 4 KiB of it: see area_offset().
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <linux/slab.h>

#include "trace.h"
#include "vmbus.h"

/* range_buflen is 16 bits wide */
#define GPADL_MAX_PFNS	((U16_MAX - sizeof(struct gpa_range)) / sizeof(u64))
#define HEADER_PFNS							\
	((HV_MESSAGE_PAYLOAD_BYTE_COUNT -				\
	  sizeof(struct vmbus_channel_gpadl_header) -			\
	  sizeof(struct gpa_range)) / sizeof(u64))
#define BODY_PFNS							\
	((HV_MESSAGE_PAYLOAD_BYTE_COUNT -				\
	  sizeof(struct vmbus_channel_gpadl_body)) / sizeof(u64))

union gpadl_message {
	struct vmbus_channel_gpadl_header header;
	struct vmbus_channel_gpadl_body body;
	u8 bytes[HV_MESSAGE_PAYLOAD_BYTE_COUNT];
};

/* Of a ring's control page the host does not know these bytes */
#define CONTROL_GAP	(PAGE_SIZE - HV_HYP_PAGE_SIZE)

/**
 * struct area - what is shown to the host
 * @buffer: in pages of the kernel
 * @size: bytes
 * @second: both rings: where in it the second one begins; 0: just a buffer
 */
struct area {
	void *buffer;
	u32 size;
	u32 second;
};

/* Bytes of it as the host sees it */
static u32 area_bytes(const struct area *a)
{
	return a->size - (a->second ? 2 * CONTROL_GAP : 0);
}

/* Where in it the host's page number i lies */
static u32 area_offset(const struct area *a, u32 i)
{
	u32 at = i * HV_HYP_PAGE_SIZE;

	if (!a->second || !i)
		return at;
	at += CONTROL_GAP;			/* behind the first control page */
	return at > a->second ? at + CONTROL_GAP : at;
}

static u64 area_pfn(const struct area *a, u32 i)
{
	return virt_to_hvpfn(a->buffer + area_offset(a, i));
}

static int post_pages(struct vmbus_channel *channel, u32 handle,
		      const struct area *a, bool *header_sent)
{
	u32 size = area_bytes(a), pages = HVPFN_UP(size), done = 0, i, n;
	union gpadl_message msg;
	int ret;

	memset(&msg, 0, sizeof(msg));
	msg.header.header.msgtype = CHANNELMSG_GPADL_HEADER;
	msg.header.child_relid = channel->offermsg.child_relid;
	msg.header.gpadl = handle;
	msg.header.range_buflen = sizeof(struct gpa_range) +
				  pages * sizeof(u64);
	msg.header.rangecount = 1;
	msg.header.range[0].byte_count = size;
	msg.header.range[0].byte_offset = 0;
	n = min_t(u32, pages, HEADER_PFNS);
	for (i = 0; i < n; i++)
		msg.header.range[0].pfn_array[i] = area_pfn(a, i);
	ret = host_post(&msg, sizeof(msg.header) +
			      sizeof(struct gpa_range) + n * sizeof(u64), POST_WAIT);
	*header_sent = !ret;

	for (done = n; !ret && done < pages; done += n) {
		memset(&msg, 0, sizeof(msg));
		msg.body.header.msgtype = CHANNELMSG_GPADL_BODY;
		msg.body.gpadl = handle;
		n = min_t(u32, pages - done, BODY_PFNS);
		for (i = 0; i < n; i++)
			msg.body.pfn[i] = area_pfn(a, done + i);
		ret = host_post(&msg, sizeof(msg.body) + n * sizeof(u64),
				      POST_WAIT);
	}
	return ret;
}

static int teardown(struct vmbus_channel *channel, u32 handle)
{
	struct vmbus_channel_gpadl_teardown msg = {
		.header.msgtype = CHANNELMSG_GPADL_TEARDOWN,
		.child_relid = channel->offermsg.child_relid,
		.gpadl = handle,
	};
	struct request req;
	int ret;

	/* a rescind has ended the host's access */
	if (channel->rescind)
		return 0;
	/* without a relid the host can't be asked about the channel */
	if (channel->offermsg.child_relid == INVALID_RELID)
		return -ENODEV;

	request_start(&req, CHANNELMSG_GPADL_TORNDOWN, channel, handle);
	ret = host_post(&msg, sizeof(msg), POST_WAIT);
	if (ret)
		request_cancel(&req);
	else
		ret = request_wait(&req, true);
	return READ_ONCE(channel->rescind) ? 0 : ret;
}

/* @lost: the host may use the pages, and did not confirm that it does not */
static int establish(struct vmbus_channel *channel, const struct area *a,
		     struct vmbus_gpadl *gpadl, bool *lost)
{
	u32 handle = atomic_inc_return(&connection.next_gpadl);
	u32 size = a->size;
	struct request req;
	bool header_sent;
	int ret;

	*lost = false;
	if (!size || HVPFN_UP(area_bytes(a)) > GPADL_MAX_PFNS) {
		pr_err("a GPADL of %u bytes is not possible, at most %zu pages\n",
		       size, GPADL_MAX_PFNS);
		return -EINVAL;
	}
	if (channel->offermsg.child_relid == INVALID_RELID)
		return -ENODEV;

	request_start(&req, CHANNELMSG_GPADL_CREATED, channel, handle);
	ret = post_pages(channel, handle, a, &header_sent);
	if (ret)
		request_cancel(&req);
	else
		ret = request_wait(&req, true);

	if (!ret && req.response.gpadl_created.creation_status) {
		pr_err("the host refuses a GPADL of %u bytes (status 0x%x)\n",
		       size, req.response.gpadl_created.creation_status);
		ret = -EDQUOT;
	} else if (ret && header_sent) {
		*lost = teardown(channel, handle) != 0;
	}
	trace_synth_gpadl(channel, handle, size, ret);
	if (ret)
		return ret;

	atomic_inc(&to_channel(channel)->gpadls);
	gpadl->gpadl_handle = handle;
	gpadl->buffer = a->buffer;
	gpadl->size = size;
	gpadl->decrypted = false;
	return 0;
}

/**
 * gpadl_establish_ring() - show both rings to the host
 * @channel: has rings; marked with ring_lost if the host may keep them
 * @gpadl: filled in
 *
 * Context: process, sleeps for a bounded time.
 * Return: as vmbus_establish_gpadl().
 */
int gpadl_establish_ring(struct vmbus_channel *channel,
			 struct vmbus_gpadl *gpadl)
{
	struct area a = {
		.buffer = page_address(channel->ringbuffer_page),
		.size = channel->ringbuffer_pagecount << PAGE_SHIFT,
		.second = channel->ringbuffer_send_offset << PAGE_SHIFT,
	};
	bool lost;
	int ret;

	gpadl->gpadl_handle = 0;
	ret = establish(channel, &a, gpadl, &lost);
	if (lost)
		to_channel(channel)->ring_lost = true;
	return ret;
}

/**
 * gpadl_ring_offset() - where the second ring begins, as the host counts
 * @channel: has rings
 *
 * Context: any. Return: pages of the host's.
 */
u32 gpadl_ring_offset(const struct vmbus_channel *channel)
{
	return channel->ringbuffer_send_offset * NR_HV_HYP_PAGES_IN_PAGE -
	       HVPFN_DOWN(CONTROL_GAP);
}

static void pin_for_ever(struct vmbus_channel *channel, void *buffer, u32 size)
{
	u32 i, bare = 0;

	for (i = 0; i < PFN_UP(size); i++) {
		void *at = buffer + (size_t)i * PAGE_SIZE;
		struct page *page = pfn_to_page(virt_to_hvpfn(at) /
						NR_HV_HYP_PAGES_IN_PAGE);

		/* a tail page of a plain high-order allocation has no reference count */
		if (page_count(page))
			get_page(page);
		else
			bare++;
	}
	atomic64_add(PFN_UP(size), &connection.leaked_pages);
	pr_err("channel %u: %lu pages leaked, since the host may still write to them\n",
	       channel->offermsg.child_relid, (unsigned long)PFN_UP(size));
	if (bare)
		pr_crit("%u of them can't be kept from being used again\n",
			bare);
}

/**
 * vmbus_establish_gpadl() - show a buffer to the host
 * @channel: of the device that may use it
 * @kbuffer: page aligned; of vmalloc(), or of whole pages
 * @size: bytes, at most 8190 pages of 4 KiB
 * @gpadl: filled in, for the device's own messages and for the teardown
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0, -EINVAL, -EDQUOT if the host refuses, -ENODEV if the channel was
 *	rescinded or the host has gone, -ETIMEDOUT. After an error the caller
 *	may free the buffer: what the host might still write to stays allocated.
 */
int vmbus_establish_gpadl(struct vmbus_channel *channel, void *kbuffer,
			  u32 size, struct vmbus_gpadl *gpadl)
{
	struct area a = { .buffer = kbuffer, .size = size };
	bool lost;
	int ret;

	if (offset_in_page(kbuffer))
		return -EINVAL;
	ret = establish(channel, &a, gpadl, &lost);
	if (lost)
		pin_for_ever(channel, kbuffer, size);
	return ret;
}

/**
 * vmbus_teardown_gpadl() - have the host end its access to a buffer
 * @channel: that it was established for
 * @gpadl: of vmbus_establish_gpadl(); its handle is 0 afterwards
 *
 * Context: process, sleeps for a bounded time.
 * Return: 0: the host does not touch the buffer any more. An error: it may;
 *	even if the caller frees the buffer, its pages stay allocated.
 */
int vmbus_teardown_gpadl(struct vmbus_channel *channel,
			 struct vmbus_gpadl *gpadl)
{
	int ret;

	if (!gpadl->gpadl_handle)
		return 0;
	ret = teardown(channel, gpadl->gpadl_handle);
	trace_synth_gpadl(channel, gpadl->gpadl_handle, 0, ret);
	if (ret) {
		pr_err("channel %u: the host does not give a GPADL of %u bytes back (%d)\n",
		       channel->offermsg.child_relid, gpadl->size, ret);
		if (gpadl != &channel->ringbuffer_gpadlhandle) {
			pin_for_ever(channel, gpadl->buffer, gpadl->size);
			gpadl->gpadl_handle = 0;
		}
		return ret;
	}
	atomic_dec(&to_channel(channel)->gpadls);
	gpadl->gpadl_handle = 0;
	return 0;
}
