// SPDX-License-Identifier: GPL-2.0-only
/* Files in the directory that DRM has for the card in debugfs */
#include <linux/seq_file.h>

#include <drm/drm_debugfs.h>
#include <drm/drm_file.h>

#include "video.h"

#ifdef CONFIG_DEBUG_FS
static int show_state(struct seq_file *m, void *data)
{
	static const char * const names[] = {
		"situation", "shape", "position", "dirt",
	};
	struct drm_info_node *node = m->private;
	struct synv *v = to_synv(node->minor->dev);
	bool due = synv_output_due(v);
	unsigned int i;

	mutex_lock(&v->channel.lock);
	seq_printf(m, "state: %s\nmissed:", synv_state_name(v->channel.state));
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (v->updates.missed & 1 << i)
			seq_printf(m, " %s", names[i]);
	}
	seq_printf(m, "\ndue=%d bad=%llu\n", due, READ_ONCE(v->channel.bad));
	mutex_unlock(&v->channel.lock);
	return 0;
}

static int show_vram(struct seq_file *m, void *data)
{
	struct drm_info_node *node = m->private;
	struct synv *v = to_synv(node->minor->dev);

	mutex_lock(&v->vram_lock);
	seq_printf(m, "resident=%d moves_in=%llu evictions=%llu copied=%llu deferrals=%llu deferred=%u\n",
		   !!v->resident, v->moves_in, v->evictions,
		   READ_ONCE(v->copied_pixels), READ_ONCE(v->deferrals),
		   READ_ONCE(v->deferred.count));
	mutex_unlock(&v->vram_lock);
	return 0;
}

static const struct drm_info_list synv_debugfs_list[] = {
	{ "host_state", show_state, 0 },
	{ "vram", show_vram, 0 },
};

/**
 * synv_debugfs_init() - create the files
 * @minor: the card
 */
void synv_debugfs_init(struct drm_minor *minor)
{
	drm_debugfs_create_files(synv_debugfs_list,
				 ARRAY_SIZE(synv_debugfs_list),
				 minor->debugfs_root, minor);
}
#endif
