// SPDX-License-Identifier: GPL-2.0-only
/*
 * GEM objects, and which of them is in the VRAM: see vram.h.
 *
 * vram_lock is held while a buffer moves, and while a page fault looks where it is. It is
 * taken inside a GEM object's lock and mmap_lock, and none of the driver's other locks is
 * held then.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include <drm/drm_file.h>
#include <drm/drm_prime.h>
#include <drm/drm_vma_manager.h>

#include <synthio/copy.h>

#include "video.h"

static int vram = 1;
module_param(vram, int, 0444);
MODULE_PARM_DESC(vram, "Whether a buffer that is shown moves into the VRAM: 0 no, it is copied; 1 (default) yes. 2 was for hosts that take an offset; it is the same as 1 now");

/**
 * synv_vram_init() - set up what this file needs; no buffer is resident
 * @v: zeroed
 */
void synv_vram_init(struct synv *v)
{
	mutex_init(&v->vram_lock);
	if (vram > 1)
		dev_notice(&v->channel.hv->device,
			   "vram=%d is the same as vram=1 now: no host accepts an offset into the VRAM\n",
			   vram);
}

/* Remove the mappings of programs: page faults establish them again */
static void unmap(struct synv *v, struct synv_buffer *b)
{
	drm_vma_node_unmap(&b->shmem.base.vma_node,
			   v->drm.anon_inode->i_mapping);
}

/* In parts, since a large buffer takes some time on a slow machine */
static void copy_content(void *to, const void *from, size_t bytes)
{
	size_t at, part;

	for (at = 0; at < bytes; at += part) {
		part = min_t(size_t, bytes - at, SZ_1M);
		synthio_copy(to + at, from + at, part);
		cond_resched();
	}
}

static void evict(struct synv *v)
{
	struct synv_buffer *b = v->resident;

	lockdep_assert_held(&v->vram_lock);
	unmap(v, b);
	copy_content(b->pages.vaddr, v->vram, b->shmem.base.size);
	v->resident = NULL;
	v->evictions++;
}

/**
 * synv_vram_evict() - clear the VRAM, for a shadow buffer or since it will be lost
 * @v: the display
 *
 * Context: process, sleeps.
 */
void synv_vram_evict(struct synv *v)
{
	mutex_lock(&v->vram_lock);
	if (v->resident)
		evict(v);
	mutex_unlock(&v->vram_lock);
}

/**
 * synv_vram_move_in() - a buffer is to be shown: let it move in, if it may
 * @v: the display
 * @b: the buffer, for which synv_vram_prepare() was called
 * @modeset: the screen was dark, or had another size
 *
 * Another buffer that is resident is evicted if @b moves in. What a shadow buffer had is
 * lost then.
 *
 * Context: process, in a commit or with commits kept away.
 * Return: whether @b is resident. It stays resident until synv_vram_evict(), or until it
 * is pinned, which may happen at any time.
 */
bool synv_vram_move_in(struct synv *v, struct synv_buffer *b, bool modeset)
{
	bool again;

	mutex_lock(&v->vram_lock);
	again = v->last_shown == b;
	v->last_shown = b;
	if (v->resident != b && !b->pinned && (again || modeset) &&
	    vram > 0 && b->shmem.base.size <= v->vram_size) {
		if (v->resident)
			evict(v);
		unmap(v, b);
		copy_content(v->vram, b->pages.vaddr, b->shmem.base.size);
		v->resident = b;
		v->moves_in++;
	}
	again = v->resident == b;
	mutex_unlock(&v->vram_lock);
	return again;
}

/* Keep a buffer in guest memory from now on */
static void pin(struct drm_gem_object *obj)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);

	mutex_lock(&v->vram_lock);
	WRITE_ONCE(b->pinned, true);
	if (v->resident == b)
		evict(v);
	mutex_unlock(&v->vram_lock);
}

/**
 * synv_vram_prepare() - map the pages of a buffer that will be shown
 * @obj: the buffer, not imported
 *
 * Context: process, sleeps; neither vram_lock nor the object's lock is held.
 * Return: 0 or -ENOMEM.
 */
