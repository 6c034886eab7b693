// SPDX-License-Identifier: GPL-2.0-only
/* Connector and CRTC: the list of modes, and setting one */
#include <drm/drm_atomic.h>
#include <drm/drm_atomic_helper.h>
#include <drm/drm_edid.h>
#include <drm/drm_framebuffer.h>
#include <drm/drm_gem_framebuffer_helper.h>
#include <drm/drm_managed.h>
#include <drm/drm_modeset_helper_vtables.h>
#include <drm/drm_probe_helper.h>
#include <drm/drm_vblank.h>

#include "video.h"

/* For a host that lists no sizes: the largest mode, and the preferred one */
#define DEFAULT_MAX_WIDTH	1600
#define DEFAULT_MAX_HEIGHT	1200
#define DEFAULT_WIDTH		1024
#define DEFAULT_HEIGHT		768

/* Hz, since each vertical blank is an interrupt of a timer */
#define MAX_RATE	240

static bool fits_into_vram(const struct synv *v, u32 width, u32 height)
{
	return width <= SYNV_MAX_SIDE && height <= SYNV_MAX_SIDE &&
	       width * height * SYNV_BPP <= v->vram_size;
}

/* The largest width and the largest height that the host lists; modes_lock is held */
static void limits(const struct synv *v, u32 *width, u32 *height)
{
	u32 i;

	lockdep_assert_held(&v->modes_lock);
	*width = v->modes.count ? 0 : DEFAULT_MAX_WIDTH;
	*height = v->modes.count ? 0 : DEFAULT_MAX_HEIGHT;
	for (i = 0; i < v->modes.count; i++) {
		*width = max_t(u32, *width, v->modes.mode[i].width);
		*height = max_t(u32, *height, v->modes.mode[i].height);
	}
}

/* DRM removes other modes from the list */
static bool is_usable(const struct drm_display_mode *mode)
{
	return !(mode->flags & DRM_MODE_FLAG_INTERLACE) &&
	       drm_mode_vrefresh(mode) <= MAX_RATE;
}

/* Add a mode, unless it is in the list */
static int add_mode(struct drm_connector *connector, u32 width, u32 height)
{
	struct drm_display_mode *mode;

	list_for_each_entry(mode, &connector->probed_modes, head) {
		if (mode->hdisplay == width && mode->vdisplay == height &&
		    is_usable(mode))
			return 0;
	}
	mode = drm_cvt_mode(connector->dev, width, height, 60, true, false,
			    false);
	if (!mode)
		return 0;
	/* CVT rounds the width down to its cells */
	mode->hdisplay = width;
	mode->type |= DRM_MODE_TYPE_DRIVER;
	drm_mode_set_name(mode);
	drm_mode_probed_add(connector, mode);
	return 1;
}

static void prefer(struct drm_connector *connector, u32 width, u32 height)
{
	struct drm_display_mode *mode;
	bool found = false;

	list_for_each_entry(mode, &connector->probed_modes, head) {
		if (!found && mode->hdisplay == width &&
		    mode->vdisplay == height && is_usable(mode)) {
			mode->type |= DRM_MODE_TYPE_PREFERRED;
			found = true;
		} else {
			mode->type &= ~DRM_MODE_TYPE_PREFERRED;
		}
	}
}

/* The sizes that the host lists, and the usual sizes up to the largest of them */
static int synv_get_modes(struct drm_connector *connector)
{
	struct synv *v = to_synv(connector->dev);
	u32 width, height, best_w = DEFAULT_WIDTH, best_h = DEFAULT_HEIGHT, i;
	struct edid *edid;
	int count = 0;

	mutex_lock(&v->modes_lock);
	edid = v->modes.has_edid ? (struct edid *)v->modes.edid : NULL;
	drm_connector_update_edid_property(connector, edid);
	if (edid)
		count = drm_add_edid_modes(connector, edid);
	limits(v, &width, &height);
	count += drm_add_modes_noedid(connector, width, height);
	for (i = 0; i < v->modes.count; i++)
		count += add_mode(connector, v->modes.mode[i].width,
				  v->modes.mode[i].height);
	if (v->modes.count) {
		best_w = v->modes.mode[v->modes.preferred].width;
		best_h = v->modes.mode[v->modes.preferred].height;
	}
	mutex_unlock(&v->modes_lock);
	prefer(connector, best_w, best_h);
	return count;
}

static const struct drm_connector_helper_funcs synv_connector_helpers = {
	.get_modes	= synv_get_modes,
};

static const struct drm_connector_funcs synv_connector_funcs = {
	.fill_modes	= drm_helper_probe_single_connector_modes,
	.destroy	= drm_connector_cleanup,
	.reset		= drm_atomic_helper_connector_reset,
	.atomic_duplicate_state = drm_atomic_helper_connector_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_connector_destroy_state,
};

