// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROBE getgeo: whose geometry a disk's driver is asked for
 * FORM DISK: a gendisk's, since 6.18
 * FORM BDEV: a block device's
 */
#include <linux/blkdev.h>
#include <linux/hdreg.h>

#ifdef PROBE_DISK
static int getgeo(struct gendisk *gd, struct hd_geometry *geo)
#else
static int getgeo(struct block_device *gd, struct hd_geometry *geo)
#endif
{
	geo->heads = !!gd;
	return 0;
}

extern const struct block_device_operations probe;
const struct block_device_operations probe = { .getgeo = getgeo };
