// SPDX-License-Identifier: GPL-2.0-only
/*
 * A logical unit as a disk: limits, attributes, addition, update and removal.
 */
#include <linux/blk-mq.h>
#include <linux/blkdev.h>
#include <linux/hdreg.h>
#include <linux/idr.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "synth_blk.h"

#define MAX_UNMAP_DESCS		255	/* the list fits into a page */
#define LETTERS			26
#define GEO_HEADS		255	/* the same as hv_storvsc's */
#define GEO_SECTORS		63

static DEFINE_IDA(letters);

static void disk_free(struct synd_disk *d)
{
	unsigned int i;

	for (i = 0; d->hctx && i < d->ctrl->nr_queues; i++)
		kvfree(d->hctx[i].slots);
	kfree(d->hctx);
	d->hctx = NULL;
}

static void synd_free_disk(struct gendisk *gd)
{
	kfree(gd->private_data);
}

/* For the NFS server, which gives its clients names of disks */
static int synd_get_unique_id(struct gendisk *gd, u8 id[16],
			      enum blk_unique_id type)
{
	const struct synd_disk *d = gd->private_data;

	if (!d->id.id_len ||
	    type != (d->id.id_is_naa ? BLK_UID_NAA : BLK_UID_EUI64))
		return -EINVAL;
	memcpy(id, d->id.id, d->id.id_len);
	return d->id.id_len;
}

static int synd_getgeo(COMPAT_GETGEO_ARG *arg, struct hd_geometry *geo)
{
	u64 sectors = get_capacity(compat_getgeo_disk(arg));

	geo->heads = GEO_HEADS;
	geo->sectors = GEO_SECTORS;
	geo->cylinders = min_t(u64, div_u64(sectors, GEO_HEADS * GEO_SECTORS),
			       U16_MAX);
	return 0;
}

static const struct block_device_operations synd_fops = {
	.owner		= THIS_MODULE,
	.getgeo		= synd_getgeo,
	.free_disk	= synd_free_disk,
	.get_unique_id	= synd_get_unique_id,
};

#define SYND_ATTR(name, fmt, ...)					\
static ssize_t name##_show(struct device *dev,				\
			   struct device_attribute *attr, char *buf)	\
{									\
	struct synd_disk *d = dev_to_disk(dev)->private_data;		\
									\
	return sysfs_emit(buf, fmt "\n", __VA_ARGS__);			\
}									\
static DEVICE_ATTR_RO(name)

SYND_ATTR(serial, "%s", d->id.serial);
SYND_ATTR(wwid, "%s", d->id.wwid);
SYND_ATTR(vendor, "%s", d->id.vendor);
SYND_ATTR(model, "%s", d->id.product);
SYND_ATTR(firmware_rev, "%s", d->id.revision);
SYND_ATTR(address, "%u:%u", d->target, d->lun);
SYND_ATTR(cache_type, "%s", d->id.write_cache &&
	  !test_bit(SYND_REFUSES_FLUSH, &d->refusals) ?
	  "write back" : "write through");
SYND_ATTR(retries, "%lld", atomic64_read(&d->retries));
SYND_ATTR(timeouts, "%lld", atomic64_read(&d->timeouts));
SYND_ATTR(io_errors, "%lld", atomic64_read(&d->errors));

static struct attribute *synd_attrs[] = {
	&dev_attr_serial.attr,
	&dev_attr_wwid.attr,
	&dev_attr_vendor.attr,
	&dev_attr_model.attr,
	&dev_attr_firmware_rev.attr,
	&dev_attr_address.attr,
	&dev_attr_cache_type.attr,
	&dev_attr_retries.attr,
	&dev_attr_timeouts.attr,
	&dev_attr_io_errors.attr,
	NULL
};

static const struct attribute_group synd_group = { .attrs = synd_attrs };
static const struct attribute_group *synd_groups[] = { &synd_group, NULL };