/**
 * synv_modeset_hotplug() - send a hotplug event, unless the display is coming or going
 * @v: the display
 *
 * Context: process, sleeps; no lock is held.
 */
void synv_modeset_hotplug(struct synv *v)
{
	enum synv_state state = READ_ONCE(v->channel.state);

	if (state == SYNV_LIVE || state == SYNV_STALLED)
		drm_kms_helper_hotplug_event(&v->drm);
}

/**
 * synv_modeset_new_modes() - the host has sent its list of modes
 * @v: the display
 * @modes: the list
 *
 * Desktops get a hotplug event if the list has changed.
 * Context: process, sleeps; no lock is held.
 */
void synv_modeset_new_modes(struct synv *v, const struct synv_modes *modes)
{
	bool changed;

	mutex_lock(&v->modes_lock);
	changed = memcmp(&v->modes, modes, sizeof(*modes));
	v->modes = *modes;
	mutex_unlock(&v->modes_lock);
	if (changed)
		synv_modeset_hotplug(v);
}

static void synv_crtc_enable(struct drm_crtc *crtc, compat_atomic *state)
{
	struct synv *v = to_synv(crtc->dev);
	const struct drm_display_mode *mode = &crtc->state->mode;
	const struct drm_plane_state *primary =
		drm_atomic_get_new_plane_state(state, &v->primary);
	int rate = drm_mode_vrefresh(mode), idx;

	v->vblank_period = ns_to_ktime(NSEC_PER_SEC / (rate > 0 ? rate : 60));
	drm_crtc_vblank_on(crtc);
	/* a visible plane is shown by the same commit */
	if ((primary && primary->visible) || !drm_dev_enter(&v->drm, &idx))
		return;
	synv_plane_black(v, mode->hdisplay, mode->vdisplay);
	drm_dev_exit(idx);
}

static void synv_crtc_disable(struct drm_crtc *crtc, compat_atomic *state)
{
	struct synv *v = to_synv(crtc->dev);
	int idx;

	drm_crtc_vblank_off(crtc);
	/* a change of the mode does not make the screen dark */
	if (drm_atomic_get_new_crtc_state(state, crtc)->active)
		return;
	v->deferred.count = 0;
	if (drm_dev_enter(&v->drm, &idx)) {
		synv_output_blank(v);
		drm_dev_exit(idx);
	}
	spin_lock_irq(&crtc->dev->event_lock);
	if (crtc->state->event)
		drm_crtc_send_vblank_event(crtc, crtc->state->event);
	crtc->state->event = NULL;
	spin_unlock_irq(&crtc->dev->event_lock);
}

/*
 * The update was sent already. An event or a fence of a program is signalled at the next
 * vertical blank, so that the program does not spin; the kernel's own commits need not
 * wait for that.
 */
static void synv_crtc_flush(struct drm_crtc *crtc, compat_atomic *state)
{
	struct drm_pending_vblank_event *event = crtc->state->event;

	if (!event)
		return;
	crtc->state->event = NULL;
	spin_lock_irq(&crtc->dev->event_lock);
	if ((event->base.file_priv || event->base.fence) &&
	    !drm_crtc_vblank_get(crtc))
		drm_crtc_arm_vblank_event(crtc, event);
	else
		drm_crtc_send_vblank_event(crtc, event);
	spin_unlock_irq(&crtc->dev->event_lock);
}

static const struct drm_crtc_helper_funcs synv_crtc_helpers = {
	.atomic_enable	= synv_crtc_enable,
	.atomic_disable	= synv_crtc_disable,
	.atomic_flush	= synv_crtc_flush,
};

static const struct drm_crtc_funcs synv_crtc_funcs = {
	.reset		= drm_atomic_helper_crtc_reset,
	.destroy	= drm_crtc_cleanup,
	.set_config	= drm_atomic_helper_set_config,
	.page_flip	= drm_atomic_helper_page_flip,
	.atomic_duplicate_state = drm_atomic_helper_crtc_duplicate_state,
	.atomic_destroy_state = drm_atomic_helper_crtc_destroy_state,
	.enable_vblank	= synv_vblank_enable,
	.disable_vblank	= synv_vblank_disable,
};

static const struct drm_encoder_funcs synv_encoder_funcs = {
	.destroy	= drm_encoder_cleanup,
};

