/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Buffers, and the room in the VRAM.
 *
 * Each buffer is made of pages of guest memory. While it is shown, and for as long
 * afterwards as nobody needs the room, its content lies in the VRAM instead, and
 * programs' mappings lead there: nothing is copied then. Programs don't notice
 * that it moves. What does not move in is copied, as a picture at the beginning
 * of the VRAM.
 */
#ifndef SYNTHIO_VIDEO_VRAM_H
#define SYNTHIO_VIDEO_VRAM_H

#include <linux/iosys-map.h>

#include <drm/drm_gem_shmem_helper.h>
#include <drm/drm_mm.h>

/* The module's parameter: where a buffer lies that is shown */
enum synv_vram_use {
	SYNV_VRAM_COPIED,
	SYNV_VRAM_AT_START,
	SYNV_VRAM_ANYWHERE,
};

struct synv;
struct seq_file;

/**
 * struct synv_buffer - a GEM object
 * @shmem: its pages; comes first, since it is what gets freed
 * @pages: mapped, all of them, once it was about to be shown
 *
 * Under vram_lock:
 * @room: in the VRAM, allocated while it lies there: pages are old then
 * @resident: in the list of those, the one last shown is the last
 * @vmaps: how many others have it mapped in the kernel: it does not move
 * @stays: never moves in
 * @patience: how many updates are copied before it may move in
 */
struct synv_buffer {
	struct drm_gem_shmem_object shmem;
	struct iosys_map pages;
	struct drm_mm_node room;
	struct list_head resident;
	unsigned int vmaps;
	bool stays;
	unsigned int patience;
};

static inline struct synv_buffer *to_synv_buffer(struct drm_gem_object *obj)
{
	return container_of(to_drm_gem_shmem_obj(obj), struct synv_buffer,
			    shmem);
}

void synv_vram_init(struct synv *v);
void synv_vram_start(struct synv *v);
void synv_vram_stop(struct synv *v);
void synv_vram_exit(struct synv *v);
struct drm_gem_object *synv_vram_object(struct drm_device *drm, size_t size);
int synv_vram_prepare(struct drm_gem_object *obj);
bool synv_vram_enter(struct synv *v, struct synv_buffer *b, u32 *offset);
void synv_vram_leave(struct synv *v, struct synv_buffer *b);
void synv_vram_stay(struct drm_gem_object *obj);
bool synv_vram_picture(struct synv *v, u32 bytes);
void synv_vram_debugfs(struct drm_minor *minor);

#endif