int synv_vram_prepare(struct drm_gem_object *obj)
{
	struct synv_buffer *b = to_synv_buffer(obj);
	struct iosys_map map;
	int ret = 0;

	/* several commits may prepare one buffer at the same time */
	mutex_lock(&b->prepare_lock);
	if (iosys_map_is_null(&b->pages)) {
		compat_gem_lock(obj);
		ret = drm_gem_shmem_object_vmap(obj, &map);
		compat_gem_unlock(obj);
		if (!ret)
			b->pages = map;
	}
	mutex_unlock(&b->prepare_lock);
	return ret;
}

/* --- what the GEM core calls --------------------------------------------------------- */

static void synv_buffer_free(struct drm_gem_object *obj)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);

	mutex_lock(&v->vram_lock);
	if (v->resident == b)
		v->resident = NULL;
	if (v->last_shown == b)
		v->last_shown = NULL;
	mutex_unlock(&v->vram_lock);
	if (!iosys_map_is_null(&b->pages)) {
		compat_gem_lock(obj);
		drm_gem_shmem_object_vunmap(obj, &b->pages);
		compat_gem_unlock(obj);
	}
	mutex_destroy(&b->prepare_lock);
	drm_gem_shmem_object_free(obj);
}

/*
 * The console before 6.11 maps its buffer for each update: without the pin the buffer
 * would be moved twice for each of them.
 */
static int synv_buffer_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	if (!compat_gem_imported(obj))
		pin(obj);
	return drm_gem_shmem_object_vmap(obj, map);
}

/* Another device does not follow when a buffer moves */
static struct dma_buf *synv_buffer_export(struct drm_gem_object *obj, int flags)
{
	pin(obj);
	return drm_gem_prime_export(obj, flags);
}

/* drm_gem_shmem_vm_ops keep the pages as long as the mapping exists */
static vm_fault_t synv_buffer_fault(struct vm_fault *vmf)
{
	struct drm_gem_object *obj = vmf->vma->vm_private_data;
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);
	pgoff_t page = vmf->pgoff - drm_vma_node_start(&obj->vma_node);
	unsigned long pfn;
	vm_fault_t ret;

	if (page >= obj->size >> PAGE_SHIFT)
		return VM_FAULT_SIGBUS;
	mutex_lock(&v->vram_lock);
	if (v->resident == b)
		pfn = PHYS_PFN(v->window->start) + page;
	else
		pfn = page_to_pfn(b->shmem.pages[page]);
	ret = vmf_insert_pfn(vmf->vma, vmf->address, pfn);
	mutex_unlock(&v->vram_lock);
	return ret;
}

static void synv_buffer_vm_open(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.open(vma);
}

static void synv_buffer_vm_close(struct vm_area_struct *vma)
{
	drm_gem_shmem_vm_ops.close(vma);
}

static const struct vm_operations_struct synv_buffer_vm_ops = {
	.fault	= synv_buffer_fault,
	.open	= synv_buffer_vm_open,
	.close	= synv_buffer_vm_close,
};

static const struct drm_gem_object_funcs synv_buffer_funcs = {
	.free		= synv_buffer_free,
	.print_info	= drm_gem_shmem_object_print_info,
	.export		= synv_buffer_export,
	.pin		= drm_gem_shmem_object_pin,
	.unpin		= drm_gem_shmem_object_unpin,
	.get_sg_table	= drm_gem_shmem_object_get_sg_table,
	.vmap		= synv_buffer_vmap,
	.vunmap		= drm_gem_shmem_object_vunmap,
	.mmap		= drm_gem_shmem_object_mmap,
	.vm_ops		= &synv_buffer_vm_ops,
};

/**
 * synv_vram_object() - allocate what drm_gem_shmem_create() makes an object of
 * @drm: the display's
 * @size: bytes; set in the object by DRM
 *
 * Return: the object, or an ERR_PTR().
 */
struct drm_gem_object *synv_vram_object(struct drm_device *drm, size_t size)
{
	struct synv_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return ERR_PTR(-ENOMEM);
	mutex_init(&b->prepare_lock);
	b->shmem.base.funcs = &synv_buffer_funcs;
	/* the page tables do not say which pages were written through the PFN mapping */
	b->shmem.pages_mark_dirty_on_put = 1;
	return &b->shmem.base;
}
