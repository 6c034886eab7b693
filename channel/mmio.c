// SPDX-License-Identifier: GPL-2.0-only
/*
 * MMIO windows for drivers, such as a framebuffer, out of what the transport
 * has as aperture.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vmbus.h"

/* the children of the aperture, which two drivers may change at once */
static DEFINE_MUTEX(mmio_mutex);

/**
 * vmbus_allocate_mmio() - get a window
 * @new: where its resource goes
 * @device_obj: whose it will be
 * @min: lowest address
 * @max: highest address of its last byte
 * @size: bytes
 * @align: of its start, a power of two
 * @fb_overlap_ok: it may lie where the firmware has its framebuffer; no
 *	aperture of ours holds one
 *
 * Context: process. Return: 0, -ENXIO if nothing fits, -ENOMEM, -ENODEV.
 */
int vmbus_allocate_mmio(struct resource **new, struct hv_device *device_obj,
			resource_size_t min, resource_size_t max,
			resource_size_t size, resource_size_t align,
			bool fb_overlap_ok)
{
	struct transport *t = READ_ONCE(connection.transport);
	struct resource *res;
	int ret;

	if (!t)
		return -ENODEV;
	if (!size || t->aperture.end <= t->aperture.start)
		return -ENXIO;

	res = kzalloc(sizeof(*res), GFP_KERNEL);
	if (!res)
		return -ENOMEM;
	res->name = dev_name(&device_obj->device);
	res->flags = IORESOURCE_MEM | IORESOURCE_BUSY;
	mutex_lock(&mmio_mutex);
	ret = allocate_resource(&t->aperture, res, size, min, max, align ?: 1,
				NULL, NULL);
	mutex_unlock(&mmio_mutex);
	if (ret) {
		kfree(res);
		return -ENXIO;
	}
	*new = res;
	return 0;
}

/**
 * vmbus_free_mmio() - give a window back
 * @start: where it starts
 * @size: bytes
 *
 * Context: process.
 */
void vmbus_free_mmio(resource_size_t start, resource_size_t size)
{
	struct transport *t = READ_ONCE(connection.transport);
	struct resource *res;

	if (!t)
		return;
	mutex_lock(&mmio_mutex);
	for (res = t->aperture.child; res; res = res->sibling)
		if (res->start == start && resource_size(res) == size)
			break;
	if (res)
		release_resource(res);
	mutex_unlock(&mmio_mutex);
	if (!res) {
		pr_err("no MMIO window of %llu bytes at 0x%llx\n", (u64)size,
		       (u64)start);
		return;
	}
	kfree(res);
}
