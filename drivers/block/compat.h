/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every difference between kernels that the disk driver meets. Nothing else in
 * this directory looks at HAVE_*, which compat/configure finds out.
 */
#ifndef SYNTHIO_BLOCK_COMPAT_H
#define SYNTHIO_BLOCK_COMPAT_H

#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/hyperv.h>
#include <linux/mm.h>

#include <synthio/config.h>
#include <synthio/driver.h>

/* Reservation conflicts had another name */
#ifdef BLK_STS_RESV_CONFLICT
#define COMPAT_STS_RESERVED	BLK_STS_RESV_CONFLICT
#else
#define COMPAT_STS_RESERVED	BLK_STS_NEXUS
#endif

/* HDIO_GETGEO passes the disk, or the block device that was opened */
#ifdef HAVE_GETGEO_DISK
#define COMPAT_GETGEO_ARG	struct gendisk
#define compat_getgeo_disk(arg)	(arg)
#else
#define COMPAT_GETGEO_ARG	struct block_device
#define compat_getgeo_disk(arg)	((arg)->bd_disk)
#endif

/* Newer kernels merge requests unless a driver forbids it */
#ifdef HAVE_MQ_SHOULD_MERGE_YES
#define COMPAT_MQ_F_MERGE	BLK_MQ_F_SHOULD_MERGE
#else
#define COMPAT_MQ_F_MERGE	0
#endif

/*
 * Whether a reference keeps a page from being used for something else. It does not
 * for pages of slab objects and for tails of plain high-order allocations.
 */
static inline bool compat_page_can_be_held(struct page *page)
{
#ifdef HAVE_PAGE_LARGE_KMALLOC_YES
	if (PageLargeKmalloc(page))
		return false;
#endif
	return !PageSlab(page) && page_count(page) > 0;
}

/* A freeze may be ended by another task than the one that started it. Context: process */
static inline void compat_freeze_start(struct request_queue *q)
{
#ifdef HAVE_FREEZE_NON_OWNER_OWN_NAME
	blk_freeze_queue_start_non_owner(q);
#else
	blk_freeze_queue_start(q);
#endif
}

static inline void compat_unfreeze(struct request_queue *q)
{
#ifdef HAVE_FREEZE_NON_OWNER_OWN_NAME
	blk_mq_unfreeze_queue_non_owner(q);
#else
	blk_mq_unfreeze_queue(q);
#endif
}

/**
 * struct compat_limits - limits of a disk; in bytes unless another unit is named
 * @max_transfer: of a request
 * @max_segments: of it
 * @block_size: logical
 * @physical_block_size: physical
 * @alignment: offset of the first physical block
 * @io_min: 0 for none
 * @io_opt: 0 for none
 * @discard_max: of a request, 0: no discard
 * @discard_segments: ranges of a request
 * @discard_granularity: of a discard
 * @discard_alignment: of the first granule
 * @zeroes_max: of a request to write zeroes, 0: none
 * @write_cache: flushes are needed
 * @fua: FUA is possible
 * @rotational: a disk with moving parts
 */
struct compat_limits {
	u32 max_transfer;
	u16 max_segments;
	u32 block_size;
	u32 physical_block_size;
	u32 alignment;
	u32 io_min;
	u32 io_opt;
	u32 discard_max;
	u16 discard_segments;
	u32 discard_granularity;
	u32 discard_alignment;
	u32 zeroes_max;
	bool write_cache;
	bool fua;
	bool rotational;
};

/*
 * A range of guest memory has one offset, in its first page: pages between must
 * be full. Inside the first and the last any word may be the limit.
 */
#define COMPAT_VIRT_BOUNDARY	(HV_HYP_PAGE_SIZE - 1)
#define COMPAT_DMA_ALIGNMENT	3

#ifdef HAVE_QUEUE_LIMITS_FEATURES	/* limits are set as a whole */

static inline void compat_fill_limits(struct queue_limits *lim,
				      const struct compat_limits *l)
{
	lim->features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA |
			   BLK_FEAT_ROTATIONAL);
	lim->features |= (l->write_cache ? BLK_FEAT_WRITE_CACHE : 0) |
			 (l->fua ? BLK_FEAT_FUA : 0) |
			 (l->rotational ? BLK_FEAT_ROTATIONAL : 0);
	lim->virt_boundary_mask = COMPAT_VIRT_BOUNDARY;
	lim->dma_alignment = COMPAT_DMA_ALIGNMENT;
	lim->max_hw_sectors = l->max_transfer >> SECTOR_SHIFT;
	lim->max_segments = l->max_segments;
	lim->logical_block_size = l->block_size;
	lim->physical_block_size = l->physical_block_size;
	lim->alignment_offset = l->alignment;
	lim->io_min = l->io_min;
	lim->io_opt = l->io_opt;
	lim->max_hw_discard_sectors = l->discard_max >> SECTOR_SHIFT;
	lim->max_discard_segments = l->discard_segments;
	lim->discard_granularity = l->discard_granularity;
	lim->discard_alignment = l->discard_alignment;
	lim->max_write_zeroes_sectors = l->zeroes_max >> SECTOR_SHIFT;
}

