// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of requests and commands that the host may still use, because a controller
 * was removed and the host did not confirm the close of its channels.
 *
 * A late write by the host must not change memory that has another use by then, nor
 * may a late read write that memory's new contents to the disk. So pages of such a
 * request get a reference. A reference does not keep slab objects and tails of plain
 * high-order allocations from being used again; a request with data there does not
 * end: its bios are taken from it and kept, and the submitter waits for them.
 *
 * All of it is given back when the host confirms after all: it opens the same device
 * again, which it can only do after it has closed it. What is left when the module
 * is unloaded is never given back.
 */
#include <linux/bio.h>
#include <linux/blkdev.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "synth_blk.h"

/**
 * struct kept - memory of one request or command
 * @node: in kept_list
 * @instance: GUID of the device that the host may use it for
 * @bios: bios that were not ended
 * @param: of kmalloc()
 * @page: of __get_free_page()
 * @count: pages that this stands for
 * @nr_pages: entries of @pages
 * @pages: each with a reference
 */
struct kept {
	struct list_head node;
	guid_t instance;
	struct bio_list bios;
	void *param;
	void *page;
	unsigned int count;
	unsigned int nr_pages;
	struct page *pages[];
};

static LIST_HEAD(kept_list);
static DEFINE_SPINLOCK(kept_lock);

/* NULL if there is no memory: then what was to be kept is leaked instead */
static struct kept *kept_alloc(const struct synd_ctrl *c, unsigned int nr_pages)
{
	struct kept *k = kvzalloc(struct_size(k, pages, nr_pages), GFP_KERNEL);

	if (!k)
		return NULL;
	k->instance = c->hv->dev_instance;
	bio_list_init(&k->bios);
	return k;
}

static void kept_add(struct kept *k)
{
	spin_lock(&kept_lock);
	list_add_tail(&k->node, &kept_list);
	spin_unlock(&kept_lock);
}

/* Pages of a request's data; *@held: whether references keep all of them */
static unsigned int count_pages(struct request *rq, bool *held)
{
	struct req_iterator iter;
	struct bio_vec bv;
	unsigned int n = 0;

	*held = true;
	if (req_op(rq) != REQ_OP_READ && req_op(rq) != REQ_OP_WRITE)
		return 0;
	rq_for_each_segment(bv, rq, iter) {
		if (!compat_page_can_be_held(bv.bv_page))
			*held = false;
		n++;
	}
	return n;
}

/**
 * synd_quarantine_request() - keep what the host may still use of a request
 * @c: its controller
 * @rq: the request; it can be ended afterwards
 *
 * Context: process, sleeps.
 * Return: how many pages are kept.
 */
unsigned int synd_quarantine_request(const struct synd_ctrl *c,
				     struct request *rq)
{
	struct synd_cmd *cmd = blk_mq_rq_to_pdu(rq);
	struct req_iterator iter;
	struct bio_list leaked;
	struct bio_vec bv;
	struct kept *k;
	unsigned int n;
	bool held;

	n = count_pages(rq, &held);
	k = kept_alloc(c, held ? n : 0);
	if (!held) {
		bio_list_init(&leaked);
		blk_steal_bios(k ? &k->bios : &leaked, rq);
	} else if (n) {
		n = 0;
		rq_for_each_segment(bv, rq, iter) {
			get_page(bv.bv_page);
			if (k)
				k->pages[k->nr_pages++] = bv.bv_page;
			n++;
		}
	} else if (cmd->param) {
		if (k)
			k->param = cmd->param;
		cmd->param = NULL;
		n = 1;
	}
	if (!k)
		return n;
	k->count = n;
	if (n)
		kept_add(k);
	else
		kvfree(k);
	return n;
}

/**
 * synd_quarantine_page() - keep a page that the host may still write to
 * @c: its controller
 * @page: of __get_free_page()
 *
 * Context: process, sleeps.
 * Return: how many pages are kept.
 */
unsigned int synd_quarantine_page(const struct synd_ctrl *c, void *page)
{
	struct kept *k = kept_alloc(c, 0);

	if (k) {
		k->page = page;
		k->count = 1;
		kept_add(k);
	}
	return 1;
}

/**
 * synd_quarantined() - how many pages are kept because of a device
 * @c: controller
 *
 * Context: process.
 */
unsigned int synd_quarantined(const struct synd_ctrl *c)
{
	struct kept *k;
	unsigned int n = 0;

	spin_lock(&kept_lock);
	list_for_each_entry(k, &kept_list, node) {
		if (guid_equal(&k->instance, &c->hv->dev_instance))
			n += k->count;
	}
	spin_unlock(&kept_lock);
	return n;
}

static void kept_free(struct kept *k)
{
	unsigned int i;
	struct bio *bio;

	for (i = 0; i < k->nr_pages; i++)
		put_page(k->pages[i]);
	while ((bio = bio_list_pop(&k->bios)))
		bio_io_error(bio);
	kfree(k->param);
	free_page((unsigned long)k->page);
	kvfree(k);
}

/**
 * synd_quarantine_release() - the host has confirmed that it uses nothing any more
 * @c: controller whose device the host has closed
 *
 * Context: process, sleeps.
 */
void synd_quarantine_release(const struct synd_ctrl *c)
{
	struct kept *k, *next;
	unsigned int n = 0;
	LIST_HEAD(done);

	spin_lock(&kept_lock);
	list_for_each_entry_safe(k, next, &kept_list, node) {
		if (guid_equal(&k->instance, &c->hv->dev_instance))
			list_move_tail(&k->node, &done);
	}
	spin_unlock(&kept_lock);
	list_for_each_entry_safe(k, next, &done, node) {
		n += k->count;
		kept_free(k);
	}
	if (n)
		synd_info(c, "the host has closed the device after all: %u pages are given back\n",
			  n);
}

/**
 * synd_quarantine_exit() - the module is unloaded: what is kept stays so for ever
 *
 * Context: process.
 */
void synd_quarantine_exit(void)
{
	struct kept *k;
	unsigned int n = 0;

	list_for_each_entry(k, &kept_list, node)
		n += k->count;
	if (n)
		pr_err(SYND_NAME ": %u pages are never given back, since the host may still use them\n",
		       n);
}