/* synda to syndz, syndaa, ..., as the sd driver numbers its disks */
static void name_disk(char *name, size_t room, int n)
{
	char letters[8], *p = &letters[sizeof(letters) - 1];

	*p = 0;
	do {
		*--p = 'a' + n % LETTERS;
		n = n / LETTERS - 1;
	} while (n >= 0);
	snprintf(name, room, "synd%s", p);
}

/* A number of blocks in bytes, as a limit of 32 bits */
static u32 limit_bytes(const struct sbc_disk *id, u64 blocks)
{
	return min_t(u64, blocks, (U32_MAX & ~(u32)(SBC_BLOCK_MAX - 1)) /
		     id->block_size) * id->block_size;
}

/* The limits of a disk that has reported @id; without commands that it has refused */
static void find_limits(const struct synd_disk *d, const struct sbc_disk *id,
			struct compat_limits *l)
{
	u64 max = d->ctrl->max_transfer;

	if (id->max_transfer)
		max = min(max, id->max_transfer);
	max = round_down(max, HV_HYP_PAGE_SIZE);
	*l = (struct compat_limits) {
		.max_transfer = max,
		/* the first and the last may be parts of a page */
		.max_segments = max / HV_HYP_PAGE_SIZE + 1,
		.block_size = id->block_size,
		.physical_block_size = id->physical_block_size,
		.alignment = id->alignment,
		.io_min = id->io_min % id->physical_block_size ? 0 : id->io_min,
		.io_opt = id->io_opt % id->physical_block_size ? 0 : id->io_opt,
		.discard_segments = 1,
		.discard_granularity = id->unmap_granularity ?:
				       id->physical_block_size,
		.discard_alignment = id->unmap_alignment,
		.write_cache = id->write_cache &&
			       !test_bit(SYND_REFUSES_FLUSH, &d->refusals),
		.rotational = id->rotational,
	};
	l->fua = l->write_cache && id->fua;
	if (id->can_unmap) {
		l->discard_max = limit_bytes(id, id->unmap_max_blocks);
		l->discard_segments = min_t(u32, id->unmap_max_descs,
					    MAX_UNMAP_DESCS);
	} else if (id->can_write_same && id->ws_unmap) {
		l->discard_max = limit_bytes(id, id->ws_max_blocks);
	}
	if (id->can_write_same &&
	    !test_bit(SYND_REFUSES_WRITE_SAME, &d->refusals))
		l->zeroes_max = limit_bytes(id, id->ws_max_blocks);
	if (l->discard_max < l->discard_granularity ||
	    test_bit(SYND_REFUSES_UNMAP, &d->refusals))
		l->discard_max = 0;
	if (!l->discard_max)
		l->discard_granularity = 0;
}

static int alloc_hctxs(struct synd_disk *d)
{
	unsigned int i;

	d->hctx = kcalloc(d->ctrl->nr_queues, sizeof(*d->hctx), GFP_KERNEL);
	if (!d->hctx)
		return -ENOMEM;
	for (i = 0; i < d->ctrl->nr_queues; i++) {
		d->hctx[i].disk = d;
		d->hctx[i].index = i;
		d->hctx[i].slots = kvcalloc(synd_queue_depth,
					    sizeof(struct synd_slot),
					    GFP_KERNEL);
		if (!d->hctx[i].slots)
			return -ENOMEM;
	}
	return 0;
}

static int free_number(const struct synd_ctrl *c)
{
	unsigned int i;

	for (i = 0; i < SYND_MAX_DISKS; i++) {
		if (!rcu_access_pointer(c->disks[i]))
			return i;
	}
	return -ENOSPC;
}

/*
 * Each disk reads its partition table in a work of its own: if the host does not
 * answer the reads of one disk, the others are added all the same.
 */