static inline struct gendisk *
compat_alloc_disk(struct blk_mq_tag_set *set, const struct compat_limits *l,
		  void *queuedata)
{
	struct queue_limits lim = { };

	compat_fill_limits(&lim, l);
	return blk_mq_alloc_disk(set, &lim, queuedata);
}

/* Context: process, the queue is frozen; allocations must not wait for I/O */
static inline int compat_change_limits(struct gendisk *gd,
				       const struct compat_limits *l)
{
	struct queue_limits lim = queue_limits_start_update(gd->queue);

	compat_fill_limits(&lim, l);
	return queue_limits_commit_update(gd->queue, &lim);
}

/* Context: process, sleeps until requests in flight are done */
static inline void compat_set_write_cache(struct gendisk *gd, bool on, bool fua)
{
	struct queue_limits lim = queue_limits_start_update(gd->queue);

	lim.features &= ~(BLK_FEAT_WRITE_CACHE | BLK_FEAT_FUA);
	if (on)
		lim.features |= BLK_FEAT_WRITE_CACHE;
	if (fua)
		lim.features |= BLK_FEAT_FUA;
#ifdef HAVE_LIMITS_COMMIT_FROZEN
	queue_limits_commit_update_frozen(gd->queue, &lim);
#else
	queue_limits_commit_update(gd->queue, &lim);
#endif
}

#define compat_disable_discard(q)	blk_queue_disable_discard(q)
#define compat_disable_write_zeroes(q)	blk_queue_disable_write_zeroes(q)

#else

static inline void compat_apply_limits(struct request_queue *q,
				       const struct compat_limits *l)
{
	blk_queue_max_segments(q, l->max_segments);
	blk_queue_virt_boundary(q, COMPAT_VIRT_BOUNDARY);
	blk_queue_dma_alignment(q, COMPAT_DMA_ALIGNMENT);
	blk_queue_logical_block_size(q, l->block_size);
	blk_queue_physical_block_size(q, l->physical_block_size);
	blk_queue_alignment_offset(q, l->alignment);
	if (l->io_min)
		blk_queue_io_min(q, l->io_min);
	blk_queue_io_opt(q, l->io_opt);
	blk_queue_max_discard_sectors(q, l->discard_max >> SECTOR_SHIFT);
	blk_queue_max_discard_segments(q, l->discard_segments);
	q->limits.discard_granularity = l->discard_granularity;
	q->limits.discard_alignment = l->discard_alignment;
	blk_queue_max_write_zeroes_sectors(q, l->zeroes_max >> SECTOR_SHIFT);
	blk_queue_write_cache(q, l->write_cache, l->fua);
	if (l->rotational)
		blk_queue_flag_clear(QUEUE_FLAG_NONROT, q);
	else
		blk_queue_flag_set(QUEUE_FLAG_NONROT, q);
}

static inline struct gendisk *
compat_alloc_disk(struct blk_mq_tag_set *set, const struct compat_limits *l,
		  void *queuedata)
{
#ifdef HAVE_QUEUE_LIMITS_ARGUMENT
	struct gendisk *gd = blk_mq_alloc_disk(set, NULL, queuedata);
#else
	struct gendisk *gd = blk_mq_alloc_disk(set, queuedata);
#endif

	if (IS_ERR(gd))
		return gd;
	blk_queue_max_hw_sectors(gd->queue, l->max_transfer >> SECTOR_SHIFT);
	compat_apply_limits(gd->queue, l);
	blk_queue_flag_clear(QUEUE_FLAG_ADD_RANDOM, gd->queue);
	return gd;
}

/* Context: process, the queue is frozen */
static inline int compat_change_limits(struct gendisk *gd,
				       const struct compat_limits *l)
{
	struct request_queue *q = gd->queue;
	unsigned int chosen = q->limits.max_sectors;
	bool same = q->limits.max_hw_sectors == l->max_transfer >> SECTOR_SHIFT;

	compat_apply_limits(q, l);
	if (same)
		return 0;
	/* this also discards the value that an administrator has chosen */
	blk_queue_max_hw_sectors(q, l->max_transfer >> SECTOR_SHIFT);
	q->limits.max_sectors = min(q->limits.max_sectors, chosen);
	return 0;
}

static inline void compat_set_write_cache(struct gendisk *gd, bool on, bool fua)
{
	blk_queue_write_cache(gd->queue, on, fua);
}

#define compat_disable_discard(q)	blk_queue_max_discard_sectors(q, 0)
#define compat_disable_write_zeroes(q)	\
	blk_queue_max_write_zeroes_sectors(q, 0)

#endif
#endif
