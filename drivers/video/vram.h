/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GEM objects, and which of them is in the VRAM.
 *
 * A buffer has pages of guest memory as long as it lives. One buffer at a time can be
 * resident: its content is in the VRAM instead, programs' mappings lead there, and an
 * update of the screen copies nothing. Hosts look at the beginning of the VRAM only, so
 * there is room for one buffer, or for a shadow buffer, to which what is shown is copied.
 *
 * A buffer moves in when it is shown in a new mode, or by two updates in succession; so
 * buffers that take turns are copied, rather than moved at each turn. A buffer that the
 * kernel maps, or that another device gets, is pinned in guest memory for good.
 */
#ifndef SYNTHIO_VIDEO_VRAM_H
#define SYNTHIO_VIDEO_VRAM_H

#include <linux/iosys-map.h>
#include <linux/mutex.h>

#include <drm/drm_gem_shmem_helper.h>

struct synv;

/**
 * struct synv_buffer - a GEM object
 * @shmem: its pages; the first member, since the GEM core frees it
 * @prepare_lock: @pages is set once; taken before the object's lock
 * @pages: mapping of all pages, from when the buffer was first shown until it is freed:
 *	an eviction needs no memory, and cannot fail
 * @pinned: it never moves in; set under vram_lock, never cleared
 */
struct synv_buffer {
	struct drm_gem_shmem_object shmem;
	struct mutex prepare_lock;
	struct iosys_map pages;
	bool pinned;
};

static inline struct synv_buffer *to_synv_buffer(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct synv_buffer,
			    shmem);
}

void synv_vram_init(struct synv *v);
struct drm_gem_object *synv_vram_object(struct drm_device *drm, size_t size);
int synv_vram_prepare(struct drm_gem_object *obj);
bool synv_vram_move_in(struct synv *v, struct synv_buffer *b, bool modeset);
void synv_vram_evict(struct synv *v);

#endif