static void part_work(struct work_struct *work)
{
	struct synd_disk *d = container_of(work, struct synd_disk, part_work);

	clear_bit(GD_SUPPRESS_PART_SCAN, &d->gd->state);
	mutex_lock(&d->gd->open_mutex);
	bdev_disk_changed(d->gd, false);
	mutex_unlock(&d->gd->open_mutex);
}

/**
 * synd_disk_alloc() - note a unit that is to become a disk
 * @c: its controller
 * @target: SCSI target
 * @lun: LUN
 * @id: what the unit has reported of itself
 *
 * Context: process, ctrl->mutex held.
 * Return: the disk, on the controller's list, for synd_disk_add(); an error
 *	pointer.
 */
struct synd_disk *synd_disk_alloc(struct synd_ctrl *c, u8 target, u8 lun,
				  const struct sbc_disk *id)
{
	int number = free_number(c), ret = -ENOMEM;
	struct synd_disk *d;

	if (number < 0)
		return ERR_PTR(number);
	d = kzalloc(sizeof(*d), GFP_KERNEL);
	if (!d)
		return ERR_PTR(-ENOMEM);
	d->ctrl = c;
	d->number = number;
	d->target = target;
	d->lun = lun;
	memcpy(&d->id, id, sizeof(d->id));
	d->block_shift = ilog2(id->block_size);
	INIT_WORK(&d->refusals_work, synd_apply_refusals);
	INIT_WORK(&d->part_work, part_work);
	INIT_DELAYED_WORK(&d->check_work, c->check);
	if (alloc_hctxs(d))
		goto err;
	d->letter = ida_alloc(&letters, GFP_KERNEL);
	if (d->letter < 0) {
		ret = d->letter;
		goto err;
	}
	rcu_assign_pointer(c->disks[d->number], d);
	list_add_tail(&d->node, &c->disk_list);
	return d;

err:
	disk_free(d);
	kfree(d);
	return ERR_PTR(ret);
}

/* The gendisk, not known to anything yet */
static struct gendisk *make_gendisk(struct synd_disk *d)
{
	const struct sbc_disk *id = &d->id;
	struct synd_ctrl *c = d->ctrl;
	struct compat_limits limits;
	struct gendisk *gd;
	int ret;

	d->set.ops = &synd_mq_ops;
	d->set.driver_data = d;
	d->set.nr_hw_queues = c->nr_queues;
	d->set.nr_maps = c->nr_polled ? HCTX_MAX_TYPES : 1;
	d->set.queue_depth = synd_queue_depth;
	d->set.cmd_size = sizeof(struct synd_cmd);
	d->set.numa_node = dev_to_node(&c->hv->device);
	d->set.timeout = synd_timeout_s * HZ;
	/*
	 * The host orders requests itself, except for disks whose arm has to move.
	 * STACKING: a CPU that goes offline does not wait for the requests of its
	 * hardware queue, which could take as long as the host is paused. The wait
	 * is for interrupts that go with their CPU; a channel's interrupt moves.
	 */
	d->set.flags = COMPAT_MQ_F_MERGE | BLK_MQ_F_STACKING |
		       (id->rotational ? 0 : BLK_MQ_F_NO_SCHED_BY_DEFAULT);
	ret = blk_mq_alloc_tag_set(&d->set);
	if (ret)
		return ERR_PTR(ret);

	find_limits(d, id, &limits);
	gd = compat_alloc_disk(&d->set, &limits, d);
	if (IS_ERR(gd)) {
		blk_mq_free_tag_set(&d->set);
		return gd;
	}
	gd->fops = &synd_fops;
	gd->private_data = d;
	name_disk(gd->disk_name, sizeof(gd->disk_name), d->letter);
	set_capacity(gd, id->blocks << (d->block_shift - SECTOR_SHIFT));
	set_disk_ro(gd, id->read_only);
	set_bit(GD_SUPPRESS_PART_SCAN, &gd->state);
	return gd;
}