static enum drm_mode_status synv_mode_valid(struct drm_device *drm,
					    const struct drm_display_mode *mode)
{
	struct synv *v = to_synv(drm);
	u32 width, height;

	mutex_lock(&v->modes_lock);
	limits(v, &width, &height);
	mutex_unlock(&v->modes_lock);
	if (drm_mode_vrefresh(mode) > MAX_RATE)
		return MODE_CLOCK_HIGH;
	if (mode->hdisplay > width || mode->vdisplay > height ||
	    mode->hdisplay < SYNV_MIN_SIDE || mode->vdisplay < SYNV_MIN_SIDE)
		return MODE_BAD;
	return fits_into_vram(v, mode->hdisplay, mode->vdisplay) ?
	       MODE_OK : MODE_MEM;
}

const struct drm_framebuffer_funcs synv_fb_funcs = {
	.destroy	= drm_gem_fb_destroy,
	.create_handle	= drm_gem_fb_create_handle,
	.dirty		= synv_plane_dirty,
};

static const struct drm_mode_config_funcs synv_mode_config_funcs = {
	.fb_create	= compat_fb_create,
	.mode_valid	= synv_mode_valid,
	.atomic_check	= drm_atomic_helper_check,
	.atomic_commit	= drm_atomic_helper_commit,
};

/*
 * As drm_atomic_helper_commit_tail(), but without a wait for the vertical blank: the
 * host looks into the VRAM, and no longer into the old framebuffer.
 */
static void synv_commit_tail(compat_atomic *state)
{
	struct drm_device *drm = state->dev;

	drm_atomic_helper_commit_modeset_disables(drm, state);
	drm_atomic_helper_commit_modeset_enables(drm, state);
	drm_atomic_helper_commit_planes(drm, state,
					DRM_PLANE_COMMIT_ACTIVE_ONLY);
	drm_atomic_helper_commit_hw_done(state);
	drm_atomic_helper_cleanup_planes(drm, state);
}

static const struct drm_mode_config_helper_funcs synv_mode_config_helpers = {
	.atomic_commit_tail = synv_commit_tail,
};

static int synv_connector_init(struct synv *v)
{
	struct drm_device *drm = &v->drm;
	int ret;

	ret = drm_connector_init(drm, &v->connector, &synv_connector_funcs,
				 DRM_MODE_CONNECTOR_VIRTUAL);
	if (ret)
		return ret;
	drm_connector_helper_add(&v->connector, &synv_connector_helpers);
	drm_connector_attach_edid_property(&v->connector);
	v->hotplug_update = drm_property_create_range(drm,
						      DRM_MODE_PROP_IMMUTABLE,
						      "hotplug_mode_update",
						      0, 1);
	if (!v->hotplug_update)
		return -ENOMEM;
	drm_object_attach_property(&v->connector.base, v->hotplug_update, 1);
	ret = drm_mode_create_suggested_offset_properties(drm);
	if (ret)
		return ret;
	drm_object_attach_property(&v->connector.base,
				   drm->mode_config.suggested_x_property, 0);
	drm_object_attach_property(&v->connector.base,
				   drm->mode_config.suggested_y_property, 0);
	return 0;
}

/**
 * synv_modeset_init() - make planes, CRTC, encoder and connector
 * @v: the display, whose VRAM and modes are known
 *
 * Everything is cleaned up with the DRM device.
 * Context: process, sleeps. Return: 0 or an error.
 */
int synv_modeset_init(struct synv *v)
{
	struct drm_device *drm = &v->drm;
	int ret;

	ret = drmm_mode_config_init(drm);
	if (ret)
		return ret;
	drm->mode_config.max_width = SYNV_MAX_SIDE;
	drm->mode_config.max_height = SYNV_MAX_SIDE;
	drm->mode_config.preferred_depth = 24;
	drm->mode_config.funcs = &synv_mode_config_funcs;
	drm->mode_config.helper_private = &synv_mode_config_helpers;

	ret = synv_plane_init(v);
	if (!ret)
		ret = synv_cursor_init(v);
	if (!ret)
		ret = drm_crtc_init_with_planes(drm, &v->crtc, &v->primary,
						&v->cursor, &synv_crtc_funcs,
						NULL);
	if (ret)
		return ret;
	drm_crtc_helper_add(&v->crtc, &synv_crtc_helpers);

	v->encoder.possible_crtcs = drm_crtc_mask(&v->crtc);
	ret = drm_encoder_init(drm, &v->encoder, &synv_encoder_funcs,
			       DRM_MODE_ENCODER_VIRTUAL, NULL);
	if (!ret)
		ret = synv_connector_init(v);
	if (!ret)
		ret = drm_connector_attach_encoder(&v->connector, &v->encoder);
	if (!ret)
		ret = drm_vblank_init(drm, 1);
	if (ret)
		return ret;
	drm_mode_config_reset(drm);
	return 0;
}
