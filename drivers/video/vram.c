// SPDX-License-Identifier: GPL-2.0-only
/*
 * What lies in the VRAM: see vram.h.
 *
 * vram_lock is held while something moves, and by who looks where it lies: a page
 * fault waits until a move is done. Nothing moves while the kernel has it mapped.
 * Whoever maps what is in the VRAM does so for a moment: the console's worker,
 * around what it writes. So one may wait for that.
 *
 * The pages of what was ever about to be shown are kept and mapped as long as the
 * object lives: to move out takes no memory, and cannot fail.
 */
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pci.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/wait.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>
#include <drm/drm_prime.h>
#include <drm/drm_print.h>
#include <drm/drm_vma_manager.h>

#include <synthio/copy.h>

#include "video.h"

/*
 * Who had to go for lack of room comes back after as many updates that were
 * copied: two buffers that take turns where there is room for one would move at
 * each turn else.
 */
#define PATIENCE	16

static int vram = SYNV_VRAM_AT_START;
module_param(vram, int, 0444);
MODULE_PARM_DESC(vram, "Where a buffer lies that is shown: 0 guest memory, it is copied; 1 (default) beginning of the VRAM; 2 anywhere in the VRAM, which Hyper-V does not take");

static void *place(const struct synv *v, const struct synv_buffer *b)
{
	return v->vram + b->room.start;
}

static size_t bytes_of(const struct synv_buffer *b)
{
	return b->shmem.base.size;
}

/* Page faults come, and wait for vram_lock */
static void unmap(struct synv *v, struct synv_buffer *b)
{
	drm_vma_node_unmap(&b->shmem.base.vma_node,
			   v->drm.anon_inode->i_mapping);
}

/* A large buffer on a slow machine takes its time */
static void move_bytes(void *to, const void *from, size_t bytes)
{
	size_t at, part;

	for (at = 0; at < bytes; at += part) {
		part = min_t(size_t, bytes - at, SZ_1M);
		synthio_copy(to + at, from + at, part);
		cond_resched();
	}
}

static void leave(struct synv *v, struct synv_buffer *b)
{
	unmap(v, b);
	move_bytes(b->pages.vaddr, place(v, b), bytes_of(b));
	drm_mm_remove_node(&b->room);
	list_del_init(&b->resident);
	v->vram_left++;
}

/* vram_lock is let go meanwhile: all may be different */
static void wait_for_vmaps(struct synv *v)
{
	mutex_unlock(&v->vram_lock);
	wait_event(v->vram_idle, !READ_ONCE(v->vram_vmaps));
	mutex_lock(&v->vram_lock);
}

static void drop_picture(struct synv *v)
{
	if (drm_mm_node_allocated(&v->picture))
		drm_mm_remove_node(&v->picture);
}

static bool take_room(struct synv *v, struct synv_buffer *b)
{
	if (v->vram_use == SYNV_VRAM_ANYWHERE)
		return !drm_mm_insert_node(&v->mm, &b->room, bytes_of(b));
	b->room.start = 0;
	b->room.size = bytes_of(b);
	return !drm_mm_reserve_node(&v->mm, &b->room);
}

/* The one that was not shown for the longest time goes */
static bool make_room(struct synv *v)
{
	struct synv_buffer *b;

	list_for_each_entry(b, &v->residents, resident) {
		if (b->vmaps)
			continue;
		leave(v, b);
		b->patience = PATIENCE;
		return true;
	}
	return false;
}

/**
 * synv_vram_enter() - this is to be shown now
 * @v: the display
 * @b: synv_vram_prepare() was called
 * @offset: into the VRAM, where it lies if it does
 *
 * What was shown before may lose its place, and so may the picture.
 *
 * Context: process, vram_lock is held.
 * Return: whether it lies in the VRAM, and stays there while it is shown unless
 * synv_vram_stay() or synv_vram_stop() is called.
 */
bool synv_vram_enter(struct synv *v, struct synv_buffer *b, u32 *offset)
{
	lockdep_assert_held(&v->vram_lock);
	if (!drm_mm_node_allocated(&b->room)) {
		if (b->patience)
			b->patience = v->shown == b ? b->patience - 1 : PATIENCE;
		v->shown = b;
		if (!v->vram_open || v->vram_use == SYNV_VRAM_COPIED || b->stays ||
		    b->vmaps || b->patience || bytes_of(b) > v->vram_size)
			return false;
		/* first what costs nothing */
		if (!take_room(v, b)) {
			drop_picture(v);
			while (!take_room(v, b)) {
				if (!make_room(v))
					return false;
			}
		}
		unmap(v, b);
		move_bytes(place(v, b), b->pages.vaddr, bytes_of(b));
		list_add_tail(&b->resident, &v->residents);
		v->vram_entered++;
	}
	v->shown = b;
	list_move_tail(&b->resident, &v->residents);
	*offset = b->room.start;
	return true;
}

/**
 * synv_vram_leave() - this is to be copied: it is in guest memory afterwards
 * @v: the display
 * @b: it
 *
 * Context: process, vram_lock is held, and may be let go and taken again.
 */