/**
 * synd_disk_add() - make a disk known
 * @d: from synd_disk_alloc()
 *
 * Takes the CPU hotplug lock, which another task may hold while it waits for the
 * host, and what ends that wait may need ctrl->mutex: so the mutex is not held here.
 * Partitions are read later.
 *
 * Context: process, sleeps for as long as the host takes.
 * Return: 0, or an error: synd_disk_remove() then.
 */
int synd_disk_add(struct synd_disk *d)
{
	const struct sbc_disk *id = &d->id;
	struct synd_ctrl *c = d->ctrl;
	struct gendisk *gd = make_gendisk(d);
	bool live;
	int ret;

	if (IS_ERR(gd)) {
		ret = PTR_ERR(gd);
		goto err;
	}
	mutex_lock(&c->mutex);
	WRITE_ONCE(d->gd, gd);
	synd_disk_set_state(d, SYND_DISK_ADDING);
	live = c->state == SYND_CTRL_LIVE;
	mutex_unlock(&c->mutex);
	if (!live)
		return -ENODEV;

	ret = device_add_disk(&c->hv->device, gd, synd_groups);
	if (ret)
		goto err;
	mutex_lock(&c->mutex);
	synd_disk_set_state(d, d->hold ? SYND_DISK_CHECKING : SYND_DISK_LIVE);
	/* a reset meanwhile has held the queue, and left the check to this */
	if (d->hold)
		queue_delayed_work(synd_repair_wq, &d->check_work, 0);
	mutex_unlock(&c->mutex);
	queue_work(system_unbound_wq, &d->part_work);
	dev_info(disk_to_dev(gd),
		 "%s %s, %llu blocks of %u bytes%s%s, target %u LUN %u\n",
		 id->vendor, id->product, id->blocks, id->block_size,
		 id->read_only ? ", read-only" : "",
		 id->write_cache ? id->fua ? ", write cache, FUA" :
		 ", write cache" : "", d->target, d->lun);
	return 0;
err:
	synd_err(c, "target %u LUN %u can't become a disk: %d; a rescan tries again\n",
		 d->target, d->lun, ret);
	return ret;
}

/*
 * Mark a disk dead. Returns false if the host still has requests of it after @wait
 * jiffies.
 */
static bool kill_disk(struct synd_disk *d, unsigned long wait)
{
	struct gendisk *gd = d->gd;
	bool dead = d->state == SYND_DISK_DYING;

	mutex_lock(&d->ctrl->mutex);
	synd_disk_set_state(d, SYND_DISK_DYING);
	/* requests that wait in the queue go on, and fail */
	synd_disk_set_hold(d, SYND_HOLD_NONE);
	mutex_unlock(&d->ctrl->mutex);
	if (!dead) {
		blk_mark_disk_dead(gd);
		blk_mq_kick_requeue_list(gd->queue);
	}
	return blk_mq_freeze_queue_wait_timeout(gd->queue, wait);
}

/**
 * synd_disk_remove() - remove a disk
 * @d: a disk; freed afterwards, if this succeeds
 * @surprise: the unit is gone: nothing can be written back
 * @wait: jiffies to wait for requests that the host still has, with @surprise
 *
 * Without @surprise what is dirty is written back first, however long it takes. A
 * unit that may not be written to, after a reset, counts as gone.
 *
 * Context: process, ctrl->mutex not held; nothing else adds or removes disks.
 * Return: false if requests are still there: the disk is dead, call again later.
 */
