// SPDX-License-Identifier: GPL-2.0-only
/* MMIO windows for drivers, such as a framebuffer, from the transport's aperture. */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/ioport.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "vmbus.h"

/* protects the children of the aperture */
static DEFINE_MUTEX(mmio_mutex);

/*
 * Claims a window twice: in the aperture, and in the kernel's map of all memory, which
 * also has other things at these addresses, such as an I/O APIC or a framebuffer that
 * another driver uses.
 */
static int claim(struct resource *root, struct resource **new, const char *name,
		 resource_size_t min, resource_size_t max, resource_size_t size,
		 resource_size_t align)
{
	struct resource *res = kzalloc(sizeof(*res), GFP_KERNEL);

	if (!res)
		return -ENOMEM;
	res->name = name;
	res->flags = IORESOURCE_MEM | IORESOURCE_BUSY;
	while (!allocate_resource(root, res, size, min, max, align, NULL,
				  NULL)) {
		*new = request_mem_region_exclusive(res->start, size, name);
		if (*new)
			return 0;
		min = res->start + max_t(resource_size_t, align, PAGE_SIZE);
		release_resource(res);
	}
	kfree(res);
	return -ENXIO;
}

/**
 * vmbus_allocate_mmio() - allocate a window
 * @new: where its resource goes
 * @device_obj: the device that it is for
 * @min: lowest address
 * @max: highest address of its last byte
 * @size: bytes
 * @align: of its start, a power of two
 * @fb_overlap_ok: it may overlap the firmware's framebuffer, which is tried first
 *
 * Context: process. Return: 0, -ENXIO if nothing fits, -ENOMEM, -ENODEV.
 */
int vmbus_allocate_mmio(struct resource **new, struct hv_device *device_obj,
			resource_size_t min, resource_size_t max,
			resource_size_t size, resource_size_t align,
			bool fb_overlap_ok)
{
	struct transport *t = READ_ONCE(connection.transport);
	const char *name = dev_name(&device_obj->device);
	int ret = -ENXIO;

	if (!t)
		return -ENODEV;
	if (!size || t->aperture.end <= t->aperture.start)
		return -ENXIO;

	align = align ?: 1;
	mutex_lock(&mmio_mutex);
	if (fb_overlap_ok && t->framebuffer.flags)
		ret = claim(&t->framebuffer, new, name, min, max, size, align);
	if (ret == -ENXIO)
		ret = claim(&t->aperture, new, name, min, max, size, align);
	mutex_unlock(&mmio_mutex);
	return ret;
}

static struct resource *find_claim(struct resource *root, resource_size_t start,
				   resource_size_t size)
{
	struct resource *res;

	for (res = root->child; res; res = res->sibling)
		if (res->flags & IORESOURCE_BUSY && res->start == start &&
		    resource_size(res) == size)
			break;
	return res;
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
	res = find_claim(&t->aperture, start, size) ?:
	      find_claim(&t->framebuffer, start, size);
	if (res) {
		release_resource(res);
		release_mem_region(start, size);
	}
	mutex_unlock(&mmio_mutex);
	if (!res)
		pr_err("no MMIO window of %llu bytes at 0x%llx\n", (u64)size,
		       (u64)start);
	kfree(res);
}