void synv_vram_leave(struct synv *v, struct synv_buffer *b)
{
	lockdep_assert_held(&v->vram_lock);
	while (drm_mm_node_allocated(&b->room) && b->vmaps)
		wait_for_vmaps(v);
	if (drm_mm_node_allocated(&b->room)) {
		leave(v, b);
		b->patience = PATIENCE;
	}
}

/**
 * synv_vram_picture() - so much at the beginning of the VRAM is for a picture
 * @v: the display
 * @bytes: fit into the VRAM
 *
 * Until synv_vram_enter() finds no other room.
 * Context: process, vram_lock is held, and may be let go and taken again.
 * Return: whether it was there already.
 */
bool synv_vram_picture(struct synv *v, u32 bytes)
{
	struct synv_buffer *b, *next;
	bool again;

	lockdep_assert_held(&v->vram_lock);
	bytes = PAGE_ALIGN(bytes);
	if (drm_mm_node_allocated(&v->picture) && v->picture.size == bytes)
		return true;
	drop_picture(v);
	do {
		again = false;
		list_for_each_entry_safe(b, next, &v->residents, resident) {
			if (b->room.start >= bytes)
				continue;
			if (b->vmaps) {
				again = true;
				continue;
			}
			leave(v, b);
			b->patience = PATIENCE;
		}
		if (again)
			wait_for_vmaps(v);
	} while (again);
	v->picture.start = 0;
	v->picture.size = bytes;
	drm_WARN_ON(&v->drm, drm_mm_reserve_node(&v->mm, &v->picture));
	return false;
}

/**
 * synv_vram_stay() - others than programs use it: it is in guest memory from now on
 * @obj: imported or not
 *
 * Context: process, sleeps; vram_lock is not held.
 */
void synv_vram_stay(struct drm_gem_object *obj)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);

	mutex_lock(&v->vram_lock);
	WRITE_ONCE(b->stays, true);
	synv_vram_leave(v, b);
	mutex_unlock(&v->vram_lock);
}

/**
 * synv_vram_prepare() - this may be shown soon
 * @obj: not imported
 *
 * Context: process, sleeps; vram_lock is not held, nor is the object's lock.
 * Return: 0 or -ENOMEM.
 */
int synv_vram_prepare(struct drm_gem_object *obj)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);
	struct iosys_map map;
	int ret;

	if (!iosys_map_is_null(&b->pages))
		return 0;
	compat_gem_lock(obj);
	ret = drm_gem_shmem_object_vmap(obj, &map);
	if (!ret) {
		mutex_lock(&v->vram_lock);
		/* somebody else was here */
		if (!iosys_map_is_null(&b->pages)) {
			mutex_unlock(&v->vram_lock);
			drm_gem_shmem_object_vunmap(obj, &map);
		} else {
			b->pages = map;
			mutex_unlock(&v->vram_lock);
		}
	}
	compat_gem_unlock(obj);
	return ret;
}

/* --- what DRM calls ----------------------------------------------------------- */

static void synv_buffer_free(struct drm_gem_object *obj)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);

	mutex_lock(&v->vram_lock);
	if (drm_mm_node_allocated(&b->room)) {
		drm_mm_remove_node(&b->room);
		list_del(&b->resident);
	}
	if (v->shown == b)
		v->shown = NULL;
	mutex_unlock(&v->vram_lock);
	if (!iosys_map_is_null(&b->pages)) {
		compat_gem_lock(obj);
		drm_gem_shmem_object_vunmap(obj, &b->pages);
		compat_gem_unlock(obj);
	}
	drm_gem_shmem_object_free(obj);
}

static int synv_buffer_vmap(struct drm_gem_object *obj, struct iosys_map *map)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);
	int ret = 0;

	/* its own driver's locks are none that vram_lock may be around */
	if (compat_gem_imported(obj))
		return drm_gem_shmem_object_vmap(obj, map);
	mutex_lock(&v->vram_lock);
	if (drm_mm_node_allocated(&b->room)) {
		/* a copy to a device's memory is by words */
		iosys_map_set_vaddr_iomem(map, (__force void __iomem *)
					       place(v, b));
		v->vram_vmaps++;
	} else {
		ret = drm_gem_shmem_object_vmap(obj, map);
	}
	if (!ret)
		b->vmaps++;
	mutex_unlock(&v->vram_lock);
	return ret;
}

static void synv_buffer_vunmap(struct drm_gem_object *obj,
			       struct iosys_map *map)
{
	struct synv *v = to_synv(obj->dev);
	struct synv_buffer *b = to_synv_buffer(obj);

	if (compat_gem_imported(obj)) {
		drm_gem_shmem_object_vunmap(obj, map);
		return;
	}
	mutex_lock(&v->vram_lock);
	b->vmaps--;
	if (!drm_mm_node_allocated(&b->room))
		drm_gem_shmem_object_vunmap(obj, map);
	else if (!--v->vram_vmaps)
		wake_up_all(&v->vram_idle);
	mutex_unlock(&v->vram_lock);
}