bool synd_disk_remove(struct synd_disk *d, bool surprise, unsigned long wait)
{
	struct synd_ctrl *c = d->ctrl;
	struct gendisk *gd = d->gd;
	bool added = READ_ONCE(d->state) >= SYND_DISK_LIVE;

	if (added && (surprise || READ_ONCE(d->state) > SYND_DISK_LIVE) &&
	    !kill_disk(d, wait))
		return false;
	cancel_work_sync(&d->part_work);
	if (added)
		del_gendisk(gd);
	cancel_work_sync(&d->refusals_work);

	mutex_lock(&c->mutex);
	if (!added)
		synd_disk_set_hold(d, SYND_HOLD_NONE);
	list_del(&d->node);
	rcu_assign_pointer(c->disks[d->number], NULL);
	mutex_unlock(&c->mutex);
	synchronize_rcu();
	cancel_delayed_work_sync(&d->check_work);

	ida_free(&letters, d->letter);
	disk_free(d);
	if (added) {
		blk_mq_free_tag_set(&d->set);
		/* the last user who has it open frees the rest */
		put_disk(gd);
		return true;
	}
	if (gd) {
		put_disk(gd);
		blk_mq_free_tag_set(&d->set);
	}
	kfree(d);
	return true;
}

/* Take over everything but the size; @d->gd has no request in its queue */
static int take_id(struct synd_disk *d, const struct sbc_disk *id)
{
	/* allocations must not wait for I/O of this disk meanwhile */
	unsigned int noio = memalloc_noio_save();
	struct compat_limits limits;
	int ret;

	find_limits(d, id, &limits);
	ret = compat_change_limits(d->gd, &limits);
	if (!ret)
		memcpy(&d->id, id, sizeof(d->id));
	memalloc_noio_restore(noio);
	return ret;
}

/* Whether anything but the size has changed */
static bool id_changed(const struct sbc_disk *old, const struct sbc_disk *now)
{
	struct sbc_disk same;

	memcpy(&same, now, sizeof(same));
	same.blocks = old->blocks;
	return memcmp(old, &same, sizeof(same));
}

/* Returns 0, -EBUSY if requests are in the way, or another error */
static int change_limits(struct synd_disk *d, const struct sbc_disk *id,
			 unsigned long wait)
{
	struct request_queue *q = d->gd->queue;
	int ret;

	compat_freeze_start(q);
	if (blk_mq_freeze_queue_wait_timeout(q, wait) <= 0)
		ret = -EBUSY;
	else
		ret = take_id(d, id);
	compat_unfreeze(q);
	return ret;
}

/**
 * synd_disk_update() - capacity and parameters of a disk may have changed
 * @d: the disk
 * @id: what the unit reports now; sbc_same()
 * @wait: jiffies to wait for the requests in the queue. Limits change while there
 *	are none, since those made for the old limits may be too large
 *
 * Context: process, ctrl->mutex not held, sleeps.
 * Return: false if requests are still there: call again later.
 */
bool synd_disk_update(struct synd_disk *d, struct sbc_disk *id,
		      unsigned long wait)
{
	const struct sbc_disk *old = &d->id;
	bool ro = old->read_only, renamed;
	u64 blocks = old->blocks;
	int ret = 0;

	sbc_fill_in(id, old);
	renamed = strcmp(id->serial, old->serial) ||
		  strcmp(id->wwid, old->wwid);
	/* when it refused a flush, the write cache was only assumed */
	if (id->write_cache_reported)
		clear_bit(SYND_REFUSES_FLUSH, &d->refusals);
	if (id_changed(old, id))
		ret = change_limits(d, id, wait);
	if (ret == -EBUSY)
		return false;
	if (ret)
		dev_err(disk_to_dev(d->gd),
			"the unit's new limits are not possible: %d; the old ones stay\n",
			ret);
	if (id->read_only != ro) {
		dev_info(disk_to_dev(d->gd), "is now %s\n",
			 id->read_only ? "read-only" : "writable");
		set_disk_ro(d->gd, id->read_only);
	}
	if (id->blocks != blocks)
		set_capacity_and_notify(d->gd, id->blocks <<
					(d->block_shift - SECTOR_SHIFT));
	d->id.read_only = id->read_only;
	d->id.blocks = id->blocks;
	/* udev makes links from names that were not reported before */
	if (renamed)
		kobject_uevent(&disk_to_dev(d->gd)->kobj, KOBJ_CHANGE);
	return true;
}