/* Another device knows nothing of moves */
static struct dma_buf *synv_buffer_export(struct drm_gem_object *obj, int flags)
{
	synv_vram_stay(obj);
	return drm_gem_prime_export(obj, flags);
}

/* The pages are there as long as the mapping is: drm_gem_shmem_vm_ops sees to it */
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
	if (drm_mm_node_allocated(&b->room))
		pfn = PHYS_PFN(v->window->start + b->room.start) + page;
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
	.vunmap		= synv_buffer_vunmap,
	.mmap		= drm_gem_shmem_object_mmap,
	.vm_ops		= &synv_buffer_vm_ops,
};

/**
 * synv_vram_object() - what drm_gem_shmem_create() makes an object of
 * @drm: the display's
 * @size: is set by DRM
 *
 * Return: the object, or an ERR_PTR().
 */
struct drm_gem_object *synv_vram_object(struct drm_device *drm, size_t size)
{
	struct synv_buffer *b = kzalloc(sizeof(*b), GFP_KERNEL);

	if (!b)
		return ERR_PTR(-ENOMEM);
	INIT_LIST_HEAD(&b->resident);
	b->shmem.base.funcs = &synv_buffer_funcs;
	/* no page table entry of ours tells that a page was written */
	b->shmem.pages_mark_dirty_on_put = 1;
	return &b->shmem.base;
}

#ifdef CONFIG_DEBUG_FS
static int show_vram(struct seq_file *m, void *data)
{
	struct drm_info_node *node = m->private;
	struct synv *v = to_synv(node->minor->dev);
	struct drm_printer p = drm_seq_file_printer(m);
	struct synv_buffer *b;
	unsigned int count = 0;

	mutex_lock(&v->vram_lock);
	list_for_each_entry(b, &v->residents, resident)
		count++;
	drm_printf(&p, "buffers=%u entered=%llu left=%llu copied=%llu late=%llu waiting=%u\n",
		   count, v->vram_entered, v->vram_left,
		   READ_ONCE(v->copied_pixels), READ_ONCE(v->put_off),
		   READ_ONCE(v->late.count));
	if (v->vram_open)
		drm_mm_print(&v->mm, &p);
	mutex_unlock(&v->vram_lock);
	return 0;
}

static const struct drm_info_list synv_debugfs_list[] = {
	{ "vram", show_vram, 0 },
};

/**
 * synv_vram_debugfs() - a file that tells what lies there
 * @minor: the card
 */
void synv_vram_debugfs(struct drm_minor *minor)
{
	drm_debugfs_create_files(synv_debugfs_list,
				 ARRAY_SIZE(synv_debugfs_list),
				 minor->debugfs_root, minor);
}
#endif

/* --- life ----------------------------------------------------------------------- */

/*
 * The offset of the picture in the VRAM must be 0 on Hyper-V and OpenVMM, which are
 * reached through an ACPI or platform device. A host behind a PCI device (ivshmem)
 * may accept an offset, which its owner knows.
 */
static int what_is_wanted(const struct synv *v)
{
	if (vram == SYNV_VRAM_ANYWHERE && !dev_is_pci(v->hv->device.parent)) {
		dev_warn(&v->hv->device,
			 "vram=%d is not for this host: pictures are at the beginning of the VRAM\n",
			 vram);
		return SYNV_VRAM_AT_START;
	}
	return clamp_t(int, vram, SYNV_VRAM_COPIED, SYNV_VRAM_ANYWHERE);
}

/**
 * synv_vram_init() - there is a VRAM, and it is empty
 * @v: the display
 */
void synv_vram_init(struct synv *v)
{
	INIT_LIST_HEAD(&v->residents);
	init_waitqueue_head(&v->vram_idle);
	drm_mm_init(&v->mm, 0, v->vram_size);
	v->vram_use = what_is_wanted(v);
	v->vram_open = true;
}

/**
 * synv_vram_stop() - all leaves the VRAM, and nothing comes
 * @v: the display, which shows nothing
 *
 * Context: process, sleeps.
 */
void synv_vram_stop(struct synv *v)
{
	struct synv_buffer *b, *next;

	mutex_lock(&v->vram_lock);
	v->vram_open = false;
	while (!list_empty(&v->residents)) {
		list_for_each_entry_safe(b, next, &v->residents, resident) {
			if (!b->vmaps)
				leave(v, b);
		}
		if (!list_empty(&v->residents))
			wait_for_vmaps(v);
	}
	drop_picture(v);
	mutex_unlock(&v->vram_lock);
}

/**
 * synv_vram_start() - the mirror
 * @v: the display
 */
void synv_vram_start(struct synv *v)
{
	mutex_lock(&v->vram_lock);
	v->vram_open = true;
	mutex_unlock(&v->vram_lock);
}

/**
 * synv_vram_exit() - the mirror of synv_vram_init()
 * @v: the display. Its objects may live on
 */
void synv_vram_exit(struct synv *v)
{
	synv_vram_stop(v);
	/* which complains if room was lost */
	drm_mm_takedown(&v->mm);
}
